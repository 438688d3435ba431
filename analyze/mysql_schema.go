package analyze

// schema reads DDL and the statements that change users and privileges. All
// commit what is open, except those of temporary tables.
func (t *mysqlTask) schema(word string) (known, ok bool) {
	switch word {
	case "CREATE", "ALTER", "DROP":
		t.ddl()
		return true, t.object(word)
	case "RENAME":
		t.ddl()
		return true, t.rename()
	case "GRANT", "REVOKE":
		t.ddl()
		return true, true
	case "INSTALL", "UNINSTALL":
		t.ddl()
		return true, true
	case "IMPORT":
		t.ddl()
		t.s.WritesAll = true
		return true, true
	}
	return false, false
}

func (t *mysqlTask) ddl() { t.s.Kind, t.s.ImplicitCommit = Schema, true }

// object reads what CREATE, ALTER and DROP work on. Changes of objects that
// hold no rows need no more than the kind of the statement.
func (t *mysqlTask) object(verb string) bool {
	t.modifiers()
	temporary := t.accept("TEMPORARY")
	switch {
	case t.peek(0).is("TABLE", "TABLES", "SEQUENCE", "VIEW"):
		return t.relations(verb, temporary)
	case t.accept("INDEX"):
		return t.index()
	case t.accept("DATABASE"), t.accept("SCHEMA"):
		t.s.WritesAll = verb == "DROP"
	case t.accept("TRIGGER"), t.accept("PROCEDURE"), t.accept("FUNCTION"), t.accept("EVENT"), t.accept("PACKAGE"),
		t.accept("USER"), t.accept("ROLE"), t.accept("SERVER"), t.accept("LOGFILE"), t.accept("RESOURCE"),
		t.accept("LIBRARY"):
	default:
		t.s.WritesAll = true // tablespaces and what newer servers have
	}
	return true
}

// modifiers takes what may stand between the verb and the sort of object.
func (t *mysqlTask) modifiers() {
	for {
		t.skipAny("OR", "REPLACE", "ONLINE", "OFFLINE", "IGNORE", "UNIQUE", "FULLTEXT", "SPATIAL", "AGGREGATE", "UNDO")
		switch {
		case t.accept("ALGORITHM", "="), t.accept("DEFINER", "="):
			t.definer()
		case t.accept("SQL", "SECURITY"):
			t.at++
		default:
			return
		}
	}
}

// definer takes a word, or an account: 'user'@'host', CURRENT_USER().
func (t *mysqlTask) definer() {
	t.at++
	if t.accept("@") {
		t.at++
	}
	t.accept("(", ")")
}

// relations reads CREATE, ALTER and DROP of tables, views and sequences.
func (t *mysqlTask) relations(verb string, temporary bool) bool {
	view := t.next().is("VIEW")
	if !t.accept("IF", "NOT", "EXISTS") {
		t.accept("IF", "EXISTS")
	}
	names, ok := t.names()
	if !ok {
		return false
	}
	for _, name := range names {
		t.s.addWrite(Write{Relation: name, Op: mysqlSchemaOp(verb)})
		if temporary {
			t.s.TempTables = addOnce(t.s.TempTables, name)
		}
	}
	t.s.ImplicitCommit = !temporary
	switch {
	case verb == "CREATE" && !view:
		return t.contents()
	case verb == "ALTER" && !view:
		t.others()
	}
	return true
}

// mysqlSchemaOp is how DDL changes the relation it names: all of it, and without
// the triggers of its rows.
func mysqlSchemaOp(verb string) Op {
	if verb == "CREATE" {
		return Insert
	}
	return Truncate
}

// contents reads what a new table is filled with: CREATE TABLE … SELECT, LIKE.
func (t *mysqlTask) contents() bool {
	if t.accept("LIKE") || t.accept("(", "LIKE") {
		name, ok := t.name()
		t.s.Reads = addOnce(t.s.Reads, name)
		return ok
	}
	query := t.query()
	if query == nil {
		return true
	}
	read := &Statement{}
	if mysqlParsedStatement(read, query) != nil {
		t.s.WritesAll = true // what it calls may write
		return true
	}
	t.s.absorb(read)
	t.s.ReturnsRows = false
	return true
}

// query is the tokens of the query in CREATE TABLE, or nil.
func (t *mysqlTask) query() []mysqlToken {
	rest := t.rest()
	for i, token := range rest {
		isQuery := token.is("SELECT") && !mysqlAfterDot(rest, i) ||
			token.is("WITH", "TABLE", "VALUES") && i > 0 && rest[i-1].is("AS", "IGNORE", "REPLACE") ||
			i == 0 && token.is("TABLE", "VALUES")
		if !isQuery {
			continue
		}
		for i > 0 && rest[i-1].is("(") {
			i--
		}
		return rest[i:]
	}
	return nil
}

// others finds the other tables that ALTER TABLE changes: RENAME TO, EXCHANGE
// PARTITION … WITH TABLE.
func (t *mysqlTask) others() {
	for ; !t.done(); t.at++ {
		c := mysqlCursor{tokens: t.tokens, at: t.at}
		switch {
		case c.accept("RENAME") && !c.peek(0).is("COLUMN", "INDEX", "KEY"):
			c.skipAny("TO", "AS", "=")
		case c.accept("WITH", "TABLE"), c.accept("FROM", "TABLE"), c.accept("TO", "TABLE"):
		default:
			if c.accept("CONVERT", "PARTITION") || c.accept("CONVERT", "TABLE") {
				t.s.WritesAll = true
			}
			continue
		}
		if name, ok := c.name(); ok {
			t.s.addWrite(Write{Relation: name, Op: Truncate})
		}
	}
}

// index reads CREATE and DROP INDEX: the table stands after ON.
func (t *mysqlTask) index() bool {
	at := mysqlFind(t.rest(), "ON")
	if at < 0 {
		return false
	}
	t.at += at + 1
	name, ok := t.name()
	t.s.Writes = []Write{{Relation: name, Op: Truncate}}
	return ok
}

// rename reads RENAME TABLE a TO b, … and RENAME USER.
func (t *mysqlTask) rename() bool {
	if t.accept("USER") {
		return true
	}
	if !t.accept("TABLE") && !t.accept("TABLES") {
		return false
	}
	t.accept("IF", "EXISTS")
	for {
		from, ok := t.name()
		if t.accept("WAIT") {
			t.at++
		}
		t.accept("NOWAIT")
		if !ok || !t.accept("TO") {
			return false
		}
		to, ok := t.name()
		if !ok {
			return false
		}
		t.s.addWrite(Write{Relation: from, Op: Truncate})
		t.s.addWrite(Write{Relation: to, Op: Truncate})
		if !t.accept(",") {
			return t.done()
		}
	}
}
