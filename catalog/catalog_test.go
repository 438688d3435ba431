package catalog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// A conn is a session of a test, and its Querier.
type conn struct {
	t       testing.TB
	c       *sql.Conn
	dialect analyze.Dialect
	dsn     string
	schema  string // of which plans don't tell the name; "DB" in statements
}

// open opens a session on a database of its own handle.
func open(t testing.TB, d analyze.Dialect, driverName, dsn string) *conn {
	t.Helper()
	db, err := sql.Open(driverName, dsn)
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		db.Close()
	})
	return &conn{t: t, c: c, dialect: d, dsn: dsn}
}

func (c *conn) exec(statements ...string) {
	c.t.Helper()
	for _, s := range statements {
		if _, err := c.c.ExecContext(context.Background(), s); err != nil {
			c.t.Fatalf("%s: %v", s, err)
		}
	}
}

func (c *conn) Query(ctx context.Context, query string) (out [][]driver.Value, err error) {
	err = c.c.Raw(func(dc any) error {
		rows, err := ask(ctx, dc.(driver.Conn), query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for {
			row := make([]driver.Value, len(rows.Columns()))
			if err := rows.Next(row); err != nil {
				return nil
			}
			for i, v := range row {
				if b, ok := v.([]byte); ok {
					row[i] = slices.Clone(b)
				}
			}
			out = append(out, row)
		}
	})
	return out, err
}

// ask queries a driver's connection directly, or by a prepared statement.
func ask(ctx context.Context, c driver.Conn, query string) (driver.Rows, error) {
	if direct, ok := c.(driver.QueryerContext); ok {
		rows, err := direct.QueryContext(ctx, query, nil)
		if err != driver.ErrSkip {
			return rows, err
		}
	}
	s, err := c.Prepare(query)
	if err != nil {
		return nil, err
	}
	return s.(driver.StmtQueryContext).QueryContext(ctx, nil)
}

func (c *conn) load() *Snapshot {
	c.t.Helper()
	s, err := Load(context.Background(), c, c.dialect)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *conn) state(settings ...string) *State {
	c.t.Helper()
	s, err := ReadState(context.Background(), c, c.dialect, settings)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *conn) identity() Identity {
	c.t.Helper()
	id, err := Identify(context.Background(), c, c.dialect, c.dsn)
	if err != nil {
		c.t.Fatal(err)
	}
	return id
}

// text tells a plan. Of relations that are both read and written it only says the latter.
func (c *conn) text(p *Plan) string {
	var parts []string
	list := func(word string, names []Relation) {
		if len(names) == 0 {
			return
		}
		var texts []string
		for _, n := range names {
			texts = append(texts, strings.TrimPrefix(string(n), c.schema+"."))
		}
		slices.Sort(texts)
		parts = append(parts, word+" "+strings.Join(texts, " "))
	}
	flag := func(word string, set bool) {
		if set {
			parts = append(parts, word)
		}
	}
	list("reads", slices.DeleteFunc(slices.Clone(p.Reads), func(r Relation) bool { return slices.Contains(p.Writes, r) }))
	if !p.WritesAll {
		list("writes", p.Writes)
	}
	flag("writes all", p.WritesAll)
	flag("writes attached", p.AttachedWrites)
	flag("schema", p.Schema)
	flag("state", p.StateUnknown)
	flag("temp unknown", p.TempUnknown)
	flag("unknown relation", p.UnknownRelation)
	if p.Reason != analyze.Cacheable && p.Reason != analyze.NotRead {
		parts = append(parts, p.Reason.String())
	}
	return strings.Join(parts, "; ")
}

// A want is a statement and what its plan must be.
type want struct{ query, plan string }

// checkPlans compares plans in the database as it is now.
func (c *conn) checkPlans(wants []want) {
	c.t.Helper()
	snapshot, state := c.load(), c.state()
	for _, w := range wants {
		query := strings.ReplaceAll(w.query, "DB.", c.schema+".")
		got := c.text(snapshot.Plan(analyze.Analyze(c.dialect, query), state))
		if got != w.plan {
			c.t.Errorf("%s\n got: %s\nwant: %s", w.query, got, w.plan)
		}
	}
}
