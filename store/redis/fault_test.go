package redis

import (
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
)

// A rig is a store over a server, with what tests do to both.
type rig struct {
	*testing.T
	s *Store
}

func on(t *testing.T, server *dbtest.Server, o Options) rig {
	t.Helper()
	o.Addresses = []string{server.Addr()}
	if o.Prefix == "" {
		o.Prefix = newPrefix()
	}
	return rig{t, open(t, o)}
}

func (r rig) tell(args ...string) rueidis.RedisResult {
	r.Helper()
	return tell(r.T, r.s, args...)
}

// tell sends a command to the server of a store, and fails if it does.
func tell(t *testing.T, s *Store, args ...string) rueidis.RedisResult {
	t.Helper()
	c, err := s.client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	res := c.Do(t.Context(), c.B().Arbitrary(args...).Build())
	if err := res.Error(); err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%v: %v", args, err)
	}
	return res
}

func (r rig) look(key string, tags ...store.Tag) store.View {
	r.Helper()
	v, err := r.s.Lookup(r.Context(), key, tags)
	if err != nil {
		r.Fatalf("lookup of %q: %v", key, err)
	}
	return v
}

// fill fills key under the tokens that its tags have now, and wants it to be found.
func (r rig) fill(key string, tags ...store.Tag) {
	r.Helper()
	v := r.look("", tags...)
	r.ok(r.s.Fill(r.Context(), key, &store.Entry{Value: store.Bytes("value of " + key), Tags: tags, Tokens: v.Tokens}, time.Hour))
	r.hit(key)
}

func (r rig) hit(key string) {
	r.Helper()
	v := r.look(key)
	if v.Entry == nil {
		r.Fatalf("%q is a miss", key)
	}
	if got := string(v.Entry.Value.(store.Bytes)); got != "value of "+key {
		r.Fatalf("%q is %q", key, got)
	}
}

func (r rig) miss(key string, tags ...store.Tag) store.View {
	r.Helper()
	v := r.look(key, tags...)
	if v.Entry != nil {
		r.Fatalf("%q is a hit: %q", key, v.Entry.Value)
	}
	return v
}

func (r rig) held(want bool, tags ...store.Tag) {
	r.Helper()
	if v := r.look("", tags...); v.Held != want {
		r.Fatalf("%v held: %v, want %v", tags, v.Held, want)
	}
}

func (r rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// write is a whole write.
func (r rig) write(tags ...store.Tag) {
	r.Helper()
	r.ok(r.s.Hold(r.Context(), 77, tags, 0, nil))
	r.ok(r.s.Release(r.Context(), 77, tags))
}

// recover waits until the store answers again.
func (r rig) recover() {
	r.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, err := r.s.Lookup(r.Context(), "", []store.Tag{"recovery"})
		if err == nil {
			return
		}
		if time.Now().After(end) {
			r.Fatal("the store doesn't come back:", err)
		}
	}
}

// theEra is that of every server, in stores that know no others.
const theEra = "0123456789abcdef"

var oneEra = cutting("local era = string.sub(history, 1, 16)", "local era = '"+theEra+"'")

// deceive has a store take every server for the same, always.
func (r rig) deceive() {
	r.s.steps = newSteps(oneEra)
	r.s.era = func(string) string { return theEra }
}

// TestOlderState has a server come back with what it had before a write. The
// entry that the write removed must not come back; without eras it does.
func TestOlderState(t *testing.T) {
	for name, deceived := range map[string]bool{"with eras": false, "without eras": true} {
		t.Run(name, func(t *testing.T) {
			server := dbtest.NewRedis(t, "--appendonly", "no")
			r := on(t, server, Options{})
			if deceived {
				r.deceive()
			}
			r.fill("k", "a")
			r.tell("SAVE")
			r.write("a")
			r.miss("k", "a")
			r.ok(server.Kill())
			r.ok(server.Start())
			r.recover()
			if n, err := r.tell("EXISTS", r.s.names.entry("k")).AsInt64(); n != 1 || err != nil {
				t.Fatal("the snapshot hasn't come back: this test tests nothing")
			}
			if deceived {
				r.hit("k")
				return
			}
			r.miss("k", "a")
			r.fill("k", "a")
		})
	}
}

// TestRestartWithState: nor does an entry come back with all the state that there was.
func TestRestartWithState(t *testing.T) {
	server := dbtest.NewRedis(t)
	r := on(t, server, Options{})
	r.fill("k", "a")
	r.ok(r.s.Hold(t.Context(), 1, []store.Tag{"b"}, time.Hour, nil))
	r.ok(server.Kill())
	r.ok(server.Start())
	r.recover()
	r.miss("k", "a")
	r.held(false, "b") // as was asked for, nothing settles
}

// TestSettles: a server that has lost what it knew keeps nothing for a while, for
// of the holds of others it knows nothing.
func TestSettles(t *testing.T) {
	const settle = 400 * time.Millisecond
	server := dbtest.NewRedis(t, "--appendonly", "no")
	for _, c := range []struct {
		name string
		lose func(r rig)
	}{
		{"flush", func(r rig) { r.tell("FLUSHALL") }},
		{"restart", func(r rig) { r.ok(server.Kill()); r.ok(server.Start()); r.recover() }},
		{"eviction of the register", func(r rig) { r.tell("DEL", r.s.names.prefix+"r") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := on(t, server, Options{Settle: settle, Lease: settle})
			r.look("", "a")
			time.Sleep(settle)
			r.fill("k", "a")
			r.ok(r.s.Hold(t.Context(), 1, []store.Tag{"held"}, time.Hour, nil))
			c.lose(r)
			begin := time.Now()
			r.held(true, "held")
			r.held(true, "new")
			v := r.look("", "new")
			r.ok(r.s.Fill(t.Context(), "l", &store.Entry{Value: store.Bytes("x"), Tags: []store.Tag{"new"}, Tokens: v.Tokens}, time.Hour))
			r.write("new")
			r.miss("l", "new")
			r.held(true, "new")
			if is, err := r.s.Join(t.Context(), "new", v.Tokens[0], "m"); is || err != nil {
				t.Fatal("a tag has a member whose hold isn't known", err)
			}
			if took := time.Since(begin); took > settle {
				t.Skipf("the machine is slow: %v", took)
			}
			time.Sleep(settle)
			r.held(false, "new")
			r.fill("l", "new")
		})
	}
}

// TestEvictedTag: who holds a tag holds it still when its key is gone, and so it
// is with several who do.
func TestEvictedTag(t *testing.T) {
	r := on(t, dbtest.Redis(t), Options{})
	r.fill("k", "a")
	r.ok(r.s.Hold(t.Context(), 1, []store.Tag{"a"}, 0, nil))
	r.ok(r.s.Hold(t.Context(), 2, []store.Tag{"a"}, 0, nil))
	for id := range store.HoldID(2) {
		r.tell("DEL", r.s.names.tagPrefix()+"a")
		r.held(true, "a")
		r.miss("k")
		r.tell("DEL", r.s.names.tagPrefix()+"a")
		r.ok(r.s.Renew(t.Context(), id+1, []store.Tag{"a"}, time.Hour))
		r.tell("DEL", r.s.names.tagPrefix()+"a")
		r.ok(r.s.Release(t.Context(), id+1, []store.Tag{"a"}))
	}
	r.held(false, "a")
	r.miss("k")
}

// TestLostMark: a tag whose mark has gone with the register keeps nothing that it had.
func TestLostMark(t *testing.T) {
	r := on(t, dbtest.Redis(t), Options{Settle: time.Hour})
	r.ok(r.s.Hold(t.Context(), 1, []store.Tag{"a"}, 0, nil))
	before := r.look("", "a").Tokens[0]
	r.tell("DEL", r.s.names.prefix+"r")
	v := r.look("", "a")
	if !v.Held || v.Tokens[0] == before {
		t.Fatalf("%+v, the token was %d", v, before)
	}
}

// TestCare: a hold without a lease lasts as long as its process, also when the
// server loses it, and lapses after that.
func TestCare(t *testing.T) {
	const lease = 300 * time.Millisecond
	server := dbtest.NewRedis(t)
	writer := on(t, server, Options{Lease: lease})
	reader := on(t, server, Options{Prefix: writer.s.opts.Prefix})
	writer.ok(writer.s.Hold(t.Context(), 1, []store.Tag{"a", "b"}, 0, nil))
	writer.ok(writer.s.Hold(t.Context(), 2, []store.Tag{"c"}, 0, nil))
	time.Sleep(2 * lease)
	reader.held(true, "a")
	reader.held(true, "b")
	reader.tell("FLUSHALL")
	time.Sleep(lease)
	reader.held(true, "a")
	reader.held(true, "c")
	writer.ok(writer.s.Release(t.Context(), 1, []store.Tag{"a", "b"}))
	reader.held(false, "a", "b")
	time.Sleep(2 * lease)
	reader.held(false, "a", "b")
	reader.held(true, "c")
	writer.s.Close()
	time.Sleep(2 * lease)
	reader.held(false, "c")
}

// TestSweep: marks that lapse unseen don't stay in the register.
func TestSweep(t *testing.T) {
	r := on(t, dbtest.Redis(t), Options{})
	for id := range store.HoldID(50) {
		r.ok(r.s.Hold(t.Context(), id+1, []store.Tag{store.Tag(formID(id))}, time.Millisecond, nil))
	}
	time.Sleep(10 * time.Millisecond)
	r.tell("HDEL", r.s.names.prefix+"r", "sweep")
	r.ok(r.s.Hold(t.Context(), 99, []store.Tag{"a"}, time.Hour, nil))
	if n, err := r.tell("HLEN", r.s.names.prefix+"r").AsInt64(); n != 4 || err != nil {
		t.Fatalf("%d fields in the register, want era, until, sweep and one mark", n)
	}
	r.held(true, "a")
}

// TestExpiry: every key has one, but the register.
func TestExpiry(t *testing.T) {
	r := on(t, dbtest.Redis(t), Options{})
	r.fill("k", "a", "b")
	r.ok(r.s.Hold(t.Context(), 1, []store.Tag{"b", "c"}, 0, nil))
	token := r.look("", "d").Tokens[0]
	if is, err := r.s.Join(t.Context(), "d", token, "m"); !is || err != nil {
		t.Fatal(is, err)
	}
	r.ok(r.s.Part(t.Context(), "d", "m"))
	keys, err := r.tell("KEYS", r.s.names.prefix+"*").AsStrSlice()
	if r.ok(err); len(keys) != 6 {
		t.Fatalf("keys %q", keys)
	}
	for _, key := range keys {
		left, err := r.tell("PTTL", key).AsInt64()
		if r.ok(err); (left > 0) == (key == r.s.names.prefix+"r") {
			t.Errorf("%q expires in %d ms", key, left)
		}
	}
}

// TestFrozen: a server that doesn't answer costs a step no more than its timeout.
func TestFrozen(t *testing.T) {
	server := dbtest.NewRedis(t)
	r := on(t, server, Options{Timeout: 50 * time.Millisecond})
	r.recover()
	r.ok(server.Pause())
	// It is frozen for longer than the client waits for a sign of life, and then
	// for the greeting of new connections.
	for end := time.Now().Add(2 * dialWithin); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		begin := time.Now()
		_, err := r.s.Lookup(t.Context(), "k", []store.Tag{"a"})
		if took := time.Since(begin); err == nil || took > 500*time.Millisecond {
			t.Errorf("took %v: %v", took, err)
		}
	}
	if err := r.s.Hold(t.Context(), 1, []store.Tag{"a"}, time.Millisecond, nil); err == nil {
		t.Error("a hold without an answer")
	}
	r.ok(server.Resume())
	r.recover()
}

// TestKilled: a server that is away is an error at once, and back when it is back.
func TestKilled(t *testing.T) {
	server := dbtest.NewRedis(t)
	r := on(t, server, Options{})
	r.fill("k", "a")
	r.ok(server.Kill())
	if _, err := r.s.Lookup(t.Context(), "k", nil); err == nil {
		t.Error("a dead server answers")
	}
	r.ok(server.Start())
	r.recover()
	r.write("a")
	r.fill("k", "a")
}

// TestAwayAtFirst: a store opens while its server is away, and connects when that comes.
func TestAwayAtFirst(t *testing.T) {
	server := dbtest.NewRedis(t)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	r := on(t, server, Options{})
	if _, err := r.s.Lookup(t.Context(), "k", nil); err == nil {
		t.Error("a dead server answers")
	}
	r.ok(server.Start())
	r.recover()
	r.fill("k", "a")
}

// TestCutConnections: clients are cut off all the time while they work.
func TestCutConnections(t *testing.T) {
	server := dbtest.NewRedis(t)
	o := settled
	o.Addresses, o.Timeout = []string{server.Socket()}, time.Second
	a, b := pair(t, o, nil)
	h := newHistory(a, b, 0)
	time.Sleep(o.Settle)
	admin := on(t, server, Options{})
	h.runBeside(a, func(_ *Store, stop chan struct{}, _ uint64) {
		for {
			select {
			case <-stop:
				return
			case <-time.After(3 * time.Millisecond):
				admin.tell("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
			}
		}
	}, 1)
	if !h.linearizable(t) {
		t.Fatalf("%d operations are not linearizable", len(h.ops))
	}
	if h.lost.Load() == 0 {
		t.Fatal("no step has failed: this test tests nothing")
	}
	t.Logf("%d steps failed", h.lost.Load())
}

// TestFull: a server without memory to give refuses entries and takes writes.
func TestFull(t *testing.T) {
	server := dbtest.NewRedis(t, "--appendonly", "no", "--maxmemory-policy", "noeviction")
	r := on(t, server, Options{})
	r.fill("k", "a")
	r.tell("CONFIG", "SET", "maxmemory", "1")
	e := &store.Entry{Value: store.Bytes("x"), Tags: []store.Tag{}, Tokens: []store.Token{}}
	if err := r.s.Fill(t.Context(), "l", e, time.Hour); err == nil {
		t.Error("a full server takes an entry")
	}
	r.hit("k")
	if v := r.look("", "new"); !v.Held {
		t.Error("a tag that has no room isn't held")
	}
	r.ok(r.s.Hold(t.Context(), 1, []store.Tag{"a", "b"}, 0, nil))
	r.held(true, "a")
	r.held(true, "b")
	r.ok(r.s.Renew(t.Context(), 1, []store.Tag{"a", "b"}, time.Hour))
	r.miss("k")
	r.ok(r.s.Release(t.Context(), 1, []store.Tag{"a", "b"}))
	r.held(false, "a")
	r.miss("k")
	r.tell("CONFIG", "SET", "maxmemory", "0")
	r.fill("k", "a")
}

// TestRealEviction: so it is when the server itself evicts keys, any of them.
func TestRealEviction(t *testing.T) {
	server := dbtest.NewRedis(t, "--appendonly", "no", "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random")
	o := settled
	o.Addresses = []string{server.Socket()}
	s := open(t, Options{Addresses: []string{server.Addr()}})
	fill := make(chan struct{})
	time.AfterFunc(200*time.Millisecond, func() { close(fill) })
	crowd(s, fill, 0)
	for round := range rounds(2, 8) {
		a, b := pair(t, o, nil)
		h := newHistory(a, b, 0)
		h.domains[0].Observe(bg, h.tags(h.domains[0], 0, 1, 2))
		time.Sleep(o.Settle)
		h.runBeside(a, crowd, uint64(round))
		if !h.linearizable(t) {
			t.Fatalf("round %d: %d operations are not linearizable", round, len(h.ops))
		}
	}
	if st := s.Stats(); st.Evictions == 0 || st.MaxBytes != 3<<20 || st.Bytes == 0 {
		t.Errorf("%+v", st)
	} else {
		t.Logf("%d keys were evicted", st.Evictions)
	}
}

// crowd fills the server with what others keep there.
func crowd(s *Store, stop chan struct{}, _ uint64) {
	c, err := s.client(bg)
	if err != nil {
		return
	}
	filler := strings.Repeat("x", 20_000) // few keys, so that it often hits those of the store
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		c.Do(bg, c.B().Set().Key("crowd"+formID(store.HoldID(i))).Value(filler).Build())
	}
}

// TestGarbage: what others have written under the keys of a store is a miss or an error.
func TestGarbage(t *testing.T) {
	r := on(t, dbtest.Redis(t), Options{})
	entry, tag := r.s.names.entry("k"), r.s.names.tagPrefix()+"a"
	for _, garbage := range []string{"", "x", "LE\x01\x00", "LE\x01\x00\x00\x00\x00\x00", "LE\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff", "LE\x01\x00\x00\x00\x00\x01\xff\xff\xff\xffabc", strings.Repeat("y", 1000)} {
		r.tell("SET", entry, garbage)
		if v := r.miss("k", "a"); len(v.Tokens) != 1 {
			t.Errorf("%q: %+v", garbage, v)
		}
		r.fill("k", "a")
		r.tell("SET", tag, garbage)
		r.miss("k", "a")
		r.fill("k", "a")
	}
	r.tell("COPY", entry, r.s.names.entry("other"), "REPLACE")
	r.miss("other", "a")
	r.tell("DEL", entry)
	r.tell("LPUSH", entry, "x")
	if v, err := r.s.Lookup(t.Context(), "k", nil); err == nil && v.Entry != nil {
		t.Error("a list is a hit")
	}
	r.tell("DEL", tag)
	r.tell("LPUSH", tag, "x")
	if v, err := r.s.Lookup(t.Context(), "", []store.Tag{"a"}); err == nil {
		t.Errorf("the tag is a list: %+v", v)
	}
}

// TestLongKeys: keys and tags of any length and with any bytes are told apart.
func TestLongKeys(t *testing.T) {
	r := on(t, dbtest.Redis(t), Options{})
	long := strings.Repeat("k", 5000)
	keys := []string{long, long + "x", long[:longKey], long[:longKey-1], "a\x00b", "a\r\nb", "{a}", "\xff"}
	for _, key := range keys {
		r.fill(key, store.Tag(key))
	}
	for i, key := range keys {
		r.hit(key)
		r.write(store.Tag(key))
		r.miss(key)
		for _, other := range keys[i+1:] {
			r.hit(other)
		}
	}
}

// TestPeers: servers that answer garbage, nothing, or too little are errors, be it
// from the first word on or after they have been greeted.
func TestPeers(t *testing.T) {
	const hello = "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n"
	for name, say := range map[string]string{
		"nothing": "", "text": "HTTP/1.1 400 Bad Request\r\n\r\n", "half": "$100\r\nabc", "noise": "\x00\xff\xfe\r\n\r\n",
		"numbers": ":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n", "loading": "-LOADING Redis is loading\r\n",
		"huge": "*1000000000\r\n", "negative": "$-5\r\n", "nested": strings.Repeat("*1\r\n", 1000), "null": "_\r\n",
		"array": "*2\r\n$1\r\n-\r\n$3\r\nabc\r\n", "empty": "*0\r\n", "text alone": "$3\r\nabc\r\n",
		"push": ">2\r\n+invalidate\r\n*1\r\n+k\r\n", "moved": "-MOVED 1 127.0.0.1:1\r\n", "no script": "-NOSCRIPT no\r\n",
	} {
		for when, greeting := range map[string]string{"at once": say, "when greeted": hello} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				s := open(t, Options{Addresses: []string{answer(t, greeting, say)}, Timeout: 100 * time.Millisecond})
				for range 3 {
					v, err := s.Lookup(t.Context(), "k", []store.Tag{"a"})
					if err == nil {
						t.Errorf("lookup: %+v", v)
					}
					for _, verb := range []store.PlainVerb{store.PlainGet, store.PlainCount} {
						if op := (rig{t, s}).plainly(store.PlainOp{Verb: verb, Key: "k"}); op.Err == nil {
							t.Errorf("plain: %+v", op)
						}
					}
					if _, _, err := s.Members(t.Context(), "a"); err == nil {
						t.Error("it has members")
					}
					if err := s.Hold(t.Context(), 1, []store.Tag{"a"}, time.Second, nil); err == nil {
						t.Error("it holds")
					}
				}
			})
		}
	}
}

// answer starts a server that answers each packet of a connection with say, but the first with greeting.
func answer(t *testing.T, greeting, say string) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go converse(c, greeting, say)
		}
	}()
	return l.Addr().String()
}

func converse(c net.Conn, text, then string) {
	defer c.Close()
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write([]byte(text)); err != nil {
			return
		}
		text = then
	}
}

// TestClose: after it everything fails, and nothing runs on.
func TestClose(t *testing.T) {
	server := dbtest.Redis(t)
	before := runtime.NumGoroutine()
	s := open(t, Options{Addresses: []string{server.Addr()}})
	if err := s.Hold(t.Context(), 1, []store.Tag{"closing"}, 0, nil); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := s.Lookup(t.Context(), "k", nil); !errors.Is(err, errClosed) {
		t.Error(err)
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), before)
		}
	}
}
