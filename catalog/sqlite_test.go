package catalog

import (
	"path/filepath"
	"testing"

	"github.com/larderdb/larder/analyze"
)

func openSQLite(t testing.TB, statements ...string) *conn {
	t.Helper()
	c := open(t, analyze.SQLite, "sqlite", filepath.Join(t.TempDir(), "test.db"))
	c.schema = "main"
	c.exec(statements...)
	return c
}

func TestSQLiteViews(t *testing.T) {
	c := openSQLite(t,
		"CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INT)",
		"CREATE TABLE Users (id INTEGER PRIMARY KEY, name TEXT)",
		"CREATE VIEW both (a, b) AS SELECT s.id, u.name FROM stuff s JOIN users u ON u.id = s.user_id",
		"CREATE VIEW nested AS SELECT a FROM both WHERE a IN (SELECT id FROM stuff)",
		"CREATE VIEW dice AS SELECT random() AS r, id FROM stuff",
		"CREATE VIEW clock AS SELECT datetime('now') AS t FROM stuff",
		"CREATE VIEW broken AS SELECT id FROM gone",
		`CREATE VIEW "as" AS SELECT id FROM stuff`,
		"CREATE VIRTUAL TABLE words USING fts5(t)",
	)
	c.checkPlans([]want{
		{"SELECT * FROM STUFF", "reads stuff"},
		{"SELECT * FROM main.stuff", "reads stuff"},
		{"SELECT * FROM both", "reads stuff users"},
		{"SELECT * FROM nested", "reads stuff users"},
		{"SELECT id FROM dice", "reads stuff; volatile"},
		{"SELECT t FROM clock", "reads stuff; volatile"},
		{"SELECT id FROM broken", "unknown relation; unknown relation"},
		{`SELECT * FROM "as"`, "reads stuff"},
		{"SELECT 1", "no relation"},
		{"SELECT * FROM words", "reads words; foreign or virtual table"},
		{"INSERT INTO words VALUES ('x')", "writes all"},
		{"SELECT * FROM newer", "unknown relation; unknown relation"},
		{"INSERT INTO newer VALUES (1)", "writes all; unknown relation"},
		{"SELECT * FROM sqlite_master", "reads sqlite_master; system catalog"},
		{"SELECT mine(id) FROM stuff", "reads stuff; user-defined function"},
		{"UPDATE stuff SET user_id = mine(id)", "writes stuff"},
	})
}

func TestSQLiteWrites(t *testing.T) {
	c := openSQLite(t,
		"CREATE TABLE users (id INTEGER PRIMARY KEY)",
		"CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INT REFERENCES users ON DELETE CASCADE ON UPDATE SET NULL)",
		"CREATE TABLE parts (id INTEGER PRIMARY KEY, stuff_id INT REFERENCES stuff(id) ON DELETE SET NULL)",
		"CREATE TABLE log (id INTEGER PRIMARY KEY, t TEXT)",
		"CREATE TABLE counts (n INT)",
		"CREATE TABLE uniq (k TEXT UNIQUE ON CONFLICT REPLACE)",
		"CREATE TABLE kids (k TEXT REFERENCES uniq(k) ON DELETE CASCADE)",
		"CREATE TRIGGER logged AFTER INSERT ON log BEGIN UPDATE counts SET n = n + CASE WHEN NEW.t = ';' THEN 1 ELSE 2 END; END",
		"CREATE TRIGGER parted AFTER UPDATE OF stuff_id ON parts WHEN NEW.id > 0 BEGIN INSERT INTO log (t) VALUES ('parts'); DELETE FROM log WHERE id < 0; END",
		"CREATE TRIGGER guard BEFORE DELETE ON counts BEGIN SELECT RAISE(ABORT, 'no'); END",
		"CREATE VIEW old AS SELECT * FROM stuff WHERE id < 10",
		"CREATE TRIGGER old_insert INSTEAD OF INSERT ON old BEGIN INSERT INTO users VALUES (NEW.user_id); END",
	)
	c.checkPlans([]want{
		{"INSERT INTO users VALUES (1)", "writes users"},
		{"DELETE FROM users", "writes counts log parts stuff users"},
		{"UPDATE users SET id = 2", "writes stuff users"},
		{"REPLACE INTO users VALUES (1)", "writes counts log parts stuff users"},
		{"DELETE FROM stuff", "writes counts log parts stuff"},
		{"UPDATE OR REPLACE stuff SET id = 1", "writes counts log parts stuff"},
		{"INSERT OR REPLACE INTO stuff VALUES (1, 1)", "writes counts log parts stuff"},
		{"INSERT INTO stuff VALUES (1, 1) ON CONFLICT DO UPDATE SET id = 2", "writes stuff"},
		{"INSERT INTO log (t) VALUES ('x')", "writes counts log"},
		{"UPDATE log SET t = 'x'", "writes log"},
		{"DELETE FROM counts", "writes counts"},
		{"INSERT INTO uniq VALUES ('a')", "writes kids uniq"},
		{"INSERT INTO old VALUES (1, 2)", "writes users"},
		{"CREATE TABLE x (a)", "writes all; schema; state"},
		{"BEGIN; DELETE FROM counts; COMMIT", "writes counts; several statements"},
		{"PRAGMA busy_timeout = 5", "explain or show"},
		{"PRAGMA foreign_keys = 1", "state; explain or show"},
		{"ATTACH 'x.db' AS x", "state"},
	})
}

func TestSQLiteSession(t *testing.T) {
	c := openSQLite(t, "CREATE TABLE stuff (id)", "CREATE TABLE log (id)")
	other := filepath.Join(t.TempDir(), "other.db")
	before := c.state()
	c.exec("CREATE TEMP TABLE stuff (id)", "ATTACH '"+other+"' AS Aux", "CREATE TABLE aux.far (id)")
	c.checkPlans([]want{
		{"SELECT * FROM stuff", "temporary table"},
		{"SELECT * FROM main.stuff", "reads stuff"},
		{"INSERT INTO stuff VALUES (1)", ""},
		{"INSERT INTO temp.stuff VALUES (1)", ""},
		{"INSERT INTO main.stuff VALUES (1)", "writes stuff"},
		{"SELECT * FROM far", "attached database"},
		{"SELECT * FROM aux.far", "attached database"},
		{"INSERT INTO aux.far VALUES (1)", "writes attached"},
		{"CREATE TEMP TABLE more (id)", "state"},
	})
	if before.Key == c.state().Key {
		t.Error("an attached database doesn't show in the key")
	}
	c.exec("CREATE TEMP TRIGGER spy AFTER INSERT ON main.log BEGIN INSERT INTO aux.far VALUES (1); END")
	c.checkPlans([]want{
		{"INSERT INTO log VALUES (1)", "writes all; writes attached"},
		{"SELECT * FROM log", "reads log"},
	})
}

func TestSQLiteState(t *testing.T) {
	c := openSQLite(t)
	plain := c.state()
	if plain.Isolation != "serializable" || plain.Reason != analyze.Cacheable {
		t.Errorf("state is %+v", plain)
	}
	for _, pragma := range []string{
		"recursive_triggers = 1", "foreign_keys = 1", "reverse_unordered_selects = 1", "case_sensitive_like = 1",
	} {
		before := c.state().Key
		c.exec("PRAGMA " + pragma)
		if c.state().Key == before {
			t.Errorf("%s doesn't show in the key", pragma)
		}
	}
	if r := c.state("busy_timeout", "foreign_keys").Reason; r != analyze.Cacheable {
		t.Errorf("harmless settings: %v", r)
	}
	if r := c.state("writable_schema").Reason; r != analyze.Setting {
		t.Errorf("an unknown setting: %v", r)
	}
	c.exec("PRAGMA read_uncommitted = 1")
	if r := c.state().Reason; r != analyze.Isolation {
		t.Errorf("read_uncommitted: %v", r)
	}
}

// A virtual table hides a table function of the same name.
func TestSQLiteVirtualTableFunction(t *testing.T) {
	c := openSQLite(t, "CREATE TABLE stuff (id INT, j TEXT)", "CREATE VIRTUAL TABLE json_tree USING fts5 (a)",
		"CREATE VIEW v AS SELECT s.id FROM stuff s, json_tree('hello')")
	c.checkPlans([]want{
		{"SELECT s.id FROM stuff s, json_each(s.j)", "reads stuff"},
		{"SELECT s.id FROM stuff s, json_tree('hello')", "reads stuff; foreign or virtual table"},
		{"SELECT s.id FROM stuff s, main.json_tree('hello')", "reads stuff; foreign or virtual table"},
		{"SELECT * FROM v", "reads stuff; foreign or virtual table"},
		{"SELECT date(x'6e6f77') FROM stuff", "reads stuff; volatile"},
	})
	c.exec("CREATE VIRTUAL TABLE temp.json_each USING fts5 (a)")
	c.checkPlans([]want{{"SELECT s.id FROM stuff s, json_each(s.j)", "reads stuff; temporary table"}})
	c = openSQLite(t, "CREATE TABLE stuff (id INT, j TEXT)", "ATTACH ':memory:' AS aux")
	c.checkPlans([]want{{"SELECT s.id FROM stuff s, json_each(s.j)", "reads stuff; attached database"}})
}
