package larder_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// A hookedStore calls a function before each step of plain values.
type hookedStore struct {
	*memory.Store
	before func(ops []store.PlainOp)
}

func (s *hookedStore) Plain(ctx context.Context, ops []store.PlainOp) {
	if s.before != nil {
		s.before(ops)
	}
	s.Store.Plain(ctx, ops)
}

// flights runs a test in a bubble, with a bucket whose store it may hook into.
func flights(t *testing.T, run func(t *testing.T, b *larder.Bucket[[]string], s *hookedStore)) {
	synctest.Test(t, func(t *testing.T) {
		s := &hookedStore{Store: memory.New(1 << 20)}
		c, err := larder.New(&larder.Options{Store: s, Name: "flights"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b, err := larder.NewBucket[[]string](c, "bucket", nil)
		if err != nil {
			t.Fatal(err)
		}
		run(t, b, s)
	})
}

// An outcome is what a caller of GetOrSet got.
type outcome struct {
	value    []string
	err      error
	panicked any
}

// call calls GetOrSet in a goroutine of its own.
func call(ctx context.Context, b *larder.Bucket[[]string], fn func(context.Context) ([]string, error)) <-chan outcome {
	got := make(chan outcome, 1)
	go func() {
		var o outcome
		returned := false
		defer func() {
			if !returned {
				o.panicked = recover()
			}
			got <- o
		}()
		o.value, o.err = b.GetOrSet(ctx, "key", fn)
		returned = true
	}()
	return got
}

// crowd has 20 callers at a time, of which one runs fn, when all are there.
func crowd(t *testing.T, b *larder.Bucket[[]string], runs *atomic.Int64, fn func() ([]string, error)) []outcome {
	start := make(chan struct{})
	var waiting []<-chan outcome
	for range 20 {
		waiting = append(waiting, call(t.Context(), b, func(context.Context) ([]string, error) {
			runs.Add(1)
			<-start
			return fn()
		}))
	}
	synctest.Wait()
	close(start)
	var all []outcome
	for _, w := range waiting {
		all = append(all, <-w)
	}
	return all
}

// TestGetOrSetIsOneFlight: of those who want the same at a time one makes it; each has a copy of its own.
func TestGetOrSetIsOneFlight(t *testing.T) {
	flights(t, func(t *testing.T, b *larder.Bucket[[]string], _ *hookedStore) {
		var runs atomic.Int64
		for i, o := range crowd(t, b, &runs, func() ([]string, error) { return []string{"made"}, nil }) {
			if o.err != nil || o.panicked != nil || len(o.value) != 1 || o.value[0] != "made" {
				t.Errorf("%+v", o)
				continue
			}
			o.value[0] = fmt.Sprint(i) // nobody else sees it
		}
		if runs.Load() != 1 {
			t.Errorf("it ran %d times", runs.Load())
		}
		if v, ok, err := b.Get(t.Context(), "key"); !ok || err != nil || v[0] != "made" {
			t.Error(v, ok, err)
		}
	})
}

// TestGetOrSetFails: an error, and a panic, reach all who wait, and aren't kept.
func TestGetOrSetFails(t *testing.T) {
	broken := errors.New("broken")
	for name, fn := range map[string]func() ([]string, error){
		"error": func() ([]string, error) { return []string{"half"}, broken },
		"panic": func() ([]string, error) { panic(broken) },
	} {
		t.Run(name, func(t *testing.T) {
			flights(t, func(t *testing.T, b *larder.Bucket[[]string], _ *hookedStore) {
				var runs atomic.Int64
				for _, o := range crowd(t, b, &runs, fn) {
					if name == "error" && !errors.Is(o.err, broken) || name == "panic" && o.panicked != any(broken) {
						t.Errorf("%+v", o)
					}
				}
				if runs.Load() != 1 {
					t.Errorf("it ran %d times", runs.Load())
				}
				if has, err := b.Has(t.Context(), "key"); has || err != nil {
					t.Error(has, err)
				}
				o := <-call(t.Context(), b, func(context.Context) ([]string, error) { return []string{"made"}, nil })
				if o.err != nil || o.panicked != nil || o.value[0] != "made" {
					t.Errorf("after that: %+v", o)
				}
			})
		})
	}
}

// TestGetOrSetIsLeft: if the one who makes it is gone, be it by its context or with its goroutine, another does.
func TestGetOrSetIsLeft(t *testing.T) {
	for name, leave := range map[string]func(context.Context, context.CancelFunc) error{
		"context":   func(ctx context.Context, cancel context.CancelFunc) error { cancel(); return ctx.Err() },
		"goroutine": func(context.Context, context.CancelFunc) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			flights(t, func(t *testing.T, b *larder.Bucket[[]string], _ *hookedStore) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				all := make(chan struct{})
				first := call(ctx, b, func(ctx context.Context) ([]string, error) { <-all; return nil, leave(ctx, cancel) })
				synctest.Wait()
				var runs atomic.Int64
				var others []<-chan outcome
				for range 5 {
					others = append(others, call(t.Context(), b, func(context.Context) ([]string, error) { runs.Add(1); return []string{"made"}, nil }))
				}
				synctest.Wait()
				if runs.Load() != 0 {
					t.Fatal("the others didn't wait: this test tests nothing")
				}
				close(all)
				for _, o := range others {
					if o := <-o; o.err != nil || len(o.value) != 1 {
						t.Errorf("%+v", o)
					}
				}
				if o := <-first; o.value != nil || name == "context" && !errors.Is(o.err, context.Canceled) {
					t.Errorf("the first one: %+v", o)
				}
				if runs.Load() != 1 {
					t.Errorf("%d of the others made it", runs.Load())
				}
			})
		})
	}
}

// TestGetOrSetEndsWithContext: who waits goes when its own context ends; what is made stays.
func TestGetOrSetEndsWithContext(t *testing.T) {
	flights(t, func(t *testing.T, b *larder.Bucket[[]string], _ *hookedStore) {
		start := make(chan struct{})
		first := call(t.Context(), b, func(context.Context) ([]string, error) { <-start; return []string{"made"}, nil })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if o := <-call(ctx, b, func(context.Context) ([]string, error) { t.Error("it is made twice"); return nil, nil }); !errors.Is(o.err, context.DeadlineExceeded) {
			t.Errorf("%+v", o)
		}
		close(start)
		if o := <-first; o.err != nil || o.value[0] != "made" {
			t.Errorf("%+v", o)
		}
	})
}

// TestGetOrSetMeetsWriters: a value that was set meanwhile is returned; what was begun before a Clear isn't found after it, nor
// waited for.
func TestGetOrSetMeetsWriters(t *testing.T) {
	flights(t, func(t *testing.T, b *larder.Bucket[[]string], _ *hookedStore) {
		v, err := b.GetOrSet(t.Context(), "key", func(ctx context.Context) ([]string, error) {
			return []string{"made"}, b.Set(ctx, "key", []string{"set"})
		})
		if err != nil || v[0] != "set" {
			t.Errorf("%q, %v", v, err)
		}
		v, err = b.GetOrSet(t.Context(), "other", func(ctx context.Context) ([]string, error) {
			if err := b.Clear(ctx); err != nil {
				return nil, err
			}
			v, err := b.GetOrSet(ctx, "other", func(context.Context) ([]string, error) { return []string{"after"}, nil })
			if err != nil || v[0] != "after" {
				t.Errorf("after clear: %q, %v", v, err)
			}
			return []string{"before"}, err
		})
		if err != nil || v[0] != "before" {
			t.Errorf("%q, %v", v, err)
		}
		if v, ok, err := b.Get(t.Context(), "other"); !ok || err != nil || v[0] != "after" {
			t.Errorf("%q, %v, %v", v, ok, err)
		}
	})
}

// TestGetOrSetAfterLanding: who has looked before a flight landed, and boards after it, finds what it has made.
func TestGetOrSetAfterLanding(t *testing.T) {
	flights(t, func(t *testing.T, b *larder.Bucket[[]string], s *hookedStore) {
		made := func(context.Context) ([]string, error) { return []string{"made"}, nil }
		looks := 0
		s.before = func(ops []store.PlainOp) {
			if strings.HasSuffix(ops[0].Key, "key") && ops[0].Verb == store.PlainGet {
				if looks++; looks == 2 { // the first look has found nothing
					s.before = nil
					if o := <-call(t.Context(), otherBucket(t, s), made); o.err != nil {
						t.Error(o.err)
					}
				}
			}
		}
		v, err := b.GetOrSet(t.Context(), "key", func(context.Context) ([]string, error) { t.Error("it is made twice"); return nil, nil })
		if err != nil || len(v) != 1 {
			t.Errorf("%q, %v", v, err)
		}
	})
}

// otherBucket is that of another process.
func otherBucket(t *testing.T, s store.Store) *larder.Bucket[[]string] {
	c, err := larder.New(&larder.Options{Store: s, Name: "flights"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	b, err := larder.NewBucket[[]string](c, "bucket", nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGetOrSetOfOtherTypes: buckets of one namespace and different types wait for no value of the other's.
func TestGetOrSetOfOtherTypes(t *testing.T) {
	c, err := larder.New(&larder.Options{Store: memory.New(0)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	words, err := larder.NewBucket[string](c, "bucket", nil)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := larder.NewBucket[int](c, "bucket", nil)
	if err != nil {
		t.Fatal(err)
	}
	both := make(chan struct{}, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		v, err := words.GetOrSet(t.Context(), "key", func(context.Context) (string, error) { <-both; return "word", nil })
		if err != nil || v != "word" && v != "7" { // that of the other, if it was kept first
			t.Error(v, err)
		}
	})
	v, err := numbers.GetOrSet(t.Context(), "key", func(context.Context) (int, error) { both <- struct{}{}; return 7, nil })
	if err != nil || v != 7 {
		t.Error(v, err)
	}
	wg.Wait()
	anything, err := larder.NewBucket[any](c, "bucket", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := anything.GetOrSet(t.Context(), "strange", func(context.Context) (any, error) { return func() {}, nil }); err == nil {
		t.Error("what can't be written is an error, as nobody else could have it")
	}
}
