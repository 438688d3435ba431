package catalog

import (
	"testing"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/dbtest"
)

func openPostgres(t testing.TB, statements ...string) *conn {
	t.Helper()
	c := open(t, analyze.Postgres, "postgres", dbtest.Postgres(t).Database(t).DSN())
	c.schema = "public"
	c.exec(statements...)
	return c
}

func TestPostgresViews(t *testing.T) {
	c := openPostgres(t,
		"CREATE SEQUENCE seq",
		"CREATE TABLE stuff (id int PRIMARY KEY, user_id int, t text, at timestamptz)",
		"CREATE TABLE users (id int PRIMARY KEY, name text)",
		"CREATE VIEW v AS SELECT s.id, u.name FROM stuff s JOIN users u ON u.id = s.user_id",
		"CREATE VIEW nested AS SELECT id FROM v WHERE EXISTS (SELECT FROM stuff)",
		"CREATE MATERIALIZED VIEW mat AS SELECT id FROM stuff",
		"CREATE VIEW over_mat AS SELECT id FROM mat",
		"CREATE VIEW v_vol AS SELECT id, random() AS r FROM stuff",
		"CREATE VIEW v_now AS SELECT id FROM stuff WHERE at < now()",
		"CREATE VIEW v_me AS SELECT id FROM stuff WHERE t = current_user",
		"CREATE VIEW v_lock AS SELECT id FROM stuff FOR UPDATE",
		"CREATE VIEW v_cast AS SELECT t::timestamp AS x FROM stuff",
		"CREATE VIEW v_class AS SELECT relname FROM pg_class, stuff",
		"CREATE VIEW v_info AS SELECT table_name FROM information_schema.tables",
		"CREATE VIEW v_seq AS SELECT last_value FROM seq",
	)
	c.checkPlans([]want{
		{"SELECT * FROM stuff", "reads stuff"},
		{"TABLE users", "reads users"},
		{"SELECT * FROM v", "reads stuff users"},
		{"SELECT * FROM nested", "reads stuff users"},
		{"SELECT * FROM mat", "reads mat"},
		{"SELECT * FROM over_mat", "reads mat"},
		{"REFRESH MATERIALIZED VIEW mat", "writes all; schema; state"},
		{"SELECT id FROM v_vol", "reads stuff; volatile"},
		{"SELECT id FROM v_now", "reads stuff; volatile"},
		{"SELECT id FROM v_me", "reads stuff; session function"},
		{"SELECT id FROM v_lock", "reads stuff; locking read"},
		{"SELECT x FROM v_cast", "reads stuff; volatile"},
		{"SELECT relname FROM v_class", "reads stuff; system catalog"},
		{"SELECT * FROM v_info", "reads information_schema.tables; system catalog"},
		{"SELECT last_value FROM seq", "reads seq; sequence"},
		{"SELECT last_value FROM v_seq", "reads seq; sequence"},
		{"SELECT t::timestamp FROM stuff", "reads stuff; volatile"},
		{"SELECT at::date FROM stuff", "reads stuff"},
		{"SELECT x::date FROM (SELECT t AS x FROM stuff) q", "reads stuff; volatile"},
		{"SELECT * FROM newer", "unknown relation; unknown relation"},
		{"UPDATE v SET id = 1", "writes stuff users"},
		{"UPDATE newer SET id = 1", "writes all; unknown relation"},
	})
	c.exec("SET quote_all_identifiers = on")
	c.checkPlans([]want{{"SELECT * FROM nested", "reads stuff users"}})
}

func TestPostgresWrites(t *testing.T) {
	c := openPostgres(t,
		"CREATE TABLE users (id int PRIMARY KEY)",
		"CREATE TABLE stuff (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE parts (id int PRIMARY KEY, stuff_id int REFERENCES stuff ON DELETE SET NULL)",
		"CREATE TABLE tags (part_id int REFERENCES parts ON UPDATE SET DEFAULT)",
		"CREATE TABLE log (id int, t text)",
		"CREATE TABLE ruled (id int)",
		"CREATE RULE r AS ON INSERT TO ruled DO ALSO INSERT INTO log VALUES (1)",
		"CREATE TABLE plain (id int)",
	)
	c.checkPlans([]want{
		{"INSERT INTO users VALUES (1)", "writes users"},
		{"DELETE FROM users", "writes parts stuff tags users"},
		{"UPDATE users SET id = 2", "writes stuff users"},
		{"UPDATE stuff SET id = 2", "writes stuff"},
		{"DELETE FROM stuff", "writes parts stuff tags"},
		{"UPDATE parts SET id = 2", "writes parts tags"},
		{"TRUNCATE users CASCADE", "writes parts stuff tags users"},
		{"TRUNCATE tags", "writes tags"},
		{"INSERT INTO ruled VALUES (1)", "writes all; state"},
		{"UPDATE ruled SET id = 1", "writes ruled"},
		{"COPY plain FROM STDIN", "writes plain"},
		{"WITH w AS (UPDATE plain SET id = 1 RETURNING id) SELECT * FROM w", "writes plain"},
		{"DO $$ BEGIN END $$", "writes all; schema; state"},
		{"CALL p()", "writes all; schema; state"},
		{"COMMIT PREPARED 'x'", "writes all"},
		{"SET work_mem = '1MB'", ""},
		{"SET datestyle = 'german'", "state"},
		{"SET ROLE bob", "state"},
		{"RESET ALL", "state"},
		{"DISCARD ALL", "state"},
		{"SELECT set_config('role', 'bob', false)", "state; session variable"},
		{"UPDATE pg_class SET relname = 'x'", "writes all; schema"},
	})
}

func TestPostgresTriggers(t *testing.T) {
	function := func(name, body string) string {
		return "CREATE FUNCTION " + name + "() RETURNS trigger LANGUAGE plpgsql AS $f$ " + body + " $f$"
	}
	table := func(name string) string { return "CREATE TABLE " + name + " (id int, updated_at timestamptz, t text)" }
	on := func(name, events string) string {
		return "CREATE TRIGGER tr BEFORE " + events + " ON " + name + " FOR EACH ROW EXECUTE FUNCTION " + name + "_f()"
	}
	c := openPostgres(t,
		table("touched"), table("audited"), table("dynamic"), table("settled"), table("notified"), table("quiet"),
		table("looped"), table("audit"), table("calls"), table("summary"), table("builtin"), table("conditional"),
		"CREATE FUNCTION opaque() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'x'; RETURN true; END $$",
		function("touched_f", "BEGIN NEW.updated_at := now(); RETURN NEW; END;"),
		function("audited_f", `
			DECLARE n int := 0; r record; c CURSOR FOR SELECT id FROM summary;
			BEGIN
				-- IF a comment; says so
				IF TG_OP = 'DELETE' THEN
					INSERT INTO audit SELECT OLD.*;
					RETURN OLD;
				ELSIF NEW.* IS DISTINCT FROM OLD.* AND (CASE WHEN n > 0 THEN true ELSE false END) THEN
					INSERT INTO audit (id, t) VALUES (NEW.id, 'x;y') RETURNING id INTO STRICT n;
				END IF;
				SELECT count(*) INTO n FROM summary WHERE id = NEW.id;
				RETURN NEW;
			EXCEPTION WHEN unique_violation OR others THEN RAISE NOTICE 'no %', SQLERRM; RETURN NULL;
			END`),
		function("dynamic_f", "BEGIN EXECUTE 'DELETE FROM audit'; RETURN NEW; END"),
		function("settled_f", "BEGIN PERFORM set_config('a.b', 'c', false); RETURN NEW; END"),
		function("notified_f", "BEGIN PERFORM pg_notify('x', NEW.id::text); RETURN NEW; END"),
		function("quiet_f", "BEGIN RETURN NEW; END"),
		function("looped_f", `BEGIN FOR i IN 1..3 LOOP UPDATE summary SET id = i; END LOOP;
			WHILE NEW.id < 3 LOOP NEW.id = NEW.id + 1; EXIT WHEN NEW.id > 2; END LOOP; RETURN NEW; END`),
		function("calls_f", "BEGIN IF opaque() THEN RETURN NULL; END IF; RETURN NEW; END"),
		function("conditional_f", "BEGIN RETURN NEW; END"),
		on("touched", "UPDATE"), on("audited", "INSERT OR UPDATE OR DELETE"), on("dynamic", "INSERT"),
		on("settled", "INSERT"), on("notified", "INSERT"), on("quiet", "INSERT"), on("looped", "DELETE"),
		on("calls", "INSERT"),
		"CREATE TRIGGER tr BEFORE UPDATE ON builtin FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
		"CREATE TRIGGER tr BEFORE UPDATE ON conditional FOR EACH ROW WHEN (opaque()) EXECUTE FUNCTION conditional_f()",
		"CREATE VIEW instead AS SELECT id FROM quiet",
		"CREATE TRIGGER tr INSTEAD OF INSERT ON instead FOR EACH ROW EXECUTE FUNCTION audited_f()",
	)
	c.checkPlans([]want{
		{"UPDATE touched SET id = 1", "writes touched"},
		{"INSERT INTO audited VALUES (1)", "writes audit audited"},
		{"DELETE FROM audited", "writes audit audited"},
		{"TRUNCATE audited", "writes audited"},
		{"INSERT INTO dynamic VALUES (1)", "writes all; schema; state"},
		{"UPDATE dynamic SET id = 1", "writes dynamic"},
		{"INSERT INTO settled VALUES (1)", "writes settled; state"},
		{"INSERT INTO notified VALUES (1)", "writes notified"},
		{"INSERT INTO quiet VALUES (1)", "writes quiet"},
		{"DELETE FROM looped", "writes looped summary"},
		{"INSERT INTO calls VALUES (1)", "writes all; schema; state"},
		{"UPDATE builtin SET id = 1", "writes builtin"},
		{"UPDATE conditional SET id = 1", "writes all; schema; state"},
		{"INSERT INTO instead VALUES (1)", "writes audit quiet"},
	})
}

func TestPostgresChildren(t *testing.T) {
	c := openPostgres(t,
		"CREATE TABLE p (id int PRIMARY KEY, t text) PARTITION BY RANGE (id)",
		"CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
		"CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id)",
		"CREATE TABLE p21 PARTITION OF p2 FOR VALUES FROM (10) TO (15)",
		"CREATE TABLE refs (p_id int REFERENCES p ON DELETE CASCADE)",
		"CREATE TABLE seen (id int)",
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (1); RETURN NULL; END $$",
		"CREATE TRIGGER tr AFTER INSERT ON p21 FOR EACH ROW EXECUTE FUNCTION f()",
		"CREATE TABLE q (id int) PARTITION BY LIST (id)", "CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1)",
		"CREATE TRIGGER tr AFTER INSERT ON q FOR EACH ROW EXECUTE FUNCTION f()",
		"CREATE TABLE parent (id int)",
		"CREATE TABLE child () INHERITS (parent)",
	)
	c.checkPlans([]want{
		{"SELECT * FROM p", "reads p p1 p2 p21"},
		{"SELECT * FROM p1", "reads p1"},
		{"SELECT * FROM p2", "reads p2 p21"},
		{"INSERT INTO p VALUES (1)", "writes p p1 p2 p21 seen"},
		{"INSERT INTO p1 VALUES (1)", "writes p1"},
		{"INSERT INTO q1 VALUES (1)", "writes q1 seen"},
		{"INSERT INTO q VALUES (1)", "writes q q1 seen"},
		{"UPDATE p SET id = 12", "writes p p1 p2 p21 refs seen"},
		{"DELETE FROM p1", "writes p1 refs"},
		{"UPDATE p1 SET t = 'x'", "writes p1"},
		{"SELECT * FROM parent", "reads child parent"},
		{"SELECT * FROM child", "reads child"},
		{"INSERT INTO child VALUES (1)", "writes child"},
		{"INSERT INTO parent VALUES (1)", "writes parent"},
		{"UPDATE parent SET id = 1", "writes child parent"},
		{"TRUNCATE parent", "writes child parent"},
	})
	c.exec("ALTER TABLE p DETACH PARTITION p1")
	c.checkPlans([]want{{"SELECT * FROM p", "reads p p2 p21"}})
}

func TestPostgresFunctions(t *testing.T) {
	c := openPostgres(t,
		"CREATE TABLE stuff (id int, t text)",
		"CREATE TABLE log (id int)",
		"CREATE FUNCTION stable_sql(int) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM stuff WHERE id = $1'",
		"CREATE FUNCTION lying() RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT count(*) FROM stuff'",
		"CREATE FUNCTION lying_plpgsql() RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM stuff); END'",
		"CREATE FUNCTION atomic() RETURNS bigint STABLE BEGIN ATOMIC SELECT count(*) FROM stuff; END",
		"CREATE FUNCTION returning_sql() RETURNS bigint STABLE RETURN (SELECT count(*) FROM stuff WHERE t < now()::text)",
		"CREATE FUNCTION nested() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT stable_sql(1) + lying()'",
		"CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'INSERT INTO log VALUES (1) RETURNING id'",
		"CREATE FUNCTION volatile_sql() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM stuff'",
		"CREATE FUNCTION dynamic() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'x'; RETURN 1; END $$",
		"CREATE FUNCTION dynamic_stable() RETURNS int STABLE LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN EXECUTE 'x' INTO n; RETURN n; END $$",
		"CREATE FUNCTION makes_temp() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE x (id int); RETURN 1; END $$",
		"CREATE FUNCTION hidden() RETURNS int STABLE LANGUAGE sql AS 'SELECT dynamic()'",
		"CREATE FUNCTION clock() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT now()'",
		"CREATE FUNCTION clock2() RETURNS timestamp STABLE LANGUAGE plpgsql AS $$ DECLARE x timestamp; BEGIN x := 'now'; RETURN x; END $$",
		"CREATE FUNCTION today() RETURNS date STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN current_date; END $$",
		"CREATE FUNCTION recursive(n int) RETURNS int STABLE LANGUAGE sql AS 'SELECT 1'",
		"CREATE OR REPLACE FUNCTION recursive(n int) RETURNS int STABLE LANGUAGE sql AS 'SELECT recursive(n - 1)'",
		"CREATE FUNCTION rows_of(int) RETURNS SETOF stuff STABLE LANGUAGE sql AS 'SELECT * FROM stuff'",
		"CREATE FUNCTION add(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2'",
		"CREATE AGGREGATE total(int) (SFUNC = add, STYPE = int)",
		"CREATE FUNCTION noisy(int, int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'x'; RETURN 1; END $$",
		"CREATE AGGREGATE noise(int) (SFUNC = noisy, STYPE = int)",
		"CREATE FUNCTION lower(stuff) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'x'; RETURN 1; END $$",
		"CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = noisy)",
		"CREATE TABLE defaulted (id int DEFAULT dynamic(), n int)",
		"CREATE TABLE checked (id int CHECK (noisy(id, id) > 0))",
		"CREATE TABLE added (id int CHECK (add(id, id) > 0), g int GENERATED ALWAYS AS (add(id, 1)) STORED)",
		"CREATE VIEW v AS SELECT dynamic() AS d FROM stuff",
		"CREATE VIEW v_op AS SELECT id === 1 AS d FROM stuff",
		"CREATE VIEW v_fine AS SELECT add(id, 1) AS d, stable_sql(id) FROM log",
		"CREATE FUNCTION with_default(n int DEFAULT dynamic()) RETURNS int STABLE LANGUAGE sql AS 'SELECT n'",
	)
	const wide = "; writes all; schema; state; user-defined function"
	c.checkPlans([]want{
		{"SELECT stable_sql(1)", "reads stuff"},
		{"SELECT lying()", "reads stuff"},
		{"SELECT lying_plpgsql()", "reads stuff"},
		{"SELECT public.lying(), id FROM log", "reads log stuff"},
		{"SELECT atomic()", "reads stuff"},
		{"SELECT returning_sql()", "reads stuff; volatile"},
		{"SELECT nested()", "reads stuff"},
		{"SELECT writes()", "writes log; user-defined function"},
		{"SELECT volatile_sql()", "reads stuff; user-defined function"},
		{"SELECT dynamic() FROM stuff", "reads stuff" + wide},
		{"SELECT makes_temp() FROM stuff", "reads stuff" + wide},
		{"SELECT dynamic_stable() FROM stuff", "reads stuff; user-defined function"},
		{"SELECT hidden() FROM stuff", "reads stuff" + wide},
		{"SELECT clock() FROM stuff", "reads stuff; volatile"},
		{"SELECT clock2() FROM stuff", "reads stuff; volatile"},
		{"SELECT today() FROM stuff", "reads stuff; volatile"},
		{"SELECT recursive(1) FROM stuff", "reads stuff; user-defined function"},
		{"SELECT * FROM rows_of(1)", "reads stuff"},
		{"SELECT total(id) FROM stuff", "reads stuff"},
		{"SELECT noise(id) FROM stuff", "reads stuff" + wide},
		{"SELECT lower(t) FROM stuff", "reads stuff" + wide},
		{"SELECT upper(t) FROM stuff", "reads stuff"},
		{"SELECT id === 1 FROM stuff", "reads stuff" + wide},
		{"SELECT id OPERATOR(public.===) 1 FROM stuff", "reads stuff" + wide},
		{"SELECT nobody(id) FROM stuff", "reads stuff; writes all; state; user-defined function"},
		{"INSERT INTO defaulted (n) VALUES (1)", "writes all; schema; state"},
		{"DELETE FROM defaulted", "writes defaulted"},
		{"INSERT INTO checked VALUES (1)", "writes all; schema; state"},
		{"INSERT INTO added VALUES (1)", "writes added"},
		{"SELECT * FROM v", "reads stuff" + wide},
		{"SELECT * FROM v_op", "reads stuff" + wide},
		{"SELECT * FROM v_fine", "reads log stuff"},
		{"SELECT with_default() FROM stuff", "reads stuff" + wide},
	})
	c.exec("CREATE FUNCTION to_bool(stuff) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'x'; RETURN true; END $$",
		"CREATE CAST (stuff AS boolean) WITH FUNCTION to_bool(stuff) AS IMPLICIT")
	c.checkPlans([]want{{"SELECT id FROM stuff", "reads stuff" + wide}})
}

// A function of a row can be called like a column of it.
func TestPostgresAttributes(t *testing.T) {
	c := openPostgres(t,
		"CREATE TABLE stuff (id int)", "CREATE TABLE log (id int)",
		"CREATE FUNCTION logs(stuff) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM log'",
		`CREATE FUNCTION "Noisy"(stuff) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'x'; RETURN 1; END $$`,
		"CREATE FUNCTION twice(stuff) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1.id * 2'",
		"CREATE TYPE pair AS (amount int, t text)",
		"CREATE VIEW v AS SELECT s.logs FROM stuff s",
	)
	c.checkPlans([]want{
		{"SELECT s.id FROM stuff s", "reads stuff"},
		{"SELECT s.LOGS FROM stuff s", "reads log stuff"},
		{"SELECT (s).logs FROM stuff s", "reads log stuff"},
		{`SELECT s."Noisy" FROM stuff s`, "reads stuff; writes all; schema; state; user-defined function"},
		{"SELECT s.twice FROM stuff s", "reads stuff"},
		{"SELECT (pair).amount FROM stuff", "reads stuff"},
		{"SELECT * FROM v", "reads log stuff"},
	})
}

func TestPostgresConstraints(t *testing.T) {
	opaque := "RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT 1'; RETURN 1; END $$"
	c := openPostgres(t,
		"CREATE FUNCTION stable_opaque(int) "+opaque,
		"CREATE FUNCTION opaque(int) "+opaque,
		"CREATE TABLE indexed (id int)", "CREATE INDEX ON indexed (opaque(id))",
		"CREATE TABLE partial (id int)", "CREATE INDEX ON partial (id) WHERE opaque(id) > 0",
		"CREATE TABLE generated (id int, g int GENERATED ALWAYS AS (opaque(id)) STORED)",
		"CREATE TABLE secured (id int)", "ALTER TABLE secured ENABLE ROW LEVEL SECURITY",
		"CREATE POLICY p ON secured USING (opaque(id) > 0)",
		"CREATE TABLE base (id int)", "CREATE VIEW ruled AS SELECT id FROM base",
		"CREATE RULE r AS ON UPDATE TO ruled DO INSTEAD DELETE FROM base",
		"ALTER FUNCTION opaque(int) VOLATILE",
	)
	const wide = "writes all; schema; state"
	c.checkPlans([]want{
		{"INSERT INTO indexed VALUES (1)", wide},
		{"DELETE FROM indexed", "writes indexed"},
		{"INSERT INTO partial VALUES (1)", wide},
		{"INSERT INTO generated VALUES (1)", wide},
		{"SELECT * FROM secured", "reads secured; " + wide + "; row-level security"},
		{"DELETE FROM secured", wide},
		{"UPDATE ruled SET id = 1", "writes all; state"},
		{"INSERT INTO ruled VALUES (1)", "writes base"},
	})
	c.exec("CREATE DOMAIN checked AS int CHECK (opaque(VALUE) > 0)")
	c.checkPlans([]want{{"SELECT id FROM base", "reads base; " + wide + "; user-defined function"}})
}

func TestPostgresExtensions(t *testing.T) {
	c := openPostgres(t, `CREATE EXTENSION "uuid-ossp"`, "CREATE EXTENSION citext", "CREATE EXTENSION pg_trgm",
		"CREATE TABLE stuff (id uuid DEFAULT uuid_generate_v4(), name citext)")
	c.checkPlans([]want{
		{"INSERT INTO stuff (name) VALUES ('x')", "writes stuff"},
		{"SELECT id FROM stuff WHERE name = 'x' AND lower(name) = 'y'", "reads stuff"},
		{"SELECT id, uuid_generate_v4() FROM stuff", "reads stuff; volatile"},
		{"SELECT id FROM stuff WHERE similarity(name, 'x') > 0.5", "reads stuff"},
		{"SELECT set_limit(0.5) FROM stuff", "reads stuff; writes all; schema; state; user-defined function"},
	})
}

func TestPostgresRowSecurity(t *testing.T) {
	c := openPostgres(t, "CREATE TABLE rlsg (id int, tenant text)", "ALTER TABLE rlsg ENABLE ROW LEVEL SECURITY",
		"CREATE POLICY p ON rlsg USING (tenant = current_setting('app.tenant'))", "CREATE VIEW v_rlsg AS SELECT id FROM rlsg")
	c.checkPlans([]want{
		{"SELECT * FROM rlsg", "reads rlsg; row-level security"},
		{"SELECT * FROM v_rlsg", "reads rlsg; row-level security"},
		{"INSERT INTO rlsg VALUES (1)", "writes rlsg"},
	})
}

func TestPostgresForeign(t *testing.T) {
	c := openPostgres(t, "CREATE FOREIGN DATA WRAPPER w", "CREATE SERVER s FOREIGN DATA WRAPPER w",
		"CREATE FOREIGN TABLE far (id int) SERVER s", "CREATE TABLE near (id int)", "CREATE UNLOGGED TABLE fast (id int)",
		"ALTER FOREIGN TABLE far INHERIT near")
	c.checkPlans([]want{
		{"SELECT * FROM far", "reads far; foreign or virtual table"},
		{"SELECT * FROM near", "reads far near; foreign or virtual table"},
		{"SELECT * FROM fast", "reads fast"},
		{"INSERT INTO far VALUES (1)", "writes all"},
	})
}

func TestPostgresPath(t *testing.T) {
	c := openPostgres(t, "CREATE TABLE stuff (id int)", "CREATE SCHEMA other", `CREATE TABLE other.stuff (id int)`,
		`CREATE TABLE "Mixed.Case" (id int)`,
		"CREATE FUNCTION counted() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM stuff'",
		"CREATE FUNCTION pinned() RETURNS bigint STABLE LANGUAGE sql SET search_path = other AS 'SELECT count(*) FROM stuff'",
		"CREATE FUNCTION definer() RETURNS bigint STABLE LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM stuff'",
		"CREATE VIEW bound AS SELECT id FROM stuff",
	)
	c.checkPlans([]want{
		{"SELECT * FROM stuff", "reads stuff"},
		{"SELECT * FROM Other.Stuff", "reads other.stuff"},
		{`SELECT * FROM "Mixed.Case"`, "reads Mixed.Case"},
		{"SELECT * FROM mixed", "unknown relation; unknown relation"},
		{"SELECT counted()", "reads stuff"},
		{"SELECT pinned()", "reads other.stuff"},
	})
	before := c.state().Key
	c.exec("SET search_path = other, public")
	if c.state().Key == before {
		t.Error("search_path doesn't show in the key")
	}
	c.checkPlans([]want{
		{"SELECT * FROM stuff", "reads other.stuff"},
		{"INSERT INTO stuff VALUES (1)", "writes other.stuff"},
		{"SELECT * FROM public.stuff", "reads stuff"},
		{"SELECT counted()", "reads other.stuff"},
		{"SELECT definer()", "user-defined function"},
		{"SELECT * FROM bound", "reads stuff"},
	})
}

func TestPostgresTemporary(t *testing.T) {
	c := openPostgres(t, "CREATE TABLE stuff (id int)", "CREATE TABLE log (id int)",
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (1); RETURN NEW; END $$",
		"CREATE FUNCTION counted() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM stuff'",
		"CREATE VIEW v AS SELECT * FROM stuff",
		"CREATE TEMP TABLE stuff (id int)", "CREATE TEMP TABLE watched (id int)",
		"CREATE TRIGGER tr BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION f()",
		"CREATE FUNCTION opaque() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'x'; RETURN 1; END $$",
		"CREATE TEMP TABLE serial (id serial, n int DEFAULT 1 CHECK (n > 0))",
		"CREATE TEMP TABLE defaulted (id int DEFAULT opaque())",
		"CREATE TEMP TABLE checked (id int CHECK (id > opaque()))",
		"CREATE TEMP VIEW tv AS SELECT * FROM log")
	c.checkPlans([]want{
		{"SELECT * FROM stuff", "temporary table"},
		{"SELECT * FROM public.stuff", "reads stuff"},
		{"SELECT * FROM v", "reads stuff"},
		{"SELECT counted()", "temporary table"},
		{"INSERT INTO stuff VALUES (1)", ""},
		{"INSERT INTO pg_temp.stuff VALUES (1)", ""},
		{"INSERT INTO public.stuff VALUES (1)", "writes stuff"},
		{"INSERT INTO watched VALUES (1)", "writes all"},
		{"UPDATE tv SET id = 1", "writes all"},
		{"INSERT INTO serial (n) VALUES (1)", ""},
		{"INSERT INTO defaulted VALUES (1)", "writes all"},
		{"INSERT INTO checked VALUES (1)", "writes all"},
		{"CREATE TEMP TABLE more (id int)", "state"},
	})
	c.exec("SET search_path = public, pg_temp")
	c.checkPlans([]want{
		{"SELECT * FROM stuff", "reads stuff"},
		{"INSERT INTO stuff VALUES (1)", "writes stuff"},
		{"SELECT * FROM watched", "temporary table"},
	})
	if r := c.state().Reason; r != analyze.Cacheable {
		t.Errorf("reason is %v", r)
	}
	c.exec("CREATE TEMP TABLE kid () INHERITS (log)")
	if r := c.state().Reason; r != analyze.Temporary {
		t.Errorf("with a temporary child the reason is %v", r)
	}
}

func TestPostgresState(t *testing.T) {
	c := openPostgres(t, "CREATE ROLE catalog_bob", "GRANT ALL ON SCHEMA public TO catalog_bob")
	t.Cleanup(func() { c.exec("RESET ROLE", "DROP OWNED BY catalog_bob", "DROP ROLE catalog_bob") })
	for _, set := range []string{
		"SET ROLE catalog_bob", "SET datestyle = 'german'", "SET timezone = 'America/St_Johns'", "SET intervalstyle = 'iso_8601'",
		"SET extra_float_digits = 0", "SET bytea_output = 'escape'", "SET lc_monetary = 'C.utf8'", "SET row_security = off",
		"SET default_text_search_config = 'german'", "SET array_nulls = off", "SET quote_all_identifiers = on",
		"SET xmlbinary = 'hex'", "SET transform_null_equals = on",
	} {
		before := c.state().Key
		c.exec(set)
		if c.state().Key == before {
			t.Errorf("%s doesn't show in the key", set)
		}
	}
	before := c.state("app.tenant").Key
	c.exec("SET app.tenant = 'x'")
	if c.state("app.tenant").Key == before {
		t.Error("app.tenant doesn't show in the key")
	}
	c.exec("SET statement_timeout = 10000")
	if got := c.state(); got.Key != c.state("statement_timeout").Key || got.Isolation != "read committed" {
		t.Errorf("state is %+v", got)
	}
	if r := c.state("*").Reason; r != analyze.Setting {
		t.Errorf("any setting: %v", r)
	}
	c.exec("SET default_transaction_isolation = 'repeatable read'", "SET standard_conforming_strings = off")
	state := c.state()
	if state.Isolation != "repeatable read" {
		t.Errorf("isolation is %s", state.Isolation)
	}
	p := c.load().Plan(analyze.Analyze(analyze.Postgres, `SELECT '\'' || $1`), state)
	if p.Reason == analyze.Cacheable || !p.WritesAll {
		t.Errorf("a backslash that escapes: %+v", p)
	}
}

func TestPostgresIdentity(t *testing.T) {
	server := dbtest.Postgres(t)
	one, two := server.Database(t), server.Database(t)
	a := open(t, analyze.Postgres, "postgres", one.DSN()).identity()
	b := open(t, analyze.Postgres, "postgres", one.TCP()).identity()
	c := open(t, analyze.Postgres, "postgres", two.DSN()).identity()
	if a.Private || a.Reason != analyze.Cacheable || a.Database == "" || a.Version == "" {
		t.Errorf("identity is %+v", a)
	}
	if a.Database != b.Database {
		t.Errorf("socket and loopback lead to %s and %s", a.Database, b.Database)
	}
	if a.Database == c.Database {
		t.Error("two databases of a server have one identity")
	}
}
