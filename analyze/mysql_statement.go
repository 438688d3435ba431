package analyze

import "strings"

// A mysqlTask is one statement on its way from tokens to facts.
type mysqlTask struct {
	*mysqlCursor
	s      *Statement
	depth  int  // how many PREPARE or EXECUTE IMMEDIATE texts it stands in
	global bool // an assignment of SET after a GLOBAL, whose scope may go on
}

// mysqlStatement tells what the one statement of tokens does. Only queries and
// changes of rows need the parser; the rest is told by its first words.
func mysqlStatement(tokens []mysqlToken, text string, depth int) *Statement {
	s := &Statement{Text: text, Dialect: MySQL, Reason: NotRead}
	t := &mysqlTask{mysqlCursor: &mysqlCursor{tokens: tokens}, s: s, depth: depth}
	if t.read() {
		return s
	}
	return mysqlUnparsed(tokens, text)
}

// read dispatches by the first word. It is false if the text isn't understood.
func (t *mysqlTask) read() bool {
	first := 0
	for t.peek(first).is("(") {
		first++
	}
	switch word := t.peek(first); {
	case mysqlCompound(t.tokens):
		return t.call()
	case word.is("SELECT", "WITH", "TABLE", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE", "DO"):
		return mysqlParsedStatement(t.s, t.tokens) == nil
	case first > 0:
		return false
	}
	word := t.next()
	if word.kind != mysqlWord {
		return false
	}
	for _, group := range []func(*mysqlTask, string) (known, ok bool){
		(*mysqlTask).control, (*mysqlTask).session, (*mysqlTask).schema, (*mysqlTask).utility, (*mysqlTask).other,
	} {
		if known, ok := group(t, word.upper); known {
			return ok
		}
	}
	return false
}

// other reads the statements that run code or change rows without SELECT.
func (t *mysqlTask) other(word string) (known, ok bool) {
	switch word {
	case "CALL":
		if mysqlParsedStatement(t.s, t.tokens) != nil {
			return true, t.call()
		}
		return true, true
	case "LOAD":
		return true, t.load()
	case "TRUNCATE":
		return true, t.truncate()
	case "EXECUTE":
		return true, t.execute()
	case "BINLOG", "CLONE":
		return true, t.call()
	case "HANDLER":
		return true, t.handler()
	}
	return false, false
}

// call is a statement that runs what the text doesn't show, or shows as a
// program.
func (t *mysqlTask) call() bool {
	t.s.Kind, t.s.WritesAll, t.s.ReturnsRows = Call, true, true
	t.s.Reads, t.s.Functions = nil, nil
	return true
}

func (t *mysqlTask) truncate() bool {
	t.accept("TABLE")
	name, ok := t.name()
	if !ok {
		return false
	}
	t.s.Kind, t.s.ImplicitCommit = Modify, true
	t.s.Writes = []Write{{Relation: name, Op: Truncate}}
	return true
}

// load reads LOAD DATA, LOAD XML and LOAD INDEX INTO CACHE.
func (t *mysqlTask) load() bool {
	if t.accept("INDEX", "INTO", "CACHE") {
		t.mayCommit()
		t.s.ReturnsRows = true
		return true
	}
	if !t.peek(0).is("DATA", "XML") {
		return false
	}
	at := mysqlFind(t.tokens, "INTO")
	if at < 0 {
		return false
	}
	op := Insert
	if mysqlHas(t.tokens[:at], "REPLACE") {
		op |= Delete
	}
	t.at = at
	if !t.accept("INTO", "TABLE") {
		return false
	}
	name, ok := t.name()
	t.s.Kind = Modify
	t.s.Writes = []Write{{Relation: name, Op: op}}
	if set := mysqlFind(t.rest(), "SET"); set >= 0 && t.peek(set-1).is("CHARACTER") {
		t.at += set + 1
		set = mysqlFind(t.rest(), "SET")
		return ok && (set < 0 || t.assignments(t.rest()[set+1:]))
	} else if set >= 0 {
		return ok && t.assignments(t.rest()[set+1:])
	}
	return ok
}

// assignments reads the expressions of column = expression, …
func (t *mysqlTask) assignments(tokens []mysqlToken) bool {
	for _, item := range mysqlList(tokens) {
		equals := mysqlFind(item, "=")
		if equals < 0 || !t.expression(item[equals+1:]) {
			return false
		}
	}
	return true
}

// expression adds what an expression reads and calls. It is false if the
// expression can't be parsed. A word or literal by itself does neither.
func (t *mysqlTask) expression(tokens []mysqlToken) bool {
	if len(tokens) == 1 || len(tokens) == 2 && tokens[0].is("-", "+", "@") {
		return true
	}
	do := &Statement{}
	if mysqlParsedStatement(do, append([]mysqlToken{mysqlKeyword("DO")}, mysqlSpaced(tokens)...)) != nil {
		return false
	}
	t.s.absorb(do)
	return true
}

// mysqlSpaced is tokens with a space before the first.
func mysqlSpaced(tokens []mysqlToken) []mysqlToken {
	spaced := append([]mysqlToken(nil), tokens...)
	if len(spaced) > 0 {
		spaced[0].gap = true
	}
	return spaced
}

// handler reads HANDLER, which looks into a table without a snapshot.
func (t *mysqlTask) handler() bool {
	name, ok := t.name()
	t.s.Reason = Cursor
	switch {
	case ok && t.accept("READ"):
		t.s.Kind, t.s.ReturnsRows, t.s.Reads = Read, true, []Name{name}
	case ok && t.peek(0).is("OPEN", "CLOSE"):
		t.s.Kind = Utility
	default:
		return false
	}
	return true
}

// execute reads EXECUTE name [USING …] and MariaDB's EXECUTE IMMEDIATE.
func (t *mysqlTask) execute() bool {
	t.s.Kind, t.s.WritesAll, t.s.ReturnsRows = Call, true, true
	if t.peek(0).is("IMMEDIATE") && t.at+1 < len(t.tokens) {
		t.at++
		t.s.Control, t.s.Settings = OtherControl, []string{"*"}
		if text := t.peek(0); text.kind == mysqlString {
			t.s.Prepared = t.nested(text.text)
		}
		return true
	}
	name, ok := t.identifier()
	t.s.Executes = strings.ToLower(name)
	return ok
}

// mysqlMaxDepth bounds how deep texts inside of texts are read.
const mysqlMaxDepth = 2

// nested tells what the text inside a string does, or nil if it stands too deep.
func (t *mysqlTask) nested(text string) *Statement {
	if t.depth >= mysqlMaxDepth {
		return nil
	}
	return mysqlAnalyze(text, t.depth+1)
}

// mysqlUnparsed is a statement that can't be parsed: it may write anything,
// unless its first word shows that only the functions it calls can write.
func mysqlUnparsed(tokens []mysqlToken, text string) *Statement {
	s := &Statement{Text: text, Dialect: MySQL, Reason: Unparsable, WritesAll: true, ReturnsRows: true}
	c := mysqlCursor{tokens: tokens}
	c.skipAny("(")
	switch {
	case c.accept("SELECT"), c.accept("TABLE"), c.accept("VALUES"), c.accept("WITH") && mysqlOnlyReads(tokens):
		s.Kind, s.WritesAll = Read, false
		s.Functions = mysqlCalls(tokens)
	case c.at > 0 && tokens[c.at-1].is("WITH"):
		s.Kind = Modify
		s.Functions = mysqlCalls(tokens)
	case c.peek(0).is("INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD", "TRUNCATE"):
		s.Kind = Modify
		s.ImplicitCommit = c.peek(0).is("TRUNCATE")
		s.Functions = mysqlCalls(tokens)
	case c.peek(0).is("SET"):
		s.Kind, s.Settings = Session, []string{"*"}
		s.Control = OtherControl
	default:
		s.Control, s.Settings = OtherControl, []string{"*"}
	}
	return s
}

// mysqlOnlyReads reports whether a statement that begins with WITH can't be an
// UPDATE or DELETE.
func mysqlOnlyReads(tokens []mysqlToken) bool {
	for i, t := range tokens {
		if t.is("DELETE", "INSERT", "REPLACE") || t.is("UPDATE") && !tokens[i-1].is("FOR") {
			return false
		}
	}
	return true
}

// mysqlCalls are the names that stand before a parenthesis: all functions, and
// some keywords.
func mysqlCalls(tokens []mysqlToken) []Name {
	var calls []Name
	for i, t := range tokens {
		if !t.is("(") || i == 0 {
			continue
		}
		switch name := tokens[i-1]; {
		case name.kind != mysqlWord && name.kind != mysqlName, mysqlNoCall[name.upper] && !mysqlAfterDot(tokens, i-1):
		case i > 2 && tokens[i-2].is(".") && tokens[i-3].kind != mysqlPunct:
			calls = addOnce(calls, Name{Schema: tokens[i-3].text, Name: strings.ToLower(name.text)})
		default:
			calls = addOnce(calls, Name{Name: strings.ToLower(name.text)})
		}
	}
	return calls
}

// mysqlNoCall are reserved words that a parenthesis follows and that call
// nothing.
var mysqlNoCall = mysqlSet(`SELECT FROM WHERE AND OR NOT XOR IN EXISTS AS ON USING VALUES ALL DISTINCT UNION EXCEPT
	INTERSECT JOIN OVER BY HAVING WHEN THEN ELSE CASE BETWEEN LIKE SET INTO PARTITION INDEX KEY KEYS LIMIT INTERVAL DIV
	MOD IS CHAR VARCHAR DECIMAL BINARY RETURNING`)
