package analyze

import (
	"strings"

	"github.com/multigres/multigres/go/common/parser"
	"github.com/multigres/multigres/go/common/parser/ast"
)

// A pgWalker gathers the facts of one statement from its tree.
type pgWalker struct {
	st     *Statement
	tokens []*parser.Token
	places []Name // the relations that are read, once for each place
	whole  []string
	fields []Term // see Mentions

	chooses bool // likewise
}

// because notes why the rows can't be cached; the first reason stays.
func (w *pgWalker) because(r Reason, detail string) {
	if w.st.Reason == Cacheable {
		w.st.Reason, w.st.Detail = r, detail
	}
}

// walk gathers from n and all below it, in scope s.
func (w *pgWalker) walk(n ast.Node, s *pgScope) {
	if pgIsNil(n) {
		return
	}
	switch n := n.(type) {
	case *ast.SelectStmt:
		w.walkSelect(n, s)
	case *ast.InsertStmt:
		w.walkInsert(n, s)
	case *ast.UpdateStmt:
		w.walkUpdate(n, s)
	case *ast.DeleteStmt:
		w.walkDelete(n, s)
	case *ast.MergeStmt:
		w.walkMerge(n, s)
	case *ast.RangeVar:
		w.read(n, s)
	case *ast.LockingClause:
		w.because(Locking, "")
	default:
		w.note(n, s)
		w.walkBelow(n, s)
	}
}

func (w *pgWalker) walkBelow(n ast.Node, s *pgScope) {
	pgChildren(n, func(child ast.Node) { w.walk(child, s) })
}

func (w *pgWalker) walkList(list *ast.NodeList, s *pgScope) {
	for _, item := range pgItems(list) {
		w.walk(item, s)
	}
}

// note gathers what an expression says by itself, without those below it.
func (w *pgWalker) note(n ast.Node, s *pgScope) {
	switch n := n.(type) {
	case *ast.FuncCall:
		w.call(n, s)
	case *ast.SubLink:
		w.chooses = w.chooses || n.SubLinkType == ast.ARRAY_SUBLINK // whose elements are in no order that is told
		w.noteOperators(n)
	case *ast.SQLValueFunction:
		w.valueFunction(n)
	case *ast.A_Const:
		w.literal(n)
	case *ast.TypeCast:
		w.cast(n, s)
	case *ast.ColumnRef:
		w.columnRef(n)
	case *ast.A_Indirection:
		w.indirection(n, s)
	case *ast.RangeTableSample:
		w.because(Volatile, "TABLESAMPLE")
	case *ast.RangeFunction:
		w.definedColumns(pgItems(n.ColDefList))
	case *ast.ColumnDef:
		w.definedColumns([]ast.Node{n})
	case *ast.RangeTableFuncCol:
		w.convertedColumn(n.TypeName)
	case *ast.JsonTableColumn:
		w.convertedColumn(n.TypeName)
	case *ast.JsonOutput:
		w.convertedColumn(n.TypeName)
	case *ast.CurrentOfExpr:
		w.because(Cursor, n.CursorName)
	default:
		w.noteOperators(n)
	}
}

// read notes a relation that is read, unless its name is one of WITH.
func (w *pgWalker) read(r *ast.RangeVar, s *pgScope) {
	if n := pgRangeName(r); n.Schema != "" || !s.binds(n.Name) {
		w.places = append(w.places, n)
		w.readName(n)
	}
}

func (w *pgWalker) readName(n Name) {
	w.st.Reads = addOnce(w.st.Reads, n)
	switch {
	case pgIsTempSchema(n.Schema):
		w.because(Temporary, n.String())
	case pgIsSystemRelation(n):
		w.because(SystemCatalog, n.String())
	}
}

// write notes a relation that is changed. It is never one of WITH.
func (w *pgWalker) write(r *ast.RangeVar, op Op) {
	if r == nil {
		w.st.WritesAll = true
		return
	}
	n := pgRangeName(r)
	w.st.addWrite(Write{Relation: n, Op: op})
	if n.Name == "pg_settings" {
		w.st.Settings = addOnce(w.st.Settings, "*") // its rule calls set_config
	}
}

// literal notes a text that PostgreSQL may take for a date of today, be it cast
// or compared with a date.
func (w *pgWalker) literal(c *ast.A_Const) {
	if s, ok := c.Val.(*ast.String); ok && s != nil && ClockWord(s.SVal) {
		w.because(Volatile, "'"+s.SVal+"'")
	}
}

func (w *pgWalker) cast(c *ast.TypeCast, s *pgScope) {
	if c.TypeName == nil {
		return
	}
	name := pgTypeName(c.TypeName)
	switch pgClassOfType(c.TypeName) {
	case pgZonedTimeType:
		w.because(Volatile, "::"+name.Name)
	case pgTimeType:
		w.castToTime(c.Arg, s)
	case pgCatalogType:
		w.castToCatalogType(c, name)
	case pgUnknownType: // perhaps a domain; users' casts and domains are the catalog's business
		w.castToTime(c.Arg, s)
	}
}

// castToCatalogType allows for 'english'::regconfig only: the other types of
// this kind show names that other statements change.
func (w *pgWalker) castToCatalogType(c *ast.TypeCast, name Name) {
	_, constant := c.Arg.(*ast.A_Const)
	if constant && (name.Name == "regconfig" || name.Name == "regdictionary") {
		return
	}
	w.because(SystemCatalog, "::"+name.Name)
}

// definedColumns judges the column list of json_to_record and the like.
func (w *pgWalker) definedColumns(columns []ast.Node) {
	for _, column := range columns {
		if def, ok := column.(*ast.ColumnDef); ok {
			w.convertedColumn(def.TypeName)
		}
	}
}

// convertedColumn judges a column whose values are parsed from text at run time.
func (w *pgWalker) convertedColumn(t *ast.TypeName) {
	if t == nil {
		return
	}
	switch pgClassOfType(t) {
	case pgTimeType, pgZonedTimeType, pgUnknownType:
		w.because(Volatile, "text taken for "+pgTypeName(t).String())
	case pgCatalogType:
		w.because(SystemCatalog, "::"+pgTypeName(t).Name)
	}
}

// columnRef notes what may be a whole row, and system columns that change without a write of the row.
func (w *pgWalker) columnRef(c *ast.ColumnRef) {
	parts := pgStrings(c.Fields)
	if len(parts) > 0 {
		w.whole = addOnce(w.whole, parts[len(parts)-1])
	}
	if len(parts) == 0 || len(parts) != len(pgItems(c.Fields)) {
		return
	}
	if n := len(parts); n > 1 {
		w.fields = addOnce(w.fields, Term{Table: Name{Name: parts[n-2]}, Text: parts[n-1]})
	}
	switch name := parts[len(parts)-1]; name {
	case "ctid", "xmin", "xmax", "cmin", "cmax":
		w.because(Volatile, name)
	}
}

// indirection notes (x).name, which calls the function name if there is no such
// field. A user's function can't be told from a field here: the catalog looks for it.
func (w *pgWalker) indirection(n *ast.A_Indirection, s *pgScope) {
	for _, item := range pgItems(n.Indirection) {
		if field, ok := item.(*ast.String); ok {
			w.classify(Name{Name: pgCut(field.SVal)}, 1)
			if pgTimeTypes[field.SVal] {
				w.castToTime(n.Arg, s)
			}
		}
	}
}

func (w *pgWalker) valueFunction(f *ast.SQLValueFunction) {
	name := strings.ToLower(strings.TrimSpace(f.SqlString()))
	if f.Op >= ast.SVFOP_CURRENT_ROLE {
		w.because(SessionFunction, name)
		return
	}
	w.because(Volatile, name)
}

// noteOperators notes the operators that n calls, those without a sign included.
func (w *pgWalker) noteOperators(n ast.Node) {
	switch n := n.(type) {
	case *ast.A_Expr:
		w.exprOperators(n)
	case *ast.SubLink:
		w.subLinkOperator(n)
	case *ast.CaseExpr:
		if !pgIsNil(n.Arg) {
			w.operator([]string{"="})
		}
	case *ast.JoinExpr:
		if n.IsNatural || len(pgItems(n.UsingClause)) > 0 {
			w.operator([]string{"="})
		}
	case *ast.SortBy:
		if n.UseOp != nil {
			w.operator(pgStrings(n.UseOp))
		}
	}
}

func (w *pgWalker) exprOperators(e *ast.A_Expr) {
	switch e.Kind {
	case ast.AEXPR_BETWEEN, ast.AEXPR_BETWEEN_SYM:
		w.operator([]string{">="})
		w.operator([]string{"<="})
	case ast.AEXPR_NOT_BETWEEN, ast.AEXPR_NOT_BETWEEN_SYM:
		w.operator([]string{"<"})
		w.operator([]string{">"})
	default:
		w.operator(pgStrings(e.Name))
	}
}

func (w *pgWalker) subLinkOperator(n *ast.SubLink) {
	switch {
	case n.OperName != nil:
		w.operator(pgStrings(n.OperName))
	case !pgIsNil(n.Testexpr):
		w.operator([]string{"="}) // x IN (SELECT …)
	}
}

// operator notes an operator; one of pg_catalog can't be a user's.
func (w *pgWalker) operator(parts []string) {
	if len(parts) == 0 || len(parts) > 1 && parts[0] == "pg_catalog" {
		return
	}
	w.st.Operators = addOnce(w.st.Operators, strings.Join(parts, "."))
}
