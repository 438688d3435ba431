package coherence_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// TestDepend: what depends on a tag by Depend is gone with it, and isn't kept if it changes meanwhile or is held; with no tag it is
// kept though it reads nothing.
func TestDepend(t *testing.T) {
	d := newDomain(t)
	a := []store.Tag{d.Tag("a")}
	ctx, rec := coherence.Record(bg)
	d.Depend(ctx, a)
	if !d.FillRecorded(bg, "k", rec, "v", 8, 0) || !d.Stands(bg, rec) {
		t.Fatal(rec.Spoiled())
	}
	want(t, d, "k", nil, "x", "v", coherence.Hit)
	ok(t, d.Announce(bg, a))
	want(t, d, "k", nil, "x", "x", coherence.Miss)
	if d.Stands(bg, rec) {
		t.Error("it stands")
	}
	h := hold(t, d, a...)
	ctx, rec = coherence.Record(bg)
	d.Depend(ctx, a)
	if rec.Spoiled() != coherence.WhyHeld || d.FillRecorded(bg, "k", rec, "v", 8, 0) {
		t.Error("kept under a hold")
	}
	ok(t, h.Release(bg))
	ctx, rec = coherence.Record(bg)
	d.Depend(ctx, nil)
	if !d.Stands(bg, rec) || !d.FillRecorded(bg, "nothing", rec, "v", 8, time.Minute) {
		t.Error(rec.Spoiled())
	}
	want(t, d, "nothing", nil, "x", "v", coherence.Hit)
	d.Depend(bg, a) // no recording there
}

// TestStandsUnderHold: what a write is about to change doesn't stand.
func TestStandsUnderHold(t *testing.T) {
	d := newDomain(t)
	a := []store.Tag{d.Tag("a")}
	_, rec := coherence.Record(bg)
	if d.Stands(bg, rec) {
		t.Error("what has read nothing stands")
	}
	ctx, rec := coherence.Record(bg)
	d.Lookup(ctx, "k", a, false)
	h := hold(t, d, a...)
	if d.Stands(bg, rec) {
		t.Error("it stands under a hold")
	}
	ok(t, h.Release(bg))
	if d.Stands(bg, rec) {
		t.Error("it stands after a write")
	}
}

// TestAdopt: what uses another's computation depends on what that does, and expires with it.
func TestAdopt(t *testing.T) {
	d := newDomain(t)
	a := []store.Tag{d.Tag("a")}
	ctx, of := coherence.Record(bg)
	d.Lookup(ctx, "k", a, false)
	soon := time.Now().Add(time.Minute)
	coherence.Expire(ctx, soon)
	user, rec := coherence.Record(bg)
	coherence.Expire(user, soon.Add(time.Hour))
	coherence.Adopt(user, of)
	if !rec.Expires().Equal(soon) || !d.FillRecorded(bg, "user", rec, "v", 8, 0) {
		t.Fatal(rec.Spoiled(), rec.Expires())
	}
	ok(t, d.Announce(bg, a))
	want(t, d, "user", nil, "x", "x", coherence.Miss)
	coherence.Spoil(ctx, "now()")
	coherence.Adopt(user, of)
	if rec.Spoiled() != "now()" {
		t.Error(rec.Spoiled())
	}
}

// TestExpire: what is computed lives no longer than its parts, and than Options.Longest.
func TestExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := coherence.NewDomain(memory.New(1<<20), "db", coherence.Options{TTL: time.Minute, Longest: time.Hour})
		keep := func(key string, part, ttl time.Duration) {
			outer, rec := coherence.Record(bg)
			ctx, _ := coherence.Record(outer)
			d.Depend(ctx, nil)
			if part > 0 {
				coherence.Expire(ctx, time.Now().Add(part))
			}
			if !d.FillRecorded(bg, key, rec, "v", 8, ttl) {
				t.Fatal(key, rec.Spoiled())
			}
		}
		keep("as it is", 0, 0)
		keep("asked for", 0, 10*time.Minute)
		keep("too long", 0, 2*time.Hour)
		keep("a part", time.Second, 10*time.Minute)
		keep("a part that lasts", 3*time.Minute, 0)
		for _, c := range []struct {
			at   time.Duration
			gone string
		}{{time.Second, "a part"}, {time.Minute, "as it is"}, {10 * time.Minute, "asked for"}, {time.Hour, "too long"}} {
			early := time.Millisecond
			if c.at >= 10*time.Minute { // memory lets what lives long go a little early
				early = 3 * time.Second
			}
			time.Sleep(c.at - early - sinceStart())
			if d.Entry(bg, c.gone) == nil {
				t.Errorf("%s: gone before %v", c.gone, c.at)
			}
			time.Sleep(early + time.Millisecond)
			if d.Entry(bg, c.gone) != nil {
				t.Errorf("%s: there after %v", c.gone, c.at)
			}
		}
		coherence.Expire(bg, time.Now()) // no recording there
	})
}

// sinceStart is how long it is since the bubble began, at midnight of 2000-01-01.
func sinceStart() time.Duration {
	return time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
}

// TestSeal: what is read after a recording was sealed is told once, also by a recording inside of it; nothing is told of what ran apart.
func TestSeal(t *testing.T) {
	d := newDomain(t)
	a := []store.Tag{d.Tag("a")}
	for what, read := range map[string]func(ctx context.Context){
		"a miss":         func(ctx context.Context) { d.Lookup(ctx, "x", a, false) },
		"what is spoilt": func(ctx context.Context) { coherence.Spoil(ctx, "now()") },
		"inside":         func(ctx context.Context) { inner, _ := coherence.Record(ctx); d.Lookup(inner, "x", a, false) },
	} {
		ctx, rec := coherence.Record(bg)
		d.Lookup(ctx, "k", a, false)
		late := 0
		rec.Seal(func() { late++ })
		d.Lookup(coherence.Unrecorded(ctx), "k", a, false)
		if late != 0 {
			t.Errorf("%s: late without a read", what)
		}
		read(ctx)
		read(ctx)
		if late != 1 {
			t.Errorf("%s: told %d times", what, late)
		}
	}
}

// TestFencedBeside: a domain whose entries carry tags of another serves and keeps nothing while that one is fenced.
func TestFencedBeside(t *testing.T) {
	fenced := false
	d := coherence.NewDomain(memory.New(1<<20), "db", coherence.Options{Fenced: func() bool { return fenced }})
	a := []store.Tag{d.Tag("a")}
	ctx, rec := coherence.Record(bg)
	d.Lookup(ctx, "k", a, false)
	load(d, "k", a, 1)
	fenced = true
	if r := d.Lookup(bg, "k", a, false); r.Outcome != coherence.Held {
		t.Error(r.Outcome)
	}
	if _, is := d.Kept(bg, "k"); is || d.Entry(bg, "k") != nil || d.Stands(bg, rec) || d.FillRecorded(bg, "v", rec, 1, 8, 0) {
		t.Error("read or kept behind the fence")
	}
	fenced = false
	want(t, d, "k", a, 2, 1, coherence.Hit)
}
