package larder

import (
	"fmt"
	"testing"

	"github.com/larderdb/larder/coherence"
)

const wholeListOf = "SELECT * FROM stuff WHERE user_id = ? ORDER BY id"

// TestSighted: whose a row is isn't asked for if a result that is kept shows it; a result that is wrong by now costs a statement, and no
// more than that.
func TestSighted(t *testing.T) {
	const save = "UPDATE stuff SET name = ? WHERE id = ?"
	eachKindWith(t, &Options{pauses: coherence.NeverPause}, func(h *house) {
		s := newShelf(h, 20)
		show := func() {
			for user := range shelfUsers {
				h.query(h.db, wholeListOf, user)
			}
		}
		show()
		s.wantCount(s.write([]int{1}, save, "asked", 1), 2, "a row before anything was asked for")
		show()
		h.exec(h.db, "UPDATE stuff SET name = 'all'") // what is kept now was read after the first question
		show()
		s.keep()
		for _, id := range []int{2, 9, 13} {
			s.wantCount(s.write([]int{id % shelfUsers}, save, "seen", id), 1, fmt.Sprint("row ", id, ", which a list shows"))
		}
		s.wantCount(s.write([]int{4}, "DELETE FROM stuff WHERE id = ?", 4), 1, "a delete of a row that a list shows")

		h.exec(h.bare, "UPDATE stuff SET user_id = 0 WHERE id = 17") // by somebody else
		if got := s.write([]int{0, 2}, save, "moved", 17); got < 3 {
			t.Errorf("%d statements for a row that isn't where a list has shown it", got)
		}
		s.wantCount(s.write([]int{0}, save, "again", 17), 1, "a row that is known by then")
	})
}

// TestSightedByTwo: the order of a key's columns isn't that of the table's.
func TestSightedByTwo(t *testing.T) {
	for _, key := range []string{"id, k", "k, id"} {
		t.Run(key, func(t *testing.T) {
			h := newHouse(t, kinds[0], &Options{pauses: coherence.NeverPause})
			const save = "UPDATE stuff SET name = ? WHERE id = ? AND k = ?"
			h.prepare([]string{"CREATE TABLE stuff (id INTEGER NOT NULL, k INTEGER NOT NULL, user_id INTEGER, name VARCHAR(100), PRIMARY KEY (" + key + "))"})
			for id := 1; id <= 20; id++ {
				h.exec(h.bare, "INSERT INTO stuff VALUES (?, ?, ?, 'thing')", id, 100+id, id%shelfUsers)
			}
			db, g := h.gated()
			h.query(h.db, listOf, 0)
			s := &shelf{house: h, db: h.conn(db), gate: g}
			h.exec(s.db, "UPDATE stuff SET name = 'other' WHERE user_id = 0")
			s.keep()
			show := func() {
				for user := range shelfUsers {
					h.query(h.db, wholeListOf, user)
				}
			}
			show()
			s.write([]int{1}, save, "asked", 1, 101)
			show()
			h.exec(h.db, "UPDATE stuff SET name = 'all'")
			show()
			s.keep()
			for _, id := range []int{2, 9, 13} {
				s.wantCount(s.write([]int{id % shelfUsers}, save, "seen", id, 100+id), 1, fmt.Sprint("row ", id, ", which a list shows"))
			}
		})
	}
}
