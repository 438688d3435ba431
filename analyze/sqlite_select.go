package analyze

// atSelect reports whether a SELECT, VALUES or WITH begins here.
func (p *liteParser) atSelect() bool {
	t := p.peek(0)
	return t.is("select") || t.is("values") || t.is("with")
}

// selects reads a SELECT or VALUES with its WITH clause.
func (p *liteParser) selects() *liteSelect {
	defer p.enter()()
	s := &liteSelect{with: p.with()}
	p.arms(s)
	return s
}

// arms reads the arms of a compound and what follows them, without the WITH clause.
func (p *liteParser) arms(s *liteSelect) {
	defer p.enter()()
	s.arms = []*liteArm{p.arm()}
	for p.setOperation() {
		s.arms = append(s.arms, p.arm())
	}
	s.order = p.orderBy()
	s.limit = p.limit()
}

func (p *liteParser) setOperation() bool {
	return p.accept("union", "all") || p.accept("union") || p.accept("except") || p.accept("intersect")
}

// with reads a WITH clause, if one stands here.
func (p *liteParser) with() []liteCTE {
	if !p.accept("with") {
		return nil
	}
	p.accept("recursive")
	var tables []liteCTE
	for {
		tables = append(tables, p.cte())
		if !p.acceptOp(",") {
			return tables
		}
	}
}

func (p *liteParser) cte() liteCTE {
	c := liteCTE{name: p.name()}
	if p.peek(0).isOp("(") {
		c.columns = p.indexedNames()
	}
	p.expect("as")
	_ = p.accept("not", "materialized") || p.accept("materialized")
	p.expectOp("(")
	c.body = p.selects()
	p.expectOp(")")
	return c
}

// indexedNames reads (name [COLLATE name] [ASC | DESC], …).
func (p *liteParser) indexedNames() []string {
	p.expectOp("(")
	var names []string
	for {
		names = append(names, p.name())
		if p.accept("collate") {
			p.name()
		}
		_ = p.accept("asc") || p.accept("desc")
		if !p.acceptOp(",") {
			break
		}
	}
	p.expectOp(")")
	return names
}

func (p *liteParser) arm() *liteArm {
	a := &liteArm{}
	if p.accept("values") {
		a.rows = p.rows()
		return a
	}
	p.expect("select")
	_ = p.accept("distinct") || p.accept("all")
	a.columns = p.columns()
	if p.accept("from") {
		a.from = p.sources()
	}
	a.where = p.where()
	if p.accept("group", "by") {
		a.group = p.exprs()
	}
	if p.accept("having") {
		a.having = p.expr()
	}
	a.windows = p.windows()
	return a
}

// rows reads (values), … after VALUES.
func (p *liteParser) rows() [][]*liteExpr {
	var rows [][]*liteExpr
	for {
		p.expectOp("(")
		rows = append(rows, p.exprs())
		p.expectOp(")")
		if !p.acceptOp(",") {
			return rows
		}
	}
}

// columns reads the columns of a result.
func (p *liteParser) columns() []liteOutput {
	var list []liteOutput
	for {
		list = append(list, p.column())
		if !p.acceptOp(",") {
			return list
		}
	}
}

func (p *liteParser) column() liteOutput {
	if p.acceptOp("*") {
		return liteOutput{expr: &liteExpr{op: liteStar}}
	}
	if p.peek(0).isName() && p.peek(1).isOp(".") && p.peek(2).isOp("*") {
		x := &liteExpr{op: liteStar, qualifier: Name{Name: p.name()}}
		p.at += 2
		return liteOutput{expr: x}
	}
	return liteOutput{p.expr(), p.alias()}
}

func (p *liteParser) where() *liteExpr {
	if p.accept("where") {
		return p.expr()
	}
	return nil
}

// windows reads WINDOW name AS (…), …, if it stands here.
func (p *liteParser) windows() []*liteExpr {
	if !p.atWindow() {
		return nil
	}
	p.at++
	var list []*liteExpr
	for {
		p.name()
		p.expect("as")
		list = append(list, p.window()...)
		if !p.acceptOp(",") {
			return list
		}
	}
}

func (p *liteParser) limit() []*liteExpr {
	if !p.accept("limit") {
		return nil
	}
	list := []*liteExpr{p.expr()}
	if p.accept("offset") || p.acceptOp(",") {
		list = append(list, p.expr())
	}
	return list
}

// sources reads the relations of a FROM clause with their joins.
func (p *liteParser) sources() []*liteSource {
	defer p.enter()()
	list := []*liteSource{p.source()}
	for {
		join, natural, ok := p.join()
		if !ok {
			return list
		}
		next := p.source()
		next.join, next.natural = join, natural
		list = append(list, next)
	}
}

// join reads a comma or a JOIN with the words before it. SQLite takes them in any
// order, and LEFT with RIGHT for FULL.
func (p *liteParser) join() (join Join, natural, ok bool) {
	if p.acceptOp(",") {
		return Inner, false, true
	}
	words := 0
	for words < 3 {
		t := p.peek(words)
		if t.kind != liteWord || !liteJoinWords[t.text] || t.text == "indexed" {
			break
		}
		join |= liteJoins[t.text]
		natural = natural || t.text == "natural"
		words++
	}
	if !p.peek(words).is("join") {
		return Inner, false, false
	}
	p.at += words + 1
	return join, natural, true
}

var liteJoins = map[string]Join{"left": Left, "right": Right, "full": Full}

// source reads one relation, table function, subquery or nest of sources.
func (p *liteParser) source() *liteSource {
	s := &liteSource{}
	if p.acceptOp("(") {
		if p.atSelect() {
			s.sub = p.selects()
		} else {
			s.nested = p.sources()
		}
		p.expectOp(")")
	} else {
		s.name = p.qualified()
		if p.peek(0).isOp("(") {
			s.call, s.args = true, p.arguments()
		}
	}
	s.alias = p.alias()
	p.indexed()
	if p.accept("on") {
		s.on = p.expr()
	} else if p.accept("using") {
		s.using = p.names()
	}
	return s
}

// indexed reads INDEXED BY name or NOT INDEXED, if it stands here.
func (p *liteParser) indexed() {
	if p.accept("indexed", "by") {
		p.name()
	} else {
		p.accept("not", "indexed")
	}
}
