package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// tableText tells of a table what isn't of single columns.
func tableText(t *confine.Table) string {
	if t == nil {
		return "not known"
	}
	var parts []string
	if t.View != nil {
		parts = append(parts, "view")
	}
	if len(t.Relations) > 1 {
		parts = append(parts, strings.Join(t.Relations[1:], " "))
	}
	if t.Unsliced {
		parts = append(parts, "unsliced")
	}
	for _, key := range t.Keys {
		parts = append(parts, "key "+strings.Join(key, " "))
	}
	if t.Altered != 0 {
		parts = append(parts, "altered "+t.Altered.String())
	}
	return strings.Join(parts, "; ")
}

// checkTables compares what names mean in the session as it is now.
func (c *conn) checkTables(wants [][2]string) {
	c.t.Helper()
	snapshot, state := c.load(), c.state()
	for _, w := range wants {
		if got := tableText(c.table(snapshot, state, w[0])); got != w[1] {
			c.t.Errorf("%s\n got: %s\nwant: %s", w[0], got, w[1])
		}
	}
}

// checkTargets compares the targets of statements: "-" is none. That a text tells which rows it
// changes is taken for granted.
func (c *conn) checkTargets(wants [][2]string) {
	c.t.Helper()
	snapshot, state := c.load(), c.state()
	for _, w := range wants {
		plan := snapshot.Plan(c.changing(w[0]), state)
		want := Relation(c.schema + "." + w[1])
		if w[1] == "-" {
			want = ""
		}
		if plan.Target != want || (plan.TargetTable == nil) != (want == "") {
			c.t.Errorf("%s: target is %q, not %q", w[0], plan.Target, want)
			continue
		}
		if want != "" && (plan.TargetTable.Relations[0] != string(want) || !slices.Contains(plan.Writes, want)) {
			c.t.Errorf("%s: target is %v of %v", w[0], plan.TargetTable.Relations, plan.Writes)
		}
	}
}

// changing analyses a statement and gives it a Change, if it has none.
func (c *conn) changing(query string) *analyze.Statement {
	st := *analyze.Analyze(c.dialect, query)
	if st.Change == nil && len(st.Writes) > 0 {
		st.Change = &analyze.Change{Op: st.Writes[0].Op, Target: st.Writes[0].Relation}
	}
	return &st
}

func TestPostgresTables(t *testing.T) {
	row := func(name, when string) string {
		return "CREATE TRIGGER tr_" + name + " " + when + " ON " + name + " FOR EACH ROW EXECUTE FUNCTION f()"
	}
	c := openPostgres(t,
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
		"CREATE TABLE users (id int PRIMARY KEY, a int, b text, c int, d int UNIQUE DEFERRABLE, e int)",
		"CREATE UNIQUE INDEX ON users (b, a) INCLUDE (c)", "CREATE UNIQUE INDEX ON users (c) WHERE c > 0",
		"CREATE UNIQUE INDEX ON users (lower(b))", "CREATE INDEX ON users (e)",
		"CREATE UNIQUE INDEX ON users (e, lower(b))", "CREATE UNIQUE INDEX later ON users (e, c)",
		"CREATE TABLE late (id int, a int, UNIQUE (id), PRIMARY KEY (a))",
		"CREATE TABLE excluded (id int, EXCLUDE USING btree (id WITH =))",
		"CREATE TABLE before (id int)", row("before", "BEFORE INSERT OR UPDATE"),
		"CREATE TABLE after (id int)", row("after", "AFTER INSERT OR UPDATE"),
		"CREATE TABLE own (id int)", "CREATE TRIGGER tr BEFORE UPDATE ON own FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
		"CREATE TABLE off (id int)", row("off", "BEFORE DELETE"), "ALTER TABLE off DISABLE TRIGGER ALL",
		"CREATE TABLE statement (id int)", "CREATE TRIGGER tr BEFORE INSERT ON statement EXECUTE FUNCTION f()",
		"CREATE TABLE ruled (id int)", "CREATE RULE r AS ON DELETE TO ruled DO INSTEAD NOTHING",
		"CREATE TABLE secured (id int)", "ALTER TABLE secured ENABLE ROW LEVEL SECURITY",
		"CREATE TABLE zoned (id int, t timetz)",
		"CREATE TABLE p (id int PRIMARY KEY) PARTITION BY LIST (id)", "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
		"CREATE TABLE parent (id int)", "CREATE TABLE child () INHERITS (parent)", "CREATE TABLE grandchild () INHERITS (child)",
		"CREATE TABLE empty ()", "CREATE SEQUENCE seq", "CREATE MATERIALIZED VIEW mat AS SELECT id FROM users",
		"CREATE TABLE stuff (id int, user_id int REFERENCES users, other int)",
		"ALTER TABLE stuff DROP COLUMN id, ADD COLUMN id int UNIQUE",
	)
	c.checkTables([][2]string{
		{"users", "key id; key b a; key e c"},
		{"late", "key a; key id"},
		{"excluded", ""},
		{"before", "altered insert|update"}, {"after", ""}, {"own", "altered update"}, {"off", ""}, {"statement", ""},
		{"ruled", "altered delete"},
		{"secured", "unsliced"}, {"zoned", "unsliced"},
		{"p", "public.p1; unsliced; key id"}, {"p1", "unsliced; key id"},
		{"parent", "public.child public.grandchild; unsliced"}, {"child", "public.grandchild; unsliced"}, {"grandchild", "unsliced"},
		{"empty", "unsliced"}, {"seq", "unsliced"}, {"mat", ""}, {"pg_class", "unsliced"},
		{"stuff", "key id"}, {"nobody", "not known"}, {"public.users", "key id; key b a; key e c"},
	})
	var selective []string
	for _, name := range []string{"users", "stuff"} {
		for _, column := range c.table(c.load(), c.state(), name).Columns {
			if column.Selective {
				selective = append(selective, name+"."+column.Name)
			}
		}
	}
	if got := strings.Join(selective, " "); got != "users.id users.b users.c users.d users.e stuff.user_id stuff.id" {
		t.Errorf("selective are %s", got)
	}
}

func TestPostgresScopes(t *testing.T) {
	c := openPostgres(t, "CREATE SCHEMA other", "CREATE TABLE stuff (id int PRIMARY KEY)", "CREATE TABLE other.stuff (a int)",
		"CREATE TABLE other.lone (a int)", `CREATE TABLE "Mixed" (id int)`,
		"CREATE VIEW v AS SELECT s.id FROM stuff s JOIN other.stuff o ON o.a = s.id",
		"CREATE VIEW other.v AS SELECT id FROM v")
	c.checkTables([][2]string{
		{"stuff", "key id"}, {"other.stuff", ""}, {"lone", "not known"}, {"Mixed", ""}, {"mixed", "not known"},
		{"pg_temp.stuff", "not known"},
	})
	snapshot := c.load()
	state := c.state()
	c.exec("SET search_path = other, public")
	c.checkTables([][2]string{{"stuff", ""}, {"public.stuff", "key id"}, {"lone", ""}})
	c.exec("CREATE TEMP TABLE lone (id int)")
	c.checkTables([][2]string{{"lone", "not known"}, {"other.lone", ""}, {"stuff", ""}})
	c.exec("SET search_path = other, public, pg_temp")
	c.checkTables([][2]string{{"lone", ""}})

	c.checkTables([][2]string{{"v", "view"}, {"public.v", "view"}})
	for _, s := range []*Snapshot{snapshot, c.load()} { // loaded under two paths
		v := c.table(s, state, "public.v")
		for _, source := range v.View.From {
			inside, ok := v.Names.Table(source.Relation)
			if !ok || !strings.HasSuffix(inside.Relations[0], ".stuff") {
				t.Errorf("%s in a view is %+v", source.Relation, inside)
			}
		}
		for name, want := range map[analyze.Name]bool{
			{Schema: "public", Name: "stuff"}: true, {Schema: "other", Name: "stuff"}: true,
			{Schema: "other", Name: "lone"}: false, {Schema: "public", Name: "Mixed"}: false,
		} {
			if _, ok := v.Names.Table(name); ok != want {
				t.Errorf("%s is known to the view: %v", name, ok)
			}
		}
	}
}

func TestPostgresTargets(t *testing.T) {
	function := func(name, body string) string {
		return "CREATE FUNCTION " + name + "() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN " + body + " END $f$"
	}
	after := func(name string) string {
		return "CREATE TRIGGER tr AFTER INSERT ON " + name + " FOR EACH ROW EXECUTE FUNCTION " + name + "_f()"
	}
	c := openPostgres(t,
		"CREATE TABLE users (id int PRIMARY KEY)",
		"CREATE TABLE stuff (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE)",
		"CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE CASCADE)",
		"CREATE TABLE kept (id int PRIMARY KEY, parent int REFERENCES kept)",
		"CREATE TABLE ping (id int PRIMARY KEY)", "CREATE TABLE pong (id int PRIMARY KEY, p int REFERENCES ping ON DELETE CASCADE)",
		"ALTER TABLE ping ADD COLUMN p int REFERENCES pong ON DELETE CASCADE",
		"CREATE TABLE log (id int)", "CREATE TABLE logged (id int)", "CREATE TABLE again (id int)", "CREATE TABLE dynamic (id int)",
		function("logged_f", "INSERT INTO log VALUES (NEW.id); RETURN NEW;"),
		function("again_f", "UPDATE again SET id = id + 1 WHERE id = NEW.id - 1; RETURN NEW;"),
		function("dynamic_f", "EXECUTE 'DELETE FROM dynamic'; RETURN NEW;"),
		after("logged"), after("again"), after("dynamic"),
		"CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'DELETE FROM log RETURNING id'",
		"CREATE VIEW v AS SELECT id FROM users",
		"CREATE TABLE p (id int) PARTITION BY LIST (id)", "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
		"CREATE TABLE secured (id int)", "ALTER TABLE secured ENABLE ROW LEVEL SECURITY",
		"CREATE TABLE defaulted (id int DEFAULT writes(), n int)",
		"CREATE TEMP TABLE mine (id int)",
	)
	c.checkTargets([][2]string{
		{"INSERT INTO users VALUES (1)", "users"},
		{"DELETE FROM users WHERE id = 1", "users"},
		{"UPDATE stuff SET id = 1", "stuff"},
		{"DELETE FROM tree WHERE id = 1", "-"},
		{"UPDATE tree SET id = 1", "tree"},
		{"INSERT INTO tree VALUES (1)", "tree"},
		{"DELETE FROM kept", "kept"},
		{"DELETE FROM ping", "-"},
		{"UPDATE ping SET p = 1", "ping"},
		{"INSERT INTO logged VALUES (1)", "logged"},
		{"INSERT INTO again VALUES (1)", "-"},
		{"UPDATE again SET id = 1", "again"},
		{"INSERT INTO dynamic VALUES (1)", "-"},
		{"UPDATE log SET id = writes()", "-"},
		{"UPDATE users SET id = writes()", "users"},
		{"UPDATE defaulted SET n = 1", "defaulted"},
		{"DELETE FROM v", "-"},
		{"UPDATE p SET id = 1", "-"}, {"UPDATE p1 SET id = 1", "-"},
		{"INSERT INTO secured VALUES (1)", "-"},
		{"INSERT INTO mine VALUES (1)", "-"}, {"INSERT INTO nobody VALUES (1)", "-"},
		{"TRUNCATE users CASCADE", "-"},
		{"WITH d AS (DELETE FROM log RETURNING id) INSERT INTO users SELECT id FROM d", "-"},
		{"SELECT * FROM users", "-"},
	})
	c.exec("SET client_encoding = latin1")
	c.checkTargets([][2]string{{"INSERT INTO users VALUES (1)", "-"}})
	c.exec("SET client_encoding = utf8", "SET transform_null_equals = on")
	c.checkTargets([][2]string{{"INSERT INTO users VALUES (1)", "-"}})
	c.exec("SET transform_null_equals = off", "CREATE EXTENSION citext", "CREATE EXTENSION hstore")
	c.checkTargets([][2]string{{"INSERT INTO users VALUES (1)", "users"}})
	c.exec("CREATE FUNCTION eq(int, text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'",
		"CREATE OPERATOR = (LEFTARG = int, RIGHTARG = text, FUNCTION = eq)")
	c.checkTargets([][2]string{{"INSERT INTO users VALUES (1)", "-"}})
}

func TestMariaDBTables(t *testing.T) {
	c := openMariaDB(t,
		"CREATE TABLE users (id INT PRIMARY KEY, a INT NOT NULL, B VARCHAR(100), c INT, UNIQUE (b, A), UNIQUE (b(3)), KEY (c), UNIQUE i (a))",
		"CREATE TABLE USERS (x INT, y INT, UNIQUE i (y, x))",
		"CREATE TABLE none (id INT)",
		"CREATE TABLE before_ (id INT)", "CREATE TRIGGER b1 BEFORE INSERT ON before_ FOR EACH ROW SET NEW.id = 3",
		"CREATE TABLE after_ (id INT)", "CREATE TRIGGER a1 AFTER INSERT ON after_ FOR EACH ROW SET @x = 3",
		"CREATE TABLE my (id INT) ENGINE=MyISAM", "CREATE TABLE mem (id INT) ENGINE=MEMORY", "CREATE TABLE csv (id INT NOT NULL) ENGINE=CSV",
		"CREATE TABLE aria (id INT) ENGINE=Aria TRANSACTIONAL=0",
		"CREATE TABLE hidden (id INT, b INT INVISIBLE, c INT)", "CREATE TABLE versions (id INT) WITH SYSTEM VERSIONING",
		"CREATE TABLE `accents` (`é` INT)", "CREATE SEQUENCE seq",
		"CREATE TABLE parts (id INT) PARTITION BY HASH (id) PARTITIONS 4",
		"CREATE VIEW v AS SELECT id FROM users",
	)
	c.checkTables([][2]string{
		{"users", "key id; key b a; key a"}, {"USERS", "key y x"}, {"Users", "not known"}, {"none", ""},
		{c.schema + ".users", "key id; key b a; key a"}, {"nowhere.users", "not known"},
		{"before_", "altered insert"}, {"after_", ""},
		{"my", "unsliced"}, {"mem", "unsliced"}, {"csv", "unsliced"}, {"aria", "unsliced"},
		{"hidden", "unsliced"}, {"versions", "unsliced"}, {"accents", "unsliced"}, {"seq", "unsliced"}, {"parts", ""},
		{"information_schema.TABLES", "not known"},
	})
	snapshot, state := c.load(), c.state()
	if hidden := state.WithTemp("none"); c.table(snapshot, hidden, "none") != nil || c.table(snapshot, hidden, "users") == nil {
		t.Error("a temporary table doesn't hide its name, or another")
	}
	c.exec("CREATE DATABASE IF NOT EXISTS catalog_other", "CREATE TABLE IF NOT EXISTS catalog_other.users (id INT)")
	t.Cleanup(func() { c.exec("DROP DATABASE catalog_other") })
	c.checkTables([][2]string{{"catalog_other.users", ""}})
	c.exec("USE catalog_other")
	c.checkTables([][2]string{{"users", ""}, {"none", "not known"}})
	v := c.table(c.load(), c.state(), c.schema+".v")
	if inside, ok := v.Names.Table(v.View.From[0].Relation); !ok || tableText(inside) != "key id; key b a; key a" {
		t.Errorf("in the view: %+v", inside)
	}
}

func TestMariaDBTargets(t *testing.T) {
	c := openMariaDB(t,
		"CREATE TABLE users (id INT PRIMARY KEY)",
		"CREATE TABLE stuff (id INT PRIMARY KEY, user_id INT, FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE)",
		"CREATE TABLE tree (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES tree (id) ON DELETE SET NULL)",
		"CREATE TABLE log (id INT)", "CREATE TABLE logged (id INT)",
		"CREATE TRIGGER l AFTER INSERT ON logged FOR EACH ROW INSERT INTO log VALUES (NEW.id)",
		"CREATE TABLE my (id INT) ENGINE=MyISAM", "CREATE VIEW v AS SELECT id FROM users",
	)
	c.checkTargets([][2]string{
		{"INSERT INTO users VALUES (1)", "users"}, {"DELETE FROM users WHERE id = 1", "users"}, {"UPDATE stuff SET id = 1", "stuff"},
		{"DELETE FROM tree", "-"}, {"INSERT INTO tree VALUES (1, 1)", "tree"},
		{"INSERT INTO logged VALUES (1)", "logged"}, {"INSERT INTO my VALUES (1)", "-"}, {"DELETE FROM v", "-"},
		{"DELETE users FROM users JOIN stuff ON users.id = stuff.user_id", "users"},
		{"DELETE users, stuff FROM users JOIN stuff ON users.id = stuff.user_id", "-"},
	})
	mode := c.one("SELECT @@sql_mode")
	for _, set := range []string{
		"sql_mode = ''", "sql_mode = 'STRICT_ALL_TABLES,PIPES_AS_CONCAT'", "sql_mode = 'STRICT_ALL_TABLES,EMPTY_STRING_IS_NULL'",
		"sql_mode = 'STRICT_ALL_TABLES,ANSI'", "sql_mode = 'STRICT_ALL_TABLES,ORACLE'", "NAMES latin1", "NAMES utf8mb3",
		"character_set_connection = latin1",
	} {
		c.exec("SET " + set)
		c.checkTargets([][2]string{{"INSERT INTO users VALUES (1)", "-"}})
		c.exec("SET sql_mode = '"+mode+"'", "SET NAMES utf8mb4")
		c.checkTargets([][2]string{{"INSERT INTO users VALUES (1)", "users"}})
	}
}

// one returns the only value of an answer.
func (c *conn) one(query string) string {
	c.t.Helper()
	rows, err := c.Query(c.t.Context(), query)
	if err != nil || len(rows) != 1 {
		c.t.Fatalf("%s: %v %v", query, rows, err)
	}
	return text(rows[0][0])
}

func TestSQLiteTables(t *testing.T) {
	c := openSQLite(t,
		"CREATE TABLE users (id INTEGER PRIMARY KEY, a INT, b TEXT COLLATE NOCASE, c INT, d TEXT, UNIQUE (b, a))",
		"CREATE UNIQUE INDEX i1 ON users (c) WHERE c > 0", "CREATE UNIQUE INDEX i2 ON users (lower(d))",
		"CREATE UNIQUE INDEX i3 ON users (b COLLATE BINARY)", "CREATE UNIQUE INDEX i4 ON users (d COLLATE NOCASE)",
		"CREATE UNIQUE INDEX i5 ON users (d)",
		"CREATE TABLE keyed (a INT, b INT, UNIQUE (a), PRIMARY KEY (b, a)) WITHOUT ROWID",
		"CREATE TABLE watched (id INT)", "CREATE TRIGGER w AFTER UPDATE OF id ON watched BEGIN SELECT 1; END",
		"CREATE VIRTUAL TABLE words USING fts5(t)", "CREATE TABLE wordsmith (id INT)",
		"CREATE VIEW v AS SELECT id FROM users", "CREATE TABLE made AS SELECT 1 AS a, 'x' AS b",
	)
	c.checkTables([][2]string{
		{"users", "key id; key d; key b a"}, {"main.users", "key id; key d; key b a"}, {"keyed", "key b a; key a"},
		{"watched", "altered update"}, {"words", "unsliced"}, {"words_data", "unsliced; key id"}, {"wordsmith", ""},
		{"sqlite_master", "unsliced"}, {"made", ""}, {"temp.users", "not known"}, {"nobody", "not known"},
	})
	c.exec("CREATE TEMP TABLE keyed (id INT)", "ATTACH ':memory:' AS other", "CREATE TABLE other.far (id INT)", "CREATE TABLE other.users (id INT)")
	c.checkTables([][2]string{
		{"keyed", "not known"}, {"main.keyed", "key b a; key a"}, {"far", "not known"}, {"other.far", "not known"},
		{"users", "key id; key d; key b a"},
	})
	c.exec(`CREATE VIEW renamed (A, "b c") AS SELECT id, a FROM keyed, users`)
	v := c.table(c.load(), c.state(), "renamed")
	if len(v.Columns) != 2 || v.Columns[0].Name != "a" || v.Columns[1].Name != "b c" {
		t.Errorf("columns are %+v", v.Columns)
	}
	if inside, ok := v.Names.Table(analyze.Name{Name: "keyed"}); !ok || tableText(inside) != "key b a; key a" {
		t.Errorf("in the view: %+v", inside)
	}
}

func TestSQLiteTargets(t *testing.T) {
	c := openSQLite(t,
		"CREATE TABLE users (id INTEGER PRIMARY KEY)",
		"CREATE TABLE tree (id INTEGER PRIMARY KEY, p INT REFERENCES tree ON DELETE CASCADE)",
		"CREATE TABLE replacing (id INT UNIQUE ON CONFLICT REPLACE)",
		"CREATE TABLE log (id INT)", "CREATE TABLE logged (id INT)", "CREATE TABLE again (id INT)",
		"CREATE TRIGGER l AFTER INSERT ON logged BEGIN INSERT INTO log VALUES (NEW.id); END",
		"CREATE TRIGGER a AFTER INSERT ON again BEGIN UPDATE again SET id = id + 1; END",
		"CREATE VIEW v AS SELECT id FROM users", "CREATE TRIGGER vi INSTEAD OF INSERT ON v BEGIN INSERT INTO users VALUES (NEW.id); END",
	)
	c.checkTargets([][2]string{
		{"INSERT INTO users VALUES (1)", "users"}, {"UPDATE users SET id = 1", "users"}, {"DELETE FROM tree", "-"},
		{"UPDATE tree SET p = 1", "tree"}, {"INSERT INTO replacing VALUES (1)", "-"}, {"UPDATE replacing SET id = 1", "-"},
		{"DELETE FROM replacing", "replacing"}, {"INSERT INTO logged VALUES (1)", "logged"}, {"INSERT INTO again VALUES (1)", "-"},
		{"INSERT INTO v VALUES (1)", "-"}, {"SELECT 1; DELETE FROM users", "-"},
	})
	c.exec("CREATE TEMP TRIGGER t AFTER INSERT ON users BEGIN DELETE FROM users; END")
	c.checkTargets([][2]string{{"INSERT INTO users VALUES (1)", "-"}})
}

// Upserts change rows that VALUES don't tell: the change that a text tells must be all it does.
func TestTargetsAreWhole(t *testing.T) {
	c := openSQLite(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, n INT)")
	for _, query := range []string{"INSERT OR REPLACE INTO users VALUES (1, 2)", "INSERT INTO users VALUES (1, 2) ON CONFLICT DO UPDATE SET n = 3"} {
		st := c.changing(query)
		st.Change = &analyze.Change{Op: analyze.Insert, Target: analyze.Name{Name: "users"}}
		if plan := c.load().Plan(st, c.state()); plan.Target != "" {
			t.Errorf("%s has the target %s", query, plan.Target)
		}
	}
}

// What no reference names is read as a whole.
func TestReferencesAreComplete(t *testing.T) {
	c := openPostgres(t, "CREATE TABLE parent (id int)", "CREATE TABLE child () INHERITS (parent)", "CREATE TABLE other (id int)")
	p := &planner{scope: scope{snapshot: c.load()}, plan: &Plan{Reads: []Relation{"public.parent", "public.child", "public.other"}}}
	refs := p.complete([]confine.Reference{{Table: c.table(p.snapshot, c.state(), "parent"), Alternatives: []confine.Pins{{}}}})
	if len(refs) != 2 || refs[1].Table.Relations[0] != "public.other" || refs[1].Alternatives != nil || !refs[1].Table.Unsliced {
		t.Errorf("references are %+v", refs)
	}
}

// referencesText tells the references of a plan: relations, and the columns that are pinned.
func referencesText(p *Plan) string {
	if p.References == nil {
		return "not told"
	}
	var texts []string
	for _, ref := range p.References {
		text := ref.Table.Relations[0]
		for _, pins := range ref.Alternatives {
			for _, pin := range pins {
				text += " " + pin.Column.Name
			}
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}

// checkReferences compares the references of reads.
func (c *conn) checkReferences(wants [][2]string) {
	c.t.Helper()
	snapshot, state := c.load(), c.state()
	for _, w := range wants {
		st := analyze.Analyze(c.dialect, w[0])
		plan := snapshot.Plan(st, state)
		if got := strings.ReplaceAll(referencesText(plan), c.schema+".", ""); got != w[1] {
			c.t.Errorf("%s\n got: %s\nwant: %s", w[0], got, w[1])
		}
	}
}

func TestPostgresReferences(t *testing.T) {
	c := openPostgres(t, "CREATE EXTENSION citext",
		"CREATE TABLE users (id int PRIMARY KEY, name text, nick citext)", "CREATE TABLE stuff (id int PRIMARY KEY, user_id int, t text)",
		"CREATE VIEW v AS SELECT s.id, s.user_id AS owner FROM stuff s JOIN users u ON u.id = s.user_id",
		"CREATE VIEW dice AS SELECT id, random() FROM stuff",
		"CREATE TABLE p (id int, user_id int) PARTITION BY LIST (id)", "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
		"CREATE TABLE secured (id int)", "ALTER TABLE secured ENABLE ROW LEVEL SECURITY",
		"CREATE FUNCTION counted(int) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM users WHERE id = $1'",
		"CREATE FUNCTION plus(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + $2'",
		"CREATE AGGREGATE total(int) (SFUNC = plus, STYPE = int)",
		"CREATE TEMP TABLE mine (id int)",
	)
	c.checkReferences([][2]string{
		{"SELECT * FROM stuff WHERE user_id = $1", "stuff user_id"},
		{"SELECT * FROM stuff", "stuff"},
		{"SELECT * FROM users u JOIN stuff s ON s.user_id = u.id WHERE u.id = 1", "stuff user_id; users id"},
		{"SELECT * FROM v WHERE owner = 1", "stuff user_id; users id"},
		{"SELECT * FROM users WHERE nick = 'x'", "users"},
		{"SELECT * FROM p WHERE user_id = 1", "p"},
		{"SELECT counted(1) FROM stuff WHERE user_id = 1", "not told"},
		{"SELECT total(id) FROM stuff WHERE user_id = 1", "not told"},
		{"SELECT * FROM dice WHERE id = 1", "not told"},
		{"SELECT * FROM secured WHERE id = 1", "not told"},
		{"SELECT * FROM stuff, mine WHERE user_id = 1", "not told"},
		{"SELECT * FROM stuff WHERE user_id = 1 AND t < now()::text", "not told"},
		{"DELETE FROM stuff WHERE user_id = 1 RETURNING id", "not told"},
	})
	c.exec("SET client_encoding = latin1")
	c.checkReferences([][2]string{{"SELECT * FROM stuff WHERE user_id = $1", "not told"}})
}

func TestMariaDBReferences(t *testing.T) {
	c := openMariaDB(t, "CREATE TABLE Users (id INT PRIMARY KEY, name VARCHAR(100))",
		"CREATE TABLE stuff (id INT PRIMARY KEY, User_Id INT, t VARCHAR(100))",
		"CREATE VIEW v (a, b) AS SELECT s.id, s.user_id FROM stuff s JOIN Users u ON u.id = s.user_id",
		"CREATE TABLE my (id INT) ENGINE=MyISAM")
	c.checkReferences([][2]string{
		{"SELECT * FROM stuff WHERE USER_ID = ?", "stuff user_id"},
		{"SELECT * FROM v WHERE b = 1", "Users id; stuff user_id"},
		{"SELECT * FROM my WHERE id = 1", "not told"},
	})
	c.exec("SET sql_mode = 'PIPES_AS_CONCAT'")
	c.checkReferences([][2]string{{"SELECT * FROM stuff WHERE user_id = ?", "not told"}})
}

func TestSQLiteReferences(t *testing.T) {
	c := openSQLite(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)", "CREATE TABLE stuff (id INTEGER PRIMARY KEY, User_Id INT)",
		"CREATE VIEW v (a, b) AS SELECT s.id, s.user_id FROM stuff s JOIN users u ON u.id = s.user_id",
		"CREATE TABLE other (id INT)")
	c.checkReferences([][2]string{
		{"SELECT * FROM stuff WHERE USER_ID = ?", "stuff user_id"},
		{"SELECT * FROM v WHERE b = 1", "stuff user_id; users id"},
		{"SELECT * FROM stuff WHERE id = 1 AND random() > 1", "not told"},
	})
	c.exec("CREATE TEMP TABLE stuff (id INT, user_id INT)")
	c.checkReferences([][2]string{{"SELECT * FROM stuff WHERE user_id = ?", "not told"}, {"SELECT * FROM v WHERE b = 1", "stuff user_id; users id"}})
}
