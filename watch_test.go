package larder

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/analyze"
)

// last returns the last event of a read or a write.
func (h *house) last(write bool) Event {
	h.Helper()
	events := h.take()
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Write == write {
			return events[i]
		}
	}
	h.Fatal("there was no such event")
	return Event{}
}

// TestCauseOfMiss: a miss is told which write of which relation removed its entry, in and outside of transactions,
// and from a write elsewhere that there was one.
func TestCauseOfMiss(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		const read, change = "SELECT name FROM stuff WHERE user_id = ?", "UPDATE stuff SET name = 'x' WHERE id = 1"
		fingerprint := analyze.Fingerprint(analyze.Shape(analyze.Dialect(h.dialect), change))
		ask := func(want Outcome) Cause {
			h.Helper()
			h.query(h.db, read, 42)
			e := h.last(false)
			if e.Outcome != want || e.Shape != "SELECT name FROM stuff WHERE user_id = ?" || len(e.Fingerprint) != 16 {
				h.Fatalf("%+v, want %v", e, want)
			}
			return e.Cause
		}
		if cause := ask(OutcomeMiss); cause.Why != WhyNew {
			h.Errorf("first: %+v", cause)
		}
		ask(OutcomeHit)
		h.exec(h.db, change)
		if cause := ask(OutcomeMiss); cause.Why != WhyChanged || cause.By != fingerprint || !strings.HasSuffix(cause.Relation, "stuff") || cause.Age <= 0 {
			h.Errorf("after a write: %+v, want one by %s", cause, fingerprint)
		}
		ask(OutcomeHit)
		tx, err := h.db.Begin()
		h.ok(err)
		h.exec(tx, "UPDATE users SET name = 'x' WHERE id = 42")
		h.exec(tx, change)
		h.ok(tx.Commit())
		if cause := ask(OutcomeMiss); cause.Why != WhyChanged || cause.By != fingerprint {
			h.Errorf("after a transaction: %+v, want one by %s", cause, fingerprint)
		}
		h.ok(h.cache.Invalidate(h.Context(), "stuff"))
		if cause := ask(OutcomeMiss); cause.Why != WhyChanged || cause.By != "" {
			h.Errorf("after Invalidate: %+v", cause)
		}
	})
}

// TestCauseEvicted: an entry that went without a write is not called changed.
func TestCauseEvicted(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.prepare(base)
	h.query(h.db, people)
	h.cache.store.(interface{ Flush() }).Flush()
	h.query(h.db, people)
	if e := h.last(false); e.Cause.Why != WhyEvicted {
		t.Errorf("%+v", e)
	}
	h.query(h.db, "/* larder:ttl=1ms */ "+people)
	time.Sleep(5 * time.Millisecond)
	h.query(h.db, "/* larder:ttl=1ms */ "+people)
	if e := h.last(false); e.Cause.Why != WhyExpired {
		t.Errorf("%+v", e)
	}
}

// TestWatch: watchers come and go; each hears what comes meanwhile, once, without literals.
func TestWatch(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.prepare(base)
	heard := [2]int{}
	stops := [2]func(){}
	for i := range stops {
		stops[i] = h.cache.Watch(func(_ context.Context, e Event) {
			heard[i]++
			if strings.Contains(e.Shape, "secret") || e.Total <= 0 || e.Store > e.Total || e.Database > e.Total {
				t.Errorf("%+v", e)
			}
		})
	}
	h.query(h.db, "SELECT name FROM stuff WHERE name = 'secret'")
	h.exec(h.db, "UPDATE stuff SET name = 'secret' WHERE id = 1")
	stops[0]()
	stops[0]()
	h.query(h.db, people)
	stops[1]()
	h.query(h.db, people)
	if heard != [2]int{2, 3} {
		t.Errorf("heard %v events", heard)
	}
}

// TestUnwatched: while nobody listens, no event is made, and a hit allocates nothing for one.
func TestUnwatched(t *testing.T) {
	cache, err := New(&Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if cache.watchers.Listening() {
		t.Error("somebody listens")
	}
	stop := cache.Watch(func(context.Context, Event) {})
	if !cache.watchers.Listening() {
		t.Error("nobody listens")
	}
	if stop(); cache.watchers.Listening() {
		t.Error("somebody listens still")
	}
}

// TestWatchSampled: of a text that is asked again and again few hits are told, with the weight of all; misses and writes are told each.
func TestWatchSampled(t *testing.T) {
	h := newHouse(t, kinds[0], &Options{Observe: func(context.Context, Event) {}})
	h.prepare(base)
	cache, err := New(&Options{MaxBytes: 1 << 20, Dialect: h.dialect})
	h.ok(err)
	db := h.opened(cache.Open(h.driver, h.dsn))
	var told, weight, others int
	stop := cache.WatchSampled(func(_ context.Context, e Event) {
		if e.Outcome != OutcomeHit || e.Write {
			others++
			if e.Weight != 1 || e.Total <= 0 {
				t.Errorf("%+v", e)
			}
			return
		}
		told, weight = told+1, weight+e.Weight
	})
	ask := func(n int) {
		for range n {
			rows, err := db.Query(people)
			h.ok(err)
			rows.Close()
		}
	}
	ask(501)
	if told != 500 || weight != 500 {
		t.Errorf("%d hits told with weight %d of 500", told, weight)
	}
	ask(20000)
	if told > 3500 || weight < 17000 || weight > 24000 {
		t.Errorf("%d hits told with weight %d of 20500", told, weight)
	}
	for range 20 {
		_, err := db.Exec("UPDATE users SET name = name")
		h.ok(err)
		ask(1)
	}
	if others != 41 {
		t.Errorf("%d misses and writes told, want 41", others)
	}
	all := 0
	defer cache.Watch(func(context.Context, Event) { all++ })()
	ask(100)
	if all != 100 {
		t.Errorf("%d told to who watches all", all)
	}
	stop()
}

// TestWide: of a write is told of which relations it removed more than the results of its rows, and why; of a read, of which relations it
// depends on every row.
func TestWide(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(base)
		stuff := h.relation("stuff")
		for range 2 { // puts the shape in use
			h.query(h.db, "SELECT name FROM stuff WHERE user_id = ?", 42)
			if e := h.last(false); len(e.Whole) > 0 {
				h.Errorf("by user: %+v", e)
			}
		}
		for text, want := range map[string]string{
			"SELECT count(*) FROM stuff": stuff,
			"SELECT s.name FROM stuff s JOIN users u ON u.name = s.name WHERE s.user_id = 42": h.relation("users"),
			"SELECT a.name FROM stuff a JOIN stuff b ON b.price = a.price WHERE a.id = 1":     stuff,
		} {
			h.query(h.db, text)
			if e := h.last(false); strings.Join(e.Whole, " ") != want {
				h.Errorf("%s depends on all of %v, want %s", text, e.Whole, want)
			}
		}
		many := "INSERT INTO stuff (id, user_id, name, price) SELECT id + 1000, 7, name, price FROM stuff"
		for _, c := range []struct{ text, wide, why string }{
			{"UPDATE stuff SET name = 'x' WHERE id = 1", "", ""},
			{"UPDATE stuff SET name = 'x' WHERE user_id = 42", "", ""},
			{many, stuff, "the text doesn't tell which"},
			{"UPDATE stuff SET name = 'x' WHERE name IN (SELECT name FROM users)", stuff, "rows be found before, so that it isn't known which user_id they have"},
			{"CREATE INDEX i ON stuff (price)", "*", "changes the schema"},
		} {
			h.exec(h.db, c.text)
			e := h.last(true)
			if strings.Join(e.Wide, " ") != c.wide || !strings.Contains(e.Detail, c.why) || (e.Detail == "") != (c.wide == "") {
				h.Errorf("%s: wide on %v: %q; want %q: %q", c.text, e.Wide, e.Detail, c.wide, c.why)
			}
		}
	})
}
