package confine

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/dbtest"
)

// scopes are conditions on o (x = 1) in which a relation t (k) is compared with a name x that both o and b (x = 2) have.
var scopes = []string{
	"EXISTS (SELECT 1 FROM b, (SELECT 1 AS one FROM t WHERE k = x) s WHERE b.x = 2)",
	"EXISTS (SELECT 1 FROM (SELECT 1 AS one FROM t WHERE k = x) s JOIN b ON b.x = 2)",
	"EXISTS (SELECT 1 FROM b, LATERAL (SELECT 1 FROM t WHERE k = x) s WHERE b.x = 2)",
	"EXISTS (SELECT 1 FROM b, LATERAL (SELECT 1 FROM (SELECT 1 FROM t WHERE k = x) r) s WHERE b.x = 2)",
	"EXISTS (SELECT 1 FROM LATERAL (SELECT 1 FROM t WHERE k = x) s, b WHERE b.x = 2)",
	"EXISTS (WITH c AS (SELECT 1 AS one FROM t WHERE k = x) SELECT 1 FROM b WHERE b.x = 2 AND EXISTS (SELECT 1 FROM c))",
	"EXISTS (WITH c AS (SELECT 1 AS one FROM t WHERE k = x) SELECT 1 FROM b, c WHERE b.x = 2)",
	"EXISTS (SELECT 1 FROM e f JOIN e g ON EXISTS (SELECT 1 FROM t WHERE k = x), b WHERE b.x = 2)",
	"EXISTS (SELECT 1 FROM e f JOIN e g ON EXISTS (SELECT 1 FROM t WHERE k = x) JOIN b ON b.x = 2)",
	"EXISTS (SELECT 1 FROM generate_series(1, (SELECT count(*) FROM t WHERE k = x)) f, b WHERE b.x = 2)",
	"EXISTS (SELECT 1 FROM b WHERE b.x = 2 AND EXISTS (SELECT 1 FROM t WHERE k = x))",
}

// testScopes holds that rows with an x that the database means aren't spared, and that it means both of them somewhere.
func testScopes(t *testing.T, db *sql.DB, d analyze.Dialect, most int) {
	s := tables{"o": tableOf(d, "o", "x int"), "b": tableOf(d, "b", "x int"), "t": tableOf(d, "t", "k int"), "e": tableOf(d, "e", "y int")}
	exec := func(text string) {
		t.Helper()
		if _, err := db.Exec(text); err != nil {
			t.Fatal(text, err)
		}
	}
	for _, text := range []string{
		"CREATE TABLE o (x int)", "CREATE TABLE b (x int)", "CREATE TABLE t (k int)", "CREATE TABLE e (y int)",
		"INSERT INTO o VALUES (1)", "INSERT INTO b VALUES (2)", "INSERT INTO e VALUES (3)",
	} {
		exec(text)
	}
	asked, confined := 0, 0
	for _, cond := range scopes {
		text := "SELECT o.x FROM o WHERE o.x = 1 AND " + cond
		var rows *analyze.Block
		if rows = analyze.Analyze(d, text).Rows; rows == nil {
			continue
		}
		refs, ok := Reads(rows, s)
		if !ok {
			t.Errorf("%s: not told", text)
			continue
		}
		if strings.Contains(told(refs), "t{") {
			confined++
		}
		for _, k := range []int64{1, 2} {
			exec("DELETE FROM t")
			exec("INSERT INTO t VALUES (" + string(rune('0'+k)) + ")")
			var x int
			switch err := db.QueryRow(text).Scan(&x); {
			case err == sql.ErrNoRows:
			case err != nil:
				t.Logf("%s: %v", text, err)
			default:
				asked++
				if !needed(refs, "t", rowOf{k}) {
					t.Errorf("%s\nneeds t{k=%d}, told %s", text, k, told(refs))
				}
			}
		}
	}
	t.Logf("%d conditions are confined", confined)
	if asked < most || confined < 3 {
		t.Errorf("%d conditions were true and %d confined, want %d and 3", asked, confined, most)
	}
}

func TestPostgresScopes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	db, err := sql.Open("pgx", dbtest.Postgres(t).Database(t).DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	testScopes(t, db, analyze.Postgres, len(scopes))
}

func TestSQLiteScopes(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	testScopes(t, db, analyze.SQLite, 7)
}
