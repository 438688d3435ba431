package larder

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/larderdb/larder/coherence"
)

// A shelf is a table of rows of a few users, whose lists are kept, and a handle on which the statements of a write are counted.
type shelf struct {
	*house
	db   handle
	gate *gate
}

const shelfUsers = 5

// newShelf has rows 1 to n; row i is of user i % shelfUsers.
func newShelf(h *house, n int) *shelf {
	h.Helper()
	var rows []string
	for i := 1; i <= n; i++ {
		rows = append(rows, fmt.Sprintf("(%d, %d, 'thing')", i, i%shelfUsers))
	}
	h.prepare([]string{
		"CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name VARCHAR(100))",
		"INSERT INTO stuff VALUES " + strings.Join(rows, ", "),
	})
	db, g := h.gated()
	s := &shelf{house: h, db: h.conn(db), gate: g}
	h.query(h.db, listOf, 0)
	h.exec(s.db, "UPDATE stuff SET name = 'other' WHERE user_id = 0") // the lists are of the whole relation until this
	s.keep()
	return s
}

// keep makes all lists hits.
func (s *shelf) keep() {
	s.Helper()
	for user := range shelfUsers {
		s.query(s.house.db, listOf, user)
		s.query(s.house.db, listOf, user)
		s.wantRead(s.house.db, OutcomeHit, listOf, user)
	}
}

// write runs a statement, which must remove the lists of some users and no others, and returns how many statements it took.
func (s *shelf) write(removed []int, text string, args ...any) int {
	s.Helper()
	s.gate.took()
	s.exec(s.db, text, args...)
	count := 0
	for _, text := range s.gate.took() {
		if strings.Contains(text, "stuff") || text == "BEGIN" || text == "COMMIT" {
			count++
		}
	}
	for user := range shelfUsers {
		outcome := OutcomeHit
		if slices.Contains(removed, user) {
			outcome = OutcomeMiss
		}
		s.wantRead(s.house.db, outcome, listOf, user)
	}
	s.keep()
	return count
}

func (s *shelf) wantCount(got, want int, what string) {
	s.Helper()
	if got != want {
		s.Errorf("%s: %d statements, want %d", what, got, want)
	}
}

// TestSavedWhole: a write of all columns of a row takes one statement, if it leaves its row where it was; and one that
// moves its row is noticed, and asks for it the next time.
func TestSavedWhole(t *testing.T) {
	eachKind(t, func(h *house) {
		s := newShelf(h, 20)
		const save = "UPDATE stuff SET user_id = ?, name = ? WHERE id = ?"
		s.wantCount(s.write([]int{1}, save, 1, "saved", 1), 1, "a save")
		s.wantCount(s.write([]int{2}, save, 2, "saved", 2), 1, "a save of another row")
		s.wantCount(s.write([]int{2, 3}, save, 2, "moved", 3), 3, "a move")
		s.wantCount(s.write([]int{4, 1}, save, 1, "moved", 4), 2, "a move after a move")
		s.wantCount(s.write([]int{0}, save, 0, "saved", 5), 2, "a save after a move")
		s.wantCount(s.write([]int{1}, save, 1, "saved", 6), 1, "a save after a save")
		s.wantCount(s.write([]int{2}, save, "2", "saved", 7), 1, "a save with a text for a number")
	})
}

// TestSavedMissing: a row that isn't there, and one that another program has moved.
func TestSavedMissing(t *testing.T) {
	eachKind(t, func(h *house) {
		s := newShelf(h, 20)
		const save = "UPDATE stuff SET user_id = ?, name = ? WHERE id = ?"
		result, err := s.db.ExecContext(t.Context(), h.marks(save), 1, "nobody", 99)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := result.RowsAffected(); n != 0 || err != nil {
			t.Errorf("%d rows changed, %v", n, err)
		}
		s.keep()
		h.exec(h.bare, "UPDATE stuff SET user_id = 3 WHERE id = 1") // by somebody else
		h.ok(h.cache.Invalidate(t.Context(), "stuff"))
		s.keep()
		s.write([]int{1, 3}, save, 1, "back", 1)
	})
}

// TestWrittenInTurn: of rows that are written in the order of their key most are known before, and one that somebody else moves
// meanwhile is told all the same.
func TestWrittenInTurn(t *testing.T) {
	eachKindWith(t, &Options{pauses: coherence.NeverPause, unsighted: true}, func(h *house) {
		const n = 150
		s := newShelf(h, n)
		user := func(id int) int { return id % shelfUsers }
		count := 0
		for id := 1; id <= n; id += 2 {
			if id == 51 {
				h.exec(h.bare, "UPDATE stuff SET user_id = 1 WHERE id = 53") // by somebody else
				h.ok(h.cache.Invalidate(t.Context(), "stuff"))
				s.keep()
			}
			removed := []int{user(id)}
			if id == 53 {
				removed = []int{user(id), 1} // it was guessed
			}
			count += s.write(removed, "UPDATE stuff SET name = ? WHERE id = ?", fmt.Sprint("name ", id), id)
		}
		// One for each, two before they are seen to be in turn, and one for each 64 behind the third; two more for the one that moved.
		if writes := n / 2; count > writes+9 {
			t.Errorf("%d writes took %d statements", writes, count)
		}
		for _, id := range []int{140, 20, 80, 60, 30} {
			s.wantCount(s.write([]int{user(id)}, "UPDATE stuff SET name = 'any' WHERE id = ?", id), 2, "one of no order")
		}
	})
}
