package analyze

import "strings"

// wordSet is the set of a text's words.
func wordSet(text string) map[string]bool { return setOf(strings.Fields(text)) }

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}
