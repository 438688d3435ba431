package catalog

import (
	"slices"

	"github.com/larderdb/larder/analyze"
)

// write adds what writing a name changes.
func (p *planner) write(st *analyze.Statement, w analyze.Write) {
	r, where := p.resolve(w.Relation)
	switch where {
	case known:
		e := effect(w.Op)
		if w.Cascade {
			e |= cascading
		}
		p.writeRelation(r, e)
	case temporary:
		p.writeTemporary(st, w)
	case attached:
		p.plan.AttachedWrites = true
	default:
		p.writeUnknown(st, w.Relation)
	}
}

// writeTemporary adds what writing a temporary relation changes: nothing, if it is a
// plain table.
func (p *planner) writeTemporary(st *analyze.Statement, w analyze.Write) {
	n := w.Relation
	if st.Kind == analyze.Schema && p.onlyTemporary(st) {
		return
	}
	if !p.state.plainTemp[p.snapshot.foldName(n.Name)] {
		p.everything()
	}
	if p.snapshot.dialect == analyze.MySQL { // it may belong to another database
		p.writeHidden(st, w)
	}
}

// writeHidden writes the relation that a temporary one may be hiding.
func (p *planner) writeHidden(st *analyze.Statement, w analyze.Write) {
	permanent := p.permanent
	p.permanent = true
	if _, where := p.resolve(w.Relation); where == known {
		p.write(st, w)
	}
	p.permanent = permanent
}

// writeUnknown adds what writing a relation changes that isn't known: it may
// have any triggers, or be a view.
func (p *planner) writeUnknown(st *analyze.Statement, n analyze.Name) {
	if st.Kind == analyze.Schema { // it is being made
		return
	}
	p.plan.UnknownRelation = true
	p.because(analyze.UnknownRelation, n.String())
	p.everything()
	if p.state.attached {
		p.plan.AttachedWrites = true
	}
}

// writeRelation adds a relation that is written, and all that follows from it.
func (p *planner) writeRelation(r *relation, e effect) {
	if r == p.target {
		p.writings++
	}
	e = p.mark(r, e)
	if e == 0 {
		return
	}
	op := analyze.Op(e &^ cascading)
	if r.wide&op != 0 {
		p.everything()
		p.plan.StateUnknown = true
	}
	p.fire(r, op)
	switch r.kind {
	case view:
		p.writeView(r, e)
		return
	case foreign:
		p.everything()
	case system:
		p.everything()
		p.plan.Schema = true
	}
	if !slices.Contains(p.plan.Writes, r.name) {
		p.plan.Writes = append(p.plan.Writes, r.name)
	}
	p.refer(r, e)
	p.descend(r, e)
}

// mark returns what of e is new to r, and what it implies.
func (p *planner) mark(r *relation, e effect) effect {
	if r.replaces && e&effect(analyze.Insert|analyze.Update) != 0 {
		e |= effect(analyze.Delete)
	}
	if r.partitioned && e&effect(analyze.Update) != 0 { // a row may move
		e |= effect(analyze.Insert | analyze.Delete)
	}
	p.plan.MayFail = p.plan.MayFail || r.fails
	if p.written == nil {
		p.written = map[*relation]effect{}
	}
	old := p.written[r]
	p.written[r] = old | e
	return e &^ old
}

// fire runs the triggers of r, and the functions of its constraints.
func (p *planner) fire(r *relation, op analyze.Op) {
	p.silent++
	defer func() { p.silent-- }()
	for _, t := range r.triggers {
		if t.on&op != 0 {
			p.followWriting(t.body)
		}
	}
	for _, f := range r.reading {
		p.invoke(f)
	}
	if op&(analyze.Insert|analyze.Update) != 0 {
		for _, f := range r.writing {
			p.invoke(f)
		}
	}
}

// followWriting is follow for code that is allowed to write: what can't be read of
// it may change anything.
func (p *planner) followWriting(d *definition) {
	if d.opaque {
		p.everything()
		p.touch(d.reach)
		return
	}
	p.follow(d)
}

// writeView writes the relations behind a view; triggers instead have been fired.
func (p *planner) writeView(r *relation, e effect) {
	p.silent++
	defer func() { p.silent-- }()
	p.follow(r.def)
	if r.def.opaque {
		p.everything()
		return
	}
	if p.snapshot.dialect == analyze.SQLite { // written by triggers only
		return
	}
	for _, base := range r.def.relations {
		p.writeRelation(base, e)
	}
	if r.def.bound {
		return
	}
	for _, st := range r.def.statements {
		for _, n := range st.Reads {
			p.writeBase(r.def, n, e)
		}
	}
}

// writeBase writes a relation that the text of a view names.
func (p *planner) writeBase(d *definition, n analyze.Name, e effect) {
	path, permanent := p.path, p.permanent
	p.path, p.permanent = d.path, d.permanent
	base, where := p.resolve(n)
	p.path, p.permanent = path, permanent
	if where != known {
		p.everything()
		return
	}
	p.writeRelation(base, e)
}

// refer follows the foreign keys that refer to r.
func (p *planner) refer(r *relation, e effect) {
	op := analyze.Op(e)
	for _, ref := range r.references {
		var then effect
		if op&analyze.Delete != 0 {
			then |= effect(ref.onDelete)
		}
		if op&analyze.Update != 0 {
			then |= effect(ref.onUpdate)
		}
		if op&analyze.Truncate != 0 && e&cascading != 0 {
			then |= effect(analyze.Truncate) | cascading
		}
		if then != 0 {
			p.writeRelation(ref.from, then)
		}
	}
}

// descend writes the partitions and inheritors of r. Rows that are inserted into a
// parent which isn't partitioned stay there.
func (p *planner) descend(r *relation, e effect) {
	if !r.partitioned {
		e &^= effect(analyze.Insert)
	}
	if e&^cascading == 0 {
		return
	}
	for _, child := range r.children {
		p.writeRelation(child, e)
	}
}
