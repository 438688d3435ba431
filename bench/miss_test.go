package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
)

// listAnew gives the same rows for every argument, none of which was asked before.
const listAnew = "SELECT id, user_id, name, price, created FROM stuff WHERE user_id = 42 AND id <> $1 ORDER BY id"

// missing is the operation of reading what was not asked before.
func missing[H handle](b *testing.B) func(H, int) {
	i := 0
	return func(db H, _ int) {
		i--
		if n, err := readAll(context.Background(), db, listAnew, i); n != 20 || err != nil {
			b.Fatal(n, err)
		}
	}
}

// fillUp reads until the cache is full: each result that is kept drives out another then, as
// where a program has run for a while. What is measured after that is not how a heap
// grows that is to reach its size yet.
func fillUp[H handle](cache *larder.Cache, db H, op func(H, int)) {
	for cache.Stats().Evictions == 0 {
		for range 1000 {
			op(db, 0)
		}
	}
}

// BenchmarkMiss compares a read that is not in the cache with the bare query: over the server's socket, over TCP, and as most
// programs ask, from another machine. It is kept, as always if the results of its text are of use, or is one of a scan: none that came
// before it was asked for again.
func BenchmarkMiss(b *testing.B) {
	for _, transport := range []struct {
		name string
		dsn  func(*dbtest.Database) string
	}{
		{"socket", func(d *dbtest.Database) string { return d.DSN() }},
		{"tcp", func(d *dbtest.Database) string { return d.TCP() }},
		{"network", func(d *dbtest.Database) string { return distantDatabase(b, d) }},
	} {
		for name, kept := range map[string]bool{"kept": true, "scan": false} {
			b.Run(transport.name+"/"+name, func(b *testing.B) {
				bare, cached := pairOf(b, transport.dsn(dbtest.Postgres(b).Database(b)), &larder.Options{MaxBytes: 64 << 20, NotAdaptive: kept})
				op := missing[*sql.DB](b)
				cache, _ := larder.Of(cached)
				fillUp(cache, cached, op)
				pair(b, bare, cached, 25, op)
			})
		}
	}
}

// BenchmarkMissOwn compares a miss with the floor, of which the driver is here: the difference
// is what a miss costs by itself, whatever the database and its driver take.
func BenchmarkMissOwn(b *testing.B) {
	dsn := dbtest.Postgres(b).Database(b).DSN()
	connector, err := stdlib.GetDefaultDriver().(driver.DriverContext).OpenConnector(dsn)
	if err != nil {
		b.Fatal(err)
	}
	cache, err := larder.New(&larder.Options{Dialect: "postgres", MaxBytes: 64 << 20, NotAdaptive: true})
	if err != nil {
		b.Fatal(err)
	}
	replaced := floorInside{connector, &floor{floorRows(20)}}
	bare, cached := sql.OpenDB(replaced), sql.OpenDB(cache.Connector(replaced))
	b.Cleanup(func() { bare.Close(); cached.Close() })
	fill(b, cached, 20, "$1, $2, $3, $4, $5", "timestamptz")
	op := missing[*sql.Conn](b)
	first, second := connOf(b, bare), connOf(b, cached)
	fillUp(cache, second, op)
	pair(b, first, second, 50, op)
}

// connOf takes a connection for itself: of a wrapped driver it isn't known that giving one
// back leaves it as it is, so that it would be asked for its state each time.
func connOf(b *testing.B, db *sql.DB) *sql.Conn {
	conn, err := db.Conn(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return conn
}

// floorInside is PostgreSQL, but for listAnew, which the floor answers.
type floorInside struct {
	driver.Connector
	floor *floor
}

func (c floorInside) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return floorInsideConn{conn.(*stdlib.Conn), c.floor}, nil
}

type floorInsideConn struct {
	*stdlib.Conn
	floor *floor
}

func (c floorInsideConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if query == listAnew {
		return floorConn{c.floor}.QueryContext(ctx, query, args)
	}
	return c.Conn.QueryContext(ctx, query, args)
}
