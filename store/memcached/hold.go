package memcached

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/larderdb/larder/store"
)

// holds are those of this process.
type holds struct {
	mu sync.Mutex
	of map[store.HoldID]*hold // guarded by mu
}

type hold struct {
	id   store.HoldID
	busy sync.Mutex // held while the servers are told of it: no renewal overtakes its end

	mu      sync.Mutex // guards the rest
	tags    []store.Tag
	lease   time.Duration // 0: it is renewed
	expires time.Time     // if it isn't
	broken  bool          // a mark of it was lost
	ended   bool
}

func (hs *holds) init() { hs.of = make(map[store.HoldID]*hold) }

// made returns the hold of that id, a new one if there is none.
func (hs *holds) made(id store.HoldID) *hold {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.of[id]
	if h == nil {
		h = &hold{id: id}
		hs.of[id] = h
	}
	return h
}

// add notes tags that are about to be held.
func (h *hold) add(tags []store.Tag, lease time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, tag := range tags {
		h.tags = append(h.tags, store.Tag([]byte(tag))) // which may lie in a buffer
	}
	h.leaseLocked(lease)
}

func (h *hold) leaseLocked(lease time.Duration) {
	h.lease, h.expires = lease, time.Now().Add(lease)
}

func (hs *holds) get(id store.HoldID) *hold {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.of[id]
}

// end notes that these tags are released.
func (hs *holds) end(h *hold, tags []store.Tag) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(tags) < len(h.tags) {
		gone := make(map[store.Tag]bool, len(tags))
		for _, tag := range tags {
			gone[tag] = true
		}
		h.tags = slices.DeleteFunc(h.tags, func(t store.Tag) bool { return gone[t] })
	} else {
		h.tags = nil
	}
	if h.ended = len(h.tags) == 0; h.ended {
		delete(hs.of, h.id)
	}
}

// lively returns the holds that are renewed, and forgets those whose lease is long over.
func (hs *holds) lively() []*hold {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	var list []*hold
	for id, h := range hs.of {
		h.mu.Lock()
		switch {
		case h.lease == 0:
			list = append(list, h)
		case time.Since(h.expires) > time.Minute:
			delete(hs.of, id)
		}
		h.mu.Unlock()
	}
	return list
}

// Hold is as store.Store has it, in one round trip: on each server first the
// marks in the stripes, then in each tag the mark and a new token at once. A tag
// that is missing needs no mark: it can't be used as long as its stripe has that one.
// With lease 0 the store renews the hold from time to time, for Options.Lease.
func (s *Store) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	if len(tags) == 0 && look == nil {
		return nil
	}
	h := s.holds.made(id)
	h.busy.Lock()
	defer h.busy.Unlock()
	h.add(tags, lease)
	err := s.mark(ctx, id, tags, lease, look)
	if err != nil && lease <= 0 { // what has been marked lapses
		h.mu.Lock()
		h.leaseLocked(s.o.Lease)
		h.mu.Unlock()
	}
	return err
}

func (s *Store) mark(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	renewed, stamp := lease <= 0, uint64(0)
	if renewed {
		lease = s.o.Lease
	} else {
		stamp = newNumber() // by which it is watched from here
	}
	µs := uint64(lease.Microseconds())
	w := s.write()
	for _, tag := range tags {
		w.stripe(string(tag), record{what: recHold, of: [3]uint64{inStripe(uint64(id), string(tag)), stamp, µs}})
	}
	for _, tag := range tags {
		w.tag(string(tag), record{what: recHold, of: [3]uint64{uint64(id), stamp, µs}}, record{what: recToken})
	}
	if look != nil {
		w.look = viewsOf(look.Tags, nil)
	}
	if err := w.run(ctx, true); err != nil {
		return fmt.Errorf("memcached: hold: %w", err)
	}
	if !renewed {
		w.watch(mark{uint64(id), stamp, µs})
	}
	for i := range w.look {
		v := &w.look[i]
		v.see(s)
		look.Seen = append(look.Seen, store.Sight{Token: store.Token(v.state.token), Members: v.state.members})
	}
	return nil
}

// Holders is as store.Store has it. It tells the marks of the tag and those of its stripe: if
// memcached drops the one, the other is there still. Where one of them can't be read, or the stripe has just come, nobody's is among them.
func (s *Store) Holders(ctx context.Context, tag store.Tag) ([]store.HoldID, error) {
	views := []tagView{newTagView(tag)}
	bs, stripes := s.batches(), make(map[stripe]*stripeView)
	views[0].ask(bs)
	s.askStripe(bs, stripes, string(tag))
	if err := s.lookAtStripes(ctx, bs, stripes); err != nil {
		return nil, fmt.Errorf("memcached: holders: %w", err)
	}
	views[0].see(s)
	if err := s.settle(ctx, views); err != nil {
		return nil, fmt.Errorf("memcached: holders: %w", err)
	}
	of, stripe := &views[0], stripes[s.stripeOf(string(tag))]
	var ids []store.HoldID
	for _, m := range slices.Concat(of.state.marks, stripe.state.marks) {
		ids = append(ids, store.HoldID(m.id))
	}
	if !of.there || !stripe.there { // one that is suspect may have lost marks, which its stripe has
		ids = append(ids, 0)
	}
	return ids, nil
}

// Release is as store.Store has it, in one round trip: each tag gets a new token
// and loses the mark at once, then the stripes lose theirs.
func (s *Store) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	h := s.holds.get(id)
	if h != nil {
		h.busy.Lock()
		defer h.busy.Unlock()
	}
	w := s.write()
	for _, tag := range tags {
		w.tag(string(tag), record{what: recToken}, record{what: recRelease, of: [3]uint64{uint64(id)}})
	}
	for _, tag := range tags {
		w.stripe(string(tag), record{what: recRelease, of: [3]uint64{inStripe(uint64(id), string(tag))}})
	}
	if err := w.run(ctx, false); err != nil {
		return fmt.Errorf("memcached: release: %w", err)
	}
	if h != nil {
		s.holds.end(h, tags)
	}
	return nil
}

// Renew is as store.Store has it, in one round trip. If the servers have lost
// marks they get them again, for what may come of the write yet.
func (s *Store) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	h := s.holds.get(id)
	if h == nil {
		return renewError(s.renew(ctx, id, tags, lease))
	}
	h.busy.Lock()
	defer h.busy.Unlock()
	lapsed, broken := h.relet(lease)
	if lapsed {
		return renewError(store.ErrLapsed)
	}
	err := s.renew(ctx, id, tags, lease)
	if errors.Is(err, store.ErrLapsed) {
		err = errors.Join(err, s.mark(ctx, id, tags, lease, nil))
	}
	if err == nil && broken {
		err = store.ErrLapsed
	}
	return renewError(err)
}

func renewError(err error) error {
	if err != nil {
		err = fmt.Errorf("memcached: renew: %w", err)
	}
	return err
}

// relet gives the hold a new lease, and tells what became of the old one.
func (h *hold) relet(lease time.Duration) (lapsed, broken bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lapsed = h.lease > 0 && time.Now().After(h.expires)
	h.leaseLocked(lease)
	return lapsed, h.broken
}

// renew gives the marks new stamps, where they are. A hold is whole if each tag
// has its mark, or is of no use while its stripe has it.
func (s *Store) renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	if lease <= 0 {
		lease = s.o.Lease
	}
	µs := uint64(lease.Microseconds())
	bs, stripes, views := s.batches(), make(map[stripe]*stripeView), make([]tagView, len(tags))
	inStripes, inTags := make([]place, len(tags)), make([]place, len(tags))
	for i, tag := range tags {
		b := bs.home(string(tag))
		inStripes[i] = place{b, b.add(command{verb: 's', mode: 'A', key: s.stripeOf(string(tag)).key(),
			log: []record{{what: recRenew, of: [3]uint64{inStripe(uint64(id), string(tag)), 0, µs}}}})}
	}
	for _, tag := range tags { // after that: one that was dropped and made before it has no mark
		s.askStripe(bs, stripes, string(tag))
	}
	for i, tag := range tags {
		b := bs.home(string(tag))
		views[i] = newTagView(tag)
		inTags[i] = place{b, b.add(command{verb: 's', mode: 'A', key: views[i].key,
			log: []record{{what: recRenew, of: [3]uint64{uint64(id), 0, µs}}}})}
		views[i].ask(bs)
	}
	if err := bs.run(ctx); err != nil {
		return err
	}
	for _, v := range stripes {
		v.see(s)
	}
	lost := s.write() // marks that a stripe has lost
	for i := range views {
		v := &views[i]
		v.see(s)
		in := inStripe(uint64(id), string(v.name))
		noted := stripes[s.stripeOf(string(v.name))].state.marked(in) && inStripes[i].reply().found
		switch {
		case v.state.marked(uint64(id)) && !inTags[i].reply().found: // one without a mark may have been made since
			return errFull
		case v.state.marked(uint64(id)) && !noted:
			lost.stripe(string(v.name), record{what: recHold, of: [3]uint64{in, 0, µs}})
			lost.look = append(lost.look, newTagView(v.name))
		case v.state.marked(uint64(id)) || noted && (!v.there || v.state.suspect != 0):
		default:
			return store.ErrLapsed
		}
	}
	if len(lost.logs) == 0 {
		return nil
	}
	return s.restore(ctx, lost, id)
}

// restore marks stripes again that have lost marks of a hold, whose tags have theirs. It isn't whole if one was dropped meanwhile and made by
// somebody, who may have looked at the stripe before, and clear the tag.
func (s *Store) restore(ctx context.Context, lost *write, id store.HoldID) error {
	if err := lost.run(ctx, true); err != nil {
		return err
	}
	for i := range lost.look {
		v := &lost.look[i]
		if v.see(s); v.there && !v.state.marked(uint64(id)) {
			return store.ErrLapsed
		}
	}
	return nil
}

// Join is as store.Store has it. The tag's log says what came first, the member
// or another token.
func (s *Store) Join(ctx context.Context, tag store.Tag, token store.Token, member string) (bool, error) {
	v, bs := newTagView(tag), s.batches()
	b := bs.home(string(tag))
	b.add(command{verb: 's', mode: 'A', key: v.key, log: []record{{what: recJoin, of: [3]uint64{uint64(token)}, member: member}}})
	v.ask(bs)
	if err := bs.run(ctx); err != nil {
		return false, fmt.Errorf("memcached: join: %w", err)
	}
	v.see(s)
	return v.there && v.state.token == uint64(token) && slices.Contains(v.state.members, member), nil
}

// Part is as store.Store has it.
func (s *Store) Part(ctx context.Context, tag store.Tag, member string) error {
	w := s.write()
	w.tag(string(tag), record{what: recPart, member: member})
	if err := w.run(ctx, false); err != nil {
		return fmt.Errorf("memcached: part: %w", err)
	}
	return nil
}

var errFull = errors.New("memcached: the server has no memory, or a state has grown too large")
