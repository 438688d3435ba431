package metamorphic

import (
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"
)

var (
	flagSteps   = flag.Int("steps", defaultSteps, "steps a database; other drivers of it take a tenth")
	flagSeed    = flag.Uint64("seed", 1, "of the first program; 0: another one each time")
	flagForever = flag.Bool("forever", false, "go on until something differs")
)

// life is how many steps one world lives.
const life = 500

func TestMain(m *testing.M) { dbtest.Main(m) }

// An engine is a database with a driver.
type engine struct {
	lang   lang
	driver string
	place  func(t testing.TB, variant int) place // of a fresh database
}

func sqliteFile(driver string, variants ...string) func(testing.TB, int) place {
	return func(t testing.TB, variant int) place {
		dir, err := os.MkdirTemp("", "metamorphic")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		params, other := variants[variant%len(variants)], filepath.Join(dir, "other.db")
		return place{driver: driver, dsn: "file:" + filepath.Join(dir, "x.db") + params, otherDSN: "file:" + other + params, name: other}
	}
}

func postgres(first, second string, variants ...string) func(testing.TB, int) place {
	return func(t testing.TB, variant int) place {
		database := dbtest.Postgres(t).Database(t)
		params := []string{"lock_timeout=5", "synchronous_commit=off", "jit=off", "statement_timeout=2000"}
		p := place{driver: first, dsn: database.DSN(append(params, variants[variant%len(variants)])...), name: database.Name}
		if variant%3 == 0 {
			p.secondDriver, p.secondDSN = second, database.DSN(params...)
		}
		return p
	}
}

func mariaDB(variants ...string) func(testing.TB, int) place {
	return func(t testing.TB, variant int) place {
		server := dbtest.MariaDB(t)
		params := []string{"innodb_lock_wait_timeout=0", "lock_wait_timeout=0", "max_statement_time=2", "collation=utf8mb4_bin", variants[variant%len(variants)]}
		database, other := server.Database(t), server.Database(t)
		return place{driver: "mysql", dsn: database.DSN(params...), otherDSN: other.DSN(params...), main: database.Name, name: other.Name}
	}
}

var (
	modernc = engine{lite, "sqlite", sqliteFile("sqlite",
		"?_pragma=busy_timeout(0)&_pragma=foreign_keys(1)&_pragma=synchronous(0)&_pragma=journal_mode(WAL)",
		"?_pragma=busy_timeout(0)&_pragma=foreign_keys(1)&_pragma=synchronous(0)&_txlock=immediate")}
	mattn = engine{lite, "sqlite3", sqliteFile("sqlite3",
		"?_busy_timeout=1&_foreign_keys=1&_synchronous=0&_journal_mode=WAL", "?_busy_timeout=1&_foreign_keys=1&_synchronous=0&_loc=auto")}
	pgx   = engine{pg, "pgx", postgres("pgx", "postgres", "default_query_exec_mode=cache_statement", "default_query_exec_mode=simple_protocol")}
	pq    = engine{pg, "postgres", postgres("postgres", "pgx", "application_name=x", "binary_parameters=yes")}
	mysql = engine{maria, "mysql", mariaDB("parseTime=true", "multiStatements=true", "interpolateParams=true")}
)

func TestSQLite(t *testing.T)      { modernc.test(t, *flagSteps) }
func TestSQLiteMattn(t *testing.T) { mattn.test(t, *flagSteps/10) }
func TestPostgres(t *testing.T)    { pgx.test(t, *flagSteps) }
func TestPostgresPq(t *testing.T)  { pq.test(t, *flagSteps/10) }
func TestMariaDB(t *testing.T)     { mysql.test(t, *flagSteps) }

// test runs programs of together so many steps, and looks at what they did.
func (e engine) test(t *testing.T, steps int) {
	if testing.Short() {
		steps = min(steps, 2000)
	}
	seed := *flagSeed
	if seed == 0 {
		seed = rand.Uint64() >> 16
	}
	count := newTally()
	start := time.Now()
	for count.steps < steps || *flagForever {
		if failed := e.live(t, seed, life, count, nil, nil); failed != nil {
			e.report(t, seed, failed)
		}
		seed++
	}
	count.log(t, time.Since(start))
	count.assertTeeth(t)
}

// A mutation makes steps of a program unseen by the cache.
type mutation func(*step)

// A failure is a program whose last step showed a difference.
type failure struct {
	program    program
	difference string
	seed       uint64
}

// live runs one random program in a world of its own.
func (e engine) live(t testing.TB, seed uint64, steps int, count *tally, s store.Store, change mutation) *failure {
	r := rand.New(rand.NewPCG(seed, 1))
	w, err := newWorld(e.place(t, int(seed)), options(r, s), count)
	if err != nil {
		t.Fatal(err)
	}
	defer w.closeUnlessPanicking()
	m := &maker{g: &gen{r: r, d: e.lang}, r: r}
	done := schema(m.g)
	for _, s := range done {
		w.do(s)
	}
	for range steps {
		s := m.next()
		if change != nil {
			change(&s)
		}
		done = append(done, s)
		failed, difference := w.do(s)
		if difference != "" {
			return &failure{program: done, difference: difference, seed: seed}
		}
		m.saw(s, failed)
	}
	return nil
}

// rerun runs a program on a fresh database and returns the first difference, and the
// program up to it.
func (e engine) rerun(t testing.TB, seed uint64, p program, s store.Store) *failure {
	r := rand.New(rand.NewPCG(seed, 1))
	w, err := newWorld(e.place(t, int(seed)), options(r, s), newTally())
	if err != nil {
		t.Fatal(err)
	}
	defer w.closeUnlessPanicking()
	for i, s := range p {
		if _, difference := w.do(s); difference != "" {
			return &failure{program: p[:i+1], difference: difference, seed: seed}
		}
	}
	return nil
}

// shrinkWithin is how long a failing program is shrunk.
const shrinkWithin = 40 * time.Second

// shrunk returns the shortest program that was found to fail, or f if it doesn't fail again.
func (e engine) shrunk(t testing.TB, f *failure, s store.Store) *failure {
	shortest := f
	fails := func(p program) bool {
		again := e.rerun(t, f.seed, p, s)
		if again != nil {
			shortest = again
		}
		return again != nil
	}
	deadline := time.Now().Add(shrinkWithin)
	if !fails(f.program) {
		return f
	}
	for before := -1; before != len(shortest.program) && time.Now().Before(deadline); {
		before = len(shortest.program)
		shrink(shortest.program, fails, deadline)
	}
	return shortest
}

func (e engine) report(t testing.TB, seed uint64, f *failure) {
	t.Helper()
	short := e.shrunk(t, f, nil)
	t.Fatalf("seed %d (-run '%s' -seed %d): after %d steps an answer of the cache differs. %d steps remain:\n%v\nthe last one's answers:\n%s",
		seed, t.Name(), seed, len(f.program), len(short.program), short.program, short.difference)
}

func (c *tally) log(t *testing.T, took time.Duration) {
	t.Logf("%d steps in %.1f s: %d reads compared, %.0f%% hits at first, %.0f%% at second; %d refused for locks; %.0f%% of the steps failed",
		c.steps, took.Seconds(), c.reads, percent(c.hits, c.reads), percent(c.again, c.reads), c.refused, percent(c.failed, c.steps))
	t.Logf("receivers were told of %d rows, and of %d changes without them", c.rows.Load(), c.unknown.Load())
	for _, feature := range features {
		t.Logf("  %-16q hits %5d, others %5d", feature, c.hitsOn[feature], c.missesOn[feature])
	}
	logMost(t, c.took)
	logMost(t, c.reasons)
	logMost(t, c.errors)
}

func logMost(t *testing.T, counts map[string]int) {
	texts := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return counts[b] - counts[a] })
	for _, text := range texts[:min(len(texts), 20)] {
		t.Logf("  %5d × %s", counts[text], text)
	}
}

func percent(part, whole int) float64 { return 100 * float64(part) / float64(max(whole, 1)) }

// assertTeeth fails if the programs were such that they could hardly show anything.
func (c *tally) assertTeeth(t *testing.T) {
	t.Helper()
	if c.steps < 5*life { // too few to tell
		return
	}
	for _, bound := range []struct {
		what     string
		is, over float64
	}{
		{"reads that are hits when asked first", percent(c.hits, c.reads), 8},
		{"reads that are hits when asked again", percent(c.again, c.reads), 30},
		{"steps that succeed", 100 - percent(c.failed, c.steps), 60},
		{"reads that aren't refused for locks", 100 - percent(c.refused, c.reads), 85},
	} {
		if bound.is < bound.over {
			t.Errorf("%s: %.0f%%, want over %.0f%%", bound.what, bound.is, bound.over)
		}
	}
}
