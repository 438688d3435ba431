package larder

import (
	"fmt"
	"strings"
	"testing"
)

// TestColumns: an UPDATE of columns at which a result doesn't look leaves it in the cache: they are neither shown, nor in a condition,
// an order or a join.
func TestColumns(t *testing.T) {
	reads := []namedRead{
		{"name of 7", "SELECT name FROM users WHERE id = ?", []any{7}},
		{"all of 7", "SELECT * FROM users WHERE id = ?", []any{7}},
		{"seen of 7", "SELECT id, seen FROM users WHERE id = ?", []any{7}},
		{"first of 7", "SELECT name FROM users WHERE id = ? LIMIT 1", []any{7}},
		{"names", "SELECT name FROM users ORDER BY id", nil},
		{"count", "SELECT count(*) FROM users", nil},
		{"three names", "SELECT name FROM users ORDER BY id LIMIT 3", nil},
		{"any name", "SELECT name FROM users WHERE name > 'A' ORDER BY name LIMIT 3", nil},
		{"page of 7", "SELECT id, name FROM stuff WHERE user_id = ? ORDER BY name, id LIMIT 5", []any{7}},
		{"active", "SELECT count(*) FROM users WHERE active", nil},
		{"by seen", "SELECT name FROM users ORDER BY seen, id", nil},
		{"list of 7", "SELECT id, name FROM stuff WHERE user_id = ? ORDER BY id", []any{7}},
		{"count of 7", "SELECT count(*) FROM stuff WHERE user_id = ?", []any{7}},
		{"join of 7", "SELECT u.name, s.* FROM users u JOIN stuff s ON s.user_id = u.id WHERE u.id = ?", []any{7}},
		{"subquery", "SELECT name FROM users WHERE id = ? AND EXISTS (SELECT 1 FROM users u WHERE u.seen IS NOT NULL)", []any{7}},
		{"union", "SELECT name FROM users WHERE id = 7 UNION SELECT label FROM tags", nil},
		{"view", "SELECT called FROM callers WHERE number = ?", []any{7}},
		{"view of all", "SELECT called FROM everything WHERE id = ?", []any{7}},
		{"common table", "WITH q AS (SELECT id, name AS seen_name FROM users) SELECT seen_name FROM q WHERE id = ?", []any{7}},
		{"with others", "SELECT name FROM users u WHERE id = ? AND active IS NOT NULL", []any{7}},
	}
	settle := []string{
		"UPDATE users SET seen = '2026-03-04 05:06:07' WHERE id = 8",
		"UPDATE stuff SET price = price + 1 WHERE id = 90",
	}
	looking := []string{"all of 7", "seen of 7"}
	wide := []string{"by seen", "subquery", "any name"} // they decide by all rows
	removals := []removal{
		{"UPDATE users SET seen = ? WHERE id = ?", []any{"2026-04-05 06:07:08", 7}, append(looking, "by seen"), append(wide, "view of all")},
		{"UPDATE users SET seen = ? WHERE id = ?", []any{"2026-05-05 06:07:08", 8}, []string{"by seen"}, wide},
		{"UPDATE users SET seen = ?", []any{"2026-05-06 06:07:08"}, append(looking, "by seen"), append(wide, "view of all")},
		{"UPDATE users SET name = 'Bo' WHERE id = 8", nil, []string{"names", "three names"}, append(wide, "count", "active", "subquery")},
		{"UPDATE stuff SET price = 77 WHERE user_id = 7", nil, []string{"join of 7"}, nil},
		{"UPDATE stuff SET name = 'corn' WHERE user_id = 7", nil, []string{"join of 7", "list of 7", "page of 7"}, []string{"count of 7"}},
		{"INSERT INTO users (id, name, seen) VALUES (9, 'Di', NULL)", nil, []string{"names", "count", "by seen"}, append(wide, "active", "three names")},
		{"DELETE FROM users WHERE id = 9", nil, []string{"names", "count", "by seen"}, append(wide, "active", "three names")},
	}
	eachKind(t, func(h *house) {
		h.shop()
		h.exec(h.bare, "CREATE VIEW callers AS SELECT id AS number, name AS called FROM users")
		h.exec(h.bare, "CREATE VIEW everything AS SELECT u.*, name AS called FROM users u")
		h.exec(h.bare, "INSERT INTO stuff VALUES (90, 90, 'other', 1)")
		for _, statement := range settle {
			h.exec(h.db, statement) // where a store is shared, this process has to know what is set alone
		}
		h.wantRemovals(reads, settle, removals)
	})
}

// A trap is a read that looks at a column which its text doesn't seem to name, or a write that changes one.
type trap struct {
	dialect string // some of them; "": all
	schema  []string
	read    string
	write   string
}

var columnTraps = []trap{
	{"", nil, "SELECT * FROM q", "UPDATE q SET b = b + 1"},
	{"", nil, "SELECT q.* FROM q JOIN p ON p.id = q.id", "UPDATE q SET b = b + 1"},
	{"", nil, "SELECT s.* FROM q s JOIN p ON p.id = s.id", "UPDATE q SET b = b + 1"},
	{"", nil, "SELECT x.* FROM (SELECT * FROM q) x", "UPDATE q SET b = b + 1"},
	{"", nil, "WITH x AS (SELECT * FROM q) SELECT * FROM x", "UPDATE q SET b = b + 1"},
	{"", nil, "SELECT B FROM q", "UPDATE q SET b = b + 1"},
	{"", nil, "SELECT count(*) FROM p NATURAL JOIN q", "UPDATE q SET b = b + 1"},
	{"", nil, "SELECT count(*) FROM p JOIN q USING (id, b)", "UPDATE q SET b = b + 1"},
	{"", nil, "SELECT a FROM q ORDER BY b", "UPDATE q SET b = 3 - b"},
	{"", nil, "SELECT a FROM q WHERE id IN (SELECT p.id FROM p WHERE p.b = q.b)", "UPDATE q SET b = b + 1"},
	{"", nil, "SELECT count(*) FROM q GROUP BY b ORDER BY 1", "UPDATE q SET b = 1"},
	{"", nil, "SELECT a FROM q WHERE id = 1 UNION ALL SELECT b FROM q", "UPDATE q SET b = b + 1"},
	{"", []string{"CREATE VIEW w AS SELECT id, b AS hidden FROM q"}, "SELECT hidden FROM w", "UPDATE q SET b = b + 1"},
	{"", []string{"CREATE VIEW w AS SELECT id AS one, a AS two FROM q WHERE b < 2"}, "SELECT one, two FROM w", "UPDATE q SET b = b + 1"},
	{"", []string{"CREATE VIEW w (one, two) AS SELECT id, b FROM q"}, "SELECT one, two FROM w", "UPDATE q SET b = b + 1"},
	{"", []string{"CREATE VIEW v AS SELECT * FROM q", "CREATE VIEW w AS SELECT v.* FROM v"}, "SELECT * FROM w", "UPDATE q SET b = b + 1"},
	{"", []string{"ALTER TABLE q RENAME COLUMN b TO c"}, "SELECT c FROM q", "UPDATE q SET c = c + 1"},
	{"", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER, c INTEGER GENERATED ALWAYS AS (b * 2) STORED)", "INSERT INTO g (id, b) VALUES (1, 1)"},
		"SELECT c FROM g", "UPDATE g SET b = b + 1"},
	{"sqlite postgres", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER, up INTEGER REFERENCES g (id) ON UPDATE CASCADE)", "INSERT INTO g VALUES (1, 1, NULL), (2, 1, 1)"},
		"SELECT up FROM g", "UPDATE g SET id = 3 WHERE id = 1"},

	{"sqlite", nil, "SELECT rowid FROM q", "UPDATE q SET id = id + 10"},
	{"sqlite", nil, "SELECT q.'b' FROM q", "UPDATE q SET b = b + 1"},
	{"sqlite", nil, "SELECT [b], `b` FROM q", "UPDATE q SET b = b + 1"},
	{"sqlite", nil, "SELECT count(*) FROM p JOIN q USING ('id', 'b')", "UPDATE q SET b = b + 1"},
	{"sqlite", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER, c INTEGER GENERATED ALWAYS AS (b * 2))", "INSERT INTO g (id, b) VALUES (1, 1)"}, "SELECT c FROM g", "UPDATE g SET b = b + 1"},
	{"sqlite", []string{"CREATE TRIGGER up AFTER UPDATE OF b ON q BEGIN UPDATE q SET a = a + 1 WHERE id = new.id; END"}, "SELECT a FROM q", "UPDATE q SET b = b + 1"},
	{"sqlite", []string{"CREATE UNIQUE INDEX u ON q (b)"}, "SELECT count(*) FROM q", "UPDATE OR REPLACE q SET b = 2"},
	{"sqlite", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER UNIQUE ON CONFLICT REPLACE)", "INSERT INTO g VALUES (1, 1), (2, 2)"}, "SELECT count(*) FROM g", "UPDATE g SET b = 2"},

	{"postgres", nil, "SELECT q FROM q", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT row_to_json(s) FROM q s", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT row_to_json(s.*) FROM q AS s", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT s.row_to_json FROM q AS s", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT (s).b FROM q AS s", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT max(s::text) FROM (SELECT * FROM q) s", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT json_agg(q) FROM q", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT z FROM q AS s (x, y, z)", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT j.z FROM (q JOIN p USING (id)) AS j (x, y, z)", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT j FROM (q JOIN p USING (id)) AS j", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT j.* FROM (q JOIN p USING (id)) AS j", "UPDATE q SET b = b + 1"},
	{"postgres", nil, `SELECT U&"\0062" FROM q`, "UPDATE q SET b = b + 1"},
	{"postgres", nil, "TABLE q", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT array_agg(a) FROM q", "UPDATE q SET b = b + 1 WHERE id = 1"},
	{"postgres", nil, "SELECT a FROM q LIMIT 1", "UPDATE q SET b = b + 1 WHERE id = 1"},
	{"postgres", nil, "SELECT DISTINCT ON (p.b) q.a FROM q, p ORDER BY p.b", "UPDATE q SET b = b + 1 WHERE id = 1"},
	{"postgres", []string{"CREATE VIEW w AS SELECT a FROM q"}, "SELECT array_agg(a) FROM w", "UPDATE q SET b = b + 1 WHERE id = 1"},
	{"postgres", []string{"CREATE FUNCTION named(q) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1.b'"}, "SELECT s.named FROM q s", "UPDATE q SET b = b + 1"},
	{"postgres", []string{"CREATE FUNCTION up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := NEW.a + 1; RETURN NEW; END $$",
		"CREATE TRIGGER up BEFORE UPDATE ON q FOR EACH ROW EXECUTE FUNCTION up()"}, "SELECT a FROM q", "UPDATE q SET b = b + 1"},
	{"postgres", []string{"CREATE FUNCTION up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE q SET a = a + 1 WHERE id = NEW.id; RETURN NULL; END $$",
		"CREATE TRIGGER up AFTER UPDATE OF b ON q FOR EACH ROW EXECUTE FUNCTION up()"}, "SELECT a FROM q", "UPDATE q SET b = b + 1"},
	{"postgres", []string{"CREATE RULE up AS ON UPDATE TO q WHERE NEW.b <> OLD.b DO ALSO INSERT INTO p VALUES (NEW.b + 10, 1, 1)"}, "SELECT id FROM p ORDER BY id", "UPDATE q SET b = b + 1 WHERE id = 1"},
	{"postgres", []string{"CREATE TABLE parts (id int, a int, b int) PARTITION BY LIST (b)", "CREATE TABLE parts1 PARTITION OF parts FOR VALUES IN (1)",
		"CREATE TABLE parts2 PARTITION OF parts FOR VALUES IN (2)", "INSERT INTO parts VALUES (1, 1, 1)"}, "SELECT count(*) FROM parts1", "UPDATE parts SET b = 2"},
	{"postgres", []string{"CREATE TABLE child () INHERITS (q)", "INSERT INTO child VALUES (7, 7, 7)"}, "SELECT tableoid::int, b FROM q", "UPDATE child SET b = b + 1"},
	{"postgres", []string{`CREATE TABLE "Mixed" (id int PRIMARY KEY, "theName" int)`, `INSERT INTO "Mixed" VALUES (1, 1)`}, `SELECT "theName" FROM "Mixed"`, `UPDATE "Mixed" SET "theName" = 2`},
	{"postgres", []string{"CREATE TABLE d (id int PRIMARY KEY, doc jsonb)", `INSERT INTO d VALUES (1, '{"a": 1}')`}, "SELECT doc['a'] FROM d", "UPDATE d SET doc['a'] = '2'"},

	{"", nil, "SELECT count(*) FROM q x JOIN q y ON x.b = y.b", "UPDATE q SET b = 1"},
	{"", nil, "SELECT a FROM q x WHERE EXISTS (SELECT * FROM p WHERE p.id = x.b)", "UPDATE q SET b = 9"},
	{"", nil, "SELECT a FROM q WHERE (a, b) IN (SELECT a, b FROM p)", "UPDATE p SET b = b + 5"},
	{"", nil, "SELECT a FROM q WHERE id NOT IN (SELECT b FROM p)", "UPDATE p SET b = b + 1"},
	{"", nil, "SELECT sum(b) FROM q HAVING sum(b) > 0", "UPDATE q SET b = b + 1"},
	{"", nil, "SELECT b.a FROM q b ORDER BY b.b DESC", "UPDATE q SET b = 3 - b"},
	{"", nil, "SELECT CASE WHEN q.b > 1 THEN 'x' END FROM q", "UPDATE q SET b = b + 1"},
	{"", nil, "SELECT a FROM (SELECT a, b AS c FROM q) s WHERE c > 1", "UPDATE q SET b = b + 1"},
	{"", nil, "WITH RECURSIVE r (n) AS (SELECT b FROM q WHERE id = 1 UNION SELECT p.b + 1 FROM p JOIN r ON p.id = r.n) SELECT n FROM r", "UPDATE p SET b = b + 1"},
	{"", nil, "SELECT DISTINCT b FROM q", "UPDATE q SET b = 1"},
	{"", nil, "SELECT a FROM q EXCEPT SELECT b FROM p", "UPDATE p SET b = b + 1"},
	{"", []string{"CREATE VIEW v AS SELECT id, b AS x FROM q", "CREATE VIEW w AS SELECT id, x AS y FROM v"}, "SELECT y FROM w ORDER BY id", "UPDATE q SET b = b + 1"},
	{"", []string{"CREATE VIEW w AS SELECT q.id FROM q JOIN p ON p.b = q.b"}, "SELECT count(*) FROM w", "UPDATE p SET b = b + 5"},
	{"", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER, c INTEGER REFERENCES q (id) ON UPDATE CASCADE)", "INSERT INTO g VALUES (1, 1, 1)"}, "SELECT c FROM g", "UPDATE q SET id = id + 10"},
	{"", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER, c INTEGER REFERENCES q (id) ON DELETE SET NULL)", "INSERT INTO g VALUES (1, 1, 1)"}, "SELECT c FROM g", "DELETE FROM q WHERE id = 1"},

	{"sqlite", nil, `SELECT "b" FROM "q"`, "UPDATE q SET b = b + 1"},
	{"sqlite", nil, "SELECT a FROM q ORDER BY 'b', b", "UPDATE q SET b = 3 - b"},
	{"sqlite", nil, "SELECT max(_rowid_) FROM q", "UPDATE q SET id = id + 10"},
	{"sqlite", []string{"CREATE TABLE g (b INTEGER, c INTEGER)", "INSERT INTO g VALUES (1, 1)"}, "SELECT oid FROM g", "UPDATE g SET rowid = rowid + 10"},
	{"sqlite", []string{"CREATE TABLE g (b INTEGER)", "INSERT INTO g VALUES (1)"}, "SELECT a FROM q WHERE id IN g", "UPDATE g SET b = b + 1"},
	{"sqlite", []string{"CREATE TRIGGER up BEFORE UPDATE OF b ON q BEGIN UPDATE p SET b = b + 1; END"}, "SELECT b FROM p", "UPDATE q SET b = b + 1"},
	{"sqlite", []string{"CREATE VIEW w AS SELECT id, b FROM q", "CREATE TRIGGER up INSTEAD OF UPDATE ON w BEGIN UPDATE q SET a = a + 1; END"}, "SELECT a FROM q", "UPDATE w SET b = b + 1"},
	{"sqlite", nil, "SELECT a FROM q", "UPDATE q SET a = p.b + q.a FROM p WHERE p.id = q.id"},
	{"sqlite", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b TEXT)", `INSERT INTO g VALUES (1, '{"a":1}')`}, "SELECT value FROM g, json_each(g.b)", `UPDATE g SET b = json_set(b, '$.a', 1 + json_extract(b, '$.a'))`},

	{"postgres", nil, "SELECT p.a FROM p LEFT JOIN q ON q.id = p.id AND q.b < 2 WHERE q IS NOT NULL", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT (SELECT to_json(z) FROM (SELECT x.*) z) FROM q x", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT l.* FROM q x, LATERAL (SELECT x.*) l", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT ARRAY(SELECT x FROM q x)", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT count(*) FROM (VALUES (1), (2)) v (n) JOIN q ON q.b = v.n", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT count(*) FROM q x JOIN p y ON x::text = y::text", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT pg_typeof(x), hashtext(x::text) FROM q x", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT unnest(ARRAY[q.a, q.b]) FROM q", "UPDATE q SET b = b + 1"},
	{"postgres", nil, "SELECT a FROM q WHERE q.* = (SELECT p FROM p WHERE p.id = q.id)", "UPDATE q SET b = b + 1"},
	{"postgres", []string{"CREATE VIEW w AS SELECT x FROM q x"}, "SELECT (x).b FROM w", "UPDATE q SET b = b + 1"},
	{"postgres", []string{"CREATE VIEW w AS SELECT to_json(x) AS j FROM q x"}, "SELECT j::text FROM w", "UPDATE q SET b = b + 1"},
	{"postgres", []string{"CREATE VIEW w AS SELECT id, b FROM q"}, "SELECT b FROM q", "UPDATE w SET b = b + 1"},
	{"postgres", []string{"CREATE FUNCTION total() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(b) FROM q'"}, "SELECT total(), count(*) FROM q", "UPDATE q SET b = b + 1"},
	{"postgres", []string{"CREATE TYPE pair AS (x int, y int)", "CREATE TABLE g (id int PRIMARY KEY, pr pair)", "INSERT INTO g VALUES (1, (1, 1))"}, "SELECT (pr).x FROM g", "UPDATE g SET pr.x = (pr).x + 1"},
	{"postgres", nil, "SELECT a FROM q", "UPDATE q SET (a, b) = (SELECT p.b + q.a, 1 FROM p WHERE p.id = q.id)"},
	{"postgres", nil, "SELECT a FROM q", "UPDATE q SET a = q.a + p.b FROM p WHERE p.id = q.id"},
	{"postgres", nil, "SELECT a FROM q", "WITH x AS (UPDATE q SET a = a + 1 RETURNING id) UPDATE p SET b = 1 WHERE id IN (SELECT id FROM x)"},
	{"postgres", []string{"CREATE RULE up AS ON UPDATE TO p DO ALSO UPDATE q SET a = a + 1"}, "SELECT a FROM q", "UPDATE p SET b = b + 1"},
	{"postgres", []string{"CREATE TABLE g (id int PRIMARY KEY, b int, c int DEFAULT 5)", "INSERT INTO g VALUES (1, 1, 1)"}, "SELECT c FROM g", "UPDATE g SET (b, c) = (b + 1, c + 1)"},

	{"mysql", []string{"CREATE TABLE g (id INT, f DATE, u DATE, b INT, PERIOD FOR e (f, u))", "INSERT INTO g VALUES (1, '2020-01-01', '2030-01-01', 1)"},
		"SELECT count(*) FROM g", "UPDATE g FOR PORTION OF e FROM '2021-01-01' TO '2022-01-01' SET b = b + 1"},
	{"mysql", nil, "SELECT a FROM q", "INSERT INTO q (id, a, b) VALUES (1, 1, 1) ON DUPLICATE KEY UPDATE a = q.a + 1"},
	{"mysql", nil, "SELECT sum(a) FROM q", "UPDATE IGNORE q SET b = b + 1, a = a + 1"},
	{"mysql", []string{"CREATE TRIGGER up AFTER UPDATE ON p FOR EACH ROW UPDATE q SET a = a + 1"}, "SELECT a FROM q", "UPDATE p SET b = b + 1"},
	{"mysql", []string{"CREATE VIEW w AS SELECT id, b FROM q"}, "SELECT b FROM q", "UPDATE w SET b = b + 1"},
	{"mysql", []string{"CREATE TABLE g (id INT PRIMARY KEY, b INT, c INT DEFAULT (b + 1))", "INSERT INTO g (id, b) VALUES (1, 1)"}, "SELECT c FROM g", "UPDATE g SET b = b + 1, c = DEFAULT"},
	{"mysql", nil, "SELECT `b` FROM q", "UPDATE q SET b = b + 1"},
	{"mysql", nil, "SELECT `q`.`B` FROM q", "UPDATE q SET b = b + 1"},
	{"mysql", nil, "SELECT a, /*!50001b*/ FROM q", "UPDATE q SET b = b + 1"},
	{"mysql", nil, "SELECT /*!50001 b*/ FROM q", "UPDATE q SET b = b + 1"},
	{"mysql", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER, t TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))", "INSERT INTO g (id, b) VALUES (1, 1)"},
		"SELECT t FROM g", "UPDATE g SET b = b + 1"},
	{"mysql", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER, c INTEGER GENERATED ALWAYS AS (b * 2) VIRTUAL)", "INSERT INTO g (id, b) VALUES (1, 1)"}, "SELECT c FROM g", "UPDATE g SET b = b + 1"},
	{"mysql", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER) WITH SYSTEM VERSIONING", "INSERT INTO g VALUES (1, 1)"}, "SELECT count(*) FROM g FOR SYSTEM_TIME ALL", "UPDATE g SET b = b + 1"},
	{"mysql", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER) WITH SYSTEM VERSIONING", "INSERT INTO g VALUES (1, 1)"}, "SELECT row_start FROM g", "UPDATE g SET b = b + 1"},
	{"mysql", []string{"CREATE TABLE g (id INTEGER PRIMARY KEY, b INTEGER, f TIMESTAMP(6) GENERATED ALWAYS AS ROW START, u TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (f, u)) WITH SYSTEM VERSIONING",
		"INSERT INTO g (id, b) VALUES (1, 1)"}, "SELECT f FROM g", "UPDATE g SET b = b + 1"},
	{"mysql", []string{"CREATE TRIGGER up BEFORE UPDATE ON q FOR EACH ROW SET NEW.a = NEW.a + 1"}, "SELECT a FROM q", "UPDATE q SET b = b + 1"},
	{"mysql", nil, "SELECT _rowid FROM q", "UPDATE q SET id = id + 10"},
	{"mysql", nil, "SELECT a FROM q", "UPDATE q SET b = b + 1, a = a + b"},
	{"mysql", nil, "SELECT a FROM q", "UPDATE q JOIN p ON p.id = q.id SET q.b = 1, q.a = p.a + 1"},
}

// TestColumnTraps: what a read shows is never older than a write, however it names its columns.
func TestColumnTraps(t *testing.T) { springAll(t, columnTraps) }

func springAll(t *testing.T, traps []trap) {
	for _, k := range kinds {
		if k.name == "pq" { // the drivers of one database don't differ in this
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			for i, trap := range traps {
				if trap.dialect == "" || strings.Contains(trap.dialect, k.dialect) {
					t.Run(fmt.Sprint(i), func(t *testing.T) {
						t.Log(trap.read, "; ", trap.write)
						newHouse(t, k, nil).spring(trap)
					})
				}
			}
		})
	}
}

// spring reads so often that the result is told apart by columns, if it is, and writes, once so that the columns are known
// to be set alone, and then some times more. The database's answer must change at least once.
func (h *house) spring(trap trap) {
	h.Helper()
	for _, statement := range append([]string{
		"CREATE TABLE q (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER)", "INSERT INTO q VALUES (1, 1, 1), (2, 2, 2)",
		"CREATE TABLE p (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER)", "INSERT INTO p VALUES (1, 1, 1), (2, 2, 2)",
	}, trap.schema...) {
		h.exec(h.bare, statement)
	}
	changed := false
	for range 4 {
		for range 3 {
			h.query(h.db, trap.read)
		}
		before := h.query(h.bare, trap.read)
		h.exec(h.db, trap.write)
		got, fresh := h.query(h.db, trap.read), h.query(h.bare, trap.read)
		if got != fresh {
			h.Errorf("cached\n%s\nbare\n%s", got, fresh)
		}
		changed = changed || before != fresh
	}
	if !changed {
		h.Error("the write never changes what is read: this shows nothing")
	}
}

// TestSelectLimit: a session's own limit chooses among rows, as LIMIT does, by columns that the text doesn't name.
func TestSelectLimit(t *testing.T) {
	eachKind(t, func(h *house) {
		h.exec(h.bare, "CREATE TABLE g (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, fat TEXT, KEY (b, a))")
		h.exec(h.bare, "INSERT INTO g VALUES (1, 1, 1, ''), (2, 2, 2, '')")
		cached, bare := h.conn(h.db), h.conn(h.bare)
		h.exec(cached, "SET sql_select_limit = 1")
		h.exec(bare, "SET sql_select_limit = 1")
		for range 4 {
			for range 3 {
				h.query(cached, "SELECT a FROM g")
			}
			h.exec(h.db, "UPDATE g SET b = 3 - b")
			if got, want := h.query(cached, "SELECT a FROM g"), h.query(bare, "SELECT a FROM g"); got != want {
				t.Errorf("cached\n%s\nbare\n%s", got, want)
			}
		}
	}, "mysql")
}
