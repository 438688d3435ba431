package analyze

import "slices"

// SQLite's SQL is read by a parser of its own here, written after SQLite's
// grammar (parse.y) and tokenizer: sqlite_token.go and sqlite_split.go cut the
// text, sqlite_parser.go, sqlite_expr.go, sqlite_select.go and
// sqlite_change.go read what reads and changes rows into the tree of
// sqlite_ast.go, sqlite_collect.go turns that into facts, sqlite_rows.go,
// sqlite_cond.go and sqlite_change_rows.go tell which rows they are of, with the numbers of
// parameters from sqlite_param.go and the guard of sqlite_places.go. Statements of other
// sorts have only their gist read: sqlite_schema.go, sqlite_control.go,
// sqlite_pragma.go. sqlite_function.go knows SQLite's own functions.

// liteMaxTokens bounds what is read; SQLite's own bound is a million bytes.
const liteMaxTokens = 1 << 20

// analyzeSQLite says what text does. Its limit: a column or a value that holds
// the text 'now' makes date(column) depend on the clock, which no text shows.
func analyzeSQLite(text string) *Statement {
	tokens := liteTokens(text)
	parts := liteSplit(tokens)
	switch {
	case len(tokens) > liteMaxTokens:
		return liteStatement(text, &Statement{Reason: Unparsable, Detail: "too long", WritesAll: true})
	case len(parts) == 0:
		return liteStatement(text, &Statement{Kind: Utility, Reason: NotRead})
	case len(parts) == 1:
		return liteStatement(text, liteAnalyze(text, parts[0]))
	}
	statements := make([]*Statement, len(parts))
	for i, part := range parts {
		statements[i] = litePart(liteAnalyze(text, part), part)
	}
	return several(SQLite, text, statements)
}

func liteStatement(text string, s *Statement) *Statement {
	s.Text, s.Dialect, s.Hint = text, SQLite, parseHint(text)
	return s
}

// litePart makes s one of several statements of a text. Drivers don't agree on which arguments
// go to which of them, so parameters tell nothing there.
func litePart(s *Statement, tokens []liteToken) *Statement {
	s.Dialect = SQLite
	if slices.ContainsFunc(tokens, func(t liteToken) bool { return t.kind == liteParam }) {
		s.Rows, s.Change = nil, nil
	}
	if s.Change != nil {
		s.Change.Append = 0 // the offset would not be one of a text of its own
	}
	return s
}

// liteAnalyze says what the tokens of one statement of text do.
func liteAnalyze(text string, tokens []liteToken) *Statement {
	s := &Statement{}
	liteNumberParams(tokens)
	if err := liteParse(tokens, func(p *liteParser) { p.text = text; p.statement(s) }); err != nil {
		return liteUnparsable(tokens, err)
	}
	return s
}

// statement reads one statement of any sort into s.
func (p *liteParser) statement(s *Statement) {
	if p.explain() {
		s.Kind, s.Reason, s.ReturnsRows = Utility, Explain, true
		p.at = len(p.tokens)
		return
	}
	switch t := p.peek(0); {
	case t.kind != liteWord:
		p.fail()
	case t.text == "create", t.text == "drop", t.text == "alter":
		p.schema(s)
	case t.text == "pragma":
		p.pragma(s)
	case liteControlWords[t.text]:
		p.control(s)
	case liteUtilityWords[t.text]:
		p.utility(s)
	default:
		p.rowStatement(s)
	}
}

// rowStatement reads a statement that reads or changes rows.
func (p *liteParser) rowStatement(s *Statement) {
	with := p.with()
	switch t := p.peek(0); {
	case t.is("select"), t.is("values"):
		sel := &liteSelect{with: with}
		p.arms(sel)
		liteRead(s, sel)
	case t.is("insert"), t.is("replace"):
		p.modify(s, with, p.insert)
	case t.is("update"):
		p.modify(s, with, p.update)
	case t.is("delete"):
		p.modify(s, with, p.delete)
	default:
		p.fail()
	}
}

// liteUnparsable is the statement of tokens that can't be read. It writes all
// relations, unless its tokens show that it is a SELECT or VALUES, which can't
// write in SQLite other than by functions that users have defined.
func liteUnparsable(tokens []liteToken, err error) *Statement {
	s := &Statement{Reason: Unparsable, Detail: err.Error(), WritesAll: true}
	if liteOnlyReads(tokens) {
		s.Kind, s.WritesAll, s.ReturnsRows = Read, false, true
	}
	return s
}

func liteOnlyReads(tokens []liteToken) bool {
	switch first := tokens[0]; {
	case first.is("select"), first.is("values"):
		return true
	case !first.is("with"):
		return false
	}
	for _, t := range tokens {
		if t.kind == liteIllegal || t.is("insert") || t.is("update") || t.is("delete") || t.is("replace") {
			return false
		}
	}
	return true
}
