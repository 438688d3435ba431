package coherence_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// inBubble runs f where goroutines can be waited for until all of them block.
func inBubble(t *testing.T, f func(t *testing.T, d *coherence.Domain, tags []store.Tag)) {
	synctest.Test(t, func(t *testing.T) {
		d := coherence.NewDomain(memory.New(1<<20), "db", coherence.Options{})
		f(t, d, []store.Tag{d.Tag("stuff?")})
	})
}

func TestOneFlightForAKey(t *testing.T) {
	inBubble(t, func(t *testing.T, d *coherence.Domain, tags []store.Tag) {
		owner := d.Lookup(bg, "k", tags, true)
		var hits atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if r := d.Lookup(bg, "k", tags, true); r.Outcome == coherence.Hit && r.Value == 1 {
					hits.Add(1)
				}
			})
		}
		synctest.Wait()
		if hits.Load() != 0 {
			t.Fatal("a joiner didn't wait")
		}
		owner.Fill(bg, 1, 8, 0)
		owner.Done()
		owner.Done()
		wg.Wait()
		if hits.Load() != 50 {
			t.Fatalf("%d of 50 joiners had a hit", hits.Load())
		}
	})
}

func TestFlightThatFillsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, d *coherence.Domain, tags []store.Tag) {
		owner := d.Lookup(bg, "k", tags, true)
		var alone atomic.Int64
		leave := make(chan struct{})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				r := d.Lookup(bg, "k", tags, true)
				if r.Outcome == coherence.Miss {
					alone.Add(1)
				}
				<-leave // nobody may wait for this read
				r.Done()
			})
		}
		synctest.Wait()
		func() { // the owner panics
			defer func() { _ = recover() }()
			defer owner.Done()
			panic("the driver's")
		}()
		synctest.Wait()
		if alone.Load() != 10 {
			t.Fatalf("%d of 10 joiners read by themselves", alone.Load())
		}
		close(leave)
		wg.Wait()
	})
}

func TestWriteOvertakesFlight(t *testing.T) {
	inBubble(t, func(t *testing.T, d *coherence.Domain, tags []store.Tag) {
		owner := d.Lookup(bg, "k", tags, true)
		done := make(chan coherence.Read)
		go func() { done <- d.Lookup(bg, "k", tags, true) }()
		synctest.Wait()
		h := hold(t, d, tags...)
		ok(t, h.Release(bg))
		owner.Fill(bg, "old", 8, 0)
		owner.Done()
		r := <-done
		if r.Outcome != coherence.Miss {
			t.Fatalf("joiner of an overtaken flight: %v %v", r.Outcome, r.Value)
		}
		if !r.Fill(bg, "new", 8, 0) {
			t.Fatal("the joiner could not fill")
		}
		want(t, d, "k", tags, "x", "new", coherence.Hit)
	})
}

func TestNobodyWaitsUnderHold(t *testing.T) {
	inBubble(t, func(t *testing.T, d *coherence.Domain, tags []store.Tag) {
		h := hold(t, d, tags...)
		first := d.Lookup(bg, "k", tags, true)
		second := d.Lookup(bg, "k", tags, true)
		if first.Outcome != coherence.Held || second.Outcome != coherence.Held {
			t.Fatalf("%v, %v under hold", first.Outcome, second.Outcome)
		}
		ok(t, h.Release(bg))
		if first.Fill(bg, 1, 8, 0) {
			t.Fatal("a read that was held has filled")
		}
	})
}

func TestNoJoin(t *testing.T) {
	inBubble(t, func(t *testing.T, d *coherence.Domain, tags []store.Tag) {
		owner := d.Lookup(bg, "k", tags, true)
		defer owner.Done()
		if r := d.Lookup(bg, "k", tags, false); r.Outcome != coherence.Miss || !r.Fill(bg, 1, 8, 0) {
			t.Fatalf("a reader that may not join: %v", r.Outcome)
		}
	})
}

func TestContextEndsWhileWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T, d *coherence.Domain, tags []store.Tag) {
		owner := d.Lookup(bg, "k", tags, true)
		defer owner.Done()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		r := d.Lookup(ctx, "k", tags, true)
		if ctx.Err() == nil || r.Outcome != coherence.Miss || r.Fill(bg, 1, 8, 0) {
			t.Fatalf("%v after the context has ended", r.Outcome)
		}
		r.Done()
	})
}

// A slowStore lets a flight land between a reader's look and its boarding.
type slowStore struct {
	store.Store
	after func()
}

func (s *slowStore) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	v, err := s.Store.Lookup(ctx, key, tags)
	if f := s.after; f != nil {
		s.after = nil
		f()
	}
	return v, err
}

func TestFlightLandsBetweenLookAndBoarding(t *testing.T) {
	s := &slowStore{Store: memory.New(1 << 20)}
	d := coherence.NewDomain(s, "db", coherence.Options{})
	tags := []store.Tag{d.Tag("stuff?")}
	s.after = func() { want(t, d, "k", tags, 1, 1, coherence.Miss) }
	want(t, d, "k", tags, 2, 1, coherence.Hit)
	s.after = func() {
		want(t, d, "m", tags, 3, 3, coherence.Miss)
		ok(t, d.Announce(bg, tags))
	}
	want(t, d, "m", tags, 4, 4, coherence.Miss)
	want(t, d, "m", tags, 5, 4, coherence.Hit)
}

// TestStorePanicsInFlight: nobody is left waiting.
func TestStorePanicsInFlight(t *testing.T) {
	s := &slowStore{Store: memory.New(1 << 20)}
	d := coherence.NewDomain(s, "db", coherence.Options{})
	tags := []store.Tag{d.Tag("stuff?")}
	s.after = func() {
		want(t, d, "k", tags, 1, 1, coherence.Miss)
		ok(t, d.Announce(bg, tags))
		s.after = func() { panic("the store's") }
	}
	func() {
		defer func() { _ = recover() }()
		d.Lookup(bg, "k", tags, true)
		t.Error("no panic: this test tests nothing")
	}()
	want(t, d, "k", tags, 1, 1, coherence.Miss)
}

func TestFlightsEndUnderConcurrency(t *testing.T) {
	d := newDomain(t)
	tags := []store.Tag{d.Tag("stuff?")}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 500 {
				key := strconv.Itoa(i % 20)
				if w == 0 && i%5 == 0 {
					ok(t, d.Announce(bg, tags))
				}
				r := d.Lookup(bg, key, tags, true)
				if r.Outcome == coherence.Miss && i%3 == 0 {
					r.Fill(bg, i, 8, 0)
				}
				r.Done()
			}
		})
	}
	wg.Wait()
}

func TestHitAllocatesNothing(t *testing.T) {
	d := newDomain(t)
	tags := []store.Tag{d.Tag("a"), d.Tag("b"), d.Tag("c")}
	load(d, "k", tags, 1)
	n := testing.AllocsPerRun(1000, func() {
		if r := d.Lookup(bg, "k", tags, true); r.Outcome != coherence.Hit {
			t.Fatal(r.Outcome)
		}
	})
	if n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}

func TestKeyMayBeUsedAgain(t *testing.T) {
	d := newDomain(t)
	tags := []store.Tag{d.Tag("a")}
	for _, join := range []bool{true, false} {
		buf := []byte("key-one" + strconv.FormatBool(join))
		want := string(buf)
		r := d.Lookup(bg, unsafeString(buf), tags, join)
		copy(buf, "key-two")
		r.Fill(bg, 1, 8, 0)
		r.Done()
		if r := d.Lookup(bg, want, tags, join); r.Outcome != coherence.Hit {
			t.Errorf("join %v: %v", join, r.Outcome)
		}
		if r := d.Lookup(bg, unsafeString(buf), tags, false); r.Outcome != coherence.Miss {
			t.Errorf("join %v: other key: %v", join, r.Outcome)
		}
	}
}

// TestPatience: who waits for another's flight waits no longer than the domain has patience.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := coherence.NewDomain(memory.New(1<<20), "db", coherence.Options{Patience: time.Second})
		tags, began := []store.Tag{d.Tag("stuff?")}, time.Now()
		owner := d.Lookup(bg, "k", tags, true)
		defer owner.Done()
		r := d.Lookup(bg, "k", tags, true)
		if r.Outcome != coherence.Miss || time.Since(began) != time.Second {
			t.Errorf("%v after %v", r.Outcome, time.Since(began))
		}
		if !r.Fill(bg, 1, 8, 0) {
			t.Error("what it reads by itself isn't kept")
		}
	})
}

// ownFill is a store whose Fill does something else than that of the store which it wraps.
type ownFill struct{ *memory.Store }

func (ownFill) Fill(context.Context, string, *store.Entry, time.Duration) error { return nil }

// TestFillOfAWrapper: a store that wraps one of this process is told what is filled.
func TestFillOfAWrapper(t *testing.T) {
	d := coherence.NewDomain(ownFill{memory.New(1 << 20)}, "db", coherence.Options{})
	tags := []store.Tag{d.Tag("stuff?")}
	want(t, d, "k", tags, 1, 1, coherence.Miss)
	want(t, d, "k", tags, 2, 2, coherence.Miss)
}

// TestPanicOfWhoHears: a panic of who hears that a recording was read under too late leaves nobody waiting.
func TestPanicOfWhoHears(t *testing.T) {
	d := coherence.NewDomain(memory.New(1<<20), "db", coherence.Options{})
	ctx, rec := coherence.Record(bg)
	rec.Seal(func() { panic("late") })
	func() {
		defer func() {
			if recover() == nil {
				t.Error("nobody heard of it")
			}
		}()
		d.Lookup(ctx, "k", []coherence.Tag{d.Tag("a")}, true)
	}()
	within, cancel := context.WithTimeout(bg, 10*time.Second)
	defer cancel()
	if r := d.Lookup(within, "k", []coherence.Tag{d.Tag("a")}, true); r.Joined || r.Outcome != coherence.Miss {
		t.Fatalf("%+v: it waited for a flight that never lands", r)
	}
}

// TestTrailPinsNothing: what was kept and has gone isn't kept in memory by who remembers that it was.
func TestTrailPinsNothing(t *testing.T) {
	const size = 50 << 10
	d := coherence.NewDomain(memory.New(1<<20), "db", coherence.Options{})
	trail := coherence.NewTrail()
	var gone atomic.Int64
	for i := range 200 {
		r := d.Lookup(bg, strconv.Itoa(i), []coherence.Tag{d.Tag("a")}, true)
		value := make([]byte, size)
		runtime.AddCleanup(&value[0], func(int) { gone.Add(1) }, 0)
		r.Fill(bg, value, size, 0)
		trail.Kept(&r, time.Hour)
		r.Done()
	}
	for until := time.Now().Add(10 * time.Second); gone.Load() < 150; runtime.GC() {
		if time.Now().After(until) {
			t.Fatalf("of 200 results, of which 20 are kept, %d have left memory", gone.Load())
		}
	}
	runtime.KeepAlive(trail)
}
