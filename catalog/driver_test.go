package catalog

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/dbtest"
)

// Every driver gives values in its own types.

func TestPostgresDrivers(t *testing.T) {
	dsn := dbtest.Postgres(t).Database(t).DSN()
	for _, driver := range []string{"postgres", "pgx"} {
		c := open(t, analyze.Postgres, driver, dsn)
		c.schema = "public"
		c.exec("CREATE TABLE t_"+driver+" (id int)", "CREATE VIEW v_"+driver+" AS SELECT id FROM t_"+driver,
			"CREATE TEMP TABLE mine (id int)")
		c.checkPlans([]want{{"SELECT * FROM v_" + driver, "reads t_" + driver}, {"SELECT * FROM mine", "temporary table"}})
		if id := c.identity(); id.Database == "" || id.Reason != analyze.Cacheable {
			t.Errorf("%s: %+v", driver, id)
		}
	}
}

func TestMariaDBDrivers(t *testing.T) {
	d := dbtest.MariaDB(t).Database(t)
	for _, params := range [][]string{nil, {"parseTime=true"}, {"interpolateParams=true", "multiStatements=true"}} {
		c := open(t, analyze.MySQL, "mysql", d.DSN(params...))
		c.schema = d.Name
		c.exec("CREATE OR REPLACE TABLE t (id INT)")
		c.checkPlans([]want{{"SELECT * FROM t", "reads t"}})
	}
}

func TestSQLiteDrivers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	var ids []string
	for _, driver := range []string{"sqlite", "sqlite3"} {
		c := open(t, analyze.SQLite, driver, "file:"+path)
		c.schema = "main"
		c.exec("CREATE TABLE IF NOT EXISTS t (id INT)", "CREATE TABLE IF NOT EXISTS u (id INT)",
			"CREATE TRIGGER IF NOT EXISTS tr AFTER INSERT ON t BEGIN DELETE FROM u; END", "CREATE TEMP TABLE mine (a)")
		c.checkPlans([]want{{"INSERT INTO t VALUES (1)", "writes t u"}, {"SELECT * FROM mine", "temporary table"}})
		ids = append(ids, c.identity().Database)
	}
	if ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("identities are %q", ids)
	}
}

// A user without rights reads the same facts.
func TestPostgresUnprivileged(t *testing.T) {
	c := openPostgres(t, "CREATE TABLE users (id int PRIMARY KEY)", "CREATE VIEW v AS SELECT id FROM users",
		"CREATE TABLE stuff (id int REFERENCES users ON DELETE CASCADE)", "CREATE ROLE catalog_alice",
		"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC")
	t.Cleanup(func() { c.exec("RESET ROLE", "DROP ROLE catalog_alice") })
	whole := c.identity()
	c.exec("SET ROLE catalog_alice")
	c.checkPlans([]want{{"SELECT * FROM v", "reads users"}, {"DELETE FROM users", "writes stuff users"}})
	if id := c.identity(); id.Database != whole.Database || id.Reason != whole.Reason {
		t.Errorf("identity is %+v, not %+v", id, whole)
	}
}

// Names in the session's path don't change what the catalog reads. They do change what
// pg_get_viewdef reads: it has no text then.
func TestPostgresHostilePath(t *testing.T) {
	c := openPostgres(t, "CREATE SCHEMA evil", "CREATE TABLE public.stuff (id int)",
		"CREATE VIEW public.v AS SELECT id FROM public.stuff",
		"CREATE TABLE evil.pg_class (oid oid)", "CREATE TABLE evil.pg_namespace (oid oid)",
		"CREATE FUNCTION evil.never(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT false'",
		"CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.never)",
		"CREATE FUNCTION evil.json_build_array(VARIADIC \"any\") RETURNS json LANGUAGE internal AS 'json_build_array'",
		"SET search_path = evil, pg_catalog, public")
	c.checkPlans([]want{{"SELECT * FROM stuff WHERE id > 1", "reads stuff"}, {"SELECT * FROM v", "opaque view"}})
	if path := c.state().Path; len(path) != 3 || path[0] != "evil" {
		t.Errorf("path is %v", path)
	}
}

func BenchmarkPlan(b *testing.B) {
	c := openPostgres(b, "CREATE TABLE users (id int PRIMARY KEY)",
		"CREATE TABLE stuff (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE)",
		"CREATE VIEW v AS SELECT s.id FROM stuff s JOIN users u ON u.id = s.user_id")
	snapshot, state := c.load(), c.state()
	for name, query := range map[string]string{
		"read":  "SELECT id, count(*) FROM stuff WHERE user_id = $1 GROUP BY id",
		"view":  "SELECT lower(id::text) FROM v",
		"write": "DELETE FROM users WHERE id = $1",
	} {
		st := analyze.Analyze(analyze.Postgres, query)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				snapshot.Plan(st, state)
			}
		})
	}
}

func BenchmarkReading(b *testing.B) {
	for name, c := range map[string]*conn{
		"postgres": openPostgres(b), "mariadb": openMariaDB(b), "sqlite": openSQLite(b),
	} {
		b.Run("state/"+name, func(b *testing.B) {
			for b.Loop() {
				c.state()
			}
		})
		b.Run("snapshot/"+name, func(b *testing.B) {
			for b.Loop() {
				c.load()
			}
		})
		b.Run("identity/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Identify(context.Background(), c, c.dialect, c.dsn); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
