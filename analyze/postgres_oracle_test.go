package analyze

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/larderdb/larder/dbtest"
)

// oracleDatabase makes a database with the schema of the golden statements.
func oracleDatabase(t *testing.T) *pgx.Conn {
	if testing.Short() {
		t.Skip("starts a server")
	}
	config, err := pgx.ParseConfig(dbtest.Postgres(t).Database(t).DSN())
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // leaves no prepared statements
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	schema, err := os.ReadFile("testdata/postgres/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, string(schema))
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, text string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), text).ReadAll(); err != nil {
		t.Fatalf("%.80s: %v", text, err)
	}
}

// TestPostgresOracle compares, for every golden statement that the server
// accepts, the relations that we find with those that the server locks when it
// prepares the statement: for reading, and for writing.
func TestPostgresOracle(t *testing.T) {
	conn := oracleDatabase(t)
	compared, unparsed := 0, 0
	for _, file := range postgresGoldenFiles(t) {
		for _, c := range readGolden(t, file) {
			s := Analyze(Postgres, c.text)
			locks, err := oracleLocks(t, conn, c.text)
			switch {
			case err != nil, s.Kind == Schema:
				continue // not a statement that can be prepared, or not valid in this schema, or SELECT INTO
			case s.Kind == Unknown:
				unparsed++
				if !s.WritesAll || s.Reason != Unparsable {
					t.Errorf("%s\nunparsed, but %s", c.text, s.Facts())
				}
			default:
				compared++
				oracleCompare(t, conn, s, locks)
			}
		}
	}
	t.Logf("%d statements compared, %d accepted by the server but not parsed", compared, unparsed)
	if compared < 400 || unparsed > 5 {
		t.Errorf("%d statements compared, want at least 400; %d not parsed, want at most 5", compared, unparsed)
	}
}

func postgresGoldenFiles(t testing.TB) []string {
	files, err := filepath.Glob("testdata/postgres/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return files
}

// oracleSet holds the qualified names of relations.
type oracleSet map[string]bool

func (s oracleSet) String() string { return strings.Join(slices.Sorted(maps.Keys(s)), ", ") }

type oracleFound struct{ read, written oracleSet }

const oracleLocksQuery = `
SELECT n.nspname || '.' || c.relname, bool_or(l.mode IN ('AccessShareLock', 'RowShareLock')), bool_or(l.mode = 'RowExclusiveLock')
FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S')
	AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
GROUP BY 1`

// oracleLocks are the relations that the server locks to prepare text.
func oracleLocks(t *testing.T, conn *pgx.Conn, text string) (oracleFound, error) {
	found := oracleFound{read: oracleSet{}, written: oracleSet{}}
	exec(t, conn, "BEGIN")
	defer exec(t, conn, "ROLLBACK; DEALLOCATE ALL")
	prepare := "PREPARE oracle AS " + strings.TrimRight(strings.TrimLeft(text, " \n;"), " \n;")
	if _, err := conn.PgConn().Exec(t.Context(), prepare).ReadAll(); err != nil {
		if _, ok := errors.AsType[*pgconn.PgError](err); !ok {
			t.Fatal(err)
		}
		return found, err
	}
	rows, err := conn.Query(t.Context(), oracleLocksQuery)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var read, written bool
	_, err = pgx.ForEachRow(rows, []any{&name, &read, &written}, func() error {
		if read {
			found.read[name] = true
		}
		if written {
			found.written[name] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, nil
}

// oracleCompare holds that we find every relation that the server locks, and no
// other. Of a relation that is written, the server's lock doesn't tell whether it
// is read as well.
func oracleCompare(t *testing.T, conn *pgx.Conn, s *Statement, locks oracleFound) {
	t.Helper()
	ours := oracleFound{read: oracleSet{}, written: oracleSet{}}
	for _, n := range s.Reads {
		ours.read.add(t, conn, n)
	}
	for _, w := range s.Writes {
		ours.written.add(t, conn, w.Relation)
	}
	for name := range locks.read {
		if !ours.read[name] {
			t.Errorf("%s\nreads %s, the server %s", s.Text, ours.read, locks.read)
		}
	}
	for name := range ours.read {
		if !locks.read[name] && !locks.written[name] {
			t.Errorf("%s\nreads %s, the server %s", s.Text, ours.read, locks.read)
		}
	}
	if !maps.Equal(ours.written, locks.written) {
		t.Errorf("%s\nwrites %s, the server %s", s.Text, ours.written, locks.written)
	}
}

// oracleViews are the views of the schema with what they are made of.
var oracleViews = map[string]string{"public.active_users": "public.users"}

// add adds n as the server resolves it, with what it is made of.
func (s oracleSet) add(t *testing.T, conn *pgx.Conn, n Name) {
	t.Helper()
	parts := pgx.Identifier{n.Name}
	if n.Schema != "" {
		parts = pgx.Identifier{n.Schema, n.Name}
	}
	var schema, name string
	err := conn.QueryRow(t.Context(), `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = to_regclass($1)`, parts.Sanitize()).Scan(&schema, &name)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		t.Errorf("the server knows no relation %s", parts.Sanitize())
	case err != nil:
		t.Fatal(err)
	case schema == "pg_catalog" || schema == "information_schema" || schema == "pg_toast":
	default:
		qualified := schema + "." + name
		s[qualified] = true
		if base := oracleViews[qualified]; base != "" {
			s[base] = true
		}
	}
}
