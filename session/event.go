package session

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
)

// An Event tells what became of one statement, or of one thing that is made from reads.
type Event struct {
	Kind     coherence.Kind
	Text     string // the statement, or the name of what was made
	Args     int    // how many arguments it had; their values are not told
	Write    bool
	Outcome  coherence.Outcome // of a read
	Reason   analyze.Reason    // why a read was a bypass or wasn't kept
	Detail   string            // more of the Reason; of what was made, why it wasn't kept
	Reads    []string          // the relations it depends on
	Writes   []string          // the relations it announced; "*" is all of them
	Database time.Duration     // spent in the database; 0 for a hit
	Total    time.Duration
	Rows     int // rows read ahead or replayed
	Bytes    int // their size in memory
	Err      error
}

// EventOf is the event of something that is made from reads.
func EventOf(m coherence.Made) Event {
	return Event{Kind: m.Kind, Text: m.Name, Outcome: m.Outcome, Detail: m.Why, Total: m.Total, Bytes: m.Bytes, Err: m.Err}
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
		for r := range s.reasons {
			if n := s.reasons[r].Load(); n > 0 {
				t.Reasons[analyze.Reason(r)] += n
			}
		}
	}
	return t
}

// An observation is an event in the making; without an observer it costs nothing.
type observation struct {
	on    bool
	start time.Time
	db    time.Duration
	asked time.Time

	reason analyze.Reason // why a read doesn't ask the cache, if that is known
}

func (s *Session) observe() observation {
	if s.src.Observe == nil {
		return observation{}
	}
	return observation{on: true, start: time.Now()}
}

// ask and answered enclose the time spent in the database.
func (o *observation) ask() {
	if o.on {
		o.asked = time.Now()
	}
}

func (o *observation) answered() {
	if o.on {
		o.db += time.Since(o.asked)
	}
}

// sawRead counts a read and tells the observer.
func (s *Session) sawRead(ctx context.Context, o *observation, c *call, outcome coherence.Outcome, reason analyze.Reason, p *planned, set *rowSet, err error) {
	s.count.outcomes[outcome].Add(1)
	if reason != analyze.Cacheable {
		s.count.reasons[reason].Add(1)
	}
	if !o.on {
		return
	}
	e := Event{Text: c.text, Args: len(c.args), Outcome: outcome, Reason: reason, Database: o.db, Total: time.Since(o.start), Err: err}
	if p != nil {
		e.Reads = relationTexts(p.plan.Reads)
		if p.plan.Reason == reason {
			e.Detail = p.plan.Detail
		}
	}
	if set != nil {
		e.Rows, e.Bytes = set.rows, set.size
	}
	s.src.Observe(ctx, e)
}

// sawWrite counts a write and tells the observer. A read that took this way, because
// nothing showed that it writes nothing, and that turned out to write nothing, is a bypass.
func (s *Session) sawWrite(ctx context.Context, o *observation, c *call, e *effect, err error) {
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
	if !o.on {
		return
	}
	s.src.Observe(ctx, Event{Text: c.text, Args: len(c.args), Write: true, Writes: e.names(), Database: o.db, Total: time.Since(o.start), Err: err})
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
