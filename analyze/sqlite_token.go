package analyze

import "strings"

// A liteKind is the lexical class of a token of SQLite.
type liteKind uint8

const (
	liteEnd     liteKind = iota // after the last token
	liteWord                    // a name or keyword without quotes
	liteQuoted                  // "name", `name` or [name]
	liteString                  // 'text', which is a name where a name must stand
	liteNumber                  // 1, .5e3, 0xff, 1_000
	liteBlob                    // x'00ff'
	liteParam                   // ?, ?1, :a, @a, $a::b(c)
	liteOp                      // an operator or a punctuation mark
	liteIllegal                 // what SQLite's tokenizer refuses
)

// A liteToken is one token. Its text is a name or keyword in ASCII lower case,
// the content of a string, or what is written for everything else.
type liteToken struct {
	kind    liteKind
	text    string
	at, end int // where it stands in the text
	number  int // of parameters: see liteNumberParams
}

// is reports whether t is the keyword word, not a quoted name of that text.
func (t liteToken) is(word string) bool { return t.kind == liteWord && t.text == word }

func (t liteToken) isOp(op string) bool { return t.kind == liteOp && t.text == op }

// liteTokens splits text into tokens as SQLite's tokenizer does, without
// spaces and comments. What SQLite refuses becomes a token of kind liteIllegal.
func liteTokens(text string) []liteToken {
	var tokens []liteToken
	for i := 0; i < len(text); {
		t, size := liteScan(text[i:])
		if t.kind != liteEnd {
			t.at, t.end = i, i+size
			tokens = append(tokens, t)
		}
		i += size
	}
	return tokens
}

// liteScan reads one token, space or comment from the start of s, which isn't
// empty. Spaces and comments are of kind liteEnd.
func liteScan(s string) (liteToken, int) {
	c := s[0]
	switch {
	case strings.HasPrefix(s, "--"):
		return liteToken{}, liteUntil(s, "\n")
	case strings.HasPrefix(s, "/*") && len(s) > 2:
		return liteToken{}, 2 + liteUntil(s[2:], "*/")
	case strings.IndexByte(" \t\n\f\r", c) >= 0:
		return liteToken{}, 1
	case strings.HasPrefix(s, "\ufeff"):
		return liteToken{}, len("\ufeff")
	case c == '\'' || c == '"' || c == '`' || c == '[':
		return liteScanQuoted(s)
	case (c == 'x' || c == 'X') && len(s) > 1 && s[1] == '\'':
		return liteScanBlob(s)
	case liteDigit(c) || c == '.' && len(s) > 1 && liteDigit(s[1]):
		return liteScanNumber(s)
	case strings.IndexByte("?:@$", c) >= 0:
		return liteScanParam(s)
	case liteNameByte(c):
		n := liteSpan(s, liteNameByte)
		return liteToken{kind: liteWord, text: liteFold(s[:n])}, n
	}
	return liteScanOp(s)
}

// liteUntil is the length of s up to and with end, or all of s.
func liteUntil(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i + len(end)
	}
	return len(s)
}

func liteSpan(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func liteDigit(c byte) bool { return '0' <= c && c <= '9' }

func liteHex(c byte) bool {
	return liteDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// liteNameByte reports whether c may stand in a name; the first byte is known
// to be neither a digit nor '$', which are tokens of other kinds there.
func liteNameByte(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || liteDigit(c) || c == '_' || c == '$' || c >= 0x80
}

// liteFold lowers ASCII letters, and only those, as SQLite compares names.
func liteFold(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] |= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

// liteScanQuoted reads a string or a quoted name. In brackets nothing is
// escaped; elsewhere the quote is doubled.
func liteScanQuoted(s string) (liteToken, int) {
	quote := s[0]
	if quote == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return liteToken{kind: liteIllegal, text: s}, len(s)
		}
		return liteToken{kind: liteQuoted, text: liteFold(s[1:end])}, end + 1
	}
	for i := 1; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			i++
			continue
		}
		q := string(quote)
		content := strings.ReplaceAll(s[1:i], q+q, q)
		if quote == '\'' {
			return liteToken{kind: liteString, text: content}, i + 1
		}
		return liteToken{kind: liteQuoted, text: liteFold(content)}, i + 1
	}
	return liteToken{kind: liteIllegal, text: s}, len(s)
}

func liteScanBlob(s string) (liteToken, int) {
	digits := liteSpan(s[2:], liteHex)
	end := 2 + digits
	if end == len(s) || s[end] != '\'' || digits%2 != 0 {
		return liteToken{kind: liteIllegal, text: s[:end]}, end
	}
	return liteToken{kind: liteBlob, text: s[:end+1]}, end + 1
}

func liteScanNumber(s string) (liteToken, int) {
	grouped := func(c byte) bool { return liteDigit(c) || c == '_' }
	n := 0
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' && liteHex(s[2]) {
		n = 2 + liteSpan(s[2:], func(c byte) bool { return liteHex(c) || c == '_' })
	} else {
		n = liteSpan(s, grouped)
		if n < len(s) && s[n] == '.' {
			n += 1 + liteSpan(s[n+1:], grouped)
		}
		n += liteExponent(s[n:])
	}
	if rest := liteSpan(s[n:], liteNameByte); rest > 0 {
		return liteToken{kind: liteIllegal, text: s[:n+rest]}, n + rest
	}
	return liteToken{kind: liteNumber, text: s[:n]}, n
}

// liteExponent is the length of the exponent that s begins with, or 0.
func liteExponent(s string) int {
	if s == "" || s[0]|0x20 != 'e' {
		return 0
	}
	n := 1
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	digits := liteSpan(s[n:], func(c byte) bool { return liteDigit(c) || c == '_' })
	if digits == 0 {
		return 0
	}
	return n + digits
}

// liteScanParam reads a parameter. After '$', ':' and '@' a name may go on with
// "::" and end with a suffix in parentheses.
func liteScanParam(s string) (liteToken, int) {
	if s[0] == '?' {
		n := 1 + liteSpan(s[1:], liteDigit)
		return liteToken{kind: liteParam, text: s[:n]}, n
	}
	n, named := 1, false
	for n < len(s) {
		switch {
		case liteNameByte(s[n]):
			named = true
			n++
			continue
		case strings.HasPrefix(s[n:], "::"):
			n += 2
			continue
		case s[n] == '(' && named:
			end := strings.IndexAny(s[n:], ") \t\n\f\r")
			if end < 0 {
				return liteToken{kind: liteIllegal, text: s}, len(s)
			}
			if s[n+end] != ')' {
				return liteToken{kind: liteIllegal, text: s[:n+end]}, n + end
			}
			n += end + 1
		}
		break
	}
	if !named {
		return liteToken{kind: liteIllegal, text: s[:n]}, n
	}
	return liteToken{kind: liteParam, text: s[:n]}, n
}

var liteOps = []string{
	"->>", "->", "||", "<=", "<>", "<<", ">=", ">>", "==", "!=",
	"(", ")", ";", ",", ".", "+", "-", "*", "/", "%", "=", "<", ">", "|", "&", "~",
}

func liteScanOp(s string) (liteToken, int) {
	for _, op := range liteOps {
		if strings.HasPrefix(s, op) {
			switch op {
			case "==":
				return liteToken{kind: liteOp, text: "="}, len(op)
			case "!=":
				return liteToken{kind: liteOp, text: "<>"}, len(op)
			}
			return liteToken{kind: liteOp, text: op}, len(op)
		}
	}
	return liteToken{kind: liteIllegal, text: s[:1]}, 1
}

// liteReserved are the keywords that are never names without quotes. All other
// keywords of SQLite are names wherever they can't be keywords.
var liteReserved = wordSet(`add all alter and as autoincrement between case check
	collate commit constraint create default deferrable delete distinct drop
	else escape except exists foreign from group having in index insert
	intersect into is isnull join limit not nothing notnull null on or order
	primary references returning select set table then to transaction union
	unique update using values when where`)

// liteJoinWords are names except where a join or an alias can stand.
var liteJoinWords = wordSet("cross full indexed inner left natural outer right")

// isName reports whether t can be a name where only a name can stand.
func (t liteToken) isName() bool {
	switch t.kind {
	case liteQuoted, liteString:
		return true
	case liteWord:
		return !liteReserved[t.text]
	}
	return false
}

// isAlias reports whether t can be an alias without AS.
func (t liteToken) isAlias() bool {
	return t.isName() && !(t.kind == liteWord && liteJoinWords[t.text])
}
