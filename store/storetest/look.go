package storetest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/larderdb/larder/store"
)

func (s *suite) holdAndLook(id store.HoldID, tags []store.Tag, look ...store.Tag) []store.Sight {
	s.Helper()
	l := store.Look{Tags: look}
	if err := s.Store.Hold(s.Context(), id, tags, 0, &l); err != nil {
		s.Fatalf("hold of %q: %v", tags, err)
	}
	if len(l.Seen) != len(look) {
		s.Fatalf("%d sights of %d tags", len(l.Seen), len(look))
	}
	return l.Seen
}

func looked(s *suite) {
	other := s.token("other*")
	s.join(true, "r*", s.token("r*"), "x")
	s.join(true, "r*", s.token("r*"), "y")
	seen := s.holdAndLook(1, []store.Tag{"r?", "r*", "r{a=1}"}, "r*", "other*", "nobody's*")
	if got := slices.Sorted(slices.Values(seen[0].Members)); !slices.Equal(got, []string{"x", "y"}) || seen[0].Token != s.token("r*") {
		s.Fatalf("saw %+v, want x and y under %d, the token of this hold", seen[0], s.token("r*"))
	}
	if seen[1].Token != other || len(seen[1].Members) > 0 || len(seen[2].Members) > 0 {
		s.Fatalf("saw %+v of tags without members, one of them %d", seen[1:], other)
	}
	s.held(true, "r?", "r{a=1}")
	s.held(false, "other*")
	s.release(1, "r?", "r*", "r{a=1}")
	if seen := s.holdAndLook(2, nil, "other*"); seen[0].Token != other {
		s.Fatalf("saw %+v without a hold", seen)
	}
}

// lookedWhileJoined: of a writer that holds r? and then looks at r*, and a reader who joins r* and
// then looks at r?, one sees the other.
func lookedWhileJoined(s *suite) {
	for i := range 50 {
		r := fmt.Sprint("r", i)
		any, wide := store.Tag(r+"?"), store.Tag(r+"*")
		token := s.token(wide)
		var seen []store.Sight
		var view store.View
		var wg sync.WaitGroup
		wg.Go(func() { seen = s.holdAndLook(store.HoldID(i+1), []store.Tag{any}, wide) })
		wg.Go(func() {
			s.join(true, wide, token, "shape")
			view = s.look("", any)
		})
		wg.Wait()
		if !view.Held && !slices.Contains(seen[0].Members, "shape") {
			s.Fatalf("round %d: neither the writer saw the member nor the reader the hold", i)
		}
	}
}

func (s *suite) holders(tag store.Tag) []store.HoldID {
	s.Helper()
	ids, err := s.Store.Holders(s.Context(), tag)
	if err != nil {
		s.Fatalf("holders of %q: %v", tag, err)
	}
	return ids
}

func holders(s *suite) {
	if ids := s.holders("a"); len(ids) > 0 {
		s.Fatalf("holders %v of a tag that nobody has seen", ids)
	}
	s.hold(1, 0, "a")
	s.hold(2, s.Lease, "a", "b")
	s.hold(3, 0, "b")
	if ids := s.holders("a"); !slices.Contains(ids, 1) || !slices.Contains(ids, 2) || slices.Contains(ids, 3) || slices.Contains(ids, 0) {
		s.Fatalf("holders %v, want 1 and 2", ids)
	}
	s.release(1, "a")
	if ids := s.holders("a"); slices.Contains(ids, 1) || !slices.Contains(ids, 2) {
		s.Fatalf("holders %v after the release, want 2", ids)
	}
	s.Sleep(s.Lease + s.Lease/2)
	s.look("", "a")
	s.Sleep(s.Lease + s.Lease/2)
	if ids := s.holders("a"); len(ids) > 0 {
		s.Fatalf("holders %v after the lease", ids)
	}
}

func claims(s *suite) {
	shared, ok := s.Store.(store.Shared)
	if !ok {
		return // what one process has needs no claims
	}
	claim := func(want bool, key string) {
		s.Helper()
		if is, err := shared.Claim(s.Context(), key, time.Hour); err != nil || is != want {
			s.Fatalf("claim of %q: %v %v, want %v", key, is, err, want)
		}
	}
	claim(true, "k")
	claim(false, "k")
	claim(true, "l")
	if err := shared.Unclaim(s.Context(), "k"); err != nil {
		s.Fatal(err)
	}
	claim(true, "k")
	if is, err := shared.Claim(s.Context(), "short", time.Second); err != nil || !is {
		s.Fatalf("claim: %v %v", is, err)
	}
	time.Sleep(2500 * time.Millisecond) // the server's own time
	claim(true, "short")
	if shared.Lease() <= 0 {
		s.Fatal("a shared store without a lease")
	}
}
