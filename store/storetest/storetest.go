// Package storetest is the contract of store.Store as a test, which runs on
// every implementation.
package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/larderdb/larder/store"
)

// A Subject is a new store, with the time that its leases go by.
type Subject struct {
	Store store.Store

	// Sleep lets the store's time pass. Where the store has a clock of its own
	// that can't be moved it waits.
	Sleep func(time.Duration)

	// Elsewhere says that the bound of the store's own Stats isn't that of where entries are kept.
	Elsewhere bool

	// Lease is the shortest lease that the store keeps to; 0 means one second.
	Lease time.Duration
}

// Run runs the suite. open is called once for each test and returns an empty store.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			if s.Lease == 0 {
				s.Lease = time.Second
			}
			c.run(&suite{T: t, Subject: s})
		})
	}
}

var cases = []struct {
	name string
	run  func(*suite)
}{
	{"missing tokens are added and stay", missingTokens},
	{"tokens are unique", uniqueTokens},
	{"an entry is found with what it was filled with", filled},
	{"an entry is valid by all of its tags", validity},
	{"tags of the entry that aren't asked for count", foreignTags},
	{"a filled entry shares no memory with the caller", aliasing},
	{"a key in a buffer that changes", buffers},
	{"an entry lives for its ttl", ttl},
	{"no ttl keeps nothing", noTTL},
	{"an entry without tags", zeroTags},
	{"an empty key asks for the tags", emptyKey},
	{"fill replaces", replaced},
	{"remove", removed},
	{"a hold brings a new token and shows", holdShows},
	{"release brings a new token and takes the mark", releaseShows},
	{"release without a hold brings a new token", releaseAlone},
	{"release twice", releaseTwice},
	{"a tag twice in one hold", tagTwice},
	{"holds of several writers on one tag", severalHolds},
	{"a hold without lease stays", noLease},
	{"a hold lapses with its lease", lapse},
	{"a lapsed hold leaves nothing valid", lapseTokens},
	{"a look after the marks", looked},
	{"a look while another joins", lookedWhileJoined},
	{"a pause, of a store in this process", paused},
	{"a pause while others look", pausedMeanwhile},
	{"holders", holders},
	{"claims, of a shared store", claims},
	{"renew", renewed},
	{"renew after the lapse fails", renewLapsed},
	{"renew of what was never held fails", renewUnknown},
	{"one of two holds lapses", lapseOne},
	{"entries larger than the store", oversize},
	{"many entries", manyEntries},
	{"many tags", manyTags},
	{"a tag without members", noMembers},
	{"join", joined},
	{"join twice", joinedTwice},
	{"join under an old token is refused", joinedLate},
	{"join of a tag that nobody has seen is refused", joinedUnseen},
	{"members outlive holds, releases and lapses", membersOutlive},
	{"part takes a member out and brings a new token", parted},
	{"part of what isn't a member brings a new token", partedStranger},
	{"the members of two tags", membersOfTwo},
	{"members that were read don't change", membersShared},
	{"members in a buffer that changes", membersBuffers},
	{"members are lost with the token", membersLost},
	{"concurrent joins and parts", concurrentMembers},
	{"no join beside a hold under the token before it", concurrentJoinAndHold},
	{"concurrent holds all show", concurrentHolds},
	{"concurrent readers and writers of one tag", concurrentUse},
	{"concurrent first looks agree", concurrentFirst},
	{"close", closed},
}

type suite struct {
	*testing.T
	Subject
}

func (s *suite) look(key string, tags ...store.Tag) store.View {
	s.Helper()
	v, err := s.Store.Lookup(s.Context(), key, tags)
	if err != nil {
		s.Fatalf("lookup of %q: %v", key, err)
	}
	if v.Entry == nil && len(v.Tokens) != len(tags) {
		s.Fatalf("lookup of %q: %d tokens of %d tags", key, len(v.Tokens), len(tags))
	}
	return v
}

// fill fills key with value under the present tokens of tags.
func (s *suite) fill(key string, value any, tags ...store.Tag) {
	s.Helper()
	s.fillUnder(key, value, tags, s.look("", tags...).Tokens)
}

func (s *suite) fillUnder(key string, value any, tags []store.Tag, tokens []store.Token) {
	s.Helper()
	e := &store.Entry{Value: value, Size: 16, Tags: tags, Tokens: tokens}
	if err := s.Store.Fill(s.Context(), key, e, time.Hour); err != nil && !errors.Is(err, store.ErrNotKept) {
		s.Fatalf("fill of %q: %v", key, err)
	}
}

func (s *suite) hit(key string, want any, tags ...store.Tag) {
	s.Helper()
	v := s.look(key, tags...)
	if v.Entry == nil {
		s.Fatalf("%q: miss, want %v", key, want)
	}
	if v.Entry.Value != want {
		s.Fatalf("%q: %v, want %v", key, v.Entry.Value, want)
	}
}

func (s *suite) miss(key string, tags ...store.Tag) store.View {
	s.Helper()
	v := s.look(key, tags...)
	if v.Entry != nil {
		s.Fatalf("%q: hit %v, want a miss", key, v.Entry.Value)
	}
	return v
}

func (s *suite) held(want bool, tags ...store.Tag) {
	s.Helper()
	if got := s.look("", tags...).Held; got != want {
		s.Fatalf("held %v: %v, want %v", tags, got, want)
	}
}

func (s *suite) token(tag store.Tag) store.Token {
	s.Helper()
	return s.look("", tag).Tokens[0]
}

func (s *suite) newToken(tag store.Tag, before store.Token) store.Token {
	s.Helper()
	now := s.token(tag)
	if now == before {
		s.Fatalf("tag %q has its old token %d, want a new one", tag, now)
	}
	return now
}

func (s *suite) hold(id store.HoldID, lease time.Duration, tags ...store.Tag) {
	s.Helper()
	if err := s.Store.Hold(s.Context(), id, tags, lease, nil); err != nil {
		s.Fatalf("hold %v: %v", tags, err)
	}
}

func (s *suite) release(id store.HoldID, tags ...store.Tag) {
	s.Helper()
	if err := s.Store.Release(s.Context(), id, tags); err != nil {
		s.Fatalf("release %v: %v", tags, err)
	}
}
