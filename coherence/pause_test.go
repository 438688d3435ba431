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

// A pausing is lists of two users, who are told later, and a row by its id, which the text tells.
type pausing struct {
	*testing.T
	d     *coherence.Domain
	store *listening
	now   time.Duration
	db    int // what every read finds in the database
}

// A listening store tells of each hold, before it is made.
type listening struct {
	*memory.Store
	hear func()
}

func (l *listening) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	if l.hear != nil {
		l.hear()
	}
	return l.Store.Hold(ctx, id, tags, lease, look)
}

func newPausing(t *testing.T, m coherence.Mutant, policy coherence.PausePolicy) *pausing {
	p := &pausing{T: t, db: 1}
	clock := func() time.Duration { return p.now }
	p.store = &listening{Store: memory.NewWithClock(1<<20, clock)}
	p.d = coherence.NewDomain(p.store, "db", coherence.Options{Lease: time.Second, Mutant: m, Pauses: policy, Now: clock})
	for range 3 {
		p.read("42")
		p.read("7")
		p.row()
		write(t, p.d, in(map[string][]string{"id": {"3"}, "user_id": {"3"}})) // they are of the whole relation until this
	}
	p.want(coherence.Hit, "kept", "42", "7")
	return p
}

func (p *pausing) read(user string) coherence.Outcome {
	_, o := loadRows(p.d, "list "+user, rowsOf("user_id", user), p.db)
	return o
}

func (p *pausing) row() coherence.Outcome {
	_, o := loadRows(p.d, "row", rowsOf("id", "1"), p.db)
	return o
}

func (p *pausing) want(o coherence.Outcome, when string, users ...string) {
	p.Helper()
	for _, user := range users {
		if got := p.read(user); got != o {
			p.Errorf("%s: list of %s: %v, want %v", when, user, got, o)
		}
	}
}

// hold holds the row with id 2, of a user who isn't known yet.
func (p *pausing) hold() *coherence.Hold {
	p.Helper()
	changes := in(map[string][]string{"id": {"2"}})
	changes[0].Later = true
	return holdRows(p, p.d, changes)
}

func (p *pausing) tell(h *coherence.Hold) {
	p.Helper()
	ok(p, h.Tell(bg, in(map[string][]string{"id": {"2"}, "user_id": {"42"}})))
}

// TestPause: readers are kept from what isn't told, and from nothing else, until the slices are released.
func TestPause(t *testing.T) {
	p := newPausing(t, coherence.NoMutant, coherence.AlwaysPause)
	if !p.d.MayPause("stuff", []string{"user_id"}) {
		t.Fatal("nothing may be paused")
	}
	h := p.hold()
	p.want(coherence.Held, "paused", "42", "7")
	if o := p.row(); o != coherence.Hit {
		t.Errorf("another row: %v", o)
	}
	p.db = 2
	p.store.hear = func() { p.want(coherence.Held, "being told", "42", "7") }
	p.tell(h)
	p.store.hear = nil
	p.want(coherence.Held, "told", "42", "7")
	ok(t, h.Release(bg))
	p.want(coherence.Hit, "released", "7")
	p.want(coherence.Miss, "released", "42")
}

// TestPauseSeesMutants: a reader finds what was changed.
func TestPauseSeesMutants(t *testing.T) {
	for _, m := range []coherence.Mutant{coherence.NoMutant, coherence.NoPause, coherence.EarlyResume} {
		t.Run(m.String(), func(t *testing.T) {
			p, stale := newPausing(t, m, coherence.AlwaysPause), false
			look := func() { stale = stale || p.read("42") == coherence.Hit }
			h := p.hold()
			p.db = 2
			look()
			p.store.hear = look
			p.tell(h)
			ok(t, h.Release(bg))
			if stale != (m != coherence.NoMutant) {
				t.Errorf("a stale read: %v", stale)
			}
		})
	}
}

// TestPauseEnds: whatever becomes of the write.
func TestPauseEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*pausing, *coherence.Hold)
		want coherence.Outcome // of both lists
	}{
		{"rolled back", func(p *pausing, h *coherence.Hold) { ok(p, h.Rollback(bg)) }, coherence.Hit},
		{"not told", func(p *pausing, h *coherence.Hold) { ok(p, h.Release(bg)) }, coherence.Miss},
		{"told nothing", func(p *pausing, h *coherence.Hold) { ok(p, h.Tell(bg, in(nil))); ok(p, h.Release(bg)) }, coherence.Miss},
		{"told all", func(p *pausing, h *coherence.Hold) { ok(p, h.Tell(bg, wide)); ok(p, h.Release(bg)) }, coherence.Miss},
		{"rolled back after it was told", func(p *pausing, h *coherence.Hold) { p.tell(h); ok(p, h.Rollback(bg)); p.read("42") }, coherence.Hit},
		{"lost", func(p *pausing, h *coherence.Hold) { h.Abandon() }, coherence.Held},
		{"lost, and lapsed", func(p *pausing, h *coherence.Hold) { h.Abandon(); p.now += 2 * time.Second }, coherence.Miss},
		{"lost after it was told, and lapsed", func(p *pausing, h *coherence.Hold) { p.tell(h); h.Abandon(); p.now += 2 * time.Second }, coherence.Miss},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPausing(t, coherence.NoMutant, coherence.AlwaysPause)
			h := p.hold()
			c.end(p, h)
			p.want(c.want, "after it", "42", "7")
			ok(t, h.Release(bg)) // does nothing
			p.d.MayPause("stuff", []string{"user_id"})
		})
	}
}

// TestPauseOfProposed: a shape that is proposed when the write begins is paused, too.
func TestPauseOfProposed(t *testing.T) {
	p := newPausing(t, coherence.NoMutant, coherence.AlwaysPause)
	read := func() coherence.Outcome {
		_, o := loadRows(p.d, "by name", rowsOf("name", "bread"), p.db)
		return o
	}
	if o := read(); o != coherence.Miss { // proposes, and puts it in use
		t.Fatal(o)
	}
	h := p.hold()
	if o := read(); o != coherence.Held {
		t.Errorf("paused: %v", o)
	}
	p.tell(h)
	ok(t, h.Release(bg))
	p.db = 2
	if o := read(); o != coherence.Miss {
		t.Errorf("not told: %v", o)
	}
}

// TestPauseIsWaitedFor: who reads what a short pause keeps from them waits for its end, and finds what it found before, but for what was written.
func TestPauseIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPausing(t, coherence.NoMutant, coherence.CheapPauses)
		ends := map[string]struct {
			end   func(h *coherence.Hold)
			wants map[string]coherence.Outcome
		}{
			"released":    {func(h *coherence.Hold) { p.tell(h); ok(t, h.Release(bg)) }, map[string]coherence.Outcome{"7": coherence.Hit, "42": coherence.Miss}},
			"rolled back": {func(h *coherence.Hold) { ok(t, h.Rollback(bg)) }, map[string]coherence.Outcome{"7": coherence.Hit, "42": coherence.Hit}},
			"abandoned":   {func(h *coherence.Hold) { h.Abandon() }, map[string]coherence.Outcome{"7": coherence.Held, "42": coherence.Held}},
		}
		for name, c := range ends {
			h := p.hold()
			began, got := time.Now(), map[string]chan coherence.Outcome{}
			for user := range c.wants {
				found := make(chan coherence.Outcome, 1)
				got[user] = found
				go func() { found <- p.read(user) }()
			}
			synctest.Wait() // they wait
			time.Sleep(200 * time.Microsecond)
			c.end(h)
			for user, want := range c.wants {
				if o := <-got[user]; o != want {
					t.Errorf("%s: list of %s: %v, want %v", name, user, o, want)
				}
			}
			if took := time.Since(began); took != 200*time.Microsecond {
				t.Errorf("%s: they have waited for %v", name, took)
			}
			p.now += 2 * time.Second // beyond the lease
			p.read("7")
			p.read("42")
			p.want(coherence.Hit, name, "7", "42")
		}
		if n := p.d.Waits(); n != 6 {
			t.Errorf("%d reads have waited", n)
		}
	})
}

// TestPauseIsWaitedForOnce: a long pause is waited for by those who come before the first has waited in vain, by no one in a transaction, nor after its context
// has ended; the next one is waited for again.
func TestPauseIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPausing(t, coherence.NoMutant, coherence.AlwaysPause)
		took := func(ctx context.Context, join bool) time.Duration {
			began := time.Now()
			r := p.d.LookupRows(ctx, "list 7", []coherence.Tag{p.d.Tag("*")}, told(rowsOf("user_id", "7")), join)
			r.Done()
			if r.Outcome != coherence.Held {
				t.Errorf("%v, in a pause", r.Outcome)
			}
			return time.Since(began)
		}
		ended, cancel := context.WithCancel(bg)
		cancel()
		for range 3 {
			h := p.hold()
			if d := took(bg, false); d != 0 {
				t.Errorf("in a transaction it is waited for %v", d)
			}
			if d := took(ended, true); d != 0 {
				t.Errorf("after its context has ended it waits for %v", d)
			}
			if d := took(bg, true); d == 0 || d > 5*time.Millisecond {
				t.Errorf("the first waits for %v", d)
			}
			if d := took(bg, true); d != 0 {
				t.Errorf("the second waits for %v", d)
			}
			p.tell(h)
			ok(t, h.Release(bg))
			h = p.hold()
			if d := took(bg, true); d != 0 {
				t.Errorf("in the next pause one waits for %v, though none was short", d)
			}
			ok(t, h.Rollback(bg)) // it was
			near, cancel := context.WithTimeout(bg, 2*time.Millisecond)
			h = p.hold()
			if d := took(near, true); d != 0 {
				t.Errorf("one who has little time waits for %v", d)
			}
			cancel()
			ok(t, h.Rollback(bg))
		}
	})
}

// TestPauseOfShapes: who reads by several shapes waits no longer for all of them.
func TestPauseOfShapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := coherence.NewDomain(memory.New(1<<20), "db", coherence.Options{Pauses: coherence.AlwaysPause})
		var rows []coherence.Rows
		shapes := []string{"a", "b", "c", "d"}
		for _, shape := range shapes {
			rows = append(rows, coherence.Rows{Relation: "stuff of " + shape, Shape: shape, Slices: []string{"1"}})
		}
		for range 3 {
			loadRows(d, "k", rows, 1)
		}
		wantRows(t, d, "k", rows, 1, 1, coherence.Hit)
		for i, shape := range shapes { // the i-th is paused for so many times 0.9 ms
			h := holdRows(t, d, []coherence.Change{{Relation: "stuff of " + shape, Slices: func(string) ([]string, bool) { return nil, false }, Later: true}})
			go func() {
				time.Sleep(time.Duration(i+1) * 900 * time.Microsecond)
				ok(t, h.Rollback(bg))
			}()
		}
		began := time.Now()
		if _, o := loadRows(d, "k", rows, 1); o != coherence.Held {
			t.Errorf("%v, in a pause", o)
		}
		if d := time.Since(began); d != time.Millisecond {
			t.Errorf("it waits for %v", d)
		}
		synctest.Wait()
		time.Sleep(10 * time.Millisecond)
		loadRows(d, "k", rows, 1)
		wantRows(t, d, "k", rows, 1, 1, coherence.Hit)
	})
}

// TestPauseGivesWay: where readers are met there are no pauses for ever longer.
func TestPauseGivesWay(t *testing.T) {
	p := newPausing(t, coherence.NoMutant, coherence.CheapPauses)
	ask := func() bool { return p.d.MayPause("stuff", []string{"user_id"}) }
	for range 100 {
		if !ask() {
			t.Fatal("denied, though no reader was met")
		}
		h := p.hold()
		p.tell(h)
		ok(t, h.Release(bg))
	}
	last := 0
	for round := range 4 {
		denied := 0
		for !ask() {
			denied++
		}
		if round > 1 && denied < 2*last-1 {
			t.Errorf("round %d: denied %d times, %d before", round, denied, last)
		}
		last = denied
		h := p.hold()
		for range 20 {
			p.read("7")
		}
		ok(t, h.Rollback(bg))
		if ask() {
			t.Fatal("allowed, though readers were met")
		}
	}
	for range 3 { // of another shape that isn't known
		if !p.d.MayPause("stuff", []string{"name"}) || p.d.MayPause("stuff", []string{"name", "user_id"}) {
			t.Error("shapes are taken for each other")
		}
	}
	idle := newPausing(t, coherence.NoMutant, coherence.CheapPauses)
	for range 100 { // of writes that turn out to pause nothing
		idle.d.MayPause("stuff", []string{"user_id"})
	}
	h := idle.hold()
	for range 3 {
		idle.read("7")
	}
	ok(t, h.Rollback(bg))
	if idle.d.MayPause("stuff", []string{"user_id"}) {
		t.Error("credit was earned by writes that paused nothing")
	}
	if never := newPausing(t, coherence.NoMutant, coherence.NeverPause); never.d.MayPause("stuff", []string{"user_id"}) {
		t.Error("allowed where it never is")
	}
}
