package session

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
)

// Exec is the write path. What the statement changes is held before it can become
// visible and released after the database has answered; in a transaction it is
// gathered for the commit.
func (s *Session) Exec(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	return s.execCall(ctx, call{query: s.query(text), args: args})
}

func (s *Session) execCall(ctx context.Context, c call) (driver.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.rewritten()
	o := s.observe(c.query)
	if err := s.bind(ctx); err != nil {
		return nil, err
	}
	o.ask()
	w, err := s.before(ctx, &c, false)
	var result driver.Result
	if err == nil {
		var changed int64
		result, changed, err = s.execHeld(ctx, c, w)
		if w.guess != nil && w.guess.proven(changed, err) {
			w.void = true
			s.after(ctx, w, nil)
			c.failed = w.guess
			return s.execCall(ctx, c)
		}
		if w.refusedLater(err) {
			w.void = true
			s.after(ctx, w, err)
			c.plain = true
			return s.execCall(ctx, c)
		}
		err = s.imaged(ctx, w, &c, changed, err)
	}
	o.answered()
	s.after(ctx, w, err)
	s.sawWrite(ctx, &o, &c, w, err)
	return result, err
}

// queryWrite runs a statement that returns rows and may write. Its rows are read
// ahead as far as a kept result would be, so that the write ends, and is
// announced, before its caller has looked at them; a larger one ends when it is closed.
// So does a text of several statements: how a driver goes from one of their results to
// the next depends on how far the caller has read.
func (s *Session) queryWrite(ctx context.Context, c call, o *observation) (driver.Rows, error) {
	if err := s.bind(ctx); err != nil {
		return nil, err
	}
	w, err := s.before(ctx, &c, true)
	if err != nil {
		s.after(ctx, w, err)
		s.sawWrite(ctx, o, &c, w, err)
		return nil, err
	}
	o.ask()
	rows, err := s.rowsHeld(ctx, c, w)
	if err != nil {
		err = s.imaged(ctx, w, &c, unknownCount, err)
		o.answered()
		s.after(ctx, w, err)
		s.sawWrite(ctx, o, &c, w, err)
		return nil, err
	}
	o.answered()
	seen := *o // not o itself, which stays on the stack of reads by that
	end := func(err error) {
		s.after(ctx, w, err)
		s.sawWrite(ctx, &seen, &c, w, err)
	}
	if !rows.ended() {
		if w.imaging != nil { // nothing else can be asked before the end of the rows
			w.imaging.whole = nil
		}
		if w.imaging != nil && !w.imaging.own && !w.imaging.later { // a COMMIT may come before the end of the rows
			w.unknown()
			s.gather(w)
			w.imaging = nil
		}
		s.until(rows, func(err error) error {
			err = s.imaged(ctx, w, &c, unknownCount, err)
			end(err)
			return err
		})
		return rows, nil
	}
	rows.closeLive()
	w.changed = w.counted(rows.set.rows)
	if err := s.imaged(ctx, w, &c, w.changed, rows.failure()); err != nil && rows.failure() == nil {
		end(err) // the COMMIT failed: the statement has
		return nil, err
	}
	end(rows.failure())
	return rows, nil
}

// execHeld runs the call of a write, and tells how many rows it has changed.
func (s *Session) execHeld(ctx context.Context, c call, w *write) (result driver.Result, changed int64, err error) {
	if err := s.ready(ctx, &w.holds); err != nil {
		return nil, 0, err
	}
	coherence.At(coherence.StepStatement)
	returned := false
	defer s.abandonUnless(&returned, w)
	result, err = s.execImaged(ctx, c, w)
	changed = w.affected(result)
	w.changed = changed
	s.counts = s.counts || changed != unknownCount && (w.imaging == nil || w.imaging.returned == nil)
	returned = true
	return result, changed, err
}

// rowsHeld runs the call of a write that returns rows, and reads ahead.
func (s *Session) rowsHeld(ctx context.Context, c call, w *write) (*Rows, error) {
	if err := s.ready(ctx, &w.holds); err != nil {
		return nil, err
	}
	coherence.At(coherence.StepStatement)
	returned := false
	defer s.abandonUnless(&returned, w)
	live, err := s.rows(ctx, c)
	rows := driverRows(ctx, live)
	if err == nil && c.st.Parts == nil {
		rows.readAhead(read(live.rows, s.limitOf(w), s.typedByRow(), likeness{}))
		w.noteReturned(s.src.Dialect, &rows.ahead)
	}
	returned = true
	return rows, err
}

func (s *Session) typedByRow() bool { return s.src.Dialect == analyze.SQLite }

// A write is a statement between its hold and its release.
type write struct {
	st     *analyze.Statement
	plan   *planned // nil if nothing is known
	effect effect
	holds  holds
	writer *coherence.Writer // of a statement outside transactions

	unsent bool // its context ended before it could be sent: nothing has changed

	imaging *imaging // nil if nothing is asked beside the statement
	wanted  []string // by which columns results are told apart that its rows may be of
	blind   string   // why these weren't asked for, if they weren't
	guess   *guess   // what is run in its place, if not nil

	// What signals are told from: see note.
	changed        int64 // how many rows, unknownCount if that isn't known
	args           []driver.NamedValue
	rows           []Row // all rows of its target that were changed, nil if they weren't asked for
	inside, atOnce bool  // a transaction is open before it, or may be; its changes may be visible after it
	ends           bool  // it commits what was gathered before it
	void           bool  // it is done again
}

// abandonUnless ends the write if its call panicked (a Value method of an argument
// did, or the driver): what came of it isn't known, and nobody will end it.
func (s *Session) abandonUnless(returned *bool, w *write) {
	if *returned {
		return
	}
	s.tx.doubt = s.tx.doubt || s.tx.open
	if w.imaging != nil {
		s.abandonImaging(w)
	}
	w.holds.abandon()
	if !w.effect.none() {
		s.tellAny(true)
	}
	if w.writer != nil {
		w.writer.End()
	}
}

// before readies the cache for a statement: outside of transactions it holds what the
// statement changes, inside it gathers that, and before a commit it holds what was gathered.
// What a statement must be asked for beside it is gathered, or held, when it has ended. An
// error is the database's, or of ctx: the statement must not be run any more.
func (s *Session) before(ctx context.Context, c *call, returnsRows bool) (*write, error) {
	coherence.Spoil(ctx, "a statement was run that may do more than read")
	q := s.executed(c.query)
	w := &write{st: c.st, changed: unknownCount}
	s.refreshForRead(ctx)
	if slices.Contains(c.st.Settings, "attach") {
		s.identStale = s.src.Dialect == analyze.SQLite
	}
	visible := s.ending(c.st)
	w.inside, w.atOnce, w.ends = s.tx.open || s.tx.doubt, s.visibleAtOnce(c.st), !visible.none()
	w.plan, w.effect = s.effectOf(ctx, q, w)
	if w.inside && w.opensCursor() {
		s.joinWriters(w)
	}
	s.sign(&w.effect, q)
	if q == c.query {
		w.args = c.args
		if err := s.image(ctx, w, c, returnsRows); err != nil || w.imaging != nil && !w.imaging.later {
			return w, err
		}
	}
	if !w.effect.none() {
		s.gather(w)
		if s.visibleAtOnce(c.st) {
			visible = visible.and(&w.effect)
		}
	}
	if err := ctx.Err(); err != nil { // nothing has been sent, or will be: there is nothing to hold
		w.unsent = true
		return w, err
	}
	w.holds = s.hold(ctx, visible)
	w.holds.own = w.writer
	if w.writer == nil {
		w.holds.own = s.tx.writer
	}
	w.holds.reading = c.st.Kind == analyze.Read
	return w, s.refused(ctx, &w.holds)
}

// gather keeps what a statement changes for the commit of its transaction, if it is in one.
func (s *Session) gather(w *write) {
	if s.tx.open || s.tx.doubt {
		s.tx.gather(&w.effect)
		s.joinWriters(w)
	}
}

// executed is the query that a statement runs: EXECUTE runs what was prepared, after
// what its arguments call.
func (s *Session) executed(q *query) *query {
	if q.st.Executes == "" || !inert(q.st) {
		return q
	}
	if prepared := s.prepared[q.st.Executes]; prepared != nil {
		return prepared
	}
	return q
}

// visibleAtOnce reports whether what the statement writes may be visible when it has ended.
func (s *Session) visibleAtOnce(st *analyze.Statement) bool {
	return !s.tx.open || s.tx.doubt || st.ImplicitCommit || st.Parts != nil
}

// ending is what a statement makes visible of what was gathered before it.
func (s *Session) ending(st *analyze.Statement) effect {
	if !s.tx.wrote() {
		return effect{}
	}
	switch st.Control {
	case analyze.Commit, analyze.AutocommitOn, analyze.OtherControl:
		return s.tx.effect()
	case analyze.ReleaseSavepoint:
		if s.savepointMayCommit() {
			return s.tx.effect()
		}
	case analyze.Begin, analyze.AutocommitOff:
		return s.implicitCommit()
	}
	if st.ImplicitCommit || st.Parts != nil {
		return s.tx.effect()
	}
	return effect{}
}

// effectOf tells what q writes, wide if the catalog isn't known. A writer is
// registered before the catalog is trusted: a change of the schema that comes after
// is released only when that writer has ended.
func (s *Session) effectOf(ctx context.Context, q *query, w *write) (*planned, effect) {
	if q.st.Control != analyze.CommitPrepared && q.st.Kind != analyze.Call && !q.st.Writing() && inert(q.st) {
		p, _ := s.currentPlan(ctx, q)
		if p == nil || p.write.none() { // a view may call what writes
			return p, effect{}
		}
	}
	if s.db == nil {
		return nil, wideEffect(q.st)
	}
	p, current := s.enterWrite(ctx, q, w)
	if !current { // what is known may be read again, now that nobody relies on it
		w.writer.End()
		w.writer = nil
		if s.refresh(ctx); s.db == nil {
			return nil, wideEffect(q.st)
		}
		p, current = s.enterWrite(ctx, q, w)
	}
	if !current {
		return p, wideEffect(q.st)
	}
	if p.plan.UnknownRelation {
		s.db.distrust(p.facts)
	}
	if q.st.Control == analyze.CommitPrepared {
		return p, wideEffect(q.st)
	}
	if p.write.none() {
		return p, effect{}
	}
	return p, p.write
}

// enterWrite registers a writer, and reports whether the plan of q still holds after that.
func (s *Session) enterWrite(ctx context.Context, q *query, w *write) (p *planned, current bool) {
	w.writer = s.db.domain.BeginWrite()
	p = s.effectPlan(q)
	return p, p != nil && !s.tx.schema && s.db.current(ctx, p.facts)
}

// inert reports whether a statement surely calls nothing that a user has defined: neither by
// name nor, where functions can write, behind the name of a view.
func inert(st *analyze.Statement) bool {
	views := st.Dialect != analyze.SQLite && len(st.Reads) > 0
	return len(st.Functions) == 0 && len(st.Operators) == 0 && !views
}

// opensCursor reports whether a statement opens a cursor that calls functions: it calls them when it is fetched from, until its transaction
// ends, and so counts among the writers until then (see Session.enter).
func (w *write) opensCursor() bool {
	if w.writer == nil || w.plan == nil || w.plan.plan == nil || !w.plan.plan.Calls {
		return false
	}
	opens := func(st *analyze.Statement) bool { return st.Reason == analyze.Cursor }
	return opens(w.st) || slices.ContainsFunc(w.st.Parts, opens)
}

// joinWriters makes the statement's writer the transaction's.
func (s *Session) joinWriters(w *write) {
	if s.tx.writer == nil {
		s.tx.writer, w.writer = w.writer, nil
	}
}

// after ends what before began, once the database has answered. A change of the schema that waits for the writer doesn't wait
// for who is told of the write.
func (s *Session) after(ctx context.Context, w *write, err error) {
	if w.unsent {
		w.writer.End()
		return
	}
	s.release(ctx, &w.holds, err)
	if w.ends {
		s.tellEnded(w, err)
	}
	if unknownObject(s.src.Dialect, err) && w.plan != nil {
		w.plan.db.distrust(w.plan.facts)
	}
	s.afterStatement(w, err)
	s.doubtAfter(err)
	s.settleReleased(ctx)
	if w.writer != nil {
		w.writer.End()
	}
	s.note(w, err)
}

// afterStatement moves what the session knows of itself.
func (s *Session) afterStatement(w *write, err error) {
	if w.plan == nil || w.plan.plan.StateUnknown {
		s.stateLost(w)
	}
	if w.plan != nil && w.plan.plan.TempUnknown && !notUnderstood(w.st.Text, err) {
		s.opaque = analyze.Temporary
	}
	if s.mayRenameTemp(w.st) {
		s.opaque = analyze.Temporary
	}
	if w.st.Parts == nil {
		s.noteSession(w.st, err)
		s.applyCommit(w.st, err)
		s.apply(w.st, err)
		return
	}
	s.afterParts(w, err)
}

// stateLost notes that a statement may have changed what the session doesn't know of:
// settings, also those by which names are resolved, and what names are prepared for.
func (s *Session) stateLost(w *write) {
	kind := w.st.Kind
	named := kind == analyze.Session || kind == analyze.Schema // what they set they name
	if named || w.plan == nil && inert(w.st) && kind != analyze.Call && kind != analyze.Unknown {
		s.stateStale = s.stateStale || kind != analyze.Modify
		return
	}
	s.stateStale, s.namesStale, s.prepared = true, true, nil
	if kind == analyze.Call || kind == analyze.Unknown {
		s.ownLost()
	}
}

// applyCommit notes that a statement of MySQL's has committed the open transaction. One
// that failed may not have been sent, or not understood.
func (s *Session) applyCommit(st *analyze.Statement, err error) {
	switch {
	case !st.ImplicitCommit:
	case err != nil && (s.tx.open || s.tx.doubt):
		s.tx.doubt = true
	default:
		s.ended(nil)
	}
}

// afterParts notes what several statements in one text did. If one has failed it isn't known
// which; and what they wrote after a BEGIN is to be committed yet.
func (s *Session) afterParts(w *write, err error) {
	for _, part := range w.st.Parts {
		s.noteSession(part, err)
		switch {
		case err == nil:
			s.applyCommit(part, nil)
			s.apply(part, nil)
		case part.Control != analyze.NoControl || part.ImplicitCommit:
			s.tx.doubt, s.tx.begun, s.tx.level = true, false, unknownLevel
			s.stateStale = true
		}
	}
	if (s.tx.open || s.tx.doubt) && w.opensCursor() {
		s.joinWriters(w)
	}
	if (s.tx.open || s.tx.doubt) && !w.effect.none() {
		if s.tx.writer == nil && w.writer == nil && s.db != nil {
			w.writer = s.db.domain.BeginWrite()
		}
		s.tx.gather(&w.effect)
		s.joinWriters(w)
	}
}

// noteSession notes settings, temporary tables and prepared statements.
func (s *Session) noteSession(st *analyze.Statement, err error) {
	if setsGlobally(st) && s.db != nil {
		s.db.epoch.Add(1)
	}
	s.noteLocks(st, err)
	for _, name := range s.executed(&query{st: st}).st.Settings {
		s.changed(name)
	}
	if len(st.TempTables) > 0 {
		s.noteTemp(st)
	}
	s.noteDeallocated(st, err)
	if err != nil { // of several statements, some may have run
		if st.Prepares != "" || st.Deallocates != "" {
			s.prepared = nil
		}
		return
	}
	if st.Prepares != "" {
		if s.prepared == nil {
			s.prepared = make(map[string]*query)
		}
		s.prepared[st.Prepares] = nil
		if st.Prepared != nil {
			s.prepared[st.Prepares] = &query{text: st.Text, st: st.Prepared}
		}
	}
	switch st.Deallocates {
	case "":
	case "*":
		s.prepared = nil
	default:
		delete(s.prepared, st.Deallocates)
	}
}

// noteLocks notes that tables may be locked (LOCK TABLES, FLUSH TABLES … WITH READ LOCK), which
// a BEGIN would end.
func (s *Session) noteLocks(st *analyze.Statement, err error) {
	if s.src.Dialect != analyze.MySQL {
		return
	}
	switch st.Kind {
	case analyze.Read, analyze.Modify, analyze.Schema:
		return
	}
	text := strings.ToUpper(s.executed(&query{st: st}).st.Text)
	switch {
	case st.Control == analyze.Begin && err == nil:
		s.locks = false
	case err == nil && strings.HasPrefix(text, "UNLOCK TABLE"):
		s.locks = false
	case strings.Contains(text, "LOCK"), strings.Contains(text, "EXPORT"), st.Executes != "", st.Kind == analyze.Unknown:
		s.locks = true
	}
}

// mayRenameTemp reports whether a statement may give a temporary table of MySQL's another
// name, under which it hides another relation.
func (s *Session) mayRenameTemp(st *analyze.Statement) bool {
	return s.src.Dialect == analyze.MySQL && len(s.temp) > 0 && (st.Kind == analyze.Schema || st.Parts != nil) &&
		strings.Contains(strings.ToUpper(st.Text), "RENAME")
}

// setsGlobally reports whether a statement may change what MySQL's connections begin with.
func setsGlobally(st *analyze.Statement) bool {
	if st.Dialect != analyze.MySQL {
		return false
	}
	if st.Kind == analyze.Session {
		text := strings.ToLower(st.Text)
		return strings.Contains(text, "global") || strings.Contains(text, "persist")
	}
	return st.Kind == analyze.Call || st.Kind == analyze.Unknown || st.Kind == analyze.Control && st.Control == analyze.OtherControl
}

// noteTemp notes temporary tables. A dropped one stays noted where the server
// can't be asked: that costs no more than a bypass.
func (s *Session) noteTemp(st *analyze.Statement) {
	s.stateStale = true
	if s.src.Dialect != analyze.MySQL {
		return
	}
	for _, name := range st.TempTables {
		if !slices.Contains(s.temp, name.String()) {
			s.temp = append(s.temp, name.String())
		}
	}
}

// and adds another effect to e.
func (e effect) and(other *effect) effect {
	if e.none() {
		return *other
	}
	e.changes = append(e.changes, other.changes...)
	e.wide = e.wide || other.wide
	e.schema = e.schema || other.schema
	e.attached = e.attached || other.attached
	e.shared = e.shared || other.shared
	e.facts = slices.Concat(e.facts, other.facts)
	return e
}
