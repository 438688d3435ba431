package session

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A sheet is a result of a made-up driver: sets of rows, each with the error at its end.
type sheet struct {
	sets   []sheetSet
	closes error // what Close says
}

type sheetSet struct {
	names []string
	rows  [][]driver.Value
	err   error // nil is the end
}

// sheetRows read a sheet. They offer nothing that a driver need not; byte slices
// are valid until the next row, as the contract allows.
type sheetRows struct {
	*sheet
	set, row int
	names    []string // of the set
	buffer   []byte
	closed   *int
}

func (r *sheetRows) Columns() []string {
	if r.names == nil {
		r.names = slices.Clone(r.sets[r.set].names)
	}
	return r.names
}

func (r *sheetRows) Close() error { *r.closed++; return r.closes }

func (r *sheetRows) Next(dest []driver.Value) error {
	for i := range r.buffer {
		r.buffer[i] = '?' // what was handed out is no longer valid
	}
	set := r.sets[r.set]
	if r.row == len(set.rows) {
		if set.err != nil {
			return set.err
		}
		return io.EOF
	}
	r.buffer = r.buffer[:0]
	for _, v := range set.rows[r.row] {
		if b, ok := v.([]byte); ok {
			r.buffer = append(r.buffer, b...)
		}
	}
	start := 0
	for i, v := range set.rows[r.row] {
		dest[i] = v
		if b, ok := v.([]byte); ok && b != nil {
			dest[i] = r.buffer[start : start+len(b)]
			start += len(b)
		}
	}
	r.row++
	return nil
}

// typedRows say what their columns are, some of it by the values of the current row.
type typedRows struct{ *sheetRows }

// value is what the driver tells the type of a column by.
func (r typedRows) value(i int) driver.Value {
	if r.row == 0 {
		return nil
	}
	value := r.sets[r.set].rows[r.row-1][i]
	if at, ok := value.(time.Time); ok && at.Year() == 1 {
		return "" // it was a text
	}
	return value
}

func (r typedRows) ColumnTypeDatabaseTypeName(i int) string { return fmt.Sprintf("T%d", i) }
func (r typedRows) ColumnTypeScanType(i int) reflect.Type   { return reflect.TypeOf(r.value(i)) }
func (r typedRows) ColumnTypeNullable(i int) (bool, bool)   { return r.value(i) == nil, i%2 == 1 }
func (r typedRows) ColumnTypeLength(i int) (int64, bool) {
	_, text := r.value(i).(string)
	return int64(i), text
}

func (r typedRows) ColumnTypePrecisionScale(i int) (int64, int64, bool) {
	return int64(i), int64(r.set), i > 0
}

// setRows have further sets.
type setRows struct{ typedRows }

func (r setRows) HasNextResultSet() bool { return r.set+1 < len(r.sets) }

func (r setRows) NextResultSet() error {
	if !r.HasNextResultSet() {
		return io.EOF
	}
	r.set, r.row, r.names = r.set+1, 0, nil
	return nil
}

// A sheetConn answers every query with a sheet, in the way of its mode: "bare",
// "ahead 123 5" (read ahead up to so many bytes, where so many rows are expected) or "replayed".
type sheetConn struct {
	sheet  *sheet
	offers string // "plain", "typed", "sets"
	mode   string
	closed int // how often the driver's rows were closed
}

func (c *sheetConn) Connect(context.Context) (driver.Conn, error) { return c, nil }
func (c *sheetConn) Driver() driver.Driver                        { return nil }
func (c *sheetConn) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("no statements") }
func (c *sheetConn) Begin() (driver.Tx, error)                    { return nil, errors.New("no transactions") }
func (c *sheetConn) Close() error                                 { return nil }

func (c *sheetConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	limit := 0
	if c.mode == "bare" {
		return c.rows(), nil
	}
	if c.mode == "replayed" {
		limit = 1 << 20
		ahead := read(c.rows(), limit, true, likeness{})
		if !ahead.complete() {
			return nil, errors.New("not complete")
		}
		return replay(context.Background(), ahead.set), nil
	}
	var expected int
	if _, err := fmt.Sscanf(c.mode, "ahead %d %d", &limit, &expected); err != nil {
		return nil, err
	}
	live := c.rows()
	rows := driverRows(context.Background(), liveRows{rows: live})
	rows.readAhead(read(live, limit, true, likeness{rows: expected}))
	if rows.ended() {
		rows.closeLive()
	}
	return rows, nil
}

func (c *sheetConn) rows() driver.Rows {
	plain := &sheetRows{sheet: c.sheet, closed: &c.closed}
	switch c.offers {
	case "plain":
		return plain
	case "typed":
		return typedRows{plain}
	}
	return setRows{typedRows{plain}}
}

// shown is all that database/sql shows of a result when a row of each set is left out
// after `upTo` rows.
func shown(db *sql.DB, upTo int) string {
	var b strings.Builder
	rows, err := db.Query("")
	if err != nil {
		return err.Error()
	}
	for {
		n := showTypes(&b, rows)
		for i := 0; i < upTo && rows.Next(); i++ {
			values := make([]any, n)
			for i := range values {
				values[i] = new(any)
			}
			fmt.Fprintln(&b, rows.Scan(values...))
			for _, v := range values {
				fmt.Fprintf(&b, "%T %v, ", *v.(*any), *v.(*any))
				if kept, ok := (*v.(*any)).([]byte); ok {
					clear(kept) // ours by now
				}
			}
			showTypes(&b, rows)
		}
		fmt.Fprintln(&b, rows.Err())
		if !rows.NextResultSet() {
			break
		}
		fmt.Fprintln(&b, "next set")
	}
	fmt.Fprintln(&b, rows.Err(), rows.Close(), rows.Err())
	return b.String()
}

func showTypes(b *strings.Builder, rows *sql.Rows) int {
	names, err := rows.Columns()
	fmt.Fprintln(b, names, err)
	for i := range names {
		names[i] = "spoilt"
	}
	types, err := rows.ColumnTypes()
	fmt.Fprintln(b, err)
	for _, t := range types {
		fmt.Fprintf(b, "%+v ", *t)
	}
	fmt.Fprintln(b)
	return len(names)
}

// sheets are results of all shapes.
func sheets() map[string]*sheet {
	broken := errors.New("row can't be read")
	at := time.Date(2024, 2, 29, 12, 13, 14, 15, time.FixedZone("here", 3600))
	long := sheetSet{names: []string{"n", "text"}}
	for i := range 50 {
		long.rows = append(long.rows, []driver.Value{int64(i), []byte(strings.Repeat("x", i))})
	}
	failing := long
	failing.err = broken
	return map[string]*sheet{
		"empty":      {sets: []sheetSet{{names: []string{"a"}}}},
		"no columns": {sets: []sheetSet{{rows: [][]driver.Value{{}, {}}}}},
		"nothing":    {sets: []sheetSet{{}}},
		"every type": {sets: []sheetSet{{names: []string{"a", "b", "a"}, rows: [][]driver.Value{
			{nil, true, int64(1)}, {1.5, "text", []byte("bytes")}, {[]byte{}, []byte(nil), at}, {int(1), uint8(2), float32(3)}, {uint64(1) << 63, "", false},
		}}}},
		"times": {sets: []sheetSet{{names: []string{"a", "b"}, rows: [][]driver.Value{
			{at, "x"}, {time.Time{}, "y"}, {at, "z"}, {at, nil}, {time.Time{}, nil}, {nil, nil}, {int64(1), time.Time{}}, {int64(2), at}, {time.Time{}, at}, {at, at},
		}}}},
		"strange types": {sets: []sheetSet{{names: []string{"a", "b"}, rows: [][]driver.Value{
			{int64(1), "kept"}, {[]string{"not", "kept"}, []byte("x")}, {struct{ A int }{1}, int64(2)}, {map[string]int{"a": 1}, nil},
		}}}},
		"long":                {sets: []sheetSet{long}},
		"failing":             {sets: []sheetSet{failing}},
		"failing soon":        {sets: []sheetSet{{names: []string{"a"}, err: broken}}},
		"closed badly":        {sets: []sheetSet{{names: []string{"a"}, rows: [][]driver.Value{{int64(1)}}}}, closes: errors.New("can't be closed")},
		"two sets":            {sets: []sheetSet{{names: []string{"a"}, rows: [][]driver.Value{{int64(1)}, {[]byte("two")}}}, {names: []string{"b", "c"}, rows: [][]driver.Value{{"x", []byte("y")}}}}},
		"empty, then failing": {sets: []sheetSet{{names: []string{"a"}}, failing, {names: []string{"b"}}}},
	}
}

// TestRowsAreTheDrivers: whatever was read ahead of a result, and wherever its reader
// stops, database/sql shows the same of it; a whole one, kept, can be shown again and
// again. The driver's rows are closed once.
func TestRowsAreTheDrivers(t *testing.T) {
	for name, s := range sheets() {
		for _, offers := range []string{"plain", "typed", "sets"} {
			for _, upTo := range []int{0, 1, 2, 7, 49, 50, 1000} {
				bare := &sheetConn{sheet: s, offers: offers, mode: "bare"}
				want := shown(sql.OpenDB(bare), upTo)
				modes := []string{"ahead 0 0", "ahead 300 1", "ahead 700 50", "ahead 1500 0", "ahead 1500 3", "ahead 100000 0", "ahead 100000 2", "ahead 100000 50", "ahead 100000 51"}
				if whole(s, offers) {
					modes = append(modes, "replayed")
				}
				for _, mode := range modes {
					c := &sheetConn{sheet: s, offers: offers, mode: mode}
					db := sql.OpenDB(c)
					for range 2 {
						if got := shown(db, upTo); got != want {
							t.Errorf("%s, %s, %s, %d rows: got\n%s\nwant\n%s", name, offers, mode, upTo, got, want)
						}
					}
					if mode != "replayed" && c.closed != 2 {
						t.Errorf("%s, %s, %s: the driver's rows of two results were closed %d times", name, offers, mode, c.closed)
					}
				}
			}
		}
	}
}

// whole reports whether a sheet could be kept.
func whole(s *sheet, offers string) bool {
	for _, row := range s.sets[0].rows {
		for _, v := range row {
			switch v.(type) {
			case []string, struct{ A int }, map[string]int:
				return false
			}
		}
	}
	return s.closes == nil && s.sets[0].err == nil && (offers != "sets" || len(s.sets) == 1)
}

// TestKeptBytesAreNobodys: what a driver or a caller does to byte slices doesn't reach
// a kept result.
func TestKeptBytesAreNobodys(t *testing.T) {
	c := &sheetConn{sheet: sheets()["long"], offers: "typed"}
	ahead := read(c.rows(), 1<<20, false, likeness{})
	if !ahead.complete() || ahead.set.rows != 50 {
		t.Fatalf("read %d rows, %v", ahead.set.rows, ahead.err)
	}
	for range 3 {
		rows := replay(context.Background(), ahead.set)
		dest := make([]driver.Value, 2)
		for i := 0; rows.Next(dest) == nil; i++ {
			b := dest[1].([]byte)
			if string(b) != strings.Repeat("x", i) || cap(b) != len(b) {
				t.Fatalf("row %d is %q, with room for %d", i, b, cap(b))
			}
			for j := range b {
				b[j] = '#'
			}
			dest[0], dest[1] = "spoilt", nil
		}
		rows.Columns()[0] = "spoilt"
	}
}
