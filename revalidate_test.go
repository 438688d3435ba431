package larder

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A refreshed value is one that process 1 of a pair remembers while it is revalidated, and process 0 changes.
type refreshed struct {
	*pair
	foreground, background loads
	hold                   chan struct{} // loads in the background wait for it
}

func newRefreshed(t *testing.T, name string, bound time.Duration) *refreshed {
	r := &refreshed{pair: newPair(t, name, kinds[0], func(o *Options) { o.Bounded = bound }), hold: make(chan struct{})}
	for range 2 { // the second proves the value, and what it was read from
		if got := r.get(); got != "[bread]" {
			t.Fatal(got)
		}
	}
	return r
}

// get is a call for the value. Loads in the background are those whose context never ends.
func (r *refreshed) get() string {
	v, err := Remember(r.Context(), r.caches[1], "names", func(ctx context.Context) ([]string, error) {
		n := &r.foreground
		if ctx.Done() == nil {
			n = &r.background
			<-r.hold
		}
		return r.namesOf(r.dbs[1], n, 42)(ctx)
	}, &ValueOptions[[]string]{StaleWhileRevalidate: true})
	if err != nil {
		r.Error(err)
	}
	return fmt.Sprint(v)
}

func (r *refreshed) write(to string) {
	r.exec(r.dbs[0], "UPDATE stuff SET name = '"+to+"' WHERE id = 1")
}

// TestStaleWhileRevalidate: who keeps asking for a value never waits for its load, which is run in the background, once for a change, and whose
// reads are of what the database has now, though results of them would still be served as they were.
func TestStaleWhileRevalidate(t *testing.T) {
	for _, name := range []string{"redis", "memcached"} {
		t.Run(name, func(t *testing.T) {
			const bound = 2 * time.Second
			r := newRefreshed(t, name, bound)
			close(r.hold)
			time.Sleep(bound / 4)
			if _, err := r.namesOf(r.dbs[1], &loads{}, 42)(t.Context()); err != nil { // proved later than the value: served longer
				t.Fatal(err)
			}
			before := r.foreground.n.Load()
			r.write("butter")
			written := time.Now()
			for got := ""; got != "[butter]"; time.Sleep(time.Millisecond) {
				began := time.Now()
				if got = r.get(); got == "[bread]" && began.Sub(written) > bound {
					t.Fatalf("a call that began %v after a write was acknowledged got what was before it", began.Sub(written))
				}
			}
			for until := time.Now().Add(bound + bound/4); time.Now().Before(until); time.Sleep(time.Millisecond) {
				if got := r.get(); got != "[butter]" {
					t.Fatalf("then came %s", got)
				}
			}
			if f, b := r.foreground.n.Load()-before, r.background.n.Load(); f != 0 || b != 1 {
				t.Errorf("%d loads were waited for, and %d were not; want 0 and 1", f, b)
			}

			if _, err := r.dbs[1].Exec("UPDATE stuff SET name = 'cheese' WHERE id = 1"); err != nil {
				t.Fatal(err)
			}
			if got := r.get(); got != "[cheese]" {
				t.Errorf("after a write of this process: %s", got)
			}
		})
	}
}

// tooOld has callers ask for a value whose load in the background doesn't end, after a write, and reports how many got the value of before
// it though they began longer than allowed after it was acknowledged, and how many waited until the load ended.
func (r *refreshed) tooOld(allowed, until time.Duration) (old, waited int64) {
	var oldOnes, waiting atomic.Int64
	r.write("butter")
	written := time.Now()
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for time.Since(written) < until {
				began := time.Since(written)
				switch got := r.get(); {
				case got == "[bread]" && began > allowed:
					oldOnes.Add(1)
				case got == "[butter]" && began < until && time.Since(written) >= until:
					waiting.Add(1)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	time.Sleep(until)
	close(r.hold)
	callers.Wait()
	return oldOnes.Load(), waiting.Load()
}

// TestStaleWhileRevalidateNoLonger: what is made anew in the background for longer than Bounded allows is waited for. That this would be seen
// otherwise is shown by a cache that is allowed three times as much.
func TestStaleWhileRevalidateNoLonger(t *testing.T) {
	const allowed = time.Second
	r := newRefreshed(t, "redis", allowed)
	if old, waited := r.tooOld(allowed, 2*allowed); old != 0 || waited != 4 || r.background.n.Load() != 1 {
		t.Errorf("%d calls got a value that was too old, %d of 4 waited for the new one, which was made %d times in the background", old, waited, r.background.n.Load())
	}
	r = newRefreshed(t, "redis", 3*allowed)
	if old, _ := r.tooOld(allowed, 2*allowed); old == 0 {
		t.Error("what is too old isn't seen")
	}
}
