package analyze

import "slices"

// Of the readings of a text, those under the settings that sessions begin with tell which
// rows it reads or changes: a session that reads a text in another way refuses it by its
// quotes and backslashes (package catalog). What other readings add are relations.

// mysqlPlainReadings are the statements of kept that are read so; if there are none, all.
func mysqlPlainReadings(lexers []*mysqlLexer, statements, kept []*Statement) []*Statement {
	var plain []*Statement
	for i, l := range lexers {
		if !l.reading.ansiQuotes && !l.reading.noBackslash && slices.Contains(kept, statements[i]) {
			plain = append(plain, statements[i])
		}
	}
	if plain == nil {
		return kept
	}
	return plain
}

// rowsOf gives s the rows that readings agree on, if these know all relations of s.
func (s *Statement) rowsOf(readings []*Statement) {
	first := readings[0]
	if len(first.Reads) != len(s.Reads) || len(first.Writes) != len(s.Writes) {
		return
	}
	for _, r := range readings {
		if r.Kind != s.Kind || (r.Rows == nil) != (first.Rows == nil) || (r.Change == nil) != (first.Change == nil) ||
			r.Rows != nil && r.Rows.String() != first.Rows.String() ||
			r.Change != nil && r.Change.String() != first.Change.String() {
			return
		}
	}
	s.Rows, s.Change = first.Rows, first.Change
}

// withoutRows is s, or a copy of it that doesn't tell of rows.
func (s *Statement) withoutRows() *Statement {
	if s == nil {
		return nil
	}
	c := *s
	c.Rows, c.Change, c.Prepared, c.Parts = nil, nil, s.Prepared.withoutRows(), nil
	for _, part := range s.Parts {
		c.Parts = append(c.Parts, part.withoutRows())
	}
	return &c
}

// mysqlFrom are tokens of a part of a text that begins at start, by their places in it.
func mysqlFrom(tokens []mysqlToken, start int) []mysqlToken {
	moved := slices.Clone(tokens)
	for i := range moved {
		moved[i].pos -= start
		moved[i].end -= start
	}
	return moved
}
