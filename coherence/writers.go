package coherence

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Writes that are under way are counted by generation. A change of the schema
// closes the generation, and its hold waits for that one and all before:
// they hold the writes that may have told their tags by the schema as it was.
//
//	BeginWrite            count the write in the current generation
//	ReleaseAfterWriters   open a next generation; the hold waits at the last
//	End                   the last of a closed generation releases what waits
//
// A write that counts itself in a generation just as it is closed (it has read
// which is the current one, then another became it) leaves again and tries
// anew; so whoever closes one sees all writes of it that BeginWrite has returned.

// writers are the writes under way of one domain.
type writers struct {
	now       func() time.Duration
	current   atomic.Pointer[generation]
	lostUntil atomic.Int64 // by now; until then a write of unknown outcome may become visible

	mu     sync.Mutex
	closed []*generation // oldest first; guarded by mu
}

// A generation is the writes that began between two changes of the schema.
type generation struct {
	writes atomic.Int64
	closed atomic.Bool
	holds  []waiting // what waits for this generation and all before; guarded by writers.mu
}

// A waiting hold is ended by the last write that it waits for.
type waiting struct {
	hold    *Hold
	ctx     context.Context
	abandon bool
}

// end ends the hold, now that the writes of this process have ended; of a change of the schema
// in a shared store once those of other processes have.
func (w waiting) end() error {
	if w.hold.schema && w.hold.d.shared != nil {
		w.hold.d.schema.endAfterOthers(w)
		return nil
	}
	return w.endNow()
}

// endNow ends the hold. It leaves it to its lease if that is what is asked for, if
// the store fails, or if one of the writes that it has waited for may become
// visible yet: nothing but this hold is on what that one was not told.
func (w waiting) endNow() error {
	var err error
	if !w.abandon && !w.hold.d.writers.losing() {
		err = w.hold.end(w.ctx)
	}
	if !w.hold.ended {
		w.hold.lapse()
	}
	return err
}

// A Writer is a write from before its tags are told until its change is visible, or won't be, and its hold has ended
// or is released behind. It is used by one goroutine.
// The zero Writer is one that has ended.
type Writer struct {
	ws  *writers
	gen *generation
}

// BeginWrite begins a write. It must be called before the first look at facts
// of the schema by which the write's tags are told. End must follow.
func (d *Domain) BeginWrite() *Writer {
	w := new(Writer)
	w.Begin(d)
	return w
}

// Begin is BeginWrite with a Writer of the caller's, which has ended or is zero.
func (w *Writer) Begin(d *Domain) { w.ws, w.gen = &d.writers, d.writers.begin() }

// Begun reports whether the write has begun and not ended.
func (w *Writer) Begun() bool { return w != nil && w.gen != nil }

// End ends the write, after its hold has, or its release was sent. If changes of the schema waited for
// it alone, it releases their holds. Calling it again, or of nil, does nothing.
func (w *Writer) End() {
	if w.Begun() {
		w.ws.leave(w.gen)
		w.gen = nil
	}
}

// ReleaseAfterWriters releases the hold of a change of the schema once every
// write that had begun before has ended, but not own, the Writer of the change
// itself, which may be nil. The facts by which later writes are told must be
// those after the change already. It doesn't wait: until then the hold stays,
// and the last of those writes releases it. If that fails the hold is abandoned.
func (h *Hold) ReleaseAfterWriters(ctx context.Context, own *Writer) error {
	if err := h.endAfterWriters(waiting{ctx: context.WithoutCancel(ctx)}, own); err != nil {
		return fmt.Errorf("coherence: release of a change of the schema: %w", err)
	}
	return nil
}

// AbandonAfterWriters is ReleaseAfterWriters for a change of the schema of which
// it isn't known whether it became, or will become, visible: its lease begins
// when the last of those writes has ended.
func (h *Hold) AbandonAfterWriters(own *Writer) {
	_ = h.endAfterWriters(waiting{ctx: context.Background(), abandon: true}, own) // nothing is released
}

// endAfterWriters hands the hold over, and returns its error if it ends at once.
func (h *Hold) endAfterWriters(w waiting, own *Writer) error {
	if h == nil || h.ended {
		return nil
	}
	later := *h
	h.ended = true
	w.hold = &later
	var err error
	for _, due := range h.d.writers.close(w, own) {
		if e := due.end(); due.hold == w.hold {
			err = e
		}
	}
	return err
}

func (ws *writers) init(now func() time.Duration) {
	ws.now = now
	ws.lostUntil.Store(math.MinInt64)
	ws.current.Store(new(generation))
}

// lose notes that there is a write of unknown outcome, which may become visible
// within its lease.
func (ws *writers) lose(lease time.Duration) {
	ws.lostUntil.Store(int64(ws.now() + lease))
}

func (ws *writers) losing() bool {
	return int64(ws.now()) < ws.lostUntil.Load()
}

// any reports whether there are writes under way.
func (ws *writers) any() bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return len(ws.closed) > 0 || ws.current.Load().writes.Load() > 0
}

func (ws *writers) begin() *generation {
	for {
		g := ws.current.Load()
		g.writes.Add(1)
		if ws.current.Load() == g {
			return g
		}
		ws.leave(g)
	}
}

// leave counts a write out. The last of a closed generation sees that it is
// closed, or who closes it sees that there are none.
func (ws *writers) leave(g *generation) {
	if g.writes.Add(-1) > 0 || !g.closed.Load() {
		return
	}
	ws.mu.Lock()
	due := ws.dueLocked()
	ws.mu.Unlock()
	for _, w := range due {
		_ = w.end() // whose hold it is has gone; it lapses
	}
}

// close closes the current generation, at whose end w waits, moves own to the
// next one, and returns what need not wait any more.
func (ws *writers) close(w waiting, own *Writer) []waiting {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	g, next := ws.current.Load(), new(generation)
	g.holds = append(g.holds, w)
	ws.current.Store(next)
	g.closed.Store(true)
	ws.closed = append(ws.closed, g)
	if own != nil && own.gen != nil {
		next.writes.Add(1)
		own.gen.writes.Add(-1)
		own.gen = next
	}
	return ws.dueLocked()
}

// dueLocked takes out the generations that have ended, from the oldest on, and
// returns what has waited for them.
func (ws *writers) dueLocked() []waiting {
	var due []waiting
	for len(ws.closed) > 0 && ws.closed[0].writes.Load() == 0 {
		due = append(due, ws.closed[0].holds...)
		ws.closed = ws.closed[1:]
	}
	return due
}
