package session

import (
	"context"
	"crypto/sha256"
	"sync/atomic"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/catalog"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// A query is one text as the sessions of a source use it.
type query struct {
	text  string
	st    *analyze.Statement
	plans atomic.Pointer[[]*planned]

	seenText atomic.Pointer[seenText] // nil until somebody watches
	told     atomic.Int64             // hits that those were told of, until they are sampled
}

// A planned query is a query under given facts and a given state.
type planned struct {
	number uint64 // each has its own
	text   *analyze.Statement
	facts  *facts
	state  *catalog.State
	db     *database
	plan   *catalog.Plan
	base   []coherence.Tag  // of the whole database
	whole  []coherence.Rows // the relations that the result depends on
	by     []*confine.Plan  // how its references are sliced; nil: they aren't
	reads  []string         // the relations that it reads, for those who watch …
	write  effect           // what it announces, as far as the text alone tells

	unconfined []string // … and those of them of which it depends on every row

	change       *confine.Change // how to tell which rows of the plan's target are written; nil if it can't be told
	seen, unseen atomic.Bool     // the session may, or can't, look at them before; see image
	moves        atomic.Bool     // the values that it gave its last row weren't those that the row had; see known
	turn         turn            // of the rows that it writes

	sightedRight, sightedWrong atomic.Int32 // how often a result has shown what its row was like, and how often not

	looked  coherence.Derived    // the columns of shapes that it must know of them
	touched []string             // the columns that it may change; nil: any
	narrow  *confine.NarrowWrite // nil if these are too many

	direct, prepared string // what keys begin with

	route  atomic.Pointer[route] // nil if none is known
	routed atomic.Bool           // it has had a miss that may have found one
	habit  habit                 // of its results …
	yield  *yield                // of those that are kept

	ofTables int // … of which so many columns are columns of tables, and of their types; 0 where values tell types, or another process may change them

	// proven is set once the driver has prepared the text: it is valid, and need not be
	// prepared again before it is used.
	proven atomic.Bool
}

// plans counts the plans of this process.
var plans atomic.Uint64

// acts reports whether the query does more than read: it writes, or a function that it
// calls may change the state of the session.
func (p *planned) acts() bool {
	return !p.write.none() || p.plan != nil && (p.plan.StateUnknown || p.plan.TempUnknown)
}

// maxPlans bounds the plans kept of one query: sessions differ in their state.
const maxPlans = 8

func (q *query) find(f *facts, state *catalog.State) *planned {
	plans := q.plans.Load()
	if plans == nil {
		return nil
	}
	for _, p := range *plans {
		if p.facts == f && p.state == state {
			return p
		}
	}
	return nil
}

func (q *query) add(p *planned) {
	kept := []*planned{p}
	if plans := q.plans.Load(); plans != nil {
		for _, old := range *plans {
			if old.facts == p.facts && len(kept) < maxPlans {
				kept = append(kept, old)
			}
		}
	}
	q.plans.Store(&kept)
}

// plan returns what q does in db under the given facts and state.
func (s *Source) plan(q *query, db *database, f *facts, state *catalog.State) *planned {
	if p := q.find(f, state); p != nil {
		return p
	}
	p := &planned{number: plans.Add(1), yield: new(yield), text: q.st, facts: f, state: state, db: db, plan: f.snapshot.Plan(q.st, state)}
	p.base, p.reads = db.allOnly, relationTexts(p.plan.Reads)
	for _, r := range p.plan.Reads {
		p.whole = append(p.whole, coherence.Rows{Relation: string(r)})
	}
	for i := range p.plan.References {
		by, ok := p.plan.References[i].Plan(nil, true)
		if !ok {
			by = nil
			p.unconfined = append(p.unconfined, p.plan.References[i].Table.Relations...)
		}
		p.by = append(p.by, by)
	}
	if len(p.by) == 0 {
		p.unconfined = p.reads
	}
	if p.plan.Target != "" {
		p.change = confine.ChangeOf(q.st.Change, targetOnly{p.plan.TargetTable})
	}
	if p.change != nil {
		p.touched = p.change.Touched()
		p.narrow = db.narrow.Note(string(p.plan.Target), p.touched)
	}
	p.write = effectOf(p.plan)
	p.write.shared = p.write.schema && changesServer(q.st)
	if db.domain.Shared() {
		p.write.facts = []*coherence.Reliance{f.reliance}
	}
	if s.Dialect == analyze.Postgres && !db.domain.Shared() { // others' drivers describe values as well; a process hears of another's change of the schema when it has been made
		p.ofTables = shownOf(p.plan.References)
	}
	p.direct = s.keyPrefix(db, state, "direct", q.text)
	p.prepared = s.keyPrefix(db, state, "prepared", q.text)
	q.add(p)
	return p
}

// shownOf is how many columns of a result are columns of what it is read from.
func shownOf(references []confine.Reference) int {
	places := make(map[int]bool)
	for i := range references {
		for _, at := range references[i].Shown {
			places[at] = true
		}
	}
	return len(places)
}

// keyPrefix begins the keys of one text: the domain, and a digest (which is never
// taken alone for equality of arguments, only of text, state and connector) of all
// that tells this result from another's.
func (s *Source) keyPrefix(db *database, state *catalog.State, mode, text string) string {
	h := sha256.New()
	for _, part := range []string{wireKey(), s.Name, string(s.Dialect), state.Key, mode, text} {
		h.Write(appendString(nil, part))
	}
	return db.domain.Prefix() + string(h.Sum(nil))
}

// An effect is what a write announces in one database.
type effect struct {
	changes  []change
	wide     bool // relations that can't be told: all of them
	schema   bool // facts of the catalog
	attached bool // databases that are attached to this one
	shared   bool // all databases of the server

	facts []*coherence.Reliance // by which this is told, where processes share a store
	by    *query                // what writes it, if somebody watches
}

func (e *effect) none() bool { return len(e.changes) == 0 && !e.wide && !e.schema && !e.attached }

func effectOf(p *catalog.Plan) effect {
	e := effect{wide: p.WritesAll || p.Schema, schema: p.Schema, attached: p.AttachedWrites}
	e.attached = e.attached || e.wide
	for _, r := range p.Writes {
		e.changes = append(e.changes, change{relation: r})
	}
	return e
}

// wideEffect is the effect of a statement of which nothing is known: on every
// database that the session may write to.
func wideEffect(st *analyze.Statement) effect {
	e := effect{wide: true, attached: true, schema: st.Kind != analyze.Modify && st.Kind != analyze.Read}
	e.shared = e.schema && changesServer(st)
	return e
}

// changesServer reports whether DDL may be of roles or databases, which other databases
// of the server have or are: it is if it names no relation.
func changesServer(st *analyze.Statement) bool {
	if st.Dialect != analyze.Postgres {
		return false
	}
	for _, part := range st.Parts {
		if changesServer(part) {
			return true
		}
	}
	return st.Kind == analyze.Schema && len(st.Writes) == 0
}

// names tells the relations of an effect for people.
func (e *effect) names() []string {
	if e.wide {
		return []string{"*"}
	}
	texts := make([]string, len(e.changes))
	for i := range e.changes {
		texts[i] = string(e.changes[i].relation)
	}
	return texts
}

func relationTexts(relations []catalog.Relation) []string {
	texts := make([]string, len(relations))
	for i, r := range relations {
		texts[i] = string(r)
	}
	return texts
}

// currentPlan plans q for the database and state that the session knows. It
// answers nil, and why, if the session or its database isn't known well enough.
func (s *Session) currentPlan(ctx context.Context, q *query) (*planned, analyze.Reason) {
	db, state := s.whereabouts()
	switch {
	case db == nil && s.barred != analyze.Cacheable:
		return nil, s.barred
	case db == nil: // what a new connection is like isn't known any more
		return nil, analyze.CatalogUnavailable
	case state == nil:
		return nil, analyze.Setting
	}
	f := db.facts.Load()
	if f == nil {
		return nil, analyze.CatalogUnavailable
	}
	return s.src.plan(q, db, f, state), analyze.Cacheable
}

// effectPlan plans q for what it writes. That a setting which changes only values isn't
// known doesn't matter then.
func (s *Session) effectPlan(q *query) *planned {
	if s.db == nil || s.state == nil || s.namesStale || s.outlived() {
		return nil
	}
	f := s.db.facts.Load()
	if f == nil {
		return nil
	}
	return s.src.plan(q, s.db, f, s.state)
}

// targetOnly is a schema that has one relation.
type targetOnly struct{ table *confine.Table }

// Table implements confine.Schema.
func (t targetOnly) Table(analyze.Name) (*confine.Table, bool) { return t.table, t.table != nil }
