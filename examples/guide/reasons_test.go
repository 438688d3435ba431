package guide

import (
	"context"
	"database/sql"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql" // as "mysql"
	_ "github.com/jackc/pgx/v5/stdlib" // as "pgx"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// A row is one of the guide's table of Reasons.
type row struct {
	reason   string
	driver   string
	examples []string // SQL, one after the other; none if the example is in words
}

var (
	code    = regexp.MustCompile("`([^`]*)`")
	drivers = map[string]string{"MySQL": "mysql", "SQLite": "sqlite"}
)

// rows reads the table: a Reason, what it means, an example (on PostgreSQL, unless it begins with another's name), and what to do.
func rows(t *testing.T) (list []row) {
	t.Helper()
	text, err := os.ReadFile("../../docs/guide/03-what-isnt-cached.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || !strings.HasPrefix(line, "| `") {
			continue
		}
		r := row{reason: code.FindStringSubmatch(cells[1])[1], driver: "pgx"}
		example := strings.TrimSpace(cells[3])
		if first, rest, ok := strings.Cut(example, ": "); ok && drivers[first] != "" {
			r.driver, example = drivers[first], rest
		}
		for _, span := range code.FindAllStringSubmatch(example, -1) {
			if strings.HasPrefix(example, "`") {
				r.examples = append(r.examples, span[1])
			}
		}
		list = append(list, r)
	}
	return list
}

// reasons returns the Reasons that analyze has, by their names in Go.
func reasons(t *testing.T) map[string]analyze.Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../analyze/reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]analyze.Reason{}
	for _, d := range file.Decls {
		constants, ok := d.(*ast.GenDecl)
		if !ok || constants.Tok != token.CONST {
			continue
		}
		for i, s := range constants.Specs {
			byName[s.(*ast.ValueSpec).Names[0].Name] = analyze.Reason(i)
		}
	}
	delete(byName, "Cacheable")
	return byName
}

func TestEveryReasonIsNamed(t *testing.T) {
	known, told := reasons(t), map[string]int{}
	if len(known) < 30 || known["StoreDown"] != analyze.StoreDown {
		t.Fatalf("the Reasons were not read right: %v", known)
	}
	for _, r := range rows(t) {
		told[r.reason]++
		if _, ok := known[r.reason]; !ok {
			t.Errorf("the guide names a Reason %s that there isn't", r.reason)
		}
	}
	for name := range known {
		if told[name] != 1 {
			t.Errorf("the guide names the Reason %s %d times", name, told[name])
		}
	}
}

// scenery is what the examples name beside the shelf, on each database.
var scenery = map[string]string{
	"pgx": `
		CREATE FUNCTION tax(i integer) RETURNS integer LANGUAGE plpgsql STABLE AS 'DECLARE n integer; BEGIN EXECUTE ''SELECT 7'' INTO n; RETURN n * i; END';
		CREATE SEQUENCE numbers;
		CREATE TABLE secrets (id integer PRIMARY KEY, who text);
		ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;`,
	"mysql":  `CREATE TABLE more (id integer)`,
	"sqlite": `CREATE VIRTUAL TABLE notes USING fts5(text)`,
}

// TestReasonsOfExamples runs each example that is SQL, and looks at the Reason of its last statement.
func TestReasonsOfExamples(t *testing.T) {
	dsns := databases(t)
	for driver, dsn := range dsns {
		execute(t, driver, dsn, scenery[driver])
	}
	known, checked := reasons(t), 0
	for _, r := range rows(t) {
		if len(r.examples) == 0 {
			continue
		}
		checked++
		if got := reasonOf(t, r, dsns[r.driver]); got != known[r.reason] {
			t.Errorf("%s on %s: %q: %v", r.reason, r.driver, r.examples, got)
		}
	}
	if checked < 20 {
		t.Errorf("only %d Reasons have an example in SQL", checked)
	}
}

func execute(t *testing.T, driver, dsn, text string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

// reasonOf runs the statements of an example on one connection. Of what is no read, Explain tells the Reason.
func reasonOf(t *testing.T, r row, dsn string) analyze.Reason {
	t.Helper()
	var last larder.Event
	db, err := larder.Open(r.driver, dsn, &larder.Options{
		MaxBytes: 2 << 20, Observe: func(_ context.Context, e larder.Event) { last = e },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, text := range r.examples {
		drain(conn.QueryContext(t.Context(), text))
	}
	if !last.Write {
		return last.Reason
	}
	why, err := larder.Explain(t.Context(), db, r.examples[len(r.examples)-1])
	if err != nil {
		t.Fatal(err)
	}
	return why.Reason
}

// drain reads a result to its end. Some examples fail in the database, as they should.
func drain(rows *sql.Rows, err error) {
	if err != nil {
		return
	}
	for rows.Next() {
	}
	rows.Close()
}
