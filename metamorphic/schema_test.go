package metamorphic

import (
	"fmt"
	"strings"
)

// schema makes the first tables, rows, views, triggers and functions of a world, and its model.
func schema(g *gen) program {
	g.m = &model{}
	var texts []string
	for i := 1; i <= 5; i++ {
		t := newTable(g.r, fmt.Sprintf("t%d", i), i != 5)
		if i > 1 && g.chance(60) {
			t.extra = append(t.extra, "p")
		}
		texts = append(texts, t.create(g.r, g.d, g.m.tables[:min(len(g.m.tables), 4)]))
		g.m.tables = append(g.m.tables, t)
	}
	if g.d == pg {
		texts = append(texts, postgresObjects...)
	}
	if g.d == maria {
		texts = append(texts, mariaObjects...)
	}
	if g.d != lite {
		g.m.tables = append(g.m.tables, &table{name: "p1"})
	}
	for range 30 {
		row := g.fork()
		row.plain = true
		texts = append(texts, row.insert(pick(g.r, g.m.tables)))
	}
	for _, name := range []string{"v1", "v2", "v3"} {
		texts = append(texts, g.fork().createView(name))
		g.m.views = append(g.m.views, name)
	}
	for range 3 {
		texts = append(texts, g.fork().createTrigger())
	}
	if g.d == pg {
		texts = append(texts, "CREATE MATERIALIZED VIEW m1 AS SELECT id, a, b, c FROM v1")
		g.m.views = append(g.m.views, "m1")
	}
	return asSteps(append(texts, g.typedSchema()...))
}

func asSteps(texts []string) program {
	var p program
	for _, text := range texts {
		p = append(p, step{on: clean, do: exec, text: text, unseen: true})
	}
	return p
}

// Functions, procedures, partitions and the like, which stay for the life of a world.
var postgresObjects = []string{
	"CREATE FUNCTION f1(n numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'",
	"CREATE FUNCTION f2(n numeric) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM t1 WHERE id < $1'",
	"CREATE FUNCTION writes(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN UPDATE t2 SET a = n WHERE id = 1; RETURN n; END $$",
	"CREATE PROCEDURE proc1(n int) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t5 (id, a) VALUES (n, 7); END $$",
	"CREATE TABLE p1 (id int, a int, b int, c text) PARTITION BY RANGE (id)",
	"CREATE TABLE p1_1 PARTITION OF p1 FOR VALUES FROM (MINVALUE) TO (3)",
	"CREATE TABLE p1_2 PARTITION OF p1 FOR VALUES FROM (3) TO (7)",
	"CREATE TABLE p1_3 PARTITION OF p1 DEFAULT",
	"CREATE TABLE kid () INHERITS (t2)",
	"CREATE TABLE r1 (id int, a int)",
	"INSERT INTO r1 SELECT n, n FROM generate_series(1, 9) AS n",
	"ALTER TABLE r1 ENABLE ROW LEVEL SECURITY",
	"CREATE POLICY half ON r1 USING (a > 4 AND current_user <> 'postgres')",
	"DO $$ BEGIN CREATE ROLE guest; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
	"GRANT USAGE ON SCHEMA public TO guest",
	"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO guest",
	"CREATE VIEW ruled AS SELECT id, a FROM t3",
	"CREATE RULE ruling AS ON INSERT TO ruled DO INSTEAD INSERT INTO t4 (id, a) VALUES (NEW.id, NEW.a)",
	"CREATE SCHEMA s2",
	"CREATE TABLE s2.t1 (id int, a int, b int, c text)",
	"INSERT INTO s2.t1 VALUES (1, 100, 100, 'other'), (2, 200, 200, 'other')",
}

var mariaObjects = []string{
	"CREATE FUNCTION f1(n BIGINT) RETURNS BIGINT DETERMINISTIC NO SQL RETURN n * 2",
	"CREATE FUNCTION f2(n BIGINT) RETURNS BIGINT READS SQL DATA RETURN (SELECT count(*) FROM t1 WHERE id < n)",
	"CREATE FUNCTION writes(n INT) RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN UPDATE t2 SET a = n WHERE id = 1; RETURN n; END",
	"CREATE PROCEDURE proc1(n INT) MODIFIES SQL DATA BEGIN INSERT INTO t5 (id, a) VALUES (n, 7); END",
	"CREATE TABLE p1 (id INT, a INT, b INT, c VARCHAR(40)) PARTITION BY HASH (id) PARTITIONS 3",
	"CREATE TABLE other_t (id INT, a INT)",
}

// createView is the text of a view; nested if there are views.
func (g *gen) createView(name string) string {
	g.plain, g.depth = true, 1 // views of views grow
	body := g.core(nil)
	if g.chance(30) { // one that can be written to
		body = "SELECT id, a, b, c FROM " + pick(g.r, g.m.tables).name + " WHERE a > 1"
	}
	return "CREATE VIEW " + name + " AS " + body
}

// createTrigger is a trigger of one table that writes to a later one.
func (g *gen) createTrigger() string {
	g.plain = true
	g.m.nextID++
	i := g.r.IntN(4)
	on, to := g.m.tables[i].name, g.m.tables[i+1+g.r.IntN(4-i)].name
	event := g.pick("INSERT", "INSERT", "UPDATE", "DELETE")
	row := map[string]string{"INSERT": "NEW", "UPDATE": g.pick("OLD", "NEW"), "DELETE": "OLD"}[event]
	body := g.pick(
		"UPDATE "+to+" SET b = (b + 1) % 9 WHERE id = "+row+".id",
		"INSERT INTO "+to+" (id, a, c) SELECT max(id) + 1, "+row+".a, 'trg' FROM "+to+" HAVING count(*) < 15",
		"DELETE FROM "+to+" WHERE a = "+row+".a",
	)
	name := fmt.Sprintf("trg%d", g.m.nextID)
	when := g.pick("AFTER", "BEFORE")
	switch g.d {
	case pg:
		return fmt.Sprintf("CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s; RETURN %s; END $$; "+
			"CREATE TRIGGER %s %s %s ON %s FOR EACH ROW EXECUTE FUNCTION %s()", name, body,
			map[string]string{"DELETE": "OLD"}[event]+map[bool]string{true: "NEW"}[event != "DELETE"], name, when, event, on, name)
	case maria:
		return fmt.Sprintf("CREATE TRIGGER %s %s %s ON %s FOR EACH ROW %s", name, when, event, on, body)
	}
	return fmt.Sprintf("CREATE TRIGGER %s %s %s ON %s BEGIN %s; END", name, when, event, on, body)
}

// ddl changes the schema, and the model with it.
func (g *gen) ddl() string {
	t := pick(g.r, g.m.tables)
	if g.chance(15) {
		return g.typedDDL()
	}
	switch g.r.IntN(11) {
	case 0:
		return g.addColumn(t)
	case 1, 2:
		return g.replaceView()
	case 3, 4:
		return g.createTrigger()
	case 5:
		g.m.nextID++
		return fmt.Sprintf("CREATE INDEX x%d ON %s (%s)", g.m.nextID, t.name, g.pick("a", "b", "a, b"))
	case 6:
		return g.recreate(t)
	case 7:
		return "ALTER TABLE " + t.name + " RENAME TO " + g.rename(t)
	case 8:
		return g.dropTrigger()
	case 9:
		return g.createAs()
	}
	return g.particularDDL(t)
}

func (g *gen) addColumn(t *table) string {
	for _, name := range columnPool {
		if !t.has(name) && name != "u" {
			t.extra = append(t.extra, name)
			return "ALTER TABLE " + t.name + " ADD COLUMN " + name + " " + pool[name][g.d]
		}
	}
	return "ALTER TABLE " + t.name + " ADD COLUMN more INT"
}

func (g *gen) replaceView() string {
	name := g.pick("v1", "v2", "v3")
	body := *g.fork()
	body.m = g.m.clone()
	body.m.views = nil // not of itself
	text := body.createView(name)
	if g.d == lite {
		return "DROP VIEW IF EXISTS " + name + "; " + text
	}
	return strings.Replace(text, "CREATE VIEW", "CREATE OR REPLACE VIEW", 1)
}

// rename gives t another name; the old one may come back.
func (g *gen) rename(t *table) string {
	t.name = map[bool]string{true: strings.TrimSuffix(t.name, "x"), false: t.name + "x"}[strings.HasSuffix(t.name, "x")]
	return t.name
}

// recreate drops a table and makes another one of its name.
func (g *gen) recreate(t *table) string {
	cascade := g.sometimes(70, map[lang]string{pg: " CASCADE"}[g.d])
	fresh := newTable(g.r, t.name, t.keyed)
	*t = *fresh
	drop, create := "DROP TABLE IF EXISTS "+t.name+cascade, t.create(g.r, g.d, nil)
	if g.d == maria {
		return strings.Replace(create, "CREATE TABLE", "CREATE OR REPLACE TABLE", 1)
	}
	return drop + "; " + create
}

func (g *gen) dropTrigger() string {
	name := fmt.Sprintf("trg%d", 1+g.r.IntN(g.m.nextID+1))
	if g.d == pg {
		return "DROP FUNCTION IF EXISTS " + name + " CASCADE"
	}
	return "DROP TRIGGER IF EXISTS " + name
}

func (g *gen) createAs() string {
	g.plain = true
	return g.pick("DROP TABLE IF EXISTS made", "CREATE TABLE made AS "+g.core(nil))
}

func (g *gen) particularDDL(t *table) string {
	switch g.d {
	case pg:
		return g.pick(
			"CREATE OR REPLACE FUNCTION f2(n numeric) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM "+t.name+" WHERE id < $1'",
			"CREATE OR REPLACE FUNCTION f2(n numeric) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT max(a) FROM "+t.name+"); END'",
			"CREATE OR REPLACE FUNCTION writes(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN UPDATE "+t.name+" SET a = n WHERE id = 1; RETURN n; END $$",
			"ALTER TABLE p1 DETACH PARTITION p1_2", "ALTER TABLE p1 ATTACH PARTITION p1_2 FOR VALUES FROM (3) TO (7)",
			"ALTER TABLE "+t.name+" DISABLE TRIGGER ALL", "ALTER TABLE "+t.name+" ENABLE TRIGGER ALL",
			"ALTER TABLE kid NO INHERIT t2", "ALTER TABLE kid INHERIT t2",
			"ALTER TABLE r1 DISABLE ROW LEVEL SECURITY", "ALTER TABLE r1 ENABLE ROW LEVEL SECURITY", "ALTER TABLE r1 FORCE ROW LEVEL SECURITY",
			"ALTER TABLE "+t.name+" ALTER COLUMN b TYPE bigint", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest",
		)
	case maria:
		return g.pick("ALTER TABLE "+t.name+" MODIFY b BIGINT", "RENAME TABLE t3 TO t3y, t4 TO t3, t3y TO t4", "ALTER TABLE "+t.name+" FORCE",
			"DROP FUNCTION IF EXISTS f2", "CREATE FUNCTION f2(n BIGINT) RETURNS BIGINT READS SQL DATA RETURN (SELECT max(a) FROM "+t.name+" WHERE id < n)")
	}
	return g.pick("ALTER TABLE "+t.name+" RENAME COLUMN b TO b2", "ALTER TABLE "+t.name+" RENAME COLUMN b2 TO b", "REINDEX", "VACUUM", "ANALYZE",
		"CREATE TRIGGER inst INSTEAD OF INSERT ON v1 BEGIN INSERT INTO "+t.name+" (id, a) VALUES (NEW.id, NEW.a); END", "DROP TRIGGER IF EXISTS inst")
}
