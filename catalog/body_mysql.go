package catalog

import "slices"

// stepMySQL reads what only MySQL and MariaDB have.
func (b *bodyReader) stepMySQL() bool {
	switch t := b.peek(0); {
	case t.is("while"):
		b.at++
		b.expression(b.until("do"))
	case t.is("repeat") && !b.peek(1).is("("):
		b.at++
	case t.is("until"):
		b.at++
		b.expression(b.until("end"))
		b.end()
	case t.is("set"):
		b.at++
		b.assignments(b.until(";"))
	case t.is("declare"):
		b.at++
		b.declareMySQL()
	case t.is("do"):
		b.at++
		b.expression(b.until(";"))
	case t.is("signal"), t.is("resignal"), t.is("leave"), t.is("iterate"), t.is("open"), t.is("fetch"), t.is("close"):
		if slices.ContainsFunc(b.until(";"), func(t token) bool { return t.is("(") }) { // arguments of a cursor
			b.fail()
		}
	default:
		return false
	}
	return true
}

// assignments reads what follows SET: variables that the routine has declared, user
// variables and columns of NEW. Anything else may be a setting.
func (b *bodyReader) assignments(tokens []token) {
	for len(tokens) > 0 && !b.failed {
		inner := &bodyReader{dialect: b.dialect, code: b.code, tokens: tokens}
		part := inner.untilOrEnd(",")
		tokens = tokens[inner.at:]
		b.assign(part)
	}
}

// assign reads target = expression or target := expression.
func (b *bodyReader) assign(tokens []token) {
	n := 1
	switch t := func(i int) token { return tokenAt(tokens, i) }; {
	case t(0).is("@") && !t(1).is("@"):
		n = 2
	case (t(0).is("new") || t(0).is("old")) && t(1).is("."):
		n = 3
	case !b.locals[textOf(b.code, tokens[:1])]:
		b.fail()
		return
	}
	if tokenAt(tokens, n).is(":") {
		n++
	}
	if !tokenAt(tokens, n).is("=") {
		b.fail()
		return
	}
	b.expression(tokens[n+1:])
}

func tokenAt(tokens []token, i int) token {
	if i < len(tokens) {
		return tokens[i]
	}
	return token{kind: broken}
}

// declare notes the names that begin a declaration.
func (b *bodyReader) declare(tokens []token) {
	if b.locals == nil {
		b.locals = map[string]bool{}
	}
	for i := 0; i < len(tokens); i += 2 {
		b.locals[textOf(b.code, tokens[i:i+1])] = true
		if !tokenAt(tokens, i+1).is(",") {
			return
		}
	}
}

// untilOrEnd is until for the last part of a list.
func (b *bodyReader) untilOrEnd(w string) []token {
	start, depth := b.at, 0
	for ; b.at < len(b.tokens); b.at++ {
		switch t := b.tokens[b.at]; {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth == 0 && t.is(w):
			b.at++
			return b.tokens[start : b.at-1]
		}
	}
	return b.tokens[start:]
}

// declareMySQL reads what follows DECLARE: variables, conditions, cursors, handlers.
func (b *bodyReader) declareMySQL() {
	if (b.peek(0).is("continue") || b.peek(0).is("exit") || b.peek(0).is("undo")) && b.peek(1).is("handler") {
		b.handler()
		return
	}
	tokens := b.until(";")
	if at := topLevel(tokens, 0, "cursor"); at >= 0 {
		if at+1 >= len(tokens) || !tokens[at+1].is("for") {
			b.fail()
			return
		}
		b.statement(tokens[at+2:])
		return
	}
	b.declare(tokens)
	if at := topLevel(tokens, 0, "default"); at >= 0 {
		b.expression(tokens[at+1:])
	}
}

// handler passes over the conditions of a handler; the statement that it runs follows.
func (b *bodyReader) handler() {
	b.at += 2
	if !b.accept("for") {
		b.fail()
		return
	}
	for {
		switch t := b.peek(0); {
		case t.is("sqlstate"):
			b.at++
			b.accept("value")
		case t.is("not"):
			b.at++
		}
		b.at++ // the condition
		if !b.accept(",") {
			return
		}
	}
}
