package session

//lint:file-ignore SA1019 drivers still offer what is deprecated, and database/sql still asks for it

import (
	"context"
	"database/sql/driver"
	"errors"
)

// A call is one use of a driver's connection: a text, or a statement prepared
// from it, with the arguments as the caller gave them.
type call struct {
	*query
	args []driver.NamedValue
	stmt *Stmt // nil if the text is run directly

	failed *guess // of a write: what was guessed of its row in vain
	plain  bool   // … and it was refused with a RETURNING
}

// exec runs the call on the driver's connection.
func (s *Session) exec(ctx context.Context, c call) (driver.Result, error) {
	if c.stmt != nil {
		inner, err := c.stmt.prepared(ctx)
		if err != nil {
			return nil, err
		}
		result, err := execStmt(ctx, s.inner, inner, c.args)
		c.stmt.ran(err)
		return result, err
	}
	result, err := execConn(ctx, s.inner, c.text, c.args)
	if err != driver.ErrSkip {
		return result, err
	}
	inner, err := prepare(ctx, s.inner, c.text)
	if err != nil {
		return nil, err
	}
	defer inner.Close()
	return execStmt(ctx, s.inner, inner, c.args)
}

// rows runs the call on the driver's connection and returns the driver's rows.
func (s *Session) rows(ctx context.Context, c call) (liveRows, error) {
	if c.stmt != nil {
		inner, err := c.stmt.prepared(ctx)
		if err != nil {
			return liveRows{}, err
		}
		rows, err := queryStmt(ctx, s.inner, inner, c.args)
		c.stmt.ran(err)
		return liveRows{rows: rows}, err
	}
	return queryText(ctx, s.inner, c.text, c.args)
}

// queryText runs a text, by way of a prepared statement if the driver asks for that.
func queryText(ctx context.Context, conn driver.Conn, text string, args []driver.NamedValue) (liveRows, error) {
	rows, err := queryConn(ctx, conn, text, args)
	if err != driver.ErrSkip {
		return liveRows{rows: rows}, err
	}
	stmt, err := prepare(ctx, conn, text)
	if err != nil {
		return liveRows{}, err
	}
	if rows, err = queryStmt(ctx, conn, stmt, args); err != nil {
		stmt.Close()
		return liveRows{}, err
	}
	return liveRows{rows: rows, stmt: stmt}, nil
}

// liveRows are a driver's rows, and the statement that has to be closed after them.
type liveRows struct {
	rows driver.Rows
	stmt driver.Stmt // nil if there is none
}

func (l *liveRows) close() error {
	err := l.rows.Close()
	if l.stmt != nil {
		if closed := l.stmt.Close(); err == nil {
			err = closed
		}
	}
	return err
}

func (l *liveRows) hasNextResultSet() bool {
	next, ok := l.rows.(driver.RowsNextResultSet)
	return ok && next.HasNextResultSet()
}

func execConn(ctx context.Context, conn driver.Conn, text string, raw []driver.NamedValue) (driver.Result, error) {
	if withContext, is := conn.(driver.ExecerContext); is {
		args, err := convert(conn, nil, raw)
		if err != nil {
			return nil, err
		}
		return withContext.ExecContext(ctx, text, args)
	}
	execer, is := conn.(driver.Execer)
	if !is {
		return nil, driver.ErrSkip
	}
	args, err := convert(conn, nil, raw)
	if err != nil {
		return nil, err
	}
	values, err := positionalNow(ctx, args)
	if err != nil {
		return nil, err
	}
	return execer.Exec(text, values)
}

func queryConn(ctx context.Context, conn driver.Conn, text string, raw []driver.NamedValue) (driver.Rows, error) {
	if withContext, is := conn.(driver.QueryerContext); is {
		args, err := convert(conn, nil, raw)
		if err != nil {
			return nil, err
		}
		return withContext.QueryContext(ctx, text, args)
	}
	queryer, is := conn.(driver.Queryer)
	if !is {
		return nil, driver.ErrSkip
	}
	args, err := convert(conn, nil, raw)
	if err != nil {
		return nil, err
	}
	values, err := positionalNow(ctx, args)
	if err != nil {
		return nil, err
	}
	return queryer.Query(text, values)
}

func execStmt(ctx context.Context, conn driver.Conn, stmt driver.Stmt, raw []driver.NamedValue) (driver.Result, error) {
	args, err := convert(conn, stmt, raw)
	if err != nil {
		return nil, err
	}
	if withContext, ok := stmt.(driver.StmtExecContext); ok {
		return withContext.ExecContext(ctx, args)
	}
	values, err := positionalNow(ctx, args)
	if err != nil {
		return nil, err
	}
	return stmt.Exec(values)
}

func queryStmt(ctx context.Context, conn driver.Conn, stmt driver.Stmt, raw []driver.NamedValue) (driver.Rows, error) {
	args, err := convert(conn, stmt, raw)
	if err != nil {
		return nil, err
	}
	if withContext, ok := stmt.(driver.StmtQueryContext); ok {
		return withContext.QueryContext(ctx, args)
	}
	values, err := positionalNow(ctx, args)
	if err != nil {
		return nil, err
	}
	return stmt.Query(values)
}

// positionalNow is what database/sql does before it calls a driver that knows no contexts.
func positionalNow(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values, err := positional(args)
	if err != nil {
		return nil, err
	}
	return values, ctx.Err()
}

func prepare(ctx context.Context, conn driver.Conn, text string) (driver.Stmt, error) {
	if withContext, ok := conn.(driver.ConnPrepareContext); ok {
		return withContext.PrepareContext(ctx, text)
	}
	stmt, err := conn.Prepare(text)
	if err == nil && ctx.Err() != nil {
		stmt.Close()
		return nil, ctx.Err()
	}
	return stmt, err
}

// begin starts a transaction as database/sql does with drivers that know only
// Begin: those refuse what they can't be asked for.
func begin(ctx context.Context, conn driver.Conn, opts driver.TxOptions) (driver.Tx, error) {
	if withContext, ok := conn.(driver.ConnBeginTx); ok {
		return withContext.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("sql: driver does not support non-default isolation level")
	}
	if opts.ReadOnly {
		return nil, errors.New("sql: driver does not support read-only transactions")
	}
	tx, err := conn.Begin()
	if err == nil && ctx.Err() != nil {
		tx.Rollback()
		return nil, ctx.Err()
	}
	return tx, err
}

// querier reads the catalog on a session's own connection.
type querier struct{ conn driver.Conn }

// Query implements catalog.Querier.
func (q querier) Query(ctx context.Context, text string) ([][]driver.Value, error) {
	live, err := queryText(ctx, q.conn, text, nil)
	if err != nil {
		return nil, err
	}
	ahead := read(live.rows, catalogLimit, false, likeness{})
	if err := live.close(); err != nil {
		return nil, err
	}
	if !ahead.complete() {
		if ahead.err == nil {
			ahead.err = errors.New("session: catalog query: result too large or of unknown types")
		}
		return nil, ahead.err
	}
	table := make([][]driver.Value, ahead.set.rows)
	for i := range table {
		table[i] = ahead.set.row(i)
	}
	return table, nil
}

// catalogLimit bounds what one query of the catalog may return, in bytes.
const catalogLimit = 256 << 20
