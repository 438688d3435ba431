package larder

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/store/memory"
)

const labels = "SELECT label FROM tags ORDER BY id"

// schemaName is the schema of the house's relations.
func (h *house) schemaName() string {
	return map[string]string{"postgres": "public", "sqlite": "main", "mysql": h.texts(h.bare, "SELECT DATABASE()")}[h.dialect]
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

// TestInvalidateInFull: a change that the cache can't see is announced by name, in a transaction
// as well, and that leaves other relations alone.
func TestInvalidateInFull(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		ctx := h.Context()
		for _, relations := range [][]string{{"stuff"}, {h.schemaName() + ".stuff"}, {"users", "stuff"}} {
			h.query(h.db, names)
			h.query(h.db, labels)
			h.exec(h.bare, "UPDATE stuff SET price = price + 1")
			h.ok(h.cache.Invalidate(ctx, relations...))
			h.wantCached(h.db, names)
			h.wantRead(h.db, OutcomeHit, labels)
		}
		h.ok(h.cache.Invalidate(ctx, "*"))
		h.wantCached(h.db, names)
		h.wantCached(h.db, labels)

		tx := h.begin(h.other, 0)
		h.query(tx, labels)
		h.ok(h.cache.Invalidate(ctx, "stuff"))
		h.wantCached(h.db, names)
		h.rollback(tx)
		h.wantRead(h.db, OutcomeHit, names)
		h.ok(h.cache.Invalidate(ctx))
		h.wantRead(h.db, OutcomeHit, names)
	})
}

// TestInvalidateUnknown: a name that no database of the cache has is an error that says which,
// and one that some of them have is none.
func TestInvalidateUnknown(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		for _, relation := range []string{"nowhere", h.schemaName() + ".nowhere", "nowhere.stuff", "stuff; DROP TABLE stuff"} {
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
		h.wantWith(ctx, changed(), OutcomeBypass, analyze.Asked, bypass)
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

// TestLifetimeByComment: an entry lives as long as its statement says, and no longer.
func TestLifetimeByComment(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		const short, long = "/* larder:ttl=100ms */ SELECT name FROM stuff ORDER BY id", "/* larder:ttl=1h */ SELECT name FROM stuff ORDER BY id"
		h.wantRead(h.db, OutcomeMiss, short)
		h.wantCached(h.db, long)
		before := h.texts(h.bare, names)
		h.exec(h.bare, "UPDATE stuff SET name = 'unseen'") // unseen by the cache
		for end := time.Now().Add(20 * time.Second); h.texts(h.db, short) == before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the entry doesn't end")
			}
		}
		h.wantWith(h.Context(), before, OutcomeHit, analyze.Cacheable, long)
		h.take()
		h.texts(h.db, "/* larder:ttl=never */ "+names)
		h.wantReason(analyze.Asked, "a lifetime that can't be read")
	})
}

// TestExplainInFull: what a statement would do is told, and it isn't done.
func TestExplainInFull(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, labels)
		stuff, tags := h.schemaName()+".stuff", h.schemaName()+".tags"
		for _, c := range []struct {
			query         string
			reads, writes string
			reason        Reason
			cached        bool
		}{
			{query: names, reads: stuff},
			{query: labels, reads: tags, cached: true},
			{query: labels + " DESC", reads: tags},
			{query: "SELECT label FROM tags WHERE label > ?", reads: tags},
			{query: "UPDATE stuff SET name = 'x'", reads: stuff, writes: stuff, reason: analyze.NotRead},
			{query: "DELETE FROM stuff WHERE id IN (SELECT id FROM tags)", reads: stuff + "," + tags, writes: stuff, reason: analyze.NotRead},
			{query: "SELEC id FRO stuff", writes: "*", reason: analyze.Unparsable},
			{query: "SELECT 1", reason: analyze.NoRelation},
			{query: "SELECT name FROM stuff WHERE CURRENT_TIMESTAMP > '2000-01-01'", reads: stuff, reason: analyze.Volatile},
			{query: "SELECT name FROM nowhere", reason: analyze.UnknownRelation},
		} {
			var args []any
			if strings.Contains(c.query, "?") {
				args = []any{"a"}
			}
			e, err := Explain(h.Context(), h.db, h.marks(c.query), args...)
			if err != nil {
				h.Errorf("%s: %v", c.query, err)
				continue
			}
			if strings.Join(e.Writes, ",") != c.writes || e.Reason != c.reason || e.Cached != c.cached || c.writes == "" && strings.Join(e.Reads, ",") != c.reads {
				h.Errorf("%s: reads %q, writes %q, reason %v (%s), cached %v", c.query, e.Reads, e.Writes, e.Reason, e.Detail, e.Cached)
			}
		}
		h.wantRead(h.db, OutcomeHit, labels)
		h.want(h.db, "bread,wine,milk", OutcomeMiss, names)
		if _, err := Explain(h.Context(), h.bare, names); err == nil || !strings.Contains(err.Error(), "opened by Larder") {
			h.Errorf("a bare handle: %v", err)
		}
		if _, err := h.cache.Explain(h.Context(), names); err == nil || !strings.Contains(err.Error(), "larder.Explain") {
			h.Errorf("a cache of two handles: %v", err)
		}
	})
}

// TestStatsInFull: every statement is counted once.
func TestStatsInFull(t *testing.T) {
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

// TestOfInFull: the cache of a handle is found, and a bare handle has none.
func TestOfInFull(t *testing.T) {
	eachKind(t, func(h *house) {
		if c, ok := Of(h.db); !ok || c != h.cache {
			h.Errorf("%v %v", c, ok)
		}
		if c, ok := Of(h.bare); ok || c != nil {
			h.Errorf("the bare handle: %v", c)
		}
		h.ok(h.other.Close())
		if c, ok := Of(h.other); ok {
			h.Errorf("a closed handle: %v", c)
		}
	})
}

// concrete are the types that programs assert of what Conn.Raw gives.
var concrete = map[string]string{"modernc": "*sqlite.conn", "mattn": "*sqlite3.SQLiteConn", "ncruces": "*driver.conn", "pgx": "*stdlib.Conn", "pq": "*pq.conn", "mysql": "*mysql.mysqlConn"}

// TestUnwrapInFull: what is written through the driver's own connection is seen, once it is given back.
func TestUnwrapInFull(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, labels)
		conn := h.conn(h.other)
		h.ok(conn.Raw(func(raw any) error {
			inner, err := Unwrap(raw)
			if err != nil {
				return err
			}
			if got := fmt.Sprintf("%T", inner); got != concrete[h.name] {
				h.Errorf("unwrapped %s, want %s", got, concrete[h.name])
			}
			return h.writeRaw(inner)
		}))
		if got := h.texts(h.db, labels); !strings.HasSuffix(got, "raw") {
			h.Errorf("before it is given back: %s", got)
		}
		h.ok(conn.Close())
		if got := h.texts(h.db, labels); !strings.HasSuffix(got, "raw") {
			h.Errorf("after it is given back: %s", got)
		}
		h.wantRead(h.db, OutcomeHit, labels)
		if _, err := Unwrap(struct{}{}); err == nil || !strings.Contains(err.Error(), "sql.Conn.Raw") {
			h.Errorf("unwrapped what isn't Larder's: %v", err)
		}
	})
}

// writeRaw adds a tag by COPY where the driver has a call for it.
func (h *house) writeRaw(inner driver.Conn) error {
	if c, ok := inner.(*stdlib.Conn); ok {
		_, err := c.Conn().CopyFrom(h.Context(), pgx.Identifier{"tags"}, []string{"id", "label"}, pgx.CopyFromRows([][]any{{int32(77), "raw"}}))
		return err
	}
	_, err := inner.(driver.ExecerContext).ExecContext(h.Context(), "INSERT INTO tags (id, label) VALUES (77, 'raw')", nil)
	return err
}

// unknownDriver is a driver of which nothing is known.
type unknownDriver struct{}

func (unknownDriver) Open(string) (driver.Conn, error) { return nil, errors.New("never opened") }

func init() { sql.Register("unheard-of", unknownDriver{}) }

// TestWrongOptions: options that are wrong or contradict are refused by errors that say
// what to do instead.
func TestWrongOptions(t *testing.T) {
	for _, c := range []struct {
		driver  string
		options Options
		says    []string
	}{
		{"sqlite", Options{Dialect: "oracle"}, []string{`"oracle"`, `"postgres", "mysql" or "sqlite"`}},
		{"sqlite", Options{Dialect: "postgres"}, []string{"Dialect", "sqlite", "leave Dialect empty"}},
		{"sqlite", Options{Store: memory.New(1 << 20), MaxBytes: 1 << 20}, []string{"MaxBytes", "Store", "not both"}},
		{"sqlite", Options{MaxBytes: -1}, []string{"MaxBytes", "negative", "0 means the default"}},
		{"sqlite", Options{MaxEntryBytes: -1}, []string{"MaxEntryBytes", "negative"}},
		{"sqlite", Options{TTL: -1}, []string{"TTL", "negative"}},
		{"sqlite", Options{Lease: -1}, []string{"Lease", "negative"}},
		{"sqlite", Options{MaxBytes: 10, MaxEntryBytes: 11}, []string{"MaxEntryBytes (11)", "MaxBytes (10)"}},
		{"nosuch", Options{}, []string{`unknown driver "nosuch"`, "known are", "sqlite", "pgx"}},
		{"unheard-of", Options{}, []string{"dialect", "larder.unknownDriver", "set Options.Dialect"}},
	} {
		db, err := Open(c.driver, ":memory:", &c.options)
		if err == nil {
			db.Close()
			t.Errorf("%s %+v: no error", c.driver, c.options)
			continue
		}
		for _, part := range append(c.says, "larder: ") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q doesn't say %q", err, part)
			}
		}
	}
	cache, err := New(&Options{Dialect: "mysql"})
	if err != nil {
		t.Fatal(err)
	}
	db, err := cache.Open("unheard-of", "x")
	if err != nil {
		t.Errorf("a dialect that is told: %v", err)
	} else {
		db.Close()
	}
}

// TestCachesAndStores: caches that share a store see each other's writes, those of defaults
// share one, and those with stores of their own see nothing of each other.
func TestCachesAndStores(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		shared := h.client("")
		h.wantCached(h.db, names)
		shared.exec(shared.db, "UPDATE stuff SET name = 'shared'")
		h.want(h.db, "shared,shared,shared", OutcomeMiss, names)

		own := h.opened(Open(h.driver, h.dsn, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 10}))
		h.exec(own, "UPDATE stuff SET name = 'own'")
		h.want(h.db, "shared,shared,shared", OutcomeHit, names)
		if got := h.texts(own, names); got != "own,own,own" {
			h.Error(got)
		}

		first, second := h.opened(Open(h.driver, h.dsn, nil)), h.opened(Open(h.driver, h.dsn, nil))
		h.texts(first, names)
		h.texts(first, names)
		cache, _ := Of(first)
		if cache.Stats().Hits == 0 {
			h.Error("a cache of defaults has no hits")
		}
		h.exec(second, "UPDATE stuff SET name = 'default'")
		if got := h.texts(first, names); got != "default,default,default" {
			h.Error(got)
		}
	})
}

// TestCacheClosed: handles of a closed cache read and write their databases; a store that
// was given to the cache goes on.
func TestCacheClosed(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		h.wantCached(h.db, names)
		h.ok(h.cache.Close())
		h.exec(h.bare, "UPDATE stuff SET name = 'unseen'")
		for range 2 {
			if got := h.texts(h.db, names); got != "unseen,unseen,unseen" {
				h.Error(got)
			}
		}
		h.exec(h.db, "UPDATE stuff SET name = 'seen'")
		if got := h.texts(h.other, names); got != "seen,seen,seen" {
			h.Error(got)
		}
	})
	for _, k := range kinds {
		t.Run(k.name+" given a store", func(t *testing.T) {
			h := newHouse(t, k, &Options{Store: memory.New(1 << 20)})
			h.prepare(base)
			h.ok(h.client("").cache.Close())
			h.wantCached(h.db, names)
		})
	}
}

// TestLog: a write whose outcome is unknown is told to the logger, without values.
func TestLog(t *testing.T) {
	for _, k := range kinds {
		if k.dialect == "sqlite" {
			continue // there is no connection to lose
		}
		t.Run(k.name, func(t *testing.T) {
			var out bytes.Buffer
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16, Logger: slog.New(slog.NewTextHandler(&out, nil))})
			h.prepare(base)
			slow, g := h.gated()
			h.texts(slow, people)
			const text = "UPDATE stuff SET name = 'secret'"
			h.exec(slow, "UPDATE stuff SET name = 'fine'")
			if out.Len() > 0 {
				t.Errorf("before anything was lost: %s", &out)
			}
			s := g.at(t, "after "+text)
			s.fault, s.severing = errLost, true
			s.go_()
			if _, err := slow.Exec(text); !errors.Is(err, errLost) {
				t.Errorf("exec: %v", err)
			}
			for _, part := range []string{"level=WARN", "larder: outcome of a write is unknown", "until the lease ends", errLost.Error()} {
				if !strings.Contains(out.String(), part) {
					t.Errorf("the log doesn't say %q: %s", part, &out)
				}
			}
			if strings.Contains(out.String(), "secret") {
				t.Errorf("the log tells values: %s", &out)
			}
			if n := h.cache.Stats().Abandoned; n != 1 {
				t.Errorf("%d writes of unknown outcome, want 1", n)
			}
		})
	}
}
