package catalog

import (
	"slices"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// Which rows of its relations a statement reads or changes is told only if nothing else
// than its text and the facts of this catalog decides about it.

// sliceable reports whether values of this session can be compared with those of others.
func (p *planner) sliceable() bool { return !p.snapshot.ownEquality && !p.state.unlike }

// confine tells which rows decide about a read.
func (p *planner) confine(st *analyze.Statement) {
	if st.Kind != analyze.Read || st.Rows == nil || p.plan.Reason != analyze.Cacheable || p.follows || !p.sliceable() {
		return
	}
	refs, ok := confine.Reads(st.Rows, &p.scope)
	if !ok {
		return
	}
	p.plan.References = p.complete(refs)
}

// complete adds the relations that no reference names: all their rows may decide.
func (p *planner) complete(refs []confine.Reference) []confine.Reference {
	for _, name := range p.plan.Reads {
		if !refersTo(refs, name) {
			t := &confine.Table{Relations: []string{string(name)}, Dialect: p.snapshot.dialect, Unsliced: true}
			refs = append(refs, confine.Reference{Table: t})
		}
	}
	return refs
}

func refersTo(refs []confine.Reference, name Relation) bool {
	return slices.ContainsFunc(refs, func(ref confine.Reference) bool {
		return ref.Table != nil && slices.Contains(ref.Table.Relations, string(name))
	})
}

// aim finds the relation whose rows a statement changes by its own text.
func (p *planner) aim(st *analyze.Statement) {
	if st.Kind != analyze.Modify || st.Change == nil || len(st.Writes) != 1 || st.WritesAll || p.state.lenient || !p.sliceable() {
		return
	}
	w := st.Writes[0]
	if w.Relation != st.Change.Target || w.Op != st.Change.Op|st.Change.Also || w.Cascade {
		return
	}
	r, where := p.resolve(w.Relation)
	if where != known || r.kind != table || r.table == nil || r.table.Unsliced {
		return
	}
	if r.replaces && w.Op&(analyze.Insert|analyze.Update) != 0 { // deletes rows that the text doesn't tell
		return
	}
	if r.fails { // in a transaction of its own, which is rolled back after an error, it would leave less
		return
	}
	p.target = r
}

// hit sets the plan's target, unless something beside the statement itself writes it, too.
func (p *planner) hit() {
	if p.target != nil && p.writings == 1 && !p.plan.WritesAll {
		p.plan.Target, p.plan.TargetTable = p.target.name, p.target.table
	}
}

// tell completes what package confine needs to know of the relations, when all else is loaded.
func (s *Snapshot) tell() {
	for _, names := range s.schemas {
		for _, r := range names {
			s.tellRelation(r)
		}
	}
}

func (s *Snapshot) tellRelation(r *relation) {
	switch {
	case r.kind == view:
		r.table = s.viewTable(r.def, r.table.Columns)
	case r.reason != analyze.Cacheable || r.table.Columns == nil:
		r.table.Unsliced = true
	}
	if r.partitioned || len(r.children) > 0 {
		r.table.Unsliced = true
		r.table.Relations = r.descendants(nil)
		for _, child := range r.children {
			child.table.Unsliced = true
		}
	}
}

// descendants adds the names of a relation, its partitions and inheritors.
func (r *relation) descendants(names []string) []string {
	if slices.Contains(names, string(r.name)) {
		return names
	}
	names = append(names, string(r.name))
	for _, child := range r.children {
		names = child.descendants(names)
	}
	return names
}

// viewTable returns what a view is, or nil if its text doesn't tell. Only the names of its columns count.
func (s *Snapshot) viewTable(d *definition, columns []confine.Column) *confine.Table {
	if d == nil || d.opaque || d.renamed || len(d.statements) != 1 || d.statements[0].Rows == nil {
		return nil
	}
	names := &scope{snapshot: s, state: &State{}, path: d.path, permanent: true}
	if d.bound {
		names.path, names.bound = s.path, d
	}
	t := &confine.Table{Dialect: s.dialect, View: d.statements[0].Rows, Names: names, Columns: columns}
	for _, name := range d.columns {
		t.Columns = append(t.Columns, confine.Column{Name: name})
	}
	return t
}

// altered says that the database may change rows that are written in the ways of op.
func (r *relation) altered(op analyze.Op) { r.table.Altered |= op }

// fired says that triggers may fire at writes in the ways of op that aren't counted as changes.
func (r *relation) fired(op analyze.Op) { r.table.Fired |= op }

// addKey adds a unique key, the primary one as the first.
func addKey(t *confine.Table, columns []string, primary bool) {
	if primary {
		t.Keys = slices.Insert(t.Keys, 0, columns)
		return
	}
	t.Keys = append(t.Keys, columns)
}
