package dash

import (
	"context"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder"
)

// How much a tally keeps at most: shapes and relations, beyond which all are one; writers that removed results of
// one shape; events; and samples.
const (
	maxShapes   = 500
	maxCauses   = 12
	maxEvents   = 40
	maxPoints   = 600 // one a second
	maxSparks   = 120 // one in sparkEvery seconds
	sparkEvery  = 5
	otherShapes = "other"
)

// mostSpent is how much longer than the database looking and keeping may take, to be told as a cost of theirs: what a new connection,
// or the catalog, has taken, isn't.
const mostSpent = 100 * time.Microsecond

// A tally adds up the events of a cache. hear is on the way of every statement: it takes no lock for a hit.
type tally struct {
	began   time.Time
	shapeOf sync.Map // fingerprint to *shape
	hits    histogram
	misses  histogram
	servers

	mu        sync.Mutex // guards the rest
	count     int        // of shapes
	all       []*shape
	relations map[string]*relation
	recent    []note // the newest last
	notes     int64  // that there ever were
	points    []point
	samples   int
	saved     time.Duration // of database time, since began
}

func newTally() *tally {
	return &tally{began: time.Now(), relations: make(map[string]*relation)}
}

// A shape is what became of the statements of one shape, or of values, fragments or pages of one sort.
type shape struct {
	fingerprint string
	kind        larder.Kind
	write       bool
	text        string // without literals
	reads       []string
	whole       []string // of reads, those of which it depends on every row

	outcomes [larder.OutcomeHeld + 1]atomic.Int64
	hits     histogram
	misses   histogram
	database atomic.Int64 // nanoseconds of all misses
	bypassed atomic.Int64 // nanoseconds in the database of all bypasses
	spent    atomic.Int64 // nanoseconds that looking and keeping took, for what was no hit
	bytes    atomic.Int64 // of the entry, when it was last seen
	writes   atomic.Int64
	checked  atomic.Int64
	wrong    atomic.Int64
	errors   atomic.Int64

	mu       sync.Mutex       // guards the rest
	example  string           // one text as it was
	various  int64            // misses of a text without arguments that wasn't that of the one before
	detail   string           // of the Reason …
	detailOf string           // … that this is
	why      map[string]int64 // of misses and bypasses
	causes   map[cause]int64
	spark    []spark
	sampled  [2]int64 // hits and other reads at the last spark
	counted  int64    // hits that are in saved
	saved    time.Duration
}

// A cause is what removed a result.
type cause struct{ relation, by string }

// A relation is what was written to it.
type relation struct {
	name    string
	writes  int64
	removed int64         // results that were asked for again
	lost    time.Duration // what the database took for these
	sampled int64
	rate    float64
	wide    int64 // writes that removed more than the results of the rows that they changed
	wides   map[wideWrite]int64
}

// A wideWrite is why a write was wide, and the fingerprint of its statement.
type wideWrite struct{ why, by string }

// hear adds an event.
func (t *tally) hear(_ context.Context, e larder.Event) {
	s := t.shape(&e)
	if e.Write {
		s.writes.Add(1)
		if e.Err != nil {
			s.errors.Add(1)
		}
		t.wrote(s, &e)
		return
	}
	n := int64(e.Weight)
	s.outcomes[e.Outcome].Add(n)
	if e.Outcome == larder.OutcomeHit {
		s.hits.add(e.Total, n)
		t.hits.add(e.Total, n)
		if s.bytes.Load() != int64(e.Bytes) {
			s.bytes.Store(int64(e.Bytes))
		}
		if e.Check != larder.Unchecked {
			t.checked(s, &e)
		}
		return
	}
	s.misses.add(e.Total, n)
	t.misses.add(e.Total, n)
	t.missed(s, &e)
}

// shape finds or makes the shape of an event.
func (t *tally) shape(e *larder.Event) *shape {
	if s, ok := t.shapeOf.Load(e.Fingerprint); ok {
		return s.(*shape)
	}
	if s, full := t.shapeOf.Load(otherShapes); full {
		return s.(*shape)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	made := &shape{fingerprint: e.Fingerprint, kind: e.Kind, write: e.Write, text: strings.Clone(e.Shape), reads: e.Reads, whole: e.Whole,
		why: make(map[string]int64), causes: make(map[cause]int64)}
	if t.count >= maxShapes {
		made.fingerprint, made.kind, made.text, made.write, made.reads, made.whole = otherShapes, larder.KindStatement, "everything else", false, nil, nil
	}
	s, known := t.shapeOf.LoadOrStore(made.fingerprint, made)
	if !known {
		t.all = append(t.all, made)
		t.count++
	}
	return s.(*shape)
}

// missed adds a read that was answered by the database, or made anew.
func (t *tally) missed(s *shape, e *larder.Event) {
	spent := e.Database
	if e.Kind != larder.KindStatement {
		spent = e.Total
	}
	why := whyOf(e)
	if e.Outcome != larder.OutcomeBypass {
		s.database.Add(int64(spent))
	} else {
		s.bypassed.Add(int64(spent))
	}
	if e.Outcome != larder.OutcomeBypass || why == "unprofitable" {
		s.spent.Add(int64(min(e.Store, e.Database+mostSpent)))
	}
	if e.Err != nil {
		s.errors.Add(1)
	}
	s.mu.Lock()
	if e.Args == 0 && e.Outcome == larder.OutcomeMiss && s.example != "" && s.example != e.Text {
		s.various++
	}
	s.example = e.Text
	if len(e.Whole) > 0 {
		s.whole = e.Whole
	}
	if e.Detail != "" {
		s.detail, s.detailOf = e.Detail, why
	}
	count(s.why, why)
	if e.Cause.Why == larder.WhyChanged {
		count(s.causes, cause{e.Cause.Relation, e.Cause.By})
	}
	s.mu.Unlock()
	if e.Bytes > 0 {
		s.bytes.Store(int64(e.Bytes))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Cause.Why == larder.WhyChanged {
		if r := t.relationLocked(e.Cause.Relation); r != nil {
			r.removed++
			r.lost += spent
		}
	}
	t.noteLocked(s, e, why)
}

// whyOf says in a word why a read was not answered from the cache.
func whyOf(e *larder.Event) string {
	switch {
	case e.Outcome == larder.OutcomeHeld:
		return "held"
	case e.Reason != larder.Reason(0):
		return e.Reason.String()
	case e.Cause.Why != larder.WhyUntold:
		return e.Cause.Why.String()
	case e.Detail != "":
		return e.Detail
	}
	return "not kept before"
}

// wrote adds a write.
func (t *tally) wrote(s *shape, e *larder.Event) {
	s.mu.Lock()
	s.example = e.Text
	s.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range e.Writes {
		if r := t.relationLocked(name); r != nil {
			r.writes++
		}
	}
	for _, name := range e.Wide {
		if r := t.relationLocked(name); r != nil {
			r.wide++
			count(r.wides, wideWrite{e.Detail, e.Fingerprint})
		}
	}
	t.noteLocked(s, e, "")
}

// checked adds what came of asking the database for a hit.
func (t *tally) checked(s *shape, e *larder.Event) {
	switch e.Check {
	case larder.CheckSame:
		s.checked.Add(1)
	case larder.CheckDifferent:
		s.checked.Add(1)
		s.wrong.Add(1)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.noteLocked(s, e, "wrong")
	}
}

// relationLocked finds or makes a relation; nil if there are too many.
func (t *tally) relationLocked(name string) *relation {
	r := t.relations[name]
	if r == nil && len(t.relations) < maxShapes {
		r = &relation{name: name, wides: make(map[wideWrite]int64)}
		t.relations[name] = r
	}
	return r
}

// count counts in a map that doesn't grow for ever.
func count[K comparable](m map[K]int64, key K) {
	if _, ok := m[key]; ok || len(m) < maxCauses {
		m[key]++
		return
	}
	var other K
	m[other]++
}

// A histogram counts durations in steps of a factor of two, from a microsecond on.
type histogram struct {
	steps [histogramSteps]atomic.Int64
	sum   atomic.Int64 // nanoseconds
}

const histogramSteps = 25

// add counts n durations of d.
func (h *histogram) add(d time.Duration, n int64) {
	h.steps[min(bits.Len64(uint64(max(d, 0))/1000), histogramSteps-1)].Add(n)
	h.sum.Add(int64(d) * n)
}

// counts are the steps: the n-th is of durations below 2ⁿ microseconds.
func (h *histogram) counts() []int64 {
	list := make([]int64, histogramSteps)
	for i := range list {
		list[i] = h.steps[i].Load()
	}
	return list
}

func (h *histogram) count() (n int64) {
	for i := range h.steps {
		n += h.steps[i].Load()
	}
	return n
}

// mean is in microseconds; 0 if there is none.
func (h *histogram) mean() float64 {
	if n := h.count(); n > 0 {
		return float64(h.sum.Load()) / float64(n) / 1000
	}
	return 0
}
