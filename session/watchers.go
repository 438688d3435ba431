package session

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
)

// Watchers are those who listen to events. While there are none, nothing is noted for
// them. They are safe for concurrent use.
type Watchers struct {
	current atomic.Pointer[listeners] // nil: nobody listens

	mu sync.Mutex // held while current is changed
}

// listeners are the watchers at one moment. They aren't changed.
type listeners struct {
	list    []*listener
	sampled bool // by all of them
	trail   *coherence.Trail
}

type listener struct {
	hear    func(context.Context, Event)
	sampled bool
}

// Of hits of one text toldAll are told each, and one in sampleOf later, where all who listen agree.
const (
	toldAll  = 1000
	sampleOf = 16
)

// Add has hear called with every event from now on, in the goroutine that makes it: it must be
// quick. stop ends that; hear may still be called by those who have begun. Stopping again does nothing.
func (w *Watchers) Add(hear func(context.Context, Event)) (stop func()) {
	return w.add(&listener{hear: hear})
}

// AddSampled is Add for one who can do with some of the hits of texts that are asked again and again: those that are told have
// the Weight of all. One that is told for another reason has none.
func (w *Watchers) AddSampled(hear func(context.Context, Event)) (stop func()) {
	return w.add(&listener{hear, true})
}

func (w *Watchers) add(added *listener) (stop func()) {
	w.change(func(list []*listener) []*listener { return append(list, added) })
	return func() {
		w.change(func(list []*listener) []*listener {
			return slices.DeleteFunc(list, func(l *listener) bool { return l == added })
		})
	}
}

func (w *Watchers) change(f func([]*listener) []*listener) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := &listeners{}
	if before := w.current.Load(); before != nil {
		next.list, next.trail = slices.Clone(before.list), before.trail
	}
	if next.list = f(next.list); len(next.list) == 0 {
		w.current.Store(nil)
		return
	}
	next.sampled = !slices.ContainsFunc(next.list, func(l *listener) bool { return !l.sampled })
	if next.trail == nil {
		next.trail = coherence.NewTrail()
	}
	w.current.Store(next)
}

// now returns those who listen, or nil.
func (w *Watchers) now() *listeners {
	if w == nil {
		return nil
	}
	return w.current.Load()
}

// Listening reports whether anybody does.
func (w *Watchers) Listening() bool { return w.now() != nil }

// Tell tells an event to those who listen.
func (w *Watchers) Tell(ctx context.Context, e Event) {
	if to := w.now(); to != nil {
		to.tell(ctx, e)
	}
}

func (l *listeners) tell(ctx context.Context, e Event) {
	for _, listener := range l.list {
		listener.hear(ctx, e)
	}
}

// A seenText is a text as those who watch are told of it.
type seenText struct {
	shape, fingerprint string
}

// seen is made once, when somebody watches.
func (q *query) seen() *seenText {
	if seen := q.seenText.Load(); seen != nil {
		return seen
	}
	shape := analyze.Shape(q.st.Dialect, q.text)
	q.seenText.Store(&seenText{shape, analyze.Fingerprint(shape)})
	return q.seenText.Load()
}

// sign notes by which statement the relations of an effect are written, if somebody watches.
func (s *Session) sign(e *effect, q *query) {
	if !s.src.Watchers.Listening() || len(e.changes) == 0 && !e.wide {
		return
	}
	e.by = q
	e.changes = slices.Clone(e.changes)
	for i := range e.changes {
		e.changes[i].by = q
	}
}

// trace notes for those who watch what a write has announced.
func (s *Session) trace(h *holds) {
	to := s.src.Watchers.now()
	if to == nil {
		return
	}
	for _, mark := range h.marks {
		to.trail.Wrote(mark, h.effect.writerOf)
	}
}

// writerOf is the fingerprint of the statement that wrote a relation, or "".
func (e *effect) writerOf(relation string) string {
	for i := range e.changes {
		if by := e.changes[i].by; by != nil && string(e.changes[i].relation) == relation {
			return by.seen().fingerprint
		}
	}
	if e.by != nil {
		return e.by.seen().fingerprint
	}
	return ""
}
