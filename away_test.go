package larder

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store/redis"
)

// away runs a test with a store of its own, which hangs while it runs, and what comes then.
func away(t *testing.T, options Options, run func(*house), then ...func(*house)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			server := dbtest.NewRedis(t)
			o := options
			s, err := redis.Open(redis.Options{Addresses: []string{server.Addr()}, Prefix: rand.Text() + ":", Timeout: 200 * time.Millisecond, Settle: -1, Lease: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			o.Store = s
			h := newHouse(t, k, &o)
			h.prepare(base)
			h.wantCached(h.db, names)
			h.ok(server.Pause())
			defer func() {
				h.ok(server.Resume())
				for _, then := range then {
					then(h)
				}
				h.caches()
			}()
			run(h)
		})
	}
}

// caches waits until reads hit again.
func (h *house) caches() {
	h.Helper()
	for range 200 {
		h.take()
		got, want := h.texts(h.db, names), h.texts(h.bare, names)
		if got != want {
			h.Errorf("got %q, want %q", got, want)
		}
		if events := h.take(); len(events) == 1 && events[0].Outcome == OutcomeHit {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	h.Errorf("the store has come back, and nothing is cached: %+v", h.cache.Stats())
}

// TestStoreAway: reads and writes go on without the store, and soon at the database's own pace.
func TestStoreAway(t *testing.T) {
	away(t, Options{}, func(h *house) {
		h.exec(h.db, "UPDATE stuff SET name = 'unheard'")
		if got := h.texts(h.db, names); got != "unheard,unheard,unheard" {
			h.Error(got)
		}
		began := time.Now()
		for range 50 {
			h.texts(h.db, names)
			h.exec(h.db, "UPDATE stuff SET name = 'last' WHERE id = 1")
		}
		if took := time.Since(began); took > 10*time.Second {
			h.Errorf("50 reads and writes took %v without the store", took)
		}
		if got := h.texts(h.db, "SELECT name FROM stuff WHERE id = 1"); got != "last" {
			h.Error(got)
		}
		if h.cache.Stats().Unannounced == 0 {
			h.Error("every write is announced: this test tests nothing")
		}
	})
}

// TestRefusedCommitIsOver: what waits for all writes doesn't wait for one whose COMMIT was refused, while its connection is in the
// pool and nobody uses it.
func TestRefusedCommitIsOver(t *testing.T) {
	var other *sql.Conn
	away(t, Options{FailClosed: true}, func(h *house) {
		var err error
		other, err = h.db.Conn(t.Context())
		h.ok(err)
		tx, err := h.db.Begin()
		h.ok(err)
		h.exec(tx, "UPDATE stuff SET name = 'refused'")
		if err := tx.Commit(); !errors.Is(err, ErrNotHeld) {
			h.Fatalf("a commit: %v, want %v", err, ErrNotHeld)
		}
	}, func(h *house) {
		defer other.Close()
		for end := time.Now().Add(10 * time.Second); h.cache.Stats().Unannounced > 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		}
		h.exec(h.bare, "DROP TABLE IF EXISTS more")
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // the store may be left alone for a moment
			_, err := other.ExecContext(context.Background(), "CREATE TABLE more (id integer PRIMARY KEY)")
			if err == nil {
				break
			}
			if !errors.Is(err, ErrNotHeld) || time.Now().After(end) {
				h.Fatal(err)
			}
		}
		hits := h.cache.Stats().Hits
		for end := time.Now().Add(10 * time.Second); h.cache.Stats().Hits == hits; time.Sleep(20 * time.Millisecond) {
			h.texts(other, names)
			if time.Now().After(end) {
				h.Fatalf("nothing is found after a change of the schema: %+v", h.cache.Stats())
			}
		}
	})
}

// TestFailClosed: a write that the store can't be told of isn't made; reads go on.
func TestFailClosed(t *testing.T) {
	away(t, Options{FailClosed: true}, func(h *house) {
		before := h.texts(h.bare, names)
		refused := func(what string, err error) {
			h.Helper()
			if !errors.Is(err, ErrNotHeld) {
				h.Errorf("%s: %v, want %v", what, err, ErrNotHeld)
			}
		}
		_, err := h.db.Exec("UPDATE stuff SET name = 'refused'")
		refused("an update", err)
		_, err = h.db.Exec("DELETE FROM stuff WHERE id = 1")
		refused("a delete by key", err)
		tx, err := h.db.Begin()
		h.ok(err)
		h.exec(tx, "UPDATE stuff SET name = 'refused'")
		refused("a commit", tx.Commit())
		for range 2 {
			if got := h.texts(h.db, names); got != before {
				h.Errorf("got %q, want %q", got, before)
			}
			if got := h.texts(h.bare, names); got != before {
				h.Errorf("the database has %q, want %q", got, before)
			}
		}
	})
}
