package catalog

import (
	"context"
	"database/sql/driver"
	"regexp"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// A SQLite database is described by the texts that made it. Only the main database is
// read: what is attached and what is temporary belongs to one connection.
const (
	sqliteObjects = `SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE type IN ('table', 'view', 'trigger')`

	sqliteForeignKeys = `SELECT m.name, f."table", f.on_update, f.on_delete, f."from"
FROM main.sqlite_master AS m, pragma_foreign_key_list(m.name, 'main') AS f WHERE m.type = 'table'`

	sqliteFunctions = `SELECT DISTINCT name FROM pragma_function_list WHERE builtin = 0`
)

// sqlitePath is where the names in the texts of main's objects are looked up.
var sqlitePath = []string{"main"}

func (s *Snapshot) loadSQLite(ctx context.Context, q Querier) error {
	objects, err := q.Query(ctx, sqliteObjects)
	if err != nil {
		return err
	}
	keys, err := q.Query(ctx, sqliteForeignKeys)
	if err != nil {
		return err
	}
	functions, err := q.Query(ctx, sqliteFunctions)
	if err != nil {
		return err
	}
	for _, name := range []string{
		"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema", "sqlite_sequence",
	} {
		s.add("main", name, system)
	}
	columns, err := q.Query(ctx, sqliteColumns)
	if err != nil {
		return err
	}
	indexes, err := q.Query(ctx, sqliteIndexes)
	if err != nil {
		return err
	}
	s.addSQLiteObjects(objects)
	s.addSQLiteReferences(keys)
	s.markShadows()
	s.addSQLiteColumns(columns, indexes, keys, sqliteTexts(objects))
	for _, row := range functions {
		name := lowerASCII(text(row[0]))
		s.functions[name] = append(s.functions[name], &function{name: name, behaviour: reading})
	}
	return nil
}

func (s *Snapshot) addSQLiteObjects(rows [][]driver.Value) {
	for _, row := range rows {
		name, code := lowerASCII(text(row[1])), text(row[3])
		switch text(row[0]) {
		case "table":
			s.addSQLiteTable(name, code)
		case "view":
			s.add("main", name, view).def = sqliteView(name, code)
		}
	}
	for _, row := range rows {
		if text(row[0]) != "trigger" {
			continue
		}
		if r := s.schemas["main"][lowerASCII(text(row[2]))]; r != nil {
			t := sqliteTrigger(text(row[1]), text(row[3]))
			r.triggers = append(r.triggers, t)
			r.fails = r.fails || raisesFail.MatchString(text(row[3]))
			r.altered(t.on)
		}
	}
}

// sqliteTexts are the texts of tables by their folded names.
func sqliteTexts(rows [][]driver.Value) map[string]string {
	texts := map[string]string{}
	for _, row := range rows {
		if text(row[0]) == "table" {
			texts[lowerASCII(text(row[1]))] = text(row[3])
		}
	}
	return texts
}

func (s *Snapshot) addSQLiteTable(name, code string) {
	tokens, ok := scan(analyze.SQLite, code)
	switch {
	case len(name) > 7 && name[:7] == "sqlite_":
		s.add("main", name, system)
	case len(tokens) > 1 && tokens[1].is("virtual"):
		s.add("main", name, foreign)
	default:
		r := s.add("main", name, table)
		r.replaces = !ok || findWords(tokens, "conflict", "replace") >= 0
		r.fails = !ok || findWords(tokens, "conflict", "fail") >= 0
	}
}

// raisesFail finds what may be RAISE(FAIL, …), or OR FAIL, in a trigger.
var raisesFail = regexp.MustCompile(`(?i)\bfail\b`)

// markShadows marks tables that may belong to a virtual one.
func (s *Snapshot) markShadows() {
	names := s.schemas["main"]
	for virtual, v := range names {
		for name, r := range names {
			if v.kind == foreign && strings.HasPrefix(name, virtual+"_") {
				r.table.Unsliced = true
			}
		}
	}
}

// findWords returns where two words follow each other in tokens, or -1.
func findWords(tokens []token, first, second string) int {
	for i := 1; i < len(tokens); i++ {
		if tokens[i-1].is(first) && tokens[i].is(second) {
			return i - 1
		}
	}
	return -1
}

func (s *Snapshot) addSQLiteReferences(rows [][]driver.Value) {
	for _, row := range rows {
		from := s.schemas["main"][lowerASCII(text(row[0]))]
		to := s.schemas["main"][lowerASCII(text(row[1]))]
		if from != nil && to != nil {
			to.references = append(to.references, reference{
				from: from, onUpdate: ruleOp(text(row[2]), analyze.Update), onDelete: ruleOp(text(row[3]), analyze.Delete),
			})
		}
	}
}

// ruleOp says what a foreign key's action does to the referring rows, if the
// row referred to is changed in the way of op.
func ruleOp(rule string, op analyze.Op) analyze.Op {
	switch rule {
	case "CASCADE":
		return op
	case "SET NULL", "SET DEFAULT":
		return analyze.Update
	}
	return 0
}

// sqliteView reads CREATE VIEW name (columns) AS select.
func sqliteView(name, code string) *definition {
	d := &definition{name: name, ownPath: true, path: sqlitePath, permanent: true}
	tokens, ok := scan(analyze.SQLite, code)
	at := topLevel(tokens, 0, "as")
	if !ok || at < 1 {
		d.opaque = true
		return d
	}
	if tokens[at-1].is(")") {
		d.rename(tokens[:at], code)
	}
	d.take(analyze.Analyze(analyze.SQLite, textOf(code, tokens[at+1:])))
	return d
}

// rename reads the names that CREATE VIEW gives the columns.
func (d *definition) rename(head []token, code string) {
	list, ok := inParentheses(head)
	for _, part := range splitCommas(list) {
		if !ok || len(part) != 1 || part[0].kind == mark {
			d.renamed = true
			return
		}
		d.columns = append(d.columns, lowerASCII(unquote(textOf(code, part))))
	}
}

// take makes st the text of a view.
func (d *definition) take(st *analyze.Statement) {
	if st.Kind != analyze.Read || st.Reason == analyze.Unparsable || len(st.Parts) > 0 {
		d.opaque = true
		return
	}
	d.statements = []*analyze.Statement{st}
}

// topLevel returns where a word stands in tokens outside parentheses, or -1.
func topLevel(tokens []token, from int, w string) int {
	depth := 0
	for i := from; i < len(tokens); i++ {
		switch t := tokens[i]; {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case depth == 0 && t.kind == word && t.word == w:
			return i
		}
	}
	return -1
}

// sqliteTrigger reads CREATE TRIGGER name [BEFORE|AFTER|INSTEAD OF] event ON … BEGIN statements END.
// What it can't read is a trigger that does anything at any change.
func sqliteTrigger(name, code string) trigger {
	t := trigger{on: everyOp, body: &definition{name: name, opaque: true}}
	tokens, ok := scan(analyze.SQLite, code)
	begin := topLevel(tokens, 0, "begin")
	if !ok || begin < 0 || !tokens[len(tokens)-1].is("end") {
		return t
	}
	if op := sqliteEvent(tokens[:begin]); op != 0 {
		t.on = op
	}
	t.body = &definition{name: name, ownPath: true, path: sqlitePath, permanent: true}
	for _, part := range splitStatements(tokens[begin+1 : len(tokens)-1]) {
		t.body.statements = append(t.body.statements, analyze.Analyze(analyze.SQLite, textOf(code, part)))
	}
	return t
}

// sqliteEvent returns what a trigger waits for, or 0 if its head can't be read.
func sqliteEvent(head []token) analyze.Op {
	at := topLevel(head, 0, "trigger") + 1
	if at+2 < len(head) && head[at].is("if") && head[at+1].is("not") {
		at += 3
	}
	at++ // its name
	if at+1 < len(head) && head[at].is(".") {
		at += 2
	}
	for at < len(head) && (head[at].is("before") || head[at].is("after") || head[at].is("instead") || head[at].is("of")) {
		at++
	}
	if at >= len(head) {
		return 0
	}
	return eventOp(head[at].word)
}

func eventOp(event string) analyze.Op {
	switch event {
	case "insert":
		return analyze.Insert
	case "update":
		return analyze.Update
	case "delete":
		return analyze.Delete
	}
	return 0
}

// lowerASCII folds a name as SQLite does.
func lowerASCII(name string) string {
	folded := []byte(name)
	for i, c := range folded {
		if c >= 'A' && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		}
	}
	return string(folded)
}
