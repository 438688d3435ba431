package analyze

import "github.com/multigres/multigres/go/common/parser/ast"

// A pgScope is what a name can mean at a place of a statement: the names that
// WITH binds there, and the entries of FROM. It is a list from the innermost
// query outwards.
type pgScope struct {
	outer *pgScope
	cte   string       // one name that WITH binds, or
	from  []pgFromItem // the entries of one FROM clause
}

// A pgFromItem is an entry of FROM: a relation under its alias, or, opaque,
// anything else whose columns the text doesn't lead to a relation's.
type pgFromItem struct {
	alias    string
	relation Name
	opaque   bool
}

func (s *pgScope) bind(cte string) *pgScope { return &pgScope{outer: s, cte: pgCut(cte)} }

// binds reports whether name is one of WITH.
func (s *pgScope) binds(name string) bool {
	for ; s != nil; s = s.outer {
		if s.cte == name && s.from == nil {
			return true
		}
	}
	return false
}

// open makes the scope of a query with the given entries of FROM.
func (s *pgScope) open(from ...ast.Node) *pgScope {
	inner := &pgScope{outer: s, from: []pgFromItem{}}
	for _, item := range from {
		inner.from = pgAppendFrom(inner.from, item, s)
	}
	return inner
}

func pgAppendFrom(items []pgFromItem, n ast.Node, outer *pgScope) []pgFromItem {
	if pgIsNil(n) {
		return items
	}
	switch n := n.(type) {
	case *ast.RangeVar:
		return append(items, pgRelationItem(n, outer))
	case *ast.JoinExpr:
		items = pgAppendFrom(items, n.Larg, outer)
		items = pgAppendFrom(items, n.Rarg, outer)
		for _, alias := range []*ast.Alias{n.Alias, n.JoinUsingAlias} {
			if alias != nil {
				items = append(items, pgFromItem{alias: pgCut(alias.AliasName), opaque: true})
			}
		}
		return items
	case *ast.ParenExpr:
		return pgAppendFrom(items, n.Expr, outer)
	}
	return append(items, pgFromItem{alias: pgAliasOf(n), opaque: true})
}

func pgRelationItem(r *ast.RangeVar, outer *pgScope) pgFromItem {
	item := pgFromItem{alias: pgCut(r.RelName), relation: pgRangeName(r)}
	if r.Alias != nil {
		item.alias = pgCut(r.Alias.AliasName)
		item.opaque = len(pgItems(r.Alias.ColNames)) > 0 // renamed columns
	}
	if r.SchemaName == "" && outer.binds(item.relation.Name) {
		item.opaque = true
	}
	return item
}

func pgAliasOf(n ast.Node) string {
	var alias *ast.Alias
	switch n := n.(type) {
	case *ast.RangeSubselect:
		alias = n.Alias
	case *ast.RangeFunction:
		alias = n.Alias
	case *ast.RangeTableFunc:
		alias = n.Alias
	case *ast.JsonTable:
		alias = n.Alias
	}
	if alias == nil {
		return ""
	}
	return pgCut(alias.AliasName)
}

// timeColumn notes the column that c names as cast to a date or time, and
// reports whether it could: its type must be one that the catalog can find.
func (w *pgWalker) timeColumn(c *ast.ColumnRef, s *pgScope) bool {
	parts := pgStrings(c.Fields)
	if len(parts) == 0 || len(parts) != len(pgItems(c.Fields)) {
		return false // t.*
	}
	column, ok := s.column(parts)
	if ok {
		w.st.TimeCasts = addOnce(w.st.TimeCasts, column)
	}
	return ok
}

// column reports whether a column's name leads to relations that are read and to
// nothing else, and returns its last part. A catalog must ask every relation
// that has such a column.
func (s *pgScope) column(parts []string) (string, bool) {
	name := parts[len(parts)-1]
	switch len(parts) {
	case 1:
		return name, s.plain()
	case 2:
		return name, s.aliased(parts[0])
	}
	return name, len(parts) == 3 // schema.relation.column
}

// plain reports whether every entry of FROM in sight is a relation.
func (s *pgScope) plain() bool {
	for ; s != nil; s = s.outer {
		for _, item := range s.from {
			if item.opaque {
				return false
			}
		}
	}
	return true
}

// aliased reports whether alias stands for a relation.
func (s *pgScope) aliased(alias string) bool {
	for ; s != nil; s = s.outer {
		for _, item := range s.from {
			if item.alias == alias {
				return !item.opaque
			}
		}
	}
	return false
}
