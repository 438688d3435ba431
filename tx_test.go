package larder

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
)

const (
	names  = "SELECT name FROM stuff ORDER BY id"
	people = "SELECT name FROM users ORDER BY id"
)

// texts returns the values of the first column of a read, or its error.
func (h *house) texts(on handle, query string, args ...any) string {
	h.Helper()
	rows, err := on.QueryContext(h.Context(), h.marks(query), args...)
	if err != nil {
		return "error: " + err.Error()
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var text sql.NullString
		if err := rows.Scan(&text); err != nil {
			return "error: " + err.Error()
		}
		list = append(list, text.String)
	}
	if err := rows.Err(); err != nil {
		return "error: " + err.Error()
	}
	return strings.Join(list, ",")
}

// want reads the first column; the outcome must be the given one.
func (h *house) want(on handle, texts string, outcome Outcome, query string) {
	h.Helper()
	h.take()
	if got := h.texts(on, query); got != texts {
		h.Errorf("%s: got %q, want %q", query, got, texts)
	}
	if events := h.take(); len(events) != 1 || events[0].Outcome != outcome {
		h.Errorf("%s: %+v, want %v", query, events, outcome)
	}
}

// wantInside is want for a read in a transaction that must ask the database: because
// of its isolation level or, where that lets it hit, of what it has written.
func (h *house) wantInside(on handle, texts string, reason Reason, query string) {
	h.Helper()
	h.take()
	if got := h.texts(on, query); got != texts {
		h.Errorf("%s: got %q, want %q", query, got, texts)
	}
	h.wantReasonIn(h.take(), reason, query)
}

func (h *house) wantReasonIn(events []Event, reason Reason, query string) {
	h.Helper()
	if len(events) != 1 || events[0].Outcome != OutcomeBypass || events[0].Reason != reason {
		h.Errorf("%s: %+v, want a bypass because of %q", query, events, reason)
	}
}

// wrote is why a read of what the transaction has written can't be a hit, at the
// default level of each database.
func (h *house) wrote() Reason {
	if h.dialect == "postgres" {
		return analyze.Wrote
	}
	return analyze.Isolation
}

// begin starts a transaction.
func (h *house) begin(db *sql.DB, level sql.IsolationLevel) *sql.Tx {
	h.Helper()
	tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: level})
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { tx.Rollback() })
	return tx
}

// conn takes a connection of a handle.
func (h *house) conn(db *sql.DB) *sql.Conn {
	h.Helper()
	c, err := db.Conn(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { c.Close() })
	return c
}

func (h *house) commit(tx *sql.Tx) {
	h.Helper()
	h.ok(tx.Commit())
}

func (h *house) rollback(tx *sql.Tx) {
	h.Helper()
	h.ok(tx.Rollback())
}

func (h *house) ok(err error) {
	h.Helper()
	if err != nil {
		h.Error(err)
	}
}

// TestCommit: others see the old rows, from the cache, until the transaction commits, and the
// new ones after; the transaction itself sees its own at once.
func TestCommit(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		h.wantCached(h.db, people)
		tx := h.begin(h.other, 0)
		h.exec(tx, "UPDATE stuff SET name = 'new' WHERE id = 1")
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
		h.wantInside(tx, "new,wine,milk", h.wrote(), names)
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
		h.exec(tx, "DELETE FROM stuff WHERE id = 3")
		h.wantInside(tx, "new,wine", h.wrote(), names)
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
		h.commit(tx)
		h.want(h.db, "new,wine", OutcomeMiss, names)
		h.want(h.other, "new,wine", OutcomeHit, names)
		h.want(h.db, "Bob,Cy,Ann", OutcomeHit, people)
	})
}

// TestUncommittedNotKept: what a transaction reads of its own writes is nobody else's,
// even where nothing was kept before.
func TestUncommittedNotKept(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, people)
		tx := h.begin(h.other, 0)
		h.exec(tx, "UPDATE stuff SET name = 'new'")
		h.wantInside(tx, "new,new,new", h.wrote(), names)
		h.want(h.db, "bread,wine,milk", OutcomeMiss, names)
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
		h.rollback(tx)
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
		h.want(h.other, "bread,wine,milk", OutcomeHit, names)
	})
}

// TestRollback: a transaction that is rolled back leaves no trace, neither what it
// wrote nor what it read of that.
func TestRollback(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		tx := h.begin(h.other, 0)
		h.exec(tx, "INSERT INTO stuff (id, name) VALUES (4, 'phantom')")
		h.wantInside(tx, "bread,wine,milk,phantom", h.wrote(), names)
		h.wantInside(tx, "4", h.wrote(), "SELECT count(*) FROM stuff")
		h.rollback(tx)
		h.want(h.other, "bread,wine,milk", OutcomeHit, names)
		h.want(h.other, "3", OutcomeMiss, "SELECT count(*) FROM stuff")
	})
}

// TestReadsInTransaction: at READ COMMITTED, a transaction reads from the cache what it has
// not written, and what it reads before it writes is kept; at other levels it
// reads the database.
func TestReadsInTransaction(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		tx := h.begin(h.other, sql.LevelReadCommitted)
		h.want(tx, "bread,wine,milk", OutcomeHit, names)
		h.want(tx, "Bob,Cy,Ann", OutcomeMiss, people)
		h.want(h.db, "Bob,Cy,Ann", OutcomeHit, people)
		h.exec(tx, "UPDATE users SET name = 'Bill' WHERE id = 7")
		h.want(tx, "bread,wine,milk", OutcomeHit, names)
		h.wantInside(tx, "Bill,Cy,Ann", analyze.Wrote, people)
		h.wantInside(tx, "bread", analyze.Wrote, "SELECT s.name FROM stuff s JOIN users u ON u.id = s.user_id WHERE s.id = 1")
		h.want(tx, "food,white", OutcomeMiss, "SELECT label FROM tags ORDER BY id")
		h.want(h.db, "food,white", OutcomeMiss, "SELECT label FROM tags ORDER BY id")
		h.exec(h.db, "UPDATE stuff SET name = 'rye' WHERE id = 1")
		h.want(tx, "rye,wine,milk", OutcomeMiss, names)
		h.commit(tx)
		h.want(h.db, "Bill,Cy,Ann", OutcomeMiss, people)
	}, "postgres", "mysql")
}

// TestSnapshot: a transaction with a snapshot reads what was before another's commit, and
// nobody else sees that.
func TestSnapshot(t *testing.T) {
	for _, level := range []sql.IsolationLevel{sql.LevelRepeatableRead, sql.LevelSerializable} {
		t.Run(level.String(), func(t *testing.T) {
			eachKind(t, func(h *house) {
				if h.dialect == "sqlite" && level != sql.LevelSerializable || h.dialect == "mysql" && level == sql.LevelSerializable {
					return // neither has a snapshot of such a level
				}
				level := level
				if h.dialect == "sqlite" {
					level = sql.LevelDefault
				}
				h.prepare(base)
				h.wantCached(h.db, names)
				tx := h.begin(h.other, level)
				h.wantInside(tx, "Bob,Cy,Ann", analyze.Isolation, people)
				h.exec(h.db, "UPDATE stuff SET name = 'new' WHERE id = 1")
				h.wantInside(tx, "bread,wine,milk", analyze.Isolation, names)
				h.wantInside(tx, "3", analyze.Isolation, "SELECT count(*) FROM stuff WHERE name <> 'new'")
				h.want(h.db, "new,wine,milk", OutcomeMiss, names)
				h.want(h.db, "2", OutcomeMiss, "SELECT count(*) FROM stuff WHERE name <> 'new'")
				h.wantInside(tx, "bread,wine,milk", analyze.Isolation, names)
				h.commit(tx)
				h.want(h.other, "new,wine,milk", OutcomeHit, names)
			})
		})
	}
}

// TestConsistentPair: two statements in one snapshot agree, though one of their results
// could come from the cache of a later time.
func TestConsistentPair(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		tx := h.begin(h.other, sql.LevelRepeatableRead)
		h.wantInside(tx, "42", analyze.Isolation, "SELECT user_id FROM stuff WHERE id = 1")
		h.exec(h.db, "UPDATE stuff SET user_id = 7 WHERE id = 1")
		h.wantCached(h.db, "SELECT count(*) FROM stuff WHERE user_id = 42")
		h.wantInside(tx, "2", analyze.Isolation, "SELECT count(*) FROM stuff WHERE user_id = 42")
		h.commit(tx)
	}, "postgres", "mysql")
}

// TestWriteSkew: serializable transactions see every read of theirs in the database, so
// that it finds their conflicts.
func TestWriteSkew(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		const on = "SELECT count(*) FROM users WHERE active = 1"
		h.wantCached(h.db, on)
		a, b := h.begin(h.db, sql.LevelSerializable), h.begin(h.other, sql.LevelSerializable)
		h.wantInside(a, "2", analyze.Isolation, on)
		h.wantInside(b, "2", analyze.Isolation, on)
		h.exec(a, "UPDATE users SET active = 0 WHERE id = 42")
		h.exec(b, "UPDATE users SET active = 0 WHERE id = 7")
		first, second := a.Commit(), b.Commit()
		if (first == nil) == (second == nil) {
			t.Errorf("of two transactions that exclude each other: %v, %v", first, second)
		}
		h.want(h.db, "1", OutcomeMiss, on)
	}, "postgres")
}

// TestReadOnly: a read-only transaction reads and refuses to write as it does without
// the cache.
func TestReadOnly(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		tx, err := h.db.BeginTx(h.Context(), &sql.TxOptions{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if got := h.texts(tx, names); got != "bread,wine,milk" {
			t.Error(got)
		}
		if _, err := tx.Exec("DELETE FROM stuff"); err == nil {
			t.Error("a read-only transaction has written")
		}
		h.rollback(tx)
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
	}, "postgres", "mysql")
}

// TestSavepoint: what a savepoint is rolled back to is seen in the transaction, and
// after it; what was written around it stays.
func TestSavepoint(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		h.wantCached(h.db, people)
		tx := h.begin(h.other, 0)
		h.exec(tx, "UPDATE stuff SET name = 'kept' WHERE id = 1")
		h.exec(tx, "SAVEPOINT one")
		h.exec(tx, "UPDATE stuff SET name = 'gone' WHERE id = 2")
		h.exec(tx, "UPDATE users SET name = 'gone'")
		h.wantInside(tx, "kept,gone,milk", h.wrote(), names)
		h.exec(tx, "ROLLBACK TO SAVEPOINT one")
		h.wantInside(tx, "kept,wine,milk", h.wrote(), names)
		h.wantInside(tx, "Bob,Cy,Ann", h.wrote(), people)
		h.exec(tx, "SAVEPOINT two")
		h.exec(tx, "UPDATE stuff SET name = 'too' WHERE id = 3")
		h.exec(tx, "RELEASE SAVEPOINT two")
		h.wantInside(tx, "kept,wine,too", h.wrote(), names)
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
		h.commit(tx)
		h.want(h.db, "kept,wine,too", OutcomeMiss, names)
		if got := h.texts(h.db, people); got != "Bob,Cy,Ann" {
			t.Errorf("people: %s", got)
		}
	})
}

// TestNestedSavepoints: inner and outer failures, as nested atomic blocks make them.
func TestNestedSavepoints(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		tx := h.begin(h.other, 0)
		for _, step := range []struct{ statement, names string }{
			{"SAVEPOINT a", "bread,wine,milk"},
			{"UPDATE stuff SET name = 'a' WHERE id = 1", "a,wine,milk"},
			{"SAVEPOINT b", "a,wine,milk"},
			{"UPDATE stuff SET name = 'b' WHERE id = 2", "a,b,milk"},
			{"ROLLBACK TO b", "a,wine,milk"},
			{"RELEASE SAVEPOINT b", "a,wine,milk"},
			{"UPDATE stuff SET name = 'c' WHERE id = 3", "a,wine,c"},
			{"ROLLBACK TO a", "bread,wine,milk"},
			{"UPDATE stuff SET name = 'd' WHERE id = 1", "d,wine,milk"},
		} {
			h.exec(tx, step.statement)
			if got := h.texts(tx, names); got != step.names {
				t.Errorf("after %s: %s, want %s", step.statement, got, step.names)
			}
			h.want(h.db, "bread,wine,milk", OutcomeHit, names)
		}
		h.commit(tx)
		h.want(h.db, "d,wine,milk", OutcomeMiss, names)
	})
}

// A control is how SQL begins and ends transactions.
type control struct {
	on, begin, end string
	commits        bool
}

var controls = []control{
	{"", "BEGIN", "COMMIT", true},
	{"", "BEGIN", "ROLLBACK", false},
	{"postgres sqlite", "BEGIN TRANSACTION", "END", true},
	{"postgres sqlite", "begin /* now */ transaction;", "end transaction -- it\n", true},
	{"postgres", "BEGIN WORK", "ABORT", false},
	{"postgres", "BEGIN ISOLATION LEVEL REPEATABLE READ", "COMMIT", true},
	{"postgres", "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE", "COMMIT WORK", true},
	{"postgres", "START TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "COMMIT AND NO CHAIN", true},
	{"postgres mysql", "START TRANSACTION", "COMMIT AND CHAIN", true},
	{"postgres mysql", "START TRANSACTION", "ROLLBACK AND CHAIN", false},
	{"mysql", "START TRANSACTION WITH CONSISTENT SNAPSHOT", "COMMIT", true},
	{"mysql", "BEGIN WORK", "BEGIN", true},
	{"mysql", "SET autocommit = 0", "COMMIT", true},
	{"mysql", "SET @@session.autocommit = OFF", "ROLLBACK", false},
	{"mysql", "SET autocommit = 0", "SET autocommit = 1", true},
	{"mysql", "BEGIN", "CREATE TABLE made (id INTEGER)", true},
	{"mysql", "BEGIN", "LOCK TABLES stuff READ", true},
	{"mysql", "BEGIN", "TRUNCATE spare", true},
	{"sqlite", "BEGIN IMMEDIATE", "COMMIT", true},
	{"sqlite", "BEGIN EXCLUSIVE TRANSACTION", "END", true},
	{"sqlite", "SAVEPOINT outer", "RELEASE outer", true},
	{"sqlite", "SAVEPOINT outer", "ROLLBACK", false},
	{"sqlite", "SAVEPOINT outer", "COMMIT", true},
}

// TestControlBySQL: transactions that begin and end in texts, unknown to database/sql.
func TestControlBySQL(t *testing.T) {
	for _, c := range controls {
		t.Run(strings.Map(plainRune, c.begin+" to "+c.end), func(t *testing.T) {
			eachKind(t, func(h *house) { h.controlled(&c) }, strings.Fields(c.on)...)
		})
	}
}

// plainRune leaves what may stand in a file's name.
func plainRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '0' || r == '1' {
		return r
	}
	return '_'
}

func (h *house) controlled(c *control) {
	h.Helper()
	h.prepare(base)
	h.wantCached(h.db, names)
	conn := h.conn(h.other)
	h.exec(conn, c.begin)
	h.exec(conn, "UPDATE stuff SET name = 'new' WHERE id = 1")
	if got := h.texts(conn, names); got != "new,wine,milk" {
		h.Errorf("inside: %s", got)
	}
	if !strings.Contains(c.begin, "EXCLUSIVE") {
		if got := h.texts(h.db, names); got != "bread,wine,milk" {
			h.Errorf("uncommitted: %s", got)
		}
	}
	h.exec(conn, c.end)
	want := "bread,wine,milk"
	if c.commits {
		want = "new,wine,milk"
	}
	if got := h.texts(h.db, names); got != want {
		h.Errorf("after the end: %s, want %s", got, want)
	}
	h.wantRead(h.db, OutcomeHit, names)
	if got := h.texts(conn, names); got != want {
		h.Errorf("after the end, on the same connection: %s, want %s", got, want)
	}
	h.endAll(conn)
	h.exec(conn, "UPDATE stuff SET name = 'later' WHERE id = 1")
	h.want(h.db, "later,wine,milk", OutcomeMiss, names)
	h.want(conn, "later,wine,milk", OutcomeHit, names)
}

// endAll leaves whatever transaction or lock there still is.
func (h *house) endAll(conn *sql.Conn) {
	h.Helper()
	switch h.dialect {
	case "mysql":
		for _, statement := range []string{"COMMIT", "UNLOCK TABLES", "SET autocommit = 1"} {
			h.exec(conn, statement)
		}
	case "postgres":
		h.exec(conn, "COMMIT") // a warning outside of transactions
	}
}

// TestAutocommitStaysOn: setting what is set already commits nothing.
func TestAutocommitStaysOn(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		conn := h.conn(h.other)
		h.exec(conn, "BEGIN")
		h.exec(conn, "UPDATE stuff SET name = 'new' WHERE id = 1")
		h.exec(conn, "SET autocommit = 1")
		h.want(conn, "new,wine,milk", OutcomeBypass, names)
		if got := h.texts(h.db, names); got != "bread,wine,milk" {
			t.Errorf("uncommitted: %s", got)
		}
		h.exec(conn, "UPDATE stuff SET name = 'two' WHERE id = 2")
		h.wantRead(h.db, OutcomeHit, names)
		h.exec(conn, "COMMIT")
		if got := h.texts(h.db, names); got != "new,two,milk" {
			t.Errorf("committed: %s", got)
		}
	}, "mysql")
}

// TestTwoPhaseCommit: what is prepared isn't visible; what is committed by another
// connection is.
func TestTwoPhaseCommit(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		conn := h.conn(h.other)
		steps := []string{"BEGIN", "UPDATE stuff SET name = 'new' WHERE id = 1", "PREPARE TRANSACTION 'ID'", "COMMIT PREPARED 'ID'", "ROLLBACK PREPARED 'ID'"}
		if h.dialect == "mysql" {
			steps = []string{"XA START 'ID'", steps[1], "XA END 'ID'", "XA PREPARE 'ID'", "XA COMMIT 'ID'", "XA ROLLBACK 'ID'"}
		}
		for i, step := range steps { // gids are the server's, not the database's
			steps[i] = strings.ReplaceAll(step, "ID", fmt.Sprintf("two-phase-%s-%p", h.kind.name, h))
		}
		n := len(steps)
		for _, step := range steps[:n-2] {
			h.exec(conn, step)
		}
		if got := h.texts(h.db, names); got != "bread,wine,milk" {
			t.Errorf("prepared: %s", got)
		}
		h.exec(conn, steps[n-2])
		if got := h.texts(h.db, names); got != "new,wine,milk" {
			t.Errorf("committed: %s", got)
		}
		h.wantRead(h.db, OutcomeHit, names)
		for _, step := range append(steps[:n-2:n-2], steps[n-1]) {
			h.exec(conn, strings.Replace(step, "'new'", "'newer'", 1))
		}
		if got := h.texts(h.db, names); got != "new,wine,milk" {
			t.Errorf("rolled back: %s", got)
		}
	}, "postgres", "mysql")
}

// TestIsolationSetBySQL: levels that SQL sets for one transaction, or for all of a session.
func TestIsolationSetBySQL(t *testing.T) {
	for i, c := range []struct {
		on     string
		before []string
		inside []string
	}{
		{"postgres", nil, []string{"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"}},
		{"postgres", []string{"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE"}, nil},
		{"postgres", []string{"SET default_transaction_isolation = 'repeatable read'"}, nil},
		{"postgres", []string{"SELECT set_config('default_transaction_isolation', 'repeatable read', false)"}, nil},
		{"postgres", nil, []string{"SET LOCAL transaction_isolation = 'serializable'"}},
		{"mysql", []string{"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"}, nil},
		{"mysql", []string{"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"}, nil},
		{"mysql", []string{"SET tx_isolation = 'READ-COMMITTED'", "SET @@session.tx_isolation = 'REPEATABLE-READ'"}, nil},
	} {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			eachKind(t, func(h *house) {
				h.prepare(base)
				conn := h.conn(h.other)
				for _, statement := range c.before {
					h.do(conn, statement)
				}
				h.exec(conn, "BEGIN")
				for _, statement := range c.inside {
					h.do(conn, statement)
				}
				h.want(conn, "Bob,Cy,Ann", OutcomeBypass, people)
				h.exec(h.db, "UPDATE stuff SET name = 'new' WHERE id = 1")
				h.wantCached(h.db, names)
				h.want(conn, "bread,wine,milk", OutcomeBypass, names)
				h.exec(conn, "COMMIT")
				if got := h.texts(conn, names); got != "new,wine,milk" {
					t.Errorf("after: %s", got)
				}
			}, c.on)
		})
	}
}

// TestReadUncommitted: a session that sees what others haven't committed shares nothing.
func TestReadUncommitted(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		conn := h.conn(h.other)
		h.exec(conn, "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
		tx := h.begin(h.db, 0)
		h.exec(tx, "UPDATE stuff SET name = 'dirty'")
		h.wantInside(conn, "dirty,dirty,dirty", analyze.Isolation, names)
		h.rollback(tx)
		h.want(h.db, "bread,wine,milk", OutcomeMiss, names)
	}, "mysql")
}

// TestConstraintAtCommit: a COMMIT that the database refuses leaves the old rows, and the
// session able to go on.
func TestConstraintAtCommit(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.prepare([]string{"CREATE TABLE parts (id INTEGER PRIMARY KEY, stuff_id INTEGER REFERENCES stuff (id) DEFERRABLE INITIALLY DEFERRED)"})
		h.wantCached(h.db, names)
		h.wantCached(h.db, "SELECT count(*) FROM parts")
		tx := h.begin(h.other, 0)
		h.exec(tx, "INSERT INTO parts VALUES (1, 99)")
		h.exec(tx, "UPDATE stuff SET name = 'new'")
		if err := tx.Commit(); err == nil {
			t.Fatal("a part of no stuff")
		}
		if h.dialect == "sqlite" {
			return // the transaction is still open there
		}
		if got := h.texts(h.db, names); got != "bread,wine,milk" {
			t.Error(got)
		}
		if got := h.texts(h.other, "SELECT count(*) FROM parts"); got != "0" {
			t.Error(got)
		}
		h.exec(h.other, "UPDATE stuff SET name = 'after' WHERE id = 1")
		h.want(h.db, "after,wine,milk", OutcomeMiss, names)
		h.want(h.other, "after,wine,milk", OutcomeHit, names)
	}, "postgres", "sqlite")
}

// TestFailedTransaction: after an error PostgreSQL answers nothing more in a
// transaction, and neither does the cache; a savepoint saves it.
func TestFailedTransaction(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		tx := h.begin(h.other, 0)
		h.exec(tx, "SAVEPOINT safe")
		h.want(tx, "bread,wine,milk", OutcomeHit, names)
		for _, broken := range []string{"SELECT 1 / (id - id) FROM stuff", "SELECT nothing FROM stuff", "SELECT 1 / 0", "INSERT INTO tags VALUES (1, NULL) RETURNING label"} {
			if got := h.texts(tx, broken); !strings.Contains(got, "error: ") {
				t.Errorf("%s: %s", broken, got)
			}
			if got := h.texts(tx, names); !strings.Contains(got, "aborted") {
				t.Errorf("after %s: %s", broken, got)
			}
			if _, err := tx.Prepare(names); err == nil {
				t.Errorf("prepared in a failed transaction")
			}
			h.exec(tx, "ROLLBACK TO safe")
			h.want(tx, "bread,wine,milk", OutcomeHit, names)
		}
		h.rollback(tx)
		h.want(h.other, "bread,wine,milk", OutcomeHit, names)
	}, "postgres")
}

// TestErrorInsideElsewhere: MySQL and SQLite go on after an error of one statement.
func TestErrorInsideElsewhere(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		tx := h.begin(h.other, 0)
		h.exec(tx, "UPDATE stuff SET name = 'new' WHERE id = 1")
		if _, err := tx.Exec("INSERT INTO stuff (id) VALUES (1)"); err == nil {
			t.Fatal("two rows of one key")
		}
		if got := h.texts(tx, names); got != "new,wine,milk" {
			t.Errorf("inside: %s", got)
		}
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
		h.commit(tx)
		h.want(h.db, "new,wine,milk", OutcomeMiss, names)
	}, "mysql", "sqlite")
}

// TestRollbackByEngine: SQLite ends a transaction by itself when a conflict says so, and
// what follows commits by itself.
func TestRollbackByEngine(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		conn := h.conn(h.other)
		h.exec(conn, "BEGIN")
		h.exec(conn, "UPDATE stuff SET name = 'gone' WHERE id = 1")
		if _, err := conn.ExecContext(h.Context(), "INSERT OR ROLLBACK INTO stuff (id) VALUES (1)"); err == nil {
			t.Fatal("two rows of one key")
		}
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
		h.exec(conn, "UPDATE stuff SET name = 'new' WHERE id = 2")
		h.want(h.db, "bread,new,milk", OutcomeMiss, names)
		h.want(conn, "bread,new,milk", OutcomeHit, names)
	}, "sqlite")
}

// TestSchemaInTransaction: DDL is seen inside at once, outside after the commit or never.
func TestSchemaInTransaction(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		for _, end := range []func(*sql.Tx) error{(*sql.Tx).Rollback, (*sql.Tx).Commit} {
			tx := h.begin(h.other, 0)
			h.exec(tx, "CREATE TABLE made (name VARCHAR(10))")
			h.exec(tx, "INSERT INTO made VALUES ('inside')")
			if got := h.texts(tx, "SELECT name FROM made"); got != "inside" {
				t.Errorf("inside: %s", got)
			}
			h.exec(tx, "DELETE FROM stuff WHERE id = 3")
			if got := h.texts(tx, names); got != "bread,wine" {
				t.Errorf("inside: %s", got)
			}
			if got := h.texts(h.db, names); got != "bread,wine,milk" {
				t.Errorf("outside: %s", got)
			}
			if got := h.texts(h.db, "SELECT name FROM made"); !strings.Contains(got, "error: ") {
				t.Errorf("not yet made: %s", got)
			}
			h.ok(end(tx))
		}
		h.want(h.db, "inside", OutcomeMiss, "SELECT name FROM made")
		h.want(h.db, "inside", OutcomeHit, "SELECT name FROM made")
		h.want(h.db, "bread,wine", OutcomeMiss, names)
		h.want(h.other, "bread,wine", OutcomeHit, names)
	}, "postgres", "sqlite")
}

// TestPreparedInTransaction: a statement of the handle, used in a transaction.
func TestPreparedInTransaction(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		read, err := h.db.Prepare(names)
		h.ok(err)
		defer read.Close()
		write, err := h.db.Prepare(h.marks("UPDATE stuff SET name = ? WHERE id = 1"))
		h.ok(err)
		defer write.Close()
		first := func(stmt *sql.Stmt) (name string) {
			h.ok(stmt.QueryRow().Scan(&name))
			return name
		}
		if got := first(read); got != "bread" {
			t.Error(got)
		}
		tx := h.begin(h.db, 0)
		_, err = tx.Stmt(write).Exec("new")
		h.ok(err)
		if got := first(tx.Stmt(read)); got != "new" {
			t.Errorf("inside: %s", got)
		}
		if got := first(read); got != "bread" {
			t.Errorf("outside: %s", got)
		}
		h.commit(tx)
		if got := first(read); got != "new" {
			t.Errorf("after: %s", got)
		}
	})
}

// TestCancelledTransaction: database/sql rolls back a transaction whose context ends.
func TestCancelledTransaction(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		ctx, cancel := context.WithCancel(h.Context())
		tx, err := h.other.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.exec(tx, "UPDATE stuff SET name = 'gone'")
		cancel()
		if err := tx.Commit(); err == nil {
			t.Fatal("committed")
		}
		h.other.SetMaxIdleConns(-1) // waits for the rollback
		if got := h.texts(h.db, names); got != "bread,wine,milk" {
			t.Error(got)
		}
		h.exec(h.other, "UPDATE stuff SET name = 'new' WHERE id = 1")
		if got := h.texts(h.db, names); got != "new,wine,milk" {
			t.Error(got)
		}
	})
}

// neighbours opens a second database in the cache of a house.
func (h *house) neighbour() *house {
	h.Helper()
	n := &house{TB: h.TB, kind: h.kind, dsn: h.kind.open(h.TB), cache: h.cache}
	n.bare = n.opened(sql.Open(n.driver, n.dsn))
	n.db = n.opened(n.cache.Open(n.driver, n.dsn))
	n.prepare(base)
	return n
}

// TestTwoDatabases: in one cache, the same statement on two databases has two entries, a
// write to one leaves the other's alone, and equal keys never meet.
func TestTwoDatabases(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		n := h.neighbour()
		n.exec(n.bare, "UPDATE stuff SET name = 'theirs' WHERE id = 1")
		n.unseen()
		const one = "SELECT name FROM stuff WHERE id = 1"
		h.want(h.db, "bread", OutcomeMiss, one)
		h.want(n.db, "theirs", OutcomeMiss, one)
		h.want(h.db, "bread", OutcomeHit, one)
		h.want(n.db, "theirs", OutcomeHit, one)
		n.exec(n.db, "UPDATE stuff SET name = 'changed' WHERE id = 1")
		h.want(h.db, "bread", OutcomeHit, one)
		h.want(n.db, "changed", OutcomeMiss, one)
		if h.dialect == "mysql" {
			return // databases of one server are one domain, for statements may reach them all
		}
		n.exec(n.db, "CREATE TABLE more (id INTEGER)")
		h.want(h.db, "bread", OutcomeHit, one)
		n.exec(n.db, "DROP TABLE stuff")
		h.want(h.db, "bread", OutcomeHit, one)
		if got := h.texts(n.db, one); !strings.Contains(got, "error: ") {
			t.Errorf("dropped: %s", got)
		}
	})
}

// TestTwoDatabasesInTransactions: inner commit and outer failure, each in its own database.
func TestTwoDatabasesInTransactions(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		n := h.neighbour()
		h.wantCached(h.db, names)
		h.want(n.db, "bread,wine,milk", OutcomeMiss, names)
		outer, inner := h.begin(h.db, 0), h.begin(n.db, 0)
		h.exec(outer, "UPDATE stuff SET name = 'outer'")
		h.exec(inner, "UPDATE stuff SET name = 'inner'")
		h.commit(inner)
		h.want(h.other, "bread,wine,milk", OutcomeHit, names)
		h.want(n.db, "inner,inner,inner", OutcomeMiss, names)
		h.rollback(outer)
		h.want(h.other, "bread,wine,milk", OutcomeHit, names)
		h.want(n.db, "inner,inner,inner", OutcomeHit, names)
	})
}

// TestTwoHandlesOneDatabase: handles by another name or another driver of one database
// see each other's writes, and share no entries.
func TestTwoHandlesOneDatabase(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		second := "pq"
		dsn := h.dsn + "&application_name=second"
		switch h.name {
		case "modernc":
			second, dsn = "mattn", h.dsn+"&_busy_timeout=5000"
		case "mattn", "ncruces":
			second, dsn = "modernc", h.dsn+"&_pragma=busy_timeout(5000)"
		case "pq":
			second = "pgx"
		case "mysql":
			second, dsn = "mysql", h.dsn+"&maxAllowedPacket=1000000"
		}
		k := h.kind
		for _, other := range kinds {
			if other.name == second {
				k = other
			}
		}
		other := h.opened(h.cache.Open(k.driver, dsn))
		h.want(other, "bread,wine,milk", OutcomeMiss, names)
		h.exec(other, "UPDATE stuff SET name = 'new' WHERE id = 1")
		h.want(h.db, "new,wine,milk", OutcomeMiss, names)
		h.exec(h.db, "UPDATE stuff SET name = 'newer' WHERE id = 1")
		h.want(other, "newer,wine,milk", OutcomeMiss, names)
		h.want(other, "newer,wine,milk", OutcomeHit, names)
	})
}
