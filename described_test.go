package larder

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// described is a result, with what its columns are said to be.
func (h *house) described(db *sql.DB, text string, args ...any) string {
	var w transcript
	rows, err := db.QueryContext(h.Context(), h.marks(text), args...)
	w.rows(rows, err)
	return w.String()
}

// TestColumnsDescribedAnew: what the columns of results are said to be, of which the driver isn't asked each time, changes
// with the schema: at once if the cache is told, soon if it isn't.
func TestColumnsDescribedAnew(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		const text = "SELECT id, name FROM stuff WHERE user_id = 42 AND id <> ?"
		n := 0
		anew := func() string { n--; return h.described(h.db, text, n) } // a miss
		before := anew()
		for range 3 {
			if again := anew(); again != before {
				t.Fatalf("%s\nand then\n%s", before, again)
			}
		}
		h.exec(h.db, "ALTER TABLE stuff ALTER COLUMN id TYPE BIGINT")
		told := anew()
		for strings.Contains(told, "cached plan must not change") { // as pgx has it
			told = anew()
		}
		if want := h.described(h.opened(sql.Open(h.driver, h.dsn)), text, n); told != want || told == before {
			t.Fatalf("cached\n%s\nbare\n%s", told, want)
		}
		anew()
		h.exec(h.bare, "ALTER TABLE stuff ALTER COLUMN id TYPE INTEGER")
		for until := time.Now().Add(10 * time.Second); anew() != before; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("%s\nstill, not\n%s", anew(), before)
			}
		}
		if !strings.Contains(before, "INT4") {
			t.Fatalf("no types:\n%s", before)
		}
	}, "postgres")
}

// TestColumnsOfValues: where a value tells what a column is said to be, the driver is asked for each result.
func TestColumnsOfValues(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		args := [][]any{{1}, {1.5}, {int64(2)}, {2.5}}
		for _, text := range []string{
			"SELECT id, id + ? AS more FROM stuff WHERE user_id = 42", "SELECT coalesce(id, ?) AS id FROM stuff WHERE user_id = 42",
			"SELECT v.id FROM (SELECT id + ? AS id FROM stuff WHERE user_id = 42) v", "SELECT id FROM stuff WHERE user_id = 42 UNION ALL SELECT ?",
		} {
			kinds := map[string]bool{}
			for range 2 {
				for _, a := range args {
					if h.name == "pgx" { // the server is told the types by those of the arguments
						a = append([]any{pgx.QueryExecModeExec}, a...)
					}
					got, want := h.described(h.db, text, a...), h.described(h.bare, text, a...)
					if got != want {
						t.Errorf("%s with %v: %s", text, a, difference(want, got))
					}
					kinds[strings.SplitN(want, "\n", 2)[0]] = true
				}
			}
			if h.name == "pgx" && len(kinds) < 2 {
				t.Errorf("%s is of the same types whatever the value: this test tells nothing", text)
			}
		}
	})
}
