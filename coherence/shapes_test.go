package coherence_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// A between lets something happen before a call of the store, once.
type between struct {
	store.Store
	lookup, hold, join func()
	mutant             coherence.Mutant
	gone               []string // members that have parted and left the token as it was
}

func (s *between) Mutate(m coherence.Mutant) { s.mutant = m }

func once(f *func()) {
	if g := *f; g != nil {
		*f = nil
		g()
	}
}

func (s *between) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	if tags != nil { // they have been told
		once(&s.lookup)
	}
	return s.Store.Lookup(ctx, key, tags)
}

func (s *between) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	once(&s.hold)
	err := s.Store.Hold(ctx, id, tags, lease, look)
	if look != nil {
		for i := range look.Seen {
			look.Seen[i].Members = s.left(look.Seen[i].Members)
		}
	}
	return err
}

// left are the members that have not parted.
func (s *between) left(members []string) []string {
	return slices.DeleteFunc(slices.Clone(members), func(m string) bool { return slices.Contains(s.gone, m) })
}

// Join lets something happen before a shape is put in use, not before it is proposed.
func (s *between) Join(ctx context.Context, tag store.Tag, token store.Token, member string) (bool, error) {
	if member == "user_id" {
		once(&s.join)
	}
	if s.mutant == coherence.JoinWithoutToken {
		_, token, _ = s.Store.Members(ctx, tag)
	}
	return s.Store.Join(ctx, tag, token, member)
}

func (s *between) Part(ctx context.Context, tag store.Tag, member string) error {
	if s.mutant == coherence.PartKeepsToken {
		s.gone = append(s.gone, member)
		return nil
	}
	return s.Store.Part(ctx, tag, member)
}

func (s *between) Members(ctx context.Context, tag store.Tag) ([]string, store.Token, error) {
	members, token, err := s.Store.Members(ctx, tag)
	return s.left(members), token, err
}

var (
	ofOne    = rowsOf("user_id", "1")
	writeOne = in(map[string][]string{"user_id": {"1"}})
)

// shapeRaces change "old" in slice 1 to "new", each so that a step is needed.
var shapeRaces = []struct {
	without coherence.Mutant
	race    func(t *testing.T, s *between, d *coherence.Domain, now *time.Duration)
}{
	{coherence.MembersBeforeHold, func(t *testing.T, s *between, d *coherence.Domain, _ *time.Duration) {
		s.hold = func() {
			loadRows(d, "k", ofOne, "old")
			loadRows(d, "k2", ofOne, "old")
		}
		write(t, d, writeOne)
	}},
	{coherence.ShapeAfterRead, func(t *testing.T, _ *between, d *coherence.Domain, _ *time.Duration) {
		r := d.LookupRows(bg, "k2", nil, told(ofOne), true)
		write(t, d, writeOne)
		r.Fill(bg, "old", 8, 0)
		r.Done()
	}},
	{coherence.ShapeUnderHold, func(t *testing.T, _ *between, d *coherence.Domain, _ *time.Duration) {
		h := holdRows(t, d, writeOne)
		loadRows(d, "k", ofOne, "old")
		loadRows(d, "k2", ofOne, "old")
		ok(t, h.Release(bg))
	}},
	{coherence.AnyMembers, func(t *testing.T, s *between, d *coherence.Domain, _ *time.Duration) {
		inUse(t, d, "user_id")
		var h *coherence.Hold
		s.lookup = func() {
			ok(t, s.Part(bg, d.Tag("stuff*"), "user_id"))
			ok(t, s.Part(bg, d.Tag("stuff*"), "user_id?"))
			h = holdRows(t, d, writeOne)
		}
		loadRows(d, "k2", ofOne, "old")
		ok(t, h.Release(bg))
	}},
	{coherence.JoinWithoutToken, func(t *testing.T, s *between, d *coherence.Domain, _ *time.Duration) {
		var h *coherence.Hold
		s.join = func() {
			ok(t, s.Part(bg, d.Tag("stuff*"), "user_id?"))
			h = holdRows(t, d, writeOne)
		}
		loadRows(d, "k", ofOne, "old")
		loadRows(d, "k2", ofOne, "old")
		ok(t, h.Release(bg))
	}},
	{coherence.PartKeepsToken, func(t *testing.T, _ *between, d *coherence.Domain, now *time.Duration) {
		inUse(t, d, "user_id")
		loadRows(d, "k2", ofOne, "old")
		for _, key := range []string{"by id", "by id, again"} { // the first minute is not idle: the shape was used
			*now += time.Hour
			loadRows(d, key, rowsOf("id", "1"), "old")
		}
		if got := d.Shapes(bg, "stuff"); slices.Contains(got, "user_id") {
			t.Fatalf("shapes %q: none has given way", got)
		}
		write(t, d, writeOne)
	}},
}

// TestShapeSteps: each step by which shapes come into use, or go, is needed.
func TestShapeSteps(t *testing.T) {
	for _, r := range shapeRaces {
		t.Run(r.without.String(), func(t *testing.T) {
			for _, m := range []coherence.Mutant{coherence.NoMutant, r.without} {
				now := new(time.Duration)
				s := &between{Store: memory.New(8 << 20)}
				d := coherence.NewDomain(s, "db", coherence.Options{
					Mutant: m, Shapes: 1, Now: func() time.Duration { return *now },
				})
				r.race(t, s, d, now)
				got, _ := loadRows(d, "k2", ofOne, "new")
				if stale := got == "old"; stale != (m != coherence.NoMutant) {
					t.Errorf("%v: read %v", m, got)
				}
			}
		})
	}
}

// TestPanicWhilePutInUse: nobody is left waiting.
func TestPanicWhilePutInUse(t *testing.T) {
	s := &between{Store: memory.New(1 << 20), join: func() { panic("the store's") }}
	d := coherence.NewDomain(s, "db", coherence.Options{})
	func() {
		defer func() { _ = recover() }()
		d.LookupRows(bg, "k", nil, told(ofOne), true)
		t.Error("no panic: this test tests nothing")
	}()
	wantRows(t, d, "k", ofOne, 1, 1, coherence.Miss)
}

// TestRetireIdle: a shape in whose place others have come goes when it wasn't read by for a minute, and not twice in an hour.
func TestRetireIdle(t *testing.T) {
	var now time.Duration
	d := coherence.NewDomain(memory.NewWithClock(1<<20, func() time.Duration { return now }), "db", coherence.Options{Now: func() time.Duration { return now }})
	inUse(t, d, "user_id")
	has := func() bool {
		d.RetireIdle(bg, "stuff", []string{"user_id"})
		return slices.Contains(d.Shapes(bg, "stuff"), "user_id")
	}
	for minute := range 3 {
		now += time.Minute
		loadRows(d, "k"+string(rune('a'+minute)), ofOne, "old")
		if !has() {
			t.Fatalf("it has gone in minute %d, though it is used", minute)
		}
	}
	if now += time.Minute; has() {
		t.Fatal("it is in use, though nobody reads by it")
	}
	loadRows(d, "once more", ofOne, "old")
	for range 3 {
		now += time.Minute
		if !has() {
			t.Fatal("it has gone a second time in an hour")
		}
	}
	now += time.Hour
	has()
	if now += time.Minute; has() {
		t.Fatal("it is in use, though nobody has read by it for an hour")
	}
}

// TestWish: a read by one shape puts another in use for the next, and depends on no more than its own slices meanwhile. While
// somebody holds the relation who doesn't know of it, it isn't put in use: the result that a reader would keep by it is old.
func TestWish(t *testing.T) {
	for _, m := range []coherence.Mutant{coherence.NoMutant, coherence.ShapeUnderHold} {
		t.Run(m.String(), func(t *testing.T) {
			d := coherence.NewDomain(memory.New(1<<20), "db", coherence.Options{Mutant: m})
			inUse(t, d, "user_id")
			wishing := rowsOf("user_id", "1")
			wishing[0].Wish = "id"
			h := holdRows(t, d, in(map[string][]string{"user_id": {"2"}})) // of row 5
			loadRows(d, "k", wishing, "old")
			used := slices.Contains(d.InUse(bg, "stuff"), "id")
			loadRows(d, "row 5", rowsOf("id", "5"), "old") // before the writer commits
			ok(t, h.Release(bg))
			v, outcome := loadRows(d, "row 5", rowsOf("id", "5"), "new")
			if stale := outcome == coherence.Hit && v == "old"; stale != (m != coherence.NoMutant) || used != stale {
				t.Fatalf("in use under a hold: %t; then %v %v", used, v, outcome)
			}
			if m != coherence.NoMutant {
				return
			}
			if _, outcome := loadRows(d, "k", wishing, "old"); outcome != coherence.Hit {
				t.Errorf("a result by its own slices: %v after a write of others", outcome)
			}
			wishing[0].Slices = []string{"3"}
			loadRows(d, "k3", wishing, "old")
			if got := d.InUse(bg, "stuff"); !slices.Contains(got, "id") {
				t.Errorf("in use are %q when nobody holds the relation", got)
			}
			all := []coherence.Rows{{Relation: "stuff", Wish: "!seen"}}
			loadRows(d, "all", all, "old")
			if got := d.InUse(bg, "stuff"); !slices.Contains(got, "!seen") {
				t.Errorf("in use are %q after a read of all rows", got)
			}
		})
	}
}

// TestRetireIdleLeavesRoom: that shapes are looked at for retiring doesn't keep idle ones from giving way to others.
func TestRetireIdleLeavesRoom(t *testing.T) {
	var now time.Duration
	clock := func() time.Duration { return now }
	d := coherence.NewDomain(memory.NewWithClock(1<<20, clock), "db", coherence.Options{Now: clock, Shapes: 2})
	inUse(t, d, "user_id", "idle")
	for minute := range 4 {
		now += time.Minute
		loadRows(d, "k"+string(rune('a'+minute)), ofOne, "old")
		d.RetireIdle(bg, "stuff", []string{"user_id"})
		loadRows(d, "other"+string(rune('a'+minute)), rowsOf("other", "1"), "old")
	}
	if got := d.Shapes(bg, "stuff"); !slices.Contains(got, "other") || slices.Contains(got, "idle") {
		t.Errorf("shapes %q", got)
	}
}
