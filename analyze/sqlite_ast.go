package analyze

// The tree of statements that read or change rows. It keeps what tells which
// rows those are (conditions, aliases, joins), too, for reads to be confined.

// A liteSelect is a SELECT or VALUES, with the arms of a compound in order.
type liteSelect struct {
	with []liteCTE
	arms []*liteArm
}

// A liteCTE is one table of a WITH clause. All tables of the clause can be
// named in each of them, in whatever order they stand.
type liteCTE struct {
	name string
	body *liteSelect
}

// A liteArm is one SELECT or VALUES between UNION, EXCEPT and INTERSECT. ORDER
// BY and LIMIT of a compound are with its last arm.
type liteArm struct {
	columns []*liteExpr // the rows' values one after the other for VALUES
	from    []*liteSource
	where   *liteExpr
	rest    []*liteExpr // GROUP BY, HAVING, WINDOW, ORDER BY, LIMIT and OFFSET
}

// A liteSource is what stands between commas and JOINs of a FROM clause: a
// named relation, a table function, a subquery or sources in parentheses.
type liteSource struct {
	name   Name
	call   bool // name is a function, args are its arguments
	args   []*liteExpr
	sub    *liteSelect
	nested []*liteSource
	alias  string
	outer  bool // rows of it, or of those before it, may be all NULL
	on     *liteExpr
	using  []string
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
	more      []*liteExpr // of calls: ORDER BY, FILTER and OVER
	sub       *liteSelect // of subqueries and IN (SELECT …)
	source    *liteSource // of x IN relation
}

// A liteChange is an INSERT, UPDATE or DELETE.
type liteChange struct {
	with      []liteCTE
	target    Name
	alias     string
	op        Op
	reads     bool        // the target is read as well: not by an INSERT that reads nothing back
	rows      *liteSelect // of INSERT
	from      []*liteSource
	exprs     []*liteExpr // values set, WHERE, RETURNING, ORDER BY, LIMIT
	returning bool
}
