package analyze

import "github.com/pingcap/tidb/pkg/parser/ast"

// mysqlJSONTable marks the query that stands for a JSON_TABLE, which the parser doesn't
// know, as the name of its column.
const mysqlJSONTable = "\x01json_table"

// sources are the sources of a tree of joins: those of its left side, and its right
// side, in parentheses if it is a tree itself.
func (q *mysqlQuery) sources(n ast.ResultSetNode) []Source {
	switch x := n.(type) {
	case *ast.TableSource:
		return []Source{q.source(x)}
	case *ast.Join:
		left := q.sources(x.Left)
		if x.Right == nil {
			return left
		}
		q.straight = q.straight || x.StraightJoin && x.On == nil && x.Using == nil
		q.uneven = q.uneven || x.NaturalJoin || x.Using != nil || x.Tp == ast.RightJoin
		q.unsure = q.unsure || mysqlMoved(x) || q.straight && q.uneven
		return append(left, q.joined(x))
	}
	q.unsure = true
	return nil
}

// joined is the right side of a join.
func (q *mysqlQuery) joined(x *ast.Join) Source {
	var s Source
	if right := q.sources(x.Right); len(right) == 1 && right[0].Join == Inner {
		s = right[0]
	} else {
		s = Source{Nested: right}
	}
	switch x.Tp {
	case ast.LeftJoin:
		s.Join = Left
	case ast.RightJoin:
		s.Join = Right
	}
	s.Natural = x.NaturalJoin
	for _, c := range x.Using {
		s.Using = append(s.Using, c.Name.O)
	}
	if x.On != nil {
		s.On = q.condition(x.On.Expr)
		q.visit(x.On.Expr)
	}
	return s
}

// mysqlMoved reports whether the parser may have moved into the parentheses of a join what
// stood before them, as it does for a JOIN (b JOIN c ON …) JOIN d ON …: then what NATURAL
// and USING join and the order of columns aren't those of the text.
func mysqlMoved(x *ast.Join) bool {
	if !x.ExplicitParens {
		return false
	}
	for left, ok := x.Left.(*ast.Join); ok && left.Right != nil; left, ok = left.Left.(*ast.Join) {
		if left.Tp == ast.CrossJoin && left.On == nil && left.Using == nil && !left.ExplicitParens {
			return true
		}
	}
	return false
}

// source is a table, a derived table or a table function.
func (q *mysqlQuery) source(x *ast.TableSource) Source {
	s := Source{Alias: x.AsName.O}
	for _, name := range x.ColumnNames {
		s.Columns = append(s.Columns, name.O)
	}
	outers := q.outers
	if s.Lateral = x.Lateral; x.Lateral {
		outers = q.inner()
	}
	switch of := x.Source.(type) {
	case *ast.TableName:
		if s.Relation = mysqlTableName(of); s.Alias == "" {
			s.Alias = s.Relation.Name
		}
	case *ast.SelectStmt:
		if fields := of.Fields; fields != nil && len(fields.Fields) == 1 && fields.Fields[0].AsName.O == mysqlJSONTable {
			q.visit(fields.Fields[0].Expr)
		} else {
			s.Sub = q.query(of, outers)
		}
	case *ast.SetOprStmt:
		s.Sub = q.query(of, outers)
	default:
		q.unsure = true
	}
	return s
}
