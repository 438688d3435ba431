package analyze

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// MySQL adds today's date to a time of day where it meets a date: in functions of
// dates, in comparisons, and where one of several values is chosen. Whether a column
// is a time of day, the catalog knows; here such places are found. A column of a
// derived table can't be followed: then "*" stands for any.

// mysqlChoices are the functions that return one of their arguments, in the type that
// fits all.
var mysqlChoices = mysqlSet("coalesce ifnull if nullif nvl nvl2 greatest least elt field interval")

// meets notes expressions that may meet a date.
func (w *mysqlWalk) meets(exprs ...ast.ExprNode) {
	for _, e := range exprs {
		if e != nil && len(w.s.TimeCasts) < mysqlMaxTimes {
			e.Accept(&mysqlColumns{w})
		}
	}
}

// mysqlMaxTimes bounds how many columns are told apart.
const mysqlMaxTimes = 64

// chooses notes expressions that meet each other. With a literal nothing is
// converted, or the literal is.
func (w *mysqlWalk) chooses(exprs ...ast.ExprNode) {
	values, times := 0, 0
	for _, e := range exprs {
		if e == nil || mysqlIsLiteral(e) {
			continue
		}
		values++
		if mysqlIsTime(e) {
			times++
		}
	}
	switch {
	case times == values || values < 2:
	case times > 0:
		w.because(Volatile, "time as datetime")
	default:
		w.meets(exprs...)
	}
}

func mysqlIsLiteral(e ast.ExprNode) bool {
	_, ok := e.(ast.ValueExpr) // parameters, too
	return ok
}

// meeting looks for expressions that meet in n.
func (w *mysqlWalk) meeting(n ast.Node) {
	switch x := n.(type) {
	case *ast.FuncCallExpr:
		switch name := strings.ToLower(x.FnName.O); {
		case x.Schema.O != "" || !Builtin(MySQL, name) || mysqlDates[name]: // a user's function may take a date
			w.meets(x.Args...)
		case mysqlChoices[name]:
			w.chooses(x.Args...)
		}
	case *ast.FuncCastExpr:
		if mysqlNeedsDate(x.Tp.GetType()) {
			w.meets(x.Expr)
		}
	case *ast.BinaryOperationExpr:
		if mysqlCompares(x.Op) {
			w.chooses(x.L, x.R)
		}
	case *ast.BetweenExpr:
		w.chooses(x.Expr, x.Left, x.Right)
	case *ast.PatternInExpr:
		w.chooses(append([]ast.ExprNode{x.Expr, x.Sel}, x.List...)...)
	case *ast.CompareSubqueryExpr:
		w.chooses(x.L, x.R)
	case *ast.CaseExpr:
		w.caseMeets(x)
	}
}

func (w *mysqlWalk) caseMeets(x *ast.CaseExpr) {
	conditions, results := []ast.ExprNode{x.Value}, []ast.ExprNode{x.ElseClause}
	for _, when := range x.WhenClauses {
		conditions, results = append(conditions, when.Expr), append(results, when.Result)
	}
	if x.Value != nil {
		w.chooses(conditions...)
	}
	w.chooses(results...)
}

func mysqlCompares(op opcode.Op) bool {
	switch op {
	case opcode.EQ, opcode.NE, opcode.LT, opcode.LE, opcode.GT, opcode.GE, opcode.NullEQ:
		return true
	}
	return false
}

// unites notes the columns of queries that UNION and the like put together.
func (w *mysqlWalk) unites(x *ast.SetOprSelectList) {
	for _, arm := range x.Selects {
		s, ok := arm.(*ast.SelectStmt)
		if !ok || s.Fields == nil {
			w.timeColumn("*")
			continue
		}
		for _, field := range s.Fields.Fields {
			if field.WildCard != nil {
				w.timeColumn("*")
			} else {
				w.meets(field.Expr)
			}
		}
	}
}

// joins notes the columns that a join compares without naming them twice.
func (w *mysqlWalk) joins(x *ast.Join) {
	if x.NaturalJoin {
		w.timeColumn("*")
	}
	for _, c := range x.Using {
		w.timeColumn(c.Name.O)
	}
}

func (w *mysqlWalk) timeColumn(name string) {
	if len(w.s.TimeCasts) >= mysqlMaxTimes-1 {
		name = "*"
	}
	w.s.TimeCasts = addOnce(w.s.TimeCasts, strings.ToLower(name))
}

// names notes what names other than those of relations' columns there are.
func (w *mysqlWalk) names(n ast.Node) {
	switch x := n.(type) {
	case *ast.TableSource:
		_, relation := x.Source.(*ast.TableName)
		w.derived = w.derived || !relation
	case *ast.SelectField:
		if x.AsName.L != "" {
			if w.aliases == nil {
				w.aliases = map[string]bool{}
			}
			w.aliases[x.AsName.L] = true
		}
	}
}

// finishTimes settles what only the whole statement shows: which names may stand for
// something else than a relation's column.
func (w *mysqlWalk) finishTimes() {
	if w.s.Kind != Read {
		w.s.TimeCasts = nil
		return
	}
	derived := w.derived
	for _, name := range w.s.TimeCasts {
		derived = derived || w.aliases[name]
	}
	if !derived || len(w.s.TimeCasts) == 0 {
		return
	}
	for _, n := range w.s.Functions {
		if n.Schema == "" && mysqlTimeFunctions[n.Name] {
			w.because(Volatile, "time as datetime")
		}
	}
	w.timeColumn("*")
}

// mysqlTimeFunctions return a time of day, or may do so.
var mysqlTimeFunctions = mysqlSet("time maketime sec_to_time timediff addtime subtime str_to_date timestampadd cast convert")

// A mysqlColumns notes the columns of an expression.
type mysqlColumns struct{ w *mysqlWalk }

func (c *mysqlColumns) Enter(n ast.Node) (ast.Node, bool) {
	switch x := n.(type) {
	case *ast.ColumnNameExpr:
		c.w.timeColumn(x.Name.Name.O)
	case *ast.SelectField:
		if x.WildCard != nil {
			c.w.timeColumn("*")
		}
	}
	return n, false
}

func (c *mysqlColumns) Leave(n ast.Node) (ast.Node, bool) { return n, true }
