package larder

import (
	"strconv"
	"testing"
	"time"

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

// An alteration is a column whose type becomes another one and is so again, which drivers describe so.
type alteration struct{ column, from, to, means string }

// alterations are of types for which a driver gives other Go values, and of such that differ in what they are called.
var alterations = []alteration{
	{"id", "INTEGER USING id::integer", "TEXT", "Go's type"},
	{"about", "JSON", "JSONB", "the name"},
}

// altering runs a test for each alteration in a house of its own. anew reads what wasn't asked before.
func altering(t *testing.T, run func(h *house, a alteration, anew func() (cached, bare string))) {
	eachKind(t, func(h *house) {
		for _, a := range alterations {
			h.do(h.db, "DROP TABLE IF EXISTS stuff")
			h.do(h.db, "CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, about JSON)")
			h.do(h.db, `INSERT INTO stuff VALUES (1, 42, '{"a":1}'), (2, 42, NULL)`)
			n := 0
			run(h, a, func() (cached, bare string) {
				n++
				text := "SELECT id, about FROM stuff WHERE user_id = 42 AND id::text <> ?"
				cached = h.described(h.db, text, "none "+strconv.Itoa(n))
				return cached, h.described(h.bare, text, "none "+strconv.Itoa(n))
			})
		}
	}, "postgres")
}

func alter(column, to string) string {
	return "ALTER TABLE stuff ALTER COLUMN " + column + " TYPE " + to
}

// TestColumnsDescribedAnew: what the columns of a miss are said to be is what they are, also after the schema was changed
// in a way of which the cache isn't told; what types are called then, soon.
func TestColumnsDescribedAnew(t *testing.T) {
	altering(t, func(h *house, a alteration, anew func() (string, string)) {
		before, _ := anew()
		h.exec(h.db, alter(a.column, a.to))
		if got, want := anew(); got != want || got == before {
			h.Errorf("%s: before\n%s\ncached\n%s\nbare\n%s", a.means, before, got, want)
		}
		anew()
		h.exec(h.bare, alter(a.column, a.from))
		got, want := anew()
		for until := time.Now().Add(10 * time.Second); a.means == "the name" && got != want && time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
			got, want = anew()
		}
		if got != want {
			h.Errorf("%s, untold: before\n%s\ncached\n%s\nbare\n%s", a.means, before, got, want)
		}
	})
}

// TestColumnsOvertaken: so they are if the change overtakes the read when that has been planned.
func TestColumnsOvertaken(t *testing.T) {
	altering(t, func(h *house, a alteration, anew func() (string, string)) {
		anew()
		before, _ := anew()
		tx, err := h.other.BeginTx(h.Context(), nil)
		h.ok(err)
		h.exec(tx, alter(a.column, a.to))
		type answers struct{ cached, bare string }
		got := make(chan answers, 1)
		go func() { cached, bare := anew(); got <- answers{cached, bare} }()
		h.untilBlocked()
		h.ok(tx.Commit())
		if got := <-got; got.cached != got.bare || got.cached == before {
			h.Errorf("%s: cached\n%s\nbare\n%s", a.means, got.cached, got.bare)
		}
	})
}

// TestForgetfulRows: a driver that knows nothing of a result's columns when that has ended isn't asked then, also if the schema
// has changed meanwhile.
func TestForgetfulRows(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		db, g := h.gated()
		g.forgetful = true
		const text = "SELECT id, name FROM stuff WHERE user_id = 42 AND id <> ?"
		want := h.described(db, text, -1)
		h.described(db, text, -2)
		s := g.at(t, "rows SELECT id*")
		var got string
		wait := inBackground(t, func() { got = h.described(db, text, -3) })
		s.wait()
		h.exec(h.other, "CREATE TABLE unrelated (id INTEGER)")
		s.go_()
		wait()
		if got != want || h.described(db, text, -4) != want {
			t.Errorf("overtaken\n%s\nwant\n%s", got, want)
		}
	}, "postgres")
}
