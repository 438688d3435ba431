// Package memory keeps entries in the memory of this process, within a bound in bytes.
//
// An entry points to the states of its tags, so a hit is one look into a hash
// table by key, a load of each tag's holds, then of each tag's token, then of the
// holds again: no lock, no allocation. A miss finds the states by name under a
// lock of one of many shards.
package memory

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

const (
	defaultMaxBytes = 64 << 20
	roomSteps       = 128 // the entries' share of the bytes changes in so many steps
)

var (
	_ store.Store   = (*Store)(nil)
	_ store.Pauser  = (*Store)(nil)
	_ store.Noter   = (*Store)(nil)
	_ store.Counter = (*Store)(nil)
)

// A Store is a store.Store in the memory of this process. It keeps at most about
// its maximum of bytes, entries and tags together, counted as the heap would.
// Which entries it lets go is decided by how often and how lately they were
// used, so that a scan over much that is used once doesn't drive out the rest.
type Store struct {
	entries   entries
	tags      table
	now       func() time.Duration // monotonic; what leases and entries expire by
	maxBytes  int64
	sharing   sync.Mutex   // held while room changes
	room      atomic.Int64 // the bytes that entries were last given
	evictions atomic.Int64
	closed    atomic.Bool

	ticks   bool         // there is a coarse clock, …
	ticking uint64       // … which of those that were started goes, 0 for none; guarded by the mu of entries
	started uint64       // … how many were; guarded by the mu of entries
	shown   atomic.Int64 // … and shows this, in nanoseconds of now
}

// New returns an empty store of at most maxBytes; 0 or less means 64 MiB.
func New(maxBytes int64) *Store {
	start := time.Now()
	s := NewWithClock(maxBytes, func() time.Duration { return time.Since(start) })
	s.ticks, s.entries.aside = true, true
	return s
}

// NewWithClock is New with a clock, for tests. The clock must never go back.
func NewWithClock(maxBytes int64, now func() time.Duration) *Store {
	if maxBytes <= 0 {
		maxBytes = defaultMaxBytes
	}
	s := &Store{now: now, maxBytes: maxBytes}
	s.room.Store(maxBytes)
	s.tags.init(now, maxBytes/idleShare)
	s.entries.init(maxBytes, s.gone)
	return s
}

// Lookup is as store.Store has it. On a hit it neither locks nor allocates.
func (s *Store) Lookup(_ context.Context, key string, tags []store.Tag) (store.View, error) {
	if key != "" {
		if it := s.entries.get(key); it != nil && it.valid(s) {
			it.used()
			return store.View{Entry: &it.entry}, nil
		}
	}
	if len(tags) == 0 {
		return store.View{}, nil
	}
	if key == "" {
		tokens, held := s.tags.look(tags)
		s.share()
		return store.View{Tokens: tokens, Held: held}, nil
	}
	it := newItem(len(tags)) // which is to be filled
	held := s.tags.lookInto(it.states, it.entry.Tokens, tags)
	it.name()
	s.share()
	return store.View{Tokens: it.entry.Tokens, Held: held, Noted: it}, nil
}

// A common is the states of tags that many Lookups have.
type common struct {
	of     *Store
	states []*state
}

// Common is as store.Noter has it.
func (s *Store) Common(tags []store.Tag) any {
	c := &common{s, make([]*state, len(tags))}
	s.tags.peekAll(c.states, tags)
	s.share()
	return c
}

// LookupCommon is as store.Noter has it.
func (s *Store) LookupCommon(key string, found any, own store.Tag) (store.View, bool) {
	c, ok := found.(*common)
	if !ok || c.of != s {
		return store.View{}, false
	}
	if it := s.entries.get(key); it != nil && it.valid(s) {
		it.used()
		return store.View{Entry: &it.entry}, true
	}
	it := newItem(len(c.states) + 1)
	it.states[copy(it.states, c.states)] = s.tags.peek(own)
	held := seen(it.states, it.entry.Tokens)
	s.share()
	if held || anyDropped(c.states) { // marks may have lapsed
		return store.View{}, false
	}
	it.name()
	return store.View{Tags: it.entry.Tags, Tokens: it.entry.Tokens, Noted: it}, true
}

// Prompt returns the store: none of its methods waits for anything, or looks at the context that it is given.
func (s *Store) Prompt() store.Store { return s }

// Changes is as store.Counter has it.
func (s *Store) Changes() uint64 { return s.tags.changes.Load() }

// Again reports whether key was asked for before, not long ago, or had an entry that was found; it has one that is valid
// if another has filled it meanwhile. Otherwise it notes that key was asked for now.
func (s *Store) Again(key string) bool { return s.entries.again(key, s) }

// Fill keeps e if it isn't larger than the store. An entry that is no longer
// valid isn't kept: it would only drive out others.
func (s *Store) Fill(_ context.Context, key string, e *store.Entry, ttl time.Duration) error {
	if len(e.Tags) != len(e.Tokens) || !s.admits(key, e.Size, len(e.Tags), ttl) {
		return nil
	}
	it := newItem(len(e.Tags))
	copy(it.entry.Tokens, e.Tokens)
	if s.tags.refer(it.states, e.Tags, e.Tokens) {
		it.name()
		s.put(it, strings.Clone(key), e.Value, e.Size, ttl)
	}
	return nil
}

// FillNoted is as store.Noter has it.
func (s *Store) FillNoted(key string, noted, value any, size int, ttl time.Duration) {
	it, ok := noted.(*item)
	if ok && it.key == "" && s.admits(key, size, len(it.states), ttl) && s.tags.referNoted(it.states, it.entry.Tokens) {
		s.put(it, key, value, size, ttl)
	}
}

// admits reports whether an entry may be kept.
func (s *Store) admits(key string, size, tags int, ttl time.Duration) bool {
	return key != "" && ttl > 0 && entryCost(len(key), size, tags) <= min(s.room.Load(), math.MaxUint32) && !s.closed.Load()
}

// put keeps an item which refers to its tags.
func (s *Store) put(it *item, key string, value any, size int, ttl time.Duration) {
	it.key, it.entry.Value, it.entry.Size = key, value, size
	it.cost = uint32(entryCost(len(key), size, len(it.states)))
	it.expiresIn(ttl, s)
	s.keep(it)
	s.share()
}

// keep puts an item among the entries, unless the store was closed meanwhile.
func (s *Store) keep(it *item) {
	s.entries.mu.Lock()
	defer s.entries.mu.Unlock()
	if s.closed.Load() {
		s.tags.unrefer(it.states)
		return
	}
	s.entries.setLocked(it)
	if it.coarse {
		s.tickLocked()
	}
}

// expiry is now+ttl, or the end of time.
func expiry(now, ttl time.Duration) time.Duration {
	if ttl > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + ttl
}

// share gives the entries what the tags leave of the maximum, in steps, for each
// takes the lock of the eviction policy: less at once, more when two steps are free.
func (s *Store) share() {
	step := max(s.maxBytes/roomSteps, 1)
	room := max((s.maxBytes-s.tags.bytes.Load())/step, roomSteps/16) * step
	old := s.room.Load()
	if room == old || room > old && room < old+2*step || !s.sharing.TryLock() {
		return
	}
	defer s.sharing.Unlock()
	s.room.Store(room)
	s.entries.resize(room)
}

// gone is called for each entry that has left the table.
func (s *Store) gone(it *item, evicted bool) {
	if evicted {
		s.evictions.Add(1)
	}
	if v, ok := it.entry.Value.(store.Leaver); ok {
		v.Left(it.found(), !evicted || !it.unchanged())
	}
	s.tags.unrefer(it.states)
}

// Hold is as store.Store has it; with lease 0 it lasts until Renew or Release.
func (s *Store) Hold(_ context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	for _, name := range tags {
		s.tags.hold(name, id, lease)
	}
	if look != nil {
		for _, name := range look.Tags {
			members, token := s.tags.members(name)
			look.Seen = append(look.Seen, store.Sight{Token: token, Members: members})
		}
	}
	s.share()
	return nil
}

// Pause is as store.Pauser has it.
func (s *Store) Pause(id store.HoldID, tags []store.Tag) {
	for _, name := range tags {
		s.tags.pause(name, id)
	}
	s.share()
}

// Resume is as store.Pauser has it.
func (s *Store) Resume(id store.HoldID, tags []store.Tag) {
	for _, name := range tags {
		s.tags.resume(name, id)
	}
}

// Holders is as store.Store has it.
func (s *Store) Holders(_ context.Context, tag store.Tag) ([]store.HoldID, error) {
	return s.tags.holders(tag), nil
}

// Renew is as store.Store has it.
func (s *Store) Renew(_ context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	for _, name := range tags {
		if !s.tags.renew(name, id, lease) {
			return store.ErrLapsed
		}
	}
	return nil
}

// Release is as store.Store has it.
func (s *Store) Release(_ context.Context, id store.HoldID, tags []store.Tag) error {
	for _, name := range tags {
		s.tags.release(name, id)
	}
	return nil
}

// Members is as store.Store has it.
func (s *Store) Members(_ context.Context, tag store.Tag) ([]string, store.Token, error) {
	members, token := s.tags.members(tag)
	s.share()
	return members, token, nil
}

// Join is as store.Store has it.
func (s *Store) Join(_ context.Context, tag store.Tag, token store.Token, member string) (bool, error) {
	is := s.tags.join(tag, token, member)
	s.share()
	return is, nil
}

// Part is as store.Store has it.
func (s *Store) Part(_ context.Context, tag store.Tag, member string) error {
	s.tags.part(tag, member)
	return nil
}

// Remove drops the entry under key.
func (s *Store) Remove(_ context.Context, key string) error {
	s.entries.remove(key)
	return nil
}

// Flush drops all entries. Tokens and holds stay as they are.
func (s *Store) Flush() { s.entries.clear() }

// Close drops all entries; after it nothing is kept. It is not needed for a
// store to be collected.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.entries.clear()
	return nil
}

// Stats tells what is kept.
func (s *Store) Stats() store.Stats {
	count, bytes := s.entries.size()
	return store.Stats{
		Entries:   count,
		Bytes:     bytes + s.tags.bytes.Load(),
		MaxBytes:  s.maxBytes,
		Tags:      int(s.tags.count.Load()),
		Evictions: s.evictions.Load(),
	}
}
