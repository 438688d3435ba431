package larder

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/larderdb/larder/coherence"
)

// A flight is one caller's making of a value, or of several, for which other callers may wait. What it has come to they may use if
// nothing that it was made from has changed since: a write may have overtaken it before they came.
type flight struct {
	cache *Cache
	names []string
	outer *flight // whose load has asked for this one; nil for none

	waits  map[*flight]int // the flights that its load waits for; guarded by waiting
	aboard bool            // others find it; guarded by flights.mu
	done   bool            // guarded by flights.mu
	landed chan struct{}   // closed when done

	// What it has come to, set before it lands.
	fate     fate
	rec      *coherence.Recording
	result   any // a box; by name, a map of them
	err      error
	panicked any
}

// A fate is what has become of a flight.
type fate uint8

const (
	nowhere  fate = iota // nothing was loaded
	returned             // load has returned
	broken               // load has ended its goroutine, or was cancelled
	panicked             // load has panicked
)

// flights are those of a cache that others may join, by name.
type flights struct {
	mu  sync.Mutex
	air map[string]*flight // guarded by mu
}

type flightKey struct{}

// insideOf is the flight whose load runs under ctx.
func insideOf(ctx context.Context) *flight {
	f, _ := ctx.Value(flightKey{}).(*flight)
	return f
}

// within is the context of a flight's load.
func (f *flight) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, flightKey{}, f)
}

func newFlight(c *Cache, outer *flight, names ...string) *flight {
	return &flight{cache: c, names: names, outer: outer, landed: make(chan struct{})}
}

// makes reports whether the flight, or one around it, makes the value of a name.
func (f *flight) makes(c *Cache, name string) bool {
	for ; f != nil; f = f.outer {
		if f.cache == c && slices.Contains(f.names, name) {
			return true
		}
	}
	return false
}

func recursive(c *Cache, name string) error {
	return fmt.Errorf("%w: %q", ErrRecursive, name[len(c.valuePrefix):])
}

// board returns the flight that makes the value of a name, and whether it is the caller's own, who must land it. It fails if the caller is in the
// midst of making that value.
func (fs *flights) board(ctx context.Context, c *Cache, name string) (f *flight, own bool, err error) {
	outer := insideOf(ctx)
	if outer.makes(c, name) {
		return nil, false, recursive(c, name)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f = fs.air[name]; f != nil {
		return f, false, nil
	}
	f = newFlight(c, outer, name)
	fs.boardLocked(f)
	return f, true, nil
}

func (fs *flights) boardLocked(f *flight) {
	if fs.air == nil {
		fs.air = make(map[string]*flight)
	}
	f.aboard = true
	for _, name := range f.names {
		fs.air[name] = f
	}
}

// boardMany returns a flight of the caller's own for those of names that nobody makes, nil if there are none, and the flights of the others.
func (fs *flights) boardMany(ctx context.Context, c *Cache, names []string) (own *flight, others map[string]*flight, err error) {
	outer := insideOf(ctx)
	for _, name := range names {
		if outer.makes(c, name) {
			return nil, nil, recursive(c, name)
		}
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	others = make(map[string]*flight)
	own = newFlight(c, outer)
	for _, name := range names {
		if f := fs.air[name]; f != nil {
			others[name] = f
		} else {
			own.names = append(own.names, name)
		}
	}
	if len(own.names) == 0 {
		return nil, others, nil
	}
	fs.boardLocked(own)
	return own, others, nil
}

// alone returns a flight that nobody joins. It fails as board does.
func alone(ctx context.Context, c *Cache, names ...string) (*flight, error) {
	outer := insideOf(ctx)
	for _, name := range names {
		if outer.makes(c, name) {
			return nil, recursive(c, name)
		}
	}
	return newFlight(c, outer, names...), nil
}

// land ends a flight; those who wait for it go on. Calling it again does nothing.
func (fs *flights) land(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.done {
		return
	}
	f.done = true
	for _, name := range f.names {
		if f.aboard && fs.air[name] == f {
			delete(fs.air, name)
		}
	}
	close(f.landed)
}

// made returns the box of a name; nil if there is none.
func (f *flight) made(name string) any {
	if many, ok := f.result.(map[string]any); ok {
		return many[name]
	}
	return f.result
}

// failed notes the error of the load. One that comes of the end of its caller's context is nobody else's.
func (f *flight) failed(ctx context.Context, err error) {
	if f.err = err; ctx.Err() != nil {
		f.fate = broken
	}
}

// caught notes the panic of a load, and lets it go on. It is to be deferred.
func (f *flight) caught() {
	if f.fate != broken {
		return
	}
	if p := recover(); p != nil {
		f.fate, f.panicked = panicked, p
		panic(p)
	}
}

// await waits until f has landed, for at most so long, and reports whether it has. It fails if ctx ends, or if f itself
// waits for a flight whose load the caller runs.
func await(ctx context.Context, f *flight, name string, wait time.Duration) (landed bool, err error) {
	inside := insideOf(ctx)
	if !mayWait(inside, f) {
		return false, recursive(f.cache, name)
	}
	defer waited(inside, f)
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-f.landed:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-t.C:
		return false, nil
	}
}

// waiting guards what flights wait for: they may be of several caches.
var waiting sync.Mutex

// mayWait notes that the flights from inside outwards wait for f, unless that would wait for one of them.
func mayWait(inside, f *flight) bool {
	if inside == nil {
		return true
	}
	waiting.Lock()
	defer waiting.Unlock()
	seen := map[*flight]bool{}
	if f.reachesLocked(inside, seen) {
		return false
	}
	for g := inside; g != nil; g = g.outer {
		if g.waits == nil {
			g.waits = make(map[*flight]int)
		}
		g.waits[f]++
	}
	return true
}

func waited(inside, f *flight) {
	waiting.Lock()
	defer waiting.Unlock()
	for g := inside; g != nil; g = g.outer {
		if g.waits[f]--; g.waits[f] == 0 {
			delete(g.waits, f)
		}
	}
}

// reachesLocked reports whether f waits, through others, for inside or one around it.
func (f *flight) reachesLocked(inside *flight, seen map[*flight]bool) bool {
	for g := inside; g != nil; g = g.outer {
		if g == f {
			return true
		}
	}
	seen[f] = true
	for next := range f.waits {
		if !seen[next] && next.reachesLocked(inside, seen) {
			return true
		}
	}
	return false
}
