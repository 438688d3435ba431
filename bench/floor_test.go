package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"time"
)

// floor is the driver below which no cache under database/sql can get: it
// returns the same rows from memory, whatever it is asked.
type floor struct{ rows [][]driver.Value }

var columns = []string{"id", "user_id", "name", "price", "created"}

func floorRows(n int) [][]driver.Value {
	created := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	rows := make([][]driver.Value, n)
	for i := range rows {
		rows[i] = []driver.Value{int64(i), int64(42), fmt.Sprintf("thing number %d", i), 1.5 * float64(i), created}
	}
	return rows
}

func openFloor(n int) *sql.DB { return sql.OpenDB(&floor{floorRows(n)}) }

func (f *floor) Connect(context.Context) (driver.Conn, error) { return floorConn{f}, nil }
func (f *floor) Driver() driver.Driver                        { return f }
func (f *floor) Open(string) (driver.Conn, error)             { return floorConn{f}, nil }

type floorConn struct{ *floor }

func (c floorConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }
func (c floorConn) Close() error                        { return nil }
func (c floorConn) Begin() (driver.Tx, error)           { return nil, driver.ErrSkip }
func (c floorConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &floorResult{rows: c.rows}, nil
}

type floorResult struct {
	rows [][]driver.Value
	next int
}

func (r *floorResult) Columns() []string { return columns }
func (r *floorResult) Close() error      { return nil }
func (r *floorResult) Next(dest []driver.Value) error {
	if r.next == len(r.rows) {
		return io.EOF
	}
	copy(dest, r.rows[r.next])
	r.next++
	return nil
}
