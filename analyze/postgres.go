package analyze

import (
	"fmt"

	"github.com/multigres/multigres/go/common/parser"
	"github.com/multigres/multigres/go/common/parser/ast"
)

// pgMaxTokens bounds the depth of the trees that are walked. The server's own
// stack is exhausted by far less depth.
const pgMaxTokens = 500_000

// analyzePostgres reads text with the grammar of PostgreSQL and
// standard_conforming_strings on, as it is by default since 9.1.
func analyzePostgres(text string) *Statement {
	tokens, ok := pgTokens(text)
	if !ok || len(tokens) > pgMaxTokens {
		return pgOpaque(text, nil)
	}
	if texts := pgSplit(text, tokens); len(texts) > 1 {
		return pgSeveral(text, texts)
	}
	stmts, err := pgParse(text)
	switch {
	case err != nil, len(stmts) > 1, len(stmts) == 1 && pgIsQuery(stmts[0]) && !pgFaithful(tokens, stmts):
		return pgOpaque(text, tokens)
	case len(stmts) == 0:
		return &Statement{Text: text, Dialect: Postgres, Kind: Utility, Reason: NotRead, Hint: parseHint(text)}
	}
	return pgStatement(text, stmts[0], tokens)
}

// pgSeveral judges each statement of a text by itself, so that one which can't be
// parsed doesn't hide the others.
func pgSeveral(text string, texts []string) *Statement {
	parts := make([]*Statement, len(texts))
	for i, part := range texts {
		parts[i] = analyzePostgres(part)
	}
	return several(Postgres, text, parts)
}

// pgParse parses text. The parser panics on some texts that it can't parse.
func pgParse(text string) (stmts []ast.Stmt, err error) {
	defer func() {
		if r := recover(); r != nil {
			stmts, err = nil, fmt.Errorf("parse: %v", r)
		}
	}()
	return parser.ParseSQL(text)
}

// pgStatement gathers the facts of one parsed statement. A tree that can't be
// walked counts as a text that can't be parsed.
func pgStatement(text string, n ast.Node, tokens []*parser.Token) (st *Statement) {
	defer func() {
		if recover() != nil {
			st = pgOpaque(text, tokens)
		}
	}()
	w := &pgWalker{st: &Statement{Text: text, Dialect: Postgres, Hint: parseHint(text)}, tokens: tokens}
	w.statement(n)
	w.keywords()
	w.finish()
	return w.st
}

// finish settles the reason, once all is known.
func (w *pgWalker) finish() {
	switch st := w.st; {
	case st.Kind == Read && len(st.Reads) == 0:
		w.because(NoRelation, "")
	case st.Kind == Read, st.Reason == Explain, st.Reason == Cursor && st.Kind == Utility:
	default:
		st.Reason, st.Detail = NotRead, ""
	}
}

// statement gathers from a whole statement.
func (w *pgWalker) statement(n ast.Node) {
	if w.query(n) || w.code(n) || w.control(n) || w.setting(n) || w.utility(n) {
		return
	}
	w.schema(n)
}

// query gathers from a statement that reads or changes rows.
func (w *pgWalker) query(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.SelectStmt:
		w.st.Kind = Read
		w.walk(n, nil)
		w.st.ReturnsRows = w.st.Kind != Schema
		if w.st.Kind == Read {
			w.st.Rows = w.rows(n)
		}
	case *ast.InsertStmt:
		w.modify(n, n.ReturningList)
	case *ast.UpdateStmt:
		w.modify(n, n.ReturningList)
	case *ast.DeleteStmt:
		w.modify(n, n.ReturningList)
	case *ast.MergeStmt:
		w.modify(n, n.ReturningList)
	case *ast.TruncateStmt:
		w.truncate(n)
	case *ast.CopyStmt:
		w.copy(n)
	default:
		return false
	}
	return true
}

func (w *pgWalker) modify(n ast.Node, returning *ast.NodeList) {
	w.st.Kind = Modify
	w.walk(n, nil)
	w.st.ReturnsRows = len(pgItems(returning)) > 0
	w.st.Change = w.change(n)
}

func (w *pgWalker) truncate(n *ast.TruncateStmt) {
	w.st.Kind = Modify
	for _, item := range pgItems(n.Relations) {
		r, ok := item.(*ast.RangeVar)
		if !ok {
			w.st.WritesAll = true
			continue
		}
		w.st.addWrite(Write{Relation: pgRangeName(r), Op: Truncate, Cascade: n.Behavior == ast.DropCascade})
	}
}

// copy gathers from COPY. A program may do what it likes, to this database too.
func (w *pgWalker) copy(n *ast.CopyStmt) {
	w.st.Kind = Utility
	w.st.WritesAll = n.IsProgram
	switch {
	case n.IsFrom:
		w.st.Kind = Modify
		w.write(n.Relation, Insert)
		w.walk(n.WhereClause, nil)
	case n.Relation != nil:
		w.read(n.Relation, nil)
	default:
		w.st.Kind = Read
		w.walk(n.Query, nil)
		if w.st.Kind == Read {
			w.st.Kind = Utility
		}
	}
}

// code gathers from statements that run code which the text doesn't show: it may
// write anything and change any setting.
func (w *pgWalker) code(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallStmt:
		w.runs(Call)
		w.walk(n.Funccall, nil)
		w.st.ReturnsRows = true // if it has INOUT parameters
	case *ast.DoStmt:
		w.runs(Call)
	case *ast.ExecuteStmt:
		w.runs(Call)
		w.st.Executes = n.Name
		w.walkList(n.Params, nil)
		w.st.ReturnsRows = true
	default:
		return false
	}
	return true
}

func (w *pgWalker) runs(k Kind) {
	w.st.Kind = k
	w.st.WritesAll = true
	w.st.Settings = addOnce(w.st.Settings, "*")
}
