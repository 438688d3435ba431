package analyze

import (
	"strings"
	"time"
)

const hintPrefix = "larder:"

// parseHint finds the directives in the comments of text: larder:bypass,
// larder:refresh and larder:ttl=30s. It sees every directive that stands in a
// comment of any dialect, and ignores words it doesn't know. It doesn't read
// string literals: one that holds a whole comment with a directive counts as
// well, which costs at most a miss or another lifetime.
func parseHint(text string) Hint {
	var h Hint
	for at := 0; ; {
		i := strings.Index(text[at:], hintPrefix)
		if i < 0 {
			return h
		}
		start := at + i
		at = start + len(hintPrefix)
		if hintBoundary(text, start) && inComment(text[:start]) {
			h.apply(hintWord(text[at:]))
		}
	}
}

// apply adds one directive. A lifetime that can't be read bypasses, because its
// author wanted less than the default.
func (h *Hint) apply(word string) {
	switch value, isTTL := strings.CutPrefix(word, "ttl="); {
	case isTTL:
		ttl, err := time.ParseDuration(value)
		if err != nil || ttl <= 0 {
			h.Bypass = true
			return
		}
		h.TTL = ttl
	case word == "bypass":
		h.Bypass = true
	case word == "refresh":
		h.Refresh = true
	}
}

// hintBoundary reports whether a word can begin at text[i].
func hintBoundary(text string, i int) bool {
	return i == 0 || strings.IndexByte(" \t\r\n\f\v*-#,;!+", text[i-1]) >= 0
}

// inComment reports whether a comment that opens in text may still be open at
// its end: a block comment (nested ones too), or one that ends with its line.
func inComment(text string) bool {
	if strings.LastIndex(text, "/*") > strings.LastIndex(text, "*/") || strings.Count(text, "/*") > strings.Count(text, "*/") {
		return true
	}
	line := text[strings.LastIndexByte(text, '\n')+1:]
	return strings.Contains(line, "--") || strings.Contains(line, "#")
}

// hintWord is the directive at the beginning of text.
func hintWord(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool {
		return strings.ContainsRune(" \t\r\n\f\v*,;/", r)
	})
	if end < 0 {
		return text
	}
	return text[:end]
}
