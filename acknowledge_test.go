package larder

import (
	"context"
	"database/sql"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// longWay is a store to which releases are on their way until they are let through.
type longWay struct {
	store.Shared
	through atomic.Pointer[chan struct{}] // nil: at once
}

func (s *longWay) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	if through := s.through.Load(); through != nil {
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
					process := func(way *longWay, o Options) (*Cache, *sql.DB) {
						way.Shared = open().(store.Shared)
						o.Store, o.StoreTimeout = way, tooLong
						cache, err := New(&o)
						h.ok(err)
						t.Cleanup(func() { h.ok(cache.Close()) })
						return cache, h.opened(cache.Open(k.driver, h.dsn))
					}
					_, writer := process(way, Options{mutant: mutant})
					writer.SetMaxIdleConns(-1) // a connection that is closed doesn't wait either
					other, reader := process(&longWay{}, Options{})
					const query = "SELECT name FROM stuff WHERE id = 1"
					for range 3 {
						h.texts(writer, query)
						h.texts(reader, query)
					}

					let, began := way.keep(), time.Now()
					h.exec(writer, "UPDATE stuff SET name = 'new' WHERE id = 1")
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
