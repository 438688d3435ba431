package larder

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"
)

const rename = "UPDATE stuff SET name = 'new' WHERE id = 1"

// Most of these tests run two goroutines that hand over to each other at a gate, so
// that only one of them is in the cache at a time.

// TestFillRace: a reader pauses after its SELECT, a writer commits, the reader stores
// what it has read: nobody is ever given that.
func TestFillRace(t *testing.T) {
	for name, write := range map[string]func(*house){
		"autocommit":  func(h *house) { h.exec(h.db, rename) },
		"transaction": func(h *house) { tx := h.begin(h.db, 0); h.exec(tx, rename); h.commit(tx) },
		"by SQL": func(h *house) {
			conn := h.conn(h.db)
			for _, statement := range []string{"BEGIN", rename, "COMMIT"} {
				h.exec(conn, statement)
			}
		},
		"several statements": func(h *house) { h.exec(h.db, "DELETE FROM spare; "+rename) },
		"schema":             func(h *house) { h.exec(h.db, rename); h.exec(h.db, "CREATE TABLE made (id INTEGER)") },
	} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(h *house) {
				h.prepare(base)
				slow, g := h.gated()
				h.texts(slow, people) // the catalog is read
				s := g.at(t, "rows "+names)
				var got string
				wait := inBackground(t, func() { got = h.texts(slow, names) })
				s.wait()
				write(h)
				h.want(h.db, "new,wine,milk", OutcomeMiss, names)
				s.go_()
				wait()
				if got != "bread,wine,milk" {
					t.Errorf("the slow reader: %s", got)
				}
				if got := h.texts(slow, names); got != "new,wine,milk" {
					t.Errorf("after it: %s", got)
				}
				h.want(slow, "new,wine,milk", OutcomeHit, names)
			})
		})
	}
}

// TestFillRaceOpenTransaction: the writer has written when the reader reads, and commits
// before the reader stores.
func TestFillRaceOpenTransaction(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		slow, g := h.gated()
		h.texts(slow, people)
		tx := h.begin(h.db, 0)
		h.exec(tx, rename)
		s := g.at(t, "rows "+names)
		var got string
		wait := inBackground(t, func() { got = h.texts(slow, names) })
		s.wait()
		h.commit(tx)
		s.go_()
		wait()
		if got != "bread,wine,milk" {
			t.Errorf("the slow reader: %s", got)
		}
		if got := h.texts(slow, names); got != "new,wine,milk" {
			t.Errorf("after it: %s", got)
		}
	})
}

// TestReadBeforeExecute: a reader comes while an autocommit write is on its way to the
// database: it may not be kept beyond the write.
func TestReadBeforeExecute(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		slow, g := h.gated()
		h.texts(slow, people)
		h.wantCached(h.db, names)
		s := g.at(t, "before "+rename)
		wait := inBackground(t, func() { h.exec(slow, rename) })
		s.wait()
		h.want(h.db, "bread,wine,milk", OutcomeHeld, names)
		h.want(h.other, "bread,wine,milk", OutcomeHeld, names)
		h.want(h.db, "Bob,Cy,Ann", OutcomeHit, people)
		s.go_()
		wait()
		h.want(h.db, "new,wine,milk", OutcomeMiss, names)
		h.want(h.other, "new,wine,milk", OutcomeHit, names)
	})
}

// TestReadAfterExecute: the database has executed the write and its caller doesn't know
// yet: readers may see the new row, and nobody goes back behind it.
func TestReadAfterExecute(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		slow, g := h.gated()
		h.texts(slow, people)
		h.wantCached(h.db, names)
		s := g.at(t, "after "+rename)
		wait := inBackground(t, func() { h.exec(slow, rename) })
		s.wait()
		h.want(h.db, "new,wine,milk", OutcomeHeld, names)
		h.want(h.other, "new,wine,milk", OutcomeHeld, names)
		s.go_()
		wait()
		h.want(h.db, "new,wine,milk", OutcomeMiss, names)
	})
}

// TestReadAroundCommit: before a COMMIT that is on its way, and after one that has arrived.
func TestReadAroundCommit(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		slow, g := h.gated()
		h.texts(slow, people)
		h.wantCached(h.db, names)
		tx := h.begin(slow, 0)
		h.exec(tx, rename)
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
		before, after := g.at(t, "before COMMIT"), g.at(t, "after COMMIT")
		wait := inBackground(t, func() { h.commit(tx) })
		before.wait()
		h.want(h.db, "bread,wine,milk", OutcomeHeld, names)
		before.go_()
		after.wait()
		h.want(h.db, "new,wine,milk", OutcomeHeld, names)
		h.want(h.other, "new,wine,milk", OutcomeHeld, names)
		after.go_()
		wait()
		h.want(h.db, "new,wine,milk", OutcomeMiss, names)
		h.want(h.other, "new,wine,milk", OutcomeHit, names)
	})
}

// TestReadDuringHoldNotKept: a reader that began under a hold, and ends after it, keeps nothing.
func TestReadDuringHoldNotKept(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		slow, g := h.gated()
		reader, r := h.gated()
		h.texts(slow, people)
		h.texts(reader, people)
		write, read := g.at(t, "before "+rename), r.at(t, "rows "+names)
		written := inBackground(t, func() { h.exec(slow, rename) })
		write.wait()
		var got string
		waited := inBackground(t, func() { got = h.texts(reader, names) })
		read.wait()
		write.go_()
		written()
		read.go_()
		waited()
		if got != "bread,wine,milk" {
			t.Errorf("during the write: %s", got)
		}
		h.want(reader, "new,wine,milk", OutcomeMiss, names)
	})
}

// TestWritersTogether: two writers hold one relation; the first to end doesn't free it.
func TestWritersTogether(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		slow, g := h.gated()
		h.texts(slow, people)
		h.wantCached(h.db, names)
		s := g.at(t, "before "+rename)
		wait := inBackground(t, func() { h.exec(slow, rename) })
		s.wait()
		h.exec(h.other, "UPDATE stuff SET name = 'other' WHERE id = 2")
		h.want(h.db, "bread,other,milk", OutcomeHeld, names)
		s.go_()
		wait()
		h.want(h.db, "new,other,milk", OutcomeMiss, names)
	})
}

// TestJoinedReaders: readers of one missing entry wait for the first of them, and one that
// comes after a write doesn't take what was read before it.
func TestJoinedReaders(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		slow, g := h.gated()
		h.texts(slow, people)
		s := g.at(t, "rows "+names)
		first := inBackground(t, func() { h.texts(slow, names) })
		s.wait()
		h.exec(h.db, rename)
		var got string
		var mu sync.Mutex // the observer's
		second := inBackground(t, func() { text := h.texts(slow, names); mu.Lock(); got = text; mu.Unlock() })
		s.go_()
		first()
		second()
		mu.Lock()
		defer mu.Unlock()
		if got != "new,wine,milk" {
			t.Errorf("a reader after the write: %s", got)
		}
	})
}

var errLost = errors.New("connection reset by peer")

// TestLostAfterCommit: the connection is lost while COMMIT is answered. The write is
// visible, and its relations are held until the lease ends.
func TestLostAfterCommit(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		slow, g := h.gated()
		h.texts(slow, people)
		h.wantCached(h.db, names)
		h.wantCached(h.db, "SELECT label FROM tags")
		tx := h.begin(slow, 0)
		h.exec(tx, rename)
		s := g.at(t, "after COMMIT")
		s.fault, s.severing = errLost, true
		s.go_()
		if err := tx.Commit(); !errors.Is(err, errLost) {
			t.Errorf("commit: %v", err)
		}
		h.want(h.db, "new,wine,milk", OutcomeHeld, names)
		h.want(h.db, "new,wine,milk", OutcomeHeld, names)
		h.wantRead(h.db, OutcomeHit, "SELECT label FROM tags")
		if n := h.cache.Stats().Abandoned; n != 1 {
			t.Errorf("%d writes of unknown outcome, want 1", n)
		}
	}, "postgres", "mysql")
}

// TestLostBeforeAnswer: the same for an autocommit write.
func TestLostBeforeAnswer(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		slow, g := h.gated()
		h.texts(slow, people)
		h.wantCached(h.db, names)
		s := g.at(t, "after "+rename)
		s.fault, s.severing = errLost, true
		s.go_()
		if _, err := slow.Exec(rename); !errors.Is(err, errLost) {
			t.Errorf("exec: %v", err)
		}
		h.want(h.db, "new,wine,milk", OutcomeHeld, names)
		h.want(h.other, "new,wine,milk", OutcomeHeld, names)
	}, "postgres", "mysql")
}

// TestLeaseEnds: what an abandoned write held is free again after the lease.
func TestLeaseEnds(t *testing.T) {
	for _, k := range kinds {
		if k.dialect == "sqlite" {
			continue // there is no connection to lose
		}
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16, Lease: 300 * time.Millisecond})
			h.prepare(base)
			slow, g := h.gated()
			h.texts(slow, people)
			s := g.at(t, "after "+rename)
			s.fault, s.severing = errLost, true
			s.go_()
			if _, err := slow.Exec(rename); err == nil {
				t.Fatal("the connection wasn't lost")
			}
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				h.take()
				if got := h.texts(h.db, names); got != "new,wine,milk" {
					t.Fatal(got)
				}
				if events := h.take(); len(events) == 1 && events[0].Outcome == OutcomeHit {
					return
				}
				if time.Now().After(end) {
					t.Fatal("the hold doesn't end")
				}
			}
		})
	}
}

// TestKilled: the server ends the session of a write that waits for a lock.
func TestKilled(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		conn := h.conn(h.other)
		id := h.texts(conn, map[string]string{"postgres": "SELECT pg_backend_pid()", "mysql": "SELECT connection_id()"}[h.dialect])
		blocker, err := h.bare.Begin()
		if err != nil {
			t.Fatal(err)
		}
		h.exec(blocker, "UPDATE stuff SET name = name WHERE id = 1")
		var failed error
		wait := inBackground(t, func() { _, failed = conn.ExecContext(context.Background(), rename) })
		h.untilBlocked()
		h.do(h.bare, map[string]string{"postgres": "SELECT pg_terminate_backend(" + id + ")", "mysql": "KILL " + id}[h.dialect])
		wait()
		if failed == nil {
			t.Error("the write has ended well")
		}
		h.ok(blocker.Rollback())
		if got := h.texts(h.db, names); got != "bread,wine,milk" {
			t.Error(got)
		}
		h.exec(h.db, "UPDATE stuff SET name = 'after' WHERE id = 1")
		if got := h.texts(h.other, names); got != "after,wine,milk" {
			t.Error(got)
		}
	}, "postgres", "mysql")
}

// untilBlocked waits until a session waits for a lock.
func (h *house) untilBlocked() {
	h.Helper()
	query := map[string]string{
		"postgres": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
		"mysql":    "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND info LIKE 'UPDATE%'",
	}[h.dialect]
	for end := time.Now().Add(20 * time.Second); h.texts(h.bare, query) == "0"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.Fatal("no session waits")
		}
	}
}

// TestWriteCancelledUnderWay: a write whose context ends while it waits for a lock may have been
// done or not; either way the readers see what is so.
func TestWriteCancelledUnderWay(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		blocker, err := h.bare.Begin()
		if err != nil {
			t.Fatal(err)
		}
		h.exec(blocker, "UPDATE stuff SET name = name WHERE id = 1")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var failed error
		wait := inBackground(t, func() { _, failed = h.other.ExecContext(ctx, rename) })
		h.untilBlocked()
		cancel()
		wait()
		if failed == nil {
			t.Error("a cancelled write has ended well")
		}
		h.ok(blocker.Rollback())
		for range 20 { // the server may do it yet
			if got, want := h.texts(h.db, names), h.texts(h.bare, names); got != want {
				again := h.texts(h.db, names)
				if again != h.texts(h.bare, names) {
					t.Fatalf("cached %s, bare %s", again, want)
				}
			}
		}
	}, "postgres", "mysql")
}

// TestOrders: another session reads before, during and after a transaction that writes, in
// every order of its reads.
func TestOrders(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		value := "bread"
		for i := range 8 {
			h.exec(h.bare, "UPDATE stuff SET name = 'bread' WHERE id = 1")
			h.unseen()
			value = "bread"
			read := func(when int) {
				h.Helper()
				if i&(1<<when) == 0 {
					return
				}
				if got := h.texts(h.other, "SELECT name FROM stuff WHERE id = 1"); got != value {
					h.Errorf("order %d, moment %d: %s, want %s", i, when, got, value)
				}
			}
			read(0)
			tx := h.begin(h.db, sql.LevelDefault)
			h.exec(tx, rename)
			read(1)
			if i%2 == 0 {
				h.commit(tx)
				value = "new"
			} else {
				h.rollback(tx)
			}
			read(2)
			if got := h.texts(h.other, "SELECT name FROM stuff WHERE id = 1"); got != value {
				h.Errorf("order %d, at the end: %s, want %s", i, got, value)
			}
		}
	})
}
