package confine

import "github.com/larderdb/larder/analyze"

// A Reference is one place at which a statement reads a relation. Of its rows those
// decide that satisfy one of the alternatives; without any, all do.
type Reference struct {
	Table        *Table
	Alternatives []Pins

	// Shown are the columns of it that the statement returns as they are, by name, with the places at which they stand; each row
	// of the result shows one row, or NULLs where an outer join found none.
	Shown map[string]int

	looks looks
}

// Pins are the columns of a relation that must have one of some values, one for each column.
type Pins []Pin

// A Pin says that Column equals one of Terms, which are parameters or literals; or, with
// Array, an element of the array that the only one of them is.
type Pin struct {
	Column *Column
	Terms  []analyze.Term
	Array  bool
}
