package analyze

// The statements that move a transaction, by their first words.
var liteControlWords = wordSet("begin commit end rollback savepoint release")

// The statements that do neither that nor anything with rows or a schema.
var liteUtilityWords = wordSet("attach detach vacuum analyze reindex")

// control reads BEGIN, COMMIT, ROLLBACK, SAVEPOINT and RELEASE.
func (p *liteParser) control(s *Statement) {
	s.Kind, s.Reason = Control, NotRead
	switch p.next().text {
	case "begin":
		s.Control = Begin
		_ = p.accept("deferred") || p.accept("immediate") || p.accept("exclusive") || p.accept("concurrent")
		p.transaction()
	case "commit", "end":
		s.Control = Commit
		p.transaction()
	case "rollback":
		s.Control = Rollback
		p.transaction()
		if p.accept("to") {
			s.Control = RollbackTo
			p.savepoint()
		}
	case "savepoint":
		s.Control = Savepoint
		p.name()
	case "release":
		s.Control = ReleaseSavepoint
		p.savepoint()
	}
}

// transaction reads TRANSACTION and its name, which SQLite ignores.
func (p *liteParser) transaction() {
	if p.accept("transaction") && p.peek(0).isName() {
		p.name()
	}
}

func (p *liteParser) savepoint() {
	if p.peek(0).is("savepoint") && p.peek(1).isName() {
		p.at++
	}
	p.name()
}

// utility reads ATTACH, DETACH, VACUUM, ANALYZE and REINDEX.
func (p *liteParser) utility(s *Statement) {
	s.Kind, s.Reason = Utility, NotRead
	switch p.next().text {
	case "attach":
		p.attach(s)
	case "detach":
		s.Kind, s.Settings = Session, []string{"attach"}
		p.accept("database")
		p.value(s)
	case "vacuum":
		p.vacuum(s)
	case "analyze":
		p.optionalTarget()
	case "reindex":
		// Repairs indexes over a collation that has changed: queries may find other rows.
		s.WritesAll = true
		p.optionalTarget()
	}
}

func (p *liteParser) attach(s *Statement) {
	s.Kind, s.Settings = Session, []string{"attach"}
	p.accept("database")
	p.value(s)
	p.expect("as")
	p.value(s)
	if p.accept("key") {
		p.value(s)
	}
}

// value reads an expression; what it calls belongs to s.
func (p *liteParser) value(s *Statement) {
	c := &liteCollector{s: s}
	c.expr(p.expr(), nil)
}

// vacuum reads VACUUM. It may give new rowids to rows of any table without an
// INTEGER PRIMARY KEY; VACUUM INTO only makes a copy.
func (p *liteParser) vacuum(s *Statement) {
	if p.peek(0).isName() && !p.peek(0).is("into") {
		p.name()
	}
	if p.accept("into") {
		p.value(s)
		return
	}
	s.WritesAll = true
}

func (p *liteParser) optionalTarget() {
	if p.peek(0).isName() {
		p.qualified()
	}
}
