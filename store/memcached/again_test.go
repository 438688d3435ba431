package memcached

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
)

// A pairOfStores is of two processes: one reaches the server through a proxy.
type pairOfStores struct {
	testing.TB
	cut, sure *Store
	proxy     *dbtest.Proxy
}

func newPairOfStores(t *testing.T) *pairOfStores {
	socket := dbtest.NewMemcachedSocket(t).Socket()
	path := filepath.Join(filepath.Dir(socket), "proxy")
	p := &pairOfStores{TB: t, proxy: dbtest.NewProxy(t, path, socket)}
	for addr, s := range map[string]**Store{path: &p.cut, socket: &p.sure} {
		var err error
		if *s, err = Open(Options{Addrs: []string{addr}, TrustEmpty: true, Timeout: 10 * time.Second}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*s).Close() })
	}
	p.cut.servers[0].key = p.sure.servers[0].key // they are told one list, in fact
	return p
}

// resent has a step's answer lost: during is called when the server has done it, which done reports. Then the connection is cut, and the step is
// sent again over another one.
func (p *pairOfStores) resent(step func(ctx context.Context) error, done func() bool, during func()) {
	p.Helper()
	p.look(p.cut) // so that there is a connection that was used
	p.proxy.Lose(dbtest.ToClient, true)
	ended := make(chan error, 1)
	go func() { ended <- step(context.Background()) }()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.Fatal("the server doesn't do it")
		}
	}
	during()
	select {
	case err := <-ended:
		p.Fatal("it has ended without an answer: ", err)
	default:
	}
	p.proxy.Lose(dbtest.ToClient, false)
	p.proxy.Cut()
	p.must(<-ended)
}

func (p *pairOfStores) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *pairOfStores) look(s *Store, tags ...store.Tag) store.View {
	p.Helper()
	v, err := s.Lookup(p.Context(), "k", tags)
	p.must(err)
	return v
}

// TestReleaseAgain: a release that is sent again, since the server has done it and the connection was cut, brings no token back that another write
// has replaced meanwhile.
func TestReleaseAgain(t *testing.T) {
	p := newPairOfStores(t)
	tags := []store.Tag{"x"}
	p.look(p.sure, tags...)
	p.must(p.cut.Hold(t.Context(), 1, tags, 0, nil))
	p.resent(func(ctx context.Context) error { return p.cut.Release(ctx, 1, tags) }, func() bool { return !p.look(p.sure, tags...).Held }, func() {
		v := p.look(p.sure, tags...)
		p.must(p.sure.Fill(t.Context(), "k", &store.Entry{Value: store.Bytes("1"), Tags: tags, Tokens: v.Tokens}, time.Hour))
		if p.look(p.sure, tags...).Entry == nil {
			t.Fatal("nothing is kept: this test tests nothing")
		}
		p.must(p.sure.Hold(t.Context(), 2, tags, 0, nil))
		p.must(p.sure.Release(t.Context(), 2, tags))
	})
	if e := p.look(p.sure, tags...).Entry; e != nil {
		t.Errorf("%s is found, though 2 was written", e.Value)
	}
}

// TestFoundAgain: nor does a tag that is made again, since it was dropped meanwhile, have the token of the one before: who has that in mind would clear it.
func TestFoundAgain(t *testing.T) {
	p := newPairOfStores(t)
	tag, busy := neighbours(p.sure)
	third, err := Open(p.sure.o)
	p.must(err)
	defer third.Close()
	p.must(third.Hold(t.Context(), 1, []store.Tag{busy}, 0, nil))
	p.look(p.cut, busy)
	key, _ := keyOf(tagKey, string(tag))
	there := func() bool {
		b := &batch{srv: third.servers[0]}
		b.add(command{verb: 'g', key: key})
		p.must(third.run(t.Context(), []*batch{b}))
		return b.replies[0].found
	}
	p.resent(func(ctx context.Context) error { return p.cut.settle(ctx, []tagView{newTagView(tag)}) }, there, func() {
		if !p.look(p.sure, tag).Held {
			t.Fatal("the tag isn't suspect: this test tests nothing")
		}
		p.must(third.Hold(t.Context(), 2, []store.Tag{tag}, 0, nil))
		p.must(third.EvictTag(tag))
	})
	p.must(third.Release(t.Context(), 1, []store.Tag{busy}))
	if !p.look(p.sure, tag).Held {
		t.Error("a tag counts as free that a writer holds")
	}
}

// TestHoldAgain: a hold that is sent again has another stamp: a copy of it that comes late, after renewals, must not be taken for the one that was seen
// when it came first, since a lease that began then is over.
func TestHoldAgain(t *testing.T) {
	p := newPairOfStores(t)
	tags, first := []store.Tag{"x"}, mark{}
	p.look(p.sure, tags...)
	of := func() mark {
		key, name := keyOf(tagKey, "x")
		b := &batch{srv: p.sure.servers[0]}
		b.add(command{verb: 'g', key: key})
		p.must(p.sure.run(t.Context(), []*batch{b}))
		st, ok := parseState(b.replies[0].value, "x", name)
		if !ok || len(st.marks) != 1 {
			t.Fatalf("a state of %+v", st)
		}
		return st.marks[0]
	}
	hold := func(ctx context.Context) error { return p.cut.Hold(ctx, 1, tags, 0, nil) }
	p.resent(hold, func() bool { return p.look(p.sure, tags...).Held }, func() { first = of() })
	if again := of(); again.id != first.id || again.stamp == first.stamp {
		t.Errorf("a mark of %+v, and of %+v again", first, again)
	}
	p.must(p.cut.Release(t.Context(), 1, tags))
}

// TestManySuspects: more tags than are kept in mind come into use, one after the other, although at each moment somebody holds another one of their stripe.
func TestManySuspects(t *testing.T) {
	s, err := Open(Options{Addrs: []string{dbtest.Memcached(t).Addr()}, Namespace: t.Name(), TrustEmpty: true, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	busy, tags := store.Tag("busy"), []store.Tag(nil)
	for _, tag := range manyTags(2 * maxSuspects * commonStripes) {
		if s.stripeOf(string(tag)) == s.stripeOf(string(busy)) && len(tags) < maxSuspects+100 {
			tags = append(tags, tag)
		}
	}
	if len(tags) <= maxSuspects {
		t.Fatal("too few")
	}
	hold := func(id store.HoldID) {
		if err := s.Hold(t.Context(), id, []store.Tag{busy}, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	hold(1)
	usable := 0
	for id := store.HoldID(1); id < 12 && usable < len(tags); id++ {
		usable = 0
		for _, tag := range tags {
			v, err := s.Lookup(t.Context(), "", []store.Tag{tag})
			if err != nil {
				t.Fatal(err)
			}
			if !v.Held {
				usable++
			}
		}
		hold(id + 1)
		if err := s.Release(t.Context(), id, []store.Tag{busy}); err != nil {
			t.Fatal(err)
		}
	}
	if usable < len(tags) {
		t.Errorf("%d of %d tags are usable", usable, len(tags))
	}
}

// TestSetAgain: nor does a plain value come back that another has replaced meanwhile. Whether it was set isn't known, and is an error.
func TestSetAgain(t *testing.T) {
	p := newPairOfStores(t)
	do := func(s *Store, op store.PlainOp) store.PlainOp {
		op.Key, op.TTL = "k", store.NoExpiry
		ops := []store.PlainOp{op}
		s.Plain(context.Background(), ops)
		return ops[0]
	}
	var failed error
	p.resent(func(context.Context) error {
		failed = do(p.cut, store.PlainOp{Verb: store.PlainSet, Value: []byte("1")}).Err
		return nil
	}, func() bool { return string(do(p.sure, store.PlainOp{Verb: store.PlainGet}).Found) == "1" }, func() {
		p.must(do(p.sure, store.PlainOp{Verb: store.PlainSet, Value: []byte("2")}).Err)
	})
	if failed == nil {
		t.Error("a set that wasn't answered is no error")
	}
	if got := do(p.sure, store.PlainOp{Verb: store.PlainGet}); string(got.Found) != "2" {
		t.Errorf("the value is %q, and was set to 2", got.Found)
	}
}
