package catalog

// stepPlpgsql reads what only PL/pgSQL has.
func (b *bodyReader) stepPlpgsql() bool {
	switch t := b.peek(0); {
	case t.is("declare"):
		b.at++
		b.declarePlpgsql()
	case t.is("while"):
		b.at++
		b.expression(b.until("loop"))
	case t.is("for"), t.is("foreach"):
		b.at++
		b.forLoop()
	case t.is("exception"):
		b.at++
		b.exceptions()
	case t.is("when"):
		b.when()
	case t.is("perform"):
		b.at++
		b.expression(b.until(";"))
	case t.is("return"):
		b.at++
		b.returns()
	case t.is("raise"), t.is("assert"):
		b.at++
		b.raise()
	case t.is("exit"), t.is("continue"):
		b.at++
		tokens := b.until(";")
		if at := topLevel(tokens, 0, "when"); at >= 0 {
			b.expression(tokens[at+1:])
		}
	case t.is("null"), t.is("get"), t.is("fetch"), t.is("move"), t.is("close"):
		b.until(";")
	case t.is("end") && !b.peek(1).is("if") && !b.peek(1).is("loop") && !b.peek(1).is("case"):
		return false
	default:
		return b.assignment()
	}
	return true
}

// declarePlpgsql reads declarations up to BEGIN.
func (b *bodyReader) declarePlpgsql() {
	for b.at < len(b.tokens) && !b.peek(0).is("begin") && !b.failed {
		if b.accept("declare") {
			continue
		}
		tokens := b.until(";")
		if at := topLevel(tokens, 0, "cursor"); at > 0 {
			b.cursor(tokens[at+1:])
			continue
		}
		if at := defaultAt(tokens); at >= 0 {
			b.expression(tokens[at:])
		}
	}
}

func (b *bodyReader) cursor(tokens []token) {
	for i, t := range tokens {
		if t.is("for") || t.is("is") {
			b.statement(tokens[i+1:])
			return
		}
	}
	b.fail()
}

// defaultAt returns where the initial value begins in a declaration, or -1.
func defaultAt(tokens []token) int {
	for i, t := range tokens {
		switch {
		case t.is("default"), t.is("="):
			return i + 1
		}
	}
	return -1
}

// forLoop reads what follows FOR or FOREACH up to LOOP.
func (b *bodyReader) forLoop() {
	b.until("in")
	if b.accept("array") {
		b.expression(b.until("loop"))
		return
	}
	b.accept("reverse")
	tokens := b.until("loop")
	for i := 1; i < len(tokens); i++ {
		if tokens[i-1].is(".") && tokens[i].is(".") && tokens[i-1].end == tokens[i].start {
			b.expression(tokens[:i-1])
			b.bounds(tokens[i+1:])
			return
		}
	}
	if len(tokens) == 0 || tokens[0].is("execute") {
		b.fail()
		return
	}
	if tokens[0].is("select") || tokens[0].is("with") || tokens[0].is("(") || tokens[0].is("values") {
		b.statement(tokens)
		return
	}
	b.fail() // a cursor, or a statement with RETURNING
}

// bounds reads the upper bound of a loop over integers, and its step.
func (b *bodyReader) bounds(tokens []token) {
	if at := topLevel(tokens, 0, "by"); at >= 0 {
		b.expression(tokens[at+1:])
		tokens = tokens[:at]
	}
	b.expression(tokens)
}

// exceptions reads the conditions of the first handler.
func (b *bodyReader) exceptions() {
	if b.peek(0).is("when") {
		b.when()
		return
	}
	b.fail()
}

// when reads WHEN of a CASE or of a handler: conditions by name are no expressions.
func (b *bodyReader) when() {
	b.at++
	tokens := b.until("then")
	for _, t := range tokens {
		if t.kind != word && t.kind != literal {
			b.expression(tokens)
			return
		}
	}
}

func (b *bodyReader) returns() {
	switch {
	case b.accept("query"):
		if b.peek(0).is("execute") {
			b.fail()
			return
		}
		b.statement(b.until(";"))
	default:
		b.accept("next")
		b.optional(b.until(";"))
	}
}

// raise reads RAISE level 'format', expressions USING option = expression. Its
// expressions are read as one list.
func (b *bodyReader) raise() {
	tokens := b.until(";")
	for i, t := range tokens {
		if t.is("(") && i > 0 && tokens[i-1].kind == word {
			b.raiseExpressions(tokens)
			return
		}
	}
	for _, t := range tokens {
		if t.is("select") {
			b.fail()
			return
		}
	}
}

// raiseExpressions reads the arguments of RAISE as far as they follow the format.
func (b *bodyReader) raiseExpressions(tokens []token) {
	for i, t := range tokens {
		if t.kind != word {
			tokens = tokens[i:]
			break
		}
		if i == 0 && !raiseLevels[t.word] {
			break
		}
	}
	if at := topLevel(tokens, 0, "using"); at >= 0 {
		options := &bodyReader{dialect: b.dialect, code: b.code, tokens: tokens[at+1:]}
		for options.at < len(options.tokens) && !options.failed {
			options.until("=", ":")
			options.accept("=")
			options.expression(options.untilOrEnd(","))
		}
		b.failed = b.failed || options.failed
		b.texts = append(b.texts, options.texts...)
		tokens = tokens[:at]
	}
	b.optional(tokens)
}

var raiseLevels = wordSet("debug log info notice warning exception")

// assignment reads name := expression, where name may have fields and subscripts.
func (b *bodyReader) assignment() bool {
	if t := b.peek(0); t.kind != word && t.kind != quoted {
		return false
	}
	i := b.at + 1
	for i < len(b.tokens) {
		switch t := b.tokens[i]; {
		case t.is("=") || t.is(":") && i+1 < len(b.tokens) && b.tokens[i+1].is("="):
			b.optional(subscripts(b.tokens[b.at+1 : i]))
			b.at = i
			b.accept(":")
			b.at++
			b.expression(b.until(";"))
			return true
		case t.is("."):
			i += 2
		case t.is("["):
			i = closing(b.tokens, i)
		default:
			return false
		}
	}
	return false
}

// subscripts returns the tokens of a target that may call functions: those between brackets.
func subscripts(tokens []token) []token {
	for i, t := range tokens {
		if t.is("[") {
			if end := closing(tokens, i); end == len(tokens) {
				return tokens[i+1 : end-1]
			}
		}
	}
	return nil
}

// closing returns the place after the bracket that closes the one at i.
func closing(tokens []token, i int) int {
	depth := 0
	for ; i < len(tokens); i++ {
		switch t := tokens[i]; {
		case t.is("["):
			depth++
		case t.is("]"):
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(tokens)
}
