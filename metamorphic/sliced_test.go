package metamorphic

import "strings"

// readable is a typed table or a view.
func (g *gen) readable() *typedTable {
	if len(g.m.typedViews) > 0 && g.chance(15) {
		return pick(g.r, g.m.typedViews)
	}
	return pick(g.r, g.m.typed)
}

// sliced is a read that is confined to some rows of typed tables, or seems to be.
func (g *gen) sliced() (text string, ordered bool) {
	a := g.readable()
	where := func(t *typedTable, alias string) string { return " WHERE " + g.match(t, alias) }
	if g.chance(30) {
		column, c := g.typedColumn(a, "")
		return "SELECT " + g.pick("*", "count(*)", "id, u") + " FROM " + a.name + " WHERE " + column + " = " + g.like(c), false
	}
	switch g.r.IntN(20) {
	case 0, 1, 2:
		return "SELECT " + g.pick("*", "id, u, s", "id, h, x", "s") + " FROM " + a.name + where(a, ""), false
	case 3:
		return "SELECT " + g.pick("count(*)", "count(*), max(id)", "sum(u), count(s)") + " FROM " + a.name + where(a, ""), false
	case 4:
		t := pick(g.r, g.m.typed)
		return "SELECT id, u FROM " + t.name + where(t, "") + " ORDER BY id LIMIT 2", true
	case 5:
		return "SELECT EXISTS (SELECT 1 FROM " + a.name + where(a, "") + ")", false
	case 6:
		return "SELECT DISTINCT h FROM " + a.name + where(a, ""), false
	case 7:
		return "SELECT count(*) FROM " + a.name + g.sometimes(50, where(a, "")) + " GROUP BY u" +
			g.sometimes(60, " HAVING "+g.pick("count(*) > 1", "u = "+g.likeNumber(), "u IN (1, 2)")), false
	case 8, 9, 10, 11:
		return g.slicedJoin(a, g.readable()), false
	case 12, 13:
		return g.slicedSubquery(a, g.readable()), false
	case 14, 15:
		return g.slicedDerived(a), false
	case 16:
		return g.slicedCTE(a), false
	case 17:
		return g.slicedSet(a, g.readable()), false
	case 18:
		return "SELECT d.id, d.n FROM (SELECT id, u, h, s, x, count(*) OVER (PARTITION BY " + g.pick("u", "h", "u, h") + ") AS n FROM " + a.name +
			g.sometimes(30, where(a, "")) + ") d" + where(a, "d"), false
	}
	t := pick(g.r, g.m.typed)
	return "SELECT * FROM " + t.name + " WHERE id = " + g.like(t.column("id")), false
}

// slicedJoin joins with conditions in ON and WHERE; rows without a partner are of interest.
func (g *gen) slicedJoin(a, b *typedTable) string {
	columns := g.pick("a.id, b.id", "a.*, b.u", "count(*), count(b.id)", "a.s, b.s", "a.id")
	if g.chance(15) {
		return "SELECT " + g.pick("a.id, b.id", "count(*)") + " FROM " + a.name + " a " + g.pick("", "LEFT ") + "JOIN " + b.name + " b USING (" +
			g.pick("u", "u", "s", "u, h") + ")" + " WHERE " + g.pick(g.match(a, "a"), g.match(b, "b"), "u = "+g.likeNumber())
	}
	kind := g.pick("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
	if kind == "FULL JOIN" && g.d == maria {
		kind = "LEFT JOIN"
	}
	text := "SELECT " + columns + " FROM " + a.name + " a " + kind + " " + b.name + " b ON " + g.on("a", "b")
	if g.chance(40) && kind != "FULL JOIN" {
		text += " AND " + g.pick(g.match(a, "a"), g.match(b, "b"))
	}
	if g.chance(15) {
		c := g.readable()
		text += " " + g.pick("JOIN ", "LEFT JOIN ") + c.name + " c ON " + g.on("b", "c")
	}
	switch g.r.IntN(5) {
	case 0: // an anti-join
		return text + " WHERE b.id IS NULL" + g.sometimes(60, " AND "+g.match(a, "a"))
	case 1:
		return text + " WHERE " + g.match(b, "b")
	case 2:
		return text + " WHERE " + g.match(a, "a") + " AND " + g.match(b, "b")
	}
	return text + " WHERE " + g.match(a, "a")
}

// slicedSubquery has conditions inside and outside of a subquery, correlated or not.
func (g *gen) slicedSubquery(a, b *typedTable) string {
	inner := g.pick(g.match(b, "b"), g.on("a", "b")+" AND "+g.match(b, "b"), g.on("a", "b"), g.on("a", "b")+" AND "+g.match(a, "a"))
	text := "SELECT a.id, a.u FROM " + a.name + " a WHERE " + g.sometimes(60, g.match(a, "a")+" AND ")
	switch g.r.IntN(4) {
	case 0:
		return "SELECT a.id, (SELECT " + g.pick("count(*)", "max(b.u)") + " FROM " + b.name + " b WHERE " + inner + ") FROM " + a.name + " a WHERE " + g.match(a, "a")
	case 1:
		return text + "a.u " + g.pick("IN", "IN", "NOT IN") + " (SELECT b.u FROM " + b.name + " b WHERE " + inner + ")"
	case 2:
		return text + "a.u = (SELECT max(b.u) FROM " + b.name + " b WHERE " + inner + ")"
	}
	return text + g.pick("", "NOT ") + "EXISTS (SELECT 1 FROM " + b.name + " b WHERE " + inner + ")"
}

func (g *gen) slicedDerived(a *typedTable) string {
	body := "SELECT id, u, s, h, x FROM " + a.name + g.sometimes(50, " WHERE "+g.match(a, ""))
	if a.keyed && g.chance(35) {
		body += " ORDER BY id LIMIT " + g.pick("1", "2", "3")
	}
	if g.chance(20) {
		return "SELECT d.n FROM (SELECT u, count(*) AS n FROM " + a.name + g.sometimes(40, " WHERE "+g.match(a, "")) + " GROUP BY u) d WHERE " +
			g.pick("d.u = "+g.likeNumber(), "d.n = 1", "d.u = "+g.likeNumber()+" AND d.n > 1")
	}
	return "SELECT d.id, d.s FROM (" + body + ") d WHERE " + g.match(a, "d")
}

func (g *gen) slicedCTE(a *typedTable) string {
	if a.column("id").family == numbers && g.chance(50) {
		return "WITH RECURSIVE q(id, u, n) AS (SELECT id, u, 1 FROM " + a.name + " WHERE " + g.match(a, "") + " UNION ALL SELECT b.id, b.u, q.n + 1 FROM q JOIN " +
			a.name + " b ON b.u = q.id WHERE q.n < 4) SELECT id, u, n FROM q" + g.sometimes(40, " WHERE u = "+g.likeNumber())
	}
	return "WITH q AS (SELECT id, u, s, h, x FROM " + a.name + g.sometimes(70, " WHERE "+g.match(a, "")) + ") SELECT q.id FROM q" +
		g.sometimes(30, " JOIN q AS q2 ON q2.u = q.u") + " WHERE " + g.match(a, "q")
}

func (g *gen) slicedSet(a, b *typedTable) string {
	arm := func(t *typedTable) string {
		return "SELECT u, h FROM " + t.name + g.sometimes(80, " WHERE "+g.match(t, ""))
	}
	both := arm(a) + g.pick(" UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT ") + arm(b)
	if g.chance(40) {
		return "SELECT d.h FROM (" + both + ") d WHERE d.u = " + g.likeNumber()
	}
	return both
}

// typedWrite is a write to a typed table.
func (g *gen) typedWrite() writing {
	t := pick(g.r, g.m.typed)
	w := writing{}
	switch n := g.r.IntN(24); {
	case n < 7:
		w.text = g.typedInsert(t)
	case n < 10:
		w.text = "UPDATE " + t.name + " SET " + g.all(t, "u", "s", "h", "x") + " WHERE id = " + g.like(t.column("id"))
	case n < 14:
		w.text = "UPDATE " + t.name + " SET " + g.typedSet(t) + " WHERE id = " + g.like(t.column("id"))
	case n < 17:
		w.text = "UPDATE " + t.name + " SET " + g.typedSet(t) + " WHERE " + g.match(t, "")
	case n < 18:
		w.text = "UPDATE " + t.name + " SET id = " + g.like(t.column("id")) + " WHERE id = " + g.like(t.column("id"))
	case n < 20:
		w.text = "DELETE FROM " + t.name + " WHERE id = " + g.like(t.column("id"))
	case n < 21:
		w.text = "DELETE FROM " + t.name + " WHERE " + g.match(t, "")
	case n < 23:
		w.text = g.typedUpsert(t)
	default:
		return writing{text: g.typedParticular(t)}
	}
	if g.chance(15) && (g.d != maria || !strings.HasPrefix(w.text, "UPDATE")) {
		w.text += " RETURNING " + g.pick("id", "*", "u")
		w.rows = true
	}
	return w
}

// all assigns to columns.
func (g *gen) all(t *typedTable, columns ...string) string {
	var set []string
	for _, name := range columns {
		set = append(set, name+" = "+g.like(t.column(name)))
	}
	return strings.Join(set, ", ")
}

func (g *gen) typedSet(t *typedTable) string {
	return g.pick(g.all(t, "u"), g.all(t, "u"), g.all(t, "s"), g.all(t, "h"), g.all(t, "u", "s"), "u = u + 1", "u = -u", "h = NOT h", "s = upper(s)", "u = NULL", "u = DEFAULT",
		g.all(t, "x"), "s = s", "u = u, h = TRUE", "s = NULL")
}

func (g *gen) typedInsert(t *typedTable) string {
	columns := []string{"id", "u", "s", "h", "x"}
	id := t.column("id")
	serial := id.is == "INTEGER" && g.d == lite || strings.Contains(id.is, "serial") || strings.Contains(id.is, "IDENTITY") || strings.Contains(id.is, "AUTO_INCREMENT")
	if serial && g.chance(30) {
		columns = columns[1:]
	}
	if g.chance(15) {
		columns = columns[:len(columns)-2]
	}
	row := func() string {
		var values []string
		for _, name := range columns {
			value := g.like(t.column(name))
			if name == "id" && value == "NULL" {
				value = "5"
			}
			if name == "u" && g.d != lite && g.chance(5) {
				value = "DEFAULT"
			}
			values = append(values, value)
		}
		return "(" + strings.Join(values, ", ") + ")"
	}
	text := "INSERT INTO " + t.name + " (" + strings.Join(columns, ", ") + ") VALUES " + row()
	for g.chance(25) {
		text += ", " + row()
	}
	return text
}

func (g *gen) typedUpsert(t *typedTable) string {
	text := g.typedInsert(t)
	if g.d != pg && g.chance(40) {
		return strings.Replace(text, "INSERT ", "REPLACE ", 1)
	}
	if g.d == maria {
		return text + " ON DUPLICATE KEY UPDATE " + g.pick("u = VALUES(u)", g.all(t, "u"), "u = u + 1", "s = VALUES(s), h = VALUES(h)")
	}
	return text + " ON CONFLICT (id) DO " + g.pick("NOTHING", "UPDATE SET u = excluded.u", "UPDATE SET "+g.all(t, "s"), "UPDATE SET u = excluded.u, s = excluded.s")
}

// typedParticular is a write of a form of its own.
func (g *gen) typedParticular(t *typedTable) string {
	b := pick(g.r, g.m.typed)
	list := []string{
		"UPDATE " + t.name + " SET u = (SELECT max(b.u) FROM " + b.name + " b) WHERE " + g.match(t, ""),
		"DELETE FROM " + t.name + " WHERE u IN (SELECT b.u FROM " + b.name + " b WHERE " + g.match(b, "b") + ")",
		"INSERT INTO " + t.name + " (u, h) SELECT u, h FROM " + b.name + " WHERE " + g.match(b, ""),
		"UPDATE " + t.name + " SET h = NOT h",
		"UPDATE kv1 SET u = 3 WHERE " + g.match(g.m.typed[0], ""),
		"UPDATE " + t.name + " SET p = " + g.likeNumber() + " WHERE " + g.match(t, ""),
	}
	switch g.d {
	case pg:
		list = append(list, "UPDATE "+t.name+" AS a SET u = b.u FROM "+b.name+" AS b WHERE a.h = b.h AND "+g.match(b, "b"),
			"DELETE FROM "+t.name+" AS a USING "+b.name+" AS b WHERE a.u = b.u AND "+g.match(t, "a"))
	case maria:
		list = append(list, "UPDATE "+t.name+" SET u = 2 WHERE h ORDER BY id LIMIT 1", "DELETE FROM "+t.name+" WHERE "+g.match(t, "")+" ORDER BY id LIMIT 1",
			"UPDATE "+t.name+" a JOIN "+b.name+" b ON a.u = b.u SET a.u = 4 WHERE "+g.match(b, "b"))
	}
	return g.pick(list...)
}
