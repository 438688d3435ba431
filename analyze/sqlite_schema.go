package analyze

// schema reads the gist of CREATE, DROP and ALTER: what they make, remove or
// change. The relation that they name is among Writes, because reads of that
// name have other rows after them.
func (p *liteParser) schema(s *Statement) {
	s.Kind, s.Reason = Schema, NotRead
	switch p.next().text {
	case "create":
		p.create(s)
	case "drop":
		p.drop(s)
	case "alter":
		p.alter(s)
	}
}

func (p *liteParser) create(s *Statement) {
	temp := p.accept("temp") || p.accept("temporary")
	switch {
	case p.accept("table"):
		p.createTable(s, temp)
	case p.accept("view"):
		liteMakes(s, p.newName(), temp, Insert)
		p.rest("as", "select", "values", "with")
	case p.accept("trigger"):
		p.createTrigger(s, temp)
	case !temp && p.accept("virtual", "table"):
		liteMakes(s, p.newName(), false, Insert)
		p.rest("using")
	case !temp && (p.accept("index") || p.accept("unique", "index")):
		p.createIndex(s)
	default:
		p.fail()
	}
}

// newName reads [IF NOT EXISTS] name.
func (p *liteParser) newName() Name {
	p.accept("if", "not", "exists")
	return p.qualified()
}

// liteMakes adds a relation that s creates, drops or changes.
func liteMakes(s *Statement, n Name, temp bool, op Op) {
	if temp {
		n.Schema = "temp"
	}
	s.addWrite(Write{Relation: n, Op: op})
	if n.Schema == "temp" {
		s.TempTables = addOnce(s.TempTables, n)
	}
}

// rest passes over the remainder of the statement, in which one of words must
// stand: what is made there is for the catalog to read.
func (p *liteParser) rest(words ...string) {
	found := false
	for p.at < len(p.tokens) {
		t := p.next()
		if t.kind == liteIllegal {
			p.at--
			p.fail()
		}
		for _, word := range words {
			found = found || t.is(word)
		}
	}
	if !found {
		p.fail()
	}
}

// createTable reads CREATE TABLE; AS SELECT reads relations at once.
func (p *liteParser) createTable(s *Statement, temp bool) {
	liteMakes(s, p.newName(), temp, Insert)
	if p.accept("as") {
		c := &liteCollector{s: s}
		c.selects(p.selects(), nil)
		return
	}
	p.skipParentheses()
	for p.at < len(p.tokens) {
		if !(p.accept("strict") || p.accept("without", "rowid") || p.acceptOp(",")) {
			p.fail()
		}
	}
}

// createTrigger reads CREATE TRIGGER. A temporary trigger is not a relation,
// but belongs to this connection alone, as temporary tables do.
func (p *liteParser) createTrigger(s *Statement, temp bool) {
	n := p.newName()
	if temp || n.Schema == "temp" {
		s.TempTables = []Name{{Schema: "temp", Name: n.Name}}
	}
	if !liteEndsTrigger(p.tokens) {
		p.fail()
	}
	p.rest("begin")
}

// createIndex reads CREATE INDEX: it changes no row, but may change which rows
// a query without an order has first.
func (p *liteParser) createIndex(s *Statement) {
	index := p.newName()
	p.expect("on")
	s.addWrite(Write{Relation: Name{Schema: index.Schema, Name: p.name()}, Op: Update})
	p.skipParentheses()
	p.where()
}

func (p *liteParser) drop(s *Statement) {
	switch what := p.next(); {
	case what.is("table"), what.is("view"):
		liteMakes(s, p.oldName(), false, Delete)
	case what.is("trigger"):
		if n := p.oldName(); n.Schema == "temp" {
			s.TempTables = []Name{n}
		}
	case what.is("index"):
		// The text doesn't tell the index's table; see createIndex.
		p.oldName()
		s.WritesAll = true
	default:
		p.at--
		p.fail()
	}
}

// oldName reads [IF EXISTS] name.
func (p *liteParser) oldName() Name {
	p.accept("if", "exists")
	return p.qualified()
}

// alter reads ALTER TABLE. Of its forms only a new name of the table matters.
func (p *liteParser) alter(s *Statement) {
	p.expect("table")
	n := p.qualified()
	liteMakes(s, n, false, Update)
	if p.accept("rename", "to") {
		liteMakes(s, Name{Schema: n.Schema, Name: p.name()}, false, Update)
		return
	}
	p.rest("add", "rename", "drop", "alter")
}
