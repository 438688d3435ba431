package memcached

import (
	"fmt"
	"testing"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
)

// TestStandingHold: what processes hold for as long as they live keeps no other tag from being used that is found missing.
func TestStandingHold(t *testing.T) {
	s, err := Open(Options{Addrs: []string{dbtest.Memcached(t).Addr()}, Namespace: t.Name(), TrustEmpty: true})
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
