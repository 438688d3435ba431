package session

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// Numbering: what the database numbers in new rows is told by RETURNING, or by the last insert id.

// numbering prepares for an INSERT into a table whose rows the database numbers.
func (s *Session) numbering(ctx context.Context, p *planned, c *call, missing []string, returnsRows bool) *imaging {
	number, change := p.change.Serial(), p.text.Change
	if number == nil || !slices.Contains(missing, number.Name) {
		return nil
	}
	im := &imaging{number: number}
	switch {
	case returnsRows:
		if p.change.Returned(change, number) < 0 {
			return nil
		}
	case s.src.Dialect == analyze.MySQL: // the last insert id, which may be that of LAST_INSERT_ID(n) if the number is given
		if !p.change.Numbers(number, c.args) {
			return nil
		}
	case s.src.Dialect == analyze.SQLite:
		if len(change.Rows) != 1 {
			return nil
		}
	case c.stmt == nil && change.Append > 0 && c.asksFor() && s.mayLook(ctx, p):
		im.returned = p.returning(c, number)
	default:
		return nil
	}
	return im
}

// returning is the statement with a RETURNING that it lacks.
func (p *planned) returning(c *call, columns ...*confine.Column) *query {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = quote(p.text.Dialect, column.Name)
	}
	at := p.text.Change.Append
	return &query{text: c.text[:at] + " RETURNING " + strings.Join(names, ", ") + p.mark() + c.text[at:], st: c.st}
}

// noteInsertID notes the last insert id, which is that of a single row.
func (im *imaging) noteInsertID(d analyze.Dialect, affected int64, result driver.Result) {
	if affected != 1 {
		return
	}
	if id, err := result.LastInsertId(); err == nil && (id > 0 || id < 0 && d == analyze.SQLite) {
		im.noteNumber(d, id)
	}
}

// note notes what was returned: the numbers in one column, or else the rows that were changed.
func (im *imaging) note(d analyze.Dialect, set *rowSet, column int) {
	for i := range set.rows {
		if im.number != nil {
			im.noteNumber(d, set.row(i)[column])
		} else {
			im.found = append(im.found, confine.ImageOf(d, im.columns, set.row(i)))
			im.values = asArguments(im.columns, set.row(i))
		}
	}
}

func (im *imaging) noteNumber(d analyze.Dialect, value driver.Value) {
	if form, ok := im.number.Class.Stored(d, value); ok {
		im.numbers = append(im.numbers, form)
	}
}

// noteReturned notes the numbers among the rows that the statement itself returns.
func (w *write) noteReturned(d analyze.Dialect, ahead *readAhead) {
	if w.imaging == nil || w.imaging.number == nil || !ahead.complete() {
		return
	}
	if column := w.plan.change.Returned(w.plan.text.Change, w.imaging.number); column >= 0 && column < len(ahead.set.names) {
		w.imaging.note(d, ahead.set, column)
	}
}
