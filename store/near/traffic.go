package near

import (
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

// A Traffic is how the far store was asked since the near one was made.
type Traffic struct {
	Calls   int64         // of the far store: each a round trip to each server that it concerns
	Errors  int64         // of these, those that weren't answered in time, or were refused
	Skipped int64         // calls that weren't made, as the store had just kept one waiting
	Time    time.Duration // that the calls took, added up
	Away    time.Time     // since when the store is left alone for that; zero while it is asked
}

// Mean is what a call took on average; 0 if there was none.
func (t Traffic) Mean() time.Duration {
	if t.Calls == 0 {
		return 0
	}
	return t.Time / time.Duration(t.Calls)
}

// A meter counts the calls. It is asked at round trips only.
type meter struct {
	calls, errors, skipped, nanos atomic.Int64
}

func (m *meter) note(failed bool, took time.Duration) {
	m.calls.Add(1)
	m.nanos.Add(int64(took))
	if failed {
		m.errors.Add(1)
	}
}

// Traffic tells how the far store was asked. It asks nothing itself.
func (s *Store) Traffic() Traffic {
	return Traffic{
		Calls: s.meter.calls.Load(), Errors: s.meter.errors.Load(), Skipped: s.meter.skipped.Load(),
		Time: time.Duration(s.meter.nanos.Load()), Away: s.away.began(),
	}
}

// Servers is what the far store's servers say of themselves: it asks each of them. While the store is left alone it
// is zero.
func (s *Store) Servers() store.Stats {
	if !s.away.began().IsZero() {
		return store.Stats{}
	}
	return s.far.Stats()
}
