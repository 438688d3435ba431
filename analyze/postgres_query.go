package analyze

import "github.com/multigres/multigres/go/common/parser/ast"

// with walks the queries of WITH and returns the scope of what follows it. A
// query of WITH sees the names before its own, or, under RECURSIVE, all of them.
func (w *pgWalker) with(with *ast.WithClause, s *pgScope) *pgScope {
	if with == nil {
		return s
	}
	if with.Recursive {
		for _, item := range pgItems(with.Ctes) {
			if cte, ok := item.(*ast.CommonTableExpr); ok {
				s = s.bind(cte.Ctename)
			}
		}
	}
	for _, item := range pgItems(with.Ctes) {
		w.walk(item, s)
		if cte, ok := item.(*ast.CommonTableExpr); ok && !with.Recursive {
			s = s.bind(cte.Ctename)
		}
	}
	return s
}

func (w *pgWalker) walkSelect(q *ast.SelectStmt, s *pgScope) {
	s = w.with(q.WithClause, s)
	if q.IntoClause != nil {
		w.into(q.IntoClause)
	}
	if q.Op != ast.SETOP_NONE {
		w.walk(q.Larg, s)
		w.walk(q.Rarg, s)
	}
	inner := s.open(pgItems(q.FromClause)...)
	w.walkList(q.DistinctClause, inner)
	w.walkList(q.TargetList, inner)
	w.walkList(q.FromClause, inner)
	w.walk(q.WhereClause, inner)
	w.walkList(q.GroupClause, inner)
	w.walk(q.HavingClause, inner)
	w.walkList(q.WindowClause, inner)
	w.walkList(q.ValuesLists, inner)
	w.walkList(q.SortClause, inner)
	w.walk(q.LimitOffset, inner)
	w.walk(q.LimitCount, inner)
	w.walkList(q.LockingClause, inner)
}

// into notes the table that SELECT … INTO or CREATE TABLE AS makes.
func (w *pgWalker) into(into *ast.IntoClause) {
	w.st.Kind = Schema
	if into.Rel == nil {
		w.st.WritesAll = true
		return
	}
	w.write(into.Rel, Insert)
	w.created(into.Rel)
}

func (w *pgWalker) walkInsert(q *ast.InsertStmt, s *pgScope) {
	w.modifies()
	s = w.with(q.WithClause, s)
	op := Insert
	conflict := q.OnConflictClause
	if conflict != nil && conflict.Action == ast.ONCONFLICT_UPDATE {
		op |= Update
	}
	w.write(q.Relation, op)
	if conflict != nil || len(pgItems(q.ReturningList)) > 0 {
		w.readBack(q.Relation)
	}
	inner := s.open(q.Relation)
	w.walkList(q.Cols, inner)
	w.walk(q.SelectStmt, s)
	w.walk(conflict, inner)
	w.walkList(q.ReturningList, inner)
}

func (w *pgWalker) walkUpdate(q *ast.UpdateStmt, s *pgScope) {
	w.modifies()
	s = w.with(q.WithClause, s)
	w.write(q.Relation, Update)
	w.readBack(q.Relation)
	inner := s.open(append([]ast.Node{q.Relation}, pgItems(q.FromClause)...)...)
	w.walkList(q.TargetList, inner)
	w.walkList(q.FromClause, inner)
	w.walk(q.WhereClause, inner)
	w.walkList(q.ReturningList, inner)
}

func (w *pgWalker) walkDelete(q *ast.DeleteStmt, s *pgScope) {
	w.modifies()
	s = w.with(q.WithClause, s)
	w.write(q.Relation, Delete)
	w.readBack(q.Relation)
	inner := s.open(append([]ast.Node{q.Relation}, pgItems(q.UsingClause)...)...)
	w.walkList(q.UsingClause, inner)
	w.walk(q.WhereClause, inner)
	w.walkList(q.ReturningList, inner)
}

func (w *pgWalker) walkMerge(q *ast.MergeStmt, s *pgScope) {
	w.modifies()
	s = w.with(q.WithClause, s)
	var op Op
	for _, item := range pgItems(q.MergeWhenClauses) {
		op |= pgMergeOp(item)
	}
	w.write(q.Relation, op)
	w.readBack(q.Relation)
	inner := s.open(q.Relation, q.SourceRelation)
	w.walk(q.SourceRelation, inner)
	w.walk(q.JoinCondition, inner)
	w.walkList(q.MergeWhenClauses, inner)
	w.walkList(q.ReturningList, inner)
}

// pgMergeOp is what one arm of MERGE does.
func pgMergeOp(n ast.Node) Op {
	when, ok := n.(*ast.MergeWhenClause)
	if !ok {
		return Insert | Update | Delete
	}
	switch when.CommandType {
	case ast.CMD_INSERT:
		return Insert
	case ast.CMD_UPDATE:
		return Update
	case ast.CMD_DELETE:
		return Delete
	case ast.CMD_NOTHING:
		return 0
	}
	return Insert | Update | Delete
}

// modifies makes the statement a write, unless it is more than that already.
func (w *pgWalker) modifies() {
	if w.st.Kind == Unknown || w.st.Kind == Read {
		w.st.Kind = Modify
	}
}

// readBack notes that a write reads the relation it changes.
func (w *pgWalker) readBack(r *ast.RangeVar) {
	if r != nil {
		w.readName(pgRangeName(r))
	}
}
