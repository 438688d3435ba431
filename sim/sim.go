// Package sim runs the real coherence code under a scheduler that a seed decides:
// processes of several clients over one store and one database, with crashes,
// late messages, evictions and lapsing leases between any two steps. A judge
// compares every read with what the database would have answered.
//
// Clients are goroutines of which one runs at a time: each stops before every
// single-key operation of the store and every step of the database, until the
// scheduler picks it. The scheduler runs in a bubble of testing/synctest, by
// which it knows that all others have stopped, be it there or in a flight
// of another client. So a seed always gives the same run.
package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/larderdb/larder/coherence"
)

// A Config is one run. The zero value of a field is its default.
type Config struct {
	Seed      uint64
	Mutant    coherence.Mutant
	Ops       int  // of each client; 0 means 12
	Processes int  // at a time; 0 means 2
	Clients   int  // of each process; 0 means 1 to 3, by the seed
	Crashes   int  // at most; 0 means 2, -1 none
	Trace     bool // keep the trace, not only its hash
	Hasty     bool // the schema changes, and that doesn't wait for writers: a mutant of the session
	Images    Images

	// Mutants of the store: what is lost was held by nobody.
	TrustEmpty bool // … when it is restarted
	Unguarded  bool // … when a tag is evicted
}

func (c Config) withDefaults() Config {
	for _, f := range []struct {
		v    *int
		none int
	}{{&c.Ops, 12}, {&c.Processes, 2}, {&c.Crashes, 2}} {
		if *f.v == 0 {
			*f.v = f.none
		}
	}
	return c
}

// A Result is what came of a run.
type Result struct {
	Err   error // what the judge found wrong; nil if nothing
	Steps int
	Reads int
	Hits  int
	Older bool     // some writes could not be held: other processes may have read what was before
	Hash  uint64   // of the trace
	Trace []string // if it was asked for
	ops   []porcupine.Operation
}

const (
	relations = 3
	lease     = 30 * time.Second
	maxSteps  = 100_000
)

// Run runs c. It needs t for its bubble, and fails it only if the run can't be made.
func Run(t *testing.T, c Config) Result {
	t.Helper()
	c = c.withDefaults()
	var w *world
	synctest.Test(t, func(*testing.T) {
		w = newWorld(c)
		w.run()
	})
	r := Result{Err: w.judge.err, Steps: w.steps, Reads: w.judge.reads, Hits: w.judge.hits, Older: w.judge.excused, ops: w.judge.ops}
	r.Hash, r.Trace = w.trace.hash.Sum64(), w.trace.lines
	return r
}

// A world is one run: everything there is.
type world struct {
	Config
	rng        *rand.Rand          // the scheduler's
	sticky     float64             // how likely the same client goes on
	places     [lastPlace + 1]bool // where clients lie still
	long       int                 // for at most so many steps
	writes     int                 // of a hundred operations, how many write
	unanswered int                 // of a hundred messages to the store, how many are
	lost       int                 // of a hundred commits, how many are not answered
	haste      int                 // how often time passes, in 400 steps
	losses     int                 // how often an entry is evicted, in 400 steps; tokens are, half as often
	sets       []inRelations       // what relations reads and writes are of
	schema     bool                // it changes
	rows       []rowsWhere         // what reads are of, if they and writes are of rows
	forgets    int                 // of a hundred writes of rows, before how many the shapes in use are evicted
	shared     bool                // processes see each other by the store alone
	pauses     int                 // how often a process is stopped, or goes on, in 400 steps …
	cuts       int                 // … is cut off from the store, or reaches it again
	restarts   int                 // … and the store is restarted
	quiet      int                 // until this step nobody changes the schema, of several processes
	lull       int                 // for at most so many steps a process doesn't look after what it has to keep
	lates      int                 // of a hundred messages that change something, how many are done late, or twice
	burst      int                 // for so many steps the same client goes on
	shapes     int                 // that may be in use; 0 is the default
	procs      []*process
	clients    []*client // in the order of their birth
	running    sync.Map  // the clients by their goroutines
	last       *client   // the client that was picked last
	store      *simStore
	db         database
	judge      judge
	trace      trace
	steps      int
	crashed    int
}

func newWorld(c Config) *world {
	w := &world{Config: c, rng: rand.New(rand.NewPCG(c.Seed, 0))}
	w.sticky = []float64{0, 0.5, 0.5, 0.9}[w.rng.IntN(4)]
	w.long = 60
	w.writes = []int{5, 10, 20, 40}[w.rng.IntN(4)]
	for i := range w.places {
		w.places[i] = w.rng.IntN(4) == 0
	}
	if w.Clients == 0 {
		w.Clients = 1 + w.rng.IntN(3)
	}
	w.lost = []int{5, 50}[w.rng.IntN(2)]
	w.unanswered = []int{0, 0, 0, 3}[w.rng.IntN(4)]
	w.losses = []int{0, 1, 8}[w.rng.IntN(3)]
	w.haste = []int{12, 40}[w.rng.IntN(2)]
	w.sets = relationSets[:[]int{1, 2, 4, len(relationSets)}[w.rng.IntN(4)]]
	rows := w.Mutant.OfShapes() || w.Mutant == coherence.RememberedShapes || w.Images != BothImages
	if !w.Hasty && !w.Unguarded && w.rng.IntN(2) == 0 || w.Mutant.OfProcesses() || w.TrustEmpty {
		w.share()
	}
	switch {
	case !rows && w.rng.IntN(3) == 0 || w.Hasty || w.ofSchema():
		w.changeSchema()
	case rows || w.rng.IntN(2) == 0:
		w.changeRows()
	}
	if w.shared && (w.Mutant.OfProcesses() || w.rng.IntN(2) == 0) {
		w.meet()
	}
	if w.Unguarded { // few other runs show it
		w.losses, w.haste, w.places[beforeCommit] = 40, 1, true
	}
	w.store = newStore(w)
	w.db.init()
	w.judge.db = &w.db
	w.trace.init(c.Trace)
	for range w.Processes {
		w.startProcess(w.Ops)
	}
	return w
}

// ofSchema reports whether the step that is left out is one of changes of the schema.
func (w *world) ofSchema() bool {
	switch w.Mutant {
	case coherence.HastySchema, coherence.LapsedSchema, coherence.EternalReliance, coherence.UnheldMove:
		return true
	}
	return false
}

// changeSchema makes this a run in which the schema changes: of one process, for a
// change doesn't wait for the writers of others, or of several that share the store.
func (w *world) changeSchema() {
	w.schema = true
	if !w.shared {
		w.Processes, w.Clients = 1, max(w.Clients, 3)
	}
	w.sets, w.writes, w.lost, w.losses = relationSets[:2], 30, 5, 0
	w.places[afterTold], w.long = true, 300
}

// changeRows makes this a run of reads and writes of rows.
func (w *world) changeRows() {
	w.rows, w.Ops = someRows(w.rng), 2*w.Ops
	w.long = []int{60, 300}[w.rng.IntN(2)]
	w.shapes = []int{0, 1, 2}[w.rng.IntN(3)]
	w.forgets = []int{0, 10, 40}[w.rng.IntN(3)]
	w.writes = []int{10, 30, 60}[w.rng.IntN(3)]
	switch w.Mutant {
	case coherence.MembersBeforeHold, coherence.ShapeUnderHold, coherence.JoinWithoutToken:
		w.narrow() // few other runs show them
	default:
		if w.rng.IntN(2) == 0 {
			w.narrow()
		}
	}
}

// narrow makes most clients meet at one shape that comes into use again and again.
func (w *world) narrow() {
	w.rows, w.sticky, w.long = w.rows[:1], 0.9, 200
	w.writes, w.forgets = 30, 50
	w.lost, w.losses, w.unanswered, w.haste = 5, 0, 0, 4
	w.Clients = 2
	for _, p := range []place{beforeMark, beforeCommit, beforeJoin} {
		w.places[p] = w.rng.IntN(4) > 0
	}
}

// run lets one client after the other take a step, until all have ended.
func (w *world) run() {
	for w.judge.err == nil {
		synctest.Wait()
		ready := w.ready()
		if len(ready) == 0 || w.shared && w.ended() {
			break
		}
		if w.steps++; w.steps > maxSteps {
			w.judge.fail("the run doesn't end")
			break
		}
		if w.disturb() || w.shared && w.trouble() {
			continue
		}
		if c := w.pick(ready); c.step() {
			w.settle()
			w.rest(c)
		}
	}
	if w.judge.err == nil {
		w.atEnd()
	}
	w.killAll()
}

// settle waits until all clients have stopped.
func (w *world) settle() { synctest.Wait() }

// ready returns the clients that wait to be picked. If only clients of processes that are stopped
// do, these go on.
func (w *world) ready() []*client {
	ready := w.readyOf(false)
	if !slices.ContainsFunc(ready, func(c *client) bool { return c != c.proc.keeper }) {
		for _, p := range w.procs {
			if p.paused {
				w.wake(p)
			}
		}
		ready = w.readyOf(false)
	}
	return ready
}

func (w *world) readyOf(stopped bool) []*client {
	var ready []*client
	for _, c := range w.clients {
		if c.parked && (stopped || !c.proc.paused) {
			ready = append(ready, c)
		}
	}
	return ready
}

// pick chooses who goes on: often who went last, and not who lies still while
// others don't. A client that lies still for long is what most races need.
func (w *world) pick(ready []*client) *client {
	if w.burst > 0 && w.last.parked && !w.last.proc.paused {
		w.burst--
		return w.last
	}
	if w.last != nil && w.last.parked && !w.last.proc.paused && w.last.still <= w.steps && w.rng.Float64() < w.sticky {
		return w.last
	}
	awake := slices.DeleteFunc(slices.Clone(ready), func(c *client) bool { return c.still > w.steps })
	if len(awake) == 0 {
		awake = ready
	}
	return awake[w.rng.IntN(len(awake))]
}

// rest sometimes lets a client lie still that has come to one of the run's places.
func (w *world) rest(c *client) {
	if w.places[c.place] && w.rng.IntN(2) == 0 {
		c.still = w.steps + w.rng.IntN(w.long)
	}
}

// disturb sometimes lets something else happen than a client's step.
func (w *world) disturb() bool {
	switch n := w.rng.IntN(400); {
	case n < w.losses:
		w.store.evictEntry()
	case n < w.losses*3/2:
		w.store.evictTag(slices.Sorted(maps.Keys(w.store.tokens)))
	case n < w.losses*3/2+w.haste:
		w.db.lateCommits(w)
		w.store.pass(time.Duration(w.rng.Int64N(int64(w.longest()))))
	case n >= 392:
		w.db.lateCommits(w)
	case n >= 386 && w.crashed < w.Crashes:
		w.crash(w.victim())
	default:
		return false
	}
	return true
}

// longest is how much time may pass at once.
func (w *world) longest() time.Duration {
	if w.shared && w.rng.IntN(2) == 0 {
		return lease / 2
	}
	return 2 * lease
}

// forget sometimes evicts the shapes in use just before a writer asks for them,
// who then goes on for some steps. Readers who are about to join one lie still.
func (w *world) forget() {
	if w.rng.IntN(100) >= w.forgets {
		return
	}
	w.store.evictTag(slices.Sorted(maps.Keys(w.store.members)))
	w.burst = w.rng.IntN(10)
	for _, c := range w.clients {
		if c.parked && c.place == beforeJoin {
			c.still = w.steps + w.burst + w.rng.IntN(20)
		}
	}
}

// victim is the process that crashes: often one that has committed and not released.
func (w *world) victim() *process {
	for _, c := range w.clients {
		if c.parked && c.place == afterCommit && w.rng.IntN(2) == 0 {
			return c.proc
		}
	}
	return w.procs[w.rng.IntN(len(w.procs))]
}

// atEnd judges what must be when all clients have ended: nobody is left waiting,
// and once the leases have lapsed nothing is held any more.
func (w *world) atEnd() {
	if w.shared {
		w.recover()
	}
	for _, c := range w.clients {
		if !c.ended && !c.proc.dead {
			w.judge.fail("client %v waits for ever", c)
			return
		}
	}
	w.db.lateCommits(w)
	w.store.pass(2 * lease)
	for _, tag := range slices.Sorted(maps.Keys(w.store.holds)) {
		for id := range w.store.holds[tag] {
			w.judge.fail("%s is held for ever, by %x", tag, id)
			return
		}
	}
}

// killAll ends the clients that are left, so that the bubble can be left.
func (w *world) killAll() {
	for _, p := range w.procs {
		p.dead = true
	}
	for {
		synctest.Wait()
		ready := w.readyOf(true)
		if len(ready) == 0 {
			return
		}
		for _, c := range ready {
			c.zombie = false
			c.step()
			synctest.Wait() // one after the other: what it leaves behind may do without a client
		}
	}
}

// shortest returns c with the fewest operations that still fail.
func (c Config) shortest(t *testing.T) Config {
	t.Helper()
	for n := 1; n < c.withDefaults().Ops; n++ {
		short := c
		short.Ops = n
		if Run(t, short).Err != nil {
			return short
		}
	}
	return c
}

// replay is the command that repeats the run with its trace.
func (c Config) replay() string { return "go test ./sim -run TestSeeds -v " + c.String() }

// String names the run by the flags that repeat it.
func (c Config) String() string {
	s := fmt.Sprintf("-seed %d", c.Seed)
	if c.Ops != 0 {
		s += fmt.Sprintf(" -ops %d", c.Ops)
	}
	if c.Mutant != coherence.NoMutant {
		s += " -mutant " + c.Mutant.String()
	}
	if c.TrustEmpty {
		s += " -trustempty"
	}
	if c.Unguarded {
		s += " -unguarded"
	}
	if c.Images != BothImages {
		s += " -images " + c.Images.String()
	}
	return s
}
