package confine

import (
	"database/sql/driver"
	"slices"

	"github.com/larderdb/larder/analyze"
)

// Rows that were asked for in the database beside a change, and the numbers that it gives to new ones.

// ImageOf returns a row that was read from the database.
func ImageOf(d analyze.Dialect, columns []*Column, values []driver.Value) Image {
	row := make(Image, 0, len(columns))
	for i, column := range columns {
		if form, ok := column.Class.Stored(d, values[i]); ok {
			row = row.set(column.Name, form)
		}
	}
	return row
}

// Changed returns rows that were found before the change, and what becomes of them.
func (c *Change) Changed(found []Image, args []driver.NamedValue) []Image {
	rows := slices.Clone(found)
	if c.Op == analyze.Update {
		for _, row := range found {
			rows = append(rows, c.Overlay(row, args))
		}
	}
	return rows
}

// Numbered returns new rows with the numbers that the database has given them. Which of several rows has
// which isn't known: each may have each.
func Numbered(rows []Image, column *Column, numbers []string) []Image {
	if len(rows)*len(numbers) > maxSlices {
		return rows
	}
	var all []Image
	for _, row := range rows {
		if _, told := row.Get(column.Name); told {
			all = append(all, row)
			continue
		}
		for _, number := range numbers {
			all = append(all, row.With(Image{{column.Name, number}}))
		}
	}
	return all
}

// Columns returns those columns of some names whose values have forms.
func (c *Change) Columns(names []string) []*Column {
	var columns []*Column
	for i := range c.Table.Columns {
		if column := &c.Table.Columns[i]; slices.Contains(names, column.Name) && column.Class.Kind != Opaque {
			columns = append(columns, column)
		}
	}
	return columns
}

// Serial returns the column that the database numbers in new rows, nil if there is none, or several.
func (c *Change) Serial() (serial *Column) {
	for i := range c.Table.Columns {
		if !c.Table.Columns[i].Serial {
			continue
		}
		if serial != nil {
			return nil
		}
		serial = &c.Table.Columns[i]
	}
	return serial
}

// Numbers reports whether the database gives a single new row its number, because the statement surely doesn't.
func (c *Change) Numbers(number *Column, args []driver.NamedValue) bool {
	if len(c.rows) != 1 {
		return false
	}
	for _, g := range c.rows[0] {
		if g.column != number || g.term == nil || g.term.Kind == analyze.Default {
			continue
		}
		if forms, ok := number.Class.evaluate(c.Table.Dialect, *g.term, false, args); !ok || forms[0] != formNull {
			return false
		}
	}
	return true
}

// Returned returns at which place a column stands among those that the change itself
// returns, -1 if it doesn't.
func (c *Change) Returned(from *analyze.Change, column *Column) int {
	for at, o := range from.Returning {
		switch {
		case o.Star: // what follows has no place that is known
			if own := o.Term.Table.Name; own != "" && own != from.Alias {
				return -1
			}
			shown := slices.DeleteFunc(c.all(), func(other *Column) bool { return other.Hidden })
			if i := slices.Index(shown, column); i >= 0 {
				return at + i
			}
			return -1
		case o.Term.Kind != analyze.Column || o.Term.Cast != "" || c.named(o.Term.Text) != column:
		case o.Term.Table == (analyze.Name{}), o.Term.Table == (analyze.Name{Name: from.Alias}): // not PostgreSQL's old
			return at
		}
	}
	return -1
}

func (c *Change) all() []*Column {
	var columns []*Column
	for i := range c.Table.Columns {
		columns = append(columns, &c.Table.Columns[i])
	}
	return columns
}
