package analyze

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestPostgresParameters holds that rows which a WHERE clause accepts satisfy what is told of them, with the value of
// the parameter put in its places, whatever type other places give to the parameter.
func TestPostgresParameters(t *testing.T) {
	conn := oracleDatabase(t)
	exec(t, conn, `CREATE TABLE parameters (big int8, tag char(4), score float8, name text)`)
	exec(t, conn, `INSERT INTO parameters VALUES (9007199254740992, 'a', 9007199254740993, 'a'), (9007199254740993, 'a', 1, 'a  '), (7, '7', 7, '7'), (8, '8', 8, '007')`)
	misled := 0
	for _, c := range []struct {
		where, arg string
		naive      string // what it would be told as if each place were judged by itself; "" if it may be
	}{
		{"big = $1", "9007199254740993", ""},
		{"big = $1 AND big IN ($1, 7)", "9007199254740993", ""},
		{"big = $1 AND big BETWEEN $1 AND $1", "9007199254740993", ""},
		{"big = $1::int8 OR big = $1::int8", "7", ""},
		{"name = $1", "a  ", ""},
		{"$1::float8 > 0 AND big = $1", "9007199254740993", "big = $1"},
		{"score + 0 = $1 AND big = $1", "9007199254740993", "big = $1"},
		{"tag::bpchar >= $1 AND name = $1", "7  ", "name = $1"},
		{"$1::int = 7 AND name = $1::text", "007", "name = $1"},
		{"(SELECT 7 = $1::int) AND name = $1::text", "007", "name = $1"},
	} {
		rows, err := conn.Query(t.Context(), "SELECT to_json(parameters)::text FROM parameters WHERE "+c.where, pgx.QueryExecModeDescribeExec, c.arg)
		if err != nil {
			t.Fatal(err)
		}
		accepted, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(accepted) == 0 {
			t.Errorf("WHERE %s accepts %d rows: %v", c.where, len(accepted), err)
			continue
		}
		told := Analyze(Postgres, "SELECT 1 FROM parameters WHERE "+c.where).Rows.Where
		if c.naive == "" {
			checkAccepted(t, accepted, told, c.arg)
			continue
		}
		if strings.Contains(told.String(), "$1") {
			t.Errorf("WHERE %s is told as %s", c.where, told)
		}
		naive := filled(Analyze(Postgres, "SELECT 1 FROM parameters WHERE "+c.naive).Rows.Where, c.arg)
		if slices.ContainsFunc(accepted, func(row string) bool { return !satisfies(row, naive) }) {
			misled++
		} else {
			t.Errorf("WHERE %s accepts only rows with %s", c.where, c.naive)
		}
	}
	if misled < 5 {
		t.Errorf("only %d conditions would have misled", misled)
	}
}

func checkAccepted(t *testing.T, rows []string, told *Cond, arg string) {
	t.Helper()
	for _, row := range rows {
		if !strings.Contains(told.String(), "$1") || !satisfies(row, filled(told, arg)) {
			t.Errorf("%s is accepted, but told as %s with %q", row, told, arg)
		}
	}
}

// filled is a condition with a text in the place of its parameters.
func filled(c *Cond, arg string) *Cond {
	next := *c
	next.Args, next.List = nil, nil
	for _, sub := range c.Args {
		next.Args = append(next.Args, filled(sub, arg))
	}
	for _, term := range c.List {
		if term.Kind == Param {
			term = Term{Kind: Text, Text: arg}
		}
		next.List = append(next.List, term)
	}
	return &next
}
