package analyze

import (
	"slices"
	"strings"
)

// session reads the statements that change the session.
func (t *mysqlTask) session(word string) (known, ok bool) {
	switch word {
	case "SET":
		return true, t.set()
	case "USE":
		_, ok := t.identifier()
		t.s.Kind, t.s.Settings = Session, []string{"database"}
		return true, ok && t.done()
	case "PREPARE":
		return true, t.prepare()
	case "DEALLOCATE":
		return true, t.deallocate()
	case "DROP":
		if t.peek(0).is("PREPARE") {
			return true, t.deallocate()
		}
	}
	return false, false
}

func (t *mysqlTask) prepare() bool {
	name, ok := t.identifier()
	if !ok || !t.accept("FROM") || t.done() {
		return false
	}
	t.s.Kind, t.s.Prepares = Session, strings.ToLower(name)
	if len(t.rest()) > 1 {
		return t.expression(t.rest())
	}
	if t.peek(0).kind == mysqlString {
		t.s.Prepared = t.nested(t.peek(0).text)
	}
	return t.peek(0).kind == mysqlString
}

func (t *mysqlTask) deallocate() bool {
	if !t.accept("PREPARE") {
		return false
	}
	name, ok := t.identifier()
	t.s.Kind, t.s.Deallocates = Session, strings.ToLower(name)
	return ok
}

// set reads SET in all its forms.
func (t *mysqlTask) set() bool {
	t.s.Kind = Session
	switch {
	case t.accept("STATEMENT"):
		return t.setStatement()
	case t.accept("ROLE"):
		t.s.Settings = []string{"role"}
		return !t.done()
	case t.accept("DEFAULT", "ROLE"), t.accept("PASSWORD"):
		t.s.Kind, t.s.ImplicitCommit = Schema, true
		return true
	case t.accept("RESOURCE", "GROUP"):
		t.s.Settings = []string{"resource_group"}
		return true
	case t.accept("TRANSACTION"):
		return t.setTransaction()
	case t.accept("SESSION", "TRANSACTION"), t.accept("LOCAL", "TRANSACTION"):
		t.s.SessionWide = true
		return t.setTransaction()
	case t.accept("GLOBAL", "TRANSACTION"):
		t.s.Settings = []string{"transaction_isolation", "transaction_read_only"}
		return true
	}
	return !t.done() && t.setList()
}

// setStatement reads SET STATEMENT variable = value, … FOR statement: settings
// of one statement.
func (t *mysqlTask) setStatement() bool {
	at := mysqlFind(t.rest(), "FOR")
	if at < 0 || !t.assignments(t.rest()[:at]) {
		return false
	}
	set := *t.s
	inner := mysqlStatement(t.rest()[at+1:], t.s.Text, t.depth)
	inner.Rows, inner.Change = nil, nil // the settings may change what conditions mean
	*t.s = *inner
	t.s.Functions = set.Functions
	t.s.Reads = set.Reads
	t.s.absorb(inner)
	t.s.mysqlBecause(SessionVariable, "set statement")
	return inner.Reason != Unparsable
}

// setTransaction reads the characteristics of SET TRANSACTION.
func (t *mysqlTask) setTransaction() bool {
	t.s.Kind, t.s.Control = Control, SetIsolation
	for !t.done() {
		switch {
		case t.accept("READ", "ONLY"):
			t.s.ReadOnly = true
		case t.accept("READ", "WRITE"), t.accept(","):
		case t.accept("ISOLATION", "LEVEL"):
			t.s.Isolation = t.level()
			if t.s.Isolation == "" {
				return false
			}
		default:
			return false
		}
	}
	return true
}

var mysqlLevels = []string{"read uncommitted", "read committed", "repeatable read", "serializable"}

// level takes an isolation level.
func (t *mysqlTask) level() string {
	for _, level := range mysqlLevels {
		if t.accept(strings.Fields(strings.ToUpper(level))...) {
			return level
		}
	}
	return ""
}

// setList reads a list of assignments, each to a variable or one of the special
// forms.
func (t *mysqlTask) setList() bool {
	global := t.peek(0).is("GLOBAL")
	for _, item := range mysqlList(t.rest()) {
		one := &mysqlTask{mysqlCursor: &mysqlCursor{tokens: item}, s: t.s, depth: t.depth, global: global}
		global = global || one.peek(0).is("GLOBAL")
		if !one.setOne() {
			return false
		}
	}
	return true
}

// mysqlCharsetSettings are what SET NAMES and SET CHARACTER SET change.
var mysqlCharsetSettings = []string{
	"character_set_client", "character_set_results", "character_set_connection", "collation_connection",
}

func (t *mysqlTask) setOne() bool {
	if t.accept("NAMES") || t.accept("CHARACTER", "SET") || t.accept("CHARSET") || t.accept("CHAR", "SET") {
		t.s.Settings = append(slices.Clip(t.s.Settings), mysqlCharsetSettings...)
		return !t.done()
	}
	if t.accept("@") && !t.peek(0).is("@") {
		t.at++ // a user variable
		return t.assigned() && t.expression(t.rest())
	}
	t.accept("@")
	scope := t.scope()
	name, ok := t.variable()
	if !ok || !t.assigned() || t.done() || !t.expression(t.rest()) {
		return false
	}
	t.assign(scope, name)
	return true
}

// scope takes the scope of a variable: GLOBAL x, @@session.x.
func (t *mysqlTask) scope() string {
	word := t.peek(0)
	if !word.is("GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY") || t.peek(1).is("=", ":") {
		return ""
	}
	t.at++
	t.accept(".")
	if word.is("LOCAL") {
		return "SESSION"
	}
	return word.upper
}

// variable takes the name of a system variable, with its component or cache.
func (t *mysqlTask) variable() (string, bool) {
	name, ok := t.identifier()
	for ok && t.accept(".") {
		var member string
		member, ok = t.identifier()
		name += "." + member
	}
	return strings.ToLower(name), ok
}

func (t *mysqlTask) assigned() bool { return t.accept("=") || t.accept(":", "=") }

// assign notes that a variable gets the value in the tokens left.
func (t *mysqlTask) assign(scope, name string) {
	switch name {
	case "autocommit":
		if scope == "" || scope == "SESSION" {
			t.autocommit()
			return
		}
	case "transaction_isolation", "tx_isolation":
		if level := t.levelValue(); level != "" && scope == "SESSION" {
			t.s.Kind, t.s.Control, t.s.SessionWide, t.s.Isolation = Control, SetIsolation, true, level
			return
		}
	}
	t.s.Settings = addOnce(t.s.Settings, name)
}

// levelValue is the isolation level that the value left names: 'READ-COMMITTED'.
func (t *mysqlTask) levelValue() string {
	level := strings.ReplaceAll(strings.ToLower(t.peek(0).text), "-", " ")
	if len(t.rest()) == 1 && slices.Contains(mysqlLevels, level) {
		return level
	}
	return ""
}

// autocommit reads the value of SET autocommit. Switching it on commits what is
// open if it was off: not an ImplicitCommit, since the text can't tell.
func (t *mysqlTask) autocommit() {
	t.s.Kind = Control
	value := t.peek(0)
	if t.global {
		t.s.Control = OtherControl // SET GLOBAL x = 1, autocommit = 0: the scope goes on
		return
	}
	on := []string{"1", "ON", "TRUE"}
	off := []string{"0", "OFF", "FALSE"}
	switch word := strings.ToUpper(value.text); {
	case t.s.Control != NoControl, len(t.rest()) != 1, value.kind == mysqlName:
		t.s.Control = OtherControl
	case slices.Contains(on, word):
		t.s.Control = AutocommitOn
	case slices.Contains(off, word):
		t.s.Control = AutocommitOff
	default:
		t.s.Control = OtherControl
	}
}
