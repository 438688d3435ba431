package larder

import (
	"context"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"
)

// A window is how long, at most, a slow connection waits after the database has answered a read of a register, and
// around what writes it.
type window struct {
	read, write time.Duration

	guards, begins atomic.Int64 // statements that have a guess, or begin a transaction
}

// wait waits, half of the times.
func wait(longest time.Duration) {
	if longest > 0 && rand.IntN(2) == 0 {
		time.Sleep(rand.N(longest))
	}
}

func waitFor(text string, longest time.Duration) {
	if strings.Contains(text, "reg_") || strings.Contains(text, "cards") {
		wait(longest)
	}
}

// A slowConnector wraps another's connections: they are late with what the database has answered, and with
// commits. The cache knows nothing of its type.
type slowConnector struct {
	driver.Connector
	window *window
}

func (c slowConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return slowConn{conn, c.window}, nil
}

// A slowConn offers what all drivers of these tests offer.
type slowConn struct {
	driver.Conn
	window *window
}

func (c slowConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	queryer, ok := c.Conn.(driver.QueryerContext)
	if !ok { // ncruces asks for a statement
		return nil, driver.ErrSkip
	}
	rows, err := queryer.QueryContext(ctx, text, args)
	if err == nil {
		waitFor(text, c.window.read)
	}
	if err == nil && strings.Contains(text, unanswered) {
		return nil, errors.Join(errUnanswered, rows.Close(), c.Close())
	}
	return rows, err
}

func (c slowConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	c.window.note(text)
	waitFor(text, c.window.write)
	result, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, text, args)
	if err == nil {
		waitFor(text, c.window.write)
	}
	if err == nil && strings.Contains(text, unanswered) {
		return nil, errors.Join(errUnanswered, c.Close())
	}
	return result, err
}

// A write with this in its text is done, but the connection is lost before it is answered.
const unanswered = " /* unanswered */"

var errUnanswered = errors.New("the answer was lost")

func (c slowConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return slowStmt{stmt, c.window, text}, nil
}

func (c slowConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return slowTx{tx, c.window}, nil
}

func (c slowConn) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c slowConn) IsValid() bool {
	if v, ok := c.Conn.(driver.Validator); ok {
		return v.IsValid()
	}
	return true
}

func (c slowConn) CheckNamedValue(value *driver.NamedValue) error {
	if n, ok := c.Conn.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(value)
	}
	return driver.ErrSkip
}

// A slowStmt is late as its connection is. MySQL's driver sends every statement with arguments by one.
type slowStmt struct {
	driver.Stmt
	window *window
	text   string
}

func (s slowStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err == nil {
		waitFor(s.text, s.window.read)
	}
	return rows, err
}

func (s slowStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	waitFor(s.text, s.window.write)
	result, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	if err == nil {
		waitFor(s.text, s.window.write)
	}
	return result, err
}

func (s slowStmt) CheckNamedValue(value *driver.NamedValue) error {
	if n, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(value)
	}
	return driver.ErrSkip
}

// A slowTx is late before and after it commits.
type slowTx struct {
	driver.Tx
	window *window
}

func (t slowTx) Commit() error {
	wait(t.window.write)
	err := t.Tx.Commit()
	wait(t.window.write)
	return err
}
