package memcached_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
)

var names = []string{
	"short", "with a space", "line\r\nbreak", "nul\x00", "ümlaut", strings.Repeat("k", 237), strings.Repeat("k", 238), strings.Repeat("k", 239),
	strings.Repeat("long ", 3000), "#", "\x7f", "E", "e",
}

// TestNames: any key and any tag goes.
func TestNames(t *testing.T) {
	s := open(t, memcached.Options{Addrs: servers(t, 3), TrustEmpty: true})
	for i, name := range names {
		fill(t, s, name, fmt.Sprint(i), store.Tag(name))
	}
	for i, name := range names {
		wantHit(t, s, name, fmt.Sprint(i), store.Tag(name))
		wantHit(t, s, name, fmt.Sprint(i)) // by the tag of the entry
	}
	for i, name := range names {
		ok(t, s.Release(t.Context(), store.HoldID(i+1), []store.Tag{store.Tag(name)}))
		wantMiss(t, s, name)
		for j, other := range names[i+1:] {
			wantHit(t, s, other, fmt.Sprint(i+1+j))
		}
	}
}

// TestSameHash: what lies under another's hash isn't taken for that other's.
func TestSameHash(t *testing.T) {
	s := open(t, memcached.Options{Addrs: servers(t, 1), TrustEmpty: true})
	for _, kind := range []string{"key", "tag"} {
		one, two := kind+" one", kind+" two"
		fill(t, s, one, "v", store.Tag(one))
		for _, k := range []byte{memcached.EntryKey, memcached.TagKey} {
			value, err := s.Get(k, one)
			ok(t, err)
			if value == "" {
				t.Fatal("nothing under the name")
			}
			ok(t, s.Put(k, two, value))
		}
		wantMiss(t, s, two)
		if a, b := look(t, s, "", store.Tag(one)), look(t, s, "", store.Tag(two)); a.Tokens[0] == b.Tokens[0] {
			t.Error("two tags have one token")
		}
	}
}

// TestStrangers: what others write under our keys is a miss, and doesn't stay in the way.
func TestStrangers(t *testing.T) {
	s := open(t, memcached.Options{Addrs: servers(t, 1), TrustEmpty: true})
	for _, text := range []string{"", "x", "LE\x01\x00", "LT1", "LT1\x00", "LT1\x01\xff\xff\xff\xff", "LT1\x00T", "LT2\x00", strings.Repeat("LT1\x00H", 500)} {
		fill(t, s, "k", "v", "a")
		ok(t, s.Put(memcached.TagKey, "a", text))
		wantMiss(t, s, "k", "a")
		within(t, 5*time.Second, "the tag is of use again", func() bool { return !look(t, s, "", "a").Held })
		fill(t, s, "k", "v", "a")
		wantHit(t, s, "k", "v", "a")
		ok(t, s.Put(memcached.EntryKey, "k", text))
		wantMiss(t, s, "k", "a")
	}
}

// TestItemSize: what fits is kept, what doesn't isn't, and nothing fails.
func TestItemSize(t *testing.T) {
	s := open(t, memcached.Options{Addrs: servers(t, 1), TrustEmpty: true})
	for size, kept := range map[int]bool{1000: true, 500_000: true, 1<<20 - 400: true, 1 << 20: false, 5 << 20: false} {
		key := fmt.Sprint("k", size)
		e := &store.Entry{Value: store.Bytes(strings.Repeat("x", size)), Tags: tagA, Tokens: look(t, s, "", tagA...).Tokens}
		if err := s.Fill(t.Context(), key, e, time.Hour); kept != (err == nil) || err != nil && !errors.Is(err, store.ErrNotKept) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if v := look(t, s, key, "a"); (v.Entry != nil) != kept {
			t.Errorf("%d bytes: kept %v", size, v.Entry != nil)
		}
	}
}

// TestFullServer: a server without memory for more loses nothing but hits.
func TestFullServer(t *testing.T) {
	srv := dbtest.NewMemcached(t, "-m", "2", "-M")
	s := open(t, memcached.Options{Addrs: []string{srv.Addr()}, TrustEmpty: true})
	refused := 0
	for i := range 6000 {
		tag := store.Tag(fmt.Sprint("t", i, strings.Repeat("long ", 100)))
		id := store.HoldID(i + 1)
		v, err := s.Lookup(t.Context(), fmt.Sprint("k", i), []store.Tag{tag})
		if err == nil && !v.Held {
			e := &store.Entry{Value: store.Bytes(strings.Repeat("x", 2000)), Tags: []store.Tag{tag}, Tokens: v.Tokens}
			ok(t, s.Fill(t.Context(), fmt.Sprint("k", i), e, time.Hour))
		}
		if s.Hold(t.Context(), id, []store.Tag{tag}, 0, nil) != nil {
			refused++
			if s.Release(t.Context(), id, []store.Tag{tag}) != nil {
				_ = s.Renew(t.Context(), id, []store.Tag{tag}, time.Second)
			}
			continue
		}
		if v := look(t, s, fmt.Sprint("k", i), tag); v.Entry != nil || !v.Held {
			t.Fatalf("held, and %+v", v)
		}
		if s.Release(t.Context(), id, []store.Tag{tag}) != nil {
			refused++
		}
	}
	t.Logf("%d holds or releases of 6000 were refused, %+v", refused, s.Stats())
	if _, err := s.Get(memcached.TagKey, "t0"+strings.Repeat("long ", 100)); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, s, true, store.Tag("one more"+strings.Repeat("long ", 100))) // it has no place
}

// TestLogsStayShort: a tag that is written without end takes a bounded place, be it read or not.
func TestLogsStayShort(t *testing.T) {
	s := open(t, memcached.Options{Addrs: servers(t, 1), TrustEmpty: true})
	token := look(t, s, "", "a").Tokens[0]
	if is, err := s.Join(t.Context(), "a", token, "member"); !is || err != nil {
		t.Fatal(is, err)
	}
	longest := 0
	for i := range 2000 {
		ok(t, s.Hold(t.Context(), store.HoldID(i+1), tagA, 0, nil))
		ok(t, s.Release(t.Context(), store.HoldID(i+1), tagA))
		if i%10 == 0 {
			log, err := s.Get(memcached.TagKey, "a")
			ok(t, err)
			longest = max(longest, len(log))
		}
	}
	t.Logf("at most %d bytes", longest)
	if longest > 80<<10 { // without its shortening 135 KB; that is done beside, and late where the machine is busy, …
		t.Errorf("the log of a tag was %d bytes long", longest)
	}
	for end, left := time.Now().Add(10*time.Second), longest; left > 4<<10; time.Sleep(10 * time.Millisecond) { // … but it is done
		look(t, s, "", "a")
		log, err := s.Get(memcached.TagKey, "a")
		ok(t, err)
		if left = len(log); time.Now().After(end) {
			t.Fatalf("the log stays %d bytes long, though somebody looks at it", left)
		}
	}
	if members, _, err := s.Members(t.Context(), "a"); err != nil || len(members) != 1 {
		t.Errorf("members %q %v", members, err)
	}
	wantHeld(t, s, false, "a")
}

// TestOtherServers: with another list of servers, or another namespace, nothing is shared.
func TestOtherServers(t *testing.T) {
	addrs := servers(t, 2)
	first := memcached.Options{Addrs: addrs, Namespace: "list", TrustEmpty: true}
	s := open(t, first)
	fill(t, s, "k", "v", "a")
	turned := open(t, memcached.Options{Addrs: []string{addrs[1], addrs[0]}, Namespace: "list", TrustEmpty: true})
	wantHit(t, turned, "k", "v", "a")
	for _, o := range []memcached.Options{
		{Addrs: addrs[:1], Namespace: "list", TrustEmpty: true},
		{Addrs: addrs[1:], Namespace: "list", TrustEmpty: true},
		{Addrs: addrs, Namespace: "other", TrustEmpty: true},
	} {
		wantMiss(t, open(t, o), "k", "a")
	}
	// When it comes back after a while the server has another life.
	ok(t, s.EvictLife("a"))
	wantMiss(t, open(t, first), "k", "a")
	wantMiss(t, s, "k", "a")
}

// TestSpread: each of several servers has its share.
func TestSpread(t *testing.T) {
	s := open(t, memcached.Options{Addrs: []string{"one:1", "two:2", "three:3"}})
	var tags []store.Tag
	for i := range 3000 {
		tags = append(tags, store.Tag(fmt.Sprintf("2:db:public.stuff%d{user_id=1}", i)))
	}
	for i, n := range s.Servers(tags) {
		if n < 600 || n > 1500 {
			t.Errorf("server %d has %d of %d tags", i, n, len(tags))
		}
	}
}

// TestManyTags: a step of more tags than go in one write.
func TestManyTags(t *testing.T) {
	s := open(t, memcached.Options{Addrs: servers(t, 3), TrustEmpty: true})
	var tags []store.Tag
	for i := range 4096 {
		tags = append(tags, store.Tag(fmt.Sprintf("2:db:public.stuff%d{user_id=1}", i)))
	}
	fill(t, s, "k", "v", tags...)
	wantHit(t, s, "k", "v")
	ok(t, s.Hold(t.Context(), 1, tags, 0, nil))
	wantHeld(t, s, true, tags[4095])
	ok(t, s.Renew(t.Context(), 1, tags, 0))
	ok(t, s.Release(t.Context(), 1, tags))
	wantHeld(t, s, false, tags...)
	wantMiss(t, s, "k")
}

// TestConcurrent has several callers use one store, so that they get each other's connections.
func TestConcurrent(t *testing.T) {
	s := open(t, memcached.Options{Addrs: servers(t, 2), TrustEmpty: true, MaxIdle: 2})
	var wg sync.WaitGroup
	for c := range 6 {
		wg.Go(func() {
			for i := range 60 {
				key, tag := fmt.Sprint("k", c, "-", i%5), store.Tag(fmt.Sprint("t", c))
				v, err := s.Lookup(t.Context(), key, []store.Tag{tag})
				if err != nil {
					t.Error(err)
					return
				}
				if v.Entry != nil {
					if got := string(v.Entry.Value.(store.Bytes)); got != key {
						t.Errorf("%s has %s", key, got)
					}
					continue
				}
				e := &store.Entry{Value: store.Bytes(key), Tags: []store.Tag{tag}, Tokens: v.Tokens}
				if err := s.Fill(t.Context(), key, e, time.Hour); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestOptions(t *testing.T) {
	for _, addrs := range [][]string{nil, {""}, {"a", "a"}, {"a b"}} {
		if _, err := memcached.Open(memcached.Options{Addrs: addrs}); err == nil {
			t.Errorf("%q can be servers", addrs)
		}
	}
}
