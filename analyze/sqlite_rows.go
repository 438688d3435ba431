package analyze

import (
	"strconv"
	"strings"
)

// A liteRows turns the tree of a SELECT into Blocks.
type liteRows struct {
	doubt bool           // there is something that Blocks can't say
	named map[string]int // when a name stood for a relation last, counted in times
	times int
}

// A liteBlockScope is a block that is being made, and the blocks whose
// columns may be named in it: those around it, if it stands in an expression.
type liteBlockScope struct {
	*liteRows
	outer    *liteBlockScope
	anywhere bool // no block, but the places where a table of a WITH clause is named
	block    *Block
	sources  map[string]bool // aliases in FROM
	results  map[string]bool // aliases of result columns
}

// liteBlock is the Block of a whole statement; ok is false if there is none that says all.
func liteBlock(sel *liteSelect) (b *Block, ok bool) {
	r := &liteRows{named: map[string]int{}}
	b = r.selects(sel, nil)
	return b, !r.doubt
}

// selects makes the Block of a SELECT, in which columns of outer may be named.
func (r *liteRows) selects(sel *liteSelect, outer *liteBlockScope) *Block {
	with := r.with(sel.with, outer)
	s := &liteBlockScope{liteRows: r, outer: outer, block: &Block{With: with}}
	if len(sel.arms) == 1 {
		s.arm(sel.arms[0])
	} else {
		for _, arm := range sel.arms {
			one := &liteBlockScope{liteRows: r, outer: outer, block: &Block{}}
			one.arm(arm)
			s.block.Arms = append(s.block.Arms, one.block)
		}
	}
	s.exprs(sel.order)
	for _, x := range sel.order {
		s.block.Order = appendColumn(s.block.Order, s.term(x))
	}
	s.exprs(sel.limit)
	s.block.Folds = s.block.Folds || len(sel.limit) > 0
	return s.block
}

// with makes the tables of a WITH clause. All see each other; Recursive are those
// that are named before they end.
func (r *liteRows) with(tables []liteCTE, outer *liteBlockScope) []CTE {
	var list []CTE
	start := r.times
	if outer != nil {
		outer = &liteBlockScope{liteRows: r, outer: outer, anywhere: true, block: &Block{}}
	}
	for _, table := range tables {
		c := CTE{Name: table.name, Columns: table.columns, Block: r.selects(table.body, outer)}
		c.Recursive = r.named[c.Name] > start
		list = append(list, c)
	}
	return list
}

// arm fills the block of s with what one SELECT or VALUES says.
func (s *liteBlockScope) arm(a *liteArm) {
	s.sources, s.results = map[string]bool{}, map[string]bool{}
	s.aliases(a.from)
	for _, o := range a.columns {
		s.results[o.alias] = true
	}
	b := s.block
	b.From = s.from(a.from)
	b.Where = s.cond(a.where)
	b.Columns = append(s.outputs(a.columns), liteValues(a.rows)...)
	b.Grouped = len(a.group) > 0 || a.having != nil
	b.Groups = s.groups(a.group)
	for _, row := range a.rows {
		s.exprs(row)
	}
	for _, o := range a.columns {
		s.expr(o.expr)
	}
	s.expr(a.where)
	s.exprs(a.group)
	s.expr(a.having)
	s.exprs(a.windows)
}

// groups are the columns of GROUP BY that are not also the alias of a result.
func (s *liteBlockScope) groups(list []*liteExpr) []Term {
	var groups []Term
	for _, x := range list {
		t := s.term(x)
		if t.Kind == Column && !(t.Table == Name{} && s.results[t.Text]) {
			groups = append(groups, t)
		}
	}
	return groups
}

// aliases notes the names that a FROM clause gives to its sources.
func (s *liteBlockScope) aliases(list []*liteSource) {
	for _, source := range list {
		if alias := liteAlias(source.alias, source.name); alias != "" {
			s.sources[alias] = true
		}
		s.aliases(source.nested)
	}
}

// liteAlias is the name by which the columns of a relation can be qualified.
func liteAlias(alias string, n Name) string {
	if alias != "" {
		return alias
	}
	return n.Name
}

func (s *liteBlockScope) from(list []*liteSource) []Source {
	var sources []Source
	for _, x := range list {
		sources = append(sources, s.source(x))
		s.expr(x.on)
	}
	return sources
}

func (s *liteBlockScope) source(x *liteSource) Source {
	source := Source{Alias: liteAlias(x.alias, x.name), Join: x.join, Natural: x.natural, Using: x.using, On: s.cond(x.on)}
	switch {
	case x.sub != nil:
		source.Sub = s.selects(x.sub, s.outer)
	case x.nested != nil:
		// An alias hides, or doesn't hide, the names inside.
		s.doubt = s.doubt || x.alias != "" || len(x.nested) == 1 && x.nested[0].alias != ""
		source.Nested = s.from(x.nested)
	case x.call:
		s.exprs(x.args)
	default:
		source.Relation = x.name
		s.times++
		if x.name.Schema == "" {
			s.named[x.name.Name] = s.times
		}
	}
	return source
}

func (s *liteBlockScope) outputs(list []liteOutput) []Output {
	var outputs []Output
	for _, o := range list {
		if o.expr.op == liteStar {
			outputs = append(outputs, Output{Star: true, Term: Term{Table: o.expr.qualifier}})
			continue
		}
		output := Output{Name: o.alias, Term: s.term(o.expr), Aggregate: o.expr.op == liteCall && !o.expr.window && !liteScalar(o.expr)}
		if output.Name == "" {
			output.Name = liteOwnName(o.expr)
		}
		outputs = append(outputs, output)
	}
	return outputs
}

// liteOwnName is the name of a result column without an alias, "" if SQLite
// makes it of the text.
func liteOwnName(x *liteExpr) string {
	for {
		switch {
		case x.op == liteColumn:
			return x.text
		case x.op == liteOperate && (x.text == "()" || strings.HasPrefix(x.text, "collate ")):
			x = x.args[0]
		default:
			return ""
		}
	}
}

// liteValues are the columns of VALUES.
func liteValues(rows [][]*liteExpr) []Output {
	if len(rows) == 0 {
		return nil
	}
	outputs := make([]Output, len(rows[0]))
	for i, x := range rows[0] {
		outputs[i].Name = "column" + strconv.Itoa(i+1)
		if len(rows) == 1 {
			outputs[i].Term = liteConstantTerm(x)
		}
	}
	return outputs
}

// A liteNaming says whose columns an expression names: surely one of the block's own,
// perhaps one of a block around it.
type liteNaming struct{ own, other bool }

func (n *liteNaming) add(m liteNaming) { n.own, n.other = n.own || m.own, n.other || m.other }

func (s *liteBlockScope) exprs(list []*liteExpr) (names liteNaming) {
	for _, x := range list {
		names.add(s.expr(x))
	}
	return names
}

// expr takes from an expression what isn't a condition: subqueries, aggregates, windows.
func (s *liteBlockScope) expr(x *liteExpr) (names liteNaming) {
	if x == nil {
		return names
	}
	names.add(s.exprs(x.args))
	names.add(s.exprs(x.more))
	if x.op == liteColumn {
		names.add(liteNaming{s.sources[x.qualifier.Name], !s.sources[x.qualifier.Name]})
	}
	if x.op == liteCall {
		s.call(x, names)
	}
	if x.sub != nil {
		s.block.Subs = append(s.block.Subs, s.selects(x.sub, s))
		names.other = true
	}
	if x.source != nil {
		all := &liteBlockScope{liteRows: s.liteRows, outer: s, block: &Block{}}
		all.arm(&liteArm{columns: []liteOutput{{expr: &liteExpr{op: liteStar}}}, from: []*liteSource{x.source}})
		s.block.Subs = append(s.block.Subs, all.block)
		names.other = true
	}
	return names
}

// call notes what a call that may be an aggregate does to its block. SQLite counts an
// aggregate that names only columns of blocks around it to the innermost of these.
func (s *liteBlockScope) call(x *liteExpr, names liteNaming) {
	if x.window {
		s.block.Folds = true
		return
	}
	if liteScalar(x) {
		return
	}
	s.block.Grouped = true
	if names.own || !names.other {
		return
	}
	for outer := s.outer; outer != nil; outer = outer.outer {
		outer.block.Grouped = true
	}
}

// liteScalar reports whether x calls a function of SQLite's own that is no aggregate.
func liteScalar(x *liteExpr) bool {
	switch {
	case x.text == "min", x.text == "max":
		return len(x.args) > 1
	case liteAggregates[x.text]:
		return false
	}
	return SQLiteDeterministic(x.text) || liteVolatile[x.text] || liteSessionFunctions[x.text]
}

// foreign reports whether x may name a column of a block that its text isn't in. SQLite
// resolves the body of a common table where the table is named: what isn't of
// its own sources may then be of any block around that place. Where the text has no block around
// the WITH clause either, no such name is found.
func (s *liteBlockScope) foreign(x *liteExpr) bool {
	for ; s != nil; s = s.outer {
		if s.anywhere {
			return true
		}
		if s.sources[x.qualifier.Name] {
			return false
		}
	}
	return false
}

// hides reports whether a name may be the alias of a result column rather than a column of a
// block around it. Where there is none around, it may only be a column, or nothing
// that sources have.
func (s *liteBlockScope) hides(name string) bool {
	for ; s.outer != nil; s = s.outer {
		if s.results[name] {
			return true
		}
	}
	return false
}
