package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/store"
)

// members wants these members of a tag, in any order, and returns its token.
func (s *suite) members(tag store.Tag, want ...string) store.Token {
	s.Helper()
	got, token, err := s.Store.Members(s.Context(), tag)
	if err != nil {
		s.Fatalf("members of %q: %v", tag, err)
	}
	got = slices.Sorted(slices.Values(got))
	if !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		s.Fatalf("members of %q: %q, want %q", tag, got, want)
	}
	if token == 0 {
		s.Fatalf("members of %q without a token", tag)
	}
	return token
}

func (s *suite) join(want bool, tag store.Tag, token store.Token, member string) {
	s.Helper()
	is, err := s.Store.Join(s.Context(), tag, token, member)
	if err != nil || is != want {
		s.Fatalf("join of %q to %q under %d: %v %v, want %v", member, tag, token, is, err, want)
	}
}

func (s *suite) part(tag store.Tag, member string) {
	s.Helper()
	if err := s.Store.Part(s.Context(), tag, member); err != nil {
		s.Fatalf("part of %q from %q: %v", member, tag, err)
	}
}

func noMembers(s *suite) {
	token := s.members("a")
	if now := s.token("a"); now != token {
		s.Fatalf("token %d with the members, %d of the tag", token, now)
	}
	if again := s.members("a"); again != token {
		s.Fatalf("token %d, then %d: asking gives no new one", token, again)
	}
}

func joined(s *suite) {
	token := s.token("a")
	s.fill("k", 1, "a")
	s.join(true, "a", token, "x")
	s.join(true, "a", token, "y")
	if now := s.members("a", "x", "y"); now != token {
		s.Fatalf("token %d, before the joins %d", now, token)
	}
	s.hit("k", 1, "a")
}

func joinedTwice(s *suite) {
	token := s.token("a")
	s.join(true, "a", token, "x")
	s.join(true, "a", token, "x")
	s.members("a", "x")
	s.part("a", "x")
	s.members("a")
}

func joinedLate(s *suite) {
	old := s.token("a")
	s.join(true, "a", old, "x")
	for i, change := range []func(){
		func() { s.hold(1, 0, "a") },
		func() { s.release(1, "a") },
		func() { s.part("a", "other") },
	} {
		change()
		s.join(false, "a", old, "y")
		s.join(false, "a", old, "x") // a member, but not under that token
		old = s.newToken("a", old)
		s.join(true, "a", old, fmt.Sprint("new", i))
	}
	s.members("a", "x", "new0", "new1", "new2")
}

func joinedUnseen(s *suite) {
	s.join(false, "a", 0, "x")
	s.join(false, "a", 7, "x")
	s.members("a")
}

func membersOutlive(s *suite) {
	token := s.token("a")
	s.join(true, "a", token, "x")
	s.hold(1, 0, "a")
	token = s.newToken("a", token)
	s.members("a", "x")
	s.release(1, "a")
	token = s.newToken("a", token)
	s.members("a", "x")
	s.hold(2, s.Lease, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.members("a", "x")
	s.newToken("a", token)
}

func parted(s *suite) {
	token := s.token("a")
	s.join(true, "a", token, "x")
	s.join(true, "a", token, "y")
	s.join(true, "a", token, "z")
	s.fill("k", 1, "a")
	s.part("a", "y")
	if now := s.members("a", "x", "z"); now == token {
		s.Fatal("the tag has its token still")
	}
	s.miss("k", "a")
	s.held(false, "a")
	s.join(false, "a", token, "y")
}

func partedStranger(s *suite) {
	token := s.token("a")
	s.join(true, "a", token, "x")
	s.part("a", "y")
	s.newToken("a", token)
	s.members("a", "x")
	s.part("never seen", "x")
	s.members("never seen")
}

func membersOfTwo(s *suite) {
	s.join(true, "a", s.token("a"), "x")
	s.join(true, "b", s.token("b"), "y")
	s.join(false, "b", s.token("a"), "x")
	s.part("a", "y")
	s.members("a", "x")
	s.members("b", "y")
}

// membersShared: who has the members in hand sees none come or go.
func membersShared(s *suite) {
	token := s.token("a")
	s.join(true, "a", token, "x")
	s.join(true, "a", token, "y")
	before, _, err := s.Store.Members(s.Context(), "a")
	if err != nil {
		s.Fatal(err)
	}
	kept := slices.Clone(before)
	s.join(true, "a", token, "z")
	s.part("a", "x")
	s.join(true, "a", s.token("a"), "w")
	if !slices.Equal(before, kept) {
		s.Fatalf("members %q have become %q", kept, before)
	}
}

func membersBuffers(s *suite) {
	tag, member := []byte("tag-a"), []byte("shape-x")
	token := s.token("tag-a")
	s.join(true, store.Tag(unsafeString(tag)), token, unsafeString(member))
	copy(tag, "tag-b")
	copy(member, "shape-y")
	s.members("tag-a", "shape-x")
	s.members("tag-b")
}

// membersLost has so many tags asked for that some are dropped, if the store
// ever does so: none has its members without its token.
func membersLost(s *suite) {
	const n = 20_000
	tokens := make([]store.Token, n)
	for i := range n {
		tag := store.Tag(fmt.Sprintf("public.stuff%d*", i))
		tokens[i] = s.token(tag)
		s.join(true, tag, tokens[i], "user_id")
	}
	lost := 0
	for i := n - 1; i >= 0; i-- { // the last ones may still be there
		members, token, err := s.Store.Members(s.Context(), store.Tag(fmt.Sprintf("public.stuff%d*", i)))
		if err != nil {
			s.Fatal(err)
		}
		if (token == tokens[i]) != (len(members) == 1) {
			s.Fatalf("tag %d: members %q, token %d, was %d", i, members, token, tokens[i])
		}
		if token != tokens[i] {
			lost++
		}
	}
	s.Logf("%d of %d tags were dropped", lost, n)
}

// concurrentMembers: of concurrent joins under one token each is kept, and none
// that is reported comes undone but by a part.
func concurrentMembers(s *suite) {
	token := s.token("a")
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 8 {
				if is, err := s.Store.Join(s.Context(), "a", token, fmt.Sprint(w, i)); err != nil || !is {
					s.Errorf("join: %v %v", is, err)
				}
			}
		})
	}
	wg.Wait()
	if members, _, err := s.Store.Members(s.Context(), "a"); err != nil || len(members) != 64 {
		s.Fatalf("%d members after 64 joins, %v", len(members), err)
	}
	for w := range 8 {
		wg.Go(func() {
			for i := range 8 {
				if err := s.Store.Part(s.Context(), "a", fmt.Sprint(w, i)); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.members("a")
}

// concurrentJoinAndHold has members join beside parts and holds, each under the
// token that it saw together with a set without it. A token that is seen with a
// member is never seen again without it.
func concurrentJoinAndHold(s *suite) {
	var wg, writers sync.WaitGroup
	var stop atomic.Bool
	for w := range 2 {
		writers.Go(func() {
			for i := range 300 {
				id := store.HoldID(w*1000 + i + 1)
				err := s.Store.Hold(s.Context(), id, []store.Tag{"a"}, 0, nil)
				if err == nil {
					err = s.Store.Part(s.Context(), "a", "x")
				}
				if err == nil {
					err = s.Store.Release(s.Context(), id, []store.Tag{"a"})
				}
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for with := store.Token(0); !stop.Load(); {
				members, token, err := s.Store.Members(s.Context(), "a")
				is := slices.Contains(members, "x")
				if token == with && !is {
					s.Errorf("token %d had the member", token)
				}
				if !is && err == nil {
					is, err = s.Store.Join(s.Context(), "a", token, "x")
				}
				if is {
					with = token
				}
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	wg.Wait()
	s.held(false, "a")
}
