package bench

import (
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/larderdb/larder/dbtest"
	"github.com/redis/rueidis"
)

func dialRedis(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
	return d.DialContext(ctx, network(addr), addr)
}

// byHand is the client of who writes the cache-aside by hand.
type byHand interface {
	get(key string) ([]byte, error) // nil if there is none
	keep(key string, value []byte) error
	drop(key string) error
}

type rueidisByHand struct{ rueidis.Client }

// redisByHand is rueidis as a program opens it, but for the cache in the client.
func redisByHand(t testing.TB, addr string) byHand {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DialCtxFn: dialRedis, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return rueidisByHand{c}
}

func (c rueidisByHand) get(key string) ([]byte, error) {
	value, err := c.Do(context.Background(), c.B().Get().Key(key).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return value, err
}

func (c rueidisByHand) keep(key string, value []byte) error {
	return c.Do(context.Background(), c.B().Set().Key(key).Value(rueidis.BinaryString(value)).ExSeconds(3600).Build()).Error()
}

func (c rueidisByHand) drop(key string) error {
	return c.Do(context.Background(), c.B().Del().Key(key).Build()).Error()
}

type gomemcacheByHand struct{ *memcache.Client }

func memcachedByHand(t testing.TB, addr string) byHand {
	c := memcache.New(addr)
	c.MaxIdleConns, c.Timeout = 16, patience
	t.Cleanup(func() { c.Close() })
	return gomemcacheByHand{c}
}

func (c gomemcacheByHand) get(key string) ([]byte, error) {
	item, err := c.Get(key)
	if errors.Is(err, memcache.ErrCacheMiss) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return item.Value, nil
}

func (c gomemcacheByHand) keep(key string, value []byte) error {
	return c.Set(&memcache.Item{Key: key, Value: value, Expiration: 3600})
}

func (c gomemcacheByHand) drop(key string) error {
	if err := c.Delete(key); !errors.Is(err, memcache.ErrCacheMiss) {
		return err
	}
	return nil
}

// Clients of the workload with several clients, and the operations of each.
const (
	clients    = 8
	operations = 5000
)

// A service reads the list of a user and saves a thing.
type service interface {
	list(user int64) (things []thing, err error)
	save(t thing) error
}

// plain leaves caching to the handle.
type plain struct {
	db         *sql.DB
	read, text string
}

func (s plain) list(user int64) ([]thing, error) { return things(s.db, s.read, user) }

func (s plain) save(t thing) error {
	_, err := s.db.Exec(s.text, t.user, t.name, t.price, t.amount, t.id)
	return err
}

// aside is the cache-aside as it is written by hand: GET, else SELECT and SET; UPDATE, then DEL.
type aside struct {
	plain
	far          byHand
	reads, found *atomic.Int64
}

// A thingJSON is how a thing is written.
type thingJSON struct {
	ID, User int64
	Name     string
	Price    float64
	Amount   int64
}

func listKey(user int64) string { return "list:" + strconv.FormatInt(user, 10) }

func (s aside) list(user int64) ([]thing, error) {
	s.reads.Add(1)
	key := listKey(user)
	value, err := s.far.get(key)
	if err != nil {
		return nil, err
	}
	if value != nil {
		s.found.Add(1)
		return decodeThings(value)
	}
	got, err := s.plain.list(user)
	if err != nil {
		return nil, err
	}
	if value, err = encodeThings(got); err != nil {
		return nil, err
	}
	return got, s.far.keep(key, value)
}

func (s aside) save(t thing) error {
	if err := s.plain.save(t); err != nil {
		return err
	}
	return s.far.drop(listKey(t.user))
}

func encodeThings(got []thing) ([]byte, error) {
	written := make([]thingJSON, len(got))
	for i, t := range got {
		written[i] = thingJSON{t.id, t.user, t.name, t.price, t.amount}
	}
	return json.Marshal(written)
}

func decodeThings(value []byte) ([]thing, error) {
	var written []thingJSON
	if err := json.Unmarshal(value, &written); err != nil {
		return nil, err
	}
	got := make([]thing, len(written))
	for i, t := range written {
		got[i] = thing{t.ID, t.User, t.Name, t.Price, t.Amount}
	}
	return got, nil
}

// versions judge reads: the price of a thing is how often it was saved, and a read is stale that shows a price
// lower than one whose save was acknowledged before the read began.
type versions struct {
	mu    []sync.Mutex // by row: its saves are one after another
	made  []int64      // guarded by mu
	acked []atomic.Int64
}

func newVersions(rows int) *versions {
	return &versions{make([]sync.Mutex, rows), make([]int64, rows), make([]atomic.Int64, rows)}
}

func (v *versions) save(s service, t thing) error {
	v.mu[t.id].Lock()
	defer v.mu[t.id].Unlock()
	v.made[t.id]++
	t.price = float64(v.made[t.id])
	err := s.save(t)
	v.acked[t.id].Store(v.made[t.id])
	return err
}

// serve does the operations of one client. It returns the numbers of reads and of stale ones.
func (m mixed) serve(s service, v *versions, seed uint64, weights []float64) (reads, stale int, err error) {
	r := rand.New(rand.NewPCG(seed, 2))
	perUser := m.rows / m.users
	least := make([]int64, perUser)
	for range m.operations {
		if r.Float64() < m.writes {
			if err := v.save(s, m.thing(r.IntN(m.rows))); err != nil {
				return reads, stale, err
			}
			continue
		}
		user := draw(r, weights)
		reads++
		for i := range least {
			least[i] = v.acked[user+i*m.users].Load()
		}
		got, err := s.list(int64(user))
		if err != nil || len(got) != perUser {
			return reads, stale, fmt.Errorf("%d rows of user %d: %w", len(got), user, err)
		}
		for i := range got {
			if int64(got[i].price) < least[i] {
				stale++
				break
			}
		}
	}
	return reads, stale, nil
}

// A tally is what a run with several clients came to.
type tally struct {
	seconds      float64
	reads, stale int
}

// together runs the workload from several clients at a time.
func (m mixed) together(b *testing.B, s service, v *versions, seed uint64) (t tally) {
	b.Helper()
	weights := zipf(m.users)
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := time.Now()
	for c := range clients {
		wg.Go(func() {
			reads, stale, err := m.serve(s, v, seed*clients+uint64(c), weights)
			mu.Lock()
			defer mu.Unlock()
			t.reads, t.stale = t.reads+reads, t.stale+stale
			if err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	t.seconds = time.Since(start).Seconds()
	return t
}

// BenchmarkSharedMixed compares the throughput of 8 clients by Larder over a far store with that by the cache-aside
// that is written by hand, in turn on one database each; caches are cold at first and stay as they are.
func BenchmarkSharedMixed(b *testing.B) {
	m := fullMixed
	m.operations = operations
	for _, f := range farServers {
		for kind, addr := range f.addresses(b) {
			b.Run(f.name+"-"+kind, func(b *testing.B) { benchmarkSharedMixed(b, m, f, addr) })
		}
	}
}

func benchmarkSharedMixed(b *testing.B, m mixed, f farServer, addr string) {
	open := func() (*place, plain) {
		p := &place{engine: engines[0], dsn: dbtest.Postgres(b).Database(b).DSN()}
		var err error
		if p.bare, err = sql.Open("pgx", p.dsn); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { p.bare.Close() })
		p.bare.SetMaxIdleConns(clients)
		m.fill(b, p)
		if _, err := p.bare.Exec("UPDATE stuff SET price = 0"); err != nil {
			b.Fatal(err)
		}
		if _, err := p.bare.Exec("VACUUM ANALYZE stuff"); err != nil {
			b.Fatal(err)
		}
		return p, plain{p.bare, p.marks(listOfUser), p.marks(saveThing)}
	}
	_, first := open()
	hand := aside{first, f.by(b, addr), new(atomic.Int64), new(atomic.Int64)}
	second, ours := open()
	ours.db = sharedPlace(b, second.dsn, f.store(b, addr), 0)
	ours.db.SetMaxIdleConns(clients)
	handVersions, ourVersions := newVersions(m.rows), newVersions(m.rows)
	var handRates, ourRates, ratios []float64
	var handStale, ourStale, ourReads int
	seed := uint64(0)
	for b.Loop() {
		seed++
		h := m.together(b, hand, handVersions, seed)
		o := m.together(b, ours, ourVersions, seed)
		hr, or := float64(h.reads)/h.seconds, float64(o.reads)/o.seconds
		handRates, ourRates, ratios = append(handRates, hr), append(ourRates, or), append(ratios, or/hr)
		handStale, ourStale, ourReads = handStale+h.stale, ourStale+o.stale, ourReads+o.reads
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(handRates), "hand-reads/s")
	b.ReportMetric(median(ourRates), "larder-reads/s")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(float64(hand.found.Load())/float64(hand.reads.Load()), "hand-hit-ratio")
	b.ReportMetric(float64(hitsOf(ours.db))/float64(ourReads), "larder-hit-ratio")
	b.ReportMetric(float64(handStale), "hand-stale")
	b.ReportMetric(float64(ourStale), "larder-stale")
}
