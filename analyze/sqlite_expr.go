package analyze

// The binding powers of SQLite's operators, from the weakest.
const (
	liteBindOr = iota + 1
	liteBindAnd
	liteBindNot
	liteBindEqual
	liteBindLess
	liteBindEscape
	liteBindBits
	liteBindSum
	liteBindProduct
	liteBindConcat
	liteBindCollate
	liteBindUnary
)

var liteBinary = map[string]int{
	"or": liteBindOr, "and": liteBindAnd,
	"=": liteBindEqual, "<>": liteBindEqual,
	"<": liteBindLess, "<=": liteBindLess, ">": liteBindLess, ">=": liteBindLess,
	"&": liteBindBits, "|": liteBindBits, "<<": liteBindBits, ">>": liteBindBits,
	"+": liteBindSum, "-": liteBindSum,
	"*": liteBindProduct, "/": liteBindProduct, "%": liteBindProduct,
	"||": liteBindConcat, "->": liteBindConcat, "->>": liteBindConcat,
}

func (p *liteParser) expr() *liteExpr { return p.binary(liteBindOr) }

// exprs reads expressions between commas.
func (p *liteParser) exprs() []*liteExpr {
	list := []*liteExpr{p.expr()}
	for p.acceptOp(",") {
		list = append(list, p.expr())
	}
	return list
}

// binary reads an expression whose operators bind at least as strongly as min.
func (p *liteParser) binary(min int) *liteExpr {
	defer p.enter()()
	x := p.unary()
	for {
		t := p.peek(0)
		power := 0
		if t.kind == liteOp || t.kind == liteWord {
			power = liteBinary[t.text]
		}
		switch {
		case power >= min && power > 0:
			p.at++
			x = liteJoinOperands(t.text, x, p.binary(power+1))
		case t.is("collate") && liteBindCollate >= min:
			p.at++
			x = &liteExpr{op: liteOperate, text: "collate " + p.name(), args: []*liteExpr{x}}
		case liteBindEqual >= min:
			y := p.postfix(x)
			if y == nil {
				return x
			}
			x = y
		default:
			return x
		}
	}
}

// liteJoinOperands makes a chain of one AND or OR flat, so that long chains are
// not deep trees.
func liteJoinOperands(op string, x, y *liteExpr) *liteExpr {
	if (op == "and" || op == "or") && x.op == liteOperate && x.text == op {
		x.args = append(x.args, y)
		return x
	}
	return &liteExpr{op: liteOperate, text: op, args: []*liteExpr{x, y}}
}

// postfix reads what binds as = does and is spelt in words, after x; nil if
// there is nothing of it here.
func (p *liteParser) postfix(x *liteExpr) *liteExpr {
	operate := func(op string, more ...*liteExpr) *liteExpr {
		return &liteExpr{op: liteOperate, text: op, args: append([]*liteExpr{x}, more...)}
	}
	switch {
	case p.accept("isnull"), p.accept("is", "null"):
		return operate("isnull")
	case p.accept("notnull"), p.accept("not", "null"), p.accept("is", "not", "null"):
		return operate("notnull")
	case p.accept("is", "not", "distinct", "from"):
		return operate("is", p.binary(liteBindLess))
	case p.accept("is", "distinct", "from"):
		return operate("is not", p.binary(liteBindLess))
	case p.accept("is", "not"):
		return operate("is not", p.binary(liteBindLess))
	case p.accept("is"):
		return operate("is", p.binary(liteBindLess))
	}
	not, n := "", 0
	if p.peek(0).is("not") {
		not, n = "not ", 1
	}
	switch word := p.peek(n); {
	case word.is("between"):
		p.at += n + 1
		low := p.binary(liteBindNot)
		p.expect("and")
		return operate(not+"between", low, p.binary(liteBindLess))
	case word.is("in"):
		p.at += n + 1
		return p.in(operate(not + "in"))
	case word.is("like"), word.is("glob"), word.is("regexp"), word.is("match"):
		p.at += n + 1
		return p.escape(operate(not+word.text, p.binary(liteBindLess)))
	}
	return nil
}

// escape adds ESCAPE to a LIKE.
func (p *liteParser) escape(x *liteExpr) *liteExpr {
	if p.accept("escape") {
		x.args = append(x.args, p.binary(liteBindBits))
	}
	return x
}

// in reads what stands after IN into x.
func (p *liteParser) in(x *liteExpr) *liteExpr {
	if !p.peek(0).isOp("(") {
		x.source = &liteSource{name: p.qualified()}
		if p.peek(0).isOp("(") {
			x.source.call, x.source.args = true, p.arguments()
		}
		return x
	}
	p.expectOp("(")
	switch {
	case p.atSelect():
		x.sub = p.selects()
	case !p.peek(0).isOp(")"):
		x.args = append(x.args, p.exprs()...)
	}
	p.expectOp(")")
	return x
}

// unary reads an operand with the operators before it.
func (p *liteParser) unary() *liteExpr {
	defer p.enter()()
	t := p.peek(0)
	switch {
	case t.isOp("-"), t.isOp("+"), t.isOp("~"):
		p.at++
		return &liteExpr{op: liteOperate, text: "unary " + t.text, args: []*liteExpr{p.binary(liteBindUnary)}}
	case t.is("not"):
		p.at++
		return &liteExpr{op: liteOperate, text: "not", args: []*liteExpr{p.binary(liteBindNot)}}
	}
	return p.operand()
}

func (p *liteParser) operand() *liteExpr {
	t := p.peek(0)
	switch {
	case t.kind == liteParam:
		p.at++
		return &liteExpr{op: liteBind, text: t.text, number: t.number}
	case t.kind == liteString && !p.peek(1).isOp("."), t.kind == liteNumber, t.kind == liteBlob, t.is("null"):
		p.at++
		return &liteExpr{op: liteLiteral, text: t.text, token: t.kind}
	case t.is("current_time"), t.is("current_date"), t.is("current_timestamp"):
		p.at++
		return &liteExpr{op: liteClock, text: t.text}
	case t.isOp("("):
		return p.parenthesized()
	case t.is("case"):
		return p.cases()
	case t.is("cast") && p.peek(1).isOp("("):
		return p.cast()
	case t.is("raise") && p.peek(1).isOp("("):
		return p.raise()
	case t.is("exists"):
		p.at++
		p.expectOp("(")
		x := &liteExpr{op: liteSubquery, text: "exists", sub: p.selects()}
		p.expectOp(")")
		return x
	}
	return p.reference()
}

// parenthesized reads a subquery, an expression or a row of them.
func (p *liteParser) parenthesized() *liteExpr {
	p.expectOp("(")
	var x *liteExpr
	if p.atSelect() {
		x = &liteExpr{op: liteSubquery, sub: p.selects()}
	} else if list := p.exprs(); len(list) == 1 {
		x = list[0]
		if x.op == liteOperate {
			// Not to be made flat with what follows: its own level of the tree.
			x = &liteExpr{op: liteOperate, text: "()", args: list}
		}
	} else {
		x = &liteExpr{op: liteOperate, text: "row", args: list}
	}
	p.expectOp(")")
	return x
}

func (p *liteParser) cases() *liteExpr {
	p.expect("case")
	x := &liteExpr{op: liteOperate, text: "case"}
	if !p.peek(0).is("when") {
		x.args = append(x.args, p.expr())
	}
	for p.accept("when") {
		x.args = append(x.args, p.expr())
		p.expect("then")
		x.args = append(x.args, p.expr())
	}
	if p.accept("else") {
		x.args = append(x.args, p.expr())
	}
	p.expect("end")
	return x
}

func (p *liteParser) cast() *liteExpr {
	p.expect("cast")
	p.expectOp("(")
	x := &liteExpr{op: liteOperate, text: "cast", args: []*liteExpr{p.expr()}}
	p.expect("as")
	for p.peek(0).isName() {
		p.at++
	}
	if p.peek(0).isOp("(") {
		p.skipParentheses()
	}
	p.expectOp(")")
	return x
}

func (p *liteParser) raise() *liteExpr {
	p.expect("raise")
	p.expectOp("(")
	x := &liteExpr{op: liteOperate, text: "raise"}
	p.next()
	if p.acceptOp(",") {
		x.args = append(x.args, p.expr())
	}
	p.expectOp(")")
	return x
}

// skipParentheses passes over a pair of parentheses and all between them.
func (p *liteParser) skipParentheses() {
	p.expectOp("(")
	for open := 1; open > 0; {
		switch t := p.next(); {
		case t.kind == liteIllegal:
			p.at--
			p.fail()
		case t.isOp("("):
			open++
		case t.isOp(")"):
			open--
		}
	}
}

// reference reads a column, perhaps with its table and schema, or a call.
func (p *liteParser) reference() *liteExpr {
	t := p.peek(0)
	if t.kind != liteString && p.peek(1).isOp("(") && t.isName() {
		return p.call()
	}
	x := &liteExpr{op: liteColumn, token: t.kind, text: p.name()}
	for p.peek(0).isOp(".") && x.qualifier.Schema == "" {
		p.at++
		x.qualifier = Name{Schema: x.qualifier.Name, Name: x.text}
		x.text = p.name()
	}
	return x
}

// call reads function(args) and what may follow it.
func (p *liteParser) call() *liteExpr {
	x := &liteExpr{op: liteCall, text: p.name()}
	p.expectOp("(")
	if p.acceptOp("*") {
		x.args = []*liteExpr{{op: liteStar}}
	} else {
		_ = p.accept("distinct") || p.accept("all")
		if !p.peek(0).isOp(")") && !p.peek(0).is("order") {
			x.args = p.exprs()
		}
		x.more = p.orderBy()
	}
	p.expectOp(")")
	if p.accept("within", "group") {
		p.expectOp("(")
		x.more = append(x.more, p.orderBy()...)
		p.expectOp(")")
	}
	if p.peek(0).is("filter") && p.peek(1).isOp("(") {
		p.at += 2
		p.expect("where")
		x.more = append(x.more, p.expr())
		p.expectOp(")")
	}
	if p.peek(0).is("over") && (p.peek(1).isOp("(") || p.peek(1).isName()) {
		p.at++
		x.window = true
		x.more = append(x.more, p.over()...)
	}
	return x
}

// over reads the name or definition of a window.
func (p *liteParser) over() []*liteExpr {
	if p.peek(0).isOp("(") {
		return p.window()
	}
	p.name()
	return nil
}

// window reads ([base] [PARTITION BY …] [ORDER BY …] [frame]).
func (p *liteParser) window() []*liteExpr {
	p.expectOp("(")
	var list []*liteExpr
	if p.peek(0).isName() && !p.atWindowClause() {
		p.name()
	}
	if p.accept("partition", "by") {
		list = p.exprs()
	}
	list = append(list, p.orderBy()...)
	if p.accept("range") || p.accept("rows") || p.accept("groups") {
		list = append(list, p.frame()...)
	}
	p.expectOp(")")
	return list
}

func (p *liteParser) atWindowClause() bool {
	t := p.peek(0)
	return t.is("partition") || t.is("range") || t.is("rows") || t.is("groups")
}

func (p *liteParser) frame() []*liteExpr {
	var list []*liteExpr
	if p.accept("between") {
		list = p.frameBound(list)
		p.expect("and")
	}
	list = p.frameBound(list)
	if p.accept("exclude") {
		if !(p.accept("no", "others") || p.accept("current", "row") || p.accept("group") || p.accept("ties")) {
			p.fail()
		}
	}
	return list
}

func (p *liteParser) frameBound(list []*liteExpr) []*liteExpr {
	if p.accept("current", "row") {
		return list
	}
	if !p.accept("unbounded") {
		list = append(list, p.expr())
	}
	if !p.accept("preceding") && !p.accept("following") {
		p.fail()
	}
	return list
}

// orderBy reads ORDER BY and its terms, if it stands here.
func (p *liteParser) orderBy() []*liteExpr {
	if !p.accept("order", "by") {
		return nil
	}
	return p.terms()
}

// terms reads expression [ASC | DESC] [NULLS FIRST | LAST] between commas.
func (p *liteParser) terms() []*liteExpr {
	var list []*liteExpr
	for {
		list = append(list, p.expr())
		_ = p.accept("asc") || p.accept("desc")
		_ = p.accept("nulls", "first") || p.accept("nulls", "last")
		if !p.acceptOp(",") {
			return list
		}
	}
}

// arguments reads (expressions) or ().
func (p *liteParser) arguments() []*liteExpr {
	p.expectOp("(")
	var list []*liteExpr
	if !p.peek(0).isOp(")") {
		list = p.exprs()
	}
	p.expectOp(")")
	return list
}
