package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
	_ "modernc.org/sqlite"
)

// An engine is a database with the driver that workloads reach it by.
type engine struct {
	name   string
	driver string
	dsn    func(testing.TB) string // of a fresh database
}

var engines = []engine{
	{"postgres", "pgx", func(t testing.TB) string { return dbtest.Postgres(t).Database(t).DSN() }},
	{"mariadb", "mysql", func(t testing.TB) string { return dbtest.MariaDB(t).Database(t).DSN("parseTime=true") }},
	{"sqlite", "sqlite", func(t testing.TB) string {
		return "file:" + dbtest.SQLiteFile(t) + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)"
	}},
}

// marks turns ? into the engine's parameters.
func (e engine) marks(query string) string {
	if e.name != "postgres" {
		return query
	}
	for i := 1; strings.Contains(query, "?"); i++ {
		query = strings.Replace(query, "?", fmt.Sprintf("$%d", i), 1)
	}
	return query
}

// A place is one fresh database, with a handle that no cache knows.
type place struct {
	engine
	dsn  string
	bare *sql.DB
}

func (e engine) open(b testing.TB) *place {
	b.Helper()
	p := &place{engine: e, dsn: e.dsn(b)}
	var err error
	if p.bare, err = sql.Open(e.driver, p.dsn); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.bare.Close() })
	return p
}

// A handle is what a workload runs on.
type handle interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// newCache is a cache that holds all that a workload reads; last is set to the
// event of the last statement.
func newCache(b testing.TB, last *larder.Event) *larder.Cache {
	b.Helper()
	o := &larder.Options{MaxBytes: 256 << 20}
	if last != nil {
		o.Observe = func(_ context.Context, e larder.Event) { *last = e }
	}
	cache, err := larder.New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cache.Close() })
	return cache
}

// cached is a handle as programs open it.
func (p *place) cached(b testing.TB, cache *larder.Cache) *sql.DB {
	b.Helper()
	db, err := cache.Open(p.driver, p.dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

// counted is a connection that counts the statements that reach the database; cache may be nil.
// It is one that is kept, since Larder asks what it doesn't know, like this
// wrapper, for its state whenever another caller gets it.
func (p *place) counted(b testing.TB, cache *larder.Cache) (*sql.Conn, *counter) {
	b.Helper()
	c := &counter{driver: p.bare.Driver(), dsn: p.dsn}
	var connector driver.Connector = c
	if cache != nil {
		connector = cache.Connector(c)
	}
	db := sql.OpenDB(connector)
	conn, err := db.Conn(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(); db.Close() })
	return conn, c
}
