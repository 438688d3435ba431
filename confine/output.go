package confine

import (
	"slices"

	"github.com/larderdb/larder/analyze"
)

// refer opens a CTE where it is named.
func (j *judge) refer(l *leaf, n *binding, depth int) {
	n.used = true
	if !n.loops {
		l.owner = n.owner
		l.inner = j.open(n.cte.Block, n.owner.schema, n.sees, depth+1)
		l.returns(l.inner, nil)
		l.rename(j, n.cte.Columns)
		return
	}
	names := n.cte.Columns
	if names == nil {
		names = first(n.cte.Block)
	}
	l.open = names == nil
	for _, name := range names {
		l.names = append(l.names, j.fold(name))
		l.vars = append(l.vars, &variable{leaf: l})
	}
}

// first returns the names of the columns of a block that names itself, which are those of its first arm.
func first(b *analyze.Block) (names []string) {
	for depth := 0; b != nil && len(b.Arms) > 0 && depth < maxDepth; depth++ {
		b = b.Arms[0]
	}
	if b == nil || slices.ContainsFunc(b.Columns, func(o analyze.Output) bool { return o.Star || o.Name == "" }) {
		return nil
	}
	for _, o := range b.Columns {
		names = append(names, o.Name)
	}
	return names
}

// returns makes the columns of a source those that a frame returns, or that a view gives them as names.
func (l *leaf) returns(f *frame, names []Column) {
	l.open = !f.known || names != nil && len(names) != len(f.outputs)
	if l.open {
		return
	}
	for i, o := range f.outputs {
		if names != nil {
			o.name = names[i].Name
		}
		l.names = append(l.names, o.name)
		l.vars = append(l.vars, &variable{class: o.class, weak: o.weak, leaf: l})
	}
}

// rename gives the first columns of a source other names.
func (l *leaf) rename(j *judge, names []string) {
	hidden := slices.ContainsFunc(l.vars, func(v *variable) bool { return v.column != nil && v.column.Hidden })
	if len(names) == 0 {
		return
	}
	if l.open || hidden || len(names) > len(l.names) {
		l.names, l.vars, l.open = nil, nil, true
		return
	}
	for i, name := range names {
		l.names[i] = j.fold(name)
	}
}

// returns tells what columns a frame returns, and whether that is known.
func (j *judge) returns(f *frame) (list []output, known bool) {
	if len(f.arms) > 0 {
		return united(f.arms)
	}
	sc := &scope{leaves: f.leaves, root: f.root}
	gaps := f.root.gaps()
	for _, o := range f.block.Columns {
		if o.Star {
			columns, ok := j.star(f, sc, o.Term.Table, gaps)
			if !ok {
				return nil, false
			}
			list = append(list, columns...)
			continue
		}
		out := output{name: j.fold(o.Name)}
		if v, is := j.find(sc, o.Term); is == yes {
			out = v.output(out.name, gaps)
		}
		list = append(list, out)
	}
	return list, true
}

func (v *variable) output(name string, gaps map[*leaf]bool) output {
	return output{name: name, class: v.class, weak: v.weak || gaps[v.leaf], v: v}
}

// star returns the columns of one source, or of all: then none may share columns with others.
func (j *judge) star(f *frame, sc *scope, of analyze.Name, gaps map[*leaf]bool) (list []output, ok bool) {
	if of == (analyze.Name{}) && shares(f.block.From) {
		return nil, false
	}
	for _, l := range f.leaves {
		if of != (analyze.Name{}) {
			switch f := j.goesBy(l, of); {
			case f == maybe:
				return nil, false
			case f == no:
				continue
			}
		}
		// Of a table that can't be sliced, columns may be hidden.
		if ok && of != (analyze.Name{}) || l.open || l.veiled || l.table != nil && l.table.Unsliced {
			return nil, false
		}
		for i, v := range l.vars {
			if v.column == nil || !v.column.Hidden {
				list = append(list, v.output(l.names[i], gaps))
			}
		}
		ok = true
	}
	return list, ok
}

func shares(list []analyze.Source) bool {
	return slices.ContainsFunc(list, func(s analyze.Source) bool {
		return s.Natural || len(s.Using) > 0 || shares(s.Nested)
	})
}

// united returns the columns of a set operation: the names of the first arm, and a class if all
// arms agree on it.
func united(arms []*frame) (list []output, known bool) {
	for i, arm := range arms {
		if !arm.known || len(arm.outputs) != len(arms[0].outputs) {
			return nil, false
		}
		if i == 0 {
			list = slices.Clone(arm.outputs)
		}
		for k, o := range arm.outputs {
			list[k].v = nil
			list[k].weak = list[k].weak || o.weak
			if list[k].class != o.class {
				list[k].class = Class{}
			}
		}
	}
	return list, true
}

// passes returns, for each output, the column of a source on which conditions may be put instead of on the
// output; nil where rows that they refuse may yet decide about others.
func (j *judge) passes(f *frame, sc *scope) []*variable {
	list := make([]*variable, len(f.outputs))
	if f.block.Folds {
		return list
	}
	var groups []*variable
	for _, t := range f.block.Groups {
		if v, is := j.find(sc, t); is == yes && j.named(sc, t) == no {
			groups = append(groups, v)
		}
	}
	for i, o := range f.outputs {
		if !f.block.Grouped || slices.Contains(groups, o.v) {
			list[i] = o.v
		}
	}
	return list
}
