package session

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/larderdb/larder/analyze"
)

// A difference is between a result that was kept and what the database says.
type difference struct {
	rows, databaseRows int
	row                int            // the first that has no equal; -1 if each has
	column             string         // … where it differs, if rows are in order
	cached, database   []driver.Value // these rows
}

func (d difference) none() bool { return d.row < 0 && d.rows == d.databaseRows }

// where says where it is, for people.
func (d difference) where() string {
	switch {
	case d.row < 0:
		return "number of rows"
	case d.column == "":
		return fmt.Sprintf("row %d", d.row)
	}
	return fmt.Sprintf("row %d, column %s", d.row, d.column)
}

// valuesText shows a row.
func valuesText(row []driver.Value) string {
	texts := make([]string, len(row))
	for i, value := range row {
		texts[i] = fmt.Sprintf("%#v", value)
		if b, ok := value.([]byte); ok {
			texts[i] = fmt.Sprintf("%q", b)
		}
	}
	return strings.Join(texts, ", ")
}

// compare compares two results. The order of rows is not compared: the database is free in it unless it is told, and one that is
// told changes with the values of rows.
func compare(kept, got *rowSet) difference {
	d := difference{rows: kept.rows, databaseRows: got.rows, row: -1}
	if len(kept.names) != len(got.names) {
		d.row, d.column = 0, "(number of columns)"
		return d
	}
	first := firstUnequal(kept, got)
	if first < 0 || sameRows(kept, got) {
		return d
	}
	d.row = first
	if first < kept.rows {
		d.cached = kept.row(first)
	}
	if first < got.rows {
		d.database = got.row(first)
	}
	for i := range min(len(d.cached), len(d.database)) {
		if !equalValues(d.cached[i], d.database[i]) {
			d.column = kept.names[i]
			break
		}
	}
	return d
}

// firstUnequal is the first row that differs from the one in its place; -1 if none does.
func firstUnequal(a, b *rowSet) int {
	for i := range max(a.rows, b.rows) {
		if i >= a.rows || i >= b.rows || !slices.EqualFunc(a.row(i), b.row(i), equalValues) {
			return i
		}
	}
	return -1
}

// sameRows reports whether two results have the same rows, in any order.
func sameRows(a, b *rowSet) bool {
	if a.rows != b.rows {
		return false
	}
	count := make(map[string]int, a.rows)
	for i := range a.rows {
		count[rowText(a.row(i))]++
	}
	for i := range b.rows {
		text := rowText(b.row(i))
		if count[text] == 0 {
			return false
		}
		count[text]--
	}
	return true
}

// rowText is a text that only rows of equal values have.
func rowText(row []driver.Value) string {
	var b []byte
	for _, value := range row {
		text := fmt.Sprintf("%T:%v", value, value)
		switch v := value.(type) {
		case time.Time:
			text = v.UTC().String()
		case float64, float32:
			text = fmt.Sprintf("%.9g", v)
		}
		b = appendString(b, text)
	}
	return string(b)
}

// equalValues reports whether two values of a driver are one. Sums of floating-point numbers follow from the order of their parts.
func equalValues(a, b driver.Value) bool {
	switch a := a.(type) {
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b) && (a == nil) == (b == nil)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case float64:
		b, ok := b.(float64)
		return ok && closeTo(a, b)
	case float32:
		b, ok := b.(float32)
		return ok && closeTo(float64(a), float64(b))
	}
	if _, ok := b.([]byte); ok {
		return false
	}
	return a == b
}

func closeTo(a, b float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b))
}

// free are words of statements in which a database may choose among rows, or the order in which it puts them
// together; freeOfCase where it may also choose among texts that its collations take for one, and among rows of a group.
var (
	free = []string{
		"limit", "fetch", "offset", "over", "window", "any_value",
		"array_agg", "string_agg", "json_agg", "jsonb_agg", "xmlagg", "json_object_agg", "jsonb_object_agg",
		"group_concat", "json_arrayagg", "json_objectagg", "json_group_array", "json_group_object",
	}
	freeOfCase = []string{"distinct", "group", "union", "intersect", "except", "min", "max"}
)

// explained reports whether a difference may come from the database's own choice. How many rows
// there are it doesn't choose, in a statement with one SELECT.
func (d difference) explained(st *analyze.Statement, shape string) bool {
	words := strings.FieldsFunc(strings.ToLower(shape), func(r rune) bool { return r < 0x80 && !wordRune(r) })
	selects, chooses := 0, false
	for i, word := range words {
		switch {
		case word == "select":
			selects++
		case word == "on" && i > 0 && words[i-1] == "distinct", slices.Contains(free, word),
			st.Dialect != analyze.Postgres && slices.Contains(freeOfCase, word):
			chooses = true
		}
	}
	return chooses && (selects > 1 || d.rows == d.databaseRows)
}

func wordRune(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
}
