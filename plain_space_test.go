package larder_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/memory"
	"github.com/larderdb/larder/store/redis"
)

// generationOf is the key of the generation of bucket "bucket" in caches named "pantry".
const generationOf = "g12:named:pantrybucket"

// TestGenerationIsLost: when the store has dropped it, nothing of before comes back, however often, and to whom.
func TestGenerationIsLost(t *testing.T) {
	eachPantry(t, func(p *pantry) {
		if p.keys != nil {
			p.Skip("its key is hidden")
		}
		ctx, a, b := p.Context(), bucket[int](p, p.process(), nil), bucket[int](p, p.process(), nil)
		raw := p.open().(store.Plain)
		for i := range 5 {
			p.ok(a.Set(ctx, "k", i, larder.NoExpiry))
			wants(p, b, "k", i)
			op := []store.PlainOp{{Verb: store.PlainDelete, Key: generationOf}}
			if raw.Plain(ctx, op); !op[0].Done || op[0].Err != nil {
				p.Fatalf("no generation was there: %v", op[0].Err)
			}
			switch i % 4 {
			case 0:
				wantsNone(p, b, "k")
			case 1:
				if _, err := b.Incr(ctx, "k", 1); !errors.Is(err, larder.ErrNotFound) {
					p.Error(err)
				}
			case 2:
				yes(p, true)(b.Add(ctx, "k", 100))
			case 3: // a new process sees it first
				wantsNone(p, bucket[int](p, p.process(), nil), "k")
			}
			if i%4 != 2 {
				wantsNone(p, a, "k")
			}
		}
	})
}

// TestClearedStaysCleared though Redis comes back with a snapshot of before.
func TestClearedStaysCleared(t *testing.T) {
	server := dbtest.NewRedis(t, "--appendonly", "no", "--save", "")
	s, err := redis.Open(redis.Options{Addresses: []string{server.Addr()}, Settle: -1, Timeout: 10 * time.Second})
	p := &pantry{T: t, open: func() store.Store { return s }}
	p.ok(err)
	defer s.Close()
	ctx, b := t.Context(), bucket[int](p, p.process(), nil)
	p.ok(b.Set(ctx, "cleared", 1, larder.NoExpiry))
	save(t, server)
	p.ok(b.Clear(ctx))
	p.ok(b.Set(ctx, "set since", 2, larder.NoExpiry))
	p.ok(server.Kill())
	p.ok(server.Start())
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, ok, err := b.Get(ctx, "cleared")
		if ok {
			t.Fatal("it is back")
		}
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	wantsNone(p, bucket[int](p, p.process(), nil), "cleared")
	yes(p, true)(b.Add(ctx, "cleared", 3))
}

// save has a Redis server write a snapshot.
func save(t *testing.T, server *dbtest.Server) {
	t.Helper()
	c, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer := make([]byte, 5)
	if _, err := c.Write([]byte("SAVE\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "+OK\r\n" {
		t.Fatalf("%q, %v", answer, err)
	}
}

// TestClearsMeetWriters: who has cleared finds nothing that was written before, whoever else writes and clears; nothing
// that was written after is lost but to another Clear.
func TestClearsMeetWriters(t *testing.T) {
	eachPantry(t, func(p *pantry) {
		var wg sync.WaitGroup
		rounds := 60
		for w := range 3 {
			b := bucket[int](p, p.process(), nil)
			wg.Go(func() {
				for i := range rounds {
					own := fmt.Sprint("own", w)
					if err := b.Set(p.Context(), own, i); err != nil {
						p.Error(err)
					}
					if err := b.Clear(p.Context()); err != nil {
						p.Error(err)
					}
					if v, ok, err := b.Get(p.Context(), own); ok || err != nil {
						p.Errorf("after a clear: %v, %v, %v", v, ok, err)
					}
				}
			})
		}
		wg.Wait()
		b := bucket[int](p, p.process(), nil)
		p.ok(b.Set(p.Context(), "k", 1))
		wants(p, bucket[int](p, p.process(), nil), "k", 1)
	})
}

// TestPlainConcurrently: counts of processes come to their sum, additions have one winner.
func TestPlainConcurrently(t *testing.T) {
	eachPantry(t, func(p *pantry) {
		const workers, each = 6, 25
		first := bucket[int64](p, p.process(), nil)
		p.ok(first.Set(p.Context(), "sum", 0))
		var wg sync.WaitGroup
		var mu sync.Mutex
		winners := make(map[int]int)
		for w := range workers {
			b := bucket[int64](p, p.process(), nil)
			wg.Go(func() {
				for i := range each {
					_, err := b.Incr(p.Context(), "sum", int64(w+1))
					won, erred := b.Add(p.Context(), fmt.Sprint("won", i), int64(w))
					if err != nil || erred != nil {
						p.Error(err, erred)
					}
					if won {
						mu.Lock()
						winners[i]++
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		wants(p, first, "sum", each*workers*(workers+1)/2)
		for i := range each {
			if winners[i] != 1 {
				p.Errorf("%d winners of round %d", winners[i], i)
			}
		}
	})
}

// TestPlainUnderEviction: servers that drop keys all the time, those of generations too, lose values; what is found is
// what was written last, and nothing of before a Clear.
func TestPlainUnderEviction(t *testing.T) {
	one := dbtest.NewRedis(t, "--appendonly", "no", "--save", "", "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random")
	two := dbtest.NewMemcached(t, "-m", "2")
	for name, open := range map[string]func() (store.Store, error){
		"redis": func() (store.Store, error) {
			return redis.Open(redis.Options{Addresses: []string{one.Addr()}, Settle: -1, Timeout: 10 * time.Second})
		},
		"memcached": func() (store.Store, error) {
			return memcached.Open(memcached.Options{Addrs: []string{two.Addr()}, TrustEmpty: true, Timeout: 10 * time.Second})
		},
		"memory": func() (store.Store, error) { return memory.New(1 << 20), nil },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := open()
			p := &pantry{T: t, open: func() store.Store { return s }}
			p.ok(err)
			defer s.Close()
			found, filler := 0, strings.Repeat("x", 20_000)
			numbers, fillers := bucket[int](p, p.process(), nil), bucket[string](p, p.process(), &larder.BucketOptions{Prefix: "f", TTL: larder.NoExpiry})
			last := make([]int, 20)
			for i := range 1500 {
				key, name := i%len(last), fmt.Sprint(i%len(last))
				if v, ok, err := numbers.Get(t.Context(), name); err != nil || ok && v != last[key] {
					t.Fatalf("step %d: %d, %v, want %d or none", i, v, err, last[key])
				} else if ok {
					found++
				}
				last[key] = i
				p.ok(numbers.Set(t.Context(), name, i))
				p.ok(fillers.Set(t.Context(), fmt.Sprint(i), filler))
				if i%100 == 99 {
					p.ok(fillers.Clear(t.Context())) // numbers are of the same namespace
					clear(last)
				}
			}
			if found < 100 {
				t.Errorf("only %d values were found", found)
			}
			if st := s.Stats(); st.Evictions == 0 {
				t.Errorf("nothing was evicted: this test tests nothing: %+v", st)
			} else {
				t.Logf("%d found, %d evictions", found, st.Evictions)
			}
		})
	}
}

// TestPlainStoreAway: calls fail in time, then at once; GetOrSet makes the value; and then the store is used again.
func TestPlainStoreAway(t *testing.T) {
	one, two := dbtest.NewRedis(t), dbtest.NewMemcached(t)
	for name, c := range map[string]struct {
		server *dbtest.Server
		open   func() (store.Store, error)
	}{
		"redis": {one, func() (store.Store, error) {
			return redis.Open(redis.Options{Addresses: []string{one.Addr()}, Settle: -1, Timeout: 10 * time.Second})
		}},
		"memcached": {two, func() (store.Store, error) {
			return memcached.Open(memcached.Options{Addrs: []string{two.Addr()}, TrustEmpty: true, Timeout: 400 * time.Millisecond})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := c.open()
			p := &pantry{T: t}
			p.ok(err)
			defer s.Close()
			cache, err := larder.New(&larder.Options{Store: s, StoreTimeout: 400 * time.Millisecond})
			p.ok(err)
			defer cache.Close()
			b := bucket[string](p, cache, nil)
			await(p, func() error { return b.Set(t.Context(), "k", "v") })
			p.ok(c.server.Pause())
			from := time.Now()
			for i := range 10 {
				if _, ok, err := b.Get(t.Context(), "k"); err == nil || ok {
					t.Fatalf("call %d: a store that hangs has answered", i)
				}
			}
			if d := time.Since(from); d > 5*time.Second {
				t.Errorf("10 calls took %v", d)
			}
			for _, err := range []error{b.Set(t.Context(), "k", "w"), b.Clear(t.Context())} {
				if err == nil {
					t.Error("a store that hangs has answered")
				}
			}
			failed, err := b.SetMany(t.Context(), map[string]string{"k": "w", "l": "w"})
			if err == nil || strings.Join(failed, " ") != "k l" {
				t.Errorf("failed %q, %v", failed, err)
			}
			v, err := b.GetOrSet(t.Context(), "k", func(context.Context) (string, error) { return "made", nil })
			if v != "made" || err != nil {
				t.Errorf("%q, %v", v, err)
			}
			p.ok(c.server.Resume())
			await(p, func() error { _, _, err := b.Get(t.Context(), "k"); return err })
			p.ok(b.Set(t.Context(), "k", "after"))
			wants(p, b, "k", "after")
		})
	}
}

// await waits until something doesn't fail.
func await(p *pantry, f func() error) {
	p.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			p.Fatal(err)
		}
	}
}

// TestWrongBuckets: what makes no sense is a clear error.
func TestWrongBuckets(t *testing.T) {
	c, err := larder.New(&larder.Options{Store: memory.New(0)})
	if err != nil {
		t.Fatal(err)
	}
	without, err := larder.New(&larder.Options{Store: &struct{ store.Store }{memory.New(0)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		cache     *larder.Cache
		namespace string
		options   *larder.BucketOptions
		want      string
	}{
		{nil, "n", nil, "no cache"}, {c, "", nil, "needs a namespace"}, {c, "n", &larder.BucketOptions{TTL: -1}, "BucketOptions.TTL"}, {without, "n", nil, "keeps no plain values"},
	} {
		if b, err := larder.NewBucket[int](w.cache, w.namespace, w.options); err == nil || b != nil || !strings.Contains(err.Error(), w.want) {
			t.Errorf("%v, want %q", err, w.want)
		}
	}
}

// TestWrongCalls: nor does what can't be meant panic.
func TestWrongCalls(t *testing.T) {
	c, err := larder.New(&larder.Options{Store: memory.New(0)})
	p := &pantry{T: t}
	p.ok(err)
	b := bucket[int](p, c, nil)
	if _, err := b.GetOrSet(t.Context(), "k", nil); err == nil || !strings.Contains(err.Error(), "no function") {
		t.Error(err)
	}
	make := func(context.Context) (int, error) { return 1, nil }
	if _, err := b.GetOrSet(t.Context(), "k", make, 1, 2); err == nil || !strings.Contains(err.Error(), "2 TTLs") {
		t.Error(err)
	}
	if _, err := b.Touch(t.Context(), "k", 1, 2); err == nil {
		t.Error("two TTLs")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.GetOrSet(ctx, "k", make); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// upper is a codec that can't be taken for the default.
type upper struct{}

func (upper) Marshal(v any) ([]byte, error) { return []byte(strings.ToUpper(fmt.Sprint(v))), nil }
func (upper) Unmarshal(data []byte, v any) error {
	if strings.HasPrefix(string(data), "BAD") {
		return errors.New("that is bad")
	}
	*v.(*string) = string(data)
	return nil
}

// TestCodec: a program's own is used for everything but whole numbers.
func TestCodec(t *testing.T) {
	eachPantry(t, func(p *pantry) {
		c, o := p.process(), &larder.BucketOptions{Codec: upper{}}
		b, numbers := bucket[string](p, c, o), bucket[int](p, c, o)
		p.ok(b.Set(p.Context(), "k", "text"))
		wants(p, b, "k", "TEXT")
		p.ok(b.Set(p.Context(), "bad", "bad"))
		if v, ok, err := b.Get(p.Context(), "bad"); err == nil || ok || v != "" || !strings.Contains(err.Error(), "that is bad") {
			p.Errorf("%q, %v, %v", v, ok, err)
		}
		p.ok(numbers.Set(p.Context(), "n", 1))
		if n, err := numbers.Incr(p.Context(), "n", 1); n != 2 || err != nil {
			p.Error(n, err)
		}
	})
}
