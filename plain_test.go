package larder_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/memory"
	"github.com/larderdb/larder/store/redis"
)

// A pantry is a store with processes, that is caches, that share it.
type pantry struct {
	*testing.T
	tick time.Duration      // a TTL that the store keeps to
	open func() store.Store // of one process more
	keys [][]byte
}

// process is another cache with the same store.
func (p *pantry) process() *larder.Cache {
	p.Helper()
	return p.named("pantry")
}

func (p *pantry) named(name string) *larder.Cache {
	p.Helper()
	o := larder.Options{Store: p.open(), Name: name, StoreKeys: p.keys, TTL: 20 * time.Minute}
	if p.keys != nil {
		o.StoreTimeout = 10 * time.Second
	}
	c, err := larder.New(&o)
	p.ok(err)
	p.Cleanup(func() { c.Close() })
	return c
}

func (p *pantry) ok(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func bucket[T any](p *pantry, c *larder.Cache, o *larder.BucketOptions) *larder.Bucket[T] {
	p.Helper()
	b, err := larder.NewBucket[T](c, "bucket", o)
	p.ok(err)
	return b
}

// eachPantry runs the same test on every store.
func eachPantry(t *testing.T, run func(p *pantry)) {
	redisOf := func(t *testing.T) func() store.Store {
		prefix := rand.Text() + ":"
		return func() store.Store {
			s, err := redis.Open(redis.Options{Addresses: []string{dbtest.Redis(t).Addr()}, Prefix: prefix, Timeout: 10 * time.Second, Settle: -1})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		s := memory.New(16 << 20)
		run(&pantry{T: t, tick: 200 * time.Millisecond, open: func() store.Store { return s }})
	})
	t.Run("memcached", func(t *testing.T) {
		t.Parallel()
		namespace, addrs := rand.Text(), []string{dbtest.Memcached(t).Addr(), dbtest.NewMemcached(t).Addr()}
		run(&pantry{T: t, tick: 2 * time.Second, open: func() store.Store {
			s, err := memcached.Open(memcached.Options{Addrs: addrs, Namespace: namespace, Timeout: 10 * time.Second, TrustEmpty: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}})
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		run(&pantry{T: t, tick: 300 * time.Millisecond, open: redisOf(t)})
	})
	t.Run("redis encrypted", func(t *testing.T) {
		t.Parallel()
		run(&pantry{T: t, tick: 300 * time.Millisecond, open: redisOf(t), keys: [][]byte{[]byte("a key of thirty-two bytes, or so.")[:32]}})
	})
}

// wants gets a value, and fails if it is another, or none.
func wants[T comparable](p *pantry, b *larder.Bucket[T], key string, want T) {
	p.Helper()
	if got, ok, err := b.Get(p.Context(), key); err != nil || !ok || got != want {
		p.Fatalf("%.60q has %v, %v, %v, want %v", key, got, ok, err, want)
	}
}

func wantsNone[T comparable](p *pantry, b *larder.Bucket[T], key string) {
	p.Helper()
	var zero T
	if got, ok, err := b.Get(p.Context(), key); err != nil || ok || got != zero {
		p.Fatalf("%.60q has %v, %v, %v, want none", key, got, ok, err)
	}
	if has, err := b.Has(p.Context(), key); has || err != nil {
		p.Fatalf("%.60q: has %v, %v", key, has, err)
	}
}

func yes(p *pantry, want bool) func(is bool, err error) {
	return func(is bool, err error) {
		p.Helper()
		if is != want || err != nil {
			p.Fatalf("%v, %v, want %v", is, err, want)
		}
	}
}

// TestPlainCache is what Django's cache framework tests of each of its backends: the same calls, with the same answers, on every store.
func TestPlainCache(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(p *pantry)
	}{
		{"get, set, add, has, delete", plainBasics},
		{"zero, nil and missing are told apart", plainNil},
		{"types", plainTypes},
		{"what can't be written or read", plainStrange},
		{"keys", plainKeys},
		{"incr and decr", plainIncr},
		{"expiry", plainExpiry},
		{"touch", plainTouch},
		{"many", plainMany},
		{"clear", plainClear},
		{"versions", plainVersions},
		{"prefixes, namespaces and names", plainPrefixes},
		{"too large", plainLarge},
		{"close", plainClose},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			eachPantry(t, c.run)
		})
	}
}

func plainBasics(p *pantry) {
	ctx, b, other := p.Context(), bucket[string](p, p.process(), nil), bucket[string](p, p.process(), nil)
	wantsNone(p, b, "key")
	yes(p, false)(b.Delete(ctx, "key"))
	p.ok(b.Set(ctx, "key", "value"))
	wants(p, b, "key", "value")
	wants(p, other, "key", "value")
	yes(p, true)(b.Has(ctx, "key"))
	p.ok(other.Set(ctx, "key", "another")) // the last write wins
	wants(p, b, "key", "another")
	yes(p, false)(b.Add(ctx, "key", "added"))
	wants(p, b, "key", "another")
	yes(p, true)(b.Add(ctx, "new", "added"))
	yes(p, false)(other.Add(ctx, "new", "added"))
	wants(p, other, "new", "added")
	yes(p, true)(other.Delete(ctx, "key"))
	wantsNone(p, b, "key")
	yes(p, false)(b.Delete(ctx, "key"))
	yes(p, true)(b.Add(ctx, "key", "again"))
	wants(p, b, "key", "again")
}

type dish struct {
	Name  string
	Price float64
	Tags  []string
	Of    map[string]*dish
	At    time.Time
}

func plainNil(p *pantry) {
	ctx, c := p.Context(), p.process()
	pointers := bucket[*dish](p, c, nil)
	p.ok(pointers.Set(ctx, "nil", nil))
	wants(p, pointers, "nil", nil)
	yes(p, false)(pointers.Add(ctx, "nil", &dish{}))
	wantsNone(p, pointers, "missing")
	ints := bucket[int](p, c, &larder.BucketOptions{Prefix: "ints"})
	p.ok(ints.Set(ctx, "zero", 0))
	wants(p, ints, "zero", 0)
	yes(p, true)(ints.Has(ctx, "zero"))
	words := bucket[string](p, c, &larder.BucketOptions{Prefix: "words"})
	p.ok(words.Set(ctx, "empty", ""))
	wants(p, words, "empty", "")
	v, err := pointers.GetOrSet(ctx, "nil", func(context.Context) (*dish, error) { return &dish{}, nil })
	if v != nil || err != nil {
		p.Errorf("a nil that was kept is %v, %v", v, err)
	}
}

// kept checks that a value comes back as it was.
func kept[T any](p *pantry, c *larder.Cache, values ...T) {
	p.Helper()
	b := bucket[T](p, c, &larder.BucketOptions{Prefix: fmt.Sprintf("%T", *new(T))})
	for i, value := range values {
		key := fmt.Sprint(i)
		p.ok(b.Set(p.Context(), key, value))
		got, ok, err := b.Get(p.Context(), key)
		if err != nil || !ok || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", value) {
			p.Errorf("%#v, %v, %v, want %#v", got, ok, err, value)
		}
	}
}

type number int8

// A grade has a way of its own to be written.
type grade int

func (g grade) MarshalText() ([]byte, error) { return []byte{'A' + byte(g)}, nil }
func (g *grade) UnmarshalText(text []byte) error {
	if len(text) != 1 {
		return fmt.Errorf("%q is no grade", text)
	}
	*g = grade(text[0] - 'A')
	return nil
}

func plainTypes(p *pantry) {
	c := p.process()
	kept(p, c, "", "text", "é 日本 \U0001f963", "\xff\x00not UTF-8", strings.Repeat("long", 10_000))
	kept(p, c, []byte{}, []byte{0, 1, 255}, []byte("\r\nEND\r\n"))
	kept(p, c, 0, -1, math.MaxInt64, math.MinInt64)
	kept(p, c, uint64(math.MaxUint64))
	kept[uint8](p, c, 0, 255)
	kept[number](p, c, -128, 127)
	kept[time.Duration](p, c, time.Hour)
	kept[grade](p, c, 0, 2)
	kept(p, c, true, false)
	kept(p, c, 1.5, -math.MaxFloat64, math.SmallestNonzeroFloat64)
	kept(p, c, []string(nil), []string{}, []string{"a", ""})
	kept(p, c, map[string]int{"a": 1}, nil)
	kept(p, c, struct{}{})
	kept[any](p, c, "text", 1.5, nil, true, []any{"a", nil})
	b := bucket[dish](p, c, nil)
	in := dish{Name: "soup", Price: 4.5, Tags: []string{"hot"}, Of: map[string]*dish{"bread": {Name: "bread"}}, At: time.Date(2011, 2, 3, 4, 5, 6, 7, time.UTC)}
	p.ok(b.Set(p.Context(), "soup", in))
	out, ok, err := b.Get(p.Context(), "soup")
	if !ok || err != nil || out.Name != in.Name || out.Of["bread"].Name != "bread" || !out.At.Equal(in.At) {
		p.Errorf("%+v, %v, %v", out, ok, err)
	}
	in.Tags[0] = "cold" // the bucket has a copy
	if out, _, _ := b.Get(p.Context(), "soup"); out.Tags[0] != "hot" {
		p.Error("a change of what was kept is seen")
	}
	if text, err := grade(2).MarshalText(); string(text) != "C" || err != nil {
		p.Error(text, err)
	}
}

func plainStrange(p *pantry) {
	ctx, c := p.Context(), p.process()
	b := bucket[any](p, c, nil)
	p.ok(b.Set(ctx, "key", "before"))
	if err := b.Set(ctx, "key", func() {}); err == nil || !strings.Contains(err.Error(), `"key"`) {
		p.Errorf("a function is kept: %v", err)
	}
	wants(p, b, "key", "before")
	if added, err := b.Add(ctx, "new", make(chan int)); err == nil || added {
		p.Error("a channel is added")
	}
	wantsNone(p, b, "new")
	failed, err := b.SetMany(ctx, map[string]any{"good": "1", "bad": func() {}, "better": "2", "worse": make(chan int)})
	if err == nil || !slices.Equal(failed, []string{"bad", "worse"}) {
		p.Errorf("failed %q, %v", failed, err)
	}
	wants(p, b, "good", "1")
	numbers := bucket[int](p, c, nil)
	if n, ok, err := numbers.Get(ctx, "key"); err == nil || ok || n != 0 {
		p.Errorf("a text is read as the number %d, %v", n, ok)
	}
	p.ok(numbers.Set(ctx, "large", 300))
	if n, ok, err := bucket[int8](p, c, nil).Get(ctx, "large"); err == nil || ok || n != 0 {
		p.Errorf("300 is read as the int8 %d, %v", n, ok)
	}
	values, err := numbers.GetMany(ctx, "key", "large", "missing")
	if err == nil || !maps.Equal(values, map[string]int{"large": 300}) {
		p.Errorf("%v, %v", values, err)
	}
	n, err := numbers.GetOrSet(ctx, "key", func(context.Context) (int, error) { return 7, nil })
	if n != 7 || err != nil {
		p.Errorf("%d, %v", n, err)
	}
	wants(p, numbers, "key", 7)
}

func plainKeys(p *pantry) {
	ctx, b := p.Context(), bucket[int](p, p.process(), nil)
	keys := []string{"", " ", "a key", "key\r\n", "\x00", "ключ", "\xff", "1:", strings.Repeat("k", 250), strings.Repeat("k", 251), strings.Repeat("k", 20_000)}
	values := make(map[string]int)
	for i, key := range keys {
		values[key] = i
	}
	if failed, err := b.SetMany(ctx, values); failed != nil || err != nil {
		p.Fatal(failed, err)
	}
	got, err := b.GetMany(ctx, keys...)
	if err != nil || !maps.Equal(got, values) {
		p.Errorf("%v, %v, want %v", got, err, values)
	}
	for i, key := range keys {
		wants(p, b, key, i)
		if n, err := b.Incr(ctx, key, 1); n != int64(i+1) || err != nil {
			p.Errorf("%.20q: %d, %v", key, n, err)
		}
		yes(p, true)(b.Delete(ctx, key))
		wantsNone(p, b, key)
	}
}

func plainIncr(p *pantry) {
	ctx, c := p.Context(), p.process()
	b := bucket[int](p, c, nil)
	count := func(want int64) func(int64, error) {
		return func(n int64, err error) {
			p.Helper()
			if n != want || err != nil {
				p.Fatalf("%d, %v, want %d", n, err, want)
			}
		}
	}
	for _, f := range []func(context.Context, string, int64) (int64, error){b.Incr, b.Decr} {
		if n, err := f(ctx, "missing", 1); !errors.Is(err, larder.ErrNotFound) || n != 0 {
			p.Errorf("%d, %v", n, err)
		}
	}
	wantsNone(p, b, "missing")
	p.ok(b.Set(ctx, "answer", 41))
	count(42)(b.Incr(ctx, "answer", 1))
	wants(p, b, "answer", 42)
	count(52)(b.Incr(ctx, "answer", 10))
	count(50)(b.Incr(ctx, "answer", -2))
	count(49)(b.Decr(ctx, "answer", 1))
	count(-1)(b.Decr(ctx, "answer", 50))
	count(4)(b.Decr(ctx, "answer", -5))
	p.ok(b.Set(ctx, "most", math.MaxInt64))
	if n, err := b.Incr(ctx, "most", 1); !errors.Is(err, larder.ErrOverflow) || n != 0 {
		p.Errorf("%d, %v", n, err)
	}
	wants(p, b, "most", math.MaxInt64)
	count(math.MaxInt64 - 1)(b.Decr(ctx, "most", 1))
	if n, err := b.Decr(ctx, "most", math.MinInt64); !errors.Is(err, larder.ErrOverflow) || n != 0 {
		p.Errorf("%d, %v", n, err)
	}
	p.ok(bucket[string](p, c, nil).Set(ctx, "word", "x"))
	if _, err := b.Incr(ctx, "word", 1); !errors.Is(err, larder.ErrNotNumber) {
		p.Error(err)
	}
	if _, err := bucket[string](p, c, nil).Incr(ctx, "answer", 1); err == nil || !strings.Contains(err.Error(), "int64") {
		p.Error(err)
	}
	if _, err := bucket[grade](p, c, nil).Incr(ctx, "answer", 1); err == nil {
		p.Error("what writes itself is counted")
	}
	p.ok(bucket[uint64](p, c, nil).Set(ctx, "beyond", math.MaxUint64))
	if _, err := b.Incr(ctx, "beyond", 1); !errors.Is(err, larder.ErrNotNumber) {
		p.Error(err)
	}
}

func plainExpiry(p *pantry) {
	ctx, c := p.Context(), p.process()
	b := bucket[string](p, c, nil)
	brief := bucket[string](p, c, &larder.BucketOptions{TTL: p.tick})
	ever := bucket[string](p, c, &larder.BucketOptions{TTL: larder.NoExpiry})
	p.ok(b.Set(ctx, "default", "v"))
	p.ok(brief.Set(ctx, "brief", "v"))
	p.ok(brief.Set(ctx, "longer", "v", time.Hour))
	p.ok(ever.Set(ctx, "ever", "v"))
	p.ok(b.Set(ctx, "forever", "v", larder.NoExpiry))
	p.ok(b.Set(ctx, "float", "v", p.tick+p.tick/10))
	p.ok(b.Set(ctx, "months", "v", 60*24*time.Hour))
	yes(p, true)(b.Add(ctx, "added", "v", p.tick))
	if _, err := b.SetMany(ctx, map[string]string{"many1": "v", "many2": "v"}, p.tick); err != nil {
		p.Fatal(err)
	}
	numbers := bucket[int](p, c, nil)
	p.ok(numbers.Set(ctx, "counted", 1, p.tick))
	if _, err := numbers.Incr(ctx, "counted", 1); err != nil {
		p.Fatal(err)
	}
	v, err := b.GetOrSet(ctx, "made", func(context.Context) (string, error) { return "v", nil }, p.tick)
	if v != "v" || err != nil {
		p.Fatal(v, err)
	}
	for _, key := range []string{"default", "brief", "longer", "ever", "forever", "float", "months", "added", "many1", "many2", "made"} {
		wants(p, b, key, "v")
	}
	time.Sleep(p.tick*3/2 + p.tick/10)
	for _, key := range []string{"brief", "float", "added", "many1", "many2", "counted", "made"} {
		wantsNone(p, b, key)
	}
	for _, key := range []string{"default", "longer", "ever", "forever", "months"} {
		wants(p, b, key, "v")
	}
	yes(p, true)(b.Add(ctx, "added", "again"))
	// A TTL of 0 or less keeps nothing, and removes.
	for _, ttl := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
		p.ok(b.Set(ctx, "k", "v"))
		p.ok(b.Set(ctx, "k", "w", ttl))
		wantsNone(p, b, "k")
		yes(p, true)(b.Add(ctx, "k", "v", ttl))
		wantsNone(p, b, "k")
		p.ok(b.Set(ctx, "k", "v"))
		yes(p, false)(b.Add(ctx, "k", "w", ttl))
		wants(p, b, "k", "v")
		yes(p, true)(b.Touch(ctx, "k", ttl))
		wantsNone(p, b, "k")
		yes(p, false)(b.Touch(ctx, "k", ttl))
		p.ok(b.Set(ctx, "k", "v"))
		if failed, err := b.SetMany(ctx, map[string]string{"k": "w", "l": "w"}, ttl); failed != nil || err != nil {
			p.Fatal(failed, err)
		}
		wantsNone(p, b, "k")
		if v, err := b.GetOrSet(ctx, "k", func(context.Context) (string, error) { return "made", nil }, ttl); v != "made" || err != nil {
			p.Fatal(v, err)
		}
		wantsNone(p, b, "k")
	}
	if err := b.Set(ctx, "k", "v", time.Hour, time.Minute); err == nil {
		p.Error("two TTLs")
	}
}

func plainTouch(p *pantry) {
	ctx, b := p.Context(), bucket[string](p, p.process(), nil)
	yes(p, false)(b.Touch(ctx, "missing"))
	wantsNone(p, b, "missing")
	for _, key := range []string{"default", "longer", "ever", "as it is"} {
		p.ok(b.Set(ctx, key, "v", p.tick))
	}
	p.ok(b.Set(ctx, "shorter", "v", larder.NoExpiry))
	yes(p, true)(b.Touch(ctx, "default"))
	yes(p, true)(b.Touch(ctx, "longer", time.Hour))
	yes(p, true)(b.Touch(ctx, "ever", larder.NoExpiry))
	yes(p, true)(b.Touch(ctx, "shorter", p.tick))
	time.Sleep(p.tick * 3 / 2)
	for _, key := range []string{"default", "longer", "ever"} {
		wants(p, b, key, "v")
	}
	wantsNone(p, b, "shorter")
	wantsNone(p, b, "as it is")
	yes(p, false)(b.Touch(ctx, "as it is"))
}

func plainMany(p *pantry) {
	ctx, b, other := p.Context(), bucket[int](p, p.process(), nil), bucket[int](p, p.process(), nil)
	const n = 2345 // more than travel at once
	values, keys := make(map[string]int), []string(nil)
	for i := range n {
		keys = append(keys, fmt.Sprint("k", i))
		values[keys[i]] = i
	}
	if failed, err := b.SetMany(ctx, values); failed != nil || err != nil {
		p.Fatal(failed, err)
	}
	got, err := other.GetMany(ctx, append(keys, "missing", "k1")...)
	if err != nil || !maps.Equal(got, values) {
		p.Fatalf("%d values of %d, %v", len(got), n, err)
	}
	if gone, err := other.DeleteMany(ctx, append(keys[:1500:1500], "missing")...); gone != 1500 || err != nil {
		p.Fatal(gone, err)
	}
	got, err = b.GetMany(ctx, keys...)
	if err != nil || len(got) != n-1500 {
		p.Fatalf("%d values left, %v", len(got), err)
	}
	words := bucket[string](p, p.process(), nil)
	if failed, err := words.SetMany(ctx, map[string]string{"w1": "a", "w2": "b", "w3": "c", "w4": "d", "w5": "e", "w6": "f"}); failed != nil || err != nil {
		p.Fatal(failed, err)
	}
	got, err = b.GetMany(ctx, "w1", "k2000", "w2", "w3", "w4", "w5", "w6")
	if len(got) != 1 || err == nil || !strings.Contains(err.Error(), `"w1"`) || !strings.Contains(err.Error(), "and 2 more") || strings.Contains(err.Error(), `"w5"`) {
		p.Errorf("%v, %v", got, err)
	}
	for _, empty := range []func() (int, error){
		func() (int, error) { m, err := b.GetMany(ctx); return len(m), err },
		func() (int, error) { failed, err := b.SetMany(ctx, nil); return len(failed), err },
		func() (int, error) { return b.DeleteMany(ctx) },
	} {
		if n, err := empty(); n != 0 || err != nil {
			p.Error(n, err)
		}
	}
}

func plainClear(p *pantry) {
	ctx, c := p.Context(), p.process()
	b, other := bucket[int](p, c, nil), bucket[int](p, p.process(), nil)
	p.ok(b.Clear(ctx)) // of what was never used
	apart, err := larder.NewBucket[int](c, "apart", nil)
	p.ok(err)
	for round := range 3 {
		for i := range 10 {
			p.ok(b.Set(ctx, fmt.Sprint("k", i), i, larder.NoExpiry))
		}
		p.ok(other.Version(2).Set(ctx, "k1", 2))
		p.ok(apart.Set(ctx, "k1", round))
		wants(p, other, "k1", 1)
		p.ok([]*larder.Bucket[int]{b, other}[round%2].Clear(ctx))
		for i := range 10 {
			wantsNone(p, b, fmt.Sprint("k", i))
			wantsNone(p, other, fmt.Sprint("k", i))
		}
		wantsNone(p, b.Version(2), "k1")
		wants(p, apart, "k1", round)
		yes(p, true)(other.Add(ctx, "k1", 7))
		if _, err := b.Incr(ctx, "k2", 1); !errors.Is(err, larder.ErrNotFound) {
			p.Error(err)
		}
		wants(p, b, "k1", 7)
	}
}

func plainVersions(p *pantry) {
	ctx, c := p.Context(), p.process()
	one, two := bucket[int](p, c, &larder.BucketOptions{Version: 1}), bucket[int](p, c, &larder.BucketOptions{Version: 2})
	p.ok(one.Set(ctx, "k", 41))
	wantsNone(p, two, "k")
	wants(p, two.Version(1), "k", 41)
	wantsNone(p, one.Version(-1), "k")
	yes(p, true)(two.Add(ctx, "k", 1))
	yes(p, false)(two.Add(ctx, "k", 2))
	if n, err := two.Incr(ctx, "k", 1); n != 2 || err != nil {
		p.Error(n, err)
	}
	if n, err := one.Decr(ctx, "k", 1); n != 40 || err != nil {
		p.Error(n, err)
	}
	yes(p, false)(two.Version(3).Touch(ctx, "k"))
	if _, err := two.SetMany(ctx, map[string]int{"m": 1}); err != nil {
		p.Error(err)
	}
	if m, err := one.GetMany(ctx, "k", "m"); err != nil || !maps.Equal(m, map[string]int{"k": 40}) {
		p.Error(m, err)
	}
	if n, err := one.DeleteMany(ctx, "m"); n != 0 || err != nil {
		p.Error(n, err)
	}
	yes(p, true)(two.Delete(ctx, "k"))
	wants(p, one, "k", 40)
	if v, err := two.GetOrSet(ctx, "k", func(context.Context) (int, error) { return 9, nil }); v != 9 || err != nil {
		p.Error(v, err)
	}
	p.ok(two.Set(ctx, "k", 5))
	for _, c := range []struct{ from, delta, to int }{{2, 1, 3}, {3, -4, -1}, {-1, 0, -1}} {
		b := one.Version(c.from)
		if v, err := b.IncrVersion(ctx, "k", c.delta); v != c.to || err != nil {
			p.Error(v, err)
		}
		if wants(p, one.Version(c.to), "k", 5); c.delta != 0 {
			wantsNone(p, b, "k")
		}
	}
	wants(p, one, "k", 40)
	if v, err := two.IncrVersion(ctx, "missing", 1); !errors.Is(err, larder.ErrNotFound) || v != 2 {
		p.Error(v, err)
	}
}

func plainPrefixes(p *pantry) {
	ctx, c := p.Context(), p.process()
	buckets := map[string]*larder.Bucket[string]{
		"none": bucket[string](p, c, nil), "p": bucket[string](p, c, &larder.BucketOptions{Prefix: "p"}), "pk": bucket[string](p, c, &larder.BucketOptions{Prefix: "pk"}),
		"another program's": bucket[string](p, p.named("another"), nil), "nobody's": bucket[string](p, p.named(""), nil), "nobody else's": bucket[string](p, p.named(""), nil),
		"version 0:k": bucket[string](p, c, &larder.BucketOptions{Prefix: "0:k"}),
	}
	keys := []string{"key", "pkey", "kkey", "y", "0:key", "1:p0:key"}
	for name, b := range buckets {
		for _, key := range keys {
			yes(p, true)(b.Add(ctx, key, name))
		}
	}
	for name, b := range buckets {
		for _, key := range keys {
			wants(p, b, key, name)
		}
	}
	p.ok(buckets["p"].Clear(ctx)) // it is of the namespace
	wantsNone(p, buckets["none"], "key")
	wantsNone(p, buckets["pk"], "key")
	wants(p, buckets["another program's"], "key", "another program's")
	wants(p, buckets["nobody's"], "key", "nobody's")
}

func plainLarge(p *pantry) {
	ctx, b := p.Context(), bucket[[]byte](p, p.process(), nil)
	large := make([]byte, 65<<20)
	p.ok(b.Set(ctx, "k", []byte("before")))
	if err := b.Set(ctx, "k", large); !errors.Is(err, larder.ErrNotKept) {
		p.Errorf("%d bytes: %v", len(large), err)
	}
	yes(p, false)(b.Has(ctx, "k"))
	failed, err := b.SetMany(ctx, map[string][]byte{"l": large, "s": []byte("small")})
	if !slices.Equal(failed, []string{"l"}) || !errors.Is(err, larder.ErrNotKept) {
		p.Errorf("failed %q, %v", failed, err)
	}
	yes(p, true)(b.Has(ctx, "s"))
	v, err := b.GetOrSet(ctx, "l", func(context.Context) ([]byte, error) { return large, nil })
	if len(v) != len(large) || err != nil {
		p.Errorf("%d bytes, %v", len(v), err)
	}
}

func plainClose(p *pantry) {
	ctx, s := p.Context(), p.open()
	p.open = func() store.Store { return s }
	b := bucket[string](p, p.process(), nil)
	p.ok(b.Set(ctx, "k", "v"))
	p.ok(s.Close())
	if _, ok, err := b.Get(ctx, "k"); err == nil || ok {
		p.Errorf("a closed store has answered: %v", ok)
	}
	if err := b.Set(ctx, "k", "v"); !errors.Is(err, store.ErrClosed) {
		p.Error(err)
	}
	if err := b.Clear(ctx); err == nil {
		p.Error("a closed store is cleared")
	}
	if v, err := b.GetOrSet(ctx, "k", func(context.Context) (string, error) { return "made", nil }); v != "made" || err != nil {
		p.Errorf("%q, %v", v, err)
	}
}
