package confine

import (
	"database/sql/driver"
	"maps"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// An Image is a row: the canonical forms of values by the names of columns. A column that
// isn't there may have any value.
type Image map[string]string

// Tells reports whether the value of a column is known.
func (r Image) Tells(column string) bool {
	_, ok := r[column]
	return ok
}

// Form returns the form of the values of some columns together, if all are known.
func (r Image) Form(columns []string) (string, bool) {
	forms := make([]string, len(columns))
	for i, name := range columns {
		form, ok := r[name]
		if !ok {
			return "", false
		}
		forms[i] = form
	}
	return Join(forms), true
}

func (r Image) with(column, form string) Image {
	next := maps.Clone(r)
	next[column] = form
	return next
}

// ImageOf returns a row that was read from the database.
func ImageOf(d analyze.Dialect, columns []*Column, values []driver.Value) Image {
	row := Image{}
	for i, column := range columns {
		if form, ok := column.Class.Stored(d, values[i]); ok {
			row[column.Name] = form
		}
	}
	return row
}

// Numbered returns rows with the numbers that the database has given them. Which row has which number isn't
// known if there are several: then each may have each.
func Numbered(rows []Image, column *Column, numbers []string) []Image {
	if len(rows)*len(numbers) > maxSlices || len(numbers) == 0 {
		return rows
	}
	var all []Image
	for _, row := range rows {
		for _, number := range numbers {
			all = append(all, row.with(column.Name, number))
		}
	}
	return all
}

// Columns returns the columns of a shape.
func Columns(shape string) []string { return strings.Split(shape, ",") }
