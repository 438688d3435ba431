package larder

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// described is a result, with what its columns are said to be. The server is asked for the types each time: what is prepared for the old ones fails.
func (h *house) described(on handle, text string, args ...any) string {
	if h.name == "pgx" {
		args = append([]any{pgx.QueryExecModeExec}, args...)
	}
	var w transcript
	rows, err := on.QueryContext(h.Context(), h.marks(text), args...)
	w.rows(rows, err)
	return w.String()
}

const describedText = "SELECT id, name FROM stuff WHERE user_id = 42 AND id::text <> ?"

// TestColumnsDescribedAnew: what the columns of a miss are said to be is what they are, also after the schema was changed
// in a way of which the cache isn't told.
func TestColumnsDescribedAnew(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		for i, on := range []*sql.DB{h.db, h.bare, h.other} {
			before := h.described(h.db, describedText, "a"+string(rune('0'+i)))
			h.exec(on, "ALTER TABLE stuff ALTER COLUMN id TYPE "+[]string{"TEXT", "INTEGER USING id::integer", "TEXT"}[i])
			for _, arg := range []string{"b", "c"} {
				arg += string(rune('0' + i))
				got, want := h.described(h.db, describedText, arg), h.described(h.bare, describedText, arg)
				if got != want || got == before || strings.Contains(got, "query: ") {
					t.Errorf("%d: before\n%s\ncached\n%s\nbare\n%s", i, before, got, want)
				}
			}
		}
	}, "postgres")
}

// TestColumnsOvertaken: so they are if the change overtakes the read when that has been planned.
func TestColumnsOvertaken(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		h.described(h.db, describedText, "a")
		h.described(h.db, describedText, "b")
		tx, err := h.other.BeginTx(h.Context(), nil)
		h.ok(err)
		h.exec(tx, "ALTER TABLE stuff ALTER COLUMN id TYPE TEXT")
		got := make(chan string, 1)
		go func() { got <- h.described(h.db, describedText, "c") }()
		h.untilBlocked()
		h.ok(tx.Commit())
		if got, want := <-got, h.described(h.bare, describedText, "c"); got != want {
			t.Errorf("cached\n%s\nbare\n%s", got, want)
		}
	}, "postgres")
}
