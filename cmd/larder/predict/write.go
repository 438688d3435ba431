package predict

import (
	"context"
	"database/sql/driver"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// A pending change is one of a relation that a transaction has made.
type pending struct {
	relation string
	slices   func(shape string) ([]string, bool) // nil: any rows
}

// write replays a write: at once, or with the COMMIT of its transaction.
func (m *Model) write(ctx context.Context, w *world, s *session, p *planned, shape *Shape, args []driver.NamedValue) {
	var list []pending
	for _, relation := range p.writes {
		c := pending{relation: relation}
		if relation == p.target {
			c.slices = m.changed(ctx, w, p, args)
		}
		if c.slices == nil {
			shape.AnyRow = true
		}
		list = append(list, c)
	}
	if p.wide {
		shape.Wide = true
	}
	if s.open && !p.st.ImplicitCommit && p.st.Kind != analyze.Schema {
		s.wrote, s.wide, s.done = true, s.wide || p.wide, append(s.done, list...)
		return
	}
	if p.st.ImplicitCommit {
		s.commit(ctx, w)
	}
	announce(ctx, w, p.wide, list)
}

// announce removes what a committed change makes old.
func announce(ctx context.Context, w *world, wide bool, list []pending) {
	var hold *coherence.Hold
	if wide {
		hold, _ = w.domain.Hold(ctx, []coherence.Tag{w.domain.All()})
	} else if len(list) > 0 {
		changes := make([]coherence.Change, len(list))
		for i, c := range list {
			changes[i] = coherence.Change{Relation: c.relation, Slices: c.slices}
		}
		hold, _ = w.domain.HoldChanges(ctx, nil, changes)
	}
	if hold != nil {
		_ = hold.Release(ctx) // memory doesn't fail
	}
}

// control moves the transaction of a session.
func (s *session) control(ctx context.Context, w *world, st *analyze.Statement) {
	switch st.Control {
	case analyze.Begin:
		s.commit(ctx, w)
		s.open = true
		if st.Isolation != "" {
			s.next = st.Isolation
		}
	case analyze.Commit, analyze.AutocommitOn:
		s.commit(ctx, w)
		s.open = st.Chain
	case analyze.Rollback:
		s.end()
		s.open = st.Chain
	case analyze.AutocommitOff:
		s.open = true
	case analyze.SetIsolation:
		if st.SessionWide {
			s.level = st.Isolation
		} else {
			s.next = st.Isolation
		}
	case analyze.CommitPrepared:
		announce(ctx, w, true, nil)
	case analyze.PrepareCommit:
		s.end()
	}
}

func (s *session) commit(ctx context.Context, w *world) {
	announce(ctx, w, s.wide, s.done)
	s.end()
}

func (s *session) end() {
	s.open, s.wrote, s.wide, s.done, s.next = false, false, false, nil, ""
}

// A changedRow is a row as it was and as it is then; nil if it wasn't, or isn't any more.
type changedRow struct{ old, new confine.Image }

// changed tells the slices of the rows that a statement changes. It returns nil if they may be any.
func (m *Model) changed(ctx context.Context, w *world, p *planned, args []driver.NamedValue) func(shape string) ([]string, bool) {
	if p.change == nil {
		return m.blind(w, p)
	}
	old, fresh, ok := p.change.FromText(args)
	if !ok {
		m.assume(assumeMany)
		return unknownRows
	}
	byKey := p.change.Op == analyze.Insert || p.change.KeyCount(args) >= 0
	var list []changedRow
	if p.change.Op == analyze.Insert {
		for _, row := range fresh {
			list = append(list, changedRow{new: row})
			w.known.note(p, row)
		}
	}
	for _, row := range old {
		full := w.known.complete(p, row)
		if live := m.options.Live; live != nil && byKey {
			full = live.complete(ctx, w, p, full, args)
		}
		c := changedRow{old: full}
		if p.change.Op == analyze.Update {
			c.new = p.change.Overlay(full, args)
			w.known.note(p, c.new)
		} else {
			w.known.forget(p, full)
		}
		list = append(list, c)
	}
	touched := p.change.Touched()
	w.narrow.Note(p.target, touched).Ran()
	return func(shape string) ([]string, bool) {
		if confine.Spares(shape, touched) {
			return nil, true
		}
		return m.slicesOf(w, p, list, shape, byKey)
	}
}

func unknownRows(string) ([]string, bool) { return nil, false }

// blind are new rows of which nothing is known.
func (m *Model) blind(w *world, p *planned) func(shape string) ([]string, bool) {
	if p.blind == 0 {
		return nil
	}
	list := make([]changedRow, p.blind)
	for i := range list {
		list[i].new = confine.Image{}
	}
	return func(shape string) ([]string, bool) { return m.slicesOf(w, p, list, shape, true) }
}

// slicesOf are those of a shape in which rows were or are. One that can't be told is, in this order: that in which the row
// is afterwards, since who saves all columns most often changes few; that of no other row, for a number that the
// database gives; one that was read, whichever.
func (m *Model) slicesOf(w *world, p *planned, list []changedRow, shape string, byKey bool) (forms []string, known bool) {
	columns := confine.AppendColumns(nil, shape)
	for _, c := range list {
		before, was := c.old.Form(columns)
		after, is := c.new.Form(columns)
		switch {
		case c.old != nil && !was && is:
			m.assume(assumeSame)
		case c.old != nil && !was, c.new != nil && !is:
			if c.old == nil && p.change != nil && numbered(p.change, columns) {
				continue
			}
			if !byKey || m.options.Worst {
				m.assume(assumeMany)
				return nil, false
			}
			m.assume(assumeDrawn)
			if form, ok := w.draw(m.random, p.target, shape); ok {
				forms = append(forms, form)
			}
		}
		if was {
			forms = append(forms, before)
		}
		if is {
			forms = append(forms, after)
		}
	}
	return forms, true
}

// numbered reports whether one of the columns has a number that the database gives to each row.
func numbered(c *confine.Change, columns []string) bool {
	serial := c.Serial()
	for _, name := range columns {
		if serial != nil && serial.Name == name {
			return true
		}
	}
	return false
}
