package session

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// An Event tells what became of one statement, or of one thing that is made from reads.
type Event struct {
	Kind        coherence.Kind
	Text        string // the statement, or the name of what was made
	Shape       string // Text without literals and comments
	Fingerprint string // of Shape: 16 hexadecimal digits, the same in every process
	Dialect     string // of the statement: "postgres", "mysql" or "sqlite"
	Args        int    // how many arguments it had; their values are not told

	Write    bool
	Outcome  coherence.Outcome // of a read
	Reason   analyze.Reason    // why a read was a bypass or wasn't kept
	Detail   string            // more of the Reason; of what was made, why it wasn't kept; of a write, why it is Wide
	Cause    coherence.Cause   // why a miss was one
	Reads    []string          // the relations it depends on; shared, not to be changed
	Whole    []string          // of Reads, those of which it depends on every row; likewise
	Writes   []string          // the relations it announced; "*" is all of them
	Wide     []string          // of Writes, those of which it removed the results of more rows than it changed
	Tags     int               // of a miss that may be kept: how many tags its result has
	Check    Check             // of a hit: what came of asking the database as well
	Database time.Duration     // spent in the database; 0 for a hit
	Store    time.Duration     // spent on planning, looking and keeping
	Total    time.Duration     // without that of who is told of a write before it returns
	Rows     int               // rows read ahead or replayed
	Bytes    int               // their size in memory
	Weight   int               // how many events it stands for: see Watchers.AddSampled; 1 for all that aren't sampled
	Err      error
}

// EventOf is the event of something that is made from reads.
func EventOf(m coherence.Made) Event {
	return Event{Kind: m.Kind, Text: m.Name, Shape: m.Name, Fingerprint: analyze.Fingerprint(m.Kind.String() + " " + m.Name), Outcome: m.Outcome, Detail: m.Why, Total: m.Total, Bytes: m.Bytes, Weight: 1, Err: m.Err}
}

// Counters count what sessions do. They are striped, so that counting costs
// little on many cores.
type Counters struct {
	stripes [stripes]stripe
	next    atomic.Uint32
}

const stripes = 8

type stripe struct {
	outcomes  [coherence.Held + 1]atomic.Int64
	reasons   [analyze.Unprofitable + 1]atomic.Int64
	writes    atomic.Int64
	wide      atomic.Int64
	abandoned atomic.Int64
	checks    [Unsure + 1]atomic.Int64
	stuck     atomic.Int64
	_         [64]byte
}

// stripe gives a session its own.
func (c *Counters) stripe() *stripe {
	return &c.stripes[c.next.Add(1)%stripes]
}

// Totals is the sum of what was counted.
type Totals struct {
	Hits, Misses, Held, Bypasses int64
	Reasons                      map[analyze.Reason]int64 // of bypasses, and of misses that were not kept
	Writes                       int64                    // statements outside of transactions, and transactions, that announced something
	WideWrites                   int64                    // of these, the ones that announced all relations
	Abandoned                    int64                    // writes of unknown outcome
	Same, Different, Unsure      int64                    // checks of hits
	Stuck                        int64                    // … and of writes, whose holds stood after they had ended
}

// Totals adds the counters up.
func (c *Counters) Totals() Totals {
	t := Totals{Reasons: make(map[analyze.Reason]int64)}
	for i := range c.stripes {
		s := &c.stripes[i]
		t.Bypasses += s.outcomes[coherence.Bypass].Load()
		t.Hits += s.outcomes[coherence.Hit].Load()
		t.Misses += s.outcomes[coherence.Miss].Load()
		t.Held += s.outcomes[coherence.Held].Load()
		t.Writes += s.writes.Load()
		t.WideWrites += s.wide.Load()
		t.Abandoned += s.abandoned.Load()
		t.Same += s.checks[Same].Load()
		t.Different += s.checks[Different].Load()
		t.Unsure += s.checks[Unsure].Load()
		t.Stuck += s.stuck.Load()
		for r := range s.reasons {
			if n := s.reasons[r].Load(); n > 0 {
				t.Reasons[analyze.Reason(r)] += n
			}
		}
	}
	return t
}

// An observation is an event in the making; without a listener it costs nothing.
type observation struct {
	to    *listeners // nil: nobody listens
	quiet bool       // should it be a hit, others are told for it
	start time.Time
	told  time.Duration // that listeners of what was written had taken before
	db    time.Duration
	asked time.Time
	cause coherence.Cause
	tags  int
	check Check

	reason analyze.Reason // why a read doesn't ask the cache, if that is known
}

func (s *Session) observe(q *query) observation {
	to := s.src.Watchers.now()
	switch {
	case to == nil:
		return observation{}
	case to.sampled && q.told.Load() >= toldAll && rand.Uint32()%sampleOf != 0:
		return observation{to: to, quiet: true, told: s.telling}
	}
	return observation{to: to, start: time.Now(), told: s.telling}
}

// weight is how many hits one that is told stands for.
func (o *observation) weight(q *query) int {
	switch {
	case o.quiet:
		return 0
	case o.to.sampled && q.told.Load() >= toldAll:
		return sampleOf
	}
	q.told.Add(1)
	return 1
}

// ask and answered enclose the time spent in the database.
func (o *observation) ask() {
	if o.to != nil {
		o.asked = time.Now()
		if o.start.IsZero() {
			o.start = o.asked
		}
	}
}

func (o *observation) answered() {
	if o.to != nil {
		o.db += time.Since(o.asked)
	}
}

// missed notes why a read missed, before the database is asked.
func (o *observation) missed(r *coherence.Read) {
	if o.to != nil {
		o.cause, o.tags = o.to.trail.Why(r), r.Tags()
		o.cause.Shape, _ = confine.Shape(o.cause.Shape)
	}
}

// kept notes that a read was kept.
func (o *observation) kept(r *coherence.Read, reason analyze.Reason, ttl time.Duration) {
	if o.to != nil && reason == analyze.Cacheable {
		o.to.trail.Kept(r, ttl)
	}
}

// event begins the event of a call.
func (o *observation) event(c *call, err error) Event {
	var total time.Duration
	if !o.start.IsZero() {
		total = time.Since(o.start)
	}
	seen := c.seen()
	return Event{Text: c.text, Shape: seen.shape, Fingerprint: seen.fingerprint, Dialect: string(c.st.Dialect), Args: len(c.args), Database: o.db, Store: total - o.db, Total: total, Weight: 1, Err: err}
}

// sawRead counts a read and tells the listeners.
func (s *Session) sawRead(ctx context.Context, o *observation, c *call, outcome coherence.Outcome, reason analyze.Reason, p *planned, set *rowSet, err error) {
	s.count.outcomes[outcome].Add(1)
	if reason != analyze.Cacheable {
		s.count.reasons[reason].Add(1)
	}
	if o.to == nil || o.quiet && outcome == coherence.Hit && o.check == Unchecked {
		return
	}
	e := o.event(c, err)
	if outcome == coherence.Hit {
		e.Weight = o.weight(c.query)
	}
	e.Outcome, e.Reason, e.Cause, e.Tags, e.Check = outcome, reason, o.cause, o.tags, o.check
	if p != nil && p.plan != nil {
		e.Reads, e.Whole = p.reads, p.unconfined
		if p.plan.Reason == reason {
			e.Detail = p.plan.Detail
		}
	}
	if set != nil {
		e.Rows, e.Bytes = set.rows, set.size
	}
	o.to.tell(ctx, e)
}

// sawWrite counts a write and tells the listeners. A read that took this way, because
// nothing showed that it writes nothing, and that turned out to write nothing, is a bypass.
func (s *Session) sawWrite(ctx context.Context, o *observation, c *call, w *write, err error) {
	e := &w.effect
	if e.none() && c.st.Kind == analyze.Read {
		s.sawRead(ctx, o, c, coherence.Bypass, o.why(c.st), nil, nil, err)
		return
	}
	if !e.none() && !s.tx.open {
		s.count.writes.Add(1)
		if e.wide {
			s.count.wide.Add(1)
		}
	}
	if o.to == nil {
		return
	}
	if !o.start.IsZero() {
		o.start = o.start.Add(s.telling - o.told)
	}
	event := o.event(c, err)
	event.Write, event.Writes = true, e.names()
	event.Wide, event.Detail = w.widely()
	o.to.tell(ctx, event)
}

// why is the Reason of a read that was taken for a write.
func (o *observation) why(st *analyze.Statement) analyze.Reason {
	switch {
	case o.reason != analyze.Cacheable:
		return o.reason
	case st.Reason != analyze.Cacheable:
		return st.Reason
	}
	return analyze.NotRead
}
