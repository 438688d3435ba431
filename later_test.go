package larder

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// TestToldByAnswer: a write whose rows the database's answer tells takes one statement, and removes the lists of those rows only.
func TestToldByAnswer(t *testing.T) {
	eachKindWith(t, &Options{unsighted: true}, func(h *house) {
		s := newShelf(h, 20)
		s.write([]int{4}, "UPDATE stuff SET name = ? WHERE id = ?", "other", 19) // asks for privileges once
		s.write([]int{3}, "DELETE FROM stuff WHERE id = ?", 18)
		for id := 1; id <= 10; id++ {
			s.wantCount(s.write([]int{id % shelfUsers}, "UPDATE stuff SET name = ? WHERE id = ?", "other", id), 1, "an update")
		}
		s.wantCount(s.write([]int{1}, "DELETE FROM stuff WHERE id = ?", 1), 1, "a delete")
		s.wantCount(s.write(nil, "DELETE FROM stuff WHERE id = ?", 1), 1, "a delete of nothing")
		s.wantCount(s.write(nil, "UPDATE stuff SET name = ? WHERE id = ?", "nobody's", 1), 1, "an update of nothing")
		s.wantCount(s.write([]int{2}, "UPDATE stuff SET name = ? WHERE id = ?", "again", 7), 1, "an update of a row that is known")
		if n := s.write([]int{3, 4}, "UPDATE stuff SET user_id = ? WHERE id = ?", 4, 13); n < 2 {
			t.Errorf("%d statements for a row that moves: of where it was the answer can't tell", n)
		}
	}, "postgres")
}

// numbered are tables whose rows the database numbers.
var numbered = map[string]string{
	"postgres": "CREATE TABLE notes (id SERIAL PRIMARY KEY, title VARCHAR(100))",
	"mysql":    "CREATE TABLE notes (id INTEGER AUTO_INCREMENT PRIMARY KEY, title VARCHAR(100))",
}

// TestNumberedByAnswer: a new row, which the database numbers, takes one statement, and removes what was asked of that number only.
func TestNumberedByAnswer(t *testing.T) {
	const byNumber = "SELECT title FROM notes WHERE id = ?"
	eachKind(t, func(h *house) {
		h.prepare([]string{numbered[h.dialect]})
		pool, g := h.gated()
		db := h.conn(pool)
		read := func(o Outcome, ids ...int) {
			h.Helper()
			for _, id := range ids {
				h.wantRead(h.db, o, byNumber, id)
			}
		}
		h.query(h.db, byNumber, 1)
		h.exec(db, "INSERT INTO notes (title) VALUES ('first')")
		for id := 1; id <= 9; id++ {
			h.query(h.db, byNumber, id)
			h.query(h.db, byNumber, id)
		}
		read(OutcomeHit, 1, 2, 3)
		const insert = "INSERT INTO notes (title) VALUES (?)"
		h.exec(db, insert, "second")
		read(OutcomeMiss, 2)
		g.took()
		h.exec(db, insert, "third")
		if texts := g.took(); len(texts) != 1 {
			h.Errorf("a new row took %q", texts)
		}
		read(OutcomeMiss, 3)
		read(OutcomeHit, 1, 2, 4)
		if h.dialect == "postgres" { // with its own RETURNING
			h.query(db, "INSERT INTO notes (title) VALUES ('fourth') RETURNING title, id")
			read(OutcomeMiss, 4)
			read(OutcomeHit, 1, 2, 3, 5)
		}
		h.exec(db, "INSERT INTO notes (title) VALUES ('a'), ('b')")
		if h.dialect == "postgres" { // the last insert id is that of the first of several
			read(OutcomeMiss, 5, 6)
			read(OutcomeHit, 1, 2, 9)
		}
		if _, err := db.ExecContext(t.Context(), "INSERT INTO notes (id, title) VALUES (1, 'again')"); err == nil {
			h.Error("a second row of one number was taken")
		}
		h.query(h.db, byNumber, 9)
		read(OutcomeHit, 9)
	}, "postgres", "mysql")
}

// TestPausedReaders: while a write is under way whose row isn't told, the lists that it may change come from the database, and
// nothing else does. Whatever becomes of it, they are right after it, and kept again.
func TestPausedReaders(t *testing.T) {
	const update, byID = "UPDATE stuff SET name = 'new' WHERE id = 1", "SELECT name FROM stuff WHERE id = ?"
	faults := map[string]error{"plain": errors.New("what came can't be read"), "bad": driver.ErrBadConn} // the connection is good, and the write was done
	for _, fault := range []string{"none", "severed", "panic", "plain", "bad"} {
		for _, k := range kinds {
			if k.dialect != "postgres" {
				continue
			}
			t.Run(fault+"/"+k.name, func(t *testing.T) {
				s := newShelf(newHouse(t, k, &Options{pauses: coherence.AlwaysPause, Lease: 300 * time.Millisecond}), 20)
				s.query(s.house.db, byID, 2)
				s.exec(s.db, "UPDATE stuff SET name = 'x' WHERE id = 3")
				s.query(s.house.db, byID, 2)
				s.keep()
				stop := s.gate.at(t, "rows UPDATE stuff SET name = 'new' *")
				stop.severing, stop.panics, stop.fault = fault == "severed", fault == "panic", faults[fault]
				wait := inBackground(t, func() { panics(func() { s.db.ExecContext(t.Context(), update) }) })
				stop.wait()
				for user := range shelfUsers {
					s.wantRead(s.house.db, OutcomeHeld, listOf, user)
				}
				if s.cache.Stats().Waits == 0 {
					t.Error("nobody has waited")
				}
				s.wantRead(s.house.db, OutcomeHit, byID, 2)
				stop.go_()
				wait()
				for user := range shelfUsers {
					if user == 1 || fault != "none" {
						s.wantSame(fmt.Sprintf("SELECT id, name FROM stuff WHERE user_id = %d ORDER BY id", user))
						continue
					}
					s.wantRead(s.house.db, OutcomeHit, listOf, user)
				}
				for user := range shelfUsers {
					s.waitForHit(s.house.db, listOf, user)
				}
			})
		}
	}
}

// TestPausedRefusal: a write that the database refuses removes nothing that was paused.
func TestPausedRefusal(t *testing.T) {
	eachKindWith(t, &Options{pauses: coherence.AlwaysPause}, func(h *house) {
		s := newShelf(h, 20)
		h.exec(h.bare, "ALTER TABLE stuff ADD CHECK (name <> 'bad')")
		s.exec(s.db, "UPDATE stuff SET name = 'good' WHERE id = 1")
		s.keep()
		if _, err := s.db.ExecContext(t.Context(), "UPDATE stuff SET name = 'bad' WHERE id = 2"); err == nil {
			t.Fatal("a bad row was taken")
		}
		for user := range shelfUsers {
			s.wantRead(h.db, OutcomeHit, listOf, user)
		}
	}, "postgres")
}

// A crowd is many rows of few owners, each written by its key, in no order: mostly one of which nothing is known. What is read
// is the largest value of an owner, which never gets less.
const rowsOfOwner = 5000

var largest = porcupine.Model{
	Partition: byRegister,
	Init:      func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		if c := input.(call); c.write {
			return true, max(state.(int64), c.value)
		}
		return state == output, state
	},
}

// crowd has clients write and read until the time is over.
func (l *lab) crowd(clients int, d time.Duration) {
	end := time.Now().Add(d)
	var all sync.WaitGroup
	for id := range clients {
		r := rand.New(rand.NewPCG(uint64(id), labSeed()))
		db := l.handles[id%len(l.handles)]
		all.Go(func() {
			for time.Now().Before(end) {
				owner := r.IntN(l.active)
				called := l.history.now()
				if r.IntN(100) < 85 {
					ctx, value := l.Context(), int64(0)
					if r.IntN(100) < 15 {
						ctx = Bypass(ctx)
					}
					if err := db.QueryRowContext(ctx, l.places("SELECT MAX(v) FROM cards WHERE owner = ?"), owner).Scan(&value); err == nil {
						l.history.noteRead(id, owner, called, value)
					}
					continue
				}
				value := l.history.fresh()
				row := id + clients*r.IntN(rowsOfOwner/clients) // no two clients write one row, whose value might get less
				_, err := db.ExecContext(l.Context(), l.places("UPDATE cards SET v = ? WHERE id = ?"), value, owner+l.active*(registers+row))
				l.history.noteWrite(id, owner, called, value, err)
			}
		})
	}
	all.Wait()
}

func newCrowd(t *testing.T, k kind, m coherence.Mutant) *lab { return newCheckedCrowd(t, k, m, 0, nil) }

// newCheckedCrowd is newCrowd with a share of hits that are checked, and a store; nil: memory of its own.
func newCheckedCrowd(t *testing.T, k kind, m coherence.Mutant, verify float64, in store.Store) *lab {
	l := &lab{pauses: coherence.AlwaysPause, verify: verify, store: in}
	l.build(t, k, m, &window{read: 3 * time.Millisecond})
	l.must(fmt.Sprintf("INSERT INTO cards SELECT n, n %% %d, 0 FROM generate_series(%d, %d) n", l.active, registers, l.active*(registers+rowsOfOwner)))
	return l
}

// TestPausedWritesAreLinearizable: and without the pause they aren't.
func TestPausedWritesAreLinearizable(t *testing.T) {
	for _, k := range kinds {
		if k.dialect != "postgres" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			l := newCrowd(t, k, coherence.NoMutant)
			l.crowd(6, 1200*time.Millisecond)
			l.mustBeLinearizable(largest)
			if s := l.cache.Stats(); s.Held < 10 {
				t.Errorf("%d reads have met a pause: too few to mean anything", s.Held)
			}
		})
		t.Run(k.name+" without", func(t *testing.T) {
			start := time.Now()
			for time.Since(start) < untilSeen {
				l := newCrowd(t, k, coherence.NoPause)
				l.crowd(6, 400*time.Millisecond)
				if l.history.check(largest) == porcupine.Illegal {
					t.Logf("seen after %v", time.Since(start))
					return
				}
			}
			t.Error("every history was linearizable")
		})
	}
}

// TestRawTransactionGoesOn: a transaction that was begun by a statement goes on through the pool, as it does without a cache, after a
// statement in it that MySQL refuses.
func TestRawTransactionGoesOn(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare([]string{"CREATE TABLE stuff (id INTEGER PRIMARY KEY, name VARCHAR(100))", "INSERT INTO stuff VALUES (1, 'old')"})
		h.db.SetMaxOpenConns(1)
		h.exec(h.db, "BEGIN")
		h.exec(h.db, "INSERT INTO stuff VALUES (2, 'new')")
		if _, err := h.db.Exec("INSERT INTO stuff VALUES (1, 'again')"); err == nil {
			t.Fatal("a second row of one key was taken")
		}
		h.exec(h.db, "COMMIT")
		if got := h.texts(h.bare, "SELECT name FROM stuff WHERE id = 2"); got != "new" {
			t.Errorf("committed is %q", got)
		}
	}, "mysql")
}
