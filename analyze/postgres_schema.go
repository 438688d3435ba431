package analyze

import "github.com/multigres/multigres/go/common/parser/ast"

// pgAnyOp is what DDL does to a relation it names.
const pgAnyOp = Insert | Update | Delete | Truncate

// schema gathers from DDL. Other relations may come to depend on what it
// changes, and names may come to mean others, so nearly all of it writes all.
func (w *pgWalker) schema(n ast.Node) {
	w.st.Kind = Schema
	switch n := n.(type) {
	case *ast.CreateStmt:
		w.create(n.Relation)
	case *ast.CreateForeignTableStmt:
		w.st.WritesAll = true
		if n.Base != nil {
			w.create(n.Base.Relation)
		}
	case *ast.ViewStmt:
		w.create(n.View)
	case *ast.CreateSeqStmt:
		w.create(n.Sequence)
	case *ast.CreateTableAsStmt:
		w.createAs(n)
	case *ast.RefreshMatViewStmt:
		w.write(n.Relation, Insert|Delete)
	case *ast.DropStmt:
		w.drop(n)
	default:
		w.st.WritesAll = !pgKeepsRows(n)
		if r := pgAltered(n); r != nil {
			w.write(r, pgAnyOp)
			w.droppedTemp(pgRangeName(r))
		}
	}
}

// create notes a relation made without rows.
func (w *pgWalker) create(r *ast.RangeVar) {
	w.write(r, pgAnyOp)
	if r != nil {
		w.created(r)
	}
}

// created notes that a relation is new. A temporary one concerns its session
// only; any other may hide one of the same name that others read.
func (w *pgWalker) created(r *ast.RangeVar) {
	if r.RelPersistence == 't' || pgIsTempSchema(r.SchemaName) {
		w.st.TempTables = addOnce(w.st.TempTables, pgRangeName(r))
		return
	}
	w.st.WritesAll = true
}

// createAs gathers from CREATE TABLE AS and CREATE MATERIALIZED VIEW.
func (w *pgWalker) createAs(n *ast.CreateTableAsStmt) {
	if execute, ok := n.Query.(*ast.ExecuteStmt); ok {
		w.code(execute)
		w.st.ReturnsRows = false
	} else {
		w.walk(n.Query, nil)
	}
	if n.Into == nil {
		w.st.WritesAll = true
	} else {
		w.into(n.Into)
	}
	w.st.Kind = Schema
}

func (w *pgWalker) drop(n *ast.DropStmt) {
	switch n.RemoveType {
	case ast.OBJECT_INDEX, ast.OBJECT_STATISTIC_EXT:
		return
	case ast.OBJECT_TABLE, ast.OBJECT_VIEW, ast.OBJECT_MATVIEW, ast.OBJECT_FOREIGN_TABLE, ast.OBJECT_SEQUENCE:
		for _, item := range pgItems(n.Objects) {
			if list, ok := item.(*ast.NodeList); ok {
				name := pgQualified(pgStrings(list))
				w.st.addWrite(Write{Relation: name, Op: pgAnyOp})
				w.droppedTemp(name)
			}
		}
	}
	w.st.WritesAll = true
}

// droppedTemp notes a temporary table that is dropped or altered, where the text
// tells that it is one.
func (w *pgWalker) droppedTemp(n Name) {
	if pgIsTempSchema(n.Schema) {
		w.st.TempTables = addOnce(w.st.TempTables, n)
	}
}

// pgAltered is the relation that DDL changes, if it is of one relation.
func pgAltered(n ast.Node) *ast.RangeVar {
	switch n := n.(type) {
	case *ast.AlterTableStmt:
		return n.Relation
	case *ast.RenameStmt:
		return n.Relation
	case *ast.AlterOwnerStmt:
		return n.Relation
	case *ast.AlterObjectSchemaStmt:
		return n.Relation
	case *ast.AlterSeqStmt:
		return n.Sequence
	case *ast.CreateTriggerStmt:
		return n.Relation
	case *ast.CreatePolicyStmt:
		return n.Table
	case *ast.AlterPolicyStmt:
		return n.Table
	case *ast.RuleStmt:
		return n.Relation
	}
	return nil
}

// pgKeepsRows reports whether DDL leaves every result of every query as it is.
func pgKeepsRows(n ast.Node) bool {
	switch n.(type) {
	case *ast.IndexStmt, *ast.CommentStmt, *ast.CreateStatsStmt, *ast.AlterStatsStmt,
		*ast.CreatedbStmt, *ast.DropdbStmt, *ast.CreateTableSpaceStmt, *ast.AlterTableSpaceStmt,
		*ast.AlterRoleSetStmt, *ast.AlterDatabaseSetStmt, *ast.AlterSystemStmt,
		*ast.CreatePublicationStmt, *ast.AlterPublicationStmt:
		return true
	}
	return false
}
