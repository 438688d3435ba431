// Package larder is a cache for SQL results that is never stale.
//
// A program opens its database through Larder and changes nothing else:
//
//	db, err := larder.Open("pgx", dsn, nil) // was: sql.Open("pgx", dsn)
//
// Repeated reads are answered from the cache, and a write through any handle of
// the cache's domain removes what it changed. The promise is linearizability: a
// read returns what the database would have answered at some moment during that
// read, as if there were no cache. What can't be known of a statement makes it a
// read from the database, with a Reason, or a write to everything; never a guess.
//
// A few types serve: Cache holds entries and is configured by Options; Open,
// Cache.Connector and Cache.Driver put it in front of a database; Bypass and Refresh
// steer single reads; Explain, Stats and Options.Observe show what happens.
//
// What the promise does not cover is listed in docs/limits.md. Above all: writes
// that don't pass through a handle of the same cache or store are not seen.
package larder

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/session"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// Options configure a Cache. Nil and the zero value are the defaults.
type Options struct {
	// Dialect is "postgres", "mysql" or "sqlite". Empty: told from the driver.
	Dialect string

	// Store keeps the entries. Nil: that of StoreURL, or of the environment's LARDER_STORE, or else memory
	// of this process, 64 MiB, which all caches with neither Store nor MaxBytes share, so that their handles see
	// each other's writes. A store that other processes use too (memcached, Redis) has copies in this
	// process before it; all programs that write to the database must then use it.
	Store store.Store

	// StoreURL names the store: "memcached://h1:11211,h2:11211", "redis://host:6379/0", "rediss://…",
	// "redis+cluster://…", "redis+sentinel://…". Open takes it from the DSN's parameter larder_store, too.
	StoreURL string

	// MaxBytes, if not 0, gives the cache a memory store of its own, of so many
	// bytes. Handles of caches with different stores don't see each other's writes. With a store that
	// processes share it is how much the copies in this one may take; 0 means 64 MiB then.
	MaxBytes int64

	// Bounded relaxes the promise where processes share a store: a read may be answered by a copy that was
	// valid less than so long ago, without a look at the store. What other processes write is seen so much
	// later; what this cache writes at once. 0 asks the store at every read.
	Bounded time.Duration

	// StoreTimeout is how long a store that processes share may keep a statement waiting, for each step. 0 leaves it to
	// the store's own, 50 ms. One that has is left alone for a moment.
	StoreTimeout time.Duration

	// FailClosed has a write fail with ErrNotHeld, unmade, if the store that processes share can't be told of it
	// before. Without it the write is made; this process reads nothing from the store until it could
	// be told, and other processes may read what is older for that time.
	FailClosed bool

	// Signals has receivers of OnChange in other processes told of what is written through this cache, and those in this process of what is written
	// in others that have it set, over the channel of a store that processes share: Redis and Valkey have one, memcached has none. A user
	// of the server must be allowed the channel "larder:m:*". Writers don't wait for it.
	Signals bool

	// Compress is from which size on, in bytes, results are compressed in a store that processes share. 0 means never.
	Compress int

	// StoreKeys encrypt what a store that processes share keeps: names and values, by AES-256-GCM with keys of 32 bytes.
	// The first one seals values, all open them, and the last one hides names: all processes must have the same last one.
	// See store/envelope for how to change them. Nil: those of the environment's LARDER_STORE_KEY, or none.
	StoreKeys [][]byte

	// Name is that of the program's values, fragments, pages and buckets in a store that processes share: those that
	// have the same one, and read the same databases, serve each other's. Without it each cache keeps its own.
	Name string

	// ConnectorName says that the connectors that Cache.Connector is given do the same in every process that
	// uses this name with the same store. Without it their results are shared with no other process,
	// as hooks and settings of a connector can't be seen.
	ConnectorName string

	// SteadyConnections says that the connector's own ResetSession, and hooks on it, leave the session as it is: its role, search_path,
	// settings and temporary tables. Larder knows that of the drivers it knows. Of a wrapped one it asks the database for the session's
	// state before the first statement of whoever takes a connection from the pool, for a hit too. If it is said and isn't so,
	// a read may be answered with what another role, path or setting gives.
	SteadyConnections bool

	// MaxEntryBytes is the size in memory of the largest result that is kept; larger
	// ones stream through. 0 means 1 MiB.
	MaxEntryBytes int

	// TTL is how long an entry may live, as a net below the promise. 0 means one hour. In memory one of ten minutes or more may end
	// up to two seconds early.
	TTL time.Duration

	// Lease is how long relations are held after a write whose outcome is unknown,
	// because the connection was lost. 0 means 30 seconds. A database has one lease in a
	// store: caches with the same Store, or with the shared one, have that of the cache that
	// opened it first; Logger hears if another was asked for.
	Lease time.Duration

	// WritesOnly has reads ask the database and keep nothing, while writes are announced; values, fragments and pages are made each time. A program that is to share a store
	// runs so first, until all that write do; then they may begin to read from it. The environment's LARDER_WRITES_ONLY, if
	// it is "1" or "true", sets it.
	WritesOnly bool

	// NotAdaptive keeps the results of every statement that can be kept. Without it those of statements whose
	// results are hardly ever used before they are removed are kept only if they are asked for again.
	NotAdaptive bool

	// Observe, if not nil, is called once for every statement, in the goroutine that
	// runs it: it must be quick. It is told no values of arguments.
	Observe func(context.Context, Event)

	// Verify is the share of hits, from 0 to 1, of which the database is asked as well, outside of transactions and on the
	// connection that the read would have used; 0.001 is one in a thousand. The caller gets the hit. A difference
	// that no write through the cache explains is counted in Stats.Wrong and logged, and removes the entry: it is a fault of Larder's,
	// or a write that didn't pass through it. The same share of writes is checked as well: the store must have let go of what they held
	// (Stats.Stuck). It can't be used with Bounded.
	Verify float64

	// LogValues lets the log have values of arguments and results, where they help to find a fault.
	LogValues bool

	// Logger hears of what needs attention. Nil means slog.Default, which hears each sort of warning once a second at most.
	Logger *slog.Logger

	mutant    coherence.Mutant      // for tests
	pauses    coherence.PausePolicy // for tests
	unsighted bool                  // for tests: what results show is no guess of what rows are like
	watch     time.Duration         // for tests: see coherence.Options
}

// What the zero values of Options mean.
const (
	defaultMaxBytes      = 64 << 20
	defaultMaxEntryBytes = 1 << 20
	defaultTTL           = time.Hour
	defaultStatements    = 32 << 20
	maxTTL               = 10 * 365 * 24 * time.Hour // what a statement may ask for
)

// sharedStore is the memory of caches that ask for none of their own.
var sharedStore = memory.New(defaultMaxBytes)

// statements holds what was analysed, for all caches: that depends on the text alone.
var statements = analyze.NewCache(defaultStatements)

// An Event tells what became of one statement.
type Event = session.Event

// An Outcome says how a read was answered.
type Outcome = coherence.Outcome

// The outcomes of reads.
const (
	OutcomeBypass = coherence.Bypass // not cacheable or not wanted, with the Reason
	OutcomeHit    = coherence.Hit    // from the cache
	OutcomeMiss   = coherence.Miss   // from the database, and kept
	OutcomeHeld   = coherence.Held   // from the database because a write was in flight
)

// A Reason says why a read was not answered from the cache, or not kept.
type Reason = analyze.Reason

// A Cache keeps results of databases. It is safe for concurrent use.
type Cache struct {
	options  Options
	store    store.Store
	own      bool // the store is closed with the cache
	counters session.Counters
	watchers session.Watchers
	handles  handles
	values   *coherence.Domain
	spaces   spaces // of plain values
	signals  signals
	relay    *session.Relay // nil: other processes aren't told
	endRelay func()
	remembering
}

// New returns a cache. It fails if options contradict each other.
func New(options *Options) (*Cache, error) {
	c := &Cache{endRelay: func() {}}
	if options != nil {
		c.options = *options
	}
	o := &c.options
	if o.Dialect != "" && !analyze.Dialect(o.Dialect).Valid() {
		return nil, fmt.Errorf("larder: unknown dialect %q: want \"postgres\", \"mysql\" or \"sqlite\"", o.Dialect)
	}
	if _, shared := o.Store.(store.Shared); o.Store != nil && o.MaxBytes != 0 && !shared {
		return nil, errors.New("larder: Options.MaxBytes is the size of a memory store of the cache's own; give it or Options.Store, not both")
	}
	if o.Store != nil && o.StoreURL != "" {
		return nil, errors.New("larder: Options.Store and Options.StoreURL both name the store; give one of them")
	}
	if o.Store != nil && !reflect.TypeOf(o.Store).Comparable() {
		return nil, fmt.Errorf("larder: Options.Store is a %T, which can't be compared; give a pointer", o.Store)
	}
	if o.MaxBytes < 0 || o.MaxEntryBytes < 0 || o.TTL < 0 || o.Lease < 0 || o.Bounded < 0 || o.StoreTimeout < 0 || o.Compress < 0 {
		return nil, errors.New("larder: MaxBytes, MaxEntryBytes, TTL, Lease, Bounded, StoreTimeout and Compress must not be negative; 0 means the default")
	}
	if !(o.Verify >= 0 && o.Verify <= 1) {
		return nil, fmt.Errorf("larder: Options.Verify is %v; give the share of hits to be checked, from 0 to 1", o.Verify)
	}
	if o.Verify > 0 && o.Bounded > 0 {
		return nil, errors.New("larder: Options.Verify checks that reads are exact, and Options.Bounded lets them be older; give one of them")
	}
	if o.MaxBytes != 0 && int64(o.MaxEntryBytes) > o.MaxBytes {
		return nil, fmt.Errorf("larder: MaxEntryBytes (%d) is larger than MaxBytes (%d)", o.MaxEntryBytes, o.MaxBytes)
	}
	if o.MaxEntryBytes == 0 {
		o.MaxEntryBytes = defaultMaxEntryBytes
	}
	if o.TTL == 0 {
		o.TTL = defaultTTL
	}
	if o.Logger == nil {
		o.Logger = slog.New(&seldom{Handler: slog.Default().Handler(), heard: new(silences)})
	}
	if err := c.chooseReads(); err != nil {
		return nil, err
	}
	if err := c.chooseStore(); err != nil {
		return nil, err
	}
	if o.Observe != nil {
		c.watchers.Add(o.Observe)
	}
	if err := c.openRelay(); err != nil {
		return nil, err
	}
	c.openValues()
	return c, nil
}

// Open opens a database as sql.Open does, with a cache in front of it. It fails
// if the driver isn't registered, if its dialect can't be told, or if options contradict.
// The DSN's parameter larder_store names the store, as Options.StoreURL does.
func Open(driverName, dsn string, options *Options) (*sql.DB, error) {
	dsn, address, err := cutStore(dsn)
	if err != nil {
		return nil, err
	}
	if address != "" {
		named := Options{}
		if options != nil {
			named = *options
		}
		if named.Store != nil || named.StoreURL != "" && named.StoreURL != address {
			return nil, fmt.Errorf("larder: the DSN's %s and Options both name the store; give one of them", storeParameter)
		}
		named.StoreURL = address
		options = &named
	}
	c, err := New(options)
	if err != nil {
		return nil, err
	}
	return c.Open(driverName, dsn)
}

// Open opens a further database in the same cache.
func (c *Cache) Open(driverName, dsn string) (*sql.DB, error) {
	inner, err := driverOf(driverName, dsn)
	if err != nil {
		return nil, err
	}
	connector, err := connectorOf(inner, dsn)
	if err != nil {
		return nil, err
	}
	dialect, err := c.dialectOf(inner, driverName)
	if err != nil {
		return nil, err
	}
	handle := c.connector(connector, inner, dialect, dsn, true)
	handle.db = sql.OpenDB(handle)
	opened.Store(handle.db, handle)
	return handle.db, nil
}

// driverOf returns the registered driver of a name. A driver may refuse a data source
// name, so that it is asked with the one that is meant.
func driverOf(name, dsn string) (driver.Driver, error) {
	db, err := sql.Open(name, dsn)
	if err != nil && strings.Contains(err.Error(), "unknown driver") {
		return nil, fmt.Errorf("larder: %w; known are %s", err, strings.Join(sql.Drivers(), ", "))
	}
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return db.Driver(), nil
}

// connectorOf is how database/sql makes a connector of a driver and a name.
func connectorOf(d driver.Driver, dsn string) (driver.Connector, error) {
	if withContext, ok := d.(driver.DriverContext); ok {
		return withContext.OpenConnector(dsn)
	}
	return dsnConnector{d, dsn}, nil
}

type dsnConnector struct {
	driver driver.Driver
	dsn    string
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.driver }

// Bypass returns a context whose reads ask the database and keep nothing; so do values, fragments and pages that are asked for under it.
func Bypass(ctx context.Context) context.Context { return session.WithBypass(ctx) }

// Refresh returns a context whose reads ask the database and keep what it says; so do values, fragments and pages that are asked for under it.
func Refresh(ctx context.Context) context.Context { return session.WithRefresh(ctx) }

// Close ends receivers of changes and lets go of a store of the cache's own, when a shared one has been told of the writes that have
// returned. Handles still open read their databases.
func (c *Cache) Close() error {
	c.values.Settle(context.Background())
	c.signals.stop()
	c.endRelay()
	c.kept.Close()
	c.values.Close()
	if c.own {
		return c.store.Close()
	}
	return nil
}

var _ io.Closer = (*Cache)(nil)
