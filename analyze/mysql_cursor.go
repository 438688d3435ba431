package analyze

import "slices"

// A mysqlCursor reads the tokens of one statement that needs no parser.
type mysqlCursor struct {
	tokens []mysqlToken
	at     int
}

func (c *mysqlCursor) done() bool { return c.at >= len(c.tokens) }

// peek is the token n after the next, or the zero token.
func (c *mysqlCursor) peek(n int) mysqlToken {
	if c.at+n < len(c.tokens) {
		return c.tokens[c.at+n]
	}
	return mysqlToken{kind: mysqlPunct}
}

// next takes a token.
func (c *mysqlCursor) next() mysqlToken {
	t := c.peek(0)
	c.at++
	return t
}

// is reports whether t is one of the keywords or punctuation marks given.
func (t mysqlToken) is(words ...string) bool {
	switch t.kind {
	case mysqlWord:
		return slices.Contains(words, t.upper)
	case mysqlPunct:
		return t.text != "" && slices.Contains(words, t.text)
	}
	return false
}

// accept takes the words given if they come next, in this order.
func (c *mysqlCursor) accept(words ...string) bool {
	for i, w := range words {
		if !c.peek(i).is(w) {
			return false
		}
	}
	c.at += len(words)
	return true
}

// skipAny takes tokens as long as they are among words.
func (c *mysqlCursor) skipAny(words ...string) {
	for c.peek(0).is(words...) {
		c.at++
	}
}

// identifier takes a name, quoted or not.
func (c *mysqlCursor) identifier() (string, bool) {
	t := c.peek(0)
	if t.kind != mysqlWord && t.kind != mysqlName {
		return "", false
	}
	c.at++
	return t.text, true
}

// name takes a name with or without its database.
func (c *mysqlCursor) name() (Name, bool) {
	first, ok := c.identifier()
	if !ok || !c.peek(0).is(".") {
		return Name{Name: first}, ok
	}
	c.at++
	second, ok := c.identifier()
	return Name{Schema: first, Name: second}, ok
}

// names takes names with commas between them.
func (c *mysqlCursor) names() ([]Name, bool) {
	var names []Name
	for {
		n, ok := c.name()
		if !ok {
			return nil, false
		}
		names = append(names, n)
		if !c.accept(",") {
			return names, true
		}
	}
}

// rest is the tokens not taken yet.
func (c *mysqlCursor) rest() []mysqlToken { return c.tokens[min(c.at, len(c.tokens)):] }

// find is the place of the first of words outside of parentheses, or -1.
func mysqlFind(tokens []mysqlToken, words ...string) int {
	depth := 0
	for i, t := range tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth == 0 && t.is(words...) && !mysqlAfterDot(tokens, i):
			return i
		}
	}
	return -1
}

// mysqlAfterDot reports whether a dot before tokens[i] makes it a name.
func mysqlAfterDot(tokens []mysqlToken, i int) bool { return i > 0 && tokens[i-1].is(".") }

// mysqlHas reports whether one of words stands anywhere in tokens.
func mysqlHas(tokens []mysqlToken, words ...string) bool {
	return slices.ContainsFunc(tokens, func(t mysqlToken) bool { return t.is(words...) })
}

// mysqlClose is the place of the parenthesis that closes the one at tokens[open].
func mysqlClose(tokens []mysqlToken, open int) int {
	depth := 0
	for i := open; i < len(tokens); i++ {
		switch {
		case tokens[i].is("("):
			depth++
		case tokens[i].is(")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// mysqlList splits tokens at the commas outside of parentheses.
func mysqlList(tokens []mysqlToken) [][]mysqlToken {
	var items [][]mysqlToken
	for {
		i := mysqlFind(tokens, ",")
		if i < 0 {
			return append(items, tokens)
		}
		items = append(items, tokens[:i])
		tokens = tokens[i+1:]
	}
}
