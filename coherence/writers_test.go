package coherence_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

func held(t testing.TB, d *coherence.Domain, tag store.Tag, want bool) {
	t.Helper()
	if _, got, err := d.Observe(bg, []store.Tag{tag}); err != nil || got != want {
		t.Fatalf("held %v, %v; want %v", got, err, want)
	}
}

func TestSchemaChangeWithoutWriters(t *testing.T) {
	d := newDomain(t)
	own := d.BeginWrite()
	h := hold(t, d, d.Tag("all"))
	ok(t, h.ReleaseAfterWriters(bg, own))
	held(t, d, d.Tag("all"), false)
	own.End()
	own.End()
	h = hold(t, d, d.Tag("all"))
	ok(t, h.ReleaseAfterWriters(bg, nil))
	held(t, d, d.Tag("all"), false)
}

func TestSchemaChangeWaitsForEarlierWriters(t *testing.T) {
	d := newDomain(t)
	tag := d.Tag("all")
	first, second := d.BeginWrite(), d.BeginWrite()
	own := d.BeginWrite()
	h := hold(t, d, tag)
	ctx, cancel := context.WithCancel(bg)
	ok(t, h.ReleaseAfterWriters(ctx, own))
	cancel()
	ok(t, h.Release(bg)) // is no longer the caller's to release
	own.End()
	later := d.BeginWrite()
	held(t, d, tag, true)
	second.End()
	held(t, d, tag, true)
	second.End() // has ended already
	held(t, d, tag, true)
	first.End()
	held(t, d, tag, false)
	later.End()
}

func TestTwoSchemaChangesAtOnce(t *testing.T) {
	d := newDomain(t)
	one, two := d.BeginWrite(), d.BeginWrite()
	h1, h2 := hold(t, d, d.Tag("1")), hold(t, d, d.Tag("2"))
	ok(t, h1.ReleaseAfterWriters(bg, one))
	held(t, d, d.Tag("1"), true) // for two
	ok(t, h2.ReleaseAfterWriters(bg, two))
	held(t, d, d.Tag("1"), false) // two itself changes the schema: it waits for nobody
	held(t, d, d.Tag("2"), true)  // for one, which hasn't ended
	one.End()
	held(t, d, d.Tag("2"), false)
	two.End()
}

func TestSchemaChangesAreReleasedInOrder(t *testing.T) {
	d := newDomain(t)
	old := d.BeginWrite()
	h1 := hold(t, d, d.Tag("1"))
	ok(t, h1.ReleaseAfterWriters(bg, nil))
	younger := d.BeginWrite()
	h2 := hold(t, d, d.Tag("2"))
	ok(t, h2.ReleaseAfterWriters(bg, nil))
	younger.End()
	held(t, d, d.Tag("2"), true) // old had begun before it as well
	old.End()
	held(t, d, d.Tag("1"), false)
	held(t, d, d.Tag("2"), false)
}

func TestSchemaChangeWhoseReleaseFails(t *testing.T) {
	d, now := newDomainAt(t, coherence.Options{Lease: time.Second})
	s := &releaseFails{d.Store(), true}
	d = coherence.NewDomain(s, "db", coherence.Options{Lease: time.Second})
	w := d.BeginWrite()
	h := hold(t, d, d.Tag("all"))
	ok(t, h.ReleaseAfterWriters(bg, nil))
	w.End()
	held(t, d, d.Tag("all"), true)
	*now += time.Second
	held(t, d, d.Tag("all"), false)
	h = hold(t, d, d.Tag("all"))
	if h.ReleaseAfterWriters(bg, nil) == nil {
		t.Fatal("the store's failure was not told")
	}
}

func TestSchemaChangeOfUnknownOutcome(t *testing.T) {
	d, now := newDomainAt(t, coherence.Options{Lease: time.Second})
	w := d.BeginWrite()
	h := hold(t, d, d.Tag("all"))
	h.AbandonAfterWriters(nil)
	*now += time.Hour
	held(t, d, d.Tag("all"), true)
	w.End()
	*now += time.Second - 1
	held(t, d, d.Tag("all"), true)
	*now++
	held(t, d, d.Tag("all"), false)
}

// TestSchemaChangeAfterLostWrite: a write of unknown outcome may become visible
// after it has ended, where it wasn't told that it would.
func TestSchemaChangeAfterLostWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := memory.NewWithClock(1<<20, func() time.Duration { return time.Since(start) })
		d := coherence.NewDomain(s, "db", coherence.Options{Lease: time.Second})
		w := d.BeginWrite()
		lost := hold(t, d, d.Tag("told"))
		h := hold(t, d, d.Tag("all"))
		ok(t, h.ReleaseAfterWriters(bg, nil))
		lost.Abandon()
		w.End()
		time.Sleep(time.Second - time.Nanosecond)
		held(t, d, d.Tag("all"), true)
		time.Sleep(time.Nanosecond)
		held(t, d, d.Tag("all"), false)
		h = hold(t, d, d.Tag("all"))
		ok(t, h.ReleaseAfterWriters(bg, nil))
		held(t, d, d.Tag("all"), false)
	})
}

// TestWritersUnderConcurrency: while a change of the schema is not released, the
// facts that a write was told by may be old; once it is, no write is left that
// was told by old facts.
func TestWritersUnderConcurrency(t *testing.T) {
	d := newDomain(t)
	tag := d.Tag("all")
	var schema atomic.Int64
	var released [2000]atomic.Bool
	var oldest [8]atomic.Int64 // the schema that a write in flight was told by, +1
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range oldest {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				w := d.BeginWrite()
				told := schema.Load()
				oldest[i].Store(told + 1)
				if told < int64(len(released)) && released[told].Load() {
					t.Errorf("a write is told by schema %d, after the next one was released", told)
				}
				oldest[i].Store(0)
				w.End()
			}
		})
	}
	for i := range released {
		own := d.BeginWrite()
		h := hold(t, d, tag)
		schema.Add(1)
		ok(t, h.ReleaseAfterWriters(bg, own))
		if _, isHeld, _ := d.Observe(bg, []store.Tag{tag}); !isHeld {
			for w := range oldest {
				if told := oldest[w].Load(); told != 0 && told-1 <= int64(i) {
					// It may have begun after the release, but then it was told by the new schema.
					t.Errorf("released schema %d while a write was told by %d", i+1, told-1)
				}
			}
			released[i].Store(true)
		}
		own.End()
	}
	close(stop)
	wg.Wait()
	held(t, d, tag, false)
}

func BenchmarkBeginWrite(b *testing.B) {
	d := newDomain(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w := d.BeginWrite()
			w.End()
		}
	})
}
