package larder

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

var failing = []string{
	"CREATE TABLE things (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT NOT NULL UNIQUE ON CONFLICT FAIL)",
	"INSERT INTO things VALUES (1, 2, 'a'), (2, 2, 'b'), (3, 2, 'c')",
}

// TestConflictFail: what SQLite keeps of a statement that fails by a constraint's FAIL is kept through the cache, too, and told.
func TestConflictFail(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(failing)
		for range 4 {
			h.query(h.db, "SELECT id, name FROM things WHERE user_id = 2")
		}
		ear := h.listen("things")
		if _, err := h.db.Exec("UPDATE things SET name = 'same' WHERE id > 0"); err == nil {
			h.Fatal("nothing failed")
		}
		if got := h.query(h.bare, "SELECT name FROM things ORDER BY id"); !strings.Contains(got, "same") {
			h.Errorf("the first row was rolled back: %s", got)
		}
		if got, want := h.query(h.db, "SELECT id, name FROM things WHERE user_id = 2"), h.query(h.bare, "SELECT id, name FROM things WHERE user_id = 2"); got != want {
			h.Errorf("the cache has\n%s, the database\n%s", got, want)
		}
		if got := ear.took(); len(got) != 1 || !got[0].Perhaps {
			h.Errorf("told %+v", got)
		}
	}, "sqlite")
}

// TestSignalsAfterErrors: nothing is told of what PostgreSQL has rolled back because a read had failed, and all of what was
// written after a ROLLBACK TO that stands among others in a text.
func TestSignalsAfterErrors(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		ear := h.listen("*")
		conn := h.conn(h.db)
		h.exec(conn, "BEGIN")
		h.exec(conn, "UPDATE stuff SET name = 'phantom' WHERE id = 1")
		h.query(conn, "SELECT x FROM nowhere")
		_, _ = conn.ExecContext(h.Context(), "COMMIT")
		if got := ear.took(); len(got) != 0 {
			h.Errorf("told %+v, which was rolled back", got)
		}
		h.exec(conn, "BEGIN")
		h.exec(conn, "SAVEPOINT a")
		h.query(conn, "UPDATE nowhere SET x = 1")
		if _, err := conn.ExecContext(h.Context(), "ROLLBACK TO SAVEPOINT a; RELEASE SAVEPOINT a"); err != nil {
			h.Log("several statements: ", err)
			h.exec(conn, "ROLLBACK TO SAVEPOINT a")
		}
		h.exec(conn, "UPDATE users SET name = 'e' WHERE id = 42")
		h.exec(conn, "COMMIT")
		if got := ear.took(); len(got) == 0 {
			h.Error("nothing is told of what was committed")
		}
	}, "postgres")
}

// TestNoValuesInTheLog: rows that don't fit into a receiver's struct are logged without their values.
func TestNoValuesInTheLog(t *testing.T) {
	var log bytes.Buffer
	h := newHouse(t, kinds[0], &Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	h.prepare(things)
	stop := OnRow(h.cache, "things", func(context.Context, *struct{ Note int }, *struct{ Note int }) {})
	h.exec(h.db, "UPDATE things SET note = 'topsecret' WHERE id = 2")
	h.idle()
	stop()
	if text := log.String(); !strings.Contains(text, "decoded") || strings.Contains(text, "topsecret") || strings.Contains(text, "red\\\"") {
		t.Errorf("logged %s", text)
	}
}

// TestReceiversThatStopEachOther come to an end.
func TestReceiversThatStopEachOther(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.prepare(things)
	var stop [2]func()
	in, gone := make(chan int, 2), make(chan int, 2)
	for i := range 2 {
		stop[i] = h.cache.OnChange("things", func(context.Context, Change) {
			in <- i
			for len(in) < 2 {
				time.Sleep(time.Millisecond)
			}
			stop[1-i]()
			gone <- i
		})
	}
	h.exec(h.db, "UPDATE things SET price = 9 WHERE id = 1")
	for range 2 {
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			t.Fatal("they wait for each other")
		}
	}
}
