package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/catalog"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// A database is what all sessions of one database in one store share: its domain
// and the facts of its catalog.
type database struct {
	key     databaseKey
	domain  *coherence.Domain
	allOnly []coherence.Tag // the tag that every write to unknown relations changes; every entry depends on it

	epoch atomic.Int64 // of what new connections begin with

	guesses *guesses // see guess
	narrow  confine.NarrowWrites
	asked   asking // see sight

	private bool // only one connection sees it
	refs    int  // guarded by registry.mu
	lingers bool // until the store was told; guarded by registry.mu

	facts   atomic.Pointer[facts]
	loading chan struct{}       // full while facts are read: a lock that may be waited for in a context
	failed  time.Time           // when reading the facts failed last; guarded by loading
	last    *coherence.Reliance // that of the facts read last; guarded by loading
}

// facts are a catalog's snapshot, and the reliance on the schema before it was read.
type facts struct {
	snapshot *catalog.Snapshot
	reliance *coherence.Reliance
	loaded   time.Time
}

type databaseKey struct {
	store    coherence.Store // compared: a store is a pointer
	identity string
}

// registry holds the databases in use by this process, so that all handles to one
// database in one store are one domain, from whichever cache they come.
var registry = struct {
	mu sync.Mutex
	m  map[databaseKey]*database
}{m: make(map[databaseKey]*database)}

// acquire returns the database of a key; what it is besides is said by whoever is first.
func acquire(key databaseKey, private bool, options coherence.Options) *database {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	db := registry.m[key]
	if db == nil {
		options.Told = func() { ToldLate(key.store) }
		domain := coherence.NewDomain(key.store, key.identity, options)
		db = &database{key: key, private: private, domain: domain, guesses: newGuesses(), allOnly: []coherence.Tag{domain.All()}}
		db.loading = make(chan struct{}, 1)
		registry.m[key] = db
	}
	db.refs++
	return db
}

// release lets go of the database. The last one closes its domain; but not while the store has to be told of its writes, of which
// another domain would not know that nothing older must be read.
func (db *database) release() {
	registry.mu.Lock()
	db.refs--
	last := db.goLocked()
	registry.mu.Unlock()
	if last {
		db.domain.Close()
	}
}

// goLocked takes the database out of the registry, if nobody uses it and the store has been told; then its domain is to be closed.
func (db *database) goLocked() bool {
	switch {
	case db.refs > 0 || registry.m[db.key] != db:
		return false
	case !db.domain.Telling():
		delete(registry.m, db.key)
		return true
	case !db.lingers:
		db.lingers = true
		go db.linger()
	}
	return false
}

// linger closes the domain when the store was told, unless the database is used again.
func (db *database) linger() {
	for db.domain.Telling() {
		time.Sleep(lingerPause)
	}
	registry.mu.Lock()
	db.lingers = false
	last := db.goLocked()
	registry.mu.Unlock()
	if last {
		db.domain.Close()
	}
}

const lingerPause = 50 * time.Millisecond

// registered returns the databases in use that are kept in a store.
func registered(in coherence.Store) []*database {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	var found []*database
	for key, db := range registry.m {
		if key.store == in {
			found = append(found, db)
		}
	}
	return found
}

// ShapesInUse are, for people, the shapes by which results of a relation are told apart in the databases of a store, as far as this process knows.
func ShapesInUse(ctx context.Context, in coherence.Store, relation string) []string {
	var names []string
	for _, db := range registered(in) {
		for _, shape := range db.domain.Known(ctx, relation) {
			names = append(names, confine.Readable(shape))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Unannounced is how many writes a store could not be told of yet.
func Unannounced(in coherence.Store) (n int64) {
	for _, db := range registered(in) {
		n += db.domain.Unannounced()
	}
	return n
}

// Waits is how many reads have waited for the end of another's write.
func Waits(in coherence.Store) (n int64) {
	for _, db := range registered(in) {
		n += db.domain.Waits()
	}
	return n
}

// Fenced reports whether a store could not be told of a write yet.
func Fenced(in coherence.Store) bool {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	for key, db := range registry.m {
		if key.store == in && db.domain.Unannounced() > 0 {
			return true
		}
	}
	return false
}

// again takes one more reference to db.
func (db *database) again() *database {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	db.refs++
	return db
}

// current reports whether f is what the catalog says now: no change of the schema
// was announced, or is in flight, since it was read.
func (db *database) current(ctx context.Context, f *facts) bool {
	return f != nil && f.reliance.Stands(ctx)
}

// How long facts are left alone before they are read again because a statement
// named an object that they don't know, or because reading them failed.
const (
	unknownPause = time.Second
	failurePause = time.Second
)

// errCatalogPause is why facts aren't read just now.
var errCatalogPause = errors.New("session: catalog failed a moment ago")

// load returns current facts, which it reads by q if need be. It fails if they can't be
// read, if the schema is being changed, or if ctx ends while another reads them.
func (db *database) load(ctx context.Context, q catalog.Querier, d analyze.Dialect) (*facts, error) {
	select {
	case db.loading <- struct{}{}:
		defer func() { <-db.loading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f := db.facts.Load(); db.current(ctx, f) {
		return f, nil
	}
	if time.Since(db.failed) < failurePause {
		return nil, errCatalogPause
	}
	reliance, err := db.rely(ctx)
	if err != nil {
		return nil, err
	}
	snapshot, err := catalog.Load(ctx, q, d)
	if err != nil {
		if ctx.Err() == nil {
			db.failed = time.Now()
		}
		return nil, fmt.Errorf("session: read catalog: %w", err)
	}
	f := &facts{snapshot: snapshot, reliance: reliance, loaded: time.Now()}
	db.facts.Store(f)
	return f, nil
}

// rely begins to rely on the schema. If another process has changed it, what sessions know of their
// state may have changed with it.
func (db *database) rely(ctx context.Context) (*coherence.Reliance, error) {
	reliance, err := db.domain.Rely(ctx)
	if err != nil {
		if !errors.Is(err, coherence.ErrSchemaChanging) && ctx.Err() == nil {
			db.failed = time.Now()
		}
		return nil, fmt.Errorf("session: %w", err)
	}
	if db.domain.Shared() && !reliance.Same(db.last) {
		db.epoch.Add(1)
	}
	db.last = reliance
	return reliance, nil
}

// distrust forgets facts that didn't know an object, unless they are too young to
// be worth reading again.
func (db *database) distrust(f *facts) {
	if f != nil && time.Since(f.loaded) > unknownPause {
		db.facts.CompareAndSwap(f, nil)
	}
}
