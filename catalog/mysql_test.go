package catalog

import (
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/dbtest"
)

// openMariaDB makes statements in an own database. In plans its name is "db".
func openMariaDB(t testing.TB, statements ...string) *conn {
	t.Helper()
	c := open(t, analyze.MySQL, "mysql", dbtest.MariaDB(t).Database(t).DSN())
	c.schema = c.state().Path[0]
	c.exec("SET GLOBAL log_bin_trust_function_creators = 1")
	c.exec(statements...)
	return c
}

func TestMariaDBViews(t *testing.T) {
	c := openMariaDB(t,
		"CREATE TABLE stuff (id INT PRIMARY KEY, user_id INT, at DATETIME)",
		"CREATE TABLE Users (id INT PRIMARY KEY, name TEXT)",
		"CREATE VIEW both_ AS SELECT s.id, u.name FROM stuff s JOIN Users u ON u.id = s.user_id",
		"CREATE VIEW nested AS SELECT id FROM both_ WHERE id IN (SELECT id FROM stuff)",
		"CREATE VIEW dice AS SELECT rand() AS r, id FROM stuff",
		"CREATE VIEW clock AS SELECT id FROM stuff WHERE at < NOW()",
		"CREATE VIEW me AS SELECT id FROM stuff WHERE id = CONNECTION_ID()",
		"CREATE VIEW broken AS SELECT id FROM stuff",
		"CREATE SEQUENCE seq",
		"CREATE TABLE instant (id INT) ENGINE=MyISAM",
		"CREATE TABLE merged (id INT) ENGINE=MERGE UNION=(instant)",
		"CREATE TABLE parts (id INT) PARTITION BY HASH (id) PARTITIONS 4",
	)
	c.checkPlans([]want{
		{"SELECT * FROM stuff", "reads stuff"},
		{"SELECT * FROM DB.stuff", "reads stuff"},
		{"SELECT * FROM STUFF", "unknown relation; unknown relation"},
		{"SELECT * FROM both_", "reads Users stuff"},
		{"SELECT * FROM nested", "reads Users stuff"},
		{"SELECT id FROM dice", "reads stuff; volatile"},
		{"SELECT id FROM clock", "reads stuff; volatile"},
		{"SELECT id FROM me", "reads stuff; session function"},
		{"SELECT * FROM seq", "reads seq; sequence"},
		{"SELECT * FROM instant", "reads instant; foreign or virtual table"},
		{"INSERT INTO instant VALUES (1)", "writes instant"},
		{"SELECT * FROM merged", "reads merged; foreign or virtual table"},
		{"INSERT INTO merged VALUES (1)", "writes all"},
		{"SELECT * FROM parts", "reads parts"},
		{"SELECT * FROM information_schema.TABLES", "reads information_schema.TABLES; system catalog"},
		{"SELECT * FROM mysql.user", "reads mysql.user; system catalog"},
		{"UPDATE both_ SET id = 1", "writes Users stuff"},
		{"SELECT mine(id) FROM stuff", "reads stuff; writes all; state; user-defined function"},
		{"SELECT concat(id, 1), COUNT(*) FROM stuff", "reads stuff"},
	})
}

func TestMariaDBWrites(t *testing.T) {
	c := openMariaDB(t,
		"CREATE TABLE users (id INT PRIMARY KEY)",
		`CREATE TABLE stuff (id INT PRIMARY KEY, user_id INT,
			FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE ON UPDATE SET NULL)`,
		`CREATE TABLE parts (id INT PRIMARY KEY, stuff_id INT,
			FOREIGN KEY (stuff_id) REFERENCES stuff (id) ON DELETE SET NULL)`,
		"CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT)",
		"CREATE TABLE counts (n INT)",
		"CREATE TABLE touched (id INT, at DATETIME)",
		"CREATE TABLE audited (id INT)",
		"CREATE TABLE calling (id INT)",
		"CREATE TABLE setting_ (id INT)",
		"CREATE PROCEDURE p() DELETE FROM counts",
		"CREATE TRIGGER log_i AFTER INSERT ON log FOR EACH ROW UPDATE counts SET n = n + 1",
		"CREATE TRIGGER touched_u BEFORE UPDATE ON touched FOR EACH ROW SET NEW.at = NOW(), NEW.id = 3",
		`CREATE TRIGGER audited_i AFTER INSERT ON audited FOR EACH ROW
		BEGIN
			DECLARE n, m INT DEFAULT 0;
			DECLARE c CURSOR FOR SELECT id FROM users;
			DECLARE EXIT HANDLER FOR SQLSTATE '23000', NOT FOUND BEGIN INSERT INTO counts VALUES (1); END;
			SET n = n + (SELECT COUNT(*) FROM stuff), @x = 1;
			IF NEW.id > 1 THEN
				INSERT INTO log (t) VALUES ('a;b');
			ELSEIF n = 1 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no';
			ELSE
				again: WHILE n < 3 DO SET n = n + 1; LEAVE again; END WHILE again;
			END IF;
			CASE n WHEN 1 THEN SET m = 1; ELSE SET m = 2; END CASE;
			SELECT id INTO n FROM users WHERE id = NEW.id LIMIT 1;
			REPEAT SET n = n - 1; UNTIL n < 0 END REPEAT;
		END`,
		"CREATE TRIGGER calling_i AFTER INSERT ON calling FOR EACH ROW CALL p()",
		"CREATE TRIGGER setting_i AFTER INSERT ON setting_ FOR EACH ROW SET sql_mode = ''",
	)
	c.checkPlans([]want{
		{"INSERT INTO users VALUES (1)", "writes users"},
		{"DELETE FROM users", "writes parts stuff users"},
		{"UPDATE users SET id = 2", "writes stuff users"},
		{"REPLACE INTO users VALUES (1)", "writes parts stuff users"},
		{"INSERT INTO log (t) VALUES ('x')", "writes counts log"},
		{"UPDATE touched SET id = 1", "writes touched"},
		{"INSERT INTO audited VALUES (1)", "writes audited counts log"},
		{"DELETE FROM audited", "writes audited"},
		{"INSERT INTO calling VALUES (1)", "writes all; state"},
		{"INSERT INTO setting_ VALUES (1)", "writes all; state"},
		{"CALL p()", "writes all; state"},
		{"CREATE TABLE x (id INT)", "writes all; schema; state"},
		{"CREATE TEMPORARY TABLE x (id INT)", "state"},
		{"DROP TEMPORARY TABLE x", "state"},
		{"SET wait_timeout = 10", ""},
		{"SET sql_mode = 'ANSI'", "state"},
		{"USE mysql", "state"},
		{"UPDATE mysql.user SET x = 1", "writes all; schema"},
	})
	c.exec("CREATE PROCEDURE q() CREATE TEMPORARY TABLE x (id INT)")
	c.checkPlans([]want{{"CALL p()", "writes all; schema; state; temp unknown"}})
}

func TestMariaDBFunctions(t *testing.T) {
	c := openMariaDB(t,
		"CREATE TABLE stuff (id INT, t TEXT)",
		"CREATE TABLE log (id INT)",
		"CREATE FUNCTION counted() RETURNS INT RETURN (SELECT COUNT(*) FROM stuff)",
		"CREATE FUNCTION added(a INT) RETURNS INT BEGIN DECLARE n INT; SET n = a + 1; RETURN n; END",
		"CREATE FUNCTION nested() RETURNS INT RETURN counted() + added(1)",
		"CREATE FUNCTION writes() RETURNS INT BEGIN INSERT INTO log VALUES (1); RETURN 1; END",
		"CREATE FUNCTION clock() RETURNS DATETIME RETURN NOW()",
		"CREATE FUNCTION remembers() RETURNS INT RETURN @x",
		"CREATE FUNCTION makes() RETURNS INT BEGIN CREATE TEMPORARY TABLE x (id INT); RETURN 1; END",
		"CREATE VIEW v AS SELECT counted() AS n FROM log",
	)
	c.checkPlans([]want{
		{"SELECT counted()", "reads stuff"},
		{"SELECT added(id) FROM stuff", "reads stuff"},
		{"SELECT nested()", "reads stuff"},
		{"SELECT ADDED(id) FROM stuff", "reads stuff"},
		{"SELECT writes()", "writes log; user-defined function"},
		{"SELECT clock() FROM stuff", "reads stuff; volatile"},
		{"SELECT remembers() FROM stuff", "reads stuff; session variable"},
		{"SELECT makes() FROM stuff", "reads stuff; writes all; state; temp unknown; user-defined function"},
		{"SELECT * FROM v", "reads log stuff"},
		{"SELECT gone(id) FROM stuff", "reads stuff; writes all; state; user-defined function"},
	})
}

func TestMariaDBTemporary(t *testing.T) {
	c := openMariaDB(t, "CREATE TABLE stuff (id INT)", "CREATE VIEW v AS SELECT * FROM stuff",
		"CREATE FUNCTION counted() RETURNS INT RETURN (SELECT COUNT(*) FROM stuff)")
	snapshot, state := c.load(), c.state().WithTemp("stuff", "mine")
	for query, want := range map[string]string{
		"SELECT * FROM stuff":          "temporary table",
		"SELECT * FROM v":              "reads stuff",
		"SELECT counted()":             "temporary table",
		"INSERT INTO stuff VALUES (1)": "writes stuff",
		"INSERT INTO mine VALUES (1)":  "",
		"SELECT * FROM mine":           "temporary table",
		"SELECT * FROM other.mine":     "temporary table",
	} {
		if got := c.text(snapshot.Plan(analyze.Analyze(analyze.MySQL, query), state)); got != want {
			t.Errorf("%s\n got: %s\nwant: %s", query, got, want)
		}
	}
}

// Servers that fold names do so with both schema and name.
func TestMySQLFolding(t *testing.T) {
	s := &Snapshot{dialect: analyze.MySQL, fold: true, schemas: map[string]map[string]*relation{}}
	s.addMySQLTable([]driver.Value{"Shop", []byte("Stuff"), "BASE TABLE", "InnoDB"})
	state := &State{Path: []string{"SHOP"}}
	for _, query := range []string{"SELECT * FROM STUFF", "SELECT * FROM sHop.stuff"} {
		p := s.Plan(analyze.Analyze(analyze.MySQL, query), state)
		if len(p.Reads) != 1 || p.Reads[0] != "shop.stuff" || p.Reason != analyze.Cacheable {
			t.Errorf("%s: %+v", query, p)
		}
	}
	p := s.Plan(analyze.Analyze(analyze.MySQL, "SELECT * FROM Mine"), state.WithTemp("MINE"))
	if p.Reason != analyze.Temporary {
		t.Errorf("a temporary table: %+v", p)
	}
}

// A user who may not see triggers and views can't tell what they do.
func TestMariaDBPrivileges(t *testing.T) {
	c := openMariaDB(t, "CREATE TABLE stuff (id INT)", "CREATE TABLE log (id INT)", "CREATE VIEW v AS SELECT * FROM stuff",
		"CREATE TRIGGER tr AFTER INSERT ON stuff FOR EACH ROW INSERT INTO log VALUES (1)",
		"CREATE USER catalog_bob", "CREATE ROLE catalog_role", "GRANT catalog_role TO catalog_bob")
	t.Cleanup(func() { c.exec("DROP USER catalog_bob", "DROP ROLE catalog_role") })
	c.exec("GRANT SELECT, INSERT ON " + c.schema + ".* TO catalog_bob")
	connect := func() *conn {
		bob := open(t, analyze.MySQL, "mysql", strings.Replace(c.dsn, "root@", "catalog_bob@", 1))
		bob.schema = c.schema
		return bob
	}
	connect().checkPlans([]want{
		{"SELECT * FROM stuff", "reads stuff"},
		{"SELECT * FROM v", "opaque view"},
		{"INSERT INTO stuff VALUES (1)", "writes all; state"},
	})
	c.exec("GRANT TRIGGER, SHOW VIEW ON " + c.schema + ".* TO catalog_role")
	bob := connect()
	bob.exec("SET ROLE catalog_role")
	plans := []want{
		{"SELECT * FROM v", "reads stuff"},
		{"INSERT INTO stuff VALUES (1)", "writes log stuff"},
	}
	bob.checkPlans(plans)
	c.exec("REVOKE ALL ON " + c.schema + ".* FROM catalog_bob")
	c.exec("GRANT SELECT, INSERT, TRIGGER, SHOW VIEW ON " + strings.ReplaceAll("`"+c.schema+"`", "_", `\_`) + ".* TO catalog_bob")
	connect().checkPlans(plans)
}

func TestMariaDBState(t *testing.T) {
	c := openMariaDB(t)
	for _, set := range []string{
		"SET time_zone = '+03:00'", "SET sql_mode = 'PIPES_AS_CONCAT'", "SET NAMES latin1", "SET lc_time_names = 'de_DE'",
		"SET group_concat_max_len = 10", "SET sql_select_limit = 5", "SET div_precision_increment = 9",
		"SET default_week_format = 3", "SET sql_auto_is_null = 1", "USE mysql",
	} {
		before := c.state().Key
		c.exec(set)
		if c.state().Key == before {
			t.Errorf("%s doesn't show in the key", set)
		}
	}
	c.exec("SET sql_auto_is_null = 0")
	if got := c.state("sql_mode", "wait_timeout", "database", "tx_isolation"); got.Isolation != "repeatable read" || got.Reason != analyze.Cacheable {
		t.Errorf("state is %+v", got)
	}
	before := c.state("old_mode").Key
	c.exec("SET old_mode = 'NO_PROGRESS_INFO'")
	if c.state("old_mode").Key == before {
		t.Error("old_mode doesn't show in the key")
	}
	before = c.state().Key
	c.exec("SET autocommit = 0")
	if got := c.state(); !got.Manual || got.Key != before {
		t.Errorf("without autocommit the state is %+v", got)
	}
	if r := c.state("*").Reason; r != analyze.Setting {
		t.Errorf("any setting: %v", r)
	}
	c.exec("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
	state := c.state()
	if state.Reason != analyze.Isolation || state.Isolation != "read uncommitted" {
		t.Errorf("state is %+v", state)
	}
	for _, text := range []string{`SELECT "a"`, `SELECT '\'`} {
		if p := c.load().Plan(analyze.Analyze(analyze.MySQL, text), state); p.Reason == analyze.Cacheable || !p.WritesAll {
			t.Errorf("%s: %+v", text, p)
		}
	}
}

func TestMariaDBIdentity(t *testing.T) {
	server := dbtest.MariaDB(t)
	one := server.Database(t)
	a := open(t, analyze.MySQL, "mysql", one.DSN()).identity()
	b := open(t, analyze.MySQL, "mysql", one.TCP()).identity()
	if a.Private || a.Reason != analyze.Cacheable || a.Database == "" || !strings.Contains(a.Version, "MariaDB") {
		t.Errorf("identity is %+v", a)
	}
	if a.Database != b.Database {
		t.Errorf("socket and loopback lead to %s and %s", a.Database, b.Database)
	}
	c := open(t, analyze.MySQL, "mysql", one.DSN())
	c.exec("SET GLOBAL read_only = 1")
	defer c.exec("SET GLOBAL read_only = 0")
	if r := c.identity().Reason; r != analyze.Replica {
		t.Errorf("a server that takes no writes: %v", r)
	}
}
