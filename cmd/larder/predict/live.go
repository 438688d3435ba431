package predict

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/catalog"
	"github.com/larderdb/larder/confine"
)

// A Live database knows what texts don't tell: views, triggers, cascades, types, keys, and of rows what is in them now.
type Live struct {
	Name     string // as its server's log calls it
	dialect  analyze.Dialect
	db       *sql.DB
	conn     *sql.Conn
	snapshot *catalog.Snapshot
	state    *catalog.State
	asked    int // for rows
}

// maxAsked is how many rows a database is asked for.
const maxAsked = 20_000

// OpenLive reads the catalog of a database. The handle is the Live's, which closes it, unless it fails.
func OpenLive(ctx context.Context, db *sql.DB, d analyze.Dialect) (l *Live, err error) {
	l = &Live{dialect: d, db: db}
	if l.conn, err = db.Conn(ctx); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer func() {
		if err != nil {
			l.conn.Close()
		}
	}()
	if l.snapshot, err = catalog.Load(ctx, l, d); err != nil {
		return nil, err
	}
	if l.state, err = catalog.ReadState(ctx, l, d, nil); err != nil {
		return nil, err
	}
	switch d {
	case analyze.Postgres:
		err = l.conn.QueryRowContext(ctx, "SELECT pg_catalog.current_database()").Scan(&l.Name)
	case analyze.MySQL:
		err = l.conn.QueryRowContext(ctx, "SELECT COALESCE(DATABASE(), '')").Scan(&l.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("ask for the name of the database: %w", err)
	}
	return l, nil
}

// Close closes the handle.
func (l *Live) Close() error { return errors.Join(l.conn.Close(), l.db.Close()) }

// Query implements catalog.Querier.
func (l *Live) Query(ctx context.Context, query string) ([][]driver.Value, error) {
	return l.rows(ctx, query)
}

func (l *Live) rows(ctx context.Context, query string, args ...any) (list [][]driver.Value, err error) {
	rows, err := l.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row, into := make([]driver.Value, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = (*any)(&row[i])
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

// targetOnly is a schema that has one relation.
type targetOnly struct{ table *confine.Table }

// Table implements confine.Schema.
func (t targetOnly) Table(analyze.Name) (*confine.Table, bool) { return t.table, t.table != nil }

// plan implements facts.
func (l *Live) plan(st *analyze.Statement) *planned {
	plan := l.snapshot.Plan(st, l.state)
	p := &planned{st: st, reason: plan.Reason, detail: plan.Detail, wide: plan.WritesAll || plan.Schema, references: plan.References}
	for _, r := range plan.Reads {
		p.reads = append(p.reads, string(r))
	}
	for _, r := range plan.Writes {
		p.writes = append(p.writes, string(r))
	}
	p.slice()
	if plan.Target != "" {
		p.target, p.change = string(plan.Target), confine.ChangeOf(st.Change, targetOnly{plan.TargetTable})
	}
	return p
}

// complete asks the database for what isn't known of a row that a statement finds by a key. It may have
// changed since the log was written.
func (l *Live) complete(ctx context.Context, w *world, p *planned, row confine.Image, args []driver.NamedValue) confine.Image {
	c := p.st.Change
	columns := p.change.Columns(missing(w.domain.Shapes(ctx, p.target), row))
	if len(columns) == 0 || !c.Repeatable || c.Condition == "" || p.change.KeyCount(args) != 1 || l.asked >= maxAsked {
		return row
	}
	l.asked++
	bound := make([]any, len(c.Args))
	for i, term := range c.Args {
		bound[i], _ = confine.Bound(term, args)
		if text, is := bound[i].(string); is && l.dialect == analyze.Postgres {
			bound[i] = numberOrText(text)
		}
	}
	found, err := l.rows(ctx, selectText(l.dialect, c, columns), bound...)
	if err != nil || len(found) != 1 {
		return row
	}
	full := confine.ImageOf(l.dialect, columns, found[0]).With(row)
	w.known.note(p, full)
	return full
}

// numberOrText is an argument of a type that a driver sends for either.
func numberOrText(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return text
}

// missing are the columns of shapes that a row doesn't tell.
func missing(shapes []string, row confine.Image) (names []string) {
	for _, shape := range shapes {
		for _, name := range confine.AppendColumns(nil, shape) {
			if _, told := row.Get(name); !told {
				names = append(names, name)
			}
		}
	}
	return names
}

// selectText reads columns of the rows that a change finds.
func selectText(d analyze.Dialect, c *analyze.Change, columns []*confine.Column) string {
	var names []string
	for _, column := range columns {
		mark := `"`
		if d == analyze.MySQL {
			mark = "`"
		}
		names = append(names, mark+strings.ReplaceAll(column.Name, mark, mark+mark)+mark)
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM " + c.From + " WHERE " + c.Condition
}
