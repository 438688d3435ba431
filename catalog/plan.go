package catalog

import (
	"slices"

	"github.com/larderdb/larder/analyze"
)

// A planner gathers the plan of one statement. It walks from names to
// relations to what these stand for: views to their text, writes to cascades
// and triggers, functions to their bodies.
type planner struct {
	scope
	plan *Plan

	text   string // of the statement
	silent int    // above 0, what is read is nobody's result: only writes count

	follows  bool      // code of users may read, or decide which rows are read
	target   *relation // whose rows the statement changes by its own text
	writings int       // how often it is written, by whatever

	seen    []*relation          // already read
	written map[*relation]effect // already written
	running []*definition        // being followed; in silence or not
}

// An effect is a set of ways to write, and whether TRUNCATE cascades.
type effect uint8

const cascading effect = 1 << 7

// because notes why the rows can't be cached. The first reason stays.
func (p *planner) because(reason analyze.Reason, detail string) {
	if reason == analyze.Cacheable || p.silent > 0 {
		return
	}
	if p.plan.Reason == analyze.Cacheable {
		p.plan.Reason, p.plan.Detail = reason, detail
	}
}

// everything notes that any relation may be changed.
func (p *planner) everything() { p.plan.WritesAll = true }

// statement adds what a whole statement does.
func (p *planner) statement(st *analyze.Statement) {
	if len(st.Parts) > 0 {
		p.because(analyze.Multiple, "")
		for _, part := range st.Parts {
			p.statement(part)
		}
		return
	}
	if st.Reason != analyze.NoRelation { // see finish
		p.because(st.Reason, st.Detail)
	}
	p.misread(st)
	p.beside(st)
	p.names(st)
}

// misread notes a text that the session reads in another way than package analyze, or
// whose names lead elsewhere than its path tells.
func (p *planner) misread(st *analyze.Statement) {
	if p.state.misreads(st.Text) {
		p.because(analyze.Setting, p.state.lexing.setting)
		p.everything()
	}
	for _, schema := range p.state.absent {
		if len(p.snapshot.schemas[schema]) > 0 {
			p.because(analyze.Setting, "search_path")
			p.everything()
		}
	}
}

// beside adds what a statement does to other things than rows.
func (p *planner) beside(st *analyze.Statement) {
	p.session(st)
	switch st.Kind {
	case analyze.Schema:
		p.schema(st)
	case analyze.Call:
		p.call(st)
	case analyze.Unknown:
		p.unknown(st)
	}
}

// finish settles what only the whole plan shows.
func (p *planner) finish(st *analyze.Statement) {
	if st.Reason == analyze.NoRelation && len(p.plan.Reads) == 0 {
		p.because(st.Reason, st.Detail)
	}
	if st.Writing() || p.plan.WritesAll || len(p.plan.Writes) > 0 {
		p.because(analyze.NotRead, "")
	}
	if p.state.tempTriggers && (len(p.plan.Writes) > 0 || p.plan.AttachedWrites) {
		p.everything()
	}
	if p.plan.WritesAll && p.state.attached {
		p.plan.AttachedWrites = true
	}
}

// session tells what happens to the state of the session.
func (p *planner) session(st *analyze.Statement) {
	for _, name := range st.Settings {
		if !HarmlessSetting(st.Dialect, name) {
			p.plan.StateUnknown = true
		}
	}
	if st.Control == analyze.CommitPrepared {
		p.everything()
	}
}

// schema widens a statement of DDL. One that only makes or drops temporary
// relations changes no facts that other sessions share.
func (p *planner) schema(st *analyze.Statement) {
	p.plan.StateUnknown = true
	if p.onlyTemporary(st) {
		return
	}
	p.plan.Schema = true
	p.everything()
}

func (p *planner) onlyTemporary(st *analyze.Statement) bool {
	if len(st.TempTables) == 0 || st.WritesAll || p.snapshot.eventTriggers {
		return false
	}
	for _, w := range st.Writes {
		if !slices.Contains(st.TempTables, w.Relation) {
			return false
		}
	}
	return true
}

// call widens a statement that runs code the text doesn't show.
func (p *planner) call(st *analyze.Statement) {
	if st.Executes != "" {
		p.plan.StateUnknown = true
	}
	if !st.WritesAll {
		return
	}
	p.everything()
	if st.Control != analyze.NoControl || len(st.Functions) == 0 { // EXECUTE IMMEDIATE, or a block: no stored routine
		p.touch(anyReach)
		return
	}
	p.touch(p.routines() | settings)
}

// routines is what a stored routine may change beside rows.
func (p *planner) routines() reach {
	if p.snapshot.dialect == analyze.MySQL {
		return p.snapshot.routines
	}
	return anyReach
}

// unknown widens a text that couldn't be parsed, and may do anything.
func (p *planner) unknown(st *analyze.Statement) {
	if st.WritesAll {
		p.touch(anyReach)
	}
}

// names resolves the names of a statement in the planner's path.
func (p *planner) names(st *analyze.Statement) {
	if st.WritesAll {
		p.everything()
	}
	for _, n := range st.Reads {
		p.read(n)
	}
	for _, w := range st.Writes {
		p.write(st, w)
	}
	p.functions(st)
	p.casts(st)
	p.types()
}

// types allows for types of users that hide the server's own.
func (p *planner) types() {
	for _, schema := range p.path {
		if schema == "pg_catalog" {
			return
		}
		if p.snapshot.shadows[schema] {
			p.because(analyze.Setting, "search_path")
		}
	}
}

// read adds what a name that is read stands for.
func (p *planner) read(n analyze.Name) {
	r, where := p.resolve(n)
	switch where {
	case known:
		p.readRelation(r)
	case temporary:
		p.because(analyze.Temporary, n.Name)
	case attached:
		p.because(analyze.Attached, n.String())
	default:
		p.plan.UnknownRelation = p.plan.UnknownRelation || p.silent == 0
		p.because(analyze.UnknownRelation, n.String())
	}
}

func (p *planner) readRelation(r *relation) {
	if slices.Contains(p.seen, r) && p.silent == 0 {
		return
	}
	if p.silent == 0 {
		p.seen = append(p.seen, r)
	}
	p.because(r.reason, firstOf(r.detail, string(r.name)))
	for _, f := range r.reading {
		p.invoke(f)
	}
	p.compute(r)
	if r.kind == view {
		p.follow(r.def)
		return
	}
	p.addReads(r)
}

// addReads adds a base relation and its descendants.
func (p *planner) addReads(r *relation) {
	if p.silent > 0 {
		return
	}
	if !slices.Contains(p.plan.Reads, r.name) {
		p.plan.Reads = append(p.plan.Reads, r.name)
	}
	for _, child := range r.children {
		p.because(child.ownReason())
		p.addReads(child)
	}
}

// ownReason is why rows of a child can't be cached when its parent is read,
// where only the parent's row-level security counts.
func (r *relation) ownReason() (analyze.Reason, string) {
	if r.reason == analyze.RowSecurity {
		return analyze.Cacheable, ""
	}
	return r.reason, firstOf(r.detail, string(r.name))
}

// casts finds casts of texts to times, which may read the clock.
func (p *planner) casts(st *analyze.Statement) {
	if p.snapshot.dialect == analyze.MySQL {
		p.meetings(st)
		return
	}
	for _, column := range st.TimeCasts {
		if !p.timeColumn(st, column) {
			p.because(analyze.Volatile, column+" cast to a time")
			return
		}
	}
}

// meetings finds times of day that may meet a date, and get today's.
func (p *planner) meetings(st *analyze.Statement) {
	if len(st.TimeCasts) == 0 || !p.readsTime(st, "*") {
		return
	}
	for _, column := range st.TimeCasts {
		if p.readsTime(st, column) {
			p.because(analyze.Volatile, column+" as a datetime")
			return
		}
	}
}

// readsTime reports whether a relation that st reads has a time of day of that name.
func (p *planner) readsTime(st *analyze.Statement, column string) bool {
	for _, n := range st.Reads {
		r, where := p.resolve(n)
		if where == known && r.timed && (column == "*" || hasTime(r, column)) {
			return true
		}
	}
	return false
}

func hasTime(r *relation, column string) bool {
	_, ok := r.columns[column]
	return ok
}

// timeColumn reports whether a column so named is known, and can't hold a text
// in any relation that is read.
func (p *planner) timeColumn(st *analyze.Statement, column string) bool {
	found := false
	for _, n := range st.Reads {
		r, where := p.resolve(n)
		if where != known {
			return false
		}
		safe, ok := r.columns[column]
		if ok && !safe {
			return false
		}
		found = found || ok
	}
	return found
}

// follow adds what a definition does.
func (p *planner) follow(d *definition) {
	if slices.Contains(p.running, d) {
		return
	}
	p.running = append(p.running, d)
	defer func() { p.running = p.running[:len(p.running)-1] }()
	if d.opaque {
		p.plan.Calls = true
		p.because(analyze.OpaqueView, d.name)
		return
	}
	path, permanent := p.path, p.permanent
	if d.ownPath {
		p.path = d.path
	}
	p.permanent = p.permanent || d.permanent
	for _, st := range d.statements {
		p.inside(d, st)
	}
	for _, r := range d.relations {
		p.readRelation(r)
	}
	for _, f := range d.calls {
		p.follows = true
		p.invoke(f)
	}
	p.path, p.permanent = path, permanent
}

// inside adds one statement of a definition.
func (p *planner) inside(d *definition, st *analyze.Statement) {
	if len(st.Parts) > 0 {
		for _, part := range st.Parts {
			p.inside(d, part)
		}
		return
	}
	if st.Reason != analyze.NoRelation && st.Reason != analyze.NotRead {
		p.because(st.Reason, st.Detail)
	}
	if len(st.TempTables) > 0 {
		p.touch(temps | settings)
	}
	p.beside(st)
	if !d.bound {
		if p.snapshot.dialect == analyze.Postgres {
			p.misread(st)
		}
		p.names(st)
		return
	}
	p.systemNames(st)
	p.boundCasts(d, st)
}

// systemNames looks for the server's own relations and functions among names
// whose other meanings are bound.
func (p *planner) systemNames(st *analyze.Statement) {
	if st.WritesAll {
		p.everything()
	}
	for _, n := range st.Reads {
		schema := firstOf(n.Schema, "pg_catalog")
		if r := p.snapshot.schemas[schema][n.Name]; r != nil && r.kind == system {
			p.because(r.reason, n.Name)
		}
	}
	for _, n := range st.Functions {
		if !p.snapshot.settled(n.Name) {
			p.because(analyze.Volatile, n.Name+"()")
		}
	}
}

func (p *planner) boundCasts(d *definition, st *analyze.Statement) {
	for _, column := range st.TimeCasts {
		found, text := false, false
		for _, r := range d.relations {
			safe, ok := r.columns[column]
			found, text = found || ok, text || ok && !safe
		}
		if !found || text {
			p.because(analyze.Volatile, column+" cast to a time")
		}
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
