package session

import (
	"bytes"
	"database/sql/driver"
	"reflect"
	"slices"
	"sort"
	"time"
)

// A column is what a driver says of one column of a result, asked before the
// first row is read, because some drivers know nothing any more after the last.
// A driver that doesn't offer one of these facts leaves what database/sql would
// take in its absence.
type column struct {
	databaseType string
	scanType     reflect.Type
	length       int64
	hasLength    bool
	nullable     bool
	hasNullable  bool
	precision    int64
	scale        int64
	hasDecimal   bool
}

var anyType = reflect.TypeFor[any]()

// A describer holds what a driver's rows offer to describe columns with.
type describer struct {
	databaseType driver.RowsColumnTypeDatabaseTypeName
	scanType     driver.RowsColumnTypeScanType
	length       driver.RowsColumnTypeLength
	nullable     driver.RowsColumnTypeNullable
	decimal      driver.RowsColumnTypePrecisionScale
}

func describerOf(rows driver.Rows) (d describer) {
	d.databaseType, _ = rows.(driver.RowsColumnTypeDatabaseTypeName)
	d.scanType, _ = rows.(driver.RowsColumnTypeScanType)
	d.length, _ = rows.(driver.RowsColumnTypeLength)
	d.nullable, _ = rows.(driver.RowsColumnTypeNullable)
	d.decimal, _ = rows.(driver.RowsColumnTypePrecisionScale)
	return d
}

func (d *describer) column(i int) column {
	c := d.unnamed(i)
	if d.databaseType != nil {
		c.databaseType = d.databaseType.ColumnTypeDatabaseTypeName(i)
	}
	return c
}

// unnamed is a column without what the database calls its type.
func (d *describer) unnamed(i int) column {
	c := column{scanType: anyType}
	if d.scanType != nil {
		c.scanType = d.scanType.ColumnTypeScanType(i)
	}
	if d.length != nil {
		c.length, c.hasLength = d.length.ColumnTypeLength(i)
	}
	if d.nullable != nil {
		c.nullable, c.hasNullable = d.nullable.ColumnTypeNullable(i)
	}
	if d.decimal != nil {
		c.precision, c.scale, c.hasDecimal = d.decimal.ColumnTypePrecisionScale(i)
	}
	return c
}

// likeButName reports whether the columns are described as others are, what their types are called aside, of a driver that says that.
func (d *describer) likeButName(others []column) bool {
	if d.databaseType == nil {
		return false
	}
	for i, other := range others {
		c := d.unnamed(i)
		c.databaseType = other.databaseType
		if c != other {
			return false
		}
	}
	return true
}

// columns appends the description of n columns.
func (d *describer) columns(columns []column, n int) []column {
	for i := range n {
		columns = append(columns, d.column(i))
	}
	return columns
}

func describeColumn(rows driver.Rows, i int) column {
	d := describerOf(rows)
	return d.column(i)
}

// A typeChange says that from the given row on (counted from 1, the row last
// read), the driver described its columns otherwise. SQLite's drivers give
// the types of the values of the current row.
type typeChange struct {
	row     int
	columns []column
}

// What a typeChange takes in memory, in bytes.
const typeChangeSize = 32

// columnsAfter returns the description in force once n rows have been read.
func (s *rowSet) columnsAfter(n int) []column {
	later := sort.Search(len(s.typeChanges), func(i int) bool { return s.typeChanges[i].row > n })
	if later == 0 {
		return s.columns
	}
	return s.typeChanges[later-1].columns
}

// typeNotes notes the changes of column types while rows are read. The driver is asked
// once for each combination of Go types that the values of a row have, and for each
// row that has times.
type typeNotes struct {
	kinds []byte // of the row before
	row   []byte
	seen  map[string][]column
}

// note records a change of the column types at the current row.
func (t *typeNotes) note(s *rowSet, rows driver.Rows, row []driver.Value) {
	t.row = t.row[:0]
	for _, value := range row {
		t.row = append(t.row, goKind(value))
	}
	if bytes.Equal(t.row, t.kinds) && s.rows > 1 && bytes.IndexByte(t.row, goTime) < 0 {
		return
	}
	t.kinds, t.row = t.row, t.kinds
	columns, ok := t.seen[string(t.kinds)]
	if !ok {
		columns = t.describe(s, rows, len(row))
	}
	columns = t.askAgain(s, rows, columns)
	if before := s.columnsAfter(s.rows); !slices.Equal(columns, before) {
		s.typeChanges = append(s.typeChanges, typeChange{s.rows, columns})
		s.size += typeChangeSize
	}
}

// describe asks the driver for a combination that has not been seen yet.
func (t *typeNotes) describe(s *rowSet, rows driver.Rows, n int) []column {
	if t.seen == nil {
		t.seen = make(map[string][]column)
	}
	d := describerOf(rows)
	columns := d.columns(nil, n)
	t.seen[string(t.kinds)] = columns
	s.size += n * columnSize
	return columns
}

// askAgain asks for the columns whose Go type doesn't tell: a time may have been read
// from a text or from a number, and drivers say other things of these.
func (t *typeNotes) askAgain(s *rowSet, rows driver.Rows, columns []column) []column {
	own := false
	for i, kind := range t.kinds {
		if kind != goTime {
			continue
		}
		now := describeColumn(rows, i)
		if now == columns[i] {
			continue
		}
		if !own {
			columns, own = slices.Clone(columns), true
			s.size += len(columns) * columnSize
		}
		columns[i] = now
	}
	return columns
}

const goTime = 6

func goKind(value driver.Value) byte {
	switch value.(type) {
	case nil:
		return 0
	case int64:
		return 1
	case float64:
		return 2
	case string:
		return 3
	case []byte:
		return 4
	case bool:
		return 5
	case time.Time:
		return goTime
	}
	return 7
}
