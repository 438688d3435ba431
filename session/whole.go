package session

import (
	"context"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// Whole rows, for listeners that want them: what image.go asks for is all columns then, and what became of the rows
// is read by their keys once the statement has run, in the same transaction. They are locked by that, so nobody
// else's change comes between. What can't be told with certainty isn't: whole rows are all that were changed, or none.

// maxWhole bounds the rows of one statement that are told whole.
const maxWhole = 64

// A wholeRows is what is asked for.
type wholeRows struct {
	columns []*confine.Column
	key     []*confine.Column // by which rows are found again; of an INSERT each row tells its own
	old     [][]driver.Value
}

// wantWhole prepares for whole rows; nil if nobody wants them, or they can't be told.
func (s *Session) wantWhole(p *planned, c *call) *wholeRows {
	if !s.src.hub.wantsRows(string(p.plan.Target)) || !countable(c.args) || len(p.change.Table.Relations) != 1 {
		return nil
	}
	w := &wholeRows{}
	for i := range p.change.Table.Columns {
		if column := &p.change.Table.Columns[i]; !column.Hidden {
			w.columns = append(w.columns, column)
		}
	}
	switch p.change.Op {
	case analyze.Insert:
		if p.text.Change.Also != 0 {
			return nil
		}
	case analyze.Update:
		if w.key = w.lasting(p.change); w.key == nil {
			return nil
		}
	}
	return w
}

// lasting are the columns of a unique key that an UPDATE leaves as they are; nil if there is none.
func (w *wholeRows) lasting(change *confine.Change) []*confine.Column {
	if change.Unresolved {
		return nil
	}
	for _, names := range change.Table.Keys {
		key := change.Columns(names)
		assigned := func(column *confine.Column) bool { return slices.Contains(change.Assigned, column) }
		if len(key) == len(names) && !slices.ContainsFunc(key, assigned) {
			return key
		}
	}
	return nil
}

// imagingInsert prepares for an INSERT: if a row doesn't tell its key, the database's number does.
func (s *Session) imagingInsert(ctx context.Context, w *write, c *call, target *change, missing []string, returnsRows bool, all *wholeRows) *imaging {
	p := w.plan
	keyless := func(row confine.Image) bool { return p.change.Key(row) == nil }
	if all == nil || !slices.ContainsFunc(target.rows, keyless) {
		im := s.numbering(ctx, p, c, missing, returnsRows)
		if im == nil && all != nil && s.mayLook(ctx, p) {
			im = &imaging{}
		}
		if im != nil {
			im.whole = all
		}
		return im
	}
	if serial := p.change.Serial(); serial != nil && !slices.Contains(missing, serial.Name) {
		missing = append(missing, serial.Name)
	}
	im := s.numbering(ctx, p, c, missing, returnsRows)
	if im != nil && s.mayLook(ctx, p) {
		im.whole = all
	}
	return im
}

// readWhole reads what became of the rows that a statement has changed. An error is one after which the
// transaction can't go on.
func (s *Session) readWhole(ctx context.Context, w *write, affected int64) error {
	all := w.imaging.whole
	if all == nil || affected < 0 || affected > maxWhole || len(all.old) > maxWhole {
		return nil
	}
	var rows []Row
	var err error
	switch w.plan.change.Op {
	case analyze.Insert:
		rows, err = s.inserted(ctx, w, affected)
	case analyze.Update:
		rows, err = s.updated(ctx, w, affected)
	case analyze.Delete:
		rows = all.deleted()
	}
	if int64(len(rows)) == affected {
		w.rows = append([]Row{}, rows...)
	}
	return err
}

func (a *wholeRows) deleted() (rows []Row) {
	for _, values := range a.old {
		rows = append(rows, Row{Old: a.named(values)})
	}
	return rows
}

// updated pairs old rows with new ones. Of rows that have their new values already MySQL doesn't count some.
func (s *Session) updated(ctx context.Context, w *write, affected int64) (rows []Row, err error) {
	all, d := w.imaging.whole, s.src.Dialect
	keys := make([][]driver.Value, len(all.old))
	for i, values := range all.old {
		if keys[i] = all.keyOf(values); keys[i] == nil {
			return nil, nil
		}
	}
	found, err := s.rowsByKey(ctx, w.plan, all, all.key, keys)
	if err != nil || found == nil {
		return nil, err
	}
	new := make(map[string][]driver.Value, found.rows)
	for i := range found.rows {
		new[all.form(d, found.row(i))] = found.row(i)
	}
	for _, values := range all.old {
		after, ok := new[all.form(d, values)]
		if !ok {
			return nil, nil
		}
		if affected < int64(len(all.old)) && reflect.DeepEqual(values, after) {
			continue
		}
		rows = append(rows, Row{Old: all.named(values), New: all.named(after)})
	}
	return rows, nil
}

// inserted finds new rows by the keys that the text or the database has given them.
func (s *Session) inserted(ctx context.Context, w *write, affected int64) (rows []Row, err error) {
	target := w.effect.of(w.plan.plan.Target)
	var names []string
	var keys [][]driver.Value
	seen := map[string]bool{}
	for _, image := range target.rows {
		own := w.plan.change.Key(image)
		if own == nil || names != nil && !slices.Equal(own, names) {
			return nil, nil
		}
		names = own
		form, _ := image.Form(own)
		if seen[form] {
			continue
		}
		seen[form] = true
		var key []driver.Value
		for _, name := range own {
			form, _ := image.Get(name)
			value, ok := confine.Plain(form)
			if _, number := confine.Number(form); !ok || value == nil || strings.HasPrefix(form, "i") && !number {
				return nil, nil
			}
			key = append(key, value)
		}
		keys = append(keys, key)
	}
	if int64(len(keys)) != affected || affected == 0 {
		return nil, nil
	}
	columns := make([]*confine.Column, len(names))
	for i, name := range names {
		if one := w.plan.change.Columns([]string{name}); len(one) == 1 {
			columns[i] = one[0]
		} else {
			return nil, nil
		}
	}
	found, err := s.rowsByKey(ctx, w.plan, w.imaging.whole, columns, keys)
	if err != nil || found == nil {
		return nil, err
	}
	for i := range found.rows {
		rows = append(rows, Row{New: w.imaging.whole.named(found.row(i))})
	}
	return rows, nil
}

// rowsByKey reads rows that this transaction has written; nil if they can't be read.
func (s *Session) rowsByKey(ctx context.Context, p *planned, all *wholeRows, key []*confine.Column, keys [][]driver.Value) (*rowSet, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	d, from := s.src.Dialect, p.text.Change.Target
	name := quote(d, from.Name)
	if from.Schema != "" {
		name = quote(d, from.Schema) + "." + name
	}
	var args []driver.NamedValue
	var any []string
	for _, values := range keys {
		var each []string
		for i, column := range key {
			args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: values[i]})
			each = append(each, quote(d, column.Name)+" = "+parameter(d, len(args)))
		}
		any = append(any, "("+strings.Join(each, " AND ")+")")
	}
	text := selectText(d, &analyze.Change{From: name, Condition: strings.Join(any, " OR ")}, all.columns) + p.mark()
	live, err := queryText(detached(ctx), s.inner, text, args)
	if err != nil {
		return nil, s.wholeFailed(err)
	}
	ahead := read(live.rows, catalogLimit, false, likeness{})
	if err := live.close(); err != nil {
		return nil, s.wholeFailed(err)
	}
	if !ahead.complete() {
		return nil, nil
	}
	return ahead.set, nil
}

// wholeFailed is what becomes of an error: PostgreSQL's transaction is over, the others' goes on.
func (s *Session) wholeFailed(err error) error {
	if s.src.Dialect == analyze.Postgres {
		return fmt.Errorf("larder: read rows for receivers of changes: %w", err)
	}
	return nil
}

func parameter(d analyze.Dialect, n int) string {
	if d == analyze.Postgres {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

// keyOf are the values of the key, as arguments; nil if one can't be one.
func (a *wholeRows) keyOf(values []driver.Value) []driver.Value {
	var key []driver.Value
	for _, column := range a.key {
		value := asArgument(column, values[slices.Index(a.columns, column)])
		if value == nil {
			return nil
		}
		key = append(key, value)
	}
	return key
}

// form is the key of a row in canonical form.
func (a *wholeRows) form(d analyze.Dialect, values []driver.Value) string {
	image := confine.ImageOf(d, a.columns, values)
	names := make([]string, len(a.key))
	for i, column := range a.key {
		names[i] = column.Name
	}
	form, _ := image.Form(names)
	return form
}

// named are values by the names of their columns.
func (a *wholeRows) named(values []driver.Value) map[string]any {
	row := make(map[string]any, len(values))
	for i, column := range a.columns {
		row[column.Name] = values[i]
	}
	return row
}
