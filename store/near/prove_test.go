package near_test

import (
	"context"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/near"
)

// proves proves a copy, and compares whether there is a valid one.
func proves(t *testing.T, s *near.Store, key string, want bool) {
	t.Helper()
	got, err := s.Prove(t.Context(), key)
	ok(t, err)
	if got != want {
		t.Fatalf("%q is valid: %v, want %v", key, got, want)
	}
}

// TestDue: a copy is due once, when half of the time has passed for which it is served without asking; one that isn't served so never is.
func TestDue(t *testing.T) {
	const bound = 400 * time.Millisecond
	s := processes(t, dbtest.Redis(t), 10*time.Second)(near.Options{Bounded: bound})
	due := func() bool { return s.Due(t.Context(), "k") }
	if due() {
		t.Error("what isn't there is due")
	}
	fill(t, s, "k", "first")
	if due() {
		t.Error("a copy that was never found valid is due")
	}
	began := time.Now()
	has(t, s, "k", "first")
	if is := due(); is && time.Since(began) < bound/2 {
		t.Error("it is due at once")
	}
	time.Sleep(bound/2 + time.Millisecond)
	began = time.Now()
	first, second := due(), due()
	if time.Since(began) < bound/2 && (!first || second) {
		t.Errorf("after half of the time it is due: %v, and again: %v", first, second)
	}
	write(t, s, 1)
	time.Sleep(bound/2 + time.Millisecond)
	if due() {
		t.Error("what this process has changed is due")
	}
}

// TestProve: a copy that is proved is served for as long again, one that has changed not a moment longer, and what another
// process has filled in its place is served without asking.
func TestProve(t *testing.T) {
	const bound = 2 * time.Second
	open := processes(t, dbtest.Redis(t), 10*time.Second)
	other := open(near.Options{})
	far := &counted{Shared: open(near.Options{}).Far()}
	s := near.New(far, near.Options{Bounded: bound})
	fill(t, s, "k", "first")
	proves(t, s, "k", true) // though it was never looked for
	proves(t, s, "k", true)
	asks := func(want string, calls int) {
		t.Helper()
		far.calls = 0
		if has(t, s, "k", want); far.calls != calls {
			t.Errorf("%q: the store was asked %d times, want %d", want, far.calls, calls)
		}
	}
	proved := time.Now() // or shortly before
	asks("first", 0)
	write(t, other, 1)
	proves(t, s, "k", false)
	if asks("first", 0); time.Since(proved) > bound {
		t.Skip("the machine is too slow for this")
	}
	has(t, under{s, store.Anew}, "k", "") // what is made of it would be old
	fill(t, other, "k", "second")
	proves(t, s, "k", true)
	asks("second", 0)

	write(t, other, 2)
	for proved = time.Now(); time.Since(proved) < bound; time.Sleep(bound / 8) {
		proves(t, s, "k", false) // which is no reason to serve it any longer
	}
	asks("", 2)
}

// An under store is asked under other contexts.
type under struct {
	*near.Store
	as func(context.Context) context.Context
}

func (u under) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	return u.Store.Lookup(u.as(ctx), key, tags)
}

// TestProveBesideOwnWrite: what this process has changed isn't proved.
func TestProveBesideOwnWrite(t *testing.T) {
	s := processes(t, dbtest.Redis(t), 10*time.Second)(near.Options{Bounded: time.Hour})
	fill(t, s, "k", "first")
	proves(t, s, "k", true)
	write(t, s, 1)
	proves(t, s, "k", false)
	has(t, s, "k", "")
}
