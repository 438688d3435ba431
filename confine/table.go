// Package confine tells to which slices of its relations a statement is confined: the
// rows whose columns equal values that its conditions prove. It is never narrower than the database: a row
// outside of the slices decides nothing about the result, and a value and every value
// that the database takes for equal have one canonical form. Where that can't be told, the statement is of all rows.
package confine

import "github.com/larderdb/larder/analyze"

// A Schema says what names of relations mean where a statement stands.
type Schema interface {
	// Table returns the relation of a name; ok is false if it isn't known.
	Table(n analyze.Name) (t *Table, ok bool)
}

// A Table is a relation as far as its rows can be told apart.
type Table struct {
	Relations []string // whose rows these are: its own name, with its partitions and inheritors; nil for views

	Dialect analyze.Dialect
	Columns []Column   // in their order; nil: not known
	Keys    [][]string // columns of unique keys without conditions, the primary key first, by folded names
	View    *analyze.Block
	Names   Schema // what the names in View mean

	// Unsliced says that its rows can't be told apart: all reads are of all rows.
	Unsliced bool
	// Altered are the ways of writing in which the database may change what is written: triggers, rules.
	Altered analyze.Op
	// Fired are those at which triggers may fire although no row is counted as changed.
	Fired analyze.Op
}

// A Column is a column of a Table.
type Column struct {
	Name  string // folded as the dialect compares columns
	Class Class

	Hidden    bool // not among those that * stands for
	NotNull   bool
	Generated bool         // computed from others, when written or read
	Serial    bool         // numbered by the database if it isn't given: SERIAL, IDENTITY, AUTO_INCREMENT, INTEGER PRIMARY KEY
	Default   analyze.Term // if it isn't given; Untold unless it is a constant. Null if it has none
	Selective bool         // first column of an index or a foreign key
}

// A Class says how the database compares a column with values: values of one class are
// equal if their canonical forms are. Columns of different classes are never
// taken for equal.
type Class struct {
	Kind ClassKind
	Fold Fold   // of Text
	Name string // what else tells it from others: the collation, the type of an enumeration
}

// A ClassKind is the sort of a Class.
type ClassKind uint8

// The sorts of classes.
const (
	Opaque      ClassKind = iota // can't be told: never sliced
	Integer                      // whole numbers, of any size
	Text                         // characters; compared after Fold
	Bytes                        // bytes, as they are
	Boolean                      // PostgreSQL's
	UUID                         // PostgreSQL's
	Dynamic                      // SQLite: any value, numbers by value (affinity INTEGER, NUMERIC or REAL)
	DynamicText                  // SQLite: any value, text by Fold (affinity TEXT)
	DynamicBlob                  // SQLite: any value, without conversion (affinity BLOB or none)
)

// A Fold is what a collation takes for equal; the canonical form may take more.
type Fold uint8

// The folds. They add up.
const (
	Exact     Fold = 0
	Padded    Fold = 1 << iota >> 1 // spaces at the end count for nothing
	CaseLess                        // ASCII letters of either case are equal; text that isn't printable ASCII has no canonical form
	ASCIICase                       // only ASCII letters of either case are equal (SQLite's NOCASE)
)
