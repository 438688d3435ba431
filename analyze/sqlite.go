package analyze

// analyzeSQLite is written on the parser of this dialect.
func analyzeSQLite(text string) *Statement {
	return &Statement{Text: text, Dialect: SQLite, Reason: Unparsable, WritesAll: true}
}
