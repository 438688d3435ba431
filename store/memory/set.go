package memory

import (
	"slices"
	"strings"

	"github.com/larderdb/larder/store"
)

// A set is the members of a tag, in the order in which they joined. It never
// changes: whoever has got hold of it may read it without the lock.
type set struct{ members []string }

// cost is what the set takes in memory.
func (m *set) cost() int64 {
	if m == nil {
		return 0
	}
	n := sized(24) + sized(16*len(m.members))
	for _, member := range m.members {
		n += sized(len(member))
	}
	return n
}

func (m *set) list() []string {
	if m == nil {
		return nil
	}
	return m.members
}

func (m *set) with(member string) *set {
	return &set{slices.Concat(m.list(), []string{strings.Clone(member)})}
}

func (m *set) without(member string) *set {
	left := slices.DeleteFunc(slices.Clone(m.list()), func(s string) bool { return s == member })
	if len(left) == 0 {
		return nil
	}
	return &set{left}
}

// members returns the members of a tag with its token; both change under the
// lock only.
func (t *table) members(name store.Tag) ([]string, store.Token) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := t.getLocked(sh, name)
	t.lapseLocked(st)
	return st.set.list(), store.Token(st.token.Load())
}

// join reports whether the tag has that token, and so has got the member. A tag
// that was dropped has no token.
func (t *table) join(name store.Tag, token store.Token, member string) bool {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := sh.states[name]
	if st == nil {
		return false
	}
	t.lapseLocked(st)
	if st.token.Load() != uint64(token) {
		return false
	}
	if !slices.Contains(st.set.list(), member) {
		t.assignLocked(sh, st, st.set.with(member))
	}
	return true
}

// part takes a member out and gives the tag a new token. A tag without a state
// has no members, and no entry.
func (t *table) part(name store.Tag, member string) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := sh.states[name]
	if st == nil {
		return
	}
	t.renewTokenLocked(st)
	if slices.Contains(st.set.list(), member) {
		t.assignLocked(sh, st, st.set.without(member))
	}
}

// assignLocked gives the state another set, and counts its bytes anew.
func (t *table) assignLocked(sh *shard, st *state, to *set) {
	more := to.cost() - st.set.cost()
	st.set = to
	t.bytes.Add(more)
	if st.next != nil { // it is idle
		sh.idleBytes += more
		t.sweepLocked(sh)
	}
}
