package session

import (
	"database/sql/driver"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// values are the values of a result while it is read. Those of as many rows as are expected
// are read to where they stay, at once; what comes after them gathers in a room until it is
// known how many there are.
type values struct {
	n        int             // columns
	expected int             // values
	kept     []driver.Value  // of the first rows; its capacity is of those that are expected, or what memory for these has
	room     *[]driver.Value // nil until it is needed
	behind   []driver.Value  // what room holds
}

// rooms are nil from end to end.
var rooms = sync.Pool{New: func() any { return new([]driver.Value) }}

const (
	largestRoom = 16 << 10 // values in a room that is used again, at most
	firstRows   = 8        // rows that there is room for at first
)

// openValues begins a result of n columns. expected rows are as many as it has, or 0; close must follow.
func openValues(n, expected int) values {
	v := values{n: n, expected: expected * n}
	if expected > 0 && v.expected <= largestRoom {
		v.kept = slices.Grow(v.kept, v.expected) // as memory is had in certain sizes, there is often a place in it for the row that isn't there
	}
	return v
}

// row returns where the next row is to be read to; it is nil from end to end.
func (v *values) row() []driver.Value {
	if start := len(v.kept); cap(v.kept)-start >= v.n {
		v.kept = v.kept[:start+v.n]
		return v.kept[start:]
	}
	if v.room == nil {
		v.room = rooms.Get().(*[]driver.Value)
		v.behind = *v.room
	}
	start := len(v.behind)
	if cap(v.behind)-start < v.n {
		v.behind = slices.Grow(v.behind, max(firstRows*v.n, start))
		clear(v.behind[start:cap(v.behind)])
	}
	v.behind = v.behind[:start+v.n]
	return v.behind[start:]
}

// drop takes back the row that row returned last: there was none, or only a part of it.
func (v *values) drop(row []driver.Value) {
	clear(row)
	if len(v.behind) > 0 {
		v.behind = v.behind[:len(v.behind)-v.n]
	} else {
		v.kept = v.kept[:len(v.kept)-v.n]
	}
}

// close returns the values, in memory of their size.
func (v *values) close() []driver.Value {
	all := v.kept
	if len(v.behind) > 0 || len(all) < min(v.expected, cap(all)) {
		all = slices.Concat(v.kept, v.behind)
	}
	if v.room != nil && cap(v.behind) <= largestRoom {
		clear(v.behind)
		*v.room = v.behind[:0]
		rooms.Put(v.room)
	}
	return all
}

// A likeness is what results of one text have in common: where it is true of the next, that is
// read without being copied.
type likeness struct {
	shape *shape
	named bool // what the types of the columns are called needn't be asked, if the rest of their description is the same
	rows  int  // 0: that isn't known
}

// A habit is what the results of one text were like.
type habit struct {
	last  atomic.Pointer[description]
	rows  atomic.Int64 // of the last result
	alike atomic.Bool  // the one before had as many
}

// A description is how the driver described a result that was asked for at a time.
type description struct {
	shape *shape
	asked time.Time
}

// namedFor is how long types are called as they were, if the catalog alone tells them. Whoever changes the schema by this cache ends that at once
// (see Session.miss); of others even a hit shows what was, for longer.
const namedFor = time.Second

// next is what the next result, that is asked for now, is expected to be like. So many of its columns are columns of tables.
func (h *habit) next(now time.Time, ofTables int) likeness {
	var l likeness
	if last := h.last.Load(); last != nil {
		l.shape = last.shape
		l.named = len(l.shape.names) == ofTables && now.Sub(last.asked) < namedFor
	}
	if h.alike.Load() {
		l.rows = int(h.rows.Load())
	}
	return l
}

// learn notes what a result is like. It stores only what has changed.
func (h *habit) learn(r *readAhead, ofTables int, asked time.Time) {
	s := r.set
	if last := h.last.Load(); !r.assumed && (last == nil || s.shape != last.shape || len(s.names) == ofTables) && (last == nil || asked.After(last.asked)) {
		h.last.CompareAndSwap(last, &description{s.shape, asked})
	}
	alike := h.rows.Load() == int64(s.rows)
	if !alike {
		h.rows.Store(int64(s.rows))
	}
	if h.alike.Load() != alike {
		h.alike.Store(alike)
	}
}

// learn notes what a result of the plan is like that was asked for at a time, and is to be kept.
func (p *planned) learn(r *readAhead, asked time.Time) {
	p.habit.learn(r, p.ofTables, asked)
	p.yield.kept(time.Since(asked), len(r.set.values))
	r.set.yield = p.yield
}
