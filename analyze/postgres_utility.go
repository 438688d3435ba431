package analyze

import (
	"strings"

	"github.com/multigres/multigres/go/common/parser/ast"
)

// utility gathers from a statement that neither reads rows for the caller nor
// changes them.
func (w *pgWalker) utility(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ExplainStmt:
		w.explain(n)
		return true
	case *ast.VariableShowStmt:
		w.because(Explain, "")
		w.st.ReturnsRows = true
	case *ast.DeclareCursorStmt:
		w.because(Cursor, n.PortalName)
		w.walk(n.Query, nil)
	case *ast.FetchStmt:
		w.because(Cursor, n.PortalName)
		w.st.ReturnsRows = !n.IsMove
	case *ast.ClosePortalStmt:
		w.because(Cursor, n.PortalName)
	case *ast.ReindexStmt:
		w.st.WritesAll = true // over a collation that has changed: queries may find other rows
	case *ast.LockStmt, *ast.NotifyStmt, *ast.CheckPointStmt, *ast.VacuumStmt, *ast.ClusterStmt:
	default:
		return false
	}
	if w.st.Kind != Modify && w.st.Kind != Schema { // of a cursor's query
		w.st.Kind = Utility
	}
	return true
}

// explain gathers from EXPLAIN. With ANALYZE it does what the explained
// statement does; without, it only looks.
func (w *pgWalker) explain(n *ast.ExplainStmt) {
	inner := pgStatement(w.st.Text, n.Query, w.tokens)
	st := w.st
	st.Reads, st.Functions, st.Operators = inner.Reads, inner.Functions, inner.Operators
	st.Kind, st.Reason, st.Detail, st.ReturnsRows = Utility, Explain, "", true
	if !pgAnalyzes(n.Options) {
		return
	}
	if inner.Kind != Read {
		st.Kind = inner.Kind
	}
	st.Writes, st.WritesAll = inner.Writes, inner.WritesAll
	st.Settings, st.TempTables = inner.Settings, inner.TempTables
	st.Executes = inner.Executes
}

// pgAnalyzes reports whether the options of EXPLAIN may have ANALYZE on.
func pgAnalyzes(options *ast.NodeList) bool {
	for _, item := range pgItems(options) {
		option, ok := item.(*ast.DefElem)
		if ok && strings.HasPrefix(strings.ToLower(option.Defname), "analy") && !pgIsOff(option.Arg) {
			return true
		}
	}
	return false
}

// pgIsOff reports whether an option's value switches it off.
func pgIsOff(value ast.Node) bool {
	switch value := value.(type) {
	case *ast.String:
		return value != nil && (strings.EqualFold(value.SVal, "off") || strings.EqualFold(value.SVal, "false"))
	case *ast.Integer:
		return value != nil && value.IVal == 0
	case *ast.Boolean:
		return value != nil && !value.BoolVal
	}
	return false
}
