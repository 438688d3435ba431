package memory

import (
	"time"

	"github.com/larderdb/larder/store"
)

// An item is an entry with the states of its tags. It never changes.
type item struct {
	entry   store.Entry
	states  []*state
	expires time.Duration
	cost    uint32
}

// newItem makes the item of e. Its tags share the names of their states, so that
// the names are in memory once, however many entries have them.
func newItem(e *store.Entry, states []*state, cost uint32, expires time.Duration) *item {
	it := &item{states: states, cost: cost, expires: expires}
	it.entry = store.Entry{
		Value:  e.Value,
		Size:   e.Size,
		Tags:   make([]store.Tag, len(states)),
		Tokens: append(make([]store.Token, 0, len(e.Tokens)), e.Tokens...),
	}
	for i, st := range states {
		it.entry.Tags[i] = st.name
	}
	return it
}

// valid looks at the tokens of all tags and then at the holds of all tags. A tag
// that is found held is looked at again under its lock, for its hold may have
// lapsed; the entry is invalid either way, since a hold brings a new token.
func (it *item) valid(s *Store) bool {
	for i, st := range it.states {
		if st.token.Load() != uint64(it.entry.Tokens[i]) {
			return false
		}
	}
	for _, st := range it.states {
		if st.held.Load() != 0 {
			s.tags.settle(st)
			return false
		}
	}
	return s.now() < it.expires
}

// What the parts of an entry take in memory, found by measuring the heap.
const (
	entryOverhead = 64 + 128 + 24 // the table's node, the item, the table itself
	tagOverhead   = 80 + 48       // the state and its place in the map
)

// entryCost is what e takes in memory, without the states of its tags.
func entryCost(key int, e *store.Entry) int64 {
	n := len(e.Tags)
	return entryOverhead + int64(max(e.Size, 0)) + sized(key) + sized(16*n) + 2*sized(8*n)
}

// cost is what the state of a tag takes in memory. It is called under its shard's mu.
func (st *state) cost() int64 { return tagOverhead + sized(len(st.name)) + st.set.cost() }

// sized rounds n up about as the allocator does.
func sized(n int) int64 {
	switch {
	case n <= 256:
		return int64(n+15) &^ 15
	case n <= 32<<10:
		return int64(n + n/16)
	}
	return int64(n+8191) &^ 8191
}
