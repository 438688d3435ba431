package memory

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/larderdb/larder/store"
)

func filled(t *testing.T, s *Store, ttl time.Duration) {
	t.Helper()
	if err := s.Fill(t.Context(), "k", &store.Entry{Value: 1, Tags: []store.Tag{}, Tokens: []store.Token{}}, ttl); err != nil {
		t.Fatal(err)
	}
}

func found(t *testing.T, s *Store) bool {
	t.Helper()
	v, err := s.Lookup(t.Context(), "k", nil)
	if err != nil {
		t.Fatal(err)
	}
	return v.Entry != nil
}

// TestTTL: an entry is found until its TTL has passed, or a little less if that is long, and never after it.
func TestTTL(t *testing.T) {
	for _, ttl := range []time.Duration{time.Millisecond, time.Second, longTTL - 1, longTTL, longTTL + tick/2, time.Minute, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := New(0)
			defer s.Close()
			filled(t, s, time.Hour) // so that the clock goes already
			time.Sleep(tick * 2 / 3)
			filled(t, s, ttl)
			early := time.Duration(0)
			if ttl >= longTTL {
				early = 2 * tick
			}
			step := ttl/1000 + 1
			for age := time.Duration(0); age < ttl+3*tick; age += step {
				switch is := found(t, s); {
				case is && age >= ttl:
					t.Fatalf("TTL %v: found after %v", ttl, age)
				case !is && age < ttl-early:
					t.Fatalf("TTL %v: gone after %v", ttl, age)
				}
				if age > ttl {
					step = max(step, tick/10)
				}
				time.Sleep(step)
			}
		})
	}
}

// TestClockStops: the clock goes while there are entries, and keeps no store.
func TestClockStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(0)
		goes := func() bool {
			s.entries.mu.Lock()
			defer s.entries.mu.Unlock()
			return s.ticking != 0
		}
		for range 3 {
			filled(t, s, time.Hour)
			time.Sleep(10 * tick)
			if !goes() {
				t.Fatal("the clock stands still over an entry")
			}
			if err := s.Remove(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(tick)
			synctest.Wait()
			if goes() {
				t.Fatal("the clock goes for nothing")
			}
		}
	})
	s := New(0)
	synctest.Test(t, func(t *testing.T) { filled(t, s, time.Hour) }) // its timers end with it
	started := s.started
	s.shown.Store(int64(s.now() - 6*tick))
	if filled(t, s, time.Hour); s.started != started+1 {
		t.Error("a clock that has stopped isn't started again")
	}
	w := weak.Make(s)
	s = nil
	for range 100 {
		if runtime.GC(); w.Value() == nil {
			return
		}
	}
	t.Error("the store isn't collected")
}
