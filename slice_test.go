package larder

import (
	"slices"
	"testing"
)

// A namedRead is a read that writes remove from the cache, or leave alone.
type namedRead struct {
	name  string
	query string
	args  []any
}

// A removal is a write with the names of the reads that it removes, and of those that it may
// remove although it doesn't change them; the others stay hits.
type removal struct {
	write   string
	args    []any
	removes []string
	may     []string
}

// wantRemovals does writes one after the other, through another handle than the reads. Before that, settle changes
// a row of each relation, so that no result is left that was read before its rows were told apart.
func (h *house) wantRemovals(reads []namedRead, settle []string, removals []removal) {
	h.Helper()
	for range 2 {
		for _, r := range reads {
			h.query(h.db, r.query, r.args...)
		}
		for _, statement := range settle {
			h.exec(h.other, statement)
		}
	}
	for _, w := range removals {
		for _, r := range reads {
			h.query(h.db, r.query, r.args...)
			h.wantRead(h.db, OutcomeHit, r.query, r.args...)
		}
		h.exec(h.other, w.write, w.args...)
		for _, r := range reads {
			h.wantOutcome(w, r)
		}
	}
}

func (h *house) wantOutcome(w removal, r namedRead) {
	h.Helper()
	want := OutcomeHit
	if slices.Contains(w.removes, r.name) {
		want = OutcomeMiss
	}
	h.take()
	got := h.query(h.db, r.query, r.args...)
	events := h.take()
	if fresh := h.query(h.bare, r.query, r.args...); got != fresh {
		h.Errorf("%s %v: %s: cached\n%s\nbare\n%s", w.write, w.args, r.name, got, fresh)
	}
	if len(events) != 1 {
		h.Fatalf("%s: %d events, want one", r.name, len(events))
	}
	if is := events[0].Outcome; is != want && !slices.Contains(w.may, r.name) {
		h.Errorf("%s %v: %s: %v (%v), want outcome %v", w.write, w.args, r.name, is, events[0].Reason, want)
	}
}

// TestSlices: rows by primary key, and lists, counts and joins of a user, stay in the cache while
// other rows change.
func TestSlices(t *testing.T) {
	reads := []namedRead{
		{"row 1", "SELECT * FROM stuff WHERE id = ?", []any{1}},
		{"row 2", "SELECT * FROM stuff WHERE id = ?", []any{2}},
		{"rows 1 and 3", "SELECT * FROM stuff WHERE id IN (?, ?) ORDER BY id", []any{1, 3}},
		{"list of 42", "SELECT * FROM stuff WHERE user_id = ? ORDER BY id", []any{42}},
		{"list of 7", "SELECT * FROM stuff WHERE user_id = ? ORDER BY id", []any{7}},
		{"page of 42", "SELECT * FROM stuff WHERE user_id = ? ORDER BY id LIMIT 1 OFFSET 1", []any{42}},
		{"count of 42", "SELECT count(*) FROM stuff WHERE user_id = ?", []any{42}},
		{"count of 7", "SELECT count(*) FROM stuff WHERE user_id = ?", []any{7}},
		{"join of 42", "SELECT u.name, s.name FROM users u JOIN stuff s ON s.user_id = u.id WHERE u.id = ? ORDER BY s.id", []any{42}},
		{"join of 7", "SELECT u.name, s.name FROM users u JOIN stuff s ON s.user_id = u.id WHERE u.id = ? ORDER BY s.id", []any{7}},
		{"left join of 7", "SELECT u.name, s.name FROM users u LEFT JOIN stuff s ON s.user_id = u.id WHERE u.id = ? ORDER BY s.id", []any{7}},
		{"count of all", "SELECT count(*) FROM stuff", nil},
	}
	settle := []string{"UPDATE stuff SET price = price + 1 WHERE id = 90", "UPDATE users SET name = 'later' WHERE id = 90"}
	removals := []removal{
		{"UPDATE stuff SET price = price + 1 WHERE id = ?", []any{90}, nil, []string{"count of all"}},
		{"UPDATE stuff SET user_id = ?, name = ?, price = ? WHERE id = ?", []any{42, "rye", 9.5, 1},
			[]string{"row 1", "rows 1 and 3", "list of 42", "join of 42"}, []string{"page of 42", "count of 42", "count of all"}},
		{"UPDATE stuff SET price = 4 WHERE id = ?", []any{3},
			[]string{"rows 1 and 3", "list of 7"}, []string{"count of 7", "join of 7", "left join of 7", "count of all"}},
		{"UPDATE stuff SET user_id = ? WHERE id = ?", []any{7, 2},
			[]string{"row 2", "list of 42", "list of 7", "page of 42", "count of 42", "count of 7", "join of 42", "join of 7", "left join of 7"}, []string{"count of all"}},
		{"INSERT INTO stuff (id, user_id, name, price) VALUES (?, ?, ?, ?)", []any{9, 7, "tea", 1.0},
			[]string{"list of 7", "count of 7", "join of 7", "left join of 7", "count of all"}, nil},
		{"DELETE FROM stuff WHERE id = ?", []any{9}, []string{"list of 7", "count of 7", "join of 7", "left join of 7", "count of all"}, nil},
		{"UPDATE users SET name = ? WHERE id = ?", []any{"Bert", 7}, []string{"join of 7", "left join of 7"}, nil},
		{"UPDATE stuff SET name = 'all'", nil, []string{"rows 1 and 3", "row 1", "row 2", "list of 42", "list of 7", "join of 42", "join of 7", "left join of 7"},
			[]string{"page of 42", "count of 42", "count of 7", "count of all"}},
	}
	eachKind(t, func(h *house) {
		h.shop()
		h.exec(h.bare, "INSERT INTO stuff VALUES (90, 90, 'other', 1)")
		h.exec(h.bare, "INSERT INTO users VALUES (90, 'other', NULL, TRUE, NULL, NULL)")
		h.wantRemovals(reads, settle, removals)
	})
}
