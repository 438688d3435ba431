package catalog

import (
	"context"
	"slices"
	"testing"

	"github.com/larderdb/larder/analyze"
)

// touched returns the relations of which PostgreSQL itself says that a statement read
// or changed rows.
func (c *conn) touched(query string) (read, changed []string) {
	c.t.Helper()
	c.exec("BEGIN")
	before := c.counts()
	c.exec(query)
	for name, now := range c.counts() {
		if now[0] > before[name][0] {
			read = append(read, name)
		}
		if now[1] > before[name][1] {
			changed = append(changed, name)
		}
	}
	c.exec("ROLLBACK")
	return read, changed
}

// counts returns, for each relation, how often it was scanned and its rows were changed.
func (c *conn) counts() map[string][2]int64 {
	c.t.Helper()
	rows, err := c.Query(context.Background(), `SELECT schemaname || '.' || relname,
		seq_scan + coalesce(idx_scan, 0), n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables`)
	if err != nil {
		c.t.Fatal(err)
	}
	counts := map[string][2]int64{}
	for _, row := range rows {
		counts[text(row[0])] = [2]int64{number(row[1]), number(row[2])}
	}
	return counts
}

// What the server read and changed is among what the plan says.
func TestPostgresOracle(t *testing.T) {
	c := openPostgres(t,
		"CREATE TABLE users (id int PRIMARY KEY, name text)",
		"CREATE TABLE stuff (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE parts (id int PRIMARY KEY, stuff_id int DEFAULT 11 REFERENCES stuff ON DELETE SET DEFAULT ON UPDATE SET NULL)",
		"CREATE TABLE log (id serial, t text)",
		"CREATE TABLE p (id int PRIMARY KEY, u int REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE) PARTITION BY RANGE (id)",
		"CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
		"CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)",
		"CREATE TABLE refs (p_id int REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE)",
		"CREATE TABLE parent (id int)", "CREATE TABLE child (n int) INHERITS (parent)",
		`CREATE FUNCTION logs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF TG_OP = 'DELETE' THEN INSERT INTO log (t) SELECT name FROM users; RETURN OLD; END IF;
			INSERT INTO log (t) VALUES (TG_OP); RETURN NEW; END $$`,
		"CREATE TRIGGER tr AFTER UPDATE OR DELETE ON parts FOR EACH ROW EXECUTE FUNCTION logs()",
		"CREATE TRIGGER tr AFTER INSERT ON p2 FOR EACH ROW EXECUTE FUNCTION logs()",
		"CREATE RULE r AS ON INSERT TO child DO ALSO DELETE FROM log",
		"CREATE VIEW v AS SELECT s.id, u.name FROM stuff s JOIN users u ON u.id = s.user_id",
		"CREATE VIEW up AS SELECT id, name FROM users WHERE EXISTS (SELECT FROM p)",
		"CREATE MATERIALIZED VIEW mat AS SELECT id FROM stuff",
		"CREATE FUNCTION counted(int) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM parts, v WHERE stuff_id = $1'",
		"CREATE FUNCTION looped() RETURNS int LANGUAGE plpgsql AS $$ DECLARE r record; n int := 0; BEGIN FOR r IN SELECT id FROM mat LOOP UPDATE parent SET id = r.id; n := n + (SELECT count(*) FROM child); END LOOP; RETURN n; END $$",
		"INSERT INTO users SELECT i, 'u' FROM generate_series(1, 5) i",
		"INSERT INTO stuff SELECT 10 + i, i FROM generate_series(1, 5) i",
		"INSERT INTO parts SELECT 20 + i, 10 + i FROM generate_series(1, 5) i",
		"INSERT INTO p SELECT i, 1 + i % 5 FROM generate_series(0, 19) i", "INSERT INTO refs SELECT id FROM p",
		"INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (1, 2)", "REFRESH MATERIALIZED VIEW mat", "ANALYZE",
	)
	snapshot, state := c.load(), c.state()
	for _, query := range []string{
		"SELECT * FROM v", "SELECT * FROM mat", "SELECT * FROM p WHERE id > 5", "SELECT * FROM parent", "SELECT * FROM up",
		"SELECT counted(11)", "SELECT counted(id), looped() FROM stuff", "SELECT * FROM users WHERE id IN (SELECT id FROM v)",
		"DELETE FROM users WHERE id = 2", "UPDATE users SET id = id + 100 WHERE id = 3", "DELETE FROM stuff WHERE id = 12",
		"UPDATE stuff SET id = id + 100 WHERE id = 13", "DELETE FROM p1", "UPDATE p SET u = 1", "DELETE FROM p WHERE id = 12; INSERT INTO p VALUES (12, 1)",
		"UPDATE p1 SET u = 2 WHERE id = 1", "UPDATE parent SET id = 2", "DELETE FROM child", "INSERT INTO child VALUES (2, 3)",
		"UPDATE up SET name = 'x' WHERE id = 1", "DELETE FROM up WHERE id = 5", "UPDATE parts SET stuff_id = 11",
		"WITH d AS (DELETE FROM parts RETURNING id) SELECT * FROM d, stuff", "SELECT looped()",
		"MERGE INTO stuff s USING users u ON s.user_id = u.id WHEN MATCHED AND s.id = 12 THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (99, 1)",
		"DELETE FROM p WHERE id = 13; UPDATE p SET id = 13 WHERE id = 3",
	} {
		plan := snapshot.Plan(analyze.Analyze(c.dialect, query), state)
		read, changed := c.touched(query)
		for _, name := range changed {
			if !plan.WritesAll && !slices.Contains(plan.Writes, Relation(name)) {
				t.Errorf("%s changes %s; plan: %s", query, name, c.text(plan))
			}
		}
		for _, name := range read {
			if len(changed) == 0 && !slices.Contains(plan.Reads, Relation(name)) {
				t.Errorf("%s reads %s; plan: %s", query, name, c.text(plan))
			}
		}
		if len(read)+len(changed) == 0 {
			t.Errorf("%s touches nothing: it proves nothing", query)
		}
	}
}
