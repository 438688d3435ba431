package analyze

import (
	"slices"
	"strings"
)

// change is the Change of c, which has been read to its end; nil if the text doesn't tell
// the rows.
func (p *liteParser) change(c *liteChange) *Change {
	if len(c.with) > 0 || len(c.from) > 0 || liteConflicts[c.conflict] || liteSystemTable(c.target.Name) {
		return nil
	}
	switch c.op {
	case Insert:
		return p.inserted(c)
	case Update, Delete:
		return p.changed(c)
	}
	return nil
}

// liteConflicts are the words after OR by which other rows, or not all rows, change.
var liteConflicts = wordSet("replace rollback fail")

func (p *liteParser) inserted(c *liteChange) *Change {
	scope := &liteBlockScope{}
	change := &Change{Op: Insert, Target: c.target, Alias: liteAlias(c.alias, c.target), Columns: c.columns, Returning: scope.outputs(c.returning)}
	switch {
	case len(setOf(c.columns)) < len(c.columns):
		return nil // which value of a column that is named twice is taken depends on the version
	case c.rows == nil:
		change.Columns, change.Rows = []string{}, [][]Term{{}}
	case len(c.rows.with) > 0 || len(c.rows.arms) > 1 || c.rows.arms[0].rows == nil || len(c.rows.order) > 0 || len(c.rows.limit) > 0:
		return nil
	default:
		change.Rows = liteInserted(c.rows.arms[0].rows)
	}
	if len(c.returning) == 0 {
		change.Append = p.tokens[len(p.tokens)-1].end
	}
	return change
}

// liteInserted are the values of VALUES, in which no column can be named: TRUE is 1.
func liteInserted(rows [][]*liteExpr) [][]Term {
	terms := make([][]Term, len(rows))
	for i, row := range rows {
		for _, x := range row {
			t := liteConstantTerm(x)
			if x.isBoolean() {
				t = Term{Kind: Number, Text: map[string]string{"true": "1", "false": "0"}[x.text]}
			}
			terms[i] = append(terms[i], t)
		}
	}
	return terms
}

// changed is the Change of an UPDATE or DELETE.
func (p *liteParser) changed(c *liteChange) *Change {
	scope := &liteBlockScope{}
	change := &Change{
		Op: c.op, Target: c.target, Alias: liteAlias(c.alias, c.target),
		Set: scope.assignments(c.set), Where: scope.cond(c.where), Returning: scope.outputs(c.returning),
	}
	if c.conflict == "ignore" || len(c.order) > 0 || len(c.limit) > 0 || !liteRepeatable(c.where) {
		return change
	}
	if text, args, ok := p.repeated(c); ok {
		change.Repeatable, change.From, change.Condition, change.Args = true, c.targetText, text, args
		if n := len(c.condition); n > 0 {
			change.Span = [2]int{c.condition[0].at, c.condition[n-1].end}
		}
	}
	return change
}

// assignments are those of SET, one a column. SQLite takes the last one to a column.
func (s *liteBlockScope) assignments(list []liteAssignment) []Assignment {
	var set []Assignment
	index := map[string]int{}
	for _, a := range list {
		for i, column := range a.columns {
			value := s.assigned(a, i)
			if at, again := index[column]; again {
				set[at].Value = value
				continue
			}
			index[column] = len(set)
			set = append(set, Assignment{column, value})
		}
	}
	return set
}

// assigned is the value for the column of index i.
func (s *liteBlockScope) assigned(a liteAssignment, i int) Term {
	switch {
	case len(a.columns) == 1:
		return s.term(a.value)
	case a.value.isRow() && len(a.value.args) == len(a.columns):
		return s.term(a.value.args[i])
	}
	return Term{}
}

var liteRepeatableOps = wordSet(`() row and or not = <> < <= > >= is isnull notnull
	between in case cast + - * / % & | << >> ||`)

var liteCollations = wordSet("binary nocase rtrim")

// liteRepeatable reports whether x is the same when it is computed twice in a transaction: it
// calls nothing that a program may have defined and reads nothing but its row.
func liteRepeatable(x *liteExpr) bool {
	switch {
	case x == nil, x.op == liteLiteral, x.op == liteBind, x.op == liteColumn:
		return true
	case x.op != liteOperate || x.sub != nil || x.source != nil || !liteRepeatableOp(x.text):
		return false
	}
	return !slices.ContainsFunc(x.args, func(arg *liteExpr) bool { return !liteRepeatable(arg) })
}

func liteRepeatableOp(op string) bool {
	if collation, ok := strings.CutPrefix(op, "collate "); ok {
		return liteCollations[collation]
	}
	op = strings.TrimPrefix(op, "not ")
	op = strings.TrimSuffix(strings.TrimPrefix(op, "unary "), " not")
	return liteRepeatableOps[op] || op == "~"
}

// repeated is the text of a condition for a statement of its own, and its arguments. Parameters
// without a name are numbered anew; a name stays, with one argument.
func (p *liteParser) repeated(c *liteChange) (text string, args []Term, ok bool) {
	if len(c.condition) == 0 {
		return "", nil, true
	}
	var b strings.Builder
	at, end := c.condition[0].at, c.condition[len(c.condition)-1].end
	named := map[string]bool{}
	for _, t := range c.condition {
		if t.kind != liteParam {
			continue
		}
		if t.number == 0 {
			return "", nil, false
		}
		name := liteParamName(t.text)
		if name == "" {
			b.WriteString(p.text[at:t.at] + "?")
			at = t.end
		}
		if !named[t.text] || name == "" {
			args = append(args, Term{Kind: Param, Param: t.number, Text: name})
		}
		named[t.text] = true
	}
	return b.String() + p.text[at:end], args, true
}
