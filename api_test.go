package larder

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/store/memory"
)

// TestInvalidate: it removes what depends on a relation that was changed unseen, and nothing else.
func TestInvalidate(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.prepare([]string{"CREATE VIEW v AS SELECT name FROM stuff"})
		for _, name := range []string{"stuff", h.relation("stuff"), "v", "*"} {
			h.query(h.db, names)
			h.wantRead(h.db, OutcomeHit, names)
			h.query(h.db, people)
			h.exec(h.bare, "UPDATE stuff SET name = ? WHERE id = 1", "by "+name)
			if err := h.cache.Invalidate(h.Context(), name); err != nil {
				t.Fatal(err)
			}
			h.wantCached(h.db, names)
			if name != "*" {
				h.wantRead(h.db, OutcomeHit, people)
			}
		}
		h.wantRead(h.db, OutcomeMiss, people)
		if err := h.cache.Invalidate(h.Context(), "absent"); !errors.Is(err, ErrUnknownRelation) {
			t.Errorf("absent: %v", err)
		}
		h.wantRead(h.db, OutcomeHit, people)
		if err := h.cache.Invalidate(h.Context(), "stuff", "users"); err != nil {
			t.Error(err)
		}
		h.wantRead(h.db, OutcomeMiss, names)
		h.wantRead(h.db, OutcomeMiss, people)
		h.wantRead(h.db, OutcomeMiss, "SELECT label FROM tags")
		h.wantRead(h.db, OutcomeHit, "SELECT label FROM tags")
	})
}

// TestInvalidateInTransaction: also while a transaction of the same relation is open.
func TestInvalidateInTransaction(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		tx := h.begin(h.other, 0)
		if h.dialect == "postgres" {
			h.want(tx, "bread,wine,milk", OutcomeHit, names)
		}
		h.ok(h.cache.Invalidate(h.Context(), "stuff"))
		if h.dialect == "postgres" {
			h.want(tx, "bread,wine,milk", OutcomeMiss, names)
		} else {
			h.want(h.db, "bread,wine,milk", OutcomeMiss, names)
		}
		h.commit(tx)
		h.want(h.db, "bread,wine,milk", OutcomeHit, names)
	})
}

// TestBypassRefresh: by contexts and by comments.
func TestBypassRefresh(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		const one = "SELECT name FROM stuff WHERE id = 1"
		h.wantCached(h.db, one)
		h.exec(h.bare, "UPDATE stuff SET name = 'unseen' WHERE id = 1")
		h.take()
		first := func(ctx context.Context, query string) (name string) {
			t.Helper()
			h.ok(h.db.QueryRowContext(ctx, query).Scan(&name))
			return name
		}
		if got := first(Bypass(h.Context()), one); got != "unseen" {
			t.Errorf("bypass: %s", got)
		}
		h.wantReason(analyze.Asked, one)
		h.want(h.db, "bread", OutcomeHit, one) // nobody has told the cache
		if got := first(Refresh(h.Context()), one); got != "unseen" {
			t.Errorf("refresh: %s", got)
		}
		h.want(h.db, "unseen", OutcomeHit, one)
		h.exec(h.bare, "UPDATE stuff SET name = 'again' WHERE id = 1")
		for _, directive := range []string{"/* larder:bypass */ ", "/*larder:bypass*/"} {
			h.take()
			if got := first(h.Context(), directive+one); got != "again" {
				t.Errorf("%s: %s", directive, got)
			}
			h.wantReason(analyze.Asked, directive)
		}
		const refreshing = "/* larder:refresh */ " + one
		h.want(h.db, "again", OutcomeMiss, refreshing)
		h.exec(h.bare, "UPDATE stuff SET name = 'third' WHERE id = 1")
		h.want(h.db, "third", OutcomeMiss, refreshing)
		h.want(h.db, "again", OutcomeMiss, "/* larder:ttl=1h */ "+strings.Replace(one, "name", "'again'", 1))
		h.want(h.db, "unseen", OutcomeHit, one)
	})
}

// TestBypassedWrite: a write under Bypass is announced like any other.
func TestBypassedWrite(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		if _, err := h.other.ExecContext(Bypass(h.Context()), "UPDATE stuff SET name = 'new' WHERE id = 1"); err != nil {
			t.Fatal(err)
		}
		h.want(h.db, "new,wine,milk", OutcomeMiss, names)
		h.exec(h.other, "/* larder:bypass */ UPDATE stuff SET name = 'newer' WHERE id = 1")
		h.want(h.db, "newer,wine,milk", OutcomeMiss, names)
	})
}

// TestLifetime: an entry ends with its TTL.
func TestLifetime(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		read := "/* larder:ttl=1ns */ " + names
		h.want(h.db, "bread,wine,milk", OutcomeMiss, read)
		h.want(h.db, "bread,wine,milk", OutcomeMiss, read)
		h.want(h.db, "bread,wine,milk", OutcomeBypass, "/* larder:ttl=never */ "+names)
	})
}

// TestExplain: what a statement would do, and that it isn't done.
func TestExplain(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.prepare([]string{"CREATE VIEW v AS SELECT name FROM stuff WHERE id = 1"})
		qualified := h.relation
		for _, c := range []struct {
			text          string
			reads, writes string
			reason        Reason
		}{
			{"SELECT name FROM v", qualified("stuff"), "", analyze.Cacheable},
			{"SELECT * FROM stuff s JOIN users u ON u.id = s.user_id", qualified("stuff") + " " + qualified("users"), "", analyze.Cacheable},
			{"DELETE FROM stuff", qualified("stuff"), qualified("stuff"), analyze.NotRead},
			{"INSERT INTO spare SELECT id, name FROM users", qualified("users"), qualified("spare"), analyze.NotRead},
			{"SELECT 1", "", "", analyze.NoRelation},
			{"DROP TABLE stuff", "", "*", analyze.NotRead},
			{"SELECT * FROM absent", "", "", analyze.UnknownRelation},
		} {
			e, err := Explain(h.Context(), h.db, c.text)
			if err != nil {
				t.Errorf("%s: %v", c.text, err)
				continue
			}
			if reads := strings.Join(e.Reads, " "); reads != c.reads {
				t.Errorf("%s: reads %q, want %q", c.text, reads, c.reads)
			}
			if writes := strings.Join(e.Writes, " "); writes != c.writes {
				t.Errorf("%s: writes %q, want %q", c.text, writes, c.writes)
			}
			if e.Reason != c.reason || e.Cached {
				t.Errorf("%s: reason %q (%s), cached %t, want %q", c.text, e.Reason, e.Detail, e.Cached, c.reason)
			}
		}
		if got := h.texts(h.bare, "SELECT count(*) FROM stuff"); got != "3" {
			t.Errorf("an explanation has left %s rows", got)
		}
		h.wantCached(h.db, names)
		if e, err := Explain(h.Context(), h.db, names); err != nil || !e.Cached {
			t.Errorf("kept: %+v, %v", e, err)
		}
		h.exec(h.other, "DELETE FROM stuff")
		if e, err := Explain(h.Context(), h.db, names); err != nil || e.Cached {
			t.Errorf("removed: %+v, %v", e, err)
		}
		if _, err := Explain(h.Context(), h.bare, names); err == nil {
			t.Error("a bare handle is explained")
		}
		if _, err := h.cache.Explain(h.Context(), names); err == nil || !strings.Contains(err.Error(), "handles") {
			t.Errorf("which of two handles: %v", err)
		}
	})
}

// relation is the full name of a relation of the house.
func (h *house) relation(name string) string {
	switch h.dialect {
	case "postgres":
		return "public." + name
	case "mysql":
		return h.texts(h.bare, "SELECT database()") + "." + name
	}
	return "main." + name
}

// TestStats: what is counted.
func TestStats(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		before := h.cache.Stats()
		h.wantCached(h.db, names)
		h.wantRead(h.db, OutcomeHit, names)
		h.wantBypass(h.db, analyze.NoRelation, "SELECT 1")
		h.exec(h.db, "UPDATE users SET name = 'x' WHERE id = 7")
		after := h.cache.Stats()
		for _, c := range []struct {
			what        string
			grown, want int64
		}{
			{"hits", after.Hits - before.Hits, 2}, {"misses", after.Misses - before.Misses, 1}, {"bypasses", after.Bypasses - before.Bypasses, 2},
			{"no relation", after.Reasons[analyze.NoRelation] - before.Reasons[analyze.NoRelation], 2},
			{"writes", after.Writes - before.Writes, 1}, {"wide writes", after.WideWrites - before.WideWrites, 0}, {"held", after.Held, 0}, {"abandoned", after.Abandoned, 0},
		} {
			if c.grown != c.want {
				t.Errorf("%s: %d, want %d", c.what, c.grown, c.want)
			}
		}
		if after.Entries == 0 || after.Bytes <= 0 || after.MaxBytes == 0 || after.HitRatio() <= 0.5 {
			t.Errorf("%+v", after)
		}
	})
}

// TestOf: a handle knows its cache, and its driver is the inner one.
func TestOf(t *testing.T) {
	eachKind(t, func(h *house) {
		if c, ok := Of(h.db); !ok || c != h.cache {
			t.Errorf("%v, %t", c, ok)
		}
		if _, ok := Of(h.bare); ok {
			t.Error("a bare handle has a cache")
		}
		if got, want := fmt.Sprintf("%T", h.db.Driver()), fmt.Sprintf("%T", h.bare.Driver()); got != want {
			t.Errorf("driver %s, bare %s", got, want)
		}
	})
}

// TestUnwrap: what is written through the driver's own connection is unknown to the cache,
// so nothing that it knew counts until it is given back, and nothing after.
func TestUnwrap(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		h.wantCached(h.db, people)
		conn, err := h.other.Conn(h.Context())
		if err != nil {
			t.Fatal(err)
		}
		h.ok(conn.Raw(func(driverConn any) error {
			inner, err := Unwrap(driverConn)
			if err != nil {
				return err
			}
			_, err = inner.(driver.ExecerContext).ExecContext(h.Context(), rename, nil)
			return err
		}))
		for range 2 {
			h.take()
			if got := h.texts(h.db, names); got != "new,wine,milk" {
				t.Errorf("while it is handed out: %s", got)
			}
			if events := h.take(); len(events) != 1 || events[0].Outcome == OutcomeHit {
				t.Errorf("while it is handed out: %+v", events)
			}
		}
		h.ok(conn.Close())
		h.want(h.db, "new,wine,milk", OutcomeMiss, names)
		h.want(h.db, "new,wine,milk", OutcomeHit, names)
		h.want(h.db, "Bob,Cy,Ann", OutcomeMiss, people)
		bare := h.conn(h.bare)
		h.ok(bare.Raw(func(driverConn any) error {
			if _, err := Unwrap(driverConn); err == nil {
				t.Error("a bare connection is unwrapped")
			}
			return nil
		}))
	})
}

// TestConnector: a connector of any origin, through the cache.
func TestConnector(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		inner, err := driverOf(h.driver)
		if err != nil {
			t.Fatal(err)
		}
		connector, err := connectorOf(inner, h.dsn)
		if err != nil {
			t.Fatal(err)
		}
		db := h.opened(sql.OpenDB(h.cache.Connector(connector)), nil)
		h.want(db, "bread,wine,milk", OutcomeMiss, names)
		h.want(db, "bread,wine,milk", OutcomeHit, names)
		h.exec(h.other, rename)
		h.want(db, "new,wine,milk", OutcomeMiss, names)
		h.exec(db, "UPDATE stuff SET name = 'too' WHERE id = 2")
		h.want(h.db, "new,too,milk", OutcomeMiss, names)
	})
}

// TestDriverRegistered: a driver of the cache's under a name of the program's.
func TestDriverRegistered(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		name := "larder:" + h.kind.name
		sql.Register(name, h.cache.Driver(h.bare.Driver()))
		db := h.opened(sql.Open(name, h.dsn))
		h.want(db, "bread,wine,milk", OutcomeMiss, names)
		h.want(db, "bread,wine,milk", OutcomeHit, names)
		h.exec(db, rename)
		h.want(h.db, "new,wine,milk", OutcomeMiss, names)
		if c, ok := Of(db); !ok || c != h.cache {
			t.Errorf("%v, %t", c, ok)
		}
	})
}

// TestBadOptions: what contradicts itself is refused in words that help.
func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		driver  string
		options Options
		want    string
	}{
		{"sqlite", Options{Dialect: "oracle"}, `unknown dialect "oracle"`},
		{"sqlite", Options{Dialect: "postgres"}, `speaks "sqlite"`},
		{"absent", Options{}, `unknown driver "absent"`},
		{"sqlite", Options{MaxBytes: -1}, "must not be negative"},
		{"sqlite", Options{TTL: -1}, "must not be negative"},
		{"sqlite", Options{Lease: -1}, "must not be negative"},
		{"sqlite", Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 21}, "larger than MaxBytes"},
		{"sqlite", Options{MaxBytes: 1 << 20, Store: memory.New(1 << 20)}, "not both"},
	} {
		db, err := Open(c.driver, "file::memory:", &c.options)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %+v: %v, want %q", c.driver, c.options, err, c.want)
		}
		if db != nil {
			t.Error("a handle all the same")
			db.Close()
		}
	}
}

// TestSharedStore: caches of the default store see each other's writes, those of stores of
// their own don't meet.
func TestSharedStore(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, &Options{})
			h.prepare(base)
			db := h.opened(Open(h.driver, h.dsn, nil))
			h.texts(db, names)
			h.exec(h.db, rename)
			if got := h.texts(db, names); got != "new,wine,milk" {
				t.Error(got)
			}
		})
	}
}
