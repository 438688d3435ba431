package analyze

import (
	"strconv"
	"strings"
)

// liteNumberParams numbers the parameters of one statement as SQLite does: in the order of the
// text, ?7 by what it says, a name that returns by its first number. Left at 0
// are those of which drivers may think otherwise: $7 that isn't the seventh, which
// some bind as ?7, and parameters without a name beside named ones.
func liteNumberParams(tokens []liteToken) {
	numbers := map[string]int{}
	last, named := 0, false
	for i := range tokens {
		t := &tokens[i]
		if t.kind != liteParam {
			continue
		}
		n, known := numbers[t.text]
		said, err := strconv.Atoi(t.text[1:])
		if t.text[0] == '?' && err == nil {
			n, known = said, true
		}
		if !known {
			n = last + 1
			if t.text != "?" {
				numbers[t.text] = n
			}
		}
		last = max(last, n)
		if t.text[0] != '$' || err != nil || said == n {
			t.number = n
		}
		named = named || liteParamName(t.text) != ""
	}
	for i := range tokens {
		if named && liteParamName(tokens[i].text) == "" {
			tokens[i].number = 0
		}
	}
}

// liteParamName is the name of a parameter that an argument may have, too: not one of
// digits, nor ?7.
func liteParamName(text string) string {
	if name := text[1:]; text[0] != '?' && strings.Trim(name, "0123456789") != "" {
		return name
	}
	return ""
}
