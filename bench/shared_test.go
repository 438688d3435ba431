package bench

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/session"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/near"
	"github.com/larderdb/larder/store/redis"
	"github.com/redis/rueidis"
)

// patience is what a call of a store may take here: a busy machine must not turn hits into misses.
const patience = time.Second

// A farServer is a private server that several processes could share, as Larder and a hand-written client reach it.
type farServer struct {
	name  string
	store func(testing.TB, string) store.Shared
	bare  func(testing.TB, string) bareClient
	by    func(testing.TB, string) byHand
	start func(testing.TB) *dbtest.Server
}

var farServers = []farServer{
	{"redis", openRedis, bareRedis, redisByHand, func(t testing.TB) *dbtest.Server { return dbtest.NewRedis(t) }},
	{"memcached", openMemcached, bareMemcached, memcachedByHand, nil},
}

// addresses are those of one server, or of two, of each kind.
func (f farServer) addresses(t testing.TB) map[string]string {
	if f.start != nil {
		s := f.start(t)
		return map[string]string{"unix": s.Socket(), "tcp": s.Addr(), "network": distant(t, s.Socket())}
	}
	socket := dbtest.NewMemcachedSocket(t).Socket()
	return map[string]string{"unix": socket, "tcp": dbtest.NewMemcached(t).Addr(), "network": distant(t, socket)}
}

func openRedis(t testing.TB, addr string) store.Shared {
	s, err := redis.Open(redis.Options{Addresses: []string{addr}, Settle: -1, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openMemcached(t testing.TB, addr string) store.Shared {
	s, err := memcached.Open(memcached.Options{Addrs: []string{addr}, TrustEmpty: true, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A bareClient asks for keys and looks at nothing.
type bareClient interface {
	set(key string, size int) error
	get(keys []string) error // all at once
	ping() error
}

// bareRedis has the options of the client that the store has.
func bareRedis(t testing.TB, addr string) bareClient {
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{addr},
		DialCtxFn:         dialRedis,
		DisableCache:      true,
		DisableRetry:      true,
		ClientSetInfo:     rueidis.DisableClientSetInfo,
		AlwaysPipelining:  true,
		ForceSingleClient: true,
		ConnWriteTimeout:  2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return rueidisClient{c}
}

type rueidisClient struct{ rueidis.Client }

func (c rueidisClient) set(key string, size int) error {
	return c.Do(context.Background(), c.B().Set().Key(key).Value(strings.Repeat("x", size)).Build()).Error()
}

func (c rueidisClient) get(keys []string) error {
	values, err := c.Do(context.Background(), c.B().Mget().Key(keys...).Build()).ToArray()
	for i := range values {
		if !values[i].IsString() {
			return errAbsent
		}
	}
	return err
}

func (c rueidisClient) ping() error {
	return c.Do(context.Background(), c.B().Ping().Build()).Error()
}

var errAbsent = errors.New("bench: a key is not there")

// bareMemcached is one connection to memcached.
func bareMemcached(t testing.TB, addr string) bareClient {
	conn, err := net.Dial(network(addr), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &metaClient{conn, bufio.NewReader(conn), nil}
}

func network(addr string) string {
	if strings.HasPrefix(addr, "/") {
		return "unix"
	}
	return "tcp"
}

// A metaClient is the least that speaks memcached's meta protocol.
type metaClient struct {
	conn net.Conn
	r    *bufio.Reader
	out  []byte
}

func (c *metaClient) send(out []byte) error {
	c.out = out
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := c.conn.Write(out)
	return err
}

func (c *metaClient) set(key string, size int) error {
	if err := c.send(fmt.Appendf(c.out[:0], "ms %s %d\r\n%s\r\n", key, size, strings.Repeat("x", size))); err != nil {
		return err
	}
	line, err := c.r.ReadSlice('\n')
	if err == nil && string(line) != "HD\r\n" {
		err = fmt.Errorf("bench: %q to ms", line)
	}
	return err
}

func (c *metaClient) get(keys []string) error {
	out := c.out[:0]
	for _, key := range keys {
		out = append(append(append(out, "mg "...), key...), " v\r\n"...)
	}
	if err := c.send(out); err != nil {
		return err
	}
	for range keys {
		if _, err := c.value(); err != nil {
			return err
		}
	}
	return nil
}

func (c *metaClient) value() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 5 || string(line[:3]) != "VA " {
		return nil, errAbsent
	}
	n, err := strconv.Atoi(string(line[3 : len(line)-2]))
	if err != nil {
		return nil, err
	}
	value := make([]byte, n+2)
	_, err = io.ReadFull(c.r, value)
	return value, err
}

func (c *metaClient) ping() error {
	if err := c.send(append(c.out[:0], "mn\r\n"...)); err != nil {
		return err
	}
	_, err := c.r.ReadSlice('\n')
	return err
}

// A spy notes what a store is asked for.
type spy struct {
	store.Shared
	entry atomic.Pointer[store.Entry] // that was filled last
	key   atomic.Pointer[string]
}

func (s *spy) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	s.entry.Store(e)
	s.key.Store(&key)
	return s.Shared.Fill(ctx, key, e, ttl)
}

// sharedPlace is a database of stuff, and a handle whose cache is in a far store, with copies or without.
func sharedPlace(b *testing.B, dsn string, s store.Shared, copies int64) *sql.DB {
	b.Helper()
	cache, err := larder.New(&larder.Options{Store: near.New(s, near.Options{MaxBytes: copies, Decode: session.Decode})})
	if err != nil {
		b.Fatal(err)
	}
	db, err := cache.Open("pgx", dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close(); cache.Close() })
	return db
}

// sizes of what the stores keep, beside names and values of their own.
const (
	tagBytes   = 25 // the state of a tag
	entryExtra = 60 // what an entry is written with
)

// asKeys makes keys as long as those of an entry and of its tags, with values as long.
func asKeys(b *testing.B, c bareClient, s *spy) (keys []string) {
	b.Helper()
	put := func(name string, size int) {
		name = strings.Map(func(r rune) rune {
			if r <= ' ' || r >= 0x7f {
				return '_'
			}
			return r
		}, name)
		key := "bare:" + strconv.Itoa(len(keys)) + ":" + name
		key = key[:min(len(key), 200)]
		if err := c.set(key, size); err != nil {
			b.Fatal(err)
		}
		keys = append(keys, key)
	}
	e := s.entry.Load()
	written, err := e.Value.(interface{ AppendBinary([]byte) ([]byte, error) }).AppendBinary(nil)
	if err != nil {
		b.Fatal(err)
	}
	size := len(written) + len(*s.key.Load()) + entryExtra
	put(*s.key.Load(), size)
	for _, tag := range e.Tags {
		put(string(tag), tagBytes)
	}
	return keys
}

// turns runs operations in turn, batch of each at a time, and reports the median of each, and the median of
// the ratios of each to the first.
func turns(b *testing.B, batch int, names []string, ops ...func()) (medians []float64) {
	b.Helper()
	times, ratios := make([][]float64, len(ops)), make([][]float64, len(ops))
	for _, op := range ops {
		op()
	}
	round := 0
	for b.Loop() {
		took := make([]float64, len(ops))
		for i := range ops {
			at := (i + round) % len(ops)
			start := time.Now()
			for range batch {
				ops[at]()
			}
			took[at] = float64(time.Since(start)) / float64(batch)
		}
		for i := range ops {
			times[i], ratios[i] = append(times[i], took[i]), append(ratios[i], took[i]/took[0])
		}
		round++
	}
	b.ReportMetric(0, "ns/op")
	for i, name := range names {
		medians = append(medians, median(times[i]))
		b.ReportMetric(medians[i], name+"-ns")
		if i > 0 {
			b.ReportMetric(median(ratios[i]), name+"-ratio")
		}
	}
	return medians
}

func must(b *testing.B, f func() error) func() {
	return func() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSharedHit compares a hit in a far store through database/sql, with a copy in this process and
// without one, with the bare multi-get of as many keys by the same client: of the tags, and of entry and tags. Beside
// them is what it asks of the store, without the rest of the path, and a hit in the process's own memory.
func BenchmarkSharedHit(b *testing.B) {
	for _, f := range farServers {
		for kind, addr := range f.addresses(b) {
			for _, n := range []int{1, 20} {
				b.Run(fmt.Sprintf("%s-%s/rows=%d", f.name, kind, n), func(b *testing.B) { benchmarkSharedHit(b, f, addr, n) })
			}
		}
	}
}

func benchmarkSharedHit(b *testing.B, f farServer, addr string, n int) {
	dsn := dbtest.Postgres(b).Database(b).DSN()
	watched := &spy{Shared: f.store(b, addr)}
	with := sharedPlace(b, dsn, watched, 0)
	fill(b, with, n, "$1, $2, $3, $4, $5", "timestamptz")
	without := sharedPlace(b, dsn, f.store(b, addr), 1)
	op := readList(b, listPostgres, n)
	for range 3 {
		op(with, 0)
	}
	bare := f.bare(b, addr)
	keys := asKeys(b, bare, watched)
	memory, err := larder.Open("pgx", dsn, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer memory.Close()
	key, tags := *watched.key.Load(), watched.entry.Load().Tags
	for _, kept := range []struct {
		name string
		db   *sql.DB
		keys []string
		look func() (store.View, error) // what Larder asks the store for
	}{
		{"near", with, keys[1:], func() (store.View, error) { return watched.Shared.Lookup(context.Background(), "", tags) }},
		{"far", without, keys, func() (store.View, error) { return watched.Shared.Lookup(context.Background(), key, tags) }},
	} {
		b.Run(kept.name, func(b *testing.B) {
			const batch = 20
			hits := hitsOf(kept.db)
			turns(b, batch, []string{"mget", "store", "memory", "larder"},
				must(b, func() error { return bare.get(kept.keys) }),
				must(b, func() error { _, err := kept.look(); return err }),
				func() { op(memory, 0) }, func() { op(kept.db, 0) })
			b.ReportMetric(float64(hitsOf(kept.db)-hits)/float64(batch*b.N+1), "hit-ratio")
		})
	}
}

func hitsOf(db *sql.DB) int64 {
	cache, _ := larder.Of(db)
	return cache.Stats().Hits
}

// BenchmarkSharedWrite compares an UPDATE by primary key, of which the text tells the slices of the results that are kept, with the bare one, and with
// one between two PINGs; the time that is added is also told in round trips.
func BenchmarkSharedWrite(b *testing.B) {
	for _, f := range farServers {
		for kind, addr := range f.addresses(b) {
			b.Run(f.name+"-"+kind, func(b *testing.B) {
				dsn := dbtest.Postgres(b).Database(b).DSN()
				bareDB, err := sql.Open("pgx", dsn)
				if err != nil {
					b.Fatal(err)
				}
				defer bareDB.Close()
				cached := sharedPlace(b, dsn, f.store(b, addr), 0)
				fill(b, cached, 20, "$1, $2, $3, $4, $5", "timestamptz")
				for range 3 {
					var name string
					if err := cached.QueryRow("SELECT name FROM stuff WHERE id = $1", 7).Scan(&name); err != nil {
						b.Fatal(err)
					}
				}
				bare := f.bare(b, addr)
				update := func(db *sql.DB) func() {
					return must(b, func() error {
						_, err := db.Exec("UPDATE stuff SET price = price + 1 WHERE id = $1", 7)
						return err
					})
				}
				ping, plain := must(b, bare.ping), update(bareDB)
				m := turns(b, 5, []string{"ping", "bare", "pinged", "larder"}, ping, plain, func() { ping(); plain(); ping() }, update(cached))
				b.ReportMetric((m[3]-m[1])/m[0], "added-roundtrips")
				b.ReportMetric(m[3]/m[2], "of-two-pings")
				b.ReportMetric(m[3]/m[1], "ratio")
			})
		}
	}
}
