package bench

import (
	"context"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder"
)

// minHitRatio is the least that tests accept, of the ideal.
const minHitRatio = 0.9

// A mixed workload reads the list of a user, drawn by a zipf law of exponent 1, and
// from time to time saves a row, any of all, as an ORM does: all columns by primary key.
type mixed struct {
	users, rows, operations int
	writes                  float64 // of all operations
}

var (
	fullMixed  = mixed{users: 1000, rows: 100_000, operations: 20_000, writes: 0.05}
	smallMixed = mixed{users: 20, rows: 200, operations: 400, writes: 0.05}
)

// A thing is a row of stuff.
type thing struct {
	id, user int64
	name     string
	price    float64
	amount   int64
}

const (
	listOfUser = "SELECT id, user_id, name, price, amount FROM stuff WHERE user_id = ? ORDER BY id"
	saveThing  = "UPDATE stuff SET user_id = ?, name = ?, price = ?, amount = ? WHERE id = ?"
)

// wholeList is listOfUser in a form of which Larder doesn't tell the rows, so that
// it is removed by every write to the relation.
func wholeList(e engine) string {
	if e.name == "postgres" {
		return "SELECT id, user_id, name, price, amount FROM stuff WHERE user_id = (SELECT CAST(? AS bigint)) ORDER BY id"
	}
	return "SELECT id, user_id, name, price, amount FROM stuff WHERE user_id = (SELECT ?) ORDER BY id"
}

func (m mixed) thing(id int) thing {
	return thing{id: int64(id), user: int64(id % m.users), name: "thing number", price: 1.5, amount: 3}
}

// fill makes the rows.
func (m mixed) fill(b testing.TB, p *place) {
	b.Helper()
	exec := func(text string, args ...any) {
		if _, err := p.bare.Exec(text, args...); err != nil {
			b.Fatal(err)
		}
	}
	exec("CREATE TABLE stuff (id BIGINT PRIMARY KEY, user_id BIGINT NOT NULL, name VARCHAR(100), price DOUBLE PRECISION, amount BIGINT)")
	const chunk = 100
	text := p.marks("INSERT INTO stuff VALUES " + strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?), ", chunk), ", "))
	for from := 0; from < m.rows; from += chunk {
		var args []any
		for id := from; id < from+chunk; id++ {
			t := m.thing(id)
			args = append(args, t.id, t.user, t.name, t.price, t.amount)
		}
		exec(text, args...)
	}
	exec("CREATE INDEX stuff_user ON stuff (user_id)")
	if p.name != "sqlite" {
		exec(map[string]string{"postgres": "ANALYZE stuff", "mariadb": "ANALYZE TABLE stuff"}[p.name])
	}
}

// zipf is the running sum of the weights 1, 1/2, 1/3, …
func zipf(n int) []float64 {
	sums := make([]float64, n)
	sum := 0.0
	for i := range sums {
		sum += 1 / float64(i+1)
		sums[i] = sum
	}
	return sums
}

// draw is a number by the weights that sums adds up.
func draw(r *rand.Rand, sums []float64) int {
	return sort.SearchFloat64s(sums, r.Float64()*sums[len(sums)-1])
}

// run does the operations, which are the same each time, in this goroutine. It returns the number of reads and how many could have
// been hits, since the list was read before and not changed since; read is told of each.
func (m mixed) run(b testing.TB, p *place, on handle, list string, read func(user int64, got []thing)) (reads, ideal int) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	weights, fresh := zipf(m.users), make([]bool, m.users)
	list, save := p.marks(list), p.marks(saveThing)
	for range m.operations {
		if r.Float64() < m.writes {
			t := m.thing(r.IntN(m.rows))
			fresh[t.user] = false
			if _, err := on.ExecContext(context.Background(), save, t.user, t.name, r.Float64(), t.amount, t.id); err != nil {
				b.Fatal(err)
			}
			continue
		}
		user := draw(r, weights)
		reads++
		if fresh[user] {
			ideal++
		}
		fresh[user] = true
		got, err := things(on, list, int64(user))
		if err != nil || len(got) != m.rows/m.users {
			b.Fatalf("%d rows of user %d: %v", len(got), user, err)
		}
		if read != nil {
			read(int64(user), got)
		}
	}
	return reads, ideal
}

func things(on handle, list string, user int64) ([]thing, error) {
	rows, err := on.QueryContext(context.Background(), list, user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var got []thing
	for rows.Next() {
		var t thing
		if err := rows.Scan(&t.id, &t.user, &t.name, &t.price, &t.amount); err != nil {
			return nil, err
		}
		got = append(got, t)
	}
	return got, rows.Err()
}

// A way is how a workload reaches the database.
type way struct {
	name   string
	cached bool
	whole  bool // every write to a relation removes all results of it
}

var ways = []way{{"bare", false, false}, {"relation-level", true, true}, {"Larder", true, false}}

func (w way) list(e engine) string {
	if w.whole {
		return wholeList(e)
	}
	return listOfUser
}

// A figure is what was measured of a workload on one way.
type figure struct {
	engine, way string
	seconds     []float64
	reads       int
	operations  int
	hits, ideal int
	statements  int64
	stale       int
	reordered   int // … and those that had the right rows in another order than the database's, where none is prescribed
}

// check runs the workload once, from a cold start, compares every read with the database, and counts.
func (m mixed) check(b testing.TB, p *place, w way) figure {
	b.Helper()
	f := figure{engine: p.name, way: w.name, operations: m.operations}
	var cache *larder.Cache
	if w.cached {
		cache = newCache(b, nil)
	}
	conn, count := p.counted(b, cache)
	bareList := p.marks(listOfUser)
	f.reads, f.ideal = m.run(b, p, conn, w.list(p.engine), func(user int64, got []thing) {
		want, err := things(p.bare, bareList, user)
		if err != nil {
			b.Fatal(err)
		}
		if !slices.Equal(got, want) {
			f.stale++
		}
	})
	if cache != nil {
		f.hits = int(cache.Stats().Hits)
	}
	f.statements = count.statements.Load()
	return f
}

// time runs the workload from a cold start on a handle as programs open it.
func (m mixed) time(b testing.TB, p *place, w way) float64 {
	on := p.bare
	if w.cached {
		on = p.cached(b, newCache(b, nil))
	}
	start := time.Now()
	m.run(b, p, on, w.list(p.engine), nil)
	return time.Since(start).Seconds()
}

// BenchmarkMixed measures the mixed workload; with -table it writes a table.
func BenchmarkMixed(b *testing.B) {
	var figures []figure
	for _, e := range engines {
		p := e.open(b)
		fullMixed.fill(b, p)
		for _, w := range ways {
			b.Run(e.name+"/"+w.name, func(b *testing.B) {
				var seconds []float64
				for b.Loop() {
					seconds = append(seconds, fullMixed.time(b, p, w))
				}
				f := fullMixed.check(b, p, w)
				f.seconds = seconds
				f.report(b)
				figures = append(figures, f)
			})
		}
	}
	writeTable(b, "mixed: 20,000 operations, cold; 95% reads of the list of one of 1,000 users, zipf(1.0); 5% saves of one of 100,000 rows", figures)
}

// TestMixed runs a small one: the cache must be right, and must be of use.
func TestMixed(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			p := e.open(t)
			smallMixed.fill(t, p)
			for _, w := range ways {
				f := smallMixed.check(t, p, w)
				t.Logf("%+v", f)
				f.assert(t)
			}
		})
	}
}
