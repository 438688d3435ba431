package analyze

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	"github.com/pingcap/tidb/pkg/parser/opcode"
	"github.com/pingcap/tidb/pkg/parser/test_driver"
)

// condition tells what an expression demands of a row, nil if it can't be told. What is
// a truth value only as a number (a column alone, IS TRUE, NOT) isn't.
func (r *mysqlRows) condition(e ast.ExprNode) *Cond {
	switch x := e.(type) {
	case *ast.ParenthesesExpr:
		return r.condition(x.Expr)
	case *ast.BinaryOperationExpr:
		switch x.Op {
		case opcode.LogicAnd:
			return r.all(x)
		case opcode.LogicOr:
			return r.either(x)
		case opcode.EQ, opcode.NullEQ:
			return r.equal(x.L, x.R, x.Op == opcode.NullEQ)
		}
	case *ast.PatternInExpr:
		if !x.Not && x.Sel == nil {
			return r.in(x.Expr, x.List)
		}
	case *ast.BetweenExpr:
		if low, high := r.term(x.Left), r.term(x.Right); !x.Not && low == high {
			return r.equal(x.Expr, x.Left, false)
		}
	case *ast.IsNullExpr:
		if t := r.term(x.Expr); !x.Not && t.Kind == Column {
			return &Cond{Op: IsNull, Left: t}
		}
	}
	return nil
}

// mysqlOperands are the operands of AND or OR in a row, in their order.
func mysqlOperands(e ast.ExprNode, op opcode.Op) []ast.ExprNode {
	switch x := e.(type) {
	case *ast.ParenthesesExpr:
		return mysqlOperands(x.Expr, op)
	case *ast.BinaryOperationExpr:
		if x.Op == op {
			return append(mysqlOperands(x.L, op), mysqlOperands(x.R, op)...)
		}
	}
	return []ast.ExprNode{e}
}

func (r *mysqlRows) all(x *ast.BinaryOperationExpr) *Cond {
	var conds []*Cond
	for _, e := range mysqlOperands(x, opcode.LogicAnd) {
		conds = append(conds, r.condition(e))
	}
	return mysqlAnd(conds)
}

func (r *mysqlRows) either(x *ast.BinaryOperationExpr) *Cond {
	if r.pipes {
		return nil
	}
	var conds []*Cond
	for _, e := range mysqlOperands(x, opcode.LogicOr) {
		conds = append(conds, r.condition(e))
	}
	return mysqlOr(conds)
}

// mysqlAnd is all of conds that are told, or nil.
func mysqlAnd(conds []*Cond) *Cond {
	and := &Cond{Op: And}
	for _, c := range conds {
		if c != nil {
			and.Args = append(and.Args, c)
		}
	}
	switch len(and.Args) {
	case 0:
		return nil
	case 1:
		return and.Args[0]
	}
	return and
}

// mysqlOr is one of conds, or nil if one isn't told.
func mysqlOr(conds []*Cond) *Cond {
	for _, c := range conds {
		if c == nil {
			return nil
		}
	}
	if len(conds) == 1 {
		return conds[0]
	}
	return &Cond{Op: Or, Args: conds}
}

// equal is a = b, or a <=> b if safe, of values or of rows.
func (r *mysqlRows) equal(a, b ast.ExprNode, safe bool) *Cond {
	left, right := mysqlRow(a), mysqlRow(b)
	if len(left) != len(right) {
		return nil
	}
	if left != nil {
		conds := make([]*Cond, len(left))
		for i := range left {
			conds[i] = r.equal(left[i], right[i], safe)
		}
		return mysqlAnd(conds)
	}
	x, y := r.term(a), r.term(b)
	if x.Kind != Column {
		x, y = y, x
	}
	if x.Kind != Column || y.Kind == Untold || safe && y.Kind == Text && y.Text == "" {
		return nil // '' is NULL in a mode of MariaDB
	}
	return &Cond{Op: Equal, Left: x, List: []Term{y}, Safe: safe}
}

// mysqlRow are the values of a row, nil if e is none.
func mysqlRow(e ast.ExprNode) []ast.ExprNode {
	switch x := e.(type) {
	case *ast.ParenthesesExpr:
		return mysqlRow(x.Expr)
	case *ast.RowExpr:
		return x.Values
	}
	return nil
}

// in is e IN (list).
func (r *mysqlRows) in(e ast.ExprNode, list []ast.ExprNode) *Cond {
	if row := mysqlRow(e); row != nil {
		return r.rowIn(e, row, list)
	}
	if len(list) == 1 {
		return r.equal(e, list[0], false)
	}
	if t := r.term(e); t.Kind == Column {
		return mysqlIn(t, r.terms(list))
	}
	return nil
}

// mysqlIn is a column IN (list). A list in which numbers and strings are mixed isn't told: what the
// server compares them as is nowhere written.
func mysqlIn(column Term, list []Term) *Cond {
	kinds := mysqlKinds(list)
	if kinds[Untold] || kinds[Number] && (kinds[Text] || kinds[Blob]) {
		return nil
	}
	return &Cond{Op: In, Left: column, List: list}
}

// mysqlKinds are the kinds of terms.
func mysqlKinds(list []Term) (kinds [Default + 1]bool) {
	for _, t := range list {
		kinds[t.Kind] = true
	}
	return kinds
}

func (r *mysqlRows) terms(exprs []ast.ExprNode) []Term {
	list := make([]Term, len(exprs))
	for i, e := range exprs {
		list[i] = r.term(e)
	}
	return list
}

// rowIn is (a, b) IN ((1, 2), …). One value of another type changes how the server compares
// all values of its column: only literals of one kind are told row by row, others as
// a IN (…) AND b IN (…).
func (r *mysqlRows) rowIn(e ast.ExprNode, row, list []ast.ExprNode) *Cond {
	columns := make([][]ast.ExprNode, len(row))
	for _, item := range list {
		values := mysqlRow(item)
		if len(values) != len(row) {
			return nil
		}
		for i, v := range values {
			columns[i] = append(columns[i], v)
		}
	}
	alike := true
	each := make([]*Cond, len(row))
	for i, column := range columns {
		terms := r.terms(column)
		kinds := mysqlKinds(terms)
		if left := r.term(row[i]); left.Kind == Column && !kinds[Column] {
			each[i] = mysqlIn(left, terms)
		}
		alike = alike && each[i] != nil && !kinds[Param]
	}
	if !alike {
		return mysqlAnd(each)
	}
	conds := make([]*Cond, len(list))
	for i, item := range list {
		conds[i] = r.equal(e, item, false)
	}
	return mysqlOr(conds)
}

// term is e if it is no more than a column, a parameter or a literal.
func (r *mysqlRows) term(e ast.ExprNode) Term {
	switch x := e.(type) {
	case *ast.ParenthesesExpr:
		return r.term(x.Expr)
	case *ast.ColumnNameExpr:
		n := x.Name
		return Term{Kind: Column, Table: Name{Schema: n.Schema.O, Name: n.Table.O}, Text: n.Name.O}
	case *test_driver.ParamMarkerExpr:
		if number := r.params[x.Offset]; number > 0 {
			return Term{Kind: Param, Param: number}
		}
	case *test_driver.ValueExpr:
		return r.literal(x)
	case *ast.UnaryOperationExpr:
		if v, ok := x.V.(*test_driver.ValueExpr); ok {
			return r.literal(v).signed(x.Op)
		}
	}
	return Term{}
}

// signed is the number t with a sign before it.
func (t Term) signed(op opcode.Op) Term {
	switch {
	case t.Kind == Number && op == opcode.Plus:
		return t
	case t.Kind == Number && op == opcode.Minus:
		return Term{Kind: Number, Text: "-" + t.Text}
	}
	return Term{}
}

// mysqlMaxDigits bounds decimal numbers: of longer ones neither the parser nor the server
// keeps all.
const mysqlMaxDigits = 28

// literal is a literal: no number with an exponent, no string of a named character set.
// TRUE and FALSE are numbers.
func (r *mysqlRows) literal(x *test_driver.ValueExpr) Term {
	if x.Type.GetFlag()&mysql.UnderScoreCharsetFlag != 0 {
		return Term{}
	}
	switch x.Kind() {
	case test_driver.KindNull:
		return Term{Kind: Null}
	case test_driver.KindInt64, test_driver.KindUint64:
		return Term{Kind: Number, Text: mysqlDigits(x)}
	case test_driver.KindMysqlDecimal:
		if text := x.GetMysqlDecimal().String(); len(text) <= mysqlMaxDigits {
			return Term{Kind: Number, Text: text}
		}
	case test_driver.KindString:
		return Term{Kind: Text, Text: x.GetString()}
	case test_driver.KindBinaryLiteral:
		if x.Type.GetFlag()&mysql.UnsignedFlag != 0 && !r.hex {
			return Term{Kind: Blob, Text: string(x.GetBytes())}
		}
	}
	return Term{}
}

// mysqlDigits are the digits of a whole number.
func mysqlDigits(x *test_driver.ValueExpr) string {
	var b strings.Builder
	if x.Type.GetFlag()&mysql.IsBooleanFlag != 0 {
		return map[bool]string{true: "1", false: "0"}[x.GetInt64() > 0]
	}
	x.Format(&b)
	return b.String()
}
