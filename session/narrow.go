package session

import (
	"context"
	"slices"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// apart tells by which columns that they ignore the results of a reference are told apart, which is sliced by some shapes.
func (p *planned) apart(ctx context.Context, r *confine.Reference, shapes []string) confine.Apart {
	var used []string
	inUse := func(relation string) []string {
		used = p.db.domain.InUse(ctx, relation)
		return used
	}
	apart := p.db.narrow.Apart(r, shapes, inUse, coherence.MaxShapes)
	if apart.Now != nil { // the shape that was used before the columns were known may be of no use now, and still cost writes
		p.db.domain.RetireIdle(ctx, r.Table.Relations[0], slices.DeleteFunc(slices.Clone(shapes), func(shape string) bool { return !slices.Contains(used, shape) }))
	}
	return apart
}

// wanted are the columns of the shapes of which a change must know its rows.
func (p *planned) wanted(shapes []string) []string {
	return columnsOf(slices.DeleteFunc(slices.Clone(shapes), func(shape string) bool { return confine.Spares(shape, p.touched) }))
}
