package coherence_test

import (
	"context"
	"sync"
	"testing"
	"unsafe"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

func unsafeString(buf []byte) string { return unsafe.String(unsafe.SliceData(buf), len(buf)) }

func TestRecord(t *testing.T) {
	d := newDomain(t)
	a, b := []store.Tag{d.Tag("a")}, []store.Tag{d.Tag("b")}
	load(d, "hit", a, 1)
	value := func() *coherence.Recording {
		ctx, rec := coherence.Record(bg)
		for _, q := range []struct {
			key  string
			tags []store.Tag
		}{{"hit", a}, {"miss", b}, {"hit", a}} {
			r := d.Lookup(ctx, q.key, q.tags, true)
			r.Fill(ctx, 1, 8, 0)
			r.Done()
		}
		return rec
	}
	for _, change := range [][]store.Tag{a, b} {
		if rec := value(); !d.FillRecorded(bg, "value", rec, "v", 8, 0) {
			t.Fatalf("not kept: %s", rec.Spoiled())
		}
		want(t, d, "value", nil, "x", "v", coherence.Hit)
		ok(t, d.Announce(bg, change))
		want(t, d, "value", nil, "x", "x", coherence.Miss)
	}
}

func TestRecordingIsNotKept(t *testing.T) {
	cases := []struct {
		name string
		run  func(t *testing.T, d *coherence.Domain, tags []store.Tag) (rec *coherence.Recording)
	}{
		{"a write was in flight", func(t *testing.T, d *coherence.Domain, tags []store.Tag) *coherence.Recording {
			h := hold(t, d, tags...)
			ctx, rec := coherence.Record(bg)
			d.Lookup(ctx, "k", tags, false)
			ok(t, h.Release(bg))
			return rec
		}},
		{"a write came between two reads", func(t *testing.T, d *coherence.Domain, tags []store.Tag) *coherence.Recording {
			ctx, rec := coherence.Record(bg)
			d.Lookup(ctx, "k", tags, false)
			ok(t, d.Announce(bg, tags))
			d.Lookup(ctx, "k", tags, false)
			return rec
		}},
		{"locks rows", func(t *testing.T, d *coherence.Domain, tags []store.Tag) *coherence.Recording {
			ctx, rec := coherence.Record(bg)
			d.Lookup(ctx, "k", tags, false)
			coherence.Spoil(ctx, "locks rows")
			coherence.Spoil(ctx, "another reason")
			return rec
		}},
		{"nothing was read through the cache", func(t *testing.T, d *coherence.Domain, tags []store.Tag) *coherence.Recording {
			_, rec := coherence.Record(bg)
			return rec
		}},
		{"the store failed", func(t *testing.T, d *coherence.Domain, tags []store.Tag) *coherence.Recording {
			ctx, rec := coherence.Record(bg)
			coherence.NewDomain(broken{}, "db", coherence.Options{}).Lookup(ctx, "k", tags, false)
			return rec
		}},
		{"reads from several stores", func(t *testing.T, d *coherence.Domain, tags []store.Tag) *coherence.Recording {
			ctx, rec := coherence.Record(bg)
			d.Lookup(ctx, "k", tags, false)
			newDomain(t).Lookup(ctx, "k", tags, false)
			return rec
		}},
		{"now()", func(t *testing.T, d *coherence.Domain, tags []store.Tag) *coherence.Recording {
			ctx, rec := coherence.Record(bg)
			inner, _ := coherence.Record(ctx)
			d.Lookup(inner, "k", tags, false)
			coherence.Spoil(inner, "now()")
			return rec
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := newDomain(t)
			tags := []store.Tag{d.Tag("a")}
			rec := c.run(t, d, tags)
			if d.FillRecorded(bg, "value", rec, "v", 8, 0) || rec.Spoiled() != c.name {
				t.Fatalf("kept, or not because of %q but of %q", c.name, rec.Spoiled())
			}
			want(t, d, "value", nil, "x", "x", coherence.Miss)
		})
	}
	coherence.Spoil(bg, "no recording there")
}

func TestRecordingOfAnotherStore(t *testing.T) {
	d, other := newDomain(t), newDomain(t)
	ctx, rec := coherence.Record(bg)
	d.Lookup(ctx, "k", []store.Tag{d.Tag("a")}, false)
	if other.FillRecorded(bg, "value", rec, "v", 8, 0) {
		t.Fatal("kept under the tokens of another store")
	}
}

// TestNestedRecordings: what an inner value is read from, the outer is too, be
// the inner one a hit or a miss.
func TestNestedRecordings(t *testing.T) {
	d := newDomain(t)
	a, b := []store.Tag{d.Tag("a")}, []store.Tag{d.Tag("b")}
	for _, inner := range []coherence.Outcome{coherence.Miss, coherence.Hit} {
		ctx, outer := coherence.Record(bg)
		d.Lookup(ctx, "of b", b, false)
		r := d.Lookup(ctx, "inner", nil, true)
		if r.Outcome != inner {
			t.Fatalf("inner value: %v", r.Outcome)
		}
		if r.Outcome == coherence.Miss {
			ctx, rec := coherence.Record(ctx)
			d.Lookup(ctx, "of a", a, false)
			if !d.FillRecorded(ctx, "inner", rec, "v", 8, 0) {
				t.Fatal(rec.Spoiled())
			}
		}
		r.Done()
		if !d.FillRecorded(ctx, "outer", outer, "w", 8, 0) {
			t.Fatal(outer.Spoiled())
		}
		want(t, d, "outer", nil, "x", "w", coherence.Hit)
	}
	ok(t, d.Announce(bg, b))
	want(t, d, "inner", nil, "x", "v", coherence.Hit)
	want(t, d, "outer", nil, "x", "x", coherence.Miss)
	ok(t, d.Announce(bg, a))
	want(t, d, "inner", nil, "x", "x", coherence.Miss)
}

func TestRecordConcurrently(t *testing.T) {
	d := newDomain(t)
	ctx, rec := coherence.Record(bg)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				d.Lookup(ctx, "k", []store.Tag{d.Tag(string(rune('a' + i))), d.Tag("all")}, false)
			}
		})
	}
	wg.Wait()
	if !d.FillRecorded(bg, "value", rec, "v", 8, 0) {
		t.Fatal(rec.Spoiled())
	}
	ok(t, d.Announce(bg, []store.Tag{d.Tag("h")}))
	want(t, d, "value", nil, "x", "x", coherence.Miss)
}

// TestContextsOfTwo: a context that is put together of two says what both say.
func TestContextsOfTwo(t *testing.T) {
	recorded, rec := coherence.Record(bg)
	bypassed := coherence.WithWish(bg, coherence.Bypassed)
	for _, ctx := range []context.Context{both{recorded, bypassed}, both{bypassed, recorded}} {
		if w, asks := coherence.WishOf(ctx); w != coherence.Bypassed || !asks {
			t.Errorf("a wish of %v, %v", w, asks)
		}
	}
	coherence.Spoil(both{bypassed, recorded}, "spoiled")
	if why := rec.Spoiled(); why != "spoiled" {
		t.Errorf("spoiled: %q", why)
	}
}

type both struct {
	context.Context
	second context.Context
}

func (b both) Value(key any) any {
	if v := b.Context.Value(key); v != nil {
		return v
	}
	return b.second.Value(key)
}
