package larder

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// A shell is a connector of somebody's own around a driver. Its connections offer
// nothing but what every connection must.
type shell struct {
	driver driver.Driver
	dsn    string
}

type (
	shellDriver struct{ driver.Driver }
	shellConn   struct{ driver.Conn }
)

func (s shell) Connect(context.Context) (driver.Conn, error) {
	c, err := s.driver.Open(s.dsn)
	if err != nil {
		return nil, err
	}
	return shellConn{c}, nil
}

func (s shell) Driver() driver.Driver { return shellDriver{s.driver} }

// TestWrappedDriver: over a driver in a wrapper that hides what it is and what it can
// do, the cache works once it is told the dialect, and answers as the wrapper does.
func TestWrappedDriver(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, nil)
			many(h)
			s := shell{h.bare.Driver(), h.dsn}
			if !panics(func() { h.cache.Connector(s) }) {
				t.Error("a dialect was found without being told")
			}
			cache, err := New(&Options{MaxBytes: 16 << 20, MaxEntryBytes: 1 << 20, Dialect: h.dialect, Observe: h.note})
			if err != nil {
				t.Fatal(err)
			}
			h.bare = h.opened(sql.OpenDB(s), nil)
			h.db = h.opened(sql.OpenDB(cache.Connector(s)), nil)
			h.other = h.db
			h.same(t, func(w *transcript, db *sql.DB) {
				ask(w, db, "SELECT * FROM sample ORDER BY id")
				ask(w, db, h.marks("SELECT id, name FROM stuff WHERE user_id = ?"), 42)
				ask(w, db, "SELECT id FROM nowhere")
				stmtAgain(h, w, db)
				stmtErrors(h, w, db)
				_, err := db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
				w.fail("read only", err)
				_, err = db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelSerializable})
				w.fail("serializable", err)
				w.fail("ping", db.Ping())
			})
			h.query(h.db, "SELECT id, name FROM stuff WHERE user_id = ?", 42)
			h.wantRead(h.db, OutcomeHit, "SELECT id, name FROM stuff WHERE user_id = ?", 42)
			h.exec(h.db, "UPDATE stuff SET name = 'new' WHERE id = 1")
			h.wantRead(h.db, OutcomeMiss, "SELECT id, name FROM stuff WHERE user_id = ?", 42)
			if _, ok := h.db.Driver().(shellDriver); !ok {
				t.Errorf("the handle's driver is %T", h.db.Driver())
			}
		})
	}
}

// TestRegisteredDriver: a driver made by Cache.Driver is registered and opened by name.
func TestRegisteredDriver(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		name := "larder:" + h.Name()
		sql.Register(name, h.cache.Driver(h.bare.Driver()))
		h.db = h.opened(sql.Open(name, h.dsn))
		h.wantRead(h.db, OutcomeMiss, "SELECT id, name FROM stuff ORDER BY id")
		h.wantRead(h.db, OutcomeHit, "SELECT id, name FROM stuff ORDER BY id")
		h.exec(h.other, "UPDATE stuff SET name = 'new' WHERE id = 1")
		h.wantRead(h.db, OutcomeMiss, "SELECT id, name FROM stuff ORDER BY id")
		if cache, ok := Of(h.db); !ok || cache != h.cache {
			h.Error("the handle's cache isn't found")
		}
		_, bare := sql.Open(h.driver, "\x00:bad?%%")
		_, cached := sql.Open(name, "\x00:bad?%%")
		if fmt.Sprint(bare) != fmt.Sprint(cached) {
			h.Errorf("a bad name: %v, bare %v", cached, bare)
		}
	})
}

// who is the key of the caller in a context.
type who struct{}

func as(name string) context.Context { return context.WithValue(context.Background(), who{}, name) }

// becoming is a connector of pgx that makes each connection its caller's.
func becoming(t *testing.T, dsn, text string) driver.Connector {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	become := func(ctx context.Context, conn *pgx.Conn) error {
		name, _ := ctx.Value(who{}).(string)
		if name == "" {
			name = "nobody"
		}
		_, err := conn.Exec(ctx, strings.ReplaceAll(text, "NAME", name))
		return err
	}
	return stdlib.GetConnector(*config, stdlib.OptionAfterConnect(become), stdlib.OptionResetSession(become))
}

// callers makes two callers with rows of their own, told apart by schema and by policy.
func callers(t *testing.T, h *house) {
	suffix := strings.ToLower(strings.NewReplacer("/", "_", " ", "_").Replace(t.Name()))
	for _, name := range []string{"ann", "bob", "nobody"} {
		role := name + "_" + suffix
		h.exec(h.bare, "CREATE ROLE "+role)
		t.Cleanup(func() {
			if _, err := h.bare.Exec("DO $$ BEGIN DROP OWNED BY " + role + "; DROP ROLE " + role + "; END $$"); err != nil {
				t.Error(err)
			}
		})
		h.exec(h.bare, "CREATE SCHEMA "+role)
		h.exec(h.bare, "CREATE TABLE "+role+".mine (name text)")
		h.exec(h.bare, "INSERT INTO "+role+".mine VALUES ('"+name+"')")
		h.exec(h.bare, "GRANT ALL ON SCHEMA public, "+role+" TO "+role)
		h.exec(h.bare, "GRANT ALL ON "+role+".mine TO "+role)
	}
	h.exec(h.bare, "CREATE TABLE rows (owner text, name text)")
	h.exec(h.bare, "ALTER TABLE rows ENABLE ROW LEVEL SECURITY")
	h.exec(h.bare, "CREATE POLICY own ON rows USING (owner = current_user)")
	h.exec(h.bare, "GRANT ALL ON rows TO public")
	for _, name := range []string{"ann", "bob", "nobody"} {
		h.exec(h.bare, "INSERT INTO rows VALUES ('"+name+"_"+suffix+"', '"+name+"')")
	}
}

// TestCallersOfOneHandle: a connector that turns each connection into its caller's,
// by role, path or setting, has no caller see what is another's.
func TestCallersOfOneHandle(t *testing.T) {
	for name, c := range map[string]struct{ become, read string }{
		"role":               {"SET ROLE NAME_SUFFIX", "SELECT name FROM public.rows"},
		"path":               {"SET search_path = NAME_SUFFIX", "SELECT name FROM mine"},
		"session user":       {"SET SESSION AUTHORIZATION NAME_SUFFIX", "SELECT name FROM public.rows"},
		"setting":            {"SELECT set_config('app.caller', 'NAME', false)", "SELECT name FROM public.rows WHERE name = current_setting('app.caller')"},
		"role and path":      {"SET ROLE NAME_SUFFIX; SET search_path = NAME_SUFFIX", "SELECT name FROM mine"},
		"role by set_config": {"SELECT set_config('role', 'NAME_SUFFIX', false)", "SELECT name FROM public.rows"},
	} {
		t.Run(name, func(t *testing.T) {
			var h *house
			for _, k := range kinds {
				if k.name == "pgx" {
					h = newHouse(t, k, nil)
				}
			}
			callers(t, h)
			suffix := strings.ToLower(strings.NewReplacer("/", "_", " ", "_").Replace(t.Name()))
			connector := becoming(t, h.dsn, strings.ReplaceAll(c.become, "SUFFIX", suffix))
			cache, err := New(&Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 10})
			if err != nil {
				t.Fatal(err)
			}
			bare, db := h.opened(sql.OpenDB(connector), nil), h.opened(sql.OpenDB(cache.Connector(connector)), nil)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { mixCallers(t, bare, db, c.read) })
			}
			all.Wait()
			if hits := cache.Stats().Hits; hits == 0 && strings.Contains(c.read, "mine") { // row security is never cached
				t.Error("nothing was answered from the cache")
			}
			crossCallers(t, bare, db, c.read)
		})
	}
}

func mixCallers(t *testing.T, bare, db *sql.DB, read string) {
	for range 100 {
		name := []string{"ann", "bob"}[rand.IntN(2)]
		for _, h := range []*sql.DB{bare, db} {
			var got string
			if err := h.QueryRowContext(as(name), read).Scan(&got); err != nil || got != name {
				t.Errorf("%s read %q, %v (bare %v)", name, got, err, h == bare)
				return
			}
		}
	}
}

// crossCallers asks on a connection taken by one caller with the context of another.
func crossCallers(t *testing.T, bare, db *sql.DB, read string) {
	for _, fresh := range []bool{false, true} {
		var texts []string
		for _, h := range []*sql.DB{bare, db} {
			if fresh {
				h.SetMaxIdleConns(-1)
			}
			var w transcript
			c, err := h.Conn(as("ann"))
			w.fail("conn", err)
			w.rows(c.QueryContext(as("bob"), read))
			w.fail("close", c.Close())
			tx, err := h.BeginTx(as("bob"), nil)
			w.fail("begin", err)
			w.rows(tx.QueryContext(as("ann"), read))
			w.fail("commit", tx.Commit())
			stmt, err := h.PrepareContext(as("bob"), read)
			w.fail("prepare", err)
			w.rows(stmt.QueryContext(as("ann"), []any{}...))
			w.fail("close", stmt.Close())
			texts = append(texts, w.String())
		}
		if texts[0] != texts[1] {
			t.Errorf("fresh %v: %s", fresh, difference(texts[0], texts[1]))
		}
	}
}

// A becomingDriver is a driver of somebody's own whose connectors turn connections
// into their callers'.
type becomingDriver struct {
	t    *testing.T
	text string
}

func (d becomingDriver) OpenConnector(dsn string) (driver.Connector, error) {
	return becoming(d.t, dsn, d.text), nil
}

func (d becomingDriver) Open(dsn string) (driver.Conn, error) {
	return becoming(d.t, dsn, d.text).Connect(context.Background())
}

// TestCallersOfOneDriver: the same by a registered driver whose type isn't known, and
// whose connections are used by one caller each.
func TestCallersOfOneDriver(t *testing.T) {
	eachKind(t, func(h *house) {
		if h.kind.name != "pgx" {
			return
		}
		t := h.TB.(*testing.T)
		callers(t, h)
		suffix := strings.ToLower(strings.NewReplacer("/", "_", " ", "_").Replace(t.Name()))
		cache, err := New(&Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 10, Dialect: "postgres"})
		if err != nil {
			t.Fatal(err)
		}
		d := becomingDriver{t, "SET search_path = NAME_" + suffix}
		sql.Register("becoming", d)
		sql.Register("larder:becoming", cache.Driver(d))
		for _, name := range []string{"becoming", "larder:becoming"} {
			db := h.opened(sql.Open(name, h.dsn))
			db.SetMaxIdleConns(-1)
			mixCallers(t, db, db, "SELECT name FROM mine")
		}
	}, "postgres")
}
