package confine

import (
	"slices"

	"github.com/larderdb/larder/analyze"
)

// maxAlternatives bounds the alternatives of a reference. A disjunction beyond it is left out.
const maxAlternatives = 16

// and returns what two conditions say together; the second is left out if that gives too many alternatives.
func (c choice) and(d choice) choice {
	if len(c)*len(d) > maxAlternatives || d.empty() {
		return c
	}
	var both choice
	for _, a := range c {
		for _, b := range d {
			both = append(both, slices.Concat(a, b))
		}
	}
	return both
}

// or returns what the one or the other of some conditions says. Pins of one column become one.
func or(choices []choice) choice {
	var all choice
	merged := map[*variable]int{}
	for _, c := range choices {
		for _, a := range c {
			if len(a) != 1 || a[0].right != nil || a[0].array {
				all = append(all, a)
				continue
			}
			if i, ok := merged[a[0].left]; ok {
				all[i] = []atom{{left: a[0].left, terms: slices.Concat(all[i][0].terms, a[0].terms)}}
				continue
			}
			merged[a[0].left] = len(all)
			all = append(all, a)
		}
	}
	if len(all) > maxAlternatives || all.empty() {
		return nothing
	}
	return all
}

// alternatives returns the pins of a source, one for each way in which the facts can be
// true; nil if one of these ways doesn't pin it.
func alternatives(l *leaf, facts []choice) []Pins {
	all := nothing
	for _, c := range urgent(l, facts) {
		all = all.and(c)
	}
	var list []Pins
	for _, atoms := range all {
		pins := l.pins(atoms)
		if len(pins) == 0 {
			return nil
		}
		list = append(list, pins)
	}
	return absorb(list)
}

// urgent returns facts in the order in which they shall be taken while there is room:
// those without alternatives, then those about the source itself.
func urgent(l *leaf, facts []choice) []choice {
	rank := func(c choice) int {
		if len(c) == 1 {
			return 0
		}
		for _, atoms := range c {
			if !slices.ContainsFunc(atoms, func(a atom) bool { return a.left.leaf == l || a.right != nil && a.right.leaf == l }) {
				return 2
			}
		}
		return 1
	}
	sorted := slices.Clone(facts)
	slices.SortStableFunc(sorted, func(a, b choice) int {
		if r := rank(a) - rank(b); r != 0 {
			return r
		}
		return len(a) - len(b)
	})
	return sorted
}

// pins returns what atoms say of the columns of a source.
func (l *leaf) pins(atoms []atom) Pins {
	equal, values := equate(atoms)
	var pins Pins
	for _, v := range l.vars {
		if a, ok := values[equal.root(v)]; ok && v.column != nil && v.class.Kind != Opaque {
			pins = append(pins, Pin{Column: v.column, Terms: a.terms, Array: a.array})
		}
	}
	return pins
}

// absorb leaves out alternatives whose rows are all among those of another.
func absorb(list []Pins) []Pins {
	var kept []Pins
	for i, p := range list {
		if !slices.ContainsFunc(kept, p.within) && !slices.ContainsFunc(list[i+1:], p.strictlyWithin) {
			kept = append(kept, p)
		}
	}
	return kept
}

// within reports whether every pin of q is one of p.
func (p Pins) within(q Pins) bool {
	for _, pin := range q {
		if !slices.ContainsFunc(p, pin.same) {
			return false
		}
	}
	return true
}

func (p Pins) strictlyWithin(q Pins) bool { return len(q) < len(p) && p.within(q) }

func (p Pin) same(q Pin) bool {
	return p.Column == q.Column && p.Array == q.Array && slices.Equal(p.Terms, q.Terms)
}

// A clause is a place where conditions stand: WHERE or ON.
type clause struct {
	j     *judge
	scope *scope
	sees  []*leaf        // of the sources of the block
	gaps  map[*leaf]bool // sources that joins below it fill with NULL where they find no row
}

// maxNesting bounds the nesting of conditions.
const maxNesting = 200

// facts returns what a condition says, one for each part of a conjunction.
func (c clause) facts(cond *analyze.Cond) []choice { return c.conjuncts(cond, 0) }

func (c clause) conjuncts(cond *analyze.Cond, depth int) []choice {
	if depth > maxNesting {
		c.j.usage.lost = true
	}
	if cond == nil || depth > maxNesting {
		return nil
	}
	if cond.Op != analyze.And {
		return []choice{c.choice(cond, depth)}
	}
	var list []choice
	for _, arg := range cond.Args {
		list = append(list, c.conjuncts(arg, depth+1)...)
	}
	return list
}

// choice returns what a condition says in disjunctive form.
func (c clause) choice(cond *analyze.Cond, depth int) choice {
	if depth > maxNesting {
		c.j.usage.lost = true
	}
	if cond == nil || depth > maxNesting {
		return nothing
	}
	c.note(cond)
	switch cond.Op {
	case analyze.And:
		all := nothing
		for _, arg := range cond.Args {
			all = all.and(c.choice(arg, depth+1))
		}
		return all
	case analyze.Or:
		var args []choice
		for _, arg := range cond.Args {
			args = append(args, c.choice(arg, depth+1))
		}
		return or(args)
	case analyze.In:
		return c.in(cond)
	case analyze.Equal:
		if len(cond.List) == 1 {
			return c.compare(cond.Left, cond.List[0], cond.Safe)
		}
	case analyze.Any:
		if len(cond.List) == 1 {
			return c.pin(cond.Left, cond.List, true, false)
		}
	case analyze.IsNull:
		return c.pin(cond.Left, []analyze.Term{{Kind: analyze.Null}}, false, true)
	case analyze.IsTrue, analyze.IsFalse:
		return c.truth(cond.Left, cond.Op == analyze.IsTrue)
	}
	return nothing
}

// in is a disjunction of equalities.
func (c clause) in(cond *analyze.Cond) choice {
	if cond.Left.Kind == analyze.Column && !slices.ContainsFunc(cond.List, isColumn) {
		return c.pin(cond.Left, cond.List, false, false)
	}
	if len(cond.List) > maxAlternatives {
		return nothing
	}
	var equals []choice
	for _, t := range cond.List {
		equals = append(equals, c.compare(cond.Left, t, false))
	}
	return or(equals)
}

func isColumn(t analyze.Term) bool { return t.Kind == analyze.Column }

func (c clause) compare(a, b analyze.Term, safe bool) choice {
	if !isColumn(a) {
		a, b = b, a
	}
	if !isColumn(a) {
		return nothing
	}
	safe = safe && !present(b)
	if !isColumn(b) {
		return c.pin(a, []analyze.Term{b}, false, safe)
	}
	if equality, ok := equal(c.column(a, safe), c.column(b, safe)); ok {
		return choice{{equality}}
	}
	return nothing
}

// present reports whether a term is a literal that isn't NULL.
func present(t analyze.Term) bool {
	switch t.Kind {
	case analyze.Number, analyze.Text, analyze.Blob, analyze.Boolean:
		return true
	}
	return false
}

// column resolves a column, nil if it doesn't confine. A condition that is true of NULL tells
// nothing of a source that is NULL where it has no row: it asks for the absence of rows.
func (c clause) column(t analyze.Term, safe bool) *variable {
	v, found := c.j.find(c.scope, t)
	if found != yes || v.class.Kind == Opaque {
		return nil
	}
	if c.scope.owns(v.leaf) && !slices.Contains(c.sees, v.leaf) {
		return nil
	}
	if safe && (v.weak || c.gaps[v.leaf]) {
		return nil
	}
	return v
}

func (c clause) pin(left analyze.Term, terms []analyze.Term, array, safe bool) choice {
	if !isColumn(left) || len(terms) == 0 {
		return nothing
	}
	v := c.column(left, safe)
	if v == nil {
		return nothing
	}
	for _, t := range terms {
		if !v.class.tells(c.j.dialect, t, array) {
			return nothing
		}
	}
	return choice{{{left: v, terms: terms, array: array}}}
}

// truth pins a boolean. Other dialects than PostgreSQL take every number but 0 for true.
func (c clause) truth(left analyze.Term, want bool) choice {
	v := c.column(left, false)
	switch {
	case !isColumn(left) || v == nil:
		return nothing
	case v.class.Kind == Boolean && want:
		return c.pin(left, []analyze.Term{{Kind: analyze.Boolean, Text: "true"}}, false, false)
	case v.class.Kind == Boolean:
		return c.pin(left, []analyze.Term{{Kind: analyze.Boolean, Text: "false"}}, false, false)
	case v.class.Kind == Integer && !want:
		return c.pin(left, []analyze.Term{{Kind: analyze.Number, Text: "0"}}, false, false)
	}
	return nothing
}

// tells reports whether a term may have a canonical form: it is a parameter, or a literal that has one.
func (c Class) tells(d analyze.Dialect, t analyze.Term, array bool) bool {
	switch {
	case t.Kind == analyze.Param:
		return c.casts(d, t.Cast, array)
	case t.Kind == analyze.Text && array:
		_, ok := c.Elements(d, t.Text)
		return ok && c.casts(d, t.Cast, true)
	case array:
		return false
	}
	_, ok := c.Term(d, t)
	return ok
}
