package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/store"
)

// RunPlain runs the suite of plain values. open is called once for each test and returns an empty store.
// Subject.Lease is a time to live that the store keeps to.
func RunPlain(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range plainCases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			if s.Lease == 0 {
				s.Lease = time.Second
			}
			p, ok := s.Store.(store.Plain)
			if !ok {
				t.Fatalf("a %T keeps no plain values", s.Store)
			}
			c.run(&plainSuite{suite{T: t, Subject: s}, p})
		})
	}
}

var plainCases = []struct {
	name string
	run  func(*plainSuite)
}{
	{"set, get and delete", plainValues},
	{"an empty value is there", plainEmpty},
	{"any key", plainKeys},
	{"plain values and entries don't meet", plainApart},
	{"values in a buffer that changes", plainBuffers},
	{"add", plainAdd},
	{"swap", plainSwap},
	{"count", plainCount},
	{"count what is no number", plainWords},
	{"count beyond 64 bits", plainOverflow},
	{"a value lives for its ttl", plainTTL},
	{"a ttl of months", plainLongTTL},
	{"touch", plainTouch},
	{"counts and swaps leave the ttl", plainLeft},
	{"a value that is too large", plainOversize},
	{"many at once", plainMany},
	{"none at once", func(s *plainSuite) { s.plain.Plain(s.Context(), nil) }},
	{"more than there is room for", plainEviction},
	{"concurrent counts come to their sum", plainConcurrentCounts},
	{"concurrent adds have one winner", plainConcurrentAdds},
	{"what is replaced all the time is always there", plainAlwaysThere},
	{"concurrent swaps come after each other", plainConcurrentSwaps},
	{"close of plain values", plainClosed},
}

type plainSuite struct {
	suite
	plain store.Plain
}

func (s *plainSuite) try(op store.PlainOp) store.PlainOp {
	if op.TTL == 0 {
		op.TTL = time.Hour
	}
	ops := []store.PlainOp{op}
	s.plain.Plain(s.Context(), ops)
	return ops[0]
}

// do does an op that must not fail.
func (s *plainSuite) do(op store.PlainOp) store.PlainOp {
	s.Helper()
	op = s.try(op)
	if op.Err != nil {
		s.Fatalf("verb %d of %.40q: %v", op.Verb, op.Key, op.Err)
	}
	return op
}

func (s *plainSuite) did(want bool, op store.PlainOp) store.PlainOp {
	s.Helper()
	if op = s.do(op); op.Done != want {
		s.Fatalf("verb %d of %.40q: done %v, want %v", op.Verb, op.Key, op.Done, want)
	}
	return op
}

func (s *plainSuite) set(key, value string, ttl time.Duration) {
	s.Helper()
	s.did(true, store.PlainOp{Verb: store.PlainSet, Key: key, Value: []byte(value), TTL: ttl})
}

func (s *plainSuite) has(key, want string) {
	s.Helper()
	if op := s.did(true, store.PlainOp{Key: key}); op.Found == nil || string(op.Found) != want {
		s.Fatalf("%.40q has %.40q, want %.40q", key, op.Found, want)
	}
}

func (s *plainSuite) hasNot(key string) {
	s.Helper()
	if op := s.did(false, store.PlainOp{Key: key}); op.Found != nil {
		s.Fatalf("%.40q isn't there, and has %.40q", key, op.Found)
	}
}

func (s *plainSuite) count(key string, delta, want int64) {
	s.Helper()
	if op := s.did(true, store.PlainOp{Verb: store.PlainCount, Key: key, Delta: delta}); op.Sum != want {
		s.Fatalf("%.40q counts %d, want %d", key, op.Sum, want)
	}
}

func plainValues(s *plainSuite) {
	s.hasNot("k")
	s.did(false, store.PlainOp{Verb: store.PlainDelete, Key: "k"})
	for _, value := range []string{"v", "another", "\x00\r\n\xff é", strings.Repeat("long ", 20_000)} {
		s.set("k", value, time.Hour)
		s.has("k", value)
		s.hasNot("K")
	}
	s.did(true, store.PlainOp{Verb: store.PlainDelete, Key: "k"})
	s.hasNot("k")
	s.did(false, store.PlainOp{Verb: store.PlainDelete, Key: "k"})
}

func plainEmpty(s *plainSuite) {
	s.set("k", "", time.Hour)
	s.has("k", "")
	s.did(false, store.PlainOp{Verb: store.PlainAdd, Key: "k", Value: []byte("v")})
	s.did(true, store.PlainOp{Verb: store.PlainSwap, Key: "k", Value: []byte("v")})
	s.did(true, store.PlainOp{Verb: store.PlainSwap, Key: "k", Old: []byte("v")})
	s.has("k", "")
}

func plainKeys(s *plainSuite) {
	long := strings.Repeat("k", 1000)
	keys := []string{"", " ", "a b", "a\r\nb", "\x00", "é 日本", "\xff\xfe", "#", "#" + long[:32], "{a}", "}:s", long, long + "1", long + "2", strings.Repeat("k", 238), strings.Repeat("k", 239)}
	for i, key := range keys {
		s.set(key, fmt.Sprint(i), time.Hour)
	}
	for i, key := range keys {
		s.has(key, fmt.Sprint(i))
		s.count(key, 100, int64(i)+100)
		s.did(false, store.PlainOp{Verb: store.PlainAdd, Key: key})
		s.did(true, store.PlainOp{Verb: store.PlainTouch, Key: key})
		s.did(true, store.PlainOp{Verb: store.PlainDelete, Key: key})
		s.hasNot(key)
	}
}

func plainApart(s *plainSuite) {
	s.fill("k", 1, "a")
	s.hasNot("k")
	s.set("k", "v", time.Hour)
	s.hit("k", 1, "a")
	s.release(1, "a")
	s.has("k", "v")
	s.do(store.PlainOp{Verb: store.PlainDelete, Key: "k"})
	s.fill("k", 2, "a")
	s.hasNot("k")
}

func plainBuffers(s *plainSuite) {
	key, value := []byte("key-one"), []byte("value")
	s.do(store.PlainOp{Verb: store.PlainSet, Key: unsafeString(key), Value: value})
	copy(key, "key-two")
	copy(value, "-----")
	s.has("key-one", "value")
	s.hasNot("key-two")
}

func plainAdd(s *plainSuite) {
	add := func(value string) store.PlainOp {
		return store.PlainOp{Verb: store.PlainAdd, Key: "k", Value: []byte(value), TTL: s.Lease}
	}
	s.did(true, add("1"))
	s.did(false, add("2"))
	s.has("k", "1")
	s.Sleep(s.Lease * 3 / 2)
	s.did(true, add("3"))
	s.has("k", "3")
	s.do(store.PlainOp{Verb: store.PlainDelete, Key: "k"})
	s.did(true, add("4"))
	s.has("k", "4")
}

func plainSwap(s *plainSuite) {
	swap := func(old, value string) store.PlainOp {
		return store.PlainOp{Verb: store.PlainSwap, Key: "k", Old: []byte(old), Value: []byte(value)}
	}
	s.did(false, swap("", "x"))
	s.hasNot("k")
	s.set("k", "1", time.Hour)
	s.did(false, swap("2", "x"))
	s.has("k", "1")
	s.did(true, swap("1", "2"))
	s.did(false, swap("1", "3"))
	s.did(true, swap("2", "2"))
	s.has("k", "2")
}

func plainCount(s *plainSuite) {
	s.did(false, store.PlainOp{Verb: store.PlainCount, Key: "k", Delta: 1})
	s.hasNot("k")
	s.set("k", "41", time.Hour)
	s.count("k", 1, 42)
	s.has("k", "42")
	s.count("k", 0, 42)
	s.count("k", -50, -8)
	s.has("k", "-8")
	s.count("k", 8, 0)
	s.count("k", 1<<53+1, 1<<53+1) // more than a float64 holds
	s.count("k", 2, 1<<53+3)
	s.has("k", "9007199254740995")
}

func plainWords(s *plainSuite) {
	for _, word := range []string{"", "x", "1.5", "+1", "01", "-0", " 1", "1 ", "1\n", "0x10", "9223372036854775808"} {
		s.set("k", word, time.Hour)
		op := s.try(store.PlainOp{Verb: store.PlainCount, Key: "k", Delta: 1})
		if !errors.Is(op.Err, store.ErrNotNumber) || op.Done {
			s.Errorf("%q: done %v, sum %d, %v", word, op.Done, op.Sum, op.Err)
		}
		s.has("k", word)
	}
}

func plainOverflow(s *plainSuite) {
	for _, c := range []struct{ from, delta, back int64 }{
		{math.MaxInt64, 1, -1}, {math.MinInt64, -1, 1}, {math.MaxInt64 - 5, 6, 5}, {-2, math.MinInt64, -5}, {1, math.MaxInt64, -1}, {math.MinInt64, math.MinInt64, 0},
	} {
		s.set("k", fmt.Sprint(c.from), time.Hour)
		op := s.try(store.PlainOp{Verb: store.PlainCount, Key: "k", Delta: c.delta})
		if !errors.Is(op.Err, store.ErrOverflow) || op.Done {
			s.Errorf("%d + %d: done %v, sum %d, %v", c.from, c.delta, op.Done, op.Sum, op.Err)
		}
		s.has("k", fmt.Sprint(c.from))
		s.count("k", c.back, c.from+c.back)
	}
	s.set("k", "0", time.Hour)
	s.count("k", math.MinInt64, math.MinInt64)
	s.count("k", math.MaxInt64, -1)
}

func plainTTL(s *plainSuite) {
	s.set("k", "v", s.Lease)
	s.set("hour", "v", time.Hour)
	s.set("ever", "v", store.NoExpiry)
	s.set("again", "v", s.Lease)
	s.set("again", "w", time.Hour)
	s.set("once", "v", time.Hour)
	s.set("once", "w", s.Lease)
	s.set("tiny", "v", 1)
	s.has("k", "v")
	s.Sleep(s.Lease * 3 / 2)
	s.hasNot("k")
	s.hasNot("tiny")
	s.has("hour", "v")
	s.has("ever", "v")
	s.has("again", "w")
	s.hasNot("once")
	for _, verb := range []store.PlainVerb{store.PlainSwap, store.PlainCount, store.PlainDelete, store.PlainTouch} {
		s.did(false, store.PlainOp{Verb: verb, Key: "k", Old: []byte("v")})
	}
}

func plainLongTTL(s *plainSuite) {
	for _, days := range []int{29, 30, 31, 400, 36_500} {
		key, ttl := fmt.Sprint(days), time.Duration(days)*24*time.Hour
		s.set(key, "1", ttl)
		s.did(true, store.PlainOp{Verb: store.PlainAdd, Key: key + "a", Value: []byte("2"), TTL: ttl})
		s.did(true, store.PlainOp{Verb: store.PlainTouch, Key: key, TTL: ttl})
	}
	for _, days := range []int{29, 30, 31, 400, 36_500} {
		s.has(fmt.Sprint(days), "1")
		s.count(fmt.Sprint(days, "a"), 1, 3)
	}
	s.set("k", "v", store.NoExpiry-1)
	s.has("k", "v")
}

func plainTouch(s *plainSuite) {
	touch := func(key string, ttl time.Duration) store.PlainOp {
		return store.PlainOp{Verb: store.PlainTouch, Key: key, TTL: ttl}
	}
	s.did(false, touch("k", time.Hour))
	s.hasNot("k")
	for _, key := range []string{"longer", "ever", "as it is"} {
		s.set(key, "v", s.Lease)
	}
	s.set("shorter", "v", store.NoExpiry)
	s.did(true, touch("longer", time.Hour))
	s.did(true, touch("ever", store.NoExpiry))
	s.did(true, touch("shorter", s.Lease))
	s.Sleep(s.Lease * 3 / 2)
	s.has("longer", "v")
	s.has("ever", "v")
	s.hasNot("shorter")
	s.hasNot("as it is")
}

// plainLeft changes a value all the time: it must go when it had to, nevertheless.
func plainLeft(s *plainSuite) {
	s.set("counted", "0", s.Lease)
	s.set("swapped", "x", s.Lease)
	s.set("ever", "0", store.NoExpiry)
	from, slept := time.Now(), time.Duration(0)
	changes := []store.PlainOp{
		{Verb: store.PlainCount, Key: "counted", Delta: 1},
		{Verb: store.PlainSwap, Key: "swapped", Old: []byte("x"), Value: []byte("x")},
	}
	for _, op := range changes {
		s.did(true, op)
	}
	s.has("counted", "1")
	for gone := 0; gone < len(changes); {
		late := max(time.Since(from), slept) > s.Lease*5/4
		gone = 0
		for _, op := range changes {
			if op = s.do(op); !op.Done {
				gone++
			} else if late {
				s.Fatalf("%q is changed all the time, and doesn't expire", op.Key)
			}
		}
		s.Sleep(s.Lease / 5000)
		slept += s.Lease / 5000
	}
	s.hasNot("counted")
	s.hasNot("swapped")
	s.count("ever", 1, 1)
}

// tooLarge is a value that no store keeps, however it is compressed.
var tooLarge = sync.OnceValue(func() []byte {
	b := make([]byte, 65<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // it never fails
	return b
})

// plainOversize: what can't be kept leaves nothing of before in its place.
func plainOversize(s *plainSuite) {
	large := tooLarge()
	for _, verb := range []store.PlainVerb{store.PlainSet, store.PlainAdd} {
		s.set("k", "v", time.Hour)
		key := "k"
		if verb == store.PlainAdd {
			key = "new"
		}
		op := s.try(store.PlainOp{Verb: verb, Key: key, Value: large})
		if !errors.Is(op.Err, store.ErrNotKept) || op.Done {
			s.Fatalf("verb %d of %d bytes: done %v, %v", verb, len(large), op.Done, op.Err)
		}
		s.hasNot(key)
	}
	s.set("k", "v", time.Hour)
	s.has("k", "v")
}

func plainMany(s *plainSuite) {
	const n = 400
	ops := make([]store.PlainOp, n)
	for i := range ops {
		ops[i] = store.PlainOp{Verb: store.PlainSet, Key: fmt.Sprint("k", i), Value: fmt.Append(nil, i), TTL: time.Hour}
	}
	s.plain.Plain(s.Context(), ops)
	for i := range ops {
		if !ops[i].Done || ops[i].Err != nil {
			s.Fatalf("set %d: %v, %v", i, ops[i].Done, ops[i].Err)
		}
		ops[i].Reset()
		switch i % 4 {
		case 0:
			ops[i].Verb = store.PlainGet
		case 1:
			ops[i].Verb, ops[i].Delta = store.PlainCount, 1
		case 2:
			ops[i].Verb = store.PlainDelete
		case 3:
			ops[i].Key = fmt.Sprint("other", i)
			ops[i].Verb = store.PlainGet
		}
	}
	s.plain.Plain(s.Context(), ops)
	for i := range ops {
		op, ok := &ops[i], false
		switch i % 4 {
		case 0:
			ok = op.Done && string(op.Found) == fmt.Sprint(i)
		case 1:
			ok = op.Done && op.Sum == int64(i+1)
		case 2:
			ok = op.Done
		case 3:
			ok = !op.Done
		}
		if !ok || op.Err != nil {
			s.Fatalf("op %d: %+v", i, op)
		}
	}
}

// plainEviction fills a store of this process; what it lets go is missing.
func plainEviction(s *plainSuite) {
	limit := s.Store.Stats().MaxBytes
	if limit <= 0 || s.Elsewhere {
		s.Skip("where the store is a server's own")
	}
	const n = 2000
	value := strings.Repeat("x", int(limit/500))
	for i := range n {
		s.set(fmt.Sprint(i), value, store.NoExpiry)
	}
	there := 0
	for i := range n {
		if op := s.do(store.PlainOp{Key: fmt.Sprint(i)}); op.Done {
			there++
			s.has(fmt.Sprint(i), value)
		}
	}
	if st := s.Store.Stats(); st.Bytes > st.MaxBytes || there < 250 || there > 500 || st.Evictions < n-500 {
		s.Fatalf("%d of %d values of a five-hundredth each are there: %+v", there, n, st)
	}
}

func plainConcurrentCounts(s *plainSuite) {
	const workers, each = 8, 40
	s.set("k", "0", time.Hour)
	s.set("ever", "1000", store.NoExpiry)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				for key, delta := range map[string]int64{"k": int64(w + 1), "ever": -1} {
					if op := s.try(store.PlainOp{Verb: store.PlainCount, Key: key, Delta: delta}); op.Err != nil || !op.Done {
						s.Errorf("count: %v, %v", op.Done, op.Err)
					}
				}
			}
		})
	}
	wg.Wait()
	s.has("k", fmt.Sprint(each*workers*(workers+1)/2))
	s.has("ever", fmt.Sprint(1000-workers*each))
}

func plainConcurrentAdds(s *plainSuite) {
	for round := range 20 {
		var winners atomic.Int64
		var wg sync.WaitGroup
		key := fmt.Sprint("k", round)
		for w := range 8 {
			wg.Go(func() {
				op := s.try(store.PlainOp{Verb: store.PlainAdd, Key: key, Value: fmt.Append(nil, w)})
				if op.Err != nil {
					s.Error(op.Err)
				}
				if op.Done && winners.Add(1) == 1 {
					s.has(key, fmt.Sprint(w))
				}
			})
		}
		if wg.Wait(); winners.Load() != 1 {
			s.Fatalf("%d winners", winners.Load())
		}
	}
}

// plainAlwaysThere reads values that are replaced, counted and touched, while others come.
func plainAlwaysThere(s *plainSuite) {
	keys, n := []string{"set", "counted", "touched"}, 50_000
	if _, far := s.Store.(store.Shared); far {
		n = 500
	}
	for _, key := range keys {
		s.set(key, "0", time.Hour)
	}
	var wg sync.WaitGroup
	var done atomic.Bool
	wg.Go(func() {
		defer done.Store(true)
		for i := range n {
			s.try(store.PlainOp{Verb: store.PlainSet, Key: "set", Value: fmt.Append(nil, i)})
			s.try(store.PlainOp{Verb: store.PlainCount, Key: "counted", Delta: 1})
			s.try(store.PlainOp{Verb: store.PlainTouch, Key: "touched"})
			s.try(store.PlainOp{Verb: store.PlainSet, Key: fmt.Sprint("other", i)})
		}
	})
	for !done.Load() {
		for _, key := range keys {
			if op := s.try(store.PlainOp{Key: key}); op.Err != nil || !op.Done {
				s.Errorf("%q: done %v, %v", key, op.Done, op.Err)
				done.Store(true)
			}
		}
	}
	wg.Wait()
}

// plainConcurrentSwaps has each worker add a letter: none may be lost.
func plainConcurrentSwaps(s *plainSuite) {
	const workers, each = 6, 15
	s.set("k", "", time.Hour)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < each; {
				was := s.try(store.PlainOp{Key: "k"})
				op := s.try(store.PlainOp{Verb: store.PlainSwap, Key: "k", Old: was.Found, Value: append(bytes.Clone(was.Found), 'x')})
				if was.Err != nil || op.Err != nil {
					s.Error(was.Err, op.Err)
					return
				}
				if op.Done {
					done++
				}
			}
		})
	}
	wg.Wait()
	s.has("k", strings.Repeat("x", workers*each))
}

func plainClosed(s *plainSuite) {
	s.set("k", "1", time.Hour)
	if err := s.Store.Close(); err != nil {
		s.Fatal(err)
	}
	for range 2 {
		for verb := store.PlainGet; verb <= store.PlainTouch; verb++ {
			op := s.try(store.PlainOp{Verb: verb, Key: "k", Value: []byte("2"), Old: []byte("1")})
			if !errors.Is(op.Err, store.ErrClosed) || op.Done {
				s.Errorf("verb %d of a closed store: done %v, %v", verb, op.Done, op.Err)
			}
		}
	}
}
