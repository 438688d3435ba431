package analyze

import (
	"slices"
	"strings"

	"github.com/multigres/multigres/go/common/parser"
	"github.com/multigres/multigres/go/common/parser/ast"
)

// A pgBlocks makes Blocks and Changes of the trees of one statement.
type pgBlocks struct {
	text   string
	tokens []*parser.Token

	national bool // some literal is written N'…', which its tree doesn't tell from '…'
	untold   bool // the statement has something that a Block can't leave out without misleading
	depth    int  // of the query that is being read
}

// blocks returns nil for what PREPARE prepares: its parameters are those of EXECUTE.
func (w *pgWalker) blocks() *pgBlocks {
	if len(w.tokens) == 0 || pgWord(w.tokens[0]) == "prepare" {
		return nil
	}
	b := &pgBlocks{text: w.st.Text, tokens: w.tokens}
	for _, token := range w.tokens {
		if token.Type == parser.SCONST && strings.HasPrefix(strings.ToLower(token.Text), "n") {
			b.national = true
		}
	}
	return b
}

// rows tells which rows a query reads: nil if it can't be told, or if the Block doesn't
// name the relations that were noted as read, each as often as it was.
func (w *pgWalker) rows(q *ast.SelectStmt) (rows *Block) {
	defer func() {
		if recover() != nil {
			rows = nil
		}
	}()
	b := w.blocks()
	if b == nil {
		return nil
	}
	rows = b.block(q)
	if b.untold || !pgSamePlaces(w.places, pgPlaces(nil, rows, nil)) {
		return nil
	}
	b.settle(rows, nil)
	rows.Mentions = mentionsOf(w.st.Text)
	rows.Mentions.whole, rows.Mentions.fields = w.whole, w.fields
	rows.Mentions.Chooses = rows.Mentions.Chooses || w.chooses
	return rows
}

func pgSamePlaces(a, b []Name) bool {
	order := func(x, y Name) int { return strings.Compare(x.Schema+"\x00"+x.Name, y.Schema+"\x00"+y.Name) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), order), slices.SortedFunc(slices.Values(b), order))
}

// pgPlaces appends the relations that a block names, once for each place, without
// the names of WITH.
func pgPlaces(places []Name, b *Block, s *pgScope) []Name {
	if b == nil {
		return places
	}
	for _, cte := range b.With {
		if cte.Recursive {
			s = s.bind(cte.Name)
		}
	}
	for _, cte := range b.With {
		places = pgPlaces(places, cte.Block, s)
		s = s.bind(cte.Name)
	}
	for _, arm := range b.Arms {
		places = pgPlaces(places, arm, s)
	}
	places = pgSourcePlaces(places, b.From, s)
	for _, sub := range b.Subs {
		places = pgPlaces(places, sub, s)
	}
	return places
}

func pgSourcePlaces(places []Name, from []Source, s *pgScope) []Name {
	for _, source := range from {
		n := source.Relation
		if n != (Name{}) && (n.Schema != "" || !s.binds(n.Name)) {
			places = append(places, n)
		}
		places = pgPlaces(places, source.Sub, s)
		places = pgSourcePlaces(places, source.Nested, s)
	}
	return places
}

// block makes the Block of a query.
func (b *pgBlocks) block(q *ast.SelectStmt) *Block {
	b.depth++
	defer func() { b.depth-- }()
	out := &Block{With: b.with(q.WithClause)}
	switch {
	case q.Op != ast.SETOP_NONE:
		out.Arms = []*Block{b.block(q.Larg), b.block(q.Rarg)}
	case len(pgItems(q.ValuesLists)) > 0:
		b.values(out, pgItems(q.ValuesLists))
	default:
		b.body(out, q)
	}
	for _, item := range pgItems(q.SortClause) {
		b.fold(out, item)
		if by, ok := item.(*ast.SortBy); ok && by.UseOp == nil {
			out.Order = appendColumn(out.Order, b.term(by.Node))
		}
	}
	if !pgIsNil(q.LimitOffset) || !pgIsNil(q.LimitCount) {
		out.Folds = true
	}
	b.subs(out, q.LimitOffset)
	b.subs(out, q.LimitCount)
	return out
}

// with makes the CTEs of WITH. SEARCH and CYCLE add columns that a CTE can't tell.
func (b *pgBlocks) with(with *ast.WithClause) []CTE {
	if with == nil {
		return nil
	}
	var ctes []CTE
	for _, item := range pgItems(with.Ctes) {
		cte, ok := item.(*ast.CommonTableExpr)
		if !ok || cte.SearchClause != nil || cte.CycleClause != nil {
			b.untold = true
			continue
		}
		out := CTE{Name: pgCut(cte.Ctename), Columns: pgStrings(cte.Aliascolnames), Recursive: with.Recursive}
		if q, ok := cte.Ctequery.(*ast.SelectStmt); ok && q != nil {
			out.Block = b.block(q)
		}
		ctes = append(ctes, out)
	}
	return ctes
}

func (b *pgBlocks) body(out *Block, q *ast.SelectStmt) {
	for i, item := range pgItems(q.FromClause) {
		out.From = b.sources(out, out.From, item, i == 0)
	}
	out.Where = b.cond(q.WhereClause)
	out.Columns = b.outputs(q.TargetList)
	b.subs(out, q.WhereClause)
	for _, clause := range []*ast.NodeList{q.TargetList, q.DistinctClause, q.GroupClause, q.WindowClause} {
		for _, item := range pgItems(clause) {
			b.fold(out, item)
		}
	}
	b.fold(out, q.HavingClause)
	if len(pgItems(q.DistinctClause)) > 0 || len(pgItems(q.WindowClause)) > 0 { // DISTINCT ON; DISTINCT has an empty list
		out.Folds = true
	}
	if len(pgItems(q.GroupClause)) > 0 || !pgIsNil(q.HavingClause) {
		out.Grouped = true
	}
	out.Groups = b.groups(q)
}

// values makes the Block of VALUES, whose columns PostgreSQL calls column1, column2 …
func (b *pgBlocks) values(out *Block, rows []ast.Node) {
	for i, row := range rows {
		list, ok := row.(*ast.NodeList)
		if !ok {
			b.untold = true
			return
		}
		for j, value := range pgItems(list) {
			b.subs(out, value)
			if i == 0 {
				out.Columns = append(out.Columns, Output{Name: pgValuesColumn(j)})
			}
		}
	}
}
