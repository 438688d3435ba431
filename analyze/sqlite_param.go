package analyze

import (
	"strconv"
	"strings"
)

// liteNumberParams numbers the parameters of one statement as SQLite does: in the order of the
// text, ?7 by what it says, a name that returns by its first number. Left at 0
// are those of which drivers may think otherwise: $7 that isn't the seventh, which
// some bind as ?7, and all where some have a name and some have none.
func liteNumberParams(tokens []liteToken) {
	numbers := map[string]int{}
	last, named, unnamed := 0, false, false
	for i := range tokens {
		t := &tokens[i]
		if t.kind != liteParam {
			continue
		}
		said, err := strconv.Atoi(t.text[1:])
		n, known := numbers[t.text]
		switch {
		case t.text[0] == '?' && err == nil:
			n = said
		case !known:
			n = last + 1
		}
		if t.text != "?" {
			numbers[t.text] = n
		}
		last = max(last, n)
		if t.text[0] != '$' || err != nil || said == n {
			t.number = n
		}
		name := liteParamName(t.text)
		named, unnamed = named || name != "", unnamed || name == ""
	}
	if named && unnamed {
		for i := range tokens {
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
