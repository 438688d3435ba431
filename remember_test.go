package larder

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
)

// loads counts the loads of values.
type loads struct{ n atomic.Int64 }

// namesOf is a load: the names of what a user has.
func (h *house) namesOf(db *sql.DB, n *loads, user int) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		n.n.Add(1)
		rows, err := db.QueryContext(ctx, h.marks("SELECT name FROM stuff WHERE user_id = ? AND name IS NOT NULL ORDER BY id"), user)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		names := []string{}
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return nil, err
			}
			names = append(names, name)
		}
		return names, rows.Err()
	}
}

// wantValue remembers, and compares the value and whether it was loaded.
func wantValue[T any](h *house, n *loads, c *Cache, key, want string, loaded bool, load func(context.Context) (T, error), options ...*ValueOptions[T]) {
	h.Helper()
	before := n.n.Load()
	v, err := Remember(h.Context(), c, key, load, options...)
	if got := fmt.Sprint(v); err != nil || got != want {
		h.Errorf("%s: %s, %v; want %s", key, got, err, want)
	}
	if was := n.n.Load() > before; was != loaded {
		h.Errorf("%s: loaded: %v, want %v; %+v", key, was, loaded, c.ExplainValue(h.Context(), key))
	}
}

// TestRemember: a value is made once, and anew after a write to what it was made from, and to nothing else.
func TestRemember(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		var n loads
		of42, of7 := h.namesOf(h.db, &n, 42), h.namesOf(h.db, &n, 7)
		h.warm(func() { wantSome(h, "warm", of42) })
		for _, step := range []struct {
			write  string
			loaded bool
			want   string
		}{
			{"", true, "[bread]"},
			{"", false, "[bread]"},
			{"UPDATE stuff SET name = 'wine' WHERE id = 1", true, "[wine]"},
			{"UPDATE stuff SET name = 'oats' WHERE user_id = 7", false, "[wine]"},
			{"INSERT INTO stuff VALUES (9, 42, 'salt', 1)", true, "[wine salt]"},
			{"UPDATE stuff SET user_id = 7 WHERE id = 9", true, "[wine]"},
			{"UPDATE stuff SET user_id = 42 WHERE id = 9", true, "[wine salt]"},
			{"DELETE FROM stuff WHERE id = 9", true, "[wine]"},
			{"", false, "[wine]"},
		} {
			if step.write != "" {
				h.exec(h.other, step.write)
			}
			wantValue(h, &n, h.cache, "42", step.want, step.loaded, of42)
		}
		wantValue(h, &n, h.cache, "7", "[oats]", true, of7)
		wantValue(h, &n, h.cache, "7", "[oats]", false, of7)
	})
}

// warm does what puts the shapes of its reads in use.
func (h *house) warm(do func()) {
	for range 2 {
		do()
		h.exec(h.db, "UPDATE stuff SET price = price")
	}
}

func wantSome[T any](h *house, key string, load func(context.Context) (T, error)) {
	h.Helper()
	if _, err := Remember(h.Context(), h.cache, key, load); err != nil {
		h.Fatal(err)
	}
}

// TestRememberNested: a value that is made of values depends on what those were made from, be they kept already or not.
func TestRememberNested(t *testing.T) {
	eachKind(t, func(h *house) {
		h.shop()
		var inner, outer loads
		names := func(ctx context.Context) ([]string, error) {
			return Remember(ctx, h.cache, "names", h.namesOf(h.db, &inner, 42))
		}
		page := func(ctx context.Context) (string, error) {
			outer.n.Add(1)
			list, err := names(ctx)
			if err != nil {
				return "", err
			}
			var label string
			err = h.db.QueryRowContext(ctx, "SELECT label FROM tags WHERE id = 1").Scan(&label)
			return label + ":" + strings.Join(list, "+"), err
		}
		check := func(want string, in, out int64) {
			h.Helper()
			inner.n.Store(0)
			outer.n.Store(0)
			if got, err := Remember(h.Context(), h.cache, "page", page); got != want || err != nil {
				h.Errorf("%q, %v; want %q", got, err, want)
			}
			if inner.n.Load() != in || outer.n.Load() != out {
				h.Errorf("%d and %d loads, want %d and %d", inner.n.Load(), outer.n.Load(), in, out)
			}
		}
		check("food:bread", 1, 1)
		check("food:bread", 0, 0)
		h.exec(h.db, "UPDATE tags SET label = 'feed' WHERE id = 1")
		check("feed:bread", 0, 1) // of an inner value that is a hit
		check("feed:bread", 0, 0)
		h.exec(h.db, "UPDATE stuff SET name = 'wine' WHERE id = 1")
		check("feed:wine", 1, 1)
		check("feed:wine", 0, 0)
		h.exec(h.other, "UPDATE users SET name = 'x'")
		check("feed:wine", 0, 0)
	})
}

// TestRememberOfSeveralDatabases: a value may be made from several databases of one cache.
func TestRememberOfSeveralDatabases(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		n := h.neighbour()
		n.exec(n.bare, "CREATE TABLE prices (id INTEGER PRIMARY KEY, price INTEGER)")
		n.exec(n.bare, "INSERT INTO prices VALUES (1, 5)")
		var count loads
		load := func(ctx context.Context) (string, error) {
			list, err := h.namesOf(h.db, &count, 42)(ctx)
			var price int
			if err == nil {
				err = n.db.QueryRowContext(ctx, "SELECT price FROM prices WHERE id = 1").Scan(&price)
			}
			return fmt.Sprint(list, price), err
		}
		wantValue(h, &count, h.cache, "k", "[bread] 5", true, load)
		wantValue(h, &count, h.cache, "k", "[bread] 5", false, load)
		h.exec(h.db, "UPDATE stuff SET name = 'wine' WHERE id = 1")
		wantValue(h, &count, h.cache, "k", "[wine] 5", true, load)
		n.exec(n.db, "UPDATE prices SET price = 6 WHERE id = 1")
		wantValue(h, &count, h.cache, "k", "[wine] 6", true, load)
		wantValue(h, &count, h.cache, "k", "[wine] 6", false, load)
	})
}

// TestValuesThatAreNotKept: the value is returned, and ExplainValue says why it isn't kept.
func TestValuesThatAreNotKept(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		one := func(query string) func(context.Context) (string, error) {
			return func(ctx context.Context) (string, error) {
				var v sql.NullString
				err := h.db.QueryRowContext(ctx, query).Scan(&v)
				return v.String, err
			}
		}
		clock := map[string]string{"postgres": "SELECT CAST(now() AS text)", "mysql": "SELECT now()", "sqlite": "SELECT datetime('now')"}[h.dialect]
		other := newHouse(h.TB, h.kind, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16})
		other.stuff()
		for _, c := range []struct {
			name, why string
			load      func(context.Context) (string, error)
		}{
			{"reads nothing", "nothing was read through the cache", func(context.Context) (string, error) { return "x", nil }},
			{"reads past Larder", "nothing was read through the cache", func(ctx context.Context) (v string, err error) {
				err = h.bare.QueryRowContext(ctx, "SELECT name FROM stuff WHERE id = 1").Scan(&v)
				return v, err
			}},
			{"the clock", "volatile", one(clock)},
			{"no relation", "relation", one("SELECT 1")},
			{"a bypass inside", "asked", func(ctx context.Context) (string, error) {
				return one("SELECT name FROM stuff WHERE id = 1")(Bypass(ctx))
			}},
			{"writes", "more than read", func(ctx context.Context) (string, error) {
				if _, err := h.db.ExecContext(ctx, "UPDATE stuff SET price = 3 WHERE id = 2"); err != nil {
					return "", err
				}
				return one("SELECT name FROM stuff WHERE id = 1")(ctx)
			}},
			{"announces", "announced", func(ctx context.Context) (string, error) {
				if err := h.cache.Announce(ctx, "t"); err != nil {
					return "", err
				}
				return one("SELECT name FROM stuff WHERE id = 1")(ctx)
			}},
			{"is large", "MaxEntryBytes", func(ctx context.Context) (string, error) {
				v, err := one("SELECT name FROM stuff WHERE id = 1")(ctx)
				return strings.Repeat(v, 1<<20), err
			}},
			{"of two stores", "several stores", func(ctx context.Context) (string, error) {
				var v string
				if err := other.db.QueryRowContext(ctx, "SELECT name FROM stuff WHERE id = 1").Scan(&v); err != nil {
					return "", err
				}
				return one("SELECT name FROM stuff WHERE id = 1")(ctx)
			}},
			{"a write meanwhile", "a write came", func(ctx context.Context) (string, error) {
				v, err := one("SELECT name FROM stuff WHERE id = 1")(ctx)
				h.exec(h.db, "UPDATE stuff SET name = name WHERE id = 1") // not under ctx: by somebody else
				return v, err
			}},
		} {
			for range 2 {
				var n loads
				v, err := Remember(h.Context(), h.cache, c.name, func(ctx context.Context) (string, error) { n.n.Add(1); return c.load(ctx) })
				if err != nil || v == "" || n.n.Load() != 1 {
					h.Errorf("%s: %q, %v, %d loads", c.name, v[:min(len(v), 10)], err, n.n.Load())
				}
			}
			x := h.cache.ExplainValue(h.Context(), c.name)
			if x.Kept || !strings.Contains(strings.ToLower(x.Why), strings.ToLower(c.why)) {
				h.Errorf("%s: %+v, want %q", c.name, x, c.why)
			}
		}
		var n loads
		wantValue(h, &n, h.cache, "writes", "[bread]", true, h.namesOf(h.db, &n, 42))
		if x := h.cache.ExplainValue(h.Context(), "writes"); !x.Kept || x.Why != "" || !strings.Contains(fmt.Sprint(x.Depends), "stuff") {
			h.Errorf("a value that is kept: %+v", x)
		}
	})
}

// TestLoadsThatFail: errors and panics reach the caller, and nothing is kept.
func TestLoadsThatFail(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		var n loads
		fail := errors.New("no luck")
		_, err := Remember(h.Context(), h.cache, "k", func(ctx context.Context) ([]string, error) {
			h.namesOf(h.db, &n, 42)(ctx)
			return []string{"half"}, fail
		})
		if !errors.Is(err, fail) {
			h.Errorf("got %v", err)
		}
		func() {
			defer func() {
				if p := recover(); p != "oops" {
					h.Errorf("recovered %v", p)
				}
			}()
			Remember(h.Context(), h.cache, "k", func(ctx context.Context) ([]string, error) {
				h.namesOf(h.db, &n, 42)(ctx)
				panic("oops")
			})
		}()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			Remember(h.Context(), h.cache, "k", func(ctx context.Context) ([]string, error) {
				runtimeGoexit()
				return nil, nil
			})
		}()
		<-gone
		wantValue(h, &n, h.cache, "k", "[bread]", true, h.namesOf(h.db, &n, 42))
		wantValue(h, &n, h.cache, "k", "[bread]", false, h.namesOf(h.db, &n, 42))
	}, "sqlite", "postgres")
}

// TestRememberWishes: Bypass and Refresh are for values what they are for reads.
func TestRememberWishes(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		var n loads
		load := h.namesOf(h.db, &n, 42)
		get := func(ctx context.Context, want string) {
			h.Helper()
			if v, err := Remember(ctx, h.cache, "k", load); err != nil || fmt.Sprint(v) != want {
				h.Errorf("%v, %v; want %s", v, err, want)
			}
		}
		get(h.Context(), "[bread]")
		h.exec(h.bare, "UPDATE stuff SET name = 'unseen' WHERE id = 1")
		get(h.Context(), "[bread]")
		get(Bypass(h.Context()), "[unseen]")
		get(h.Context(), "[bread]")
		get(Refresh(h.Context()), "[unseen]")
		get(h.Context(), "[unseen]")
		if n.n.Load() != 3 {
			h.Errorf("%d loads, want 3", n.n.Load())
		}
		ctx, cancel := context.WithCancel(h.Context())
		cancel()
		if _, err := Remember(ctx, h.cache, "k", load); !errors.Is(err, context.Canceled) {
			h.Errorf("a context that had ended: %v", err)
		}
		if _, err := Remember(Bypass(h.Context()), h.cache, "outer", func(ctx context.Context) ([]string, error) {
			return Remember(ctx, h.cache, "outer", load)
		}); !errors.Is(err, ErrRecursive) {
			h.Errorf("a recursion under Bypass: %v", err)
		}
	})
}

// TestOneKeyOfTwoTypes: each is a miss of the other, and ExplainValue says so.
func TestOneKeyOfTwoTypes(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		var n loads
		texts := h.namesOf(h.db, &n, 42)
		number := func(ctx context.Context) (int, error) { v, err := texts(ctx); return len(v), err }
		wantValue(h, &n, h.cache, "k", "[bread]", true, texts)
		wantValue(h, &n, h.cache, "k", "1", true, number)
		if x := h.cache.ExplainValue(h.Context(), "k"); !x.Kept {
			h.Errorf("%+v", x)
		}
		wantValue(h, &n, h.cache, "k", "1", false, number)
		var why string
		if _, err := Remember(h.Context(), h.cache, "k", func(ctx context.Context) (string, error) {
			why = h.cache.ExplainValue(ctx, "k").Why
			return "x", errors.New("not this time")
		}); err == nil || !strings.Contains(why, "type") {
			h.Errorf("%v, %q", err, why)
		}
	}, "sqlite")
}

// TestTags: Announce removes what has a tag, and nothing else; so it does what a tag's value is used in.
func TestTags(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		var n loads
		count := func(context.Context) (int64, error) { return n.n.Add(1), nil }
		prices := &ValueOptions[int64]{Tags: []Tag{"prices", "rates"}}
		announce := func(tags ...Tag) { h.Helper(); h.ok(h.cache.Announce(h.Context(), tags...)) }
		wantValue(h, &n, h.cache, "k", "1", true, count, prices)
		wantValue(h, &n, h.cache, "k", "1", false, count, prices)
		wantValue(h, &n, h.cache, "other", "2", true, count, &ValueOptions[int64]{Tags: []Tag{"price"}})
		announce("price", "prices;", "stuff")
		announce()
		wantValue(h, &n, h.cache, "k", "1", false, count, prices)
		announce("rates")
		wantValue(h, &n, h.cache, "k", "3", true, count, prices)
		announce("prices", "x#facts")
		wantValue(h, &n, h.cache, "k", "4", true, count, prices)

		outer := func(ctx context.Context) (string, error) {
			names, err := h.namesOf(h.db, &n, 42)(ctx)
			if err != nil {
				return "", err
			}
			_, err = Remember(ctx, h.cache, "k", count, prices)
			return fmt.Sprint(names), err
		}
		wantValue(h, &n, h.cache, "outer", "[bread]", true, outer)
		wantValue(h, &n, h.cache, "outer", "[bread]", false, outer)
		announce("prices")
		wantValue(h, &n, h.cache, "outer", "[bread]", true, outer)
		h.exec(h.db, "UPDATE stuff SET name = 'wine' WHERE id = 1")
		wantValue(h, &n, h.cache, "outer", "[wine]", true, outer)
		wantValue(h, &n, h.cache, "outer", "[wine]", false, outer)
	}, "sqlite", "postgres")
}

// TestTagAnnouncedMeanwhile: a value whose tag is announced while it is made isn't kept.
func TestTagAnnouncedMeanwhile(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.stuff()
	var n loads
	o := &ValueOptions[int64]{Tags: []Tag{"prices"}}
	v, err := Remember(t.Context(), h.cache, "k", func(context.Context) (int64, error) {
		h.ok(h.cache.Announce(t.Context(), "prices")) // not under the load's context: by somebody else
		return n.n.Add(1), nil
	}, o)
	if v != 1 || err != nil {
		t.Fatal(v, err)
	}
	wantValue(h, &n, h.cache, "k", "2", true, func(context.Context) (int64, error) { return n.n.Add(1), nil }, o)
}

// TestTTL: a value that has one is kept without any read, and expires; what it is a part of expires with it.
func TestTTL(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.stuff()
	var inner, outer loads
	count := func(context.Context) (int64, error) { return inner.n.Add(1), nil }
	short := &ValueOptions[int64]{TTL: 150 * time.Millisecond}
	whole := func(ctx context.Context) (string, error) {
		outer.n.Add(1)
		names, err := h.namesOf(h.db, &loads{}, 42)(ctx)
		if err != nil {
			return "", err
		}
		v, err := Remember(ctx, h.cache, "inner", count, short)
		return fmt.Sprint(names, v), err
	}
	wantValue(h, &inner, h.cache, "inner", "1", true, count, short)
	wantValue(h, &inner, h.cache, "inner", "1", false, count, short)
	wantValue(h, &outer, h.cache, "outer", "[bread] 1", true, whole)
	wantValue(h, &outer, h.cache, "outer", "[bread] 1", false, whole)
	time.Sleep(200 * time.Millisecond)
	wantValue(h, &outer, h.cache, "outer", "[bread] 2", true, whole)
	wantValue(h, &inner, h.cache, "inner", "2", false, count, short)
}

// TestClone: nobody who changes what he gets changes what others get.
func TestClone(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.stuff()
	var n loads
	o := &ValueOptions[[]string]{Clone: func(v []string) []string { return append([]string(nil), v...) }}
	for range 3 {
		v, err := Remember(t.Context(), h.cache, "k", h.namesOf(h.db, &n, 42), o)
		if err != nil || v[0] != "bread" {
			t.Fatal(v, err)
		}
		v[0] = "changed"
	}
	if n.n.Load() != 1 {
		t.Errorf("%d loads", n.n.Load())
	}
}

// TestWrongValueOptions: they are errors that say what is wrong.
func TestWrongValueOptions(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	load := func(context.Context) (int, error) { t.Error("loaded"); return 0, nil }
	for says, o := range map[string][]*ValueOptions[int]{
		"negative":         {{TTL: -1}},
		"Wait":             {{Wait: -1}},
		"RefreshAt is 1":   {{RefreshAt: 1}},
		"RefreshAt is NaN": {{RefreshAt: nan()}},
		"Options.Bounded":  {{StaleWhileRevalidate: true}},
		"at most one":      {nil, nil},
	} {
		if _, err := Remember(t.Context(), h.cache, "k", load, o...); err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "larder: ") {
			t.Errorf("%q doesn't say %q", err, says)
		}
	}
	if _, err := Remember[int](t.Context(), h.cache, "k", nil); err == nil {
		t.Error("a load that is nil")
	}
	if _, err := Remember(t.Context(), nil, "k", load); err == nil {
		t.Error("a cache that is nil")
	}
}

// TestLateReads: what a goroutine reads that a load has left behind drops the value.
func TestLateReads(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.stuff()
	var n loads
	var left context.Context
	load := func(ctx context.Context) ([]string, error) {
		left = ctx
		return h.namesOf(h.db, &n, 42)(ctx)
	}
	wantValue(h, &n, h.cache, "k", "[bread]", true, load)
	wantValue(h, &n, h.cache, "k", "[bread]", false, load)
	if _, err := h.namesOf(h.db, &loads{}, 7)(left); err != nil {
		t.Fatal(err)
	}
	if x := h.cache.ExplainValue(t.Context(), "k"); x.Kept || !strings.Contains(x.Why, "goroutine") || h.cache.Stats().LateReads != 1 {
		t.Errorf("%+v", x)
	}
	wantValue(h, &n, h.cache, "k", "[bread]", true, load)
}

// TestValueEvents: the observer hears of each call, and no more of its key than is meant for it.
func TestValueEvents(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.stuff()
	var n loads
	last := func(ctx context.Context, o *ValueOptions[[]string]) Event {
		h.take()
		Remember(ctx, h.cache, "user:42", h.namesOf(h.db, &n, 42), o)
		events := h.take()
		return events[len(events)-1]
	}
	for _, c := range []struct {
		ctx     context.Context
		o       *ValueOptions[[]string]
		outcome Outcome
		text    string
	}{
		{t.Context(), nil, OutcomeMiss, "user"},
		{t.Context(), nil, OutcomeHit, "user"},
		{Bypass(t.Context()), nil, OutcomeBypass, "user"},
		{t.Context(), &ValueOptions[[]string]{Name: "names"}, OutcomeHit, "names"},
	} {
		if e := last(c.ctx, c.o); e.Kind != coherence.Value || e.Outcome != c.outcome || e.Text != c.text || (e.Bytes == 0) != (c.outcome == OutcomeBypass) {
			t.Errorf("%+v, want %v of %s", e, c.outcome, c.text)
		}
	}
}

// TestRefreshAhead: a hit in the last part of the TTL has the value made anew, once, while callers get the old one.
func TestRefreshAhead(t *testing.T) {
	h := newHouse(t, kinds[0], &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16})
	var n loads
	release := make(chan struct{})
	count := func(ctx context.Context) (int64, error) {
		v := n.n.Add(1)
		if v > 1 {
			<-release
		}
		return v, ctx.Err()
	}
	o := &ValueOptions[int64]{TTL: time.Minute, RefreshAt: 0.000001}
	ctx, cancel := context.WithCancel(t.Context())
	for range 20 { // the load begins at the second, and goes on when its caller has gone
		v, err := Remember(ctx, h.cache, "k", count, o)
		if v != 1 || err != nil {
			t.Fatal(v, err)
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	close(release)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		v, err := Remember(t.Context(), h.cache, "k", func(context.Context) (int64, error) { return -1, nil }, &ValueOptions[int64]{TTL: time.Minute})
		if v == 2 && err == nil {
			break
		}
		if v != 1 || time.Now().After(end) {
			t.Fatal(v, err)
		}
	}
	if n.n.Load() != 2 {
		t.Errorf("%d loads", n.n.Load())
	}
}

// TestFailedRefreshAhead: the old value stays, and it isn't tried again at once.
func TestFailedRefreshAhead(t *testing.T) {
	h := newHouse(t, kinds[0], &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16})
	var n loads
	var done sync.WaitGroup
	done.Add(1)
	count := func(context.Context) (int64, error) {
		v := n.n.Add(1)
		if v > 1 {
			defer done.Done()
			panic("no luck")
		}
		return v, nil
	}
	o := &ValueOptions[int64]{TTL: time.Minute, RefreshAt: 0.000001}
	for range 50 {
		if v, err := Remember(t.Context(), h.cache, "k", count, o); v != 1 || err != nil {
			t.Fatal(v, err)
		}
		time.Sleep(time.Millisecond)
	}
	done.Wait()
	if n.n.Load() != 2 {
		t.Errorf("%d loads", n.n.Load())
	}
}

func nan() float64 { return math.NaN() }

func runtimeGoexit() { runtime.Goexit() }
