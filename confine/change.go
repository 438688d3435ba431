package confine

import (
	"database/sql/driver"
	"maps"
	"slices"

	"github.com/larderdb/larder/analyze"
)

// A Change is a change of one relation, as far as its text tells the rows.
type Change struct {
	Table      *Table
	Text       *analyze.Change
	Op         analyze.Op
	Repeatable bool // as Text says
	// Assigned are the columns that an UPDATE sets; Unresolved says that there may be others.
	Assigned   []*Column
	Unresolved bool

	values       []analyze.Term // of Assigned
	rows         [][]given
	alternatives []Pins
	silent       bool // nothing is told by the text
}

// A given is a column's value in a new row. Without a term the column has its default.
type given struct {
	column *Column
	term   *analyze.Term
}

// ChangeOf resolves a change of t. It is nil if t isn't a base relation whose rows can be told apart.
func ChangeOf(c *analyze.Change, t *Table) *Change {
	if c == nil || t == nil || t.View != nil || len(t.Relations) == 0 || t.Columns == nil || t.Unsliced {
		return nil
	}
	change := &Change{Table: t, Text: c, Op: c.Op, Repeatable: c.Repeatable, silent: t.Altered&c.Op != 0}
	switch c.Op {
	case analyze.Insert:
		change.insert(c)
	case analyze.Update:
		change.find(c)
		change.assign(c.Set)
	case analyze.Delete:
		change.find(c)
	default:
		return nil
	}
	return change
}

// named returns a column of the target.
func (c *Change) named(name string) *Column {
	j := &judge{dialect: c.Table.Dialect}
	for i := range c.Table.Columns {
		if c.Table.Columns[i].Name == j.fold(name) {
			return &c.Table.Columns[i]
		}
	}
	return nil
}

// insert resolves the rows of an INSERT.
func (c *Change) insert(from *analyze.Change) {
	columns := c.inOrder()
	if from.Columns != nil {
		columns = nil
		for _, name := range from.Columns {
			column := c.named(name)
			// SQLite has other names for the column that numbers its rows.
			if column == nil && !slices.Contains(systemColumns, lowerASCII(name)) {
				c.silent = true
			}
			columns = append(columns, column)
		}
	}
	for _, row := range from.Rows {
		if len(row) > len(columns) {
			c.silent = true
			return
		}
		c.rows = append(c.rows, c.row(columns, row))
	}
}

// inOrder returns the columns for which an INSERT that names none has values.
func (c *Change) inOrder() (list []*Column) {
	for i := range c.Table.Columns {
		column := &c.Table.Columns[i]
		if !column.Hidden && !(column.Generated && c.Table.Dialect == analyze.SQLite) {
			list = append(list, column)
		}
	}
	return list
}

func (c *Change) row(columns []*Column, terms []analyze.Term) (row []given) {
	for i := range c.Table.Columns {
		g := given{column: &c.Table.Columns[i]}
		for k, column := range columns {
			if column == g.column && k < len(terms) {
				g.term = &terms[k]
			}
		}
		row = append(row, g)
	}
	return row
}

// find resolves the condition of an UPDATE or DELETE.
func (c *Change) find(from *analyze.Change) {
	j := &judge{dialect: c.Table.Dialect}
	l := &leaf{alias: from.Alias, relation: from.Target, table: c.Table}
	if l.alias == "" {
		l.alias = from.Target.Name
	}
	l.base(c.Table)
	root := &node{leaf: l, leaves: []*leaf{l}}
	sc := &scope{leaves: root.leaves, root: root}
	c.alternatives = alternatives(l, clause{j, sc, root.leaves, nil}.facts(from.Where))
}

func (c *Change) assign(set []analyze.Assignment) {
	for _, a := range set {
		column := c.named(a.Column)
		if column == nil {
			c.Unresolved = true
			continue
		}
		c.Assigned = append(c.Assigned, column)
		c.values = append(c.values, a.Value)
	}
}

// Rows returns what the text and the arguments tell of the rows, as they were and as they are then: for a DELETE what they
// were, for an INSERT what they are, and one that tells nothing if nothing is told. Any number of rows may share one.
func (c *Change) Rows(args []driver.NamedValue) []Image {
	switch {
	case c.silent:
		return []Image{{}}
	case c.Op == analyze.Insert:
		var rows []Image
		for _, row := range c.rows {
			rows = append(rows, c.inserted(row, args))
		}
		return rows
	}
	return c.Changed(c.found(args), args)
}

// Changed returns rows before and after the change.
func (c *Change) Changed(before []Image, args []driver.NamedValue) []Image {
	rows := slices.Clone(before)
	if c.Op == analyze.Update {
		for _, row := range before {
			rows = append(rows, c.after(row, args))
		}
	}
	return rows
}

func (c *Change) inserted(row []given, args []driver.NamedValue) Image {
	image := Image{}
	for _, g := range row {
		var form string
		var ok bool
		if g.term == nil {
			form, ok = c.initial(g.column)
		} else {
			form, ok = c.stored(g.column, *g.term, args)
		}
		if ok {
			image[g.column.Name] = form
		}
	}
	return image
}

// found returns the rows that the condition finds: one for each combination of the values that it asks for.
func (c *Change) found(args []driver.NamedValue) []Image {
	rows := []Image{}
	for _, pins := range c.alternatives {
		some := pins.images(c.Table.Dialect, args)
		if len(rows)+len(some) > maxSlices {
			return []Image{{}}
		}
		rows = append(rows, some...)
	}
	if len(c.alternatives) == 0 {
		return []Image{{}}
	}
	return rows
}

// images returns an image for each combination of values. A column that has too many is left out.
func (p Pins) images(d analyze.Dialect, args []driver.NamedValue) []Image {
	rows := []Image{{}}
	for _, pin := range p {
		forms, ok := pin.forms(d, args)
		if !ok || len(rows)*len(forms) > maxSlices || pin.Column.Generated {
			continue
		}
		var next []Image
		for _, row := range rows {
			for _, form := range forms {
				next = append(next, row.with(pin.Column.Name, form))
			}
		}
		rows = next
	}
	return rows
}

// after returns a row as SET leaves it.
func (c *Change) after(old Image, args []driver.NamedValue) Image {
	if c.silent || c.Unresolved {
		return Image{}
	}
	row := maps.Clone(old)
	for i := range c.Table.Columns {
		if c.Table.Columns[i].Generated {
			delete(row, c.Table.Columns[i].Name)
		}
	}
	for i, column := range c.Assigned {
		delete(row, column.Name)
		if form, ok := c.stored(column, c.values[i], args); ok {
			row[column.Name] = form
		}
	}
	return row
}
