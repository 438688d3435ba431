package storetest

import (
	"errors"
	"time"

	"github.com/larderdb/larder/store"
)

func holdShows(s *suite) {
	s.fill("k", 1, "a", "b")
	before := s.token("a")
	s.hold(1, 0, "a")
	s.held(true, "a")
	s.held(true, "b", "a")
	s.held(false, "b")
	during := s.newToken("a", before)
	s.miss("k", "a", "b")
	s.fillUnder("k", 2, []store.Tag{"a"}, []store.Token{during}) // as nobody should
	s.miss("k", "a")
	s.release(1, "a")
	s.miss("k", "a")
}

func releaseShows(s *suite) {
	s.hold(1, 0, "a")
	during := s.token("a")
	s.release(1, "a")
	s.held(false, "a")
	s.newToken("a", during)
	s.fill("k", 1, "a")
	s.hit("k", 1, "a")
}

func releaseAlone(s *suite) {
	s.fill("k", 1, "a")
	before := s.token("a")
	s.release(1, "a", "never seen")
	s.newToken("a", before)
	s.held(false, "a", "never seen")
	s.miss("k", "a")
}

func releaseTwice(s *suite) {
	s.hold(1, 0, "a")
	s.hold(2, 0, "a")
	s.release(1, "a")
	s.release(1, "a")
	s.held(true, "a")
	s.release(2, "a")
	s.held(false, "a")
}

func tagTwice(s *suite) {
	s.hold(1, 0, "a", "a", "b")
	s.release(1, "a", "b", "a")
	s.held(false, "a", "b")
}

func severalHolds(s *suite) {
	tokens := map[store.Token]bool{s.token("a"): true}
	for id := store.HoldID(1); id <= 3; id++ {
		s.hold(id, 0, "a")
		tokens[s.token("a")] = true
	}
	for _, id := range []store.HoldID{2, 1, 3} {
		s.held(true, "a")
		s.release(id, "a")
		tokens[s.token("a")] = true
	}
	s.held(false, "a")
	if len(tokens) != 7 {
		s.Fatalf("%d tokens in 3 holds and 3 releases, want 7 with the first", len(tokens))
	}
}

func noLease(s *suite) {
	s.hold(1, 0, "a")
	s.Sleep(3 * s.Lease)
	s.held(true, "a")
	if err := s.Store.Renew(s.Context(), 1, []store.Tag{"a"}, s.Lease); err != nil {
		s.Fatal(err)
	}
	s.held(true, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.held(false, "a")
}

func lapse(s *suite) {
	s.hold(1, s.Lease, "a")
	s.held(true, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.held(false, "a")
	s.fill("k", 1, "a")
	s.hit("k", 1, "a")
	s.release(1, "a") // late
	s.miss("k", "a")
	s.held(false, "a")
}

// lapseTokens: what was filled before a hold is not valid after its lapse.
func lapseTokens(s *suite) {
	s.fill("k", 1, "a")
	s.fill("l", 1, "a", "b")
	s.hold(1, s.Lease, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.miss("k")
	s.miss("l", "b")
	s.miss("k", "a")
	s.held(false, "a")
}

func renewed(s *suite) {
	s.hold(1, s.Lease, "a", "b")
	for turn, last := 0, time.Now(); turn < 6; turn++ {
		s.Sleep(s.Lease / 4)
		err, late := s.Store.Renew(s.Context(), 1, []store.Tag{"a", "b"}, s.Lease), time.Since(last) >= s.Lease
		switch {
		case err == nil:
			last = time.Now()
		case late && errors.Is(err, store.ErrLapsed): // the machine was too busy for the test
			s.release(1, "a", "b")
			s.hold(1, s.Lease, "a", "b")
			turn, last = -1, time.Now()
		default:
			s.Fatal(err)
		}
	}
	s.held(true, "a")
	s.held(true, "b")
	s.Sleep(s.Lease + s.Lease/4)
	s.held(false, "a", "b")
}

func renewLapsed(s *suite) {
	s.hold(1, s.Lease, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.renewFails(1, "a")
	s.held(false, "a")
}

func renewUnknown(s *suite) {
	s.renewFails(1, "a")
	s.hold(1, 0, "a")
	s.renewFails(2, "a")
	s.release(1, "a")
	s.renewFails(1, "a")
	s.held(false, "a")
}

func (s *suite) renewFails(id store.HoldID, tags ...store.Tag) {
	s.Helper()
	err := s.Store.Renew(s.Context(), id, tags, s.Lease)
	if !errors.Is(err, store.ErrLapsed) {
		s.Fatalf("renew: %v, want ErrLapsed", err)
	}
}

func lapseOne(s *suite) {
	s.hold(1, s.Lease, "a")
	s.hold(2, 0, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.held(true, "a")
	s.release(2, "a")
	s.held(false, "a")
}
