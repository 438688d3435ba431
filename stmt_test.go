package larder

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
)

// prepare prepares a text and says how that went.
func (w *transcript) prepare(on interface {
	Prepare(string) (*sql.Stmt, error)
}, text string) *sql.Stmt {
	stmt, err := on.Prepare(text)
	w.fail("prepare "+text, err)
	return stmt
}

// onConn prepares on a connection.
type onConn struct{ *sql.Conn }

func (c onConn) Prepare(text string) (*sql.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// TestStatements: prepared statements in every use are the bare handle's.
func TestStatements(t *testing.T) {
	playAll(t, []scene{
		{"again and again", "", stmtAgain},
		{"errors at Prepare", "", stmtErrors},
		{"in transactions", "", stmtInTransactions},
		{"on a connection", "", stmtOnConn},
		{"on several connections", "", stmtOnSeveral},
		{"table changed", "", stmtTableChanged},
		{"table changed in a transaction", "pgx pq sqlite", stmtTableChangedInTx},
		{"table dropped and made again", "", stmtTableDropped},
		{"wrong use", "", stmtWrongUse},
		{"deallocated", "pgx pq", stmtDeallocated},
		{"deallocated unseen", "pgx pq", stmtDeallocatedUnseen},
	}, many)
}

func stmtAgain(h *house, w *transcript, db *sql.DB) {
	stmt := w.prepare(db, h.marks("SELECT id, name, price FROM stuff WHERE user_id = ? ORDER BY id"))
	for _, user := range []int{42, 7, 42, 8, 42} {
		w.rows(stmt.Query(user))
		var id, name, price any
		w.fail("row", stmt.QueryRow(user).Scan(&id, &name, &price))
		w.say("%v %v %v", id, name, price)
	}
	update := w.prepare(db, h.marks("UPDATE stuff SET price = price WHERE user_id = ?"))
	for _, user := range []int{42, 7, 42} {
		_, err := update.Exec(user)
		w.fail("update", err)
		w.rows(stmt.Query(user))
	}
	w.rows(update.Query(7))
	w.rows(stmt.Query(7))
	w.fail("close", stmt.Close())
	w.fail("close again", stmt.Close())
	w.rows(stmt.Query(42))
	w.fail("close", update.Close())
}

func stmtErrors(h *house, w *transcript, db *sql.DB) {
	for _, text := range []string{"SELECT id FROM nowhere", "SELECT nothing FROM stuff", "SELEC", "SELECT id FROM stuff WHERE", "INSERT INTO nowhere VALUES (1)",
		"SELECT nofunction(id) FROM stuff", "SELECT 'open", "CREATE TABLE stuff (id INTEGER)", "DROP TABLE nowhere", "SELECT id FROM stuff ORDER BY id"} {
		if stmt := w.prepare(db, text); stmt != nil {
			w.rows(stmt.Query())
			w.fail("close", stmt.Close())
		}
	}
}

func stmtInTransactions(h *house, w *transcript, db *sql.DB) {
	const list = "SELECT id, name FROM stuff WHERE user_id = ? ORDER BY id"
	outer := w.prepare(db, h.marks(list))
	w.rows(outer.Query(42))
	for range 2 {
		tx, err := db.Begin()
		w.fail("begin", err)
		inner := w.prepare(tx, h.marks(list))
		w.rows(inner.Query(42))
		w.rows(tx.Stmt(outer).Query(42))
		_, err = tx.Exec(h.marks("UPDATE stuff SET name = ? WHERE id = 3"), "changed")
		w.fail("update", err)
		w.rows(tx.Stmt(outer).Query(7))
		w.rows(inner.Query(7))
		w.fail("rollback", tx.Rollback())
		w.rows(inner.Query(42))
		w.rows(outer.Query(7))
		if stmt := w.prepare(tx, h.marks(list)); stmt != nil {
			w.rows(stmt.Query(42))
		}
	}
	tx, err := db.Begin()
	w.fail("begin", err)
	update := w.prepare(tx, h.marks("UPDATE stuff SET name = ? WHERE id = 3"))
	_, err = update.Exec("once")
	w.fail("update", err)
	_, err = update.Exec("milk")
	w.fail("update", err)
	w.rows(tx.Stmt(outer).Query(7))
	w.fail("commit", tx.Commit())
	w.rows(outer.Query(7))
	w.fail("close", outer.Close())
}

func stmtOnConn(h *house, w *transcript, db *sql.DB) {
	c, err := db.Conn(context.Background())
	w.fail("conn", err)
	stmt := w.prepare(onConn{c}, h.marks("SELECT id, name FROM stuff WHERE user_id = ? ORDER BY id"))
	w.rows(stmt.Query(42))
	w.rows(stmt.Query(42))
	tx, err := c.BeginTx(context.Background(), nil)
	w.fail("begin", err)
	w.rows(tx.Stmt(stmt).Query(42))
	w.fail("commit", tx.Commit())
	w.fail("close", c.Close())
	w.rows(stmt.Query(42))
	w.fail("close", stmt.Close())
}

func stmtOnSeveral(h *house, w *transcript, db *sql.DB) {
	stmt := w.prepare(db, "SELECT id, name FROM many ORDER BY id")
	var open []*sql.Rows
	for range 3 {
		rows, err := stmt.Query()
		w.fail("query", err)
		w.say("%v", rows.Next())
		open = append(open, rows)
	}
	w.fail("close", stmt.Close())
	for _, rows := range open {
		w.rows(rows, nil)
	}
}

func changing(h *house, w *transcript, on handle) {
	for _, text := range []string{"DROP TABLE IF EXISTS changing", "CREATE TABLE changing (id INTEGER, name VARCHAR(10))", "INSERT INTO changing VALUES (1, 'a')"} {
		_, err := on.ExecContext(context.Background(), text)
		w.fail(text, err)
	}
}

func stmtTableChanged(h *house, w *transcript, db *sql.DB) {
	db.SetMaxIdleConns(1)
	changing(h, w, db)
	all := w.prepare(db, "SELECT * FROM changing")
	one := w.prepare(db, "SELECT id FROM changing")
	for _, ddl := range []string{"ALTER TABLE changing ADD COLUMN more INTEGER", "INSERT INTO changing (id, more) VALUES (2, 3)", "ALTER TABLE changing DROP COLUMN name"} {
		w.rows(all.Query())
		w.rows(one.Query())
		_, err := db.Exec(ddl)
		w.fail(ddl, err)
		for range 3 {
			w.rows(all.Query())
			w.rows(one.Query())
		}
		w.rows(db.Query("SELECT * FROM changing"))
	}
	w.fail("close", all.Close())
	w.fail("close", one.Close())
}

func stmtTableChangedInTx(h *house, w *transcript, db *sql.DB) {
	changing(h, w, db)
	tx, err := db.Begin()
	w.fail("begin", err)
	defer tx.Rollback()
	all := w.prepare(tx, "SELECT * FROM changing")
	w.rows(all.Query())
	_, err = tx.Exec("ALTER TABLE changing ADD COLUMN more INTEGER")
	w.fail("alter", err)
	w.rows(all.Query())
	w.rows(all.Query())
	w.fail("commit", tx.Commit())
	w.rows(db.Query("SELECT * FROM changing"))
}

func stmtTableDropped(h *house, w *transcript, db *sql.DB) {
	changing(h, w, db)
	all := w.prepare(db, "SELECT * FROM changing")
	w.rows(all.Query())
	_, err := db.Exec("DROP TABLE changing")
	w.fail("drop", err)
	w.rows(all.Query())
	w.rows(all.Query())
	w.prepare(db, "SELECT * FROM changing")
	changing(h, w, db)
	w.rows(all.Query())
	w.rows(all.Query())
	w.fail("close", all.Close())
}

func stmtWrongUse(h *house, w *transcript, db *sql.DB) {
	stmt := w.prepare(db, h.marks("SELECT id FROM stuff WHERE id = ?"))
	w.rows(stmt.Query())
	w.rows(stmt.Query(1, 2))
	w.rows(stmt.Query("not a number"))
	w.rows(stmt.Query(1))
	w.rows(stmt.Query(func() {}))
	w.fail("close", stmt.Close())
	write := w.prepare(db, h.marks("INSERT INTO stuff (id, name) VALUES (?, ?)"))
	for _, args := range [][]any{{1, "there already"}, {}, {1}, {1, 2, 3}, {"x", []int{1}}} {
		_, err := write.Exec(args...)
		w.fail("insert", err)
		rows, err := write.Query(args...)
		if !w.fail("insert by query", err) {
			w.rows(rows, nil)
		}
	}
	w.fail("close", write.Close())
	_, err := db.Exec(h.marks("DELETE FROM stuff WHERE name = ?"), "2")
	w.fail("delete", err)
}

// stmtDeallocated: a statement is gone after a text that ends all of them, whether the cache has answered it
// or the server.
func stmtDeallocated(h *house, w *transcript, db *sql.DB) {
	const list = "SELECT id, name FROM stuff ORDER BY id"
	for _, text := range []string{"DEALLOCATE ALL", "DISCARD ALL", "SELECT 1; DEALLOCATE ALL"} {
		w.onNewConn(db, func(c *sql.Conn) {
			used, unused := w.prepare(onConn{c}, list), w.prepare(onConn{c}, list+" LIMIT 2")
			update := w.prepare(onConn{c}, "UPDATE stuff SET price = price WHERE id = 1")
			w.rows(used.Query())
			w.rows(c.QueryContext(context.Background(), list))
			_, err := c.ExecContext(context.Background(), text)
			w.fail(text, err)
			for range 2 {
				w.rowsOrCode(used.Query())
				w.rowsOrCode(unused.Query())
				_, err = update.Exec()
				w.say("update: %s", code(err))
			}
			w.rowsOrCode(c.QueryContext(context.Background(), list)) // by the statement, if the driver is pgx
			twin := w.prepare(onConn{c}, list)                       // pgx takes it for prepared
			w.fail("close", used.Close())
			w.rowsOrCode(twin.Query())
			w.fail("close", twin.Close())
			again := w.prepare(onConn{c}, list)
			w.rows(again.Query())
			w.rows(again.Query())
			for _, stmt := range []*sql.Stmt{unused, update, again} {
				w.fail("close", stmt.Close())
			}
		})
	}
}

// stmtDeallocatedUnseen: a statement of the server's is gone after a text that may end it, and after one that
// was not needed it is answered.
func stmtDeallocatedUnseen(h *house, w *transcript, db *sql.DB) {
	const list = "SELECT id, name FROM stuff ORDER BY id"
	digest := sha256.Sum256([]byte(list))
	for _, text := range []string{`DEALLOCATE "stmt_` + hex.EncodeToString(digest[:24]) + `"`, "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$",
		"DO $$ BEGIN PERFORM 1; END $$", "SELECT 1; DEALLOCATE ALL; SELECT 1/0"} {
		w.onNewConn(db, func(c *sql.Conn) {
			stmt := w.prepare(onConn{c}, list)
			w.rows(stmt.QueryContext(Bypass(context.Background())))
			w.rows(stmt.Query())
			_, err := c.ExecContext(context.Background(), text)
			w.say("%s: %s", text, code(err))
			w.rowsOrCode(stmt.Query())
			w.rowsOrCode(stmt.Query())
			w.fail("close", stmt.Close())
		})
	}
}

// TestHitsAfterDeallocate: a statement that has run since is answered from the cache again.
func TestHitsAfterDeallocate(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		const list = "SELECT id FROM stuff"
		c, err := h.db.Conn(h.Context())
		if err != nil {
			h.Fatal(err)
		}
		defer c.Close()
		stmt, err := c.PrepareContext(h.Context(), list)
		if err != nil {
			h.Fatal(err)
		}
		defer stmt.Close()
		h.query(stmtHandle{stmt}, "")
		h.exec(c, "PREPARE mine AS SELECT 1")
		for _, step := range []struct {
			text string
			want []Outcome
		}{{"DEALLOCATE mine", []Outcome{OutcomeHit, OutcomeHit, OutcomeHit}}, {"DO $$ BEGIN PERFORM 1; END $$", []Outcome{OutcomeBypass, OutcomeMiss, OutcomeHit}}} {
			h.exec(c, step.text)
			h.take()
			for _, want := range step.want {
				h.query(stmtHandle{stmt}, "")
				if got := h.take(); len(got) != 1 || got[0].Outcome != want {
					h.Errorf("after %s: %v, want %v", step.text, got, want)
				}
			}
		}
	}, "postgres")
}

// onNewConn runs on a connection that is closed after it.
func (w *transcript) onNewConn(db *sql.DB, run func(*sql.Conn)) {
	db.SetMaxIdleConns(-1)
	c, err := db.Conn(context.Background())
	w.fail("conn", err)
	run(c)
	w.fail("close", c.Close())
}

// rowsOrCode is rows, but tells an error by its code: lib/pq numbers statements as it prepares them.
func (w *transcript) rowsOrCode(rows *sql.Rows, err error) {
	if err != nil {
		w.say("%s", code(err))
		return
	}
	w.rows(rows, nil)
}

// code is the SQLSTATE of an error of PostgreSQL's.
func code(err error) string {
	var said interface{ SQLState() string }
	if errors.As(err, &said) {
		return said.SQLState()
	}
	return fmt.Sprint(err)
}

// TestPreparesNoMore: what a program prepares, and closes, is prepared on the server
// no more often than by the bare handle, and none of it stays.
func TestPreparesNoMore(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		h.query(h.db, "SELECT id FROM stuff") // the catalog is read
		work := func(db *sql.DB) {
			for i := range 20 {
				stmt, err := db.Prepare(h.marks("SELECT name FROM stuff WHERE id = ?"))
				if err != nil {
					h.Fatal(err)
				}
				for range 3 {
					h.query(stmtHandle{stmt}, "", i%3)
				}
				if err := stmt.Close(); err != nil {
					h.Fatal(err)
				}
			}
		}
		bare := h.prepares(func() { work(h.bare) })
		cached := h.prepares(func() { work(h.db) })
		if cached > bare || bare == 0 {
			h.Errorf("prepared %d times by the cached handle, %d by the bare one", cached, bare)
		}
		if left := h.preparedNow(); left != 0 {
			h.Errorf("%d statements stay prepared", left)
		}
	}, "mysql")
}

// stmtHandle is a statement as a handle.
type stmtHandle struct{ *sql.Stmt }

func (s stmtHandle) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return s.Stmt.QueryContext(ctx, args...)
}

func (s stmtHandle) ExecContext(ctx context.Context, _ string, args ...any) (sql.Result, error) {
	return s.Stmt.ExecContext(ctx, args...)
}

// prepares counts how often the server is asked to prepare while work runs.
func (h *house) prepares(work func()) int {
	before := h.status("Com_stmt_prepare")
	work()
	return h.status("Com_stmt_prepare") - before
}

func (h *house) preparedNow() int { return h.status("Prepared_stmt_count") }

// status reads a counter of a MariaDB server.
func (h *house) status(name string) (n int) {
	h.Helper()
	if err := h.bare.QueryRow("SHOW GLOBAL STATUS LIKE '"+name+"'").Scan(new(string), &n); err != nil {
		h.Fatal(err)
	}
	return n
}

// TestPreparedStatementsOfSession: on one connection PostgreSQL has no more statements
// prepared, during the work and after it, than by the bare handle.
func TestPreparedStatementsOfSession(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		count := func(db *sql.DB) (during, after int) {
			db.SetMaxOpenConns(1)
			const prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%stuff%'"
			for i := range 5 {
				stmt, err := db.Prepare(fmt.Sprintf("SELECT name FROM stuff WHERE id > %d", i))
				if err != nil {
					h.Fatal(err)
				}
				h.query(stmtHandle{stmt}, "")
				h.query(stmtHandle{stmt}, "")
				h.query(db, fmt.Sprintf("SELECT id FROM stuff WHERE id > %d", i))
				if err := db.QueryRow(prepared).Scan(&during); err != nil {
					h.Fatal(err)
				}
				if err := stmt.Close(); err != nil {
					h.Fatal(err)
				}
			}
			if err := db.QueryRow(prepared).Scan(&after); err != nil {
				h.Fatal(err)
			}
			return during, after
		}
		during, after := count(h.bare)
		d, a := count(h.db)
		if d > during || a > after || during == 0 {
			h.Errorf("prepared by the cached handle %d, then %d; by the bare one %d, then %d", d, a, during, after)
		}
	}, "postgres")
}
