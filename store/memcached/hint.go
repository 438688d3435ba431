package memcached

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/larderdb/larder/store"
)

// The hints are which tags the entries had that this process has seen lately. Who
// looks up such an entry asks for its tags at once, whether or not the caller knows
// them, and not in a round trip of their own. A hint that is wrong costs a few bytes.
type hints struct {
	seed maphash.Seed
	mu   sync.RWMutex
	of   map[uint64][]tagView // by hash of the key; the views are unseen; guarded by mu
	tags int                  // of all hints; guarded by mu
}

const (
	maxHinted = 1 << 16 // tags of all hints
	maxHint   = 64      // tags of one
)

func (h *hints) init() {
	h.seed = maphash.MakeSeed()
	h.of = make(map[uint64][]tagView)
}

func (h *hints) hash(key string) uint64 { return maphash.String(h.seed, key) }

func (h *hints) get(key uint64) []tagView {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.of[key]
}

// note notes the tags of the entry under key, unless they are what the hint says.
func (h *hints) note(key uint64, hint []tagView, tags []store.Tag) {
	same := func(v tagView, t store.Tag) bool { return v.name == t }
	if len(tags) > maxHint || slices.EqualFunc(hint, tags, same) {
		return
	}
	views := make([]tagView, len(tags))
	for i, tag := range tags {
		views[i] = newTagView(store.Tag([]byte(tag))) // which lies in a buffer with the value
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tags += len(tags) - len(h.of[key])
	h.of[key] = views
	for other, of := range h.of { // in no order
		if h.tags <= maxHinted {
			return
		}
		h.tags -= len(of)
		delete(h.of, other)
	}
}
