package larder

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// A fading store is memory in which a hold that lapses just disappears, as store.Store allows, so that what a tag had before is found again unless
// the hold has brought a new token. It can leave out the steps that a store takes with tokens and holds.
type fading struct {
	*memory.Store
	mutant coherence.Mutant

	mu    sync.Mutex
	holds map[store.HoldID]int // how often each was given a lease
}

func newFading() *fading {
	return &fading{Store: memory.New(8 << 20), holds: make(map[store.HoldID]int)}
}

// Mutate has it leave out a step.
func (s *fading) Mutate(m coherence.Mutant) { s.mutant = m }

func (s *fading) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	if s.mutant != coherence.HoldsFirst {
		return s.Store.Lookup(ctx, key, tags)
	}
	before, err := s.Store.Lookup(ctx, "", tags)
	if err != nil {
		return before, err
	}
	wait(10 * time.Millisecond)
	v, err := s.Store.Lookup(ctx, key, tags)
	v.Held = before.Held
	return v, err
}

func (s *fading) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	s.Store.Pause(id, tags)
	if s.mutant != coherence.NoTokenAtHold {
		if err := s.Store.Release(ctx, store.HoldID(rand.Uint64()), tags); err != nil {
			return err
		}
	}
	s.lease(id, tags, lease)
	if look == nil {
		return nil
	}
	return s.Store.Hold(ctx, id, nil, 0, look)
}

func (s *fading) Renew(_ context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	s.mu.Lock()
	_, there := s.holds[id]
	s.mu.Unlock()
	if !there {
		return store.ErrLapsed
	}
	s.lease(id, tags, lease)
	return nil
}

func (s *fading) lease(id store.HoldID, tags []store.Tag, lease time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds[id]++
	if n := s.holds[id]; lease > 0 {
		time.AfterFunc(lease, func() { s.fade(id, tags, n) })
	}
}

// fade ends a hold, if it wasn't given another lease.
func (s *fading) fade(id store.HoldID, tags []store.Tag, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holds[id] == n {
		s.Store.Resume(id, tags)
		delete(s.holds, id)
	}
}

func (s *fading) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	s.mu.Lock()
	delete(s.holds, id)
	s.mu.Unlock()
	return s.Store.Release(ctx, id, tags)
}

// TestVerifyFindsHoldSteps: without a step by which holds and tokens go together a hit is found to be wrong, where holds lapse after writes whose
// answers were lost; with all of them none is.
func TestVerifyFindsHoldSteps(t *testing.T) {
	for _, m := range []coherence.Mutant{coherence.NoTokenAtHold, coherence.HoldsFirst, coherence.NoMutant} {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			l := newStoreLab(t, kinds[2], m, &window{read: time.Millisecond, write: 6 * time.Millisecond}, 1, newFading())
			l.active = 6
			start, most := time.Now(), 2*time.Minute
			if m == coherence.NoMutant {
				most = 6 * time.Second
			}
			l.lose(most)
			s := l.cache.Stats()
			t.Logf("%d of %d wrong after %v, %d unsure, %d writes, %d abandoned", s.Wrong, s.Verified, time.Since(start).Round(time.Millisecond), s.Unsure, s.Writes, s.Abandoned)
			if (s.Wrong > 0) != (m != coherence.NoMutant) || m == coherence.NoMutant && (s.Verified < 10 || s.Abandoned == 0) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// lose has clients read all registers, and write each in turns of an answered write, one whose answer is lost, and quiet for as long as a
// hold lasts, until a hit was wrong or the time is over.
func (l *lab) lose(most time.Duration) {
	ctx, stop := context.WithTimeout(l.Context(), most)
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	for i := range l.active {
		all.Go(func() { l.writeAndLose(ctx, l.handles[0], i) })
		all.Go(func() {
			for ctx.Err() == nil {
				if _, err := l.read(ctx, l.handles[1], i); err != nil && ctx.Err() == nil {
					l.Error(err)
				}
				if l.cache.Stats().Wrong > 0 {
					stop()
				}
			}
		})
	}
}

func (l *lab) writeAndLose(ctx context.Context, db *sql.DB, i int) {
	text := l.places(fmt.Sprintf("UPDATE reg_%d SET v = ? WHERE k = 0", i))
	for n := 1; ctx.Err() == nil; n++ {
		if _, err := db.ExecContext(ctx, text, 2*n); err != nil && ctx.Err() == nil {
			l.Error(err)
		}
		time.Sleep(rand.N(10 * time.Millisecond))
		_, _ = db.ExecContext(ctx, text+unanswered, 2*n+1)
		time.Sleep(1200 * time.Millisecond)
	}
}
