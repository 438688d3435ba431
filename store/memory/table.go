package memory

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

// The states of tags are in shards by name. A state lives at least as long as an
// entry refers to it or a hold marks it. States without entries stand in the
// idle list of their shard, oldest first, and those that are not held are
// dropped from its front when the list has more bytes than it may. A tag that
// was dropped gets another state, and thereby a token that no entry has, when
// it is asked for again; so dropping one is never unsound, only a miss to
// readers who are between Lookup and Fill.

const (
	shards    = 64
	idleShare = 16 // idle states take at most this part of the store's bytes …
	idleLeast = 8  // … but each shard may keep so many
)

// A table is the states of all tags.
type table struct {
	changes atomic.Uint64 // how many times a tag that entries may have got a token or a mark: see Finder
	_       [56]byte      // each glance reads it
	now     func() time.Duration
	last    atomic.Uint64 // the token given last
	bytes   atomic.Int64
	count   atomic.Int64
	idle    int64 // bytes that the idle list of one shard may take
	seed    maphash.Seed
	shards  [shards]shard
}

type shard struct {
	mu        sync.Mutex // guards all below, and what states say it does
	states    map[store.Tag]*state
	idle      state // the head of the ring of states without entries
	idleBytes int64
	idleCount int
}

// A state is what is known of a tag. Readers look at held, at token and at held
// again, without a lock.
type state struct {
	token atomic.Uint64
	held  atomic.Int32 // len(marks)
	refs  atomic.Int32 // entries that refer to it, or dropped. It leaves 0, be it for dropped, under the shard's mu only; who is idle has 0, and who has 0 is idle, or about to be
	name  store.Tag
	marks []mark  // guarded by the shard's mu
	first [1]mark // room for one
	set   *set    // its members, nil for none; guarded by the shard's mu

	prev, next *state // in the idle ring; guarded by the shard's mu
}

// dropped is in the place of the entries that refer to a state which isn't the one of its name any more.
const dropped = -1

// A mark is the hold of one writer on one tag.
type mark struct {
	id      store.HoldID
	expires time.Duration // 0: lasts until it is released or renewed
}

func (t *table) init(now func() time.Duration, idle int64) {
	t.now, t.idle, t.seed = now, idle/shards, maphash.MakeSeed()
	t.changes.Store(1)
	for i := range t.shards {
		sh := &t.shards[i]
		sh.states = make(map[store.Tag]*state)
		sh.idle.prev, sh.idle.next = &sh.idle, &sh.idle
	}
}

func (t *table) shard(name store.Tag) *shard {
	return &t.shards[maphash.String(t.seed, string(name))%shards]
}

func (t *table) newToken() uint64 { return t.last.Add(1) }

// renewTokenLocked gives a tag a new token. It is counted after that: a tag that a member parts from has no mark meanwhile.
func (t *table) renewTokenLocked(st *state) {
	st.token.Store(t.newToken())
	t.changes.Add(1)
}

// look returns the tokens of tags, and whether one was held before they were read, or after.
func (t *table) look(tags []store.Tag) ([]store.Token, bool) {
	var few [8]*state
	states, tokens := few[:], make([]store.Token, len(tags))
	if len(tags) > len(few) {
		states = make([]*state, len(tags))
	}
	return tokens, t.lookInto(states[:len(tags)], tokens, tags)
}

// lookInto is look that fills in the states, too. Nothing keeps them from being dropped.
func (t *table) lookInto(states []*state, tokens []store.Token, tags []store.Tag) (held bool) {
	t.peekAll(states, tags)
	return seen(states, tokens)
}

// peekAll fills in the states of tags.
func (t *table) peekAll(states []*state, tags []store.Tag) {
	for i, name := range tags {
		states[i] = t.peek(name)
	}
}

// seen fills in the tokens of states, and reports whether one was held before they were read, or after.
func seen(states []*state, tokens []store.Token) bool {
	held := anyHeld(states)
	for i, st := range states {
		tokens[i] = store.Token(st.token.Load())
	}
	return anyHeld(states) || held
}

// anyDropped reports whether one of states, which were found some time ago, isn't the one of its name any more.
func anyDropped(states []*state) bool {
	for _, st := range states {
		if st.refs.Load() == dropped {
			return true
		}
	}
	return false
}

func anyHeld(states []*state) bool {
	for _, st := range states {
		if st.held.Load() != 0 {
			return true
		}
	}
	return false
}

// peek returns the state of a tag, without the marks that have lapsed.
func (t *table) peek(name store.Tag) *state {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := t.getLocked(sh, name)
	t.lapseLocked(st)
	return st
}

// settle takes the marks away that have lapsed.
func (t *table) settle(st *state) {
	sh := t.shard(st.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t.lapseLocked(st)
}

// refer makes an entry refer to the states of tags, which it fills in. It refers to none
// and reports false if a tag no longer has its token.
func (t *table) refer(states []*state, tags []store.Tag, tokens []store.Token) bool {
	for i, name := range tags {
		if states[i] = t.find(name); states[i] == nil {
			return false
		}
	}
	return t.referNoted(states, tokens)
}

// find returns the state of a tag, nil if there is none.
func (t *table) find(name store.Tag) *state {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.states[name]
}

// referNoted is refer for states that were found, of which some may have been dropped since then, or while their tokens were read.
func (t *table) referNoted(states []*state, tokens []store.Token) bool {
	for i, st := range states {
		if !t.referOne(st, tokens[i]) {
			t.unrefer(states[:i])
			return false
		}
	}
	return true
}

// referOne counts a reference to a state, unless it was dropped, so that no writer would find it, or has another token.
func (t *table) referOne(st *state, token store.Token) bool {
	if st.token.Load() != uint64(token) {
		return false
	}
	for n := st.refs.Load(); n > 0; n = st.refs.Load() { // most have entries: they needn't be taken from the idle
		if st.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
	sh := t.shard(st.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if st.refs.Load() == dropped || st.token.Load() != uint64(token) {
		return false
	}
	if st.refs.Add(1) == 1 && st.idle() {
		sh.unlinkLocked(st)
	}
	return true
}

// unrefer takes the reference of one entry away from states.
func (t *table) unrefer(states []*state) {
	for _, st := range states {
		if st.refs.Add(-1) == 0 {
			t.retire(st)
		}
	}
}

// retire puts a state among the idle, unless an entry has come to refer to it meanwhile, or it is there already, or was dropped since.
func (t *table) retire(st *state) {
	sh := t.shard(st.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if st.refs.Load() == 0 && !st.idle() {
		sh.linkLocked(st)
		t.sweepLocked(sh)
	}
}

// idle reports whether a state is in its shard's idle ring. It is called under the shard's mu.
func (st *state) idle() bool { return st.next != nil }

// hold marks a tag, then gives it a new token.
func (t *table) hold(name store.Tag, id store.HoldID, lease time.Duration) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := t.getLocked(sh, name)
	t.setMarkLocked(st, id, lease)
	t.renewTokenLocked(st)
}

func (t *table) setMarkLocked(st *state, id store.HoldID, lease time.Duration) {
	if m := st.markLocked(id); m != nil {
		m.expires = t.until(lease)
		return
	}
	if st.marks == nil {
		st.marks = st.first[:0]
	}
	st.marks = append(st.marks, mark{id, t.until(lease)})
	st.held.Add(1)
}

// pause marks a tag, which keeps its token.
func (t *table) pause(name store.Tag, id store.HoldID) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t.setMarkLocked(t.getLocked(sh, name), id, 0)
	t.changes.Add(1)
}

// resume takes the mark of id away from a tag, which keeps its token.
func (t *table) resume(name store.Tag, id store.HoldID) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if st := sh.states[name]; st != nil {
		t.unmarkLocked(st, func(m mark) bool { return m.id == id })
	}
}

// renew reports whether id still holds the tag.
func (t *table) renew(name store.Tag, id store.HoldID, lease time.Duration) bool {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := sh.states[name]
	if st == nil {
		return false
	}
	t.lapseLocked(st)
	m := st.markLocked(id)
	if m == nil {
		return false
	}
	m.expires = t.until(lease)
	return true
}

// release gives the tag a new token, then takes the mark of id away. A tag
// without a state has no entry, and nothing to release.
func (t *table) release(name store.Tag, id store.HoldID) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := sh.states[name]
	if st == nil {
		return
	}
	t.renewTokenLocked(st)
	t.unmarkLocked(st, func(m mark) bool { return m.id == id })
}

// holders returns the ids of the marks on a tag that have not lapsed.
func (t *table) holders(name store.Tag) []store.HoldID {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	st := sh.states[name]
	if st == nil {
		return nil
	}
	t.lapseLocked(st)
	ids := make([]store.HoldID, len(st.marks))
	for i, m := range st.marks {
		ids[i] = m.id
	}
	return ids
}

// until is when a lease that begins now ends.
func (t *table) until(lease time.Duration) time.Duration {
	if lease <= 0 {
		return 0
	}
	return expiry(t.now(), lease)
}

// lapseLocked takes the marks away that have come to their end, if there are
// any, after it has given the tag a new token.
func (t *table) lapseLocked(st *state) {
	if len(st.marks) == 0 {
		return
	}
	now := t.now()
	over := func(m mark) bool { return m.expires != 0 && m.expires <= now }
	if slices.ContainsFunc(st.marks, over) {
		t.renewTokenLocked(st)
		t.unmarkLocked(st, over)
	}
}

func (t *table) unmarkLocked(st *state, over func(mark) bool) {
	st.marks = slices.DeleteFunc(st.marks, over)
	st.held.Store(int32(len(st.marks)))
	if len(st.marks) == 0 {
		st.marks = nil
	}
}

func (st *state) markLocked(id store.HoldID) *mark {
	for i := range st.marks {
		if st.marks[i].id == id {
			return &st.marks[i]
		}
	}
	return nil
}

// getLocked returns the state of a tag, and makes it if it is missing.
func (t *table) getLocked(sh *shard, name store.Tag) *state {
	if st := sh.states[name]; st != nil {
		return st
	}
	st := &state{name: store.Tag(strings.Clone(string(name)))}
	st.token.Store(t.newToken())
	sh.states[st.name] = st
	t.count.Add(1)
	t.bytes.Add(st.cost())
	sh.linkLocked(st)
	t.sweepLocked(sh)
	return st
}

// sweepLocked drops the states that have been idle longest, until the rest take
// no more than they may. It passes over those that are held, and takes a few
// steps only: the next caller takes more. The youngest always stays.
func (t *table) sweepLocked(sh *shard) {
	for range 4 {
		if sh.idleBytes <= t.idle || sh.idleCount <= idleLeast {
			return
		}
		st := sh.idle.next
		sh.unlinkLocked(st)
		if t.lapseLocked(st); len(st.marks) > 0 {
			sh.linkLocked(st)
			continue
		}
		t.dropLocked(sh, st)
	}
}

// dropLocked forgets a state. A reader may still have it in hand, by an entry
// that it found before that was evicted; so its last token is one of no entry.
func (t *table) dropLocked(sh *shard, st *state) {
	st.token.Store(t.newToken()) // which needn't be counted: no item has it
	st.refs.Store(dropped)
	delete(sh.states, st.name)
	t.count.Add(-1)
	t.bytes.Add(-st.cost())
}

func (sh *shard) linkLocked(st *state) {
	last := sh.idle.prev
	st.prev, st.next = last, &sh.idle
	last.next, sh.idle.prev = st, st
	sh.idleBytes += st.cost()
	sh.idleCount++
}

func (sh *shard) unlinkLocked(st *state) {
	st.prev.next, st.next.prev = st.next, st.prev
	st.prev, st.next = nil, nil
	sh.idleBytes -= st.cost()
	sh.idleCount--
}
