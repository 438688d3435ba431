package larder

import (
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
)

// TestGuessedRow: a write by primary key is told by what its row was like when it was written last, and the
// database says whether that is right still.
func TestGuessedRow(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, nil)
			h.stuff()
			const list, save = "SELECT id, name FROM stuff WHERE user_id = ? ORDER BY id", "UPDATE stuff SET name = ? WHERE id = ?"
			keep := func() {
				h.Helper()
				for _, user := range []int{7, 42, 43} {
					h.query(h.db, list, user)
					h.query(h.db, list, user)
					h.wantRead(h.db, OutcomeHit, list, user)
				}
			}
			removes := func(users map[int]Outcome) {
				h.Helper()
				for user, outcome := range users {
					h.wantRead(h.db, outcome, list, user)
				}
			}
			h.query(h.db, list, 42)
			h.exec(h.db, save, "first", 1) // the lists are of the whole relation until this
			keep()
			for _, name := range []string{"asked", "guessed", "guessed again"} {
				h.exec(h.db, save, name, 1)
				removes(map[int]Outcome{42: OutcomeMiss, 7: OutcomeHit, 43: OutcomeHit})
				keep()
			}

			h.exec(h.bare, "UPDATE stuff SET user_id = 43 WHERE id = 1") // by somebody else
			if err := h.cache.Invalidate(t.Context(), "stuff"); err != nil {
				t.Fatal(err)
			}
			keep()
			h.exec(h.db, save, "guessed wrong", 1)
			removes(map[int]Outcome{43: OutcomeMiss, 7: OutcomeHit})
			keep()

			h.exec(h.db, "UPDATE stuff SET user_id = ? WHERE id = ?", 7, 1)
			removes(map[int]Outcome{43: OutcomeMiss, 7: OutcomeMiss, 42: OutcomeHit})
			keep()
			h.exec(h.db, save, "moved", 1)
			removes(map[int]Outcome{7: OutcomeMiss, 43: OutcomeHit, 42: OutcomeHit})
			keep()
			h.exec(h.db, "DELETE FROM stuff WHERE id = ?", 1)
			removes(map[int]Outcome{7: OutcomeMiss, 43: OutcomeHit, 42: OutcomeHit})
			keep()
			h.exec(h.db, save, "nobody", 1)
			removes(map[int]Outcome{43: OutcomeHit, 42: OutcomeHit}) // 7 may be removed: it was guessed
		})
	}
}

// TestGuessOfMiscounted: a write with too few arguments, or too many, ends as it does without the cache. The guess
// has arguments of its own, which must not stand for those that are missing.
func TestGuessOfMiscounted(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare([]string{
			"CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, amount INTEGER)",
			"INSERT INTO stuff VALUES (1, 42, 5), (2, 43, 5)",
		})
		const list, save = "SELECT id, amount FROM stuff WHERE user_id = ? ORDER BY id", "UPDATE stuff SET amount = ? WHERE id = ?"
		warm := func() {
			for range 3 {
				h.query(h.db, list, 42)
				h.query(h.db, list, 43)
				h.exec(h.db, "UPDATE stuff SET amount = 6 WHERE id = ?", 2)
			}
		}
		same := func(text string, args ...any) {
			h.Helper()
			_, cached := h.db.Exec(h.marks(text), args...)
			before := h.query(h.bare, "SELECT id, user_id, amount FROM stuff ORDER BY id")
			_, bare := h.bare.Exec(h.marks(text), args...)
			if (cached == nil) != (bare == nil) || cached != nil && cached.Error() != bare.Error() {
				h.Errorf("%s %v: cached %v, bare %v", text, args, cached, bare)
			}
			if after := h.query(h.bare, "SELECT id, user_id, amount FROM stuff ORDER BY id"); before != after {
				h.Errorf("%s %v: cached\n%s\nbare\n%s", text, args, before, after)
			}
		}
		warm()
		if h.dialect == "postgres" {
			same("UPDATE stuff SET amount = $2 WHERE id = $1", 1)
		} else {
			same("UPDATE stuff SET amount = ? WHERE id = 1")
		}

		same(save, 7, 1)
		h.exec(h.bare, "UPDATE stuff SET user_id = 43 WHERE id = 1") // by somebody else
		h.ok(h.cache.Invalidate(t.Context(), "stuff"))
		warm()
		same(save, 77, 1, 43)
		if got, want := h.query(h.db, list, 43), h.query(h.bare, list, 43); got != want {
			h.Errorf("cached\n%s\nbare\n%s", got, want)
		}
	})
}

// TestGuessFiresOnce: what a write does beside changing its row it does once, also if its row isn't as guessed, or
// has its new values already.
func TestGuessFiresOnce(t *testing.T) {
	triggers := map[string][]string{
		"mysql":  {"CREATE TRIGGER counts AFTER UPDATE ON stuff FOR EACH ROW UPDATE fired SET n = n + 1"},
		"sqlite": {"CREATE TRIGGER counts AFTER UPDATE ON stuff FOR EACH ROW BEGIN UPDATE fired SET n = n + 1; END"},
		"postgres": {
			"CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE fired SET n = n + 1; RETURN NULL; END $$",
			"CREATE TRIGGER counts AFTER UPDATE ON stuff FOR EACH STATEMENT EXECUTE FUNCTION counts()",
		},
	}
	eachKind(t, func(h *house) {
		h.prepare(append(owned, "CREATE TABLE fired (n INTEGER)", "INSERT INTO fired VALUES (0)"))
		for _, statement := range triggers[h.dialect] {
			h.exec(h.bare, statement)
		}
		writes := 0
		save := func() {
			h.query(h.db, listOf, 42)
			h.query(h.db, listOf, 42)
			h.exec(h.db, "UPDATE stuff SET name = 'same' WHERE id = 1")
			writes++
		}
		for range 4 {
			save()
		}
		h.exec(h.bare, "UPDATE stuff SET user_id = 7 WHERE id = 1") // by somebody else
		writes++
		save()
		if got := h.texts(h.bare, "SELECT n FROM fired"); got != fmt.Sprint(writes) {
			h.Errorf("%d writes, the trigger has fired %s times", writes, got)
		}
	})
}

// TestGuessInNextTransaction: what was set for the next transaction is for the write, not for what is asked before it.
func TestGuessInNextTransaction(t *testing.T) {
	eachKind(t, func(h *house) {
		h.owned()
		h.exec(h.db, "UPDATE stuff SET name = 'first' WHERE id = 1")
		conn := h.conn(h.db)
		h.query(conn, listOf, 42)
		h.query(conn, listOf, 42)
		h.exec(conn, "SET TRANSACTION READ ONLY")
		if _, err := conn.ExecContext(h.Context(), "UPDATE stuff SET name = 'second' WHERE id = 2"); err == nil {
			h.Error("a write is done in a transaction that was to be read only")
		}
		h.exec(conn, "UPDATE stuff SET name = 'third' WHERE id = 2")
	}, "mysql")
}

// TestGuessActsOnce: MySQL doesn't count a row that has its new values already, but has called what SET calls.
func TestGuessActsOnce(t *testing.T) {
	eachKind(t, func(h *house) {
		h.owned()
		h.exec(h.bare, "CREATE FUNCTION noted() RETURNS INTEGER DETERMINISTIC RETURN @n := @n + 1")
		h.exec(h.db, "UPDATE stuff SET name = 'same' WHERE id = 1")
		for _, set := range []string{"(@n := @n + 1) > 0", "noted() > 0"} {
			conn := h.conn(h.db)
			h.exec(conn, "SET @n = 0")
			for range 3 {
				h.query(h.db, listOf, 42)
				h.query(h.db, listOf, 42)
				h.exec(conn, "UPDATE stuff SET name = IF("+set+", 'same', 'same') WHERE id = 1")
			}
			if got := h.texts(conn, "SELECT IF(@n > 0, @n, 3)"); got != "3" {
				h.Errorf("%s: evaluated %s times, want 3", set, got)
			}
		}
	}, "mysql")
}

// TestGuessOfGoneColumn: a write doesn't fail because of a column that it doesn't name.
func TestGuessOfGoneColumn(t *testing.T) {
	eachKind(t, func(h *house) {
		h.owned()
		const save = "UPDATE stuff SET name = ? WHERE id = 1"
		for i := range 3 {
			h.query(h.db, listOf, 42)
			h.query(h.db, listOf, 42)
			h.exec(h.db, save, fmt.Sprint(i))
		}
		h.query(h.db, listOf, 42)
		h.exec(h.bare, "ALTER TABLE stuff RENAME COLUMN user_id TO owner") // by somebody else
		h.exec(h.db, save, "last")
		if got := h.texts(h.bare, "SELECT name FROM stuff WHERE id = 1"); got != "last" {
			t.Errorf("written is %s", got)
		}
	})
}

// TestGuessUncounted: where the driver doesn't count what is changed it can't be told whether a guess was right.
func TestGuessUncounted(t *testing.T) {
	eachKind(t, func(h *house) {
		h.owned()
		h.query(h.db, listOf, 42)
		db, g := h.gated()
		g.result = driver.ResultNoRows
		save := func(name string) {
			h.Helper()
			h.exec(db, "UPDATE stuff SET name = ? WHERE id = 1", name)
			if got := h.texts(h.bare, "SELECT name FROM stuff WHERE id = 1"); got != name {
				h.Errorf("written is %s, want %s", got, name)
			}
			h.query(h.db, listOf, 42)
			h.query(h.db, listOf, 42)
		}
		save("first")
		save("second")
		h.exec(h.bare, "UPDATE stuff SET user_id = 7 WHERE id = 1") // by somebody else
		save("third")
	})
}

// TestPanicInCount: a driver that panics when it is asked what was changed leaves nothing that others wait for.
func TestPanicInCount(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16, Lease: 100 * time.Millisecond, pauses: coherence.NeverPause})
			h.owned()
			c := h.gatedSession()
			if h.dialect != "mysql" { // which prepares what has arguments, as a guess has; that isn't gated
				c.run("UPDATE stuff SET name = 'first' WHERE id = 1")
			}
			c.g.result = panickingResult{}
			if !panics(func() { c.run("UPDATE stuff SET name = 'second' WHERE id = 1") }) {
				t.Fatal("no panic")
			}
			h.ok(c.Conn.Close())
			list := "SELECT id, name FROM stuff WHERE user_id = 42 ORDER BY id"
			h.wantSame(list)
			h.waitForHit(h.db, list)
			h.exec(h.other, "CREATE TABLE later (id INTEGER)") // its release waits for writers under way
			h.query(h.db, list)
			h.waitForHit(h.db, list)
		})
	}
}

type panickingResult struct{ driver.Result }

func (panickingResult) RowsAffected() (int64, error) { panic("no count") }
