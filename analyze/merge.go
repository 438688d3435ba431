package analyze

import "slices"

// several makes the statement of a text that holds more than one: its facts
// are the union of those of its parts, and its rows can't be cached.
func several(d Dialect, text string, parts []*Statement) *Statement {
	whole := &Statement{
		Text: text, Dialect: d, Kind: Several, Reason: Multiple,
		Hint: parseHint(text), Parts: parts,
	}
	for _, part := range parts {
		whole.absorb(part)
	}
	return whole
}

// absorb adds to s what part reads, writes, calls and sets.
func (s *Statement) absorb(part *Statement) {
	for _, name := range part.Reads {
		s.Reads = addOnce(s.Reads, name)
	}
	for _, w := range part.Writes {
		s.addWrite(w)
	}
	for _, name := range part.Functions {
		s.Functions = addOnce(s.Functions, name)
	}
	for _, name := range part.TempTables {
		s.TempTables = addOnce(s.TempTables, name)
	}
	for _, operator := range part.Operators {
		s.Operators = addOnce(s.Operators, operator)
	}
	for _, column := range part.TimeCasts {
		s.TimeCasts = addOnce(s.TimeCasts, column)
	}
	for _, setting := range part.Settings {
		s.Settings = addOnce(s.Settings, setting)
	}
	s.WritesAll = s.WritesAll || part.WritesAll
	s.ReturnsRows = s.ReturnsRows || part.ReturnsRows
	s.ImplicitCommit = s.ImplicitCommit || part.ImplicitCommit
}

// addWrite adds w to the writes of s, joined with an earlier one of the same
// relation.
func (s *Statement) addWrite(w Write) {
	for i := range s.Writes {
		if s.Writes[i].Relation == w.Relation {
			s.Writes[i].Op |= w.Op
			s.Writes[i].Cascade = s.Writes[i].Cascade || w.Cascade
			return
		}
	}
	s.Writes = append(s.Writes, w)
}

// addOnce appends item unless items has it.
func addOnce[T comparable](items []T, item T) []T {
	if slices.Contains(items, item) {
		return items
	}
	return append(items, item)
}
