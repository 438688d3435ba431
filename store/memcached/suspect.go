package memcached

import (
	"slices"
	"strings"
	"sync"

	"github.com/larderdb/larder/store"
)

// Suspects are tags that were made and aren't cleared yet. One is cleared when all have ended whose marks its stripe
// had after it was made: at once, if there were none; else after some looks, each of which leaves of those marks what it
// sees. Who marks the stripe later finds the tag, and marks it too. So a tag is cleared although at each moment
// somebody holds another one of its stripe.
type suspects struct {
	mu sync.Mutex
	of map[store.Tag]suspicion // guarded by mu
}

type suspicion struct {
	token uint64 // of the recFound
	ids   []uint64
}

const maxSuspects = 1024 // one more, and some other is forgotten: that is later, not wrong

func (ss *suspects) init() { ss.of = make(map[store.Tag]suspicion) }

// cleared reports whether all have ended who may hold a suspect tag without a mark in it, as its stripe was seen after it.
func (ss *suspects) cleared(v *tagView, st *stripeView, anyToken bool) bool {
	if !st.there || st.state.marked(nobody) {
		return false
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	was, ok := ss.of[v.name]
	known := ok && (was.token == v.state.suspect || anyToken)
	var left []uint64
	for _, m := range st.state.marks {
		if !known || slices.Contains(was.ids, m.id) {
			left = append(left, m.id)
		}
	}
	if len(left) == 0 {
		delete(ss.of, v.name)
		return true
	}
	if !ok && len(ss.of) >= maxSuspects {
		ss.forgetOneLocked()
	}
	ss.of[store.Tag(strings.Clone(string(v.name)))] = suspicion{v.state.suspect, left}
	return false
}

// forgetOneLocked forgets any one, which may be one that another process has cleared: of many that come in turn some stay.
func (ss *suspects) forgetOneLocked() {
	for name := range ss.of {
		delete(ss.of, name)
		return
	}
}
