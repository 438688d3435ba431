package larder

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/redis"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// A kind is one driver of one database, as the tests open it.
type kind struct {
	name    string // of the subtest
	driver  string
	dialect string
	open    func(t testing.TB) (dsn string)
}

// bounded ends what a test should have cancelled: lib/pq's cancel is lost if it comes before the query.
const bounded = "statement_timeout=60000"

// kinds are all drivers that the tests run with.
var kinds = []kind{
	{"modernc", "sqlite", "sqlite", sqliteDSN("_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)")},
	sqlite3,
	{"pgx", "pgx", "postgres", func(t testing.TB) string { return dbtest.Postgres(t).Database(t).DSN(bounded) }},
	{"pq", "postgres", "postgres", func(t testing.TB) string { return dbtest.Postgres(t).Database(t).DSN(bounded) }},
	{"mysql", "mysql", "mysql", func(t testing.TB) string { return dbtest.MariaDB(t).Database(t).DSN("multiStatements=true") }},
}

func sqliteDSN(params string) func(testing.TB) string {
	return func(t testing.TB) string { return "file:" + dbtest.SQLiteFile(t) + "?" + params }
}

// A house is one fresh database with a bare handle, two cached handles in one
// cache, and a cache of its own.
type house struct {
	testing.TB
	kind
	dsn   string
	cache *Cache
	bare  *sql.DB // not seen by the cache
	db    *sql.DB
	other *sql.DB

	mu     sync.Mutex
	events []Event // since the last call of take; guarded by mu
}

// eachKind runs a test on a fresh database of every kind that has one of the given
// dialects; none means all.
func eachKind(t *testing.T, run func(*house), dialects ...string) {
	t.Helper()
	eachKindWith(t, nil, run, dialects...)
}

// eachKindWith is eachKind with other options than the default.
func eachKindWith(t *testing.T, o *Options, run func(*house), dialects ...string) {
	for _, k := range kinds {
		if len(dialects) > 0 && !strings.Contains(strings.Join(dialects, " "), k.dialect) {
			continue
		}
		t.Run(k.name, func(t *testing.T) { run(newHouse(t, k, o)) })
	}
}

func newHouse(t testing.TB, k kind, options *Options) *house {
	t.Helper()
	h := &house{TB: t, kind: k, dsn: k.open(t)}
	if options == nil {
		options = &Options{MaxBytes: 16 << 20, MaxEntryBytes: 1 << 20}
	}
	o := *options
	if o.Observe == nil {
		o.Observe = h.note
	}
	var err error
	elsewhere := o
	if open := sharedStores[os.Getenv("LARDER_TEST_STORE")]; open != nil && o.Store == nil {
		processes := open(t)
		o.Store, elsewhere.Store = processes(), processes()
		o.watch, elsewhere.watch = time.Millisecond, time.Millisecond
	}
	if h.cache, err = New(&o); err != nil {
		t.Fatal(err)
	}
	h.bare = h.opened(sql.Open(h.driver, h.dsn))
	h.db = h.opened(h.cache.Open(h.driver, h.dsn))
	cache := h.cache
	if elsewhere.Store != o.Store {
		if cache, err = New(&elsewhere); err != nil {
			t.Fatal(err)
		}
	}
	h.other = h.opened(cache.Open(h.driver, h.dsn))
	return h
}

// sharedStores open what several processes share. With LARDER_TEST_STORE set to one of them all houses
// keep their results there, and their second handle is like that of another process.
var sharedStores = map[string]func(t testing.TB) func() store.Store{
	"redis": func(t testing.TB) func() store.Store {
		o := redis.Options{Addresses: []string{dbtest.Redis(t).Addr()}, Prefix: rand.Text() + ":", Timeout: 10 * time.Second, Settle: -1}
		return func() store.Store {
			s, err := redis.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
	},
	"memcached": func(t testing.TB) func() store.Store {
		o := memcached.Options{Addrs: []string{dbtest.Memcached(t).Addr()}, Namespace: rand.Text(), Timeout: 10 * time.Second, TrustEmpty: true}
		return func() store.Store {
			s, err := memcached.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
	},
}

func (h *house) opened(db *sql.DB, err error) *sql.DB {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { db.Close() })
	return db
}

// A handle is what statements run on: a sql.DB, sql.Tx or sql.Conn.
type handle interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}

// exec runs a write and fails the test if that fails.
func (h *house) exec(on handle, query string, args ...any) {
	h.Helper()
	if _, err := on.ExecContext(h.Context(), h.marks(query), args...); err != nil {
		h.Fatalf("%s: %v", query, err)
	}
	coherence.SettleAll(h.Context()) // of several processes: the next may be another
	h.quiet(query)
}

// quiet waits until other processes have noticed a change of the schema. Until then nothing is kept.
func (h *house) quiet(query string) {
	if strings.HasPrefix(query, "BEGIN NOT") {
		query = ""
	}
	word, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(query)), " ")
	switch word {
	case "INSERT", "UPDATE", "DELETE", "SELECT", "WITH", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET", "REPLACE":
		return
	}
	if os.Getenv("LARDER_TEST_STORE") != "" {
		time.Sleep(100 * time.Millisecond)
	}
}

// query returns the rows of a read as text, with Go types, or its error.
func (h *house) query(on handle, query string, args ...any) string {
	h.Helper()
	return render(on.QueryContext(h.Context(), h.marks(query), args...))
}

// marks turns ? into the dialect's parameters.
func (h *house) marks(query string) string {
	if h.dialect != "postgres" {
		return query
	}
	for i := 1; strings.Contains(query, "?"); i++ {
		query = strings.Replace(query, "?", fmt.Sprintf("$%d", i), 1)
	}
	return query
}

// note keeps an event for take.
func (h *house) note(_ context.Context, e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// take returns the events since it was called last.
func (h *house) take() []Event {
	coherence.SettleAll(h.Context()) // of several processes: the next who reads may be another than who has written
	h.mu.Lock()
	defer h.mu.Unlock()
	events := h.events
	h.events = nil
	return events
}

// wantRead reads and compares with the bare handle; the outcome must be the given one.
func (h *house) wantRead(on handle, outcome Outcome, query string, args ...any) {
	h.Helper()
	h.take()
	got := h.query(on, query, args...)
	events := h.take()
	if want := h.query(h.bare, query, args...); got != want {
		h.Errorf("%s: cached\n%s\nbare\n%s", query, got, want)
	}
	if len(events) != 1 || events[0].Outcome != outcome {
		h.Errorf("%s: %+v, want outcome %v", query, events, outcome)
	}
}

// render writes a result with its column types, or its error.
func render(rows *sql.Rows, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	defer rows.Close()
	var b strings.Builder
	for {
		renderSet(&b, rows)
		if !rows.NextResultSet() {
			break
		}
		b.WriteString("next set\n")
	}
	if err := rows.Err(); err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	return b.String()
}

func renderSet(b *strings.Builder, rows *sql.Rows) {
	types, err := rows.ColumnTypes()
	if err != nil {
		fmt.Fprintf(b, "column types: %v\n", err)
		return
	}
	for _, t := range types {
		length, hasLength := t.Length()
		nullable, hasNullable := t.Nullable()
		precision, scale, hasDecimal := t.DecimalSize()
		fmt.Fprintf(b, "[%s %s %v %d %v %v %v %d %d %v]", t.Name(), t.DatabaseTypeName(), t.ScanType(), length, hasLength, nullable, hasNullable, precision, scale, hasDecimal)
	}
	b.WriteString("\n")
	for rows.Next() {
		values := make([]any, len(types))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			fmt.Fprintf(b, "scan: %v\n", err)
			return
		}
		for _, v := range values {
			value := reflect.ValueOf(v).Elem().Interface()
			fmt.Fprintf(b, "%T(%v) ", value, value)
		}
		b.WriteString("\n")
	}
}
