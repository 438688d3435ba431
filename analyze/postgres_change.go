package analyze

import "github.com/multigres/multigres/go/common/parser/ast"

// change tells which rows a statement changes, or nil.
func (w *pgWalker) change(n ast.Node) (c *Change) {
	defer func() {
		if recover() != nil {
			c = nil
		}
	}()
	b := w.blocks()
	if b == nil {
		return nil
	}
	switch n := n.(type) {
	case *ast.InsertStmt:
		c = b.insert(n)
	case *ast.UpdateStmt:
		c = b.update(n)
	case *ast.DeleteStmt:
		c = b.delete(n)
	}
	if b.untold || c == nil {
		return nil
	}
	b.settle(nil, c)
	return c
}

// target starts the Change of a relation, if its inheritors are changed with it.
func (b *pgBlocks) target(op Op, r *ast.RangeVar, with *ast.WithClause, returning *ast.NodeList) *Change {
	if r == nil || with != nil {
		b.untold = true
		return nil
	}
	source := b.relation(r)
	return &Change{Op: op, Target: source.Relation, Alias: source.Alias, Returning: b.outputs(returning)}
}

func (b *pgBlocks) insert(n *ast.InsertStmt) *Change {
	c := b.target(Insert, n.Relation, n.WithClause, n.ReturningList)
	conflict := n.OnConflictClause
	if c == nil || n.Override != ast.OVERRIDING_NOT_SET || conflict != nil && conflict.Action != ast.ONCONFLICT_NOTHING {
		return nil
	}
	for _, item := range pgItems(n.Cols) {
		column, ok := item.(*ast.ResTarget)
		if !ok || len(pgItems(column.Indirection)) > 0 {
			return nil
		}
		c.Columns = append(c.Columns, pgCut(column.Name))
	}
	var ok bool
	if c.Rows, ok = b.inserted(n.SelectStmt); !ok {
		return nil
	}
	if len(c.Returning) == 0 {
		c.Append = b.end()
	}
	return c
}

// inserted are the rows of VALUES, or, for DEFAULT VALUES, one without values.
func (b *pgBlocks) inserted(n ast.Node) (rows [][]Term, ok bool) {
	if pgIsNil(n) {
		return [][]Term{{}}, true
	}
	q, ok := n.(*ast.SelectStmt)
	if !ok || len(pgItems(q.ValuesLists)) == 0 || q.Op != ast.SETOP_NONE || q.WithClause != nil ||
		len(pgItems(q.SortClause)) > 0 || !pgIsNil(q.LimitCount) || !pgIsNil(q.LimitOffset) || len(pgItems(q.LockingClause)) > 0 {
		return nil, false
	}
	for _, item := range pgItems(q.ValuesLists) {
		list, ok := item.(*ast.NodeList)
		if !ok {
			return nil, false
		}
		row := make([]Term, len(list.Items))
		for i, value := range list.Items {
			if row[i] = b.value(value); row[i].Kind == Column {
				row[i] = Term{}
			}
		}
		rows = append(rows, row)
	}
	return rows, true
}

// value is what a column is set to.
func (b *pgBlocks) value(n ast.Node) Term {
	if _, ok := n.(*ast.SetToDefault); ok {
		return Term{Kind: Default}
	}
	return b.term(n)
}

func (b *pgBlocks) update(n *ast.UpdateStmt) *Change {
	c := b.target(Update, n.Relation, n.WithClause, n.ReturningList)
	if c == nil || len(pgItems(n.FromClause)) > 0 {
		return nil
	}
	for _, item := range pgItems(n.TargetList) {
		target, ok := item.(*ast.ResTarget)
		if !ok {
			return nil
		}
		c.Set = append(c.Set, Assignment{Column: pgCut(target.Name), Value: b.assigned(target)})
	}
	return b.changed(c, n.Relation, n.WhereClause)
}

// assigned is the new value of a column, Untold if only a part of it is set or the value comes
// of a subquery.
func (b *pgBlocks) assigned(target *ast.ResTarget) Term {
	if len(pgItems(target.Indirection)) > 0 {
		return Term{}
	}
	ref, ok := target.Val.(*ast.MultiAssignRef)
	if !ok {
		return b.value(target.Val)
	}
	if row, ok := ref.Source.(*ast.RowExpr); ok && ref.Ncolumns == len(pgItems(row.Args)) {
		return b.value(row.Args.Items[ref.Colno-1])
	}
	return Term{}
}

func (b *pgBlocks) delete(n *ast.DeleteStmt) *Change {
	c := b.target(Delete, n.Relation, n.WithClause, n.ReturningList)
	if c == nil || len(pgItems(n.UsingClause)) > 0 {
		return nil
	}
	return b.changed(c, n.Relation, n.WhereClause)
}

// changed adds how to find the rows of an UPDATE or DELETE.
func (b *pgBlocks) changed(c *Change, r *ast.RangeVar, where ast.Node) *Change {
	if _, ok := where.(*ast.CurrentOfExpr); ok {
		return nil
	}
	c.Where = b.cond(where)
	if !pgRepeats(where) {
		return c
	}
	if from, condition, ok := b.spans(c.Op); ok && b.sameRows(from, condition, r, where) {
		c.Repeatable = true
		if len(c.Returning) == 0 {
			c.Append = b.end()
		}
		c.From = from.text(b.text)
		c.Condition, c.Args = condition.renumbered(b.text)
		if len(condition) > 0 {
			c.Span = [2]int{condition[0].Position, pgTokenEnd(condition[len(condition)-1])}
		}
	}
	return c
}
