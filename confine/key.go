package confine

import (
	"database/sql/driver"
	"slices"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// What a change says of unique keys, and of what it leaves as it was.

// SetsKey reports whether an UPDATE may change a column of a unique key.
func (c *Change) SetsKey() bool {
	return c.Unresolved || slices.ContainsFunc(c.Assigned, func(column *Column) bool {
		return slices.ContainsFunc(c.Table.Keys, func(key []string) bool { return slices.Contains(key, column.Name) })
	})
}

// Leaves reports whether an UPDATE surely leaves columns as they are.
func (c *Change) Leaves(columns []*Column) bool {
	return !c.Unresolved && c.Table.Altered&c.Op == 0 && !slices.ContainsFunc(columns, func(column *Column) bool {
		return column.Generated || slices.Contains(c.Assigned, column)
	})
}

// KeyCount returns how many rows the condition finds at most, because it gives all columns
// of a unique key values; -1 if it doesn't. Each value counts, since one form may stand for several.
func (c *Change) KeyCount(args []driver.NamedValue) int {
	for _, key := range c.Table.Keys {
		if n := c.keyCount(key, args); n >= 0 {
			return n
		}
	}
	return -1
}

func (c *Change) keyCount(key []string, args []driver.NamedValue) int {
	if len(c.alternatives) == 0 {
		return -1
	}
	total := 0
	for _, pins := range c.alternatives {
		pins = pins.only(key)
		if len(pins) == 0 {
			return -1
		}
		n := 1
		for _, pin := range pins {
			values, ok := pin.operands(c.Table.Dialect, args)
			if !ok || slices.Contains(values, formNull) {
				return -1
			}
			n *= len(values)
		}
		total += n
	}
	return total
}

// Key returns the columns of a unique key of which a row tells all values, nil if there is none.
func (c *Change) Key(row Image) []string {
	for _, key := range c.Table.Keys {
		if _, told := row.Form(key); told && len(key) > 0 {
			return key
		}
	}
	return nil
}

// Number is the whole number for which a form stands.
func Number(form string) (n int64, ok bool) {
	digits, is := strings.CutPrefix(form, formNumber)
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, is && err == nil
}

// Pinned returns the values of columns that each row of the reference has, as arguments that equal nothing else in them; those that aren't
// plain are left out.
func (r *Reference) Pinned(args []driver.NamedValue) (values map[string]driver.Value) {
	if len(r.Alternatives) != 1 {
		return nil
	}
	for _, pin := range r.Alternatives[0] {
		if !pin.single() {
			continue
		}
		form, ok := pin.Column.Class.form(r.Table.Dialect, pin.Terms[0], args)
		if !ok {
			continue
		}
		if number, is := Number(form); is && (pin.Column.Class.Kind == Integer || pin.Column.Class.Kind == Dynamic) {
			if values == nil {
				values = map[string]driver.Value{}
			}
			values[pin.Column.Name] = number
		}
	}
	return values
}

// Given returns the value that an UPDATE gives a column, as an argument that equals nothing else in it. ok is false if it gives none, or
// one whose type isn't the column's.
func (c *Change) Given(column *Column, args []driver.NamedValue) (value driver.Value, ok bool) {
	at := slices.Index(c.Assigned, column)
	if at < 0 || c.values[at].Kind != analyze.Param {
		return nil, false
	}
	form, ok := c.stored(column, c.values[at], args)
	if !ok {
		return nil, false
	}
	if form == formNull {
		return nil, true
	}
	switch column.Class.Kind {
	case Integer, Dynamic:
		return Number(form)
	case Text, DynamicText:
		bound, _ := Bound(c.values[at], args)
		text, is := bound.(string)
		return text, is
	}
	return nil, false
}
