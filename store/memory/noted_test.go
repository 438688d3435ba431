package memory_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

var bg = context.Background()

// noted asks for what isn't there, and returns what FillNoted needs.
func noted(t *testing.T, s *memory.Store, key string, tags ...store.Tag) any {
	t.Helper()
	v, err := s.Lookup(bg, key, tags)
	if err != nil || v.Entry != nil || v.Noted == nil {
		t.Fatal(v, err)
	}
	return v.Noted
}

// found is the value under a key, nil for none.
func found(s *memory.Store, key string) any {
	if v, err := s.Lookup(bg, key, nil); err == nil && v.Entry != nil {
		return v.Entry.Value
	}
	return nil
}

func TestFillNoted(t *testing.T) {
	s := memory.New(0)
	note := noted(t, s, "k", "a", "b")
	s.FillNoted("k", note, 1, 8, time.Hour)
	if found(s, "k") != 1 {
		t.Fatal("it wasn't kept")
	}
	s.FillNoted("l", note, 2, 8, time.Hour) // what was filled isn't changed
	if found(s, "k") != 1 || found(s, "l") != nil {
		t.Fatal("a note was taken twice")
	}
	for name, change := range map[string]func(){
		"hold":  func() { hold(t, s, "b"); release(t, s, "b") },
		"part":  func() { _ = s.Part(bg, "b", "member") },
		"held":  func() { hold(t, s, "b") },
		"close": func() { s.Close() },
	} {
		s = memory.New(0)
		note = noted(t, s, "k", "a", "b")
		change()
		s.FillNoted("k", note, 1, 8, time.Hour)
		if found(s, "k") != nil {
			t.Errorf("%s: it was kept", name)
		}
	}
	s = memory.New(0)
	s.FillNoted("k", "something else", 1, 8, time.Hour)
	s.FillNoted("k", noted(t, s, "k", "a"), 1, 8, 0)
	s.FillNoted("k", noted(t, s, "k", "a"), 1, 1<<40, time.Hour)
	if found(s, "k") != nil {
		t.Error("something was kept")
	}
}

func hold(t *testing.T, s *memory.Store, tag store.Tag) {
	t.Helper()
	if err := s.Hold(bg, 1, []store.Tag{tag}, 0, nil); err != nil {
		t.Fatal(err)
	}
}

func release(t *testing.T, s *memory.Store, tag store.Tag) {
	t.Helper()
	if err := s.Release(bg, 1, []store.Tag{tag}); err != nil {
		t.Fatal(err)
	}
}

// TestNotesOfDroppedTags: a tag that was dropped since it was looked up, even while it was, is another one for writers.
func TestNotesOfDroppedTags(t *testing.T) {
	s := memory.New(1 << 20)
	tags := []store.Tag{"a"}
	for i := range 4000 {
		tags = append(tags, store.Tag("b"+strconv.Itoa(i)))
	}
	note := noted(t, s, "k", tags...)
	if n := s.Stats().Tags; n >= len(tags) {
		t.Fatalf("%d tags: none was dropped", n)
	}
	s.FillNoted("k", note, 1, 8, time.Hour)
	hold(t, s, "a")
	release(t, s, "a")
	if found(s, "k") != nil {
		t.Fatal("an entry outlived a write of its first tag")
	}
}

// TestLookupCommon: what many Lookups have in common is found once, and those who ask by that see what those see who ask by name.
func TestLookupCommon(t *testing.T) {
	now := time.Duration(0)
	s := memory.NewWithClock(1<<20, func() time.Duration { return now })
	common := s.Common([]store.Tag{"a", "b"})
	v, told := s.LookupCommon("k", common, "own")
	named, err := s.Lookup(bg, "other", []store.Tag{"a", "b", "own"})
	if !told || err != nil || v.Entry != nil || v.Held || !slices.Equal(v.Tags, []store.Tag{"a", "b", "own"}) || !slices.Equal(v.Tokens, named.Tokens) {
		t.Fatalf("%+v %v; by name %+v, %v", v, told, named, err)
	}
	s.FillNoted("k", v.Noted, 1, 8, time.Hour)
	if v, told := s.LookupCommon("k", common, "own"); !told || v.Entry == nil || v.Entry.Value != 1 {
		t.Fatalf("%+v %v", v, told)
	}
	for _, tag := range []store.Tag{"a", "own"} {
		if err := s.Hold(bg, 1, []store.Tag{tag}, time.Second, nil); err != nil {
			t.Fatal(err)
		}
		if v, told := s.LookupCommon("k", common, "own"); told {
			t.Fatalf("%q is held: %+v", tag, v)
		}
		now += 2 * time.Second // it has lapsed, which is for Lookup to see
		if v, err := s.Lookup(bg, "k", []store.Tag{"a", "b", "own"}); err != nil || v.Entry != nil || v.Held {
			t.Fatal(v, err)
		}
		if v, told := s.LookupCommon("k", common, "own"); !told || v.Entry != nil || v.Tokens[0] == named.Tokens[0] {
			t.Fatalf("%q was held: %+v %v", tag, v, told)
		}
	}
	if _, told := s.LookupCommon("k", "something else", "own"); told {
		t.Fatal("it was told by what isn't its own")
	}
}

// TestCommonOfDroppedTags: by tags that were dropped nothing is told, nor kept if they are dropped after that.
func TestCommonOfDroppedTags(t *testing.T) {
	s := memory.New(1 << 20)
	common := s.Common([]store.Tag{"a"})
	v, told := s.LookupCommon("k", common, "own")
	if !told {
		t.Fatal("nothing was told")
	}
	for i := range 4000 {
		noted(t, s, "l", store.Tag("b"+strconv.Itoa(i)))
	}
	if v, told := s.LookupCommon("k", common, "own"); told {
		t.Fatalf("%+v by what was dropped", v)
	}
	s.FillNoted("k", v.Noted, 1, 8, time.Hour)
	hold(t, s, "a")
	release(t, s, "a")
	if found(s, "k") != nil {
		t.Fatal("an entry outlived a write of its first tag")
	}
}

// TestReferences: however entries come and go at once, a tag stands among the idle when none refers to it, and only then.
func TestReferences(t *testing.T) {
	s := memory.New(1 << 20)
	s.FillNoted("always", noted(t, s, "always", "a"), 0, 8, time.Hour)
	var done sync.WaitGroup
	for g := range 8 {
		done.Go(func() {
			for i := range 20000 {
				key, own := strconv.Itoa(g*8+i%8), store.Tag("t"+strconv.Itoa(i%3))
				if v, err := s.Lookup(bg, key, []store.Tag{"a", own}); err == nil && v.Entry == nil {
					s.FillNoted(key, v.Noted, i, 8, time.Hour)
				} else {
					_ = s.Remove(bg, key)
				}
				if i%100 == 0 {
					noted(t, s, "none", store.Tag("b"+strconv.Itoa(g*20000+i)))
				}
			}
		})
	}
	done.Wait()
	s.Retire("a")
	if n := s.Misplaced(); n != 0 {
		t.Fatalf("%d tags are misplaced", n)
	}
	s.Flush()
	s.Retire("a")
	if n := s.Misplaced(); n != 0 {
		t.Fatalf("%d tags are misplaced when there are no entries", n)
	}
}

// TestSpareRoom: who fills a store of some size soon finds room, which another has made; it never takes more than it may.
func TestSpareRoom(t *testing.T) {
	const most = 8 << 20
	s := memory.New(most)
	for i := range 20000 {
		key := strconv.Itoa(i)
		s.FillNoted(key, noted(t, s, key, "a"), 1, 2000, time.Hour)
		if st := s.Stats(); st.Bytes > most {
			t.Fatalf("%d of %d bytes", st.Bytes, most)
		}
	}
	for until := time.Now().Add(10 * time.Second); s.Stats().Bytes > most-most/128; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d of %d bytes when nobody fills", s.Stats().Bytes, most)
		}
	}
	if n := s.Stats().Entries; n < most/2600 {
		t.Fatalf("only %d entries are left", n)
	}
}
