package analyze

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestPostgresOracleCalls compares, for every golden read without parameters,
// what it calls with the tree that the server keeps of a view made of it: a read
// that we cache calls nothing volatile and nothing of the session, and every
// function and operator of a user's is among those we name.
func TestPostgresOracleCalls(t *testing.T) {
	conn := oracleDatabase(t)
	compared := 0
	for _, file := range postgresGoldenFiles(t) {
		for _, c := range readGolden(t, file) {
			s := Analyze(Postgres, c.text)
			if s.Kind != Read {
				continue
			}
			if tree := oracleTree(t, conn, c.text); tree != "" {
				compared++
				oracleCalls(t, conn, s, tree)
			}
		}
	}
	t.Logf("%d reads compared", compared)
	if compared < 200 {
		t.Errorf("%d reads compared, want at least 200", compared)
	}
}

// oracleTree is the server's tree of a view made of text, or "" if there can't
// be one.
func oracleTree(t *testing.T, conn *pgx.Conn, text string) string {
	exec(t, conn, "BEGIN")
	defer exec(t, conn, "ROLLBACK")
	query := strings.Trim(text, " \n;")
	create := "CREATE VIEW oracle AS SELECT 1 AS one WHERE EXISTS (" + query + "\n)"
	if _, err := conn.PgConn().Exec(t.Context(), create).ReadAll(); err != nil {
		return ""
	}
	var tree string
	err := conn.QueryRow(t.Context(), "SELECT ev_action::text FROM pg_rewrite WHERE ev_class = 'oracle'::regclass").Scan(&tree)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

var (
	oracleFunctionIDs = regexp.MustCompile(`:(?:funcid|aggfnoid|winfnoid|opfuncid) (\d+)`)
	oracleOperatorIDs = regexp.MustCompile(`:opno (\d+)`)
)

func oracleIDs(pattern *regexp.Regexp, tree string) []string {
	ids := []string{"0"}
	for _, match := range pattern.FindAllStringSubmatch(tree, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

func oracleCalls(t *testing.T, conn *pgx.Conn, s *Statement, tree string) {
	t.Helper()
	cached := s.Reason == Cacheable
	rows, err := conn.Query(t.Context(), `SELECT proname::text, provolatile = 'v', oid >= 16384 FROM pg_proc
		WHERE oid = ANY ('{`+strings.Join(oracleIDs(oracleFunctionIDs, tree), ",")+`}')`)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var volatile, users bool
	_, err = pgx.ForEachRow(rows, []any{&name, &volatile, &users}, func() error {
		switch {
		case users && !oracleNames(s, name):
			t.Errorf("%s\ncalls %s, which isn't among %v", s.Text, name, s.Functions)
		case cached && !users && (volatile || oracleOfSession(name)):
			t.Errorf("%s\ncalls %s, but counts as cacheable", s.Text, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if cached && strings.Contains(tree, "{SQLVALUEFUNCTION") {
		t.Errorf("%s\nhas a function of the clock or the session, but counts as cacheable", s.Text)
	}
	oracleOperators(t, conn, s, tree)
}

// oracleNames reports whether a catalog can learn from s that a user's function
// is called: by its name, by that of its operator, or as u.full_name.
func oracleNames(s *Statement, name string) bool {
	switch name {
	case "my_plus":
		return slices.ContainsFunc(s.Operators, func(o string) bool { return strings.HasSuffix(o, "|+|") })
	case "full_name":
		return strings.Contains(strings.ToLower(s.Text), name)
	}
	return slices.ContainsFunc(s.Functions, func(n Name) bool { return n.Name == name })
}

// oracleOfSession reports whether a built-in function that isn't volatile
// depends on the session, the clock or the catalogs.
func oracleOfSession(name string) bool {
	clock := wordSet("now statement_timestamp transaction_timestamp")
	return clock[name] || wordSet(pgSessionFunctions)[name] || wordSet(pgSettingFunctions)[name] || wordSet(pgCatalogFunctions)[name]
}

func oracleOperators(t *testing.T, conn *pgx.Conn, s *Statement, tree string) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT oprname::text, oid >= 16384 FROM pg_operator
		WHERE oid = ANY ('{`+strings.Join(oracleIDs(oracleOperatorIDs, tree), ",")+`}')`)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var users bool
	_, err = pgx.ForEachRow(rows, []any{&name, &users}, func() error {
		named := slices.ContainsFunc(s.Operators, func(o string) bool { return o == name || strings.HasSuffix(o, "."+name) })
		if !named && !strings.Contains(s.Text, "pg_catalog."+name) {
			t.Errorf("%s\ncalls the operator %s, which isn't among %v", s.Text, name, s.Operators)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPostgresBuiltins compares our lists of built-in names with the server's.
func TestPostgresBuiltins(t *testing.T) {
	conn := oracleDatabase(t)
	immutable, other := wordSet(pgImmutableFunctions), wordSet(pgOtherFunctions)
	var name string
	var allImmutable bool
	rows, err := conn.Query(t.Context(), `SELECT proname::text, bool_and(provolatile = 'i') FROM pg_proc
		WHERE pronamespace = 'pg_catalog'::regnamespace GROUP BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	functions := 0
	_, err = pgx.ForEachRow(rows, []any{&name, &allImmutable}, func() error {
		functions++
		if immutable[name] && !allImmutable {
			t.Errorf("%s is not immutable", name)
		}
		if class := pgClassOf(Name{Name: name}, 1); class == pgUserDefined && (immutable[name] || other[name]) {
			t.Errorf("%s counts as the user's", name)
		}
		return nil
	})
	if err != nil || functions < 2000 {
		t.Fatalf("%d functions, %v", functions, err)
	}
	for name := range wordSet(pgStableFunctions) {
		var volatile bool
		err := conn.QueryRow(t.Context(), `SELECT coalesce(bool_or(provolatile = 'v'), true) FROM pg_proc
			WHERE proname = $1 AND pronamespace = 'pg_catalog'::regnamespace`, name).Scan(&volatile)
		if err != nil || volatile {
			t.Errorf("%s is volatile or unknown to the server (%v)", name, err)
		}
	}
}
