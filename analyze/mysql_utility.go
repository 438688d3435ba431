package analyze

// utility reads the statements that ask or keep the server.
func (t *mysqlTask) utility(word string) (known, ok bool) {
	switch word {
	case "SHOW", "HELP":
		return true, t.show()
	case "EXPLAIN", "DESCRIBE", "DESC":
		return true, t.explain()
	case "ANALYZE":
		return true, t.analyze()
	case "OPTIMIZE", "CHECK", "CHECKSUM", "REPAIR":
		return true, t.maintain(word)
	case "FLUSH", "RESET":
		t.s.Kind = Utility
		t.s.ImplicitCommit = !(word == "RESET" && t.peek(0).is("PERSIST"))
		return true, !t.done()
	case "CACHE", "START", "STOP", "CHANGE":
		t.mayCommit()
		t.s.ReturnsRows = word == "CACHE"
		return true, !t.done()
	case "PURGE", "KILL", "SHUTDOWN", "RESTART", "SIGNAL", "RESIGNAL", "GET", "BACKUP":
		t.s.Kind = Utility
		return true, true
	}
	return false, false
}

// mayCommit is a statement that commits what is open on MySQL, but not on all
// versions of MariaDB.
func (t *mysqlTask) mayCommit() {
	t.s.Kind, t.s.Control = Control, OtherControl
}

func (t *mysqlTask) show() bool {
	t.s.Kind, t.s.Reason, t.s.ReturnsRows = Utility, Explain, true
	if where := mysqlFind(t.rest(), "WHERE"); where >= 0 {
		return t.expression(t.rest()[where+1:])
	}
	return true
}

// explain reads EXPLAIN and DESCRIBE, of a table or a statement. EXPLAIN ANALYZE
// runs the statement.
func (t *mysqlTask) explain() bool {
	t.s.Kind, t.s.Reason, t.s.ReturnsRows = Utility, Explain, true
	runs := t.accept("ANALYZE")
	if t.accept("FOR", "CONNECTION") {
		return true
	}
	t.explainOptions()
	if t.accept("FOR", "CONNECTION") {
		return true
	}
	if t.peek(0).is("(", "SELECT", "WITH", "TABLE", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE") {
		return t.explained(runs)
	}
	name, ok := t.name()
	t.s.Reads = []Name{name}
	if mysqlSystemSchema(name.Schema) {
		t.s.Detail = name.String()
	}
	return ok && !runs
}

func (t *mysqlTask) explainOptions() {
	t.skipAny("EXTENDED", "PARTITIONS")
	if t.accept("FORMAT", "=") {
		t.at++
	}
	if t.accept("INTO", "@") {
		t.at++
	}
	if t.accept("FOR", "SCHEMA") || t.accept("FOR", "DATABASE") {
		t.at++
	}
}

// explained adds what the explained statement reads and calls, and what it
// writes if it is run. Kind and rows are those of the explanation, unless run.
func (t *mysqlTask) explained(runs bool) bool {
	inner := mysqlStatement(t.rest(), t.s.Text, t.depth)
	if inner.Reason == Unparsable {
		return false
	}
	if !runs {
		plan := *inner
		plan.Writes = nil
		inner = &plan
	} else {
		t.s.Kind = inner.Kind
	}
	t.s.absorb(inner)
	return true
}

// analyze reads ANALYZE TABLE, and MariaDB's ANALYZE statement, which runs it.
func (t *mysqlTask) analyze() bool {
	at := t.at
	t.skipAny("NO_WRITE_TO_BINLOG", "LOCAL")
	if t.peek(0).is("TABLE", "TABLES") && t.peek(1).kind != mysqlPunct {
		t.s.Kind, t.s.ImplicitCommit, t.s.ReturnsRows = Utility, true, true
		return true
	}
	t.at = at
	t.s.Reason, t.s.ReturnsRows = Explain, true
	if t.accept("FORMAT", "=") {
		t.at++
	}
	return !t.done() && t.explained(true)
}

// maintain reads the other statements that look after tables. A repair may lose
// rows.
func (t *mysqlTask) maintain(word string) bool {
	t.s.Kind, t.s.ReturnsRows = Utility, true
	t.s.ImplicitCommit = word != "CHECKSUM"
	t.skipAny("NO_WRITE_TO_BINLOG", "LOCAL")
	if t.accept("VIEW") {
		t.s.WritesAll = word == "REPAIR"
		return true
	}
	if !t.accept("TABLE") && !t.accept("TABLES") {
		return false
	}
	names, ok := t.names()
	if word == "REPAIR" {
		for _, name := range names {
			t.s.addWrite(Write{Relation: name, Op: Truncate})
		}
	}
	return ok
}
