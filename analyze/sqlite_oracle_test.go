package analyze

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"modernc.org/sqlite"
)

// The functions that golden statements call and this engine hasn't.
func init() {
	for _, name := range []string{"regexp", "rand", "left", "match", "hash_of", "levenshtein", "my func", "django_datetime_trunc",
		"django_datetime_extract", "django_date_extract", "writefile", "readfile", "edit", "optimize"} {
		sqlite.MustRegisterScalarFunction(name, -1, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
			return nil, nil
		})
	}
}

// A liteOracle is SQLite itself: it compiles statements and tells by its
// authorizer what they would do.
type liteOracle struct {
	conn  driver.Conn
	did   liteDid
	views map[string][]string
}

// A liteDid is what the authorizer was asked while one statement was compiled.
// Writes by triggers are left out: they are not in the text.
type liteDid struct {
	reads     map[string]bool // what the text names, and what views read
	counted   map[string]bool // the same without any column; may be a table of a WITH clause
	writes    map[string]Op
	functions map[string]bool
	schema    map[string]bool // relations made, changed or dropped
	columns   map[string]bool // of which the text itself reads
}

func newLiteOracle(t *testing.T) *liteOracle {
	schema, err := os.ReadFile("testdata/sqlite/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	setup := string(schema) + "ATTACH ':memory:' AS aux; CREATE TABLE aux.users (id INTEGER, name TEXT);" +
		"CREATE TEMP TABLE scratch (a); CREATE TEMP TABLE ids (id); ANALYZE;"
	if _, err := conn.ExecContext(context.Background(), setup); err != nil {
		t.Fatal(err)
	}
	o := &liteOracle{views: liteViews(t)}
	err = conn.Raw(func(c any) error {
		o.conn = c.(driver.Conn)
		return c.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(o.authorize)
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *liteOracle) authorize(action sqlite.AuthorizerActionCode, arg1, arg2, database, within string) sqlite.AuthorizerReturnCode {
	arg1, arg2 = liteFold(arg1), liteFold(arg2)
	trigger := within == "stuff_logged" || within == "adults_insert"
	switch action {
	case sqlite.AuthRead:
		if arg2 == "" {
			o.did.counted[arg1] = true
		} else if !trigger {
			o.did.reads[arg1] = true
		}
		if arg2 != "" && within == "" && !litePureTableFunctions[arg1] {
			o.did.columns[arg2] = true
		}
	case sqlite.AuthInsert:
		o.did.write(arg1, Insert, trigger)
	case sqlite.AuthUpdate:
		o.did.write(arg1, Update, trigger)
	case sqlite.AuthDelete:
		o.did.write(arg1, Delete, trigger)
	case sqlite.AuthFunction:
		o.did.functions[arg2] = true
	case sqlite.AuthCreateTable, sqlite.AuthCreateTempTable, sqlite.AuthCreateView, sqlite.AuthCreateTempView,
		sqlite.AuthDropTable, sqlite.AuthDropTempTable, sqlite.AuthDropView, sqlite.AuthDropTempView,
		sqlite.AuthCreateVTable, sqlite.AuthDropVTable:
		o.did.schema[arg1] = true
	case sqlite.AuthAlterTable, sqlite.AuthCreateIndex, sqlite.AuthCreateTempIndex:
		o.did.schema[arg2] = true
	}
	return sqlite.AuthorizerOK
}

func (d *liteDid) write(table string, op Op, trigger bool) {
	if !trigger {
		d.writes[table] |= op
	}
}

// compile compiles text, and reports whether the engine takes it.
func (o *liteOracle) compile(text string) (liteDid, error) {
	o.did = liteDid{map[string]bool{}, map[string]bool{}, map[string]Op{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	stmt, err := o.conn.Prepare(text)
	if err != nil {
		return o.did, err
	}
	if !strings.Contains(strings.ToLower(text), "with") {
		maps.Copy(o.did.reads, o.did.counted)
	}
	return o.did, stmt.Close()
}

// liteViews are the views of the schema and what their definitions read.
func liteViews(t *testing.T) map[string][]string {
	schema, err := os.ReadFile("testdata/sqlite/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	views := map[string][]string{}
	for _, line := range strings.Split(string(schema), "\n") {
		rest, ok := strings.CutPrefix(line, "CREATE VIEW ")
		if !ok {
			continue
		}
		name, body, _ := strings.Cut(rest, " AS ")
		for _, n := range Analyze(SQLite, body).Reads {
			views[name] = append(views[name], n.Name)
		}
	}
	return views
}

// liteExpanded are the relations read, with those that views read.
func liteExpanded(names []Name, views map[string][]string) map[string]bool {
	all := map[string]bool{}
	var add func(string)
	add = func(name string) {
		if !all[name] {
			all[name] = true
			for _, inner := range views[name] {
				add(inner)
			}
		}
	}
	for _, n := range names {
		add(strings.ReplaceAll(n.Name, "sqlite_schema", "sqlite_master"))
	}
	return all
}

// TestSQLiteOracle compares the facts of every golden statement with what the
// engine asks its authorizer when it compiles the statement: we must know of
// every relation read or written and of every function, and for plain reads of
// no relation more. A case with a comment "wider" says why it knows of more.
func TestSQLiteOracle(t *testing.T) {
	oracle := newLiteOracle(t)
	files, err := filepath.Glob("testdata/sqlite/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	compiled, all := 0, 0
	for _, file := range files {
		for _, c := range readGolden(t, file) {
			s := Analyze(SQLite, c.text)
			if s.Kind == Several || strings.HasPrefix(s.Detail, "pragma ") {
				continue // to compile a PRAGMA is to run it
			}
			all++
			did, err := oracle.compile(c.text)
			if err != nil {
				t.Logf("the engine refuses: %s: %v", c.text, err)
				continue
			}
			compiled++
			liteCompare(t, c, s, did, oracle.views)
			liteAgreeOnChange(t, oracle, c.text, s.Change)
		}
	}
	t.Logf("%d of %d statements compiled", compiled, all)
	if compiled < all*85/100 {
		t.Errorf("the engine compiled only %d of %d statements", compiled, all)
	}
}

func liteCompare(t *testing.T, c goldenCase, s *Statement, did liteDid, views map[string][]string) {
	if s.Reason == Unparsable {
		t.Errorf("%s\nis refused (%s), but the engine takes it", c.text, s.Detail)
		return
	}
	if s.Reason == Explain || s.Kind == Utility {
		return
	}
	liteCompareWrites(t, c, s, did)
	if s.Kind == Schema && !strings.Contains(c.text, "AS SELECT") {
		return
	}
	reads := liteExpanded(s.Reads, views)
	for name := range did.reads {
		if !reads[name] && !litePureTableFunctions[name] && !strings.HasPrefix(name, "sqlite_") {
			t.Errorf("%s\nreads %s as the engine says", c.text, name)
		}
	}
	for name := range reads {
		if s.Kind == Read && !did.reads[name] && !did.counted[name] && !strings.Contains(c.comment, "wider") {
			t.Errorf("%s\ndoesn't read %s as the engine says: it reads %v", c.text, name, slices.Sorted(maps.Keys(did.reads)))
		}
	}
	if len(reads) == len(s.Reads) {
		liteCompareFunctions(t, c, s, did) // what views call isn't in the text
	}
}

func liteCompareWrites(t *testing.T, c goldenCase, s *Statement, did liteDid) {
	writes := map[string]Op{}
	for _, w := range s.Writes {
		writes[w.Relation.Name] |= w.Op
	}
	if s.Kind == Schema {
		for name := range did.schema {
			if writes[name] == 0 {
				t.Errorf("%s\nchanges %s as the engine says", c.text, name)
			}
		}
		return
	}
	for name, op := range did.writes {
		if writes[name]&op != op && !s.WritesAll {
			t.Errorf("%s\nwrites %s (%s) as the engine says", c.text, name, op)
		}
	}
	if s.Kind == Read && len(did.writes) > 0 {
		t.Errorf("%s\nis a read, but the engine writes %v", c.text, did.writes)
	}
}

func liteCompareFunctions(t *testing.T, c goldenCase, s *Statement, did liteDid) {
	called := map[string]bool{"coalesce": true} // how SQLite merges columns of a RIGHT JOIN
	for _, n := range s.Functions {
		called[n.Name] = true
	}
	for name := range did.functions {
		if !called[name] {
			t.Errorf("%s\ncalls %s as the engine says", c.text, name)
		}
	}
}
