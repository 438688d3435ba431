package larder

import (
	"context"
	"testing"
)

// TestAutocommitOff: with autocommit=0 every statement is in a transaction: what it
// writes is announced by COMMIT, whether that was set by the DSN or by SET.
func TestAutocommitOff(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		manual := h.opened(h.cache.Open(h.driver, h.dsn+"&autocommit=0"))
		conn, err := manual.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		set, err := h.db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		h.exec(set, "SET autocommit = 0")
		const list = "SELECT id, user_id, name, price FROM stuff WHERE user_id = ? ORDER BY id"
		h.query(h.other, h.marks(list), 42)
		for _, c := range []handle{conn, set} {
			h.exec(c, "UPDATE stuff SET price = price + 1")
			h.wantRead(h.other, OutcomeHit, list, 42)
			h.exec(c, "COMMIT")
			h.wantRead(h.other, OutcomeMiss, list, 42)
			h.wantRead(h.other, OutcomeHit, list, 42)
			h.exec(c, "UPDATE stuff SET price = price + 1")
			h.exec(c, "CREATE TABLE IF NOT EXISTS other (id int)") // commits
			h.wantRead(h.other, OutcomeMiss, list, 42)
			h.wantRead(h.other, OutcomeHit, list, 42)
		}
	}, "mysql")
}
