package larder

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/larderdb/larder/analyze"
)

const labels = "SELECT label FROM tags ORDER BY id"

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
		if err := h.cache.Invalidate(h.Context(), "stuff", "users"); err != nil {
			t.Error(err)
		}
		h.wantRead(h.db, OutcomeMiss, names)
		h.wantRead(h.db, OutcomeMiss, people)
		h.wantRead(h.db, OutcomeMiss, labels)
		h.wantRead(h.db, OutcomeHit, labels)
		h.query(h.db, names)
		h.ok(h.cache.Invalidate(h.Context()))
		h.wantRead(h.db, OutcomeHit, names)
	})
}

// TestInvalidateUnknown: a name that no database of the cache has is an error that says which,
// and one that some of them have is none.
func TestInvalidateUnknown(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		for _, relation := range []string{"nowhere", h.relation("nowhere"), "nowhere.stuff", "stuff; DROP TABLE stuff"} {
			err := h.cache.Invalidate(h.Context(), relation)
			if !errors.Is(err, ErrUnknownRelation) || !strings.Contains(err.Error(), relation) || !strings.HasPrefix(err.Error(), "larder: ") {
				h.Errorf("%s: %v", relation, err)
			}
		}
		h.wantRead(h.db, OutcomeHit, names)
		n := h.neighbour()
		n.exec(n.db, "CREATE TABLE lonely (id INTEGER)")
		h.ok(h.cache.Invalidate(h.Context(), "lonely"))
		empty, err := New(nil)
		h.ok(err)
		if err := empty.Invalidate(h.Context(), "stuff"); !errors.Is(err, ErrUnknownRelation) {
			h.Errorf("a cache without a handle: %v", err)
		}
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

// wantWith reads in a context; it compares with the given values.
func (h *house) wantWith(ctx context.Context, texts string, outcome Outcome, reason Reason, query string) {
	h.Helper()
	h.take()
	rows, err := h.db.QueryContext(ctx, query)
	if err != nil {
		h.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var text string
		h.ok(rows.Scan(&text))
		list = append(list, text)
	}
	h.ok(rows.Err())
	if got := strings.Join(list, ","); got != texts {
		h.Errorf("%s: got %q, want %q", query, got, texts)
	}
	if events := h.take(); len(events) != 1 || events[0].Outcome != outcome || events[0].Reason != reason {
		h.Errorf("%s: %+v, want %v because of %v", query, events, outcome, reason)
	}
}

// TestWishes: a context or a comment asks for a read of the database, kept or not. What only
// the database knows shows which.
func TestWishes(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		ctx, n := h.Context(), 0
		changed := func() string {
			n++
			h.exec(h.bare, fmt.Sprintf("UPDATE tags SET label = 'changed %d' WHERE id = 1", n)) // unseen
			return fmt.Sprintf("changed %d", n)
		}
		const one = "SELECT label FROM tags WHERE id = 1"
		bypass, refresh := one+" /* larder:bypass */", "/* larder:refresh */ "+one
		h.texts(h.db, labels) // brings the catalog up to date
		h.wantWith(Bypass(ctx), h.texts(h.bare, one), OutcomeBypass, analyze.Asked, one)
		h.wantCached(h.db, one)
		old := h.texts(h.bare, one)
		h.wantWith(Bypass(ctx), changed(), OutcomeBypass, analyze.Asked, one)
		h.wantWith(ctx, old, OutcomeHit, analyze.Cacheable, one)
		h.wantWith(ctx, changed(), OutcomeBypass, analyze.Asked, bypass)
		h.wantWith(ctx, changed(), OutcomeBypass, analyze.Asked, "/*larder:bypass*/"+one)
		h.wantWith(ctx, old, OutcomeHit, analyze.Cacheable, one)

		now := changed()
		h.wantWith(Refresh(ctx), now, OutcomeMiss, analyze.Cacheable, one)
		changed()
		h.wantWith(ctx, now, OutcomeHit, analyze.Cacheable, one)
		h.wantWith(ctx, changed(), OutcomeMiss, analyze.Cacheable, refresh)
		now = changed()
		h.wantWith(ctx, now, OutcomeMiss, analyze.Cacheable, refresh)
		h.wantWith(Bypass(ctx), now, OutcomeBypass, analyze.Asked, refresh) // the context is stronger
		h.wantWith(Refresh(ctx), now, OutcomeMiss, analyze.Cacheable, bypass)
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
			{"SELECT label FROM tags WHERE label > ?", qualified("tags"), "", analyze.Cacheable},
			{"DELETE FROM stuff WHERE id IN (SELECT id FROM tags)", qualified("stuff") + " " + qualified("tags"), qualified("stuff"), analyze.NotRead},
			{"SELEC id FRO stuff", "", "*", analyze.Unparsable},
			{"SELECT name FROM stuff WHERE CURRENT_TIMESTAMP > '2000-01-01'", qualified("stuff"), "", analyze.Volatile},
			{"SELECT 1", "", "", analyze.NoRelation},
			{"DROP TABLE stuff", "", "*", analyze.NotRead},
			{"SELECT * FROM absent", "", "", analyze.UnknownRelation},
		} {
			e, err := Explain(h.Context(), h.db, h.marks(c.text), slices.Repeat([]any{"a"}, strings.Count(c.text, "?"))...)
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
		if _, err := Explain(h.Context(), h.bare, names); err == nil || !strings.Contains(err.Error(), "opened by Larder") {
			t.Errorf("a bare handle: %v", err)
		}
		if _, err := h.cache.Explain(h.Context(), names); err == nil || !strings.Contains(err.Error(), "larder.Explain") {
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

// TestStats: every statement is counted once.
func TestStats(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.texts(h.db, people) // brings the catalog up to date
		before := h.cache.Stats()
		h.texts(h.db, names)
		h.texts(h.db, names)
		h.texts(h.other, names)
		h.texts(h.db, "SELECT 1")
		h.exec(h.db, "UPDATE tags SET label = 'x'")
		tx := h.begin(h.db, 0)
		h.exec(tx, "UPDATE tags SET label = 'y'")
		h.exec(tx, "UPDATE stuff SET name = 'y'")
		h.commit(tx)
		h.texts(h.db, names)
		s := h.cache.Stats()
		got := fmt.Sprint(s.Hits-before.Hits, s.Misses-before.Misses, s.Held-before.Held, s.Bypasses-before.Bypasses, s.Writes-before.Writes, s.WideWrites-before.WideWrites, s.Abandoned)
		if got != "2 2 0 1 2 0 0" {
			h.Errorf("hits, misses, held, bypasses, writes, wide, abandoned: %s", got)
		}
		if s.Reasons[analyze.NoRelation] != 1 || s.Entries < 1 || s.Bytes <= 0 || s.Bytes > s.MaxBytes || s.MaxBytes != 16<<20 {
			h.Errorf("%+v", s)
		}
		if want := float64(s.Hits) / float64(s.Hits+s.Misses+s.Held); s.HitRatio() != want || want == 0 {
			h.Errorf("hit ratio %v, want %v", s.HitRatio(), want)
		}
	})
	if r := (Stats{Bypasses: 5}).HitRatio(); r != 0 {
		t.Errorf("hit ratio of nothing: %v", r)
	}
}

// TestOf: the cache of a handle is found, a bare handle has none, and the driver is the inner one.
func TestOf(t *testing.T) {
	eachKind(t, func(h *house) {
		if c, ok := Of(h.db); !ok || c != h.cache {
			h.Errorf("%v %v", c, ok)
		}
		if c, ok := Of(h.bare); ok || c != nil {
			h.Errorf("the bare handle: %v", c)
		}
		if got, want := fmt.Sprintf("%T", h.db.Driver()), fmt.Sprintf("%T", h.bare.Driver()); got != want {
			h.Errorf("driver %s, bare %s", got, want)
		}
		h.ok(h.other.Close())
		if c, ok := Of(h.other); ok {
			h.Errorf("a closed handle: %v", c)
		}
	})
}

// concrete are the types that programs assert of what Conn.Raw gives.
var concrete = map[string]string{"modernc": "*sqlite.conn", "mattn": "*sqlite3.SQLiteConn", "ncruces": "*driver.conn", "pgx": "*stdlib.Conn", "pq": "*pq.conn", "mysql": "*mysql.mysqlConn"}

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
			if got := fmt.Sprintf("%T", inner); got != concrete[h.name] {
				h.Errorf("unwrapped %s, want %s", got, concrete[h.name])
			}
			return errors.Join(h.writeRaw(inner), h.execRaw(inner, rename))
		}))
		for range 2 {
			h.take()
			if got := h.texts(h.db, names); got != "new,wine,milk" {
				t.Errorf("while it is handed out: %s", got)
			}
			if got := h.texts(h.db, labels); !strings.HasSuffix(got, "raw") {
				t.Errorf("while it is handed out: %s", got)
			}
			if events := h.take(); len(events) != 2 || events[0].Outcome == OutcomeHit || events[1].Outcome == OutcomeHit {
				t.Errorf("while it is handed out: %+v", events)
			}
		}
		h.ok(conn.Close())
		h.want(h.db, "new,wine,milk", OutcomeMiss, names)
		h.want(h.db, "new,wine,milk", OutcomeHit, names)
		h.want(h.db, "Bob,Cy,Ann", OutcomeMiss, people)
		h.want(h.db, h.texts(h.bare, labels), OutcomeMiss, labels)
		if _, err := Unwrap(struct{}{}); err == nil || !strings.Contains(err.Error(), "sql.Conn.Raw") {
			h.Errorf("unwrapped what isn't Larder's: %v", err)
		}
		bare := h.conn(h.bare)
		h.ok(bare.Raw(func(driverConn any) error {
			if _, err := Unwrap(driverConn); err == nil {
				t.Error("a bare connection is unwrapped")
			}
			return nil
		}))
	})
}

// writeRaw adds a tag by COPY where the driver has a call for it.
func (h *house) writeRaw(inner driver.Conn) error {
	if c, ok := inner.(*stdlib.Conn); ok {
		_, err := c.Conn().CopyFrom(h.Context(), pgx.Identifier{"tags"}, []string{"id", "label"}, pgx.CopyFromRows([][]any{{int32(77), "raw"}}))
		return err
	}
	return h.execRaw(inner, "INSERT INTO tags (id, label) VALUES (77, 'raw')")
}

func (h *house) execRaw(inner driver.Conn, text string) error {
	_, err := inner.(driver.ExecerContext).ExecContext(h.Context(), text, nil)
	return err
}

// TestConnector: a connector of any origin, through the cache.
func TestConnector(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		inner, err := driverOf(h.driver, h.dsn)
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
