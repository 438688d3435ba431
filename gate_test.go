package larder

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// A gate is a connector that stops statements at points which a test names: "before
// COMMIT", "after UPDATE …" (the database has answered, the caller doesn't know
// yet), "rows SELECT …" (the last row has been read). "rows UPDATE *" is any that begins so.
type gate struct {
	driver.Connector
	mu     sync.Mutex
	stops  map[string]*stop // guarded by mu
	passed []string         // that were to pass since the last call of took; guarded by mu

	result    driver.Result // in the place of those of the driver, if not nil
	forgetful bool          // results know nothing of their columns any more when they have ended
}

// A stop is one point at which one statement is stopped, once.
type stop struct {
	t        testing.TB
	reached  chan struct{}
	resume   chan struct{}
	resumed  sync.Once
	fault    error // what the statement is said to have ended with, if not nil
	severing bool  // the driver's connection is closed at that point
	panics   bool  // the driver panics there
}

// gated opens a handle whose statements pass a gate.
func (h *house) gated() (*sql.DB, *gate) {
	h.Helper()
	c, g := h.gatedConnector()
	return h.opened(sql.OpenDB(c), nil), g
}

func (h *house) gatedConnector() (*connector, *gate) {
	h.Helper()
	inner, err := driverOf(h.driver, h.dsn)
	if err != nil {
		h.Fatal(err)
	}
	connector, err := connectorOf(inner, h.dsn)
	if err != nil {
		h.Fatal(err)
	}
	dialect, err := h.cache.dialectOf(inner, h.driver)
	if err != nil {
		h.Fatal(err)
	}
	g := &gate{Connector: connector, stops: make(map[string]*stop)}
	return h.cache.connector(g, inner, dialect, h.dsn, true), g
}

// at makes the next statement that comes to a point stop there.
func (g *gate) at(t testing.TB, point string) *stop {
	s := &stop{t: t, reached: make(chan struct{}), resume: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stops[point] = s
	t.Cleanup(s.go_)
	return s
}

// took returns the statements that have passed since it was called last.
func (g *gate) took() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	texts := g.passed
	g.passed = nil
	return texts
}

// wait returns when the statement has come to the point.
func (s *stop) wait() {
	s.t.Helper()
	select {
	case <-s.reached:
	case <-time.After(20 * time.Second):
		s.t.Fatal("no statement comes to the point where it should stop")
	}
}

// go_ lets the statement go on.
func (s *stop) go_() { s.resumed.Do(func() { close(s.resume) }) }

func (g *gate) pass(conn driver.Conn, point string) error {
	g.mu.Lock()
	if text, ok := strings.CutPrefix(point, "before "); ok {
		g.passed = append(g.passed, text)
	}
	s := g.takeLocked(point)
	g.mu.Unlock()
	if s == nil {
		return nil
	}
	close(s.reached)
	<-s.resume
	if s.severing {
		conn.Close()
	}
	if s.panics {
		panic("the driver panics")
	}
	return s.fault
}

// takeLocked returns who waits for a point, or for one that begins as what stands before a *.
func (g *gate) takeLocked(point string) *stop {
	for named, s := range g.stops {
		if begin, is := strings.CutSuffix(named, "*"); named == point || is && strings.HasPrefix(point, begin) {
			delete(g.stops, named)
			return s
		}
	}
	return nil
}

// Connect implements driver.Connector.
func (g *gate) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := g.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &gatedConn{c, g}, nil
}

type gatedConn struct {
	driver.Conn
	gate *gate
}

func (c *gatedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.gate.pass(c.Conn, "before "+query); err != nil {
		return nil, err
	}
	queryer, ok := c.Conn.(driver.QueryerContext)
	if !ok { // ncruces asks for a statement
		return nil, driver.ErrSkip
	}
	rows, err := queryer.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if c.gate.forgetful {
		return &forgetfulRows{gatedRows: gatedRows{rows, c, query}}, nil
	}
	return &gatedRows{rows, c, query}, nil
}

func (c *gatedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.gate.pass(c.Conn, "before "+query); err != nil {
		return nil, err
	}
	result, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
	if fault := c.gate.pass(c.Conn, "after "+query); fault != nil {
		return nil, fault
	}
	if err == nil && c.gate.result != nil {
		return c.gate.result, nil
	}
	return result, err
}

func (c *gatedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	if fault := c.gate.pass(c.Conn, "after BEGIN"); fault != nil {
		return nil, fault
	}
	return &gatedTx{tx, c}, nil
}

func (c *gatedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

func (c *gatedConn) CheckNamedValue(nv *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(nv)
	}
	return driver.ErrSkip
}

type gatedTx struct {
	driver.Tx
	conn *gatedConn
}

func (t *gatedTx) Commit() error {
	if err := t.conn.gate.pass(t.conn.Conn, "before COMMIT"); err != nil {
		return err
	}
	err := t.Tx.Commit()
	if fault := t.conn.gate.pass(t.conn.Conn, "after COMMIT"); fault != nil {
		return fault
	}
	return err
}

func (t *gatedTx) Rollback() error {
	if err := t.conn.gate.pass(t.conn.Conn, "before ROLLBACK"); err != nil {
		return err
	}
	err := t.Tx.Rollback()
	if fault := t.conn.gate.pass(t.conn.Conn, "after ROLLBACK"); fault != nil {
		return fault
	}
	return err
}

type gatedRows struct {
	driver.Rows
	conn  *gatedConn
	query string
}

func (r *gatedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err == io.EOF {
		if fault := r.conn.gate.pass(r.conn.Conn, "rows "+r.query); fault != nil {
			return fault
		}
	}
	return err
}

// forgetfulRows are as those of bun's pgdriver, but that they say what types are called.
type forgetfulRows struct {
	gatedRows
	ended bool
}

func (r *forgetfulRows) Columns() []string {
	if r.ended {
		return nil
	}
	return r.gatedRows.Columns()
}

func (r *forgetfulRows) ColumnTypeDatabaseTypeName(i int) string {
	if r.ended {
		return ""
	}
	return r.Rows.(driver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName(i)
}

func (r *forgetfulRows) Next(dest []driver.Value) error {
	err := r.gatedRows.Next(dest)
	r.ended = r.ended || err != nil
	return err
}

// inBackground runs f; the function that it returns waits for its end.
func inBackground(t testing.TB, f func()) (wait func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	return func() {
		t.Helper()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatal("a statement doesn't end")
		}
	}
}
