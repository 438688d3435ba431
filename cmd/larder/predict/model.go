package predict

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/cmd/larder/logs"
	"github.com/larderdb/larder/cmd/larder/sqltext"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
	"github.com/larderdb/larder/store/memory"
)

// Options of a Model.
type Options struct {
	Dialect    analyze.Dialect
	MaxBytes   int64  // of the cache; 0 means 64 MiB, as Larder's own
	EntryBytes int    // of a result of which the log doesn't tell the size; 0 means 1 KiB
	Database   string // whose statements count; "" means each database's
	Worst      bool   // a row of which nothing is known is in all slices, not in one

	Live *Live // a database that knows what texts don't tell; nil: there is none. Database is its name then
}

const (
	defaultMaxBytes   = 64 << 20
	defaultEntryBytes = 1 << 10
	maxEntryBytes     = 1 << 20 // as Larder's own
	statementBytes    = 64 << 20
	maxPlans          = 20_000
)

// A Model is a cache as it would be, and what was counted of it. One goroutine uses it.
type Model struct {
	options    Options
	store      *watched
	statements *analyze.Cache
	random     *rand.Rand

	start time.Time     // of the log
	now   time.Duration // since then; it never goes back

	worlds   map[string]*world   // by database
	sessions map[string]*session // by database and session
	shapes   map[string]*Shape
	lumped   *Shape

	tally
}

// A world is one database.
type world struct {
	facts  facts
	domain *coherence.Domain
	plans  map[*analyze.Statement]*planned
	known  rows
	slices map[string]*slicesSeen // by relation and shape
	narrow confine.NarrowWrites
}

// New returns a model that has seen nothing.
func New(o Options) *Model {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.EntryBytes == 0 {
		o.EntryBytes = defaultEntryBytes
	}
	m := &Model{
		options: o, statements: analyze.NewCache(statementBytes), random: rand.New(rand.NewPCG(1, 2)),
		worlds: map[string]*world{}, sessions: map[string]*session{}, shapes: map[string]*Shape{},
	}
	m.reasons, m.assumed = map[reasonKey]*Why{}, map[string]int{}
	m.store = newWatched(memory.NewWithClock(o.MaxBytes, m.clock))
	return m
}

func (m *Model) clock() time.Duration { return m.now }

// world returns that of a database, nil if its statements don't count.
func (m *Model) world(database string) *world {
	if m.options.Database != "" && database != "" && database != m.options.Database {
		return nil
	}
	w := m.worlds[database]
	if w == nil {
		w = &world{plans: map[*analyze.Statement]*planned{}, slices: map[string]*slicesSeen{}, known: rows{}}
		w.domain = coherence.NewDomain(m.store, database, coherence.Options{Now: m.clock})
		if m.options.Live != nil {
			w.facts = m.options.Live
		} else {
			w.facts = newNames(m.options.Dialect, database)
		}
		m.worlds[database] = w
	}
	return w
}

// Learn tells the model of names and types, so far as statements show them; before Add, all of the log should be
// told. A model with a live database needs none of it.
func (m *Model) Learn(r logs.Record) {
	w := m.world(r.Database)
	if w == nil || r.Text == "" {
		return
	}
	if n, is := w.facts.(*names); is {
		n.learn(sqltext.Shape(m.options.Dialect, r.Text), r, m.statements)
	}
}

// Add replays what a log tells.
func (m *Model) Add(ctx context.Context, r logs.Record) {
	w := m.world(r.Database)
	if w == nil {
		m.elsewhere++
		return
	}
	m.tick(r.Time)
	s := m.session(r)
	switch {
	case r.Ended:
		delete(m.sessions, r.Database+"\x00"+r.Session)
	case r.Text == "":
		m.took(s.last, s.hit, r.Took)
	default:
		m.statement(ctx, w, s, r)
	}
}

func (m *Model) tick(t time.Time) {
	if t.IsZero() {
		return
	}
	if m.start.IsZero() {
		m.start = t
	}
	m.now = max(m.now, t.Sub(m.start))
	m.end = m.start.Add(m.now)
}

func (m *Model) session(r logs.Record) *session {
	id := r.Database + "\x00" + r.Session
	s := m.sessions[id]
	if s == nil {
		s = &session{}
		m.sessions[id] = s
		m.connections++
	}
	return s
}

// statement replays one statement.
func (m *Model) statement(ctx context.Context, w *world, s *session, r logs.Record) {
	st := m.statements.Analyze(m.options.Dialect, r.Text)
	shape := m.shape(r.Text)
	s.last, s.hit = shape, false
	shape.Calls++
	m.calls++
	p := w.plan(st)
	switch {
	case st.Kind == analyze.Control:
		s.control(ctx, w, st)
	case p.acts():
		shape.Write = true
		m.writes++
		m.store.writer = shape
		m.write(ctx, w, s, p, shape, r.Args)
	case st.Kind == analyze.Read || st.ReturnsRows:
		m.reads++
		s.hit = m.read(ctx, w, s, p, shape, r)
	default:
		m.others++
	}
	m.took(shape, s.hit, r.Took)
}

// read replays a read, and reports whether it would have been a hit.
func (m *Model) read(ctx context.Context, w *world, s *session, p *planned, shape *Shape, r logs.Record) (hit bool) {
	if reason, detail := s.bypasses(p, m.options.Dialect); reason != analyze.Cacheable {
		m.bypass(shape, reason, detail, r.Took)
		return false
	}
	m.mark()
	m.asked++
	shape.Asked++
	key := keyOf(w, r)
	base := []coherence.Tag{w.domain.All()}
	if p.st.Hint.Refresh {
		w.domain.Forget(ctx, key)
	}
	read := w.domain.LookupRows(ctx, key, base, func() []coherence.Rows { return w.rowsRead(ctx, p, r.Args) }, false)
	defer read.Done()
	if read.Outcome == coherence.Hit {
		m.hits++
		shape.Hits++
		return true
	}
	size := r.Sent
	if size == 0 {
		size = m.options.EntryBytes
	}
	why, by := m.store.why(key)
	m.missed(shape, why, by)
	if !s.wrote && size <= maxEntryBytes {
		read.Fill(ctx, struct{}{}, size, p.st.Hint.TTL)
	}
	return false
}

// keyOf is the key of a read: its text and arguments.
func keyOf(w *world, r logs.Record) string {
	var b strings.Builder
	b.WriteString(w.domain.Prefix())
	b.WriteString(strconv.Itoa(len(r.Text)))
	b.WriteString(r.Text)
	for _, arg := range r.Args {
		if text, is := arg.Value.(string); is {
			fmt.Fprintf(&b, "%d:%s", len(text), text)
		} else {
			b.WriteString("n")
		}
	}
	return b.String()
}

// rowsRead are the rows that a result depends on, as session.rows tells them.
func (w *world) rowsRead(ctx context.Context, p *planned, args []driver.NamedValue) []coherence.Rows {
	var list []coherence.Rows
	if len(p.by) == 0 {
		for _, relation := range p.reads {
			list = append(list, coherence.Rows{Relation: relation})
		}
		return list
	}
	for i := range p.by {
		list = w.appendRows(ctx, list, &p.references[i], p.by[i], args)
	}
	return list
}

func (w *world) appendRows(ctx context.Context, list []coherence.Rows, r *confine.Reference, by *confine.Plan, args []driver.NamedValue) []coherence.Rows {
	var found []confine.Slice
	ok := by != nil
	if ok && len(r.Table.Relations) == 1 {
		if used := w.domain.Crowd(ctx, r.Table.Relations[0]); used != nil {
			if other, is := r.Plan(used, false); is {
				by = other
			}
		}
	}
	if ok {
		found, ok = by.Evaluate(args)
	}
	if !ok {
		by = nil
	}
	inUse := func(relation string) []string { return w.domain.InUse(ctx, relation) }
	apart := w.narrow.Apart(r, by.Shapes(), inUse, coherence.MaxShapes)
	found, ok = apart.Slices(found, ok)
	for _, relation := range r.Table.Relations {
		if !ok {
			list = append(list, coherence.Rows{Relation: relation, Wish: apart.Wish("")})
			continue
		}
		for _, s := range found {
			wish := apart.Wish(s.Shape)
			s.Shape = apart.Shape(s.Shape)
			w.see(relation, s)
			list = append(list, coherence.Rows{Relation: relation, Shape: s.Shape, Slices: []string{s.Form}, Wish: wish})
		}
	}
	return list
}
