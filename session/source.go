package session

import (
	"context"
	"database/sql/driver"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/catalog"
	"github.com/larderdb/larder/coherence"
)

// A Config says what the sessions of one connector share.
type Config struct {
	Dialect analyze.Dialect
	Connect func(context.Context) (driver.Conn, error)

	// DSN is the data source name, or "unknown".
	DSN string

	// Name tells this connector from others of the same database. It is part of every
	// key, because drivers and their settings give the same rows as other Go values.
	Name string

	// Lazy says that the state of a new connection follows from the data source
	// name, so that a session may ask the cache before it has a connection.
	Lazy bool

	// Steady says that resetting a connection leaves its state as it is.
	Steady bool

	Store         coherence.Store
	Owner         any // whose it is, for those who hear from it
	Statements    *analyze.Cache
	MaxEntryBytes int           // the largest result that is kept
	WritesOnly    bool          // every read is a bypass
	NotAdaptive   bool          // results are kept whether or not that pays; see yield
	TTL           time.Duration // how long an entry may live
	FailClosed    bool          // no write is made that the store can't be told of
	Domain        coherence.Options
	Watchers      *Watchers // nil: nobody listens
	Verify        float64   // the share of hits that the database is asked for as well
	LogValues     bool      // the log may be told values of arguments and results
	Unsighted     bool      // for tests: see sighted
	Log           *slog.Logger
	Counters      *Counters
}

// A Source makes the sessions of one connector.
type Source struct {
	Config
	hub     *Hub
	queries *otter.Cache[string, *query]
	clock   clock
	base    atomic.Pointer[base]
	prompt  bool        // the store waits for nothing
	warned  atomic.Bool // that the database has another lease than was asked for
	adviser adviser

	mu     sync.Mutex
	states map[string][]*catalog.State // guarded by mu: by Key, each different from the others
	closed bool                        // guarded by mu

	identities map[string]bool // of the databases that its sessions were on; guarded by mu
}

// A base is what is known of a connection before it is opened.
type base struct {
	db    *database
	state *catalog.State
	epoch int64 // of the database, before the state was read
}

// valid reports whether a new connection is expected to be as b says: nothing was
// changed since that connections begin with (ALTER ROLE … SET, SET GLOBAL).
func (b *base) valid() bool { return b != nil && b.epoch == b.db.epoch.Load() }

// How much memory the texts of statements of one source may take, in bytes, as
// near as it can be told.
const queriesLimit = 32 << 20

// NewSource returns the source of a connector's sessions.
func NewSource(c Config) *Source {
	return &Source{
		Config: c,
		prompt: coherence.Prompt(c.Store),
		hub:    AcquireHub(c.Store),
		queries: otter.Must(&otter.Options[string, *query]{
			MaximumWeight: queriesLimit,
			Weigher:       func(text string, _ *query) uint32 { return uint32(min(len(text), 1<<30)) + 1024 },
		}),
		clock:  clockOf(c.Dialect),
		states: make(map[string][]*catalog.State),
	}
}

// Close lets go of what the source knows, when a shared store has been told of the writes that were acknowledged. Sessions still open go on.
func (s *Source) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.hub.Release()
	}
	s.closed = true
	s.mu.Unlock()
	coherence.OnTheirWay(s.Store)(context.Background())
	if b := s.base.Swap(nil); b != nil {
		b.db.release()
	}
	s.queries.InvalidateAll()
	return nil
}

// known reports whether a session without a connection can tell what a statement
// would read.
func (s *Source) known() bool {
	b := s.base.Load()
	return b.valid() && b.db.facts.Load() != nil
}

// query returns the query of a text, analysed once.
func (s *Source) query(text string) *query {
	if q, ok := s.queries.GetIfPresent(text); ok {
		return q
	}
	q := &query{text: text, st: s.Statements.Analyze(s.Dialect, text)}
	s.queries.Set(text, q)
	return q
}

// maxStates bounds how many states of sessions are told apart by pointer, and
// maxAlike those of one Key.
const (
	maxStates = 1024
	maxAlike  = 64
)

// intern returns the State that equals state, so that states can be compared by pointer.
// States of one Key may differ in temporary relations and in isolation.
func (s *Source) intern(state *catalog.State) *catalog.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	alike := s.states[state.Key]
	for _, known := range alike {
		if reflect.DeepEqual(known, state) {
			return known
		}
	}
	if len(s.states) >= maxStates {
		clear(s.states)
	}
	if len(alike) >= maxAlike {
		alike = nil
	}
	s.states[state.Key] = append(alike, state)
	return state
}

// setBase keeps what a new connection turned out to be, for sessions that have none yet.
func (s *Source) setBase(db *database, state *catalog.State, epoch int64) {
	if b := s.base.Load(); b != nil && b.db == db && b.state == state && b.epoch == epoch {
		return
	}
	if old := s.swapBase(db, state, epoch); old != nil {
		old.db.release()
	}
}

// swapBase returns what the base was, of which the caller lets go.
func (s *Source) swapBase(db *database, state *catalog.State, epoch int64) *base {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	return s.base.Swap(&base{db.again(), state, epoch})
}

// Knows reports whether a session of the source was on the database of an identity, and whether the source has been on any.
func (s *Source) Knows(identity string) (is, any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.identities[identity], len(s.identities) > 0
}

// Identify connects to the database, so that it is known.
func (s *Source) Identify(ctx context.Context) error {
	session := s.New()
	defer session.Close()
	return session.bind(ctx)
}

// met notes that a session is on a database.
func (s *Source) met(identity string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.identities) >= maxStates { // of databases that one connection has to itself
		clear(s.identities)
	}
	if s.identities == nil {
		s.identities = make(map[string]bool)
	}
	s.identities[identity] = true
}
