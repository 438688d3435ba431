package session

import (
	"context"
	"slices"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// ignored are the columns that a reference which is sliced by some shapes ignores, if its results are told apart by that, and those that it is to
// ignore from the next time on. Of all rows, the shape is "".
func (p *planned) ignored(ctx context.Context, r *confine.Reference, shapes []string) (ignored, next []string) {
	if len(r.Table.Relations) != 1 || r.Table.Unsliced || r.LooksAtAll() {
		return nil, nil
	}
	relation := r.Table.Relations[0]
	used := p.db.domain.InUse(ctx, relation)
	ignored, next = p.db.narrow.Ignored(r, shapes, used, coherence.MaxShapes)
	if ignored != nil { // the shape that was used before the columns were known may be of no use now, and still cost writes
		p.db.domain.RetireIdle(ctx, relation, slices.DeleteFunc(slices.Clone(shapes), func(shape string) bool { return !slices.Contains(used, shape) }))
	}
	return ignored, next
}

// wanted are the columns of the shapes of which a change must know its rows.
func (p *planned) wanted(shapes []string) []string {
	return columnsOf(slices.DeleteFunc(slices.Clone(shapes), func(shape string) bool { return confine.Spares(shape, p.touched) }))
}
