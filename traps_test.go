package larder

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestTTLBoundsTheOuter: a value that is made of one with a TTL lives no longer, also if that was made for it.
func TestTTLBoundsTheOuter(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.stuff()
	var inner, outer loads
	count := func(context.Context) (int64, error) { return inner.n.Add(1), nil }
	short := &ValueOptions[int64]{TTL: 150 * time.Millisecond}
	whole := func(ctx context.Context) (string, error) {
		outer.n.Add(1)
		names, err := h.namesOf(h.db, &loads{}, 42)(ctx)
		if err != nil {
			return "", err
		}
		v, err := Remember(ctx, h.cache, "inner", count, short)
		return fmt.Sprint(names, v), err
	}
	wantValue(h, &outer, h.cache, "outer", "[bread] 1", true, whole)
	time.Sleep(300 * time.Millisecond)
	wantValue(h, &outer, h.cache, "outer", "[bread] 2", true, whole)
}

// TestRememberManyLeavesTheMap: the map that a load returns stays the program's.
func TestRememberManyLeavesTheMap(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.stuff()
	all := map[int]string{1: "a", 2: "b", 3: "c"}
	got, err := RememberMany(h.Context(), h.cache, func(k int) string { return fmt.Sprint("k", k) }, []int{1}, func(ctx context.Context, m []int) (map[int]string, error) {
		return all, nil
	})
	if len(all) != 3 {
		t.Errorf("the program's map is now %v; got %v %v", all, got, err)
	}
}

// TestGetOrSetShares: who has waited gets bytes of his own.
func TestGetOrSetShares(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	b, err := NewBucket[[]byte](h.cache, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	bad := 0
	for i := range 30 {
		key := fmt.Sprint(i)
		in, done := make(chan bool), make(chan string, 8)
		go func() {
			v, _ := b.GetOrSet(context.Background(), key, func(context.Context) ([]byte, error) {
				close(in)
				time.Sleep(2 * time.Millisecond)
				return []byte("right"), nil
			}, 0)
			copy(v, "WRONG")
		}()
		<-in
		for range 8 {
			go func() {
				v, _ := b.GetOrSet(context.Background(), key, func(context.Context) ([]byte, error) { return []byte("right"), nil }, 0)
				done <- string(v)
			}()
		}
		for range 8 {
			if <-done != "right" {
				bad++
			}
		}
	}
	if bad > 0 {
		t.Errorf("%d waiters got what the owner has changed", bad)
	}
}

// TestGetOrSetOfItself: a function that asks for what it makes is told so.
func TestGetOrSetOfItself(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	b, _ := NewBucket[string](h.cache, "x", nil)
	done := make(chan error)
	go func() {
		_, err := b.GetOrSet(context.Background(), "k", func(ctx context.Context) (string, error) {
			return b.GetOrSet(ctx, "k", func(context.Context) (string, error) { return "v", nil })
		})
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, ErrRecursive) {
			t.Error(err)
		}
	case <-time.After(8 * time.Second):
		t.Error("it waits for itself")
	}
}
