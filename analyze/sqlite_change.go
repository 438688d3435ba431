package analyze

// insert reads INSERT or REPLACE, after its WITH clause.
func (p *liteParser) insert(c *liteChange) {
	c.op = Insert
	if p.accept("replace") {
		c.op |= Delete
		c.conflict = "replace"
	} else {
		p.expect("insert")
		p.orConflict(c)
	}
	p.expect("into")
	c.target = p.qualified()
	if p.accept("as") {
		c.alias = p.name()
	}
	if p.peek(0).isOp("(") {
		c.columns = p.names()
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
func (p *liteParser) orConflict(c *liteChange) {
	if !p.accept("or") {
		return
	}
	switch c.conflict = p.next().text; c.conflict {
	case "replace":
		c.op |= Delete
	case "rollback", "abort", "fail", "ignore":
	default:
		p.at--
		p.fail()
	}
}

// upsert reads what stands after ON CONFLICT.
func (p *liteParser) upsert(c *liteChange) {
	if p.acceptOp("(") {
		c.reads = true
		c.upsert = append(c.upsert, p.terms()...)
		p.expectOp(")")
		p.upsertWhere(c)
	}
	p.expect("do")
	if p.accept("nothing") {
		return
	}
	p.expect("update", "set")
	c.op |= Update
	c.reads = true
	for _, a := range p.assignments() {
		c.upsert = append(c.upsert, a.value)
	}
	p.upsertWhere(c)
}

func (p *liteParser) upsertWhere(c *liteChange) {
	if x := p.where(); x != nil {
		c.upsert = append(c.upsert, x)
	}
}

// assignments reads column = value, (columns) = row, ….
func (p *liteParser) assignments() []liteAssignment {
	var list []liteAssignment
	for {
		var a liteAssignment
		if p.peek(0).isOp("(") {
			a.columns = p.names()
		} else {
			a.columns = []string{p.name()}
		}
		p.expectOp("=")
		a.value = p.expr()
		list = append(list, a)
		if !p.acceptOp(",") {
			return list
		}
	}
}

// returns reads a RETURNING clause, if one stands here: it reads the target.
func (p *liteParser) returns(c *liteChange) {
	if p.accept("returning") {
		c.returning, c.reads = p.columns(), true
	}
}

// update reads UPDATE, after its WITH clause.
func (p *liteParser) update(c *liteChange) {
	p.expect("update")
	c.op, c.reads = Update, true
	p.orConflict(c)
	p.target(c)
	p.expect("set")
	c.set = p.assignments()
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
	from := p.at
	c.target = p.qualified()
	c.alias = p.alias()
	p.indexed()
	c.targetText = p.span(from)
}

// tail reads WHERE, RETURNING, ORDER BY and LIMIT.
func (p *liteParser) tail(c *liteChange) {
	from := p.at + 1
	if c.where = p.where(); c.where != nil {
		c.condition = p.tokens[from:p.at]
	}
	p.returns(c)
	c.order = p.orderBy()
	c.limit = p.limit()
	if len(c.returning) == 0 {
		p.returns(c)
	}
}
