package coherence

import "time"

// A Kind says what an entry is, for those who watch.
type Kind uint8

// The kinds of entries.
const (
	Statement Kind = iota // the result of a statement
	Value                 // a remembered value
	Fragment              // a part of a page
	Page                  // a response
)

func (k Kind) String() string { return [...]string{"statement", "value", "fragment", "page"}[k] }

// Made tells what became of one request for something that is made from reads.
type Made struct {
	Kind    Kind
	Name    string // its key, or what keys of its sort have in common; never what only one user may see
	Outcome Outcome
	Why     string // why it was not kept, if it wasn't
	Total   time.Duration
	Bytes   int
	Err     error
}
