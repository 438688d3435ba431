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
	source.Alias, source.Columns = pgAliasOr(join.Alias, "")
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
		source.Alias, source.Columns = pgAliasOr(n.Alias, "")
		if q, ok := n.Subquery.(*ast.SelectStmt); ok && q != nil {
			source.Sub, source.Lateral = b.block(q), n.Lateral
			return source
		}
		b.untold = true
	case *ast.RangeFunction:
		source.Alias, source.Columns = pgAliasOr(n.Alias, b.firstCall(n.Functions))
	case *ast.RangeTableFunc:
		source.Alias, source.Columns = pgAliasOr(n.Alias, "xmltable")
	case *ast.JsonTable:
		source.Alias, source.Columns = pgAliasOr(n.Alias, "json_table")
	default:
		b.untold = true
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
	source.Alias, source.Columns = pgAliasOr(r.Alias, source.Relation.Name)
	return source
}

func pgAliasOr(alias *ast.Alias, name string) (string, []string) {
	if alias == nil {
		return name, nil
	}
	return pgCut(alias.AliasName), pgStrings(alias.ColNames)
}

// firstCall is the name of the first function of a list, which is that of its source.
func (b *pgBlocks) firstCall(n ast.Node) string {
	for {
		list, ok := n.(*ast.NodeList)
		if !ok {
			break
		}
		n = list.Items[0]
	}
	name, strength := pgMadeName(n)
	if strength == pgUnsure {
		b.untold = true
	}
	return name
}
