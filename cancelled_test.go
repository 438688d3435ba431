package larder

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/larderdb/larder/coherence"
)

// TestCancelledBeforeSent: the context of a write ends, and its connection with it, while the cache asks what it must know of a new connection. It was never sent,
// so nothing is held.
func TestCancelledBeforeSent(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		const update = "UPDATE stuff SET name = 'rye' WHERE id = 1"
		h.wantCached(h.db, names)
		for asked := 1; ; asked++ {
			if sent := h.cancelled(update, asked); sent {
				if asked < 3 {
					t.Error("the write was the first that was asked")
				}
				return
			}
			h.wantRead(h.db, coherence.Hit, names)
			if n := h.cache.Stats().Abandoned; n > 0 {
				t.Fatalf("after %d questions: %d writes are said to be of unknown outcome", asked, n)
			}
		}
	}, "postgres", "mysql")
}

// cancelled runs a write on a new connection whose context ends at the statement of a number, and reports whether that is the write.
func (h *house) cancelled(text string, number int) (sent bool) {
	c, g := h.gatedConnector()
	db := sql.OpenDB(c)
	defer db.Close()
	ctx, cancel := context.WithCancel(h.Context())
	defer cancel()
	at := g.at(h, "before *")
	ended := make(chan error, 1)
	go func() { _, err := db.ExecContext(ctx, text); ended <- err }()
	for range number - 1 {
		at.wait()
		next := g.at(h, "before *")
		at.go_()
		at = next
	}
	at.wait()
	texts := g.took()
	if strings.HasPrefix(texts[len(texts)-1], "UPDATE") {
		at.go_()
		h.ok(<-ended)
		return true
	}
	at.severing = true
	cancel()
	at.go_()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		h.Errorf("at %q: %v", texts[len(texts)-1], err)
	}
	for _, passed := range g.took() {
		if strings.HasPrefix(passed, "UPDATE") {
			h.Errorf("it was sent when its context had ended at %q", texts[len(texts)-1])
		}
	}
	return false
}

// TestUnsentInTransaction: what isn't sent, because its context ends while the cache asks whether a transaction is open, changes nothing of that, of what it has
// written, or for receivers: the COMMIT that comes then tells all.
func TestUnsentInTransaction(t *testing.T) {
	for _, unsent := range []string{"COMMIT", "CREATE TABLE another (id INTEGER)", "UPDATE stuff SET name = 'oats' WHERE id = 2"} {
		eachKind(t, func(h *house) {
			h.prepare(base)
			e := h.listen("stuff")
			db, g := h.gated()
			conn := h.conn(db)
			h.exec(conn, "UPDATE stuff SET name = name WHERE id = 2")
			if _, err := conn.ExecContext(h.Context(), "BEGIN; UPDATE stuff SET name = 'rye' WHERE id = 1; SELECT nosuch"); err == nil {
				t.Fatal("no error: nothing is in doubt")
			}
			h.query(h.db, names)
			e.took()
			h.unsent(conn, g, unsent)
			h.query(h.db, names)
			if told := e.took(); len(told) > 0 {
				t.Errorf("%s, which wasn't sent, was told: %v", unsent, told)
			}
			_, err := conn.ExecContext(h.Context(), "COMMIT")
			h.ok(err)
			if got, want := h.texts(h.db, names), h.texts(h.bare, names); got != want || !strings.Contains(want, "rye") {
				t.Errorf("%s: cached %s, bare %s", unsent, got, want)
			}
			if len(e.took()) == 0 {
				t.Errorf("%s: nobody was told of the COMMIT", unsent)
			}
		}, "mysql")
	}
}

// unsent runs a text whose context ends at the first question that comes before it.
func (h *house) unsent(conn *sql.Conn, g *gate, text string) {
	h.Helper()
	ctx, cancel := context.WithCancel(h.Context())
	defer cancel()
	g.took()
	at := g.at(h, "before *")
	ended := make(chan error, 1)
	go func() { _, err := conn.ExecContext(ctx, text); ended <- err }()
	at.wait()
	cancel()
	at.go_()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		h.Error(err)
	}
	for _, passed := range g.took() {
		if passed == text {
			h.Errorf("%s was sent", text)
		}
	}
}
