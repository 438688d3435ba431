package larder

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store/redis"
)

// An ear keeps what a receiver was told.
type ear struct {
	h       *house
	stop    func()
	mu      sync.Mutex
	changes []Change // guarded by mu
}

func (h *house) listen(relation string) *ear {
	e := &ear{h: h}
	e.stop = h.cache.OnChange(relation, func(_ context.Context, c Change) { e.keep(c) })
	h.Cleanup(e.stop)
	return e
}

func (e *ear) keep(c Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changes = append(e.changes, c)
}

// took returns what was told since it was called last, once all receivers are done.
func (e *ear) took() []Change {
	e.h.Helper()
	e.h.idle()
	e.mu.Lock()
	defer e.mu.Unlock()
	changes := e.changes
	e.changes = nil
	return changes
}

// idle waits until no receiver of the cache has anything to do.
func (h *house) idle() {
	h.Helper()
	for end := time.Now().Add(10 * time.Second); h.cache.signals.busy(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.Fatal("a receiver doesn't come to its end")
		}
	}
}

func (s *signals) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.receivers {
		r.mu.Lock()
		busy := r.running != nil
		r.mu.Unlock()
		if busy {
			return true
		}
	}
	return false
}

// want compares what was told since the last time with texts such as "update stuff 1".
func (e *ear) want(when string, texts ...string) {
	e.h.Helper()
	var got []string
	for _, c := range e.took() {
		got = append(got, changeText(c))
	}
	if !slices.Equal(got, texts) {
		e.h.Errorf("%s: told %q, want %q", when, got, texts)
	}
}

func changeText(c Change) string {
	_, name, _ := strings.Cut(c.Relation, ".")
	if name == "" {
		name = c.Relation
	}
	text := fmt.Sprintf("%s %s", c.Ops, name)
	if c.Count >= 0 {
		text += fmt.Sprint(" ", c.Count)
	}
	if c.Perhaps {
		text += " perhaps"
	}
	if c.Lost != 0 {
		text += fmt.Sprint(" lost ", c.Lost)
	}
	return text
}

// TestOnChange: what a statement does is told, with its rows as far as they are known, and nothing of one that changes none.
func TestOnChange(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		e, users, all := h.listen("stuff"), h.listen("USERS"), h.listen("*")
		for _, c := range []struct {
			write, told string
			slices      string
		}{
			{"INSERT INTO stuff (id, user_id, name) VALUES (10, 7, 'ten')", "insert stuff 1", "[map[id:10 name:ten price:<nil> user_id:7]]"},
			{"UPDATE stuff SET user_id = 8 WHERE id = 10", "update stuff 1", "[map[id:10] map[id:10 user_id:8]]"},
			{"UPDATE stuff SET name = 'none' WHERE id = 99", "", ""},
			{"DELETE FROM stuff WHERE id = 99", "", ""},
			{"UPDATE stuff SET name = 'x'", "update stuff 4", ""},
			{"DELETE FROM stuff WHERE id = 10", "delete stuff 1", "[map[id:10]]"},
			{"INSERT INTO stuff (id, user_id, name) SELECT id + 20, user_id, name FROM stuff WHERE id = 1", "insert stuff", ""},
		} {
			h.exec(h.db, c.write)
			told := e.took()
			if c.told == "" {
				if len(told) != 0 {
					h.Errorf("%s: %+v", c.write, told)
				}
				all.want(c.write)
				continue
			}
			all.want(c.write, c.told)
			if len(told) != 1 || changeText(told[0]) != c.told {
				h.Errorf("%s: %+v, want %s", c.write, told, c.told)
				continue
			}
			got := ""
			if told[0].Slices != nil {
				got = fmt.Sprint(told[0].Slices)
			}
			if h.dialect == "sqlite" || h.dialect == "postgres" || !strings.Contains(c.slices, "name") {
				if got != c.slices {
					h.Errorf("%s: slices %s, want %s", c.write, got, c.slices)
				}
			}
			if told[0].DB != h.db || told[0].Source != SourceHere || told[0].Database == "" {
				h.Errorf("%s: %+v isn't of this handle", c.write, told[0])
			}
		}
		if h.query(h.db, "UPDATE nowhere SET x = 1") == "" || h.query(h.db, "SELECT name FROM stuff") == "" {
			h.Error("no answer")
		}
		users.want("writes of stuff")
		h.exec(h.db, "UPDATE users SET name = 'you'")
		if told := users.took(); len(told) != 1 {
			h.Errorf("users: %+v", told)
		}
		e.want("a write of users")
	})
}

// TestChangesOfTransactions: a transaction is told once for each relation, after its commit; a rollback is not, nor what was
// rolled back to a savepoint.
func TestChangesOfTransactions(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		e := h.listen("*")
		tx := h.begin(h.db, 0)
		h.exec(tx, "UPDATE stuff SET name = 'a' WHERE id = 1")
		h.exec(tx, "INSERT INTO stuff (id, user_id, name) VALUES (11, 42, 'b')")
		h.exec(tx, "UPDATE users SET name = 'c' WHERE id = 42")
		h.exec(tx, "DELETE FROM stuff WHERE id = 99")
		e.want("before COMMIT")
		h.commit(tx)
		e.want("after COMMIT", "insert|update stuff 2", "update users 1")

		tx = h.begin(h.db, 0)
		h.exec(tx, "UPDATE stuff SET name = 'z' WHERE id = 1")
		h.rollback(tx)
		e.want("after ROLLBACK")

		conn := h.conn(h.db)
		h.exec(conn, "BEGIN")
		h.exec(conn, "UPDATE stuff SET name = 'd' WHERE id = 1")
		h.exec(conn, "SAVEPOINT one")
		h.exec(conn, "UPDATE users SET name = 'e' WHERE id = 42")
		h.exec(conn, "SAVEPOINT two")
		h.exec(conn, "UPDATE stuff SET name = 'f' WHERE id = 2")
		h.exec(conn, "ROLLBACK TO SAVEPOINT two")
		h.exec(conn, "UPDATE stuff SET name = 'g' WHERE id = 2")
		h.exec(conn, "RELEASE SAVEPOINT two")
		h.exec(conn, "ROLLBACK TO SAVEPOINT one")
		h.exec(conn, "UPDATE stuff SET name = 'h' WHERE id = 2")
		h.exec(conn, "COMMIT")
		e.want("after savepoints", "update stuff 2")

		h.exec(conn, "BEGIN")
		h.exec(conn, "UPDATE stuff SET name = 'i' WHERE id = 1")
		h.query(conn, "UPDATE nowhere SET x = 1")
		if _, err := conn.ExecContext(h.Context(), "COMMIT"); err != nil && h.dialect != "postgres" {
			h.Error(err)
		}
		if h.dialect == "postgres" {
			e.want("COMMIT after an error, which PostgreSQL answers with ROLLBACK")
		} else {
			e.want("COMMIT after an error", "update stuff 1")
		}

		h.exec(conn, "BEGIN")
		h.exec(conn, "UPDATE stuff SET name = 'j' WHERE id = 1")
		h.exec(conn, "ROLLBACK")
		e.want("after ROLLBACK as text")
	})
}

// TestOuterSavepoint: the outermost savepoint of SQLite is a transaction, which is told when it is released.
func TestOuterSavepoint(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		e, conn := h.listen("stuff"), h.conn(h.db)
		h.texts(conn, names) // or the catalog isn't known
		h.exec(conn, "SAVEPOINT outer")
		h.exec(conn, "UPDATE stuff SET name = 'a' WHERE id = 1")
		h.exec(conn, "SAVEPOINT inner")
		h.exec(conn, "UPDATE stuff SET name = 'b' WHERE id = 2")
		h.exec(conn, "RELEASE inner")
		e.want("inside")
		h.exec(conn, "RELEASE outer")
		e.want("released", "update stuff 2")
		h.exec(conn, "UPDATE stuff SET name = 'c' WHERE id = 2")
		e.want("after it", "update stuff 1")
	}, "sqlite")
}

// TestChangesOfEverything: what can't be told is told to all.
func TestChangesOfEverything(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		e := h.listen("stuff")
		h.exec(h.db, "CREATE TABLE more (id INTEGER)")
		e.want("DDL", "schema *")
		h.ok(h.cache.Invalidate(h.Context(), "stuff"))
		if told := e.took(); len(told) == 0 || told[0].Ops != OpUnknown { // once for each handle
			h.Errorf("Invalidate: %+v", told)
		}
		if h.dialect != "sqlite" {
			h.exec(h.db, "TRUNCATE TABLE stuff")
			if told := e.took(); len(told) != 1 || told[0].Ops&OpTruncate == 0 {
				h.Errorf("TRUNCATE: %+v", told)
			}
		}
		conn := h.conn(h.db)
		h.ok(conn.Raw(func(c any) error { _, err := Unwrap(c); return err }))
		h.ok(conn.Close())
		e.want("a connection that was handed out", "unknown * perhaps")
	})
}

// TestImplicitCommit: DDL of MySQL's commits what is open, and tells it; so does BEGIN.
func TestImplicitCommit(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		e, conn := h.listen("stuff"), h.conn(h.db)
		h.texts(conn, names)
		h.exec(conn, "BEGIN")
		h.exec(conn, "UPDATE stuff SET name = 'a' WHERE id = 1")
		h.exec(conn, "CREATE TABLE more (id INTEGER)")
		e.want("DDL", "update stuff 1", "schema *")
		h.exec(conn, "BEGIN")
		h.exec(conn, "UPDATE stuff SET name = 'b' WHERE id = 1")
		tx, err := conn.BeginTx(h.Context(), nil)
		h.ok(err)
		e.want("BEGIN in a transaction", "update stuff 1")
		h.rollback(tx)
		h.exec(conn, "BEGIN")
		h.exec(conn, "UPDATE stuff SET name = 'c' WHERE id = 1")
		if _, err := conn.ExecContext(h.Context(), "CREATE TABLE stuff (id INTEGER)"); err == nil {
			h.Error("a table is made twice")
		}
		e.want("DDL that fails after its commit", "update stuff 1 perhaps")
	}, "mysql")
}

// TestUnknownOutcome: a COMMIT whose connection is lost may have been one.
func TestUnknownOutcome(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		e := h.listen("stuff")
		tx := h.begin(h.db, 0)
		h.exec(tx, "UPDATE stuff SET name = 'a' WHERE id = 1")
		h.killTx(tx)
		if tx.Commit() == nil {
			h.Fatal("the commit of a connection that was killed")
		}
		for _, c := range e.took() {
			if !c.Perhaps {
				h.Errorf("told %+v of a COMMIT whose end isn't known", c)
			}
		}
		db, g := h.gated()
		tx = h.begin(db, 0)
		h.exec(tx, "UPDATE stuff SET name = 'b' WHERE id = 1")
		s := g.at(t, "after COMMIT")
		s.severing, s.fault = true, errors.New("the line is cut")
		s.go_()
		if tx.Commit() == nil {
			h.Fatal("no fault")
		}
		e.want("cut after COMMIT", "update stuff 1 perhaps")
	}, "postgres", "mysql")
}

// TestReceiverSeesChange: what a receiver reads through the cache is as new as what it is told of.
func TestReceiverSeesChange(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		const name = "SELECT name FROM stuff WHERE id = 1"
		var mu sync.Mutex
		var seen []string
		stop := h.cache.OnChange("stuff", func(context.Context, Change) {
			got := h.texts(h.db, name)
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, got)
		})
		defer stop()
		for i := range 20 {
			h.texts(h.db, name)
			if i%2 == 0 {
				h.exec(h.db, "UPDATE stuff SET name = ? WHERE id = 1", fmt.Sprint(i))
			} else {
				tx := h.begin(h.db, 0)
				h.exec(tx, "UPDATE stuff SET name = ? WHERE id = 1", fmt.Sprint(i))
				h.commit(tx)
			}
			h.idle()
		}
		for i, got := range seen {
			if got != fmt.Sprint(i) {
				h.Fatalf("receiver saw %q", seen)
			}
		}
		if len(seen) != 20 {
			h.Errorf("told %d times", len(seen))
		}
	})
}

// TestReceiversInside: a receiver may panic, write, open a transaction, start another receiver and stop itself.
func TestReceiversInside(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			receiversInside(newHouse(t, k, &Options{MaxBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)}))
		})
	}
}

func receiversInside(h *house) {
	h.prepare(base)
	users := h.listen("users")
	var later *ear
	var stop func()
	n, stopped := 0, make(chan struct{})
	stop = h.cache.OnChange("stuff", func(ctx context.Context, c Change) {
		switch n++; n {
		case 1:
			panic("a receiver that panics, as this test wants it to")
		case 2:
			tx, err := h.db.BeginTx(ctx, nil)
			h.ok(err)
			h.exec(tx, "UPDATE users SET name = 'by a receiver' WHERE id = 42")
			h.ok(tx.Commit())
		case 3:
			later = h.listen("stuff")
		case 4:
			stop()
			if ctx.Err() != nil {
				h.Error("the context of a receiver that stops itself has ended")
			}
			close(stopped)
		default:
			h.Error("told after it was stopped")
		}
	})
	after := h.listen("stuff")
	for i := range 5 {
		h.exec(h.db, "UPDATE stuff SET name = ? WHERE id = 1", fmt.Sprint(i))
		h.idle()
	}
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		h.Error("a receiver that stops itself waits for itself")
	}
	after.want("beside one that panics", slices.Repeat([]string{"update stuff 1"}, 5)...)
	later.want("from the fourth on", "update stuff 1", "update stuff 1")
	users.want("by a receiver", "update users 1")
}

// TestSlowReceiver: a receiver that doesn't come back keeps no writer and no other receiver waiting; it is told that it has lost changes.
func TestSlowReceiver(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.prepare(base)
	free := make(chan struct{})
	slow := &ear{h: h}
	stop := h.cache.OnChange("stuff", func(_ context.Context, c Change) { <-free; slow.keep(c) })
	defer stop()
	quick := &ear{h: h}
	defer h.cache.OnChange("stuff", func(_ context.Context, c Change) { quick.keep(c) })()
	const writes = maxBehind + 100
	for i := range writes {
		h.exec(h.db, "UPDATE stuff SET user_id = ? WHERE id = 1", i)
		if i == 0 { // one is being told
			h.awaitRunning()
		}
	}
	close(free)
	told := slow.took()
	if len(told) != maxBehind+2 || told[len(told)-1].Lost != writes-maxBehind-1 || told[len(told)-1].Ops != OpUnknown {
		t.Errorf("%d told, the last: %+v", len(told), told[len(told)-1])
	}
	if n := len(quick.took()); n != writes {
		t.Errorf("the quick one was told %d of %d", n, writes)
	}
	if s := h.cache.Stats(); s.ChangesLost != writes-maxBehind-1 || s.Changes != writes+maxBehind+1 {
		t.Errorf("%+v", s)
	}
	h.exec(h.db, "UPDATE stuff SET user_id = 1 WHERE id = 1")
	slow.want("later", "update stuff 1")
}

// awaitRunning waits until a receiver has taken its first change.
func (h *house) awaitRunning() {
	h.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		h.cache.signals.mu.Lock()
		taken := true
		for r := range h.cache.signals.receivers {
			r.mu.Lock()
			taken = taken && len(r.waiting) == 0
			r.mu.Unlock()
		}
		h.cache.signals.mu.Unlock()
		if taken {
			return
		}
		if time.Now().After(end) {
			h.Fatal("no receiver runs")
		}
	}
}

// TestStopWaits: when stop has returned the function isn't running, and no goroutine of it is left.
func TestStopWaits(t *testing.T) {
	dbtest.Leaks(t)
	h := newHouse(t, kinds[0], nil)
	h.prepare(base)
	began, ended := make(chan struct{}), false
	stop := h.cache.OnChange("stuff", func(ctx context.Context, _ Change) {
		close(began)
		<-ctx.Done()
		ended = true
	})
	h.exec(h.db, "UPDATE stuff SET name = 'a' WHERE id = 1")
	h.exec(h.db, "UPDATE stuff SET name = 'b' WHERE id = 1")
	<-began
	stop()
	if !ended {
		t.Error("stop has returned before the function")
	}
	stop()
	h.listen("*")
	for _, db := range []*sql.DB{h.bare, h.db, h.other} {
		h.ok(db.Close())
	}
	h.ok(h.cache.Close())
	if len(h.cache.signals.receivers) != 0 {
		t.Error("a closed cache has receivers")
	}
}

// TestChangesOfDatabases: a receiver hears of its cache's databases, by whichever cache of the process they are written, and of no other.
func TestChangesOfDatabases(t *testing.T) {
	eachKind(t, func(h *house) {
		mine := newHouse(t, h.kind, &Options{})
		mine.prepare(base)
		foreign := newHouse(t, h.kind, &Options{})
		foreign.prepare(base)
		writer, err := Open(mine.driver, mine.dsn, nil)
		mine.opened(writer, err)
		cache, err := New(nil)
		h.ok(err)
		defer cache.Close()
		h.cache = cache
		reader := h.opened(cache.Open(mine.driver, mine.dsn)) // never used
		name := "stuff"
		if h.dialect == "mysql" { // whose databases are schemas of one
			name = mine.texts(mine.bare, "SELECT database()") + ".stuff"
		}
		e := h.listen(name)
		mine.exec(writer, "UPDATE stuff SET name = 'a' WHERE id = 1")
		foreign.exec(foreign.db, "UPDATE stuff SET name = 'b' WHERE id = 1")
		told := e.took()
		if len(told) != 1 || told[0].DB != writer {
			t.Errorf("told %+v, want that of the writer alone", told)
		}
		h.ok(reader.Close())
		mine.exec(writer, "UPDATE stuff SET name = 'c' WHERE id = 1")
		e.want("a cache without handles")
	}, "sqlite", "mysql")
}

// TestWrongReceivers: a receiver of nothing is a mistake of the program.
func TestWrongReceivers(t *testing.T) {
	c, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []func(){
		func() { c.OnChange("", func(context.Context, Change) {}) },
		func() { c.OnChange("stuff", nil) },
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "larder: OnChange needs") {
					t.Errorf("panic %s", p)
				}
			}()
			f()
		}()
	}
}

// TestListenLate: of what a transaction wrote before anybody listened it is told that it was written.
func TestListenLate(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		tx := h.begin(h.db, 0)
		h.exec(tx, "UPDATE stuff SET name = 'a' WHERE id = 1")
		e := h.listen("*")
		h.exec(tx, "UPDATE users SET name = 'b' WHERE id = 42")
		h.commit(tx)
		e.want("COMMIT", "update|unknown users", "unknown stuff")
	}, "sqlite", "postgres")
}

// TestRefusedWrite: a write that isn't made because the store can't be told is told to nobody.
func TestRefusedWrite(t *testing.T) {
	server := dbtest.NewRedis(t)
	s, err := redis.Open(redis.Options{Addresses: []string{server.Addr()}, Settle: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := newHouse(t, kinds[0], &Options{Store: s, StoreTimeout: 5 * time.Second, FailClosed: true, Logger: slog.New(slog.DiscardHandler)})
	h.prepare(base)
	e := h.listen("*")
	tx := h.begin(h.db, 0)
	h.exec(tx, "UPDATE stuff SET name = 'a' WHERE id = 1")
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); !errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
	if _, err := h.db.Exec("UPDATE stuff SET name = 'b' WHERE id = 1"); !errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
	e.want("refused")
}

// TestRefusedCommit: a COMMIT that the database refuses tells nothing; SQLite's may be tried again.
func TestRefusedCommit(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare([]string{
			"CREATE TABLE parent (id INTEGER PRIMARY KEY)",
			"CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
		})
		e, conn := h.listen("*"), h.conn(h.db)
		if h.dialect == "sqlite" {
			h.exec(conn, "PRAGMA foreign_keys = 1")
		}
		h.query(conn, "SELECT id FROM child")
		tx, err := conn.BeginTx(h.Context(), nil)
		h.ok(err)
		h.exec(tx, "INSERT INTO child VALUES (1, 5)")
		if tx.Commit() == nil {
			h.Fatal("a child without a parent")
		}
		h.query(conn, "ROLLBACK")
		h.query(conn, "SELECT id FROM child")
		e.want("driver's COMMIT")
		h.exec(conn, "BEGIN")
		h.exec(conn, "INSERT INTO child VALUES (1, 5)")
		if _, err := conn.ExecContext(h.Context(), "COMMIT"); err == nil {
			h.Fatal("a child without a parent")
		}
		e.want("COMMIT")
		if h.dialect == "sqlite" {
			h.exec(conn, "INSERT INTO parent VALUES (5)")
			h.exec(conn, "COMMIT")
			e.want("COMMIT once more", "insert child 1", "insert parent 1")
		}
	}, "sqlite", "postgres")
}

// TestWaysToWrite: prepared statements, queries that return what they write, and several statements in one text.
func TestWaysToWrite(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		e := h.listen("*")
		stmt, err := h.db.Prepare(h.marks("UPDATE stuff SET name = ? WHERE id = ?"))
		h.ok(err)
		defer stmt.Close()
		for range 2 {
			_, err = stmt.Exec("a", 1)
			h.ok(err)
		}
		e.want("prepared", "update stuff 1", "update stuff 1")
		h.query(h.db, "INSERT INTO stuff (id, name) VALUES (?, 'b') RETURNING name", 10)
		e.want("RETURNING", "insert stuff 1")
		h.exec(h.db, "DELETE FROM stuff WHERE id = 10; UPDATE users SET name = 'c' WHERE id = 42")
		e.want("two statements", "delete stuff", "update users")
		h.exec(h.db, "BEGIN; UPDATE stuff SET name = 'd' WHERE id = 1; COMMIT")
		e.want("a transaction in one text", "update stuff")
		conn := h.conn(h.db)
		h.exec(conn, "PREPARE p AS UPDATE stuff SET name = 'e' WHERE id = $1")
		h.exec(conn, "EXECUTE p(1)")
		e.want("EXECUTE", "update stuff")
	}, "postgres")
	eachKind(t, func(h *house) {
		h.prepare(base)
		e := h.listen("*")
		h.exec(h.db, "INSERT INTO stuff (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = excluded.name")
		e.want("upsert", "insert|update stuff")
		h.exec(h.db, "REPLACE INTO stuff (id, name) VALUES (1, 'y')")
		e.want("REPLACE", "insert|delete stuff")
		h.exec(h.db, "DELETE FROM stuff WHERE id = 1; UPDATE users SET name = 'c' WHERE id = 42")
		e.want("two statements", "delete stuff", "update users")
	}, "sqlite")
}
