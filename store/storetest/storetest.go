// Package storetest is the contract of store.Store as a test, which runs on
// every implementation.
package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
	{"renew", renewed},
	{"renew after the lapse fails", renewLapsed},
	{"renew of what was never held fails", renewUnknown},
	{"one of two holds lapses", lapseOne},
	{"entries larger than the store", oversize},
	{"many entries", manyEntries},
	{"many tags", manyTags},
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
	if err := s.Store.Fill(s.Context(), key, e, time.Hour); err != nil {
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
	if err := s.Store.Hold(s.Context(), id, tags, lease); err != nil {
		s.Fatalf("hold %v: %v", tags, err)
	}
}

func (s *suite) release(id store.HoldID, tags ...store.Tag) {
	s.Helper()
	if err := s.Store.Release(s.Context(), id, tags); err != nil {
		s.Fatalf("release %v: %v", tags, err)
	}
}

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
	if testing.Short() {
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
		if err := s.Store.Fill(s.Context(), "k", e, d); err != nil {
			s.Fatal(err)
		}
		s.miss("k", "a")
	}
}

func holdShows(s *suite) {
	s.fill("k", 1, "a", "b")
	before := s.token("a")
	s.hold(1, 0, "a")
	s.held(true, "a")
	s.held(true, "b", "a")
	s.held(false, "b")
	during := s.newToken("a", before)
	s.miss("k", "a", "b")
	s.fillUnder("k", 2, []store.Tag{"a"}, []store.Token{during}) // as nobody should
	s.miss("k", "a")
	s.release(1, "a")
	s.miss("k", "a")
}

func releaseShows(s *suite) {
	s.hold(1, 0, "a")
	during := s.token("a")
	s.release(1, "a")
	s.held(false, "a")
	s.newToken("a", during)
	s.fill("k", 1, "a")
	s.hit("k", 1, "a")
}

func releaseAlone(s *suite) {
	s.fill("k", 1, "a")
	before := s.token("a")
	s.release(1, "a", "never seen")
	s.newToken("a", before)
	s.held(false, "a", "never seen")
	s.miss("k", "a")
}

func releaseTwice(s *suite) {
	s.hold(1, 0, "a")
	s.hold(2, 0, "a")
	s.release(1, "a")
	s.release(1, "a")
	s.held(true, "a")
	s.release(2, "a")
	s.held(false, "a")
}

func tagTwice(s *suite) {
	s.hold(1, 0, "a", "a", "b")
	s.release(1, "a", "b", "a")
	s.held(false, "a", "b")
}

func severalHolds(s *suite) {
	tokens := map[store.Token]bool{s.token("a"): true}
	for id := store.HoldID(1); id <= 3; id++ {
		s.hold(id, 0, "a")
		tokens[s.token("a")] = true
	}
	for _, id := range []store.HoldID{2, 1, 3} {
		s.held(true, "a")
		s.release(id, "a")
		tokens[s.token("a")] = true
	}
	s.held(false, "a")
	if len(tokens) != 7 {
		s.Fatalf("%d tokens in 3 holds and 3 releases, want 7 with the first", len(tokens))
	}
}

func noLease(s *suite) {
	s.hold(1, 0, "a")
	s.Sleep(3 * s.Lease)
	s.held(true, "a")
	if err := s.Store.Renew(s.Context(), 1, []store.Tag{"a"}, s.Lease); err != nil {
		s.Fatal(err)
	}
	s.held(true, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.held(false, "a")
}

func lapse(s *suite) {
	s.hold(1, s.Lease, "a")
	s.held(true, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.held(false, "a")
	s.fill("k", 1, "a")
	s.hit("k", 1, "a")
	s.release(1, "a") // late
	s.miss("k", "a")
	s.held(false, "a")
}

// lapseTokens: what was filled before a hold is not valid after its lapse.
func lapseTokens(s *suite) {
	s.fill("k", 1, "a")
	s.fill("l", 1, "a", "b")
	s.hold(1, s.Lease, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.miss("k")
	s.miss("l", "b")
	s.miss("k", "a")
	s.held(false, "a")
}

func renewed(s *suite) {
	s.hold(1, s.Lease, "a", "b")
	for range 3 {
		s.Sleep(s.Lease / 2)
		if err := s.Store.Renew(s.Context(), 1, []store.Tag{"a", "b"}, s.Lease); err != nil {
			s.Fatal(err)
		}
	}
	s.held(true, "a")
	s.held(true, "b")
	s.Sleep(s.Lease + s.Lease/4)
	s.held(false, "a", "b")
}

func renewLapsed(s *suite) {
	s.hold(1, s.Lease, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.renewFails(1, "a")
	s.held(false, "a")
}

func renewUnknown(s *suite) {
	s.renewFails(1, "a")
	s.hold(1, 0, "a")
	s.renewFails(2, "a")
	s.release(1, "a")
	s.renewFails(1, "a")
	s.held(false, "a")
}

func (s *suite) renewFails(id store.HoldID, tags ...store.Tag) {
	s.Helper()
	err := s.Store.Renew(s.Context(), id, tags, s.Lease)
	if !errors.Is(err, store.ErrLapsed) {
		s.Fatalf("renew: %v, want ErrLapsed", err)
	}
}

func lapseOne(s *suite) {
	s.hold(1, s.Lease, "a")
	s.hold(2, 0, "a")
	s.Sleep(s.Lease + s.Lease/4)
	s.held(true, "a")
	s.release(2, "a")
	s.held(false, "a")
}

func concurrentHolds(s *suite) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				id := store.HoldID(w*1000 + i + 1)
				tags := []store.Tag{"a", store.Tag(fmt.Sprint("own", w))}
				if err := s.Store.Hold(s.Context(), id, tags, 0); err != nil {
					s.Error(err)
				}
				if v, err := s.Store.Lookup(s.Context(), "", tags[:1]); err != nil || !v.Held {
					s.Errorf("a tag under hold: held %v, %v", v.Held, err)
				}
				if err := s.Store.Release(s.Context(), id, tags); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.held(false, "a")
}

// concurrentUse has writers count a number up, each under a hold, and readers
// who must never see less than they have seen.
func concurrentUse(s *suite) {
	var db atomic.Int64
	var wg sync.WaitGroup
	tags := []store.Tag{"a"}
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for last := int64(0); ; {
				select {
				case <-stop:
					return
				default:
				}
				got := readThrough(s, "k", tags, &db)
				if got < last {
					s.Errorf("read %d after %d", got, last)
				}
				last = got
			}
		})
	}
	for i := range 300 {
		id := store.HoldID(i + 1)
		s.hold(id, 0, tags...)
		db.Add(1)
		s.release(id, tags...)
		if got := readThrough(s, "k", tags, &db); got != db.Load() {
			s.Errorf("read %d after the write of %d", got, db.Load())
		}
	}
	close(stop)
	wg.Wait()
}

// readThrough is the read of the protocol.
func readThrough(s *suite, key string, tags []store.Tag, db *atomic.Int64) int64 {
	v, err := s.Store.Lookup(s.Context(), key, tags)
	if err != nil {
		s.Error(err)
		return db.Load()
	}
	if v.Entry != nil {
		return v.Entry.Value.(int64)
	}
	n := db.Load()
	if v.Held {
		return n
	}
	e := &store.Entry{Value: n, Size: 8, Tags: tags, Tokens: v.Tokens}
	if err := s.Store.Fill(s.Context(), key, e, time.Hour); err != nil {
		s.Error(err)
	}
	return n
}

func concurrentFirst(s *suite) {
	for i := range 50 {
		tag := store.Tag(fmt.Sprint("t", i))
		var tokens [4]store.Token
		var wg sync.WaitGroup
		for w := range tokens {
			wg.Go(func() {
				if v, err := s.Store.Lookup(s.Context(), "", []store.Tag{tag}); err == nil {
					tokens[w] = v.Tokens[0]
				}
			})
		}
		wg.Wait()
		for _, token := range tokens {
			if token != tokens[0] || token == 0 {
				s.Fatalf("tokens %v of one tag", tokens)
			}
		}
	}
}
