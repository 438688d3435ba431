package larder

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"net/url"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/near"
	"github.com/larderdb/larder/store/redis"
)

// TestStoreInDSN: the store's URL is taken out of a DSN, of which the rest stays as it is.
func TestStoreInDSN(t *testing.T) {
	const address = "redis://cache:6379/1?prefix=a:&timeout=1s"
	query := url.QueryEscape(address)
	for dsn, rest := range map[string]string{
		"postgres://u:p@h/db?sslmode=disable":                                    "postgres://u:p@h/db?sslmode=disable",
		"postgres://u:p@h/db?larder_store=" + query:                              "postgres://u:p@h/db",
		"postgres://u:p@h/db?larder_store=" + query + "&sslmode=disable":         "postgres://u:p@h/db?sslmode=disable",
		"postgres://u:p@h/db?sslmode=disable&larder_store=" + query:              "postgres://u:p@h/db?sslmode=disable",
		"postgres://h/db?a=1&larder_store=" + query + "&b=2":                     "postgres://h/db?a=1&b=2",
		"host=h dbname=db larder_store='" + address + "' sslmode=disable":        "host=h dbname=db sslmode=disable",
		"larder_store=" + address + " host=h":                                    "host=h",
		"u:p@tcp(h:3306)/db?parseTime=true&larder_store=" + query + "&loc=Local": "u:p@tcp(h:3306)/db?parseTime=true&loc=Local",
		"file:x.db?larder_store=" + query:                                        "file:x.db",
		"x.db":                                                                   "x.db",
	} {
		got, named, err := cutStore(dsn)
		if err != nil || got != rest || strings.Contains(dsn, "larder_store") != (named == address) {
			t.Errorf("%s: %q, store %q, %v; want %q", dsn, got, named, err, rest)
		}
	}
	if _, _, err := cutStore("file:x.db?larder_store=%zz"); err == nil {
		t.Error("a store that isn't escaped right")
	}
}

// TestWrongStores: what names a store wrongly, or contradicts, is a clear error that shows no password.
func TestWrongStores(t *testing.T) {
	far, err := memcached.Open(memcached.Options{Addrs: []string{"localhost:1"}, Lease: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	for _, c := range []struct {
		dsn     string
		options Options
		says    string
	}{
		{"", Options{StoreURL: "ftp://h"}, "memcached://, redis://"},
		{"", Options{StoreURL: "redis://u:secret@h:6379/x"}, "redis"},
		{"", Options{StoreURL: "redis://u:secret@h?nonsense=1"}, "nonsense"},
		{"", Options{StoreURL: "memcached://u:secret@"}, "without a server"},
		{"", Options{StoreURL: "memcached://h?lease=x"}, "lease"},
		{"", Options{Store: far, StoreURL: "redis://h"}, "give one of them"},
		{"file:x?larder_store=redis://h", Options{Store: far}, "give one of them"},
		{"file:x?larder_store=redis://h", Options{StoreURL: "redis://other"}, "give one of them"},
		{"", Options{Store: far, Lease: time.Minute}, "as long, in all processes"},
		{"", Options{Bounded: time.Second}, StoreVariable},
		{"", Options{FailClosed: true}, StoreVariable},
		{"", Options{Store: far, Bounded: -1}, "negative"},
		{"", Options{Store: far, StoreKeys: [][]byte{[]byte("secret")}}, "want 32"},
		{"", Options{StoreKeys: [][]byte{make([]byte, 32)}}, StoreVariable},
	} {
		db, err := Open("sqlite", c.dsn, &c.options)
		if err == nil {
			db.Close()
			t.Errorf("%+v: no error", c)
			continue
		}
		if !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "larder: ") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q doesn't say %q, or too much", err, c.says)
		}
	}
}

// TestStoreOfTheEnvironment: the operator names the store; caches that name another themselves keep that.
func TestStoreOfTheEnvironment(t *testing.T) {
	address := "redis://" + dbtest.Redis(t).Addr() + "?prefix=" + rand.Text() + ":&timeout=10s&settle=-1s"
	t.Setenv(StoreVariable, address)
	file := filepath.Join(t.TempDir(), "db")
	open := func(options *Options) (*sql.DB, *Cache) {
		db, err := Open("sqlite", file, options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		cache, _ := Of(db)
		return db, cache
	}
	a, of := open(nil)
	if _, err := a.Exec("CREATE TABLE stuff (id INTEGER PRIMARY KEY); INSERT INTO stuff VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if _, ok := of.store.(*near.Store); !ok {
		t.Fatalf("a cache keeps its results in a %T", of.store)
	}
	if _, other := open(nil); other.store != of.store {
		t.Error("two caches of one URL have two stores")
	}
	if _, own := open(&Options{StoreURL: address + "&db=0"}); own.store == of.store {
		t.Error("a cache that names its store has that of the environment")
	}
	if _, larger := open(&Options{MaxBytes: 128 << 20}); larger.store == of.store {
		t.Error("a cache has copies of another size than it asked for")
	}
}

// TestConnectorNames: which connectors share results with those of other processes.
func TestConnectorNames(t *testing.T) {
	far, err := redis.Open(redis.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	cache := func(o Options) *Cache {
		o.Store = far
		c, err := New(&o)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	plain, named := cache(Options{}), cache(Options{ConnectorName: "main"})
	pgxDriver := stdlib.GetDefaultDriver()
	connector := stdlib.GetConnector(pgx.ConnConfig{})
	for _, c := range []struct {
		what   string
		name   string
		shared bool
	}{
		{"a driver by its name", nameOf(plain.connector(connector, pgxDriver, "postgres", "dsn", true)), true},
		{"a connector", nameOf(plain.connector(connector, pgxDriver, "postgres", "", false)), false},
		{"a connector with a name", nameOf(named.connector(connector, pgxDriver, "postgres", "", false)), true},
		{"a driver that nobody knows", nameOf(plain.connector(dsnConnector{unknownDriver{}, "x"}, unknownDriver{}, "postgres", "x", true)), false},
		{"a driver with a hook", nameOf(plain.connector(dsnConnector{hookedDriver{}, "x"}, hookedDriver{Hook: func() {}}, "sqlite", "x", true)), false},
	} {
		if strings.Contains(c.name, processName()) == c.shared {
			t.Errorf("%s is named %q, want one that processes share: %v", c.what, c.name, c.shared)
		}
		if strings.Contains(c.name, "0x") {
			t.Errorf("%s is named %q, after an address", c.what, c.name)
		}
	}
	if one, other := nameOf(plain.connector(connector, pgxDriver, "postgres", "a", true)), nameOf(plain.connector(connector, pgxDriver, "postgres", "b", true)); one == other {
		t.Errorf("two data sources are named %q", one)
	}
	if info, _ := debug.ReadBuildInfo(); len(info.Deps) > 0 { // tests are built without, programs with them
		if v := versionOf(pgxDriver); !strings.HasPrefix(v, "v5.") {
			t.Errorf("pgx is of version %q", v)
		}
	}
	if !hooked(hookedDriver{Hook: func() {}}) || hooked(hookedDriver{}) || hooked(pgxDriver) {
		t.Error("what a hook is")
	}
}

func nameOf(c *connector) string {
	defer c.Close()
	return c.source.Name
}

// hookedDriver is one that a program may give a hook.
type hookedDriver struct {
	unknownDriver
	Hook func()
}

var _ driver.Driver = hookedDriver{}

// TestEncryptedResults: what one cache has left encrypted is a hit of another one with the same keys, be they given or in the
// environment, and of nobody else.
func TestEncryptedResults(t *testing.T) {
	open := sharedStores["redis"](t)
	key := bytes.Repeat([]byte{1}, 32)
	file := filepath.Join(t.TempDir(), "db")
	bare, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if _, err := bare.Exec("CREATE TABLE stuff (name TEXT); INSERT INTO stuff VALUES ('a')"); err != nil {
		t.Fatal(err)
	}
	hits := func(o Options) int64 {
		o.Store = open()
		o.Compress = 100
		cache, err := New(&o)
		if err != nil {
			t.Fatal(err)
		}
		db, err := cache.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var name string
		if err := db.QueryRow("SELECT name FROM stuff WHERE name = 'a'").Scan(&name); err != nil || name != "a" {
			t.Fatal(name, err)
		}
		return cache.Stats().Hits
	}
	if n := hits(Options{StoreKeys: [][]byte{key}}); n != 0 {
		t.Errorf("%d hits in an empty store", n)
	}
	if n := hits(Options{StoreKeys: [][]byte{key}}); n != 1 {
		t.Errorf("%d hits with the same key", n)
	}
	t.Setenv(StoreKeyVariable, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{3}, 32))+", "+base64.StdEncoding.EncodeToString(key))
	if n := hits(Options{}); n != 1 {
		t.Errorf("%d hits with the key behind another in the environment", n)
	}
	t.Setenv(StoreKeyVariable, "not base64!")
	if _, err := New(&Options{Store: open()}); err == nil || strings.Contains(err.Error(), "not base64!") {
		t.Errorf("a key that is no key: %v", err)
	}
	t.Setenv(StoreKeyVariable, "")
	if n := hits(Options{}); n != 0 {
		t.Errorf("%d hits without a key", n)
	}
	if n := hits(Options{StoreKeys: [][]byte{bytes.Repeat([]byte{2}, 32)}}); n != 0 {
		t.Errorf("%d hits with another key", n)
	}
}

// TestTwoProcessesStayApart: what different databases have in one store doesn't meet.
func TestTwoProcessesStayApart(t *testing.T) {
	far := func() store.Store { return nil }
	if open := sharedStores["redis"]; open != nil {
		far = open(t)
	}
	for _, name := range []string{"one", "other"} {
		db, err := Open("sqlite", filepath.Join(t.TempDir(), "db"), &Options{Store: far()})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("CREATE TABLE stuff (name TEXT); INSERT INTO stuff VALUES (?)", name); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			var got string
			if err := db.QueryRow("SELECT name FROM stuff").Scan(&got); err != nil || got != name {
				t.Errorf("database %s says %q, %v", name, got, err)
			}
		}
	}
}

// TestServers: the servers of a store that processes share are asked what they keep; memory has none.
func TestServers(t *testing.T) {
	for name, open := range sharedStores {
		cache, err := New(&Options{Store: open(t)()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cache.store.Lookup(t.Context(), "", []store.Tag{"stuff*"}); err != nil { // leaves a token
			t.Fatal(err)
		}
		if s, shared := cache.Servers(); !shared || s.Bytes <= 0 {
			t.Errorf("%s: %+v, %v", name, s, shared)
		}
	}
	cache, err := New(&Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if s, shared := cache.Servers(); shared || s != (ServerStats{}) || cache.Stats().Shared != (Traffic{}) {
		t.Errorf("memory: %+v, %v, %+v", s, shared, cache.Stats().Shared)
	}
}

// A tallied store counts the calls that are round trips.
type tallied struct {
	store.Shared
	mu    sync.Mutex
	calls []string // guarded by mu
}

func (s *tallied) call(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name)
}

func (s *tallied) took() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := strings.Join(s.calls, " ")
	s.calls = nil
	return calls
}

func (s *tallied) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	s.call("lookup")
	return s.Shared.Lookup(ctx, key, tags)
}

func (s *tallied) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	s.call("fill")
	return s.Shared.Fill(ctx, key, e, ttl)
}

func (s *tallied) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	s.call("hold")
	return s.Shared.Hold(ctx, id, tags, lease, look)
}

func (s *tallied) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	s.call("release")
	return s.Shared.Release(ctx, id, tags)
}

func (s *tallied) Members(ctx context.Context, tag store.Tag) ([]string, store.Token, error) {
	s.call("members")
	return s.Shared.Members(ctx, tag)
}

func (s *tallied) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	s.call("claim")
	return s.Shared.Claim(ctx, key, ttl)
}

// TestRoundTripsOfStatements: a hit is one round trip to the store, be it of a copy or of what another process has filled; a miss
// three, a write whose text tells its rows two.
func TestRoundTripsOfStatements(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			open := sharedStores["redis"](t)
			far := &tallied{Shared: open().(store.Shared)}
			h := newHouse(t, k, &Options{Store: far, watch: time.Hour})
			h.prepare(base)
			elsewhere, err := New(&Options{Store: open(), watch: time.Hour})
			h.ok(err)
			other := h.opened(elsewhere.Open(h.driver, h.dsn))
			read := func(on *sql.DB, id int) { h.query(on, "SELECT id, name FROM stuff WHERE id = ?", id) }
			for range 3 { // puts the shape in use, and makes both know it
				read(h.db, 1)
				read(other, 2)
				h.exec(h.db, "UPDATE stuff SET name = 'x' WHERE id = 1")
				time.Sleep(10 * time.Millisecond)
			}
			read(other, 3)
			far.took()
			for _, step := range []struct {
				what string
				do   func()
				want string
			}{
				{"a miss", func() { read(h.db, 1) }, "lookup claim fill"},
				{"a hit of a copy", func() { read(h.db, 1) }, "lookup"},
				{"a hit of what another process has filled", func() { read(h.db, 3) }, "lookup"},
				{"a write", func() { h.exec(h.db, "UPDATE stuff SET name = 'y' WHERE id = 1") }, "hold release"},
			} {
				before := h.cache.Stats().Shared
				step.do()
				if got := far.took(); got != step.want {
					t.Errorf("%s: %s; want %s", step.what, got, step.want)
				}
				after, calls := h.cache.Stats().Shared, int64(len(strings.Fields(step.want)))
				if after.Calls-before.Calls != calls || after.Time <= before.Time || after.Errors != 0 || !after.Away.IsZero() {
					t.Errorf("%s is told as %+v, %+v before; want %d calls", step.what, after, before, calls)
				}
			}
		})
	}
}
