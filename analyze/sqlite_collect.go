package analyze

import "strings"

// A liteCollector gathers into a Statement what a tree reads and calls.
type liteCollector struct {
	s      *Statement
	places int  // at which relations are read
	clock  bool // a literal that a date function takes for the clock or the time zone is somewhere
	dates  string
}

// A liteScope holds the names of one WITH clause and those around it.
type liteScope struct {
	outer *liteScope
	names []string
}

// bound reports whether name is a table of a WITH clause. A name with a schema
// never is.
func (sc *liteScope) bound(n Name) bool {
	for ; sc != nil && n.Schema == ""; sc = sc.outer {
		for _, name := range sc.names {
			if name == n.Name {
				return true
			}
		}
	}
	return false
}

// liteRead fills s with what a SELECT does.
func liteRead(s *Statement, sel *liteSelect) {
	s.Kind, s.ReturnsRows = Read, true
	c := &liteCollector{s: s}
	c.selects(sel, nil)
	c.finish()
	if b, ok := liteBlock(sel); ok && len(litePlaces(b)) == c.places {
		s.Rows = b
	}
	if len(s.Reads) == 0 {
		c.because(NoRelation, "")
	}
}

// modify fills s with what an INSERT, UPDATE or DELETE does, which read reads.
func (p *liteParser) modify(s *Statement, with []liteCTE, read func(*liteChange)) {
	change := &liteChange{with: with}
	read(change)
	s.Kind, s.Reason, s.ReturnsRows = Modify, NotRead, len(change.returning) > 0
	c := &liteCollector{s: s}
	c.change(change)
	if s.Kind == Modify {
		s.Change = p.change(change)
	}
}

func (c *liteCollector) change(change *liteChange) {
	scope := c.with(change.with, nil)
	c.writes(change)
	if change.reads {
		c.s.Reads = addOnce(c.s.Reads, change.target)
	}
	if change.rows != nil {
		c.selects(change.rows, scope)
	}
	c.sources(change.from, scope)
	c.exprs(change.upsert, scope)
	for _, a := range change.set {
		c.expr(a.value, scope)
	}
	c.expr(change.where, scope)
	c.outputs(change.returning, scope)
	c.exprs(change.order, scope)
	c.exprs(change.limit, scope)
}

// writes adds what change writes. Who writes the schema's own table by hand
// may change anything.
func (c *liteCollector) writes(change *liteChange) {
	c.s.addWrite(Write{Relation: change.target, Op: change.op})
	if liteSchemaTables[change.target.Name] {
		c.s.Kind, c.s.WritesAll = Schema, true
	}
}

// because gives the reason why the rows can't be cached; the first one stays.
func (c *liteCollector) because(r Reason, detail string) {
	if c.s.Reason == Cacheable {
		c.s.Reason, c.s.Detail = r, detail
	}
}

// finish judges what only the whole statement shows: a date function takes
// 'now' for the clock and 'localtime' for this process' zone, and may get them
// from a subquery as well as from its own arguments.
func (c *liteCollector) finish() {
	if c.clock && c.dates != "" {
		c.because(Volatile, c.dates+"()")
	}
}

func (c *liteCollector) with(tables []liteCTE, outer *liteScope) *liteScope {
	if len(tables) == 0 {
		return outer
	}
	scope := &liteScope{outer: outer}
	for _, table := range tables {
		scope.names = append(scope.names, table.name)
	}
	for _, table := range tables {
		c.selects(table.body, scope)
	}
	return scope
}

func (c *liteCollector) selects(sel *liteSelect, outer *liteScope) {
	scope := c.with(sel.with, outer)
	for _, arm := range sel.arms {
		for _, row := range arm.rows {
			c.exprs(row, scope)
		}
		c.outputs(arm.columns, scope)
		c.sources(arm.from, scope)
		c.expr(arm.where, scope)
		c.exprs(arm.group, scope)
		c.expr(arm.having, scope)
		c.exprs(arm.windows, scope)
	}
	c.exprs(sel.order, scope)
	c.exprs(sel.limit, scope)
}

func (c *liteCollector) outputs(list []liteOutput, scope *liteScope) {
	for _, o := range list {
		c.expr(o.expr, scope)
	}
}

func (c *liteCollector) sources(list []*liteSource, scope *liteScope) {
	for _, source := range list {
		c.source(source, scope)
	}
}

func (c *liteCollector) source(s *liteSource, scope *liteScope) {
	switch {
	case s.sub != nil:
		c.selects(s.sub, scope)
	case s.nested != nil:
		c.sources(s.nested, scope)
	case s.call:
		c.tableFunction(s.name)
		c.exprs(s.args, scope)
	case !scope.bound(s.name):
		c.relation(s.name)
	}
	c.expr(s.on, scope)
}

// tableFunction adds a call of a table function. Every virtual table can be
// called so; only those that are known to have no rows of their own are not
// relations as well.
func (c *liteCollector) tableFunction(n Name) {
	c.s.Functions = addOnce(c.s.Functions, n)
	if !litePureTableFunctions[n.Name] {
		c.relation(n)
	}
}

// relation adds a relation that is read.
func (c *liteCollector) relation(n Name) {
	c.places++
	c.s.Reads = addOnce(c.s.Reads, n)
	switch {
	case liteSystemTable(n.Name):
		c.because(SystemCatalog, n.String())
	case n.Schema == "temp":
		c.because(Temporary, n.String())
	}
}

var liteSchemaTables = wordSet("sqlite_master sqlite_schema sqlite_temp_master sqlite_temp_schema")

var liteSystemTables = wordSet("dbstat bytecode tables_used completion")

// liteSystemTable reports whether SQLite itself keeps the table or makes it up.
func liteSystemTable(name string) bool {
	return strings.HasPrefix(name, "sqlite_") || strings.HasPrefix(name, "pragma_") || liteSystemTables[name]
}

func (c *liteCollector) exprs(list []*liteExpr, scope *liteScope) {
	for _, x := range list {
		c.expr(x, scope)
	}
}

func (c *liteCollector) expr(x *liteExpr, scope *liteScope) {
	if x == nil {
		return
	}
	switch x.op {
	case liteLiteral:
		c.clock = c.clock || x.token == liteBlob || x.token == liteString && liteClockWord(x.text)
	case liteColumn:
		// SQLite takes a name in double quotes for a text if there is no such column.
		c.clock = c.clock || x.token == liteQuoted && liteClockWord(x.text)
	case liteClock:
		c.s.Functions = addOnce(c.s.Functions, Name{Name: x.text})
		c.because(Volatile, x.text)
	case liteCall:
		c.call(x)
	case liteOperate:
		c.operator(x.text)
	}
	c.exprs(x.args, scope)
	c.exprs(x.more, scope)
	if x.sub != nil {
		c.selects(x.sub, scope)
	}
	if x.source != nil {
		c.source(x.source, scope)
	}
}

// operator adds the function that SQLite calls for an operator, which a
// program may have replaced.
func (c *liteCollector) operator(op string) {
	switch op = strings.TrimPrefix(op, "not "); op {
	case "like", "glob", "regexp", "match", "->", "->>":
		c.s.Functions = addOnce(c.s.Functions, Name{Name: op})
	}
}
