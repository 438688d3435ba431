package analyze

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// mysqlJoins makes random joins of tables that share some of their columns.
type mysqlJoins struct {
	*rand.Rand
	next int
}

// tree joins some tables, each with an alias of its own.
func (j *mysqlJoins) tree(depth int) string {
	if depth == 0 || j.IntN(4) == 0 {
		j.next++
		return fmt.Sprintf("j%d x%d", 1+j.IntN(3), j.next)
	}
	first := j.next + 1
	left, right := j.tree(depth-1), ""
	middle := j.next
	right = j.tree(depth - 1)
	if j.IntN(3) == 0 {
		right = "(" + right + ")"
	}
	if j.IntN(4) == 0 {
		left = "(" + left + ")"
	}
	on := fmt.Sprintf(" ON x%d.id = x%d.id", first+j.IntN(middle-first+1), middle+1+j.IntN(j.next-middle))
	switch j.IntN(12) {
	case 0:
		return left + ", " + right
	case 1, 2:
		return left + " JOIN " + right
	case 3:
		return left + " CROSS JOIN " + right
	case 4:
		return left + " NATURAL JOIN " + right
	case 5:
		return left + " NATURAL LEFT JOIN " + right
	case 6:
		return left + " STRAIGHT_JOIN " + right
	case 7:
		return left + " LEFT JOIN " + right + " USING (id)"
	case 8:
		return left + " RIGHT JOIN " + right + on
	case 9:
		return left + " JOIN " + right + on
	}
	return left + " LEFT JOIN " + right + on
}

// mysqlFromSQL writes sources for the server, every join in parentheses.
func mysqlFromSQL(sources []Source) string {
	text := ""
	for i, s := range sources {
		one := s.Relation.String() + " " + s.Alias
		if s.Nested != nil {
			one = mysqlFromSQL(s.Nested)
		}
		if i == 0 {
			text = one
			continue
		}
		join := " "
		if s.Natural {
			join += "NATURAL "
		}
		join += []string{"JOIN ", "LEFT JOIN ", "RIGHT JOIN "}[s.Join]
		if text += join + one; s.On != nil {
			text += " ON " + s.On.mysqlSQL()
		} else if s.Using != nil {
			text += " USING (" + strings.Join(s.Using, ", ") + ")"
		}
		text = "(" + text + ")"
	}
	return text
}

// TestMySQLJoinsAgainstMariaDB holds of random joins that the sources of their blocks, joined in
// the order in which they stand there, give the same columns and rows.
func TestMySQLJoinsAgainstMariaDB(t *testing.T) {
	o := newMySQLOracle(t)
	if _, err := o.Exec(`CREATE TABLE j1 (id INT, v INT, w1 INT); CREATE TABLE j2 (w2 INT, id INT, v INT); CREATE TABLE j3 (u INT, w3 INT, id INT);
		INSERT INTO j1 VALUES (1, 1, 11), (2, 1, 12), (NULL, 2, 13); INSERT INTO j2 VALUES (21, 1, 1), (22, 2, 2), (23, 3, 1);
		INSERT INTO j3 VALUES (1, 31, 2), (2, 32, 3)`); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(*mysqlQuoteSeed, 3))
	compared, untold := 0, 0
	for range *mysqlQuoteTexts {
		from := (&mysqlJoins{Rand: random}).tree(3)
		want, ok := o.joined(from)
		if !ok {
			continue
		}
		s := Analyze(MySQL, "SELECT * FROM "+from)
		if s.Rows == nil {
			untold++
			continue
		}
		compared++
		again := mysqlFromSQL(s.Rows.From)
		if got, ok := o.joined(again); !ok || !slices.Equal(got, want) {
			t.Errorf("%s\nis told as\n%s\nwhich gives other rows:\n%v\nwant\n%v", from, again, got, want)
		}
	}
	t.Logf("seed %d: %d joins compared, %d not told", *mysqlQuoteSeed, compared, untold)
	if compared < 300 || untold > compared/3 {
		t.Error("too few to tell")
	}
}

// joined are the rows of a FROM clause with the names of their columns, in one order. It is false
// if the server refuses it.
func (o *mysqlOracle) joined(from string) ([]string, bool) {
	o.t.Helper()
	rows, err := o.Query("SELECT * FROM " + from)
	if err != nil {
		return nil, false
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		o.t.Fatal(err)
	}
	lines := []string{}
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			o.t.Fatal(err)
		}
		lines = append(lines, fmt.Sprint(values))
	}
	slices.Sort(lines)
	return append(lines, fmt.Sprint(columns)), true
}
