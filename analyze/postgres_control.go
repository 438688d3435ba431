package analyze

import (
	"strings"

	"github.com/multigres/multigres/go/common/parser/ast"
)

// pgControls are the control statements by the parser's kind.
var pgControls = map[ast.TransactionStmtKind]ControlOp{
	ast.TRANS_STMT_BEGIN:             Begin,
	ast.TRANS_STMT_START:             Begin,
	ast.TRANS_STMT_COMMIT:            Commit,
	ast.TRANS_STMT_ROLLBACK:          Rollback,
	ast.TRANS_STMT_SAVEPOINT:         Savepoint,
	ast.TRANS_STMT_RELEASE:           ReleaseSavepoint,
	ast.TRANS_STMT_ROLLBACK_TO:       RollbackTo,
	ast.TRANS_STMT_PREPARE:           PrepareCommit,
	ast.TRANS_STMT_COMMIT_PREPARED:   CommitPrepared,
	ast.TRANS_STMT_ROLLBACK_PREPARED: RollbackPrepared,
}

// control gathers from a statement that moves the session's transaction.
func (w *pgWalker) control(n ast.Node) bool {
	t, ok := n.(*ast.TransactionStmt)
	if !ok {
		return false
	}
	w.st.Kind = Control
	w.st.Control = OtherControl
	if op, known := pgControls[t.Kind]; known {
		w.st.Control = op
	}
	w.st.Chain = t.Chain
	w.st.WritesAll = w.st.Control == CommitPrepared // what it commits is seen from now on
	w.transactionModes(t.Options)
	return true
}

// transactionModes notes ISOLATION LEVEL and READ ONLY.
func (w *pgWalker) transactionModes(modes *ast.NodeList) {
	for _, item := range pgItems(modes) {
		mode, ok := item.(*ast.DefElem)
		if !ok {
			continue
		}
		switch mode.Defname {
		case "transaction_isolation":
			w.st.Isolation = pgIsolation(mode.Arg)
		case "transaction_read_only":
			only, ok := mode.Arg.(*ast.Boolean)
			w.st.ReadOnly = ok && only.BoolVal
		}
	}
}

// pgIsolation is the level that a setting's value names; the highest if it can't
// be told.
func pgIsolation(value ast.Node) string {
	text, _ := pgStringConst(value)
	switch level := strings.ToLower(text); level {
	case "read uncommitted", "read committed", "repeatable read":
		return level
	}
	return "serializable"
}

// setting gathers from a statement that changes what its session is.
func (w *pgWalker) setting(n ast.Node) bool {
	w.st.Kind = Session
	switch n := n.(type) {
	case *ast.VariableSetStmt:
		w.set(n)
	case *ast.DiscardStmt:
		if n.Target == ast.DISCARD_ALL {
			w.sets("*")
			w.st.Deallocates = "*"
		}
	case *ast.PrepareStmt:
		w.st.Prepares = n.Name
		w.st.Prepared = pgStatement(w.st.Text, n.Query, w.tokens)
	case *ast.DeallocateStmt:
		w.st.Deallocates = n.Name
		if n.IsAll {
			w.st.Deallocates = "*"
		}
	case *ast.LoadStmt:
		w.sets("*") // a library may bring settings of its own
	case *ast.ListenStmt, *ast.UnlistenStmt, *ast.ConstraintsSetStmt:
	default:
		w.st.Kind = Unknown
		return false
	}
	return true
}

func (w *pgWalker) sets(name string) {
	w.st.Settings = addOnce(w.st.Settings, strings.ToLower(name))
}

// set gathers from SET and RESET. Those of the transaction's isolation are
// control statements; settings that stand for it are named as well.
func (w *pgWalker) set(n *ast.VariableSetStmt) {
	name := strings.ToLower(n.Name)
	switch {
	case n.Kind == ast.VAR_RESET_ALL:
		w.sets("*")
	case n.Kind == ast.VAR_SET_MULTI:
		w.setsIsolation(name != "transaction")
		w.transactionModes(n.Args)
	case name == "transaction_snapshot":
		w.setsIsolation(false)
		w.st.Isolation = "repeatable read"
	case name == "session_authorization":
		w.sets(name)
		w.sets("role") // which it resets
	default:
		w.sets(name)
		w.setVariable(n, name)
	}
}

func (w *pgWalker) setVariable(n *ast.VariableSetStmt, name string) {
	isolation := name == "transaction_isolation" || name == "default_transaction_isolation"
	if isolation && n.Kind == ast.VAR_SET_VALUE && len(pgItems(n.Args)) == 1 {
		w.setsIsolation(name != "transaction_isolation")
		w.st.Isolation = pgIsolation(n.Args.Items[0])
	}
}

func (w *pgWalker) setsIsolation(sessionWide bool) {
	w.st.Kind = Control
	w.st.Control = SetIsolation
	w.st.SessionWide = sessionWide
}
