package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/catalog"
	"github.com/larderdb/larder/coherence"
)

// A transaction is what a session knows of its own.
type transaction struct {
	open  bool   // statements commit when the transaction does
	level string // isolation level, in lower case

	// manual: after the end of each transaction the next one is open (MySQL's autocommit=0).
	manual bool

	// doubt: it isn't known whether a transaction is open, because a statement
	// that would have changed that failed or can't be told. Reads bypass, writes both
	// announce at once and gather for a commit that may come.
	doubt bool

	// failed: PostgreSQL may have aborted the transaction, and refuse reads until its end.
	failed bool

	// unlike: the next transaction has a level of its own, which the server doesn't
	// show (MySQL's SET TRANSACTION outside of one).
	unlike bool

	// begun says that BEGIN started it, so that no RELEASE of a savepoint commits it
	// (SQLite, where the outermost savepoint is a transaction).
	begun bool

	// What was written so far.
	changes  map[catalog.Relation]*change
	wide     bool // to relations that can't be told
	schema   bool // the schema was changed
	attached bool // attached databases, too
	shared   bool // all databases of the server, too

	facts []*coherence.Reliance // by which that is told, where processes share a store

	writer *coherence.Writer // since the first write
	noted  noted             // what listeners will be told
}

// unknownLevel is no level that a read could be answered under.
const unknownLevel = "unknown"

// start notes that a transaction has begun. One that was open goes on if the
// database doesn't commit it by that.
func (t *transaction) start(level string, commitsOpen bool) {
	if t.unlike || t.doubt {
		level = unknownLevel
	}
	switch {
	case commitsOpen || !t.open && !t.doubt:
		t.end()
		t.open, t.level, t.begun = true, level, true
	case t.doubt:
		t.open, t.doubt, t.level, t.begun = true, false, level, true
	}
}

// end forgets what was written. It must come after the release, which may be on its way.
func (t *transaction) end() {
	if t.writer != nil {
		t.writer.End()
	}
	*t = transaction{open: t.manual, manual: t.manual, unlike: t.unlike && !t.open}
	if t.manual {
		t.level = unknownLevel
	}
}

func (t *transaction) wrote() bool { return t.wide || t.schema || len(t.changes) > 0 }

// gather notes what a statement in the transaction writes.
func (t *transaction) gather(e *effect) {
	if t.changes == nil {
		t.changes = make(map[catalog.Relation]*change)
	}
	for _, c := range e.changes {
		if known := t.changes[c.relation]; known != nil {
			known.add(c)
		} else {
			t.changes[c.relation] = &c
		}
	}
	t.wide = t.wide || e.wide
	t.schema = t.schema || e.schema
	t.attached = t.attached || e.attached
	t.shared = t.shared || e.shared
	for _, f := range e.facts {
		if !slices.Contains(t.facts, f) {
			t.facts = append(t.facts, f)
		}
	}
}

// effect is all that was gathered.
func (t *transaction) effect() effect {
	e := effect{wide: t.wide, schema: t.schema, attached: t.attached, shared: t.shared, facts: t.facts}
	for _, c := range t.changes {
		e.changes = append(e.changes, *c)
	}
	return e
}

// forbids says why a read in the transaction can't be answered from the cache.
// Under READ COMMITTED each statement sees what is committed when it begins, as a
// statement outside does, but for what the transaction has written itself.
func (t *transaction) forbids(d analyze.Dialect, p *catalog.Plan) analyze.Reason {
	switch {
	case t.doubt || t.failed || t.unlike:
		return analyze.Isolation
	case !t.open:
		return analyze.Cacheable
	case d == analyze.SQLite || t.level != "read committed":
		return analyze.Isolation
	case t.wide || t.schema:
		return analyze.Wrote
	}
	for _, r := range p.Reads {
		if t.changes[r] != nil {
			return analyze.Wrote
		}
	}
	return analyze.Cacheable
}

// level returns the isolation level that a transaction has.
func (s *Session) level(asked string) string {
	if asked == "" && s.state != nil && !s.stateStale {
		asked = s.state.Isolation
	}
	if s.src.Dialect == analyze.Postgres && asked == "read uncommitted" {
		return "read committed" // PostgreSQL treats them alike
	}
	return asked
}

// isolationTexts are the levels that database/sql may ask for, by their numbers there.
var isolationTexts = [...]string{"", "read uncommitted", "read committed", "write committed", "repeatable read", "snapshot", "serializable", "linearizable"}

// A Tx is a transaction begun through the driver.
type Tx struct {
	s     *Session
	inner driver.Tx
}

// Begin starts a transaction.
func (s *Session) Begin(ctx context.Context, opts driver.TxOptions) (*Tx, error) {
	if err := s.bind(ctx); err != nil {
		return nil, err
	}
	s.refresh(ctx)
	ends, returned := s.hold(ctx, s.implicitCommit()), false
	if err := s.refused(ctx, &ends); err != nil {
		return nil, err
	}
	defer s.doubtUnless(&returned, &ends)
	inner, err := begin(ctx, s.inner, opts)
	s.release(ctx, &ends, err)
	if !ends.effect.none() {
		s.tellEnd(err)
	}
	returned = true
	if err != nil {
		return nil, err
	}
	asked := ""
	if i := int(opts.Isolation); i < len(isolationTexts) {
		asked = isolationTexts[i]
	}
	s.tx.start(s.level(asked), s.commitsOpen())
	s.locks = false
	return &Tx{s, inner}, nil
}

// commitsOpen reports whether BEGIN commits a transaction that is open.
func (s *Session) commitsOpen() bool { return s.src.Dialect == analyze.MySQL }

// implicitCommit is what becomes visible because a statement commits the open
// transaction before it runs (MySQL).
func (s *Session) implicitCommit() effect {
	if !s.commitsOpen() || !s.tx.wrote() {
		return effect{}
	}
	return s.tx.effect()
}

// commit is what observers are told of a commit through the driver.
var commit = call{query: &query{text: "COMMIT", st: &analyze.Statement{Text: "COMMIT", Kind: analyze.Control}}}

// Commit makes the transaction's writes visible: hold, commit, release.
func (t *Tx) Commit() error {
	s, ctx := t.s, context.Background()
	o := s.observe(commit.query)
	e := s.tx.effect()
	h, returned := s.hold(ctx, e), false
	h.own = s.tx.writer
	defer s.doubtUnless(&returned, &h)
	o.ask()
	ended, err := s.commitHeld(ctx, t.inner, &h)
	o.answered()
	s.release(ctx, &h, err)
	s.tellEnd(err)
	s.ended(ended)
	returned = true
	s.sawWrite(ctx, &o, &commit, &write{effect: e}, err)
	return err
}

// commitHeld commits, unless the cache fails closed and its store can't be told: then the transaction is
// rolled back. ended is the driver's error, of what has ended the transaction.
func (s *Session) commitHeld(ctx context.Context, inner driver.Tx, h *holds) (ended, err error) {
	err = s.refused(ctx, h)
	if err == nil {
		err = s.ready(ctx, h)
	}
	if err == nil {
		coherence.At(coherence.StepCommit)
		err = inner.Commit()
		return err, err
	}
	ended = inner.Rollback()
	return ended, errors.Join(err, ended)
}

// Rollback ends the transaction. Nothing of it was visible, so nothing is announced.
func (t *Tx) Rollback() error {
	returned := false
	defer t.s.doubtUnless(&returned, &holds{})
	err := t.inner.Rollback()
	t.s.ended(err)
	returned = true
	return err
}

// doubtUnless notes that the driver panicked where a transaction begins or ends: whether one
// is open isn't known, and what was about to become visible may have, or may yet.
func (s *Session) doubtUnless(returned *bool, h *holds) {
	if *returned {
		return
	}
	h.abandon()
	if len(h.marks) > 0 {
		s.count.abandoned.Add(1)
		s.tellAny(true)
	}
	if s.tx.wrote() { // a later commit announces it, whatever has become of the schema meanwhile
		e := wideEffect(&analyze.Statement{})
		s.tx.gather(&e)
	}
	s.tx.writer.End() // nobody may end the transaction any more
	s.tx.writer = nil
	s.tx.doubt, s.stateStale = true, true
}

// ended notes the end of a transaction. Settings made in it, or undone by its end,
// are read again. After an error SQLite may have left the transaction open.
func (s *Session) ended(err error) {
	doubt := err != nil && (s.src.Dialect == analyze.SQLite || !answered(s.src.Dialect, s.inner, err))
	if len(s.settings) > 0 || s.tx.schema {
		s.stateStale = true
	}
	if doubt {
		s.tx.doubt = true
		return
	}
	s.tx.end()
}

// apply moves what the session knows of its transaction after a control statement.
func (s *Session) apply(st *analyze.Statement, err error) {
	if err != nil {
		s.applyFailed(st, err)
		return
	}
	switch st.Control {
	case analyze.Begin:
		s.tx.start(s.level(st.Isolation), s.commitsOpen())
	case analyze.Savepoint, analyze.ReleaseSavepoint:
		if s.savepointMayCommit() {
			s.tx.doubt, s.tx.begun = true, false
		}
	case analyze.RollbackTo:
		s.tx.failed = false
	case analyze.Commit, analyze.Rollback:
		level := s.tx.level
		s.ended(nil)
		if st.Chain {
			s.tx.start(level, false)
		}
	case analyze.PrepareCommit, analyze.RollbackPrepared, analyze.CommitPrepared:
		s.ended(nil)
	case analyze.SetIsolation:
		s.applyIsolation(st)
	case analyze.AutocommitOff:
		s.tx.manual = true
		s.tx.start(s.level(""), false) // what is open stays so
	case analyze.AutocommitOn:
		s.applyAutocommit()
	case analyze.OtherControl:
		s.tx.doubt = true
	}
}

// savepointMayCommit reports whether a savepoint that is made may begin a transaction, and
// one that is released commit it: SQLite's outermost one does.
func (s *Session) savepointMayCommit() bool {
	return s.src.Dialect == analyze.SQLite && (s.tx.doubt || !s.tx.begun)
}

// applyAutocommit notes that autocommit is on. That commits what was open if it was off,
// and nothing if it was on already, which isn't known of a session that was set up elsewhere.
func (s *Session) applyAutocommit() {
	if s.tx.manual {
		s.tx.manual = false
		s.ended(nil)
		return
	}
	s.tx.doubt = s.tx.doubt || s.tx.open
}

func (s *Session) applyIsolation(st *analyze.Statement) {
	if s.tx.open && !st.SessionWide {
		s.tx.level = s.level(strings.ToLower(st.Isolation))
		return
	}
	if !st.SessionWide && s.src.Dialect == analyze.MySQL {
		s.tx.unlike = true
		return
	}
	s.stateStale = true
}

func (s *Session) applyFailed(st *analyze.Statement, err error) {
	switch st.Control {
	case analyze.NoControl, analyze.Savepoint, analyze.RollbackTo, analyze.ReleaseSavepoint:
	case analyze.Begin:
		s.tx.doubt = s.tx.doubt || s.src.Dialect == analyze.MySQL
	case analyze.Commit, analyze.Rollback, analyze.PrepareCommit:
		if _, said := sqlState(err); said && s.src.Dialect == analyze.Postgres {
			s.ended(nil) // a COMMIT that PostgreSQL refuses has ended the transaction
			return
		}
		s.tx.doubt = true
	default:
		s.tx.doubt = true
	}
}
