package memcached

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
)

// TestBusyStripe: a tag that is found missing comes into use although at each moment somebody holds another one of its stripe,
// and not before those have ended who may hold it without a mark.
func TestBusyStripe(t *testing.T) {
	for _, c := range []struct {
		name string
		skip step
		sees string // when it is found out
	}{
		{"whole", skipNothing, ""},
		{"stripes", skipStripes, "found missing"},
		{"tokens", skipTokens, "dropped again, another holds it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(Options{Addrs: []string{dbtest.Memcached(t).Addr()}, Namespace: t.Name(), TrustEmpty: true, Timeout: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			s.skip = c.skip
			if wrong := busyStripe(t.Context(), t, s); wrong != c.sees {
				t.Errorf("wrong when %q, want %q", wrong, c.sees)
			}
		})
	}
}

// busyStripe returns when a tag first counted as held, or as not held, and shouldn't.
func busyStripe(ctx context.Context, t *testing.T, s *Store) string {
	tag, busy := neighbours(s)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	hold := func(id store.HoldID, tag store.Tag) { t.Helper(); must(s.Hold(ctx, id, []store.Tag{tag}, 0, nil)) }
	release := func(id store.HoldID, tag store.Tag) { t.Helper(); must(s.Release(ctx, id, []store.Tag{tag})) }
	for _, now := range []struct {
		when string
		do   func()
		held bool
	}{
		{"found missing", func() { hold(1, tag); hold(2, busy) }, true},
		{"who came first holds it", func() { hold(3, busy); release(2, busy) }, true},
		{"those who came first have ended", func() { hold(4, busy); release(3, busy); release(1, tag) }, false},
		{"held with a mark", func() { hold(5, tag) }, true},
		{"dropped", func() { must(s.EvictTag(tag)) }, true},
		{"who came first holds it still", func() { hold(6, busy); release(4, busy) }, true},
		{"dropped again, another holds it", func() { hold(7, tag); must(s.EvictTag(tag)); release(5, tag) }, true},
		{"all have ended", func() { hold(8, busy); release(6, busy); release(7, tag) }, false},
	} {
		now.do()
		v, err := s.Lookup(ctx, "", []store.Tag{tag})
		must(err)
		if v.Held != now.held {
			return now.when
		}
	}
	return ""
}

// neighbours returns two tags of one stripe.
func neighbours(s *Store) (one, other store.Tag) {
	of := make(map[stripe]store.Tag)
	for i := 0; ; i++ {
		tag := store.Tag(fmt.Sprint("tag", i))
		st := s.stripeOf(string(tag))
		if of[st] != "" {
			return of[st], tag
		}
		of[st] = tag
	}
}

func manyTags(n int) []store.Tag {
	tags := make([]store.Tag, n)
	for i := range tags {
		tags[i] = store.Tag(fmt.Sprint("tag", i))
	}
	return tags
}

// TestRenewAmongDrops: a hold whose mark a stripe has lost isn't whole if its tag was dropped, and made by another, before the stripe had the mark again.
func TestRenewAmongDrops(t *testing.T) {
	addr := dbtest.Memcached(t).Addr()
	open := func() *Store {
		s, err := Open(Options{Addrs: []string{addr}, Namespace: t.Name(), TrustEmpty: true, Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	writer, reader := open(), open()
	tag := []store.Tag{"x"}
	lapsed := 0
	for id := store.HoldID(1); id <= 500; id++ {
		if _, err := writer.Lookup(t.Context(), "", tag); err != nil {
			t.Fatal(err)
		}
		if err := writer.Hold(t.Context(), id, tag, 0, nil); err != nil {
			t.Fatal(err)
		}
		_ = writer.EvictStripe(tag[0])
		made := make(chan error)
		go func() {
			for range rand.IntN(4) {
				runtime.Gosched()
			}
			_ = reader.EvictTag(tag[0])
			_, err := reader.Lookup(context.Background(), "", tag)
			made <- err
		}()
		renewed := writer.renew(t.Context(), id, tag, 0)
		if err := <-made; err != nil {
			t.Fatal(err)
		}
		switch v, err := reader.Lookup(t.Context(), "", tag); {
		case err != nil:
			t.Fatal(err)
		case errors.Is(renewed, store.ErrLapsed):
			lapsed++
		case renewed != nil:
			t.Fatal(renewed)
		case !v.Held:
			t.Fatalf("try %d: a hold counts as whole, and its tag as free", id)
		}
		if err := writer.Release(t.Context(), id, tag); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of 500 have lapsed", lapsed)
}
