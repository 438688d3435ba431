package coherence

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
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
	current atomic.Pointer[generation]

	mu     sync.Mutex
	closed []*generation // oldest first; guarded by mu
}

// A generation is the writes that began between two changes of the schema.
type generation struct {
	writes atomic.Int64
	closed atomic.Bool
	holds  []waiting // what waits for this generation and all before; guarded by writers.mu
}

// A waiting hold is released by the last write that it waits for.
type waiting struct {
	hold *Hold
	ctx  context.Context
}

// A Writer is a write from before its tags are told until its hold has ended. It
// is used by one goroutine.
type Writer struct {
	ws  *writers
	gen *generation
}

// BeginWrite begins a write. It must be called before the first look at facts
// of the schema by which the write's tags are told. End must follow.
func (d *Domain) BeginWrite() *Writer {
	return &Writer{&d.writers, d.writers.begin()}
}

// End ends the write, after its hold has. If changes of the schema waited for
// it alone, it releases their holds. Calling it again does nothing.
func (w *Writer) End() {
	if w.gen != nil {
		w.ws.leave(w.gen)
		w.gen = nil
	}
}

// ReleaseAfterWriters releases the hold of a change of the schema once every
// write that had begun before has ended, but not own, the Writer of the change
// itself, which may be nil. It doesn't wait: until then the hold stays, and the
// last of those writes releases it. If that fails the hold is abandoned.
func (h *Hold) ReleaseAfterWriters(ctx context.Context, own *Writer) error {
	if h == nil || h.ended {
		return nil
	}
	later := *h
	h.ended = true
	for _, w := range h.d.writers.close(waiting{&later, context.WithoutCancel(ctx)}, own) {
		if err := w.hold.end(w.ctx); err != nil {
			w.hold.Abandon()
			if w.hold == &later {
				return fmt.Errorf("coherence: release of a change of the schema: %w", err)
			}
		}
	}
	return nil
}

func (ws *writers) init() { ws.current.Store(new(generation)) }

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
		if w.hold.end(w.ctx) != nil {
			w.hold.Abandon()
		}
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
