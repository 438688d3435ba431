package analyze

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/multigres/multigres/go/common/parser/ast"
)

// TestPostgresOutputs compares, for every golden statement that the server accepts, the
// names of outputs with the server's, and the types of repeated parameters with those that they
// have in the statement.
func TestPostgresOutputs(t *testing.T) {
	conn := oracleDatabase(t)
	named, repeated := 0, 0
	for _, file := range postgresGoldenFiles(t) {
		for _, c := range readGolden(t, file) {
			s := Analyze(Postgres, c.text)
			if s.Rows == nil && s.Change == nil {
				continue
			}
			described, err := conn.PgConn().Prepare(t.Context(), "", c.text, nil)
			if err != nil {
				continue // not valid in this schema
			}
			var names []string
			for _, field := range described.Fields {
				names = append(names, field.Name)
			}
			if s.Rows != nil && compareOutputs(t, s, names) {
				named++
			}
			if s.Change != nil && s.Change.Repeatable {
				repeated++
				compareRepeated(t, conn, s, described.ParamOIDs)
			}
		}
	}
	t.Logf("%d outputs and %d repeated conditions compared", named, repeated)
	if named < 200 || repeated < 50 {
		t.Errorf("%d outputs and %d repeated conditions compared, want at least 200 and 50", named, repeated)
	}
}

func compareOutputs(t *testing.T, s *Statement, names []string) bool {
	b := s.Rows
	for len(b.Arms) > 0 {
		b = b.Arms[0]
	}
	if slices.ContainsFunc(b.Columns, func(o Output) bool { return o.Star }) {
		return false
	}
	if len(b.Columns) != len(names) {
		t.Errorf("%s\nhas outputs %v, want %q", s.Text, b.Columns, names)
		return false
	}
	for i, o := range b.Columns {
		if o.Name != names[i] && (o.Name != "" || names[i] != "?column?" && names[i] != "extract" && !strings.HasPrefix(names[i], "xml") &&
			!strings.HasPrefix(names[i], "current_") && !strings.HasPrefix(names[i], "local") && names[i] != "user") {
			t.Errorf("%s\nhas an output %q, want %q", s.Text, o.Name, names[i])
		}
	}
	return true
}

func compareRepeated(t *testing.T, conn *pgx.Conn, s *Statement, types []uint32) {
	text := "SELECT 1 FROM " + s.Change.From
	if s.Change.Condition != "" {
		text += " WHERE " + s.Change.Condition
	}
	described, err := conn.PgConn().Prepare(t.Context(), "", text, nil)
	if err != nil || len(described.ParamOIDs) != len(s.Change.Args) {
		t.Errorf("%s\nis repeated by %s: %v", s.Text, text, err)
		return
	}
	for i, arg := range s.Change.Args {
		if described.ParamOIDs[i] != types[arg.Param-1] {
			t.Errorf("%s\nis repeated by %s, whose $%d has another type", s.Text, text, i+1)
		}
	}
}

// TestPostgresFolding compares the lists of aggregates and functions that return sets with the server's.
func TestPostgresFolding(t *testing.T) {
	conn := oracleDatabase(t)
	rows, err := conn.Query(t.Context(), `SELECT DISTINCT proname::text, prokind = 'a', proretset FROM pg_proc
		WHERE pronamespace = 'pg_catalog'::regnamespace AND (prokind = 'a' OR proretset)`)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var aggregate, set bool
	found := 0
	_, err = pgx.ForEachRow(rows, []any{&name, &aggregate, &set}, func() error {
		found++
		grouped, folds := pgFolding(ast.NewFuncCall(ast.NewNodeList(ast.NewString(name)), nil, 0))
		if aggregate && !grouped || set && !folds {
			t.Errorf("%s counts as a plain function", name)
		}
		return nil
	})
	if err != nil || found < 100 {
		t.Fatalf("%d functions, %v", found, err)
	}
}

// TestPostgresLiterals compares the values of literals with the server's.
func TestPostgresLiterals(t *testing.T) {
	conn := oracleDatabase(t)
	for _, literal := range []string{
		`'it''s'`, `E'a\tb\\c\'d\x41\101\u00e4'`, `U&'d\0061t\+000061\\'`, `U&'d!0061t' UESCAPE '!'`, `$$x'y$$`, `$a$ $$ $a$`,
		"'two '\n'lines'", `'a\b'`, `''`, `5`, `-5`, `+5`, `007`, `9223372036854775807`, `-9223372036854775808`,
		`1.50`, `.5`, `5.`, `-0.0`, `true`, `FALSE`, `'x'::text`, `'5'::int`, `int8 '7'`, `5::numeric`, `E'\n'`, `'ä' `, `N'x '`, `1e3`,
	} {
		s := Analyze(Postgres, "SELECT "+literal)
		term := s.Rows.Columns[0].Term
		var want string
		if err := conn.QueryRow(t.Context(), "SELECT ("+literal+")::text").Scan(&want); err != nil {
			t.Fatalf("%s: %v", literal, err)
		}
		text := strings.TrimSuffix(term.Text, ".")
		if text == ".5" || text == "-0.0" {
			text = map[string]string{".5": "0.5", "-0.0": "0.0"}[text]
		}
		if term.Kind != Untold && text != want {
			t.Errorf("%s is %v, want %q", literal, term, want)
		}
		if told := literal != `N'x '` && literal != `1e3`; told != (term.Kind != Untold) {
			t.Errorf("%s is %v", literal, term)
		}
	}
}

// TestPostgresConditions holds that a row which a WHERE clause accepts satisfies the condition that is told of it,
// for conditions written at random, with and without the brackets that would make them easy to read.
func TestPostgresConditions(t *testing.T) {
	conn := oracleDatabase(t)
	exec(t, conn, `CREATE TABLE conditions AS SELECT a, b, c, d, s FROM (VALUES (NULL::int), (1), (2), (-1)) a (a),
		(VALUES (NULL::int), (1), (2)) b (b), (VALUES (NULL::bool), (true), (false)) c (c),
		(VALUES (true), (false)) d (d), (VALUES (NULL::text), ('1'), ('x''y')) s (s)`)
	random := rand.New(rand.NewPCG(4, 2))
	valid, told, confined := 0, 0, 0
	for range 3000 {
		text := randomCondition(random, 3)
		rows, err := conn.Query(t.Context(), "SELECT to_json(x)::text FROM (SELECT 1) AS one, LATERAL (SELECT * FROM conditions WHERE "+text+") x")
		if err != nil {
			continue // not valid, as a = b = c
		}
		accepted, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			continue
		}
		valid++
		s := Analyze(Postgres, "SELECT 1 FROM conditions WHERE "+text)
		if s.Rows == nil || s.Rows.Where == nil {
			if s.Rows == nil && s.Kind != Unknown {
				t.Errorf("WHERE %s has no rows", text)
			}
			continue
		}
		where := s.Rows.Where
		told++
		if len(accepted) > 0 && len(accepted) < 200 {
			confined++
		}
		for _, row := range accepted {
			if !satisfies(row, where) {
				t.Fatalf("WHERE %s accepts %s, but is told as %s", text, row, where)
			}
		}
	}
	t.Logf("%d conditions, %d told, %d that some rows satisfy", valid, told, confined)
	if valid < 2000 || told < 500 || confined < 400 {
		t.Errorf("%d conditions, %d told, %d that some rows satisfy", valid, told, confined)
	}
}

func randomCondition(r *rand.Rand, depth int) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	number := func() string {
		return pick("1", "2", "-1", "- 1", "+2", "'1'", "NULL", "1::int", "'2'::int8", "1.0", "(1)")
	}
	column := func() string { return pick("a", "b", "conditions.a", "(b)") }
	if depth > 0 && r.IntN(3) > 0 {
		left, right := randomCondition(r, depth-1), randomCondition(r, depth-1)
		return pick(left+" AND "+right, left+" OR "+right, "("+left+") AND "+right, left+" OR ("+right+")", "NOT "+left, "NOT ("+left+")",
			"("+left+") IS TRUE", "("+left+") = "+right, "("+left+")", left+" IS NULL", left+" = TRUE")
	}
	switch r.IntN(12) {
	case 0:
		return pick("c", "d", "NOT c", "c IS TRUE", "c IS FALSE", "c = TRUE", "FALSE = d", "c <> d", "c IS NOT FALSE", "c IS UNKNOWN", "c = d", "TRUE", "FALSE")
	case 1:
		return column() + pick(" IS NULL", " ISNULL", " IS NOT NULL", " NOTNULL")
	case 2:
		return column() + pick(" IN (", " NOT IN (") + number() + ", " + pick(number(), column(), column()+" + 1") + ")"
	case 3:
		return column() + pick(" BETWEEN ", " NOT BETWEEN ", " BETWEEN SYMMETRIC ") + number() + " AND " + number()
	case 4:
		return column() + pick(" IS DISTINCT FROM ", " IS NOT DISTINCT FROM ") + pick(number(), column())
	case 5:
		return pick("(a, b)", "ROW(b, a)") + pick(" = ", " <> ", " IS NOT DISTINCT FROM ", " < ") + "(" + number() + ", " + pick(number(), column()) + ")"
	case 6:
		return pick("(a, c)", "(b, d)") + pick(" IN ", " NOT IN ") + fmt.Sprintf("((%s, %s), (%s, c))", number(), pick("true", "false", "NULL"), number())
	case 7:
		return column() + pick(" = ", " <> ") + pick("ANY", "ALL", "SOME") + pick("(ARRAY[1, 2])", "(ARRAY[1, a])", "(ARRAY['1', '2']::int[])", "('{1}')", "(ARRAY[NULL, 2])")
	case 8:
		return "s" + pick(" = ", " LIKE ", " <> ") + pick("'1'", "'x''y'", `E'x\'y'`, "$$x'y$$", "'1'::text", "'1' COLLATE \"C\"")
	case 9:
		return column() + pick(" OPERATOR(pg_catalog.=) ", " = ", "=") + pick(number(), column())
	}
	return pick(column(), number()) + pick(" = ", "=", " <> ", " < ") + pick(column(), number(), column()+" + 1")
}

// satisfies evaluates a condition on a row as JSON.
func satisfies(row string, c *Cond) bool {
	all := func(c *Cond) bool { return satisfies(row, c) }
	switch c.Op {
	case And:
		return !slices.ContainsFunc(c.Args, func(c *Cond) bool { return !all(c) })
	case Or:
		return slices.ContainsFunc(c.Args, all)
	case IsNull:
		return rowValue(row, c.Left) == "null"
	case IsTrue:
		return rowValue(row, c.Left) == "true"
	case IsFalse:
		return rowValue(row, c.Left) == "false"
	}
	left := rowValue(row, c.Left)
	return slices.ContainsFunc(c.List, func(t Term) bool { return left == rowValue(row, t) && (c.Safe || left != "null") })
}

func rowValue(row string, t Term) string {
	if t.Kind != Column {
		return map[bool]string{true: "null", false: strings.TrimSuffix(t.Text, ".0")}[t.Kind == Null]
	}
	_, rest, _ := strings.Cut(row, `"`+t.Text+`":`)
	value, _, _ := strings.Cut(rest, ",")
	return strings.Trim(strings.TrimSuffix(value, "}"), `"`)
}
