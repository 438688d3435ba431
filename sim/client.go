package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// A process is clients that share a domain, and die together.
type process struct {
	id     int
	domain *coherence.Domain
	dead   bool

	trigger bool // whether it knows that writes of relation 0 write relation 1
}

// startProcess starts a process whose clients have ops operations each.
func (w *world) startProcess(ops int) {
	p := &process{id: len(w.procs), trigger: w.db.trigger}
	p.domain = coherence.NewDomain(w.store, "db", coherence.Options{
		Lease: lease, Shapes: w.shapes, Now: func() time.Duration { return w.store.now }, Mutant: w.Mutant,
	})
	w.procs = append(w.procs, p)
	for range w.Clients {
		c := &client{w: w, proc: p, id: len(w.clients), wake: make(chan struct{}), left: ops}
		c.rng = rand.New(rand.NewPCG(w.Seed, uint64(c.id+1)))
		c.ctx = context.WithValue(context.Background(), clientKey{}, c)
		w.clients = append(w.clients, c)
		go c.live()
	}
}

// crash kills a process. Half of the messages that its clients are about to send
// to the store arrive all the same, later. Another process takes its place.
func (w *world) crash(p *process) {
	if p.dead {
		return
	}
	p.dead = true
	w.crashed++
	w.trace.add(w.steps, "process %d crashes", p.id)
	left := 0
	for _, c := range w.clients {
		if c.proc == p {
			left = max(left, c.left)
			c.zombie = c.parked && c.place.inStore() && w.rng.IntN(2) == 0
		}
	}
	w.store.orphan(p)
	w.db.unlockAll(p)
	w.startProcess(left)
}

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

func (c *client) live() {
	defer func() {
		c.ended = true
		if v := recover(); v != nil && v != any(died{}) {
			panic(v)
		}
	}()
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
	beforeCommit
	afterCommit
	beforeRollback
	afterTold
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
	return c.proc.domain.Lookup(ctx, "k"+rels.String(), c.tags(rels), join)
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
	began := c.w.judge.begin()
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
	began := c.w.judge.begin()
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
	if c.w.schema && way >= 16 {
		c.changeSchema(writer)
		return
	}
	told := triggered(rels, c.proc.trigger)
	if c.w.schema {
		c.stop(afterTold, "is told that it writes %v", told)
	}
	began := c.w.judge.begin()
	h, err := c.proc.domain.Hold(c.ctx, c.tags(told))
	if err != nil {
		return // a write that isn't held isn't made
	}
	c.end(h, way, func() change { return triggered(rels, c.w.db.trigger) }, began)
}

// end ends a write that is held.
func (c *client) end(h *coherence.Hold, way int, write func() change, began int64) {
	switch {
	case way < 4:
		c.stop(beforeRollback, "rolls back")
		c.w.db.unlock(write())
		c.endHold(h, h.Rollback)
	case way == 4: // is lost before it has reached the database
		c.w.db.unlock(write())
		h.Abandon()
	case way == 5: // becomes visible later, before the lease ends
		c.w.db.late = append(c.w.db.late, lateCommit{c, write, began})
		h.Abandon()
	default:
		c.commit(h, write, began)
	}
}

func (c *client) commit(h *coherence.Hold, write func() change, began int64) {
	c.stop(beforeCommit, "commits %v", write())
	ch := write()
	op := c.w.db.commit(c, ch, began)
	c.w.db.unlock(ch)
	c.stop(afterCommit, "has committed %d", op.version)
	if c.rng.IntN(100) < c.w.lost {
		h.Abandon() // the answer is lost
	} else if c.endHold(h, h.Release) {
		c.w.judge.acked(op)
	}
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
	}
	h.Abandon()
	return false
}
