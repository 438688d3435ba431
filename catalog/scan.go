package catalog

import (
	"strings"

	"github.com/larderdb/larder/analyze"
)

// A token is a piece of SQL code: enough to take bodies of triggers and functions
// apart into statements, which package analyze then reads.
type token struct {
	kind       tokenKind
	word       string // of a word, in lower case; of a mark, itself
	start, end int    // where it stands
}

type tokenKind uint8

const (
	word    tokenKind = iota // an identifier or key word that isn't quoted
	quoted                   // a quoted identifier
	literal                  // a string or number
	mark                     // one character of anything else
	broken                   // something that doesn't end
)

func (t token) is(w string) bool { return (t.kind == word || t.kind == mark) && t.word == w }

// scan cuts code into tokens, without comments and blanks. It reports false if
// something in it has no end, or may be read in two ways.
func scan(d analyze.Dialect, code string) ([]token, bool) {
	s := scanner{dialect: d, code: code}
	var tokens []token
	for s.skipBlank() {
		t := s.next()
		if t.kind == broken {
			return nil, false
		}
		tokens = append(tokens, t)
	}
	return tokens, !s.failed
}

type scanner struct {
	dialect analyze.Dialect
	code    string
	at      int
	failed  bool
}

// skipBlank goes to the next token, and reports whether there is one.
func (s *scanner) skipBlank() bool {
	for s.at < len(s.code) && !s.failed {
		rest := s.code[s.at:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			s.at++
		case s.lineComment(rest):
			s.at += lineLength(rest)
		case strings.HasPrefix(rest, "/*"):
			s.comment(rest)
		default:
			return true
		}
	}
	return false
}

func (s *scanner) lineComment(rest string) bool {
	if s.dialect == analyze.MySQL {
		if rest[0] == '#' {
			return true
		}
		return strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' ')
	}
	return strings.HasPrefix(rest, "--")
}

func lineLength(rest string) int {
	if end := strings.IndexByte(rest, '\n'); end >= 0 {
		return end + 1
	}
	return len(rest)
}

// comment passes over a comment. One within another, or one that is executed, is
// more than is understood here.
func (s *scanner) comment(rest string) {
	end := strings.Index(rest[2:], "*/")
	if end < 0 || strings.Contains(rest[2:2+end], "/*") {
		s.failed = true
		return
	}
	if s.dialect == analyze.MySQL && (rest[2] == '!' || strings.HasPrefix(rest[2:], "M!")) {
		s.failed = true
		return
	}
	s.at += end + 4
}

func (s *scanner) next() token {
	start := s.at
	rest := s.code[start:]
	t := token{kind: mark, start: start}
	switch c := rest[0]; {
	case c == '\'':
		t.kind = s.quote(literal, '\'', s.dialect == analyze.MySQL)
	case c == '"' && s.dialect == analyze.MySQL:
		t.kind = s.quote(literal, '"', true)
	case c == '"':
		t.kind = s.quote(quoted, '"', false)
	case c == '`' && s.dialect != analyze.Postgres:
		t.kind = s.quote(quoted, '`', false)
	case c == '[' && s.dialect == analyze.SQLite:
		t.kind = s.bracket()
	case c == '$' && s.dialect == analyze.Postgres:
		t.kind = s.dollar()
	case isWordByte(c):
		t.kind = s.word()
	default:
		s.at++
	}
	t.end = s.at
	if t.kind == word || t.kind == mark {
		t.word = strings.ToLower(s.code[t.start:t.end])
	}
	return t
}

// quote passes over something quoted, in which the quote is doubled.
func (s *scanner) quote(kind tokenKind, q byte, escapes bool) tokenKind {
	for s.at++; s.at < len(s.code); s.at++ {
		switch c := s.code[s.at]; {
		case escapes && c == '\\':
			s.at++
		case c == q && s.at+1 < len(s.code) && s.code[s.at+1] == q:
			s.at++
		case c == q:
			s.at++
			return kind
		}
	}
	return broken
}

func (s *scanner) bracket() tokenKind {
	end := strings.IndexByte(s.code[s.at:], ']')
	if end < 0 {
		return broken
	}
	s.at += end + 1
	return quoted
}

// dollar passes over a dollar-quoted string or a parameter.
func (s *scanner) dollar() tokenKind {
	rest := s.code[s.at:]
	n := 1
	for n < len(rest) && isWordByte(rest[n]) && rest[n] != '$' {
		n++
	}
	if n == len(rest) || rest[n] != '$' || n > 1 && rest[1] <= '9' {
		s.at += n
		return literal
	}
	tag := rest[:n+1]
	end := strings.Index(rest[len(tag):], tag)
	if end < 0 {
		return broken
	}
	s.at += end + 2*len(tag)
	return literal
}

// word passes over an identifier, a number, or a string with a prefix.
func (s *scanner) word() tokenKind {
	start := s.at
	for s.at < len(s.code) && isWordByte(s.code[s.at]) {
		s.at++
	}
	w := s.code[start:s.at]
	if s.at < len(s.code) && s.code[s.at] == '\'' {
		switch strings.ToLower(w) {
		case "e":
			return s.quote(literal, '\'', true)
		case "x", "b", "n":
			return s.quote(literal, '\'', s.dialect == analyze.MySQL)
		}
	}
	if s.dialect == analyze.Postgres && strings.EqualFold(w, "u") && strings.HasPrefix(s.code[s.at:], "&") {
		return broken // an identifier or string in Unicode escapes
	}
	if w[0] >= '0' && w[0] <= '9' {
		return literal
	}
	return word
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// textOf returns the code of tokens, as it was written.
func textOf(code string, tokens []token) string {
	if len(tokens) == 0 {
		return ""
	}
	return code[tokens[0].start:tokens[len(tokens)-1].end]
}

// splitStatements cuts tokens at semicolons.
func splitStatements(tokens []token) [][]token {
	var parts [][]token
	start := 0
	for i, t := range tokens {
		if t.is(";") {
			if i > start {
				parts = append(parts, tokens[start:i])
			}
			start = i + 1
		}
	}
	if start < len(tokens) {
		parts = append(parts, tokens[start:])
	}
	return parts
}
