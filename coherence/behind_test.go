package coherence_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// A store elsewhere is common as another process has it.
type elsewhere struct{ *common }

const onItsWay = 10 * time.Millisecond // a release

// behind runs f with a write that was acknowledged and whose release is on its way, and what ends it, in three domains: of
// the process that writes, of another of its databases, and of another process.
func behind(t *testing.T, f func(t *testing.T, c *common, own, beside, other *coherence.Domain, done chan error)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommon()
		own, beside := coherence.NewDomain(c, "db", coherence.Options{}), coherence.NewDomain(c, "values", coherence.Options{})
		other := coherence.NewDomain(&elsewhere{c}, "db", coherence.Options{})
		defer own.Close()
		defer beside.Close()
		defer other.Close()
		h := hold(t, own, own.Tag("stuff?"))
		c.slow(onItsWay)
		done, began := make(chan error, 1), time.Now()
		h.ReleaseBehind(bg, func(err error) { done <- err })
		if took := time.Since(began); took > 0 {
			t.Fatalf("it was waited for %v for the release", took)
		}
		f(t, c, own, beside, other, done)
		own.Settle(bg)
		synctest.Wait()
	})
}

// TestReleaseBehind: until the release has arrived its tags are held, for all but those of its own process, who wait for it.
func TestReleaseBehind(t *testing.T) {
	behind(t, func(t *testing.T, _ *common, own, beside, other *coherence.Domain, done chan error) {
		stuff, users := []store.Tag{own.Tag("stuff?")}, []store.Tag{own.Tag("users?")}
		began := time.Now()
		want(t, other, "k", stuff, "new", "new", coherence.Held)
		want(t, own, "users", users, "theirs", "theirs", coherence.Miss)
		want(t, own, "users", users, "", "theirs", coherence.Hit)
		if took := time.Since(began); took > 0 {
			t.Errorf("who reads something else, or elsewhere, has waited for %v", took)
		}
		want(t, own, "k", stuff, "new", "new", coherence.Miss)
		if took := time.Since(began); took != onItsWay {
			t.Errorf("who reads what was written has waited for %v, want %v", took, onItsWay)
		}
		want(t, other, "k", stuff, "", "new", coherence.Hit)
		ok(t, <-done)
	})
}

// TestRowsWaitForReleases: so does who reads rows, by shapes in use or along a route.
func TestRowsWaitForReleases(t *testing.T) {
	for _, along := range []bool{false, true} {
		t.Run(map[bool]string{false: "LookupRows", true: "LookupAlong"}[along], func(t *testing.T) {
			processes(t, func(t *testing.T, c *common, a, _ *coherence.Domain) {
				inUse(t, a, "user_id")
				to := routeTo(t, a, "2")
				h := holdRows(t, a, writeOne)
				c.slow(onItsWay)
				h.ReleaseBehind(bg, func(err error) { ok(t, err) })
				if along {
					if r, taken := a.LookupAlong(bg, "k", to, "1", true); !taken || r.Outcome != coherence.Miss {
						t.Errorf("the outcome is %v, the route taken: %v; want a miss that is kept", r.Outcome, taken)
					}
				} else {
					wantRows(t, a, "k", ofOne, "new", "new", coherence.Miss)
				}
				a.Settle(bg)
			})
		})
	}
}

// TestWaitsAreShort: a reader waits for a release no longer than a database takes to answer, and not again where he has waited in vain.
func TestWaitsAreShort(t *testing.T) {
	for name, keep := range map[string]func(c *common, d *coherence.Domain){
		"a slow release": func(c *common, _ *coherence.Domain) { c.slow(time.Second) },
		"another write": func(c *common, d *coherence.Domain) {
			c.slow(onItsWay)
			_, _ = d.Hold(bg, []store.Tag{d.Tag("stuff?")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			processes(t, func(t *testing.T, c *common, a, _ *coherence.Domain) {
				tags := []store.Tag{a.Tag("stuff?")}
				first := hold(t, a, tags...)
				keep(c, a)
				for i, waits := range []bool{true, false, true} {
					h := first
					if i > 0 {
						h = hold(t, a, tags...)
					}
					if i == 2 {
						time.Sleep(20 * time.Millisecond) // then one may wait again
					}
					h.ReleaseBehind(bg, func(err error) { ok(t, err) })
					began := time.Now()
					want(t, a, "k", tags, 1, 1, coherence.Held)
					if took := time.Since(began); took > 20*time.Millisecond || (took > 0) != waits {
						t.Errorf("reader %d has waited for %v", i, took)
					}
				}
				a.Settle(bg)
			})
		})
	}
}

// TestManyBehind: who comes when many releases are on their way waits for his own.
func TestManyBehind(t *testing.T) {
	processes(t, func(t *testing.T, c *common, a, _ *coherence.Domain) {
		c.slow(onItsWay)
		began := time.Now()
		for i := range 1025 {
			hold(t, a, a.Tag("stuff?")).ReleaseBehind(bg, func(err error) { ok(t, err) })
			if took := time.Since(began); (took > 0) != (i == 1024) {
				t.Fatalf("write %d was acknowledged after %v", i, took)
			}
		}
		a.Settle(bg)
	})
}

// TestReleaseBehindPanics: a panic of the store is a release that has failed, and one of who is told isn't the program's.
func TestReleaseBehindPanics(t *testing.T) {
	processes(t, func(t *testing.T, c *common, a, b *coherence.Domain) {
		tags := []store.Tag{a.Tag("stuff?")}
		h, done := hold(t, a, tags...), make(chan error, 1)
		c.panics = 3
		h.ReleaseBehind(bg, func(err error) { done <- err; panic("told") })
		if err := <-done; err == nil || a.Unannounced() != 1 {
			t.Errorf("error %v, %d writes are unannounced, want one", err, a.Unannounced())
		}
		a.Settle(bg)
		time.Sleep(5 * time.Second)
		want(t, b, "k", tags, 1, 1, coherence.Miss)
	})
}

// TestValuesWaitForReleases: so does another domain of the process in the store, which doesn't know the tags of what it asks for.
func TestValuesWaitForReleases(t *testing.T) {
	behind(t, func(t *testing.T, _ *common, own, beside, _ *coherence.Domain, done chan error) {
		ctx, rec := coherence.Record(bg)
		own.Depend(ctx, []store.Tag{own.Tag("stuff?")})
		if why := rec.Spoiled(); why != "" {
			t.Errorf("a value can't be kept: %s", why)
		}
		if !beside.FillRecorded(bg, "v", rec, "value", 8, 0) {
			t.Error("it isn't kept")
		}
		h := hold(t, own, own.Tag("stuff?"))
		h.ReleaseBehind(bg, func(error) {})
		if r := beside.Lookup(bg, "v", nil, false); r.Outcome != coherence.Miss {
			t.Errorf("a value is %v, want a miss", r.Outcome)
		}
	})
}

// TestSettle: who ends waits for what is on its way, from whichever domain of the store he asks, and whether or not that is closed.
func TestSettle(t *testing.T) {
	for name, settle := range map[string]func(c *common, own, beside *coherence.Domain){
		"the domain's":     func(_ *common, own, _ *coherence.Domain) { own.Settle(bg) },
		"another domain's": func(_ *common, _, beside *coherence.Domain) { beside.Settle(bg) },
		"the store's":      func(c *common, _, _ *coherence.Domain) { coherence.OnTheirWay(c)(bg) },
		"closed domains'": func(c *common, own, beside *coherence.Domain) {
			own.Close()
			beside.Close()
			coherence.OnTheirWay(c)(bg)
		},
	} {
		t.Run(name, func(t *testing.T) {
			behind(t, func(t *testing.T, c *common, own, beside, other *coherence.Domain, done chan error) {
				settle(c, own, beside)
				want(t, other, "k", []store.Tag{own.Tag("stuff?")}, "new", "new", coherence.Miss)
				ok(t, <-done)
			})
		})
	}
}

// TestSettleEnds: nobody waits for ever for a store that doesn't answer.
func TestSettleEnds(t *testing.T) {
	processes(t, func(t *testing.T, c *common, a, _ *coherence.Domain) {
		h := hold(t, a, a.Tag("stuff?"))
		c.slow(time.Hour)
		h.ReleaseBehind(bg, func(error) {})
		began := time.Now()
		a.Settle(bg)
		if took := time.Since(began); took != sharedLease {
			t.Errorf("it has waited for %v, want a lease", took)
		}
		time.Sleep(time.Hour)
	})
}

// TestImpatientReader: nobody waits for longer than he wants to.
func TestImpatientReader(t *testing.T) {
	behind(t, func(t *testing.T, _ *common, own, _, _ *coherence.Domain, done chan error) {
		ctx, cancel := context.WithTimeout(bg, onItsWay/2)
		defer cancel()
		tags := []store.Tag{own.Tag("stuff?")}
		if r := own.Lookup(ctx, "k", tags, true); r.Outcome != coherence.Held {
			t.Errorf("the outcome is %v, want held", r.Outcome)
		}
		want(t, own, "k", tags, "new", "new", coherence.Miss) // others wait all the same
		ok(t, <-done)
	})
}

// TestReleaseBehindFails: a release that doesn't arrive puts the fence up, and what is held stays so until it has.
func TestReleaseBehindFails(t *testing.T) {
	behind(t, func(t *testing.T, c *common, own, _, other *coherence.Domain, done chan error) {
		tags := []store.Tag{own.Tag("stuff?")}
		c.took()
		waits := make(chan coherence.Outcome)
		go func() { waits <- own.Lookup(bg, "k", tags, true).Outcome }()
		synctest.Wait()
		c.set(true)
		if got := <-waits; got != coherence.Held {
			t.Errorf("who has waited is told %v, want held", got)
		}
		if err := <-done; !errors.Is(err, errAway) {
			t.Fatal(err)
		}
		if n := own.Unannounced(); n != 1 {
			t.Errorf("%d writes are unannounced, want 1", n)
		}
		if n := len(slices.DeleteFunc(c.took(), func(call string) bool { return call != "lookup" })); n != 1 {
			t.Errorf("the store was looked at %d times, want once: the fence is up", n)
		}
		c.set(false)
		want(t, other, "k", tags, "new", "new", coherence.Held)
		want(t, own, "k", tags, "new", "new", coherence.Held)
		time.Sleep(5 * time.Second)
		want(t, other, "k", tags, "new", "new", coherence.Miss)
		want(t, own, "k", tags, "", "new", coherence.Hit)
	})
}

// TestWaitsForRelease: where the marks may not stand until the release is there, it is waited for.
func TestWaitsForRelease(t *testing.T) {
	for name, unsure := range map[string]func(t *testing.T, c *common, d *coherence.Domain) *coherence.Hold{
		"old": func(t *testing.T, c *common, d *coherence.Domain) *coherence.Hold {
			h := hold(t, d, d.Tag("stuff?"))
			time.Sleep(sharedLease / 3)
			return h
		},
		"not held": func(t *testing.T, c *common, d *coherence.Domain) *coherence.Hold {
			c.set(true)
			h, err := d.Hold(bg, []store.Tag{d.Tag("stuff?")})
			if !errors.Is(err, errAway) {
				t.Fatal(err)
			}
			c.set(false)
			return h
		},
		"nothing": func(*testing.T, *common, *coherence.Domain) *coherence.Hold { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			processes(t, func(t *testing.T, c *common, a, b *coherence.Domain) {
				h, told := unsure(t, c, a), false
				c.slow(onItsWay)
				h.ReleaseBehind(bg, func(err error) { ok(t, err); told = true })
				if !told {
					t.Error("it wasn't waited for")
				}
				want(t, b, "k", []store.Tag{a.Tag("stuff?")}, "new", "new", coherence.Miss)
			})
		})
	}
}

// TestStandsStillBehind: a process that stands still after its write was acknowledged, for longer than a lease, has nothing to doubt, and announces no more
// than it has written.
func TestStandsStillBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommon()
		var asked, stands atomic.Int64 // how often the time was asked for since it was to stand still
		d := coherence.NewDomain(c, "db", coherence.Options{Now: func() time.Duration {
			if stands.Load() > 0 && asked.Add(1) > 1 { // after the write was found to be firm
				return 2 * sharedLease
			}
			return 0
		}})
		defer d.Close()
		h, lapsed := hold(t, d, d.Tag("stuff?")), false
		want(t, d, "users", []store.Tag{d.Tag("users?"), d.All()}, "theirs", "theirs", coherence.Miss)
		c.took()
		stands.Store(1)
		h.ReleaseBehind(bg, func(err error) { ok(t, err); lapsed = h.Lapsed() })
		d.Settle(bg)
		if calls := c.took(); lapsed || !slices.Equal(calls, []string{"release"}) {
			t.Errorf("lapsed: %v, calls %q", lapsed, calls)
		}
		want(t, d, "users", []store.Tag{d.Tag("users?"), d.All()}, "", "theirs", coherence.Hit)
	})
}
