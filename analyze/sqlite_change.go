package analyze

// insert reads INSERT or REPLACE, after its WITH clause.
func (p *liteParser) insert(c *liteChange) {
	c.op = Insert
	if p.accept("replace") {
		c.op |= Delete
	} else {
		p.expect("insert")
		c.op |= p.orConflict()
	}
	p.expect("into")
	c.target = p.qualified()
	if p.accept("as") {
		c.alias = p.name()
	}
	if p.peek(0).isOp("(") {
		p.names()
	}
	if !p.accept("default", "values") {
		c.rows = p.selects()
	}
	for p.accept("on", "conflict") {
		p.upsert(c)
	}
	p.returns(c)
}

// orConflict reads OR and what to do then; REPLACE deletes the rows in the way.
func (p *liteParser) orConflict() Op {
	switch {
	case !p.accept("or"):
	case p.accept("replace"):
		return Delete
	case p.accept("rollback"), p.accept("abort"), p.accept("fail"), p.accept("ignore"):
	default:
		p.fail()
	}
	return 0
}

// upsert reads what stands after ON CONFLICT.
func (p *liteParser) upsert(c *liteChange) {
	if p.acceptOp("(") {
		c.reads = true
		c.exprs = append(c.exprs, p.terms()...)
		p.expectOp(")")
		p.filter(c)
	}
	p.expect("do")
	if p.accept("nothing") {
		return
	}
	p.expect("update", "set")
	c.op |= Update
	c.reads = true
	p.assignments(c)
	p.filter(c)
}

// assignments reads column = value, (columns) = row, ….
func (p *liteParser) assignments(c *liteChange) {
	for {
		if p.peek(0).isOp("(") {
			p.names()
		} else {
			p.name()
		}
		p.expectOp("=")
		c.exprs = append(c.exprs, p.expr())
		if !p.acceptOp(",") {
			return
		}
	}
}

// filter reads a WHERE clause, if one stands here.
func (p *liteParser) filter(c *liteChange) {
	if x := p.where(); x != nil {
		c.exprs = append(c.exprs, x)
	}
}

// returns reads a RETURNING clause, if one stands here: it reads the target.
func (p *liteParser) returns(c *liteChange) {
	if p.accept("returning") {
		c.exprs = append(c.exprs, p.columns()...)
		c.returning, c.reads = true, true
	}
}

// update reads UPDATE, after its WITH clause.
func (p *liteParser) update(c *liteChange) {
	p.expect("update")
	c.op = Update | p.orConflict()
	c.reads = true
	p.target(c)
	p.expect("set")
	p.assignments(c)
	if p.accept("from") {
		c.from = p.sources()
	}
	p.tail(c)
}

// delete reads DELETE, after its WITH clause.
func (p *liteParser) delete(c *liteChange) {
	p.expect("delete", "from")
	c.op, c.reads = Delete, true
	p.target(c)
	p.tail(c)
}

// target reads the relation that an UPDATE or DELETE changes.
func (p *liteParser) target(c *liteChange) {
	c.target = p.qualified()
	c.alias = p.alias()
	p.indexed()
}

// tail reads WHERE, RETURNING, ORDER BY and LIMIT.
func (p *liteParser) tail(c *liteChange) {
	p.filter(c)
	p.returns(c)
	c.exprs = append(c.exprs, p.orderBy()...)
	c.exprs = append(c.exprs, p.limit()...)
	if !c.returning {
		p.returns(c)
	}
}
