package analyze

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/test_driver"
)

// mysqlChange tells which rows the statement s, of which tokens are the text, changes. It
// is nil if the text may be another one on another server.
func mysqlChange(p mysqlParsed, s *Statement, tokens []mysqlToken) *Change {
	if p.removed.conditions || p.closedUp || strings.Contains(s.Text, "/*!") || strings.Contains(s.Text, "/*M!") {
		return nil
	}
	r := newMySQLRows(p)
	var c *Change
	switch x := p.node.(type) {
	case *ast.InsertStmt:
		c = r.inserted(x)
	case *ast.UpdateStmt:
		c = r.updated(x)
	case *ast.DeleteStmt:
		c = r.deleted(x)
	}
	if c == nil {
		return nil
	}
	if returning, ok := p.returning.(*ast.SelectStmt); ok {
		c.Returning = r.outputs(returning.Fields.Fields)
	}
	if c.Repeatable {
		c.repeat(s.Text, tokens, p)
	}
	return c
}

// inserted tells the rows of INSERT … VALUES and INSERT … SET. Nothing is told of INSERT
// IGNORE, which adjusts what doesn't fit, and of rows that are in the way, unless they are left as they are.
func (r *mysqlRows) inserted(x *ast.InsertStmt) *Change {
	t, ok := mysqlTarget(x.Table)
	if !ok || x.IsReplace || x.IgnoreErr || !t.keeps(x.OnDuplicate) || x.Select != nil || len(x.PartitionNames) > 0 {
		return nil
	}
	c := &Change{Op: Insert, Target: t.name, Alias: t.alias}
	if len(x.OnDuplicate) > 0 {
		c.Also = Update
	}
	for _, column := range x.Columns {
		c.Columns = append(c.Columns, column.Name.O)
	}
	for _, row := range x.Lists {
		values := make([]Term, len(row))
		for i, v := range row {
			values[i] = r.value(v)
		}
		if len(row) == 0 {
			c.Columns = []string{} // all are given their defaults
		}
		c.Rows = append(c.Rows, values)
	}
	return c
}

// keeps reports whether assignments give columns of the target the values that they have: ON DUPLICATE KEY UPDATE id = id,
// as ORMs write what is ON CONFLICT DO NOTHING elsewhere.
func (t *mysqlSource) keeps(list []*ast.Assignment) bool {
	for _, a := range list {
		e, ok := a.Expr.(*ast.ColumnNameExpr)
		if !ok || a.Column.Name.L != e.Name.Name.L || mysqlNoColumns[e.Name.Name.L] || a.Column.Table.L != "" || e.Name.Table.L != "" {
			return false
		}
	}
	return true
}

// updated tells of UPDATE of one table. UPDATE IGNORE adjusts what doesn't fit.
func (r *mysqlRows) updated(x *ast.UpdateStmt) *Change {
	t, ok := mysqlTarget(x.TableRefs)
	if !ok || x.With != nil || x.MultipleTable {
		return nil
	}
	c := &Change{Op: Update, Target: t.name, Alias: t.alias, Where: r.condition(x.Where)}
	for _, a := range x.List {
		set := Assignment{Column: a.Column.Name.O}
		if !x.IgnoreErr {
			set.Value = r.value(a.Expr)
		}
		c.Set = append(c.Set, set)
	}
	c.Repeatable = !x.IgnoreErr && x.Order == nil && x.Limit == nil && mysqlRepeatable(x.Where)
	return c
}

// deleted tells of DELETE of one table.
func (r *mysqlRows) deleted(x *ast.DeleteStmt) *Change {
	t, ok := mysqlTarget(x.TableRefs)
	if !ok || x.With != nil || x.Tables != nil || x.IsMultiTable {
		return nil
	}
	c := &Change{Op: Delete, Target: t.name, Alias: t.alias, Where: r.condition(x.Where)}
	c.Repeatable = !x.IgnoreErr && x.Order == nil && x.Limit == nil && mysqlRepeatable(x.Where)
	return c
}

// mysqlTarget is the one table that a statement changes, whole.
func mysqlTarget(refs *ast.TableRefsClause) (mysqlSource, bool) {
	if refs == nil || refs.TableRefs == nil {
		return mysqlSource{}, false
	}
	var n ast.ResultSetNode = refs.TableRefs
	for join, ok := n.(*ast.Join); ok && join.Right == nil; join, ok = n.(*ast.Join) {
		n = join.Left
	}
	source, ok := n.(*ast.TableSource)
	if !ok {
		return mysqlSource{}, false
	}
	t, ok := source.Source.(*ast.TableName)
	if !ok || len(t.PartitionNames) > 0 || t.TableSample != nil || t.AsOf != nil {
		return mysqlSource{}, false
	}
	target := mysqlSource{name: mysqlTableName(t), alias: source.AsName.O, node: t}
	if target.alias == "" {
		target.alias = target.name.Name
	}
	return target, true
}

// value is what a column is given, if it is constant. ” is NULL in a mode of MariaDB.
func (r *mysqlRows) value(e ast.ExprNode) Term {
	if d, ok := e.(*ast.DefaultExpr); ok && d.Name == nil {
		return Term{Kind: Default}
	}
	t := r.term(e)
	if t.Kind == Column || t.Kind == Text && t.Text == "" {
		return Term{}
	}
	return t
}

// mysqlRepeatable reports whether a condition, which may be nil, is the same for the same
// row whenever it is asked.
func mysqlRepeatable(e ast.ExprNode) bool {
	if e == nil {
		return true
	}
	c := &mysqlConstancy{ok: true}
	e.Accept(c)
	return c.ok
}

// A mysqlConstancy looks for anything but columns, literals, parameters and operators.
type mysqlConstancy struct{ ok bool }

func (c *mysqlConstancy) Enter(n ast.Node) (ast.Node, bool) {
	switch x := n.(type) {
	case *ast.ColumnName:
		c.ok = c.ok && !mysqlNoColumns[x.Name.L]
	case *ast.ColumnNameExpr, *test_driver.ValueExpr, *test_driver.ParamMarkerExpr, *ast.ParenthesesExpr,
		*ast.BinaryOperationExpr, *ast.UnaryOperationExpr, *ast.PatternInExpr, *ast.BetweenExpr, *ast.IsNullExpr,
		*ast.IsTruthExpr, *ast.PatternLikeOrIlikeExpr, *ast.PatternRegexpExpr, *ast.RowExpr, *ast.SetCollationExpr:
	default:
		c.ok = false
	}
	return n, !c.ok
}

func (c *mysqlConstancy) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// mysqlNoColumns are names that may call a function in Oracle mode.
var mysqlNoColumns = mysqlSet("nextval currval sysdate systimestamp rownum sys_guid current_timestamp current_date user")

// repeat takes from a text the target and the condition of UPDATE or DELETE, of which
// tokens is the whole.
func (c *Change) repeat(text string, tokens []mysqlToken, p mysqlParsed) {
	begin := 1
	if c.Op == Update {
		for begin < len(tokens) && tokens[begin].is("LOW_PRIORITY") {
			begin++
		}
	} else {
		begin = mysqlFind(tokens, "FROM") + 1
	}
	rest := tokens[begin:]
	if at := mysqlFind(rest, "RETURNING"); p.returning != nil && at >= 0 {
		rest = rest[:at]
	}
	from, condition := rest, []mysqlToken(nil)
	if at := mysqlFind(rest, "WHERE"); at >= 0 {
		from, condition = rest[:at], rest[at+1:]
	}
	if at := mysqlFind(from, "SET"); at >= 0 {
		from = from[:at]
	}
	c.From, c.Condition = mysqlText(text, from), mysqlText(text, condition)
	if len(condition) > 0 {
		c.Span = [2]int{condition[0].pos, condition[len(condition)-1].end}
	}
	for _, t := range condition {
		if t.is("?") {
			c.Args = append(c.Args, Term{Kind: Param, Param: t.param})
		}
	}
	c.Repeatable = begin > 0 && c.From != "" && (c.Condition != "") == mysqlHasWhere(p.node) &&
		!slices.ContainsFunc(c.Args, func(t Term) bool { return t.Param == 0 })
	if !c.Repeatable {
		c.From, c.Condition, c.Args, c.Span = "", "", nil, [2]int{}
	}
}

func mysqlHasWhere(n ast.StmtNode) bool {
	switch x := n.(type) {
	case *ast.UpdateStmt:
		return x.Where != nil
	case *ast.DeleteStmt:
		return x.Where != nil
	}
	return false
}

// mysqlText is the part of text in which tokens stand.
func mysqlText(text string, tokens []mysqlToken) string {
	if len(tokens) == 0 {
		return ""
	}
	return text[tokens[0].pos:tokens[len(tokens)-1].end]
}
