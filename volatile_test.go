package larder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
)

// words are texts that a cast may take for a time, and a row for what is read beside it.
var words = []string{
	"CREATE TABLE words (id INTEGER PRIMARY KEY, word VARCHAR(100), at TIMESTAMP)",
	"INSERT INTO words VALUES (1, 'now', '2020-01-01 00:00:00'), (2, 'today', '2032-01-01 00:00:00'), (3, 'tomorrow', '2034-01-01 00:00:00')",
}

// withWords is words and more.
func withWords(more ...string) []string { return append(words[:len(words):len(words)], more...) }

// literalTimes are constants from the moment a statement is prepared, as pgx does
// with every one, until it is prepared again.
const literalTimes = "literals that are times"

// moving are reads whose result differs from one to the next.
var moving = []scenario{
	{name: "clock", on: "postgres", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT now() FROM words WHERE id = 1", "SELECT id, now() AS at FROM words ORDER BY id", "SELECT clock_timestamp(), id FROM words", "SELECT statement_timestamp() FROM words",
		"SELECT transaction_timestamp() FROM words", "SELECT timeofday() FROM words", "SELECT CURRENT_TIMESTAMP FROM words", "SELECT CURRENT_TIME FROM words",
		"SELECT LOCALTIME FROM words", "SELECT LOCALTIMESTAMP FROM words", "SELECT PG_CATALOG.Now() FROM words", "SELECT age(now(), at) FROM words", "SELECT extract(epoch FROM now()) FROM words",
		"SELECT id FROM (SELECT id, now() AS n FROM words) x WHERE false UNION ALL SELECT extract(microseconds FROM clock_timestamp())::int FROM words",
	}},
	{name: literalTimes, on: "postgres", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT 'now'::timestamp FROM words", "SELECT CAST('now' AS timestamptz) FROM words", "SELECT timestamp 'now', id FROM words", "SELECT timestamptz 'NOW' FROM words", "SELECT time 'now' FROM words",
		"SELECT E'n\\x6fw'::timestamp FROM words", "SELECT '{now}'::timestamp[] FROM words", "SELECT '[now,)'::tsrange FROM words",
	}},
	{name: "texts that are times", on: "postgres", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT ('n' || 'ow')::timestamp FROM words",
		"SELECT word::timestamp FROM words WHERE id = 1",
	}},
	{name: "chance", on: "postgres", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT random() FROM words", "SELECT gen_random_uuid() FROM words", "SELECT id, (SELECT random()) FROM words ORDER BY id", "WITH r AS (SELECT random() AS v) SELECT v FROM r, words",
		"SELECT max(random()) FROM words", "SELECT CASE WHEN id > 0 THEN random() END FROM words", "SELECT id + random() FROM words", "SELECT id FROM words UNION ALL SELECT (random() * 1e9)::int FROM words",
		"SELECT r FROM words, LATERAL (SELECT random() AS r) x", "SELECT sum(random()) OVER () FROM words", "SELECT (random() * 1e9)::int::text FROM words",
	}},
	{name: "transaction ids", on: "postgres", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT txid_current(), id FROM words", "SELECT pg_current_xact_id() FROM words",
	}},
	{name: "sequence", on: "postgres", setup: withWords("CREATE SEQUENCE seq"), reason: analyze.Volatile, reads: []string{"SELECT nextval('seq')", "SELECT nextval('seq'), id FROM words ORDER BY id"}},
	{name: "views that hide it", on: "postgres", setup: withWords("CREATE VIEW v_vol AS SELECT id, random() AS r FROM words", "CREATE VIEW v_now AS SELECT id, now() AS n FROM words",
		"CREATE VIEW v_deep AS SELECT * FROM v_vol", "CREATE VIEW v_text AS SELECT 'now'::text::timestamp AS t FROM words"), reason: analyze.Volatile, reads: []string{
		"SELECT * FROM v_vol ORDER BY id", "SELECT * FROM v_now ORDER BY id", "SELECT r FROM v_deep WHERE id = 1", "SELECT id, (SELECT max(r) FROM v_vol) FROM words ORDER BY id", "SELECT t FROM v_text",
	}},
	{name: "clock", on: "mysql", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT NOW(6) FROM words", "SELECT SYSDATE(6), id FROM words", "SELECT CURRENT_TIMESTAMP(6) FROM words", "SELECT LOCALTIME(6) FROM words", "SELECT LOCALTIMESTAMP(6) FROM words",
		"SELECT UTC_TIMESTAMP(6) FROM words", "SELECT UTC_TIME(6) FROM words", "SELECT CURTIME(6) FROM words", "SELECT UNIX_TIMESTAMP(NOW(6)) FROM words", "SELECT (SELECT NOW(6)) FROM words",
	}},
	{name: "chance", on: "mysql", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT RAND() FROM words", "SELECT UUID() FROM words", "SELECT UUID_SHORT() FROM words", "SELECT RANDOM_BYTES(8) FROM words", "SELECT id, (SELECT RAND()) FROM words ORDER BY id", "SELECT MAX(RAND()) FROM words",
		"WITH r AS (SELECT RAND() AS v) SELECT v FROM r, words", "SELECT id FROM words UNION ALL SELECT RAND()",
	}},
	{name: "views that hide it", on: "mysql", setup: withWords("CREATE VIEW v_vol AS SELECT id, RAND() AS r FROM words", "CREATE VIEW v_now AS SELECT id, NOW(6) AS n FROM words", "CREATE VIEW v_deep AS SELECT * FROM v_vol"),
		reason: analyze.Volatile, reads: []string{"SELECT * FROM v_vol ORDER BY id", "SELECT * FROM v_now ORDER BY id", "SELECT r FROM v_deep"}},
	{name: "clock", on: "sqlite", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT julianday('now') FROM words", "SELECT strftime('%f %J', 'now') FROM words", "SELECT julianday() FROM words", "SELECT (SELECT julianday('now')) FROM words",
	}},
	{name: "chance", on: "sqlite", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT random() FROM words", "SELECT hex(randomblob(8)) FROM words", "SELECT id, (SELECT random()) FROM words ORDER BY id", "WITH r AS (SELECT random() AS v) SELECT v FROM r, words", "SELECT max(random()) FROM words",
		"SELECT abs(random()) FROM words", "SELECT id FROM words UNION ALL SELECT random()",
	}},
	{name: "views that hide it", on: "sqlite", setup: withWords("CREATE VIEW v_vol AS SELECT id, random() AS r FROM words", "CREATE VIEW v_now AS SELECT id, julianday('now') AS n FROM words", "CREATE VIEW v_deep AS SELECT * FROM v_vol"),
		reason: analyze.Volatile, reads: []string{"SELECT * FROM v_vol ORDER BY id", "SELECT * FROM v_now ORDER BY id", "SELECT r FROM v_deep"}},
}

// TestVolatile: a result that changes without any write is read anew each time.
func TestVolatile(t *testing.T) {
	eachScenario(t, moving, func(h *house, s *scenario) {
		h.prepare(s.setup)
		for _, read := range s.reads {
			h.acquaint(read)
			first, second := h.wantAsked(h.db, s.reason, read)
			for tries := 0; first == second && tries < 1000; tries++ { // clocks may be coarse
				second = h.query(h.db, read)
			}
			if first == second && !(h.name == "pgx" && s.name == literalTimes) {
				h.Errorf("%s: always\n%s", read, first)
			}
			h.wantKind(read)
		}
	})
}

// acquaint reads once, which may bring the catalog up to date before the reason of a
// read can be known. Already this read must not be kept.
func (h *house) acquaint(query string) {
	h.Helper()
	h.take()
	if got := h.query(h.db, query); strings.Contains(got, "error: ") {
		h.Errorf("%s: %s", query, got)
	}
	if events := h.take(); len(events) != 1 || events[0].Outcome != OutcomeBypass {
		h.Errorf("%s: %+v, want a bypass", query, events)
	}
}

// wantKind compares what is not the values: columns, their types, rows and their Go types.
func (h *house) wantKind(query string, args ...any) {
	h.Helper()
	got, want := withoutValues(h.query(h.db, query, args...)), withoutValues(h.query(h.bare, query, args...))
	if got != want {
		h.Errorf("%s: cached\n%s\nbare\n%s", query, got, want)
	}
}

// withoutValues leaves a rendered result its first line, and the Go types of its rows.
func withoutValues(rendered string) string {
	columns, rows, _ := strings.Cut(rendered, "\n")
	for i, row := range strings.Split(strings.TrimSuffix(rows, "\n"), "\n") {
		columns += fmt.Sprintf("\n%d:", i)
		for _, value := range strings.SplitAfter(row, ") ") {
			goType, _, _ := strings.Cut(value, "(")
			columns += " " + goType
		}
	}
	return columns
}

// sometimes are reads of what doesn't change from one read to the next, but may without
// a write: most times these give what they gave before.
var sometimes = []scenario{
	{name: "clock in a condition", on: "postgres", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT id FROM words WHERE at < now() ORDER BY id", "SELECT id FROM words WHERE at < CURRENT_DATE ORDER BY id", "SELECT id FROM words WHERE at < 'now' ORDER BY id", "SELECT id FROM words WHERE at < 'today'::date ORDER BY id",
		"SELECT id FROM words WHERE at < date 'tomorrow' ORDER BY id", "SELECT id FROM words WHERE at BETWEEN '2000-01-01' AND 'yesterday' ORDER BY id", "SELECT id FROM words WHERE at IN ('now', '2020-01-01') ORDER BY id",
		"SELECT count(*) FROM words GROUP BY at < now() ORDER BY 1", "SELECT count(*) FROM words HAVING now() > '2001-01-01'", "SELECT id FROM words ORDER BY at - now()", "SELECT id FROM words LIMIT extract(year FROM now())::int - 2020",
		"SELECT w.id FROM words w JOIN words v ON v.id = w.id AND v.at < now() ORDER BY w.id", "SELECT count(*) FILTER (WHERE at < now()) FROM words", "SELECT CURRENT_DATE FROM words", "SELECT 'today'::date FROM words",
		"SELECT id FROM words WHERE id IN (SELECT id FROM words WHERE at < now()) ORDER BY id", "SELECT COALESCE(at, 'now') FROM words ORDER BY id",
	}},
	{name: "chance in an order", on: "postgres", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT id FROM words WHERE id = 1 ORDER BY random()", "SELECT count(*) FROM (SELECT id FROM words ORDER BY random() LIMIT 2) x", "SELECT id FROM words WHERE id IN (SELECT id FROM words ORDER BY random()) ORDER BY id",
		"SELECT count(*) FROM words TABLESAMPLE BERNOULLI (100)", "SELECT count(*) FROM words TABLESAMPLE SYSTEM (100) REPEATABLE (1)", "SELECT count(*) FROM (SELECT id FROM words TABLESAMPLE SYSTEM (100)) x",
	}},
	{name: "session", on: "postgres", setup: withWords("CREATE VIEW v_me AS SELECT id, current_user::text AS me FROM words"), reason: analyze.SessionFunction, reads: []string{
		"SELECT CURRENT_USER FROM words", "SELECT current_user, id FROM words ORDER BY id", "SELECT SESSION_USER FROM words", "SELECT USER FROM words", "SELECT current_database() FROM words", "SELECT current_schema() FROM words",
		"SELECT id FROM words WHERE word <> CURRENT_USER ORDER BY id", "SELECT * FROM v_me ORDER BY id", "SELECT CURRENT_ROLE FROM words", "SELECT current_schemas(true) FROM words",
	}},
	{name: "session settings", on: "postgres", setup: words, reason: analyze.SessionVariable, reads: []string{"SELECT current_setting('DateStyle') FROM words", "SELECT id FROM words WHERE word <> current_setting('app.x', true) ORDER BY id"}},
	{name: "catalogs", on: "postgres", setup: withWords("CREATE VIEW v_cat AS SELECT relname FROM pg_class WHERE relname = 'words'"), reason: analyze.SystemCatalog, reads: []string{
		"SELECT relname FROM pg_class WHERE relname = 'words'", "SELECT relname FROM pg_catalog.pg_class c JOIN words ON true WHERE relname = 'words'", "SELECT table_name FROM information_schema.tables WHERE table_name = 'words'",
		"SELECT count(*) > 0 FROM pg_stat_activity", "SELECT id FROM words WHERE EXISTS (SELECT 1 FROM pg_stat_activity) ORDER BY id", "SELECT * FROM v_cat", "SELECT name FROM pg_settings WHERE name = 'DateStyle'", "SELECT 'words'::regclass FROM words",
	}},
	{name: "clock in a condition", on: "mysql", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT id FROM words WHERE at < NOW() ORDER BY id", "SELECT id FROM words WHERE at < CURDATE() ORDER BY id", "SELECT id FROM words WHERE at < CURRENT_DATE ORDER BY id", "SELECT id FROM words WHERE at < UTC_DATE() ORDER BY id",
		"SELECT id FROM words WHERE at < NOW() - INTERVAL 1 DAY ORDER BY id", "SELECT id FROM words WHERE id IN (SELECT id FROM words WHERE at < SYSDATE()) ORDER BY id", "SELECT id FROM words WHERE UNIX_TIMESTAMP() > 5 ORDER BY id",
		"SELECT id FROM words WHERE id = 1 ORDER BY RAND()", "SELECT COUNT(*) FROM (SELECT id FROM words ORDER BY RAND() LIMIT 2) x", "SELECT id FROM words WHERE SLEEP(0) = 0 ORDER BY id", "SELECT id FROM words WHERE RAND(id) < 2 ORDER BY id",
	}},
	{name: "session", on: "mysql", setup: withWords("CREATE VIEW v_me AS SELECT id, CURRENT_USER() AS me FROM words"), reason: analyze.SessionFunction, reads: []string{
		"SELECT CURRENT_USER FROM words", "SELECT CURRENT_USER(), id FROM words ORDER BY id", "SELECT USER() FROM words", "SELECT SESSION_USER() FROM words", "SELECT SYSTEM_USER() FROM words", "SELECT DATABASE() FROM words", "SELECT SCHEMA() FROM words",
		"SELECT CURRENT_ROLE() FROM words", "SELECT LAST_INSERT_ID() FROM words", "SELECT ROW_COUNT() FROM words WHERE id = 99", "SELECT id FROM words WHERE id > LAST_INSERT_ID() ORDER BY id", "SELECT * FROM v_me ORDER BY id",
	}},
	{name: "variables", on: "mysql", setup: words, reason: analyze.SessionVariable, reads: []string{
		"SELECT @x, id FROM words ORDER BY id", "SELECT @@sql_mode FROM words", "SELECT id FROM words WHERE @y IS NULL ORDER BY id", "SELECT @@global.max_connections FROM words", "SELECT id FROM words WHERE id IN (SELECT id FROM words WHERE @z IS NULL) ORDER BY id",
	}},
	{name: "catalogs", on: "mysql", setup: words, reason: analyze.SystemCatalog, reads: []string{
		"SELECT table_name FROM information_schema.tables WHERE table_name = 'words' AND table_schema = DATABASE()", "SELECT id FROM words WHERE EXISTS (SELECT 1 FROM information_schema.schemata) ORDER BY id", "SELECT COUNT(*) > 0 FROM mysql.user",
	}},
	{name: "clock in a condition", on: "sqlite", setup: words, reason: analyze.Volatile, reads: []string{
		"SELECT id FROM words WHERE at < datetime('now') ORDER BY id", "SELECT id FROM words WHERE at < CURRENT_TIMESTAMP ORDER BY id", "SELECT id FROM words WHERE at < CURRENT_DATE ORDER BY id", "SELECT id FROM words WHERE at < date() ORDER BY id",
		"SELECT id FROM words WHERE id IN (SELECT id FROM words WHERE at < date('now', '-1 day')) ORDER BY id", "SELECT id FROM words WHERE CURRENT_TIME > '' ORDER BY id", "SELECT id FROM words WHERE strftime('%Y') > '2020' ORDER BY id",
		"SELECT id FROM words WHERE id = 1 ORDER BY random()", "SELECT count(*) FROM (SELECT id FROM words ORDER BY random() LIMIT 2)", "SELECT id FROM words LIMIT abs(random() % 1)",
		"SELECT datetime(at, 'localtime') FROM words ORDER BY id",
	}},
	{name: "catalogs", on: "sqlite", setup: words, reason: analyze.SystemCatalog, reads: []string{
		"SELECT name FROM sqlite_master WHERE name = 'words'", "SELECT name FROM sqlite_schema WHERE name = 'words'", "SELECT name FROM main.sqlite_master", "SELECT id FROM words WHERE EXISTS (SELECT 1 FROM sqlite_master) ORDER BY id",
		"SELECT name FROM pragma_table_info('words') ORDER BY cid", "SELECT id, name FROM words, pragma_table_info('words') ORDER BY id, cid",
	}},
}

// TestVolatileConditions: a clock, chance, the session or the catalogs may decide which
// rows a read has, though it mostly has the same.
func TestVolatileConditions(t *testing.T) {
	eachScenario(t, sometimes, func(h *house, s *scenario) {
		h.prepare(s.setup)
		for _, read := range s.reads {
			h.acquaint(read)
			h.wantBypass(h.db, s.reason, read)
		}
	})
}

// ownSession are reads that tell one session from another.
var ownSession = []scenario{
	{name: "process", on: "postgres", setup: words, reason: analyze.SessionFunction, reads: []string{"SELECT pg_backend_pid() FROM words", "SELECT id, (SELECT pg_backend_pid()) FROM words ORDER BY id", "SELECT id FROM words WHERE id < pg_backend_pid() ORDER BY id"}},
	{name: "connection", on: "mysql", setup: words, reason: analyze.SessionFunction, reads: []string{"SELECT CONNECTION_ID() FROM words", "SELECT id, (SELECT CONNECTION_ID()) FROM words ORDER BY id"}},
	{name: "rows found", on: "mysql", setup: words, reason: analyze.SessionFunction, reads: []string{"SELECT FOUND_ROWS() FROM words", "SELECT FOUND_ROWS()"}},
	{name: "rows changed", on: "sqlite", setup: words, reason: analyze.SessionFunction, reads: []string{
		"SELECT last_insert_rowid() FROM words", "SELECT id FROM words WHERE changes() > -1 ORDER BY id", "SELECT total_changes() FROM words",
	}},
	{name: "locks", on: "postgres", setup: words, reason: analyze.AdvisoryLock, reads: []string{
		"SELECT pg_try_advisory_lock(7)", "SELECT pg_advisory_lock(7), id FROM words ORDER BY id", "SELECT pg_advisory_unlock(7) FROM words", "SELECT id FROM words WHERE pg_try_advisory_xact_lock(8) ORDER BY id", "SELECT pg_advisory_unlock_all()",
	}},
	{name: "locks", on: "mysql", setup: words, reason: analyze.AdvisoryLock, reads: []string{
		"SELECT GET_LOCK('volatile', 0)", "SELECT IS_USED_LOCK('volatile') FROM words", "SELECT IS_FREE_LOCK('volatile') FROM words", "SELECT id FROM words WHERE GET_LOCK('volatile', 0) ORDER BY id", "SELECT RELEASE_LOCK('volatile') FROM words", "SELECT RELEASE_ALL_LOCKS()",
	}},
	{name: "variable set", on: "mysql", setup: words, reason: analyze.SessionVariable, reads: []string{"SELECT @n := COALESCE(@n, 0) + 1 FROM words WHERE id = 1", "SELECT id, @n := 5 FROM words ORDER BY id"}},
}

// TestVolatileOwnSession: what asks for the session, or changes it, reaches the session.
func TestVolatileOwnSession(t *testing.T) {
	eachScenario(t, ownSession, func(h *house, s *scenario) {
		h.prepare(s.setup)
		for _, read := range s.reads {
			h.acquaint(read)
			h.wantAsked(h.db, s.reason, read)
			if s.reason == analyze.SessionFunction {
				h.wantKind(read)
			}
		}
	})
}

// TestVolatileLookalikes: reads that look alike and are steady are hits, so that the tables
// above don't hold for everything.
func TestVolatileLookalikes(t *testing.T) {
	reads := map[string][]string{
		"postgres": {"SELECT 'nowhere'::text FROM words", "SELECT id FROM words WHERE word = 'random()'", "SELECT '2020-01-01'::timestamp FROM words", "SELECT id FROM words WHERE at < '2035-01-01' ORDER BY id", "SELECT count(*) AS now FROM words", "SELECT word AS \"random()\" FROM words WHERE id = 1"},
		"mysql":    {"SELECT 'NOW()' FROM words", "SELECT id FROM words WHERE word = 'now'", "SELECT id FROM words WHERE at < '2035-01-01' ORDER BY id", "SELECT UNIX_TIMESTAMP('2020-01-01') FROM words"},
		"sqlite":   {"SELECT 'nowhere' FROM words", "SELECT id FROM words WHERE word = 'random()'", "SELECT date('2020-01-01') FROM words", "SELECT id FROM words WHERE at < '2035-01-01' ORDER BY id"},
	}
	eachKind(t, func(h *house) {
		h.prepare(words)
		for _, read := range reads[h.dialect] {
			h.wantCached(h.db, read)
		}
	})
}

// TestVolatileArguments: an argument that PostgreSQL takes for the present.
func TestVolatileArguments(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(words)
		h.acquaint("SELECT now() FROM words")
		for _, read := range []string{"SELECT CAST($1 AS timestamp) FROM words", "SELECT $1::text::timestamp FROM words", "SELECT id FROM words WHERE at < $1 ORDER BY id", "SELECT id FROM words WHERE at < CAST($1 AS timestamptz) ORDER BY id"} {
			for _, word := range []string{"now", "NOW", " today ", "tomorrow", "yesterday"} {
				h.take()
				first, second := h.query(h.db, read, word), h.query(h.db, read, word)
				for _, e := range h.take() {
					if e.Outcome != OutcomeBypass || e.Reason != analyze.Volatile {
						h.Errorf("%s with %q: %+v", read, word, e)
					}
				}
				if strings.HasPrefix(first, "error: ") && strings.HasPrefix(h.query(h.bare, read, word), "error: ") {
					continue // the driver takes no text for this parameter
				}
				if strings.Contains(strings.ToLower(word), "now") && strings.HasPrefix(read, "SELECT CAST") && first == second {
					h.Errorf("%s with %q: twice\n%s", read, word, first)
				}
				h.wantKind(read, word)
			}
		}
		h.wantCached(h.db, "SELECT id FROM words WHERE word = $1", "nowhere")
	}, "postgres")
	eachKind(t, func(h *house) {
		h.prepare(words)
		h.acquaint("SELECT random() FROM words")
		h.wantAsked(h.db, analyze.Volatile, "SELECT julianday(?) FROM words", "now")
		h.wantAsked(h.db, analyze.Volatile, "SELECT id FROM words WHERE at < date(?)", "now")
		h.wantCached(h.db, "SELECT id FROM words WHERE word = ?", "nowhere")
	}, "sqlite")
}

// TestVolatileInTransaction: reads that lock, sample or ask the clock ask the database
// in a transaction as well.
func TestVolatileInTransaction(t *testing.T) {
	locking := map[string][]string{
		"postgres": {"FOR UPDATE", "FOR SHARE", "FOR NO KEY UPDATE", "FOR KEY SHARE", "FOR UPDATE NOWAIT"},
		"mysql":    {"FOR UPDATE", "LOCK IN SHARE MODE", "FOR UPDATE NOWAIT"},
	}
	eachKind(t, func(h *house) {
		h.prepare(words)
		const read = "SELECT id FROM words WHERE id = 1"
		h.wantCached(h.db, read)
		for _, lock := range locking[h.dialect] {
			tx := h.begin(h.db, 0)
			for range 2 {
				h.wantInside(tx, "1", analyze.Locking, read+" "+lock)
			}
			wait := "SELECT id FROM words WHERE id = 1 FOR UPDATE NOWAIT"
			if got := h.query(h.bare, wait); !strings.Contains(got, "error: ") {
				h.Errorf("%s took no lock: %s", lock, got)
			}
			h.rollback(tx)
		}
		h.wantRead(h.db, OutcomeHit, read)
	}, "postgres", "mysql")
}

// TestVolatileCursors: a cursor goes on from read to read.
func TestVolatileCursors(t *testing.T) {
	cursors := map[string]struct{ open, next, end string }{
		"postgres": {"DECLARE c CURSOR FOR SELECT id FROM one ORDER BY id", "FETCH NEXT FROM c", "CLOSE c"},
		"mysql":    {"HANDLER one OPEN", "HANDLER one READ NEXT", "HANDLER one CLOSE"},
	}
	eachKind(t, func(h *house) {
		h.prepare([]string{"CREATE TABLE one (id INTEGER)", "INSERT INTO one VALUES (1), (2)"})
		h.wantCached(h.db, "SELECT id FROM one ORDER BY id")
		c, tx := cursors[h.dialect], h.begin(h.db, 0)
		h.exec(tx, c.open)
		for _, want := range []string{"1", "2", ""} {
			h.take()
			if got := h.texts(tx, c.next); got != want {
				h.Errorf("%s: got %q, want %q", c.next, got, want)
			}
			events := h.take() // moving a cursor may count as a write, of nothing
			if len(events) != 1 || events[0].Outcome != OutcomeBypass || len(events[0].Writes) > 0 || !events[0].Write && events[0].Reason != analyze.Cursor {
				h.Errorf("%s: %+v", c.next, events)
			}
		}
		h.exec(tx, c.end)
		h.commit(tx)
		h.wantRead(h.db, OutcomeHit, "SELECT id FROM one ORDER BY id")
	}, "postgres", "mysql")
}

// shown are statements that return rows about the database, not of it.
var shown = []scenario{
	{name: "explain", on: "postgres", setup: words, reason: analyze.Explain, reads: []string{"EXPLAIN (COSTS OFF) SELECT id FROM words", "EXPLAIN (COSTS OFF) UPDATE words SET id = 1", "SHOW DateStyle"}},
	{name: "show", on: "mysql", setup: words, reason: analyze.Explain, reads: []string{"SHOW TABLES", "SHOW COLUMNS FROM words", "SHOW CREATE TABLE words", "SHOW VARIABLES LIKE 'sql_mode'", "DESCRIBE words", "EXPLAIN SELECT id FROM words"}},
	{name: "pragma", on: "sqlite", setup: words, reason: analyze.Explain, reads: []string{"EXPLAIN QUERY PLAN SELECT id FROM words", "PRAGMA table_info(words)", "PRAGMA journal_mode", "PRAGMA user_version"}},
}

// TestVolatileShown: EXPLAIN, SHOW and PRAGMA, which the cache may take for a write, are never
// answered from it.
func TestVolatileShown(t *testing.T) {
	eachScenario(t, shown, func(h *house, s *scenario) {
		h.prepare(s.setup)
		for _, read := range s.reads {
			h.wantUnkept(read, s.reason)
			if got, want := h.query(h.db, read), h.query(h.bare, read); got != want || strings.Contains(got, "error: ") {
				h.Errorf("%s: cached\n%s\nbare\n%s", read, got, want)
			}
		}
	})
}
