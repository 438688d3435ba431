package analyze

// control reads the statements that move the transaction.
func (t *mysqlTask) control(word string) (known, ok bool) {
	switch word {
	case "START":
		if t.accept("TRANSACTION") {
			return true, t.begin()
		}
	case "BEGIN":
		if t.peek(0).is("NOT") {
			return true, t.call()
		}
		t.accept("WORK")
		return true, t.done() && t.begin()
	case "COMMIT":
		t.s.Control = Commit
		return true, t.end()
	case "ROLLBACK":
		return true, t.rollback()
	case "SAVEPOINT":
		return true, t.savepoint(Savepoint)
	case "RELEASE":
		return true, t.accept("SAVEPOINT") && t.savepoint(ReleaseSavepoint)
	case "XA":
		return true, t.xa()
	case "LOCK", "UNLOCK":
		return true, t.lock(word)
	}
	return false, false
}

// begin reads the options of START TRANSACTION.
func (t *mysqlTask) begin() bool {
	t.s.Kind, t.s.Control, t.s.ImplicitCommit = Control, Begin, true
	for !t.done() {
		switch {
		case t.accept("READ", "ONLY"):
			t.s.ReadOnly = true
		case t.accept("READ", "WRITE"), t.accept("WITH", "CONSISTENT", "SNAPSHOT"), t.accept(","):
		default:
			return false
		}
	}
	return true
}

// end reads the options of COMMIT and ROLLBACK.
func (t *mysqlTask) end() bool {
	t.s.Kind = Control
	t.accept("WORK")
	if t.accept("AND", "CHAIN") {
		t.s.Chain = true
	} else {
		t.accept("AND", "NO", "CHAIN")
	}
	if !t.accept("RELEASE") {
		t.accept("NO", "RELEASE")
	}
	return t.done()
}

func (t *mysqlTask) rollback() bool {
	t.accept("WORK")
	if !t.accept("TO") {
		t.s.Control = Rollback
		return t.end()
	}
	t.accept("SAVEPOINT")
	return t.savepoint(RollbackTo)
}

func (t *mysqlTask) savepoint(op ControlOp) bool {
	t.s.Kind, t.s.Control = Control, op
	_, ok := t.identifier()
	return ok && t.done()
}

// xa reads distributed transactions.
func (t *mysqlTask) xa() bool {
	t.s.Kind = Control
	switch word := t.next(); {
	case word.is("START", "BEGIN", "END"):
		t.s.Control = OtherControl
	case word.is("PREPARE"):
		t.s.Control = PrepareCommit
	case word.is("COMMIT"):
		t.s.Control, t.s.WritesAll = CommitPrepared, true
	case word.is("ROLLBACK"):
		t.s.Control = RollbackPrepared
	case word.is("RECOVER"):
		t.s.Kind, t.s.ReturnsRows, t.s.Reason = Utility, true, Explain
	default:
		return false
	}
	return true
}

// lock reads LOCK and UNLOCK TABLES. UNLOCK TABLES commits only what LOCK TABLES
// has begun: the text can't tell whether it does.
func (t *mysqlTask) lock(word string) bool {
	t.s.Kind, t.s.Control = Control, OtherControl
	switch {
	case t.peek(0).is("TABLE", "TABLES"):
		t.s.ImplicitCommit = word == "LOCK"
	case t.peek(0).is("INSTANCE"):
		t.s.Kind, t.s.Control = Utility, NoControl
	default:
		return false
	}
	return true
}
