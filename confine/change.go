package confine

import (
	"database/sql/driver"
	"maps"
	"slices"

	"github.com/larderdb/larder/analyze"
)

// An Image is what is known of a row: canonical forms by names of columns. Of columns
// that it lacks nothing is known.
type Image map[string]string

// Form returns the form of a shape's columns. ok is false if not all of them are known.
func (i Image) Form(columns []string) (form string, ok bool) {
	var few [4]string
	forms := few[:0]
	for _, name := range columns {
		form, ok := i[name]
		if !ok {
			return "", false
		}
		forms = append(forms, form)
	}
	return Join(forms), true
}

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
	silent       bool // nothing is told by the text
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

// found returns old images, one for each combination of the values that the condition asks for.
func (c *Change) found(args []driver.NamedValue) (list []Image) {
	for _, pins := range c.alternatives {
		images := []Image{{}}
		for _, pin := range pins {
			forms, ok := pin.forms(c.Table.Dialect, args)
			if !ok || len(images)*len(forms) > maxSlices || pin.Column.Generated {
				continue
			}
			if len(forms) == 1 {
				for _, image := range images {
					image[pin.Column.Name] = forms[0]
				}
				continue
			}
			var next []Image
			for _, head := range images {
				for _, form := range forms {
					image := maps.Clone(head)
					image[pin.Column.Name] = form
					next = append(next, image)
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
	if c.Table.Altered&c.Op != 0 || c.Table.Unsliced || c.Unresolved {
		return Image{}
	}
	if c.leaves(old, args) {
		return old
	}
	image := maps.Clone(old)
	for i := range c.Table.Columns {
		if c.Table.Columns[i].Generated {
			delete(image, c.Table.Columns[i].Name)
		}
	}
	for i, column := range c.Assigned {
		if form, ok := c.stored(column, c.values[i], args); ok {
			image[column.Name] = form
		} else {
			delete(image, column.Name)
		}
	}
	return image
}

// leaves reports whether an UPDATE tells nothing new of what is known of a row.
func (c *Change) leaves(old Image, args []driver.NamedValue) bool {
	for i := range c.Table.Columns {
		if _, known := old[c.Table.Columns[i].Name]; known && c.Table.Columns[i].Generated {
			return false
		}
	}
	for i, column := range c.Assigned {
		if _, known := old[column.Name]; known {
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
	old, new, ok := c.FromText(args)
	if len(old) != 1 || len(new) != 1 || !maps.Equal(old[0], new[0]) {
		old = slices.Concat(old, new)
	}
	return old, ok
}
