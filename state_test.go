package larder

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
)

// asIs compares a read on one connection with the same read past the cache there: what
// the session's state makes of it is what the database makes of it.
func (h *house) asIs(conn *sql.Conn, query string, args ...any) string {
	h.Helper()
	got := h.query(conn, query, args...)
	again := h.query(conn, query, args...)
	if want := render(conn.QueryContext(Bypass(h.Context()), h.marks(query), args...)); got != want || again != want {
		h.Errorf("%s: cached\n%s\nthen\n%s\npast the cache\n%s", query, got, again, want)
	}
	return got
}

// A setting is a state of the session that changes what a read answers.
type setting struct {
	name, on string
	set      []string // one after the other; each gives another answer
	read     string
	alike    bool // the answers may agree, as far as database/sql shows them: pgx keeps constants in prepared statements
}

// values has one row with one value of each of the types that settings change the form of.
var values = map[string][]string{
	"postgres": {
		"CREATE TABLE val (d date, ts timestamp, tz timestamptz, iv interval, f double precision, b bytea, m money, x text, n integer)",
		`INSERT INTO val VALUES ('2026-02-03', '2026-02-03 04:05:06', '2026-02-03 04:05:06+00', '1 year 2 days 3 hours', 0.1::float8 + 0.2, '\xdeadbeef', 12.5, 'Straße', NULL)`,
	},
	"mysql": {
		"CREATE TABLE val (d DATE, ts TIMESTAMP NULL, x VARCHAR(50), n INTEGER, f DOUBLE)",
		"INSERT INTO val VALUES ('2026-02-03', '2026-02-03 04:05:06', 'Abc', NULL, 0.3)",
	},
	"sqlite": {
		"CREATE TABLE val (x TEXT, n INTEGER)",
		"INSERT INTO val VALUES ('Abc', NULL), ('b', 2)",
	},
}

var settings = []setting{
	{name: "DateStyle of a date", on: "postgres", set: []string{"SET DateStyle = 'ISO, DMY'", "SET DateStyle = 'German'", "SET datestyle TO 'SQL, MDY'"}, read: "SELECT d::text FROM val"},
	{name: "DateStyle of a timestamp", on: "postgres", set: []string{"SET DateStyle = 'ISO'", "SET DateStyle = 'Postgres'"}, read: "SELECT ts::text FROM val"},
	{name: "DateStyle of input", on: "postgres", set: []string{"SET DateStyle = 'ISO, DMY'", "SET DateStyle = 'ISO, MDY'"}, read: "SELECT '01/02/2026'::date - d FROM val", alike: true},
	{name: "TimeZone of a timestamptz", on: "postgres", set: []string{"SET TIME ZONE 'UTC'", "SET TIME ZONE 'America/St_Johns'", "SET TimeZone = 'Asia/Tokyo'"}, read: "SELECT tz FROM val", alike: true},
	{name: "TimeZone of a timestamptz as text", on: "postgres", set: []string{"SET TIME ZONE 'UTC'", "SET TIME ZONE 'America/St_Johns'", "SET TIME ZONE INTERVAL '5' HOUR TO MINUTE"}, read: "SELECT tz::text FROM val"},
	{name: "TimeZone of a cut time", on: "postgres", set: []string{"SET TIME ZONE 'UTC'", "SET TIME ZONE 'America/Los_Angeles'"}, read: "SELECT date_trunc('day', tz)::date::text, extract(hour FROM tz) FROM val"},
	{name: "TimeZone in a condition", on: "postgres", set: []string{"SET TIME ZONE 'UTC'", "SET TIME ZONE 'Asia/Tokyo'"}, read: "SELECT count(*) FROM val WHERE tz > '2026-02-03 08:00:00'", alike: true},
	{name: "extra_float_digits", on: "postgres", set: []string{"SET extra_float_digits = 1", "SET extra_float_digits = 0"}, read: "SELECT f::text FROM val"},
	{name: "bytea_output", on: "postgres", set: []string{"SET bytea_output = 'hex'", "SET bytea_output = 'escape'"}, read: "SELECT b::text FROM val"},
	{name: "IntervalStyle", on: "postgres", set: []string{"SET intervalstyle = 'postgres'", "SET IntervalStyle = 'iso_8601'", "SET intervalstyle = sql_standard"}, read: "SELECT iv::text FROM val"},
	{name: "client_encoding", on: "postgres", set: []string{"SET application_name = 'x'", "SET application_name = 'y'"}, read: "SELECT x FROM val", alike: true},
	{name: "search configuration", on: "postgres", set: []string{"SET default_text_search_config = 'pg_catalog.simple'", "SET default_text_search_config = 'pg_catalog.english'"}, read: "SELECT to_tsvector('the running ' || x)::text FROM val"},
	{name: "a program's setting", on: "postgres", set: []string{"SET app.x = 'a'", "SET app.x = 'b'", "SELECT set_config('app.x', 'c', false)"}, read: "SELECT current_setting('app.x') FROM val"},
	{name: "transform_null_equals", on: "postgres", set: []string{"SET transform_null_equals = off", "SET transform_null_equals = on"}, read: "SELECT count(*) FROM val WHERE n = NULL", alike: true},
	{name: "array_nulls", on: "postgres", set: []string{"SET array_nulls = on", "SET array_nulls = off"}, read: "SELECT '{NULL}'::text[] = ARRAY['NULL'] FROM val", alike: true},
	{name: "set_config in a SELECT", on: "postgres", set: []string{"SELECT set_config('TimeZone', 'UTC', false)", "SELECT set_config('Time' || 'Zone', 'Asia/Tokyo', false)"}, read: "SELECT tz::text FROM val"},
	{name: "SET in a DO block", on: "postgres", set: []string{"DO $$ BEGIN SET TimeZone = 'UTC'; END $$", "DO $$ BEGIN PERFORM set_config('TimeZone', 'Asia/Tokyo', false); END $$"}, read: "SELECT tz::text FROM val"},
	{name: "RESET", on: "postgres", set: []string{"SET TIME ZONE 'Asia/Tokyo'", "RESET TimeZone", "SET TIME ZONE 'Asia/Tokyo'", "RESET ALL"}, read: "SELECT tz::text FROM val"},
	{name: "SET before others in one text", on: "postgres", set: []string{"SET TimeZone = 'UTC'; SELECT 1", "/* one */ SELECT 1; SET TimeZone = 'Asia/Tokyo'"}, read: "SELECT tz::text FROM val"},

	{name: "time zone", on: "mysql", set: []string{"SET time_zone = '+00:00'", "SET time_zone = '+05:00'", "SET @@session.time_zone = '-03:00'"}, read: "SELECT ts, CAST(ts AS CHAR), HOUR(ts) FROM val"},
	{name: "sql_mode of quotes", on: "mysql", set: []string{"SET sql_mode = ''", "SET sql_mode = 'ANSI_QUOTES'"}, read: `SELECT "x" FROM val`},
	{name: "sql_mode of pipes", on: "mysql", set: []string{"SET sql_mode = ''", "SET SESSION sql_mode = 'PIPES_AS_CONCAT'"}, read: "SELECT x || 'y' FROM val"},
	{name: "sql_mode of padding", on: "mysql", set: []string{"SET sql_mode = ''", "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'"}, read: "SELECT CAST(x AS CHAR(10)), LENGTH(x) FROM val", alike: true},
	{name: "sql_mode of backslashes", on: "mysql", set: []string{"SET sql_mode = ''", "SET sql_mode = 'NO_BACKSLASH_ESCAPES'"}, read: `SELECT CONCAT(x, '\n'), LENGTH('\n') FROM val`},
	{name: "character set of results", on: "mysql", set: []string{"SET NAMES utf8mb4", "SET NAMES latin1", "SET character_set_results = NULL"}, read: "SELECT CONCAT(x, 'ä'), LENGTH('ä') FROM val", alike: true},
	{name: "collation", on: "mysql", set: []string{"SET NAMES utf8mb4 COLLATE utf8mb4_general_ci", "SET NAMES utf8mb4 COLLATE utf8mb4_bin"}, read: "SELECT 'a' = 'A', x FROM val"},
	{name: "limit of a SELECT", on: "mysql", set: []string{"SET sql_select_limit = 0", "SET sql_select_limit = DEFAULT"}, read: "SELECT x FROM val"},
	{name: "division", on: "mysql", set: []string{"SET div_precision_increment = 2", "SET div_precision_increment = 8"}, read: "SELECT 1 / 3, x FROM val"},
	{name: "length of group_concat", on: "mysql", set: []string{"SET group_concat_max_len = 4", "SET group_concat_max_len = 1000"}, read: "SELECT GROUP_CONCAT('abcdefgh', x) FROM val"},
	{name: "names of days", on: "mysql", set: []string{"SET lc_time_names = 'en_US'", "SET lc_time_names = 'de_DE'"}, read: "SELECT DAYNAME(d) FROM val"},
	{name: "user variable", on: "mysql", set: []string{"SET @v = 1", "SET @v = 2", "SELECT 3 INTO @v"}, read: "SELECT @v, x FROM val"},
	{name: "default week", on: "mysql", set: []string{"SET default_week_format = 0", "SET default_week_format = 3"}, read: "SELECT WEEK(d) FROM val"},
	{name: "NULL equality", on: "mysql", set: []string{"SET sql_auto_is_null = 0", "SET sql_auto_is_null = 1"}, read: "SELECT count(*) FROM val WHERE n IS NULL", alike: true},

	{name: "case of LIKE", on: "sqlite", set: []string{"PRAGMA case_sensitive_like = 0", "PRAGMA case_sensitive_like = 1"}, read: "SELECT count(*) FROM val WHERE x LIKE 'a%'"},
	{name: "unordered", on: "sqlite", set: []string{"PRAGMA reverse_unordered_selects = 0", "PRAGMA reverse_unordered_selects = 1"}, read: "SELECT x FROM val"},
	{name: "column names", on: "sqlite", set: []string{"PRAGMA full_column_names = 0", "PRAGMA short_column_names = 0; PRAGMA full_column_names = 1"}, read: "SELECT x, val.n FROM val"},
}

// TestSettings: a session sees results in the form that it has asked for, whatever
// others, or itself, have cached in another.
func TestSettings(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, nil)
			h.prepare(values[k.dialect])
			for i := range settings {
				if s := &settings[i]; s.on == k.dialect {
					h.lendTo(s.name, func() { h.settle(s) })
				}
			}
		})
	}
}

func (h *house) settle(s *setting) {
	h.Helper()
	h.reconnect()
	before := h.query(h.db, s.read)
	conn := h.conn(h.other)
	defer conn.Close()
	last := ""
	for _, set := range s.set {
		h.do(conn, set)
		got := h.asIs(conn, s.read)
		if got == last && !s.alike {
			h.Errorf("%s: the same answer as before: the scenario shows nothing: %s", set, got)
		}
		last = got
	}
	if after := h.query(h.db, s.read); after != before {
		h.Errorf("another session: %s, before %s", after, before)
	}
	if s.on == "postgres" {
		h.exec(conn, "RESET ALL")
	}
	h.other.SetMaxIdleConns(-1)
	h.other.SetMaxIdleConns(2)
}

// TestLocalSettings: SET LOCAL ends with its transaction, set_config(…, true) too, and a
// rollback undoes SET.
func TestLocalSettings(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(values["postgres"])
		const read = "SELECT tz::text FROM val"
		conn := h.conn(h.other)
		h.exec(conn, "SET TIME ZONE 'UTC'")
		utc := h.asIs(conn, read)
		for _, c := range []struct{ set, end string }{
			{"SET LOCAL TIME ZONE 'Asia/Tokyo'", "COMMIT"}, {"SET LOCAL TIME ZONE 'Asia/Tokyo'", "ROLLBACK"}, {"SET TIME ZONE 'Asia/Tokyo'", "ROLLBACK"},
			{"SELECT set_config('timezone', 'Asia/Tokyo', true)", "COMMIT"},
		} {
			h.exec(conn, "BEGIN")
			h.do(conn, c.set)
			if tokyo := h.asIs(conn, read); tokyo == utc {
				t.Errorf("%s: not seen", c.set)
			}
			h.exec(conn, c.end)
			if after := h.asIs(conn, read); after != utc {
				t.Errorf("%s, %s: %s", c.set, c.end, after)
			}
		}
		h.exec(conn, "BEGIN")
		h.exec(conn, "SAVEPOINT s")
		h.exec(conn, "SET TIME ZONE 'Asia/Tokyo'")
		h.exec(conn, "ROLLBACK TO s")
		h.asIs(conn, read)
		h.exec(conn, "COMMIT")
		if after := h.asIs(conn, read); after != utc {
			t.Errorf("savepoint: %s", after)
		}
	}, "postgres")
}

// TestSearchPath: an unqualified name means what the session's path says, to reads and to
// writes.
func TestSearchPath(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare([]string{
			"CREATE SCHEMA s1", "CREATE SCHEMA s2", "CREATE TABLE s1.t (x text)", "CREATE TABLE s2.t (x text)",
			"INSERT INTO s1.t VALUES ('one')", "INSERT INTO s2.t VALUES ('two')",
		})
		a, b := h.conn(h.db), h.conn(h.other)
		h.exec(a, "SET search_path = s1")
		h.exec(b, "SET search_path = s2, s1")
		const read = "SELECT x FROM t"
		h.want(a, "one", OutcomeMiss, read)
		h.want(b, "two", OutcomeMiss, read)
		h.want(a, "one", OutcomeHit, read)
		h.want(b, "two", OutcomeHit, read)
		h.exec(b, "UPDATE t SET x = 'changed'")
		h.want(a, "one", OutcomeHit, read)
		h.want(b, "changed", OutcomeMiss, read)
		h.do(a, "SELECT set_config('search_path', 's2', false)")
		h.want(a, "changed", OutcomeMiss, read)
		h.exec(a, "UPDATE t SET x = 'again'")
		h.want(b, "again", OutcomeMiss, read)
		h.exec(a, "SET search_path TO DEFAULT")
		if got := h.texts(a, read); !strings.Contains(got, "error: ") {
			t.Error(got)
		}
		h.exec(a, "BEGIN")
		h.exec(a, "SET LOCAL search_path = s1")
		if got := h.texts(a, read); got != "one" {
			t.Errorf("local: %s", got)
		}
		h.exec(a, "UPDATE t SET x = 'local'")
		h.exec(a, "COMMIT")
		h.exec(b, "SET search_path = s1")
		h.want(b, "local", OutcomeMiss, read)
	}, "postgres")
}

// TestUse: the same for MySQL's databases.
func TestUse(t *testing.T) {
	eachKind(t, func(h *house) {
		second := h.neighbour()
		here, there := h.texts(h.bare, "SELECT database()"), h.texts(second.bare, "SELECT database()")
		h.prepare(base)
		second.exec(second.bare, "UPDATE stuff SET name = 'theirs'")
		h.unseen()
		conn := h.conn(h.other)
		const read = "SELECT name FROM stuff WHERE id = 1"
		h.want(conn, "bread", OutcomeMiss, read)
		h.want(conn, "bread", OutcomeHit, read)
		h.exec(conn, "USE "+there)
		h.want(conn, "theirs", OutcomeMiss, read)
		h.want(second.db, "theirs", OutcomeMiss, read)
		h.exec(conn, "UPDATE stuff SET name = 'used' WHERE id = 1")
		h.want(second.db, "used", OutcomeMiss, read)
		h.want(h.db, "bread", OutcomeHit, read)
		h.exec(conn, "UPDATE "+here+".stuff SET name = 'across' WHERE id = 1")
		h.want(h.db, "across", OutcomeMiss, read)
		h.want(second.db, "used", OutcomeHit, read)
		h.want(conn, "across", OutcomeMiss, "SELECT name FROM "+here+".stuff WHERE id = 1")
		h.exec(h.db, "UPDATE stuff SET name = 'home' WHERE id = 1")
		h.want(conn, "home", OutcomeMiss, "SELECT name FROM "+here+".stuff WHERE id = 1")
	}, "mysql")
}

// TestTemporary: a temporary table hides a real one from its session alone, and two
// sessions' tables of one name never meet.
func TestTemporary(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		a, b := h.conn(h.other), h.conn(h.other)
		h.want(a, "bread,wine,milk", OutcomeHit, names)
		h.exec(a, "CREATE TEMPORARY TABLE stuff (id INTEGER, name VARCHAR(10))")
		h.exec(a, "INSERT INTO stuff VALUES (1, 'mine')")
		h.wantInside(a, "mine", analyze.Temporary, names)
		h.wantInside(a, "mine", analyze.Temporary, names)
		real := func(want string) {
			t.Helper()
			for range 2 {
				if got := h.texts(h.db, names); got != want {
					t.Errorf("the real one: %s, want %s", got, want)
				}
			}
		}
		real("bread,wine,milk")
		h.want(b, "bread,wine,milk", OutcomeHit, names)
		h.exec(b, "CREATE TEMPORARY TABLE stuff AS SELECT 2 AS id, 'yours' AS name")
		h.wantBypassed(b, "yours", names)
		h.exec(a, "UPDATE stuff SET name = 'changed'")
		h.wantInside(a, "changed", analyze.Temporary, names)
		h.wantBypassed(b, "yours", names)
		real("bread,wine,milk")
		if got := h.texts(a, people); got != "Bob,Cy,Ann" {
			t.Errorf("another relation: %s", got)
		}
		h.wantRead(a, OutcomeHit, people)
		h.exec(a, "DROP TABLE stuff")
		if got := h.afterPlan(a, names); got != "bread,wine,milk" {
			t.Errorf("after the drop: %s", got)
		}
		h.exec(a, "UPDATE stuff SET name = 'real' WHERE id = 1")
		real("real,wine,milk")
		h.wantBypassed(b, "yours", names)
	})
}

// wantBypassed reads what only this connection has.
func (h *house) wantBypassed(conn *sql.Conn, want, query string) {
	h.Helper()
	if got := h.afterPlan(conn, query); got != want {
		h.Errorf("%s: got %q, want %q", query, got, want)
	}
	h.want(conn, want, OutcomeBypass, query)
}

// afterPlan reads where PostgreSQL may refuse a prepared statement once, because its
// result has other types now, with the cache as without.
func (h *house) afterPlan(conn *sql.Conn, query string) string {
	h.Helper()
	if got := h.texts(conn, query); !strings.Contains(got, "cached plan must not change") {
		return got
	}
	return h.texts(conn, query)
}

// TestTemporaryByOtherWays: made in a function, by SELECT INTO, dropped at the end of a
// transaction, as a view.
func TestTemporaryByOtherWays(t *testing.T) {
	eachScenario(t, []scenario{
		{name: "function", on: "postgres", does: []string{"DO $$ BEGIN CREATE TEMP TABLE stuff AS SELECT 1 AS id, 'mine'::text AS name; END $$"}},
		{name: "SELECT INTO", on: "postgres", does: []string{"SELECT 1 AS id, 'mine'::text AS name INTO TEMP stuff"}},
		{name: "schema named", on: "postgres", does: []string{"CREATE TABLE pg_temp.stuff AS SELECT 1 AS id, 'mine'::text AS name"}},
		{name: "view", on: "postgres", does: []string{"CREATE TEMP VIEW stuff AS SELECT 1 AS id, 'mine'::text AS name"}},
		{name: "renamed", on: "postgres", does: []string{"CREATE TEMP TABLE x AS SELECT 1 AS id, 'mine'::text AS name", "ALTER TABLE x RENAME TO stuff"}},
		{name: "prepared", on: "postgres", does: []string{"PREPARE p AS SELECT 1", "CREATE TEMP TABLE stuff AS SELECT 1 AS id, 'mine'::text AS name"}},
		{name: "view", on: "sqlite", does: []string{"CREATE TEMP VIEW stuff AS SELECT 1 AS id, 'mine' AS name"}},
		{name: "schema named", on: "sqlite", does: []string{"CREATE TABLE temp.stuff AS SELECT 1 AS id, 'mine' AS name"}},
		{name: "renamed", on: "sqlite mysql", does: []string{"CREATE TEMPORARY TABLE x AS SELECT 1 AS id, 'mine' AS name", "ALTER TABLE x RENAME TO stuff"}},
		{name: "procedure", on: "mysql", setup: []string{"CREATE PROCEDURE p() BEGIN CREATE TEMPORARY TABLE stuff AS SELECT 1 AS id, 'mine' AS name; END"}, does: []string{"CALL p()"}},
		{name: "dynamic", on: "mysql", does: []string{"EXECUTE IMMEDIATE CONCAT('CREATE TEMPORARY TABLE stuff AS SELECT 1 AS id, ', '''mine'' AS name')"}},
	}, func(h *house, s *scenario) {
		h.prepare(append(base[:len(base):len(base)], s.setup...))
		h.wantCached(h.db, names)
		conn := h.conn(h.other)
		defer conn.Close()
		h.want(conn, "bread,wine,milk", OutcomeHit, names)
		for _, statement := range s.does {
			if strings.HasPrefix(statement, "SELECT") {
				h.exec(conn, statement)
			} else {
				h.do(conn, statement)
			}
		}
		h.wantBypassed(conn, "mine", names)
		if got := h.texts(h.db, names); got != "bread,wine,milk" {
			h.Errorf("the real one: %s", got)
		}
	})
}

// TestTemporaryDropsItself: ON COMMIT DROP.
func TestTemporaryDropsItself(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		conn := h.conn(h.other)
		h.exec(conn, "BEGIN")
		h.exec(conn, "CREATE TEMP TABLE stuff ON COMMIT DROP AS SELECT 1 AS id, 'mine'::text AS name")
		h.want(conn, "mine", OutcomeBypass, names)
		h.exec(conn, "COMMIT")
		if got := h.afterPlan(conn, names); got != "bread,wine,milk" {
			t.Errorf("after the commit: %s", got)
		}
		h.wantRead(conn, OutcomeHit, names)
		h.exec(conn, "UPDATE stuff SET name = 'real' WHERE id = 1")
		h.want(h.db, "real,wine,milk", OutcomeMiss, names)
	}, "postgres")
}

// roles makes two roles that may log in, and drops them at the end.
func (h *house) roles() (alice, bob string) {
	h.Helper()
	suffix := h.texts(h.bare, "SELECT current_database()")
	alice, bob = "alice_"+suffix, "bob_"+suffix
	for _, role := range []string{alice, bob} {
		h.exec(h.bare, "CREATE ROLE "+role)
		h.exec(h.bare, "GRANT USAGE ON SCHEMA public TO "+role)
		h.exec(h.bare, "GRANT pg_read_all_settings TO "+role)
	}
	h.Cleanup(func() {
		for _, role := range []string{alice, bob} {
			h.dropRole(role)
		}
	})
	return alice, bob
}

func (h *house) dropRole(role string) {
	h.Helper()
	_, err := h.bare.Exec("DROP OWNED BY " + role)
	h.ok(err)
	_, err = h.bare.Exec("DROP ROLE " + role)
	h.ok(err)
}

// become changes the role of a connection, in one of the ways there are.
func (h *house) become(conn *sql.Conn, way, role string) {
	h.Helper()
	h.do(conn, fmt.Sprintf(way, role))
}

var waysToBecome = []string{"SET ROLE %s", "SELECT set_config('role', '%s', false)", "SET SESSION AUTHORIZATION %s"}

// TestRowSecurity: what one role or tenant is shown, no other ever is.
func TestRowSecurity(t *testing.T) {
	eachKind(t, func(h *house) {
		alice, bob := h.roles()
		h.prepare([]string{
			"CREATE TABLE secret (owner text, tenant text, x text)",
			"INSERT INTO secret VALUES ('" + alice + "', 'a', 'for alice'), ('" + bob + "', 'b', 'for bob')",
			"ALTER TABLE secret ENABLE ROW LEVEL SECURITY", "ALTER TABLE secret FORCE ROW LEVEL SECURITY",
			"CREATE POLICY own ON secret USING (owner = current_user)",
			"CREATE POLICY tenants ON secret USING (tenant = current_setting('app.tenant', true))",
			"CREATE VIEW behind AS SELECT x FROM secret",
			"GRANT SELECT ON secret, behind TO " + alice + ", " + bob,
		})
		for _, way := range waysToBecome {
			conn := h.conn(h.db)
			for _, read := range []string{"SELECT x FROM secret", "SELECT count(*) FROM secret WHERE x LIKE 'for %'"} {
				h.exec(conn, "RESET SESSION AUTHORIZATION")
				h.exec(conn, "RESET ROLE")
				h.become(conn, way, alice)
				mine := h.asIs(conn, read)
				if strings.Contains(mine, "for bob") {
					t.Errorf("%s: alice sees %s", way, mine)
				}
				h.exec(conn, "RESET SESSION AUTHORIZATION")
				h.exec(conn, "RESET ROLE")
				h.become(conn, way, bob)
				if theirs := h.asIs(conn, read); strings.Contains(theirs, "for alice") {
					t.Errorf("%s: bob sees %s", way, theirs)
				}
			}
			h.exec(conn, "RESET SESSION AUTHORIZATION")
			h.exec(conn, "RESET ROLE")
			conn.Close()
		}
		conn := h.conn(h.db)
		h.exec(conn, "CREATE ROLE nobody_"+alice)
		defer h.dropRole("nobody_" + alice)
		h.exec(conn, "GRANT SELECT ON secret, behind TO nobody_"+alice)
		h.exec(conn, "SET ROLE nobody_"+alice)
		for _, tenant := range []string{"a", "b", "a", "none"} {
			h.do(conn, "SELECT set_config('app.tenant', '"+tenant+"', false)")
			for _, read := range []string{"SELECT x FROM secret", "SELECT tenant FROM secret"} {
				got := h.asIs(conn, read)
				if strings.Contains(got, "for bob") && tenant != "b" || strings.Contains(got, "for alice") && tenant != "a" {
					t.Errorf("tenant %s sees %s", tenant, got)
				}
			}
			h.asIs(conn, "SELECT x FROM behind")
		}
		h.exec(conn, "RESET ROLE")
	}, "postgres")
}

// TestRowSecurityLater: enabled, or its policy changed, after rows were cached.
func TestRowSecurityLater(t *testing.T) {
	eachKind(t, func(h *house) {
		alice, _ := h.roles()
		h.prepare([]string{
			"CREATE TABLE secret (owner text, x text)", "INSERT INTO secret VALUES ('" + alice + "', 'for alice'), ('other', 'for others')",
			"GRANT SELECT ON secret TO " + alice, "CREATE POLICY own ON secret USING (owner = current_user)",
		})
		conn := h.conn(h.db)
		h.exec(conn, "SET ROLE "+alice)
		const read = "SELECT x FROM secret ORDER BY x"
		h.want(conn, "for alice,for others", OutcomeMiss, read)
		h.want(conn, "for alice,for others", OutcomeHit, read)
		h.exec(h.other, "ALTER TABLE secret ENABLE ROW LEVEL SECURITY")
		h.wantInside(conn, "for alice", analyze.RowSecurity, read)
		h.exec(h.other, "ALTER POLICY own ON secret USING (owner = 'other')")
		h.wantInside(conn, "for others", analyze.RowSecurity, read)
		h.exec(h.other, "ALTER TABLE secret DISABLE ROW LEVEL SECURITY")
		h.want(conn, "for alice,for others", OutcomeMiss, read)
		h.exec(conn, "RESET ROLE")
	}, "postgres")
}

// TestPrivileges: who may not read is refused, whatever others have cached, and from the
// moment on in which the right is taken away through the handle.
func TestPrivileges(t *testing.T) {
	eachKind(t, func(h *house) {
		alice, bob := h.roles()
		h.prepare([]string{"CREATE TABLE secret (x text, y text)", "INSERT INTO secret VALUES ('s', 't')", "GRANT SELECT ON secret TO " + alice})
		for _, way := range waysToBecome {
			h.exec(h.db, "GRANT SELECT ON secret TO "+alice)
			a, b := h.conn(h.db), h.conn(h.other)
			h.become(a, way, alice)
			h.become(b, way, bob)
			const read = "SELECT x FROM secret"
			h.want(a, "s", OutcomeMiss, read)
			h.want(a, "s", OutcomeHit, read)
			if got := h.texts(b, read); !strings.Contains(got, "permission denied") {
				t.Errorf("%s: bob: %s", way, got)
			}
			h.exec(h.db, "REVOKE SELECT ON secret FROM "+alice)
			if got := h.texts(a, read); !strings.Contains(got, "permission denied") {
				t.Errorf("%s: alice, after the REVOKE: %s", way, got)
			}
			h.exec(h.db, "GRANT SELECT (x) ON secret TO "+bob)
			if got := h.texts(b, read); got != "s" {
				t.Errorf("%s: bob, after the GRANT: %s", way, got)
			}
			if got := h.texts(b, "SELECT * FROM secret"); !strings.Contains(got, "permission denied") {
				t.Errorf("%s: bob: %s", way, got)
			}
			h.exec(h.db, "REVOKE ALL ON secret FROM "+bob)
			for _, conn := range []*sql.Conn{a, b} {
				h.exec(conn, "RESET SESSION AUTHORIZATION")
				h.exec(conn, "RESET ROLE")
				h.ok(conn.Close())
			}
		}
	}, "postgres")
}

// TestMembership: a right that comes by a role, and goes with it.
func TestMembership(t *testing.T) {
	eachKind(t, func(h *house) {
		alice, bob := h.roles()
		h.prepare([]string{"CREATE TABLE secret (x text)", "INSERT INTO secret VALUES ('s')", "GRANT SELECT ON secret TO " + bob, "GRANT " + bob + " TO " + alice})
		conn := h.conn(h.db)
		h.exec(conn, "SET ROLE "+alice)
		h.want(conn, "s", OutcomeMiss, "SELECT x FROM secret")
		h.want(conn, "s", OutcomeHit, "SELECT x FROM secret")
		h.exec(h.other, "REVOKE "+bob+" FROM "+alice)
		if got := h.texts(conn, "SELECT x FROM secret"); !strings.Contains(got, "permission denied") {
			t.Error(got)
		}
		h.exec(conn, "RESET ROLE")
	}, "postgres")
}

// TestViewOfUser: a view that asks who reads.
func TestViewOfUser(t *testing.T) {
	eachKind(t, func(h *house) {
		alice, bob := h.roles()
		h.prepare([]string{"CREATE TABLE t (x text)", "INSERT INTO t VALUES ('x')", "CREATE VIEW me AS SELECT current_user::text AS name, x FROM t", "GRANT SELECT ON me TO " + alice + ", " + bob})
		conn := h.conn(h.db)
		for _, role := range []string{alice, bob, alice} {
			h.exec(conn, "SET ROLE "+role)
			if got := h.texts(conn, "SELECT name FROM me"); got != role {
				t.Errorf("%s is told %s", role, got)
			}
		}
		h.exec(conn, "RESET ROLE")
	}, "postgres")
}

// TestAttached: another database of the same connection.
func TestAttached(t *testing.T) {
	eachKind(t, func(h *house) {
		n := h.neighbour()
		h.prepare(base)
		file, _, _ := strings.Cut(strings.TrimPrefix(n.dsn, "file:"), "?")
		h.wantCached(h.db, names)
		h.want(n.db, "bread,wine,milk", OutcomeMiss, names)
		h.want(n.db, "bread,wine,milk", OutcomeHit, names)
		conn := h.conn(h.other)
		h.exec(conn, "ATTACH DATABASE '"+file+"' AS beside")
		if got := h.texts(conn, "SELECT name FROM beside.stuff WHERE id = 1"); got != "bread" {
			t.Error(got)
		}
		h.exec(conn, "UPDATE beside.stuff SET name = 'across' WHERE id = 1")
		n.take()
		if got := h.texts(n.db, names); got != "across,wine,milk" {
			t.Errorf("in the other database: %s", got)
		}
		if got := h.texts(conn, "SELECT name FROM beside.stuff WHERE id = 1"); got != "across" {
			t.Error(got)
		}
		h.exec(n.db, "UPDATE stuff SET name = 'home' WHERE id = 1")
		if got := h.texts(conn, "SELECT name FROM beside.stuff WHERE id = 1"); got != "home" {
			t.Error(got)
		}
		h.exec(conn, "DETACH DATABASE beside")
		h.exec(conn, "UPDATE stuff SET name = 'own' WHERE id = 1")
		if got := h.texts(h.db, names); got != "own,wine,milk" {
			t.Error(got)
		}
	}, "sqlite")
}

// TestSchemaOpened: a schema that comes into a session's search path because another
// session makes it, or grants its use, changes what names mean there.
func TestSchemaOpened(t *testing.T) {
	eachKind(t, func(h *house) {
		h.exec(h.bare, "CREATE TABLE one (name TEXT)")
		h.exec(h.bare, "INSERT INTO one VALUES ('public')")
		conn := h.conn(h.other)
		h.exec(conn, "SET search_path = later, public")
		h.wantCached(conn, "SELECT name FROM one")
		h.exec(h.db, "CREATE SCHEMA later")
		h.exec(h.db, "CREATE TABLE later.one (name TEXT)")
		h.exec(h.db, "INSERT INTO later.one VALUES ('later')")
		for _, want := range []string{"later", "later"} {
			if got := h.texts(conn, "SELECT name FROM one"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		h.exec(h.db, "UPDATE later.one SET name = 'changed'")
		if got := h.texts(conn, "SELECT name FROM one"); got != "changed" {
			t.Errorf("after a write: %s", got)
		}
	}, "postgres")
}
