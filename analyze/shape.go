package analyze

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// Shape returns a text without its literals, for people and for counting by: numbers, strings and
// parameters are ?, lists of them one ?, comments are gone and spaces are single. What
// may be a literal is taken for one: "…" in MySQL, and what has no end. The shape is not parsed, and two texts of one
// shape may mean different things.
func Shape(d Dialect, text string) string {
	s := shaper{src: text, dialect: d}
	for s.pos < len(s.src) {
		s.next()
	}
	shape := s.out.String()
	for strings.Contains(shape, rowOfMany) {
		shape = strings.ReplaceAll(shape, rowOfMany, "(?)")
	}
	return shape
}

const rowOfMany = "(?), (?)"

// Fingerprint returns 16 hexadecimal digits that tell a shape from others, the same in every process.
// Words in upper and lower case are one.
func Fingerprint(shape string) string {
	h := fnv.New64a()
	h.Write([]byte(strings.ToLower(shape)))
	digits := strconv.FormatUint(h.Sum64(), 16)
	return strings.Repeat("0", 16-len(digits)) + digits
}

// A shaper writes the shape of a text, token by token.
type shaper struct {
	src     string
	dialect Dialect
	pos     int
	out     strings.Builder
	gap     bool // space stands before the next token
	values  int  // 1 after a value, 2 after a value and a comma
}

// next takes one token, or space.
func (s *shaper) next() {
	rest := s.src[s.pos:]
	c := rest[0]
	if n := s.blank(rest); n > 0 {
		s.pos += n
		s.gap = true
		return
	}
	if n := s.literal(rest); n > 0 {
		s.pos += n
		s.value()
		return
	}
	n := 1
	switch {
	case c == '"', c == '`', c == '[' && s.dialect == SQLite:
		n = quoted(rest, closing(c), false)
	case wordByte(c):
		for n < len(rest) && (wordByte(rest[n]) || digit(rest[n])) {
			n++
		}
	}
	s.pos += n
	s.write(rest[:n])
}

// blank is the length of the space or comment that rest begins with.
func (s *shaper) blank(rest string) int {
	switch {
	case strings.IndexByte(" \t\n\r\f\v", rest[0]) >= 0:
		return 1
	case strings.HasPrefix(rest, "--"), rest[0] == '#' && s.dialect == MySQL:
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			return end + 1
		}
		return len(rest)
	case strings.HasPrefix(rest, "/*"):
		return s.comment(rest)
	}
	return 0
}

// comment is the length of a comment; PostgreSQL's may have others inside.
func (s *shaper) comment(rest string) int {
	depth := 0
	for i := 0; i+1 < len(rest); i++ {
		switch {
		case rest[i] == '*' && rest[i+1] == '/':
			i++
			if depth--; depth <= 0 {
				return i + 1
			}
		case rest[i] == '/' && rest[i+1] == '*' && (depth == 0 || s.dialect == Postgres):
			depth++
			i++
		}
	}
	return len(rest)
}

// literal is the length of the literal or parameter that rest begins with.
func (s *shaper) literal(rest string) int {
	c := rest[0]
	backslash := s.dialect == MySQL
	switch {
	case c == '\'', c == '"' && s.dialect == MySQL:
		n := quoted(rest, c, backslash)
		if s.dialect != SQLite && n != quoted(rest, c, !backslash) { // the session's settings tell where it ends
			return len(rest)
		}
		return n
	case len(rest) > 1 && rest[1] == '\'' && strings.IndexByte("eEbBxXnN", c) >= 0:
		return 1 + quoted(rest[1:], '\'', backslash || c == 'e' || c == 'E')
	case c == '$' && s.dialect == Postgres:
		return dollar(rest)
	case digit(c), c == '.' && len(rest) > 1 && digit(rest[1]):
		return number(rest)
	case c == '?':
		return 1 + digits(rest[1:])
	case s.parameter(rest):
		n := 1
		for n < len(rest) && (wordByte(rest[n]) || digit(rest[n])) {
			n++
		}
		return n
	}
	return 0
}

// parameter reports whether rest begins with a parameter that has a name.
func (s *shaper) parameter(rest string) bool {
	if len(rest) < 2 || !wordByte(rest[1]) && !digit(rest[1]) {
		return false
	}
	before := byte(0)
	if s.pos > 0 {
		before = s.src[s.pos-1]
	}
	switch rest[0] {
	case ':':
		return before != ':' && s.dialect == SQLite
	case '@', '$':
		return s.dialect == SQLite
	}
	return false
}

// value writes ?, or nothing if it goes on a list of them.
func (s *shaper) value() {
	if s.values == 2 {
		s.values, s.gap = 1, false
		return
	}
	s.emit("?")
	s.values = 1
}

// write writes what isn't a value. A comma between two is held back.
func (s *shaper) write(token string) {
	if token == "," && s.values == 1 {
		s.values, s.gap = 2, false
		return
	}
	if s.values == 2 {
		s.out.WriteByte(',')
		s.gap = true
	}
	if token == "," {
		s.gap = false
	}
	s.values = 0
	s.emit(token)
	if token == "," {
		s.gap = true
	}
}

func (s *shaper) emit(token string) {
	if s.gap && s.out.Len() > 0 {
		s.out.WriteByte(' ')
	}
	s.gap = false
	s.out.WriteString(token)
}

// quoted is the length of what stands in quotes, which it ends by; all of rest, if it has no end.
func quoted(rest string, end byte, backslash bool) int {
	for i := 1; i < len(rest); i++ {
		switch {
		case backslash && rest[i] == '\\':
			i++
		case rest[i] == end && i+1 < len(rest) && rest[i+1] == end && end != ']':
			i++
		case rest[i] == end:
			return i + 1
		}
	}
	return len(rest)
}

// dollar is the length of $1 or $tag$…$tag$; 0 if it is neither.
func dollar(rest string) int {
	if n := digits(rest[1:]); n > 0 {
		return 1 + n
	}
	n := 1
	for n < len(rest) && (wordByte(rest[n]) || digit(rest[n])) && rest[n] != '$' {
		n++
	}
	if n == len(rest) || rest[n] != '$' {
		return 0
	}
	tag := rest[:n+1]
	if end := strings.Index(rest[len(tag):], tag); end >= 0 {
		return end + 2*len(tag)
	}
	return len(rest)
}

// number is the length of a number, whatever its form: 1, 1.5e-3, 0xff, 1_000.
func number(rest string) int {
	n := 0
	for n < len(rest) {
		sign := (rest[n] == '+' || rest[n] == '-') && (rest[n-1] == 'e' || rest[n-1] == 'E') && !strings.HasPrefix(rest, "0x")
		if !sign && rest[n] != '.' && !digit(rest[n]) && !wordByte(rest[n]) {
			break
		}
		n++
	}
	return n
}

func digits(rest string) int {
	n := 0
	for n < len(rest) && digit(rest[n]) {
		n++
	}
	return n
}

func closing(c byte) byte {
	if c == '[' {
		return ']'
	}
	return c
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// wordByte reports whether a word may begin with c.
func wordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
