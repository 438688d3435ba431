package catalog

import (
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// The bodies of stored routines and triggers are taken apart into the statements and
// expressions that they hold, which package analyze can read. Loops and
// conditions don't matter: whatever may run counts as run. Local variables look like
// columns, and columns don't matter either.
//
// A bodyReader walks over the tokens of one body, in the language of MySQL's routines
// or in PL/pgSQL. It stops at the first thing that it doesn't know.
type bodyReader struct {
	dialect analyze.Dialect
	code    string
	tokens  []token
	at      int
	texts   []string
	locals  map[string]bool // MySQL: variables that were declared
	failed  bool
}

// takeApart returns the statements in a body; expressions become a SELECT of their
// own. It reports false if any of it isn't understood.
func takeApart(d analyze.Dialect, code string) ([]*analyze.Statement, bool) {
	tokens, ok := scan(d, code)
	if !ok {
		return nil, false
	}
	b := &bodyReader{dialect: d, code: code, tokens: tokens}
	for b.at < len(b.tokens) && !b.failed {
		b.step()
	}
	if b.failed {
		return nil, false
	}
	statements := make([]*analyze.Statement, 0, len(b.texts))
	for _, text := range b.texts {
		st := analyze.Analyze(d, text)
		if st.Kind == analyze.Unknown || st.Kind == analyze.Control || st.Reason == analyze.Unparsable {
			return nil, false
		}
		statements = append(statements, st)
	}
	if d == analyze.Postgres && readsClock(code, tokens) {
		statements = append(statements, &analyze.Statement{
			Dialect: d, Kind: analyze.Read, Reason: analyze.Volatile, Detail: "'now'",
		})
	}
	return statements, true
}

// readsClock reports whether a string among tokens becomes the present time when it
// is assigned to a variable of that type.
func readsClock(code string, tokens []token) bool {
	for _, t := range tokens {
		if t.kind == literal {
			switch strings.ToLower(strings.Trim(textOf(code, []token{t}), " '$")) {
			case "now", "today", "tomorrow", "yesterday":
				return true
			}
		}
	}
	return false
}

func (b *bodyReader) fail() { b.failed = true }

func (b *bodyReader) peek(ahead int) token {
	if b.at+ahead < len(b.tokens) {
		return b.tokens[b.at+ahead]
	}
	return token{kind: broken}
}

func (b *bodyReader) accept(w string) bool {
	if b.peek(0).is(w) {
		b.at++
		return true
	}
	return false
}

// until returns the tokens up to the first of words outside parentheses and CASE
// expressions, and goes past it.
func (b *bodyReader) until(words ...string) []token {
	start, depth, cases := b.at, 0, 0
	for ; b.at < len(b.tokens); b.at++ {
		t := b.tokens[b.at]
		switch {
		case depth == 0 && cases == 0 && (t.kind == word || t.kind == mark) && slices.Contains(words, t.word):
			b.at++
			return b.tokens[start : b.at-1]
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case t.is("case"):
			cases++
		case t.is("end") && cases > 0:
			cases--
		case t.is(";"):
			b.fail()
			return nil
		}
	}
	if slices.Contains(words, ";") { // the last statement needs none
		return b.tokens[start:]
	}
	b.fail()
	return nil
}

// expression adds an expression, which may call functions and hold queries.
func (b *bodyReader) expression(tokens []token) {
	if len(tokens) == 0 {
		b.fail()
		return
	}
	if len(tokens) == 1 && (tokens[0].kind == literal || constants[tokens[0].word]) {
		return
	}
	b.texts = append(b.texts, "SELECT "+textOf(b.code, tokens))
}

// constants are words that call nothing.
var constants = wordSet("new old null true false found")

// optional adds an expression if there is one.
func (b *bodyReader) optional(tokens []token) {
	if len(tokens) > 0 {
		b.expression(tokens)
	}
}

// statement adds a statement of SQL, without the part that names variables to read into.
func (b *bodyReader) statement(tokens []token) {
	if slices.ContainsFunc(tokens, func(t token) bool { return t.is("outfile") || t.is("dumpfile") }) {
		b.fail()
		return
	}
	for i, t := range tokens {
		if t.is("into") && b.intoVariables(tokens, i) {
			rest := tokens[b.afterVariables(tokens, i+1):]
			b.texts = append(b.texts, textOf(b.code, tokens[:i])+" "+textOf(b.code, rest))
			return
		}
	}
	b.texts = append(b.texts, textOf(b.code, tokens))
}

// intoVariables reports whether the INTO at i is followed by variables, not by
// the relation that an INSERT or MERGE changes.
func (b *bodyReader) intoVariables(tokens []token, i int) bool {
	if i == 0 {
		return false
	}
	if b.dialect == analyze.MySQL {
		return tokens[0].is("select") || tokens[0].is("with") || tokens[0].is("(")
	}
	return !tokens[i-1].is("insert") && !tokens[i-1].is("merge")
}

// afterVariables returns where the list of variables at i ends: names, with dots and commas.
func (b *bodyReader) afterVariables(tokens []token, i int) int {
	if i < len(tokens) && tokens[i].is("strict") {
		i++
	}
	for {
		for i < len(tokens) && tokens[i].is("@") {
			i++
		}
		i++ // a name
		for i+1 < len(tokens) && tokens[i].is(".") {
			i += 2
		}
		if i >= len(tokens) || !tokens[i].is(",") {
			return min(i, len(tokens))
		}
		i++
	}
}

// step reads one statement, or one piece of a compound statement.
func (b *bodyReader) step() {
	if b.label() {
		return
	}
	var known bool
	if b.dialect == analyze.MySQL {
		known = b.stepMySQL()
	} else {
		known = b.stepPlpgsql()
	}
	if known {
		return
	}
	switch t := b.peek(0); {
	case b.accept(";"), b.accept("begin"), b.accept("else"), b.accept("loop"):
	case t.is("if"), t.is("elseif"), t.is("elsif"):
		b.at++
		b.expression(b.until("then"))
	case t.is("case"):
		b.at++
		b.optional(b.until("when"))
		b.expression(b.until("then"))
	case t.is("when"):
		b.at++
		b.expression(b.until("then"))
	case t.is("end"):
		b.at++
		b.end()
	case t.is("return"):
		b.at++
		b.optional(b.until(";"))
	case t.is("select"), t.is("insert"), t.is("update"), t.is("delete"), t.is("with"), t.is("replace"), t.is("merge"), t.is("truncate"):
		b.statement(b.until(";"))
	default:
		b.fail()
	}
}

// label passes over a label before a block or loop.
func (b *bodyReader) label() bool {
	if b.dialect == analyze.Postgres {
		if b.peek(0).is("<") && b.peek(1).is("<") && b.peek(3).is(">") && b.peek(4).is(">") {
			b.at += 5
			return true
		}
		return false
	}
	if t := b.peek(0); (t.kind == word || t.kind == quoted) && b.peek(1).is(":") && !b.peek(2).is("=") {
		b.at += 2
		return true
	}
	return false
}

// end passes over what follows END: the sort of statement that ends, and its label.
func (b *bodyReader) end() {
	for b.at < len(b.tokens) && !b.peek(0).is(";") {
		if t := b.peek(0); t.kind != word && t.kind != quoted {
			b.fail()
			return
		}
		b.at++
	}
}
