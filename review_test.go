package larder

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestOldSnapshotNotKept: on SQLite a connection with an open result reads the snapshot
// of that one, which may be older than a write that everybody else has seen.
func TestOldSnapshotNotKept(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		conn := h.conn(h.db)
		h.texts(conn, people)
		open, err := conn.QueryContext(Bypass(h.Context()), people)
		if err != nil {
			t.Fatal(err)
		}
		defer open.Close()
		open.Next()
		h.exec(h.other, "UPDATE stuff SET name = 'new' WHERE id = 1")
		h.texts(conn, names)
		if got := h.texts(h.other, names); got != "new,wine,milk" {
			t.Errorf("stale: %s", got)
		}
	}, "sqlite")
}

// TestBegunInOneText: a text that begins a transaction and writes in it.
func TestBegunInOneText(t *testing.T) {
	for i, text := range []string{
		"BEGIN; UPDATE stuff SET name = 'new' WHERE id = 1",
		"BEGIN; COMMIT; BEGIN; UPDATE stuff SET name = 'new' WHERE id = 1; SELECT 1",
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			eachKind(t, func(h *house) {
				h.prepare(base)
				conn := h.conn(h.db)
				h.texts(conn, names)
				h.exec(conn, text)
				if got := h.texts(h.other, names); got != "bread,wine,milk" {
					t.Errorf("uncommitted: %s", got)
				}
				h.exec(conn, "COMMIT")
				if got := h.texts(h.other, names); got != "new,wine,milk" {
					t.Errorf("stale: %s", got)
				}
			})
		})
	}
}

// TestBegunInFailedText: a text whose BEGIN has run, and that failed after it.
func TestBegunInFailedText(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		conn := h.conn(h.db)
		h.texts(conn, names)
		if h.dialect == "postgres" {
			if _, err := conn.ExecContext(h.Context(), "BEGIN; SAVEPOINT a; SELECT 1/0"); err == nil {
				t.Fatal("no error")
			}
			h.exec(conn, "ROLLBACK TO a")
		} else if _, err := conn.ExecContext(h.Context(), "BEGIN; INSERT INTO users VALUES (42, 'again', 1)"); err == nil {
			t.Fatal("no error")
		}
		h.exec(conn, "UPDATE stuff SET name = 'new' WHERE id = 1")
		if got := h.texts(h.other, names); got != "bread,wine,milk" {
			t.Errorf("uncommitted: %s", got)
		}
		h.exec(conn, "COMMIT")
		if got := h.texts(h.other, names); got != "new,wine,milk" {
			t.Errorf("stale: %s", got)
		}
	})
}

// TestWritingView: a view whose function writes.
func TestWritingView(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		if h.dialect == "postgres" {
			h.prepare([]string{
				"CREATE FUNCTION w() RETURNS integer LANGUAGE sql VOLATILE AS $$ UPDATE stuff SET name = 'new' WHERE id = 1; SELECT 1 $$",
				"CREATE VIEW v AS SELECT w() AS a",
			})
		} else {
			h.prepare([]string{
				"CREATE FUNCTION w() RETURNS integer DETERMINISTIC MODIFIES SQL DATA BEGIN UPDATE stuff SET name = 'new' WHERE id = 1; RETURN 1; END",
				"CREATE VIEW v AS SELECT w() AS a",
			})
		}
		h.wantCached(h.db, names)
		h.texts(h.other, "SELECT * FROM v")
		if got := h.texts(h.db, names); got != "new,wine,milk" {
			t.Errorf("stale: %s", got)
		}
	}, "postgres", "mysql")
}

// TestFunctionMovesPath: functions that change the search path of their session.
func TestFunctionMovesPath(t *testing.T) {
	for i, call := range []string{
		"SELECT f_stable()", "SELECT f_sql()", "INSERT INTO public.spare SELECT f_volatile(), 'x'", "SELECT * FROM f_view",
		"INSERT INTO public.trig VALUES (1)",
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			eachKind(t, func(h *house) {
				h.prepare(base)
				h.prepare([]string{
					"CREATE SCHEMA other", "CREATE TABLE other.stuff (LIKE stuff)", "INSERT INTO other.stuff SELECT id, user_id, 'other', price FROM stuff",
					"CREATE FUNCTION f_stable() RETURNS integer LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM set_config('search_path', 'other', false); RETURN 1; END $$",
					"CREATE FUNCTION f_volatile() RETURNS integer LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM set_config('search_path', 'other', false); RETURN 1; END $$",
					"CREATE FUNCTION f_sql() RETURNS integer LANGUAGE sql VOLATILE AS $$ SELECT set_config('search_path', 'other', false); SELECT 1 $$",
					"CREATE VIEW f_view AS SELECT f_sql()",
					"CREATE TABLE trig (a integer)",
					"CREATE FUNCTION f_trig() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM set_config('search_path', 'other', false); RETURN NEW; END $$",
					"CREATE TRIGGER t BEFORE INSERT ON trig FOR EACH ROW EXECUTE FUNCTION f_trig()",
				})
				conn := h.conn(h.db)
				h.texts(conn, names)
				h.texts(conn, names)
				h.do(conn, call)
				h.wantTexts(conn, "other,other,other", names)
				h.texts(h.other, "SELECT name FROM other.stuff ORDER BY id")
				tx := h.conn(h.db)
				h.texts(tx, names)
				h.exec(tx, "BEGIN")
				h.do(tx, call)
				h.exec(tx, "UPDATE stuff SET name = 'new'")
				h.texts(h.other, "SELECT name FROM other.stuff ORDER BY id")
				h.exec(tx, "COMMIT")
				h.wantTexts(h.other, "new,new,new", "SELECT name FROM other.stuff ORDER BY id")
			}, "postgres")
		})
	}
}

func (h *house) wantTexts(on handle, want, query string) {
	h.Helper()
	if got := h.texts(on, query); got != want {
		h.Errorf("%s: got %q, want %q", query, got, want)
	}
}

// TestExecuteArguments: EXECUTE with arguments that write.
func TestExecuteArguments(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.prepare([]string{"CREATE FUNCTION w() RETURNS integer LANGUAGE sql VOLATILE AS $$ UPDATE stuff SET name = 'new' WHERE id = 1; SELECT 1 $$"})
		h.wantCached(h.db, names)
		conn := h.conn(h.other)
		h.exec(conn, "PREPARE p(integer) AS SELECT $1")
		h.texts(conn, "EXECUTE p(w())")
		h.wantTexts(h.db, "new,wine,milk", names)
	}, "postgres")
}

// TestPreparedAnew: a name that SQL has prepared for another statement where the cache doesn't look.
func TestPreparedAnew(t *testing.T) {
	for name, anew := range map[string]func(h *house, c *sql.Conn){
		"failed text": func(h *house, c *sql.Conn) {
			if _, err := c.ExecContext(h.Context(), "DEALLOCATE p; PREPARE p AS UPDATE stuff SET name = 'new' WHERE id = 1; SELECT 1/0"); err == nil {
				h.Fatal("no error")
			}
		},
		"code": func(h *house, c *sql.Conn) {
			h.exec(c, "DO $$ BEGIN EXECUTE 'DEALLOCATE p'; EXECUTE $q$PREPARE p AS UPDATE stuff SET name = 'new' WHERE id = 1$q$; END $$")
		},
		"driver's connection": func(h *house, c *sql.Conn) {
			h.ok(c.Raw(func(dc any) error {
				if _, err := Unwrap(dc); err != nil {
					return err
				}
				return nil
			}))
			h.exec(c, "SELECT 1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(h *house) {
				h.prepare(base)
				c := h.conn(h.other)
				h.exec(c, "PREPARE p AS SELECT 1")
				h.exec(c, "EXECUTE p")
				anew(h, c)
				h.wantTexts(h.db, "bread,wine,milk", names)
				h.exec(c, "EXECUTE p")
				want := "new,wine,milk"
				if strings.Contains(name, "driver") {
					want = "bread,wine,milk"
				}
				h.wantTexts(h.db, want, names)
			}, "postgres")
		})
	}
}

// TestRoleChanged: what a new connection begins with has changed.
func TestRoleChanged(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.prepare([]string{"CREATE SCHEMA other", "CREATE TABLE other.stuff (LIKE stuff)", "INSERT INTO other.stuff SELECT id, user_id, 'other', price FROM stuff"})
		old := h.conn(h.db)
		h.texts(old, names)
		var name string
		h.ok(h.bare.QueryRow("SELECT current_database()").Scan(&name))
		h.exec(old, "ALTER DATABASE "+name+" SET search_path = other")
		h.wantTexts(old, "bread,wine,milk", names)
		h.bare.SetMaxIdleConns(-1)
		h.wantTexts(h.bare, "other,other,other", names)
		h.other.SetMaxIdleConns(-1)
		h.wantTexts(h.conn(h.db), "other,other,other", names)
	}, "postgres")
}

func TestGlobalChanged(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		defer h.exec(h.bare, "SET GLOBAL div_precision_increment = 4")
		old := h.conn(h.db)
		const q = "SELECT price / 3 FROM stuff ORDER BY id"
		h.wantTexts(old, "0.3333,0.6667,0.0000", q)
		h.exec(old, "SET GLOBAL div_precision_increment = 8")
		h.wantTexts(old, "0.3333,0.6667,0.0000", q)
		h.bare.SetMaxIdleConns(-1)
		want := h.texts(h.bare, q)
		h.wantTexts(h.conn(h.db), want, q)
	}, "mysql")
}

// TestAttachedInTransaction: a database that is attached and written to before the
// session can ask which one it is.
func TestAttachedInTransaction(t *testing.T) {
	for name, texts := range map[string][]string{
		"transaction": {"BEGIN", "ATTACH 'FILE' AS b", "UPDATE b.stuff SET name = 'new'", "COMMIT"},
		"text":        {"ATTACH 'FILE' AS b; UPDATE b.stuff SET name = 'new'"},
	} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, func(h *house) {
				h.prepare(base)
				n := h.neighbour()
				file, _, _ := strings.Cut(strings.TrimPrefix(n.dsn, "file:"), "?")
				h.wantTexts(n.db, "bread,wine,milk", names)
				c := h.conn(h.db)
				h.texts(c, names)
				for _, text := range texts {
					if _, err := c.ExecContext(h.Context(), strings.ReplaceAll(text, "FILE", filepath.ToSlash(file))); err != nil {
						t.Skip(err)
					}
				}
				h.wantTexts(n.bare, "new,new,new", names)
				h.wantTexts(n.db, "new,new,new", names)
			}, "sqlite")
		})
	}
}

// TestDDLNotSent: a statement that would have committed, had it been sent.
func TestDDLNotSent(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		tx := h.begin(h.db, 0)
		h.exec(tx, "UPDATE stuff SET name = 'new' WHERE id = 1")
		if _, err := tx.Exec("CREATE TABLE more (id int)", make(chan int)); err == nil {
			t.Fatal("no error")
		}
		h.wantTexts(h.other, "bread,wine,milk", names)
		h.commit(tx)
		h.wantTexts(h.other, "new,wine,milk", names)
	}, "mysql")
}

// TestAfterDeadlock: MySQL rolls back the transaction that it chooses as a victim; what
// follows commits by itself.
func TestAfterDeadlock(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		a, b := h.begin(h.db, 0), h.begin(h.db, 0)
		h.exec(a, "UPDATE users SET name = 'a' WHERE id = 42")
		h.exec(b, "UPDATE users SET name = 'b' WHERE id = 7")
		done := make(chan error)
		go func() {
			_, err := a.Exec("UPDATE users SET name = 'a' WHERE id = 7")
			done <- err
		}()
		time.Sleep(100 * time.Millisecond)
		_, errB := b.Exec("UPDATE users SET name = 'b' WHERE id = 42")
		errA := <-done
		victim := a
		if errB != nil {
			victim = b
		}
		t.Log(errA, errB)
		h.wantTexts(h.other, "bread,wine,milk", names)
		h.exec(victim, "UPDATE stuff SET name = 'new' WHERE id = 1")
		h.wantTexts(h.other, h.texts(h.bare, names), names)
		victim.Rollback()
		h.wantTexts(h.other, h.texts(h.bare, names), names)
	}, "mysql")
}

// TestNextTransactionOnly: SET TRANSACTION is of the next transaction, which the cache
// must not use up.
func TestNextTransactionOnly(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		for _, db := range []*sql.DB{h.bare, h.db} {
			c := h.conn(db)
			h.texts(c, names)
			h.exec(c, "SET TRANSACTION READ ONLY")
			h.exec(c, "BEGIN")
			_, err := c.ExecContext(h.Context(), "UPDATE stuff SET name = 'no'")
			t.Log(db == h.bare, err)
			if err == nil {
				t.Error("written in a transaction that is read-only")
			}
			h.exec(c, "ROLLBACK")
		}
		for _, db := range []*sql.DB{h.bare, h.db} {
			dirty := h.begin(h.bare, 0)
			h.exec(dirty, "UPDATE stuff SET name = 'dirty'")
			c := h.conn(db)
			h.texts(c, people)
			h.exec(c, "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
			t.Log(db == h.bare, h.texts(c, names))
			h.rollback(dirty)
			h.wantTexts(h.other, "bread,wine,milk", names)
		}
	}, "mysql")
}

// TestRawLeftOpen: a transaction that the driver's connection was left in.
func TestRawLeftOpen(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.db.SetMaxOpenConns(1)
		c, err := h.db.Conn(h.Context())
		h.ok(err)
		h.ok(c.Raw(func(dc any) error {
			inner, err := Unwrap(dc)
			if err != nil {
				return err
			}
			for _, text := range []string{"BEGIN", "UPDATE stuff SET name = 'new' WHERE id = 1"} {
				if _, err := inner.(driver.ExecerContext).ExecContext(h.Context(), text, nil); err != nil {
					return err
				}
			}
			return nil
		}))
		h.ok(c.Close())
		h.wantTexts(h.other, "bread,wine,milk", names)
		h.exec(h.db, "COMMIT")
		h.wantTexts(h.other, h.texts(h.bare, names), names)
	})
}

// TestDroppedDatabase: a database that is made anew is another one.
func TestDroppedDatabase(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		var name string
		h.ok(h.bare.QueryRow("SELECT current_database()").Scan(&name))
		admin := h.neighbour()
		h.wantTexts(h.db, "bread,wine,milk", names)
		h.reconnect()
		admin.exec(admin.db, "DROP DATABASE "+name)
		admin.exec(admin.db, "CREATE DATABASE "+name)
		if got := h.texts(h.db, names); !strings.Contains(got, "error") {
			t.Errorf("read from a database that was dropped: %s", got)
		}
	}, "postgres")
}

// TestRoleRevoked: what a role may do is of the whole server.
func TestRoleRevoked(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		admin := h.neighbour()
		role := fmt.Sprintf("rev_%d", time.Now().UnixNano())
		h.prepare([]string{"CREATE ROLE " + role + "_g", "CREATE ROLE " + role, "GRANT " + role + "_g TO " + role, "GRANT SELECT ON stuff TO " + role + "_g"})
		c := h.conn(h.db)
		h.exec(c, "SET ROLE "+role)
		h.wantTexts(c, "bread,wine,milk", names)
		admin.exec(admin.db, "REVOKE "+role+"_g FROM "+role)
		if got := h.texts(c, names); !strings.Contains(got, "error") {
			t.Errorf("read what may not be read any more: %s", got)
		}
		h.exec(c, "RESET ROLE")
		h.exec(h.bare, "DROP OWNED BY "+role+"_g")
		h.exec(h.bare, "DROP ROLE "+role+"_g")
		h.exec(h.bare, "DROP ROLE "+role)
	}, "postgres")
}

// TestCatalogBehindLock: a lock on one relation, or DDL of it that isn't committed, keeps no
// read of another relation waiting.
func TestCatalogBehindLock(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.exec(h.bare, "CREATE VIEW v AS SELECT * FROM users")
		h.unseen()
		c := h.conn(h.bare)
		switch h.dialect {
		case "postgres":
			h.exec(c, "BEGIN")
			h.exec(c, "DROP VIEW v")
			h.exec(c, "CREATE INDEX i ON users (name)")
			h.exec(c, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
			h.exec(c, "CREATE FUNCTION ff() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$")
		case "mysql":
			h.exec(c, "LOCK TABLES users WRITE")
		case "sqlite":
			h.exec(c, "BEGIN EXCLUSIVE")
		}
		ctx, cancel := context.WithTimeout(h.Context(), 3*time.Second)
		defer cancel()
		rows, err := h.other.QueryContext(ctx, names)
		if err != nil {
			t.Fatal(err)
		}
		rows.Close()
	})
}

// TestCommitNotSent: a COMMIT that the driver refuses has ended nothing.
func TestCommitNotSent(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		c := h.conn(h.db)
		h.texts(c, names)
		h.exec(c, "BEGIN")
		h.exec(c, "UPDATE stuff SET name = 'new' WHERE id = 1")
		if _, err := c.ExecContext(h.Context(), "COMMIT", make(chan int)); err == nil {
			t.Fatal("no error")
		}
		h.wantTexts(h.other, "bread,wine,milk", names)
		h.exec(c, "COMMIT")
		h.wantTexts(h.other, "new,wine,milk", names)
	})
}

// A rewriter is an argument by which pgx runs another text than the one that it is given.
type rewriter struct{}

func (rewriter) RewriteQuery(context.Context, *pgx.Conn, string, []any) (string, []any, error) {
	return "UPDATE stuff SET name = 'new' WHERE id = 1", nil, nil
}

// TestRewrittenQuery: what an argument makes of the text isn't known.
func TestRewrittenQuery(t *testing.T) {
	eachKind(t, func(h *house) {
		if h.name != "pgx" {
			return
		}
		h.prepare(base)
		h.wantCached(h.db, names)
		h.exec(h.other, "SELECT name FROM users", rewriter{})
		h.wantTexts(h.db, "new,wine,milk", names)
		h.exec(h.bare, "UPDATE stuff SET name = 'old' WHERE id = 1")
		h.unseen()
		h.wantTexts(h.db, "old,wine,milk", names)
		h.query(h.other, "SELECT name FROM users", rewriter{})
		h.wantTexts(h.db, "new,wine,milk", names)
	}, "postgres")
}

// TestClosedWithoutAnswer: a connection that is cut while the server works at a write. The
// write may still be done, later than the caller hears of it.
func TestClosedWithoutAnswer(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		cut := &cutter{}
		inner, err := cut.through(h)
		if err != nil {
			t.Fatal(err)
		}
		h.wantCached(h.db, names)
		lock := h.begin(h.bare, 0)
		h.exec(lock, "SELECT * FROM stuff WHERE id = 1 FOR UPDATE")
		tx := h.begin(inner, 0)
		h.exec(tx, "SET LOCAL lock_timeout = 0")
		h.ok(tx.Rollback())
		c := h.conn(inner)
		h.texts(c, names)
		done := make(chan error)
		go func() {
			_, err := c.ExecContext(context.Background(), "UPDATE stuff SET name = 'new' WHERE id = 1")
			done <- err
		}()
		for h.texts(h.bare, "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()") == "0" {
			time.Sleep(10 * time.Millisecond)
		}
		cut.cut()
		err = <-done
		if err == nil {
			t.Fatal("no error")
		}
		h.texts(h.db, names)
		h.commit(lock)  // the server goes on with the UPDATE
		for range 100 { // or never, if the driver has asked the server to cancel
			if h.texts(h.bare, names) == "new,wine,milk" {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		h.wantTexts(h.db, h.texts(h.bare, names), names)
	}, "postgres")
}

// A cutter is a proxy that closes the caller's side of its connections, and leaves the server's open.
type cutter struct {
	mu    sync.Mutex
	conns []net.Conn
}

// through opens the database of a house by way of the proxy.
func (c *cutter) through(h *house) (*sql.DB, error) {
	config, err := pgx.ParseConfig(h.dsn)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h.Cleanup(func() { l.Close(); c.cut() })
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				conn.Close()
				return
			}
			c.mu.Lock()
			c.conns = append(c.conns, conn)
			c.mu.Unlock()
			go func() { _, _ = io.Copy(server, conn) }()
			go func() { _, _ = io.Copy(conn, server) }()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	dsn := fmt.Sprintf("host=127.0.0.1 port=%d user=%s password='%s' dbname=%s sslmode=disable", port, config.User, config.Password, config.Database)
	return h.opened(h.cache.Open(h.driver, dsn)), nil
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
}
