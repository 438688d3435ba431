package larder

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/session"
	"github.com/larderdb/larder/store"
)

// Connector returns a connector that puts the cache in front of inner. It panics if the
// dialect can't be told; set Options.Dialect then.
//
// What a connector does to its connections when it opens or resets them isn't known: a
// connection is opened before the cache is asked, and unless the connector's own type
// shows that it does nothing then, its state is read again at each use by a new caller;
// see Options.SteadyConnections.
func (c *Cache) Connector(inner driver.Connector) driver.Connector {
	dialect, err := c.dialectOf(inner.Driver(), "")
	if err != nil {
		panic(err)
	}
	return c.connector(inner, inner.Driver(), dialect, "", false)
}

// Driver returns a driver that puts the cache in front of inner, to be registered
// under a name of the caller's. It panics if the dialect can't be told. A driver that
// isn't of a known package is treated as Connector treats a connector.
func (c *Cache) Driver(inner driver.Driver) driver.Driver {
	dialect, err := c.dialectOf(inner, "")
	if err != nil {
		panic(err)
	}
	return &cachedDriver{c, inner, dialect}
}

type cachedDriver struct {
	cache   *Cache
	inner   driver.Driver
	dialect analyze.Dialect
}

var _ driver.DriverContext = (*cachedDriver)(nil)

// Open implements driver.Driver.
func (d *cachedDriver) Open(dsn string) (driver.Conn, error) {
	inner, err := d.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	c, err := inner.Connect(context.Background())
	if err != nil {
		return nil, errors.Join(err, inner.(*connector).Close())
	}
	c.(*conn).alone = true
	return c, nil
}

// OpenConnector implements driver.DriverContext.
func (d *cachedDriver) OpenConnector(dsn string) (driver.Connector, error) {
	inner, err := connectorOf(d.inner, dsn)
	if err != nil {
		return nil, err
	}
	return d.cache.connector(inner, d.inner, d.dialect, dsn, true), nil
}

// A connector makes the connections of one handle.
type connector struct {
	cache  *Cache
	inner  driver.Connector
	source *session.Source
	db     *sql.DB // the handle, if it was opened by name
}

// connectors counts connectors that were given without a name.
var connectors atomic.Int64

func (c *Cache) connector(inner driver.Connector, d driver.Driver, dialect analyze.Dialect, dsn string, named bool) *connector {
	name := fmt.Sprintf("%T %s", d, dsn)
	if reflect.TypeOf(d).Kind() == reflect.Pointer {
		name = fmt.Sprintf("%p %s", d, name) // two of one type may differ in their hooks
	}
	if !named {
		dsn = "unknown" // not "", which SQLite takes for a database of the connection's own
		name = fmt.Sprintf("%T connector %d", inner, connectors.Add(1))
	}
	if _, shared := c.store.(store.Shared); shared {
		name = c.sharedName(d, dsn, name, named)
	}
	known := named && dialectOfType(d) != "" // else it is somebody's wrapper, of which nothing is known
	config := session.Config{
		Dialect:       dialect,
		Connect:       inner.Connect,
		DSN:           dsn,
		Name:          name,
		Lazy:          known,
		Steady:        known || steady(inner) || c.options.SteadyConnections,
		Store:         c.store,
		Statements:    statements,
		MaxEntryBytes: c.options.MaxEntryBytes,
		NotAdaptive:   c.options.NotAdaptive,
		WritesOnly:    c.options.WritesOnly,
		TTL:           c.options.TTL,
		FailClosed:    c.options.FailClosed,
		Watchers:      &c.watchers,
		Verify:        c.options.Verify,
		LogValues:     c.options.LogValues,
		Log:           c.options.Logger,
		Counters:      &c.counters,
	}
	config.Domain.TTL = maxTTL
	config.Domain.Lease = c.options.Lease
	config.Domain.Mutant, config.Domain.Pauses, config.Unsighted = c.options.mutant, c.options.pauses, c.options.unsighted
	if c.options.watch > 0 {
		config.Domain.Watch = coherence.WatchEvery(c.options.watch)
	}
	handle := &connector{cache: c, inner: inner}
	config.Owner = handle
	handle.source = session.NewSource(config)
	c.handles.add(handle)
	return handle
}

// steady reports whether a connector is of a type that is known to leave its
// connections alone when they are reset. pgx's may call a function of the
// program's then; its default is a function of its own.
func steady(inner driver.Connector) bool {
	t := reflect.TypeOf(inner)
	v := reflect.ValueOf(inner)
	if t.Kind() == reflect.Pointer {
		t, v = t.Elem(), v.Elem()
	}
	switch t.PkgPath() {
	case "github.com/go-sql-driver/mysql", "github.com/lib/pq", "modernc.org/sqlite", "github.com/mattn/go-sqlite3":
		return true
	case "github.com/jackc/pgx/v5/stdlib":
		reset := v
		if v.Kind() == reflect.Struct {
			reset = v.FieldByName("ResetSession")
		}
		if !reset.IsValid() || reset.Kind() != reflect.Func || v.FieldByName("pool").IsValid() && !v.FieldByName("pool").IsNil() {
			return false
		}
		f := runtime.FuncForPC(reset.Pointer())
		return f != nil && strings.HasPrefix(f.Name(), "github.com/jackc/pgx/v5/stdlib.")
	}
	return false
}

// Connect implements driver.Connector. It opens no connection to the database: that
// waits until a statement needs one. Only if a connection's state may follow from the
// context that it is opened with, it is opened now.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := c.source.New()
	if !c.source.Lazy {
		if err := s.Open(ctx); err != nil {
			return nil, err
		}
	}
	return &conn{connector: c, session: s}, nil
}

// Driver implements driver.Connector: it is the inner driver, which programs look at.
func (c *connector) Driver() driver.Driver { return c.inner.Driver() }

// Close implements io.Closer: database/sql calls it when the handle is closed.
func (c *connector) Close() error {
	c.cache.handles.remove(c)
	if c.db != nil {
		opened.Delete(c.db)
	}
	err := c.source.Close()
	if closer, ok := c.inner.(io.Closer); ok {
		err = closer.Close()
	}
	return err
}

// handles are the connectors of a cache that are in use.
type handles struct {
	mu sync.Mutex
	m  map[*connector]struct{} // guarded by mu
}

func (h *handles) add(c *connector) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.m == nil {
		h.m = make(map[*connector]struct{})
	}
	h.m[c] = struct{}{}
}

func (h *handles) remove(c *connector) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.m, c)
}

func (h *handles) list() []*connector {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*connector, 0, len(h.m))
	for c := range h.m {
		list = append(list, c)
	}
	return list
}

// opened are the handles that were opened by name, until they are closed.
var opened sync.Map // *sql.DB to *connector

// Of returns the cache that a handle was opened with. A handle that was opened with
// Cache.Connector or through a registered driver is asked for a connection, and waits if
// all that it may have are in use.
func Of(db *sql.DB) (*Cache, bool) {
	c, ok := handleOf(context.Background(), db)
	if !ok {
		return nil, false
	}
	return c.cache, true
}

// handleOf returns the connector of a handle: a connection of Larder's knows it.
func handleOf(ctx context.Context, db *sql.DB) (*connector, bool) {
	if c, ok := opened.Load(db); ok {
		return c.(*connector), true
	}
	one, err := db.Conn(ctx)
	if err != nil {
		return nil, false
	}
	defer one.Close()
	var found *connector
	err = one.Raw(func(driverConn any) error {
		if c, ok := driverConn.(*conn); ok {
			found = c.connector
		}
		return nil
	})
	return found, err == nil && found != nil
}
