package confine

import (
	"database/sql/driver"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// initial returns the form of the value that a column has in a new row if none is given.
func (c *Change) initial(column *Column) (form string, ok bool) {
	if column.Serial || column.Default.Kind == analyze.Param || column.Default.Kind == analyze.Default {
		return "", false
	}
	return c.stored(column, column.Default, nil)
}

// stored returns the form that a value has once it is stored in a column. Databases convert values
// when they store them in other ways than when they compare them. MySQL's session is taken to be strict.
func (c *Change) stored(column *Column, t analyze.Term, args []driver.NamedValue) (form string, ok bool) {
	if column.Generated || column.Class.Kind == Opaque {
		return "", false
	}
	if t.Kind == analyze.Default {
		return c.initial(column)
	}
	if !column.Class.tells(c.Table.Dialect, t, false) {
		return "", false
	}
	var value any = t.Text
	if t.Kind == analyze.Param {
		if value, ok = Bound(t, args); !ok {
			return "", false
		}
		if value, ok = plain(value); !ok {
			return "", false
		}
	} else if t.Kind == analyze.Null {
		value = nil
	}
	if form, ok = column.Class.operand(c.Table.Dialect, t, value); !ok {
		return "", false
	}
	return form, column.keeps(c.Table.Dialect, value, form)
}

// keeps reports whether a column stores a value of a form unchanged.
func (c *Column) keeps(d analyze.Dialect, value any, form string) bool {
	if form == formNull {
		return d == analyze.Postgres || !c.Serial && !(d == analyze.MySQL && c.NotNull)
	}
	if _, float := value.(float64); float {
		return false
	}
	switch c.Class.Kind {
	case Integer:
		return c.fits(d, form)
	case Dynamic:
		return form[:1] != formNumber || c.fits(d, form)
	case Text:
		text, is := value.(string)
		return !is || c.Class.Fold&Padded != 0 || !strings.HasSuffix(text, " ") // which may be cut off
	}
	return true
}

// fits reports whether a column stores a whole number as it is. Databases refuse those that are too large, but
// for SQLite, whose columns of floats lose digits.
func (c *Column) fits(d analyze.Dialect, form string) bool {
	switch d {
	case analyze.MySQL:
		return form != formNever && !(c.Serial && form == formNumber+"0")
	case analyze.SQLite:
		n, err := strconv.ParseInt(strings.TrimPrefix(form, formNumber), 10, 64)
		return c.Serial || err == nil && -exact < n && n < exact
	}
	return form != formNever
}
