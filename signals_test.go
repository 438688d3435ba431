package larder

import (
	"bufio"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/redis"
)

// A process is a cache with a handle of its own, as another process would have them.
type process struct {
	cache *Cache
	db    *sql.DB
	ear
}

// twoProcesses share a Redis server, and hear each other.
func twoProcesses(t *testing.T, k kind, server *dbtest.Server, options Options) (h *house, a, b *process) {
	t.Helper()
	h = &house{TB: t, kind: k, dsn: k.open(t)}
	h.bare = h.opened(sql.Open(k.driver, h.dsn))
	prefix := rand.Text() + ":"
	start := func() *process {
		s, err := redis.Open(redis.Options{Addresses: []string{server.Addr()}, Prefix: prefix, Timeout: 10 * time.Second, Settle: -1})
		if err != nil {
			t.Fatal(err)
		}
		o := options
		o.Store, o.Signals, o.watch = s, true, time.Millisecond
		cache, err := New(&o)
		if err != nil {
			t.Fatal(err)
		}
		p := &process{cache: cache, ear: ear{h: h}}
		p.db = h.opened(cache.Open(k.driver, h.dsn))
		t.Cleanup(func() { cache.Close(); s.Close() })
		return p
	}
	a, b = start(), start()
	h.prepareOn(base)
	return h, a, b
}

// prepareOn makes tables before any cache has seen the database.
func (h *house) prepareOn(statements []string) {
	h.Helper()
	for _, statement := range statements {
		if _, err := h.bare.Exec(statement); err != nil {
			h.Fatal(err)
		}
	}
}

// listen starts a receiver, and waits until it hears other processes.
func (p *process) listen(t *testing.T, relation string) (stop func()) {
	t.Helper()
	stop = p.cache.OnChange(relation, func(_ context.Context, c Change) { p.keep(c) })
	t.Cleanup(stop)
	if first := p.await(t, 1)[0]; first.Lost != -1 {
		t.Fatalf("before all else a receiver was told %+v", first)
	}
	return stop
}

// await returns the next n changes.
func (p *process) await(t *testing.T, n int) []Change {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		if len(p.changes) >= n {
			list := p.changes[:n]
			p.changes = p.changes[n:]
			p.mu.Unlock()
			return list
		}
		p.mu.Unlock()
		if time.Now().After(end) {
			t.Fatalf("told %+v, want %d", p.changes, n)
		}
	}
}

// TestChangesOfProcesses: what one process commits is told in another, with its slices and in order, and read there as new as
// that; what it writes itself is told once.
func TestChangesOfProcesses(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h, a, b := twoProcesses(t, k, dbtest.Redis(t), Options{})
			a.listen(t, "stuff")
			const name = "SELECT name FROM stuff WHERE id = 1"
			var mu sync.Mutex
			var stale []string
			b.listen(t, "stuff")
			defer b.cache.OnChange("stuff", func(_ context.Context, c Change) {
				if c.Lost != 0 || c.Source == SourceHere {
					return
				}
				want, got := fmt.Sprint(c.Slices[len(c.Slices)-1]["name"]), h.texts(b.db, name)
				mu.Lock()
				defer mu.Unlock()
				if got < want {
					stale = append(stale, got+" after "+want)
				}
			})()
			for i := range 10 {
				h.texts(b.db, name)
				h.exec(a.db, "UPDATE stuff SET name = ? WHERE id = 1", fmt.Sprint(i))
			}
			for i, c := range b.await(t, 10) {
				if c.Source != SourceProcess || c.DB != nil || c.Database == "" || c.Count != 1 || c.Ops != OpUpdate || len(c.Slices) != 2 || c.Slices[0]["id"] != int64(1) || c.Slices[1]["name"] != fmt.Sprint(i) {
					t.Errorf("%d: told %+v", i, c)
				}
			}
			for _, c := range a.await(t, 10) {
				if c.Source != SourceHere || c.DB != a.db {
					t.Errorf("its own: %+v", c)
				}
			}
			tx := h.begin(a.db, 0)
			h.exec(tx, "DELETE FROM stuff WHERE id = 1")
			h.exec(tx, "INSERT INTO stuff (id, name) VALUES (1, 'x')")
			h.rollback(tx)
			h.exec(b.db, "DELETE FROM stuff WHERE id = 3")
			if c := a.await(t, 1)[0]; c.Ops != OpDelete || c.Source != SourceProcess || c.Perhaps {
				t.Errorf("told %+v", c)
			}
			if c := b.await(t, 1)[0]; c.Ops != OpDelete || c.Source != SourceHere {
				t.Errorf("told %+v", c)
			}
			h.cache = b.cache
			h.idle()
			if len(stale) > 0 || len(a.changes) > 0 || len(b.changes) > 0 {
				t.Errorf("stale %q; more was told: %+v, %+v", stale, a.changes, b.changes)
			}
		})
	}
}

// TestChannelCut: a receiver is told that changes may have been lost once it hears others again.
func TestChannelCut(t *testing.T) {
	server := dbtest.NewRedis(t)
	h, a, b := twoProcesses(t, kinds[0], server, Options{})
	b.listen(t, "stuff")
	for range 3 {
		redisDo(t, server, "CLIENT", "KILL", "TYPE", "pubsub")
		if c := b.await(t, 1)[0]; c.Lost != -1 || c.Ops != OpUnknown {
			t.Fatalf("told %+v after the cut", c)
		}
		h.exec(a.db, "UPDATE stuff SET name = 'a' WHERE id = 1")
		if c := b.await(t, 1)[0]; c.Ops != OpUpdate {
			t.Errorf("told %+v", c)
		}
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	h.exec(a.db, "UPDATE stuff SET name = 'unheard' WHERE id = 1")
	for end := time.Now().Add(20 * time.Second); a.cache.Stats().ChangesLost == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a change that can't be sent isn't counted as lost")
		}
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	for c := b.await(t, 1)[0]; c.Lost != -1; c = b.await(t, 1)[0] {
	}
	h.exec(a.db, "UPDATE stuff SET name = 'heard' WHERE id = 2")
	for c := b.await(t, 1)[0]; c.Ops != OpUpdate; c = b.await(t, 1)[0] { // that others were lost may be told once more
		if c.Lost == 0 {
			t.Errorf("told %+v", c)
		}
	}
}

// redisDo sends a command to a server.
func redisDo(t *testing.T, server *dbtest.Server, words ...string) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s\r\n", strings.Join(words, " "))
	if answer, err := bufio.NewReader(conn).ReadString('\n'); err != nil || answer[0] == '-' {
		t.Fatal(words, answer, err)
	}
}

// TestChannelHides: with keys nobody who listens to the server learns what is told; without them it is in clear.
func TestChannelHides(t *testing.T) {
	for _, keys := range [][][]byte{nil, {[]byte(strings.Repeat("k", 32))}} {
		server := dbtest.Redis(t)
		h, a, b := twoProcesses(t, kinds[0], server, Options{StoreKeys: keys})
		conn, err := net.Dial("tcp", server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "PSUBSCRIBE *\r\n")
		wire := bufio.NewReader(conn)
		seen := ""
		for !strings.HasSuffix(seen, ":1\r\n") {
			seen += string(must(wire.ReadByte()))
		}
		b.listen(t, "stuff")
		h.exec(a.db, "UPDATE stuff SET name = 'ginger' WHERE id = 1")
		if c := b.await(t, 1)[0]; c.Slices[1]["name"] != "ginger" {
			t.Fatalf("told %+v", c)
		}
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		seen = string(must(wire.Peek(wire.Buffered())))
		for len(seen) < 300 {
			seen += string(must(wire.ReadByte()))
		}
		if clear := strings.Contains(seen, "main.stuff"); clear != (keys == nil) {
			t.Errorf("with %d keys, on the wire: %q", len(keys), seen)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestSignalsNeedAChannel: stores without one are a clear error.
func TestSignalsNeedAChannel(t *testing.T) {
	far, err := memcached.Open(memcached.Options{Addrs: []string{"localhost:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	for _, o := range []Options{{}, {MaxBytes: 1 << 20}, {Store: far}} {
		o.Signals = true
		if _, err := New(&o); err == nil || !strings.Contains(err.Error(), "Redis or Valkey") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestUntoldProcesses: without Signals others hear nothing.
func TestUntoldProcesses(t *testing.T) {
	h, _, b := twoProcesses(t, kinds[0], dbtest.Redis(t), Options{})
	b.listen(t, "stuff")
	silent, err := New(&Options{Store: b.cache.options.Store})
	h.ok(err)
	defer silent.Close()
	db := h.opened(silent.Open(h.driver, h.dsn))
	h.exec(db, "UPDATE stuff SET name = 'untold' WHERE id = 1")
	h.exec(b.db, "UPDATE stuff SET name = 'told' WHERE id = 1")
	if c := b.await(t, 1)[0]; c.Source != SourceHere {
		t.Errorf("told %+v", c)
	}
}

// TestSignalsLeaveNothing: a closed cache leaves no goroutine that listens or sends, and no connection.
func TestSignalsLeaveNothing(t *testing.T) {
	server := dbtest.NewRedis(t)
	dbtest.Leaks(t)
	s, err := redis.Open(redis.Options{Addresses: []string{server.Addr()}, Timeout: 10 * time.Second, Settle: -1})
	if err != nil {
		t.Fatal(err)
	}
	cache, err := New(&Options{Store: s, Signals: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := cache.Open("sqlite", filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	var told sync.WaitGroup
	told.Add(1)
	stop := cache.OnChange("*", func(_ context.Context, c Change) {
		if c.Lost == -1 {
			told.Done()
		}
	})
	told.Wait()
	stop()
	cache.OnChange("*", func(context.Context, Change) {})
	for i := range 10 {
		if _, err := db.Exec(fmt.Sprintf("CREATE TABLE t%d (id INTEGER)", i)); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(db.Close(), cache.Close(), cache.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}
