package memory

import (
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

// An item is an entry with the states of its tags, and its place among the others. But for
// that place it never changes.
type item struct {
	chain   atomic.Pointer[item] // the next in its bucket
	key     string
	seen    atomic.Uint64 // the count of table.changes when it was last found valid by a glance; 0: never
	hash    uint32
	uses    atomic.Uint32 // since it came, or came to the end of its queue
	cost    uint32
	main    bool // which queue it is in; guarded by the mu of entries
	kept    bool // it was found, and so went to main, or round once more; guarded by the mu of entries
	coarse  bool // it expires by the coarse clock
	expires time.Duration
	states  []*state
	entry   store.Entry

	prev, next *item                 // in its queue; guarded by the mu of entries
	shown      *atomic.Pointer[item] // where a glance finds it; nil: nowhere; guarded by the mu of entries
}

// fewTags is how many tags an item has room for beside it. More are apart.
const fewTags = 4

type fewItem struct {
	item
	tags   [fewTags]store.Tag
	tokens [fewTags]store.Token
	states [fewTags]*state
}

// newItem makes an item with room for n tags.
func newItem(n int) *item {
	if n <= fewTags {
		few := new(fewItem)
		few.item.states, few.item.entry.Tags, few.item.entry.Tokens = few.states[:n], few.tags[:n], few.tokens[:n]
		return &few.item
	}
	it := &item{states: make([]*state, n)}
	it.entry.Tags, it.entry.Tokens = make([]store.Tag, n), make([]store.Token, n)
	return it
}

// name gives the tags the names of their states, so that these are in memory once, however
// many entries have them.
func (it *item) name() {
	for i, st := range it.states {
		it.entry.Tags[i] = st.name
	}
}

// valid looks at the holds of all tags, at their tokens, and at the holds again: see store.Pauser. A tag
// that is found held is looked at again under its lock, for its hold may have
// lapsed; the entry isn't found either way, since a hold that lapses brings a new token.
func (it *item) valid(s *Store) bool {
	return !it.held(s) && it.lives(s) && !it.held(s)
}

// lives reports whether the item is valid, or will be when nobody holds its tags.
func (it *item) lives(s *Store) bool { return it.unchanged() && !it.expired(s) }

func (it *item) held(s *Store) bool {
	for _, st := range it.states {
		if st.held.Load() != 0 {
			s.tags.settle(st)
			return true
		}
	}
	return false
}

// unchanged reports whether all tags have the tokens that the item was filled under.
func (it *item) unchanged() bool {
	for i, st := range it.states {
		if st.token.Load() != uint64(it.entry.Tokens[i]) {
			return false
		}
	}
	return true
}

// found is how often the item was found, as far as that is known. Guarded by the mu of entries.
func (it *item) found() int {
	if uses := int(it.uses.Load()); uses > 0 || !it.kept {
		return uses
	}
	return 1
}

// What the parts of an entry take in memory, found by measuring the heap.
const (
	entryOverhead = 320     // the item with few tags
	tagOverhead   = 96 + 48 // the state and its place in the map
)

// entryCost is what an entry takes in memory, without the states of its tags: by the lengths of its key, of its value and of its tags.
func entryCost(key, size, tags int) int64 {
	cost := entryOverhead + int64(max(size, 0)) + sized(key)
	if tags > fewTags {
		cost += sized(16*tags) + 2*sized(8*tags)
	}
	return cost
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
