// Package analyze tells from the text of an SQL statement what it reads and
// what it writes, or why that can't be known.
//
// It is pure: no database is asked. Each dialect is read by a real parser of
// that dialect. What the text can't tell (views, triggers, cascades, the
// volatility of functions that users have defined) is for package catalog.
//
// The rule for doubt: a read that isn't understood can't be cached and has a
// Reason; a statement that may write and isn't understood writes all relations.
package analyze

// Analyze returns what text says in the given dialect. It never fails: a text
// that can't be parsed gives a Statement with a Reason, which writes all
// relations unless it provably reads only. It panics if the dialect is unknown.
func Analyze(d Dialect, text string) *Statement {
	var s *Statement
	switch d {
	case Postgres:
		s = analyzePostgres(text)
	case MySQL:
		s = analyzeMySQL(text)
	case SQLite:
		s = analyzeSQLite(text)
	default:
		panic("analyze: unknown dialect " + string(d))
	}
	if s.Rows != nil && s.Rows.Mentions == nil {
		s.Rows.Mentions = mentionsOf(text)
	}
	return s
}
