package analyze

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// A mysqlRows makes Blocks of a parsed statement.
type mysqlRows struct {
	params map[int]int // numbers of the parameters by where they stand in the parsed text
	pipes  bool        // it has ||: OR or, as sql_mode says, concatenation
	hex    bool        // it has 0x…, which can't be told from X'…' in the tree
	unsure bool        // it has what the blocks made of it can't say
}

func newMySQLRows(p mysqlParsed) *mysqlRows {
	r := &mysqlRows{params: mysqlParams(p.tokens)}
	for i, t := range p.tokens {
		r.pipes = r.pipes || t.is("|") && i > 0 && p.tokens[i-1].is("|")
		r.hex = r.hex || t.kind == mysqlWord && strings.HasPrefix(t.upper, "0X")
	}
	return r
}

// mysqlParams are the numbers of the parameters among tokens, by where they stand in
// what mysqlRender makes of them.
func mysqlParams(tokens []mysqlToken) map[int]int {
	var params map[int]int
	if !mysqlHas(tokens, "?") {
		return nil
	}
	params = map[int]int{}
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && t.gap {
			b.WriteByte(' ')
		}
		if t.is("?") && t.param > 0 {
			params[b.Len()] = t.param
		}
		t.render(&b)
	}
	return params
}

// rows tells which rows decide about the result of a read: nil if not all places are
// named at which the walk has met relations, or if a name among them may be that of a CTE.
func (w *mysqlWalk) rows(p mysqlParsed) *Block {
	if p.removed.conditions || p.closedUp || w.doubtful {
		return nil
	}
	r := newMySQLRows(p)
	b := r.query(p.node, nil)
	if r.unsure || !slices.Equal(mysqlSorted(w.places), mysqlSorted(mysqlNamed(b))) {
		return nil
	}
	return b
}

func mysqlSorted[K comparable](places map[K]Name) []string {
	names := make([]string, 0, len(places))
	for _, n := range places {
		names = append(names, n.Schema+"\x00"+n.Name)
	}
	slices.Sort(names)
	return names
}

// mysqlNamed are the places at which b and all that is in it names relations.
func mysqlNamed(b *Block) map[*Source]Name {
	places := map[*Source]Name{}
	mysqlNames(b, nil, places)
	return places
}

// mysqlNames adds to places those of b, in which the names bound are CTEs.
func mysqlNames(b *Block, bound []string, places map[*Source]Name) {
	if b == nil {
		return
	}
	bound = slices.Clip(bound)
	for _, c := range b.With {
		if c.Recursive {
			bound = append(bound, c.Name)
		}
	}
	for _, c := range b.With {
		mysqlNames(c.Block, bound, places)
		if !c.Recursive {
			bound = append(slices.Clip(bound), c.Name)
		}
	}
	mysqlNamesIn(b.From, bound, places)
	for _, sub := range slices.Concat(b.Arms, b.Subs) {
		mysqlNames(sub, bound, places)
	}
}

func mysqlNamesIn(sources []Source, bound []string, places map[*Source]Name) {
	for i := range sources {
		s := &sources[i]
		if s.Relation != (Name{}) && (s.Relation.Schema != "" || !slices.Contains(bound, s.Relation.Name)) {
			places[s] = s.Relation
		}
		mysqlNames(s.Sub, bound, places)
		mysqlNamesIn(s.Nested, bound, places)
	}
}

// A mysqlQuery is one block in the making. Its expressions are visited for what they
// hold: subqueries, aggregates, windows.
type mysqlQuery struct {
	*mysqlRows
	*Block
	outers []*Block // whose columns its expressions may use, too

	// The parser and the servers disagree on what an uneven join joins (NATURAL, USING, RIGHT)
	// beside a STRAIGHT_JOIN without condition.
	straight, uneven bool
}

// query makes the block of a query that may use the columns of outers.
func (r *mysqlRows) query(n ast.Node, outers []*Block) *Block {
	q := &mysqlQuery{mysqlRows: r, Block: &Block{}, outers: outers}
	switch x := n.(type) {
	case *ast.SubqueryExpr:
		return r.query(x.Query, outers)
	case *ast.SelectStmt:
		q.selects(x)
	case *ast.SetOprStmt:
		q.with(x.With)
		q.unites(x.SelectList)
		q.ends(x.OrderBy, x.Limit)
	case *ast.SetOprSelectList:
		q.unites(x)
		if len(q.With) == 0 && x.OrderBy == nil && x.Limit == nil && len(q.Arms) == 1 {
			return q.Arms[0] // a query in parentheses
		}
	default:
		r.unsure = true
	}
	return q.Block
}

// unites adds the queries that UNION and the like put together.
func (q *mysqlQuery) unites(x *ast.SetOprSelectList) {
	if only, ok := x.Selects[0].(*ast.SelectStmt); !ok || len(x.Selects) > 1 || only.With != x.With {
		q.with(x.With)
	} // else the WITH stands in both nodes of a query in parentheses
	for _, arm := range x.Selects {
		q.Arms = append(q.Arms, q.query(arm, q.outers))
	}
	q.ends(x.OrderBy, x.Limit)
}

func (q *mysqlQuery) selects(x *ast.SelectStmt) {
	q.with(x.With)
	if x.From != nil {
		q.From = q.sources(x.From.TableRefs)
	}
	q.Where = q.condition(x.Where)
	if x.Fields != nil {
		q.Columns = q.outputs(x.Fields.Fields)
		for _, f := range x.Fields.Fields {
			q.visit(f.Expr)
		}
	}
	q.visit(x.Where)
	q.groups(x)
	for _, row := range x.Lists {
		q.Columns = make([]Output, len(row.Values))
		q.visit(row)
	}
	for i := range x.WindowSpecs {
		q.Folds = true
		x.WindowSpecs[i].Accept(q)
	}
	q.Folds = q.Folds || x.SelectStmtOpts != nil && x.CalcFoundRows
	q.ends(x.OrderBy, x.Limit)
}

// groups reads GROUP BY and HAVING. A name in GROUP BY that may be an alias is left out.
func (q *mysqlQuery) groups(x *ast.SelectStmt) {
	if x.GroupBy != nil {
		q.Grouped = true
		for _, item := range x.GroupBy.Items {
			q.visit(item.Expr)
			if t := q.term(item.Expr); t.Kind == Column && !x.GroupBy.Rollup && !q.renames(t) {
				q.Groups = append(q.Groups, t)
			}
		}
	}
	if x.Having != nil {
		q.Grouped = true
		q.visit(x.Having.Expr)
	}
}

// renames reports whether the block gives the name of a column to something else.
func (q *mysqlQuery) renames(t Term) bool {
	return t.Table == (Name{}) && slices.ContainsFunc(q.Columns, func(o Output) bool {
		return strings.EqualFold(o.Name, t.Text) && !(o.Term.Kind == Column && strings.EqualFold(o.Term.Text, t.Text))
	})
}

func (q *mysqlQuery) ends(order *ast.OrderByClause, limit *ast.Limit) {
	if order != nil {
		order.Accept(q)
		for _, item := range order.Items {
			q.Order = appendColumn(q.Order, q.term(item.Expr))
		}
	}
	if limit != nil {
		q.Folds = true
		limit.Accept(q)
	}
}

func (q *mysqlQuery) with(with *ast.WithClause) {
	if with == nil {
		return
	}
	for _, cte := range with.CTEs {
		c := CTE{Name: cte.Name.O, Recursive: with.IsRecursive, Block: q.query(cte.Query, q.outers)}
		for _, name := range cte.ColNameList {
			c.Columns = append(c.Columns, name.O)
		}
		q.With = append(q.With, c)
	}
}

// outputs are the columns of a list of SELECT or RETURNING. The database names those that
// are no columns by their text, strings by their value.
func (r *mysqlRows) outputs(fields []*ast.SelectField) []Output {
	outputs := make([]Output, 0, len(fields))
	for _, f := range fields {
		if f.WildCard != nil {
			table := Name{Schema: f.WildCard.Schema.O, Name: f.WildCard.Table.O}
			outputs = append(outputs, Output{Star: true, Term: Term{Table: table}})
			continue
		}
		o := Output{Name: f.AsName.O}
		_, o.Aggregate = f.Expr.(*ast.AggregateFuncExpr)
		if t := r.term(f.Expr); t.Kind == Column {
			o.Term = t
			if o.Name == "" {
				o.Name = t.Text
			}
		}
		outputs = append(outputs, o)
	}
	return outputs
}

// visit looks for what an expression holds.
func (q *mysqlQuery) visit(e ast.ExprNode) {
	if e != nil {
		e.Accept(q)
	}
}

// inner are the blocks whose columns a subquery in an expression may use.
func (q *mysqlQuery) inner() []*Block { return append(slices.Clip(q.outers), q.Block) }

// Enter looks at a part of an expression.
func (q *mysqlQuery) Enter(n ast.Node) (ast.Node, bool) {
	switch x := n.(type) {
	case *ast.SubqueryExpr:
		q.Subs = append(q.Subs, q.query(x.Query, q.inner()))
		return n, true
	case *ast.AggregateFuncExpr:
		q.aggregates(x.Args)
	case *ast.FuncCallExpr:
		if !mysqlScalar(x) {
			q.aggregates(x.Args)
		}
	case *ast.WindowFuncExpr:
		q.Folds = true
	case *ast.VariableExpr:
		q.Folds = q.Folds || x.Value != nil
	}
	return n, false
}

// Leave does nothing.
func (q *mysqlQuery) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// aggregates notes an aggregate. One of columns that may all be those of outer blocks
// may count the rows of these.
func (q *mysqlQuery) aggregates(args []ast.ExprNode) {
	q.Grouped = true
	for _, arg := range args {
		c := &mysqlAggregated{}
		arg.Accept(c)
		if c.subquery || len(c.columns) > 0 && !slices.ContainsFunc(c.columns, q.owns) {
			for _, outer := range q.outers {
				outer.Grouped = true
			}
		}
	}
}

// owns reports whether the text shows that a column is one of the block's sources.
func (q *mysqlQuery) owns(c *ast.ColumnName) bool { return mysqlOwns(q.From, c.Table.O) }

func mysqlOwns(sources []Source, table string) bool {
	return table != "" && slices.ContainsFunc(sources, func(s Source) bool {
		return strings.EqualFold(s.Alias, table) || mysqlOwns(s.Nested, table)
	})
}

// A mysqlAggregated looks for what an aggregate is of.
type mysqlAggregated struct {
	columns  []*ast.ColumnName
	subquery bool
}

func (c *mysqlAggregated) Enter(n ast.Node) (ast.Node, bool) {
	switch x := n.(type) {
	case *ast.ColumnName:
		c.columns = append(c.columns, x)
	case *ast.SubqueryExpr:
		c.subquery = true
		return n, true
	}
	return n, false
}

func (c *mysqlAggregated) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// mysqlScalar reports whether a call is surely no aggregate: a function of the server's
// own that isn't one. One that users have loaded may be.
func mysqlScalar(x *ast.FuncCallExpr) bool {
	name := strings.ToLower(x.FnName.O)
	if strings.HasPrefix(name, "'tidb`") {
		return true // a literal: DATE '2020-01-01'
	}
	name = strings.TrimSuffix(name, "_func") // the parser's insert_func, char_func
	return x.Schema.O == "" && Builtin(MySQL, name) && !mysqlAggregates[name]
}

// mysqlAggregates are the server's own aggregates, and what is used like them.
var mysqlAggregates = mysqlSet(`any_value avg bit_and bit_or bit_xor count cume_dist dense_rank first_value group_concat
	grouping json_arrayagg json_objectagg lag last_value lead max median min nth_value ntile percent_rank
	percentile_cont percentile_disc rank row_number st_collect std stddev stddev_pop stddev_samp sum values var_pop
	var_samp variance`)
