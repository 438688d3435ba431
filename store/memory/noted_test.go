package memory_test

import (
	"context"
	"strconv"
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
