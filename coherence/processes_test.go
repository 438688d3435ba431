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

// A member is one process's view of a store that several share: its holds last for a lease, and are
// renewed when keep is called.
type member struct {
	*memory.Store
	kept map[store.HoldID][]store.Tag
	cut  bool // the store can't be reached

	domain *coherence.Domain
	look   func(context.Context)
	tries  []func(context.Context) error
}

const memberLease = 30 * time.Second

var errCut = errors.New("the store can't be reached")

func (m *member) Lease() time.Duration { return memberLease }

func (m *member) Claim(context.Context, string, time.Duration) (bool, error) { return true, nil }

func (m *member) Unclaim(context.Context, string) error { return nil }

func (m *member) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	if m.cut {
		return errCut
	}
	if lease == 0 {
		m.kept[id] = append(m.kept[id], tags...)
		lease = memberLease
	}
	return m.Store.Hold(ctx, id, tags, lease, look)
}

func (m *member) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	if m.cut {
		return errCut
	}
	if lease > 0 {
		delete(m.kept, id)
	} else {
		lease = memberLease
	}
	return m.Store.Renew(ctx, id, tags, lease)
}

func (m *member) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	if m.cut {
		return errCut
	}
	delete(m.kept, id)
	return m.Store.Release(ctx, id, tags)
}

// keep renews what this process holds, as its store does each third of a lease.
func (m *member) keep(t *testing.T) {
	t.Helper()
	for id, tags := range m.kept {
		ok(t, m.Store.Renew(bg, id, tags, memberLease))
	}
}

// try does what is to be tried until it succeeds once more, and reports whether nothing is left of it.
func (m *member) try() bool {
	tries := m.tries
	m.tries = nil
	for _, try := range tries {
		if try(bg) != nil {
			m.tries = append(m.tries, try)
		}
	}
	return len(m.tries) == 0
}

// members are so many processes over one store, with its clock.
func members(t *testing.T, n int, mutant coherence.Mutant) ([]*member, *time.Duration) {
	t.Helper()
	now := new(time.Duration)
	s := memory.NewWithClock(8<<20, func() time.Duration { return *now })
	t.Cleanup(func() { s.Close() })
	list := make([]*member, n)
	for i := range list {
		m := &member{Store: s, kept: make(map[store.HoldID][]store.Tag)}
		m.domain = coherence.NewDomain(m, "db", coherence.Options{
			Lease: memberLease, Mutant: mutant,
			Now:   func() time.Duration { return *now },
			Retry: func(try func(context.Context) error) { m.tries = append(m.tries, try) },
			Watch: func(look func(context.Context)) func() { m.look = look; return func() {} },
		})
		list[i] = m
	}
	return list, now
}

// TestProcesses: faults in a row that few histories made up at random have. Each is covered by a step, without which it is not.
func TestProcesses(t *testing.T) {
	for _, c := range []struct {
		step    coherence.Mutant
		covered func(t *testing.T, m coherence.Mutant) bool
	}{
		{coherence.LapsedSchema, changeUnheld},
		{coherence.EternalReliance, stoppedReliance},
		{coherence.UnheldMove, changerKilled},
		{coherence.HastySchema, changeWaits},
		{coherence.NarrowInDoubt, shapeUnknown},
	} {
		t.Run(c.step.String(), func(t *testing.T) {
			if !c.covered(t, coherence.NoMutant) {
				t.Error("isn't covered")
			}
			if c.covered(t, c.step) {
				t.Error("is covered without the step")
			}
		})
	}
}

func rely(t *testing.T, m *member) *coherence.Reliance {
	t.Helper()
	r, err := m.domain.Rely(bg)
	ok(t, err)
	return r
}

// changeUnheld: the schema is changed by a process that can't reach the store at that time. When it can, the
// change is announced, although the others had seen nothing of it.
func changeUnheld(t *testing.T, m coherence.Mutant) bool {
	ps, _ := members(t, 2, m)
	relies, changes := ps[0], ps[1]
	rely(t, relies)
	changes.cut = true
	h, err := changes.domain.HoldSchema(bg)
	if err == nil {
		t.Fatal("a store that can't be reached has held")
	}
	ok(t, h.ReleaseAfterWriters(bg, nil))
	changes.try()
	changes.cut = false
	for range 3 {
		changes.try()
		relies.look(bg)
	}
	return changes.try() && changes.domain.Unannounced() == 0
}

// stoppedReliance: a process is stopped for longer than the lease, and the schema is changed meanwhile.
func stoppedReliance(t *testing.T, m coherence.Mutant) bool {
	ps, now := members(t, 2, m)
	stopped, changes := ps[0], ps[1]
	r := rely(t, stopped)
	*now += memberLease + time.Second
	h, err := changes.domain.HoldSchema(bg)
	ok(t, err)
	ok(t, h.ReleaseAfterWriters(bg, nil))
	if !changes.try() {
		t.Fatal("a change waits for who has been stopped for longer than the lease")
	}
	return !r.Stands(bg)
}

// changerKilled: the process that has changed the schema is killed, and a write that was told before lasts longer than its lease.
func changerKilled(t *testing.T, m coherence.Mutant) bool {
	ps, now := members(t, 3, m)
	writes, changes, reads := ps[0], ps[1], ps[2]
	r, w := rely(t, writes), writes.domain.BeginWrite()
	h, err := writes.domain.Hold(bg, []coherence.Tag{writes.domain.Tag("r0?")})
	ok(t, err)
	ok(t, h.Ready(bg, r))
	_, err = changes.domain.HoldSchema(bg) // a write of r0 writes r1 as well; nothing more is heard of it
	ok(t, err)
	writes.look(bg)
	for range 5 {
		*now += 10 * time.Second
		writes.keep(t)
	}
	tags := []coherence.Tag{reads.domain.Tag("r1?"), reads.domain.All()}
	load(reads.domain, "r1", tags, "old")
	value, _ := load(reads.domain, "r1", tags, "new") // the write has become visible, to reads that ask the database
	ok(t, h.Release(bg))
	w.End()
	if after, _ := load(reads.domain, "r1", tags, "new"); after != "new" {
		t.Error("a long write is announced by what it was told")
	}
	return value == "new"
}

// changeWaits: a change of the schema isn't announced as long as a write by the facts from before is under way.
func changeWaits(t *testing.T, m coherence.Mutant) bool {
	ps, _ := members(t, 2, m)
	writes, changes := ps[0], ps[1]
	r, w := rely(t, writes), writes.domain.BeginWrite()
	if !r.Stands(bg) {
		t.Fatal("facts that were read a moment ago don't stand")
	}
	h, err := changes.domain.HoldSchema(bg)
	ok(t, err)
	ok(t, h.ReleaseAfterWriters(bg, nil))
	waits := !changes.try()
	writes.look(bg)
	if waits = waits && !changes.try(); !waits {
		return false
	}
	w.End()
	if !changes.try() {
		t.Error("a change waits for ever")
	}
	return !r.Stands(bg)
}

// shapeUnknown: a write is made by a process that can't reach the store, and doesn't know of a shape that others have put in use.
func shapeUnknown(t *testing.T, m coherence.Mutant) bool {
	ps, _ := members(t, 2, m)
	writes, reads := ps[0], ps[1]
	writes.domain.Shapes(bg, "stuff") // none
	rows := []coherence.Rows{{Relation: "stuff", Shape: "user", Slices: []string{"1"}}}
	for _, key := range []string{"first", "second", "k"} {
		r := reads.domain.LookupRows(bg, key, []coherence.Tag{reads.domain.All()}, func() []coherence.Rows { return rows }, false)
		r.Fill(bg, "old", 8, 0)
		r.Done()
	}
	writes.cut = true
	change := coherence.Change{Relation: "stuff", Slices: func(string) ([]string, bool) { return []string{"1"}, true }}
	h, err := writes.domain.HoldChanges(bg, nil, []coherence.Change{change})
	if err == nil {
		t.Fatal("a store that can't be reached has held")
	}
	if h.Release(bg) == nil {
		t.Fatal("a store that can't be reached was told")
	}
	writes.cut = false
	if !writes.try() || writes.domain.Unannounced() != 0 {
		t.Fatal("the store isn't told")
	}
	r := reads.domain.Lookup(bg, "k", nil, false)
	return r.Outcome != coherence.Hit
}

// TestRolledBackChange: a change of the schema that didn't happen leaves nothing behind for which later ones wait.
func TestRolledBackChange(t *testing.T) {
	ps, _ := members(t, 2, coherence.NoMutant)
	rely(t, ps[0])
	h, err := ps[0].domain.HoldSchema(bg)
	ok(t, err)
	ok(t, h.Rollback(bg))
	h, err = ps[1].domain.HoldSchema(bg)
	ok(t, err)
	ok(t, h.ReleaseAfterWriters(bg, nil))
	if !ps[1].try() {
		t.Error("a change waits for one that was rolled back")
	}
}

// TestAbandonedChange: a change of the schema of unknown outcome, of which the store couldn't be told, lapses when it was.
func TestAbandonedChange(t *testing.T) {
	ps, now := members(t, 1, coherence.NoMutant)
	p := ps[0]
	p.cut = true
	h, err := p.domain.HoldSchema(bg)
	if err == nil {
		t.Fatal("a store that can't be reached has held")
	}
	h.AbandonAfterWriters(nil)
	p.cut = false
	if !p.try() || p.domain.Unannounced() != 0 {
		t.Error("it is tried on")
	}
	if _, err := p.domain.Rely(bg); !errors.Is(err, coherence.ErrSchemaChanging) {
		t.Errorf("the schema is relied on: %v", err)
	}
	*now += memberLease + time.Second
	rely(t, p)
}
