package catalog

import (
	"fmt"
	"testing"

	"github.com/larderdb/larder/analyze"
)

// What runs or decides in PostgreSQL without being named by the statement.
func TestPostgresHiddenCode(t *testing.T) {
	c := openPostgres(t,
		"CREATE TABLE log (id int)",
		"CREATE TABLE stuff (id int, t text, at timestamptz, opens time)",
		"CREATE TABLE zoned (id int, tz timetz)",
		"CREATE DOMAIN zone AS timetz",
		"CREATE DOMAIN zone2 AS zone",
		"CREATE TABLE zoned2 (id int, tz zone2)",
		"CREATE TABLE zoned3 (id int, tz timetz[])",
		"CREATE FUNCTION noisy(text) RETURNS text LANGUAGE sql AS 'INSERT INTO log VALUES (1); SELECT $1'",
		"CREATE VIEW hours AS SELECT id, opens AT TIME ZONE 'Europe/Berlin' AS x FROM stuff",
	)
	c.checkPlans([]want{
		{"SELECT (t).upper FROM stuff", "reads stuff"},
		{"SELECT (t).noisy FROM stuff", "reads stuff; writes log; user-defined function"},
		{`SELECT (t) . "noisy" FROM stuff`, "reads stuff; writes log; user-defined function"},
		{"SELECT (t)./* */noisy FROM stuff", "reads stuff; writes log; user-defined function"},
		{`SELECT (t).U&"nois\0079" FROM stuff`, "reads stuff; writes log; user-defined function"},
		{"SELECT noisy FROM (SELECT t AS noisy FROM stuff) q", "reads stuff"},
		{"SELECT id FROM zoned", "reads zoned; volatile"},
		{"SELECT id FROM zoned2", "reads zoned2; volatile"},
		{"SELECT id FROM zoned3", "reads zoned3; volatile"},
		{"SELECT opens FROM stuff", "reads stuff"},
		{"SELECT at AT TIME ZONE 'Europe/Berlin' FROM stuff", "reads stuff"},
		{"SELECT (at + interval '1 day') AT TIME ZONE 'Europe/Berlin' FROM stuff", "reads stuff"},
		{"SELECT date_trunc('day', at AT TIME ZONE 'UTC') AT TIME ZONE 'Europe/Berlin' FROM stuff", "reads stuff"},
		{"SELECT max(at) AT TIME ZONE 'Europe/Berlin' FROM stuff", "reads stuff"},
		{"SELECT opens AT TIME ZONE 'Europe/Berlin' FROM stuff", "reads stuff; volatile"},
		{"SELECT max(opens) AT TIME ZONE 'Europe/Berlin' FROM stuff", "reads stuff; volatile"},
		{"SELECT (opens + interval '1 hour') AT TIME ZONE 'Europe/Berlin' FROM stuff", "reads stuff; volatile"},
		{"SELECT make_time(id, 0, 0) AT TIME ZONE 'Europe/Berlin' FROM stuff", "reads stuff; volatile"},
		{"SELECT COALESCE(opens, '10:00') AT TIME ZONE 'Europe/Berlin' FROM stuff", "reads stuff; volatile"},
		{"SELECT id FROM hours", "reads stuff; volatile"},
	})
}

// Sorting, grouping and comparing call functions that the statement doesn't name.
func TestPostgresOperatorClasses(t *testing.T) {
	c := openPostgres(t,
		"CREATE TABLE limits (id int)",
		"CREATE TYPE size AS (n int)",
		"CREATE FUNCTION size_cmp(size, size) RETURNS int LANGUAGE sql STABLE AS 'SELECT ($1).n - ($2).n + count(*)::int FROM limits'",
		"CREATE FUNCTION size_lt(size, size) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT ($1).n < ($2).n'",
		"CREATE OPERATOR <<< (LEFTARG = size, RIGHTARG = size, FUNCTION = size_lt)",
		"CREATE OPERATOR CLASS size_ops DEFAULT FOR TYPE size USING btree AS OPERATOR 1 <<<, FUNCTION 1 size_cmp(size, size)",
		"CREATE TABLE stuff (s size)",
	)
	c.checkPlans([]want{
		{"SELECT s FROM stuff ORDER BY s", "reads limits stuff; user-defined function"},
		{"SELECT DISTINCT s FROM stuff", "reads limits stuff; user-defined function"},
	})
}

func TestPostgresEventTriggers(t *testing.T) {
	c := openPostgres(t,
		"CREATE TABLE log (id int)",
		"CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (1); END'",
	)
	c.checkPlans([]want{{"CREATE TEMP TABLE t (id int)", "state"}})
	c.exec("CREATE EVENT TRIGGER note ON ddl_command_end EXECUTE FUNCTION note()")
	c.checkPlans([]want{{"CREATE TEMP TABLE t (id int)", "writes all; schema; state"}})
	c.exec("ALTER EVENT TRIGGER note DISABLE")
	c.checkPlans([]want{{"CREATE TEMP TABLE t (id int)", "state"}})
}

// A temporary type hides the one that other sessions see.
func TestPostgresTemporaryTypes(t *testing.T) {
	for _, create := range []string{
		"CREATE DOMAIN pg_temp.label AS varchar(3)",
		"CREATE TYPE pg_temp.label AS (a int)",
		"CREATE TYPE pg_temp.label AS ENUM ('a')",
	} {
		c := openPostgres(t, "CREATE DOMAIN label AS text", "CREATE TABLE stuff (t text)", "CREATE TEMP TABLE other (id int)")
		c.checkPlans([]want{{"SELECT t::label FROM stuff", "reads stuff; volatile"}, {"SELECT t FROM stuff", "reads stuff"}})
		c.exec(create)
		if got := c.state().Reason; got != analyze.Temporary {
			t.Errorf("%s: %v", create, got)
		}
	}
}

// A type that stands before the server's own changes what a cast means.
func TestPostgresShadowedTypes(t *testing.T) {
	c := openPostgres(t, "CREATE TABLE stuff (t varchar)", "CREATE SCHEMA evil", "CREATE DOMAIN evil.text AS timestamp",
		"SET search_path = public, pg_catalog, evil")
	c.checkPlans([]want{{"SELECT t::text FROM stuff", "reads stuff"}})
	c.exec("SET search_path = evil, pg_catalog, public")
	c.checkPlans([]want{{"SELECT t::text FROM stuff", "reads stuff; unknown setting"}})
}

// A state tells the path as it was; names lead elsewhere if a schema appears in it.
func TestPostgresNewSchemaInPath(t *testing.T) {
	c := openPostgres(t, "CREATE TABLE stuff (id int)", `SET search_path = "A b", newer, public`)
	state := c.state()
	plan := func(query string) string {
		return c.text(c.load().Plan(analyze.Analyze(analyze.Postgres, query), state))
	}
	if got := plan("SELECT * FROM stuff"); got != "reads stuff" {
		t.Errorf("before: %s", got)
	}
	c.exec("CREATE SCHEMA newer", "CREATE TABLE newer.stuff (id int)")
	if got := plan("SELECT * FROM stuff"); got != "reads stuff; writes all; unknown setting" {
		t.Errorf("after: %s", got)
	}
	c.checkPlans([]want{{"SELECT * FROM stuff", "reads newer.stuff"}, {"SELECT * FROM public.stuff", "reads stuff"}})
}

func TestSplitPath(t *testing.T) {
	for value, want := range map[string]string{
		`"$user", public`:       `["$user" "public"]`,
		`a,B , "C d"`:           `["a" "b" "C d"]`,
		`"a,b""c", "", pg_temp`: `["a,b\"c" "pg_temp"]`,
		"":                      `[]`,
	} {
		if got := fmt.Sprintf("%q", splitPath(value)); got != want {
			t.Errorf("%s: %s, not %s", value, got, want)
		}
	}
}
