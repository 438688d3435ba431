package session

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// UPDATEs that set few columns (last_seen, a counter) leave results alone that don't look at these. For that, such results
// are told apart by a shape of their own, which names the columns that they ignore: "id!last_seen". A write whose columns are all among
// these isn't one of the shape's. What is ignored is told by the UPDATEs that this process has run, so that there are as few shapes as
// can be, and by the shapes that others use.

// A narrowWrite is what UPDATEs of a relation set.
type narrowWrite struct {
	columns []string // sorted
	times   atomic.Int64
}

// narrowWrites are those of the relations of a database.
type narrowWrites struct {
	mu sync.Mutex
	of map[string][]*narrowWrite // guarded by mu
}

const (
	maxNarrow          = 8    // columns that are few
	maxNarrowWrites    = 16   // that are remembered of a relation
	maxNarrowRelations = 1024 // of which some are
	maxFrequent        = 3    // that tell what is ignored
	plainRoom          = 2    // shapes for which room is left that ignore nothing
)

// note returns what is remembered of the UPDATEs of a relation that set some columns; nil if these are too many.
func (n *narrowWrites) note(relation string, columns []string) *narrowWrite {
	if len(columns) == 0 || len(columns) > maxNarrow || slices.ContainsFunc(columns, func(c string) bool { return c == "" || strings.ContainsAny(c, ",?!") }) {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.of[relation]
	if at := slices.IndexFunc(list, func(w *narrowWrite) bool { return slices.Equal(w.columns, columns) }); at >= 0 {
		return list[at]
	}
	if n.of == nil || len(n.of) >= maxNarrowRelations {
		n.of = make(map[string][]*narrowWrite)
	}
	w := &narrowWrite{columns: columns}
	if len(list) < maxNarrowWrites {
		n.of[relation] = append(list, w)
	} else {
		slices.SortStableFunc(list, (*narrowWrite).before)
		list[len(list)-1] = w
	}
	return w
}

// before orders by how often they were run, as far as that differs much, so that what is ignored changes seldom.
func (w *narrowWrite) before(other *narrowWrite) int {
	return cmp.Compare(bits.Len64(uint64(other.times.Load())), bits.Len64(uint64(w.times.Load())))
}

// unseen are the columns that the most frequent UPDATEs of a relation set which set none that is looked at; sorted.
func (n *narrowWrites) unseen(relation string, looks func(string) bool) []string {
	n.mu.Lock()
	list := slices.Clone(n.of[relation])
	n.mu.Unlock()
	slices.SortStableFunc(list, (*narrowWrite).before)
	var columns []string
	for i, w := range list {
		if i < maxFrequent && w.times.Load() > 0 && !slices.ContainsFunc(w.columns, looks) {
			columns = append(columns, w.columns...)
		}
	}
	slices.Sort(columns)
	return slices.Compact(columns)
}

// ignored are the columns that a reference which is sliced by some shapes ignores and that are told apart, sorted; nil if there are none. Of
// all rows, the shape is "".
func (p *planned) ignored(ctx context.Context, r *confine.Reference, shapes []string) []string {
	if len(r.Table.Relations) != 1 || r.Table.Unsliced || r.LooksAtAll() {
		return nil
	}
	relation := r.Table.Relations[0]
	wish := p.db.narrow.unseen(relation, r.Looks)
	used := p.db.domain.Shapes(ctx, relation)
	best := ignoredBy(used, r, shapes)
	if len(wish) == 0 || slices.Equal(best, wish) {
		return best
	}
	if isNew := func(shape string) bool { return !slices.Contains(used, confine.Ignoring(shape, wish)) }; slices.ContainsFunc(shapes, isNew) &&
		len(used)+len(shapes) > coherence.MaxShapes-plainRoom {
		return best
	}
	return wish
}

// ignoredBy are the most columns that a reference ignores of those that used shapes tell.
func ignoredBy(used []string, r *confine.Reference, shapes []string) (best []string) {
	for _, name := range used {
		_, ignored := confine.Shape(name)
		if ignored == "" {
			continue
		}
		columns := strings.Split(ignored, ",")
		isNew := func(shape string) bool { return !slices.Contains(used, confine.Ignoring(shape, columns)) }
		if len(columns) > len(best) && !slices.ContainsFunc(columns, r.Looks) && !slices.ContainsFunc(shapes, isNew) {
			best = columns
		}
	}
	return best
}

// wanted are the columns of the shapes of which a change must know its rows.
func (p *planned) wanted(shapes []string) []string {
	return columnsOf(slices.DeleteFunc(slices.Clone(shapes), func(shape string) bool { return confine.Spares(shape, p.touched) }))
}
