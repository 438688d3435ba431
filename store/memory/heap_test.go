package memory_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// shapes are what a store may be full of.
var shapes = []struct {
	name  string
	size  func(r *rand.Rand) int
	key   int // bytes of a key
	tags  int // tags of an entry …
	share int // … each of which so many entries share
}{
	{"small values, one tag", constant(100), 40, 1, 1 << 20},
	{"one row, two tags", constant(300), 120, 2, 1 << 20},
	{"rows, three tags", constant(1200), 200, 3, 1 << 20},
	{"pages", constant(20_000), 80, 8, 1 << 20},
	{"large", constant(700_000), 100, 1, 1 << 20},
	{"mixed", func(r *rand.Rand) int { return 50 << r.IntN(10) }, 150, 2, 1 << 20},
	{"a slice for each entry", constant(300), 120, 2, 1},
	{"a slice for ten entries", constant(300), 120, 3, 10},
}

func constant(n int) func(*rand.Rand) int { return func(*rand.Rand) int { return n } }

// TestHeap fills a store with 64 MiB of each shape and compares what it says that
// it takes with what the heap says.
func TestHeap(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("fills 64 MiB a shape, which takes minutes under the race detector")
	}
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			const limit = 64 << 20
			before := heap()
			s := memory.New(limit)
			r := rand.New(rand.NewPCG(1, 2))
			n := 0
			for filled := 0; filled < 2*limit; n++ {
				filled += fillShape(t, s, n, shape.size(r), shape.key, shape.tags, shape.share)
			}
			compareHeap(t, s, before)
			st := s.Stats()
			if st.Bytes > limit || st.Bytes < limit*8/10 {
				t.Errorf("%d bytes of %d after twice as much was filled", st.Bytes, limit)
			}
			runtime.KeepAlive(s)
		})
	}
}

// compareHeap compares what a store says that it takes with what the heap has grown by.
func compareHeap(t *testing.T, s *memory.Store, before uint64) {
	t.Helper()
	st := s.Stats()
	took := int64(heap() - before)
	off := float64(st.Bytes-took) / float64(took) * 100
	t.Logf("%d entries, %d tags: says %d, heap %d, %+.1f%% (%d B an entry)", st.Entries, st.Tags, st.Bytes, took, off, took/int64(st.Entries))
	if off < -7 || off > 7 {
		t.Errorf("says %d bytes, the heap %d: %+.1f%%", st.Bytes, took, off)
	}
	runtime.KeepAlive(s)
}

// TestHeapOfTheTable: what large entries find that come in the place of many small ones is a table of those.
func TestHeapOfTheTable(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("fills 64 MiB twice, which takes minutes under the race detector")
	}
	before := heap()
	s := memory.New(64 << 20)
	for n := range 170_000 {
		fillShape(t, s, n, 8, 10, 1, 1<<20)
	}
	compareHeap(t, s, before)
	for n := range 20_000 {
		fillShape(t, s, n, 20_000, 20, 1, 1<<20)
	}
	compareHeap(t, s, before)
}

// fillShape fills the n-th entry, and returns about what it takes.
func fillShape(t *testing.T, s *memory.Store, n, size, key, tags, share int) int {
	t.Helper()
	names := make([]store.Tag, tags)
	for i := range names {
		names[i] = store.Tag(fmt.Sprintf("2:db:public.stuff%d{user_id=%d}", i, n/share))
	}
	v, err := s.Lookup(t.Context(), "", names)
	if err != nil {
		t.Fatal(err)
	}
	value := make([]byte, size)
	boxed := any(&value) // 24 bytes more
	e := &store.Entry{Value: boxed, Size: cap(value) + 24, Tags: names, Tokens: v.Tokens}
	name := fmt.Sprintf("%d%s", n, strings.Repeat("k", key))[:key]
	if err := s.Fill(t.Context(), name, e, time.Hour); err != nil {
		t.Fatal(err)
	}
	return size + key + 300
}

// heap is what lives in the heap, after the cache's own upkeep has come to an end.
func heap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestTagsAreBounded: millions of tags that nothing refers to don't fill the memory.
func TestTagsAreBounded(t *testing.T) {
	const limit = 8 << 20
	s := memory.New(limit)
	before := heap()
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	for i := range n {
		tag := []store.Tag{store.Tag(fmt.Sprintf("2:db:public.stuff{user_id=%d}", i))}
		if _, err := s.Lookup(t.Context(), "", tag); err != nil {
			t.Fatal(err)
		}
		if err := s.Hold(t.Context(), store.HoldID(i+1), tag, 0, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Release(t.Context(), store.HoldID(i+1), tag); err != nil {
			t.Fatal(err)
		}
	}
	took, st := int64(heap()-before), s.Stats()
	t.Logf("%d tags kept of %d, says %d, heap %d", st.Tags, n, st.Bytes, took)
	if st.Bytes > limit/8 || took > limit/4 {
		t.Errorf("%+v, heap %d, of %d bytes", st, took, limit)
	}
	runtime.KeepAlive(s)
}

// TestDroppedTagsReviveNothing: an entry of a tag that was dropped meanwhile isn't kept.
func TestDroppedTagsReviveNothing(t *testing.T) {
	s := memory.New(1 << 20)
	tags := []store.Tag{"first"}
	v, err := s.Lookup(t.Context(), "k", tags)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100_000 {
		s.Lookup(t.Context(), "", []store.Tag{store.Tag(fmt.Sprint(i))})
	}
	now, err := s.Lookup(t.Context(), "", tags)
	if err != nil {
		t.Fatal(err)
	}
	if now.Tokens[0] == v.Tokens[0] {
		t.Fatal("the tag was not dropped: this test tests nothing")
	}
	e := &store.Entry{Value: 1, Size: 8, Tags: tags, Tokens: v.Tokens}
	if err := s.Fill(t.Context(), "k", e, time.Hour); err != nil {
		t.Fatal(err)
	}
	if v, _ := s.Lookup(t.Context(), "k", tags); v.Entry != nil {
		t.Fatal("an entry under the token of a dropped tag is valid")
	}
}

// TestScan: what is used often outlives a scan over much that is used once.
func TestScan(t *testing.T) {
	s := memory.New(4 << 20)
	tags := []store.Tag{"a"}
	v, _ := s.Lookup(t.Context(), "", tags)
	fill := func(key string) {
		e := &store.Entry{Value: key, Size: 1000, Tags: tags, Tokens: v.Tokens}
		if err := s.Fill(t.Context(), key, e, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4000 { // it counts uses once it is half full
		fill(fmt.Sprint("cold", i))
	}
	const hot = 1000
	for range 10 {
		for i := range hot {
			key := fmt.Sprint("hot", i)
			if v, _ := s.Lookup(t.Context(), key, tags); v.Entry == nil {
				fill(key)
			}
		}
		s.Stats() // so that it has seen them
	}
	for i := range 20_000 {
		fill(fmt.Sprint("scan", i))
	}
	kept := 0
	for i := range hot {
		if v, _ := s.Lookup(t.Context(), fmt.Sprint("hot", i), tags); v.Entry != nil {
			kept++
		}
	}
	if kept < hot*8/10 {
		t.Errorf("%d of %d hot entries have outlived a scan", kept, hot)
	}
}

// TestGrows: what is kept is found, and what is removed isn't, however often the table has grown
// and whichever queue it stands in.
func TestGrows(t *testing.T) {
	s := memory.New(64 << 20)
	tags := []store.Tag{"a"}
	v, _ := s.Lookup(t.Context(), "", tags)
	const n = 10_000
	found := func(key string) bool {
		v, err := s.Lookup(t.Context(), key, nil)
		return err == nil && v.Entry != nil && v.Entry.Value == any(key)
	}
	for i := range n {
		key := fmt.Sprint(i)
		for range 2 { // the second time in the place of the first
			e := &store.Entry{Value: key, Size: 8, Tags: tags, Tokens: v.Tokens}
			if err := s.Fill(t.Context(), key, e, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		if i%3 == 0 && !found(key) {
			t.Fatalf("%s is not found after it was filled", key)
		}
	}
	for i := range n {
		key := fmt.Sprint(i)
		if !found(key) {
			t.Fatalf("%s is not found, of %+v", key, s.Stats())
		}
		if err := s.Remove(t.Context(), key); err != nil || found(key) {
			t.Fatalf("%s is found after it was removed: %v", key, err)
		}
	}
	if st := s.Stats(); st.Entries != 0 || st.Evictions != 0 || st.Bytes > 1000 {
		t.Errorf("%+v of an empty store", st)
	}
}

// TestComesAgain: what was let go unused stays when it comes again soon, though what is kept was
// all used and there is more of it than passes through the small queue at a time.
func TestComesAgain(t *testing.T) {
	s := memory.New(4 << 20)
	tags := []store.Tag{"a"}
	v, _ := s.Lookup(t.Context(), "", tags)
	tokens := v.Tokens
	hits := func(name string, n int) (hits int) {
		for i := range n {
			key := fmt.Sprint(name, i)
			if v, _ := s.Lookup(t.Context(), key, nil); v.Entry != nil {
				hits++
				continue
			}
			e := &store.Entry{Value: key, Size: 1000, Tags: tags, Tokens: tokens}
			if err := s.Fill(t.Context(), key, e, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		return hits
	}
	for range 4 {
		hits("used", 2800)
	}
	hits("once", 1000) // the rest of the room
	const n = 1000
	if first := hits("new", n); first != 0 {
		t.Fatalf("%d hits of what wasn't there", first)
	}
	hits("new", n)
	if third := hits("new", n); third < n*8/10 {
		t.Errorf("%d of %d hits of what came again", third, n)
	}
}

// TestReadersWhileItGrows: a reader finds what is of its key or nothing, and comes to an end, while the table grows and
// while it gets smaller.
func TestReadersWhileItGrows(t *testing.T) {
	s := memory.New(2 << 20)
	tags := []store.Tag{"a"}
	v, _ := s.Lookup(t.Context(), "", tags)
	tokens := v.Tokens
	const n, turn = 24_000, 6000
	most := 0
	var last atomic.Int64
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := last.Load(); i < n; i = last.Load() {
				key := fmt.Sprint(max(i-rand.Int64N(300), 0))
				if v, _ := s.Lookup(t.Context(), key, nil); v.Entry != nil && v.Entry.Value != any(key) {
					t.Errorf("%v under %s", v.Entry.Value, key)
					return
				}
			}
		})
	}
	for i := range int64(n) {
		key := fmt.Sprint(i)
		if i%(2*turn) < turn {
			e := &store.Entry{Value: key, Size: 8, Tags: tags, Tokens: tokens}
			if err := s.Fill(t.Context(), key, e, time.Hour); err != nil {
				t.Fatal(err)
			}
		} else if err := s.Remove(t.Context(), fmt.Sprint(i-turn)); err != nil {
			t.Fatal(err)
		}
		most = max(most, s.Buckets())
		if st := s.Stats(); st.Bytes > st.MaxBytes {
			t.Fatalf("%+v", st)
		}
		last.Store(i + 1)
	}
	readers.Wait()
	if now := s.Buckets(); most < 4096 || now > 256 {
		t.Errorf("%d buckets at most, %d at last", most, now)
	}
}
