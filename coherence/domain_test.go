package coherence_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

var bg = context.Background()

func newDomain(t testing.TB) *coherence.Domain {
	t.Helper()
	d, _ := newDomainAt(t, coherence.Options{})
	return d
}

// newDomainAt returns a domain with the clock of its store.
func newDomainAt(t testing.TB, o coherence.Options) (*coherence.Domain, *time.Duration) {
	t.Helper()
	now := new(time.Duration)
	s := memory.NewWithClock(8<<20, func() time.Duration { return *now })
	t.Cleanup(func() { s.Close() })
	return coherence.NewDomain(s, "db", o), now
}

// load is the read path: it returns the value and how it was come by.
func load(d *coherence.Domain, key string, tags []store.Tag, db any) (any, coherence.Outcome) {
	r := d.Lookup(bg, key, tags, true)
	defer r.Done()
	if r.Outcome == coherence.Hit {
		return r.Value, r.Outcome
	}
	r.Fill(bg, db, 8, 0)
	return db, r.Outcome
}

func want(t testing.TB, d *coherence.Domain, key string, tags []store.Tag, db any, value any, o coherence.Outcome) {
	t.Helper()
	if v, got := load(d, key, tags, db); v != value || got != o {
		t.Fatalf("read of %q: %v %v, want %v %v", key, got, v, o, value)
	}
}

func hold(t testing.TB, d *coherence.Domain, tags ...store.Tag) *coherence.Hold {
	t.Helper()
	h, err := d.Hold(bg, tags)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadAndWrite(t *testing.T) {
	d := newDomain(t)
	tags := []store.Tag{d.Tag("stuff?"), d.Tag("users?")}
	want(t, d, "k", tags, 1, 1, coherence.Miss)
	want(t, d, "k", tags, 2, 1, coherence.Hit)
	h := hold(t, d, tags[1])
	want(t, d, "k", tags, 2, 2, coherence.Held)
	want(t, d, "k", tags, 3, 3, coherence.Held)
	ok(t, h.Release(bg))
	want(t, d, "k", tags, 3, 3, coherence.Miss)
	want(t, d, "k", tags, 4, 3, coherence.Hit)
	ok(t, h.Release(bg)) // nothing is left to release
	want(t, d, "k", tags, 4, 3, coherence.Hit)
}

func TestRollbackReleases(t *testing.T) {
	d := newDomain(t)
	tags := []store.Tag{d.Tag("stuff?")}
	h := hold(t, d, tags...)
	ok(t, h.Rollback(bg))
	want(t, d, "k", tags, 1, 1, coherence.Miss)
	want(t, d, "k", tags, 2, 1, coherence.Hit)
}

func TestAbandonLapses(t *testing.T) {
	d, now := newDomainAt(t, coherence.Options{Lease: time.Second})
	tags := []store.Tag{d.Tag("stuff?")}
	want(t, d, "k", tags, 1, 1, coherence.Miss)
	h := hold(t, d, tags...)
	*now += time.Hour
	want(t, d, "k", tags, 2, 2, coherence.Held)
	h.Abandon()
	ok(t, h.Release(bg)) // has been ended already
	*now += time.Second - 1
	want(t, d, "k", tags, 2, 2, coherence.Held)
	*now++
	want(t, d, "k", tags, 2, 2, coherence.Miss)
	want(t, d, "k", tags, 3, 2, coherence.Hit)
}

func TestAnnounce(t *testing.T) {
	d := newDomain(t)
	tags := []store.Tag{d.Tag("stuff?")}
	want(t, d, "k", tags, 1, 1, coherence.Miss)
	ok(t, d.Announce(bg, tags))
	ok(t, d.Announce(bg, nil))
	want(t, d, "k", tags, 2, 2, coherence.Miss)
}

func TestAnnounceBetweenLookupAndFill(t *testing.T) {
	d := newDomain(t)
	tags := []store.Tag{d.Tag("stuff?")}
	r := d.Lookup(bg, "k", tags, true)
	ok(t, d.Announce(bg, tags))
	r.Fill(bg, 1, 8, 0)
	r.Done()
	want(t, d, "k", tags, 2, 2, coherence.Miss)
}

func TestObserve(t *testing.T) {
	d := newDomain(t)
	tags := []store.Tag{d.Tag("a"), d.Tag("b")}
	before, held, err := d.Observe(bg, tags)
	ok(t, err)
	if held || len(before) != 2 {
		t.Fatalf("observed %v, held %v", before, held)
	}
	h := hold(t, d, tags[0])
	during, held, err := d.Observe(bg, tags)
	ok(t, err)
	if !held || during[0] == before[0] || during[1] != before[1] {
		t.Fatalf("under hold: %v then %v, held %v", before, during, held)
	}
	ok(t, h.Release(bg))
}

func TestNoTags(t *testing.T) {
	d := newDomain(t)
	h, err := d.Hold(bg, nil)
	if h != nil || err != nil {
		t.Fatalf("hold of nothing: %v, %v", h, err)
	}
	ok(t, h.Release(bg))
	ok(t, h.Rollback(bg))
	ok(t, h.ReleaseAfterWriters(bg, nil))
	h.Abandon()
	want(t, d, "unknown", nil, 1, 1, coherence.Miss)
	want(t, d, "unknown", nil, 2, 2, coherence.Miss)
	want(t, d, "constant", []store.Tag{}, 1, 1, coherence.Miss)
	want(t, d, "constant", []store.Tag{}, 2, 1, coherence.Hit)
}

func TestHoldKeepsItsTags(t *testing.T) {
	d := newDomain(t)
	tags := []store.Tag{d.Tag("a")}
	h := hold(t, d, tags...)
	tags[0] = d.Tag("b")
	ok(t, h.Release(bg))
	if _, held, _ := d.Observe(bg, []store.Tag{d.Tag("a")}); held {
		t.Fatal("still held after the caller has changed its slice")
	}
}

func TestDomainsNeverMeet(t *testing.T) {
	names := []string{"", "a", "a:", "1:a", "a\x001", "1:", ":", "11:a"}
	seen := make(map[string]string)
	for _, name := range names {
		d := coherence.NewDomain(memory.New(0), name, coherence.Options{})
		for _, tag := range append(names, "x", "stuff?") {
			full, who := string(d.Tag(tag)), name+"|"+tag
			if other, ok := seen[full]; ok {
				t.Fatalf("%q and %q have the tag %q", other, who, full)
			}
			seen[full] = who
		}
	}
}

func TestTTL(t *testing.T) {
	d, now := newDomainAt(t, coherence.Options{TTL: time.Minute})
	tags := []store.Tag{d.Tag("stuff?")}
	fill := func(key string, ttl time.Duration) {
		r := d.Lookup(bg, key, tags, false)
		if !r.Fill(bg, key, 8, ttl) {
			t.Fatalf("%q not kept", key)
		}
	}
	fill("default", 0)
	fill("short", time.Second)
	fill("too long", time.Hour)
	*now = time.Second
	want(t, d, "short", tags, 1, 1, coherence.Miss)
	want(t, d, "default", tags, 1, "default", coherence.Hit)
	*now = time.Minute
	want(t, d, "default", tags, 1, 1, coherence.Miss)
	want(t, d, "too long", tags, 1, 1, coherence.Miss)
}

func TestForget(t *testing.T) {
	d := newDomain(t)
	tags := []store.Tag{d.Tag("stuff?")}
	want(t, d, "k", tags, 1, 1, coherence.Miss)
	want(t, d, "l", tags, 1, 1, coherence.Miss)
	d.Forget(bg, "k")
	want(t, d, "k", tags, 2, 2, coherence.Miss)
	want(t, d, "l", tags, 2, 1, coherence.Hit)
}

func TestNames(t *testing.T) {
	for o, want := range map[coherence.Outcome]string{
		coherence.Bypass: "bypass", coherence.Hit: "hit", coherence.Miss: "miss", coherence.Held: "held", 9: "outcome(9)",
	} {
		if o.String() != want {
			t.Errorf("outcome %d is %q, want %q", uint8(o), o, want)
		}
	}
	if len(coherence.Mutants()) != int(coherence.EarlyResume) {
		t.Errorf("%d mutants are listed", len(coherence.Mutants()))
	}
	if m := coherence.Mutant(99); m.String() != "Mutant(99)" || coherence.NoHold.String() != "NoHold" {
		t.Errorf("mutants are named %v, %v", m, coherence.NoHold)
	}
	d := newDomain(t)
	if tag := d.Tag("stuff?"); tag != store.Tag(d.Prefix()+"stuff?") {
		t.Errorf("tag %q, prefix %q", tag, d.Prefix())
	}
}

// TestStoreThatLeavesNoStepOut: a mutant that changes nothing would prove nothing.
func TestStoreThatLeavesNoStepOut(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic for a step that memory can't leave out")
		}
	}()
	coherence.NewDomain(memory.New(0), "db", coherence.Options{Mutant: coherence.HoldsFirst})
}

// A broken store fails in every method.
type broken struct{ store.Store }

var errBroken = errors.New("broken")

func (broken) Lookup(context.Context, string, []store.Tag) (store.View, error) {
	return store.View{Tokens: []store.Token{1}}, errBroken
}
func (broken) Fill(context.Context, string, *store.Entry, time.Duration) error { return errBroken }
func (broken) Hold(context.Context, store.HoldID, []store.Tag, time.Duration, *store.Look) error {
	return errBroken
}

func (broken) Renew(context.Context, store.HoldID, []store.Tag, time.Duration) error {
	return errBroken
}
func (broken) Release(context.Context, store.HoldID, []store.Tag) error { return errBroken }

func TestStoreFails(t *testing.T) {
	d := coherence.NewDomain(broken{}, "db", coherence.Options{})
	tags := []store.Tag{d.Tag("stuff?")}
	r := d.Lookup(bg, "k", tags, true)
	if r.Outcome != coherence.Miss || r.Fill(bg, 1, 8, 0) {
		t.Fatalf("outcome %v of a failing store, or a fill under unknown tokens", r.Outcome)
	}
	r.Done()
	if _, err := d.Hold(bg, tags); !errors.Is(err, errBroken) {
		t.Fatalf("hold: %v", err)
	}
	if err := d.Announce(bg, tags); !errors.Is(err, errBroken) {
		t.Fatalf("announce: %v", err)
	}
	if _, _, err := d.Observe(bg, tags); !errors.Is(err, errBroken) {
		t.Fatalf("observe: %v", err)
	}
}

// releaseFails is a store whose Release fails as long as it is told to.
type releaseFails struct {
	store.Store
	failing bool
}

func (s *releaseFails) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	if s.failing || ctx.Err() != nil {
		return errBroken
	}
	return s.Store.Release(ctx, id, tags)
}

func TestReleaseFailsAndIsTriedAgain(t *testing.T) {
	s := &releaseFails{memory.New(0), true}
	d := coherence.NewDomain(s, "db", coherence.Options{})
	tags := []store.Tag{d.Tag("stuff?")}
	h := hold(t, d, tags...)
	if err := h.Release(bg); !errors.Is(err, errBroken) {
		t.Fatalf("release: %v", err)
	}
	want(t, d, "k", tags, 1, 1, coherence.Held)
	s.failing = false
	ended, cancel := context.WithCancel(bg)
	cancel()
	ok(t, h.Release(ended)) // the write has happened, whoever still wants to know
	want(t, d, "k", tags, 1, 1, coherence.Miss)
}

// TestStandsAgain: facts that were found to stand are looked at again when something was held.
func TestStandsAgain(t *testing.T) {
	d := newDomain(t)
	r := relies(t, d)
	for range 2 {
		if !r.Stands(bg) {
			t.Fatal("it doesn't stand though nothing was done")
		}
	}
	h := hold(t, d, d.Tag("stuff?"))
	ok(t, h.Release(bg))
	if !r.Stands(bg) {
		t.Fatal("it doesn't stand after a write")
	}
	h = holdSchema(t, d)
	for range 2 {
		if r.Stands(bg) {
			t.Fatal("it stands though the schema is being changed")
		}
	}
	ok(t, h.ReleaseAfterWriters(bg, nil))
	if r.Stands(bg) || !relies(t, d).Stands(bg) {
		t.Fatal("it stands after the schema was changed, or the next doesn't")
	}
}
