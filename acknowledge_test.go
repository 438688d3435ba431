package larder

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// longWay is a store to which releases of writes are on their way until they are let through.
type longWay struct {
	store.Shared
	through atomic.Pointer[chan struct{}] // nil: at once
}

func (s *longWay) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	ofSchema := slices.ContainsFunc(tags, func(tag store.Tag) bool { return strings.HasSuffix(string(tag), "#facts") })
	if through := s.through.Load(); through != nil && !ofSchema {
		select {
		case <-*through:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.Shared.Release(ctx, id, tags)
}

// keep keeps releases on their way, until it is let go.
func (s *longWay) keep() (let func()) {
	through := make(chan struct{})
	s.through.Store(&through)
	return func() { s.through.Store(nil); close(through) }
}

// tooLong is how long a write takes that waits for what doesn't arrive.
const tooLong = 5 * time.Second

// TestAcknowledgedBeforeReleased: a write isn't kept waiting by its release, and as long as that is on its way nobody reads what
// is older. Without the hold somebody does.
func TestAcknowledgedBeforeReleased(t *testing.T) {
	for _, k := range kinds {
		for name, openOne := range sharedStores {
			for _, mutant := range []coherence.Mutant{coherence.NoMutant, coherence.NoHold} {
				t.Run(k.name+"/"+name+"/"+mutant.String(), func(t *testing.T) {
					h := &house{TB: t, kind: k, dsn: k.open(t)}
					h.bare = h.opened(sql.Open(k.driver, h.dsn))
					h.prepareOn(base)
					open, way := openOne(t), &longWay{}
					_, writer := h.process(open, way, Options{mutant: mutant})
					writer.SetMaxIdleConns(-1) // a connection that is closed doesn't wait either
					other, reader := h.process(open, &longWay{}, Options{})
					const query = "SELECT name FROM stuff WHERE id = 1"
					for range 3 {
						h.texts(writer, query)
						h.texts(reader, query)
					}

					let, began := way.keep(), time.Now()
					h.execOnly(writer, "UPDATE stuff SET name = 'new' WHERE id = 1")
					if took := time.Since(began); took >= tooLong {
						t.Errorf("the write took %v: it has waited for its release", took)
					}
					got := h.texts(reader, query)
					let()
					if mutant != coherence.NoMutant {
						if got == "new" {
							t.Error("another process reads what is new though nothing was held: this test sees nothing")
						}
						return
					}
					if got != "new" {
						t.Errorf("another process reads %q before the release", got)
					}
					if got := h.texts(writer, query); got != "new" {
						t.Errorf("the process that has written reads %q", got)
					}
					hits := other.Stats().Hits
					for end := time.Now().Add(10 * time.Second); other.Stats().Hits == hits && time.Now().Before(end); {
						if got := h.texts(reader, query); got != "new" {
							t.Fatalf("another process reads %q", got)
						}
					}
					if other.Stats().Hits == hits {
						t.Errorf("what was written isn't kept again: %+v", other.Stats())
					}
				})
			}
		}
	}
}

// process is a cache and a handle as another process has them.
func (h *house) process(open func() store.Store, way *longWay, o Options) (*Cache, *sql.DB) {
	h.Helper()
	way.Shared = open().(store.Shared)
	o.Store, o.StoreTimeout = way, tooLong
	cache, err := New(&o)
	h.ok(err)
	h.Cleanup(func() { h.ok(cache.Close()) })
	return cache, h.opened(cache.Open(h.driver, h.dsn))
}

// execOnly runs a write, and waits for nothing besides.
func (h *house) execOnly(on handle, query string) {
	h.Helper()
	_, err := on.ExecContext(h.Context(), query)
	h.ok(err)
}

// TestCloseWaitsForReleases: who closes his handle or cache, and ends, leaves nothing held.
func TestCloseWaitsForReleases(t *testing.T) {
	for name, end := range map[string]func(*Cache, *sql.DB) error{
		"handle": func(_ *Cache, db *sql.DB) error { return db.Close() },
		"cache":  func(c *Cache, _ *sql.DB) error { return c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			k := kinds[0]
			h := &house{TB: t, kind: k, dsn: k.open(t)}
			h.bare = h.opened(sql.Open(k.driver, h.dsn))
			h.prepareOn(base)
			open, way := sharedStores["redis"](t), &longWay{}
			cache, writer := h.process(open, way, Options{})
			other, reader := h.process(open, &longWay{}, Options{})
			h.exec(writer, "UPDATE stuff SET name = 'known' WHERE id = 1")
			h.texts(reader, names) // opens the handle

			let := way.keep()
			h.execOnly(writer, "UPDATE stuff SET name = 'new' WHERE id = 1")
			time.AfterFunc(50*time.Millisecond, let)
			h.ok(end(cache, writer))
			before := other.Stats().Held
			if got := h.texts(reader, "SELECT name FROM stuff WHERE id = 1"); got != "new" {
				t.Errorf("another process reads %q", got)
			}
			if other.Stats().Held > before {
				t.Error("what was written is held still")
			}
		})
	}
}
