package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder"
)

// A visits workload is a site that notes at each visit when a user was seen last, and how often a thing was looked at; what it shows
// looks at neither. Users are drawn by a zipf law of exponent 1. Few visits change what is shown.
type visits struct {
	users, things, visits int
	renames               float64 // of all visits
}

var (
	fullVisits  = visits{users: 1000, things: 20, visits: 5000, renames: 0.02}
	smallVisits = visits{users: 20, things: 5, visits: 150, renames: 0.05}
)

// What a visit reads. Who names the columns that visits set, be it in a comment, is told of each change of them: so were all results before
// they were told apart by columns.
const (
	profile = "SELECT id, name FROM people WHERE id = ?"
	titles  = "SELECT id, name FROM stuff WHERE user_id = ? ORDER BY id"
	amount  = "SELECT count(*) FROM stuff WHERE user_id = ?"
	naming  = " /* seen, views */"
)

var visitWays = []way{{"bare", false, false}, {"rows alone", true, true}, {"Larder", true, false}}

// fill makes the rows.
func (v visits) fill(b testing.TB, p *place) {
	b.Helper()
	exec := func(text string, args ...any) {
		if _, err := p.bare.Exec(text, args...); err != nil {
			b.Fatal(err)
		}
	}
	exec("CREATE TABLE people (id BIGINT PRIMARY KEY, name VARCHAR(100), seen BIGINT)")
	exec("CREATE TABLE stuff (id BIGINT PRIMARY KEY, user_id BIGINT NOT NULL, name VARCHAR(100), views BIGINT NOT NULL)")
	for user := range v.users {
		exec(p.marks("INSERT INTO people VALUES (?, 'somebody', 0)"), user)
		values := make([]string, v.things)
		for i := range values {
			values[i] = fmt.Sprintf("(%d, %d, 'thing', 0)", user*v.things+i, user)
		}
		exec("INSERT INTO stuff VALUES " + strings.Join(values, ", "))
	}
	exec("CREATE INDEX stuff_user ON stuff (user_id)")
}

// A shown is what a read has shown, as text.
type shown func(text string, user int, got string)

// run does the visits, which are the same each time, and returns the number of reads and how many could have been hits, since they were
// read before and what they show wasn't changed since.
func (v visits) run(b testing.TB, p *place, on handle, w way, read shown) (reads, ideal int) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 3))
	weights := zipf(v.users)
	fresh := map[string]bool{}
	exec := func(text string, args ...any) {
		if _, err := on.ExecContext(context.Background(), p.marks(text), args...); err != nil {
			b.Fatal(err)
		}
	}
	for visit := range v.visits {
		user := draw(r, weights)
		thing := user*v.things + r.IntN(v.things)
		exec("UPDATE people SET seen = ? WHERE id = ?", visit, user)
		exec("UPDATE stuff SET views = views + 1 WHERE id = ?", thing)
		switch {
		case r.Float64() >= v.renames:
		case r.IntN(2) == 0:
			exec("UPDATE people SET name = ? WHERE id = ?", fmt.Sprint("called ", visit), user)
			delete(fresh, fmt.Sprint(profile, user))
		default:
			exec("UPDATE stuff SET name = ? WHERE id = ?", fmt.Sprint("called ", visit), thing)
			delete(fresh, fmt.Sprint(titles, user))
		}
		for _, text := range []string{profile, titles, amount} {
			reads++
			if key := fmt.Sprint(text, user); fresh[key] {
				ideal++
			} else {
				fresh[key] = true
			}
			asked := text
			if w.whole {
				asked += naming
			}
			got := visitRows(b, on, p.marks(asked), user)
			if read != nil {
				read(p.marks(text), user, got)
			}
		}
	}
	return reads, ideal
}

// visitRows is a result as text.
func visitRows(b testing.TB, on handle, text string, user int) string {
	b.Helper()
	rows, err := on.QueryContext(context.Background(), text, user)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		b.Fatal(err)
	}
	var got strings.Builder
	values, pointers := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		pointers[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(pointers...); err != nil {
			b.Fatal(err)
		}
		fmt.Fprintln(&got, values...)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return got.String()
}

// check runs the workload once, from a cold start, compares every read with the database, and counts.
func (v visits) check(b testing.TB, p *place, w way) figure {
	b.Helper()
	f := figure{engine: p.name, way: w.name, operations: v.visits}
	var cache *larder.Cache
	if w.cached {
		cache = newCache(b, nil)
	}
	conn, count := p.counted(b, cache)
	f.reads, f.ideal = v.run(b, p, conn, w, func(text string, user int, got string) {
		if got != visitRows(b, p.bare, text, user) {
			f.stale++
		}
	})
	if cache != nil {
		f.hits = int(cache.Stats().Hits)
	}
	f.statements = count.statements.Load()
	return f
}

// BenchmarkVisits measures the visits; with -table it writes a table.
func BenchmarkVisits(b *testing.B) {
	var figures []figure
	for _, e := range engines {
		p := e.open(b)
		fullVisits.fill(b, p)
		for _, w := range visitWays {
			b.Run(e.name+"/"+w.name, func(b *testing.B) {
				var seconds []float64
				for b.Loop() {
					on := p.bare
					if w.cached {
						on = p.cached(b, newCache(b, nil))
					}
					start := time.Now()
					fullVisits.run(b, p, on, w, nil)
					seconds = append(seconds, time.Since(start).Seconds())
				}
				f := fullVisits.check(b, p, w)
				f.seconds = seconds
				f.report(b)
				figures = append(figures, f)
			})
		}
	}
	writeTable(b, "visits: 5,000 of one of 1,000 users, zipf(1.0), cold; each sets when they were seen, counts a view, and reads three things that show neither; 2% change a name", figures)
}

// TestVisits runs a small one: the cache must be right, and must be of use though each visit writes.
func TestVisits(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			p := e.open(t)
			smallVisits.fill(t, p)
			for _, w := range visitWays {
				f := smallVisits.check(t, p, w)
				t.Logf("%+v", f)
				f.assert(t)
				if w.name == "rows alone" && f.ratio() > 0.8*f.idealRatio() {
					t.Errorf("hit ratio %.3f where columns aren't told apart: the test shows nothing", f.ratio())
				}
			}
		})
	}
}
