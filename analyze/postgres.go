package analyze

// analyzePostgres is written on the parser of this dialect.
func analyzePostgres(text string) *Statement {
	return &Statement{Text: text, Dialect: Postgres, Reason: Unparsable, WritesAll: true}
}
