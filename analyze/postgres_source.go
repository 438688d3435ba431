package analyze

import "github.com/multigres/multigres/go/common/parser/ast"

// sources appends the sources of an item of FROM. The joins of the first item need no
// parentheses, since what joins a later item joins only that.
func (b *pgBlocks) sources(out *Block, list []Source, n ast.Node, first bool) []Source {
	join, ok := pgBare(n).(*ast.JoinExpr)
	switch {
	case ok && first && join.Alias == nil:
		list = b.sources(out, list, join.Larg, true)
		return append(list, b.joined(out, join))
	case ok:
		return append(list, b.nested(out, join))
	}
	return append(list, b.source(out, n))
}

// joined is the right side of a join.
func (b *pgBlocks) joined(out *Block, join *ast.JoinExpr) Source {
	if join.JoinUsingAlias != nil {
		b.untold = true
	}
	right := b.sources(out, nil, join.Rarg, false)[0]
	right.Natural = join.IsNatural
	right.Using = pgStrings(join.UsingClause)
	right.On = b.cond(join.Quals)
	b.subs(out, join.Quals)
	switch join.Jointype {
	case ast.JOIN_INNER:
		right.Join = Inner
	case ast.JOIN_LEFT:
		right.Join = Left
	case ast.JOIN_RIGHT:
		right.Join = Right
	case ast.JOIN_FULL:
		right.Join = Full
	default:
		b.untold = true
	}
	return right
}

// nested is a join in parentheses.
func (b *pgBlocks) nested(out *Block, join *ast.JoinExpr) Source {
	var source Source
	source.Alias, source.Columns = pgAlias(join.Alias)
	list := b.sources(out, nil, join.Larg, true)
	source.Nested = append(list, b.joined(out, join))
	return source
}

// source is one that isn't a join.
func (b *pgBlocks) source(out *Block, n ast.Node) Source {
	var source Source
	switch n := n.(type) {
	case *ast.RangeVar:
		return b.relation(n)
	case *ast.RangeTableSample:
		b.subs(out, n.Args)
		b.subs(out, n.Repeatable)
		return b.source(out, n.Relation)
	case *ast.RangeSubselect:
		source.Alias, source.Columns = pgAlias(n.Alias)
		if q, ok := n.Subquery.(*ast.SelectStmt); ok && q != nil {
			source.Sub = b.block(q)
			return source
		}
		b.untold = true
	case *ast.RangeFunction:
		source.Alias, source.Columns = pgAlias(n.Alias)
		if source.Alias == "" {
			source.Alias = pgFirstCall(n.Functions)
		}
	case *ast.RangeTableFunc:
		source.Alias, source.Columns = pgAlias(n.Alias)
	case *ast.JsonTable:
		source.Alias, source.Columns = pgAlias(n.Alias)
	}
	b.subs(out, n)
	return source
}

// relation names a relation. ONLY leaves out the rows of its inheritors, which can't be said.
func (b *pgBlocks) relation(r *ast.RangeVar) Source {
	if !r.Inh {
		b.untold = true
	}
	source := Source{Relation: pgRangeName(r)}
	source.Alias, source.Columns = pgAlias(r.Alias)
	if source.Alias == "" {
		source.Alias = source.Relation.Name
	}
	return source
}

func pgAlias(alias *ast.Alias) (name string, columns []string) {
	if alias == nil {
		return "", nil
	}
	return pgCut(alias.AliasName), pgStrings(alias.ColNames)
}

// pgFirstCall is the name of the first function of a list, which is that of its source.
func pgFirstCall(n ast.Node) string {
	switch n := n.(type) {
	case *ast.NodeList:
		if items := pgItems(n); len(items) > 0 {
			return pgFirstCall(items[0])
		}
	case *ast.FuncCall:
		return pgCallName(n).Name
	}
	return ""
}
