package analyze

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSQLiteCondIsImplied lets the engine say of random conditions that every row which
// they accept is accepted by what Analyze makes of them.
func TestSQLiteCondIsImplied(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.Exec(`CREATE TABLE t1 (a INTEGER, b, c TEXT COLLATE NOCASE);
		WITH v(x) AS (VALUES (NULL), (0), (1), (-1), (2), (1.5), ('1'), ('x'), ('X'), (x'31'))
		INSERT INTO t1 SELECT v.x, w.x, u.x FROM v, v w, v u`)
	if err != nil {
		t.Fatal(err)
	}
	steps := 3_000
	if testing.Short() {
		steps = 1_000
	}
	seed := sqliteSeed()
	t.Logf("seed %d", seed)
	maker := &liteCondMaker{rand.New(rand.NewPCG(seed, 2))}
	told, rows := 0, 0
	for range steps {
		where := maker.cond(3)
		s := Analyze(SQLite, "SELECT a FROM t1 WHERE "+where)
		if s.Rows == nil {
			t.Fatalf("seed %d: %s has no rows\n%s", seed, where, s.Facts())
		}
		if s.Rows.Where == nil {
			continue
		}
		told++
		text := fmt.Sprintf("SELECT count(*), coalesce(sum(NOT coalesce((%s), 0)), 0) FROM t1 WHERE (%s) AND 4 = ?4", liteCondSQL(s.Rows.Where), where)
		var accepted, wrong int
		if err := db.QueryRow(text, 1, "x", 0, 4).Scan(&accepted, &wrong); err != nil {
			t.Fatalf("seed %d: %s: %v", seed, text, err)
		}
		if wrong > 0 {
			t.Fatalf("seed %d: %s\nis not implied by\n%s", seed, liteCondSQL(s.Rows.Where), where)
		}
		rows += min(accepted, 1)
	}
	t.Logf("%d of %d told, %d accept rows", told, steps, rows)
	if told < steps/7 || rows < steps/12 {
		t.Errorf("only %d of %d told, %d accept rows", told, steps, rows)
	}
}

// liteCondSQL is c as SQLite understands it.
func liteCondSQL(c *Cond) string {
	switch c.Op {
	case And:
		return "(" + strings.Join(texts(c.Args, liteCondSQL), " AND ") + ")"
	case Or:
		return "(" + strings.Join(texts(c.Args, liteCondSQL), " OR ") + ")"
	}
	left, list := liteTermSQL(c.Left), strings.Join(texts(c.List, liteTermSQL), ", ")
	switch {
	case c.Op == Equal && c.Safe:
		return left + " IS " + list
	case c.Op == Equal:
		return left + " = " + list
	case c.Op == In:
		return left + " IN (" + list + ")"
	case c.Op == IsNull:
		return left + " IS NULL"
	}
	panic("a condition that SQLite's statements have not: " + c.String())
}

func liteTermSQL(t Term) string {
	quoted := func(text, quote string) string {
		return quote + strings.ReplaceAll(text, quote, quote+quote) + quote
	}
	switch t.Kind {
	case Column:
		if t.Table.Name != "" {
			return quoted(t.Table.Name, `"`) + "." + quoted(t.Text, `"`)
		}
		return quoted(t.Text, `"`)
	case Param:
		return fmt.Sprintf("?%d", t.Param)
	case Text:
		return quoted(t.Text, "'")
	case Number:
		return t.Text
	case Blob:
		return fmt.Sprintf("x'%x'", t.Text)
	case Null:
		return "NULL"
	}
	panic("a term that conditions have not: " + t.String())
}

// A liteCondMaker writes random conditions on t1 (a, b, c) with the parameters ?1, ?2 and ?3.
type liteCondMaker struct{ *rand.Rand }

func (m *liteCondMaker) one(of ...string) string { return of[m.IntN(len(of))] }

func (m *liteCondMaker) column() string {
	return m.one("a", "b", "c", "t1.a", `"b"`, "[c]", "`a`", "(b)", "T1.C", "main.t1.a", "a", "b", "c")
}

func (m *liteCondMaker) value() string {
	return m.one("1", "0", "-1", "- 1", "1.0", "1.5", "'1'", "'x'", "'X'", "x'31'", "NULL", "(1)", "(-1)", "?1", "?2", "?3", "2",
		"TRUE", "'x' COLLATE BINARY", "'x' COLLATE NOCASE", "CAST(1 AS TEXT)", "CAST('1' AS INTEGER)", "+1", "1e0", "0x1", "abs(1)", `"x"`, "9223372036854775808")
}

func (m *liteCondMaker) operand() string {
	switch m.IntN(12) {
	case 0, 1, 2, 3, 4:
		return m.value()
	case 5:
		return m.one("+a", "-a", "CAST(b AS TEXT)", "c COLLATE BINARY", "lower(c)", "a + 0", "(SELECT 1)", "(SELECT max(a) FROM t1)", "true")
	}
	return m.column()
}

func (m *liteCondMaker) list(item func() string) string {
	items := make([]string, m.IntN(4))
	for i := range items {
		items[i] = item()
	}
	return strings.Join(items, ", ")
}

func (m *liteCondMaker) row() string { return "(" + m.operand() + ", " + m.operand() + ")" }

func (m *liteCondMaker) atom() string {
	x := m.operand()
	switch m.IntN(24) {
	case 0:
		return x + m.one(" ISNULL", " IS NULL", " NOT NULL", " NOTNULL", " IS NOT NULL", " IS TRUE", " IS FALSE", " IS NOT TRUE", "")
	case 1:
		return x + m.one(" IS ", " IS NOT ", " IS NOT DISTINCT FROM ", " IS DISTINCT FROM ") + m.operand()
	case 2, 3, 4:
		return x + m.one(" IN (", " IN (", " NOT IN (") + m.list(m.value) + ")"
	case 5:
		return x + " IN (" + m.list(m.operand) + ")"
	case 6:
		end := m.operand()
		return x + m.one(" BETWEEN ", " BETWEEN ", " NOT BETWEEN ") + end + " AND " + m.one(end, m.operand())
	case 7, 8:
		return m.row() + m.one(" = ", " IS ", " <> ", " < ") + m.row()
	case 9:
		return m.row() + m.one(" IN ", " NOT IN ") + "(VALUES " + m.row() + ", " + m.row() + ")"
	case 10:
		return x + " IN (VALUES (" + m.operand() + "), (" + m.operand() + "))"
	case 11:
		return x + m.one(" <> ", " < ", " >= ", " LIKE ", " GLOB ", " || ") + m.operand()
	case 12:
		return x + " = " + m.operand() + m.one(" = ", " < ", " IS ") + m.operand()
	}
	return m.column() + m.one(" = ", " == ") + m.one(m.value(), m.operand())
}

func (m *liteCondMaker) cond(depth int) string {
	if depth == 0 {
		return m.atom()
	}
	switch m.IntN(7) {
	case 0, 1:
		return m.cond(depth-1) + " AND " + m.cond(depth-1)
	case 2, 3:
		return m.cond(depth-1) + " OR " + m.cond(depth-1)
	case 4:
		return "(" + m.cond(depth-1) + ")"
	case 5:
		return "NOT " + m.one(m.atom(), "("+m.cond(depth-1)+")")
	}
	return m.atom()
}
