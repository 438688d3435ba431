package demo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"sync"
	"time"
)

// A naive cache is what the trial must find out: it keeps results for a while, whatever is
// written meanwhile.
type naive struct {
	inner driver.Driver
	dsn   string
	ttl   time.Duration
	onlyA bool // keep by text alone, so that one argument's rows answer another's

	mu   sync.Mutex
	kept map[string]naiveEntry // guarded by mu
}

type naiveEntry struct {
	columns []string
	rows    [][]driver.Value
	until   time.Time
}

func openNaive(path string, n *naive) (*sql.DB, error) {
	bare, err := openBare(path)
	if err != nil {
		return nil, err
	}
	defer bare.Close()
	n.inner, n.dsn, n.kept = bare.Driver(), dataSource(path), map[string]naiveEntry{}
	return sql.OpenDB(n), nil
}

func (n *naive) Driver() driver.Driver { return n.inner }

func (n *naive) Connect(context.Context) (driver.Conn, error) {
	conn, err := n.inner.Open(n.dsn)
	if err != nil {
		return nil, err
	}
	return &naiveConn{conn, n}, nil
}

// A naiveConn caches outside of transactions only, and only the list: the workload's writes work.
type naiveConn struct {
	driver.Conn
	cache *naive
}

func (c *naiveConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

func (c *naiveConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c *naiveConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	ask := func() (driver.Rows, error) { return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args) }
	if query != selectList {
		return ask()
	}
	key := query
	if !c.cache.onlyA {
		key = fmt.Sprint(query, args[0].Value)
	}
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	if e, ok := c.cache.kept[key]; ok && time.Now().Before(e.until) {
		return &naiveRows{e, 0}, nil
	}
	rows, err := ask()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	e := naiveEntry{columns: rows.Columns(), until: time.Now().Add(c.cache.ttl)}
	for {
		row := make([]driver.Value, len(e.columns))
		if err := rows.Next(row); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		e.rows = append(e.rows, row)
	}
	c.cache.kept[key] = e
	return &naiveRows{e, 0}, nil
}

type naiveRows struct {
	naiveEntry
	next int
}

func (r *naiveRows) Columns() []string { return r.columns }
func (r *naiveRows) Close() error      { return nil }

func (r *naiveRows) Next(dest []driver.Value) error {
	if r.next == len(r.rows) {
		return io.EOF
	}
	copy(dest, r.rows[r.next])
	r.next++
	return nil
}
