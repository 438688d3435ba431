package analyze

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// mysqlConditions makes random conditions on a table of numbers and strings.
type mysqlConditions struct{ *rand.Rand }

func (c mysqlConditions) one(of ...string) string { return of[c.IntN(len(of))] }

func (c mysqlConditions) value() string {
	if c.IntN(2) == 0 {
		return c.one("a", "b", "c", "d", "1", "'a'")
	}
	return c.one("a", "b", "c", "d", "`t`.a", "(b)", "1", "2", "-1", "+2", "0", "NULL", "TRUE", "'a'", "'A'", "'b '", "''", "'1'", `'\''`,
		"X'61'", "0x1", "1.0", "1e0", "a + 1", "- -1", "_utf8mb4'a'", "BINARY 'a'", "'a' COLLATE utf8mb4_bin", "(SELECT 1)", "@none")
}

func (c mysqlConditions) row() string {
	return fmt.Sprintf("%s(%s, %s)", c.one("", "ROW"), c.value(), c.value())
}

func (c mysqlConditions) atom() string {
	switch c.IntN(9) {
	case 0:
		return fmt.Sprintf("%s %sIN (%s, %s)", c.value(), c.one("", "", "NOT "), c.value(), c.value())
	case 1:
		return fmt.Sprintf("%s %sBETWEEN %s AND %s", c.value(), c.one("", "", "NOT "), c.one("1", "a", "'a'"), c.one("1", "a", "'a'"))
	case 2:
		return fmt.Sprintf("%s IS %s%s", c.value(), c.one("", "NOT "), c.one("NULL", "TRUE", "FALSE", "UNKNOWN"))
	case 3:
		return fmt.Sprintf("%s %s %s", c.row(), c.one("=", "<=>", "<>"), c.row())
	case 4:
		return fmt.Sprintf("%s %sIN (%s, %s)", c.row(), c.one("", "NOT "), c.row(), c.row())
	case 5:
		return c.value()
	}
	return fmt.Sprintf("%s %s %s", c.value(), c.one("=", "=", "=", "<=>", "<>", "<", "LIKE"), c.value())
}

// condition nests at most depth deep; parentheses stand where they needn't, and don't where they might.
func (c mysqlConditions) condition(depth int) string {
	if depth == 0 {
		return c.atom()
	}
	text := c.condition(depth - 1)
	for range c.IntN(3) {
		text += " " + c.one("AND", "AND", "AND", "&&", "OR", "OR", "||", "XOR", "=") + " " + c.condition(depth-1)
	}
	return c.one("", "", "NOT ", "! ") + c.one("", "(") + text
}

// closed closes the parentheses of text that are open.
func (c mysqlConditions) closed(text string) string {
	return text + strings.Repeat(")", strings.Count(text, "(")-strings.Count(text, ")"))
}

// TestMySQLConditionsAgainstMariaDB holds of random conditions, under each sql_mode that
// changes what they mean, that no row satisfies them which doesn't satisfy what is told of them.
func TestMySQLConditionsAgainstMariaDB(t *testing.T) {
	o := newMySQLOracle(t)
	if _, err := o.Exec(`CREATE TABLE t (a INT, b INT, c VARCHAR(9), d VARCHAR(9) COLLATE utf8mb4_bin) DEFAULT CHARSET utf8mb4`); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"NULL", "0", "1", "2", "-1"} {
		for _, s := range []string{"NULL", "''", "'a'", "'A'", "'b'", "'1'", `'\''`} {
			if _, err := o.Exec(fmt.Sprintf("INSERT INTO t VALUES (%s, 1, %s, 'a'), (1, %s, 'a', %s)", n, s, n, s)); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := mysqlConditions{rand.New(rand.NewPCG(*mysqlQuoteSeed, 2))}
	told, ran := 0, 0
	for _, mode := range []string{"", "PIPES_AS_CONCAT", "HIGH_NOT_PRECEDENCE", "EMPTY_STRING_IS_NULL", "ORACLE"} {
		conn, _ := o.conn(t.Context(), mode)
		for range 4 * *mysqlQuoteTexts {
			text := c.closed(c.condition(c.IntN(3)))
			s := Analyze(MySQL, "SELECT * FROM t WHERE "+text)
			if s.Rows == nil || s.Rows.Where == nil {
				continue
			}
			told++
			missed, ok := mysqlMissed(t, conn, text, s.Rows.Where.mysqlSQL())
			if !ok {
				continue
			}
			if ran++; missed > 0 {
				t.Errorf("under %q, %d rows satisfy\n%s\nbut not\n%s", mode, missed, text, s.Rows.Where)
			}
		}
		conn.Close()
	}
	t.Logf("seed %d: of %d conditions told the server accepted %d", *mysqlQuoteSeed, told, ran)
	if ran < 500 {
		t.Error("too few to tell")
	}
}

// mysqlMissed counts the rows that satisfy text and not said. It is false if the server refuses text.
func mysqlMissed(t *testing.T, c *sql.Conn, text, said string) (missed int, ok bool) {
	err := c.QueryRowContext(context.Background(), "SELECT COUNT(*) FROM t WHERE ("+text+") AND (("+said+") IS NOT TRUE)").Scan(&missed)
	if err != nil {
		if err := c.PingContext(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	return missed, err == nil
}

// mysqlSQL writes a condition for the server.
func (c *Cond) mysqlSQL() string {
	list := texts(c.List, Term.mysqlSQL)
	switch c.Op {
	case And, Or:
		return "(" + strings.Join(texts(c.Args, (*Cond).mysqlSQL), map[CondOp]string{And: " AND ", Or: " OR "}[c.Op]) + ")"
	case Equal:
		return c.Left.mysqlSQL() + map[bool]string{false: " = ", true: " <=> "}[c.Safe] + list[0]
	case In:
		return c.Left.mysqlSQL() + " IN (" + strings.Join(list, ", ") + ")"
	case IsNull:
		return c.Left.mysqlSQL() + " IS NULL"
	}
	panic("a condition that MySQL has not")
}

func (t Term) mysqlSQL() string {
	switch t.Kind {
	case Text:
		return "'" + mysqlEscape.Replace(t.Text) + "'"
	case Blob:
		return fmt.Sprintf("X'%x'", t.Text)
	case Column, Number, Null:
		return t.String()
	}
	panic("a term that MySQL has not: " + t.String())
}

// TestMySQLChangesAgainstMariaDB runs every golden UPDATE and DELETE that is repeatable. The rows
// that its question finds before must be as many as it affects, and all satisfy what is told of it.
func TestMySQLChangesAgainstMariaDB(t *testing.T) {
	o := newMySQLOracle(t)
	ran, affected := 0, int64(0)
	mysqlGoldenTexts(t, func(text string) {
		s := Analyze(MySQL, text)
		if s.Change == nil || !s.Change.Repeatable || s.Change.Returning != nil {
			return
		}
		found, changed, ok := o.asked(s)
		if !ok {
			return
		}
		ran++
		affected += changed
		if found != changed {
			t.Errorf("%s\nfinds %d rows and changes %d", text, found, changed)
		}
	})
	t.Logf("%d changes ran, of %d rows", ran, affected)
	if ran < 40 || affected < 20 {
		t.Error("too few to tell")
	}
}

// asked counts the rows that the question of s finds and those that s then changes, and undoes
// that. It is false if the server refuses s.
func (o *mysqlOracle) asked(s *Statement) (found, changed int64, ok bool) {
	o.t.Helper()
	tx, err := o.Begin()
	if err != nil {
		o.t.Fatal(err)
	}
	defer tx.Rollback()
	question := "SELECT COUNT(*) FROM " + s.Change.From
	if s.Change.Condition != "" {
		question += " WHERE " + s.Change.Condition
	}
	if err := tx.QueryRow(question, mysqlOnes(question)...).Scan(&found); err != nil {
		return 0, 0, false
	}
	result, err := tx.Exec(s.Text, mysqlOnes(s.Text)...)
	if err != nil {
		return 0, 0, false
	}
	changed, err = result.RowsAffected()
	if err != nil {
		o.t.Fatal(err)
	}
	return found, changed, true
}

// mysqlOnes is 1 for each parameter of text.
func mysqlOnes(text string) (args []any) {
	for _, token := range mysqlLex(text, mysqlReading{}).tokens {
		if token.is("?") {
			args = append(args, 1)
		}
	}
	return args
}
