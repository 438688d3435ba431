package confine

import (
	"slices"

	"github.com/larderdb/larder/analyze"
)

// A judge finds the references of one statement. It opens all blocks, which gives each place its own columns, and then
// passes what is true of rows that decide from the outer blocks to the inner ones.
type judge struct {
	dialect analyze.Dialect
	refs    []Reference
	leaves  []*leaf // of refs
	frames  int
	text    textual // in which blocks are opened now
	inner   int     // how many subqueries in expressions stand around what is opened now …
	loose   int     // … and blocks that may give the value of some row
	failed  bool
	usage   usage
	mutant  mutant // for tests only
}

// Reads returns the references of a block, and whether it knows all of them.
func Reads(b *analyze.Block, s Schema) (refs []Reference, ok bool) { return reads(b, s, noMutant) }

func reads(b *analyze.Block, s Schema, m mutant) (refs []Reference, ok bool) {
	if b == nil || s == nil {
		return nil, false
	}
	j := &judge{dialect: dialectOf(b, s, 0), mutant: m, text: textual{mentions: b.Mentions}.chosen()}
	f := j.open(b, s, nil, 0)
	if !j.failed {
		j.judge(f, nil, nil, nil)
	}
	if j.failed {
		return nil, false
	}
	j.settle()
	for i := range j.refs {
		j.refs[i].Shown = f.shows(j.leaves[i])
	}
	return j.refs, true
}

// shows are the columns of a source that a frame returns.
func (f *frame) shows(l *leaf) (at map[string]int) {
	if f.block.Grouped || len(f.arms) > 0 || !slices.Contains(f.leaves, l) {
		return nil
	}
	for i, o := range f.outputs {
		if o.v == nil || o.v.leaf != l || o.v.column == nil {
			continue
		}
		if at == nil {
			at = map[string]int{}
		}
		at[o.v.column.Name] = i
	}
	return at
}

// dialectOf returns the dialect of the first relation that a block names.
func dialectOf(b *analyze.Block, s Schema, depth int) analyze.Dialect {
	if b == nil || depth > maxDepth {
		return ""
	}
	var inner []*analyze.Block
	for _, c := range b.With {
		inner = append(inner, c.Block)
	}
	inner = append(append(inner, b.Arms...), b.Subs...)
	sources := b.From
	for len(sources) > 0 {
		next := sources[0]
		sources = sources[1:]
		if len(next.Nested) > 0 && depth < maxDepth {
			depth++
			sources = append(next.Nested[:len(next.Nested):len(next.Nested)], sources...)
		}
		if t, ok := s.Table(next.Relation); ok && t != nil && next.Relation.Name != "" {
			return t.Dialect
		}
		inner = append(inner, next.Sub)
	}
	for _, block := range inner {
		if d := dialectOf(block, s, depth+1); d != "" {
			return d
		}
	}
	return ""
}

// judge adds the references of a frame. known is true of the rows of outer blocks for which it decides;
// shown are the columns as which its own outputs stand in known, nil if they don't.
func (j *judge) judge(f *frame, up *scope, known []choice, shown []*variable) {
	f.up = up
	for _, cte := range f.alone {
		j.judge(cte, j.around(f), known, nil)
	}
	if len(f.arms) > 0 {
		j.united(f, up, known, shown)
		return
	}
	sc := &scope{leaves: f.leaves, root: f.root, outputs: f.block.Columns, up: up}
	if len(shown) == len(f.outputs) {
		known = identify(known, shown, j.passes(f, sc))
	}
	f.root.resolve(j, sc)
	known = append(known[:len(known):len(known)], clause{j, sc, f.leaves, j.absent(f)}.facts(f.block.Where)...)
	for _, l := range f.leaves {
		j.follow(l, sc, append(known[:len(known):len(known)], f.root.about(l)...))
	}
	known = append(known, f.root.certain()...)
	if len(f.leaves) > 1 {
		sc = sc.beside() // in conditions of joins and arguments in FROM, they see only what is joined there
	}
	for _, sub := range f.subs {
		j.judge(sub, sc, known, nil)
	}
}

// united judges the arms of a set operation. A row that isn't wanted of the whole isn't wanted of an arm.
func (j *judge) united(f *frame, up *scope, known []choice, shown []*variable) {
	if f.block.Folds || f.block.Grouped || len(shown) != len(f.outputs) {
		shown = nil
	}
	for _, arm := range f.arms {
		j.judge(arm, up, known, shown)
	}
	sc := &scope{leaves: []*leaf{{open: true}}, outputs: f.block.Columns, up: up}
	for _, sub := range f.subs {
		j.judge(sub, sc, known, nil)
	}
}

// identify adds that outputs are equal to the columns that they are.
func identify(known []choice, shown, columns []*variable) []choice {
	known = known[:len(known):len(known)]
	for i, v := range shown {
		if a, ok := equal(v, columns[i]); ok {
			known = append(known, choice{{a}})
		}
	}
	return known
}

// follow adds the references that a source is.
func (j *judge) follow(l *leaf, sc *scope, known []choice) {
	switch {
	case l.table != nil:
		j.add(l, known)
	case l.inner == nil:
	case l.owner != nil:
		j.judge(l.inner, j.around(l.owner), known, l.vars)
	case l.relation != analyze.Name{}:
		j.judge(l.inner, nil, known, l.vars)
	case l.lateral:
		j.judge(l.inner, sc.beside(), known, l.vars)
	default:
		j.judge(l.inner, sc.up, known, l.vars)
	}
}

// around returns what the CTEs of a frame see of outer blocks. SQLite resolves their names
// where they are used, which isn't told here.
func (j *judge) around(f *frame) *scope {
	if j.dialect == analyze.SQLite {
		return &scope{leaves: []*leaf{{open: true}}}
	}
	return f.up
}

func (j *judge) add(l *leaf, known []choice) {
	if len(j.refs) == maxReferences {
		j.failed = true
		return
	}
	r := Reference{Table: l.table, looks: l.looks}
	if !l.table.Unsliced {
		r.Alternatives = alternatives(l, known)
	}
	j.refs, j.leaves = append(j.refs, r), append(j.leaves, l)
}
