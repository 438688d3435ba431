package larder

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Reads that take long, and might be kept: a second or so, and for ever.
const (
	slowRead    = "SELECT count(*) FROM many a, many b, many c WHERE c.id < 10"
	endlessRead = "SELECT count(*) FROM many a, many b, many c, many d"
)

// within returns a context that ends after so many milliseconds.
func within(ms int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(ms)*time.Millisecond)
}

// ended says how a call ended whose context did: with the context's error, or with the
// driver's own, which may be this or that by chance.
func (w *transcript) ended(ctx context.Context, what string, err error) {
	switch {
	case err == nil:
		w.say("%s: no error", what)
	case errors.Is(err, ctx.Err()), strings.Contains(err.Error(), "cancel"), strings.Contains(err.Error(), "interrupt"), strings.Contains(err.Error(), "timeout"):
		w.say("%s: ended with its context", what)
	default:
		w.say("%s: %T %v", what, err, err)
	}
}

// TestEndedContexts: calls whose context has ended, or ends while they run, end as on
// the bare handle, whether the cache could answer or not.
func TestEndedContexts(t *testing.T) {
	runaways := func(h *house) {
		many(h)
		h.endRunaways()
	}
	playAll(t, []scene{
		{"before", "", endedBefore},
		{"while the database works", "", endedDuring},
		{"between rows", "", endedBetweenRows},
		{"in a transaction", "", endedInTransaction},
		{"after", "", func(h *house, w *transcript, db *sql.DB) {
			ctx, cancel := context.WithCancel(context.Background())
			w.rows(db.QueryContext(ctx, "SELECT id, name FROM stuff ORDER BY id"))
			_, err := db.ExecContext(ctx, "UPDATE stuff SET price = price")
			cancel()
			w.fail("update", err)
			w.rows(db.Query("SELECT id, name FROM stuff ORDER BY id"))
		}},
	}, runaways)
}

// endRunaways ends, with the test, the statements that MySQL goes on with although their
// connection is closed.
func (h *house) endRunaways() {
	if h.dialect != "mysql" {
		return
	}
	h.Cleanup(func() {
		rows, err := h.bare.Query("SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()")
		if err != nil {
			h.Error(err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				h.Error(err)
			}
			h.other.Exec(fmt.Sprintf("KILL %d", id)) // it may have ended by itself
		}
	})
}

func endedBefore(h *house, w *transcript, db *sql.DB) {
	w.rows(db.Query("SELECT id, name FROM stuff ORDER BY id"))
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	stmt, err := db.Prepare("SELECT id, name FROM stuff ORDER BY id")
	w.fail("prepare", err)
	defer stmt.Close()
	tx, err := db.Begin()
	w.fail("begin", err)
	defer tx.Rollback()
	for _, ctx := range []context.Context{canceled, late} {
		rows, err := db.QueryContext(ctx, "SELECT id, name FROM stuff ORDER BY id")
		w.say("%v", rows)
		w.fail("query", err)
		_, err = stmt.QueryContext(ctx)
		w.fail("prepared query", err)
		_, err = tx.QueryContext(ctx, "SELECT id, name FROM stuff ORDER BY id")
		w.fail("query in a transaction", err)
		_, err = db.ExecContext(ctx, "UPDATE stuff SET price = 99")
		w.fail("exec", err)
		_, err = db.PrepareContext(ctx, "SELECT id FROM stuff")
		w.fail("prepare", err)
		_, err = db.BeginTx(ctx, nil)
		w.fail("begin", err)
		_, err = db.Conn(ctx)
		w.fail("conn", err)
		w.fail("ping", db.PingContext(ctx))
	}
	w.rows(db.Query("SELECT id, price FROM stuff ORDER BY id"))
}

func endedDuring(h *house, w *transcript, db *sql.DB) {
	for _, text := range []string{endlessRead, "SELECT id FROM many WHERE id = 7 AND 0 < (" + endlessRead + ")"} {
		ctx, cancel := within(300)
		var n int
		w.ended(ctx, "row", db.QueryRowContext(ctx, text).Scan(&n))
		_, err := db.ExecContext(ctx, text)
		w.ended(ctx, "exec", err)
		cancel()
	}
	canceled, cancel := context.WithCancel(context.Background())
	time.AfterFunc(300*time.Millisecond, cancel)
	w.ended(canceled, "canceled", db.QueryRowContext(canceled, endlessRead).Scan(new(int)))
	w.rows(db.Query("SELECT id, name FROM stuff ORDER BY id"))
}

func endedBetweenRows(h *house, w *transcript, db *sql.DB) {
	for _, text := range []string{"SELECT id, name FROM stuff ORDER BY id", "SELECT id, name FROM many ORDER BY id", large} {
		ctx, cancel := context.WithCancel(context.Background())
		rows, err := db.QueryContext(ctx, text)
		w.fail("query", err)
		w.say("next %v", rows.Next())
		cancel()
		for err == nil { // database/sql closes them in a goroutine
			_, err = rows.Columns()
		}
		w.say("next %v", rows.Next())
		w.fail("err", rows.Err())
		w.fail("scan", rows.Scan(new(any), new(any)))
		rows.Close()
		w.rows(db.Query("SELECT id, name FROM stuff ORDER BY id"))
	}
}

func endedInTransaction(h *house, w *transcript, db *sql.DB) {
	ctx, cancel := context.WithCancel(context.Background())
	tx, err := db.BeginTx(ctx, nil)
	w.fail("begin", err)
	_, err = tx.Exec("UPDATE stuff SET price = 99")
	w.fail("update", err)
	cancel()
	for err == nil { // database/sql rolls it back in a goroutine
		_, err = tx.Exec("UPDATE stuff SET price = 98")
	}
	err = tx.Commit()
	w.say("commit %v", err == sql.ErrTxDone || errors.Is(err, context.Canceled))
	for tx.Rollback() != sql.ErrTxDone {
	}
	for db.Stats().InUse > 0 {
		time.Sleep(time.Millisecond)
	}
	w.rows(db.Query("SELECT id, price FROM stuff ORDER BY id"))
}

// TestEndedWhileWaiting: a read that waits for another's way to the database stops
// waiting when its context ends; and when the one that it waits for ends, it isn't lost.
func TestEndedWhileWaiting(t *testing.T) {
	eachKind(t, func(h *house) {
		many(h)
		h.endRunaways()
		cache, err := New(&Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 10})
		if err != nil {
			h.Fatal(err)
		}
		db := h.opened(cache.Open(h.driver, h.dsn))
		h.query(db, "SELECT id FROM stuff")
		var leaders, followers sync.WaitGroup
		lead, cancel := context.WithCancel(context.Background())
		leaders.Go(func() {
			if err := db.QueryRowContext(lead, endlessRead).Scan(new(int)); err == nil {
				h.Error("the endless read ended")
			}
		})
		for db.Stats().InUse < 1 {
			time.Sleep(time.Millisecond)
		}
		ctx, done := within(50)
		defer done()
		began := time.Now()
		if err := db.QueryRowContext(ctx, endlessRead).Scan(new(int)); err == nil {
			h.Error("the endless read ended")
		}
		if took := time.Since(began); took > 5*time.Second {
			h.Errorf("waited %v for another's read", took)
		}
		cancel()
		leaders.Wait()

		// The leader of a read that ends is cancelled; followers get the result.
		var want, right int32
		if err := h.bare.QueryRow(slowRead).Scan(&want); err != nil {
			h.Fatal(err)
		}
		lead, cancel = within(50)
		defer cancel()
		leaders.Go(func() { db.QueryRowContext(lead, slowRead).Scan(new(int)) })
		for range 3 {
			followers.Go(func() {
				var n int32
				if err := db.QueryRow(slowRead).Scan(&n); err == nil && n == want {
					atomic.AddInt32(&right, 1)
				}
			})
		}
		leaders.Wait()
		followers.Wait()
		if right != 3 {
			h.Errorf("%d of 3 followers were answered", right)
		}
	})
}

// TestCancelledWrite: a write whose context ends while it waits for a lock may happen
// or not. Its relation is held until that is told or the lease ends, and what is read
// then is right.
func TestCancelledWrite(t *testing.T) {
	for _, k := range kinds {
		if k.dialect == "sqlite" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 10, Lease: 2 * time.Second})
			h.stuff()
			const list = "SELECT id, price FROM stuff ORDER BY id"
			h.wantRead(h.db, OutcomeMiss, list)
			h.wantRead(h.db, OutcomeHit, list)
			for _, write := range []func(context.Context) error{
				func(ctx context.Context) error {
					_, err := h.db.ExecContext(ctx, "UPDATE stuff SET price = 17 WHERE id = 1")
					return err
				},
				func(ctx context.Context) error {
					tx, err := h.db.BeginTx(ctx, nil)
					if err != nil {
						return err
					}
					defer tx.Rollback()
					if _, err := tx.ExecContext(ctx, "UPDATE stuff SET price = 18 WHERE id = 1"); err != nil {
						return err
					}
					return tx.Commit()
				},
			} {
				lock, err := h.bare.Begin()
				if err != nil {
					t.Fatal(err)
				}
				h.exec(lock, "UPDATE stuff SET user_id = 43 WHERE id = 1")
				ctx, cancel := within(200)
				if err := write(ctx); err == nil {
					t.Error("the write did not wait for the lock")
				}
				cancel()
				if err := lock.Rollback(); err != nil {
					t.Fatal(err)
				}
				h.readsRight(list, 500*time.Millisecond)
				h.waitForHit(h.db, list)
			}
		})
	}
}

// readsRight reads for a while; each answer must be one that the bare handle gave
// before or gives after.
func (h *house) readsRight(query string, long time.Duration) {
	h.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); {
		before, got, after := h.query(h.bare, query), h.query(h.db, query), h.query(h.bare, query)
		if got != before && got != after {
			h.Fatalf("%s: %s, bare before %s, after %s", query, got, before, after)
		}
	}
}

var unlike atomic.Int64

// uncached makes a text that was never asked.
func uncached(text string) string { return fmt.Sprintf("%s /* %d */", text, unlike.Add(1)) }

// TestKilledConnections: when the server ends a connection, the next call on it fails,
// or is tried again by database/sql, as on the bare handle.
func TestKilledConnections(t *testing.T) {
	playAll(t, []scene{
		{"idle", "postgres mysql", func(h *house, w *transcript, db *sql.DB) {
			db.SetMaxIdleConns(1)
			h.kill(db)
			w.rows(db.Query(uncached("SELECT id FROM stuff ORDER BY id")))
			w.rows(db.Query(uncached("SELECT id FROM stuff ORDER BY id")))
			h.kill(db)
			_, err := db.Exec("UPDATE stuff SET price = price WHERE id = 2")
			w.fail("update", err)
			_, err = db.Exec("UPDATE stuff SET price = price WHERE id = 2")
			w.fail("update", err)
			h.kill(db)
			_, err = db.Begin()
			w.fail("begin", err)
			h.kill(db)
			_, err = db.Prepare(uncached("SELECT id FROM stuff WHERE id > 1"))
			w.fail("prepare", err)
			w.fail("ping", db.Ping())
			w.fail("ping", db.Ping())
			db.SetMaxIdleConns(0) // whatever is open goes
			db.SetMaxIdleConns(2)
		}},
		{"in a transaction", "postgres mysql", func(h *house, w *transcript, db *sql.DB) {
			tx, err := db.Begin()
			w.fail("begin", err)
			_, err = tx.Exec("UPDATE stuff SET price = 99 WHERE id = 2")
			w.fail("update", err)
			h.killTx(tx)
			for range 2 {
				rows, err := tx.Query("SELECT id FROM stuff ORDER BY id")
				w.rows(rows, err)
				_, err = tx.Exec("UPDATE stuff SET price = 98 WHERE id = 2")
				w.fail("update", err)
			}
			w.fail("commit", tx.Commit())
			w.rows(db.Query(uncached("SELECT id, price FROM stuff ORDER BY id")))
			w.rows(db.Query("SELECT id, price FROM stuff ORDER BY id"))
		}},
		{"before a commit", "postgres mysql", func(h *house, w *transcript, db *sql.DB) {
			tx, err := db.Begin()
			w.fail("begin", err)
			_, err = tx.Exec("UPDATE stuff SET price = 99 WHERE id = 2")
			w.fail("update", err)
			h.killTx(tx)
			w.fail("commit", tx.Commit())
			w.rows(db.Query(uncached("SELECT id, price FROM stuff ORDER BY id")))
			w.rows(db.Query("SELECT id, price FROM stuff ORDER BY id"))
		}},
	}, many)
}

// kill ends the server's side of the connection that a handle would use next.
func (h *house) kill(db *sql.DB) {
	c, err := db.Conn(context.Background())
	if err != nil {
		h.Fatal(err)
	}
	h.killConn(c)
	if err := c.Close(); err != nil {
		h.Fatal(err)
	}
}

func (h *house) killTx(tx *sql.Tx) { h.killConn(tx) }

func (h *house) killConn(on interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) {
	id := map[string]string{"postgres": "SELECT pg_backend_pid()", "mysql": "SELECT connection_id()"}[h.dialect]
	end := map[string]string{"postgres": "SELECT pg_terminate_backend(%d, 5000)", "mysql": "KILL %d"}[h.dialect]
	var n int64
	if err := on.QueryRowContext(context.Background(), id).Scan(&n); err != nil {
		h.Fatalf("who is killed: %v", err)
	}
	killer, err := sql.Open(h.driver, h.dsn)
	if err != nil {
		h.Fatal(err)
	}
	defer killer.Close()
	if _, err := killer.Exec(fmt.Sprintf(end, n)); err != nil {
		h.Fatal(err)
	}
	const alive = "SELECT count(*) FROM information_schema.processlist WHERE id = %d"
	for n := 1; h.dialect == "mysql" && n > 0; {
		if err := killer.QueryRow(fmt.Sprintf(alive, n)).Scan(&n); err != nil {
			h.Fatal(err)
		}
	}
}

// TestRowsAfterTheirContext: rows that were read ahead, or come from the cache, end with the
// context of their query: no row comes after it was cancelled, as drivers do that look
// at it in each row.
func TestRowsAfterTheirContext(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		for i := range 20 {
			ctx, cancel := context.WithCancel(context.Background())
			rows, err := h.db.QueryContext(ctx, names)
			if err != nil || !rows.Next() {
				h.Fatal(err, rows.Err())
			}
			cancel()
			if rows.Next() || !errors.Is(rows.Err(), context.Canceled) {
				h.Fatalf("read %d: a row after the context was cancelled, or %v", i, rows.Err())
			}
			rows.Close()
		}
	})
}
