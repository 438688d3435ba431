package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"time"
	"unsafe"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
)

// Query is the read path: from the cache if the statement only reads, its
// result depends on nothing but relations, and an entry for it is valid; else from
// the database, and kept if it may be.
func (s *Session) Query(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	return s.queryCall(ctx, call{query: s.query(text), args: args})
}

// queryCall reads. What is made of a read that failed isn't kept: the next one may not fail.
func (s *Session) queryCall(ctx context.Context, c call) (driver.Rows, error) {
	rows, err := s.read(ctx, c)
	if err != nil {
		coherence.Spoil(ctx, readFailed)
	}
	return rows, err
}

const readFailed = "a read failed"

func (s *Session) read(ctx context.Context, c call) (driver.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.rewritten()
	o := s.observe(c.query)
	if sideEffects(c.st) {
		return s.queryWrite(ctx, c, &o)
	}
	wish := s.wish(ctx, c.st)
	for range maxTries {
		p, reason, err := s.readable(ctx, &c, wish)
		if err != nil {
			return nil, err
		}
		if s.outdated(ctx, &c, p, reason) {
			if err := s.bind(ctx); err != nil {
				return nil, err
			}
			s.refresh(ctx)
			continue
		}
		if p != nil && p.acts() {
			return s.queryWrite(ctx, c, &o)
		}
		if reason != analyze.Cacheable {
			return s.bypass(ctx, c, &o, p, reason)
		}
		key, ok := s.keyOf(p, &c)
		if !ok {
			return s.bypass(ctx, c, &o, p, analyze.Argument)
		}
		if wish == coherence.Refreshed {
			p.db.domain.Forget(ctx, key)
		}
		var check *coherence.Check
		if s.src.Verify > 0 && s.due() {
			check = p.db.domain.Check(ctx, key, p.base, p.reads)
		}
		var read coherence.Read
		value, hit := p.db.domain.Kept(ctx, key)
		if !hit && s.passes(ctx, p, wish, key) {
			return s.bypass(ctx, c, &o, p, analyze.Unprofitable)
		}
		if !hit {
			read = p.lookup(ctx, key, c.args, !s.tx.open && wish != coherence.Refreshed)
			value, hit = read.Value, read.Outcome == coherence.Hit
		}
		if hit {
			set, ok := resultOf(value)
			if !ok {
				p.db.domain.Forget(ctx, key)
				continue
			}
			if check != nil {
				began := time.Now()
				o.check = s.verify(ctx, &c, p, &o, check, set)
				o.start = o.start.Add(time.Since(began)) // it is no part of the hit
			}
			s.sawRead(ctx, &o, &c, coherence.Hit, analyze.Cacheable, p, set, nil)
			return replay(ctx, set), nil
		}
		rows, again, err := s.miss(ctx, c, &o, p, &read)
		if !again {
			return rows, err
		}
	}
	return s.bypass(ctx, c, &o, nil, analyze.CatalogUnavailable)
}

// passes reports whether a result that isn't in the cache isn't worth keeping either.
func (s *Session) passes(ctx context.Context, p *planned, w coherence.Wish, key string) bool {
	if !p.yield.lean() || w != coherence.Cached || s.src.NotAdaptive || p.db.domain.Again(ctx, key) {
		return false
	}
	if verdict, first := p.yield.skip(); first {
		s.advise(ctx, p, verdict)
		if verdict == overwritten {
			p.retire(ctx)
		}
	}
	return true
}

// resultOf returns the result that an entry has. It reports false if the entry was written
// by a process whose results can't be read here: it is of no use then.
func resultOf(value any) (*rowSet, bool) {
	switch v := value.(type) {
	case *rowSet:
		return v, true
	case coherence.Bytes:
		set, err := decodeRowSet(v)
		return set, err == nil
	}
	return nil, false
}

// maxTries bounds how often a read plans again because the schema changed under it, or
// because what it found is of no use.
const maxTries = 3

// sideEffects reports whether the text itself says that a statement does more than read.
func sideEffects(st *analyze.Statement) bool {
	return st.Kind != analyze.Read || st.Writing() || len(st.Settings) > 0 || st.Control != analyze.NoControl
}

// readable says whether a statement may be answered from the cache, and by which
// plan. It opens the connection if nothing can be said without.
func (s *Session) readable(ctx context.Context, c *call, w coherence.Wish) (*planned, analyze.Reason, error) {
	if s.inner == nil && !s.src.known() {
		if err := s.bind(ctx); err != nil {
			return nil, 0, err
		}
	}
	s.refreshForRead(ctx)
	p, reason := s.currentPlan(ctx, c.query)
	switch {
	case reason != analyze.Cacheable:
		return s.unplanned(c, reason)
	case p.acts():
		return p, analyze.Cacheable, nil
	case w == coherence.Bypassed:
		return p, analyze.Asked, nil
	case s.barred != analyze.Cacheable:
		return p, s.barred, nil
	case s.opaque != analyze.Cacheable:
		return p, s.opaque, nil
	case p.state.Reason != analyze.Cacheable:
		return p, p.state.Reason, nil
	case p.plan.Reason != analyze.Cacheable:
		if p.plan.UnknownRelation {
			p.db.distrust(p.facts)
		}
		return p, p.plan.Reason, nil
	}
	if reason := s.tx.forbids(s.src.Dialect, p.plan); reason != analyze.Cacheable {
		return p, reason, nil
	}
	if s.mayBeGone(c) {
		return p, analyze.Deallocated, nil
	}
	if s.src.clock.anyOf(c.args) {
		return p, analyze.Volatile, nil
	}
	return p, analyze.Cacheable, nil
}

// unplanned is what is done with a read of which the catalog can't tell more than its
// text: it is a bypass, and a write if it may call a function of a user.
func (s *Session) unplanned(c *call, reason analyze.Reason) (*planned, analyze.Reason, error) {
	if inert(c.st) || s.readOnlyServer() {
		return nil, reason, nil
	}
	if p := s.effectPlan(c.query); p != nil {
		return p, reason, nil
	}
	return &planned{write: wideEffect(c.st)}, reason, nil
}

// refreshForRead brings up to date what a read needs, if that is known to be old.
// Whether the facts of the catalog are current is asked only after a miss: a hit
// proves it, since every change of the schema removes all entries.
func (s *Session) refreshForRead(ctx context.Context) {
	if s.inner == nil {
		return
	}
	if s.tx.doubt || s.stateStale || s.outlived() || s.identStale || (s.db != nil && s.db.facts.Load() == nil) {
		s.refresh(ctx)
	}
}

// maxRoom bounds the room for keys that a session keeps, in bytes.
const maxRoom = 64 << 10

// keyOf builds the key of a call in the session's own room.
func (s *Session) keyOf(p *planned, c *call) (string, bool) {
	prefix := p.direct
	if c.stmt != nil {
		prefix = p.prepared
	}
	key, ok := appendArgs(append(s.key[:0], prefix...), c.args)
	if s.key = key; cap(key) > maxRoom {
		s.key = nil // the key keeps it; the session need not
	}
	return unsafe.String(unsafe.SliceData(key), len(key)), ok
}

// miss reads from the database what the cache doesn't have, and keeps it. It asks to
// be tried again if the plan turns out to be of another connection, or outdated.
func (s *Session) miss(ctx context.Context, c call, o *observation, p *planned, r *coherence.Read) (rows driver.Rows, again bool, err error) {
	defer r.Done()
	if s.inner == nil {
		if err := s.bind(ctx); err != nil {
			return nil, false, err
		}
		if db, state := s.whereabouts(); db != p.db || state != p.state {
			return nil, true, nil
		}
	}
	var caller coherence.Writer
	defer caller.End()
	if !s.enter(ctx, &c, p, &caller) {
		if s.tx.open || len(s.open) > 0 {
			rows, err = s.bypass(ctx, c, o, p, analyze.CatalogUnavailable)
			return rows, false, err
		}
		s.refresh(ctx)
		return nil, true, nil
	}
	o.missed(r)
	o.ask()
	coherence.At(coherence.StepMissed)
	asked := time.Now()
	live, err := s.rows(ctx, c)
	p.understood(&caller)
	if err != nil {
		o.answered()
		s.doubtAfter(err)
		if unknownObject(s.src.Dialect, err) {
			p.db.distrust(p.facts)
		}
		r.Done() // an observer may ask the same
		s.sawRead(ctx, o, &c, r.Outcome, analyze.Cacheable, p, nil, err)
		return nil, false, err
	}
	result := driverRows(ctx, live)
	expected := p.habit.next(asked, p.ofTables)
	expected.named = expected.named && p.facts.reliance.Stands(ctx) // no change of the schema has overtaken what the server has described
	ahead := read(live.rows, s.src.MaxEntryBytes, s.typedByRow(), expected)
	result.readAhead(ahead)
	p.learn(&ahead, asked)
	o.answered()
	coherence.At(coherence.StepRead)
	reason := s.fill(ctx, c.st, p, c.args, r, result)
	result.endsToo(&caller)
	o.kept(r, reason, s.ttl(c.st))
	r.Done()
	s.sawRead(ctx, o, &c, r.Outcome, reason, p, result.set, result.failure())
	return result, false, nil
}

// fill keeps a result that is whole, and lets the driver's rows go.
func (s *Session) fill(ctx context.Context, st *analyze.Statement, p *planned, args []driver.NamedValue, r *coherence.Read, rows *Rows) analyze.Reason {
	if len(s.open) > 0 || s.tx.open && s.tx.wrote() {
		coherence.Spoil(ctx, analyze.Isolation.String()) // see below; tokens of it were recorded
	}
	if !rows.ended() {
		s.until(rows, func(err error) error { s.failed(ctx, err); return nil })
		return rows.ahead.unfit()
	}
	rows.closeLive()
	s.failed(ctx, rows.failure())
	switch {
	case rows.failure() != nil:
		return analyze.Cacheable
	case s.tx.open && s.tx.wrote():
		return analyze.Wrote
	case len(s.open) > 0:
		// SQLite reads by the snapshot of the result that is still open, which may be
		// older than a write that the tokens tell of.
		return analyze.Isolation
	}
	if r.Fill(ctx, rows.set, rows.set.size, s.ttl(st)) {
		p.sight(rows.set, args)
	}
	coherence.At(coherence.StepFilled)
	return analyze.Cacheable
}

// failed notes that a result can't be read to its end, if err isn't nil.
func (s *Session) failed(ctx context.Context, err error) {
	s.doubtAfter(err)
	if err != nil {
		coherence.Spoil(ctx, readFailed)
	}
}

func (s *Session) ttl(st *analyze.Statement) time.Duration {
	if st.Hint.TTL > 0 {
		return st.Hint.TTL
	}
	return s.src.TTL
}

// unfit says why what was read ahead isn't kept.
func (r *readAhead) unfit() analyze.Reason {
	switch {
	case r.unkeepable:
		return analyze.Value
	case r.tooLarge:
		return analyze.TooLarge
	}
	return analyze.Multiple // further result sets
}

// ended reports whether the driver has no more to give than what was read ahead.
func (r *Rows) ended() bool {
	return r.ahead.err != nil && !r.live.hasNextResultSet()
}

// failure is the error that reading or closing the driver's rows gave.
func (r *Rows) failure() error {
	if r.ahead.err != nil && !errors.Is(r.ahead.err, io.EOF) {
		return r.ahead.err
	}
	return r.closed
}

// bypass reads from the database and keeps nothing.
func (s *Session) bypass(ctx context.Context, c call, o *observation, p *planned, reason analyze.Reason) (driver.Rows, error) {
	coherence.Spoil(ctx, reason.String())
	if err := s.bind(ctx); err != nil {
		return nil, err
	}
	var caller coherence.Writer
	defer caller.End() // after an error, or a panic of the driver's or of an argument's
	if !s.enter(ctx, &c, p, &caller) && s.mayWriteMore(c.st) {
		o.reason = reason
		return s.queryWrite(ctx, c, o)
	}
	o.ask()
	live, err := s.rows(ctx, c)
	p.understood(&caller)
	o.answered()
	s.sawRead(ctx, o, &c, coherence.Bypass, reason, p, nil, err)
	if err != nil {
		s.doubtAfter(err)
		if p != nil && p.facts != nil && unknownObject(s.src.Dialect, err) {
			p.db.distrust(p.facts)
		}
		return nil, err
	}
	rows := driverRows(ctx, live)
	s.watch(rows)
	rows.endsToo(&caller)
	return rows, nil
}

// mayWriteMore reports whether a statement may write what its session doesn't announce anyway.
func (s *Session) mayWriteMore(st *analyze.Statement) bool {
	return !inert(st) && !s.readOnlyServer() && !(s.tx.open && s.tx.wide)
}

// readOnlyServer reports whether the server refuses every write, as a standby of PostgreSQL does.
func (s *Session) readOnlyServer() bool {
	return s.inner != nil && s.barred == analyze.Replica && s.src.Dialect == analyze.Postgres
}

// enter counts a statement that may call functions among the writers while it runs, as caller, and
// reports whether its plan still holds. Without that:
//
//  1. a reader plans SELECT f(), which doesn't write;
//  2. another session replaces f by a function that does, and announces that;
//  3. the reader runs the new f: nobody announces what it writes.
//
// As the reader counts as a writer from before it trusts its plan, the change of the schema is
// released after it has ended, and removes what was kept meanwhile.
func (s *Session) enter(ctx context.Context, c *call, p *planned, caller *coherence.Writer) bool {
	if p == nil || p.facts == nil {
		return false
	}
	if !inert(c.st) {
		caller.Begin(p.db.domain)
	}
	if db, state := s.whereabouts(); db == p.db && (state == nil || state == p.state) && p.db.current(ctx, p.facts) {
		return true
	}
	caller.End()
	return false
}

// understood ends the caller of a statement that the database has begun to run, and that calls
// no functions of users: what its names mean doesn't change any more.
func (p *planned) understood(caller *coherence.Writer) {
	if p != nil && p.plan != nil && !p.plan.Calls {
		caller.End()
	}
}

// outdated reports whether a read is kept from the cache, or what it may do is told, by
// facts of the catalog that are old and can be read again.
func (s *Session) outdated(ctx context.Context, c *call, p *planned, reason analyze.Reason) bool {
	if p == nil || p.facts == nil || len(s.open) > 0 || s.tx.open || s.tx.doubt {
		return false
	}
	byCatalog := reason != analyze.Cacheable && (reason > analyze.Explain || !inert(c.st))
	return (byCatalog || p.acts()) && !p.db.current(ctx, p.facts)
}

// watch counts a result of the driver's as open until it is closed.
func (s *Session) watch(rows *Rows) {
	s.until(rows, func(err error) error { s.doubtAfter(err); return nil })
}

// until counts a result of the driver's as open, and calls end once it is closed, with
// what reading and closing it said.
func (s *Session) until(rows *Rows, end func(error) error) {
	s.open = append(s.open, rows)
	rows.finish = func(err error) error {
		s.open = slices.DeleteFunc(s.open, func(other *Rows) bool { return other == rows })
		if ended := end(errors.Join(rows.broken, err)); err == nil && rows.broken == nil {
			err = ended
		}
		return err
	}
}
