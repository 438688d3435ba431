package predict

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/cmd/larder/sqltext"
)

// A tally is what a model counts.
type tally struct {
	calls, reads, writes, others, elsewhere, connections int

	asked, hits, bypassed    int
	neverRead, removed, gone int
	spent, saved             time.Duration
	reasons                  map[reasonKey]*Why
	assumed                  map[string]int
	end                      time.Time
	late                     []point
}

// A point is what was counted when so many reads had asked.
type point struct{ asked, hits int }

type reasonKey struct {
	reason analyze.Reason
	detail string
}

// A Shape is what statements did that differ in their values only.
type Shape struct {
	Text  string        `json:"text"`
	Write bool          `json:"write"`
	Calls int           `json:"calls"`
	Asked int           `json:"asked"` // the cache, by reads
	Hits  int           `json:"hits"`
	Took  time.Duration `json:"database_ns"`
	Saved time.Duration `json:"saved_ns"` // of Took, by hits

	Reason    string `json:"reason,omitempty"` // why it isn't cached
	NeverRead int    `json:"misses_never_read"`
	Removed   int    `json:"misses_removed"`            // … since a write had removed the result
	Gone      int    `json:"misses_evicted_or_expired"` // …
	RemovedBy string `json:"removed_by,omitempty"`      // the write that did so most often
	Removes   int    `json:"removes"`                   // of a write: how many results that were asked for again
	AnyRow    bool   `json:"any_row,omitempty"`         // of a write: it can't be told which rows of a relation
	Wide      bool   `json:"wide,omitempty"`            // … or which relations
	removedBy map[*Shape]int
}

// A Why is a reason for which reads weren't cached.
type Why struct {
	Reason string        `json:"reason"`
	Detail string        `json:"detail,omitempty"`
	Reads  int           `json:"reads"`
	Took   time.Duration `json:"database_ns"`
}

// A Report is what a model predicts.
type Report struct {
	From        time.Time `json:"from,omitzero"`
	To          time.Time `json:"to,omitzero"`
	Statements  int       `json:"statements"`
	Reads       int       `json:"reads"`
	Writes      int       `json:"writes"`
	Others      int       `json:"others"` // BEGIN, SET, …
	Connections int       `json:"connections"`
	Elsewhere   int       `json:"elsewhere,omitempty"` // statements of other databases

	Asked        int     `json:"cacheable"` // reads that would ask the cache
	Bypassed     int     `json:"bypasses"`  // reads that would not
	Hits         int     `json:"hits"`
	HitRatio     float64 `json:"hit_ratio"`      // of reads that would ask the cache, from a cold start
	WarmHitRatio float64 `json:"warm_hit_ratio"` // … in the second half of the log
	OfAllReads   float64 `json:"hits_of_all_reads"`

	Timed bool          `json:"timed"` // the log tells how long statements took
	Took  time.Duration `json:"database_ns"`
	Saved time.Duration `json:"saved_ns"`

	NeverRead int `json:"misses_never_read"`
	Removed   int `json:"misses_removed"`
	Gone      int `json:"misses_evicted_or_expired"`

	Shapes      []*Shape `json:"reads_by_shape"`
	WriteShapes []*Shape `json:"writes_by_shape"`
	Reasons     []*Why   `json:"reasons"`
	Assumptions []string `json:"assumptions"`
}

// maxShapes bounds the shapes that are told apart; all others are one.
const maxShapes = 10_000

func (m *Model) shape(text string) *Shape {
	text = sqltext.Shape(m.options.Dialect, text)
	s := m.shapes[text]
	switch {
	case s != nil:
	case len(m.shapes) < maxShapes:
		s = &Shape{Text: text}
		m.shapes[text] = s
	default:
		if m.lumped == nil {
			m.lumped = &Shape{Text: "(all others)"}
		}
		s = m.lumped
	}
	return s
}

// took notes how long a statement took, or one that was noted before.
func (m *Model) took(shape *Shape, hit bool, took time.Duration) {
	m.spent += took
	if shape == nil {
		return
	}
	shape.Took += took
	if hit {
		shape.Saved += took
		m.saved += took
	}
}

func (m *Model) bypass(shape *Shape, reason analyze.Reason, detail string, took time.Duration) {
	m.bypassed++
	shape.Reason = reason.String()
	if detail != "" {
		shape.Reason += " (" + detail + ")"
	}
	key := reasonKey{reason, detail}
	why := m.reasons[key]
	if why == nil {
		if len(m.reasons) >= maxShapes {
			key.detail = ""
		}
		why = &Why{Reason: reason.String(), Detail: key.detail}
		m.reasons[key] = why
	}
	why.Reads++
	why.Took += took
}

func (m *Model) missed(shape *Shape, why cause, by *Shape) {
	switch why {
	case neverRead:
		m.neverRead++
		shape.NeverRead++
	case dropped:
		m.gone++
		shape.Gone++
	case removed:
		m.removed++
		shape.Removed++
		if by == nil {
			return
		}
		by.Removes++
		if shape.removedBy == nil {
			shape.removedBy = map[*Shape]int{}
		}
		shape.removedBy[by]++
	}
}

// What is assumed where nothing is known.
const (
	assumeSame  = "rows of which a write gives all columns that matter were taken to have had the same values before"
	assumeDrawn = "rows of which nothing is known were taken to be in one slice each, drawn from those that were read"
	assumeMany  = "writes whose rows can't be told were taken to remove every slice of their relation"
)

func (m *Model) assume(what string) { m.assumed[what]++ }

// Report is what was found so far.
func (m *Model) Report() *Report {
	r := &Report{
		From: m.start, To: m.end, Statements: m.calls, Reads: m.reads, Writes: m.writes, Others: m.others,
		Connections: m.connections, Elsewhere: m.elsewhere, Asked: m.asked, Bypassed: m.bypassed, Hits: m.hits,
		HitRatio: ratio(m.hits, m.asked), OfAllReads: ratio(m.hits, m.reads),
		Timed: m.spent > 0, Took: m.spent, Saved: m.saved,
		NeverRead: m.neverRead, Removed: m.removed, Gone: m.gone,
		Shapes: []*Shape{}, WriteShapes: []*Shape{}, Reasons: slices.Collect(maps.Values(m.reasons)), Assumptions: m.assumptions(),
	}
	r.WarmHitRatio = m.warm()
	all := slices.Collect(maps.Values(m.shapes))
	if m.lumped != nil {
		all = append(all, m.lumped)
	}
	for _, s := range all {
		s.RemovedBy = most(s.removedBy)
		switch {
		case s.Write:
			r.WriteShapes = append(r.WriteShapes, s)
		case s.Asked > 0 || s.Reason != "":
			r.Shapes = append(r.Shapes, s)
		}
	}
	slices.SortFunc(r.Shapes, func(a, b *Shape) int {
		return cmp.Or(cmp.Compare(b.Saved, a.Saved), cmp.Compare(b.Hits, a.Hits), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Text, b.Text))
	})
	slices.SortFunc(r.WriteShapes, func(a, b *Shape) int {
		return cmp.Or(cmp.Compare(b.Removes, a.Removes), cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Text, b.Text))
	})
	slices.SortFunc(r.Reasons, func(a, b *Why) int {
		return cmp.Or(cmp.Compare(b.Reads, a.Reads), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Detail, b.Detail))
	})
	return r
}

// mark notes how far it is, from time to time: the report needs the middle, which is known at the end only.
func (m *Model) mark() {
	const every, most = 64, 4096
	step := every
	for ; m.asked/step > most; step *= 2 {
	}
	if m.asked%step == 0 {
		m.late = append(m.late, point{m.asked, m.hits})
	}
}

// warm is the hit ratio of the second half.
func (m *Model) warm() float64 {
	middle := point{}
	for _, p := range m.late {
		if p.asked <= m.asked/2 {
			middle = p
		}
	}
	return ratio(m.hits-middle.hits, m.asked-middle.asked)
}

func (m *Model) assumptions() []string {
	list := []string{}
	for _, what := range slices.Sorted(maps.Keys(m.assumed)) {
		list = append(list, fmt.Sprintf("%s: %d times", what, m.assumed[what]))
	}
	if m.options.Live == nil {
		list = append(list, "views, triggers, cascades, functions of users and types are known from texts only: a database (--driver, --dsn) tells more")
	} else if m.options.Live.asked > 0 {
		list = append(list, fmt.Sprintf("%d rows were read from the database as they are now", m.options.Live.asked))
	}
	return append(list, fmt.Sprintf("the cache has %d MiB; a result of which the log doesn't tell the size takes %d bytes; all sessions have the same settings; "+
		"the log is in the order of commits, and from one program's cold cache", m.options.MaxBytes>>20, m.options.EntryBytes))
}

// most is the text of the write that was counted most often.
func most(by map[*Shape]int) string {
	var text string
	n := 0
	for s, count := range by {
		if count > n || count == n && s.Text < text {
			text, n = s.Text, count
		}
	}
	return text
}

func ratio(part, all int) float64 {
	if all == 0 {
		return 0
	}
	return float64(part) / float64(all)
}
