package session

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
)

// Ops say what was done to a relation.
type Ops uint8

// The ways to change a relation.
const (
	OpInsert   = Ops(analyze.Insert)
	OpUpdate   = Ops(analyze.Update)
	OpDelete   = Ops(analyze.Delete)
	OpTruncate = Ops(analyze.Truncate)
	OpSchema   = OpTruncate << 1
	OpUnknown  = OpTruncate << 2 // what was done can't be told
)

var opNames = [...]string{"insert", "update", "delete", "truncate", "schema", "unknown"}

// String names the set: "insert|update".
func (o Ops) String() string {
	var names []string
	for i, name := range opNames {
		if o&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// A Notice is what one transaction has done to one relation. It is shared between listeners and must not be changed.
type Notice struct {
	Database string  // identity of the database; "" if it can't be told
	From     *Source // whose session it was; nil if it was another process's
	Relation string  // as the database knows it; "*": relations that can't be told
	Ops      Ops
	Count    int64 // how many rows; -1 if that isn't known

	// Slices tell values that each changed row had before or has now: it matches one of them. Nil: any row may have changed.
	Slices []map[string]any

	// Rows are all that were changed, if Whole. They are known only to who asked for them.
	Rows  []Row
	Whole bool

	Perhaps bool // it isn't known whether it was committed

	Lost int // so many notices could not be told, or some if it is below 0; nothing else is known then
}

// A Row is one row that was changed, by the names of its columns as the database folds them.
type Row struct {
	Old, New map[string]any // nil: there was none, there is none any more
}

// A Listener hears of what was written.
type Listener struct {
	// Rows reports whether whole rows of a relation are wanted.
	Rows func(relation string) bool

	// Hear is given what one transaction did, after its release, or in a shared store when that is on its way, and before its caller knows of its end. It must be quick.
	Hear func([]Notice)

	// Settle, if not nil, is given the same after all have heard it. The caller waits for it, and nobody else does.
	Settle func([]Notice)
}

// A Hub is where all sources over one store tell what their sessions wrote. It lasts as long as one
// of those who have acquired it.
type Hub struct {
	store     coherence.Store
	listeners atomic.Pointer[[]*Listener]
	order     sync.Mutex // so that all listeners hear in one order

	refs  int    // guarded by hubs.mu
	relay *Relay // nil: there is none; guarded by hubs.mu
}

// hubs holds those in use by this process.
var hubs = struct {
	mu sync.Mutex
	m  map[coherence.Store]*Hub
}{m: make(map[coherence.Store]*Hub)}

// AcquireHub returns the hub of a store; Release must follow.
func AcquireHub(of coherence.Store) *Hub {
	hubs.mu.Lock()
	defer hubs.mu.Unlock()
	h := hubs.m[of]
	if h == nil {
		h = &Hub{store: of}
		hubs.m[of] = h
	}
	h.refs++
	return h
}

// Release lets go of the hub.
func (h *Hub) Release() {
	hubs.mu.Lock()
	defer hubs.mu.Unlock()
	if h.refs--; h.refs == 0 {
		delete(hubs.m, h.store)
	}
}

// Listen adds a listener, until stop.
func (h *Hub) Listen(l *Listener) (stop func()) {
	h.change(func(list []*Listener) []*Listener { return append(list, l) })
	return func() {
		h.change(func(list []*Listener) []*Listener {
			return slices.DeleteFunc(list, func(other *Listener) bool { return other == l })
		})
	}
}

func (h *Hub) change(f func([]*Listener) []*Listener) {
	h.order.Lock()
	defer h.order.Unlock()
	var list []*Listener
	if old := h.listeners.Load(); old != nil {
		list = slices.Clone(*old)
	}
	if list = f(list); len(list) == 0 {
		h.listeners.Store(nil)
		return
	}
	h.listeners.Store(&list)
}

// listens reports whether anybody does.
func (h *Hub) listens() bool { return h.listeners.Load() != nil }

// wantsRows reports whether anybody wants whole rows of a relation.
func (h *Hub) wantsRows(relation string) bool {
	list := h.listeners.Load()
	return list != nil && slices.ContainsFunc(*list, func(l *Listener) bool { return l.Rows(relation) })
}

// Tell gives notices to all listeners.
func (h *Hub) Tell(notices []Notice) {
	if len(notices) == 0 {
		return
	}
	for _, l := range h.heard(notices) {
		if l.Settle != nil {
			l.Settle(notices)
		}
	}
}

// here is whose notices are that tell what no session did.
var here = &Source{}

// TellNames tells that this process says that what has these names has changed, though it is no relation.
func (h *Hub) TellNames(names []string) {
	list := make([]Notice, len(names))
	for i, name := range names {
		list[i] = Notice{From: here, Relation: name, Ops: OpUnknown, Count: unknownCount}
	}
	h.Tell(list)
}

// ToldLate has those settle who do that that a store has been told of writes which it could not be told of before, of relations that
// aren't known any more. All have heard of the writes themselves.
func ToldLate(of coherence.Store) {
	h := AcquireHub(of)
	defer h.Release()
	list := h.listeners.Load()
	if list == nil {
		return
	}
	for _, l := range *list {
		if l.Settle != nil {
			l.Settle([]Notice{{From: here, Relation: "*", Ops: OpUnknown, Count: unknownCount}})
		}
	}
}

// heard has all listeners hear, and returns them.
func (h *Hub) heard(notices []Notice) []*Listener {
	h.order.Lock()
	defer h.order.Unlock()
	list := h.listeners.Load()
	if list == nil {
		return nil
	}
	for _, l := range *list {
		l.Hear(notices)
	}
	return *list
}
