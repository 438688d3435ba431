package larder

import (
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

// TestPanicBesideWrite: the driver panics where the transaction of a write's own begins or ends.
func TestPanicBesideWrite(t *testing.T) {
	for _, k := range kinds {
		for _, point := range []string{"before BEGIN", "after BEGIN", "before UPDATE stuff SET name = 'inside' WHERE id = 1", "after UPDATE stuff SET name = 'inside' WHERE id = 1", "before COMMIT", "after COMMIT"} {
			t.Run(k.name+"/"+point, func(t *testing.T) {
				h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16, Lease: 100 * time.Millisecond})
				h.owned()
				c := h.gatedSession()
				c.run("UPDATE stuff SET name = 'first' WHERE id = 1")
				s := c.g.at(h, point)
				s.panics = true
				s.go_()
				if !panics(func() { c.run("UPDATE stuff SET name = 'inside' WHERE id = 1") }) {
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
