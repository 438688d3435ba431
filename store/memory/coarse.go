package memory

import (
	"time"
	"weak"
)

// To ask what time it is takes as long as the rest of a hit. So entries that live long expire by a clock that is set once a second
// while there are entries, and up to a second early, so that none lives longer than it may: but for as long as the
// process itself stands still.
const (
	tick    = time.Second
	longTTL = time.Minute // from which on an entry lives long
)

// expiresIn sets when the item expires.
func (it *item) expiresIn(ttl time.Duration, s *Store) {
	if it.coarse = s.ticks && ttl >= longTTL; it.coarse {
		ttl -= tick
	}
	it.expires = expiry(s.now(), ttl)
}

func (it *item) expired(s *Store) bool {
	if it.coarse {
		return time.Duration(s.shown.Load()) >= it.expires
	}
	return s.now() >= it.expires
}

// tickLocked has the coarse clock go while there are entries. It doesn't keep the store.
func (s *Store) tickLocked() {
	if !s.ticks || s.ticking {
		return
	}
	s.ticking = true
	s.shown.Store(int64(s.now()))
	tickLater(weak.Make(s))
}

func tickLater(of weak.Pointer[Store]) {
	time.AfterFunc(tick, func() {
		if s := of.Value(); s != nil && s.tick() {
			tickLater(of)
		}
	})
}

func (s *Store) tick() bool {
	s.entries.mu.Lock()
	defer s.entries.mu.Unlock()
	s.shown.Store(int64(s.now()))
	s.ticking = s.entries.count > 0
	return s.ticking
}
