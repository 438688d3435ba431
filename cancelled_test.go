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
