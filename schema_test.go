package larder

import (
	"errors"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
)

// family is two relations, one of which refers to the other.
func family(action string) []string {
	return []string{
		"CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(100))",
		"INSERT INTO parent VALUES (1, 'a'), (2, 'b')",
		"CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER DEFAULT 2, FOREIGN KEY (parent_id) REFERENCES parent (id) " + action + ")",
		"INSERT INTO child VALUES (10, 1), (20, 2)",
		"CREATE TABLE grandchild (id INTEGER PRIMARY KEY, child_id INTEGER, FOREIGN KEY (child_id) REFERENCES child (id) ON DELETE CASCADE)",
		"INSERT INTO grandchild VALUES (100, 10), (200, 20)",
		"CREATE TABLE aside (id INTEGER)",
		"INSERT INTO aside VALUES (1)",
	}
}

const (
	allParents    = "SELECT * FROM parent ORDER BY id"
	allChildren   = "SELECT * FROM child ORDER BY id"
	grandchildren = "SELECT * FROM grandchild ORDER BY id"
	aside         = "SELECT * FROM aside"
)

// two is one relation and another.
var two = []string{
	"CREATE TABLE one (id INTEGER PRIMARY KEY, name VARCHAR(100))",
	"INSERT INTO one VALUES (1, 'a'), (2, 'b')",
	"CREATE TABLE two (id INTEGER PRIMARY KEY, name VARCHAR(100))",
	"INSERT INTO two VALUES (1, 'x')",
	"CREATE TABLE aside (id INTEGER)",
	"INSERT INTO aside VALUES (1)",
}

const (
	allOne = "SELECT * FROM one ORDER BY id"
	allTwo = "SELECT * FROM two ORDER BY id"
)

// with is two and more.
func with(more ...string) []string { return append(two[:len(two):len(two)], more...) }

var schemas = []scenario{
	// Changes of the schema.
	{name: "column added", setup: two, reads: []string{allOne}, does: []string{"ALTER TABLE one ADD COLUMN extra INTEGER DEFAULT 7"}},
	{name: "column dropped", setup: two, reads: []string{allOne}, does: []string{"ALTER TABLE one DROP COLUMN name"}},
	{name: "type altered", on: "postgres", setup: two, reads: []string{allOne}, does: []string{"ALTER TABLE one ALTER COLUMN id TYPE bigint"}},
	{name: "type altered", on: "mysql", setup: two, reads: []string{allOne}, does: []string{"ALTER TABLE one MODIFY id BIGINT"}},
	{name: "column renamed", setup: two, reads: []string{allOne}, does: []string{"ALTER TABLE one RENAME COLUMN name TO title"}},
	{name: "dropped and made", setup: two, reads: []string{allOne}, does: []string{"DROP TABLE one", "CREATE TABLE one (id INTEGER, other VARCHAR(5))", "INSERT INTO one VALUES (9, 'new')"}},
	{name: "dropped and made alike", setup: two, reads: []string{allOne}, does: []string{"DROP TABLE one", "CREATE TABLE one (id INTEGER PRIMARY KEY, name VARCHAR(100))"}},
	{name: "tables swapped", setup: two, reads: []string{allOne, allTwo}, does: []string{"ALTER TABLE one RENAME TO was", "ALTER TABLE two RENAME TO one", "ALTER TABLE was RENAME TO two"}},
	{name: "tables swapped at once", on: "mysql", setup: two, reads: []string{allOne, allTwo}, does: []string{"RENAME TABLE one TO was, two TO one, was TO two"}},
	{name: "made from a select, and swapped", setup: two, reads: []string{allOne}, does: []string{"CREATE TABLE made AS SELECT id, 'copy' AS name FROM one", "DROP TABLE one", "ALTER TABLE made RENAME TO one"}},
	{name: "SELECT INTO", on: "postgres", setup: two, reads: []string{allOne}, does: []string{"DROP TABLE one", "SELECT id INTO one FROM two"}},
	{name: "moved to another schema", on: "postgres", setup: with("CREATE SCHEMA s", "CREATE TABLE s.one (id INTEGER)"), reads: []string{"SELECT * FROM s.one"},
		does: []string{"DROP TABLE s.one", "ALTER TABLE one SET SCHEMA s"}},
	{name: "truncate RESTART IDENTITY", on: "postgres", setup: two, reads: []string{allOne}, does: []string{"TRUNCATE one RESTART IDENTITY"}},
	{name: "collation of a column", on: "mysql", setup: two, reads: []string{"SELECT id FROM one WHERE name = 'A'"}, does: []string{"ALTER TABLE one MODIFY name VARCHAR(100) COLLATE utf8mb4_bin"}},
	{name: "event trigger's work", on: "postgres", setup: with(
		"CREATE FUNCTION ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.two VALUES (77, 'ddl'); END $$",
		"CREATE EVENT TRIGGER log ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION ddl()"),
		reads: []string{allTwo}, does: []string{"CREATE TABLE made (id INTEGER)"}},

	// Views.
	{name: "view", setup: with("CREATE VIEW v AS SELECT id, name FROM one WHERE id > 1"), reads: []string{"SELECT * FROM v"}, keeps: []string{allTwo}, does: []string{"UPDATE one SET name = 'new'"}},
	{name: "view of a view of a join", setup: with("CREATE VIEW v AS SELECT o.id, t.name FROM one o JOIN two t ON t.id = o.id", "CREATE VIEW w AS SELECT name FROM v"), reads: []string{"SELECT * FROM w"},
		keeps: []string{aside}, does: []string{"UPDATE two SET name = 'new'"}},
	{name: "view with a subquery", setup: with("CREATE VIEW v AS SELECT id FROM one WHERE id IN (SELECT id FROM two)"), reads: []string{"SELECT * FROM v"}, keeps: []string{aside}, does: []string{"DELETE FROM two"}},
	{name: "view replaced", on: "postgres mysql", setup: with("CREATE VIEW v AS SELECT name FROM one"), reads: []string{"SELECT * FROM v"}, does: []string{"CREATE OR REPLACE VIEW v AS SELECT name FROM two"}},
	{name: "view dropped and made", setup: with("CREATE VIEW v AS SELECT name FROM one"), reads: []string{"SELECT * FROM v"}, does: []string{"DROP VIEW v", "CREATE VIEW v AS SELECT name FROM two", "UPDATE two SET name = 'z'"}},
	{name: "view written", on: "postgres mysql", setup: with("CREATE VIEW v AS SELECT id, name FROM one"), reads: []string{allOne, "SELECT name FROM v ORDER BY id"}, keeps: []string{allTwo}, does: []string{"UPDATE v SET name = 'through' WHERE id = 1"}},
	{name: "view written by INSTEAD OF", on: "postgres", setup: with("CREATE VIEW v AS SELECT count(*) AS n FROM one",
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO two VALUES (50, 'instead'); RETURN NEW; END $$",
		"CREATE TRIGGER t INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f()"), reads: []string{allTwo}, keeps: []string{aside}, does: []string{"INSERT INTO v VALUES (1)"}},
	{name: "view written by INSTEAD OF", on: "sqlite", setup: with("CREATE VIEW v AS SELECT id FROM one",
		"CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN INSERT INTO two VALUES (50, 'instead'); END"), reads: []string{allTwo}, keeps: []string{aside}, does: []string{"INSERT INTO v VALUES (1)"}},
	{name: "materialised view refreshed", on: "postgres", setup: with("CREATE MATERIALIZED VIEW m AS SELECT name FROM one", "UPDATE one SET name = 'new'"), reads: []string{"SELECT * FROM m ORDER BY 1"}, does: []string{"REFRESH MATERIALIZED VIEW m"}},
	{name: "view over a materialised view", on: "postgres", setup: with("CREATE MATERIALIZED VIEW m AS SELECT id, name FROM one", "CREATE UNIQUE INDEX ON m (id)", "CREATE VIEW v AS SELECT name FROM m", "UPDATE one SET name = 'new'"), reads: []string{"SELECT * FROM v ORDER BY 1"},
		does: []string{"REFRESH MATERIALIZED VIEW CONCURRENTLY m"}},

	// Triggers and rules.
	{name: "trigger writes another", on: "sqlite", setup: with("CREATE TRIGGER t AFTER UPDATE ON one BEGIN UPDATE two SET name = new.name; END"), reads: []string{allOne, allTwo}, keeps: []string{aside}, does: []string{"UPDATE one SET name = 'both' WHERE id = 1"}},
	{name: "trigger writes another", on: "mysql", setup: with("CREATE TRIGGER t AFTER UPDATE ON one FOR EACH ROW UPDATE two SET name = NEW.name"), reads: []string{allOne, allTwo}, keeps: []string{aside}, does: []string{"UPDATE one SET name = 'both' WHERE id = 1"}},
	{name: "trigger writes another", on: "postgres", setup: with(
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE two SET name = NEW.name; RETURN NEW; END $$",
		"CREATE TRIGGER t AFTER UPDATE ON one FOR EACH ROW EXECUTE FUNCTION f()"), reads: []string{allOne, allTwo}, keeps: []string{aside}, does: []string{"UPDATE one SET name = 'both' WHERE id = 1"}},
	{name: "trigger with dynamic SQL", on: "postgres", setup: with(
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'UPDATE ' || TG_ARGV[0] || ' SET name = ''dyn'''; RETURN NULL; END $$",
		"CREATE TRIGGER t AFTER DELETE ON one FOR EACH STATEMENT EXECUTE FUNCTION f('two')"), reads: []string{allTwo}, does: []string{"DELETE FROM one"}},
	{name: "trigger of a trigger", on: "postgres", setup: with(
		"CREATE TABLE three (id INTEGER)",
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE two SET name = 'f'; RETURN NULL; END $$",
		"CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO three VALUES (1); RETURN NULL; END $$",
		"CREATE TRIGGER t AFTER INSERT ON one FOR EACH ROW EXECUTE FUNCTION f()",
		"CREATE TRIGGER t AFTER UPDATE ON two FOR EACH ROW EXECUTE FUNCTION g()"), reads: []string{allTwo, "SELECT count(*) FROM three"}, keeps: []string{aside}, does: []string{"INSERT INTO one VALUES (3, 'c')"}},
	{name: "trigger of a trigger", on: "sqlite", setup: with(
		"CREATE TABLE three (id INTEGER)",
		"CREATE TRIGGER t AFTER INSERT ON one BEGIN UPDATE two SET name = 'f'; END",
		"CREATE TRIGGER u AFTER UPDATE ON two BEGIN INSERT INTO three VALUES (1); END"), reads: []string{allTwo, "SELECT count(*) FROM three"}, keeps: []string{aside}, does: []string{"INSERT INTO one VALUES (3, 'c')"}},
	{name: "trigger of another event stays quiet", on: "sqlite", setup: with("CREATE TRIGGER t AFTER DELETE ON one BEGIN DELETE FROM two; END"), reads: []string{allOne}, keeps: []string{allTwo}, does: []string{"UPDATE one SET name = 'z'"}},
	{name: "trigger made later", on: "sqlite", setup: two, reads: []string{allTwo}, does: []string{"CREATE TRIGGER t AFTER UPDATE ON one BEGIN UPDATE two SET name = new.name; END", "UPDATE one SET name = 'z'"}},
	{name: "trigger made later", on: "mysql", setup: two, reads: []string{allTwo}, does: []string{"CREATE TRIGGER t AFTER UPDATE ON one FOR EACH ROW UPDATE two SET name = NEW.name", "UPDATE one SET name = 'z'"}},
	{name: "trigger in BEFORE changes the row", on: "mysql", setup: with("CREATE TRIGGER t BEFORE INSERT ON one FOR EACH ROW BEGIN SET NEW.name = 'set'; INSERT INTO two VALUES (60, 'log'); END"), reads: []string{allOne, allTwo}, keeps: []string{aside}, does: []string{"INSERT INTO one VALUES (5, 'e')"}},
	{name: "temporary trigger", on: "sqlite", setup: two, reads: []string{allTwo}, does: []string{"CREATE TEMP TRIGGER t AFTER UPDATE ON one BEGIN UPDATE two SET name = new.name; END", "UPDATE one SET name = 'z'"}},
	{name: "rule DO ALSO", on: "postgres", setup: with("CREATE RULE r AS ON INSERT TO one DO ALSO UPDATE two SET name = 'rule'"), reads: []string{allOne, allTwo}, does: []string{"INSERT INTO one VALUES (3, 'c')"}},
	{name: "rule DO INSTEAD", on: "postgres", setup: with("CREATE RULE r AS ON DELETE TO one DO INSTEAD UPDATE two SET name = 'rule'"), reads: []string{allTwo}, does: []string{"DELETE FROM one"}},
	{name: "constraint trigger, deferred", on: "postgres", setup: with(
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE two SET name = 'late'; RETURN NULL; END $$",
		"CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON one DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()"), reads: []string{allTwo}, keeps: []string{aside}, does: []string{"UPDATE one SET name = 'q'"}},

	// Cascades.
	{name: "ON DELETE CASCADE", setup: family("ON DELETE CASCADE"), reads: []string{allParents, allChildren, grandchildren}, keeps: []string{aside}, does: []string{"DELETE FROM parent WHERE id = 1"}},
	{name: "ON UPDATE CASCADE", setup: family("ON UPDATE CASCADE"), reads: []string{allParents, allChildren}, keeps: []string{aside}, does: []string{"UPDATE parent SET id = 3 WHERE id = 1"}},
	{name: "ON DELETE SET NULL", setup: family("ON DELETE SET NULL"), reads: []string{allParents, allChildren}, keeps: []string{aside}, does: []string{"DELETE FROM parent WHERE id = 1"}},
	{name: "ON DELETE SET DEFAULT", on: "postgres sqlite", setup: family("ON DELETE SET DEFAULT"), reads: []string{allParents, allChildren}, keeps: []string{aside}, does: []string{"DELETE FROM parent WHERE id = 1"}},
	{name: "no action keeps the children", setup: append(family(""), "DELETE FROM grandchild", "DELETE FROM child"), reads: []string{allParents}, keeps: []string{allChildren, aside}, does: []string{"DELETE FROM parent WHERE id = 1"}},
	{name: "replaced parent", on: "sqlite mysql", setup: family("ON DELETE CASCADE"), reads: []string{allParents, allChildren, grandchildren}, keeps: []string{aside}, does: []string{"REPLACE INTO parent VALUES (1, 'again')"}},
	{name: "TRUNCATE CASCADE", on: "postgres", setup: family(""), reads: []string{allParents, allChildren, grandchildren}, keeps: []string{aside}, does: []string{"TRUNCATE parent CASCADE"}},
	{name: "cascade and trigger", on: "sqlite", setup: append(family("ON DELETE CASCADE"), "CREATE TRIGGER t AFTER DELETE ON child BEGIN INSERT INTO aside VALUES (old.id); END"),
		reads: []string{allChildren, aside}, does: []string{"DELETE FROM parent WHERE id = 1"}},
	{name: "cascade and trigger", on: "postgres", setup: append(family("ON DELETE CASCADE"),
		"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO aside VALUES (OLD.id); RETURN OLD; END $$",
		"CREATE TRIGGER t AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION f()"), reads: []string{allChildren, aside}, does: []string{"DELETE FROM parent WHERE id = 1"}},
	{name: "cascade made later", on: "postgres mysql", setup: append(two, "CREATE TABLE kid (id INTEGER)", "INSERT INTO kid VALUES (1)"), reads: []string{"SELECT * FROM kid"},
		does: []string{"ALTER TABLE kid ADD CONSTRAINT fk FOREIGN KEY (id) REFERENCES one (id) ON DELETE CASCADE", "DELETE FROM one WHERE id = 1"}},

	// Partitions and inheritance.
	{name: "partition written, parent read", on: "postgres", setup: partitioned, reads: []string{"SELECT * FROM part ORDER BY id"}, keeps: []string{"SELECT * FROM high"}, does: []string{"INSERT INTO low VALUES (2, 'direct')"}},
	{name: "parent written, partition read", on: "postgres", setup: partitioned, reads: []string{"SELECT * FROM low ORDER BY id", "SELECT * FROM part ORDER BY id"}, does: []string{"INSERT INTO part VALUES (3, 'routed')"}},
	{name: "row moved between partitions", on: "postgres", setup: partitioned, reads: []string{"SELECT * FROM low", "SELECT * FROM high ORDER BY id"}, does: []string{"UPDATE part SET id = 150 WHERE id = 1"}},
	{name: "partition of a partition", on: "postgres", setup: append(partitioned, "CREATE TABLE top PARTITION OF part FOR VALUES FROM (200) TO (400) PARTITION BY RANGE (id)", "CREATE TABLE sub PARTITION OF top FOR VALUES FROM (200) TO (300)"),
		reads: []string{"SELECT * FROM sub", "SELECT * FROM top", "SELECT * FROM part ORDER BY id"}, does: []string{"INSERT INTO part VALUES (250, 'deep')"}},
	{name: "partition detached", on: "postgres", setup: partitioned, reads: []string{"SELECT * FROM part ORDER BY id"}, does: []string{"ALTER TABLE part DETACH PARTITION high"}},
	{name: "partition attached", on: "postgres", setup: append(partitioned, "CREATE TABLE more (id INTEGER, name TEXT)", "INSERT INTO more VALUES (500, 'm')"), reads: []string{"SELECT * FROM part ORDER BY id"},
		does: []string{"ALTER TABLE part ATTACH PARTITION more FOR VALUES FROM (500) TO (600)"}},
	{name: "partition dropped", on: "postgres", setup: partitioned, reads: []string{"SELECT * FROM part ORDER BY id"}, does: []string{"DROP TABLE high"}},
	{name: "inheritor written, parent read", on: "postgres", setup: inherited, reads: []string{"SELECT * FROM animal ORDER BY id"}, keeps: []string{"SELECT * FROM dog"}, does: []string{"INSERT INTO cat VALUES (5, 'tom', 9)"}},
	{name: "parent updated, inheritor read", on: "postgres", setup: inherited, reads: []string{"SELECT * FROM cat", "SELECT * FROM animal ORDER BY id"}, keeps: []string{"SELECT * FROM aside"}, does: []string{"UPDATE animal SET name = 'x'"}},
	{name: "inheritor made later", on: "postgres", setup: inherited, reads: []string{"SELECT id FROM animal ORDER BY id"}, does: []string{"CREATE TABLE bird () INHERITS (animal)", "INSERT INTO bird VALUES (8, 'b')"}},
	{name: "partitions of MySQL", on: "mysql", setup: []string{"CREATE TABLE part (id INTEGER PRIMARY KEY, name VARCHAR(10)) PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (100), PARTITION high VALUES LESS THAN MAXVALUE)", "INSERT INTO part VALUES (1, 'l'), (101, 'h')"},
		reads: []string{"SELECT * FROM part PARTITION (high)", "SELECT * FROM part ORDER BY id"}, does: []string{"ALTER TABLE part TRUNCATE PARTITION high"}},

	// Functions and procedures.
	{name: "function that writes", on: "postgres", setup: with("CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN UPDATE one SET name = 'f'; RETURN 1; END $$"), reads: []string{allOne}, keeps: []string{allTwo, aside}, does: []string{"SELECT f()"}},
	{name: "function that writes, in SQL", on: "postgres", setup: with("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ UPDATE one SET name = 'f' $$"), reads: []string{allOne}, keeps: []string{allTwo}, does: []string{"SELECT f() FROM aside"}},
	{name: "function that writes by dynamic SQL", on: "postgres", setup: with("CREATE FUNCTION wipe(t text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('DELETE FROM %I', t); END $$"), reads: []string{allOne}, does: []string{"SELECT wipe('one')"}},
	{name: "function that writes, in a view", on: "postgres", setup: with("CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN UPDATE one SET name = 'f'; RETURN 1; END $$", "CREATE VIEW v AS SELECT f()"), reads: []string{allOne}, does: []string{"SELECT * FROM v"}},
	{name: "function that writes, in a default", on: "postgres", setup: with("CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN UPDATE one SET name = 'f'; RETURN 1; END $$", "CREATE TABLE d (id INTEGER DEFAULT f(), x INTEGER)"), reads: []string{allOne}, does: []string{"INSERT INTO d (x) VALUES (1)"}},
	{name: "function that writes, behind an operator", on: "postgres", setup: with("CREATE FUNCTION f(integer, integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN UPDATE one SET name = 'f'; RETURN 1; END $$", "CREATE OPERATOR ### (FUNCTION = f, LEFTARG = integer, RIGHTARG = integer)"), reads: []string{allOne}, does: []string{"SELECT 1 ### 2"}},
	{name: "function that writes", on: "mysql", setup: with("CREATE FUNCTION f() RETURNS INTEGER DETERMINISTIC MODIFIES SQL DATA BEGIN UPDATE one SET name = 'f'; RETURN 1; END"), reads: []string{allOne}, keeps: []string{allTwo}, does: []string{"SELECT f()"}},
	{name: "procedure", on: "postgres", setup: with("CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN UPDATE one SET name = 'p'; COMMIT; DELETE FROM two; END $$"), reads: []string{allOne, allTwo}, does: []string{"CALL p()"}},
	{name: "procedure", on: "mysql", setup: with("CREATE PROCEDURE p() BEGIN UPDATE one SET name = 'p'; DELETE FROM two; END"), reads: []string{allOne, allTwo}, does: []string{"CALL p()"}},
	{name: "procedure with dynamic SQL", on: "mysql", setup: with("CREATE PROCEDURE p(t TEXT) BEGIN EXECUTE IMMEDIATE CONCAT('DELETE FROM ', t); END"), reads: []string{allOne}, does: []string{"CALL p('one')"}},
	{name: "function that reads, STABLE", on: "postgres", setup: with("CREATE FUNCTION f() RETURNS bigint STABLE LANGUAGE sql AS $$ SELECT count(*) FROM one $$"), reads: []string{"SELECT f() FROM aside"}, keeps: []string{allTwo}, does: []string{"DELETE FROM one"}},
	{name: "table function", on: "postgres", setup: with("CREATE FUNCTION f() RETURNS SETOF one STABLE LANGUAGE sql AS $$ SELECT * FROM one $$"), reads: []string{"SELECT * FROM f() ORDER BY id"}, keeps: []string{allTwo}, does: []string{"DELETE FROM one WHERE id = 1"}},
}

var partitioned = []string{
	"CREATE TABLE part (id INTEGER, name TEXT) PARTITION BY RANGE (id)",
	"CREATE TABLE low PARTITION OF part FOR VALUES FROM (0) TO (100)",
	"CREATE TABLE high PARTITION OF part FOR VALUES FROM (100) TO (200)",
	"INSERT INTO part VALUES (1, 'l'), (101, 'h')",
}

var inherited = []string{
	"CREATE TABLE animal (id INTEGER, name TEXT)",
	"CREATE TABLE cat (lives INTEGER) INHERITS (animal)",
	"CREATE TABLE dog (tail INTEGER) INHERITS (animal)",
	"CREATE TABLE aside (id INTEGER)",
	"INSERT INTO animal VALUES (1, 'a')", "INSERT INTO cat VALUES (2, 'c', 9)",
}

// TestSchema: what hangs together by the schema, and changes of it.
func TestSchema(t *testing.T) {
	eachScenario(t, schemas, (*house).changes)
}

// TestRelationGone: a read of what was dropped or renamed fails as it does without the cache.
func TestRelationGone(t *testing.T) {
	eachScenario(t, []scenario{{name: "dropped", does: []string{"DROP TABLE one"}}, {name: "renamed", does: []string{"ALTER TABLE one RENAME TO elsewhere"}}}, func(h *house, s *scenario) {
		h.prepare(two)
		h.wantCached(h.db, allOne)
		h.wantCached(h.db, "SELECT count(*) FROM one")
		h.exec(h.other, s.does[0])
		for range 2 {
			got, want := h.query(h.db, "SELECT count(*) FROM one"), h.query(h.bare, "SELECT count(*) FROM one")
			if got != want || !strings.Contains(got, "error: ") {
				h.Errorf("%s: cached %s, bare %s", s.does, got, want)
			}
		}
	})
}

// TestFunctionReplaced: one that another session replaces by one that writes.
func TestFunctionReplaced(t *testing.T) {
	for _, volatility := range []string{"STABLE", "VOLATILE"} {
		t.Run(volatility, func(t *testing.T) {
			eachKind(t, func(h *house) {
				h.prepare(with("CREATE FUNCTION f() RETURNS bigint " + volatility + " LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM two); END $$"))
				h.wantCached(h.db, allOne)
				conn := h.conn(h.other)
				if got := h.texts(conn, "SELECT f()"); got != "1" {
					t.Error(got)
				}
				h.exec(h.db, "CREATE OR REPLACE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN DELETE FROM one; RETURN 5; END $$")
				h.wantCached(h.db, allOne)
				if got := h.texts(conn, "SELECT f()"); got != "5" {
					t.Error(got)
				}
				h.want(h.db, "", OutcomeMiss, allOne)
			}, "postgres")
		})
	}
}

// TestFunctionReplacedMidway: one that another session replaces by one that writes, while a result of it is read that is too large to be kept. PostgreSQL
// sees that when the statement locks what it hadn't before.
func TestFunctionReplacedMidway(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(with("CREATE FUNCTION f(i bigint) RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN IF i > 10000 THEN PERFORM count(*) FROM two; END IF; RETURN repeat('x', 1000); END $$",
			"CREATE TABLE large AS SELECT generate_series(1, 12000)::bigint AS id"))
		h.wantCached(h.db, allOne)
		rows, err := h.other.Query("SELECT f(id) FROM large")
		if err != nil {
			h.Fatal(err)
		}
		defer rows.Close()
		h.exec(h.db, "CREATE OR REPLACE FUNCTION f(i bigint) RETURNS text VOLATILE LANGUAGE plpgsql AS $$ BEGIN DELETE FROM one; RETURN 'deleted'; END $$")
		h.query(h.db, allOne)
		deleted := false
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				h.Fatal(err)
			}
			deleted = deleted || s == "deleted"
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || !deleted {
			h.Fatalf("deleted midway: %v; %v", deleted, err)
		}
		if got, want := h.query(h.db, allOne), h.query(h.bare, allOne); got != want {
			h.Errorf("%q, want %q", got, want)
		}
	}, "postgres")
}

// TestFunctionReplacedUnderCursor: … or while a cursor is fetched from that calls it.
func TestFunctionReplacedUnderCursor(t *testing.T) {
	for name, opening := range map[string][]string{
		"texts": {"BEGIN", "DECLARE c CURSOR FOR SELECT f(id) FROM numbers"},
		"text":  {"BEGIN; DECLARE c CURSOR FOR SELECT f(id) FROM numbers"},
	} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(h *house) {
				h.prepare(with("CREATE FUNCTION f(i bigint) RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN IF i > 10 THEN PERFORM count(*) FROM two; END IF; RETURN 'read'; END $$",
					"CREATE TABLE numbers AS SELECT generate_series(1, 100)::bigint AS id"))
				h.wantCached(h.db, allOne)
				conn := h.conn(h.other)
				for _, text := range opening {
					h.exec(conn, text)
				}
				h.query(conn, "FETCH 5 FROM c")
				h.exec(h.db, "CREATE OR REPLACE FUNCTION f(i bigint) RETURNS text VOLATILE LANGUAGE plpgsql AS $$ BEGIN DELETE FROM one; RETURN 'deleted'; END $$")
				h.query(h.db, allOne)
				if got := h.query(conn, "FETCH ALL FROM c"); !strings.Contains(got, "deleted") {
					h.Fatal(got)
				}
				h.query(h.db, allOne)
				h.exec(conn, "COMMIT")
				if got, want := h.query(h.db, allOne), h.query(h.bare, allOne); got != want {
					h.Errorf("%q, want %q", got, want)
				}
				h.want(h.db, "", OutcomeHit, allOne)
			}, "postgres")
		})
	}
}

// TestSequences: a sequence changes without a write that anybody sees.
func TestSequences(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare([]string{"CREATE SEQUENCE seq"})
		h.wantBypass(h.db, analyze.SequenceRelation, "SELECT last_value FROM seq")
		h.wantAsked(h.db, analyze.Volatile, "SELECT nextval('seq')")
		h.wantBypass(h.db, analyze.SequenceRelation, "SELECT last_value FROM seq")
	}, "postgres")
}

// TestMislabelledFunctions: what a function says of itself is believed only as far as its body
// shows.
func TestMislabelledFunctions(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(with("CREATE FUNCTION f() RETURNS bigint IMMUTABLE LANGUAGE sql AS $$ SELECT count(*) FROM one $$"))
		h.want(h.db, "2", OutcomeMiss, "SELECT f() FROM aside")
		h.want(h.db, "2", OutcomeHit, "SELECT f() FROM aside")
		h.exec(h.other, "DELETE FROM one")
		h.reconnect() // PostgreSQL keeps the result in a prepared statement
		h.want(h.db, "0", OutcomeMiss, "SELECT f() FROM aside")
	}, "postgres")
}

// TestSchemaByOther: what is made elsewhere, without the cache's knowledge, is found when it is
// first asked for.
func TestSchemaByOther(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(two)
		h.wantCached(h.db, allOne)
		h.exec(h.bare, "CREATE TABLE late (id INTEGER)")
		h.exec(h.bare, "INSERT INTO late VALUES (1)")
		if got := h.texts(h.db, "SELECT id FROM late"); got != "1" {
			t.Error(got)
		}
		h.exec(h.other, "UPDATE late SET id = 2")
		if got := h.texts(h.db, "SELECT id FROM late"); got != "2" {
			t.Error(got)
		}
	})
}
