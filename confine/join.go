package confine

import (
	"slices"

	"github.com/larderdb/larder/analyze"
)

// A node is a join of two others, or a source. Which conditions confine a source depends on its way from
// the root: those of an inner join confine both sides, those of an outer join the
// side that may find no row. They never confine the rows that it keeps in any case.
type node struct {
	leaf        *leaf
	left, right *node

	source *analyze.Source // the right one, with its condition
	firm   int             // of Right and Full: leaves of left from which on all surely belong to the join
	facts  []choice        // what ON and USING say
	leaves []*leaf
}

// tree joins what stands in a FROM clause. Sources after a comma bind looser than those after JOIN, and
// the list doesn't tell these apart: what stands before the last join without condition may not belong to a join.
func tree(nodes []*node, sources []analyze.Source) *node {
	if len(nodes) == 0 {
		return nil
	}
	all, firm := nodes[0], 0
	for i, right := range nodes[1:] {
		s := &sources[i+1]
		if s.Join == analyze.Inner && s.On == nil && s.Using == nil && !s.Natural {
			firm = len(all.leaves)
		}
		all = &node{left: all, right: right, source: s, firm: firm, leaves: slices.Concat(all.leaves, right.leaves)}
	}
	return all
}

// gaps returns the sources that are NULL in rows of the join for which they have none.
func (n *node) gaps() map[*leaf]bool {
	gaps := map[*leaf]bool{}
	n.fill(gaps)
	return gaps
}

func (n *node) fill(gaps map[*leaf]bool) {
	if n == nil || n.leaf != nil {
		return
	}
	n.left.fill(gaps)
	n.right.fill(gaps)
	var missing []*leaf
	switch n.source.Join {
	case analyze.Inner:
	case analyze.Left:
		missing = n.right.leaves
	case analyze.Right:
		missing = n.left.leaves
	default:
		missing = n.leaves
	}
	for _, l := range missing {
		gaps[l] = true
	}
}

// resolve tells what the conditions of the joins say.
func (n *node) resolve(j *judge, sc *scope) {
	if n == nil || n.leaf != nil {
		return
	}
	n.left.resolve(j, sc)
	n.right.resolve(j, sc)
	gaps := n.left.gaps()
	n.right.fill(gaps)
	n.facts = clause{j, sc, n.leaves, gaps}.facts(n.source.On)
	for _, name := range n.source.Using {
		a, _ := j.merged(n.left, name)
		b, _ := j.merged(n.right, name)
		if equality, ok := equal(a, b); ok {
			n.facts = append(n.facts, choice{{equality}})
		}
	}
}

// certain returns what is true of every row of the join.
func (n *node) certain() []choice {
	if n == nil || n.leaf != nil {
		return nil
	}
	switch n.source.Join {
	case analyze.Inner:
		return slices.Concat(n.facts, n.left.certain(), n.right.certain())
	case analyze.Left:
		return n.left.certain()
	case analyze.Right:
		return n.right.certain()
	}
	return nil
}

// about returns what is true of every row of the join for which a row of a source decides.
func (n *node) about(l *leaf) []choice {
	if n == nil || n.leaf != nil {
		return nil
	}
	at := slices.Index(n.left.leaves, l)
	mine, other, keeps := n.left, n.right, analyze.Left
	if at < 0 {
		mine, other, keeps = n.right, n.left, analyze.Right
	}
	loose := at >= 0 && at < n.firm
	switch join := n.source.Join; {
	case join == analyze.Inner, join != keeps && join != analyze.Full && !(loose && join == analyze.Right):
		return slices.Concat(n.facts, other.certain(), mine.about(l))
	}
	return mine.about(l)
}

// merged returns the column that a name means among the sources of a join: the only one, or the first
// of those that USING makes one.
func (j *judge) merged(n *node, name string) (*variable, found) {
	var hits []*variable
	for _, l := range n.leaves {
		switch v, f := j.lookup(l, name); f {
		case maybe:
			return nil, maybe
		case yes:
			hits = append(hits, v)
		}
	}
	if len(hits) == 0 {
		return nil, no
	}
	if len(hits) == 1 || n.merges(j, name) == len(hits)-1 && alike(hits) {
		return hits[0], yes
	}
	return nil, maybe
}

func alike(list []*variable) bool {
	return !slices.ContainsFunc(list, func(v *variable) bool { return v.class != list[0].class })
}

// merges counts the joins that make one column of those of a name, and keep the left one. It is
// negative if one of them doesn't.
func (n *node) merges(j *judge, name string) int {
	if n.leaf != nil {
		return 0
	}
	left, right := n.left.merges(j, name), n.right.merges(j, name)
	using := slices.ContainsFunc(n.source.Using, func(u string) bool { return j.fold(u) == j.fold(name) })
	if left < 0 || right < 0 || using && n.source.Join != analyze.Inner && n.source.Join != analyze.Left {
		return -1
	}
	if using {
		return left + right + 1
	}
	return left + right
}
