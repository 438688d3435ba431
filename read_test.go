package larder

import "testing"

func (h *house) stuff() {
	h.Helper()
	h.exec(h.bare, "CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name VARCHAR(100), price DOUBLE PRECISION)")
	h.exec(h.bare, "INSERT INTO stuff VALUES (1, 42, 'bread', 1.5), (2, 42, NULL, 2.5), (3, 7, 'milk', 0)")
}

// TestRepeatedRead: the second read of a statement is a hit, on each handle of the
// cache, and a write through any of them is seen by all.
func TestRepeatedRead(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		const list = "SELECT id, user_id, name, price FROM stuff WHERE user_id = ? ORDER BY id"
		h.wantRead(h.db, OutcomeMiss, list, 42)
		h.wantRead(h.db, OutcomeHit, list, 42)
		h.wantRead(h.db, OutcomeMiss, list, 7)
		h.wantRead(h.db, OutcomeMiss, list, 8)
		h.wantRead(h.db, OutcomeHit, list, 8)
		h.wantRead(h.other, OutcomeHit, list, 42)
		h.exec(h.other, "UPDATE stuff SET name = ? WHERE id = ?", "cheese", 2)
		h.wantRead(h.db, OutcomeMiss, list, 42)
		h.wantRead(h.db, OutcomeHit, list, 42)
		h.exec(h.db, "DELETE FROM stuff")
		h.wantRead(h.db, OutcomeMiss, list, 42)
		h.wantRead(h.db, OutcomeHit, list, 42)
	})
}
