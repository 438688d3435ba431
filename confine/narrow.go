package confine

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// UPDATEs that set few columns (last_seen, a counter) leave results alone that don't look at these. For that, such results
// are told apart by a shape of their own, which names the columns that they ignore: "id!last_seen". A write whose columns are all among
// these isn't one of the shape's. What is ignored is told by the UPDATEs that were run, so that there are as few shapes as
// can be, and by the shapes that are in use.

// NarrowWrites are the UPDATEs of few columns that were run, by relation. They are safe for concurrent use.
type NarrowWrites struct {
	mu    sync.Mutex
	of    map[string][]*NarrowWrite // guarded by mu
	turns atomic.Int64              // how often what they tell may have changed
}

// Turns counts how often what Apart says may have changed because of them.
func (n *NarrowWrites) Turns() int64 { return n.turns.Load() }

// A NarrowWrite is what UPDATEs of a relation set, and how often they were run.
type NarrowWrite struct {
	of       *NarrowWrites
	relation string
	columns  []string // sorted
	times    atomic.Int64
}

// Ran notes that such an UPDATE is run. Of nil, it does nothing.
func (w *NarrowWrite) Ran() {
	if w == nil {
		return
	}
	if n := w.times.Add(1); n&(n-1) == 0 { // seldom
		w.of.admit(w)
		w.of.turns.Add(1)
	}
}

// admit remembers what was forgotten, if it is run more often than what was remembered instead.
func (n *NarrowWrites) admit(w *NarrowWrite) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.of[w.relation]
	if slices.ContainsFunc(list, func(other *NarrowWrite) bool { return slices.Equal(other.columns, w.columns) }) {
		return
	}
	if len(list) < maxNarrowWrites {
		if list != nil || len(n.of) < maxNarrowRelations {
			n.of[w.relation] = append(list, w)
		}
		return
	}
	if slices.SortStableFunc(list, (*NarrowWrite).before); w.before(list[len(list)-1]) < 0 {
		list[len(list)-1] = w
	}
}

const (
	maxNarrow          = 8    // columns that are few
	maxNarrowWrites    = 16   // that are remembered of a relation
	maxNarrowRelations = 1024 // of which some are
	maxFrequent        = 3    // that tell what is ignored
	plainRoom          = 2    // shapes for which room is left that ignore nothing
)

// Note returns what is remembered of the UPDATEs of a relation that touch some columns, sorted; nil if these are too many.
func (n *NarrowWrites) Note(relation string, columns []string) *NarrowWrite {
	odd := func(column string) bool { return column == "" || strings.ContainsAny(column, ",?!") }
	if len(columns) == 0 || len(columns) > maxNarrow || slices.ContainsFunc(columns, odd) {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.of[relation]
	if at := slices.IndexFunc(list, func(w *NarrowWrite) bool { return slices.Equal(w.columns, columns) }); at >= 0 {
		return list[at]
	}
	if n.of == nil || list == nil && len(n.of) >= maxNarrowRelations {
		n.of = make(map[string][]*NarrowWrite)
	}
	w := &NarrowWrite{of: n, relation: relation, columns: columns}
	if len(list) < maxNarrowWrites { // else when it is run more often than another
		n.of[relation] = append(list, w)
	}
	return w
}

// before orders by how often they were run, as far as that differs much, so that what is ignored changes seldom.
func (w *NarrowWrite) before(other *NarrowWrite) int {
	return cmp.Compare(bits.Len64(uint64(other.times.Load())), bits.Len64(uint64(w.times.Load())))
}

// unseen are the columns that the most frequent UPDATEs of a relation set which set none that is looked at; sorted.
func (n *NarrowWrites) unseen(relation string, looks func(string) bool) []string {
	n.mu.Lock()
	list := slices.Clone(n.of[relation])
	n.mu.Unlock()
	slices.SortStableFunc(list, (*NarrowWrite).before)
	var columns []string
	for i, w := range list {
		if i < maxFrequent && w.times.Load() > 0 && !slices.ContainsFunc(w.columns, looks) {
			columns = append(columns, w.columns...)
		}
	}
	slices.Sort(columns)
	return slices.Compact(columns)
}

// An Apart is by which columns that they ignore the results of a reference are told apart, now and from the next time on.
type Apart struct {
	Now  []string // sorted; nil if by none
	next []string // nil if these are the same
}

// Shape returns the shape by which rows are told apart that would be by another if columns weren't ignored; of all rows that is "".
func (a Apart) Shape(shape string) string { return Ignoring(shape, a.Now) }

// Wish returns the shape that is to take its place, "" if none is.
func (a Apart) Wish(shape string) string {
	if a.next == nil {
		return ""
	}
	return Ignoring(shape, a.next)
}

// Slices returns the slices by which a reference depends on rows, if it is sliced or at least ignores columns: all rows are one slice then.
func (a Apart) Slices(list []Slice, sliced bool) ([]Slice, bool) {
	if !sliced && a.Now != nil {
		return []Slice{{}}, true
	}
	return list, sliced
}

// Apart tells a reference's results apart, which is sliced by some shapes. inUse tells the shapes of its relation that are in use, of which there may be max.
// Those that ignore other columns than are wished for serve until what is wished for is in use.
func (n *NarrowWrites) Apart(r *Reference, shapes []string, inUse func(relation string) []string, max int) Apart {
	if !r.apart() {
		return Apart{}
	}
	used := inUse(r.Table.Relations[0])
	wish := n.unseen(r.Table.Relations[0], r.Looks)
	best := IgnoredBy(used, r, shapes)
	switch {
	case len(wish) == 0 || slices.Equal(best, wish):
		return Apart{Now: best}
	case len(used)+len(shapes) > max-plainRoom:
		return Apart{Now: best}
	case best != nil || allUsed(used, shapes, nil):
		return Apart{Now: best, next: wish}
	}
	return Apart{Now: wish}
}

// apart reports whether results of a reference can be told apart by columns.
func (r *Reference) apart() bool {
	return len(r.Table.Relations) == 1 && !r.Table.Unsliced && !r.LooksAtAll()
}

// IgnoredBy are the most columns that a reference ignores of those that used shapes tell.
func IgnoredBy(used []string, r *Reference, shapes []string) (best []string) {
	for _, name := range used {
		_, ignored := Shape(name)
		if ignored == "" {
			continue
		}
		if columns := strings.Split(ignored, ","); len(columns) > len(best) && !slices.ContainsFunc(columns, r.Looks) && allUsed(used, shapes, columns) {
			best = columns
		}
	}
	return best
}

// allUsed reports whether some shapes that ignore columns are all in use, as that of all rows is that ignores none.
func allUsed(used, shapes, ignored []string) bool {
	return !slices.ContainsFunc(shapes, func(shape string) bool {
		name := Ignoring(shape, ignored)
		return name != "" && !slices.Contains(used, name)
	})
}
