package metamorphic

import (
	"strconv"
	"strings"
)

// Values that look equal and aren't, and the reverse; few, so that rows meet conditions.
var (
	lookalikes = []string{"a", "a", "A", "a ", "b", "B", "aa", "1", "01", "1.0", " 1", "", " ", "e", "é", "É", "ss", "ß", "b\t"}
	byteses    = []string{"", "00", "61", "6100", "41", "ff"}
	uuidTexts  = []string{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
		"{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"}
)

// like is a value for a column: a literal or a parameter, mostly of its family.
func (g *gen) like(c typed) string {
	f := c.family
	if g.d != pg && g.chance(10) {
		f = family(g.r.IntN(3))
	}
	if g.chance(4) {
		return g.pick("NULL", "NULL", g.maybeParam(nil, "text"))
	}
	if g.chance(45) && f <= letters {
		return g.simple(f)
	}
	switch f {
	case numbers:
		return g.likeNumber()
	case letters:
		return g.likeText()
	case truths:
		return g.likeTruth()
	case bytes:
		return g.likeBytes()
	}
	text := pick(g.r, uuidTexts)
	if g.chance(50) {
		return "'" + text + "'"
	}
	return g.maybeParam(text, g.pick("", "uuid"))
}

// simple is one of few values, so that conditions meet rows.
func (g *gen) simple(f family) string {
	text, n := g.pick("a", "b", "A"), 1+g.r.IntN(3)
	switch {
	case f == numbers && (g.plain || g.chance(50)):
		return strconv.Itoa(n)
	case f == numbers:
		return g.param(n, "")
	case g.plain || g.chance(50):
		return "'" + text + "'"
	}
	return g.param(text, "")
}

// maybeParam is a parameter, or NULL where there can't be one.
func (g *gen) maybeParam(arg any, cast string) string {
	if g.plain {
		return "NULL"
	}
	return g.param(arg, cast)
}

func (g *gen) likeNumber() string {
	n := g.r.IntN(7) - 1
	digits := strconv.Itoa(n)
	if g.plain || g.chance(50) {
		list := []string{digits, digits, digits, digits, "'" + digits + "'", digits + ".0", "' " + digits + "'", "'0" + digits + "'", "+" + digits, digits + "e0", digits + ".4"}
		if g.d == pg {
			list = append(list, digits+"::bigint", "CAST('"+digits+"' AS int)", digits+"::numeric", "'"+digits+"'::smallint")
		} else {
			list = append(list, "TRUE", "0x1", "'"+digits+"abc'", "CAST('"+digits+"' AS "+map[lang]string{lite: "TEXT", maria: "CHAR(5)"}[g.d]+")")
		}
		return g.pick(list...)
	}
	if g.d == pg {
		cast := g.pick("", "", "int", "bigint", "numeric", "smallint")
		return g.param(pick(g.r, []any{int64(n), int64(n), n, digits}), cast)
	}
	return g.param(pick(g.r, []any{int64(n), int64(n), n, digits, []byte(digits), float64(n), float64(n) + 0.4, n == 1, " " + digits, digits + ".0"}), "")
}

func (g *gen) likeText() string {
	text := pick(g.r, lookalikes)
	quoted := "'" + text + "'"
	if g.plain || g.chance(50) {
		list := []string{quoted, quoted, quoted, quoted}
		switch g.d {
		case pg:
			list = append(list, quoted+"::text", quoted+"::char(6)", "E'"+text+"'", quoted+"::varchar", quoted+` COLLATE "C"`, quoted+"::name")
		case maria:
			list = append(list, "_utf8mb4"+quoted, quoted+" COLLATE utf8mb4_bin", "1", "x'61'", "_latin1'a'", "N'a'", quoted+" COLLATE utf8mb4_general_ci", "BINARY 'a'")
		default:
			list = append(list, quoted+" COLLATE NOCASE", "1", "1.0", "x'61'", "CAST("+quoted+" AS BLOB)", "+"+quoted, quoted+" COLLATE RTRIM")
		}
		return g.pick(list...)
	}
	if g.d == pg {
		return g.param(text, g.pick("", "", "text", "varchar", "char(6)", "citext"))
	}
	return g.param(pick(g.r, []any{text, text, text, []byte(text), int64(1), 1.0, true}), "")
}

func (g *gen) likeTruth() string {
	truth := g.chance(50)
	if g.plain || g.chance(60) {
		list := []string{"TRUE", "FALSE"}
		if g.d == pg {
			list = append(list, "'t'", "'false'", "'yes'", "'1'", "1::boolean")
		} else {
			list = append(list, "1", "0", "2", "'1'", "1.0", "b'1'")
		}
		return g.pick(list...)
	}
	if g.d == pg {
		return g.param(pick(g.r, []any{truth, truth, "t", "true"}), g.pick("", "boolean"))
	}
	return g.param(pick(g.r, []any{truth, int64(1), int64(0), "1", []byte{1}}), "")
}

func (g *gen) likeBytes() string {
	digits := pick(g.r, byteses)
	literal := "x'" + digits + "'"
	if g.d == pg {
		literal = `'\x` + digits + "'"
	}
	if g.plain || g.chance(50) {
		if g.d == pg {
			return g.pick(literal, literal, literal+"::bytea", "'a'")
		}
		return g.pick(literal, literal, "'a'", "'A'", "'a '")
	}
	value := make([]byte, len(digits)/2)
	for i := range value {
		n, _ := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		value[i] = byte(n)
	}
	if g.d == pg {
		return g.param(value, g.pick("", "bytea"))
	}
	return g.param(pick(g.r, []any{value, value, string(value)}), "")
}

// typedColumn is a column of t as the source alias, "" for none. Conditions are mostly of few
// columns, so that slices are met.
func (g *gen) typedColumn(t *typedTable, alias string) (string, typed) {
	c := t.column(g.pick("id", "id", "u", "u", "u", "s", "s", "s", "h", "x"))
	if alias == "" {
		return c.name, c
	}
	return alias + "." + c.name, c
}

// match is a condition that proves, or seems to prove, which rows of t it accepts.
func (g *gen) match(t *typedTable, alias string) string {
	column, c := g.typedColumn(t, alias)
	switch g.r.IntN(24) {
	case 0:
		return g.like(c) + " = " + column
	case 1, 2:
		return column + " IN (" + g.like(c) + ", " + g.like(c) + ")"
	case 3:
		return "(" + g.match(t, alias) + " OR " + g.match(t, alias) + ")"
	case 4, 5, 6:
		return g.match(t, alias) + " AND " + g.match(t, alias)
	case 7:
		return column + g.pick(" IS NULL", " IS NULL", " IS NOT NULL")
	case 8:
		return column + map[lang]string{lite: " IS ", pg: " IS NOT DISTINCT FROM ", maria: " <=> "}[g.d] + g.like(c)
	case 9:
		other, d := g.typedColumn(t, alias)
		return "(" + column + ", " + other + ") = (" + g.like(c) + ", " + g.like(d) + ")"
	case 10:
		other, d := g.typedColumn(t, alias)
		pair := func() string { return "(" + g.like(c) + ", " + g.like(d) + ")" }
		if g.d == lite {
			return "(" + column + ", " + other + ") IN (VALUES " + pair() + ", " + pair() + ")"
		}
		return "(" + column + ", " + other + ") IN (" + pair() + ", " + pair() + ")"
	case 11:
		value := g.like(c)
		return column + " BETWEEN " + value + " AND " + g.pick(value, g.like(c))
	case 12:
		return "NOT (" + g.match(t, alias) + ")"
	case 13, 14:
		return g.truth(t, alias)
	case 15:
		return g.array(column, c)
	case 16:
		return g.disguised(column, c)
	case 17:
		other, _ := g.typedColumn(t, alias)
		return column + " = " + other
	case 18:
		return column + g.pick(" <> ", " > ", " <= ") + g.like(c)
	}
	return column + " = " + g.like(c)
}

func (g *gen) truth(t *typedTable, alias string) string {
	column := "h"
	if alias != "" {
		column = alias + ".h"
	}
	return g.pick(column, "NOT "+column, column+" IS TRUE", column+" IS FALSE", column+" IS NOT TRUE", column+" = TRUE", column+" <> TRUE",
		column+" IS NOT FALSE", column+" = "+g.like(t.column("h")))
}

// array compares with the elements of an array.
func (g *gen) array(column string, c typed) string {
	if g.d != pg {
		return column + " NOT IN (" + g.like(c) + ", " + g.like(c) + ")"
	}
	if g.plain || g.chance(50) || c.family > letters {
		return column + g.pick(" = ANY (ARRAY[", " = ANY (ARRAY[", " <> ALL (ARRAY[") + g.like(c) + ", " + g.like(c) + "])"
	}
	if c.family == numbers {
		return column + " = ANY (" + g.param(g.pick("{1,2}", "{3}", "{}", "{1,NULL}", `{"2", 4}`), g.pick("int[]", "bigint[]")) + ")"
	}
	return column + " = ANY (" + g.param(g.pick("{a,b}", `{"a "}`, "{A,NULL}", "{}"), g.pick("text[]", "varchar[]")) + ")"
}

// disguised is a comparison of something else than the column.
func (g *gen) disguised(column string, c typed) string {
	switch {
	case c.family == numbers && g.chance(60):
		return column + g.pick(" + 0 = ", " * 1 = ", " - 1 = ") + g.like(c)
	case g.chance(40):
		return "lower(" + cast(g.d, column) + ") = " + g.likeText()
	case g.chance(40):
		return "COALESCE(" + column + ", " + g.like(c) + ") = " + g.like(c)
	}
	return cast(g.d, column) + " = " + g.likeText()
}

func cast(d lang, column string) string {
	return "CAST(" + column + " AS " + map[lang]string{lite: "TEXT", pg: "text", maria: "CHAR(20)"}[d] + ")"
}

// on joins two sources by columns that often have different types.
func (g *gen) on(a, b string) string {
	column := g.pick("u", "u", "u", "s", "id", "h")
	other := column
	if g.d != pg && g.chance(25) {
		other = g.pick("u", "s", "id")
	}
	if strings.HasPrefix(a, "(") {
		return a + " = " + b + "." + other
	}
	return a + "." + column + " = " + b + "." + other
}
