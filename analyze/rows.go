package analyze

// The types below tell which rows of its relations a statement reads or changes, as far
// as its text does. They are the same for all dialects. What they leave out may be
// anything: a nil Cond is always true, a Term of kind Untold may have any value. Names are folded as those of
// relations are (MySQL: as written; columns are compared without case there and in SQLite).

// A Block is a SELECT, a VALUES or a set operation of them.
type Block struct {
	With []CTE // names bound in it

	Arms []*Block // of UNION, INTERSECT, EXCEPT; then all that follows but Subs is empty

	From    []Source // a comma is an inner join without condition
	Where   *Cond
	Columns []Output // what it returns, in order
	Subs    []*Block // subqueries that stand in expressions anywhere in it

	// Folds says that a row which a condition on Columns would refuse may yet
	// decide about rows that it accepts: LIMIT, OFFSET, windows, DISTINCT ON, functions that return sets. Grouped:
	// GROUP BY, HAVING or an aggregate; conditions on what Groups names, then, decide about whole
	// groups. A plain DISTINCT is neither.
	Folds   bool
	Grouped bool
	Groups  []Term // columns in GROUP BY, none with ROLLUP, CUBE or GROUPING SETS

	Order []Term // the columns in ORDER BY; what else stands there is left out

	// Mentions are the words of the whole text, in the Block of a Statement; nil in those within.
	Mentions *Mentions
}

// A CTE is a name that WITH binds. Names are seen by those after them and, if Recursive,
// by all of the clause.
type CTE struct {
	Name      string
	Columns   []string // as renamed, nil if not
	Recursive bool
	Block     *Block // nil: it changes rows, or can't be told
}

// A Source is what stands between the joins of a FROM clause: a named relation, a
// subquery, sources in parentheses or, if none of these is set, anything else.
type Source struct {
	Relation Name // or a CTE
	Sub      *Block
	Nested   []Source

	Alias   string   // the relation's name if it has none
	Columns []string // as renamed: alias(c1, c2)
	Lateral bool     // Sub sees the sources before it; else it sees what the block itself sees of outer blocks

	Join    Join // with what stands before it in the list
	On      *Cond
	Using   []string
	Natural bool
}

// A Join says whose rows a join keeps that have no partner.
type Join uint8

// The joins.
const (
	Inner Join = iota
	Left       // those before it
	Right      // its own
	Full       // both
)

// An Output is a column that a Block returns.
type Output struct {
	Name string // "" if the database makes one up
	Term Term   // Column if it is a column of a source, unchanged
	Star bool   // all columns of Term.Table, or of all sources

	// Aggregate says that it is a call of an aggregate and no more. MySQL and SQLite give a column beside one the value of some row.
	Aggregate bool
}

// A Cond is what a row must satisfy.
type Cond struct {
	Op   CondOp
	Args []*Cond // of And and Or
	Left Term    // of the others
	List []Term  // of Equal one, of In any number
	Safe bool    // Equal: NULL equals NULL (IS NOT DISTINCT FROM, <=>, IS)
}

// A CondOp is the sort of a Cond.
type CondOp uint8

// The sorts of conditions. (a, b) = (1, 2) is And of Equals, (a, b) IN (…) Or of these.
const (
	And     CondOp = iota // one that isn't told is left out
	Or                    // all are told
	Equal                 // Left = List[0]
	In                    // Left IN (List)
	Any                   // Left = ANY(List[0]), which is an array
	IsNull                // Left IS NULL
	IsTrue                // Left alone, IS TRUE, or = TRUE; a boolean
	IsFalse               // NOT Left, IS FALSE
)

// A Term is what a condition compares, if it is no more than a column, a
// parameter or a literal. A sign before a number is part of it.
type Term struct {
	Kind  TermKind
	Table Name   // Column: its qualifier, if it has one
	Text  string // Column: its name; Param: its name if it has one; literals: their value
	Param int    // Param: its number from 1, as the driver counts arguments; 0 if only named
	Cast  string // the type that it is cast to explicitly, in lower case; a column that is cast is Untold
}

// A TermKind is the sort of a Term.
type TermKind uint8

// The sorts of terms.
const (
	Untold TermKind = iota
	Column
	Param
	Number  // as written, in decimal; no hexadecimal
	Text    // without quotes, escapes resolved
	Blob    // the bytes
	Boolean // "true" or "false"
	Null
	Default // the keyword, in INSERT and UPDATE
)

// A Change is an INSERT of VALUES, or an UPDATE or DELETE of one relation, of
// which the text tells how to find the rows.
type Change struct {
	Op     Op // Insert, Update or Delete alone
	Also   Op // Insert: how rows that are in the way are written, as they are; triggers may see to it that they are changed
	Target Name
	Alias  string // the relation's name if it has none

	Columns []string     // Insert: those given, nil for all in their order
	Rows    [][]Term     // Insert: the values
	Set     []Assignment // Update
	Where   *Cond        // Update, Delete

	// Repeatable says that a SELECT with the same condition, asked just before in the same
	// transaction, finds the rows that are changed, if nobody else comes between: the condition
	// calls nothing, has no subqueries, and there is no LIMIT. Then From is the text of the target with its alias, Condition the text
	// of the condition, "" if there is none, with parameters numbered anew, and Args these parameters.
	Repeatable bool
	From       string
	Condition  string
	Args       []Term
	Span       [2]int // byte offsets of the condition in the text of the statement

	Returning []Output // its own RETURNING
	Append    int      // byte offset at which a RETURNING may be added to the text; 0: it may not
}

// An Assignment is column = value in UPDATE.
type Assignment struct {
	Column string
	Value  Term
}

// appendColumn adds a term to a list if it is a column.
func appendColumn(list []Term, t Term) []Term {
	if t.Kind != Column || t.Cast != "" {
		return list
	}
	return append(list, t)
}
