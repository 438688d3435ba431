package analyze

import (
	"reflect"

	"github.com/multigres/multigres/go/common/parser"
	"github.com/multigres/multigres/go/common/parser/ast"
)

// pgFaithful reports whether the trees of text hold every name and literal that
// it has. The parser drops parts of some valid texts: the database in db.schema.t
// with the schema and the table, the inner ORDER BY and FOR UPDATE of
// (SELECT … ORDER BY f()) LIMIT 1. What such a tree says isn't to be trusted.
func pgFaithful(tokens []*parser.Token, stmts []ast.Stmt) bool {
	missing := map[string]int{}
	for _, token := range tokens {
		if token.Type == parser.IDENT || token.Type == parser.SCONST {
			missing[token.Value.Str]++
		}
	}
	for _, stmt := range stmts {
		pgCrossOff(missing, stmt)
	}
	for _, n := range missing {
		if n > 0 {
			return false
		}
	}
	return true
}

// pgCrossOff takes the strings of a tree from those that are missing.
func pgCrossOff(missing map[string]int, n ast.Node) {
	if pgIsNil(n) {
		return
	}
	v := reflect.ValueOf(n).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.String {
			missing[f.String()]--
		}
	}
	pgChildren(n, func(child ast.Node) { pgCrossOff(missing, child) })
}

// pgIsQuery reports whether the relations of a statement matter enough to check
// its tree against its text.
func pgIsQuery(n ast.Node) bool {
	switch n.(type) {
	case *ast.SelectStmt, *ast.InsertStmt, *ast.UpdateStmt, *ast.DeleteStmt, *ast.MergeStmt, *ast.TruncateStmt,
		*ast.CopyStmt, *ast.CallStmt, *ast.PrepareStmt, *ast.ExplainStmt, *ast.DeclareCursorStmt, *ast.CreateTableAsStmt:
		return true
	}
	return false
}

// pgKeywordReasons are the reasons of reserved words that are functions.
var pgKeywordReasons = map[string]Reason{
	"current_date": Volatile, "current_time": Volatile, "current_timestamp": Volatile,
	"localtime": Volatile, "localtimestamp": Volatile,
	"current_role": SessionFunction, "current_user": SessionFunction, "session_user": SessionFunction,
	"user": SessionFunction, "current_catalog": SessionFunction,
}

// keywords notes what the words of a statement say, be they in its tree or not:
// locking clauses, functions that are reserved words, and CREATE TEMP.
func (w *pgWalker) keywords() {
	tokens := w.tokens
	for i, token := range tokens {
		word := pgWord(token)
		switch {
		case i < 5 && (word == "temp" || word == "temporary") && pgWord(tokens[0]) == "create":
			for _, write := range w.st.Writes {
				w.st.TempTables = addOnce(w.st.TempTables, write.Relation)
			}
		case word == "for" && i+1 < len(tokens) && pgLocks(pgWord(tokens[i+1])):
			w.because(Locking, "")
		case pgKeywordReasons[word] != Cacheable && (i == 0 || !pgBeforeLabel(pgWord(tokens[i-1]))):
			w.because(pgKeywordReasons[word], word)
		}
	}
}

func pgLocks(word string) bool {
	return word == "update" || word == "share" || word == "no" || word == "key"
}

// pgBeforeLabel reports whether even a reserved word is a name after word.
func pgBeforeLabel(word string) bool { return word == "as" || word == "." }
