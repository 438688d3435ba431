package analyze

import (
	"slices"

	"github.com/multigres/multigres/go/common/parser/ast"
)

// cond is what a row must satisfy for n to be true, or nil.
func (b *pgBlocks) cond(n ast.Node) *Cond {
	if pgIsNil(n) {
		return nil
	}
	switch n := pgBare(n).(type) {
	case *ast.BoolExpr:
		return b.boolean(n)
	case *ast.ColumnRef:
		return b.test(IsTrue, n)
	case *ast.A_Expr:
		return b.comparison(n)
	case *ast.NullTest:
		if n.Nulltesttype == ast.IS_NULL {
			return b.test(IsNull, n.Arg)
		}
	case *ast.BooleanTest:
		switch n.Booltesttype {
		case ast.IS_TRUE:
			return b.test(IsTrue, n.Arg)
		case ast.IS_FALSE:
			return b.test(IsFalse, n.Arg)
		}
	}
	return nil
}

// test is a condition on one column.
func (b *pgBlocks) test(op CondOp, n ast.Node) *Cond {
	if t := b.term(n); t.Kind == Column {
		return &Cond{Op: op, Left: t}
	}
	return nil
}

func (b *pgBlocks) boolean(n *ast.BoolExpr) *Cond {
	args := pgItems(n.Args)
	switch n.Boolop {
	case ast.AND_EXPR:
		return pgAll(b.conds(args))
	case ast.OR_EXPR:
		return pgEither(b.conds(args))
	case ast.NOT_EXPR:
		if len(args) == 1 {
			return b.test(IsFalse, args[0])
		}
	}
	return nil
}

func (b *pgBlocks) conds(list []ast.Node) []*Cond {
	conds := make([]*Cond, len(list))
	for i, n := range list {
		conds[i] = b.cond(n)
	}
	return conds
}

// pgAll is the And of those conditions that are told.
func pgAll(conds []*Cond) *Cond {
	var told []*Cond
	for _, c := range conds {
		switch {
		case c == nil:
		case c.Op == And:
			told = append(told, c.Args...)
		default:
			told = append(told, c)
		}
	}
	switch len(told) {
	case 0:
		return nil
	case 1:
		return told[0]
	}
	return &Cond{Op: And, Args: told}
}

// pgEither is the Or of conditions, if all of them are told.
func pgEither(conds []*Cond) *Cond {
	var told []*Cond
	for _, c := range conds {
		switch {
		case c == nil:
			return nil
		case c.Op == Or:
			told = append(told, c.Args...)
		default:
			told = append(told, c)
		}
	}
	switch len(told) {
	case 0:
		return nil
	case 1:
		return told[0]
	}
	return &Cond{Op: Or, Args: told}
}

func (b *pgBlocks) comparison(e *ast.A_Expr) *Cond {
	between := e.Kind == ast.AEXPR_BETWEEN || e.Kind == ast.AEXPR_BETWEEN_SYM
	if !between && !pgIsEquals(e.Name) {
		return nil
	}
	switch e.Kind {
	case ast.AEXPR_OP:
		return b.equal(e.Lexpr, e.Rexpr, false)
	case ast.AEXPR_NOT_DISTINCT:
		return b.equal(e.Lexpr, e.Rexpr, true)
	case ast.AEXPR_IN:
		if list, ok := e.Rexpr.(*ast.NodeList); ok {
			return b.in(e.Lexpr, pgItems(list))
		}
	case ast.AEXPR_OP_ANY:
		return b.any(e.Lexpr, pgBare(e.Rexpr))
	case ast.AEXPR_BETWEEN, ast.AEXPR_BETWEEN_SYM:
		return b.between(e)
	}
	return nil
}

// pgIsEquals reports whether an operator is = by the search path or pg_catalog's.
func pgIsEquals(name *ast.NodeList) bool {
	parts := pgStrings(name)
	return len(parts) > 0 && parts[len(parts)-1] == "=" && (len(parts) == 1 || len(parts) == 2 && parts[0] == "pg_catalog")
}

func (b *pgBlocks) equal(left, right ast.Node, safe bool) *Cond {
	leftRow, ok := pgBare(left).(*ast.RowExpr)
	rightRow, ok2 := pgBare(right).(*ast.RowExpr)
	if ok && ok2 {
		return b.equalRows(pgItems(leftRow.Args), pgItems(rightRow.Args), safe)
	}
	return pgEqual(b.term(left), b.term(right), safe)
}

// equalRows compares rows column by column. Rows in rows are compared in another way.
func (b *pgBlocks) equalRows(left, right []ast.Node, safe bool) *Cond {
	if len(left) != len(right) {
		return nil
	}
	conds := make([]*Cond, len(left))
	for i := range left {
		conds[i] = pgEqual(b.term(left[i]), b.term(right[i]), safe)
	}
	return pgAll(conds)
}

// pgEqual compares two terms, of which one is a column.
func pgEqual(left, right Term, safe bool) *Cond {
	if left.Kind != Column {
		left, right = right, left
	}
	switch {
	case left.Kind != Column || right.Kind == Untold:
		return nil
	case right.Kind == Boolean && right.Cast == "":
		return &Cond{Op: map[string]CondOp{"true": IsTrue, "false": IsFalse}[right.Text], Left: left}
	}
	return &Cond{Op: Equal, Left: left, List: []Term{right}, Safe: safe}
}

// in compares with each of a list. All values of a list are compared as one type, which a
// cast of one of them may change for the others.
func (b *pgBlocks) in(left ast.Node, list []ast.Node) *Cond {
	terms := make([]Term, len(list))
	values, params := true, 0
	for i, n := range list {
		terms[i] = b.term(n)
		values = values && pgIsValue(terms[i])
		if terms[i].Kind == Param {
			params++
		}
		if terms[i].Cast != terms[0].Cast {
			return nil
		}
	}
	if t := b.term(left); t.Kind == Column && values && len(list) > 0 {
		return &Cond{Op: In, Left: t, List: terms}
	}
	if params > 1 {
		return nil // which an Or wouldn't tell of them
	}
	conds := make([]*Cond, len(list))
	for i, n := range list {
		conds[i] = b.equal(left, n, false)
	}
	return pgEither(conds)
}

func pgIsValue(t Term) bool { return t.Kind != Untold && t.Kind != Column }

// any compares with the elements of an array, a parameter or one that is written out.
func (b *pgBlocks) any(left, array ast.Node) *Cond {
	t := b.term(left)
	if t.Kind != Column {
		return nil
	}
	if list, ok := b.elements(array); ok {
		return &Cond{Op: In, Left: t, List: list}
	}
	if a := b.term(array); a.Kind == Param {
		return &Cond{Op: Any, Left: t, List: []Term{a}}
	}
	return nil
}

// elements are those of ARRAY[…] or ARRAY[…]::type[], if all are told and of one cast.
func (b *pgBlocks) elements(n ast.Node) (list []Term, ok bool) {
	cast := ""
	if c, isCast := n.(*ast.TypeCast); isCast {
		if cast, ok = pgElementType(c.TypeName); !ok {
			return nil, false
		}
		n = pgBare(c.Arg)
	}
	array, ok := n.(*ast.ArrayExpr)
	if !ok || len(pgItems(array.Elements)) == 0 {
		return nil, false
	}
	for _, item := range pgItems(array.Elements) {
		t := b.term(item)
		if cast != "" {
			t = pgCastTerm(t, cast)
		}
		list = append(list, t)
	}
	return list, !slices.ContainsFunc(list, func(t Term) bool { return !pgIsValue(t) || t.Cast != list[0].Cast })
}

// between is an equality if both ends are the same.
func (b *pgBlocks) between(e *ast.A_Expr) *Cond {
	list, ok := e.Rexpr.(*ast.NodeList)
	if !ok || len(pgItems(list)) != 2 {
		return nil
	}
	low, high := b.term(list.Items[0]), b.term(list.Items[1])
	if low != high || !pgIsValue(low) || low.Kind == Boolean {
		return nil
	}
	left := b.term(e.Lexpr)
	if left.Kind != Column {
		return nil
	}
	if low.Kind == Param { // both places at which it stands are told
		return pgAll([]*Cond{pgEqual(left, low, false), pgEqual(left, high, false)})
	}
	return pgEqual(left, low, false)
}
