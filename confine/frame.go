package confine

import (
	"slices"

	"github.com/larderdb/larder/analyze"
)

// A frame is a block at one place in a statement, with its names resolved to relations. A CTE or a view has a
// frame for each place that names it.
type frame struct {
	block  *analyze.Block
	schema Schema
	up     *scope // where it stands

	arms, subs []*frame
	alone      []*frame // CTEs that are judged by themselves
	leaves     []*leaf
	root       *node

	outputs []output
	known   bool // outputs are all of its columns
}

// An output is a column that a frame returns. In a set operation it is no variable of its own.
type output struct {
	name  string
	class Class
	weak  bool
	v     *variable // the same column of a source; nil if it is something else
}

// A binding is a name that WITH binds, with those that were bound before.
type binding struct {
	cte   *analyze.CTE
	sees  *binding // what its block sees
	owner *frame
	next  *binding

	loops, used bool
}

// What a statement may have at most, views and CTEs counted wherever they are named.
const (
	maxReferences = 64
	maxFrames     = 400
	maxDepth      = 60
)

// open resolves the relations of a block.
func (j *judge) open(b *analyze.Block, s Schema, names *binding, depth int) *frame {
	j.frames++
	if b == nil || depth > maxDepth || j.frames > maxFrames || len(b.Arms) > 0 && len(b.From) > 0 {
		j.failed = true
	}
	if j.failed {
		return &frame{block: &analyze.Block{}}
	}
	f := &frame{block: b, schema: s}
	if j.someRow(b) {
		j.loose++
		defer func() { j.loose-- }()
	}
	own := j.bind(f, names)
	names = own[len(own)-1]
	for _, arm := range b.Arms {
		f.arms = append(f.arms, j.open(arm, s, names, depth+1))
	}
	f.root = tree(j.sources(f, b.From, names, depth, false), j.joined(b.From))
	j.inner++
	for _, sub := range b.Subs {
		f.subs = append(f.subs, j.open(sub, s, names, depth+1))
	}
	j.inner--
	for _, n := range slices.Backward(own[1:]) {
		if n.loops || !n.used {
			f.alone = append(f.alone, j.openAlone(n, s, depth+1))
		}
	}
	if f.outputs, f.known = j.returns(f); !f.known {
		f.outputs = nil
	}
	return f
}

// openAlone opens a CTE apart from the blocks that name it, of which any may give the value of some row: see someRow.
func (j *judge) openAlone(n *binding, s Schema, depth int) *frame {
	if j.dialect != analyze.Postgres {
		j.loose++
		defer func() { j.loose-- }()
	}
	return j.open(n.cte.Block, s, n.sees, depth)
}

// bind returns the names that a block binds, each with those before it; the first is what it sees from outside.
func (j *judge) bind(f *frame, outside *binding) []*binding {
	own := []*binding{outside}
	for i := range f.block.With {
		last := own[len(own)-1]
		own = append(own, &binding{cte: &f.block.With[i], sees: last, owner: f, next: last})
	}
	last := own[len(own)-1]
	for i, n := range own[1:] {
		// SQLite doesn't mind the word.
		if n.cte.Recursive || j.dialect == analyze.SQLite {
			n.sees = last
			for _, later := range f.block.With[i:] {
				n.loops = n.loops || mentions(n.cte.Block, later.Name, 0)
			}
		}
	}
	return own
}

// mentions reports whether a block names a relation anywhere.
func mentions(b *analyze.Block, name string, depth int) bool {
	if b == nil {
		return false
	}
	if depth > maxDepth {
		return true
	}
	in := func(b *analyze.Block) bool { return mentions(b, name, depth+1) }
	return slices.ContainsFunc(b.Arms, in) || slices.ContainsFunc(b.Subs, in) ||
		slices.ContainsFunc(b.With, func(c analyze.CTE) bool { return in(c.Block) }) ||
		sourcesMention(b.From, name, depth+1)
}

func sourcesMention(list []analyze.Source, name string, depth int) bool {
	return depth > maxDepth || slices.ContainsFunc(list, func(s analyze.Source) bool {
		return s.Relation.Schema == "" && lowerASCII(s.Relation.Name) == lowerASCII(name) ||
			mentions(s.Sub, name, depth+1) || sourcesMention(s.Nested, name, depth+1)
	})
}

// sources opens a FROM clause and returns its sources as parts of joins.
func (j *judge) sources(f *frame, list []analyze.Source, names *binding, depth int, veiled bool) []*node {
	if depth > maxDepth {
		j.failed = true
	}
	var nodes []*node
	for i := range list {
		if j.failed {
			return nil
		}
		nodes = append(nodes, j.source(f, &list[i], names, depth, veiled))
	}
	return nodes
}

func (j *judge) source(f *frame, s *analyze.Source, names *binding, depth int, veiled bool) *node {
	if s.Nested != nil {
		return j.nested(f, s, names, depth, veiled)
	}
	l := &leaf{alias: s.Alias, relation: s.Relation, veiled: veiled, lateral: s.Lateral}
	if l.alias == "" {
		l.alias = s.Relation.Name
	}
	switch {
	case s.Sub != nil:
		l.inner = j.open(s.Sub, f.schema, names, depth+1)
		l.returns(l.inner, nil)
	case s.Relation != analyze.Name{}:
		j.relation(f, l, names, depth)
	default:
		l.open = true
	}
	l.looks = j.looksOf(f.block, l, s)
	l.rename(j, s.Columns)
	f.leaves = append(f.leaves, l)
	return &node{leaf: l, leaves: []*leaf{l}}
}

// nested opens sources in parentheses. With an alias, their own names are hidden.
func (j *judge) nested(f *frame, s *analyze.Source, names *binding, depth int, veiled bool) *node {
	group := s.Alias != "" || s.Columns != nil
	n := tree(j.sources(f, s.Nested, names, depth+1, veiled || group), j.joined(s.Nested))
	if n == nil {
		l := &leaf{open: true}
		f.leaves = append(f.leaves, l)
		return &node{leaf: l, leaves: []*leaf{l}}
	}
	if group {
		n.leaves[0].alias = s.Alias
	}
	return n
}

// relation resolves a name: a CTE, a view or a base relation.
func (j *judge) relation(f *frame, l *leaf, names *binding, depth int) {
	if l.relation.Schema == "" {
		for n := names; n != nil; n = n.next {
			if n.cte.Name == l.relation.Name {
				j.refer(l, n, depth)
				return
			}
			if lowerASCII(n.cte.Name) == lowerASCII(l.relation.Name) {
				j.failed = true
				return
			}
		}
	}
	t, ok := f.schema.Table(l.relation)
	if !ok || t == nil || t.Dialect != j.dialect || t.View == nil && len(t.Relations) == 0 {
		j.failed = true
		return
	}
	if t.View != nil {
		if t.Names == nil {
			j.failed = true
			return
		}
		outer := j.text
		j.text = outer.within(t.View.Mentions)
		l.inner = j.open(t.View, t.Names, nil, depth+1)
		j.text = outer
		l.returns(l.inner, t.Columns)
		return
	}
	l.base(t)
}

// base makes the columns of a source those of a base relation.
func (l *leaf) base(t *Table) {
	l.table, l.open = t, t.Columns == nil
	for i := range t.Columns {
		c := &t.Columns[i]
		l.names = append(l.names, c.Name)
		l.vars = append(l.vars, &variable{class: c.Class, column: c, leaf: l})
	}
}
