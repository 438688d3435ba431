package analyze

import "slices"

// Forms that the parser doesn't know and that can be taken out of a text, or
// replaced, so that what it reads, writes and calls stays the same. They apply
// only to texts that can't be parsed as they are.

// mysqlRewrite returns tokens without such forms.
func mysqlRewrite(tokens []mysqlToken) ([]mysqlToken, mysqlRemoved) {
	r := &mysqlRewriter{in: tokens}
	for r.at < len(r.in) {
		if !r.form() {
			r.out = append(r.out, r.in[r.at])
			r.at++
		}
	}
	return r.out, r.removed
}

type mysqlRewriter struct {
	in, out []mysqlToken
	at      int
	removed mysqlRemoved
}

// form rewrites the form that begins at the next token, if any does.
func (r *mysqlRewriter) form() bool {
	t := r.in[r.at]
	if t.kind != mysqlWord || mysqlAfterDot(r.in, r.at) {
		return false
	}
	switch t.upper {
	case "COLLATE":
		return r.collate()
	case "AS":
		return r.rowAlias()
	case "JSON_TABLE":
		return r.jsonTable()
	case "RETURNING":
		return r.jsonValue()
	case "FOR":
		return r.systemTime()
	case "PREVIOUS":
		return r.previousValue()
	case "SOUNDS":
		return r.soundsLike()
	case "INTO":
		return r.into()
	case "OFFSET", "FETCH":
		return r.fetch()
	case "MINUS":
		return r.minus()
	case "NOWAIT", "WAIT", "SKIP":
		return r.wait()
	}
	return r.plainWord(t)
}

func (r *mysqlRewriter) peek(n int) mysqlToken {
	if r.at+n < len(r.in) {
		return r.in[r.at+n]
	}
	return mysqlToken{kind: mysqlPunct}
}

// isSeq reports whether the next tokens are words.
func (r *mysqlRewriter) isSeq(words ...string) bool {
	for i, w := range words {
		if !r.peek(i).is(w) {
			return false
		}
	}
	return true
}

// collate drops COLLATE name: the parser knows only the collations of TiDB.
func (r *mysqlRewriter) collate() bool {
	if k := r.peek(1).kind; k == mysqlPunct {
		return false
	}
	r.at += 2
	r.removed.conditions = true
	return true
}

// rowAlias drops the alias of the new row: VALUES (…) AS new (a, b) ON DUPLICATE.
func (r *mysqlRewriter) rowAlias() bool {
	if !r.in[0].is("INSERT") || mysqlHas(r.out, "SELECT", "TABLE") || r.peek(1).kind == mysqlString {
		return false
	}
	end := r.at + 2
	if end < len(r.in) && r.in[end].is("(") {
		end = mysqlClose(r.in, end) + 1
	}
	if end <= 0 || end < len(r.in) && !r.in[end].is("ON") {
		return false
	}
	r.at = end
	return true
}

// jsonTable makes JSON_TABLE(doc, path COLUMNS (…)) a derived table (SELECT doc).
func (r *mysqlRewriter) jsonTable() bool {
	if !r.peek(1).is("(") {
		return false
	}
	end := mysqlClose(r.in, r.at+1)
	if end < 0 {
		return false
	}
	args := r.in[r.at+2 : end]
	comma := mysqlFind(args, ",")
	if comma < 0 || mysqlHas(args[comma:], "SELECT", "WITH", "VALUES", "@") || !mysqlHas(args[comma:], "COLUMNS") {
		return false
	}
	r.out = append(r.out, mysqlToken{kind: mysqlPunct, text: "(", gap: true}, mysqlKeyword("SELECT"))
	for i, t := range args[:comma] {
		t.gap = t.gap || i == 0
		r.out = append(r.out, t)
	}
	r.out = append(r.out, mysqlKeyword("AS"), mysqlToken{kind: mysqlName, text: mysqlJSONTable, gap: true}, r.in[end])
	r.at = end + 1
	r.removed.jsonTable = true
	return true
}

// jsonValue drops from JSON_VALUE(doc, path RETURNING type …) all after the path.
func (r *mysqlRewriter) jsonValue() bool {
	open := -1
	for i, depth := len(r.out)-1, 0; i > 0 && open < 0; i-- {
		switch {
		case r.out[i].is(")"):
			depth++
		case r.out[i].is("(") && depth > 0:
			depth--
		case r.out[i].is("("):
			open = i
		}
	}
	if open < 1 || !r.out[open-1].is("JSON_VALUE") {
		return false
	}
	end := mysqlFindClose(r.in, r.at)
	if end < 0 || mysqlHas(r.in[r.at:end], "SELECT", "@", "WITH") {
		return false
	}
	r.at = end
	return true
}

// mysqlFindClose is the place of the parenthesis that closes what is open at i.
func mysqlFindClose(tokens []mysqlToken, i int) int {
	for depth := 0; i < len(tokens); i++ {
		switch {
		case tokens[i].is("("):
			depth++
		case tokens[i].is(")"):
			if depth--; depth < 0 {
				return i
			}
		}
	}
	return -1
}

// systemTime drops FOR SYSTEM_TIME with literal bounds: the history is kept in
// the same table.
func (r *mysqlRewriter) systemTime() bool {
	if !r.isSeq("FOR", "SYSTEM_TIME") {
		return false
	}
	c := mysqlCursor{tokens: r.in, at: r.at + 2}
	ok := c.accept("ALL") ||
		c.accept("AS", "OF") && c.timeBound() ||
		c.accept("BETWEEN") && c.timeBound() && c.accept("AND") && c.timeBound() ||
		c.accept("FROM") && c.timeBound() && c.accept("TO") && c.timeBound()
	if ok {
		r.at = c.at
		r.removed.conditions = true
	}
	return ok
}

// timeBound takes [TIMESTAMP | TRANSACTION] and a literal or a parameter.
func (c *mysqlCursor) timeBound() bool {
	c.skipAny("TIMESTAMP", "TRANSACTION", "DATE")
	t := c.next()
	isNumber := t.kind == mysqlWord && t.text[0] >= '0' && t.text[0] <= '9'
	return t.kind == mysqlString || t.is("?") || isNumber
}

// previousValue makes PREVIOUS VALUE FOR s the call LASTVAL(s).
func (r *mysqlRewriter) previousValue() bool {
	if !r.isSeq("PREVIOUS", "VALUE", "FOR") {
		return false
	}
	c := mysqlCursor{tokens: r.in, at: r.at + 3}
	if _, ok := c.name(); !ok {
		return false
	}
	r.out = append(r.out, mysqlKeyword("LASTVAL"), mysqlToken{kind: mysqlPunct, text: "("})
	r.out = append(r.out, r.in[r.at+3:c.at]...)
	r.out = append(r.out, mysqlToken{kind: mysqlPunct, text: ")"})
	r.at = c.at
	return true
}

// soundsLike makes a SOUNDS LIKE b a comparison.
func (r *mysqlRewriter) soundsLike() bool {
	if !r.isSeq("SOUNDS", "LIKE") {
		return false
	}
	r.out = append(r.out, mysqlKeyword("LIKE"))
	r.at += 2
	return true
}

// into drops INTO @a, @b and INTO DUMPFILE 'x' of a SELECT.
func (r *mysqlRewriter) into() bool {
	if !r.in[0].is("SELECT", "WITH", "(", "TABLE", "VALUES") {
		return false
	}
	if r.peek(1).is("DUMPFILE") && r.peek(2).kind == mysqlString {
		r.at += 3
		r.removed.intoFile = true
		return true
	}
	c := mysqlCursor{tokens: r.in, at: r.at + 1}
	for {
		if !c.accept("@") || c.peek(0).kind == mysqlPunct {
			return false
		}
		c.at++
		if !c.accept(",") {
			break
		}
	}
	r.at = c.at
	r.removed.intoVars = true
	return true
}

// fetch drops OFFSET n ROWS and FETCH FIRST n ROWS ONLY | WITH TIES.
func (r *mysqlRewriter) fetch() bool {
	c := mysqlCursor{tokens: r.in, at: r.at}
	switch {
	case c.accept("OFFSET"):
		c.at++
		if !c.peek(0).is("ROW", "ROWS") {
			return false
		}
		c.at++
	case c.accept("FETCH"):
		c.at++
		if !c.peek(0).is("ROW", "ROWS") {
			c.at++
		}
		if c.skipAny("ROW", "ROWS"); !c.accept("ONLY") && !c.accept("WITH", "TIES") {
			return false
		}
	}
	r.at = c.at
	r.removed.conditions = true
	return true
}

// minus makes MINUS the EXCEPT that it is in Oracle mode.
func (r *mysqlRewriter) minus() bool {
	if !r.peek(1).is("SELECT", "(") {
		return false
	}
	r.out = append(r.out, mysqlKeyword("EXCEPT"))
	r.at++
	return true
}

// wait drops how long a locking read waits, where the parser doesn't know it.
func (r *mysqlRewriter) wait() bool {
	if len(r.out) == 0 || !r.out[len(r.out)-1].is("MODE") {
		return false
	}
	switch {
	case r.isSeq("SKIP", "LOCKED"), r.isSeq("WAIT"):
		r.at += 2
	default:
		r.at++
	}
	return true
}

// mysqlPlainWords are keywords for the parser that are names on some servers.
var mysqlPlainWords = []string{
	"RANK", "DENSE_RANK", "ROW_NUMBER", "CUME_DIST", "PERCENT_RANK", "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE",
	"NTILE", "LAG", "LEAD", "GROUPS", "SYSTEM", "FUNCTION", "EMPTY", "CUBE", "OF", "LATERAL", "WINDOW", "ILIKE",
	"TIDB", "ARRAY", "STATS_EXTENDED", "TABLESAMPLE", "EXCEPT", "INTERSECT", "RECURSIVE", "MANUAL", "PARALLEL",
}

// plainWord quotes a word that is a keyword for the parser, but stands where
// only a name can.
func (r *mysqlRewriter) plainWord(t mysqlToken) bool {
	if !slices.Contains(mysqlPlainWords, t.upper) || !mysqlEndsName(r.peek(1)) || len(r.out) == 0 || !mysqlBeforeName(r.out[len(r.out)-1]) {
		return false
	}
	t.kind = mysqlName
	r.out = append(r.out, t)
	r.at++
	return true
}

// mysqlEndsName reports whether t can't go on a clause that a keyword begins.
func mysqlEndsName(t mysqlToken) bool {
	return t.kind == mysqlPunct && !t.is("(", "@") || t.is("FROM", "AS", "IS", "IN", "LIKE", "AND", "OR", "DESC", "ASC", "BETWEEN", "NOT", "LIMIT")
}

// mysqlBeforeName reports whether a name may follow t where an operand stands.
func mysqlBeforeName(t mysqlToken) bool {
	return t.kind == mysqlPunct && !t.is(")", "@", "?") || t.is("SELECT", "WHERE", "AND", "OR", "NOT", "BY", "DISTINCT", "AS", "ON", "HAVING", "SET", "WHEN", "THEN", "ELSE")
}

// mysqlCloseUp takes the spaces from before parentheses, which hide calls of
// built-in functions from the parser unless sql_mode has IGNORE_SPACE.
func mysqlCloseUp(tokens []mysqlToken) []mysqlToken {
	closed := slices.Clone(tokens)
	for i := 1; i < len(closed); i++ {
		if closed[i].is("(") && closed[i-1].kind == mysqlWord {
			closed[i].gap = false
		}
	}
	return closed
}
