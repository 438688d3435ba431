package analyze

import (
	"strings"
	"unicode/utf8"
)

// Tokens of MySQL and MariaDB.
//
// What a text means depends on settings and versions that it doesn't show:
// whether "x" is a string or a name (ANSI_QUOTES), whether a backslash escapes
// (NO_BACKSLASH_ESCAPES), and which executable comments (/*!50001 … */) the
// server runs. A mysqlReading is one choice of these. Everything else about the
// borders of tokens is the same on all servers, so that one lexer, exact about
// quotes and comments, gives the parser a text without either doubt.

type mysqlTokenKind uint8

const (
	mysqlWord   mysqlTokenKind = iota // a name, keyword or number as it stands
	mysqlName                         // a quoted name; text is without quotes
	mysqlString                       // a string; text is without quotes and escapes
	mysqlPunct                        // one byte
)

// A mysqlToken is one token of a text.
type mysqlToken struct {
	kind     mysqlTokenKind
	text     string
	upper    string // of a word: in upper case
	gap      bool   // space or a comment stands before it
	pos, end int    // where it stands in the text
	param    int    // of a parameter: its number from 1; 0 if drivers may count in another way
}

// A mysqlReading is one way to read a text.
type mysqlReading struct {
	ansiQuotes  bool
	noBackslash bool
	runs        map[string]bool // executable comments by their head ("!50001"), whether the server runs them
}

// A mysqlLexer splits a text under one reading.
type mysqlLexer struct {
	src     string
	reading mysqlReading
	pos     int
	gap     bool
	inCode  bool // inside an executable comment that runs
	bad     bool // every server refuses this text
	unsure  bool // servers may read this text in ways that aren't known here
	setVar  bool // a hint sets a variable: /*+ SET_VAR(…) */
	tokens  []mysqlToken
	params  int

	newHead string // an executable comment that the reading doesn't decide
}

// mysqlLex reads all of text. It stops at an executable comment that r doesn't
// decide.
func mysqlLex(text string, r mysqlReading) *mysqlLexer {
	l := &mysqlLexer{src: text, reading: r, gap: true}
	if !utf8.ValidString(text) {
		l.unsure = true // another character set, in which quotes may be parts of characters
		return l
	}
	for l.pos < len(l.src) && !l.bad && !l.unsure && l.newHead == "" {
		l.next()
	}
	l.unsure = l.unsure || l.inCode && !l.bad
	l.count()
	return l
}

// count numbers the parameters. A driver that puts them into the text itself counts question marks
// in strings and comments, too: where there are such, no number is told.
func (l *mysqlLexer) count() {
	if strings.Count(l.src, "?") != l.params {
		for i := range l.tokens {
			l.tokens[i].param = 0
		}
	}
}

func (l *mysqlLexer) next() {
	c := l.src[l.pos]
	switch {
	case c == ' ' || c >= '\t' && c <= '\r':
		l.skip(1)
	case c == '#' || c == '-' && l.at("--") && l.endsDashes(l.pos+2):
		l.lineComment()
	case c == '/' && l.at("/*"):
		l.comment()
	case c == '*' && l.inCode && l.at("*/"):
		l.inCode = false
		l.skip(2)
	case c == '\'' || c == '"' || c == '`':
		l.quoted(c)
	case c == '\\' && l.at(`\N`):
		l.add(mysqlToken{kind: mysqlWord, text: "NULL", upper: "NULL"}, l.pos+2)
	case mysqlWordByte(c):
		l.word()
	case c < ' ' || c == '\\' || c == 0x7f:
		l.bad = true
	default:
		l.add(mysqlToken{kind: mysqlPunct, text: l.src[l.pos : l.pos+1]}, l.pos+1)
	}
}

func mysqlWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (l *mysqlLexer) at(s string) bool { return strings.HasPrefix(l.src[l.pos:], s) }

func (l *mysqlLexer) skip(n int) {
	l.pos += n
	l.gap = true
}

func (l *mysqlLexer) add(t mysqlToken, end int) {
	t.gap, t.pos, t.end = l.gap, l.pos, end
	if t.is("?") {
		l.params++
		t.param = l.params
	}
	l.tokens = append(l.tokens, t)
	l.gap, l.pos = false, end
}

// endsDashes reports whether "--" before position i begins a comment.
func (l *mysqlLexer) endsDashes(i int) bool {
	return i >= len(l.src) || l.src[i] <= ' ' || l.src[i] == 0x7f
}

func (l *mysqlLexer) lineComment() {
	if l.inCode {
		l.unsure = true // whether the end of the outer comment counts in this one is nowhere written
		return
	}
	if end := strings.IndexByte(l.src[l.pos:], '\n'); end >= 0 {
		l.skip(end + 1)
		return
	}
	l.skip(len(l.src) - l.pos)
}

// comment skips a comment, or enters an executable one that runs.
func (l *mysqlLexer) comment() {
	head := mysqlCommentHead(l.src[l.pos+2:])
	if head == "" {
		l.plainComment()
		return
	}
	runs, known := l.reading.runs[head]
	switch {
	case l.inCode || len(head) > len("M!000000"):
		l.unsure = true
	case head != "!" && !known:
		l.newHead = head
	case head == "!" || runs:
		l.inCode = true
		l.skip(2 + len(head))
	default:
		l.ignoredCode()
	}
}

// mysqlCommentHead is what follows "/*" in an executable comment: "!", "!50001",
// "M!", "M!100100". It is empty for other comments.
func mysqlCommentHead(s string) string {
	i := 0
	if strings.HasPrefix(s, "M") {
		i++
	}
	if !strings.HasPrefix(s[i:], "!") {
		return ""
	}
	for i++; i < len(s) && s[i] >= '0' && s[i] <= '9'; {
		i++
	}
	return s[:i]
}

func (l *mysqlLexer) plainComment() {
	end := strings.Index(l.src[l.pos+2:], "*/")
	if end < 0 {
		l.bad = true
		return
	}
	body := l.src[l.pos+2 : l.pos+2+end]
	if strings.HasPrefix(body, "+") {
		l.setVar = l.setVar || strings.Contains(strings.ToUpper(body), "SET_VAR")
		l.unsure = l.unsure || mysqlOpenQuote(body) // a quoted name that holds the end of the comment
	}
	l.skip(end + 4)
}

// mysqlOpenQuote reports whether a quote in s isn't closed there.
func mysqlOpenQuote(s string) bool {
	return strings.Count(s, "`")%2+strings.Count(s, `"`)%2+strings.Count(s, "'")%2 > 0
}

// ignoredCode skips an executable comment that doesn't run. Servers disagree
// on comments inside of it.
func (l *mysqlLexer) ignoredCode() {
	end := strings.Index(l.src[l.pos+2:], "*/")
	if end < 0 || strings.Contains(l.src[l.pos+2:l.pos+2+end], "/*") {
		l.unsure = true
		return
	}
	l.skip(end + 4)
}

func (l *mysqlLexer) word() {
	end := l.pos + 1
	for end < len(l.src) && mysqlWordByte(l.src[end]) {
		end++
	}
	text := l.src[l.pos:end]
	if text[0] == '$' {
		l.unsure = true // a string in dollars, where the server knows them
		return
	}
	l.add(mysqlToken{kind: mysqlWord, text: text, upper: strings.ToUpper(text)}, end)
}

// quoted reads a string or a quoted name. A doubled quote stands for itself.
func (l *mysqlLexer) quoted(quote byte) {
	isName := quote == '`' || quote == '"' && l.reading.ansiQuotes
	escapes := !isName && !l.reading.noBackslash
	var b strings.Builder
	for i := l.pos + 1; i < len(l.src); i++ {
		c := l.src[i]
		switch {
		case c == '\\' && escapes && i+1 < len(l.src):
			i++
			mysqlUnescape(&b, l.src[i])
		case c != quote:
			b.WriteByte(c)
		case i+1 < len(l.src) && l.src[i+1] == quote:
			b.WriteByte(c)
			i++
		default:
			l.addQuoted(isName, b.String(), i+1)
			return
		}
	}
	l.bad = true
}

func (l *mysqlLexer) addQuoted(isName bool, text string, end int) {
	kind := mysqlString
	if isName {
		kind = mysqlName
		l.unsure = l.unsure || strings.IndexByte(text, 0) >= 0
	}
	l.add(mysqlToken{kind: kind, text: text}, end)
}

// mysqlUnescape adds what a backslash and c stand for. \% and \_ keep theirs.
func mysqlUnescape(b *strings.Builder, c byte) {
	switch c {
	case '0':
		b.WriteByte(0)
	case 'b':
		b.WriteByte('\b')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'Z':
		b.WriteByte(26)
	case '%', '_':
		b.WriteByte('\\')
		b.WriteByte(c)
	default:
		b.WriteByte(c)
	}
}

// mysqlRender writes tokens as a text that has one reading, for the parser.
func mysqlRender(tokens []mysqlToken) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && t.gap {
			b.WriteByte(' ')
		}
		t.render(&b)
	}
	return b.String()
}

var mysqlEscape = strings.NewReplacer(`'`, `''`, `\`, `\\`)

func (t mysqlToken) render(b *strings.Builder) {
	switch {
	case t.kind == mysqlString:
		b.WriteByte('\'')
		b.WriteString(mysqlEscape.Replace(t.text))
		b.WriteByte('\'')
	case t.kind == mysqlName || t.kind == mysqlWord && !mysqlASCII(t.text):
		b.WriteByte('`')
		b.WriteString(strings.ReplaceAll(t.text, "`", "``"))
		b.WriteByte('`')
	default:
		b.WriteString(t.text)
	}
}

func mysqlASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
