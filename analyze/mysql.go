package analyze

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// analyzeMySQL tells what a text of MySQL or MariaDB does. The settings that
// change how a text is read (sql_mode) and the server's version are unknown, so
// it is read in every way in which a server may, and what it says is the union.
func analyzeMySQL(text string) *Statement {
	s := mysqlAnalyze(text, 0)
	s.Hint = parseHint(text)
	return s
}

// mysqlAnalyze is analyzeMySQL for a text that stands in depth other texts
// (PREPARE s FROM 'text').
func mysqlAnalyze(text string, depth int) *Statement {
	lexers, ok := mysqlLexAll(text)
	if !ok || len(lexers) == 0 {
		return mysqlOpaque(text)
	}
	statements := make([]*Statement, len(lexers))
	for i, l := range lexers {
		statements[i] = l.analyze(depth)
	}
	kept := mysqlDropImpossible(lexers, statements)
	whole := kept[0]
	for _, s := range kept[1:] {
		whole = mysqlEither(whole, s)
	}
	if len(kept) > 1 {
		whole = whole.withoutRows()
		whole.rowsOf(mysqlPlainReadings(lexers, statements, kept))
	}
	return whole
}

// mysqlOpaque is a text of which nothing is known.
func mysqlOpaque(text string) *Statement {
	return &Statement{
		Text: text, Dialect: MySQL, Reason: Unparsable, WritesAll: true,
		Control: OtherControl, Settings: []string{"*"}, ReturnsRows: true,
	}
}

// mysqlMaxReadings bounds the ways in which one text is read.
const mysqlMaxReadings = 16

// mysqlLexAll reads text in all ways that give different tokens and that a
// server may accept. It is false if there are too many or one isn't understood.
func mysqlLexAll(text string) ([]*mysqlLexer, bool) {
	var lexers []*mysqlLexer
	seen := map[string]bool{}
	queue := mysqlModes(text)
	for n := 0; len(queue) > 0; n++ {
		l := mysqlLex(text, queue[0])
		if n == mysqlMaxReadings || l.unsure {
			return nil, false
		}
		queue = append(queue[1:], l.undecided()...)
		if l.newHead != "" || l.bad && !l.cut() {
			continue
		}
		if key := l.key(); !seen[key] {
			seen[key] = true
			lexers = append(lexers, l)
		}
	}
	return lexers, true
}

// mysqlModes are the readings under each sql_mode that matters to text.
func mysqlModes(text string) []mysqlReading {
	modes := []mysqlReading{{}}
	if strings.Contains(text, `"`) {
		modes = append(modes, mysqlReading{ansiQuotes: true})
	}
	if strings.Contains(text, `\`) {
		for _, m := range modes {
			m.noBackslash = true
			modes = append(modes, m)
		}
	}
	return modes
}

// undecided are the readings that go on where l stopped at an executable
// comment that may run or not.
func (l *mysqlLexer) undecided() []mysqlReading {
	if l.newHead == "" {
		return nil
	}
	readings := make([]mysqlReading, 0, 2)
	for _, runs := range []bool{true, false} {
		r := l.reading
		r.runs = maps.Clone(r.runs)
		if r.runs == nil {
			r.runs = map[string]bool{}
		}
		r.runs[l.newHead] = runs
		readings = append(readings, r)
	}
	return readings
}

// cut leaves of a text that no server reads to its end the statements before
// the one at fault: they run before that is seen. It is false if there are none.
func (l *mysqlLexer) cut() bool {
	for i := len(l.tokens) - 1; i >= 0; i-- {
		if l.tokens[i].is(";") {
			l.tokens = l.tokens[:i]
			return true
		}
	}
	return false
}

// key is equal for readings with equal meaning.
func (l *mysqlLexer) key() string {
	return fmt.Sprint(l.setVar, l.bad, mysqlRender(l.tokens))
}

// analyze tells what the text does under the reading of l.
func (l *mysqlLexer) analyze(depth int) *Statement {
	parts, ok := mysqlSplit(l.tokens)
	switch {
	case !ok:
		return mysqlOpaque(l.src)
	case len(parts) == 0:
		return &Statement{Text: l.src, Dialect: MySQL, Kind: Utility, Reason: NotRead}
	case len(parts) == 1:
		return l.statement(parts[0], l.src, depth)
	}
	statements := make([]*Statement, len(parts))
	for i, tokens := range parts {
		text := l.src[tokens[0].pos:tokens[len(tokens)-1].end]
		statements[i] = l.statement(mysqlFrom(tokens, tokens[0].pos), text, depth)
		statements[i].Hint = parseHint(text)
	}
	return several(MySQL, l.src, statements)
}

func (l *mysqlLexer) statement(tokens []mysqlToken, text string, depth int) *Statement {
	s := mysqlStatement(tokens, text, depth)
	if l.setVar {
		s.mysqlBecause(SessionVariable, "SET_VAR")
		s.Rows, s.Change = nil, nil
	}
	if l.bad {
		s.mysqlBecause(Multiple, "") // an error follows the rows
	}
	return s
}

// mysqlDropImpossible leaves out readings that no server accepts: those that
// differ from a parsed one in nothing but that strings are names there, and
// can't be parsed.
func mysqlDropImpossible(lexers []*mysqlLexer, statements []*Statement) []*Statement {
	var kept []*Statement
	for i, s := range statements {
		if s.Reason == Unparsable && slices.ContainsFunc(lexers, func(l *mysqlLexer) bool {
			return statements[slices.Index(lexers, l)].Reason != Unparsable && l.sameBorders(lexers[i])
		}) {
			continue
		}
		kept = append(kept, s)
	}
	return kept
}

// sameBorders reports whether l and m have their tokens at the same places.
func (l *mysqlLexer) sameBorders(m *mysqlLexer) bool {
	return slices.EqualFunc(l.tokens, m.tokens, func(a, b mysqlToken) bool {
		return a.pos == b.pos && a.end == b.end
	})
}

// mysqlEither is a statement that is a or b: all that either may do.
func mysqlEither(a, b *Statement) *Statement {
	if a.withoutRows().Facts() == b.withoutRows().Facts() {
		return a
	}
	u := &Statement{Text: a.Text, Dialect: MySQL, Kind: a.Kind, Reason: a.Reason, Detail: a.Detail}
	u.absorb(a)
	u.absorb(b)
	if u.Reason == Cacheable {
		u.Reason, u.Detail = b.Reason, b.Detail
	}
	switch {
	case a.Kind == b.Kind && (a.Kind == Read || a.Kind == Modify || a.Kind == Session && a.Prepares == b.Prepares):
		u.Prepares = a.Prepares
	case mysqlSetsOrNothing(a, b):
		u.Kind = Session
	default:
		u.Kind, u.Reason, u.Detail = Unknown, Unparsable, ""
		u.WritesAll = true
		u.Control = OtherControl
	}
	return u
}

// mysqlSetsOrNothing reports whether a statement only changes settings, or does
// nothing: /*!40101 SET NAMES utf8 */.
func mysqlSetsOrNothing(a, b *Statement) bool {
	sets := func(s *Statement) bool {
		return (s.Kind == Session || s.Kind == Utility) && !s.Writing() && !s.ImplicitCommit &&
			s.Prepares == "" && s.Deallocates == ""
	}
	return sets(a) && sets(b)
}
