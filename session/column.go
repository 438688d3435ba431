package session

import (
	"database/sql/driver"
	"reflect"
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

func describeColumn(rows driver.Rows, i int) column {
	c := column{scanType: anyType}
	if r, ok := rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		c.databaseType = r.ColumnTypeDatabaseTypeName(i)
	}
	if r, ok := rows.(driver.RowsColumnTypeScanType); ok {
		c.scanType = r.ColumnTypeScanType(i)
	}
	if r, ok := rows.(driver.RowsColumnTypeLength); ok {
		c.length, c.hasLength = r.ColumnTypeLength(i)
	}
	if r, ok := rows.(driver.RowsColumnTypeNullable); ok {
		c.nullable, c.hasNullable = r.ColumnTypeNullable(i)
	}
	if r, ok := rows.(driver.RowsColumnTypePrecisionScale); ok {
		c.precision, c.scale, c.hasDecimal = r.ColumnTypePrecisionScale(i)
	}
	return c
}

func describeColumns(rows driver.Rows, n int) []column {
	columns := make([]column, n)
	for i := range columns {
		columns[i] = describeColumn(rows, i)
	}
	return columns
}

// A typeChange says that from the given row on (counted from 1, the row last
// read), the driver described its columns otherwise. SQLite's drivers give
// the types of the values of the current row.
type typeChange struct {
	row     int
	columns []column
}

// columnsAfter returns the description in force once n rows have been read.
func (s *rowSet) columnsAfter(n int) []column {
	columns := s.columns
	for _, change := range s.typeChanges {
		if change.row > n {
			break
		}
		columns = change.columns
	}
	return columns
}
