package sim

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// A simStore is a store at the end of a wire, at its weakest: there is a stop
// before each single-key operation, tokens and entries may be evicted at any
// time, and a hold that lapses just disappears.
type simStore struct {
	w       *world
	mutant  coherence.Mutant
	now     time.Duration
	last    store.Token
	entries map[string]*store.Entry
	tokens  map[store.Tag]store.Token
	holds   map[store.Tag]map[store.HoldID]*mark
}

// A mark is a hold on one tag.
type mark struct {
	proc    *process
	expires time.Duration // 0: while the process lives
}

func newStore(w *world) *simStore {
	return &simStore{
		w:       w,
		entries: make(map[string]*store.Entry),
		tokens:  make(map[store.Tag]store.Token),
		holds:   make(map[store.Tag]map[store.HoldID]*mark),
	}
}

// Mutate leaves out a step that is the store's.
func (s *simStore) Mutate(m coherence.Mutant) { s.mutant = m }

// stop lets others go first.
func (s *simStore) stop(ctx context.Context, at place, format string, args ...any) *client {
	c, ok := ctx.Value(clientKey{}).(*client)
	if !ok {
		c = s.w.last // Abandon has no context
	}
	c.stop(at, format, args...)
	return c
}

func (s *simStore) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	var e *store.Entry
	if key != "" {
		s.stop(ctx, beforeEntry, "gets %s", key)
		e = s.entries[key]
	}
	all := slices.Clone(tags)
	if e != nil {
		for _, tag := range e.Tags {
			if !slices.Contains(all, tag) {
				all = append(all, tag)
			}
		}
	}
	var tokens map[store.Tag]store.Token
	var held map[store.Tag]bool
	if s.mutant == coherence.HoldsFirst {
		held = s.readHolds(ctx, all)
		tokens = s.readTokens(ctx, all)
	} else {
		tokens = s.readTokens(ctx, all)
		held = s.readHolds(ctx, all)
	}
	if e != nil && valid(e, tokens, held) {
		return store.View{Entry: e}, nil
	}
	v := store.View{Tokens: make([]store.Token, len(tags))}
	for i, tag := range tags {
		v.Tokens[i], v.Held = tokens[tag], v.Held || held[tag]
	}
	return v, nil
}

func valid(e *store.Entry, tokens map[store.Tag]store.Token, held map[store.Tag]bool) bool {
	for i, tag := range e.Tags {
		if tokens[tag] != e.Tokens[i] || held[tag] {
			return false
		}
	}
	return true
}

func (s *simStore) readTokens(ctx context.Context, tags []store.Tag) map[store.Tag]store.Token {
	tokens := make(map[store.Tag]store.Token)
	for _, tag := range tags {
		s.stop(ctx, beforeToken, "gets token of %s", tag)
		if s.tokens[tag] == 0 {
			s.newToken(tag)
		}
		tokens[tag] = s.tokens[tag]
	}
	return tokens
}

func (s *simStore) readHolds(ctx context.Context, tags []store.Tag) map[store.Tag]bool {
	held := make(map[store.Tag]bool)
	for _, tag := range tags {
		s.stop(ctx, beforeHolds, "gets holds of %s", tag)
		held[tag] = len(s.holds[tag]) > 0
	}
	return held
}

func (s *simStore) newToken(tag store.Tag) {
	s.last++
	s.tokens[tag] = s.last
}

func (s *simStore) Fill(ctx context.Context, key string, e *store.Entry, _ time.Duration) error {
	s.stop(ctx, beforeFill, "fills %s with %v", key, e.Value)
	s.entries[key] = &store.Entry{Value: e.Value, Size: e.Size, Tags: slices.Clone(e.Tags), Tokens: slices.Clone(e.Tokens)}
	return nil
}

func (s *simStore) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	for _, tag := range tags {
		c := s.stop(ctx, beforeMark, "holds %s", tag)
		if s.holds[tag] == nil {
			s.holds[tag] = make(map[store.HoldID]*mark)
		}
		s.holds[tag][id] = &mark{c.proc, s.until(c.proc, lease)}
		if s.mutant == coherence.NoTokenAtHold {
			continue
		}
		s.stop(ctx, beforeNewToken, "new token of %s", tag)
		s.newToken(tag)
	}
	return nil
}

// until is when a lease ends; without one, some time after the process.
func (s *simStore) until(p *process, d time.Duration) time.Duration {
	if d == 0 && p.dead {
		d = lease
	}
	if d == 0 {
		return 0
	}
	return s.now + d
}

func (s *simStore) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	for _, tag := range tags {
		c := s.stop(ctx, beforeOther, "renews hold of %s", tag)
		m := s.holds[tag][id]
		if m == nil {
			return store.ErrLapsed
		}
		m.expires = s.until(c.proc, lease)
	}
	return nil
}

func (s *simStore) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	for _, tag := range tags {
		s.stop(ctx, beforeNewToken, "new token of %s", tag)
		s.newToken(tag)
		s.stop(ctx, beforeUnmark, "releases %s", tag)
		delete(s.holds[tag], id)
	}
	return nil
}

func (s *simStore) Remove(ctx context.Context, key string) error {
	s.stop(ctx, beforeOther, "removes %s", key)
	delete(s.entries, key)
	return nil
}

func (s *simStore) Stats() store.Stats { return store.Stats{Entries: len(s.entries)} }

func (s *simStore) Close() error { return nil }

// evictEntry drops some entry.
func (s *simStore) evictEntry() {
	keys := slices.Sorted(maps.Keys(s.entries))
	if len(keys) > 0 {
		key := keys[s.w.rng.IntN(len(keys))]
		s.w.trace.add(s.w.steps, "%s is evicted", key)
		delete(s.entries, key)
	}
}

// evictToken drops the token of some tag.
func (s *simStore) evictToken() {
	tags := slices.Sorted(maps.Keys(s.tokens))
	if len(tags) > 0 {
		tag := tags[s.w.rng.IntN(len(tags))]
		s.w.trace.add(s.w.steps, "token of %s is evicted", tag)
		delete(s.tokens, tag)
	}
}

// orphan starts the leases of a process that has died.
func (s *simStore) orphan(p *process) {
	for _, marks := range s.holds {
		for _, m := range marks {
			if m.proc == p && m.expires == 0 {
				m.expires = s.until(p, 0)
			}
		}
	}
}

// pass lets time pass; holds lapse.
func (s *simStore) pass(d time.Duration) {
	s.now += d
	s.w.trace.add(s.w.steps, "%v pass", d)
	for _, marks := range s.holds {
		maps.DeleteFunc(marks, func(_ store.HoldID, m *mark) bool {
			return m.expires != 0 && m.expires <= s.now
		})
	}
}
