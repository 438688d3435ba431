package session

// A Check says what came of asking the database for what was answered from the cache.
type Check uint8

// The outcomes of checks.
const (
	Unchecked Check = iota
	Same
	Different // … and no write explains that
	Unsure    // a write may explain it, or the database gave no answer, or one in an order of its own
)

// String returns the outcome's name in lower case.
func (c Check) String() string { return [...]string{"", "same", "different", "unsure"}[c] }
