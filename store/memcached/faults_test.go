package memcached_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
)

var tagA = []store.Tag{"a"}

func look(t testing.TB, s *memcached.Store, key string, tags ...store.Tag) store.View {
	t.Helper()
	v, err := s.Lookup(t.Context(), key, tags)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func fill(t testing.TB, s *memcached.Store, key, value string, tags ...store.Tag) {
	t.Helper()
	e := &store.Entry{Value: store.Bytes(value), Tags: tags, Tokens: look(t, s, "", tags...).Tokens}
	if err := s.Fill(t.Context(), key, e, time.Hour); err != nil {
		t.Fatal(err)
	}
}

func wantHit(t testing.TB, s *memcached.Store, key, value string, tags ...store.Tag) {
	t.Helper()
	v := look(t, s, key, tags...)
	if v.Entry == nil || string(v.Entry.Value.(store.Bytes)) != value {
		t.Fatalf("%.40q: %+v, want a hit of %.40q", key, v.Entry, value)
	}
}

func wantMiss(t testing.TB, s *memcached.Store, key string, tags ...store.Tag) {
	t.Helper()
	if v := look(t, s, key, tags...); v.Entry != nil {
		t.Fatalf("%.40q: a hit", key)
	}
}

func wantHeld(t testing.TB, s *memcached.Store, want bool, tags ...store.Tag) {
	t.Helper()
	if v := look(t, s, "", tags...); v.Held != want {
		t.Fatalf("held %v: %v, want %v", tags, v.Held, want)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within waits for what comes true in time.
func within(t testing.TB, d time.Duration, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// twoProcesses are stores that share what they keep.
func twoProcesses(t *testing.T, o memcached.Options) (a, b *memcached.Store) {
	o.Namespace = fmt.Sprint("two", namespaces.Add(1))
	return open(t, o), open(t, o)
}

// TestDroppedHold: a hold that memcached has dropped with its tag is known still, to
// all who look.
func TestDroppedHold(t *testing.T) {
	a, b := twoProcesses(t, memcached.Options{Addrs: servers(t, 1), TrustEmpty: true})
	fill(t, a, "k", "v", tagA...)
	ok(t, a.Hold(t.Context(), 1, tagA, 0, nil))
	ok(t, a.EvictTag("a"))
	for range 3 {
		wantHeld(t, b, true, "a")
		wantHeld(t, a, true, "a")
	}
	ok(t, a.Renew(t.Context(), 1, tagA, 0)) // nothing can have been filled
	wantMiss(t, b, "k", "a")
	ok(t, a.Release(t.Context(), 1, tagA))
	wantHeld(t, b, false, "a")
	fill(t, b, "k", "w", tagA...)
	wantHit(t, a, "k", "w", "a")
}

// TestDroppedStripe: with both gone, nothing is kept until the lease is over.
func TestDroppedStripe(t *testing.T) {
	a, b := twoProcesses(t, memcached.Options{Addrs: servers(t, 1), Lease: 400 * time.Millisecond})
	within(t, 5*time.Second, "a new server is used", func() bool { return !look(t, a, "", "a").Held })
	ok(t, a.Hold(t.Context(), 1, tagA, 300*time.Millisecond, nil))
	ok(t, a.EvictTag("a"))
	ok(t, a.EvictStripe("a"))
	from := time.Now()
	wantHeld(t, b, true, "a")
	if err := a.Renew(t.Context(), 1, tagA, time.Second); !errors.Is(err, store.ErrLapsed) {
		t.Fatalf("renew of a hold that was lost: %v", err)
	}
	within(t, 5*time.Second, "the stripe is trusted", func() bool { return !look(t, b, "", "a").Held })
	if d := time.Since(from); d < 400*time.Millisecond {
		t.Fatalf("trusted after %v", d)
	}
	wantHeld(t, a, false, "a")
}

// TestHoldersUnknown: while a stripe can't be read, after its tag is gone, it isn't known who holds.
func TestHoldersUnknown(t *testing.T) {
	a, b := twoProcesses(t, memcached.Options{Addrs: servers(t, 1), Lease: time.Second})
	within(t, 5*time.Second, "a new server is used", func() bool { return !look(t, a, "", "a").Held })
	ok(t, a.Hold(t.Context(), 7, tagA, 0, nil))
	known := func(s *memcached.Store) bool {
		ids, err := s.Holders(t.Context(), "a")
		ok(t, err)
		if slices.Contains(ids, 0) {
			return false
		}
		if len(ids) == 0 {
			t.Error("nobody holds, it is said, and 7 does")
		}
		return true
	}
	if !known(b) {
		t.Error("it isn't known who holds")
	}
	ok(t, a.EvictTag("a"))
	ok(t, a.SpoilStripe("a"))
	if known(b) {
		t.Error("it is known who holds")
	}
}

// TestStripeLost: a hold whose stripe is gone has it again when it is renewed.
func TestStripeLost(t *testing.T) {
	a, b := twoProcesses(t, memcached.Options{Addrs: servers(t, 1), TrustEmpty: true})
	wantHeld(t, a, false, "a")
	ok(t, a.Hold(t.Context(), 1, tagA, 0, nil))
	ok(t, a.EvictStripe("a"))
	wantHeld(t, b, true, "a")
	ok(t, a.Renew(t.Context(), 1, tagA, 0))
	ok(t, a.EvictTag("a"))
	wantHeld(t, b, true, "a")
	ok(t, a.Release(t.Context(), 1, tagA))
	wantHeld(t, b, false, "a")
}

// TestProcessDies: its holds lapse by the store's lease, and not while it lives.
func TestProcessDies(t *testing.T) {
	a, b := twoProcesses(t, memcached.Options{Addrs: servers(t, 1), Lease: time.Second, TrustEmpty: true})
	fill(t, a, "k", "v", tagA...)
	ok(t, a.Hold(t.Context(), 1, tagA, 0, nil))
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		wantHeld(t, b, true, "a")
	}
	ok(t, a.Close())
	within(t, 5*time.Second, "the hold lapses", func() bool { return !look(t, b, "", "a").Held })
	wantMiss(t, b, "k", "a")
}

// TestRestart: a server that has lost its memory may have lost holds.
func TestRestart(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*dbtest.Server, *memcached.Store) error
	}{
		{"restart", func(srv *dbtest.Server, _ *memcached.Store) error { return errors.Join(srv.Kill(), srv.Start()) }},
		{"flush", func(srv *dbtest.Server, _ *memcached.Store) error { return command(srv.Addr(), "flush_all\r\n") }},
		{"life", func(_ *dbtest.Server, s *memcached.Store) error { return s.EvictLife("a") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := dbtest.NewMemcached(t)
			a, b := twoProcesses(t, memcached.Options{Addrs: []string{srv.Addr()}, Lease: time.Second})
			wantHeld(t, a, true, "a") // nobody knows what it has lost
			within(t, 5*time.Second, "a new server is used", func() bool { return !look(t, a, "", "a").Held })
			fill(t, a, "k", "v", tagA...)
			wantHit(t, b, "k", "v", "a")
			ok(t, a.Hold(t.Context(), 1, tagA, 0, nil))
			ok(t, c.do(srv, a))
			from := time.Now()
			for time.Since(from) < 900*time.Millisecond {
				if v, err := b.Lookup(t.Context(), "k", tagA); err == nil && (!v.Held || v.Entry != nil) {
					t.Fatalf("%v after it has lost a hold: %+v", time.Since(from), v)
				}
				time.Sleep(5 * time.Millisecond)
			}
			if err := a.Renew(t.Context(), 1, tagA, 0); !errors.Is(err, store.ErrLapsed) {
				t.Fatalf("renew of a hold that was lost: %v", err)
			}
			ok(t, a.Release(t.Context(), 1, tagA))
			within(t, 5*time.Second, "it is used again", func() bool { return !look(t, b, "", "a").Held })
			wantMiss(t, b, "k", "a")
		})
	}
}

// TestTrustEmpty: what is lost without the time in which a new server keeps nothing.
func TestTrustEmpty(t *testing.T) {
	srv := dbtest.NewMemcached(t)
	a, b := twoProcesses(t, memcached.Options{Addrs: []string{srv.Addr()}, TrustEmpty: true})
	ok(t, a.Hold(t.Context(), 1, tagA, 0, nil))
	wantHeld(t, b, true, "a")
	ok(t, command(srv.Addr(), "flush_all\r\n"))
	wantHeld(t, b, false, "a")
	if err := a.Renew(t.Context(), 1, tagA, 0); !errors.Is(err, store.ErrLapsed) {
		t.Fatalf("renew of a hold that was lost: %v", err)
	}
	wantHeld(t, b, true, "a") // it is marked again, late
	ok(t, a.Release(t.Context(), 1, tagA))
}

func command(addr, text string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		return err
	}
	_, err = bufio.NewReader(c).ReadString('\n')
	return err
}

// TestKilled: while a server is away every call fails, soon, and those on others work.
func TestKilled(t *testing.T) {
	one, two := dbtest.NewMemcached(t), dbtest.NewMemcached(t)
	s := open(t, memcached.Options{Addrs: []string{one.Addr(), two.Addr()}, TrustEmpty: true})
	var there, gone store.Tag
	for i := 0; there == "" || gone == ""; i++ {
		tag := store.Tag(fmt.Sprint("t", i))
		if s.Servers([]store.Tag{tag})[0] == 1 {
			there = tag
		} else {
			gone = tag
		}
	}
	wantHeld(t, s, false, there, gone)
	ok(t, two.Kill())
	if _, err := s.Lookup(t.Context(), "", []store.Tag{there, gone}); err == nil {
		t.Fatal("a server that is away has answered")
	}
	if err := s.Hold(t.Context(), 1, []store.Tag{gone}, 0, nil); err == nil {
		t.Fatal("a hold on a server that is away")
	}
	if err := s.Release(t.Context(), 1, []store.Tag{gone}); err == nil {
		t.Fatal("a release on a server that is away")
	}
	wantHeld(t, s, false, there)
	ok(t, two.Start())
	within(t, 10*time.Second, "it is asked again", func() bool {
		_, err := s.Lookup(t.Context(), "", []store.Tag{there, gone})
		return err == nil
	})
	ok(t, s.Release(t.Context(), 1, []store.Tag{gone}))
	wantHeld(t, s, false, there, gone)
}

// TestFrozen: a server that hangs costs one call the time-out, and the next ones nothing.
func TestFrozen(t *testing.T) {
	srv := dbtest.NewMemcached(t)
	s := open(t, memcached.Options{Addrs: []string{srv.Addr()}, TrustEmpty: true, Timeout: time.Second})
	fill(t, s, "k", "v", "a")
	ok(t, srv.Pause())
	from := time.Now()
	if _, err := s.Lookup(t.Context(), "k", tagA); err == nil {
		t.Fatal("a frozen server has answered")
	}
	if d := time.Since(from); d < 700*time.Millisecond || d > 4*time.Second {
		t.Errorf("it took %v", d)
	}
	from = time.Now()
	if _, err := s.Lookup(t.Context(), "k", tagA); err == nil {
		t.Fatal("a frozen server has answered")
	}
	if d := time.Since(from); d > 600*time.Millisecond {
		t.Errorf("the next one took %v", d)
	}
	ok(t, srv.Resume())
	within(t, 10*time.Second, "it is asked again", func() bool {
		_, err := s.Lookup(t.Context(), "k", tagA)
		return err == nil
	})
	wantHit(t, s, "k", "v", "a")
}

// TestDeadline: a context that ends soon doesn't make the server one that fails.
func TestDeadline(t *testing.T) {
	srv := dbtest.NewMemcached(t)
	s := open(t, memcached.Options{Addrs: []string{srv.Addr()}, TrustEmpty: true})
	wantHeld(t, s, false, "a")
	ok(t, srv.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Lookup(ctx, "k", tagA); err == nil {
		t.Fatal("a frozen server has answered")
	}
	ok(t, srv.Resume())
	wantHeld(t, s, false, "a")
	if _, err := s.Lookup(ctx, "k", tagA); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("with a context that has ended: %v", err)
	}
}

// A peer stands before a memcached, or instead of one.
func peer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

// forward joins a client to a server.
func forward(addr string, client net.Conn, from io.Reader) {
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, from) // ends with the test
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// TestGarbage: whatever a server answers, no call has a hit, none panics, none hangs.
func TestGarbage(t *testing.T) {
	for _, answer := range []string{
		"", "\r\n", "\n", "HD\r\n", "HD O1\r\n", "EN\r\n", "EN O1\r\n", "VA\r\n", "VA 11 O1\r\nAAAAAAAAAAA\r\n",
		"VA 99999999999999999999 O1\r\n", "VA 100000000 O1\r\nxx", "VA -1 O1\r\n\r\n", "VA 2 c1 O2\r\nxxyyHD O2\r\n",
		"HD O1\r\nVA 11 O2\r\nAAAAAAAAAAA\r\nVA 11 O3\r\nAAAAAAAAAAA\r\nVA 3 O4\r\nxyz\r\nVA 0 O5\r\n\r\n",
		"HD O1\r\nVA 11 O2\r\nAAAA AAAAAA\r\n", "HD O1\r\nVA 2 O2\r\nAA\r\n",
		"SERVER_ERROR out of memory\r\n", "CLIENT_ERROR bad\r\n", "ERROR\r\n", "HD Ox\r\n", "HD O\r\n", "HD  \r\n",
		"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", strings.Repeat("x", 10000), "NS O1 O1\r\nHD O2 c\r\n",
	} {
		for _, times := range []int{1, 100} {
			s := open(t, memcached.Options{Timeout: 500 * time.Millisecond, Addrs: []string{peer(t, func(c net.Conn) {
				buf := make([]byte, 4096)
				if _, err := c.Read(buf); err == nil {
					_, _ = io.WriteString(c, strings.Repeat(answer, times))
				}
			})}})
			if v, err := s.Lookup(t.Context(), "k", tagA); v.Entry != nil || err == nil && !v.Held {
				t.Errorf("%.40q: %+v %v", answer, v, err)
			}
			if is, _ := s.Join(t.Context(), "a", 1, "x"); is {
				t.Errorf("%.40q: a member", answer)
			}
			if err := s.Hold(t.Context(), 1, tagA, 0, nil); err == nil {
				t.Errorf("%.40q: a hold", answer)
			}
			s.Stats()
			s.Close()
		}
	}
}

// TestCutConnections: connections that end in the middle of an answer.
func TestCutConnections(t *testing.T) {
	addr := servers(t, 1)[0]
	s := open(t, memcached.Options{TrustEmpty: true, Addrs: []string{peer(t, func(c net.Conn) {
		server, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer server.Close()
		go func() { _, _ = io.Copy(server, c) }()
		_, _ = io.CopyN(c, server, 1500) // then both are closed
	})}})
	failed, hits := 0, 0
	for i := range 300 {
		key := fmt.Sprint("k", i%10)
		v, err := s.Lookup(t.Context(), key, tagA)
		switch {
		case err != nil:
			failed++
			time.Sleep(3 * time.Millisecond)
		case v.Entry != nil:
			hits++
			if got := string(v.Entry.Value.(store.Bytes)); got != key+strings.Repeat("x", 300) {
				t.Fatalf("%s has %q", key, got)
			}
		case !v.Held:
			e := &store.Entry{Value: store.Bytes(key + strings.Repeat("x", 300)), Tags: tagA, Tokens: v.Tokens}
			_ = s.Fill(t.Context(), key, e, time.Hour)
		}
	}
	t.Logf("%d failed, %d hits", failed, hits)
	if failed == 0 || hits == 0 {
		t.Error("nothing was tested")
	}
}

// TestTLS: with a server's certificate that is trusted, and with one that isn't; and
// with steps that are larger than what the server reads at once.
func TestTLS(t *testing.T) {
	srv, roots := dbtest.NewMemcachedTLS(t)
	s := open(t, memcached.Options{Addrs: []string{srv.Addr()}, TrustEmpty: true, TLS: &tls.Config{RootCAs: roots}})
	large := strings.Repeat("x", 900_000)
	fill(t, s, "k", large, "a")
	wantHit(t, s, "k", large, "a")
	var tags []store.Tag
	for i := range 2000 {
		tags = append(tags, store.Tag(fmt.Sprintf("2:db:public.stuff{user_id=%d}", i)))
	}
	fill(t, s, "l", "v", tags...)
	wantHit(t, s, "l", "v")
	ok(t, s.Hold(t.Context(), 1, tags, 0, nil))
	ok(t, s.Release(t.Context(), 1, tags))
	wantMiss(t, s, "l")
	wary := open(t, memcached.Options{Addrs: []string{srv.Addr()}, TLS: &tls.Config{}})
	var unknown x509.UnknownAuthorityError
	if _, err := wary.Lookup(t.Context(), "k", tagA); !errors.As(err, &unknown) {
		t.Fatalf("with a certificate that nobody has signed: %v", err)
	}
}

// TestLogin: a connection logs in before anything else.
func TestLogin(t *testing.T) {
	backend := servers(t, 1)[0]
	addr := peer(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		head, _ := r.ReadString('\n')
		secret, _ := r.ReadString('\n')
		if !strings.HasPrefix(head, "set ") || !strings.HasSuffix(head, " 0 0 11\r\n") || secret != "larder milk\r\n" {
			_, _ = io.WriteString(c, "CLIENT_ERROR authentication failure\r\n")
			return
		}
		_, _ = io.WriteString(c, "STORED\r\n")
		forward(backend, c, r)
	})
	s := open(t, memcached.Options{Addrs: []string{addr}, TrustEmpty: true, User: "larder", Password: "milk"})
	fill(t, s, "k", "v", "a")
	wantHit(t, s, "k", "v", "a")
	wrong := open(t, memcached.Options{Addrs: []string{addr}, User: "larder", Password: "water"})
	if _, err := wrong.Lookup(t.Context(), "k", tagA); err == nil || !strings.Contains(err.Error(), "authentication failure") {
		t.Fatalf("with a wrong password: %v", err)
	}
}

// TestLifeEnds: who has left a server for long finds nothing there.
func TestLifeEnds(t *testing.T) {
	srv := dbtest.NewMemcached(t)
	s := open(t, memcached.Options{Addrs: []string{srv.Addr()}, TrustEmpty: true})
	fill(t, s, "k", "v", "a")
	left, err := s.LifeLeft("a")
	ok(t, err)
	if left <= 0 || left > 120 {
		t.Fatalf("the server's life lasts for %d s if nobody asks it", left)
	}
}

// TestNothingIsLeft: a store that is closed leaves no goroutine behind.
func TestNothingIsLeft(t *testing.T) {
	addrs := servers(t, 2)
	dbtest.Leaks(t)
	s, err := memcached.Open(memcached.Options{Addrs: addrs, TrustEmpty: true, Timeout: 10 * time.Second, Lease: 50 * time.Millisecond})
	ok(t, err)
	for i := range 100 {
		ok(t, s.Hold(t.Context(), store.HoldID(i+1), []store.Tag{"a", "b", "c"}, 0, nil))
		wantHeld(t, s, true, "a")
	}
	ok(t, s.Close())
	if err := s.Hold(t.Context(), 1, tagA, 0, nil); err == nil {
		t.Error("a hold in a store that is closed")
	}
	ok(t, s.Close())
}
