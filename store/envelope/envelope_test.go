package envelope_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/envelope"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/redis"
	"github.com/larderdb/larder/store/storetest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKey() []byte {
	key := make([]byte, envelope.KeySize)
	rand.Read(key) // it never fails
	return key
}

func inRedis(t testing.TB, server *dbtest.Server, prefix string, o envelope.Options) *envelope.Store {
	t.Helper()
	far, err := redis.Open(redis.Options{Addresses: []string{server.Addr()}, Prefix: prefix, Timeout: 10 * time.Second, Settle: -1})
	ok(t, err)
	t.Cleanup(func() { far.Close() })
	s, err := envelope.New(far, o)
	ok(t, err)
	return s
}

func TestContract(t *testing.T) { storetest.Run(t, subjectInRedis) }

func TestPlainContract(t *testing.T) {
	t.Run("redis", func(t *testing.T) { storetest.RunPlain(t, subjectInRedis) })
	t.Run("compressed only", func(t *testing.T) {
		storetest.RunPlain(t, func(t *testing.T) storetest.Subject {
			t.Parallel()
			s := inRedis(t, dbtest.Redis(t), rand.Text()+":", envelope.Options{Compress: 16})
			return storetest.Subject{Store: storetest.Outside(s), Sleep: time.Sleep, Lease: time.Second}
		})
	})
}

func subjectInRedis(t *testing.T) storetest.Subject {
	t.Parallel()
	s := inRedis(t, dbtest.Redis(t), rand.Text()+":", envelope.Options{Compress: 64, Keys: [][]byte{newKey(), newKey()}})
	return storetest.Subject{Store: storetest.Outside(s), Sleep: time.Sleep, Lease: time.Second}
}

func TestContractInMemcached(t *testing.T) { storetest.Run(t, subjectInMemcached) }

func subjectInMemcached(t *testing.T) storetest.Subject {
	t.Parallel()
	far, err := memcached.Open(memcached.Options{Addrs: []string{dbtest.Memcached(t).Addr()}, Namespace: rand.Text(),
		Timeout: 10 * time.Second, Lease: 2 * time.Second, TrustEmpty: true})
	ok(t, err)
	t.Cleanup(func() { far.Close() })
	s, err := envelope.New(far, envelope.Options{Keys: [][]byte{newKey()}})
	ok(t, err)
	return storetest.Subject{Store: storetest.Outside(s), Sleep: time.Sleep, Lease: 2 * time.Second}
}

// marker is in every name and value of these tests.
const marker = "PLAINLY"

var tags = []store.Tag{"5:db" + marker + ":stuff" + marker + "*", "5:db" + marker + ":stuff" + marker + "{user=" + marker + "}"}

func fill(t testing.TB, s store.Store, key, value string) {
	t.Helper()
	v, err := s.Lookup(t.Context(), key, tags)
	ok(t, err)
	ok(t, s.Fill(t.Context(), key, &store.Entry{Value: store.Bytes(value), Tags: tags, Tokens: v.Tokens}, time.Hour))
}

// has looks for a value; none for a miss.
func has(t testing.TB, s store.Store, key, want string) {
	t.Helper()
	v, err := s.Lookup(t.Context(), key, tags)
	ok(t, err)
	got := ""
	if v.Entry != nil {
		got = string(v.Entry.Value.(store.Bytes))
		if !slices.Equal(v.Entry.Tags, tags) {
			t.Errorf("%q is of %q", key, v.Entry.Tags)
		}
	} else if len(v.Tokens) != len(tags) {
		t.Errorf("a miss of %q has %d tokens", key, len(v.Tokens))
	}
	if got != want {
		t.Errorf("%q has %q, want %q", key, got, want)
	}
}

// everything is all that a server of Redis has, as text.
func everything(t testing.TB, c rueidis.Client) string {
	t.Helper()
	keys, err := c.Do(t.Context(), c.B().Keys().Pattern("*").Build()).AsStrSlice()
	ok(t, err)
	var all strings.Builder
	for _, key := range keys {
		text, err := c.Do(t.Context(), c.B().Dump().Key(key).Build()).ToString()
		ok(t, err)
		plain, _ := c.Do(t.Context(), c.B().Get().Key(key).Build()).ToString()
		fields, _ := c.Do(t.Context(), c.B().Hgetall().Key(key).Build()).AsStrMap()
		all.WriteString(key + text + plain)
		for name, value := range fields {
			all.WriteString(name + value)
		}
	}
	return all.String()
}

func client(t testing.TB, server *dbtest.Server) rueidis.Client {
	t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableCache: true})
	ok(t, err)
	t.Cleanup(c.Close)
	return c
}

// TestNothingIsPlain: a server has no name and no value that can be read; without keys it has.
func TestNothingIsPlain(t *testing.T) {
	for _, keys := range [][][]byte{nil, {newKey()}} {
		server := dbtest.NewRedis(t)
		s := inRedis(t, server, "x:", envelope.Options{Keys: keys})
		fill(t, s, "key "+marker, strings.Repeat("value "+marker, 10))
		ok(t, s.Hold(t.Context(), 1, tags, time.Hour, nil))
		if _, err := s.Claim(t.Context(), "claim "+marker, time.Hour); err != nil {
			t.Fatal(err)
		}
		_, token, err := s.Members(t.Context(), tags[0])
		ok(t, err)
		if is, err := s.Join(t.Context(), tags[0], token, "shape "+marker); err != nil || !is {
			t.Fatal(is, err)
		}
		if members, _, err := s.Members(t.Context(), tags[0]); err != nil || !slices.Equal(members, []string{"shape " + marker}) {
			t.Errorf("members %q, %v", members, err)
		}
		if plain := strings.Contains(everything(t, client(t, server)), marker); plain != (keys == nil) {
			t.Errorf("with %d keys the server has plain text: %v", len(keys), plain)
		}
	}
}

// TestMovedAndDamaged: an entry that lies under another key, or has another bit, is a miss.
func TestMovedAndDamaged(t *testing.T) {
	server := dbtest.NewRedis(t)
	c := client(t, server)
	entries := func() []string {
		keys, err := c.Do(t.Context(), c.B().Keys().Pattern("x:e:*").Build()).AsStrSlice()
		ok(t, err)
		return keys
	}
	s := inRedis(t, server, "x:", envelope.Options{Keys: [][]byte{newKey()}})
	fill(t, s, "one", "value of one")
	first := entries()
	fill(t, s, "other", "value of other")
	other := slices.DeleteFunc(entries(), func(k string) bool { return slices.Contains(first, k) })
	has(t, s, "one", "value of one")
	has(t, s, "other", "value of other")
	ok(t, c.Do(t.Context(), c.B().Copy().Source(first[0]).Destination(other[0]).Replace().Build()).Error())
	has(t, s, "other", "")
	fill(t, s, "other", "again")
	has(t, s, "other", "again")
}

// TestKeysChange: a key that is put in front seals from then on, and one that is behind opens what it has sealed; who hasn't the
// key of a value, or of names, reads nothing.
func TestKeysChange(t *testing.T) {
	server := dbtest.Redis(t)
	prefix := rand.Text() + ":"
	open := func(keys ...[]byte) *envelope.Store { return inRedis(t, server, prefix, envelope.Options{Keys: keys}) }
	old, fresh, stranger := newKey(), newKey(), newKey()
	fill(t, open(old), "k", "by the old one")
	has(t, open(fresh, old), "k", "by the old one")
	fill(t, open(fresh, old), "l", "by the fresh one")
	has(t, open(old, fresh, old), "l", "by the fresh one")
	has(t, open(old), "l", "")
	has(t, open(stranger), "k", "")
	has(t, open(), "k", "")
}

// TestMembersOfStrangers: a member that can't be opened is an error, since a writer must not leave it out.
func TestMembersOfStrangers(t *testing.T) {
	server := dbtest.Redis(t)
	far, err := redis.Open(redis.Options{Addresses: []string{server.Addr()}, Prefix: rand.Text() + ":", Timeout: 10 * time.Second, Settle: -1})
	ok(t, err)
	t.Cleanup(func() { far.Close() })
	s, err := envelope.New(far, envelope.Options{Keys: [][]byte{newKey()}})
	ok(t, err)
	seen := &seeing{Shared: far}
	hidden, err := envelope.New(seen, envelope.Options{Keys: [][]byte{newKey()}})
	ok(t, err)
	_, token, err := s.Members(t.Context(), tags[0])
	ok(t, err)
	if is, err := s.Join(t.Context(), tags[0], token, "shape"); err != nil || !is {
		t.Fatal(is, err)
	}
	seen.as = s
	if _, _, err := hidden.Members(t.Context(), tags[0]); err == nil {
		t.Error("a member of a stranger's was opened, or left out")
	}
}

// A seeing store answers for tags as another sees them that has another key.
type seeing struct {
	store.Shared
	as *envelope.Store
}

func (s *seeing) Members(ctx context.Context, _ store.Tag) ([]string, store.Token, error) {
	spy := &spy{Shared: s.as.Shared}
	other := *s.as
	other.Shared = spy
	_, _, err := other.Members(ctx, tags[0])
	return spy.members, spy.token, err
}

// A spy keeps the members that it has passed on.
type spy struct {
	store.Shared
	members []string
	token   store.Token
}

func (s *spy) Members(ctx context.Context, tag store.Tag) (members []string, token store.Token, err error) {
	s.members, s.token, err = s.Shared.Members(ctx, tag)
	return s.members, s.token, err
}

// TestCompressed: what is large and repeats itself takes less, and is what it was.
func TestCompressed(t *testing.T) {
	server := dbtest.Redis(t)
	value := strings.Repeat("the same again and again ", 1000)
	sizes := map[int]int{}
	for _, limit := range []int{0, 1024} {
		prefix := rand.Text() + ":"
		s := inRedis(t, server, prefix, envelope.Options{Compress: limit})
		fill(t, s, "k", value)
		has(t, s, "k", value)
		fill(t, s, "small", "x")
		has(t, s, "small", "x")
		c := client(t, server)
		keys, err := c.Do(t.Context(), c.B().Keys().Pattern(prefix+"e:*").Build()).AsStrSlice()
		ok(t, err)
		for _, key := range keys {
			data, err := c.Do(t.Context(), c.B().Get().Key(key).Build()).AsBytes()
			ok(t, err)
			sizes[limit] += len(data)
		}
	}
	if sizes[1024]*10 > sizes[0] {
		t.Errorf("compressed %d bytes, plain %d", sizes[1024], sizes[0])
	}
}

func TestKeySizes(t *testing.T) {
	for _, size := range []int{0, 16, 31, 33} {
		if _, err := envelope.New(nil, envelope.Options{Keys: [][]byte{newKey(), make([]byte, size)}}); err == nil || !strings.Contains(err.Error(), "key 2") {
			t.Errorf("a key of %d bytes: %v", size, err)
		}
	}
}

// FuzzOpen: whatever a store has, nothing panics, and nothing is opened that wasn't sealed.
func FuzzOpen(f *testing.F) {
	for _, seed := range []string{"", "\x01", "\x01\x00value", "\x01\x01\xff\xff\xff\xff\x0f", "\x01\x02short", "\x01\x03" + strings.Repeat("x", 64), "\x02\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, keys := range [][][]byte{nil, {bytes.Repeat([]byte{7}, envelope.KeySize)}} {
			s, err := envelope.New(holding(data), envelope.Options{Keys: keys})
			ok(t, err)
			v, err := s.Lookup(t.Context(), "k", tags)
			if err != nil || v.Entry != nil && keys != nil {
				t.Fatalf("opened %+v, %v", v.Entry, err)
			}
		}
	})
}

// A held store has some bytes under each key.
type held struct {
	store.Shared
	data []byte
}

func holding(data []byte) store.Shared { return held{data: data} }

func (h held) Lookup(_ context.Context, key string, tags []store.Tag) (store.View, error) {
	if key == "" {
		return store.View{Tokens: make([]store.Token, len(tags))}, nil
	}
	return store.View{Entry: &store.Entry{Value: store.Bytes(h.data), Tags: tags, Tokens: make([]store.Token, len(tags))}}, nil
}
