package memory_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
	"github.com/larderdb/larder/store/storetest"
)

// glancing is a store whose Lookup asks a Finder first, and once more, which has found it before then.
type glancing struct {
	*memory.Store
	find store.Finder
}

func (g glancing) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	if key != "" {
		for range 2 {
			if e := g.find.Find(key); e != nil {
				return store.View{Entry: e}, nil
			}
		}
	}
	return g.Store.Lookup(ctx, key, tags)
}

// TestContractOfFinder: what a Finder finds is what Lookup does, in each step of the contract.
func TestContractOfFinder(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		of := subject(t)
		in := of.Store.(*memory.Store)
		of.Store = glancing{in, in.Finder("")}
		return of
	})
}

// TestWriteWithinGlance: what is written while a glance looks at the tags, after it has seen their tokens, is counted for the next one.
func TestWriteWithinGlance(t *testing.T) {
	during := func() {}
	s := memory.NewWithClock(1<<20, func() time.Duration { // which is asked between the tokens and the second look at the holds
		do := during
		during = func() {}
		do()
		return time.Second
	})
	defer s.Close()
	f, tags := s.Finder(""), []store.Tag{"t"}
	write := func(id store.HoldID, tags []store.Tag) {
		if s.Hold(t.Context(), id, tags, 0, nil) != nil || s.Release(t.Context(), id, tags) != nil {
			t.Error("a hold fails")
		}
	}
	v, err := s.Lookup(t.Context(), "", tags)
	if err != nil {
		t.Fatal(err)
	}
	e := &store.Entry{Value: store.Bytes("1"), Size: 1, Tags: tags, Tokens: v.Tokens}
	if err := s.Fill(t.Context(), "k", e, time.Hour); err != nil || f.Find("k") == nil {
		t.Fatal("nothing is kept: this test tests nothing")
	}
	write(1, []store.Tag{"other"})
	during = func() { write(2, tags) }
	f.Find("k") // may find it: it began before the write
	for range 3 {
		if f.Find("k") != nil {
			t.Fatal("found after the write")
		}
	}
}

// TestFinderOfNobody: a Finder that was closed stays in memory for nobody, and another one shows what it has shown.
func TestFinderOfNobody(t *testing.T) {
	s := memory.New(8 << 20)
	defer s.Close()
	if err := s.Fill(t.Context(), "k", &store.Entry{Value: store.Bytes("1"), Size: 1}, time.Hour); err != nil {
		t.Fatal(err)
	}
	first := s.Finder("").(*memory.Finder)
	gone := weak.Make(first)
	if first.Find("k") == nil || !first.Shows("k") {
		t.Fatal("nothing is shown: this test tests nothing")
	}
	first.Close()
	if first.Find("k") == nil || first.Shows("k") {
		t.Error("a closed Finder finds nothing, or shows it")
	}
	first = nil
	runtime.GC()
	if gone.Value() != nil {
		t.Error("it is still there")
	}
	second := s.Finder("").(*memory.Finder)
	if second.Find("k") == nil || !second.Shows("k") {
		t.Error("another one doesn't show it")
	}
}

// TestFindersOfOneStore: keys of two spaces are apart, an entry that two Finders show is gone for both when it is removed, and so are those
// whose names look alike.
func TestFindersOfOneStore(t *testing.T) {
	s := memory.New(8 << 20)
	defer s.Close()
	a, again, b := s.Finder("a:"), s.Finder("a:"), s.Finder("b:")
	fill := func(key, value string) {
		t.Helper()
		e := &store.Entry{Value: store.Bytes(value), Size: len(value)}
		if err := s.Fill(t.Context(), key, e, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	want := func(f store.Finder, name, value string) {
		t.Helper()
		for range 3 {
			got := ""
			if e := f.Find(name); e != nil {
				got = string(e.Value.(store.Bytes))
			}
			if got != value {
				t.Errorf("%q is %q, want %q", name, got, value)
			}
		}
	}
	const long = "a name that is longer than what is looked at at its ends"
	names := []string{"", "k", "name of 8", long[:30] + "x" + long[31:], long[:30] + "y" + long[31:]}
	for _, name := range names {
		fill("a:"+name, "a "+name)
		fill("b:"+name, "b "+name)
	}
	for range 20 { // some slots have been given to others
		for _, name := range names {
			want(a, name, "a "+name)
			want(again, name, "a "+name)
			want(b, name, "b "+name)
		}
	}
	want(a, "none", "")
	for i, name := range names {
		if i%2 == 0 {
			fill("a:"+name, "new")
			want(a, name, "new")
			want(again, name, "new")
		}
		if err := s.Remove(t.Context(), "a:"+name); err != nil {
			t.Fatal(err)
		}
		want(a, name, "")
		want(again, name, "")
		want(b, name, "b "+name)
	}
}

// TestFinderKeepsNothing: what the store has let go isn't kept by a Finder.
func TestFinderKeepsNothing(t *testing.T) {
	s := memory.New(1 << 20)
	defer s.Close()
	f := s.Finder("")
	type large [10_000]byte
	var kept []weak.Pointer[large]
	for i := range 2000 {
		v := new(large)
		kept = append(kept, weak.Make(v))
		key := fmt.Sprint("key", i)
		if err := s.Fill(t.Context(), key, &store.Entry{Value: v, Size: 10_000}, time.Hour); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			f.Find(key)
		}
	}
	runtime.GC()
	left := 0
	for _, p := range kept {
		if p.Value() != nil {
			left++
		}
	}
	if n := s.Stats().Entries; left > n+1 { // the last one may be on the stack
		t.Errorf("%d values are in memory, of %d entries", left, n)
	}
	runtime.KeepAlive(f)
}
