package confine

import (
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// What else a writer wants to know of its target: how to ask for the rows that it changes.

// Serial returns the column that the database numbers in new rows, nil if there is none.
func (c *Change) Serial() *Column {
	for i := range c.Table.Columns {
		if c.Table.Columns[i].Serial {
			return &c.Table.Columns[i]
		}
	}
	return nil
}

// Returned returns at which place the change's own RETURNING has a column, -1 if it hasn't or that isn't sure.
func (c *Change) Returned(column *Column) int {
	at := 0
	for _, o := range c.Text.Returning {
		if !o.Star && o.Term.Kind == analyze.Column && c.named(o.Term.Text) == column {
			return at
		}
		at++
		if !o.Star {
			continue
		}
		at--
		for i := range c.Table.Columns {
			if &c.Table.Columns[i] == column {
				return at
			}
			if !c.Table.Columns[i].Hidden {
				at++
			}
		}
	}
	return -1
}

// Columns returns columns by their names, those that can be told apart by values.
func (c *Change) Columns(names []string) []*Column {
	var columns []*Column
	for _, name := range names {
		if column := c.named(name); column != nil && column.Class.Kind != Opaque {
			columns = append(columns, column)
		}
	}
	return columns
}

// Arguments returns the arguments of the condition, in their order, without those that the call lacks.
func (c *Change) Arguments(args []driver.NamedValue) []driver.NamedValue {
	var list []driver.NamedValue
	for i, t := range c.Text.Args {
		for _, arg := range args {
			if !stands(t, arg) {
				continue
			}
			if arg.Ordinal = i + 1; t.Text == "" {
				arg.Name = ""
			}
			list = append(list, arg)
			break
		}
	}
	return list
}

// SetsKey reports whether an UPDATE may change a column of a unique key.
func (c *Change) SetsKey() bool {
	for _, key := range c.Table.Keys {
		if slices.ContainsFunc(c.Assigned, func(column *Column) bool { return slices.Contains(key, column.Name) }) {
			return true
		}
	}
	return c.Unresolved
}

// KeyCount returns how many rows the condition finds at most, because it pins a unique
// key whose columns are never NULL; -1 if it pins none.
func (c *Change) KeyCount(args []driver.NamedValue) int {
	for _, key := range c.Table.Keys {
		absent := func(name string) bool { column := c.named(name); return column == nil || !column.NotNull }
		if len(key) == 0 || slices.ContainsFunc(key, absent) {
			continue
		}
		if n := c.operands(key, args); n >= 0 {
			return n
		}
	}
	return -1
}

// operands counts the combinations of values to which the condition pins the columns of a key. Those of one
// form are counted one by one: the database may take them for different.
func (c *Change) operands(key []string, args []driver.NamedValue) int {
	total := 0
	for _, pins := range c.alternatives {
		some := pins.only(key)
		if some == nil {
			return -1
		}
		n := 1
		for _, pin := range some {
			forms, ok := pin.operands(c.Table.Dialect, args)
			if n *= len(forms); !ok || n > maxSlices {
				return -1
			}
		}
		total += n
	}
	if len(c.alternatives) == 0 {
		return -1
	}
	return total
}

// QuotedTarget returns the name of the target as SQL writes it.
func (c *Change) QuotedTarget() string {
	mark := `"`
	if c.Table.Dialect == analyze.MySQL {
		mark = "`"
	}
	quote := func(name string) string { return mark + strings.ReplaceAll(name, mark, mark+mark) + mark }
	if c.Text.Target.Schema == "" {
		return quote(c.Text.Target.Name)
	}
	return quote(c.Text.Target.Schema) + "." + quote(c.Text.Target.Name)
}
