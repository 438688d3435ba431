package near_test

import (
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/near"
)

// copyOf looks for a copy alone, and wants a value; none for no copy that is valid.
func copyOf(t *testing.T, s *near.Store, key, want string) (held, is bool) {
	t.Helper()
	v, is, err := s.LookupCopy(t.Context(), key)
	ok(t, err)
	got := ""
	if v.Entry != nil {
		got = string(v.Entry.Value.(store.Bytes))
	}
	if got != want {
		t.Fatalf("the copy of %q has %q, want %q", key, got, want)
	}
	return v.Held, is
}

// TestLookupCopy: a copy is judged by one look at its tags, and dropped if it is old; where there is none nothing is asked.
func TestLookupCopy(t *testing.T) {
	open := processes(t, dbtest.Redis(t), 10*time.Second)
	other := open(near.Options{})
	far := &counted{Shared: open(near.Options{}).Far()}
	s := near.New(far, near.Options{})
	asks := func(calls int, key, want string) (held bool) {
		t.Helper()
		*far = counted{Shared: far.Shared}
		held, is := copyOf(t, s, key, want)
		if far.calls != calls || far.entries != 0 || is != (calls > 0) {
			t.Errorf("%q: asked %d times, %d for entries, a copy: %v; want %d", key, far.calls, far.entries, is, calls)
		}
		return held
	}
	asks(0, "k", "")
	fill(t, s, "k", "first")
	asks(1, "k", "first")

	write(t, other, 1)
	asks(1, "k", "")
	asks(0, "k", "") // it was dropped

	fill(t, s, "k", "second")
	ok(t, other.Hold(t.Context(), 2, tags[1:], 0, nil))
	if held := asks(1, "k", ""); !held {
		t.Error("the copy of a tag that is held was not said to be")
	}
	ok(t, other.Release(t.Context(), 2, tags[1:]))

	fill(t, s, "k", "third")
	write(t, s, 3)
	asks(0, "k", "") // this process knows of its own write
	fill(t, s, "k", "fourth")
	asks(1, "k", "fourth")
}

// TestLookupCopyOfStoreAway: a copy isn't served if the store can't be asked.
func TestLookupCopyOfStoreAway(t *testing.T) {
	server := dbtest.NewRedis(t)
	s := processes(t, server, 300*time.Millisecond)(near.Options{})
	fill(t, s, "k", "value")
	ok(t, server.Kill())
	if v, is, err := s.LookupCopy(t.Context(), "k"); !is || err == nil || v.Entry != nil {
		t.Errorf("the copy gave %+v, %v, %v", v, is, err)
	}
}
