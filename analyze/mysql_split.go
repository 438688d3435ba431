package analyze

// mysqlSplit cuts tokens at the semicolons between statements. The body of a
// stored routine is part of the statement that makes it; ok is false if its end
// isn't found.
func mysqlSplit(tokens []mysqlToken) (parts [][]mysqlToken, ok bool) {
	for len(tokens) > 0 {
		end := mysqlStatementEnd(tokens)
		if end < 0 {
			return nil, false
		}
		if end > 0 {
			parts = append(parts, tokens[:end])
		}
		tokens = tokens[min(end+1, len(tokens)):]
	}
	return parts, true
}

// mysqlStatementEnd is the place of the semicolon that ends the first statement
// of tokens, or their number, or -1.
func mysqlStatementEnd(tokens []mysqlToken) int {
	semicolon := len(tokens)
	for i, t := range tokens {
		if t.is(";") {
			semicolon = i
			break
		}
	}
	if !mysqlHasBody(tokens[:semicolon]) {
		return semicolon
	}
	return mysqlBodyEnd(tokens)
}

// mysqlHasBody reports whether a statement that begins so may go on after its
// first semicolon.
func mysqlHasBody(tokens []mysqlToken) bool {
	c := mysqlCursor{tokens: tokens}
	switch {
	case c.accept("CREATE"), c.accept("ALTER"):
		return mysqlHas(tokens, "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE")
	case c.accept("BEGIN"):
		return c.peek(0).is("NOT")
	}
	return len(tokens) > 0 && mysqlCompound(tokens)
}

// mysqlCompound reports whether tokens begin one of the statements of stored
// routines that MariaDB runs outside of them, too.
func mysqlCompound(tokens []mysqlToken) bool {
	c := mysqlCursor{tokens: tokens}
	if _, ok := c.identifier(); ok && c.accept(":") {
		return true // a label
	}
	return tokens[0].is("IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR", "DECLARE")
}

// mysqlBodyEnd is the end of a routine. Its body is one statement, or a block
// from BEGIN to the END that balances it. For any other body that holds several
// statements it is -1.
func mysqlBodyEnd(tokens []mysqlToken) int {
	depth, blocks := 0, 0
	for i := 0; i < len(tokens); i++ {
		switch t := tokens[i]; {
		case t.is("BEGIN", "CASE") && !mysqlAfterDot(tokens, i):
			depth++
			blocks++
		case t.is("END") && !mysqlAfterDot(tokens, i):
			if i+1 < len(tokens) && tokens[i+1].is("IF", "LOOP", "WHILE", "REPEAT", "FOR") {
				i++
				continue
			}
			if i+1 < len(tokens) && tokens[i+1].is("CASE") {
				i++
			}
			if depth--; depth < 0 {
				return -1
			}
		case t.is(";") && blocks == 0 && mysqlHas(tokens, "END"):
			return -1
		case t.is(";") && (depth == 0 || blocks == 0):
			return i
		}
	}
	if depth != 0 {
		return -1
	}
	return len(tokens)
}
