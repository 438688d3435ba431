package metamorphic

import (
	"fmt"
	"strings"
)

// A writing is a statement that writes; rows tells that it returns rows.
type writing struct {
	text string
	rows bool
}

// target is a table to write to, rarely a view.
func (g *gen) target() *table {
	if len(g.m.views) > 0 && g.chance(4) {
		return &table{name: pick(g.r, g.m.views)}
	}
	return pick(g.r, g.m.tables)
}

// write is a statement that changes rows.
func (g *gen) write() writing {
	if g.chance(45) {
		return g.typedWrite()
	}
	t := g.target()
	w := writing{}
	switch n := g.r.IntN(20); {
	case n < 5:
		w.text = g.insert(t)
	case n < 9:
		w.text = g.update(t)
	case n < 12:
		w.text = "DELETE FROM " + t.name + " WHERE " + g.where(t.name)
	case n < 15:
		w.text = g.upsert(t)
	case n < 16:
		w.text = "INSERT INTO " + t.name + " (id, a, b, c) " + g.core(nil) + " LIMIT 3"
	default:
		return g.particular(t)
	}
	if g.chance(20) && (g.d != maria || !strings.HasPrefix(w.text, "UPDATE")) {
		w.text += " RETURNING " + g.pick("id", "*", "id, a", "c")
		w.rows = true
	}
	return w
}

// where confines a write; the target is known by its name.
func (g *gen) where(name string) string {
	if g.chance(75) {
		return g.pick("id", "id", "id", "a") + " = " + g.intArg()
	}
	return g.pred([]source{{alias: name}})
}

// row is the columns and one row of values for t.
func (g *gen) row(t *table) (columns, values string) {
	columns, values = "id, a, b, c", g.intArg()+", "+g.nullable(g.intArg())+", "+g.nullable(g.intArg())+", "+g.nullable(g.textArg())
	for _, name := range t.extra {
		if name == "u" {
			continue
		}
		columns += ", " + name
		values += ", " + g.nullable(g.value(name))
	}
	return columns, values
}

func (g *gen) nullable(value string) string {
	if g.chance(12) {
		return "NULL"
	}
	return value
}

// value is a literal for a column of the pool.
func (g *gen) value(column string) string {
	switch column {
	case "d":
		return g.pick("1.50", "0.1", "22.75", "-3")
	case "e":
		return g.time()
	case "f":
		return map[lang]string{lite: "x'00ff41'", pg: `'\x00ff41'`, maria: "x'00ff41'"}[g.d]
	case "g":
		return g.pick("0.5", "1e10", "-2.25", "3.0")
	case "h":
		return g.pick("TRUE", "FALSE")
	}
	return g.pick("1", "2", "3", "4") // p
}

func (g *gen) insert(t *table) string {
	columns, values := g.row(t)
	if g.chance(20) {
		_, more := g.row(t)
		values += "), (" + more
	}
	or := ""
	if g.d == lite {
		or = g.sometimes(20, g.pick("OR IGNORE ", "OR REPLACE ", "OR FAIL ", "OR ROLLBACK "))
	} else if g.d == maria {
		or = g.sometimes(20, "IGNORE ")
	}
	return "INSERT " + or + "INTO " + t.name + " (" + columns + ") VALUES (" + values + ")"
}

// set is the assignments of an update.
func (g *gen) set() string {
	return g.pick("a = "+g.intArg(), "b = "+g.intArg(), "c = "+g.textArg(), "a = "+g.int()+", c = "+g.word(), "b = (b + 1) % 9",
		"a = b, b = a", "id = "+g.int())
}

func (g *gen) update(t *table) string {
	set := g.set()
	if g.chance(15) {
		set = "a = (SELECT max(s9.b) FROM " + pick(g.r, g.m.tables).name + " s9)"
	}
	text := "UPDATE " + g.sometimes(10, map[lang]string{lite: "OR REPLACE ", maria: "IGNORE "}[g.d]) + t.name + " SET " + set
	return text + g.sometimes(92, " WHERE "+g.where(t.name))
}

func (g *gen) upsert(t *table) string {
	if g.d == maria {
		if g.chance(40) {
			return strings.Replace(g.insert(t), "INSERT ", "REPLACE ", 1)
		}
		return g.insert(t) + " ON DUPLICATE KEY UPDATE a = VALUES(a), c = " + g.word()
	}
	if g.d == lite && g.chance(30) {
		return strings.Replace(g.insert(t), "INSERT ", "REPLACE ", 1)
	}
	return g.insert(t) + " ON CONFLICT (id) DO " + g.pick("NOTHING", "UPDATE SET a = excluded.a, b = "+t.name+".b",
		"UPDATE SET c = "+g.word()+" WHERE "+t.name+".a > 2")
}

// particular is a write of a form that only some databases know.
func (g *gen) particular(t *table) writing {
	other := pick(g.r, g.m.tables)
	switch g.d {
	case lite:
		return writing{text: g.pick(
			"UPDATE "+t.name+" SET a = s2.b FROM "+other.name+" AS s2 WHERE s2.id = "+t.name+".id",
			"WITH q AS (SELECT id FROM "+other.name+" WHERE a > 3) DELETE FROM "+t.name+" WHERE id IN (SELECT id FROM q)",
			"INSERT INTO "+t.name+" SELECT * FROM "+other.name+" LIMIT 3",
			"DELETE FROM "+t.name+"; INSERT INTO "+other.name+" (id, a) VALUES ("+g.int()+", 1)",
			"INSERT INTO v1 (id, a, b, c) VALUES (1, 2, 3, 'x')",
			"DELETE FROM "+t.name+" WHERE id > 12",
			"UPDATE main."+t.name+" SET a = 1 WHERE id = 2",
			"WITH q AS (SELECT 3 AS n) UPDATE "+t.name+" SET b = (SELECT n FROM q) WHERE id = 1",
		)}
	case pg:
		return g.particularPostgres(t, other)
	}
	return g.particularMaria(t, other)
}

func (g *gen) particularPostgres(t, other *table) writing {
	w := writing{text: g.pick(
		"UPDATE "+t.name+" AS s1 SET a = s2.b FROM "+other.name+" AS s2 WHERE s2.id = s1.id",
		"DELETE FROM "+t.name+" AS s1 USING "+other.name+" AS s2 WHERE s2.a = s1.id",
		"TRUNCATE "+t.name+g.sometimes(50, ", "+other.name)+g.sometimes(50, " CASCADE"),
		"WITH q AS (DELETE FROM "+t.name+" WHERE id = "+g.int()+" RETURNING *) INSERT INTO "+other.name+" (id, a) SELECT id + 20, a FROM q",
		"DELETE FROM ONLY "+t.name+" WHERE a = "+g.int(),
		fmt.Sprintf("MERGE INTO %s AS s1 USING (SELECT id, a FROM %s) AS s2 ON s1.id = s2.id WHEN MATCHED THEN UPDATE SET b = s2.a "+
			"WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s2.id, s2.a)", t.name, other.name),
		"DO $$ BEGIN UPDATE "+t.name+" SET a = 3 WHERE id = "+g.int()+"; END $$",
		"CALL proc1("+g.int()+")",
		"INSERT INTO p1 (id, a, c) VALUES ("+g.int()+", "+g.int()+", 'p')",
		"UPDATE p1 SET id = "+g.int()+" WHERE id = "+g.int(),
		"DELETE FROM p1_1 WHERE id = "+g.int(),
		"INSERT INTO kid (id, a, b, c) VALUES ("+g.int()+", 1, 2, 'kid')",
		"UPDATE t2 SET a = "+g.int()+" WHERE id < 5",
		"REFRESH MATERIALIZED VIEW m1",
		"INSERT INTO r1 (id, a) VALUES ("+g.int()+", "+g.int()+")",
		"INSERT INTO ruled (id, a) VALUES ("+g.int()+", "+g.int()+")",
		"INSERT INTO s2.t1 (id, a) VALUES ("+g.int()+", "+g.int()+")",
		"DELETE FROM s2.t1",
		"EXECUTE e2("+g.int()+")",
	)}
	if g.chance(25) {
		w.rows = true
		w.text = g.pick(
			"SELECT writes("+g.int()+")",
			"WITH q AS (UPDATE "+t.name+" SET b = "+g.int()+" WHERE id < 4 RETURNING *) SELECT id, b FROM q",
			"WITH q AS (INSERT INTO "+t.name+" (id, a) VALUES ("+g.int()+", 1) ON CONFLICT DO NOTHING RETURNING id) SELECT * FROM "+other.name,
			"SELECT id, writes(a) FROM "+t.name+" WHERE id = "+g.int(),
			"SELECT * FROM "+t.name+" WHERE id = "+g.int()+" FOR UPDATE",
		)
	}
	return w
}

func (g *gen) particularMaria(t, other *table) writing {
	w := writing{text: g.pick(
		"UPDATE "+t.name+" s1 JOIN "+other.name+" s2 ON s1.id = s2.id SET s1.a = s2.b, s2.b = 4",
		"DELETE s1, s2 FROM "+t.name+" s1 JOIN "+other.name+" s2 ON s1.id = s2.a WHERE s1.id = "+g.int(),
		"DELETE FROM s1 USING "+t.name+" AS s1, "+other.name+" AS s2 WHERE s1.id = s2.b",
		"TRUNCATE TABLE "+t.name,
		"CALL proc1("+g.int()+")",
		"INSERT INTO "+t.name+" (id, a) SELECT id + 1, writes(a) FROM "+other.name+" WHERE id = "+g.int(),
		"DELETE FROM "+t.name+" ORDER BY id LIMIT 1",
		"INSERT INTO p1 (id, a, c) VALUES ("+g.int()+", "+g.int()+", 'p')",
		"DELETE FROM p1 WHERE id < "+g.int(),
		"UPDATE "+t.name+", "+other.name+" SET "+other.name+".a = 2 WHERE "+t.name+".id = "+other.name+".id",
		"SELECT writes("+g.int()+")",
		"INSERT INTO OTHER.t1 (id, a) VALUES ("+g.int()+", 1)",
		"UPDATE "+t.name+" s1 JOIN OTHER.t1 s2 ON s1.id = s2.id SET s2.a = s1.b, s1.b = 2",
		"DELETE FROM OTHER.t1",
		"EXECUTE e2",
		"LOCK TABLES "+t.name+" READ",
		"UNLOCK TABLES",
		"SELECT * FROM "+t.name+" WHERE id = "+g.int()+" FOR UPDATE",
	)}
	w.rows = strings.HasPrefix(w.text, "SELECT")
	return w
}
