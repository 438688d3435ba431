package analyze

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// cond is what x says that a row of s must satisfy, nil if that is more than
// columns, parameters and literals.
func (s *liteBlockScope) cond(x *liteExpr) *Cond {
	if x == nil || x.op != liteOperate {
		return nil // a value alone is its own truth, which a 1 and a 2 share
	}
	switch x.text {
	case "()":
		return s.cond(x.args[0])
	case "and":
		return s.conjunction(x.args)
	case "or":
		return s.disjunction(x.args)
	case "=", "is":
		return s.equal(x.args[0], x.args[1], x.text == "is")
	case "isnull":
		return liteComparison(IsNull, s.term(x.args[0]))
	case "between":
		return s.between(x)
	case "in":
		return s.in(x)
	}
	return nil
}

// conjunction leaves out what isn't told.
func (s *liteBlockScope) conjunction(args []*liteExpr) *Cond {
	var told []*Cond
	for _, arg := range args {
		if c := s.cond(arg); c != nil {
			told = append(told, c)
		}
	}
	return liteAll(told)
}

func (s *liteBlockScope) disjunction(args []*liteExpr) *Cond {
	var told []*Cond
	for _, arg := range args {
		c := s.cond(arg)
		if c == nil {
			return nil
		}
		told = append(told, c)
	}
	return &Cond{Op: Or, Args: told}
}

// liteAll is true if all of list are; nil if there are none.
func liteAll(list []*Cond) *Cond {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return &Cond{Op: And, Args: list}
}

// equal is x = y, or x IS y if safe, of values or rows.
func (s *liteBlockScope) equal(x, y *liteExpr, safe bool) *Cond {
	if x.isRow() && y.isRow() {
		return s.equalRows(x.args, y.args, safe)
	}
	left, right := s.term(x), s.term(y)
	if left.Kind != Column {
		left, right = right, left
	}
	if safe && right.Kind == Null {
		return liteComparison(IsNull, left)
	}
	c := liteComparison(Equal, left, right)
	if c != nil {
		c.Safe = safe
	}
	return c
}

func (s *liteBlockScope) equalRows(x, y []*liteExpr, safe bool) *Cond {
	if len(x) != len(y) {
		return nil
	}
	var told []*Cond
	for i := range x {
		if c := s.equal(x[i], y[i], safe); c != nil {
			told = append(told, c)
		}
	}
	return liteAll(told)
}

func (x *liteExpr) isRow() bool { return x.op == liteOperate && x.text == "row" }

// liteComparison compares a column with a list, nil if one of these can't be told.
func liteComparison(op CondOp, left Term, list ...Term) *Cond {
	if left.Kind != Column {
		return nil
	}
	for _, t := range list {
		if t.Kind == Untold {
			return nil
		}
	}
	return &Cond{Op: op, Left: left, List: list}
}

// between is an equality if both ends are one value.
func (s *liteBlockScope) between(x *liteExpr) *Cond {
	low, high := s.term(x.args[1]), s.term(x.args[2])
	if low != high || low.Kind == Column {
		return nil
	}
	return liteComparison(Equal, s.term(x.args[0]), low)
}

// in reads IN of a list and of VALUES. Columns in the list would be compared without their affinity.
func (s *liteBlockScope) in(x *liteExpr) *Cond {
	left := x.args[0]
	switch {
	case x.source != nil:
		return nil
	case x.sub != nil:
		return s.inRows(left, x.sub)
	case left.isRow():
		return nil
	}
	return liteComparison(In, s.term(left), s.constants(x.args[1:])...)
}

// constants are terms that name no column; columns become Untold.
func (s *liteBlockScope) constants(list []*liteExpr) []Term {
	terms := make([]Term, len(list))
	for i, x := range list {
		if t := s.term(x); t.Kind != Column {
			terms[i] = t
		}
	}
	return terms
}

// inRows reads x IN (VALUES …) and (x, y) IN (VALUES …).
func (s *liteBlockScope) inRows(left *liteExpr, sel *liteSelect) *Cond {
	if len(sel.arms) != 1 || sel.arms[0].rows == nil || len(sel.limit) > 0 {
		return nil
	}
	lefts := []*liteExpr{left}
	if left.isRow() {
		lefts = left.args
	}
	var rows []*Cond
	for _, row := range sel.arms[0].rows {
		if len(row) != len(lefts) {
			return nil
		}
		var told []*Cond
		for i, t := range s.constants(row) {
			if c := liteComparison(Equal, s.term(lefts[i]), t); c != nil {
				told = append(told, c)
			}
		}
		c := liteAll(told)
		if c == nil {
			return nil
		}
		rows = append(rows, c)
	}
	return &Cond{Op: Or, Args: rows}
}

// term is x as a column, parameter or literal of the block of s.
func (s *liteBlockScope) term(x *liteExpr) Term {
	if x.op == liteColumn {
		return s.column(x)
	}
	return liteConstantTerm(x)
}

// column is the column that x names. A name in double quotes is a text if
// there is no such column, as all names are that nobody knows. TRUE and FALSE may be
// columns, too. Whoever looks for the column in the sources of the block, and then in those of
// the blocks around it, finds what SQLite finds, or nothing.
func (s *liteBlockScope) column(x *liteExpr) Term {
	bare := x.qualifier == Name{}
	if bare && (x.isBoolean() || s.hides(x.text)) || s.foreign(x) {
		return Term{}
	}
	return Term{Kind: Column, Table: x.qualifier, Text: x.text}
}

func (x *liteExpr) isBoolean() bool {
	return x.op == liteColumn && x.token == liteWord && (x.text == "true" || x.text == "false") && x.qualifier == Name{}
}

// liteConstantTerm is x as a parameter or a literal.
func liteConstantTerm(x *liteExpr) Term {
	switch {
	case x.op == liteBind && x.number > 0:
		return Term{Kind: Param, Param: x.number, Text: liteParamName(x.text)}
	case x.op == liteLiteral:
		return liteLiteralTerm(x)
	case x.op == liteOperate && x.text == "()":
		return liteConstantTerm(x.args[0])
	case x.op == liteOperate && x.text == "unary -":
		if y := x.args[0]; y.op == liteLiteral && y.token == liteNumber {
			return liteNumberTerm("-" + y.text)
		}
	}
	return Term{}
}

func liteLiteralTerm(x *liteExpr) Term {
	switch x.token {
	case liteString:
		return Term{Kind: Text, Text: x.text}
	case liteNumber:
		return liteNumberTerm(x.text)
	case liteBlob:
		if bytes, err := hex.DecodeString(x.text[2 : len(x.text)-1]); err == nil {
			return Term{Kind: Blob, Text: string(bytes)}
		}
	case liteWord:
		return Term{Kind: Null}
	}
	return Term{}
}

// liteNumberTerm is a number in decimal. A whole one that SQLite would make a real is Untold.
func liteNumberTerm(text string) Term {
	if strings.Trim(text, "-.0123456789") != "" {
		return Term{}
	}
	if _, err := strconv.ParseInt(text, 10, 64); err != nil && !strings.Contains(text, ".") {
		return Term{}
	}
	if strings.Trim(text, "-.0") == "" {
		text = "0"
	}
	return Term{Kind: Number, Text: text}
}
