package sim

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

// A judge compares each read with the database's log: what the read has
// returned must be what the database would have answered at some moment
// between the read's beginning and its end. That is the whole of the promise; it
// contains that no read is older than a write acknowledged, or a read ended,
// before it began. The history is kept for porcupine, which knows no log.
type judge struct {
	db    *database
	time  int64
	begun map[int64]int // the number of commits at each beginning of which the client knows at least
	reads int
	hits  int
	ops   []porcupine.Operation
	err   error

	older   []*unheldWrite // of which other processes may not know yet
	excused bool           // there were some
}

// An unheldWrite was made although its process couldn't be sure that the store had its marks. Until the
// store was told of it, other processes may read what was before.
type unheldWrite struct {
	proc    *process
	version int
	fenced  bool // its process knew before it made it, and reads nothing from the store
	told    bool // the store was, or will be as soon as it can
}

// unheld notes that what c has just changed may not be held.
func (j *judge) unheld(c *client, version int, fenced bool) *unheldWrite {
	u := &unheldWrite{proc: c.proc, version: version, fenced: fenced}
	j.excused, j.older = true, append(j.older, u)
	c.w.trace.add(c.w.steps, "%v may not hold %d", c, version)
	return u
}

// announced forgets the writes of which the store was told meanwhile: their process has none left.
// If it has died before, nobody tells it.
func (j *judge) announced() {
	j.older = slices.DeleteFunc(j.older, func(u *unheldWrite) bool {
		return !u.proc.dead && u.told && u.proc.domain.Unannounced() == 0 && len(u.proc.retries) == 0
	})
}

// oldest is the number of commits of which a process knows at least.
func (j *judge) oldest(p *process) int {
	j.announced()
	at := j.db.at()
	for _, u := range j.older {
		if u.proc != p || !u.fenced && !u.told {
			at = min(at, u.version-1)
		}
	}
	return at
}

// A writeOp is a write that the database has committed.
type writeOp struct {
	index   int // in ops
	version int
}

func (j *judge) fail(format string, args ...any) {
	if j.err == nil {
		j.err = fmt.Errorf("sim: "+format, args...)
	}
}

// begin returns the time at which an operation begins.
func (j *judge) begin(c *client) int64 {
	j.time++
	if j.begun == nil {
		j.begun = make(map[int64]int)
	}
	j.begun[j.time] = j.oldest(c.proc)
	return j.time
}

// read judges a read that ends now.
func (j *judge) read(c *client, began int64, q question, got state, hit bool) {
	j.time++
	j.reads++
	if hit {
		j.hits++
	}
	j.ops = append(j.ops, porcupine.Operation{
		ClientId: c.id, Input: input{asks: q}, Output: got, Call: began, Return: j.time,
	})
	c.w.trace.add(c.w.steps, "%v has read %v of %v, hit %v", c, got, q, hit)
	for at := j.begun[began]; at <= j.db.at(); at++ {
		if q.of(j.db.log[at]) == got {
			return
		}
	}
	j.fail("client %v has read %v of %v (hit: %v), which the database was not at any moment of the read: %v at its beginning, %v at its end",
		c, got, q, hit, q.of(j.db.log[j.begun[began]]), q.of(j.db.now()))
}

// wrote notes a write that has become visible, and may never be acknowledged.
func (j *judge) wrote(c *client, began int64, ch change, version int) *writeOp {
	j.ops = append(j.ops, porcupine.Operation{
		ClientId: c.id, Input: input{writes: ch, version: version}, Call: began, Return: math.MaxInt64,
	})
	return &writeOp{len(j.ops) - 1, version}
}

// acked notes that a write is acknowledged.
func (j *judge) acked(op *writeOp) {
	j.time++
	j.ops[op.index].Return = j.time
}

// An input is a question, or a change of some version.
type input struct {
	asks    question
	writes  change
	version int
}

// model is a database without a cache, for porcupine.
var model = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(now, in, out any) (bool, any) {
		s, op := now.(state), in.(input)
		if op.asks != nil {
			return op.asks.of(s) == out.(state), s
		}
		return true, op.writes.apply(s, op.version)
	},
}

// Linearizable asks porcupine about the run's history.
func (r Result) Linearizable() bool { return porcupine.CheckOperations(model, r.ops) }

// A trace is what happened, in order.
type trace struct {
	hash  hash.Hash64
	keep  bool
	lines []string
}

func (t *trace) init(keep bool) { t.hash, t.keep = fnv.New64a(), keep }

func (t *trace) add(step int, format string, args ...any) {
	line := fmt.Sprintf("%5d ", step) + fmt.Sprintf(format, args...)
	t.hash.Write([]byte(line))
	if t.keep {
		t.lines = append(t.lines, line)
	}
}
