package dash

import (
	"sync/atomic"
	"time"

	"github.com/larderdb/larder"
)

// serversEvery is after how many samples the servers of a store that processes share are asked again what they keep, while somebody looks.
const serversEvery = 10

// servers is what the servers of a store have said last.
type servers struct {
	said   atomic.Pointer[larder.ServerStats] // nil: they weren't asked, or there are none
	asking atomic.Bool
}

// askServers asks the servers beside, unless they are being asked still.
func (s *servers) askServers(cache *larder.Cache) {
	if !s.asking.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer s.asking.Store(false)
		if said, shared := cache.Servers(); shared {
			s.said.Store(&said)
		}
	}()
}

// A sharedView is how a store that processes share is asked, for the page.
type sharedView struct {
	Calls   int64   `json:"calls"`
	Errors  int64   `json:"errors"`
	Skipped int64   `json:"skipped"` // calls that weren't made
	Mean    float64 `json:"us"`      // microseconds that a call takes
	Away    float64 `json:"away"`    // for how many seconds it is left alone; 0 while it answers

	// What its servers say, whoever uses them; 0 where they don't.
	Items     int   `json:"items"`
	Bytes     int64 `json:"bytes"`
	MaxBytes  int64 `json:"maxBytes"`
	Evictions int64 `json:"evictions"`
}

// sharedView is nil without such a store.
func (s *servers) sharedView(t larder.Traffic) *sharedView {
	said := s.said.Load()
	if said == nil && t == (larder.Traffic{}) {
		return nil
	}
	v := &sharedView{Calls: t.Calls, Errors: t.Errors, Skipped: t.Skipped, Mean: micros(t.Mean())}
	if !t.Away.IsZero() {
		v.Away = time.Since(t.Away).Seconds()
	}
	if said != nil {
		v.Items, v.Bytes, v.MaxBytes, v.Evictions = said.Entries, said.Bytes, said.MaxBytes, said.Evictions
	}
	return v
}
