package analyze

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"github.com/larderdb/larder/dbtest"
)

// mysqlOracle is a MariaDB server that tells which tables a statement opens: it
// holds a metadata lock on each until the transaction ends.
type mysqlOracle struct {
	*sql.DB
	t      *testing.T
	schema string
}

func newMySQLOracle(t *testing.T) *mysqlOracle {
	if testing.Short() {
		t.Skip("starts a server")
	}
	d := dbtest.NewMariaDB(t).Database(t)
	db, err := sql.Open("mysql", d.DSN("multiStatements=true", "clientFoundRows=true"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	o := &mysqlOracle{DB: db, t: t, schema: d.Name}
	if _, err := db.Exec("INSTALL SONAME 'metadata_lock_info'"); err != nil {
		t.Fatalf("the server can't tell its metadata locks: %v", err)
	}
	o.build()
	return o
}

// build fills the database from testdata.
func (o *mysqlOracle) build() {
	o.t.Helper()
	schema, err := os.ReadFile("testdata/mysql/schema.sql")
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.Exec(string(schema)); err != nil {
		o.t.Fatal(err)
	}
}

// conn returns a connection with a sql_mode, and its number.
func (o *mysqlOracle) conn(ctx context.Context, mode string) (*sql.Conn, int64) {
	o.t.Helper()
	c, err := o.Conn(ctx)
	if err != nil {
		o.t.Fatal(err)
	}
	var id int64
	if err := c.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		o.t.Fatal(err)
	}
	if _, err := c.ExecContext(ctx, "SET SESSION sql_mode = '"+mode+"', lock_wait_timeout = 2, innodb_lock_wait_timeout = 2"); err != nil {
		o.t.Fatal(err)
	}
	return c, id
}

// A mysqlOpened is what the server says of a statement that it has run.
type mysqlOpened struct{ tables, written []string }

// opened runs text in a transaction, undoes it, and tells the tables it opened.
// It is false if the server refuses text.
func (o *mysqlOracle) opened(text, mode string) (mysqlOpened, bool) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, id := o.conn(ctx, mode)
	defer c.Close()
	if _, err := c.ExecContext(ctx, "START TRANSACTION"); err != nil {
		o.t.Fatal(err)
	}
	defer c.ExecContext(ctx, "ROLLBACK; SELECT RELEASE_ALL_LOCKS()")
	if err := mysqlRun(ctx, c, text); err != nil {
		return mysqlOpened{}, false
	}
	return o.locked(ctx, id), true
}

// mysqlRun runs text to its end, with 1 for each of its parameters.
func mysqlRun(ctx context.Context, c *sql.Conn, text string) error {
	var args []any
	for _, token := range mysqlLex(text, mysqlReading{}).tokens {
		if token.is("?") {
			args = append(args, 1)
		}
	}
	rows, err := c.QueryContext(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// locked lists the tables on which connection id holds metadata locks.
func (o *mysqlOracle) locked(ctx context.Context, id int64) mysqlOpened {
	o.t.Helper()
	rows, err := o.QueryContext(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME, LOCK_MODE FROM information_schema.metadata_lock_info
		WHERE THREAD_ID = ? AND LOCK_TYPE = 'Table metadata lock' ORDER BY 1, 2`, id)
	if err != nil {
		o.t.Fatal(err)
	}
	defer rows.Close()
	var opened mysqlOpened
	for rows.Next() {
		var schema, name, mode string
		if err := rows.Scan(&schema, &name, &mode); err != nil {
			o.t.Fatal(err)
		}
		table := schema + "." + name
		opened.tables = addOnce(opened.tables, table)
		if mode == "MDL_SHARED_WRITE" {
			opened.written = addOnce(opened.written, table)
		}
	}
	slices.Sort(opened.tables)
	return opened
}

// names are names as the server writes them.
func (o *mysqlOracle) names(names []Name) []string {
	var full []string
	for _, n := range names {
		if n.Schema == "" {
			n.Schema = o.schema
		}
		full = addOnce(full, n.String())
	}
	slices.Sort(full)
	return full
}

// mysqlModesRun are the sql_modes under which texts are read differently.
var mysqlModesRun = []string{
	"", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "ORACLE", "IGNORE_SPACE",
}

// TestMySQLRelationsAgainstMariaDB runs every golden statement that reads or
// changes rows, under each sql_mode where that matters. What the server opens
// must be among what we say is read or written; of a read whose text has one
// reading, it must be the same.
func TestMySQLRelationsAgainstMariaDB(t *testing.T) {
	o := newMySQLOracle(t)
	ran, equal := 0, 0
	mysqlGoldenTexts(t, func(text string) {
		s := Analyze(MySQL, text)
		if !mysqlCanBeRun(s) {
			return
		}
		plain := !strings.ContainsAny(text, `"\`) && !strings.Contains(text, "/*")
		for i, mode := range mysqlModesRun {
			if i > 0 && plain && !strings.Contains(text, "||") {
				break
			}
			got, ok := o.opened(text, mode)
			if !ok {
				continue
			}
			ran++
			o.compare(s, mode, got)
			if s.Kind != Read || !plain || strings.HasPrefix(text, "WITH Users") || strings.HasPrefix(text, "WITH RECURSIVE x AS (SELECT id FROM y)") { // wider answers, see the golden files
				continue
			}
			equal++
			if !slices.Equal(got.tables, o.names(s.Reads)) {
				t.Errorf("%s\nopens %v, we say %v", text, got.tables, o.names(s.Reads))
			}
		}
	})
	t.Logf("%d statements ran, %d reads have the same relations", ran, equal)
	if ran < 400 || equal < 300 {
		t.Errorf("only %d statements ran, %d reads were compared", ran, equal)
	}
}

// mysqlCanBeRun reports whether the server can judge s and stay as it is.
func mysqlCanBeRun(s *Statement) bool {
	switch s.Reason {
	case Unparsable, Cursor, SystemCatalog: // nothing said; no transaction; views of no transaction
		return false
	case NotRead:
		return s.Kind == Modify && !s.WritesAll && !s.ImplicitCommit
	}
	return s.Kind == Read
}

// compare holds that s names all that the server has opened, and among its
// writes all that the server has opened to write. (UPDATE opens all tables of a
// join to write, and changes those with assigned columns. Sequences are never
// cached.)
func (o *mysqlOracle) compare(s *Statement, mode string, got mysqlOpened) {
	o.t.Helper()
	writes := make([]Name, len(s.Writes))
	for i, w := range s.Writes {
		writes[i] = w.Relation
	}
	said := append(o.names(s.Reads), o.names(writes)...)
	for _, table := range got.tables {
		if !slices.Contains(said, table) {
			o.t.Errorf("%s\nunder %q opens %s, we say %v", s.Text, mode, table, said)
		}
	}
	for _, table := range got.written {
		if s.Kind == Modify && !strings.Contains(s.Text, "UPDATE") && !strings.HasSuffix(table, ".s1") && !slices.Contains(o.names(writes), table) {
			o.t.Errorf("%s\nunder %q opens %s to write, we say %v", s.Text, mode, table, o.names(writes))
		}
	}
}

// TestMySQLKnowsTheFunctionsOfMariaDB holds that every function that the server
// lists as its own is judged here.
func TestMySQLKnowsTheFunctionsOfMariaDB(t *testing.T) {
	o := newMySQLOracle(t)
	rows, err := o.Query("SELECT LOWER(FUNCTION) FROM information_schema.SQL_FUNCTIONS")
	if err != nil {
		t.Fatalf("the server doesn't list its functions: %v", err)
	}
	defer rows.Close()
	listed := 0
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		listed++
		if _, impure := mysqlImpure[name]; !impure && !mysqlPure[name] && name != "schemas" { // a keyword
			t.Errorf("%s is not known", name)
		}
	}
	if listed < 100 {
		t.Errorf("the server lists only %d functions", listed)
	}
}
