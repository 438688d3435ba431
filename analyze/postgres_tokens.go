package analyze

import (
	"strings"

	"github.com/multigres/multigres/go/common/parser"
)

// pgTokens are the tokens of text, or false if it has none that can be told.
func pgTokens(text string) (tokens []*parser.Token, ok bool) {
	defer func() {
		if recover() != nil {
			tokens, ok = nil, false
		}
	}()
	lexer := parser.NewLexer(text)
	for {
		token := lexer.NextToken()
		switch {
		case token == nil, token.Type == parser.INVALID, lexer.HasErrors():
			return nil, false
		case token.Type == parser.EOF:
			return tokens, true
		}
		tokens = append(tokens, token)
	}
}

// pgSplit cuts a text of several statements at its semicolons, without those in
// brackets and in the bodies of functions; empty statements are left out.
func pgSplit(text string, tokens []*parser.Token) []string {
	var parts []string
	start, depth, atomic := 0, 0, 0
	for i, token := range tokens {
		switch pgWord(token) {
		case "(", "[":
			depth++
		case ")", "]":
			depth--
		case "atomic", "case":
			if atomic > 0 || pgWord(token) == "atomic" && i > 0 && pgWord(tokens[i-1]) == "begin" {
				atomic++
			}
		case "end":
			atomic = max(0, atomic-1)
		case ";":
			if depth == 0 && atomic == 0 {
				parts = pgAppendPart(parts, text[start:token.Position])
				start = token.Position + 1
			}
		}
	}
	return pgAppendPart(parts, text[start:])
}

func pgAppendPart(parts []string, part string) []string {
	if tokens, ok := pgTokens(part); ok && len(tokens) == 0 {
		return parts
	}
	return append(parts, strings.TrimSpace(part))
}

// pgWord is a token as a keyword or sign; names and literals are "".
func pgWord(token *parser.Token) string {
	switch token.Type {
	case parser.IDENT, parser.SCONST, parser.FCONST, parser.ICONST, parser.BCONST, parser.XCONST, parser.PARAM:
		return ""
	}
	return strings.ToLower(token.Text)
}

// pgHasMore reports whether something follows a semicolon.
func pgHasMore(tokens []*parser.Token) bool {
	for i, token := range tokens {
		if pgWord(token) == ";" && i < len(tokens)-1 {
			return true
		}
	}
	return false
}

// pgOpaque is what can be said of one statement that can't be parsed: it may
// write all, because functions may, and it may change any setting unless its
// first word says that it is a query without set_config.
func pgOpaque(text string, tokens []*parser.Token) *Statement {
	st := &Statement{
		Text: text, Dialect: Postgres, Kind: Unknown, Reason: Unparsable, WritesAll: true,
		Control: OtherControl, ReturnsRows: true, Settings: []string{"*"}, Hint: parseHint(text),
	}
	if len(tokens) == 0 || pgHasMore(tokens) {
		return st
	}
	switch pgWord(tokens[0]) {
	case "select", "with", "values", "table", "insert", "update", "delete", "merge", "(":
		st.Control = NoControl
		if !strings.Contains(strings.ToLower(text), "set_config") {
			st.Settings = nil
		}
	}
	return st
}
