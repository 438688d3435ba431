package confine

import "github.com/larderdb/larder/analyze"

// A variable is a column of one source at one place in a statement.
type variable struct {
	class  Class
	column *Column // of a relation; nil if it is a column of a subquery
	leaf   *leaf
	weak   bool // an outer join within the subquery may put NULL into it where no row was found
}

// An atom is a condition that confines: two columns are equal, or one is one of some values.
type atom struct {
	left, right *variable // right is nil if left is one of terms
	terms       []analyze.Term
	array       bool
}

// A choice is what a condition says: all atoms of one of its elements hold. One without atoms says nothing.
type choice [][]atom

// nothing is the choice that is always true.
var nothing = choice{{}}

func (c choice) empty() bool {
	for _, a := range c {
		if len(a) == 0 {
			return true
		}
	}
	return len(c) == 0
}

// equal returns the atom that two columns are equal, if that can be relied on: columns
// of different classes may be taken for equal although their canonical forms differ.
func equal(a, b *variable) (atom, bool) {
	ok := a != nil && b != nil && a != b && a.class == b.class && a.class.Kind != Opaque
	return atom{left: a, right: b}, ok
}

// classes are sets of variables that are equal to each other, as trees.
type classes map[*variable]*variable

func (c classes) root(v *variable) *variable {
	for c[v] != nil {
		v = c[v]
	}
	return v
}

func (c classes) join(a, b *variable) {
	if a, b = c.root(a), c.root(b); a != b {
		c[a] = b
	}
}

// equate returns the classes that atoms make, and for the root of each the best of its pins.
func equate(atoms []atom) (classes, map[*variable]atom) {
	c := classes{}
	for _, a := range atoms {
		if a.right != nil {
			c.join(a.left, a.right)
		}
	}
	pins := map[*variable]atom{}
	for _, a := range atoms {
		if a.right != nil {
			continue
		}
		root := c.root(a.left)
		if had, ok := pins[root]; !ok || a.better(had) {
			pins[root] = a
		}
	}
	return c, pins
}

// better reports whether a pin leaves fewer values than another.
func (a atom) better(b atom) bool {
	if a.array != b.array {
		return b.array
	}
	return len(a.terms) < len(b.terms)
}
