package larder

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store/memory"
)

// inQuiet runs f with a cache of its own where goroutines can be waited for until all of them block.
func inQuiet(t *testing.T, f func(t *testing.T, c *Cache)) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(&Options{Store: memory.New(1 << 20)})
		if err != nil {
			t.Fatal(err)
		}
		f(t, c)
	})
}

// result is what a call of Remember has come to.
type valueResult struct {
	value string
	err   error
	panic any
}

// beginValue remembers in a goroutine.
func beginValue(ctx context.Context, c *Cache, key string, load func(context.Context) (string, error), o *ValueOptions[string]) <-chan valueResult {
	out := make(chan valueResult, 1)
	go func() {
		var r valueResult
		defer func() {
			r.panic = recover()
			out <- r
		}()
		r.value, r.err = Remember(ctx, c, key, load, o)
	}()
	return out
}

var tagged = &ValueOptions[string]{Tags: []Tag{"t"}}

// TestOneLoadAtATime: who comes while a value is made waits, and gets it.
func TestOneLoadAtATime(t *testing.T) {
	inQuiet(t, func(t *testing.T, c *Cache) {
		release, n := make(chan struct{}), 0
		load := func(context.Context) (string, error) { n++; <-release; return fmt.Sprint(n), nil }
		var all []<-chan valueResult
		for range 50 {
			all = append(all, beginValue(t.Context(), c, "k", load, tagged))
		}
		synctest.Wait()
		close(release)
		for _, out := range all {
			if r := <-out; r.value != "1" || r.err != nil {
				t.Errorf("%+v", r)
			}
		}
		if n != 1 {
			t.Errorf("%d loads", n)
		}
	})
}

// TestOvertakenLoad: who comes after a change doesn't get what was begun before it, be that a value, an error or a panic; what comes
// then is made once for all of them.
func TestOvertakenLoad(t *testing.T) {
	for name, end := range map[string]func() (string, error){
		"value": func() (string, error) { return "old", nil },
		"error": func() (string, error) { return "", errors.New("old") },
		"panic": func() (string, error) { panic("old") },
	} {
		t.Run(name, func(t *testing.T) {
			inQuiet(t, func(t *testing.T, c *Cache) {
				release, n := make(chan struct{}), 0
				first := beginValue(t.Context(), c, "k", func(context.Context) (string, error) { <-release; return end() }, tagged)
				synctest.Wait()
				if err := c.Announce(t.Context(), "t"); err != nil {
					t.Fatal(err)
				}
				var later []<-chan valueResult
				for range 10 {
					later = append(later, beginValue(t.Context(), c, "k", func(context.Context) (string, error) { n++; return "new", nil }, tagged))
				}
				synctest.Wait()
				close(release)
				if r := <-first; r.value == "new" {
					t.Errorf("the first got %+v", r)
				}
				for _, out := range later {
					if r := <-out; r.value != "new" || r.err != nil || r.panic != nil {
						t.Errorf("a later one got %+v", r)
					}
				}
				if n != 1 {
					t.Errorf("%d later loads", n)
				}
			})
		})
	}
}

// TestFailuresReachAll: errors and panics reach those who have joined, and nothing is kept.
func TestFailuresReachAll(t *testing.T) {
	fail := errors.New("no luck")
	for name, end := range map[string]func() (string, error){
		"error": func() (string, error) { return "half", fail },
		"panic": func() (string, error) { panic(fail) },
	} {
		for _, o := range []*ValueOptions[string]{tagged, nil} {
			t.Run(fmt.Sprint(name, o != nil), func(t *testing.T) {
				inQuiet(t, func(t *testing.T, c *Cache) {
					release, n := make(chan struct{}), 0
					var all []<-chan valueResult
					for range 10 {
						all = append(all, beginValue(t.Context(), c, "k", func(context.Context) (string, error) { n++; <-release; return end() }, o))
					}
					synctest.Wait()
					close(release)
					for _, out := range all {
						if r := <-out; r.err != fail && r.panic != fail {
							t.Errorf("%+v", r)
						}
					}
					if n != 1 {
						t.Errorf("%d loads", n)
					}
					if v, err := Remember(t.Context(), c, "k", func(context.Context) (string, error) { return "well", nil }, o); v != "well" || err != nil {
						t.Error(v, err)
					}
				})
			})
		}
	}
}

// TestValueThatIsNotKeptIsNotShared: those who have waited for it make it by themselves, and not one after the other.
func TestValueThatIsNotKeptIsNotShared(t *testing.T) {
	inQuiet(t, func(t *testing.T, c *Cache) {
		var all []<-chan valueResult
		start := time.Now()
		for range 10 {
			all = append(all, beginValue(t.Context(), c, "k", func(context.Context) (string, error) { time.Sleep(time.Second); return "x", nil }, nil))
			synctest.Wait()
		}
		for _, out := range all {
			if r := <-out; r.value != "x" || r.err != nil {
				t.Errorf("%+v", r)
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("all took %v", took)
		}
	})
}

// TestCancelledCallers: who waits and is cancelled gets that error; who loads and is cancelled leaves the others to load.
func TestCancelledCallers(t *testing.T) {
	inQuiet(t, func(t *testing.T, c *Cache) {
		ctx, cancel := context.WithCancel(t.Context())
		waits, leave := context.WithCancel(t.Context())
		n := 0
		load := func(ctx context.Context) (string, error) {
			n++
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(time.Second):
				return "x", nil
			}
		}
		first := beginValue(ctx, c, "k", load, tagged)
		synctest.Wait()
		second := beginValue(waits, c, "k", load, tagged)
		third := beginValue(t.Context(), c, "k", load, tagged)
		synctest.Wait()
		leave()
		if r := <-second; !errors.Is(r.err, context.Canceled) {
			t.Errorf("who waits: %+v", r)
		}
		cancel()
		if r := <-first; !errors.Is(r.err, context.Canceled) {
			t.Errorf("who loads: %+v", r)
		}
		if r := <-third; r.value != "x" || r.err != nil {
			t.Errorf("the other: %+v", r)
		}
		if n != 2 {
			t.Errorf("%d loads", n)
		}
	})
}

// TestRecursion: a load that asks for its own value gets an error that says so, by itself, through others, or when two loads wait for each other.
func TestRecursion(t *testing.T) {
	inQuiet(t, func(t *testing.T, c *Cache) {
		get := func(ctx context.Context, key string, load func(context.Context) (string, error)) (string, error) {
			return Remember(ctx, c, key, load, tagged)
		}
		var self func(ctx context.Context) (string, error)
		self = func(ctx context.Context) (string, error) { return get(ctx, "self", self) }
		if _, err := self(t.Context()); !errors.Is(err, ErrRecursive) || !strings.Contains(err.Error(), `"self"`) {
			t.Errorf("by itself: %v", err)
		}
		if _, err := self(Refresh(t.Context())); !errors.Is(err, ErrRecursive) {
			t.Errorf("by itself, refreshed: %v", err)
		}
		var a, b func(ctx context.Context) (string, error)
		a = func(ctx context.Context) (string, error) { time.Sleep(time.Second); return get(ctx, "b", b) }
		b = func(ctx context.Context) (string, error) { time.Sleep(time.Second); return get(ctx, "a", a) }
		if _, err := get(t.Context(), "a", a); !errors.Is(err, ErrRecursive) {
			t.Errorf("through another: %v", err)
		}
		start := time.Now()
		one, other := beginValue(t.Context(), c, "a", a, tagged), beginValue(t.Context(), c, "b", b, tagged)
		for _, out := range []<-chan valueResult{one, other} {
			if r := <-out; !errors.Is(r.err, ErrRecursive) {
				t.Errorf("two that wait for each other: %+v", r)
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v", took)
		}
		if v, err := get(t.Context(), "a", func(ctx context.Context) (string, error) {
			return get(ctx, "b", func(context.Context) (string, error) { return "fine", nil })
		}); v != "fine" || err != nil {
			t.Error(v, err)
		}
	})
}

// TestWait: nobody waits longer than he would, for one that may wait for him.
func TestWait(t *testing.T) {
	inQuiet(t, func(t *testing.T, c *Cache) {
		release := make(chan struct{})
		first := beginValue(t.Context(), c, "k", func(context.Context) (string, error) { <-release; return "first", nil }, tagged)
		synctest.Wait()
		for _, o := range []*ValueOptions[string]{{Tags: tagged.Tags, Wait: time.Minute}, tagged} {
			start := time.Now()
			v, err := Remember(t.Context(), c, "k", func(context.Context) (string, error) { return "second", nil }, o)
			if v != "second" || err != nil {
				t.Error(v, err)
			}
			if took := time.Since(start); o.Wait != 0 && took != o.Wait {
				t.Errorf("it took %v", took)
			}
		}
		close(release)
		<-first
	})
}

// TestObserverAsks: an observer may ask for the value that it hears of, although that isn't kept.
func TestObserverAsks(t *testing.T) {
	inQuiet(t, func(t *testing.T, _ *Cache) {
		var c *Cache
		asked := false
		start := time.Now()
		load := func(context.Context) (string, error) { return "x", nil }
		c, err := New(&Options{Store: memory.New(1 << 20), Observe: func(ctx context.Context, e Event) {
			if asked {
				return
			}
			asked = true
			if v, err := Remember(ctx, c, "k", load, nil); v != "x" || err != nil {
				t.Error(v, err)
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		Remember(t.Context(), c, "k", load, nil)
		if took := time.Since(start); took != 0 {
			t.Errorf("it waited for itself for %v", took)
		}
	})
}

// TestNestedFlight: who has waited for a value depends on what it was made from.
func TestNestedFlight(t *testing.T) {
	inQuiet(t, func(t *testing.T, c *Cache) {
		release, n := make(chan struct{}), 0
		inner := func(ctx context.Context) (string, error) {
			return Remember(ctx, c, "inner", func(context.Context) (string, error) { <-release; return "x", nil }, tagged)
		}
		first := beginValue(t.Context(), c, "first", inner, nil)
		synctest.Wait()
		second := beginValue(t.Context(), c, "second", func(ctx context.Context) (string, error) { n++; return inner(ctx) }, nil)
		synctest.Wait()
		close(release)
		<-first
		<-second
		if x := c.ExplainValue(t.Context(), "second"); !x.Kept {
			t.Fatalf("%+v", x)
		}
		c.Announce(t.Context(), "t")
		if x := c.ExplainValue(t.Context(), "second"); x.Kept {
			t.Errorf("%+v", x)
		}
	})
}

// TestJoiningMutant: TestOvertakenLoad would see it if overtaken flights were joined.
func TestJoiningMutant(t *testing.T) {
	inQuiet(t, func(t *testing.T, c *Cache) {
		c.options.mutant = coherence.JoinOvertakenFlights
		release := make(chan struct{})
		beginValue(t.Context(), c, "k", func(context.Context) (string, error) { <-release; return "old", nil }, tagged)
		synctest.Wait()
		c.Announce(t.Context(), "t")
		later := beginValue(t.Context(), c, "k", func(context.Context) (string, error) { return "new", nil }, tagged)
		synctest.Wait()
		close(release)
		if r := <-later; r.value != "old" {
			t.Errorf("%+v: the mutant isn't one", r)
		}
	})
}
