package analyze

// The tree of statements that read or change rows. It keeps what tells which
// rows those are (conditions, aliases, joins), too, for reads to be confined.

// A liteSelect is a SELECT or VALUES, with the arms of a compound in order.
type liteSelect struct {
	with  []liteCTE
	arms  []*liteArm
	order []*liteExpr // of the whole, as the next
	limit []*liteExpr // LIMIT and OFFSET
}

// A liteCTE is one table of a WITH clause. All tables of the clause can be
// named in each of them, in whatever order they stand.
type liteCTE struct {
	name    string
	columns []string // nil if not renamed
	body    *liteSelect
}

// A liteArm is one SELECT or VALUES between UNION, EXCEPT and INTERSECT.
type liteArm struct {
	rows    [][]*liteExpr // of VALUES, which has nothing else
	columns []liteOutput
	from    []*liteSource
	where   *liteExpr
	group   []*liteExpr
	having  *liteExpr
	windows []*liteExpr // in the definitions of WINDOW
}

// A liteOutput is a column of a result or of RETURNING.
type liteOutput struct {
	expr  *liteExpr
	alias string
}

// A liteSource is what stands between commas and JOINs of a FROM clause: a
// named relation, a table function, a subquery or sources in parentheses.
type liteSource struct {
	name    Name
	call    bool // name is a function, args are its arguments
	args    []*liteExpr
	sub     *liteSelect
	nested  []*liteSource
	alias   string
	join    Join // with those before it
	natural bool
	on      *liteExpr
	using   []string
}

// A liteOperator is the sort of a liteExpr.
type liteOperator uint8

const (
	liteLiteral  liteOperator = iota // text holds it; token its kind
	liteBind                         // a parameter: text
	liteColumn                       // text, perhaps after qualifier
	liteStar                         // * or qualifier.*
	liteCall                         // function text of args
	liteOperate                      // operator text on args: "=", "and", "in", "between", "case" …
	liteClock                        // CURRENT_TIME, CURRENT_DATE, CURRENT_TIMESTAMP
	liteSubquery                     // (SELECT …), EXISTS (SELECT …)
)

// A liteExpr is an expression.
type liteExpr struct {
	op        liteOperator
	text      string
	token     liteKind // of literals and columns
	qualifier Name     // of columns: table, and its schema
	args      []*liteExpr
	number    int         // of parameters: see liteNumberParams
	more      []*liteExpr // of calls: ORDER BY, FILTER and OVER
	window    bool        // of calls: there is an OVER
	sub       *liteSelect // of subqueries and IN (SELECT …)
	source    *liteSource // of x IN relation
}

// A liteChange is an INSERT, UPDATE or DELETE.
type liteChange struct {
	with      []liteCTE
	target    Name
	alias     string
	op        Op
	reads     bool   // the target is read as well: not by an INSERT that reads nothing back
	conflict  string // what OR says to do then; REPLACE is INSERT OR REPLACE
	columns   []string
	rows      *liteSelect // of INSERT; nil for DEFAULT VALUES
	upsert    []*liteExpr // of ON CONFLICT: its terms, values set and conditions
	set       []liteAssignment
	from      []*liteSource
	where     *liteExpr
	returning []liteOutput
	order     []*liteExpr
	limit     []*liteExpr

	targetText string      // of UPDATE and DELETE: the target with its alias, as written
	condition  []liteToken // what where was read from
}

// A liteAssignment is column = value or (columns) = row.
type liteAssignment struct {
	columns []string
	value   *liteExpr
}
