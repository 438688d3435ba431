package larder

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/larderdb/larder/session"
)

// A conn is one connection as database/sql sees it. It offers every optional
// interface; what the inner driver doesn't offer is answered as database/sql would
// have answered in its absence.
type conn struct {
	connector *connector
	session   *session.Session
	alone     bool // the connector was made for this connection, and is closed with it
}

var (
	_ driver.Pinger             = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

// Ping implements driver.Pinger. It asks the database.
func (c *conn) Ping(ctx context.Context) error { return c.session.Ping(ctx) }

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.session.Query(ctx, query, args)
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.session.Exec(ctx, query, args)
}

// CheckNamedValue implements driver.NamedValueChecker: every argument is taken
// as it is, and converted by the inner driver's rules when that is asked.
func (c *conn) CheckNamedValue(*driver.NamedValue) error { return nil }

// PrepareContext implements driver.ConnPrepareContext.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.session.Prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return &stmt{s}, nil
}

// Prepare implements driver.Conn.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.session.Begin(ctx, opts)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

// Begin implements driver.Conn.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// ResetSession implements driver.SessionResetter.
func (c *conn) ResetSession(ctx context.Context) error { return c.session.Reset(ctx) }

// IsValid implements driver.Validator.
func (c *conn) IsValid() bool { return c.session.Valid() }

// Close implements driver.Conn.
func (c *conn) Close() error {
	err := c.session.Close()
	if c.alone {
		err = errors.Join(err, c.connector.Close())
	}
	return err
}

// Unwrap returns the driver's own connection of what sql.Conn.Raw hands out, opened
// now if it wasn't. What is done with it isn't seen by the cache: until the sql.Conn is
// closed every relation counts as being written, and after that all that was cached of
// the database has to be read again. The connection must not be used after that.
func Unwrap(driverConn any) (driver.Conn, error) {
	c, ok := driverConn.(*conn)
	if !ok {
		return nil, errors.New("larder: Unwrap takes what sql.Conn.Raw gives on a handle opened by Larder")
	}
	return c.session.HandOut(context.Background())
}

// A stmt is a prepared statement as database/sql sees it.
type stmt struct{ session *session.Stmt }

var (
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

// NumInput implements driver.Stmt: the number of arguments is checked when the
// inner statement is asked, as it needs not exist before.
func (s *stmt) NumInput() int { return -1 }

// CheckNamedValue implements driver.NamedValueChecker; see conn.CheckNamedValue.
func (s *stmt) CheckNamedValue(*driver.NamedValue) error { return nil }

// ExecContext implements driver.StmtExecContext.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.session.Exec(ctx, args)
}

// QueryContext implements driver.StmtQueryContext.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.session.Query(ctx, args)
}

// Exec implements driver.Stmt.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.session.Exec(context.Background(), named(args))
}

// Query implements driver.Stmt.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.session.Query(context.Background(), named(args))
}

// Close implements driver.Stmt.
func (s *stmt) Close() error { return s.session.Close() }

func named(args []driver.Value) []driver.NamedValue {
	list := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		list[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
	}
	return list
}
