package memcached_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
)

// plainly does one op.
func plainly(t testing.TB, s *memcached.Store, op store.PlainOp) store.PlainOp {
	t.Helper()
	if op.TTL == 0 {
		op.TTL = time.Hour
	}
	ops := []store.PlainOp{op}
	s.Plain(t.Context(), ops)
	return ops[0]
}

func did(t testing.TB, s *memcached.Store, op store.PlainOp) store.PlainOp {
	t.Helper()
	op = plainly(t, s, op)
	if op.Err != nil || !op.Done {
		t.Fatalf("verb %d of %q: done %v, %v", op.Verb, op.Key, op.Done, op.Err)
	}
	return op
}

// TestCountsOfTwoProcesses come to their sum, and what they count expires when it has to, however often
// it is counted: each counter is, at each tick of the server's clock.
func TestCountsOfTwoProcesses(t *testing.T) {
	t.Parallel()
	a, b := twoProcesses(t, memcached.Options{Addrs: servers(t, 1), TrustEmpty: true})
	const ttl, each = 2 * time.Second, 100
	set := func(key string, ttl time.Duration) {
		did(t, a, store.PlainOp{Verb: store.PlainSet, Key: key, Value: []byte("0"), TTL: ttl})
	}
	set("sum", store.NoExpiry)
	var wg sync.WaitGroup
	for i := range 8 {
		key, s := fmt.Sprint("k", i), []*memcached.Store{a, b}[i%2]
		set(key, ttl)
		from := time.Now()
		wg.Go(func() {
			for n := 0; ; n++ {
				late := time.Since(from) > ttl*5/4
				op := plainly(t, s, store.PlainOp{Verb: store.PlainCount, Key: key, Delta: 1})
				if op.Err != nil || op.Done && late {
					t.Errorf("%s, after %v: done %v, %v", key, time.Since(from), op.Done, op.Err)
				}
				if !op.Done || late {
					return
				}
			}
		})
		wg.Go(func() {
			for range each {
				if op := plainly(t, s, store.PlainOp{Verb: store.PlainCount, Key: "sum", Delta: 3}); op.Err != nil || !op.Done {
					t.Errorf("sum: done %v, %v", op.Done, op.Err)
				}
			}
		})
	}
	wg.Wait()
	if op := did(t, b, store.PlainOp{Key: "sum"}); string(op.Found) != fmt.Sprint(8*each*3) {
		t.Errorf("the sum is %s, want %d", op.Found, 8*each*3)
	}
}

// TestClockIsDropped: who counts makes another.
func TestClockIsDropped(t *testing.T) {
	a, b := twoProcesses(t, memcached.Options{Addrs: servers(t, 1), TrustEmpty: true})
	did(t, a, store.PlainOp{Verb: store.PlainSet, Key: "k", Value: []byte("1")})
	for i := range 4 {
		s := []*memcached.Store{a, b}[i%2]
		if op := did(t, s, store.PlainOp{Verb: store.PlainCount, Key: "k", Delta: 1}); op.Sum != int64(i)+2 {
			t.Errorf("counts %d, want %d", op.Sum, i+2)
		}
		did(t, s, store.PlainOp{Verb: store.PlainTouch, Key: "k", TTL: 90 * 24 * time.Hour})
		ok(t, a.EvictClock("k"))
		did(t, s, store.PlainOp{Verb: store.PlainTouch, Key: "k", TTL: 90 * 24 * time.Hour})
		ok(t, a.EvictClock("k"))
	}
}

// TestServerRefusesPlain: what the server finds too large leaves nothing of before in its place.
func TestServerRefusesPlain(t *testing.T) {
	s := open(t, memcached.Options{Addrs: servers(t, 1), TrustEmpty: true, MaxItem: 8 << 20}) // of which the server has 1 MiB
	large := []byte(strings.Repeat("x", 2<<20))
	for _, verb := range []store.PlainVerb{store.PlainSet, store.PlainAdd} {
		if verb == store.PlainSet {
			did(t, s, store.PlainOp{Verb: store.PlainSet, Key: "k", Value: []byte("v")})
		}
		op := plainly(t, s, store.PlainOp{Verb: verb, Key: "k", Value: large})
		if !errors.Is(op.Err, store.ErrNotKept) || op.Done {
			t.Errorf("verb %d: done %v, %v", verb, op.Done, op.Err)
		}
		if op := plainly(t, s, store.PlainOp{Key: "k"}); op.Done || op.Err != nil {
			t.Errorf("after verb %d: %q, %v", verb, op.Found, op.Err)
		}
	}
}

// TestPlainAway: a server that hangs costs one op the time-out, and the next ones nothing; of two servers the other one answers.
func TestPlainAway(t *testing.T) {
	t.Parallel()
	one, two := dbtest.NewMemcached(t), dbtest.NewMemcached(t)
	s := open(t, memcached.Options{Addrs: []string{one.Addr(), two.Addr()}, TrustEmpty: true, Timeout: time.Second})
	var ops []store.PlainOp
	for i := range 20 {
		op := store.PlainOp{Verb: store.PlainSet, Key: fmt.Sprint("k", i), Value: []byte("1"), TTL: time.Hour}
		ops = append(ops, did(t, s, op))
	}
	ok(t, two.Pause())
	for verb := store.PlainGet; verb <= store.PlainTouch; verb++ {
		for i := range ops {
			ops[i].Reset()
			ops[i].Verb, ops[i].Old = verb, []byte("1")
		}
		from := time.Now()
		s.Plain(t.Context(), ops)
		d, failed := time.Since(from), 0
		for i := range ops {
			if ops[i].Err != nil {
				failed++
			}
		}
		if failed == 0 || failed == len(ops) || d > 4*time.Second || verb == store.PlainGet && d < 700*time.Millisecond {
			t.Errorf("verb %d: %d of %d have failed after %v", verb, failed, len(ops), d)
		}
	}
	ok(t, two.Resume())
	within(t, 10*time.Second, "it is asked again", func() bool {
		s.Plain(t.Context(), ops)
		return store.PlainFailure(ops) == nil
	})
}

// TestPlainAfterRestart: what was kept is gone, and who has connections of before begins anew.
func TestPlainAfterRestart(t *testing.T) {
	srv := dbtest.NewMemcached(t)
	s := open(t, memcached.Options{Addrs: []string{srv.Addr()}, TrustEmpty: true})
	did(t, s, store.PlainOp{Verb: store.PlainSet, Key: "k", Value: []byte("1"), TTL: store.NoExpiry})
	ok(t, srv.Kill())
	ok(t, srv.Start())
	within(t, 10*time.Second, "it is asked again", func() bool {
		op := plainly(t, s, store.PlainOp{Verb: store.PlainCount, Key: "k", Delta: 1})
		if op.Done {
			t.Fatal("a number has outlived its server")
		}
		return op.Err == nil
	})
	did(t, s, store.PlainOp{Verb: store.PlainAdd, Key: "k", Value: []byte("1")})
}
