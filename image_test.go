package larder

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What the tests of this file begin with: a list of a user, so that what a write by id changes is asked for.
var owned = []string{
	"CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name VARCHAR(100))",
	"INSERT INTO stuff VALUES (1, 42, 'bread'), (2, 42, 'wine'), (3, 7, 'milk')",
}

const listOf = "SELECT id, name FROM stuff WHERE user_id = ? ORDER BY id"

func (h *house) owned() {
	h.Helper()
	h.prepare(owned)
	h.query(h.db, listOf, 42)
	h.query(h.db, listOf, 7)
}

// TestInsertWithoutSelect: who may insert but not read gets no error because the number of a new row is asked for.
func TestInsertWithoutSelect(t *testing.T) {
	eachKind(t, func(h *house) {
		alice, _ := h.roles()
		h.prepare([]string{
			"CREATE TABLE box (id SERIAL PRIMARY KEY, note text)",
			"GRANT INSERT ON box TO " + alice, "GRANT USAGE ON SEQUENCE box_id_seq TO " + alice,
		})
		const row = "SELECT note FROM box WHERE id = ?"
		h.query(h.db, row, 1)
		h.query(h.db, row, 1)
		conn := h.conn(h.other)
		h.exec(conn, "SET ROLE "+alice)
		h.exec(conn, "INSERT INTO box (note) VALUES ('first')")
		h.wantRead(h.db, OutcomeMiss, row, 1)
		tx, err := conn.BeginTx(h.Context(), nil)
		h.ok(err)
		h.exec(tx, "INSERT INTO box (note) VALUES ('second')")
		h.query(h.db, row, 2)
		h.ok(tx.Commit())
		h.wantRead(h.db, OutcomeMiss, row, 2)
	}, "postgres")
}

// TestWriteByQueryRaced: a statement run by Query tells no count of rows, so another's row that it finds as well
// isn't missed.
func TestWriteByQueryRaced(t *testing.T) {
	eachKind(t, func(h *house) {
		h.owned()
		const update = "UPDATE stuff SET name = 'old' WHERE name = 'new'"
		db, g := h.gated()
		conn := h.conn(db)
		if h.dialect == "mysql" {
			h.exec(conn, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
		}
		h.query(conn, listOf, 42)
		s := g.at(t, "before "+update)
		wait := inBackground(t, func() { h.query(conn, update) })
		s.wait()
		h.exec(h.other, "INSERT INTO stuff VALUES (10, 7, 'new')")
		h.query(h.db, listOf, 7)
		s.go_()
		wait()
		if got, want := h.query(h.db, listOf, 7), h.query(h.bare, listOf, 7); got != want {
			t.Errorf("cached\n%s\nbare\n%s", got, want)
		}
	}, "postgres", "mysql")
}

// TestDeleteSkipped: a trigger that keeps rows from being deleted lets the counts agree although other rows go.
func TestDeleteSkipped(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(append(owned,
			"CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.id = 1 THEN RETURN NULL; END IF; RETURN OLD; END $$",
			"CREATE TRIGGER kept BEFORE DELETE ON stuff FOR EACH ROW EXECUTE FUNCTION keep()"))
		h.query(h.db, listOf, 42)
		const remove = "DELETE FROM stuff WHERE name IN ('bread', 'new')"
		db, g := h.gated()
		s := g.at(t, "before "+remove)
		wait := inBackground(t, func() { h.exec(db, remove) })
		s.wait()
		h.exec(h.other, "INSERT INTO stuff VALUES (10, 7, 'new')")
		h.query(h.db, listOf, 7)
		s.go_()
		wait()
		if got, want := h.query(h.db, listOf, 7), h.query(h.bare, listOf, 7); got != want {
			t.Errorf("cached\n%s\nbare\n%s", got, want)
		}
	}, "postgres")
}

// TestLockedTables: a write doesn't give up the locks of LOCK TABLES.
func TestLockedTables(t *testing.T) {
	eachKind(t, func(h *house) {
		h.owned()
		h.prepare([]string{"CREATE TABLE besides (id INTEGER)"})
		h.query(h.db, listOf, 42)
		conn := h.conn(h.other)
		h.exec(conn, "LOCK TABLES stuff WRITE")
		h.exec(conn, "UPDATE stuff SET name = 'rye' WHERE id = 1")
		if _, err := conn.ExecContext(h.Context(), "INSERT INTO besides VALUES (1)"); err == nil {
			t.Error("the lock is gone")
		}
		h.exec(conn, "UNLOCK TABLES")
		h.wantRead(h.db, OutcomeMiss, listOf, 42)
	}, "mysql")
}

// TestLevelOfNext: an isolation level that was set for the next transaction is that of a write.
func TestLevelOfNext(t *testing.T) {
	eachKind(t, func(h *house) {
		h.owned()
		const update = "UPDATE stuff SET name = 'milk' WHERE name IN ('milk', 'new')"
		db, g := h.gated()
		conn := h.conn(db)
		h.query(conn, listOf, 42)
		h.exec(conn, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
		s := g.at(t, "before "+update)
		wait := inBackground(t, func() { h.exec(conn, update) })
		s.wait()
		h.exec(h.other, "INSERT INTO stuff VALUES (10, 99, 'new')")
		h.query(h.db, listOf, 99)
		s.go_()
		wait()
		if got, want := h.query(h.db, listOf, 99), h.query(h.bare, listOf, 99); got != want {
			t.Errorf("cached\n%s\nbare\n%s", got, want)
		}
	}, "mysql")
}

// TestAlteredColumnInTransaction: what is asked beside a write in a transaction doesn't fail because the type of a column
// has changed since it was asked last on the connection.
func TestAlteredColumnInTransaction(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare([]string{"CREATE TABLE stuff (id SERIAL PRIMARY KEY, user_id INTEGER, name VARCHAR(100))",
			"INSERT INTO stuff (user_id, name) VALUES (42, 'bread')"})
		conn := h.conn(h.other)
		for _, typ := range []string{"BIGINT", "INTEGER"} {
			h.query(h.db, listOf, 42)
			h.query(h.db, "SELECT name FROM stuff WHERE id = ?", 1)
			h.exec(conn, "UPDATE stuff SET name = ? WHERE id = ?", "rye", 1)
			h.exec(conn, "INSERT INTO stuff (user_id, name) VALUES (42, 'wine')")
			h.exec(h.db, "ALTER TABLE stuff ALTER COLUMN user_id TYPE "+typ+", ALTER COLUMN id TYPE "+typ)
			h.query(h.db, listOf, 42)
			h.query(h.db, listOf, 42)
			h.query(h.db, "SELECT name FROM stuff WHERE id = ?", 1)
			h.query(h.db, "SELECT name FROM stuff WHERE id = ?", 1)
			tx, err := conn.BeginTx(h.Context(), nil)
			h.ok(err)
			h.exec(tx, "UPDATE stuff SET name = ? WHERE id = ?", "oats", 1)
			h.ok(tx.Commit())
			tx, err = conn.BeginTx(h.Context(), nil)
			h.ok(err)
			h.exec(tx, "INSERT INTO stuff (user_id, name) VALUES (42, 'wine')")
			h.ok(tx.Commit())
			h.reconnect() // what the other handles have prepared fails, too
			if got, want := h.query(h.db, listOf, 42), h.query(h.bare, listOf, 42); got != want {
				t.Errorf("cached\n%s\nbare\n%s", got, want)
			}
		}
	}, "postgres")
}

// TestPanicBesideWrite: the driver panics where the transaction of a write's own begins or ends.
func TestPanicBesideWrite(t *testing.T) {
	for _, k := range kinds {
		for _, point := range []string{"before BEGIN", "after BEGIN", "before UPDATE stuff SET name = 'inside' WHERE name = 'first'", "after UPDATE stuff SET name = 'inside' WHERE name = 'first'", "before COMMIT", "after COMMIT"} {
			t.Run(k.name+"/"+point, func(t *testing.T) {
				h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16, Lease: 100 * time.Millisecond})
				h.owned()
				c := h.gatedSession()
				c.run("UPDATE stuff SET name = 'first' WHERE id = 1")
				s := c.g.at(h, point)
				s.panics = true
				s.go_()
				if !panics(func() { c.run("UPDATE stuff SET name = 'inside' WHERE name = 'first'") }) {
					t.Fatal("no panic")
				}
				list := "SELECT id, name FROM stuff WHERE user_id = 42 ORDER BY id"
				h.wantSame(list)
				c.run("UPDATE stuff SET name = 'after' WHERE id = 2")
				h.wantSame(list)
				if got := h.texts(h.bare, "SELECT name FROM stuff WHERE id = 2"); got != "after" {
					t.Errorf("after the panic a write isn't committed: %s", got)
				}
				h.ok(c.Conn.Close())
				h.wantSame(list)
				h.waitForHit(h.db, list)
				h.exec(h.other, "CREATE TABLE later (id INTEGER)") // its release waits for writers under way
				h.query(h.db, list)
				h.waitForHit(h.db, list)
			})
		}
	}
}

// TestCommitWaits: the context of a write ends a COMMIT of its own that waits for a lock.
func TestCommitWaits(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare([]string{
			"CREATE TABLE users (id INTEGER PRIMARY KEY)", "INSERT INTO users VALUES (7), (42)",
			"CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users DEFERRABLE INITIALLY DEFERRED, name VARCHAR(100))",
			"INSERT INTO stuff VALUES (1, 42, 'bread')",
		})
		h.query(h.db, listOf, 42)
		blocker, err := h.bare.Begin()
		h.ok(err)
		h.exec(blocker, "SELECT id FROM users WHERE id = 7 FOR UPDATE")
		ctx, cancel := within(300)
		defer cancel()
		var failed error
		wait := inBackground(t, func() { _, failed = h.other.ExecContext(ctx, "UPDATE stuff SET user_id = 7 WHERE id = 1") })
		wait()
		if failed == nil {
			t.Error("the write has ended well")
		}
		h.ok(blocker.Rollback())
	}, "postgres")
}

// TestLastInsertIDSet: the last insert id isn't taken for the number of a row if the program has set it.
func TestLastInsertIDSet(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare([]string{"CREATE TABLE stuff (id INTEGER AUTO_INCREMENT PRIMARY KEY, user_id INTEGER)", "INSERT INTO stuff VALUES (1, 42)"})
		const row = "SELECT user_id FROM stuff WHERE id = ?"
		for range 2 { // the second is in slices
			h.query(h.db, row, 5)
			h.query(h.db, row, 6)
			h.exec(h.other, "UPDATE stuff SET user_id = user_id + 1 WHERE id = 1")
		}
		h.query(h.db, row, 5)
		h.query(h.db, row, 6)
		h.exec(h.other, "INSERT INTO stuff (id, user_id) VALUES (5 + 0, LAST_INSERT_ID(99))")
		h.wantCached(h.db, row, 5)
		h.query(h.db, row, 7)
		h.query(h.db, row, 99)
		h.exec(h.other, "INSERT INTO stuff (id, user_id) VALUES (NULL, ?)", 4)
		h.wantRead(h.db, OutcomeMiss, row, 6)
		h.wantRead(h.db, OutcomeHit, row, 99)
	}, "mysql")
}

// TestSeveredBesideWrite: at each step of a write beside which rows are asked for the connection is lost, or an error comes
// of which it isn't known whether the step was done.
func TestSeveredBesideWrite(t *testing.T) {
	const update = "UPDATE stuff SET user_id = 7 WHERE name = 'first'" // no key: its row isn't guessed
	for _, k := range kinds {
		if k.dialect == "sqlite" {
			continue
		}
		for _, point := range []string{"before BEGIN", "after BEGIN", "before " + update, "after " + update, "before COMMIT", "after COMMIT"} {
			for _, fault := range []error{nil, errors.New("lost")} {
				if fault != nil && point != "after BEGIN" && point != "before COMMIT" {
					continue
				}
				t.Run(fmt.Sprint(k.name, "/", point, "/", fault), func(t *testing.T) {
					h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16, Lease: 100 * time.Millisecond})
					h.owned()
					db, g := h.gated()
					h.exec(db, "UPDATE stuff SET name = 'first' WHERE id = 1")
					h.query(h.db, listOf, 42)
					h.query(h.db, listOf, 7)
					s := g.at(h, point)
					s.severing, s.fault = fault == nil, fault
					s.go_()
					_, err := db.ExecContext(h.Context(), update)
					select {
					case <-s.reached:
					default:
						t.Fatal("not reached")
					}
					lists := []string{"SELECT id, name FROM stuff WHERE user_id = 42 ORDER BY id", "SELECT id, name FROM stuff WHERE user_id = 7 ORDER BY id"}
					if err == nil && h.texts(h.bare, "SELECT user_id FROM stuff WHERE id = 1") != "7" {
						t.Error("a write that has ended well isn't committed")
					}
					for _, list := range lists {
						h.wantSame(list)
					}
					h.exec(db, "UPDATE stuff SET name = 'after' WHERE id = 2")
					if got := h.texts(h.bare, "SELECT name FROM stuff WHERE id = 2"); got != "after" {
						t.Errorf("a later write isn't committed: %s", got)
					}
					for _, list := range lists {
						h.wantSame(list)
						h.waitForHit(h.db, list)
					}
					h.exec(h.other, "CREATE TABLE later (id INTEGER)")
					h.query(h.db, lists[0])
					h.waitForHit(h.db, lists[0])
				})
			}
		}
	}
}

// TestUnfitArgument: a statement that failed once by its argument is asked for its rows again.
func TestUnfitArgument(t *testing.T) {
	eachKind(t, func(h *house) {
		h.owned()
		const update = "UPDATE stuff SET name = 'rye' WHERE id = ?"
		h.exec(h.other, update, 1)
		h.query(h.db, listOf, 42)
		h.query(h.db, listOf, 7)
		if _, err := h.other.Exec(h.marks(update), "no number"); err == nil {
			t.Fatal("no error")
		}
		h.query(h.db, listOf, 42)
		h.query(h.db, listOf, 7)
		h.exec(h.other, update, 1)
		h.wantCached(h.db, listOf, 42)
		h.wantRead(h.db, OutcomeHit, listOf, 7)
	}, "postgres")
}

// TestSameWithImages: results, errors and what the connection tells of them.
func TestSameWithImages(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			a, b := newHouse(t, k, nil), newHouse(t, k, nil)
			for _, h := range []*house{a, b} {
				serial := map[string]string{"sqlite": "INTEGER PRIMARY KEY", "postgres": "SERIAL PRIMARY KEY", "mysql": "INTEGER AUTO_INCREMENT PRIMARY KEY"}[h.dialect]
				h.prepare([]string{"CREATE TABLE stuff (id " + serial + ", user_id INTEGER NOT NULL, name VARCHAR(100) UNIQUE, price INTEGER DEFAULT 3 CHECK (price > 0))",
					"INSERT INTO stuff (user_id, name) VALUES (42, 'bread'), (42, 'wine'), (7, 'milk')"})
			}
			for range 2 {
				b.query(b.db, listOf, 42)
				b.query(b.db, "SELECT name FROM stuff WHERE id = ?", 1)
				b.query(b.db, "SELECT name FROM stuff WHERE name = ?", "wine")
			}
			state := map[string]string{"sqlite": "SELECT last_insert_rowid(), changes()", "postgres": "SELECT lastval()", "mysql": "SELECT LAST_INSERT_ID()"}[k.dialect]
			schema := map[string]string{"sqlite": "SELECT 'main'", "postgres": "SELECT current_schema()", "mysql": "SELECT database()"}[k.dialect]
			one, two := a.conn(a.bare), b.conn(b.db)
			for _, text := range append([]string{
				"INSERT INTO stuff (user_id, name) VALUES (42, 'rye')",
				"UPDATE stuff SET user_id = 7 WHERE id = 1",
				"UPDATE stuff SET user_id = 7 WHERE id = 1",
				"UPDATE stuff SET user_id = 7 WHERE id = 100",
				"UPDATE stuff SET name = 'milk' WHERE id = 1",
				"UPDATE stuff SET price = -1 WHERE id = 1",
				"UPDATE stuff SET user_id = NULL WHERE id = 1",
				"INSERT INTO stuff (user_id, name) VALUES (42, 'rye')",
				"INSERT INTO stuff (user_id, name) VALUES (NULL, 'x')",
				"INSERT INTO stuff (user_id, name) VALUES (42, 'a'), (42, 'b')",
				"UPDATE stuff SET id = id + 100 WHERE name = 'a'",
				"UPDATE stuff SET name = name || 'x' WHERE user_id = 42 AND price = 3",
				"UPDATE stuff SET nothing = 1 WHERE id = 1",
				"UPDATE stuff SET name = 'y' WHERE nothing = 1",
				"DELETE FROM stuff WHERE id = 2",
				"DELETE FROM stuff WHERE id = 2",
				"DELETE FROM stuff",
			}, more[k.dialect]...) {
				x, y := a.outcome(one, text), b.outcome(two, text)
				if x = strings.ReplaceAll(x, a.texts(a.bare, schema), b.texts(b.bare, schema)); x != y && !(k.name == "mattn" && strings.Contains(text, "RETURNING")) {
					t.Errorf("%s\nbare   %s\ncached %s", text, x, y) // mattn's count is that of the statement before
				}
				if x, y := a.query(one, state), b.query(two, state); x != y {
					t.Errorf("%s: %s\nbare   %s\ncached %s", text, state, x, y)
				}
				for _, args := range []int{42, 7} {
					if x, y := b.query(b.bare, listOf, args), b.query(b.db, listOf, args); x != y {
						t.Errorf("%s: list\nbare   %s\ncached %s", text, x, y)
					}
				}
			}
		})
	}
}

var more = map[string][]string{
	"sqlite": {"INSERT OR IGNORE INTO stuff (user_id, name) VALUES (1, 'z')", "INSERT OR IGNORE INTO stuff (user_id, name) VALUES (1, 'z')",
		"INSERT INTO stuff (user_id, name) VALUES (42, 'q') RETURNING id, name", "UPDATE stuff SET user_id = 7 WHERE name = 'q' RETURNING id, user_id", "UPDATE stuff SET user_id = 42 WHERE name = 'q' RETURNING *", "DELETE FROM stuff WHERE name = 'q' RETURNING id"},
	"postgres": {"INSERT INTO stuff (user_id, name) VALUES (1, 'z') ON CONFLICT DO NOTHING", "INSERT INTO stuff (user_id, name) VALUES (1, 'z') ON CONFLICT DO NOTHING",
		"INSERT INTO stuff (user_id, name) VALUES (42, 'q') RETURNING id, name", "UPDATE stuff SET user_id = 7 WHERE name = 'q' RETURNING id, user_id", "UPDATE stuff SET user_id = 42 WHERE name = 'q' RETURNING *", "DELETE FROM stuff WHERE name = 'q' RETURNING id",
		"SET default_transaction_read_only = on", "UPDATE stuff SET user_id = 7 WHERE id = 1", "INSERT INTO stuff (user_id, name) VALUES (42, 'w')"},
	"mysql": {"INSERT IGNORE INTO stuff (user_id, name) VALUES (1, 'z')", "INSERT IGNORE INTO stuff (user_id, name) VALUES (1, 'z')",
		"INSERT INTO stuff (user_id, name) VALUES (LAST_INSERT_ID(99), 'last')", "UPDATE stuff SET id = LAST_INSERT_ID(id + 1) WHERE name = 'z'",
		"SET SESSION TRANSACTION READ ONLY", "UPDATE stuff SET user_id = 7 WHERE id = 1", "SET SESSION TRANSACTION READ WRITE", "SET sql_mode = ''", "INSERT INTO stuff (user_id, name) VALUES ('42x', 'w')"},
}

// outcome runs a statement by Exec.
func (h *house) outcome(on handle, text string) string {
	var result sql.Result
	result, err := on.ExecContext(h.Context(), text)
	if err != nil {
		return fmt.Sprintf("%T %v", err, err)
	}
	n, err1 := result.RowsAffected()
	id, err2 := result.LastInsertId()
	return fmt.Sprint(n, err1, id, err2)
}
