package analyze

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestMentions: which columns a text may mean, by its words.
func TestMentions(t *testing.T) {
	for _, c := range []struct {
		dialect Dialect
		text    string
		column  string
		want    bool
	}{
		{Postgres, "SELECT name FROM users WHERE id = $1", "name", true},
		{Postgres, "SELECT name FROM users WHERE id = $1", "seen", false},
		{Postgres, `SELECT "theName" FROM users`, "theName", true},
		{Postgres, `SELECT name FROM users`, "theName", false},
		{Postgres, "SELECT NAME FROM users", "name", true},
		{Postgres, `SELECT u&"\006eame" FROM users`, "name", true},
		{Postgres, "SELECT name FROM users", "the name", true},
		{Postgres, "SELECT name FROM users", "größe", true},
		{Postgres, "SELECT name FROM users WHERE city = 'Köln'", "seen", true},
		{Postgres, "SELECT name FROM users ORDER BY xmin", "seen", true},
		{Postgres, "SELECT a.name FROM users a NATURAL JOIN stuff", "seen", true},
		{SQLite, "SELECT u.'name' FROM users u", "name", true},
		{SQLite, "SELECT name FROM users WHERE rowid = 3", "id", true},
		{MySQL, "SELECT `name` FROM users", "name", true},
		{MySQL, "SELECT id, /*!50001name*/ FROM users", "name", true},
		{MySQL, "SELECT _rowid FROM users", "id", true},
	} {
		s := Analyze(c.dialect, c.text)
		var m *Mentions // which means all columns
		if s.Rows != nil {
			m = s.Rows.Mentions
		}
		if got := m.Column(c.column); got != c.want {
			t.Errorf("%s: %s: %s: %t", c.dialect, c.text, c.column, got)
		}
	}
	for text, want := range map[string]bool{
		"SELECT name FROM users": false, "SELECT u FROM users u": true, "SELECT count(u.*) FROM users u": true, "SELECT u.fullname FROM users u": true,
		"SELECT u.name FROM users u": false, "SELECT (u).name FROM users u": true, "SELECT public.u FROM users u": true,
	} {
		if got := Analyze(Postgres, text).Rows.Mentions.Row("u", []string{"id", "name"}); got != want {
			t.Errorf("%s: whole rows of u: %t", text, got)
		}
	}
	for text, want := range map[string]string{
		"SELECT name FROM users ORDER BY name, u.id LIMIT 3": "name u.id", "SELECT name FROM users ORDER BY name || 'x', 2": "", "SELECT name FROM users": "",
		"SELECT name FROM users ORDER BY id DESC": "id", "SELECT name FROM users ORDER BY (id) LIMIT 1": "id",
	} {
		for _, d := range []Dialect{Postgres, MySQL, SQLite} {
			s := Analyze(d, text)
			if got := strings.Join(texts(s.Rows.Order, Term.String), " "); got != want || s.Rows.Mentions.Limits != strings.Contains(text, "LIMIT") {
				t.Errorf("%s: %s: ordered by %q, limits %t", d, text, got, s.Rows.Mentions.Limits)
			}
		}
	}
	if !mentionsOf("SELECT name FROM users WHERE age=1e5limit 1").Limits || !mentionsOf("SELECT 1limit 1").Limits {
		t.Error("a LIMIT behind a number isn't seen")
	}
	for text, want := range map[string]bool{
		"SELECT name FROM users ORDER BY name": false, "SELECT array_agg(name) FROM users": true,
		"SELECT DISTINCT name FROM users": true, "SELECT count(*) FROM users": false, "SELECT ARRAY(SELECT id FROM users)": true, "SELECT DISTINCT ON (age) name FROM users": true, "SELECT name, rank() OVER () FROM users": true,
	} {
		if s := Analyze(Postgres, text); s.Rows != nil && s.Rows.Mentions.Chooses != want {
			t.Errorf("%s: chooses: %t", text, s.Rows.Mentions.Chooses)
		}
	}
}

// looksAtAll reports whether a block, or one within, may mean all columns of a source. names are those of all relations' columns.
func (b *Block) looksAtAll(m *Mentions, names []string) bool {
	if b == nil {
		return false
	}
	all := func(b *Block) bool { return b.looksAtAll(m, names) }
	return slices.ContainsFunc(b.Columns, func(o Output) bool { return o.Star }) || sourcesLookAtAll(b.From, m, names) ||
		slices.ContainsFunc(b.Arms, all) || slices.ContainsFunc(b.Subs, all) ||
		slices.ContainsFunc(b.With, func(c CTE) bool { return all(c.Block) })
}

func sourcesLookAtAll(list []Source, m *Mentions, names []string) bool {
	return slices.ContainsFunc(list, func(s Source) bool {
		alias := s.Alias
		if alias == "" {
			alias = s.Relation.Name
		}
		return s.Columns != nil || m.Row(alias, names) || s.Sub.looksAtAll(m, names) || sourcesLookAtAll(s.Nested, m, names)
	})
}

// TestSQLiteColumns: each column of which the engine's authorizer is asked for a golden read is among its words.
func TestSQLiteColumns(t *testing.T) {
	oracle := newLiteOracle(t)
	files, err := filepath.Glob("testdata/sqlite/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	columns := 0
	for _, file := range files {
		for _, c := range readGolden(t, file) {
			s := Analyze(SQLite, c.text)
			if s.Rows == nil || s.Rows.looksAtAll(s.Rows.Mentions, nil) {
				continue
			}
			did, err := oracle.compile(c.text)
			if err != nil {
				continue
			}
			for column := range did.columns {
				if columns++; !s.Rows.Mentions.Column(column) {
					t.Errorf("%s\nlooks at %s, as the engine says", c.text, column)
				}
			}
		}
	}
	if t.Logf("%d columns", columns); columns < 300 {
		t.Error("too few to tell")
	}
}

const columnsQuery = `
SELECT format('%I.%I', n.nspname, c.relname), a.attname, c.relkind::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`

// TestPostgresColumns: a role that may see no columns but those among the words of a golden read may run it.
func TestPostgresColumns(t *testing.T) {
	conn := oracleDatabase(t)
	exec(t, conn, `DO $$ DECLARE r text; BEGIN FOR r IN SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT c.relispartition AND NOT EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid)
		LOOP EXECUTE 'ALTER TABLE ' || r || ' ADD COLUMN oracle_only int'; END LOOP; END $$`) // some column must be granted
	var relation, column, kind string
	var list [][3]string
	rows, err := conn.Query(t.Context(), columnsQuery)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.ForEachRow(rows, []any{&relation, &column, &kind}, func() error {
		list = append(list, [3]string{relation, column, kind})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `CREATE ROLE looker; DO $$ DECLARE s text; BEGIN
		FOR s IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' LOOP EXECUTE format('GRANT USAGE ON SCHEMA %I TO looker', s); END LOOP; END $$`)
	exec(t, conn, "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO looker")
	var names []string
	for _, column := range list {
		names = append(names, column[1])
	}
	asked, withheld := 0, 0
	for _, file := range postgresGoldenFiles(t) {
		for _, c := range readGolden(t, file) {
			s := Analyze(Postgres, c.text)
			if s.Rows == nil || s.Reason == Locking || s.Rows.Mentions.Any || s.Rows.looksAtAll(s.Rows.Mentions, names) {
				continue
			}
			grants := ""
			for _, column := range list {
				switch {
				case column[2] == "v" || column[2] == "m":
					grants += fmt.Sprintf("GRANT SELECT ON %s TO looker; ", column[0])
				case s.Rows.Mentions.Column(column[1]), column[1] == "oracle_only":
					grants += fmt.Sprintf(`GRANT SELECT ("%s") ON %s TO looker; `, strings.ReplaceAll(column[1], `"`, `""`), column[0])
				default:
					withheld++
				}
			}
			if mayLook(t, conn, c.text, grants) {
				asked++
			}
		}
	}
	if t.Logf("%d statements, %d columns withheld", asked, withheld); asked < 100 {
		t.Error("too few to tell")
	}
}

// mayLook has a statement planned by a role with some privileges only, and reports whether the server takes it at all.
func mayLook(t *testing.T, conn *pgx.Conn, text, grants string) bool {
	t.Helper()
	exec(t, conn, "BEGIN")
	defer exec(t, conn, "ROLLBACK; DEALLOCATE ALL")
	run := func(text string) error {
		_, err := conn.PgConn().Exec(context.Background(), text).ReadAll()
		return err
	}
	if run("PREPARE oracle AS "+strings.Trim(text, " \n;")) != nil {
		return false
	}
	var parameters int
	if err := conn.QueryRow(t.Context(), "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'oracle'").Scan(&parameters); err != nil {
		t.Fatal(err)
	}
	arguments := ""
	if parameters > 0 {
		arguments = "(" + strings.TrimSuffix(strings.Repeat("NULL, ", parameters), ", ") + ")"
	}
	exec(t, conn, grants+"SET LOCAL ROLE looker")
	err := run("EXPLAIN EXECUTE oracle" + arguments)
	if denied, ok := errors.AsType[*pgconn.PgError](err); ok && denied.Code == "42501" {
		t.Errorf("%s\n%v, though it may see what is among the words", text, err)
	}
	return err == nil
}
