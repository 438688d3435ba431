package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// A client reads and writes, one operation after the other.
type client struct {
	w    *world
	proc *process
	id   int
	rng  *rand.Rand // what it does, whatever the schedule
	ctx  context.Context
	left int // operations to come

	wake   chan struct{}
	place  place  // where it stands
	at     string // … in words
	parked bool   // waits to be picked
	zombie bool   // is dead, but its next operation will arrive
	ended  bool
	still  int // until this step it isn't picked while others can be
}

type clientKey struct{}

func (c *client) String() string { return fmt.Sprintf("%d.%d", c.proc.id, c.id) }

// died is the panic by which a client of a dead process ends.
type died struct{}

// end is deferred by a client's goroutine.
func (c *client) end() {
	c.ended = true
	if v := recover(); v != nil && v != any(died{}) {
		panic(v)
	}
}

// begin is called first by a client's goroutine.
func (c *client) begin() { c.w.running.Store(goroutine(), c) }

// clientOf is the client that has made a call, be it with its context or, as Abandon and what is done for
// others, without.
func (w *world) clientOf(ctx context.Context) *client {
	if c, ok := ctx.Value(clientKey{}).(*client); ok {
		return c
	}
	c, _ := w.running.Load(goroutine())
	return c.(*client)
}

// goroutine is the number of this goroutine.
func goroutine() string {
	var trace [64]byte
	return strings.Fields(string(trace[:runtime.Stack(trace[:], false)]))[1]
}

func (c *client) live() {
	defer c.end()
	c.begin()
	c.stop(atStart, "starts")
	for ; c.left > 0; c.left-- {
		if c.rng.IntN(100) < c.w.writes {
			c.write()
		} else if qs := c.questions(); c.rng.IntN(4) == 0 {
			c.value(qs)
		} else {
			c.read(c.ctx, qs.whole)
		}
	}
}

// stop waits until the scheduler picks this client.
func (c *client) stop(at place, format string, args ...any) {
	if c.parked {
		panic(fmt.Sprintf("%v is about to %s, and "+format, append([]any{c, c.at}, args...)...))
	}
	c.at, c.place, c.parked = fmt.Sprintf(format, args...), at, true
	<-c.wake
	if c.proc.dead && !c.zombie {
		panic(died{})
	}
	c.zombie = false
}

// step lets a parked client go on to its next stop. It reports whether it is alive.
func (c *client) step() bool {
	alive := !c.proc.dead
	if alive || c.zombie {
		c.w.trace.add(c.w.steps, "%v %s", c, c.at)
	}
	c.parked = false
	c.w.last = c
	c.wake <- struct{}{}
	return alive
}

// A place is the kind of step before which a client has stopped.
type place uint8

const (
	atStart place = iota
	beforeDBRead
	afterDBRead
	afterLookup
	beforeHold
	beforeReady
	beforeChange
	afterChange
	beforeCommit
	afterCommit
	beforeRollback
	afterTold
	keeping
	asleep
	beforeEntry // from here on in the store
	beforeToken
	beforeHolds
	beforeFill
	beforeMark
	beforeNewToken
	beforeUnmark
	beforeMembers
	beforeJoin
	beforeOther
	lastPlace = beforeOther
)

func (p place) inStore() bool { return p >= beforeEntry }

// changes reports whether the step changes what the store keeps, and may be done late, or twice.
func (p place) changes() bool {
	return p >= beforeFill && p != beforeMembers && p != beforeOther
}

// relationSets are the sets of relations that reads and writes are of.
var relationSets = []inRelations{{0}, {1}, {0, 1}, {0, 1, 2}, {2}, {1, 2}}

func (c *client) tags(rels []int) []store.Tag {
	tags := make([]store.Tag, len(rels))
	for i, rel := range rels {
		tags[i] = c.proc.domain.Tag(fmt.Sprintf("r%d?", rel))
	}
	return tags
}

func (c *client) relations() inRelations { return c.w.sets[c.rng.IntN(len(c.w.sets))] }

// A read asks the cache, and then the database.
type read interface {
	question
	lookup(ctx context.Context, c *client, join bool) coherence.Read
}

func (rels inRelations) lookup(ctx context.Context, c *client, join bool) coherence.Read {
	tags := append(c.tags(rels), c.proc.domain.All())
	return c.proc.domain.Lookup(ctx, "k"+rels.String(), tags, join)
}

// questions are a read, or the reads from which a value is computed.
type questions struct {
	whole read
	parts []read
}

func (c *client) questions() questions {
	if qs := c.w.rows; qs != nil {
		q, other := qs[c.rng.IntN(len(qs))], qs[c.rng.IntN(len(qs))]
		return questions{q, []read{q, other}}
	}
	rels := c.relations()
	qs := questions{whole: rels}
	for _, rel := range rels {
		qs.parts = append(qs.parts, inRelations{rel})
	}
	return qs
}

// read is the read path of a session. It reports whether the database has answered.
func (c *client) read(ctx context.Context, q read) (state, bool) {
	join, fails := c.rng.IntN(4) > 0, c.rng.IntN(10) == 0
	began := c.w.judge.begin(c)
	r := q.lookup(ctx, c, join)
	defer r.Done()
	c.looked()
	if r.Outcome == coherence.Hit {
		v := r.Value.(state)
		c.w.judge.read(c, began, q, v, true)
		return v, true
	}
	c.stop(beforeDBRead, "asks the database for %v", q)
	v := q.of(c.w.db.now())
	c.stop(afterDBRead, "is answered %v", v)
	if fails {
		return v, false
	}
	r.Fill(ctx, v, 8, 0)
	c.w.judge.read(c, began, q, v, false)
	return v, true
}

// looked stops after a Lookup of the mutant, in which the client may have waited
// for another and not stopped since.
func (c *client) looked() {
	if c.w.Mutant == coherence.JoinOvertakenFlights {
		c.stop(afterLookup, "has looked")
	}
}

// All of several questions are of one moment.
type all []read

func (qs all) String() string { return fmt.Sprint("v", []read(qs)) }

func (qs all) of(s state) state {
	var whole state
	for _, q := range qs {
		whole = whole.with(q.of(s))
	}
	return whole
}

// with is s and what part has besides.
func (s state) with(part state) state {
	for i, v := range part.versions {
		s.versions[i] = max(s.versions[i], v)
	}
	for id, r := range part.rows {
		if r.user != 0 {
			s.rows[id] = r
		}
	}
	return s
}

// value remembers what is computed from several reads. A miss is of as many
// moments as there are reads; a hit must be of one.
func (c *client) value(qs questions) {
	began := c.w.judge.begin(c)
	whole := all(qs.parts)
	r := c.proc.domain.Lookup(c.ctx, whole.String(), nil, true)
	defer r.Done()
	c.looked()
	if r.Outcome == coherence.Hit {
		c.w.judge.read(c, began, whole, r.Value.(state), true)
		return
	}
	ctx, rec := coherence.Record(c.ctx)
	var v state
	for _, q := range qs.parts {
		part, ok := c.read(ctx, q)
		if !ok {
			return
		}
		v = v.with(part)
	}
	c.proc.domain.FillRecorded(ctx, whole.String(), rec, v, 8, 0)
}

// write is the write path of a session.
func (c *client) write() {
	writer := c.proc.domain.BeginWrite()
	defer writer.End()
	if c.w.rows != nil {
		c.writeRows(c.rng.IntN(20))
		return
	}
	rels, way := c.relations(), c.rng.IntN(20)
	switch {
	case c.w.schema && way >= 12 && c.w.shared && c.w.steps >= c.w.quiet:
		c.changeSharedSchema(writer, way)
		return
	case c.w.schema && way >= 16 && !c.w.shared:
		c.changeSchema(writer)
		return
	case c.w.schema && c.w.shared:
		tags, facts := c.told(rels)
		if facts == nil && c.rng.IntN(4) > 0 {
			return // it gives up
		}
		began := c.w.judge.begin(c)
		h, err := c.proc.domain.Hold(c.ctx, tags)
		c.finish(h, err, way, func() change { return triggered(rels, c.w.db.trigger) }, began, facts...)
		return
	}
	told := triggered(rels, c.proc.trigger)
	if c.w.schema {
		c.stop(afterTold, "is told that it writes %v", told)
	}
	began := c.w.judge.begin(c)
	h, err := c.proc.domain.Hold(c.ctx, c.tags(told))
	c.finish(h, err, way, func() change { return triggered(rels, c.w.db.trigger) }, began)
}

// finish ends a write that is held, or of which the store couldn't be told.
func (c *client) finish(h *coherence.Hold, err error, way int, write func() change, began int64, facts ...*coherence.Reliance) {
	if err != nil && (h == nil || c.rng.IntN(2) == 0) { // it fails closed: the write isn't made
		_ = h.Rollback(c.ctx)
		c.w.db.unlock(write())
		return
	}
	switch {
	case way < 4:
		c.stop(beforeRollback, "rolls back")
		c.w.db.unlock(write())
		c.endHold(h, h.Rollback)
	case way <= 5 && c.w.lost == 0:
		c.commit(h, err, write, began, facts...)
	case way == 4: // is lost before it has reached the database
		c.w.db.unlock(write())
		h.Abandon()
	case way == 5 && err == nil: // becomes visible later, before the lease ends
		c.w.db.late = append(c.w.db.late, lateCommit{c, write, began})
		h.Abandon()
	default:
		c.commit(h, err, write, began, facts...)
	}
}

// commit makes sure of the hold, and commits: a transaction, or a statement that takes as long as it takes.
func (c *client) commit(h *coherence.Hold, err error, write func() change, began int64, facts ...*coherence.Reliance) {
	transaction, sent := c.w.shared && c.rng.IntN(2) == 0, c.w.store.now
	if c.w.shared && err == nil {
		c.stop(beforeReady, "has its holds")
		err = h.Ready(c.ctx, facts...)
	}
	if !transaction {
		sent = c.w.store.now
	}
	c.stop(beforeCommit, "commits %v", write())
	if c.endedByDatabase(sent, transaction) {
		c.w.db.unlock(write())
		c.endHold(h, h.Rollback)
		return
	}
	ch := write()
	op := c.w.db.commit(c, ch, began)
	c.w.db.unlock(ch)
	behind := c.w.shared && !c.w.schema && c.rng.IntN(4) == 0
	if c.w.shared && (err != nil || c.w.store.now-sent >= 2*lease/3 && c.proc.stoodSince(sent)) {
		u := c.w.judge.unheld(c, op.version, err != nil)
		defer func() { u.told = !c.proc.dead }()
		behind = false
	}
	c.stop(afterCommit, "has committed %d", op.version)
	if c.rng.IntN(100) < c.w.lost {
		h.Abandon() // the answer is lost
		return
	}
	c.w.judge.acked(op)
	if behind { // the client goes on meanwhile
		c.proc.later(func(ctx context.Context) error { _ = h.Release(ctx); return nil })
		return
	}
	c.endHold(h, h.Release)
}

// changeSchema makes a trigger, or drops it. Nothing that reads see is changed by
// that; but writes in flight may have been told their tags without it.
func (c *client) changeSchema(own *coherence.Writer) {
	h, err := c.proc.domain.Hold(c.ctx, c.tags([]int{0, 1, 2}))
	if err != nil {
		return
	}
	c.stop(beforeCommit, "changes the schema")
	c.w.db.trigger = !c.w.db.trigger
	c.stop(afterCommit, "has changed the schema")
	c.proc.trigger = c.w.db.trigger
	switch {
	case c.w.Hasty:
		c.endHold(h, h.Release)
	case c.rng.IntN(100) < c.w.lost:
		h.AbandonAfterWriters(own)
	default:
		// Without this client's context: another may be the one that releases.
		_ = h.ReleaseAfterWriters(context.Background(), own) // or it lapses
	}
}

// endHold tries twice to end a hold, and else abandons it.
func (c *client) endHold(h *coherence.Hold, way func(context.Context) error) bool {
	for range 2 {
		if way(c.ctx) == nil {
			return true
		}
		if c.w.shared {
			return true // it is told until it has heard
		}
	}
	h.Abandon()
	return false
}
