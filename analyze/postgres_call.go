package analyze

import (
	"strings"

	"github.com/multigres/multigres/go/common/parser/ast"
)

// call notes a function call. Calls of the grammar's own (EXTRACT, TRIM,
// OVERLAPS …) are always pg_catalog's, so users can't have defined them.
func (w *pgWalker) call(f *ast.FuncCall, s *pgScope) {
	name := pgCallName(f)
	if name.Schema == "pg_catalog" && f.Funcformat == ast.COERCE_SQL_SYNTAX {
		w.classify(name, len(pgItems(f.Args)))
	} else {
		w.called(name, len(pgItems(f.Args)))
	}
	args := pgItems(f.Args)
	builtin := name.Schema == "" || name.Schema == "pg_catalog"
	switch {
	case builtin && name.Name == "set_config":
		w.setConfig(args)
	case builtin && name.Name == "timezone" && len(args) > 0:
		w.atTimeZone(args[len(args)-1], s)
	case builtin && len(args) == 1 && pgTimeTypes[name.Name]:
		w.castToTime(args[0], s) // date(x) is x::date
	}
}

// atTimeZone judges the operand of AT TIME ZONE. A time without a date is moved
// by the daylight saving of today.
func (w *pgWalker) atTimeZone(e ast.Node, s *pgScope) {
	if !w.dated(e, s) {
		w.because(Volatile, "time AT TIME ZONE")
	}
}

// dated reports whether e has a date, if it can have a time at all. Columns it notes
// for the catalog, which knows those that are times.
func (w *pgWalker) dated(e ast.Node, s *pgScope) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return w.dated(e.Expr, s)
	case *ast.A_Const, *ast.ParamRef, *ast.SQLValueFunction: // those that are times have a reason of their own
		return true
	case *ast.ColumnRef:
		return w.timeColumn(e, s)
	case *ast.TypeCast:
		return pgDatedTypes[pgTypeName(e.TypeName).Name]
	case *ast.A_Expr:
		return pgArithmetic(e) && (w.dated(e.Lexpr, s) || w.dated(e.Rexpr, s))
	case *ast.CoalesceExpr:
		return w.allDated(pgItems(e.Args), s)
	case *ast.MinMaxExpr:
		return w.allDated(pgItems(e.Args), s)
	case *ast.FuncCall:
		name, args := pgCallName(e), pgItems(e.Args)
		return pgDatedFunctions[name.Name] || len(args) > 0 && pgDatePassingFunctions[name.Name] && w.dated(args[len(args)-1], s)
	}
	return false
}

func (w *pgWalker) allDated(items []ast.Node, s *pgScope) bool {
	for _, item := range items {
		if !w.dated(item, s) {
			return false
		}
	}
	return true
}

// pgDatedFunctions return a date, whatever they are given; pgDatePassingFunctions if
// their last argument has one.
var (
	pgDatedTypes           = wordSet("timestamp timestamptz date")
	pgDatedFunctions       = wordSet("now to_timestamp to_date make_timestamp make_timestamptz make_date date_bin")
	pgDatePassingFunctions = wordSet("timezone date_trunc min max")
)

// pgCallName is the name of the called function. The parser puts pg_catalog in
// front of overlay(…) and substring(…) even where the server looks along the
// search path.
func pgCallName(f *ast.FuncCall) Name {
	name := pgQualified(pgStrings(f.Funcname))
	if name.Schema == "pg_catalog" && f.Funcformat == ast.COERCE_EXPLICIT_CALL &&
		(name.Name == "overlay" || name.Name == "substring") {
		name.Schema = ""
	}
	return name
}

// called notes a function by name and what it does to the read if it is the
// built-in one.
func (w *pgWalker) called(name Name, args int) {
	w.function(name)
	w.classify(name, args)
}

func (w *pgWalker) function(name Name) {
	w.st.Functions = addOnce(w.st.Functions, name)
}

func (w *pgWalker) classify(name Name, args int) {
	class := pgClassOf(name, args)
	if class == pgUserDefined || class == pgDeterministic {
		return
	}
	if class == pgVolatileWriter {
		w.st.WritesAll = true
	}
	w.because(pgReasons[class], name.Name+"()")
}

// setConfig notes the setting that set_config changes.
func (w *pgWalker) setConfig(args []ast.Node) {
	setting := "*"
	if len(args) > 0 {
		if text, ok := pgStringConst(args[0]); ok {
			setting = strings.ToLower(text)
		}
	}
	w.st.Settings = addOnce(w.st.Settings, setting)
}

// pgStringConst is the value of a string literal, also one with a cast.
func pgStringConst(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.A_Const:
		if s, ok := n.Val.(*ast.String); ok && s != nil {
			return s.SVal, true
		}
	case *ast.String:
		return n.SVal, n != nil
	case *ast.TypeCast:
		if pgClassOfType(n.TypeName) == pgTextType {
			return pgStringConst(n.Arg)
		}
	case *ast.ParenExpr:
		return pgStringConst(n.Expr)
	}
	return "", false
}
