package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
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

	// Of runs in which processes share the store.
	paused  bool          // no client of it goes on, but time does
	cut     bool          // the store can't be reached by it
	stood   time.Duration // when it last was either
	wakes   int           // the step at which it goes on
	heals   int           // … and reaches the store again
	ahead   time.Duration // of its clock
	facts   *facts        // of the schema; nil if it has none
	keeper  *client       // does what isn't an operation of a client
	look    func(context.Context)
	retries []func(context.Context) error
	closes  bool                        // its domain is to be closed
	routes  map[string]*coherence.Route // of reads, by shape
}

// facts are what a process knows of the schema, and by what right.
type facts struct {
	reliance *coherence.Reliance
	trigger  bool
}

func (p *process) runs() bool { return !p.dead && !p.paused }

// later has the keeper do something soon, and again until it succeeds.
func (p *process) later(do func(context.Context) error) {
	if p.retries = append(p.retries, do); p.keeper != nil {
		p.keeper.still = p.keeper.w.steps + p.keeper.w.rng.IntN(5)
	}
}

// startProcess starts a process whose clients have ops operations each.
func (w *world) startProcess(ops int) {
	p := &process{id: len(w.procs), routes: make(map[string]*coherence.Route), trigger: w.db.trigger, stood: -lease, ahead: time.Duration(w.rng.Int64N(int64(time.Hour)))}
	p.domain = coherence.NewDomain(w.shareable(), "db", coherence.Options{
		Lease: lease, Shapes: w.shapes, Mutant: w.Mutant,
		Now:   func() time.Duration { return w.store.now + p.ahead },
		Retry: p.later,
		Watch: func(look func(context.Context)) func() {
			p.look = look
			return func() { p.look = nil }
		},
		Sleep: w.sleep,
	})
	w.procs = append(w.procs, p)
	for range w.Clients {
		go w.newClient(p, ops).live()
	}
	if w.shared {
		p.keeper = w.newClient(p, 0)
		go p.keeper.keep()
	}
}

func (w *world) newClient(p *process, ops int) *client {
	c := &client{w: w, proc: p, id: len(w.clients), wake: make(chan struct{}), left: ops}
	c.rng = rand.New(rand.NewPCG(w.Seed, uint64(c.id+1)))
	c.ctx = context.WithValue(context.Background(), clientKey{}, c)
	w.clients = append(w.clients, c)
	return c
}

// shareable is the store as a domain sees it.
func (w *world) shareable() store.Store {
	if w.shared {
		return sharedStore{w.store}
	}
	return w.store
}

// sleep lets others go on, and some time pass.
func (w *world) sleep(ctx context.Context, _ time.Duration) bool {
	w.clientOf(ctx).stop(asleep, "sleeps")
	w.store.pass(lease / 100)
	return true
}

// crash kills a process. Half of the messages that its clients are about to send
// to the store arrive all the same, later. Another process takes its place.
func (w *world) crash(p *process) {
	if p.dead {
		return
	}
	w.judge.announced()
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
	w.db.unlockAll(p)
	w.startProcess(left)
}

// pause stops a process as a signal does, for some steps; often for so long that its holds lapse.
func (w *world) pause(p *process) {
	if p.dead || p.paused {
		return
	}
	p.paused, p.stood, p.wakes = true, w.store.now, w.steps+w.rng.IntN(150)
	w.trace.add(w.steps, "process %d is stopped", p.id)
	if w.rng.IntN(2) == 0 {
		w.db.lateCommits(w)
		w.store.pass(lease/2 + time.Duration(w.rng.Int64N(int64(lease))))
	}
}

// wake lets a process go on that was stopped.
func (w *world) wake(p *process) {
	if p.paused {
		p.paused, p.stood = false, w.store.now
		w.trace.add(w.steps, "process %d goes on", p.id)
	}
}

// cut takes the way to the store from a process for some steps.
func (w *world) cut(p *process) {
	if p.dead || p.cut {
		return
	}
	p.cut, p.stood, p.heals = true, w.store.now, w.steps+w.rng.IntN(100)
	w.trace.add(w.steps, "process %d is cut off", p.id)
}

// heal gives a process its way to the store back.
func (w *world) heal(p *process) {
	if p.cut {
		p.cut, p.stood = false, w.store.now
		w.trace.add(w.steps, "process %d reaches the store", p.id)
	}
}

// keep does what a process does by itself, again and again.
func (c *client) keep() {
	defer c.end()
	c.begin()
	for !c.proc.closes {
		if c.still = c.w.steps + c.rng.IntN(c.w.lull); len(c.proc.retries) > 0 {
			c.still = c.w.steps + c.rng.IntN(5)
		}
		c.stop(keeping, "keeps")
		if c.proc.look != nil {
			c.proc.look(c.ctx)
		}
		for n := len(c.proc.retries); n > 0; n-- {
			try := c.proc.retries[0]
			failed := try(c.ctx) != nil
			if c.proc.retries = c.proc.retries[1:]; failed {
				c.proc.retries = append(c.proc.retries, try)
			}
		}
		c.w.judge.announced()
	}
	c.proc.domain.Close()
}

// factsNow are facts that stand, or nil.
func (c *client) factsNow() *facts {
	p := c.proc
	if f := p.facts; f != nil && f.reliance.Stands(c.ctx) {
		return f
	}
	r, err := p.domain.Rely(c.ctx)
	if err != nil {
		return nil
	}
	c.stop(beforeDBRead, "asks for the schema")
	p.facts = &facts{r, c.w.db.trigger}
	return p.facts
}

// told is the tags of a write, by what its process knows of the schema, and the facts that have told them.
func (c *client) told(rels inRelations) ([]store.Tag, []*coherence.Reliance) {
	f := c.factsNow()
	if f == nil {
		c.stop(afterTold, "is told nothing")
		return []store.Tag{c.proc.domain.All()}, nil
	}
	told := triggered(rels, f.trigger)
	c.stop(afterTold, "is told that it writes %v", told)
	return c.tags(told), []*coherence.Reliance{f.reliance}
}

// changeSharedSchema makes a trigger, or drops it, in the sight of other processes.
func (c *client) changeSharedSchema(own *coherence.Writer, way int) {
	c.w.quiet = c.w.steps + 200 + c.w.rng.IntN(400) // or the schema is never at rest
	h, err := c.proc.domain.HoldSchema(c.ctx)
	if err != nil {
		c.w.quiet = maxSteps // another change would let others know of this one
	}
	if err != nil && c.rng.IntN(2) == 0 {
		_ = h.ReleaseAfterWriters(context.Background(), own) // and isn't made
		return
	}
	sent := c.w.store.now
	c.stop(beforeChange, "is about to change the schema")
	err = errors.Join(err, h.Ready(c.ctx))
	c.stop(beforeChange, "changes the schema")
	if way < 19 && !c.endedByDatabase(sent, true) {
		c.w.db.trigger = !c.w.db.trigger
		if err != nil {
			u := c.w.judge.unheld(c, c.w.db.at()+1, true)
			defer func() { u.told = !c.proc.dead }()
		}
	}
	c.stop(afterChange, "has changed the schema: %v", c.w.db.trigger)
	if c.rng.IntN(100) < c.w.lost {
		h.AbandonAfterWriters(own)
	} else {
		_ = h.ReleaseAfterWriters(context.Background(), own) // another client may be the one that releases
	}
}

// endedByDatabase reports whether the database has ended a transaction that was last heard of at sent, because
// it was idle for two thirds of a lease.
func (c *client) endedByDatabase(sent time.Duration, transaction bool) bool {
	return c.w.shared && transaction && c.w.store.now-sent >= 2*lease/3
}

// stoodSince reports whether the process has stood still since, or couldn't renew its holds.
func (p *process) stoodSince(sent time.Duration) bool { return p.cut || p.stood >= sent }

// share makes this a run of several processes over one store, which see each other by it alone.
func (w *world) share() {
	w.shared = true
	w.Processes = 2 + w.rng.IntN(2)
	w.Clients = min(w.Clients, 2)
	w.pauses = []int{0, 4, 12}[w.rng.IntN(3)]
	w.cuts = []int{0, 0, 4}[w.rng.IntN(3)]
	w.restarts = []int{0, 0, 1}[w.rng.IntN(3)]
	w.lates = []int{0, 0, 5}[w.rng.IntN(3)]
	w.lull = []int{30, 100, 400}[w.rng.IntN(3)]
}

// meet makes most writers meet changes of the schema, or shapes that come into use, between what they are
// told and their commit, while processes stand still there.
func (w *world) meet() {
	w.haste, w.unanswered, w.losses, w.lost, w.forgets = []int{1, 4}[w.rng.IntN(2)], 0, 0, []int{0, 0, 5}[w.rng.IntN(3)], 0
	w.writes, w.long, w.Ops = 40, 300, 2*w.Ops
	w.pauses, w.cuts = []int{1, 4}[w.rng.IntN(2)], []int{0, 0, 3}[w.rng.IntN(3)]
	w.restarts, w.lates, w.lull = 0, 0, []int{30, 1000}[w.rng.IntN(2)]
	for _, p := range []place{afterTold, beforeHold, beforeReady, beforeCommit, afterCommit} {
		w.places[p] = w.rng.IntN(4) > 0
	}
}

// trouble sometimes does to processes and the store what happens to several only.
func (w *world) trouble() bool {
	for _, p := range w.procs {
		if w.steps >= p.wakes {
			w.wake(p)
		}
		if w.steps >= p.heals {
			w.heal(p)
		}
	}
	p := w.midway()
	switch n := w.rng.IntN(400); {
	case n < w.pauses:
		w.pause(p)
	case n < w.pauses+w.cuts:
		w.cut(p)
	case n < w.pauses+w.cuts+w.restarts:
		w.store.restart()
	case n >= 400-3*w.lates:
		w.store.deliver()
	default:
		return false
	}
	return true
}

// midway is some process: often one of which a client is in the middle of a write.
func (w *world) midway() *process {
	for range 4 {
		if c := w.clients[w.rng.IntN(len(w.clients))]; c.parked && !c.proc.dead && c.place >= beforeHold && c.place <= afterTold {
			return c.proc
		}
	}
	return w.procs[w.rng.IntN(len(w.procs))]
}

// recover lets all processes go on and end what they have to announce. It judges that they can.
func (w *world) recover() {
	w.unanswered, w.lates = 0, 0
	for len(w.store.late) > 0 {
		w.store.deliver()
	}
	for _, p := range w.procs {
		p.paused, p.cut = false, false
	}
	for range 24 { // three leases, and what they set going
		w.store.pass(lease / 8)
		w.rounds()
	}
	for _, p := range w.procs {
		if n := p.domain.Unannounced(); !p.dead && (n > 0 || len(p.retries) > 0) {
			w.judge.fail("process %d announces for ever: %d writes, %d steps", p.id, n, len(p.retries))
		}
		p.closes = true
	}
	w.rounds()
}

// rounds lets each keeper do what it has to do once.
func (w *world) rounds() {
	for _, p := range w.procs {
		for first := true; !p.dead && !p.keeper.ended && (first || p.keeper.place != keeping); first = false {
			if !p.keeper.parked || w.judge.err != nil {
				return
			}
			p.keeper.step()
			w.settle()
		}
	}
}

// ended reports whether all clients have, but for those that only keep.
func (w *world) ended() bool {
	return !slices.ContainsFunc(w.clients, func(c *client) bool { return !c.ended && c != c.proc.keeper && !c.proc.dead })
}
