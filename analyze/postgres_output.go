package analyze

import (
	"strconv"

	"github.com/multigres/multigres/go/common/parser/ast"
)

// groups are the columns in GROUP BY. A name that the list of outputs gives to something
// else may mean that, so it is left out.
func (b *pgBlocks) groups(q *ast.SelectStmt) []Term {
	var groups []Term
	for _, item := range pgItems(q.GroupClause) {
		if _, ok := item.(*ast.GroupingSet); ok {
			return nil
		}
		if t := b.term(item); t.Kind == Column && (t.Table != Name{} || !pgRenames(q.TargetList, t.Text)) {
			groups = append(groups, t)
		}
	}
	return groups
}

// pgRenames reports whether a list of outputs gives a name to something that isn't a
// column of this name.
func pgRenames(list *ast.NodeList, name string) bool {
	for _, item := range pgItems(list) {
		target, ok := item.(*ast.ResTarget)
		if !ok {
			return true
		}
		if output, sure := pgOutputName(target); sure && output != name {
			continue
		}
		column, ok := pgBare(target.Val).(*ast.ColumnRef)
		if !ok || pgColumn(column).Text != name {
			return true
		}
	}
	return false
}

// outputs are the columns that a list of targets returns. (x).* are columns whose
// number only the catalog knows.
func (b *pgBlocks) outputs(list *ast.NodeList) []Output {
	var outputs []Output
	for _, item := range pgItems(list) {
		target, ok := item.(*ast.ResTarget)
		if !ok || target == nil {
			b.untold = true
			continue
		}
		if table, ok := pgStar(target.Val); ok {
			outputs = append(outputs, Output{Star: true, Term: Term{Kind: Column, Table: table}})
			continue
		}
		name, sure := pgOutputName(target)
		if !sure && b.depth > 1 || pgExpands(target.Val) {
			b.untold = true // a query around it may ask for the column by a name that isn't known
		}
		outputs = append(outputs, Output{Name: name, Term: b.term(target.Val)})
	}
	return outputs
}

// pgStar reports whether n is * or table.*, and of what table.
func pgStar(n ast.Node) (Name, bool) {
	column, ok := n.(*ast.ColumnRef)
	if !ok || column == nil {
		return Name{}, false
	}
	fields := pgItems(column.Fields)
	parts := pgStrings(column.Fields)
	if len(fields) == 0 || len(parts) != len(fields)-1 || len(parts) > 2 {
		return Name{}, false
	}
	_, star := fields[len(fields)-1].(*ast.A_Star)
	return pgQualified(parts), star
}

// pgExpands reports whether n is anything else that ends in a star.
func pgExpands(n ast.Node) bool {
	var items []ast.Node
	switch n := n.(type) {
	case *ast.A_Indirection:
		items = pgItems(n.Indirection)
	case *ast.ColumnRef:
		items = pgItems(n.Fields)
	}
	if len(items) == 0 {
		return false
	}
	_, star := items[len(items)-1].(*ast.A_Star)
	return star
}

// pgOutputName is the name of an output: as written, or as PostgreSQL makes it of the
// expression, "" for ?column?.
func pgOutputName(target *ast.ResTarget) (name string, sure bool) {
	if target.Name != "" {
		return pgCut(target.Name), true
	}
	name, strength := pgMadeName(target.Val)
	return name, strength != pgUnsure
}

// A pgNameStrength says how good a made name is: that of a type or of CASE gives way to a better one.
type pgNameStrength int8

const (
	pgUnsure pgNameStrength = iota - 1
	pgNoName
	pgWeakName
	pgGoodName
)

// pgMadeName follows the server's FigureColname.
func pgMadeName(n ast.Node) (string, pgNameStrength) {
	switch n := n.(type) {
	case *ast.ParenExpr:
		return pgMadeName(n.Expr)
	case *ast.ColumnRef:
		return pgLastName(n.Fields)
	case *ast.A_Indirection:
		if name, strength := pgLastName(n.Indirection); strength == pgGoodName {
			return name, strength
		}
		return pgMadeName(n.Arg)
	case *ast.FuncCall:
		return pgCallLabel(n)
	case *ast.TypeCast:
		return pgNameOr(n.Arg, pgTypeName(n.TypeName).Name)
	case *ast.CollateClause:
		return pgMadeName(n.Arg)
	case *ast.CaseExpr:
		return pgNameOr(n.Defresult, "case")
	case *ast.SubLink:
		return pgSubLinkName(n)
	}
	return pgFixedName(n)
}

// pgFixedName is the name of an expression that has the same one whatever stands in it.
func pgFixedName(n ast.Node) (string, pgNameStrength) {
	switch n := n.(type) {
	case nil, *ast.ParamRef, *ast.BoolExpr, *ast.NullTest, *ast.BooleanTest:
		return "", pgNoName
	case *ast.A_Const:
		if _, ok := n.Val.(*ast.Boolean); ok {
			return "bool", pgWeakName
		}
		return "", pgNoName
	case *ast.A_Expr:
		if n.Kind == ast.AEXPR_NULLIF {
			return "nullif", pgGoodName
		}
		return "", pgNoName
	case *ast.CoalesceExpr:
		return "coalesce", pgGoodName
	case *ast.MinMaxExpr:
		if n.Op == ast.IS_LEAST {
			return "least", pgGoodName
		}
		return "greatest", pgGoodName
	case *ast.RowExpr:
		return "row", pgGoodName
	case *ast.ArrayExpr:
		return "array", pgGoodName
	case *ast.GroupingFunc:
		return "grouping", pgGoodName
	}
	return "", pgUnsure
}

// pgNameOr is the name of n, or a weak one if n has no good one.
func pgNameOr(n ast.Node, weak string) (string, pgNameStrength) {
	if name, strength := pgMadeName(n); strength == pgGoodName || strength == pgUnsure {
		return name, strength
	}
	return weak, pgWeakName
}

// pgLastName is the last of a list that is a name.
func pgLastName(list *ast.NodeList) (string, pgNameStrength) {
	if names := pgStrings(list); len(names) > 0 {
		return names[len(names)-1], pgGoodName
	}
	return "", pgNoName
}

// pgCallLabel is the name of a called function. What the grammar calls for EXTRACT has
// had several names.
func pgCallLabel(f *ast.FuncCall) (string, pgNameStrength) {
	name := pgCallName(f)
	if name.Schema == "pg_catalog" && (name.Name == "extract" || name.Name == "date_part") {
		return "", pgUnsure
	}
	return name.Name, pgGoodName
}

func pgSubLinkName(n *ast.SubLink) (string, pgNameStrength) {
	switch n.SubLinkType {
	case ast.EXISTS_SUBLINK:
		return "exists", pgGoodName
	case ast.ARRAY_SUBLINK:
		return "array", pgGoodName
	case ast.EXPR_SUBLINK:
		return pgFirstOutput(n.Subselect)
	case ast.ANY_SUBLINK, ast.ALL_SUBLINK:
		return "", pgNoName
	}
	return "", pgUnsure
}

// pgFirstOutput is the name of the first column of a query.
func pgFirstOutput(n ast.Node) (string, pgNameStrength) {
	q, ok := n.(*ast.SelectStmt)
	for ok && q.Op != ast.SETOP_NONE {
		q = q.Larg
	}
	switch {
	case !ok:
		return "", pgUnsure
	case len(pgItems(q.ValuesLists)) > 0:
		return pgValuesColumn(0), pgGoodName
	case len(pgItems(q.TargetList)) > 0:
		target, ok := q.TargetList.Items[0].(*ast.ResTarget)
		if !ok || pgExpandsAny(target.Val) {
			return "", pgUnsure
		}
		if name, sure := pgOutputName(target); sure {
			return name, pgGoodName
		}
	}
	return "", pgUnsure
}

func pgExpandsAny(n ast.Node) bool {
	_, star := pgStar(n)
	return star || pgExpands(n)
}

func pgValuesColumn(i int) string { return "column" + strconv.Itoa(i+1) }

// pgBare takes the parentheses off an expression.
func pgBare(n ast.Node) ast.Node {
	for {
		paren, ok := n.(*ast.ParenExpr)
		if !ok || paren == nil {
			return n
		}
		n = paren.Expr
	}
}
