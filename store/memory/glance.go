package memory

import (
	"math/bits"
	"math/rand/v2"
	"sync/atomic"

	"github.com/larderdb/larder/store"
)

// A Finder finds entries whose keys begin with the same space, by the rest of them. What it has found is where a glance
// at a few bytes of the name finds it again, without a hash and without a look at the tags, if nothing at all was held, paused or
// released, nor has a lease lapsed, since these were found valid: every such step counts in table.changes, after it has been done and before its writer knows.
//
//	reader   n = changes; the item was seen valid at n: so it was when changes was read
//	writer   new token, or mark; changes+1; only then the hold has returned, and what it changes may be visible
type Finder struct {
	store *Store
	space string
	slots [glances]atomic.Pointer[item]
	over  bool // guarded by the mu of entries
}

const (
	glances      = 1 << glanceBits
	glanceBits   = 10
	glanceSeldom = 16 // a slot that has an item gets another one in so many times
)

// Finder returns one for a space. It keeps no entry that the store doesn't keep.
func (s *Store) Finder(space string) store.Finder { return &Finder{store: s, space: space} }

// Find returns the entry that Lookup finds under space and name, nil for none. It must not be changed.
func (f *Finder) Find(name string) *store.Entry {
	s, slot := f.store, &f.slots[glanceAt(name)]
	now := s.tags.changes.Load()
	it := slot.Load()
	if it == nil || it.key[len(f.space):] != name { // its key begins with the space
		if it = s.under(f.space, name); it == nil {
			return nil
		}
		f.show(it, slot)
	}
	if it.seen.Load() != now {
		if !it.valid(s) {
			return nil
		}
		it.seen.Store(now)
	} else if it.expired(s) {
		return nil
	}
	it.used()
	return &it.entry
}

// under returns the item of a key, nil for none.
func (s *Store) under(space, name string) *item {
	var room [128]byte
	return s.entries.getBytes(append(append(room[:0], space...), name...))
}

// show puts an item in a slot, if it is still in the table and no other Finder shows it. It doesn't wait for that.
func (f *Finder) show(it *item, slot *atomic.Pointer[item]) {
	mu := &f.store.entries.mu
	if slot.Load() != nil && rand.Uint32()%glanceSeldom != 0 || !mu.TryLock() {
		return
	}
	defer mu.Unlock()
	if it.next == nil || it.shown != nil || f.over {
		return
	}
	if before := slot.Load(); before != nil {
		before.hideLocked()
	}
	it.shown = slot
	slot.Store(it)
}

// hideLocked takes an item out of its slot.
func (it *item) hideLocked() {
	if it.shown != nil {
		it.shown.Store(nil)
		it.shown = nil
	}
}

// Close has the store let go of the slots.
func (f *Finder) Close() {
	mu := &f.store.entries.mu
	mu.Lock()
	defer mu.Unlock()
	f.over = true
	for i := range f.slots {
		if it := f.slots[i].Load(); it != nil {
			it.hideLocked()
		}
	}
}

// glanceAt is the slot of a name, told by its length and by 16 bytes at each end.
func glanceAt(name string) uint {
	const k0, k1, k2, k3 = 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93
	n := len(name)
	h := uint64(n) * k3
	switch {
	case n >= 8:
		h ^= word(name)*k0 ^ bits.RotateLeft64(word(name[n-8:])*k1, 32)
		if n > 16 {
			h ^= word(name[8:])*k2 ^ bits.RotateLeft64(word(name[n-16:])*k3, 32)
		}
	default:
		for i := range n {
			h = (h ^ uint64(name[i])) * k0
		}
	}
	return uint(h * k2 >> (64 - glanceBits))
}

// word is the first 8 bytes.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
