package larder

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
)

// TestOutage: while the database is away, hits go on, everything else fails as on the
// bare handle, and once it is back everything is right.
func TestOutage(t *testing.T) {
	for _, k := range kinds {
		if k.dialect == "sqlite" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			var server *dbtest.Server
			k.open = func(t testing.TB) string {
				if k.dialect == "postgres" {
					server = dbtest.NewPostgres(t)
				} else {
					server = dbtest.NewMariaDB(t)
				}
				return server.Database(t).DSN()
			}
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 10, Lease: 300 * time.Millisecond})
			h.stuff()
			outage(h, server)
		})
	}
}

func outage(h *house, server *dbtest.Server) {
	const list = "SELECT id, name FROM stuff WHERE user_id = ? ORDER BY id"
	want := h.query(h.bare, list, 42)
	h.query(h.db, list, 42)
	h.query(h.other, list, 42)
	stmt, err := h.db.Prepare(h.marks(list))
	if err != nil {
		h.Fatal(err)
	}
	h.query(stmtHandle{stmt}, "", 42)
	if err := server.Kill(); err != nil {
		h.Fatal(err)
	}
	for range 3 {
		for _, db := range []*sql.DB{h.db, h.other} {
			if got := h.query(db, list, 42); got != want {
				h.Errorf("without the database: %s", got)
			}
		}
		if got := h.query(stmtHandle{stmt}, "", 42); got != want {
			h.Errorf("without the database, prepared: %s", got)
		}
	}
	h.settled(h.bare) // connections that died say so in their own ways, once
	h.settled(h.db)
	h.same(h.TB.(*testing.T), func(w *transcript, db *sql.DB) {
		w.rows(db.Query(h.marks(list), 7))
		_, err := db.Exec("UPDATE stuff SET name = 'away'")
		w.fail("update", err)
		_, err = db.Begin()
		w.fail("begin", err)
		w.fail("ping", db.Ping())
		_, err = db.Prepare("SELECT id, 1 FROM stuff")
		w.fail("prepare", err)
		ctx, cancel := within(500)
		defer cancel()
		w.rows(db.QueryContext(ctx, h.marks(list), 8))
	})
	if got := h.query(h.db, list, 42); got != want {
		h.Errorf("after failures: %s", got)
	}
	if err := server.Start(); err != nil {
		h.Fatal(err)
	}
	h.settled(h.bare)
	h.settled(h.db)
	h.settled(h.other)
	h.exec(h.db, "UPDATE stuff SET name = 'back' WHERE id = 1")
	h.same(h.TB.(*testing.T), func(w *transcript, db *sql.DB) {
		w.rows(db.Query(h.marks(list), 42))
		w.rows(db.Query(h.marks(list), 7))
	})
	h.waitForHit(h.other, list, 42)
	if err := stmt.Close(); err != nil && !strings.Contains(err.Error(), "closed") {
		h.Error(err)
	}
}

// settled asks until no connection is left that the server has ended.
func (h *house) settled(db *sql.DB) {
	for range 3 {
		db.PingContext(context.Background())
	}
}

// pools opens fresh handles and plays a program on each: bare, then cached twice.
func (h *house) pools(t *testing.T, run func(*transcript, *sql.DB)) {
	t.Helper()
	var want string
	for i := range 3 {
		db, err := sql.Open(h.driver, h.dsn)
		if i > 0 {
			db, err = h.cache.Open(h.driver, h.dsn)
		}
		if err != nil {
			t.Fatal(err)
		}
		var w transcript
		w.guard(func() { run(&w, db) })
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if i == 0 {
			want = w.String()
		} else if w.String() != want {
			t.Errorf("run %d: %s", i, difference(want, w.String()))
		}
	}
}

// TestPools: handles with few, short-lived or closed connections behave, and wait for
// ever, as the bare ones.
func TestPools(t *testing.T) {
	const list = "SELECT id, name FROM stuff ORDER BY id"
	programs := map[string]func(*transcript, *sql.DB){
		"one connection": func(w *transcript, db *sql.DB) {
			db.SetMaxOpenConns(1)
			w.rows(db.Query(list))
			rows, err := db.Query(list)
			w.fail("query", err)
			ctx, cancel := within(50)
			defer cancel()
			_, err = db.QueryContext(ctx, list)
			w.fail("second query", err)
			w.rows(rows, nil)
			w.rows(db.Query(list))
			tx, err := db.Begin()
			w.fail("begin", err)
			ctx, cancel = within(50)
			defer cancel()
			_, err = db.QueryContext(ctx, list)
			w.fail("query beside a transaction", err)
			_, err = db.ExecContext(ctx, "UPDATE stuff SET price = price")
			w.fail("exec beside a transaction", err)
			w.rows(tx.Query(list))
			w.fail("commit", tx.Commit())
			w.rows(db.Query(list))
			w.say("%+v", db.Stats().OpenConnections)
		},
		"short lives": func(w *transcript, db *sql.DB) {
			db.SetConnMaxLifetime(time.Nanosecond)
			stmt, err := db.Prepare(list)
			w.fail("prepare", err)
			for range 5 {
				w.rows(db.Query(list))
				w.rows(stmt.Query())
				_, err := db.Exec("UPDATE stuff SET price = price WHERE id = 1")
				w.fail("update", err)
			}
			w.fail("close", stmt.Close())
		},
		"none idle": func(w *transcript, db *sql.DB) {
			db.SetMaxIdleConns(-1)
			db.SetConnMaxIdleTime(time.Nanosecond)
			for range 5 {
				w.rows(db.Query(list))
				tx, err := db.Begin()
				w.fail("begin", err)
				w.rows(tx.Query(list))
				w.fail("rollback", tx.Rollback())
			}
			w.say("%d open", db.Stats().OpenConnections)
		},
		"closed with rows open": func(w *transcript, db *sql.DB) {
			w.rows(db.Query(list))
			rows, err := db.Query(list)
			w.fail("query", err)
			w.say("%v", rows.Next())
			w.fail("close", db.Close())
			w.rows(rows, nil)
			_, err = db.Query(list)
			w.fail("query", err)
			w.fail("ping", db.Ping())
			w.fail("close", db.Close())
		},
		"closed in a transaction": func(w *transcript, db *sql.DB) {
			tx, err := db.Begin()
			w.fail("begin", err)
			_, err = tx.Exec("UPDATE stuff SET price = 99")
			w.fail("update", err)
			w.fail("close", db.Close())
			w.rows(tx.Query(list))
			w.fail("rollback", tx.Rollback())
		},
		"a connection": func(w *transcript, db *sql.DB) {
			c, err := db.Conn(context.Background())
			w.fail("conn", err)
			w.rows(c.QueryContext(context.Background(), list))
			w.fail("ping", c.PingContext(context.Background()))
			tx, err := c.BeginTx(context.Background(), nil)
			w.fail("begin", err)
			w.rows(tx.Query(list))
			w.fail("commit", tx.Commit())
			w.fail("close", c.Close())
			_, err = c.QueryContext(context.Background(), list)
			w.fail("query", err)
			w.say("%v", errors.Is(c.Close(), sql.ErrConnDone))
		},
		"a statement of a closed handle": func(w *transcript, db *sql.DB) {
			stmt, err := db.Prepare(list)
			w.fail("prepare", err)
			w.rows(stmt.Query())
			w.fail("close", db.Close())
			_, err = stmt.Query()
			w.fail("query", err)
			w.fail("close", stmt.Close())
		},
		"read only": func(w *transcript, db *sql.DB) {
			for _, level := range []sql.IsolationLevel{sql.LevelDefault, sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelWriteCommitted, sql.LevelRepeatableRead, sql.LevelSnapshot, sql.LevelSerializable, sql.LevelLinearizable, 99} {
				for _, readOnly := range []bool{false, true} {
					tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
					if w.fail("begin", err) {
						continue
					}
					w.rows(tx.Query(list))
					_, err = tx.Exec("UPDATE stuff SET price = price WHERE id = 1")
					w.fail("update", err)
					w.fail("commit", tx.Commit())
				}
			}
			w.rows(db.Query(list))
		},
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, nil)
			h.stuff()
			for name, run := range programs {
				t.Run(name, func(t *testing.T) { h.pools(t, run) })
			}
		})
	}
}
