package larder

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
)

func (h *house) stuff() {
	h.Helper()
	h.exec(h.bare, "CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name VARCHAR(100), price DOUBLE PRECISION)")
	h.exec(h.bare, "INSERT INTO stuff VALUES (1, 42, 'bread', 1.5), (2, 42, NULL, 2.5), (3, 7, 'milk', 0)")
}

// shop is a database with relations to join: users with a boss, their stuff, and tags.
func (h *house) shop() {
	h.Helper()
	h.stuff()
	moment := "TIMESTAMP"
	if h.dialect == "mysql" {
		moment = "DATETIME"
	}
	for _, statement := range []string{
		"CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL, boss_id INTEGER, active BOOLEAN, born DATE, seen " + moment + ")",
		"INSERT INTO users VALUES (42, 'Ann', NULL, TRUE, '1990-05-17', '2026-01-02 03:04:05'), (7, 'Bob', 42, FALSE, '1985-01-31', NULL), (8, 'Cy', 42, NULL, NULL, '2020-02-29 23:59:59')",
		"CREATE TABLE tags (id INTEGER PRIMARY KEY, label VARCHAR(100))",
		"INSERT INTO tags VALUES (1, 'food'), (2, 'white'), (3, 'unused')",
		"CREATE TABLE stuff_tags (stuff_id INTEGER, tag_id INTEGER, PRIMARY KEY (stuff_id, tag_id))",
		"INSERT INTO stuff_tags VALUES (1, 1), (3, 1), (3, 2)",
	} {
		h.exec(h.bare, statement)
	}
}

// TestRepeatedRead: the second read of a statement is a hit, on each handle of the
// cache, and a write through any of them is seen by all.
func TestRepeatedRead(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		const list = "SELECT id, user_id, name, price FROM stuff WHERE user_id = ? ORDER BY id"
		h.wantRead(h.db, OutcomeMiss, list, 42)
		h.wantRead(h.db, OutcomeHit, list, 42)
		h.wantRead(h.db, OutcomeMiss, list, 7)
		h.wantRead(h.db, OutcomeMiss, list, 8)
		h.wantRead(h.db, OutcomeHit, list, 8)
		h.wantRead(h.other, OutcomeHit, list, 42)
		h.exec(h.other, "UPDATE stuff SET name = ? WHERE id = ?", "cheese", 2)
		h.wantRead(h.db, OutcomeMiss, list, 42)
		h.wantRead(h.db, OutcomeHit, list, 42)
		h.exec(h.db, "DELETE FROM stuff")
		h.wantRead(h.db, OutcomeMiss, list, 42)
		h.wantRead(h.db, OutcomeHit, list, 42)
	})
}

// A form is one way to read.
type form struct {
	name  string
	on    string // dialects; empty is all
	query string
	args  []any
}

// manyConditions is a WHERE clause of 13 pairs of conditions.
var manyConditions = strings.Repeat("(user_id = 42 OR id = 3) AND ", 12) + "(name = 'bread' OR name IS NULL)"

var forms = []form{
	{"all", "", "SELECT * FROM stuff ORDER BY id", nil},
	{"count", "", "SELECT count(*) FROM stuff", nil},
	{"count filtered", "", "SELECT count(*) FROM stuff WHERE user_id = ?", []any{42}},
	{"exists true", "", "SELECT EXISTS (SELECT 1 FROM stuff WHERE user_id = ?)", []any{42}},
	{"exists false", "", "SELECT EXISTS (SELECT 1 FROM stuff WHERE user_id = ?)", []any{43}},
	{"exists by limit", "", "SELECT 1 FROM stuff WHERE user_id = ? LIMIT 1", []any{42}},
	{"get", "", "SELECT id, name FROM stuff WHERE id = ?", []any{1}},
	{"get nothing", "", "SELECT id, name FROM stuff WHERE id = ?", []any{99}},
	{"first", "", "SELECT name FROM stuff WHERE user_id = ? ORDER BY id LIMIT 1", []any{42}},
	{"first of nothing", "", "SELECT name FROM stuff WHERE user_id = ? ORDER BY id LIMIT 1", []any{43}},
	{"last", "", "SELECT name FROM stuff ORDER BY id DESC LIMIT 1", nil},
	{"IN", "", "SELECT name FROM stuff WHERE id IN (?, ?) ORDER BY id", []any{1, 3}},
	{"IN with absent ids", "", "SELECT name FROM stuff WHERE id IN (?, ?, ?) ORDER BY id", []any{1, 98, 99}},
	{"greater", "", "SELECT name FROM stuff WHERE price > ? ORDER BY id", []any{1.5}},
	{"less", "", "SELECT name FROM stuff WHERE price < ? ORDER BY id", []any{1.5}},
	{"true", "", "SELECT name FROM users WHERE active = ? ORDER BY id", []any{true}},
	{"false", "", "SELECT name FROM users WHERE active = ? ORDER BY id", []any{false}},
	{"date", "", "SELECT name, born FROM users WHERE born > '1986-01-01' ORDER BY id", nil},
	{"datetime", "", "SELECT name, seen FROM users WHERE seen < '2021-01-01 00:00:00' ORDER BY id", nil},
	{"dates", "", "SELECT DISTINCT born FROM users WHERE born IS NOT NULL ORDER BY born", nil},
	{"earliest and latest", "", "SELECT min(seen), max(seen), min(born) FROM users", nil},
	{"NULL", "", "SELECT name FROM stuff WHERE name IS NULL", nil},
	{"exclude", "", "SELECT name FROM stuff WHERE NOT (user_id = ?) ORDER BY id", []any{42}},
	{"exclude IN", "", "SELECT name FROM stuff WHERE id NOT IN (?, ?) ORDER BY id", []any{1, 2}},
	{"slice", "", "SELECT id FROM stuff ORDER BY id LIMIT 2 OFFSET 1", nil},
	{"slice by arguments", "", "SELECT id FROM stuff ORDER BY id LIMIT ? OFFSET ?", []any{1, 1}},
	{"ascending", "", "SELECT id FROM stuff ORDER BY price ASC, id", nil},
	{"descending", "", "SELECT id FROM stuff ORDER BY price DESC, id", nil},
	{"order by related", "", "SELECT s.id FROM stuff s JOIN users u ON u.id = s.user_id ORDER BY u.name DESC, s.id", nil},
	{"order by expression", "", "SELECT id FROM stuff ORDER BY price * -1, id", nil},
	{"order by position", "", "SELECT name, id FROM stuff ORDER BY 2 DESC", nil},
	{"duplicates over a join", "", "SELECT s.name FROM stuff s JOIN stuff_tags t ON t.stuff_id = s.id ORDER BY s.id", nil},
	{"distinct over a join", "", "SELECT DISTINCT s.id, s.name FROM stuff s JOIN stuff_tags t ON t.stuff_id = s.id ORDER BY s.id", nil},
	{"foreign key", "", "SELECT u.name FROM stuff s, users u WHERE s.user_id = u.id AND s.id = ?", []any{1}},
	{"many to many", "", "SELECT t.label FROM tags t INNER JOIN stuff_tags st ON st.tag_id = t.id WHERE st.stuff_id = ? ORDER BY t.id", []any{3}},
	{"many to many, absent", "", "SELECT s.id FROM stuff s LEFT OUTER JOIN stuff_tags st ON st.stuff_id = s.id WHERE st.tag_id IS NULL ORDER BY s.id", nil},
	{"exclude over many to many", "", "SELECT id FROM stuff WHERE NOT (id IN (SELECT stuff_id FROM stuff_tags WHERE tag_id = ?)) ORDER BY id", []any{2}},
	{"right join", "", "SELECT u.name, s.id FROM stuff s RIGHT JOIN users u ON u.id = s.user_id ORDER BY u.id, s.id", nil},
	{"self join", "", "SELECT e.name, b.name FROM users e JOIN users b ON b.id = e.boss_id ORDER BY e.id", nil},
	{"natural join", "", "SELECT count(*) FROM stuff NATURAL JOIN tags", nil},
	{"cross join", "", "SELECT count(*) FROM stuff CROSS JOIN tags", nil},
	{"subquery over one relation", "", "SELECT name FROM users WHERE id IN (SELECT user_id FROM stuff WHERE price > ?) ORDER BY id", []any{1}},
	{"subquery over three relations", "", `SELECT name FROM users WHERE id IN (SELECT s.user_id FROM stuff s JOIN stuff_tags st ON st.stuff_id = s.id
		JOIN tags t ON t.id = st.tag_id WHERE t.label = ?) ORDER BY id`, []any{"food"}},
	{"nested subqueries", "", `SELECT label FROM tags WHERE id IN (SELECT tag_id FROM stuff_tags WHERE stuff_id IN (SELECT id FROM stuff
		WHERE user_id IN (SELECT id FROM users WHERE name = ?))) ORDER BY id`, []any{"Bob"}},
	{"correlated EXISTS", "", "SELECT name FROM users u WHERE EXISTS (SELECT * FROM stuff s WHERE s.user_id = u.id) ORDER BY id", nil},
	{"correlated NOT EXISTS", "", "SELECT name FROM users u WHERE NOT EXISTS (SELECT * FROM stuff s WHERE s.user_id = u.id)", nil},
	{"scalar subquery", "", "SELECT u.name, (SELECT max(price) FROM stuff s WHERE s.user_id = u.id) FROM users u ORDER BY u.id", nil},
	{"subquery in FROM", "", "SELECT sum(n) FROM (SELECT user_id, count(*) AS n FROM stuff GROUP BY user_id) AS counted", nil},
	{"subquery in ORDER BY", "", "SELECT name FROM users u ORDER BY (SELECT count(*) FROM stuff s WHERE s.user_id = u.id) DESC, id", nil},
	{"subquery in CASE", "", "SELECT CASE WHEN EXISTS (SELECT 1 FROM tags WHERE id = 3) THEN name ELSE '' END FROM users ORDER BY id", nil},
	{"aggregates", "", "SELECT count(*), count(name), sum(price), avg(price), min(name), max(name) FROM stuff", nil},
	{"aggregates of nothing", "", "SELECT count(*), sum(price), avg(price), min(name) FROM stuff WHERE id > 100", nil},
	{"count distinct", "", "SELECT count(DISTINCT user_id) FROM stuff", nil},
	{"GROUP BY", "", "SELECT user_id, count(*) FROM stuff GROUP BY user_id ORDER BY user_id", nil},
	{"HAVING", "", "SELECT user_id FROM stuff GROUP BY user_id HAVING count(*) > ?", []any{1}},
	{"annotate over a join", "", "SELECT u.id, u.name, count(s.id) AS n FROM users u LEFT JOIN stuff s ON s.user_id = u.id GROUP BY u.id, u.name ORDER BY u.id", nil},
	{"aggregate filtered", "postgres sqlite", "SELECT count(*) FILTER (WHERE price > 1) FROM stuff", nil},
	{"CASE", "", "SELECT id, CASE WHEN price > 2 THEN 'dear' WHEN price > 0 THEN 'cheap' ELSE 'free' END FROM stuff ORDER BY id", nil},
	{"COALESCE", "", "SELECT id, COALESCE(name, 'nameless') FROM stuff ORDER BY id", nil},
	{"LIKE", "", "SELECT name FROM stuff WHERE name LIKE ? ORDER BY id", []any{"%r%"}},
	{"BETWEEN", "", "SELECT name FROM stuff WHERE price BETWEEN ? AND ? ORDER BY id", []any{0.5, 2.5}},
	{"expressions", "", "SELECT id, price * 2 + 1, id % 2, -price, 'x', NULL, 1.5, 7 FROM stuff ORDER BY id", nil},
	{"UNION", "", "SELECT name FROM users UNION SELECT label FROM tags ORDER BY 1", nil},
	{"UNION ALL", "", "SELECT id FROM users UNION ALL SELECT id FROM tags ORDER BY 1", nil},
	{"INTERSECT", "", "SELECT id FROM stuff INTERSECT SELECT id FROM tags ORDER BY 1", nil},
	{"EXCEPT", "", "SELECT user_id FROM stuff EXCEPT SELECT id FROM users WHERE id = 7 ORDER BY 1", nil},
	{"CTE", "", "WITH dear AS (SELECT * FROM stuff WHERE price > ?) SELECT u.name FROM users u JOIN dear ON dear.user_id = u.id ORDER BY dear.id", []any{1}},
	{"recursive CTE", "", `WITH RECURSIVE under AS (SELECT id, name FROM users WHERE boss_id IS NULL
		UNION ALL SELECT u.id, u.name FROM users u JOIN under ON u.boss_id = under.id) SELECT name FROM under ORDER BY id`, nil},
	{"CTE that hides a relation", "", "WITH tags AS (SELECT id FROM stuff) SELECT count(*) FROM tags", nil},
	{"window", "", "SELECT id, row_number() OVER (PARTITION BY user_id ORDER BY id) FROM stuff ORDER BY id", nil},
	{"running sum", "", "SELECT id, sum(price) OVER (ORDER BY id) FROM stuff ORDER BY id", nil},
	{"VALUES", "postgres", "SELECT s.name FROM stuff s JOIN (VALUES (1), (3)) AS wanted(id) ON wanted.id = s.id ORDER BY s.id", nil},
	{"LATERAL", "postgres", "SELECT u.name, x.name FROM users u LEFT JOIN LATERAL (SELECT name FROM stuff s WHERE s.user_id = u.id ORDER BY id LIMIT 1) x ON true ORDER BY u.id", nil},
	{"TABLE", "postgres", "TABLE stuff", nil},
	{"no columns", "postgres", "SELECT FROM stuff", nil},
	{"DISTINCT ON", "postgres", "SELECT DISTINCT ON (user_id) user_id, id FROM stuff ORDER BY user_id, id", nil},
	{"GROUPING SETS", "postgres", "SELECT user_id, count(*) FROM stuff GROUP BY GROUPING SETS ((user_id), ()) ORDER BY 1", nil},
	{"whole row", "postgres", "SELECT s FROM stuff s ORDER BY id", nil},
	{"ANY of an array", "postgres", "SELECT name FROM stuff WHERE id = ANY ('{1,3}') ORDER BY id", nil},
	{"array constructor", "postgres", "SELECT ARRAY(SELECT id FROM stuff ORDER BY id)", nil},
	{"generate_series", "postgres", "SELECT g, (SELECT count(*) FROM stuff WHERE id <= g) FROM generate_series(1, 3) g", nil},
	{"JSON of rows", "postgres", "SELECT json_agg(name ORDER BY id) FROM stuff", nil},
	{"string_agg", "postgres", "SELECT string_agg(name, ',' ORDER BY id) FROM stuff", nil},
	{"group_concat", "mysql sqlite", "SELECT group_concat(label) FROM tags", nil},
	{"STRAIGHT_JOIN and index hints", "mysql", "SELECT STRAIGHT_JOIN s.id FROM stuff s USE INDEX (PRIMARY) JOIN users u ON u.id = s.user_id ORDER BY s.id", nil},
	{"null-safe equality", "mysql", "SELECT id FROM stuff WHERE name <=> NULL", nil},
	{"IS", "sqlite", "SELECT id FROM stuff WHERE name IS NULL", nil},
	{"rowid", "sqlite", "SELECT rowid, oid, name FROM stuff ORDER BY rowid", nil},
	{"named argument", "sqlite", "SELECT name FROM stuff WHERE id = :id", []any{sql.Named("id", 1)}},
	{"numbered arguments", "sqlite postgres", "SELECT name FROM stuff WHERE id = $1 OR user_id = $1", []any{7}},
	{"unicode", "", "SELECT id, 'Ærøskøbing 😀' FROM stuff WHERE name <> ? ORDER BY id", []any{"żółć 中文"}},
	{"26 conditions", "", "SELECT id FROM stuff WHERE " + manyConditions + " ORDER BY id", nil},
	{"comments", "", "/* who */ SELECT id -- which\n FROM stuff /* where */ ORDER BY id", nil},
	{"semicolon", "", "SELECT id FROM stuff ORDER BY id;", nil},
	{"equal column names", "", "SELECT s.id, u.id, s.name, u.name FROM stuff s JOIN users u ON u.id = s.user_id ORDER BY s.id", nil},
}

// TestReadForms: each form is read as by the bare handle, with the same Go types and
// column types, and a second time from the cache.
func TestReadForms(t *testing.T) {
	eachKind(t, func(h *house) {
		h.shop()
		for _, f := range forms {
			if f.on == "" || strings.Contains(f.on, h.dialect) {
				h.wantRead(h.db, OutcomeMiss, f.query, f.args...)
				h.wantRead(h.other, OutcomeHit, f.query, f.args...)
			}
		}
	})
}

// TestReadFormsPrepared: the same by prepared statements of database/sql, which have
// entries of their own because drivers may give them other types.
func TestReadFormsPrepared(t *testing.T) {
	eachKind(t, func(h *house) {
		h.shop()
		for _, f := range forms {
			if f.on != "" && !strings.Contains(f.on, h.dialect) {
				continue
			}
			want := h.queryPrepared(h.bare, f.query, f.args...)
			h.take()
			for _, outcome := range []Outcome{OutcomeMiss, OutcomeHit} {
				got := h.queryPrepared(h.db, f.query, f.args...)
				if got != want {
					h.Errorf("%s: cached\n%s\nbare\n%s", f.query, got, want)
				}
				if events := h.take(); len(events) != 1 || events[0].Outcome != outcome {
					h.Errorf("%s: %+v, want outcome %v", f.query, events, outcome)
				}
			}
		}
	})
}

// queryPrepared is query by a prepared statement.
func (h *house) queryPrepared(on interface {
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}, query string, args ...any) string {
	h.Helper()
	stmt, err := on.PrepareContext(h.Context(), h.marks(query))
	if err != nil {
		return "prepare error: " + err.Error()
	}
	defer stmt.Close()
	return render(stmt.QueryContext(h.Context(), args...))
}

// TestPreparedStatementKept: one prepared statement, used again and again, hits, and
// sees writes.
func TestPreparedStatementKept(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		const text = "SELECT name FROM stuff WHERE id = ?"
		stmt, err := h.db.Prepare(h.marks(text))
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		want := func(outcome Outcome, name string) {
			t.Helper()
			h.take()
			var got string
			if err := stmt.QueryRow(1).Scan(&got); err != nil || got != name {
				t.Errorf("got %q, %v, want %q", got, err, name)
			}
			if events := h.take(); len(events) != 1 || events[0].Outcome != outcome {
				t.Errorf("%+v, want %v", events, outcome)
			}
		}
		want(OutcomeMiss, "bread")
		want(OutcomeHit, "bread")
		h.exec(h.other, "UPDATE stuff SET name = 'rye' WHERE id = 1")
		want(OutcomeMiss, "rye")
		want(OutcomeHit, "rye")
	})
}

// TestDistinctTexts: texts and arguments that differ are different entries, however
// little they differ.
func TestDistinctTexts(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		h.exec(h.bare, "INSERT INTO stuff VALUES (4, 1, 'a  b', 0), (5, 1, 'a b', 0), (6, 1, 'A B', 0), (7, 1, '', 0), (8, 1, 'NULL', 0)")
		for _, literal := range []string{"'a  b'", "'a b'", "'A B'", "''", "'NULL'"} {
			h.wantRead(h.db, OutcomeMiss, "SELECT id FROM stuff WHERE name = "+literal+" ORDER BY id")
		}
		for _, query := range []string{
			"SELECT id FROM stuff ORDER BY id", "SELECT id FROM stuff ORDER BY id DESC", "SELECT id AS id2 FROM stuff ORDER BY id",
			"select id from stuff order by id",
		} {
			h.wantRead(h.db, OutcomeMiss, query)
		}
		const pair = "SELECT id FROM stuff WHERE name = ? OR name = ? ORDER BY id"
		for _, args := range [][]any{{"a b", "c"}, {"a", "b c"}, {"ab", "c"}, {"a", "bc"}, {"", "abc"}, {"NULL", ""}, {nil, ""}, {"", nil}, {nil, nil}} {
			h.wantRead(h.db, OutcomeMiss, pair, args...)
			h.wantRead(h.db, OutcomeHit, pair, args...)
		}
	})
}

var neverKept = []scenario{
	{name: "no relation", reads: []string{"SELECT 1", "SELECT 'a', NULL", "SELECT 1 + 1 AS two"}, reason: analyze.NoRelation},
	{name: "locks", on: "postgres", reason: analyze.Locking, reads: []string{
		"SELECT id FROM stuff ORDER BY id FOR UPDATE", "SELECT id FROM stuff ORDER BY id FOR SHARE", "SELECT id FROM stuff ORDER BY id FOR NO KEY UPDATE",
		"SELECT id FROM stuff ORDER BY id FOR KEY SHARE", "SELECT id FROM stuff ORDER BY id FOR UPDATE SKIP LOCKED",
		"SELECT * FROM (SELECT id FROM stuff ORDER BY id FOR UPDATE) x",
	}},
	{name: "locks", on: "mysql", reason: analyze.Locking, reads: []string{
		"SELECT id FROM stuff ORDER BY id FOR UPDATE", "SELECT id FROM stuff ORDER BY id LOCK IN SHARE MODE", "SELECT id FROM stuff ORDER BY id FOR UPDATE NOWAIT",
	}},
	{name: "several statements", on: "mysql", reason: analyze.Multiple, reads: []string{"SELECT id FROM stuff ORDER BY id; SELECT name FROM stuff ORDER BY id"}},
	{name: "explain", on: "postgres", reason: analyze.Explain, reads: []string{"EXPLAIN (COSTS OFF) SELECT id FROM stuff", "SHOW server_version"}},
	{name: "explain", on: "sqlite", reason: analyze.Explain, reads: []string{"EXPLAIN QUERY PLAN SELECT id FROM stuff", "PRAGMA table_info(stuff)"}},
	{name: "explain", on: "mysql", reason: analyze.Explain, reads: []string{"SHOW TABLES", "DESCRIBE stuff", "SHOW CREATE TABLE stuff"}},
}

// TestNeverKept: forms of reads that ask for more than data.
func TestNeverKept(t *testing.T) {
	eachScenario(t, neverKept, func(h *house, s *scenario) {
		h.stuff()
		for _, query := range s.reads {
			h.wantUnkept(query, s.reason)
			if got, want := h.query(h.db, query), h.query(h.bare, query); got != want {
				h.Errorf("%s: cached\n%s\nbare\n%s", query, got, want)
			}
		}
	})
}

// wantUnkept reads twice: neither read is answered from the cache or kept, for the
// given reason if it counts as a read at all.
func (h *house) wantUnkept(query string, reason Reason) {
	h.Helper()
	for range 2 {
		h.take()
		h.query(h.db, query)
		events := h.take()
		if len(events) != 1 || !events[0].Write && (events[0].Outcome != OutcomeBypass || events[0].Reason != reason) {
			h.Errorf("%s: %+v, want that the database is asked because of %q", query, events, reason)
		}
	}
}

// TestNonASCIINames: relations and columns with names beyond ASCII, and names that
// only quoting makes possible.
func TestNonASCIINames(t *testing.T) {
	eachKind(t, func(h *house) {
		quoted := func(text string) string {
			if h.dialect == "mysql" {
				return strings.ReplaceAll(text, `"`, "`")
			}
			return text
		}
		h.exec(h.bare, quoted(`CREATE TABLE "Zubehör 表" (id INTEGER PRIMARY KEY, "größe" INTEGER, "sel""ect" INTEGER)`))
		h.exec(h.bare, quoted(`INSERT INTO "Zubehör 表" VALUES (1, 10, 3)`))
		read := quoted(`SELECT "größe", z."sel""ect" FROM "Zubehör 表" z`)
		h.wantCached(h.db, read)
		h.exec(h.other, quoted(`UPDATE "Zubehör 表" SET "größe" = 11`))
		h.wantCached(h.db, read)
	})
}

// TestQueryRow: it reads one row of several, and closes before the end; the entry is
// whole all the same.
func TestQueryRow(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		const read = "SELECT id FROM stuff ORDER BY id"
		var id int
		if err := h.db.QueryRow(read).Scan(&id); err != nil || id != 1 {
			t.Fatalf("%d, %v", id, err)
		}
		h.wantRead(h.db, OutcomeHit, read)
		if err := h.db.QueryRow("SELECT id FROM stuff WHERE id = 77").Scan(&id); err != sql.ErrNoRows {
			t.Errorf("no row: %v", err)
		}
		h.wantRead(h.db, OutcomeHit, "SELECT id FROM stuff WHERE id = 77")
	})
}

// TestChangedByCaller: what a caller does to the values it was given doesn't reach the entry.
func TestChangedByCaller(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		const read = "SELECT name FROM stuff WHERE id = 1"
		for range 3 {
			var name []byte
			if err := h.db.QueryRow(read).Scan(&name); err != nil || string(name) != "bread" {
				t.Fatalf("%q, %v", name, err)
			}
			copy(name, "XXXXX")
			rows, err := h.db.Query(read)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var raw sql.RawBytes
				if err := rows.Scan(&raw); err != nil {
					t.Fatal(err)
				}
				_ = append(raw[:0], "YYYYYYYYYYY"...)
			}
			rows.Close()
		}
		h.wantRead(h.db, OutcomeHit, read)
	})
}

// TestTooLarge: a result larger than MaxEntryBytes streams through and is not kept.
func TestTooLarge(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 4 << 10})
			h.stuff()
			for i := range 8 {
				h.exec(h.bare, "INSERT INTO stuff VALUES (?, 5, ?, 0)", 100+i, strings.Repeat("x", 90))
			}
			const small, large = "SELECT name FROM stuff WHERE user_id = 5", "SELECT a.name, b.name FROM stuff a, stuff b ORDER BY a.id, b.id"
			h.wantCached(h.db, small)
			for range 2 {
				h.wantRead(h.db, OutcomeMiss, large)
			}
			if n := h.cache.Stats().Reasons[analyze.TooLarge]; n != 2 {
				t.Errorf("%d results were too large, want 2", n)
			}
			h.wantRead(h.db, OutcomeHit, small)
		})
	}
}

// TestReadErrors: errors are those of the bare handle, and are not kept.
func TestReadErrors(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		for _, query := range []string{"SELECT nothing FROM stuff", "SELECT id FROM absent", "SELEC id FROM stuff", "SELECT id FROM stuff WHERE"} {
			for range 2 {
				got, want := h.query(h.db, query), h.query(h.bare, query)
				if got != want || !strings.Contains(got, "error: ") {
					t.Errorf("%s: cached %s, bare %s", query, got, want)
				}
			}
		}
		h.exec(h.db, "CREATE TABLE absent (id INTEGER)")
		h.wantCached(h.db, "SELECT id FROM absent")
	})
}

// TestErrorAfterRows: an error at some row comes at that row, each time.
func TestErrorAfterRows(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		h.exec(h.bare, "UPDATE stuff SET price = 2 WHERE id <> 3")
		const read = "SELECT 10 / CAST(price AS INTEGER) FROM (SELECT price FROM stuff ORDER BY id LIMIT 10) s"
		want := h.query(h.bare, read)
		for range 2 {
			h.take()
			if got := h.query(h.db, read); got != want || !strings.Contains(got, "error: ") {
				t.Errorf("cached\n%s\nbare\n%s", got, want)
			}
			if events := h.take(); len(events) != 1 || events[0].Outcome == OutcomeHit {
				t.Errorf("%+v", events)
			}
		}
		h.exec(h.other, "UPDATE stuff SET price = 5")
		h.wantCached(h.db, read)
	}, "postgres")
}

// TestCancelledBefore: a context that has ended gets its error, hit or no hit.
func TestCancelledBefore(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		h.wantCached(h.db, "SELECT id FROM stuff ORDER BY id")
		ctx, cancel := context.WithCancel(h.Context())
		cancel()
		for _, query := range []string{"SELECT id FROM stuff ORDER BY id", "SELECT name FROM stuff"} {
			if _, err := h.db.QueryContext(ctx, query); err != context.Canceled {
				t.Errorf("%s: %v", query, err)
			}
		}
		if _, err := h.db.ExecContext(ctx, "DELETE FROM stuff"); err != context.Canceled {
			t.Errorf("exec: %v", err)
		}
		h.wantRead(h.db, OutcomeHit, "SELECT id FROM stuff ORDER BY id")
	})
}

// TestManyArguments: PostgreSQL takes 65,535, the others about half of that.
func TestManyArguments(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		n := 32000
		if h.dialect == "postgres" {
			n = 65535
		}
		args := make([]any, n)
		for i := range args {
			args[i] = i
		}
		var b strings.Builder
		b.WriteString("SELECT id FROM stuff WHERE id IN (")
		for i := range args {
			if i > 0 {
				b.WriteString(",")
			}
			if h.dialect == "postgres" {
				b.WriteString("$" + strconv.Itoa(i+1))
			} else {
				b.WriteString("?")
			}
		}
		query := b.String() + ") ORDER BY id"
		for _, outcome := range []Outcome{OutcomeMiss, OutcomeHit} {
			h.take()
			got := render(h.db.Query(query, args...))
			if want := render(h.bare.Query(query, args...)); got != want {
				t.Errorf("cached %.300s, bare %.300s", got, want)
			}
			if events := h.take(); len(events) != 1 || events[0].Outcome != outcome {
				t.Errorf("want %v", outcome)
			}
		}
		args[n-1] = -1
		h.take()
		render(h.db.Query(query, args...))
		if events := h.take(); len(events) != 1 || events[0].Outcome != OutcomeMiss {
			t.Errorf("the last argument doesn't count")
		}
	})
}
