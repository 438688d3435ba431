package larder

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// A pair is two caches over one store that processes share, with a handle each of one database: as two processes.
type pair struct {
	*house
	caches [2]*Cache
	dbs    [2]*sql.DB
}

// eachPair runs a test with Redis and memcached.
func eachPair(t *testing.T, run func(p *pair)) {
	for _, name := range []string{"redis", "memcached"} {
		t.Run(name, func(t *testing.T) { run(newPair(t, name, kinds[0])) })
	}
}

func newPair(t *testing.T, name string, k kind, set ...func(*Options)) *pair {
	open := sharedStores[name](t)
	p := &pair{}
	o := Options{Store: open(), Name: "shop", MaxEntryBytes: 1 << 20, watch: time.Millisecond}
	for _, set := range set {
		set(&o)
	}
	p.house = newHouse(t, k, &o)
	p.caches[0], p.dbs[0] = p.house.cache, p.house.db
	o.Store = open()
	var err error
	if p.caches[1], err = New(&o); err != nil {
		t.Fatal(err)
	}
	p.dbs[1] = p.opened(p.caches[1].Open(p.driver, p.dsn))
	p.stuff()
	for i := range p.dbs { // both know of the schema
		p.query(p.dbs[i], "SELECT count(*) FROM stuff")
	}
	return p
}

// value asks one of the processes, and compares; it reports whether that loaded.
func (p *pair) value(i int, key, want string, o ...*ValueOptions[[]string]) (loaded bool) {
	p.Helper()
	var n loads
	v, err := Remember(p.Context(), p.caches[i], key, p.namesOf(p.dbs[i], &n, 42), o...)
	if err != nil || fmt.Sprint(v) != want {
		p.Errorf("process %d, %s: %v, %v; want %s", i, key, v, err, want)
	}
	return n.n.Load() > 0
}

func (p *pair) wantLoaded(i int, key, want string, loaded bool) {
	p.Helper()
	if p.value(i, key, want) != loaded {
		p.Errorf("process %d, %s: loaded: %v, want %v; %+v", i, key, !loaded, loaded, p.caches[i].ExplainValue(p.Context(), key))
	}
}

// TestValuesOfProcesses: what one process has made another gets, the same Go value each time, until any of them writes.
func TestValuesOfProcesses(t *testing.T) {
	eachPair(t, func(p *pair) {
		p.value(0, "k", "[bread]") // puts the shape in use
		p.exec(p.dbs[0], "UPDATE stuff SET price = price")
		p.wantLoaded(0, "k", "[bread]", true)
		p.wantLoaded(0, "k", "[bread]", false)
		p.wantLoaded(1, "k", "[bread]", false)
		p.wantLoaded(1, "k", "[bread]", false)
		var n loads
		one, _ := Remember(p.Context(), p.caches[1], "k", p.namesOf(p.dbs[1], &n, 42))
		other, _ := Remember(p.Context(), p.caches[1], "k", p.namesOf(p.dbs[1], &n, 42))
		if &one[0] != &other[0] {
			p.Error("a hit is decoded each time")
		}
		p.exec(p.dbs[1], "UPDATE stuff SET name = 'wine' WHERE id = 1")
		p.wantLoaded(0, "k", "[wine]", true)
		p.wantLoaded(1, "k", "[wine]", false)
		p.exec(p.dbs[0], "UPDATE stuff SET name = 'salt' WHERE user_id = 7")
		p.wantLoaded(1, "k", "[wine]", false)
		p.exec(p.dbs[0], "UPDATE stuff SET name = 'salt' WHERE user_id = 42")
		p.wantLoaded(1, "k", "[salt salt]", true)
		p.wantLoaded(0, "k", "[salt salt]", false)
	})
}

// TestTagsOfProcesses: what one process announces all of one name hear, and no other.
func TestTagsOfProcesses(t *testing.T) {
	eachPair(t, func(p *pair) {
		var n loads
		count := func(context.Context) (int64, error) { return n.n.Add(1), nil }
		o := &ValueOptions[int64]{Tags: []Tag{"prices"}}
		wantValue(p.house, &n, p.caches[0], "k", "1", true, count, o)
		wantValue(p.house, &n, p.caches[1], "k", "1", false, count, o)
		stranger, err := New(&Options{Store: p.caches[0].options.Store, Name: "another"})
		p.ok(err)
		p.ok(stranger.Announce(p.Context(), "prices"))
		wantValue(p.house, &n, p.caches[1], "k", "1", false, count, o)
		wantValue(p.house, &n, stranger, "k", "2", true, count, o)
		p.ok(p.caches[1].Announce(p.Context(), "prices"))
		wantValue(p.house, &n, p.caches[0], "k", "3", true, count, o)
		wantValue(p.house, &n, p.caches[1], "k", "3", false, count, o)
	})
}

// TestOneLoadOfProcesses: two processes that miss one key at once load it once.
func TestOneLoadOfProcesses(t *testing.T) {
	eachPair(t, func(p *pair) {
		var n atomic.Int64
		load := func(i int) func(context.Context) ([]string, error) {
			return func(ctx context.Context) ([]string, error) {
				n.Add(1)
				time.Sleep(100 * time.Millisecond)
				return p.namesOf(p.dbs[i], &loads{}, 42)(ctx)
			}
		}
		p.value(0, "warm", "[bread]")
		p.exec(p.dbs[0], "UPDATE stuff SET price = price")
		for round := range 3 {
			n.Store(0)
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					v, err := Remember(p.Context(), p.caches[i%2], fmt.Sprint("k", round), load(i%2))
					if err != nil || fmt.Sprint(v) != "[bread]" {
						p.Errorf("%v, %v", v, err)
					}
				})
			}
			all.Wait()
			if n.Load() != 1 {
				p.Errorf("%d loads", n.Load())
			}
		}
		n.Store(0) // one that fails leaves it to the other
		fail := errors.New("no luck")
		if _, err := Remember(p.Context(), p.caches[0], "fails", func(context.Context) ([]string, error) { return nil, fail }); err != fail {
			p.Error(err)
		}
		start := time.Now()
		Remember(p.Context(), p.caches[1], "fails", load(1))
		if took := time.Since(start); n.Load() != 1 || took > 2*time.Second {
			p.Errorf("%d loads, after %v", n.Load(), took)
		}
	})
}

// A deaf store can be read, but not told of writes.
type deaf struct {
	store.Shared
	on atomic.Bool
}

var errDeaf = errors.New("the store hears nothing")

func (s *deaf) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	if s.on.Load() {
		return errDeaf
	}
	return s.Shared.Hold(ctx, id, tags, lease, look)
}

func (s *deaf) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	if s.on.Load() {
		return errDeaf
	}
	return s.Shared.Release(ctx, id, tags)
}

// TestValuesBehindTheFence: a process that the store could not be told of a write serves no value that was made before it. The
// domain of values knows of that only by the database's: without it the test sees an old one.
func TestValuesBehindTheFence(t *testing.T) {
	for _, mutant := range []coherence.Mutant{coherence.NoMutant, coherence.NoFence} {
		t.Run(mutant.String(), func(t *testing.T) {
			far := &deaf{Shared: sharedStores["redis"](t)().(store.Shared)}
			h := newHouse(t, kinds[0], &Options{Store: far, Name: "shop", watch: time.Hour, mutant: mutant})
			h.stuff()
			load := h.namesOf(h.db, &loads{}, 42)
			h.warm(func() { wantSome(h, "k", load) })
			wantSome(h, "k", load)
			if !h.cache.ExplainValue(t.Context(), "k").Kept {
				t.Fatalf("%+v", h.cache.ExplainValue(t.Context(), "k"))
			}
			far.on.Store(true)
			h.exec(h.db, "UPDATE stuff SET name = 'wine' WHERE id = 1")
			stale := 0
			for end := time.Now().Add(1200 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if v, err := Remember(t.Context(), h.cache, "k", load); err != nil || fmt.Sprint(v) != "[wine]" {
					stale++
				}
			}
			if (stale > 0) != (mutant == coherence.NoFence) {
				t.Errorf("%d old values", stale)
			}
			far.on.Store(false)
			for range 200 {
				if v, _ := Remember(t.Context(), h.cache, "k", load); fmt.Sprint(v) == "[wine]" && h.cache.ExplainValue(t.Context(), "k").Kept {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			if mutant == coherence.NoMutant {
				t.Error("the store hears again, and nothing is kept")
			}
		})
	}
}

type article struct {
	Name   string
	Hidden string `json:"-"`
	Few    []int  `json:",omitempty"`
	Count  *int64
	At     time.Time
	Note   sql.NullString
	Host   netip.Addr
	By     map[string][]byte
	Inner  *article
}

type secret struct {
	Name string
	age  int
}

type marked struct{ Price int }

func (marked) Kind() string { return "x" }

// TestValuesInStores: a value comes back from a store as it was, or it isn't kept and ExplainValue says what would be lost.
func TestValuesInStores(t *testing.T) {
	p := newPair(t, "redis", kinds[0])
	zero := new(int64)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	whole := article{Name: "\xff'", Hidden: "h", Few: []int{}, Count: zero, At: at, Note: sql.NullString{Valid: true}, Host: netip.MustParseAddr("::1"), By: map[string][]byte{"a": {}, "b": nil}, Inner: &article{}}
	keeps(p, whole)
	keeps(p, []article{})
	keeps(p, []article(nil))
	keeps(p, []*article{nil, &whole})
	keeps(p, (*article)(nil))
	keeps(p, map[int64]article(nil))
	keeps(p, map[[2]int8]string{{1, 2}: "x"})
	keeps(p, at)
	keeps(p, at.In(time.FixedZone("", 3600)))
	keeps(p, math.Inf(-1))
	keeps(p, math.Copysign(0, -1))
	keeps(p, uint64(math.MaxUint64))
	keeps(p, int64(math.MinInt64))
	keeps(p, "")
	keeps(p, []byte(nil))
	keeps(p, [2]bool{true})
	keeps(p, struct{}{})
	keeps(p, marked{3})
	keeps[any](p, "text")
	keeps(p, strings.Repeat("long ", 1<<16))
	refuses(p, secret{"x", 3}, "secret.age")
	refuses(p, []secret{{"x", 3}}, "[…].age")
	refuses(p, func() {}, "written")
	refuses(p, make(chan int), "written")
	refuses[any](p, marked{3}, "written")
	refuses(p, map[string]any{"a": int8(3)}, "[…]")
	refuses(p, at.In(time.FixedZone("CET", 3600)), "Time")
	loop := &article{}
	loop.Inner = loop
	refuses(p, loop, "written")
}

// made has one process make a value, and another ask for it.
func made[T any](p *pair, v T, o *ValueOptions[T]) (got T, loaded bool, why string) {
	p.Helper()
	key := fmt.Sprintf("%T", v) + fmt.Sprint(time.Now().UnixNano())
	load := func(of *bool) func(context.Context) (T, error) {
		return func(ctx context.Context) (T, error) {
			*of = true
			var n int
			err := p.dbs[0].QueryRowContext(ctx, "SELECT count(*) FROM stuff").Scan(&n)
			return v, err
		}
	}
	var first bool
	if _, err := Remember(p.Context(), p.caches[0], key, load(&first), o); err != nil {
		p.Errorf("%T: %v", v, err)
	}
	why = p.caches[0].ExplainValue(p.Context(), key).Why
	got, err := Remember(p.Context(), p.caches[1], key, load(&loaded), o)
	if err != nil {
		p.Errorf("%T: %v", v, err)
	}
	return got, loaded, why
}

func keeps[T any](p *pair, v T) {
	p.Helper()
	if got, loaded, why := made(p, v, nil); loaded || !reflect.DeepEqual(got, v) {
		p.Errorf("%T: %+v comes back as %+v; loaded: %v, %s", v, v, got, loaded, why)
	}
}

func refuses[T any](p *pair, v T, says string) {
	p.Helper()
	if _, loaded, why := made(p, v, nil); !loaded || !strings.Contains(why, says) {
		p.Errorf("%T: kept: %v, because of %q; want %q", v, !loaded, why, says)
	}
}

// TestOtherForms: what lies under the key in another version, of another type or another codec is a miss.
func TestOtherForms(t *testing.T) {
	p := newPair(t, "redis", kinds[0])
	type v1 struct{ A int }
	type v2 struct {
		A int
		B string
	}
	var n loads
	o1, o2 := &ValueOptions[v1]{TTL: time.Minute}, &ValueOptions[v2]{TTL: time.Minute}
	first := func(context.Context) (v1, error) { n.n.Add(1); return v1{1}, nil }
	second := func(context.Context) (v2, error) { n.n.Add(1); return v2{1, "b"}, nil }
	wantValue(p.house, &n, p.caches[0], "k", "{1}", true, first, o1)
	wantValue(p.house, &n, p.caches[1], "k", "{1 b}", true, second, o2)
	wantValue(p.house, &n, p.caches[1], "k", "{1 b}", false, second, o2)
	coded := *o2
	coded.Codec = plainCodec{}
	wantValue(p.house, &n, p.caches[0], "k", "{1 b}", true, second, &coded)
	wantValue(p.house, &n, p.caches[0], "k", "{1 b}", false, second, &coded)
	coded.Codec = plainCodec{fails: true}
	wantValue(p.house, &n, p.caches[1], "other", "{1 b}", true, second, &coded)
	if x := p.caches[1].ExplainValue(p.Context(), "other"); x.Kept || !strings.Contains(x.Why, "can't write") {
		p.Errorf("%+v", x)
	}
	form := &box[v1]{value: v1{7}}
	if err := form.write(nil); err != nil {
		t.Fatal(err)
	}
	for i := range form.form { // damaged anywhere it is no value, or another; never a panic
		damaged := append([]byte(nil), form.form...)
		damaged[i] ^= 0x55
		readBox[v1](damaged, nil)
		readBox[v1](damaged[:i], nil)
	}
	versioned := append([]byte(nil), form.form...)
	versioned[2]++
	if b, why := readBox[v1](versioned, nil); b != nil || !strings.Contains(why, "version") {
		t.Error(b, why)
	}
	if b, why := readBox[v2](form.form, nil); b != nil || !strings.Contains(why, "type") {
		t.Error(b, why)
	}
	if b, _ := readBox[v1](form.form, nil); b == nil || b.value != form.value {
		t.Error(b)
	}
}

// plainCodec writes by fmt.
type plainCodec struct{ fails bool }

func (plainCodec) Name() string { return "plain" }

func (c plainCodec) Append(dst []byte, from any) ([]byte, error) {
	if c.fails {
		return nil, errors.New("can't write")
	}
	return fmt.Appendf(dst, "%+v", reflect.ValueOf(from).Elem()), nil
}

func (plainCodec) Decode(data []byte, into any) error {
	text := strings.NewReplacer("{A:", "", " B:", " ", "}", "").Replace(string(data))
	v := reflect.ValueOf(into).Elem()
	_, err := fmt.Sscan(text, v.Field(0).Addr().Interface(), v.Field(1).Addr().Interface())
	return err
}

// TestRoundTripsOfValues: a hit is one look into the store, be it of a copy or of what another process has made.
func TestRoundTripsOfValues(t *testing.T) {
	open := sharedStores["redis"](t)
	far := &tallied{Shared: open().(store.Shared)}
	h := newHouse(t, kinds[0], &Options{Store: far, Name: "shop", watch: time.Hour})
	other, err := New(&Options{Store: open(), Name: "shop", watch: time.Hour})
	h.ok(err)
	var n loads
	count := func(context.Context) (int64, error) { return n.n.Add(1), nil }
	o := &ValueOptions[int64]{Tags: []Tag{"t"}}
	wantValue(h, &n, other, "of another", "1", true, count, o)
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"a miss", func() { wantValue(h, &n, h.cache, "k", "2", true, count, o) }, "lookup claim lookup lookup fill"},
		{"a hit of a copy", func() { wantValue(h, &n, h.cache, "k", "2", false, count, o) }, "lookup"},
		{"a hit of what another process has made", func() { wantValue(h, &n, h.cache, "of another", "1", false, count, o) }, "lookup"},
		{"an announcement", func() { h.ok(h.cache.Announce(t.Context(), "t")) }, "hold release"},
	} {
		far.took()
		step.do()
		if got := far.took(); got != step.want {
			t.Errorf("%s: %s; want %s", step.what, got, step.want)
		}
	}
}
