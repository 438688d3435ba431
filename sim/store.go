package sim

import (
	"context"
	"errors"
	"fmt"
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
	members map[store.Tag][]string // never without a token
	holds   map[store.Tag]map[store.HoldID]*mark
	cares   map[store.HoldID]*care
	claims  map[string]time.Duration // until when
	late    []func()                 // messages that are still to arrive
	settles time.Duration            // until then it isn't known who holds
}

// A mark is a hold on one tag.
type mark struct{ expires time.Duration }

// A care is a hold that its process renews by itself.
type care struct {
	proc   *process
	tags   []store.Tag
	broken bool // a mark was lost, and made again
}

func newStore(w *world) *simStore {
	return &simStore{
		w:       w,
		entries: make(map[string]*store.Entry),
		tokens:  make(map[store.Tag]store.Token),
		members: make(map[store.Tag][]string),
		holds:   make(map[store.Tag]map[store.HoldID]*mark),
		cares:   make(map[store.HoldID]*care),
		claims:  make(map[string]time.Duration),
	}
}

// Mutate leaves out a step that is the store's.
func (s *simStore) Mutate(m coherence.Mutant) { s.mutant = m }

var errLost = errors.New("sim: no answer from the store")

// do lets others go first, and then does one single-key operation. In some runs
// messages are lost: the operation, or the answer to it; and some come late, or twice.
func (s *simStore) do(ctx context.Context, at place, op func(c *client), format string, args ...any) error {
	c := s.w.clientOf(ctx)
	c.stop(at, format, args...)
	lost := s.w.rng.IntN(100) < s.w.unanswered || c.proc.cut
	if !lost || !c.proc.cut && s.w.rng.IntN(2) == 0 {
		op(c)
	}
	if at.changes() && s.w.rng.IntN(100) < s.w.lates {
		what := fmt.Sprintf(format, args...)
		s.late = append(s.late, func() {
			s.w.trace.add(s.w.steps, "%v, late: %s", c, what)
			op(c)
		})
	}
	if c.proc.dead {
		panic(died{}) // the message has arrived, but nobody waits for the answer
	}
	if lost {
		s.w.trace.add(s.w.steps, "%v has no answer", c)
		return errLost
	}
	return nil
}

func (s *simStore) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	var e *store.Entry
	if key != "" {
		if err := s.do(ctx, beforeEntry, func(*client) { e = s.entries[key] }, "gets %s", key); err != nil {
			return store.View{}, err
		}
	}
	states, err := s.readTags(ctx, union(tags, e))
	if err != nil {
		return store.View{}, err
	}
	if e != nil && states.valid(e) {
		return store.View{Entry: e}, nil
	}
	v := store.View{Tokens: make([]store.Token, len(tags))}
	for i, tag := range tags {
		v.Tokens[i], v.Held = states.tokens[tag], v.Held || states.held[tag]
	}
	return v, nil
}

// union is tags and those of e.
func union(tags []store.Tag, e *store.Entry) []store.Tag {
	all := slices.Clone(tags)
	if e != nil {
		for _, tag := range e.Tags {
			if !slices.Contains(all, tag) {
				all = append(all, tag)
			}
		}
	}
	return all
}

// states are what a reader has seen of tags.
type states struct {
	tokens map[store.Tag]store.Token
	held   map[store.Tag]bool
}

func (s *simStore) readTags(ctx context.Context, tags []store.Tag) (states, error) {
	seen := states{make(map[store.Tag]store.Token), make(map[store.Tag]bool)}
	first, second := s.readTokens, s.readHolds
	if s.mutant == coherence.HoldsFirst {
		first, second = second, first
	}
	if err := first(ctx, tags, seen); err != nil {
		return seen, err
	}
	return seen, second(ctx, tags, seen)
}

func (s *simStore) readTokens(ctx context.Context, tags []store.Tag, seen states) error {
	for _, tag := range tags {
		err := s.do(ctx, beforeToken, func(*client) {
			if s.tokens[tag] == 0 {
				s.newToken(tag)
			}
			seen.tokens[tag] = s.tokens[tag]
		}, "gets token of %s", tag)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *simStore) readHolds(ctx context.Context, tags []store.Tag, seen states) error {
	for _, tag := range tags {
		err := s.do(ctx, beforeHolds, func(*client) { seen.held[tag] = len(s.holds[tag]) > 0 || s.settling() }, "gets holds of %s", tag)
		if err != nil {
			return err
		}
	}
	return nil
}

func (seen states) valid(e *store.Entry) bool {
	for i, tag := range e.Tags {
		if seen.tokens[tag] != e.Tokens[i] || seen.held[tag] {
			return false
		}
	}
	return true
}

func (s *simStore) newToken(tag store.Tag) {
	s.last++
	s.tokens[tag] = s.last
}

func (s *simStore) Fill(ctx context.Context, key string, e *store.Entry, _ time.Duration) error {
	kept := &store.Entry{Value: e.Value, Size: e.Size, Tags: slices.Clone(e.Tags), Tokens: slices.Clone(e.Tokens)}
	return s.do(ctx, beforeFill, func(*client) { s.entries[key] = kept }, "fills %s with %v", key, e.Value)
}

func (s *simStore) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	if lease == 0 {
		s.careFor(ctx, id, tags)
	} else {
		s.leave(id, tags)
	}
	for _, tag := range tags {
		if err := s.do(ctx, beforeMark, func(*client) { s.mark(tag, id, lease) }, "holds %s", tag); err != nil {
			return err
		}
		if s.mutant == coherence.NoTokenAtHold {
			continue
		}
		if err := s.do(ctx, beforeNewToken, func(*client) { s.newToken(tag) }, "new token of %s", tag); err != nil {
			return err
		}
	}
	if look == nil {
		return nil
	}
	for _, tag := range look.Tags {
		err := s.do(ctx, beforeMembers, func(*client) {
			look.Seen = append(look.Seen, store.Sight{Token: s.tokens[tag], Members: s.members[tag]})
		}, "looks at %s", tag)
		if err != nil {
			return err
		}
	}
	return nil
}

// mark marks a tag, for a lease from now.
func (s *simStore) mark(tag store.Tag, id store.HoldID, d time.Duration) {
	if s.holds[tag] == nil {
		s.holds[tag] = make(map[store.HoldID]*mark)
	}
	s.holds[tag][id] = &mark{s.now + until(d)}
}

// until is how long a mark lasts if nobody cares for it.
func until(d time.Duration) time.Duration {
	if d == 0 {
		return lease
	}
	return d
}

// careFor has the tags of a hold renewed as long as the process lives.
func (s *simStore) careFor(ctx context.Context, id store.HoldID, tags []store.Tag) {
	of := s.cares[id]
	if of == nil {
		of = &care{proc: s.w.clientOf(ctx).proc}
		s.cares[id] = of
	}
	for _, tag := range tags {
		if !slices.Contains(of.tags, tag) {
			of.tags = append(of.tags, tag)
		}
	}
}

// leave ends the care for tags of a hold.
func (s *simStore) leave(id store.HoldID, tags []store.Tag) {
	if of := s.cares[id]; of != nil {
		of.tags = slices.DeleteFunc(of.tags, func(t store.Tag) bool { return slices.Contains(tags, t) })
		if len(of.tags) == 0 {
			delete(s.cares, id)
		}
	}
}

func (s *simStore) Holders(ctx context.Context, tag store.Tag) (ids []store.HoldID, err error) {
	err = s.do(ctx, beforeHolds, func(*client) {
		ids = slices.Sorted(maps.Keys(s.holds[tag]))
		if s.settling() {
			ids = append(ids, 0)
		}
	}, "gets holders of %s", tag)
	return ids, err
}

// Renew with a lease also ends the store's own care for the hold, be it answered or not.
func (s *simStore) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	for i, tag := range tags {
		there := false
		err := s.do(ctx, beforeOther, func(*client) {
			if m := s.holds[tag][id]; m != nil {
				m.expires, there = s.now+until(lease), true
			}
		}, "renews hold of %s", tag)
		if i == 0 && lease > 0 { // not before it was this client's turn
			s.leave(id, tags)
		}
		if err != nil {
			return err
		}
		if !there {
			return store.ErrLapsed
		}
	}
	if of := s.cares[id]; of != nil && of.broken {
		return store.ErrLapsed
	}
	if lease == 0 {
		s.careFor(ctx, id, tags)
	}
	return nil
}

func (s *simStore) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	for _, tag := range tags {
		if err := s.do(ctx, beforeNewToken, func(*client) { s.newToken(tag) }, "new token of %s", tag); err != nil {
			return err
		}
		if err := s.do(ctx, beforeUnmark, func(*client) { delete(s.holds[tag], id) }, "releases %s", tag); err != nil {
			return err
		}
	}
	s.leave(id, tags)
	return nil
}

func (s *simStore) Members(ctx context.Context, tag store.Tag) (members []string, token store.Token, err error) {
	err = s.do(ctx, beforeMembers, func(*client) {
		if s.tokens[tag] == 0 {
			s.newToken(tag)
		}
		members, token = s.members[tag], s.tokens[tag]
	}, "gets members of %s", tag)
	if err != nil {
		return nil, 0, err
	}
	return members, token, nil
}

func (s *simStore) Join(ctx context.Context, tag store.Tag, token store.Token, member string) (is bool, err error) {
	err = s.do(ctx, beforeJoin, func(*client) {
		now := s.tokens[tag]
		is = now == token && now != 0 || s.mutant == coherence.JoinWithoutToken
		if is && !slices.Contains(s.members[tag], member) {
			s.members[tag] = slices.Concat(s.members[tag], []string{member})
		}
	}, "joins %s to %s", member, tag)
	return is && err == nil, err
}

func (s *simStore) Part(ctx context.Context, tag store.Tag, member string) error {
	return s.do(ctx, beforeOther, func(*client) {
		left := slices.Clone(s.members[tag])
		s.members[tag] = slices.DeleteFunc(left, func(m string) bool { return m == member })
		if s.mutant != coherence.PartKeepsToken {
			s.newToken(tag)
		}
	}, "parts %s from %s", member, tag)
}

func (s *simStore) Remove(ctx context.Context, key string) error {
	return s.do(ctx, beforeOther, func(*client) { delete(s.entries, key) }, "removes %s", key)
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

// evictTag drops the token of some tag, and its members.
func (s *simStore) evictTag(tags []store.Tag) {
	if len(tags) > 0 {
		tag := tags[s.w.rng.IntN(len(tags))]
		s.w.trace.add(s.w.steps, "token of %s is evicted", tag)
		delete(s.tokens, tag)
		delete(s.members, tag)
		if s.w.Unguarded {
			delete(s.holds, tag)
		}
	}
}

// pass lets time pass; holds lapse, but for those that a process cares for which runs and reaches the store.
func (s *simStore) pass(d time.Duration) {
	s.now += d
	s.w.trace.add(s.w.steps, "%v pass", d)
	for _, id := range slices.Sorted(maps.Keys(s.cares)) {
		if of := s.cares[id]; of.proc.runs() && !of.proc.cut {
			s.renew(id, of)
		}
	}
	for _, marks := range s.holds {
		maps.DeleteFunc(marks, func(_ store.HoldID, m *mark) bool { return m.expires <= s.now })
	}
}

// renew renews a hold that is cared for: within the last third of a lease. A mark that was lost
// is made again.
func (s *simStore) renew(id store.HoldID, of *care) {
	ago := time.Duration(s.w.rng.Int64N(int64(lease / 3)))
	for _, tag := range of.tags {
		if m := s.holds[tag][id]; m != nil {
			m.expires = max(m.expires, s.now+lease-ago)
			continue
		}
		s.mark(tag, id, 0)
		s.newToken(tag)
		of.broken = true
	}
}

// settling reports whether the store was restarted so lately that it isn't known who holds.
func (s *simStore) settling() bool { return s.now < s.settles }

// restart loses everything. What was held is so for a lease yet, since nobody knows what that was.
func (s *simStore) restart() {
	s.w.trace.add(s.w.steps, "the store is restarted")
	clear(s.entries)
	clear(s.tokens)
	clear(s.members)
	clear(s.holds)
	clear(s.claims)
	if !s.w.TrustEmpty {
		s.settles = s.now + lease
	}
}

// deliver lets some message arrive that is late.
func (s *simStore) deliver() {
	if len(s.late) > 0 {
		at := s.w.rng.IntN(len(s.late))
		op := s.late[at]
		s.late = slices.Delete(s.late, at, at+1)
		op()
	}
}

// A sharedStore is a simStore that says of itself that processes share it.
type sharedStore struct{ *simStore }

func (s sharedStore) Lease() time.Duration { return lease }

func (s sharedStore) Claim(ctx context.Context, key string, ttl time.Duration) (first bool, err error) {
	err = s.do(ctx, beforeOther, func(*client) {
		if first = s.claims[key] <= s.now; first {
			s.claims[key] = s.now + ttl
		}
	}, "claims a key")
	return first && err == nil, err
}

func (s sharedStore) Unclaim(ctx context.Context, key string) error {
	return s.do(ctx, beforeOther, func(*client) { delete(s.claims, key) }, "lets another claim a key")
}
