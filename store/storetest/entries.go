package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/larderdb/larder/store"
)

func missingTokens(s *suite) {
	first := s.look("k", "a", "b")
	if first.Tokens[0] == 0 || first.Tokens[1] == 0 {
		s.Fatalf("tokens %v: 0 is none", first.Tokens)
	}
	second := s.look("k", "b", "a")
	if first.Tokens[0] != second.Tokens[1] || first.Tokens[1] != second.Tokens[0] {
		s.Fatalf("tokens %v, then in the other order %v", first.Tokens, second.Tokens)
	}
	if first.Held {
		s.Fatal("tags that nobody has held are held")
	}
}

func uniqueTokens(s *suite) {
	seen := make(map[store.Token]bool)
	for i := range 100 {
		tag := store.Tag(fmt.Sprint("t", i%10))
		s.release(store.HoldID(i+1), tag)
		token := s.token(tag)
		if seen[token] {
			s.Fatalf("token %d came twice", token)
		}
		seen[token] = true
	}
}

func filled(s *suite) {
	tokens := s.miss("k", "a", "b").Tokens
	s.fillUnder("k", "v", []store.Tag{"a", "b"}, tokens)
	e := s.look("k", "a", "b").Entry
	if e == nil {
		s.Fatal("miss after fill")
	}
	if e.Value != "v" || e.Size != 16 {
		s.Fatalf("entry %+v", e)
	}
	for i, tag := range []store.Tag{"a", "b"} {
		if e.Tags[i] != tag || e.Tokens[i] != tokens[i] {
			s.Fatalf("entry of %v %v, want %v", e.Tags, e.Tokens, tokens)
		}
	}
	s.miss("K", "a", "b")
}

// validity changes each subset of three tags in each way that a tag can change.
func validity(s *suite) {
	tags := []store.Tag{"a", "b", "c"}
	for change := range 2 {
		for set := range 1 << len(tags) {
			key := fmt.Sprint("k", change, set)
			s.fill(key, set, tags...)
			s.hit(key, set, tags...)
			for i, tag := range tags {
				if set&(1<<i) == 0 {
					continue
				}
				id := store.HoldID(1000*change + 10*set + i + 1)
				if change == 0 {
					s.release(id, tag)
				} else {
					s.hold(id, 0, tag)
					defer s.release(id, tag)
				}
			}
			if set == 0 {
				s.hit(key, set, tags...)
			} else {
				s.miss(key, tags...)
				s.miss(key)
			}
			if change == 1 {
				for i, tag := range tags {
					s.release(store.HoldID(1000*change+10*set+i+1), tag)
				}
			}
		}
	}
}

func foreignTags(s *suite) {
	s.fill("k", 1, "a", "b")
	s.hit("k", 1)
	s.hit("k", 1, "a")
	s.hit("k", 1, "c")
	s.hold(1, 0, "c")
	s.hit("k", 1, "c")
	s.release(2, "b")
	s.miss("k", "a")
	s.miss("k")
}

func aliasing(s *suite) {
	tags := []store.Tag{"a", "b"}
	tokens := s.look("", tags...).Tokens
	e := &store.Entry{Value: 1, Size: 8, Tags: tags, Tokens: tokens}
	if err := s.Store.Fill(s.Context(), "k", e, time.Hour); err != nil {
		s.Fatal(err)
	}
	tags[0], tokens[0], e.Value = "x", 0, 2
	s.hit("k", 1, "a", "b")
	if e := s.look("k", "a").Entry; e.Tags[0] != "a" {
		s.Fatalf("tags of the entry are %v", e.Tags)
	}
}

func zeroTags(s *suite) {
	s.fill("k", 1)
	s.hit("k", 1)
	s.hit("k", 1, "a")
}

func emptyKey(s *suite) {
	v := s.look("", "a")
	s.fillUnder("", 1, []store.Tag{"a"}, v.Tokens)
	s.miss("", "a")
	if v := s.look(""); v.Entry != nil || v.Held || len(v.Tokens) != 0 {
		s.Fatalf("nothing asked, answer %+v", v)
	}
}

func replaced(s *suite) {
	s.fill("k", 1, "a")
	s.fill("k", 2, "b")
	s.hit("k", 2, "b")
	s.release(1, "a")
	s.hit("k", 2, "b")
	s.release(2, "b")
	s.miss("k", "b")
	s.fill("k", 3, "b")
	s.hit("k", 3, "b")
}

func removed(s *suite) {
	s.fill("k", 1, "a")
	s.fill("l", 2, "a")
	for range 2 {
		if err := s.Store.Remove(s.Context(), "k"); err != nil {
			s.Fatal(err)
		}
	}
	s.miss("k", "a")
	s.hit("l", 2, "a")
}

func oversize(s *suite) {
	limit := s.Store.Stats().MaxBytes
	if s.Elsewhere {
		return
	}
	if limit <= 0 {
		s.Skip("a store without a bound")
	}
	s.fill("small", 1, "a")
	e := &store.Entry{Value: 2, Size: int(limit + 1), Tags: []store.Tag{"a"}, Tokens: s.look("", "a").Tokens}
	if err := s.Store.Fill(s.Context(), "large", e, time.Hour); err != nil {
		s.Fatal(err)
	}
	s.miss("large", "a")
	s.hit("small", 1, "a")
}

func manyEntries(s *suite) {
	limit := s.Store.Stats().MaxBytes
	if limit <= 0 {
		s.Skip("a store without a bound")
	}
	const n = 1000
	tokens := s.look("", "a").Tokens
	for i := range n {
		e := &store.Entry{Value: i, Size: int(limit / 100), Tags: []store.Tag{"a"}, Tokens: tokens}
		if err := s.Store.Fill(s.Context(), fmt.Sprint(i), e, time.Hour); err != nil {
			s.Fatal(err)
		}
	}
	st := s.Store.Stats()
	if st.Bytes > st.MaxBytes || st.Entries > 100 || st.Entries < 50 || st.Evictions < n-100 {
		s.Fatalf("after %d entries of a hundredth each: %+v", n, st)
	}
	for i := range n {
		if v := s.look(fmt.Sprint(i), "a"); v.Entry != nil && v.Entry.Value != i {
			s.Fatalf("key %d has %v", i, v.Entry.Value)
		}
	}
}

// manyTags asks for many tags once; those that are held must stay so.
func manyTags(s *suite) {
	s.hold(1, 0, "held")
	s.fill("k", 1, "kept")
	n := 200_000
	if testing.Short() || s.Store.Stats().MaxBytes <= 0 { // where the store is the server's, which others fill too
		n = 20_000
	}
	for i := range n {
		s.look("", store.Tag(fmt.Sprint("many", i)))
	}
	s.held(true, "held")
	s.hit("k", 1, "kept")
	if st := s.Store.Stats(); st.MaxBytes > 0 && st.Bytes > st.MaxBytes {
		s.Fatalf("%d tags: %+v", n, st)
	}
	s.release(1, "held")
	s.held(false, "held")
}

func closed(s *suite) {
	s.fill("k", 1, "a")
	if err := s.Store.Close(); err != nil {
		s.Fatal(err)
	}
	if _, err := s.Store.Lookup(s.Context(), "k", []store.Tag{"a"}); err == nil {
		s.fillUnderAny("l")
	}
	_ = s.Store.Release(s.Context(), 1, []store.Tag{"a"})
	_ = s.Store.Close()
}

func (s *suite) fillUnderAny(key string) {
	e := &store.Entry{Value: 1, Tags: []store.Tag{}, Tokens: []store.Token{}}
	_ = s.Store.Fill(s.Context(), key, e, time.Hour)
}

func buffers(s *suite) {
	buf := []byte("key-one")
	key := unsafeString(buf)
	tokens := s.look(key, "a").Tokens
	s.fillUnder(key, 1, []store.Tag{"a"}, tokens)
	copy(buf, "key-two")
	s.hit("key-one", 1, "a")
	s.miss(key, "a")
	copy(buf, "key-one")
	s.hit(key, 1, "a")
}

func ttl(s *suite) {
	e := &store.Entry{Value: 1, Size: 8, Tags: []store.Tag{"a"}, Tokens: s.look("", "a").Tokens}
	if err := s.Store.Fill(s.Context(), "k", e, s.Lease); err != nil {
		s.Fatal(err)
	}
	s.fill("l", 2, "a")
	s.hit("k", 1, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.miss("k", "a")
	s.hit("l", 2, "a")
}

func noTTL(s *suite) {
	for _, d := range []time.Duration{0, -time.Second} {
		e := &store.Entry{Value: 1, Size: 8, Tags: []store.Tag{"a"}, Tokens: s.look("", "a").Tokens}
		if err := s.Store.Fill(s.Context(), "k", e, d); err != nil && !errors.Is(err, store.ErrNotKept) {
			s.Fatal(err)
		}
		s.miss("k", "a")
	}
}
