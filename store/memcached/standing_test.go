package memcached

import (
	"fmt"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
)

// TestStandingHold: what processes hold for as long as they live keeps no other tag from being used that is found missing.
func TestStandingHold(t *testing.T) {
	s, err := Open(Options{Addrs: []string{dbtest.Memcached(t).Addr()}, Namespace: t.Name(), TrustEmpty: true, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Hold(t.Context(), 1, []store.Tag{"db#facts"}, 0, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		v, err := s.Lookup(t.Context(), "", []store.Tag{store.Tag(fmt.Sprint("tag", i))})
		if err != nil {
			t.Fatal(err)
		}
		if v.Held {
			t.Fatalf("tag %d counts as held", i)
		}
	}
}

// TestStandingHoldsApart: who waits for the holders of a standing tag doesn't wait for those of another one.
func TestStandingHoldsApart(t *testing.T) {
	s, err := Open(Options{Addrs: []string{dbtest.Memcached(t).Addr()}, Namespace: t.Name(), TrustEmpty: true, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	one, other := []store.Tag{"one#facts"}, []store.Tag{"other#facts"}
	for id, tags := range map[store.HoldID][]store.Tag{1: one, 2: other} {
		if err := s.Hold(t.Context(), id, tags, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	holders := func(tag store.Tag) int {
		ids, err := s.Holders(t.Context(), tag)
		if err != nil {
			t.Fatal(err)
		}
		return len(ids)
	}
	if holders(one[0]) == 0 || holders(other[0]) == 0 {
		t.Fatal("nobody holds: this test tests nothing")
	}
	if err := s.Release(t.Context(), 1, one); err != nil {
		t.Fatal(err)
	}
	if n := holders(one[0]); n != 0 {
		t.Errorf("%d holders of one, after its release", n)
	}
	if holders(other[0]) == 0 {
		t.Error("no holder of the other")
	}
}
