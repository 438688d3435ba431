package memcached

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

// The upkeep renews holds, and shows the servers from time to time that somebody
// asks them. It begins with the first step and ends with Close.
type upkeep struct {
	begun atomic.Bool

	mu      sync.Mutex // held while it works
	timer   *time.Timer
	stopped bool
}

const idleServer = lifeTTL * time.Second / 4

func (u *upkeep) start(s *Store) {
	if u.begun.Load() || !u.begun.CompareAndSwap(false, true) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.stopped {
		u.timer = time.AfterFunc(s.interval(), func() { u.work(s) })
	}
}

// interval leaves a hold two more tries before it lapses.
func (s *Store) interval() time.Duration { return min(s.o.Lease/3, idleServer) }

func (u *upkeep) work(s *Store) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stopped {
		return
	}
	for _, h := range s.holds.lively() {
		s.keep(h)
	}
	for _, srv := range s.servers {
		if srv.life.Load() != nil {
			_ = s.run(context.Background(), []*batch{{srv: srv}}) // who needs the server will see
		}
	}
	s.watch.sweep()
	u.timer.Reset(s.interval())
}

// keep renews a hold. If a mark was lost it is made again, for what it is worth, and
// the hold is known to be broken.
func (s *Store) keep(h *hold) {
	h.busy.Lock()
	defer h.busy.Unlock()
	h.mu.Lock()
	tags, still := h.tags[:len(h.tags):len(h.tags)], h.lease == 0 && !h.ended
	h.mu.Unlock()
	if !still {
		return
	}
	ctx := context.Background()
	if err := s.renew(ctx, h.id, tags, 0); !errors.Is(err, store.ErrLapsed) {
		return // if it failed there are two more tries
	}
	h.mu.Lock()
	h.broken = true
	h.mu.Unlock()
	_ = s.mark(ctx, h.id, tags, 0, nil)
}

func (u *upkeep) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stopped = true
	if u.timer != nil {
		u.timer.Stop()
	}
}
