// Package memcached keeps entries and the state of tags in memcached, for many
// processes. It speaks the meta protocol of memcached 1.6 by itself.
//
// The state of a tag, its token, its holds and its members, is one value under one
// key. Each change of it is one append, which the server does at once or not at
// all; each look at it is one get. So a hold is seen together with the token that
// it brought, and if memcached drops the one it drops the other.
//
// What memcached drops it doesn't tell of. So each hold is noted in a second place,
// one of the server's stripes, and a tag that is found missing is of no use until
// its stripe is seen to have no hold. A server that has lost its stripes as well
// counts as held for a while: Options.Lease.
//
// A command is sent to a server together with all others of its step. The clocks
// of machines aren't compared, nor is the server's asked: a mark lapses when one
// process has watched it for its lease, and it hasn't been renewed meanwhile.
//
// All processes that share entries must be given the same servers, by the same
// names, and the same Namespace. The design notes in docs/design tell the rest.
package memcached

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/larderdb/larder/store"
)

const (
	defaultPort    = "11211"
	defaultTimeout = 50 * time.Millisecond
	defaultLease   = 30 * time.Second
	defaultMaxItem = 1 << 20
)

// Options of a store. All processes that share entries must have the same Addrs, Namespace and Lease.
type Options struct {
	// Addrs are the servers: "host", "host:port", or the path of a unix
	// socket, which begins with a slash. Their order doesn't matter, their spelling does.
	Addrs []string

	// Namespace sets what is kept apart from what others keep on the same servers.
	Namespace string

	// Timeout is how long a call may take if its context doesn't end before; 0
	// means 50 milliseconds.
	Timeout time.Duration

	// Lease is how long a hold that the store renews by itself outlives its process;
	// and how long nothing is kept on a server that has lost its memory, since it may have lost holds: no
	// hold may have a longer lease than this. 0 means 30 seconds.
	Lease time.Duration

	// TrustEmpty has a server that is found empty used at once. A hold that it
	// has lost by a restart is then not known to readers.
	TrustEmpty bool

	MaxItem int // the servers' item size limit (memcached -I); 0 means 1 MiB
	MaxIdle int // connections to one server that are kept open; 0 means 16 and 2 for each processor

	TLS            *tls.Config // for connections over TCP; nil means none
	User, Password string      // for servers with an authentication file (memcached -Y)
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Lease <= 0 {
		o.Lease = defaultLease
	}
	if o.MaxItem <= 0 {
		o.MaxItem = defaultMaxItem
	}
	if o.MaxIdle <= 0 {
		o.MaxIdle = 16 + 2*runtime.GOMAXPROCS(0)
	}
	return o
}

var _ store.Shared = (*Store)(nil)

// A Store is a store.Store in memcached servers.
type Store struct {
	o        Options
	ring     ring
	servers  []*server
	hints    hints
	watch    watch
	holds    holds
	upkeep   upkeep
	tidy     tidy
	turns    turns
	suspects suspects
	skip     step // what tests leave out
}

// New returns a store in the servers at these addresses. It panics if one can't
// be an address. It doesn't ask the servers yet.
func New(addrs ...string) *Store {
	s, err := Open(Options{Addrs: addrs})
	if err != nil {
		panic(err)
	}
	return s
}

// Open returns a store with options. It fails if they can't be right; it doesn't
// ask the servers yet.
func Open(o Options) (*Store, error) {
	if len(o.Addrs) == 0 {
		return nil, errors.New("memcached: no servers")
	}
	seen := make(map[string]bool)
	for _, addr := range o.Addrs {
		if addr == "" || seen[addr] || strings.ContainsAny(addr, " \r\n\t") {
			return nil, fmt.Errorf("memcached: %q can't be a server, or is one twice", addr)
		}
		seen[addr] = true
	}
	s := &Store{o: o.withDefaults(), ring: newRing(o.Addrs)}
	list := fingerprint(o.Namespace, o.Addrs)
	for i, addr := range o.Addrs {
		s.servers = append(s.servers, newServer(addr, i, list, &s.o))
	}
	s.hints.init()
	s.watch.init()
	s.holds.init()
	s.tidy.init()
	s.turns.init()
	s.suspects.init()
	return s, nil
}

// Close closes the connections. What is held without a lease lapses. What the
// servers keep stays there.
func (s *Store) Close() error {
	s.upkeep.stop()
	s.tidy.stop()
	var err error
	for _, srv := range s.servers {
		err = errors.Join(err, srv.pool.close())
	}
	return err
}

// Stats tells what the servers say of themselves: Entries counts their items of
// all kinds, Bytes what those take, whoever's they are; Tags isn't known. A server that doesn't
// answer in time counts nothing. MaxBytes is 0: what the servers may keep isn't this store's alone.
func (s *Store) Stats() store.Stats {
	var total store.Stats
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, srv := range s.servers {
		wg.Go(func() {
			st, err := srv.stats(time.Now().Add(s.o.Timeout))
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			total.Entries += st.Entries
			total.Bytes += st.Bytes
			total.Evictions += st.Evictions
		})
	}
	wg.Wait()
	return total
}

func (srv *server) stats(deadline time.Time) (store.Stats, error) {
	if !srv.pool.down.allows() {
		return store.Stats{}, errDown
	}
	c, err := srv.pool.dial(deadline)
	if err != nil {
		srv.pool.down.failed()
		return store.Stats{}, err
	}
	defer c.Close()
	if _, err := c.Write([]byte("stats\r\n")); err != nil {
		return store.Stats{}, err
	}
	st, err := readStats(c.r)
	if err == nil {
		srv.pool.down.worked()
	}
	return st, err
}

func readStats(r *bufio.Reader) (st store.Stats, err error) {
	for range 1000 {
		line, err := readLine(r)
		if err != nil || string(line) == "END" {
			return st, err
		}
		fields := strings.Fields(string(line))
		if len(fields) != 3 {
			continue
		}
		n, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			continue
		}
		switch fields[1] {
		case "curr_items":
			st.Entries = int(n)
		case "bytes":
			st.Bytes = n
		case "evictions":
			st.Evictions = n
		}
	}
	return st, errGarbage
}

// newNumber returns a number that nobody has had: a token or a stamp.
func newNumber() uint64 {
	var b [8]byte
	for {
		rand.Read(b[:]) // it never fails
		if n := binary.LittleEndian.Uint64(b[:]); n != 0 {
			return n
		}
	}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// Lease is as store.Shared has it.
func (s *Store) Lease() time.Duration { return s.o.Lease }

// Claim is as store.Shared has it. A ttl counts in whole seconds.
func (s *Store) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	bs := s.batches()
	name, _ := keyOf(claimKey, key)
	b := bs.at(key)
	at := b.add(command{verb: 's', mode: 'E', key: name, ttl: max(seconds(ttl), 1)})
	if err := bs.run(ctx); err != nil {
		return false, fmt.Errorf("memcached: claim: %w", err)
	}
	return b.replies[at].found, nil
}

// Unclaim is as store.Shared has it.
func (s *Store) Unclaim(ctx context.Context, key string) error { return s.drop(ctx, claimKey, key) }

// Remove drops the entry under key.
func (s *Store) Remove(ctx context.Context, key string) error { return s.drop(ctx, entryKey, key) }

func (s *Store) drop(ctx context.Context, kind byte, key string) error {
	bs := s.batches()
	name, _ := keyOf(kind, key)
	bs.at(key).add(command{verb: 'd', key: name})
	return bs.run(ctx)
}
