package session

import "github.com/larderdb/larder/coherence"

// Decode makes a result of what a shared store has kept of one. It reports false for anything else.
func Decode(b coherence.Bytes) (value any, size int, ok bool) {
	set, err := decodeRowSet(b)
	if err != nil {
		return nil, 0, false
	}
	return set, set.size, true
}
