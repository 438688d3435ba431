package coherence_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

const sharedLease = 30 * time.Second

// A common store is a memory store that several domains use as processes use a shared one. It counts calls, and
// fails while it is away.
type common struct {
	*memory.Store
	mu     sync.Mutex
	claims map[string]time.Time // guarded by mu, as what follows
	calls  []string
	away   bool
	takes  time.Duration // a release
	panics int           // so many releases
}

func newCommon() *common {
	return &common{Store: memory.New(8 << 20), claims: make(map[string]time.Time)}
}

var errAway = errors.New("the store is away")

func (c *common) call(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, name)
	if c.away {
		return errAway
	}
	return nil
}

func (c *common) set(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
}

// slow has each release take so long.
func (c *common) slow(takes time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takes = takes
}

// took returns the calls since it was asked last.
func (c *common) took() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

func (c *common) Lease() time.Duration { return sharedLease }

func (c *common) Claim(_ context.Context, key string, ttl time.Duration) (bool, error) {
	if err := c.call("claim"); err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.claims[key]) {
		return false, nil
	}
	c.claims[key] = time.Now().Add(ttl)
	return true, nil
}

func (c *common) Unclaim(_ context.Context, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.claims, key)
	return nil
}

func (c *common) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	if err := c.call("lookup"); err != nil {
		return store.View{}, err
	}
	return c.Store.Lookup(ctx, key, tags)
}

func (c *common) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	if err := c.call("fill"); err != nil {
		return err
	}
	return c.Store.Fill(ctx, key, e, ttl)
}

func (c *common) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	if err := c.call("hold"); err != nil {
		return err
	}
	if lease == 0 {
		lease = sharedLease // which nobody renews: this process is stopped whenever time passes
	}
	return c.Store.Hold(ctx, id, tags, lease, look)
}

func (c *common) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	if err := c.call("renew"); err != nil {
		return err
	}
	if lease == 0 {
		lease = sharedLease
	}
	return c.Store.Renew(ctx, id, tags, lease)
}

func (c *common) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	c.mu.Lock()
	takes, panics := c.takes, c.panics
	c.panics--
	c.mu.Unlock()
	if panics > 0 {
		panic("a release")
	}
	time.Sleep(takes)
	if err := c.call("release"); err != nil {
		return err
	}
	return c.Store.Release(ctx, id, tags)
}

func (c *common) Members(ctx context.Context, tag store.Tag) ([]string, store.Token, error) {
	if err := c.call("members"); err != nil {
		return nil, 0, err
	}
	return c.Store.Members(ctx, tag)
}

func (c *common) Holders(ctx context.Context, tag store.Tag) ([]store.HoldID, error) {
	if err := c.call("holders"); err != nil {
		return nil, err
	}
	return c.Store.Holders(ctx, tag)
}

// processes runs f with two domains over one store, where time passes when all wait.
func processes(t *testing.T, f func(t *testing.T, c *common, a, b *coherence.Domain)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommon()
		a, b := coherence.NewDomain(c, "db", coherence.Options{}), coherence.NewDomain(c, "db", coherence.Options{})
		defer a.Close()
		defer b.Close()
		f(t, c, a, b)
		synctest.Wait()
	})
}

// TestRoundTrips: a hit is one call of a shared store, a miss three with its claim, a write one before
// the commit and one after, whatever shapes are in use.
func TestRoundTrips(t *testing.T) {
	processes(t, func(t *testing.T, c *common, a, _ *coherence.Domain) {
		inUse(t, a, "user_id")
		loadRows(a, "k", ofOne, 1)
		write(t, a, writeOne)
		loadRows(a, "k2", ofOne, 1)
		c.took()
		for _, step := range []struct {
			do   func()
			want []string
		}{
			{func() { loadRows(a, "k3", ofOne, 1) }, []string{"lookup", "claim", "fill"}},
			{func() { loadRows(a, "k3", ofOne, 1) }, []string{"lookup"}},
			{func() { write(t, a, writeOne) }, []string{"hold", "release"}},
			{func() { loadRows(a, "k3", ofOne, 2) }, []string{"lookup", "claim", "fill"}},
		} {
			step.do()
			if got := c.took(); !slices.Equal(got, step.want) {
				t.Errorf("%q, want %q", got, step.want)
			}
		}
	})
}

// TestShapesThatAreRememberedWrongly: what another process has done to the shapes in use costs calls, never freshness.
func TestShapesThatAreRememberedWrongly(t *testing.T) {
	processes(t, func(t *testing.T, c *common, a, b *coherence.Domain) {
		write(t, b, writeOne) // b knows that no shape is in use
		inUse(t, a, "user_id")
		wantRows(t, a, "k", ofOne, "old", "old", coherence.Miss)
		wantRows(t, a, "k", ofOne, "new", "old", coherence.Hit)
		write(t, b, writeOne)
		wantRows(t, a, "k", ofOne, "new", "new", coherence.Miss)
		write(t, b, in(map[string][]string{"user_id": {"2"}}))
		wantRows(t, a, "k", ofOne, "newer", "new", coherence.Hit)
		write(t, b, wide) // R* has another token than a remembers
		wantRows(t, a, "k", ofOne, "newest", "newest", coherence.Miss)
		ok(t, c.Part(bg, a.Tag("stuff*"), "user_id"))
		ok(t, c.Part(bg, a.Tag("stuff*"), "user_id?"))
		wantRows(t, a, "k", ofOne, "last", "last", coherence.Miss)
	})
}

func relies(t *testing.T, d *coherence.Domain) *coherence.Reliance {
	t.Helper()
	r, err := d.Rely(bg)
	ok(t, err)
	if !r.Stands(bg) {
		t.Fatal("a new reliance doesn't stand")
	}
	return r
}

func holdSchema(t *testing.T, d *coherence.Domain) *coherence.Hold {
	t.Helper()
	h, err := d.HoldSchema(bg)
	ok(t, err)
	return h
}

// TestSchemaWaitsForOtherProcesses: nothing is kept until the other process relies on the schema no longer, and
// what it has begun by that has ended.
func TestSchemaWaitsForOtherProcesses(t *testing.T) {
	processes(t, func(t *testing.T, _ *common, a, b *coherence.Domain) {
		mine, theirs := relies(t, a), relies(t, b)
		writer := b.BeginWrite() // told by the schema as it was
		h := holdSchema(t, a)
		if mine.Stands(bg) {
			t.Error("who changes the schema relies on it")
		}
		if _, err := b.Rely(bg); !errors.Is(err, coherence.ErrSchemaChanging) {
			t.Errorf("rely beside a change: %v", err)
		}
		ok(t, h.ReleaseAfterWriters(bg, nil))
		all := []store.Tag{a.All()}
		for range 10 {
			time.Sleep(time.Second)
			want(t, a, "k", all, 1, 1, coherence.Held)
		}
		if theirs.Stands(bg) {
			t.Error("a process that has looked relies on the schema as it was")
		}
		writer.End()
		time.Sleep(3 * time.Second)
		want(t, a, "k", all, 1, 1, coherence.Miss)
		if again := relies(t, b); again.Same(theirs) {
			t.Error("the schema after the change is the one before")
		}
	})
}

// TestSchemaWithoutOthers: a process that is alone doesn't wait.
func TestSchemaWithoutOthers(t *testing.T) {
	processes(t, func(t *testing.T, _ *common, a, _ *coherence.Domain) {
		relies(t, a)
		ok(t, holdSchema(t, a).ReleaseAfterWriters(bg, nil))
		want(t, a, "k", []store.Tag{a.All()}, 1, 1, coherence.Miss)
	})
}

// TestStoppedProcessReliesOnNothing: a process that was stopped for longer than its lease must look first.
func TestStoppedProcessReliesOnNothing(t *testing.T) {
	now := new(time.Duration)
	c := newCommon()
	d := coherence.NewDomain(c, "db", coherence.Options{Now: func() time.Duration { return *now }})
	defer d.Close()
	r := relies(t, d)
	*now += sharedLease
	if r.Stands(bg) {
		t.Error("it stands after a lease without a look")
	}
}

// TestReadyMakesALapsedHoldAnew: also of what covers the shapes that came into use meanwhile.
func TestReadyMakesALapsedHoldAnew(t *testing.T) {
	processes(t, func(t *testing.T, c *common, a, b *coherence.Domain) {
		inUse(t, a, "id")
		h := holdRows(t, b, in(map[string][]string{"id": {"7"}}))
		ok(t, h.Ready(bg))
		time.Sleep(2 * sharedLease) // b is stopped
		inUse(t, b, "id", "user_id")
		wantRows(t, a, "k", ofOne, "old", "old", coherence.Miss)
		c.took()
		ok(t, h.Ready(bg))
		if calls := c.took(); !slices.Equal(calls, []string{"renew", "hold"}) {
			t.Errorf("%q", calls)
		}
		wantRows(t, a, "k", ofOne, "old", "old", coherence.Held)
		ok(t, h.Release(bg))
		wantRows(t, a, "k", ofOne, "new", "new", coherence.Miss)
	})
}

// TestFence: a process whose write the store doesn't know of reads nothing from it until it does.
func TestFence(t *testing.T) {
	ways := map[string]func(*coherence.Hold){
		"release":  func(h *coherence.Hold) { _ = h.Release(bg) },
		"abandon":  func(h *coherence.Hold) { h.Abandon() },
		"rollback": func(h *coherence.Hold) { _ = h.Rollback(bg) },
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			processes(t, func(t *testing.T, c *common, a, b *coherence.Domain) {
				tags := []store.Tag{a.Tag("stuff?")}
				want(t, a, "k", tags, "old", "old", coherence.Miss)
				c.set(true)
				h, err := a.Hold(bg, tags)
				if !errors.Is(err, errAway) || h == nil {
					t.Fatalf("hold: %v %v", h, err)
				}
				c.set(false) // it is back, and knows nothing of the write
				want(t, a, "k", tags, "new", "new", coherence.Held)
				c.set(true)
				end(h)
				c.set(false)
				if name == "rollback" { // nothing was written
					want(t, a, "k", tags, "old", "old", coherence.Hit)
					return
				}
				if a.Unannounced() != 1 {
					t.Errorf("%d writes aren't announced", a.Unannounced())
				}
				want(t, a, "k", tags, "new", "new", coherence.Held)
				time.Sleep(time.Minute)
				want(t, a, "k", tags, "new", "new", coherence.Miss)
				want(t, b, "k", tags, "x", "new", coherence.Hit)
				if a.Unannounced() != 0 {
					t.Errorf("%d writes aren't announced after all", a.Unannounced())
				}
			})
		})
	}
}

// TestFenceGathers: however many writes the store couldn't be told of, it is told of them at once.
func TestFenceGathers(t *testing.T) {
	processes(t, func(t *testing.T, c *common, a, b *coherence.Domain) {
		tags := []store.Tag{a.Tag("stuff?")}
		want(t, b, "k", tags, "old", "old", coherence.Miss)
		c.set(true)
		for range 1000 {
			h, _ := a.Hold(bg, tags)
			_ = h.Release(bg)
		}
		if n := a.Unannounced(); n != 1000 {
			t.Errorf("%d writes aren't announced, of 1000", n)
		}
		time.Sleep(10 * time.Second)
		c.set(false)
		c.took()
		time.Sleep(5 * time.Second)
		if calls := c.took(); !slices.Equal(calls, []string{"release"}) {
			t.Errorf("told by %q", calls)
		}
		want(t, b, "k", tags, "new", "new", coherence.Miss)
		if n := a.Unannounced(); n != 0 {
			t.Errorf("%d writes aren't announced after all", n)
		}
	})
}

// TestHeldAndNotReleased: a hold that the store has, but that can't be released, is released when it can be.
func TestHeldAndNotReleased(t *testing.T) {
	processes(t, func(t *testing.T, c *common, a, b *coherence.Domain) {
		tags := []store.Tag{a.Tag("stuff?")}
		h := hold(t, a, tags...)
		c.set(true)
		if err := h.Release(bg); !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		c.set(false)
		want(t, b, "k", tags, 1, 1, coherence.Held)
		time.Sleep(5 * time.Second)
		want(t, b, "k", tags, 1, 1, coherence.Miss)
		want(t, a, "k", tags, 2, 1, coherence.Hit)
	})
}

// TestOneProcessAsks: of the readers of all processes that miss a key one asks the database; if it
// dies, or keeps nothing, another does.
func TestOneProcessAsks(t *testing.T) {
	for name, owner := range map[string]func(r coherence.Read){
		"fills":         func(r coherence.Read) { r.Fill(bg, "value", 8, 0); r.Done() },
		"keeps nothing": func(r coherence.Read) { r.Done() },
		"dies":          func(coherence.Read) {},
	} {
		t.Run(name, func(t *testing.T) {
			processes(t, func(t *testing.T, c *common, a, b *coherence.Domain) {
				tags := []store.Tag{a.Tag("stuff?")}
				first := a.Lookup(bg, "k", tags, true)
				asked := make(chan int, 1)
				go func() {
					n := 0
					for range 25 {
						r := b.Lookup(bg, "k", tags, true)
						if r.Outcome != coherence.Hit {
							n++
							r.Fill(bg, "value", 8, 0)
						}
						r.Done()
					}
					asked <- n
				}()
				time.Sleep(50 * time.Millisecond)
				owner(first)
				want := map[string]int{"fills": 0, "keeps nothing": 1, "dies": 1}[name]
				if n := <-asked; n != want {
					t.Errorf("%d readers of another process have asked, want %d", n, want)
				}
			})
		})
	}
}
