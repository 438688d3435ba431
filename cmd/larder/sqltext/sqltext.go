// Package sqltext takes SQL texts apart without understanding them: what they have in common, and where one ends.
package sqltext

import (
	"strings"

	"github.com/larderdb/larder/analyze"
)

// Shape is a text without its values, comments and spaces: what statements that differ in their values only have
// in common. Lists of values are one.
func Shape(d analyze.Dialect, text string) string {
	var b strings.Builder
	last := ""
	for at := 0; at < len(text); {
		word, next := token(d, text, at)
		at = next
		if word == "" {
			continue
		}
		if strings.EqualFold(word, "NULL") && (last == "=" || last == "," || last == "(") {
			word = "?"
		}
		last = word
		if b.Len() > 0 && spaced(b.String(), word) {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return lists(strings.TrimSuffix(b.String(), ";"))
}

// Split takes a text of several statements apart at the semicolons between them. What holds semicolons itself, like the
// body of a trigger, is taken apart as well; what is empty, and comments before a statement, are left out.
func Split(d analyze.Dialect, text string) (list []string) {
	from, empty := 0, true
	for at := 0; at < len(text); {
		word, next := token(d, text, at)
		switch {
		case word == ";":
			if !empty {
				list = append(list, strings.TrimSpace(text[from:at]))
			}
			from, empty = next, true
		case word != "" && empty:
			from, empty = at, false
		}
		at = next
	}
	if !empty {
		list = append(list, strings.TrimSpace(text[from:]))
	}
	return list
}

// spaced reports whether a space stands between two words.
func spaced(before, word string) bool {
	last := before[len(before)-1]
	return !strings.ContainsRune(",);.", rune(word[0])) && last != '(' && last != '.' &&
		(word[0] != '(' || strings.ContainsRune("=<>,+-*/", rune(last)) || keywordBefore(before))
}

// keywordBefore reports whether a text ends with a word behind which a bracket stands apart.
func keywordBefore(text string) bool {
	at := strings.LastIndexByte(text, ' ')
	switch strings.ToUpper(text[at+1:]) {
	case "IN", "VALUES", "AND", "OR", "ON", "WHERE", "FROM", "EXISTS", "NOT", "SELECT", "AS", "SET", "JOIN", "UNION", "ALL", "ANY", "BY", "HAVING", "WHEN", "THEN", "ELSE":
		return true
	}
	return at >= 0 && strings.HasSuffix(strings.ToUpper(text[:at]), "INTO") // INTO stuff (a, b)
}

// token returns the word at a place, "?" for a value and "" for what says nothing, and where the next begins.
func token(d analyze.Dialect, text string, at int) (word string, next int) {
	c := text[at]
	switch {
	case c <= ' ':
		return "", at + 1
	case strings.HasPrefix(text[at:], "--"), c == '#' && d == analyze.MySQL:
		return "", after(text, at, "\n")
	case strings.HasPrefix(text[at:], "/*"):
		return "", after(text, at+2, "*/")
	case c == '\'':
		return "?", quoted(text, at, d == analyze.MySQL)
	case c == '"' || c == '`':
		end := quoted(text, at, d == analyze.MySQL)
		return text[at:end], end
	case c == '$' && dollar(text[at:]) != "":
		mark := dollar(text[at:])
		return "?", after(text, at+len(mark), mark)
	case c == '$' || c == '?':
		return "?", at + 1 + span(text[at+1:], digit)
	case digit(c):
		return "?", at + span(text[at:], func(c byte) bool { return letter(c) || digit(c) || c == '.' })
	case letter(c):
		end := at + span(text[at:], func(c byte) bool { return letter(c) || digit(c) || c == '$' })
		if end < len(text) && text[end] == '\'' && end-at == 1 { // E'…', x'…', N'…'
			return "?", quoted(text, end, true)
		}
		return text[at:end], end
	}
	return text[at : at+1], at + 1
}

// after is the place behind the next mark, or the end.
func after(text string, at int, mark string) int {
	if at > len(text) {
		return len(text)
	}
	if i := strings.Index(text[at:], mark); i >= 0 {
		return at + i + len(mark)
	}
	return len(text)
}

// quoted is the place behind what stands in quotes.
func quoted(text string, at int, escapes bool) int {
	quote := text[at]
	for i := at + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && escapes && quote != '`':
			i++
		case text[i] == quote && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

// dollar is the mark by which a text in dollars begins, "" if none does.
func dollar(text string) string {
	n := 1 + span(text[1:], letter)
	if n < len(text) && text[n] == '$' {
		return text[:n+1]
	}
	return ""
}

func span(text string, of func(byte) bool) (n int) {
	for n < len(text) && of(text[n]) {
		n++
	}
	return n
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func letter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}

// lists makes one value of a list of them, and one row of several.
func lists(text string) string {
	for _, many := range [][2]string{{"?, ?", "?"}, {"(?), (?)", "(?)"}} {
		for {
			shorter := strings.ReplaceAll(text, many[0], many[1])
			if shorter == text {
				break
			}
			text = shorter
		}
	}
	return text
}
