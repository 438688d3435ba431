package larder

import (
	"context"

	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// A restless store is memory in which shapes go out of use again and again, so that they come into use as often, and in which it takes
// a while until a hold or a member is there. It keeps the members of tags itself, so that it can leave out the steps that a store takes with them.
type restless struct {
	*memory.Store
	mutant coherence.Mutant
	slow   time.Duration

	mu      sync.Mutex // held over each step that gives tokens or changes members
	members map[store.Tag][]string
}

func newRestless() *restless {
	return &restless{Store: memory.New(8 << 20), slow: 3 * time.Millisecond, members: make(map[store.Tag][]string)}
}

// Mutate has it leave out a step.
func (s *restless) Mutate(m coherence.Mutant) { s.mutant = m }

func (s *restless) membersLocked(ctx context.Context, tag store.Tag) ([]string, store.Token, error) {
	v, err := s.Store.Lookup(ctx, "", []store.Tag{tag})
	if err != nil {
		return nil, 0, err
	}
	return slices.Clone(s.members[tag]), v.Tokens[0], nil
}

func (s *restless) Members(ctx context.Context, tag store.Tag) ([]string, store.Token, error) {
	s.mu.Lock()
	members, token, err := s.membersLocked(ctx, tag)
	s.mu.Unlock()
	wait(s.slow)
	return members, token, err
}

func (s *restless) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	wait(s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Store.Hold(ctx, id, tags, lease, nil); err != nil || look == nil {
		return err
	}
	look.Seen = make([]store.Sight, len(look.Tags))
	for i, tag := range look.Tags {
		members, token, err := s.membersLocked(ctx, tag)
		if err != nil {
			return err
		}
		look.Seen[i] = store.Sight{Token: token, Members: members}
	}
	return nil
}

func (s *restless) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Release(ctx, id, tags)
}

func (s *restless) Join(ctx context.Context, tag store.Tag, token store.Token, member string) (bool, error) {
	wait(3 * s.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	members, now, err := s.membersLocked(ctx, tag)
	if err != nil || now != token && s.mutant != coherence.JoinWithoutToken {
		return false, err
	}
	if !slices.Contains(members, member) {
		s.members[tag] = append(members, member)
	}
	return true, nil
}

func (s *restless) Part(ctx context.Context, tag store.Tag, member string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.members[tag], member)
	if at < 0 {
		return nil
	}
	s.members[tag] = slices.Delete(slices.Clone(s.members[tag]), at, at+1)
	if s.mutant == coherence.PartKeepsToken {
		return nil
	}
	return s.Store.Release(ctx, store.HoldID(rand.Uint64()), []store.Tag{tag})
}

// stir puts all shapes out of use, as a domain does that needs room for others, from time to time until ctx ends.
func (s *restless) stir(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(2*time.Millisecond + rand.N(30*time.Millisecond))
		s.mu.Lock()
		var all []store.Tag
		var names []string
		for tag, members := range s.members {
			for _, m := range members {
				all, names = append(all, tag), append(names, m)
			}
		}
		s.mu.Unlock()
		for i, tag := range all {
			_ = s.Part(ctx, tag, names[i]) // memory doesn't fail
		}
	}
}

// runRestless runs clients on a restless store until enough reports true of the cache's figures, for so long at most.
func runRestless(t *testing.T, m coherence.Mutant, most time.Duration, enough func(Stats) bool) Stats {
	s := newRestless()
	l := newStoreLab(t, sqlite3, m, &window{read: 3 * time.Millisecond, write: 6 * time.Millisecond}, 1, s)
	l.cards, l.active = true, 4
	ctx, stop := context.WithCancel(context.Background())
	var stirring sync.WaitGroup
	stirring.Go(func() { s.stir(ctx) })
	defer stirring.Wait()
	defer stop()
	for start := time.Now(); time.Since(start) < most && !enough(l.cache.Stats()); {
		l.run(6, 100*time.Millisecond)
	}
	return l.cache.Stats()
}

// TestVerifyFindsShapeSteps: without a step by which shapes come into use, or go, a hit is found to be wrong, where shapes do so all the
// time; with all of them none is.
func TestVerifyFindsShapeSteps(t *testing.T) {
	for _, m := range []coherence.Mutant{coherence.MembersBeforeHold, coherence.RememberedShapes, coherence.ShapeAfterRead, coherence.ShapeUnderHold, coherence.AnyMembers,
		coherence.JoinWithoutToken, coherence.PartKeepsToken} {
		t.Run(m.String(), func(t *testing.T) {
			start := time.Now()
			s := runRestless(t, m, untilSeen, func(s Stats) bool { return s.Wrong > 0 })
			t.Logf("%d of %d wrong after %v", s.Wrong, s.Verified, time.Since(start).Round(time.Millisecond))
			if s.Wrong == 0 {
				t.Errorf("no hit was found to be wrong: %+v", s)
			}
		})
	}
	t.Run(coherence.NoMutant.String(), func(t *testing.T) {
		s := runRestless(t, coherence.NoMutant, time.Minute, func(s Stats) bool { return s.Verified > 2000 || s.Wrong > 0 })
		t.Logf("%d of %d wrong, %d writes", s.Wrong, s.Verified, s.Writes)
		if s.Wrong > 0 || s.Verified < 500 || s.Writes == 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestVerifyFindsNoFence: a process that reads from a store which doesn't know of its writes finds that its hits are wrong; one that doesn't has
// none that are.
func TestVerifyFindsNoFence(t *testing.T) {
	for _, m := range []coherence.Mutant{coherence.NoFence, coherence.NoMutant} {
		t.Run(m.String(), func(t *testing.T) {
			s := &deaf{Shared: sharedStores["redis"](t)().(store.Shared)}
			l := newStoreLab(t, sqlite3, m, nil, 1, s)
			l.active = 2
			end := untilSeen
			if m == coherence.NoMutant {
				end = 2 * time.Second
			}
			for start := time.Now(); time.Since(start) < end && l.cache.Stats().Wrong == 0; s.on.Store(!s.on.Load()) {
				l.run(4, 100*time.Millisecond)
			}
			stats := l.cache.Stats()
			t.Logf("%d of %d wrong, %d calls of the store failed", stats.Wrong, stats.Verified, stats.Shared.Errors)
			if (stats.Wrong > 0) != (m == coherence.NoFence) || stats.Stuck != 0 || stats.Verified == 0 || stats.Shared.Errors == 0 {
				t.Errorf("%+v", stats)
			}
		})
	}
}
