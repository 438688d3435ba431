package analyze

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
)

// A mysqlWalk gathers what a parsed statement reads and calls.
type mysqlWalk struct {
	s       *Statement
	scopes  []mysqlScope
	targets map[*ast.TableName]bool // names in the tree that don't stand for a read
	selects int                     // SELECTs met
	derived bool                    // a name may stand for a column of a query
	aliases map[string]bool         // names that the statement gives to what it returns

	places   map[*ast.TableName]Name // where a relation is read
	doubtful bool                    // one of these may be a CTE, as servers go
}

// A mysqlScope is the names that the WITH of a statement binds in it.
type mysqlScope struct {
	owner    ast.Node
	names    []string
	with     *ast.WithClause
	defining bool // the queries of the WITH are being read
}

// Enter looks at a node before its children.
func (w *mysqlWalk) Enter(n ast.Node) (ast.Node, bool) {
	switch x := n.(type) {
	case *ast.WithClause: // read by open, before the rest of its statement
		return n, true
	case *ast.DeleteTableList: // read by deleted
		return n, true
	case *ast.SelectStmt:
		w.selectStmt(x)
	case *ast.SetOprStmt:
		w.open(x, x.With)
	case *ast.SetOprSelectList:
		w.open(x, x.With)
		w.unites(x)
	case *ast.Join:
		w.joins(x)
	case *ast.UpdateStmt:
		w.open(x, x.With)
	case *ast.DeleteStmt:
		w.open(x, x.With)
	case *ast.TableName:
		w.relation(x)
	default:
		w.expression(n)
		w.meeting(n)
		w.names(n)
	}
	return n, false
}

// Leave ends the scope that n has opened.
func (w *mysqlWalk) Leave(n ast.Node) (ast.Node, bool) {
	if last := len(w.scopes) - 1; last >= 0 && w.scopes[last].owner == n {
		w.scopes = w.scopes[:last]
	}
	return n, true
}

// open begins a scope with the names of a WITH clause. A name is bound after its
// query, or before it if the clause is recursive.
func (w *mysqlWalk) open(owner ast.Node, with *ast.WithClause) {
	if with == nil {
		return
	}
	w.derived = true
	w.scopes = append(w.scopes, mysqlScope{owner: owner, with: with, defining: true})
	scope := len(w.scopes) - 1
	for _, cte := range with.CTEs {
		if with.IsRecursive {
			w.scopes[scope].names = append(w.scopes[scope].names, cte.Name.O)
		}
		cte.Query.Accept(w)
		if !with.IsRecursive {
			w.scopes[scope].names = append(w.scopes[scope].names, cte.Name.O)
		}
	}
	w.scopes[scope].defining = false
}

// bound reports whether name is a CTE here, on all servers. They disagree on
// names that differ in case; on names that WITH RECURSIVE binds only later; and
// on names that a query of a WITH takes from an outer WITH, which are tables for
// MariaDB. None of these are bound here: a wider answer.
func (w *mysqlWalk) bound(name string) bool {
	for _, scope := range slices.Backward(w.scopes) {
		if slices.Contains(scope.names, name) {
			return true
		}
		if scope.defining {
			return false
		}
	}
	return false
}

func (w *mysqlWalk) selectStmt(x *ast.SelectStmt) {
	if x.Kind == ast.SelectStmtKindSelect {
		w.selects++
	}
	if x.LockInfo != nil && x.LockInfo.LockType != ast.SelectLockNone {
		w.because(Locking, "")
		for _, t := range x.LockInfo.Tables { // aliases of the FROM clause
			w.ignore(t)
		}
	}
	if x.SelectIntoOpt != nil {
		w.because(NotRead, "into outfile")
		w.s.ReturnsRows = false
	}
	if x.SelectStmtOpts != nil && x.CalcFoundRows {
		w.because(SessionFunction, "sql_calc_found_rows")
	}
	w.open(x, x.With)
}

// ignore keeps a name in the tree from counting as a read.
func (w *mysqlWalk) ignore(t *ast.TableName) {
	if w.targets == nil {
		w.targets = map[*ast.TableName]bool{}
	}
	w.targets[t] = true
}

func (w *mysqlWalk) relation(t *ast.TableName) {
	if w.targets[t] || t.Schema.O == "" && w.bound(t.Name.O) {
		return
	}
	name := mysqlTableName(t)
	w.s.Reads = addOnce(w.s.Reads, name)
	w.place(t, name)
	if mysqlSystemSchema(name.Schema) {
		w.because(SystemCatalog, name.String())
	}
	if t.TableSample != nil || t.AsOf != nil {
		w.because(Volatile, "sample or history of "+name.String())
	}
}

// place notes where a relation is read, and whether it is one on all servers.
func (w *mysqlWalk) place(t *ast.TableName, name Name) {
	if w.places == nil {
		w.places = map[*ast.TableName]Name{}
	}
	w.places[t] = name
	w.doubtful = w.doubtful || name.Schema == "" && slices.ContainsFunc(w.scopes, func(s mysqlScope) bool { return s.mayBind(name.Name) })
}

// mayBind reports whether a name that isn't bound here may yet be one of the WITH for
// some server: by another case, from an inner WITH, or before it is defined. (The name that
// a query of a WITH without RECURSIVE is to get isn't bound in it, nor are those after it.)
func (s mysqlScope) mayBind(name string) bool {
	return slices.ContainsFunc(s.with.CTEs, func(cte *ast.CommonTableExpression) bool {
		seen := s.with.IsRecursive || slices.Contains(s.names, cte.Name.O)
		return strings.EqualFold(cte.Name.O, name) && (seen || cte.Name.O != name)
	})
}

func mysqlTableName(t *ast.TableName) Name { return Name{Schema: t.Schema.O, Name: t.Name.O} }

// mysqlSystemSchema reports whether a database is the server's own.
func mysqlSystemSchema(schema string) bool {
	switch strings.ToLower(schema) {
	case "information_schema", "performance_schema", "mysql", "sys":
		return true
	}
	return false
}

// because notes why the rows can't be cached; the first reason stands.
func (w *mysqlWalk) because(r Reason, detail string) { w.s.mysqlBecause(r, detail) }

// mysqlBecause sets the reason of s, unless it has one.
func (s *Statement) mysqlBecause(r Reason, detail string) {
	if s.Reason == Cacheable {
		s.Reason, s.Detail = r, detail
	}
}

func (w *mysqlWalk) expression(n ast.Node) {
	switch x := n.(type) {
	case *ast.FuncCallExpr:
		w.call(x)
	case *ast.AggregateFuncExpr:
		w.function(Name{Name: strings.ToLower(x.F)}, len(x.Args))
	case *ast.WindowFuncExpr:
		w.function(Name{Name: strings.ToLower(x.Name)}, len(x.Args))
	case *ast.VariableExpr:
		w.variable(x)
	case *ast.ColumnName:
		w.column(x)
	case *ast.DefaultExpr:
		if x.Name != nil {
			w.because(Volatile, "default()") // the default may be now()
		}
	case *ast.FuncCastExpr:
		if mysqlNeedsDate(x.Tp.GetType()) && mysqlIsTime(x.Expr) {
			w.because(Volatile, "time as datetime") // takes today's date
		}
	case *ast.BinaryOperationExpr:
		if mysqlComparesTime(x.L, x.R) || mysqlComparesTime(x.R, x.L) {
			w.because(Volatile, "time as datetime")
		}
	}
}

func (w *mysqlWalk) call(x *ast.FuncCallExpr) {
	name := Name{Schema: x.Schema.O, Name: strings.ToLower(x.FnName.O)}
	if strings.HasPrefix(name.Name, "'tidb`") {
		return // a literal: DATE '2020-01-01'
	}
	if name.Schema == "" {
		name.Name = strings.TrimSuffix(name.Name, "_func") // the parser's insert_func, char_func
	}
	w.function(name, len(x.Args))
	if name.Schema == "" && mysqlDates[name.Name] && slices.ContainsFunc(x.Args, mysqlIsTime) {
		w.because(Volatile, "time as datetime")
	}
}

// function notes a call, and why its result can't be cached. A function with a
// schema is never built in.
func (w *mysqlWalk) function(name Name, args int) {
	w.s.Functions = addOnce(w.s.Functions, name)
	if name.Schema != "" {
		return
	}
	if name.Name == "unix_timestamp" && args > 0 {
		return
	}
	if reason, ok := mysqlImpure[name.Name]; ok {
		w.because(reason, name.Name+"()")
	}
}

func (w *mysqlWalk) variable(x *ast.VariableExpr) {
	if x.IsSystem {
		w.because(SessionVariable, "@@"+x.Name)
		return
	}
	w.because(SessionVariable, "@"+x.Name)
}

// column looks for what stands like a column in Oracle mode, and isn't one.
func (w *mysqlWalk) column(x *ast.ColumnName) {
	switch x.Name.L {
	case "nextval", "currval":
		if x.Table.L != "" {
			w.because(Volatile, x.Name.L)
		}
	case "sysdate", "systimestamp", "rownum", "sys_guid":
		if x.Table.L == "" {
			w.because(Volatile, x.Name.L)
		}
	}
}

// mysqlNeedsDate reports whether a value of type t has a date.
func mysqlNeedsDate(t byte) bool {
	return t == mysql.TypeDate || t == mysql.TypeDatetime || t == mysql.TypeTimestamp || t == mysql.TypeNewDate
}

// mysqlIsTime reports whether x is a time of day without a date, as far as its
// form tells. (That a column is one, the text can't tell.)
func mysqlIsTime(x ast.ExprNode) bool {
	switch x := x.(type) {
	case *ast.ParenthesesExpr:
		return mysqlIsTime(x.Expr)
	case *ast.FuncCastExpr:
		return x.Tp.GetType() == mysql.TypeDuration
	case *ast.FuncCallExpr:
		switch x.FnName.L {
		case "time", "maketime", "sec_to_time", "timediff", "addtime", "subtime", "'tidb`.(timeliteral":
			return true
		}
	}
	return false
}

// mysqlComparesTime reports whether a time of day stands beside a column, which
// may be a datetime: then today's date is added to the time.
func mysqlComparesTime(a, b ast.ExprNode) bool {
	if p, ok := b.(*ast.ParenthesesExpr); ok {
		return mysqlComparesTime(a, p.Expr)
	}
	_, column := b.(*ast.ColumnNameExpr)
	return column && mysqlIsTime(a)
}
