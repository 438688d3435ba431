package sim

import (
	"context"
	"fmt"
	"math/rand/v2"

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
	p.domain = coherence.NewDomain(w.store, "db", coherence.Options{Lease: lease, Mutant: w.Mutant})
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
		} else if rels := c.relations(); c.rng.IntN(4) == 0 {
			c.value(rels)
		} else {
			c.read(c.ctx, rels)
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
var relationSets = [][]int{{0}, {1}, {0, 1}, {0, 1, 2}, {2}, {1, 2}}

func (c *client) tags(rels []int) []store.Tag {
	tags := make([]store.Tag, len(rels))
	for i, rel := range rels {
		tags[i] = c.proc.domain.Tag(fmt.Sprintf("r%d?", rel))
	}
	return tags
}

func (c *client) relations() []int { return c.w.sets[c.rng.IntN(len(c.w.sets))] }

// read is the read path of a session. It reports whether the database has answered.
func (c *client) read(ctx context.Context, rels []int) (versions, bool) {
	join, fails := c.rng.IntN(4) > 0, c.rng.IntN(10) == 0
	began := c.w.judge.begin()
	r := c.proc.domain.Lookup(ctx, fmt.Sprint("k", rels), c.tags(rels), join)
	defer r.Done()
	c.looked()
	if r.Outcome == coherence.Hit {
		v := r.Value.(versions)
		c.w.judge.read(c, began, rels, v, true)
		return v, true
	}
	c.stop(beforeDBRead, "asks the database for %v", rels)
	v := c.w.db.read(rels)
	c.stop(afterDBRead, "is answered %v", v)
	if fails {
		return v, false
	}
	r.Fill(ctx, v, 8, 0)
	c.w.judge.read(c, began, rels, v, false)
	return v, true
}

// looked stops after a Lookup of the mutant, in which the client may have waited
// for another and not stopped since.
func (c *client) looked() {
	if c.w.Mutant == coherence.JoinOvertakenFlights {
		c.stop(afterLookup, "has looked")
	}
}

// value remembers what is computed from a read of each relation. A miss is of as
// many moments as there are relations; a hit must be of one.
func (c *client) value(rels []int) {
	began := c.w.judge.begin()
	key := fmt.Sprint("v", rels)
	r := c.proc.domain.Lookup(c.ctx, key, nil, true)
	defer r.Done()
	c.looked()
	if r.Outcome == coherence.Hit {
		c.w.judge.read(c, began, rels, r.Value.(versions), true)
		return
	}
	ctx, rec := coherence.Record(c.ctx)
	var v versions
	for _, rel := range rels {
		part, ok := c.read(ctx, []int{rel})
		if !ok {
			return
		}
		v[rel] = part[rel]
	}
	c.proc.domain.FillRecorded(ctx, key, rec, v, 8, 0)
}

// write is the write path of a session.
func (c *client) write() {
	writer := c.proc.domain.BeginWrite()
	defer writer.End()
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
	switch {
	case way < 4:
		c.stop(beforeRollback, "rolls back")
		c.end(h, h.Rollback)
	case way == 4: // is lost before it has reached the database
		h.Abandon()
	case way == 5: // becomes visible later, before the lease ends
		c.w.db.late = append(c.w.db.late, lateCommit{c, triggered(rels, c.w.db.trigger), began})
		h.Abandon()
	default:
		c.commit(h, rels, began)
	}
}

func (c *client) commit(h *coherence.Hold, rels []int, began int64) {
	c.stop(beforeCommit, "commits %v", rels)
	op := c.w.db.commit(c, triggered(rels, c.w.db.trigger), began)
	c.stop(afterCommit, "has committed %d", op.version)
	if c.rng.IntN(100) < c.w.lost {
		h.Abandon() // the answer is lost
	} else if c.end(h, h.Release) {
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
		c.end(h, h.Release)
	case c.rng.IntN(100) < c.w.lost:
		h.AbandonAfterWriters(own)
	default:
		// Without this client's context: another may be the one that releases.
		_ = h.ReleaseAfterWriters(context.Background(), own) // or it lapses
	}
}

// end tries twice to end a hold, and else abandons it.
func (c *client) end(h *coherence.Hold, way func(context.Context) error) bool {
	for range 2 {
		if way(c.ctx) == nil {
			return true
		}
	}
	h.Abandon()
	return false
}
