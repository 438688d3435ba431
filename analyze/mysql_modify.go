package analyze

import (
	"errors"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// mysqlParsedStatement fills s from a SELECT, TABLE, VALUES, INSERT, REPLACE,
// UPDATE, DELETE, DO or CALL. It fails where the text can't be parsed.
func mysqlParsedStatement(s *Statement, tokens []mysqlToken) error {
	p, err := mysqlParseAny(tokens)
	if err != nil {
		return err
	}
	w := &mysqlWalk{s: s}
	if err := w.statement(p.node); err != nil {
		return err
	}
	if p.returning != nil {
		p.returning.Accept(w)
		s.ReturnsRows = true
		for _, target := range s.Writes {
			s.Reads = addOnce(s.Reads, target.Relation)
		}
	}
	if w.selects != p.selects {
		return errors.New("parse: a subquery is missing in the tree")
	}
	w.restore(p.removed)
	w.finishTimes()
	switch s.Kind {
	case Read:
		s.Rows = w.rows(p)
	case Modify:
		s.Change = mysqlChange(p, s, tokens)
	}
	if s.Kind == Read && len(s.Reads) == 0 {
		w.because(NoRelation, "")
	}
	return nil
}

// restore adds what the rewriting of the text has taken out of it.
func (w *mysqlWalk) restore(r mysqlRemoved) {
	if r.jsonTable {
		w.function(Name{Name: "json_table"}, 2)
	}
	if r.intoVars {
		w.because(SessionVariable, "into @")
		w.s.ReturnsRows = false
	}
	if r.intoFile {
		w.because(NotRead, "into dumpfile")
		w.s.ReturnsRows = false
	}
}

func (w *mysqlWalk) statement(node ast.StmtNode) error {
	switch x := node.(type) {
	case *ast.SelectStmt, *ast.SetOprStmt:
		w.s.Kind, w.s.Reason, w.s.ReturnsRows = Read, Cacheable, true
		x.Accept(w)
	case *ast.InsertStmt:
		w.insert(x)
	case *ast.UpdateStmt:
		w.update(x)
	case *ast.DeleteStmt:
		w.delete(x)
	case *ast.DoStmt:
		w.s.Kind = Call
		x.Accept(w)
	case *ast.CallStmt:
		w.s.Kind, w.s.WritesAll, w.s.ReturnsRows = Call, true, true
		x.Accept(w)
	default:
		return errors.New("parse: a statement of another sort")
	}
	return nil
}

// insert reads INSERT and REPLACE.
func (w *mysqlWalk) insert(x *ast.InsertStmt) {
	w.s.Kind = Modify
	op := Insert
	switch {
	case x.IsReplace:
		op = Insert | Delete
	case len(x.OnDuplicate) > 0:
		op = Insert | Update
	}
	for _, t := range mysqlSources(x.Table) {
		w.s.addWrite(Write{Relation: t.name, Op: op})
		if len(x.OnDuplicate) > 0 {
			w.s.Reads = addOnce(w.s.Reads, t.name) // the row that is there already
		}
		w.ignore(t.node)
	}
	x.Accept(w)
}

// update reads UPDATE of one table or of a join. It writes the tables whose
// columns are assigned; if one can't be told, all of them.
func (w *mysqlWalk) update(x *ast.UpdateStmt) {
	w.s.Kind = Modify
	x.Accept(w)
	sources := mysqlUnbound(mysqlSources(x.TableRefs), x.With)
	for _, a := range x.List {
		for _, t := range mysqlMatching(sources, a.Column.Schema.O, a.Column.Table.O) {
			w.s.addWrite(Write{Relation: t.name, Op: Update})
		}
	}
}

// delete reads DELETE of one table and both forms for several.
func (w *mysqlWalk) delete(x *ast.DeleteStmt) {
	w.s.Kind = Modify
	x.Accept(w)
	sources := mysqlUnbound(mysqlSources(x.TableRefs), x.With)
	if x.Tables == nil {
		for _, t := range sources {
			w.s.addWrite(Write{Relation: t.name, Op: Delete})
		}
		return
	}
	for _, target := range x.Tables.Tables {
		for _, t := range mysqlMatching(sources, target.Schema.O, target.Name.O) {
			w.s.addWrite(Write{Relation: t.name, Op: Delete})
		}
	}
}

// A mysqlSource is a table in FROM and the name that columns call it by.
type mysqlSource struct {
	name  Name
	alias string
	node  *ast.TableName
}

// mysqlSources are the tables of a FROM clause, subqueries left out.
func mysqlSources(refs *ast.TableRefsClause) []mysqlSource {
	if refs == nil || refs.TableRefs == nil {
		return nil
	}
	var sources []mysqlSource
	var visit func(n ast.ResultSetNode)
	visit = func(n ast.ResultSetNode) {
		switch x := n.(type) {
		case *ast.Join:
			visit(x.Left)
			visit(x.Right)
		case *ast.TableSource:
			if t, ok := x.Source.(*ast.TableName); ok {
				sources = append(sources, mysqlSource{name: mysqlTableName(t), alias: x.AsName.O, node: t})
				return
			}
			if j, ok := x.Source.(*ast.Join); ok {
				visit(j)
			}
		}
	}
	visit(refs.TableRefs)
	return sources
}

// mysqlUnbound leaves out of sources what WITH names.
func mysqlUnbound(sources []mysqlSource, with *ast.WithClause) []mysqlSource {
	if with == nil {
		return sources
	}
	names := map[string]bool{}
	for _, cte := range with.CTEs {
		names[cte.Name.O] = true
	}
	var tables []mysqlSource
	for _, t := range sources {
		if t.name.Schema != "" || !names[t.name.Name] {
			tables = append(tables, t)
		}
	}
	return tables
}

// mysqlMatching are the sources that schema.table may mean: all if the text
// doesn't say, or names none of them.
func mysqlMatching(sources []mysqlSource, schema, table string) []mysqlSource {
	var matching []mysqlSource
	for _, t := range sources {
		if t.called(schema, table) {
			matching = append(matching, t)
		}
	}
	if table == "" || len(matching) == 0 {
		return sources
	}
	return matching
}

// called reports whether schema.table may mean t. Whether case matters depends
// on the server.
func (t mysqlSource) called(schema, table string) bool {
	if t.alias != "" {
		return strings.EqualFold(t.alias, table)
	}
	return strings.EqualFold(t.name.Name, table) &&
		(schema == "" || t.name.Schema == "" || strings.EqualFold(t.name.Schema, schema))
}
