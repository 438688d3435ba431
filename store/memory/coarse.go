package memory

import (
	"time"
	"weak"
)

// To ask what time it is takes as long as the rest of a hit. So entries that live long expire by a clock that is set once a second
// while there are entries, and up to two seconds early, so that none lives longer than it may though the clock is set late: but if
// it is late by more than a second, because the process stands still.
const (
	tick    = time.Second
	longTTL = 10 * time.Minute // from which on an entry lives long
)

// expiresIn sets when the item expires.
func (it *item) expiresIn(ttl time.Duration, s *Store) {
	if it.coarse = s.ticks && ttl >= longTTL; it.coarse {
		ttl -= 2 * tick
	}
	it.expires = expiry(s.now(), ttl)
}

func (it *item) expired(s *Store) bool {
	if it.coarse {
		return time.Duration(s.shown.Load()) >= it.expires
	}
	return s.now() >= it.expires
}

// tickLocked has the coarse clock go while there are entries. It doesn't keep the store. One that has stopped, as it does that was
// started in a bubble of testing/synctest which has ended, is started again.
func (s *Store) tickLocked() {
	now := s.now()
	if !s.ticks || s.ticking != 0 && now-time.Duration(s.shown.Load()) < 5*tick {
		return
	}
	s.started++
	s.ticking = s.started
	s.shown.Store(int64(now))
	tickLater(weak.Make(s), s.started)
}

func tickLater(of weak.Pointer[Store], number uint64) {
	time.AfterFunc(tick, func() {
		if s := of.Value(); s != nil && s.tick(number) {
			tickLater(of, number)
		}
	})
}

// tick reports whether that clock is to go on.
func (s *Store) tick(number uint64) bool {
	s.entries.mu.Lock()
	defer s.entries.mu.Unlock()
	if s.ticking != number {
		return false
	}
	s.shown.Store(int64(s.now()))
	if s.entries.count == 0 {
		s.ticking = 0
	}
	return s.ticking != 0
}
