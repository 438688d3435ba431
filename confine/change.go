package confine

import (
	"database/sql/driver"
	"slices"

	"github.com/larderdb/larder/analyze"
)

// A Change is a change of one relation, as far as its text tells the rows.
type Change struct {
	Table *Table
	Op    analyze.Op
	// Assigned are the columns that an UPDATE sets; Unresolved says that there may be others.
	Assigned   []*Column
	Unresolved bool

	values       []analyze.Term // of Assigned
	rows         [][]given
	alternatives []Pins
	computed     []string // the columns that are generated
	silent       bool     // nothing is told by the text
	mutant       mutant
}

// A given is a column's value in a new row. Without a term the column has its default.
type given struct {
	column *Column
	term   *analyze.Term
}

// ChangeOf resolves a change. It is nil if its target isn't a base relation whose columns are known.
func ChangeOf(c *analyze.Change, s Schema) *Change {
	if c == nil || s == nil {
		return nil
	}
	t, ok := s.Table(c.Target)
	if !ok || t == nil || t.View != nil || len(t.Relations) == 0 || t.Columns == nil {
		return nil
	}
	change := &Change{Table: t, Op: c.Op, silent: t.Unsliced || t.Altered&(c.Op|c.Also) != 0}
	j := &judge{dialect: t.Dialect}
	switch c.Op {
	case analyze.Insert:
		change.insert(c)
	case analyze.Update:
		change.find(j, c)
		change.assign(c.Set)
	case analyze.Delete:
		change.find(j, c)
	default:
		return nil
	}
	change.settle(&j.usage)
	for i := range t.Columns {
		if t.Columns[i].Generated {
			change.computed = append(change.computed, t.Columns[i].Name)
		}
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
func (c *Change) find(j *judge, from *analyze.Change) {
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

// FromText returns what the text and the arguments tell of the rows: their old images, which any number of rows may share, and
// their new ones. ok is false if that is nothing.
func (c *Change) FromText(args []driver.NamedValue) (old, new []Image, ok bool) {
	if c.silent {
		return nil, nil, false
	}
	if c.Op == analyze.Insert {
		for _, row := range c.rows {
			new = append(new, c.inserted(row, args))
		}
		return nil, new, true
	}
	if old = c.found(args); old == nil {
		return nil, nil, false
	}
	if c.Op == analyze.Update {
		for _, image := range old {
			new = append(new, c.Overlay(image, args))
		}
	}
	return old, new, true
}

func (c *Change) inserted(row []given, args []driver.NamedValue) Image {
	image := make(Image, 0, len(row))
	for _, g := range row {
		var form string
		var ok bool
		if g.term == nil {
			form, ok = c.initial(g.column)
		} else {
			form, ok = c.stored(g.column, *g.term, args)
		}
		if ok {
			image = image.set(g.column.Name, form)
		}
	}
	return image
}

// found returns old images, one for each combination of the values that the condition asks for.
func (c *Change) found(args []driver.NamedValue) (list []Image) {
	for _, pins := range c.alternatives {
		images := []Image{{}}
		for _, pin := range pins {
			if pin.Column.Generated {
				continue
			}
			if pin.single() {
				if form, ok := pin.Column.Class.form(c.Table.Dialect, pin.Terms[0], args); ok {
					for i := range images {
						images[i] = images[i].set(pin.Column.Name, form)
					}
				}
				continue
			}
			forms, ok := pin.forms(c.Table.Dialect, args)
			if !ok || len(images)*len(forms) > maxSlices {
				continue
			}
			var next []Image
			for _, head := range images {
				for _, form := range forms {
					next = append(next, head.With(Image{{pin.Column.Name, form}}))
				}
			}
			images = next
		}
		if len(images) > 0 && len(images[0]) == 0 {
			return nil
		}
		list = append(list, images...)
	}
	if len(list) > maxSlices {
		return nil
	}
	if list == nil && len(c.alternatives) > 0 {
		list = []Image{}
	}
	return list
}

// Overlay returns the new image of a row that an UPDATE changes: the same one, if it leaves all that is known of it.
func (c *Change) Overlay(old Image, args []driver.NamedValue) Image {
	if c.obscure() {
		return Image{}
	}
	if c.leaves(old, args) {
		return old
	}
	image := slices.Clone(old)
	for _, name := range c.computed {
		image = image.without(name)
	}
	for i, column := range c.Assigned {
		if form, ok := c.stored(column, c.values[i], args); ok {
			image = image.set(column.Name, form)
		} else {
			image = image.without(column.Name)
		}
	}
	return image
}

// obscure reports whether nothing is known of the rows that an UPDATE makes.
func (c *Change) obscure() bool {
	return c.Table.Altered&c.Op != 0 || c.Table.Unsliced || c.Unresolved
}

// leaves reports whether an UPDATE tells nothing new of what is known of a row.
func (c *Change) leaves(old Image, args []driver.NamedValue) bool {
	for _, name := range c.computed {
		if _, known := old.Get(name); known {
			return false
		}
	}
	for i, column := range c.Assigned {
		if _, known := old.Get(column.Name); known {
			return false
		}
		if _, told := c.stored(column, c.values[i], args); told {
			return false
		}
	}
	return true
}

// Rows returns all that FromText does, each once.
func (c *Change) Rows(args []driver.NamedValue) (rows []Image, ok bool) {
	if c.Op == analyze.Update && !c.silent && !c.obscure() {
		rows = c.found(args)
		if len(rows) == 1 && c.leaves(rows[0], args) {
			return rows, true
		}
	}
	old, new, ok := c.FromText(args)
	if len(old) != 1 || len(new) != 1 || !old[0].equal(new[0]) {
		old = slices.Concat(old, new)
	}
	return old, ok
}
