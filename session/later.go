package session

import (
	"context"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// The rows of a write may be told by the database's answer: the number of a new one by RETURNING or the last insert id,
// the column of an old one, if the write leaves it as it is, by RETURNING. In a transaction of its own they could be held
// before the COMMIT. Where all who read are in this process, and few do just then, they are kept from the rows meanwhile
// instead (coherence's pause.go), which costs the write nothing:
//
//  1. hold what the text tells; pause the shapes whose slices it doesn't
//  2. UPDATE stuff SET … WHERE id = 7 RETURNING user_id
//  3. hold the slice of that user; release
//
// SQLite's transactions cost no round trips.

// later prepares a write whose rows are told later, outside of transactions. It reports false if they can't be.
func (s *Session) later(ctx context.Context, w *write, c *call, target *change, missing []string, returnsRows bool) bool {
	e := &w.effect
	if c.plain || s.tx.open || s.src.Dialect == analyze.SQLite || len(e.changes) != 1 || e.schema || e.attached || e.shared {
		return false
	}
	if _, told := w.plan.change.Rows(c.args); !told || !s.db.domain.MayPause(string(target.relation), s.untold(ctx, target)) {
		return false
	}
	var im *imaging
	if w.plan.change.Op == analyze.Insert {
		im = s.numbering(ctx, w.plan, c, missing, returnsRows)
	} else if !returnsRows {
		im = s.returned(ctx, w.plan, c, missing)
	}
	if im != nil && im.returned != nil && w.plan.change.Table.Fired&w.plan.change.Op != 0 { // it may be run twice
		return false
	}
	if im == nil {
		return false
	}
	im.later, target.later, w.imaging = true, true, im
	return true
}

// untold are the shapes in use whose slices the rows of a change don't tell.
func (s *Session) untold(ctx context.Context, target *change) []string {
	var untold []string
	for _, shape := range s.db.domain.Shapes(ctx, string(target.relation)) {
		if _, told := target.slices(shape); !told {
			untold = append(untold, shape)
		}
	}
	return untold
}

// returned prepares for an UPDATE or DELETE of a single row, of which RETURNING tells what is missing: nil if it doesn't.
func (s *Session) returned(ctx context.Context, p *planned, c *call, missing []string) *imaging {
	if s.src.Dialect != analyze.Postgres || !s.counts || c.stmt != nil || p.text.Change.Append == 0 || !c.asksFor() || !p.tellsFound() || p.change.KeyCount(c.args) != 1 {
		return nil
	}
	columns := p.change.Columns(missing)
	if len(columns) != len(missing) || p.change.Op == analyze.Update && !p.change.Leaves(columns) {
		return nil
	}
	before, _, ok := p.change.FromText(c.args)
	if !ok || len(before) != 1 || !s.mayLook(ctx, p) {
		return nil
	}
	return &imaging{columns: columns, returned: p.returning(c, columns...), key: p.rowKey(before[0], columns)}
}

// refusedLater reports whether the database didn't take the RETURNING that was added, and so has done nothing.
func (w *write) refusedLater(err error) bool {
	if w.imaging == nil || !w.imaging.later || w.imaging.returned == nil {
		return false
	}
	state, _ := sqlState(err)
	return guardRefused(err) || state == "0A000" // its column has another type than when it was prepared
}

// tellLater tells the rows, once the statement has been done. After an error there may be none: the
// release tells that by itself.
func (s *Session) tellLater(ctx context.Context, w *write, affected int64, err error) {
	if err != nil {
		return
	}
	im, target := w.imaging, w.effect.of(w.plan.plan.Target)
	switch target.later = false; {
	case !s.agrees(w, nil, affected):
		w.unknown()
	case im.number != nil:
		target.rows = confine.Numbered(target.rows, im.number, im.numbers)
	default:
		target.rows = im.complete(target.rows)
		if im.key != "" && im.values != nil && w.plan.change.Op == analyze.Update {
			w.plan.db.guesses.set(im.key, im.values)
		}
	}
	w.holds.effect = w.effect
	for _, hold := range w.holds.marks {
		_ = hold.Tell(s.storing(ctx), told(w.effect.changes)) // a store of this process never fails
	}
}

// complete are rows, as they were or as they are, with what was found of them and is the same in both.
func (im *imaging) complete(rows []confine.Image) []confine.Image {
	switch len(im.found) {
	case 0:
		return nil
	case 1:
	default: // by one key there is one
		return rows
	}
	all := make([]confine.Image, len(rows))
	for i, row := range rows {
		all[i] = row.With(im.found[0])
	}
	return all
}
