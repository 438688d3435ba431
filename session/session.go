package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/catalog"
	"github.com/larderdb/larder/coherence"
)

// A Session is one connection. It opens a connection of the driver's when a
// statement needs one, and keeps that one from then on.
type Session struct {
	src   *Source
	count *stripe
	inner driver.Conn // nil until a statement needs it

	counts bool // the driver has told how many rows a write has changed

	db       *database      // of the connection; nil before it is open, or if it can't be told
	barred   analyze.Reason // why nothing of the database can be cached
	attached []*database    // further databases that statements may write to

	state      *catalog.State // nil if it isn't known
	stateStale bool           // a statement may have changed the state since it was read
	namesStale bool           // … even so that names mean other relations
	epoch      int64          // of the database, before the state was read
	identStale bool           // a statement may have changed which databases are attached
	settings   []string       // settings that the session has changed, and that may change results
	temp       []string       // MySQL: temporary tables, which the server doesn't list
	opaque     analyze.Reason // if set, nothing that the session reads can be cached any more

	tx       transaction
	locks    bool              // MySQL: tables may be locked, until a transaction begins
	prepared map[string]*query // SQL-level PREPARE; nil where the text isn't known
	own      own               // what the driver has prepared
	open     []*Rows           // results of the driver's that are open, seldom more than one
	handed   []*coherence.Hold // held since the driver's connection was handed out
	key      []byte            // room for keys
	recent   [8]*query         // of texts of late, by their length
	telling  time.Duration     // that listeners have taken so far
}

// New returns a session without a connection.
func (s *Source) New() *Session {
	return &Session{src: s, count: s.Counters.stripe()}
}

// query returns the query of a text. A program asks few texts again and again, and most by the same string.
func (s *Session) query(text string) *query {
	slot := &s.recent[len(text)%len(s.recent)]
	if q := *slot; q != nil && q.text == text {
		return q
	}
	*slot = s.src.query(text)
	return *slot
}

// Open opens the session's connection now, if it has none.
func (s *Session) Open(ctx context.Context) error { return s.bind(ctx) }

// Inner returns the driver's connection, nil if none was opened yet.
func (s *Session) Inner() driver.Conn { return s.inner }

// bind opens the driver's connection. What that is, which database and in which
// state, is asked at once; if it can't be told, statements go uncached.
func (s *Session) bind(ctx context.Context) error {
	if s.inner != nil {
		return nil
	}
	inner, err := s.src.Connect(ctx)
	if err != nil {
		return err
	}
	s.inner = inner
	s.identify(ctx)
	var epoch int64
	if s.db != nil {
		epoch = s.db.epoch.Load()
	}
	s.readState(ctx)
	if s.db != nil && s.state != nil && s.src.Lazy && !s.db.private && s.barred == analyze.Cacheable {
		s.src.setBase(s.db, s.state, epoch)
	}
	return nil
}

// identify asks which database the connection is of.
func (s *Session) identify(ctx context.Context) {
	id, err := catalog.Identify(ctx, querier{s.inner}, s.src.Dialect, s.src.DSN)
	s.leave()
	s.identStale = false
	if err != nil {
		s.barred = analyze.CatalogUnavailable
		s.identStale = true
		s.warn(ctx, "identity of the database can't be read, nothing is cached", err)
		return
	}
	if id.Reason != analyze.Cacheable {
		s.barred = id.Reason
	}
	if id.Database == "" {
		return
	}
	s.db = s.src.acquire(ctx, id.Database, id.Private)
	for _, other := range id.Attached {
		s.attached = append(s.attached, s.src.acquire(ctx, other, false))
	}
}

// acquire returns a database of the source's store. It has one lease, which is said by who opens
// it first; a source that asked for another says so, once.
func (s *Source) acquire(ctx context.Context, identity string, private bool) *database {
	s.met(identity)
	db := acquire(databaseKey{store: s.Store, identity: identity}, private, s.Domain)
	if kept := db.domain.Lease(); s.Domain.Lease > 0 && s.Domain.Lease != kept && s.warned.CompareAndSwap(false, true) {
		s.Log.WarnContext(ctx, "larder: another cache of this database in this store has said the lease already, it stays",
			"lease", kept, "asked", s.Domain.Lease)
	}
	return db
}

// leave lets go of the databases that the session is of.
func (s *Session) leave() {
	if s.db != nil {
		s.db.release()
	}
	for _, db := range s.attached {
		db.release()
	}
	s.db, s.attached, s.barred = nil, nil, analyze.Cacheable
}

// readState asks the connection for its state.
func (s *Session) readState(ctx context.Context) {
	s.state, s.stateStale, s.namesStale = nil, true, true
	if s.db != nil {
		s.epoch = s.db.epoch.Load()
	}
	state, err := catalog.ReadState(ctx, querier{s.inner}, s.src.Dialect, s.settings)
	if err != nil {
		s.warn(ctx, "state of the session can't be read, nothing of it is cached", err)
		return
	}
	if len(s.temp) > 0 {
		state = state.WithTemp(s.temp...)
	}
	s.boundIdle(ctx)
	s.state, s.stateStale, s.namesStale = s.src.intern(state), false, false
	if s.tx.manual = state.Manual; s.tx.manual && !s.tx.open {
		s.tx.start(s.level(""), false)
	}
}

// refresh brings up to date what the session knows of its connection and of the
// catalog. It asks the database only outside of transactions and while no result is
// open; otherwise what isn't known stays unknown, and statements go uncached or wide.
func (s *Session) refresh(ctx context.Context) {
	if s.inner == nil || len(s.open) > 0 {
		return
	}
	if s.tx.doubt {
		s.settle(ctx)
	}
	if s.tx.open || s.tx.doubt || s.tx.unlike { // which is of the next statement, ours as well
		return
	}
	if s.identStale {
		s.identify(ctx)
	}
	s.loadFacts(ctx)
	if s.stateStale || s.outlived() { // also by what loading has told
		s.readState(ctx)
	}
}

// loadFacts sees to it that the facts of the database are current, if they can be.
func (s *Session) loadFacts(ctx context.Context) {
	if s.db == nil || s.db.current(ctx, s.db.facts.Load()) {
		return
	}
	_, err := s.db.load(ctx, querier{s.inner}, s.src.Dialect)
	if err != nil && !errors.Is(err, coherence.ErrSchemaChanging) && !errors.Is(err, errCatalogPause) {
		s.warn(ctx, "catalog can't be read", err)
	}
}

// boundIdle has the database end a transaction that has been idle for so long that the holds of its commit
// would lapse if this process were stopped now: other processes would keep what is older. A shorter bound stays. SQLite and
// MySQL have none.
func (s *Session) boundIdle(ctx context.Context) {
	shared, ok := s.src.Store.(coherence.Shared)
	if !ok || s.tx.open || s.tx.doubt {
		return
	}
	bound := shared.Lease() * 2 / 3
	var text string
	switch s.src.Dialect {
	case analyze.Postgres:
		const name = "'idle_in_transaction_session_timeout'"
		text = fmt.Sprintf("SELECT pg_catalog.set_config(%s, '%d', false) FROM pg_catalog.pg_settings WHERE name = %s AND setting::pg_catalog.int8 NOT BETWEEN 1 AND %d",
			name, bound.Milliseconds(), name, bound.Milliseconds())
	case analyze.MySQL:
		seconds := max(int64(bound.Seconds()), 1)
		text = fmt.Sprintf("SET @@session.idle_transaction_timeout = IF(@@session.idle_transaction_timeout BETWEEN 1 AND %d, @@session.idle_transaction_timeout, %d)", seconds, seconds)
	default:
		return
	}
	if _, err := execConn(ctx, s.inner, text, nil); err != nil && s.src.Dialect == analyze.Postgres {
		s.warn(ctx, "idle transactions can't be bounded", err)
	}
}

func (s *Session) warn(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.src.Log.WarnContext(ctx, "larder: "+what, "error", err)
	}
}

// whereabouts returns the database and state of the session: those of its
// connection, or those that the next connection is expected to have.
func (s *Session) whereabouts() (*database, *catalog.State) {
	if s.inner == nil {
		if b := s.src.base.Load(); b.valid() {
			return b.db, b.state
		}
		return nil, nil
	}
	if s.stateStale || s.outlived() {
		return s.db, nil
	}
	return s.db, s.state
}

// outlived reports whether the schema has changed since the state was read. Names may mean
// other relations then, although the session has set nothing: a schema of the search path
// was made, or is open to the role now.
func (s *Session) outlived() bool { return s.db != nil && s.epoch != s.db.epoch.Load() }

// Reset is called before the session is used again by another caller.
func (s *Session) Reset(ctx context.Context) error {
	s.takeBack(ctx)
	if s.inner == nil {
		return nil
	}
	if !s.src.Steady {
		s.stateStale = true
	}
	resetter, ok := s.inner.(driver.SessionResetter)
	if !ok {
		return nil
	}
	err := resetter.ResetSession(ctx)
	if err == nil && s.tx.doubt && refusesOpen(s.inner) {
		s.tx.end()
	}
	return err
}

// refusesOpen reports whether the driver doesn't reset a connection that is in a
// transaction: one that was reset isn't.
func refusesOpen(conn driver.Conn) bool {
	t := reflect.TypeOf(conn)
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "github.com/jackc/pgx/v5/stdlib"
}

// Valid is called when the caller gives the session back. One of a server is not to wait in a pool for who uses it next while it isn't known
// how a transaction ended that has written, and the connection doesn't answer: what waits for all writes would wait for that one.
func (s *Session) Valid() bool {
	s.takeBack(context.Background())
	if s.tx.doubt && s.tx.writer != nil && s.src.Dialect != analyze.SQLite && !s.alive(context.Background()) {
		return false
	}
	if validator, ok := s.inner.(driver.Validator); ok {
		return validator.IsValid()
	}
	return true
}

// Ping asks the database.
func (s *Session) Ping(ctx context.Context) error {
	if err := s.bind(ctx); err != nil {
		return err
	}
	if pinger, ok := s.inner.(driver.Pinger); ok {
		return pinger.Ping(ctx)
	}
	return nil
}

// HandOut returns the driver's connection for the caller to use by itself. What it
// does there isn't seen: until the session is given back every relation is held,
// and nothing is known of the session's state.
func (s *Session) HandOut(ctx context.Context) (driver.Conn, error) {
	if err := s.bind(ctx); err != nil {
		return nil, err
	}
	if len(s.handed) > 0 {
		return s.inner, nil
	}
	s.identStale = s.identStale || s.src.Dialect == analyze.SQLite // it may be attached to any
	for _, db := range s.databases(&effect{wide: true}) {
		hold, err := db.domain.HoldSchema(ctx)
		if hold != nil {
			s.handed = append(s.handed, hold)
		}
		if err != nil && (hold == nil || s.src.FailClosed) {
			s.takeBack(ctx)
			return nil, fmt.Errorf("larder: hold all relations for the driver's connection: %w", err)
		}
	}
	s.opaque = analyze.Unwrapped
	return s.inner, nil
}

// takeBack ends what HandOut began. Whether a transaction is open is known again
// after the next one has ended; which temporary tables there are, MySQL doesn't tell.
func (s *Session) takeBack(ctx context.Context) {
	if len(s.handed) == 0 {
		return
	}
	s.stateStale, s.namesStale, s.identStale = true, true, s.src.Dialect == analyze.SQLite
	s.prepared = nil
	s.ownLost()
	s.tx.doubt, s.locks = true, s.src.Dialect == analyze.MySQL
	e := wideEffect(&analyze.Statement{})
	s.tx.gather(&e) // a transaction that was left open may be committed later
	if s.src.Dialect != analyze.MySQL {
		s.opaque = analyze.Cacheable
	}
	for _, hold := range s.handed {
		// Writes that are under way may have been planned before the schema was changed.
		if err := hold.ReleaseAfterWriters(ctx, s.tx.writer); err != nil {
			s.warn(ctx, "release of a handed out connection", err)
		}
	}
	s.handed = nil
	s.tellAny(true)
}

// databases are all that a statement of this session may write to. While it can't be
// told which databases the connection is of, or if what it changes is of the whole
// server, they are all that the store has.
func (s *Session) databases(e *effect) []*database {
	if s.db == nil || s.identStale || e.shared {
		return registered(s.src.Store)
	}
	return append([]*database{s.db}, s.attached...)
}

// changed notes that a setting was changed.
func (s *Session) changed(name string) {
	if catalog.HarmlessSetting(s.src.Dialect, name) {
		return
	}
	s.stateStale = true
	s.namesStale = s.namesStale || namesFollow(name)
	if name == "attach" || name == "*" {
		s.identStale = s.src.Dialect == analyze.SQLite
	}
	if name != "*" && name != "attach" && !slices.Contains(s.settings, name) {
		s.settings = append(s.settings, name)
	}
}

// namesFollow reports whether the meaning of names may follow a setting. Settings of
// a program's own ("app.tenant") and those of formats and limits don't.
func namesFollow(setting string) bool {
	switch setting {
	case "timezone", "time_zone", "datestyle", "intervalstyle", "extra_float_digits", "bytea_output",
		"client_encoding", "names", "lc_monetary", "lc_numeric", "lc_time", "lc_time_names",
		"transaction_isolation", "default_transaction_isolation", "transaction_read_only":
		return false
	}
	return !strings.Contains(setting, ".")
}

// Close closes the connection. An open transaction ends by that without a commit.
func (s *Session) Close() error {
	var err error
	if inner := s.inner; inner != nil {
		s.inner = nil
		err = inner.Close()
	}
	for _, rows := range slices.Clone(s.open) { // which it leaves
		rows.lose()
	}
	s.tx.end()
	s.takeBack(context.Background())
	s.leave()
	return err
}
