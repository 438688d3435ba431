package metamorphic

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// A gen makes statements at random.
type gen struct {
	r      *rand.Rand
	d      lang
	m      *model
	marked []argument
	plain  bool // no parameters: inside views and triggers
	ctes   []string
	n      int // aliases so far
	depth  int
}

// A source is something in FROM.
type source struct {
	alias string
	extra []string
}

// fork begins a statement of its own.
func (g *gen) fork() *gen { return &gen{r: g.r, d: g.d, m: g.m} }

func (g *gen) alias() string {
	g.n++
	return "s" + strconv.Itoa(g.n)
}

func (g *gen) chance(percent int) bool { return chance(g.r, percent) }

func (g *gen) pick(list ...string) string { return pick(g.r, list) }

// sometimes is one of the list, or nothing.
func (g *gen) sometimes(percent int, text string) string {
	if g.chance(percent) {
		return text
	}
	return ""
}

// int is a small number, as text.
func (g *gen) int() string { return strconv.Itoa(g.r.IntN(12) - 1) }

var words = []string{"x", "y", "zz", "apple", "it''s", "", "q1", "pear"}

func (g *gen) word() string { return "'" + pick(g.r, words) + "'" }

// param is a mark where an argument will stand; see settle.
func (g *gen) param(arg any, cast string) string {
	g.marked = append(g.marked, argument{arg, cast})
	return "\x01" + strconv.Itoa(len(g.marked)-1) + "\x02"
}

// An argument has a type that PostgreSQL is told.
type argument struct {
	value any
	cast  string
}

// settle turns the marks that are in text into parameters, and returns their arguments.
func (g *gen) settle(text string) (string, []any) {
	var args []any
	for {
		before, rest, found := strings.Cut(text, "\x01")
		if !found {
			return text, args
		}
		index, after, _ := strings.Cut(rest, "\x02")
		i, _ := strconv.Atoi(index)
		args = append(args, g.marked[i].value)
		place := "?"
		if g.d == pg {
			place = "$" + strconv.Itoa(len(args))
			if cast := g.marked[i].cast; cast != "" {
				place += "::" + cast
			}
		}
		text = before + place + after
	}
}

func (g *gen) intArg() string {
	if g.plain || g.chance(60) {
		return g.int()
	}
	n := g.r.IntN(12) - 1
	if g.d != pg && g.chance(10) {
		return g.param(pick(g.r, []any{nil, float64(n), strconv.Itoa(n), true}), "int")
	}
	return g.param(pick(g.r, []any{n, int64(n)}), "int")
}

func (g *gen) textArg() string {
	if g.plain || g.chance(60) {
		return g.word()
	}
	return g.param(strings.ReplaceAll(pick(g.r, words), "''", "'"), "text")
}

// column is an integer column of one of the sources.
func (g *gen) column(scope []source) string {
	s := pick(g.r, scope)
	return s.alias + "." + g.pick("id", "id", "a", "a", "b")
}

func (g *gen) intExpr(scope []source) string {
	if len(scope) == 0 {
		return g.intArg()
	}
	g.depth++
	defer func() { g.depth-- }()
	if g.depth > 3 || g.chance(45) {
		return g.column(scope)
	}
	switch g.r.IntN(12) {
	case 0:
		return g.intArg()
	case 1, 2:
		return "(" + g.intExpr(scope) + g.pick(" + ", " - ") + g.intExpr(scope) + ")"
	case 3:
		return "COALESCE(" + g.column(scope) + ", " + g.intExpr(scope) + ")"
	case 4:
		return "CASE WHEN " + g.pred(scope) + " THEN " + g.intExpr(scope) + " ELSE " + g.intExpr(scope) + " END"
	case 5:
		return "length(" + g.textExpr(scope) + ")"
	case 6:
		return "abs(" + g.intExpr(scope) + ")"
	case 7, 8:
		return g.scalar(scope)
	case 9:
		return g.function(scope)
	case 10:
		return "NULLIF(" + g.column(scope) + ", " + g.intArg() + ")"
	}
	if g.d == pg && g.chance(10) {
		return "(10 / " + g.column(scope) + ")" // may fail at any row
	}
	return g.column(scope)
}

// scalar is a subquery with one value.
func (g *gen) scalar(scope []source) string {
	from, inner := g.from(nil, 1)
	column := inner[0].alias + "." + g.pick("id", "a", "b")
	all := append(inner[:len(inner):len(inner)], scope...)
	where := g.sometimes(70, " WHERE "+g.pred(all))
	if g.chance(20) {
		return "(SELECT " + column + " FROM " + from + where + " ORDER BY 1 LIMIT 1)"
	}
	return "(SELECT " + g.pick("max", "min", "count", "sum") + "(" + column + ") FROM " + from + where + ")"
}

// function calls what the schema has defined.
func (g *gen) function(scope []source) string {
	if g.d == lite {
		return "instr(" + g.textExpr(scope) + ", " + g.word() + ")"
	}
	if g.d == maria && g.chance(70) { // such reads are never kept there
		return g.column(scope)
	}
	return g.pick("f1", "f1", "f2") + "(" + g.column(scope) + ")"
}

func (g *gen) textExpr(scope []source) string {
	if len(scope) == 0 {
		return g.textArg()
	}
	g.depth++
	defer func() { g.depth-- }()
	s := pick(g.r, scope)
	if g.depth > 3 || g.chance(50) {
		return s.alias + ".c"
	}
	switch g.r.IntN(6) {
	case 0:
		return g.textArg()
	case 1:
		return "upper(" + g.textExpr(scope) + ")"
	case 2:
		if g.d == maria {
			return "CONCAT(" + g.textExpr(scope) + ", " + g.word() + ")"
		}
		return "(" + g.textExpr(scope) + " || " + g.word() + ")"
	case 3:
		return "COALESCE(" + s.alias + ".c, " + g.textArg() + ")"
	case 4:
		return "CAST(" + g.column(scope) + " AS " + map[lang]string{lite: "TEXT", pg: "text", maria: "CHAR(20)"}[g.d] + ")"
	}
	return "CASE WHEN " + g.pred(scope) + " THEN " + s.alias + ".c ELSE " + g.word() + " END"
}

func (g *gen) pred(scope []source) string {
	g.depth++
	defer func() { g.depth-- }()
	compare := g.pick(" = ", " = ", " < ", " > ", " <> ", " <= ")
	if g.depth > 3 || g.chance(35) {
		return g.column(scope) + compare + g.intArg()
	}
	switch g.r.IntN(13) {
	case 0:
		return g.intExpr(scope) + compare + g.intExpr(scope)
	case 1:
		return g.textExpr(scope) + compare + g.textArg()
	case 2:
		return g.column(scope) + g.pick(" IS NULL", " IS NOT NULL")
	case 3:
		return g.column(scope) + g.pick(" IN (", " NOT IN (") + g.intArg() + ", " + g.intArg() + ", " + g.intArg() + ")"
	case 4, 5:
		from, inner := g.from(nil, 2)
		return g.column(scope) + g.pick(" IN (SELECT ", " NOT IN (SELECT ") + g.column(inner) + " FROM " + from +
			" WHERE " + g.pred(append(inner, scope...)) + ")"
	case 6, 7:
		from, inner := g.from(nil, 2)
		return g.pick("", "NOT ") + "EXISTS (SELECT 1 FROM " + from + " WHERE " + g.pred(append(inner, scope...)) + ")"
	case 8:
		return g.column(scope) + " BETWEEN " + g.intArg() + " AND " + g.intArg()
	case 9:
		return pick(g.r, scope).alias + ".c LIKE " + g.pick("'%p%'", "'x%'", "'_'", "'A%'")
	case 10:
		return "(" + g.pred(scope) + g.pick(" AND ", " OR ") + g.pred(scope) + ")"
	case 11:
		return "NOT (" + g.pred(scope) + ")"
	}
	if g.d == pg {
		return g.column(scope) + " = ANY (ARRAY[" + g.intArg() + ", " + g.intArg() + "])"
	}
	return "(" + g.column(scope) + ", " + g.column(scope) + ") = (" + g.intArg() + ", " + g.intArg() + ")"
}

// relation is the name of a table or view.
func (g *gen) relation() (name string, extra []string) {
	if len(g.ctes) > 0 && g.chance(40) {
		return pick(g.r, g.ctes), nil
	}
	if len(g.m.views) > 0 && g.chance(map[bool]int{true: 12, false: 28}[g.plain]) {
		return pick(g.r, g.m.views), nil
	}
	t := pick(g.r, g.m.tables)
	return t.name, t.extra
}

// item is one thing in FROM.
func (g *gen) item(scope []source) (string, source) {
	alias := g.alias()
	g.depth++
	defer func() { g.depth-- }()
	if g.depth < 3 && g.chance(15) {
		lateral := ""
		if g.d == pg && len(scope) > 0 && g.chance(50) {
			lateral = "LATERAL "
		} else {
			scope = nil
		}
		return lateral + "(" + g.core(scope) + ") AS " + alias, source{alias: alias}
	}
	if g.chance(5) {
		if text := g.tableFunction(alias); text != "" {
			return text, source{alias: alias}
		}
	}
	name, extra := g.relation()
	return name + g.pick(" AS ", " ") + alias, source{alias, extra}
}

// tableFunction is a function, or VALUES, in the place of a table.
func (g *gen) tableFunction(alias string) string {
	switch g.d {
	case pg:
		if g.chance(50) {
			return "(VALUES (1, 2, 3, 'x'), (4, 5, 6, 'y')) AS " + alias + " (id, a, b, c)"
		}
		return "(SELECT n AS id, n + 1 AS a, n AS b, 'x'::text AS c FROM generate_series(1, 4) AS n) AS " + alias
	case lite:
		return "(SELECT value AS id, key AS a, 3 AS b, 'x' AS c FROM json_each('[1,2,5]')) AS " + alias
	}
	return ""
}

// from is a list of at most most joined sources.
func (g *gen) from(outer []source, most int) (string, []source) {
	text, first := g.item(outer)
	scope := []source{first}
	for len(scope) < most && g.chance(35) {
		lateral := append(scope[:len(scope):len(scope)], outer...)
		item, s := g.item(lateral)
		both := append(scope[:len(scope):len(scope)], s)
		on := " ON " + g.column(scope) + " = " + s.alias + "." + g.pick("id", "a", "b")
		switch g.r.IntN(5) {
		case 0:
			text += " LEFT JOIN " + item + on
		case 1:
			text += " CROSS JOIN " + item
		case 2:
			if g.d == pg && !strings.HasPrefix(item, "LATERAL") {
				text += g.pick(" FULL JOIN ", " RIGHT JOIN ") + item + on
				break
			}
			text += " LEFT JOIN " + item + on + " AND " + g.pred(both)
		default:
			text += g.pick(" JOIN ", " INNER JOIN ") + item + on
		}
		scope = both
	}
	return text, scope
}

// core is a SELECT of id, a, b and c.
func (g *gen) core(outer []source) string {
	g.depth++
	defer func() { g.depth-- }()
	from, scope := g.from(outer, 1+g.r.IntN(3))
	all := append(scope[:len(scope):len(scope)], outer...)
	if g.chance(25) {
		return g.grouped(from, scope, all)
	}
	items := fmt.Sprintf("%s AS id, %s AS a, %s AS b, %s AS c", g.intExpr(all), g.intExpr(all), g.intExpr(all), g.textExpr(all))
	return "SELECT " + g.sometimes(15, "DISTINCT ") + items + " FROM " + from + g.sometimes(65, " WHERE "+g.pred(all))
}

func (g *gen) grouped(from string, scope, all []source) string {
	key := g.column(scope)
	text := fmt.Sprintf("SELECT %s AS id, count(*) AS a, %s(%s) AS b, max(%s.c) AS c FROM %s", key,
		g.pick("sum", "max", "min", "count"), g.column(scope), scope[0].alias, from)
	return text + g.sometimes(40, " WHERE "+g.pred(all)) + " GROUP BY " + key + g.sometimes(30, " HAVING count(*) > "+g.int())
}

// query is a whole statement that reads. ordered tells whether the order of its rows is prescribed.
func (g *gen) query() (text string, ordered bool) {
	if g.chance(45) {
		return g.sliced()
	}
	if g.chance(30) {
		return g.special(), false
	}
	with := ""
	if g.chance(20) {
		with = g.with()
	}
	body := g.core(nil)
	set := g.chance(15)
	if set {
		body += g.pick(" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT ") + g.core(nil)
	}
	if g.chance(40) {
		ordered = true
		body += " ORDER BY 1, 2, 3, 4"
		if g.chance(50) {
			body += " LIMIT " + strconv.Itoa(1+g.r.IntN(5)) + g.sometimes(30, " OFFSET 1")
		}
	}
	return with + body, ordered
}

// with is a WITH clause; its names are sources from then on.
func (g *gen) with() string {
	name := g.pick("q1", "q2", "t1") // the last one hides a table
	if g.chance(35) {
		text := "WITH RECURSIVE " + name + "(id, a, b, c) AS (SELECT id, a, b, c FROM " + pick(g.r, g.m.tables).name + " WHERE " +
			"id < 4 UNION SELECT s0.id + 1, " + name + ".a, s0.b, s0.c FROM " + name + " JOIN " + pick(g.r, g.m.tables).name +
			" AS s0 ON s0.id = " + name + ".id + 1 WHERE " + name + ".id < 9) "
		g.ctes = append(g.ctes, name)
		return text
	}
	text := "WITH " + name + " AS (" + g.core(nil) + ")"
	g.ctes = append(g.ctes, name)
	if name != "q1" && g.chance(30) {
		text += ", q1 AS (" + g.core(nil) + ")"
		g.ctes = append(g.ctes, "q1")
	}
	return text + " "
}

// special is a read of a form of its own.
func (g *gen) special() string {
	t := pick(g.r, g.m.tables)
	switch g.r.IntN(14) {
	case 0:
		return "SELECT * FROM " + t.name
	case 8, 9:
		return "SELECT count(*), sum(a), max(b), min(c) FROM " + t.name
	case 10, 11:
		name, _ := g.relation()
		return "SELECT id, a, b, c FROM " + name + " WHERE id > " + g.intArg()
	case 1:
		return "SELECT s1.*, s2.id FROM " + t.name + " s1, " + pick(g.r, g.m.tables).name + " s2 WHERE s1.a = s2.id"
	case 2:
		return "SELECT id, row_number() OVER (ORDER BY id, a, b, c), sum(a) OVER (PARTITION BY b) FROM " + t.name
	case 3:
		return "SELECT count(*), count(DISTINCT a), max(c), avg(b) FROM " + t.name
	case 4:
		if len(g.m.views) > 0 {
			return "SELECT * FROM " + pick(g.r, g.m.views)
		}
	case 5:
		return "SELECT EXISTS (SELECT 1 FROM " + t.name + " WHERE id = " + g.intArg() + ")"
	case 6:
		if len(t.extra) > 0 {
			return "SELECT id, " + strings.Join(t.extra, ", ") + " FROM " + t.name
		}
	case 7:
		return g.sessional()
	}
	return "SELECT a, c FROM " + t.name + " WHERE id = " + g.intArg()
}

// sessional is a read whose answer depends on the session.
func (g *gen) sessional() string {
	t := pick(g.r, g.m.tables).name
	switch g.d {
	case lite:
		return g.pick("SELECT last_insert_rowid(), max(id) FROM "+t, "SELECT count(*) FROM temp1", "SELECT id FROM "+t+" WHERE c LIKE 'A%'",
			"SELECT name, sql FROM sqlite_schema ORDER BY name", "PRAGMA table_info("+t+")", "PRAGMA foreign_keys")
	case pg:
		return g.pick("SELECT current_user, count(*) FROM "+t, "SELECT current_setting('search_path'), max(id) FROM "+t,
			"SELECT to_char(timestamptz '2020-01-02 03:04:05Z', 'HH24') || max(c) FROM "+t, "SELECT count(*) FROM temp1",
			"SELECT current_schema()", "SELECT relname FROM pg_class WHERE relname LIKE 't%' ORDER BY 1", "SHOW search_path",
			"SELECT id, date '2020-02-03'::text FROM "+t, "SELECT current_setting('my.x', true), id FROM "+t, "SELECT count(*) FROM r1",
			"EXECUTE e1(3)")
	}
	return g.pick("SELECT @x, max(id) FROM "+t, "SELECT LAST_INSERT_ID(), count(*) FROM "+t, "SELECT count(*) FROM temp1",
		"SELECT @@sql_mode", "SELECT GROUP_CONCAT(c ORDER BY c, id) FROM "+t, "SELECT database(), max(id) FROM "+t,
		"SELECT max(id), 5 / 3 FROM "+t, "SELECT 'a' || 'b', max(id) FROM "+t, "EXECUTE e1", "SHOW TABLES",
		`SELECT "c", max(id) FROM `+t)
}

// time is a literal time.
func (g *gen) time() string {
	return "'" + time.Date(2024, 5, 1+g.r.IntN(9), g.r.IntN(24), 0, 0, 0, time.UTC).Format("2006-01-02 15:04:05") + "'"
}
