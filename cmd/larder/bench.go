package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/larderdb/larder"
)

// A comparison runs the same queries bare and cached.
type comparison struct {
	shared
	length  time.Duration
	workers int
	json    bool
}

// A side is how one handle did.
type side struct {
	Queries   int           `json:"queries"`
	PerSecond float64       `json:"per_second"`
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	times     []time.Duration
	spent     time.Duration
}

// A measurement is what was found.
type measurement struct {
	Bare     side    `json:"bare"`
	Cached   side    `json:"cached"`
	Ratio    float64 `json:"ratio"` // of queries per second
	HitRatio float64 `json:"hit_ratio"`
	Bypasses int64   `json:"bypasses"`
	Workers  int     `json:"workers"`
}

func benchCommand() *cobra.Command {
	var b comparison
	command := &cobra.Command{
		Use:   "bench FILE|-",
		Short: "Measure your queries on your database, bare and through the cache",
		Long: `Bench runs the SELECTs of a file, separated by semicolons, on the bare database and through
Larder, in turns of a second and in random order, and compares. It only reads. Each is run once on either
before, so that the cache is warm if nobody writes: what your writes do to it, larder analyze tells from a log.`,
		Example: `  larder bench queries.sql --driver pgx --dsn postgres://app@db/shop --for 20s --workers 8`,
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return b.run(c, args[0]) },
	}
	flags := command.Flags()
	b.flags(flags)
	flags.DurationVar(&b.length, "for", 10*time.Second, "how long, half of it bare and half of it cached")
	flags.IntVar(&b.workers, "workers", 4, "goroutines")
	flags.BoolVar(&b.json, "json", false, "print JSON")
	return command
}

func (b *comparison) run(c *cobra.Command, file string) error {
	if err := b.check(); err != nil {
		return err
	}
	if b.length <= 0 || b.workers < 1 {
		return usagef("--for must be longer than nothing, like 10s, and --workers at least 1")
	}
	queries, err := readsOf(file, c.InOrStdin(), b.speaks())
	if err != nil {
		return err
	}
	m, err := b.measure(c, queries)
	if err != nil {
		return b.redactAll(err)
	}
	return output(c, b.json, m, m.write)
}

// maxTurn is how long one handle is measured before the other's turn, so that a machine whose speed drifts drifts for both.
const maxTurn = time.Second

func (b *comparison) measure(c *cobra.Command, queries []string) (*measurement, error) {
	o := larder.Options{}
	if b.store == "" {
		o.MaxBytes = 256 << 20
	}
	cache, cached, err := b.open(o)
	if err != nil {
		return nil, err
	}
	defer cache.Close()
	defer cached.Close()
	bare, err := b.bare()
	if err != nil {
		return nil, err
	}
	defer bare.Close()
	for _, db := range []*sql.DB{bare, cached} {
		db.SetMaxIdleConns(b.workers)
	}
	if err := b.reachable(c.Context(), bare); err != nil {
		return nil, err
	}
	shown := progressOn(c.ErrOrStderr())
	defer shown.done()
	for _, db := range []*sql.DB{bare, cached} {
		for _, query := range queries {
			if err := drain(c.Context(), db, query); err != nil {
				return nil, fmt.Errorf("%s: %w", cut(query, textWidth), err)
			}
		}
	}
	m := &measurement{Workers: b.workers}
	turn := min(maxTurn, b.length/2)
	for start := time.Now(); m.Bare.spent+m.Cached.spent < b.length; {
		shown.show("%s of %s", short(time.Since(start)), short(b.length))
		for _, on := range []struct {
			db *sql.DB
			s  *side
		}{{bare, &m.Bare}, {cached, &m.Cached}} {
			if err := on.s.turn(c.Context(), on.db, queries, b.workers, turn); err != nil {
				return nil, err
			}
		}
	}
	m.finish(cache.Stats())
	return m, nil
}

// turn runs queries for a while.
func (s *side) turn(ctx context.Context, db *sql.DB, queries []string, workers int, length time.Duration) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var stop atomic.Bool
	var failed error
	start := time.Now()
	for range workers {
		wg.Go(func() {
			var times []time.Duration
			var err error
			for err == nil && !stop.Load() && time.Since(start) < length {
				begin := time.Now()
				query := queries[rand.IntN(len(queries))]
				if err = drain(ctx, db, query); err != nil {
					err = fmt.Errorf("%s: %w", cut(query, textWidth), err)
				}
				times = append(times, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failed == nil {
				failed = err
				stop.Store(true)
			}
			s.times = append(s.times, times...)
		})
	}
	wg.Wait()
	s.spent += time.Since(start)
	return failed
}

// drain runs a query and reads its rows.
func drain(ctx context.Context, db *sql.DB, query string) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func (m *measurement) finish(s larder.Stats) {
	for _, side := range []*side{&m.Bare, &m.Cached} {
		slices.Sort(side.times)
		side.Queries = len(side.times)
		side.PerSecond = float64(side.Queries) / side.spent.Seconds()
		if side.Queries > 0 {
			side.P50, side.P99 = side.times[side.Queries/2], side.times[side.Queries*99/100]
		}
	}
	if m.Bare.PerSecond > 0 {
		m.Ratio = m.Cached.PerSecond / m.Bare.PerSecond
	}
	m.HitRatio, m.Bypasses = s.HitRatio(), s.Bypasses
}

func (m *measurement) write(w io.Writer) error {
	s := styleOf(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\tqueries/s\tp50\tp99\t\n")
	for _, row := range []struct {
		name string
		side side
	}{{"bare", m.Bare}, {"cached", m.Cached}} {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", row.name, counted(int(row.side.PerSecond)), short(row.side.P50), short(row.side.P99))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s, hit ratio %s, %s reads that can't be cached; %d workers, nobody wrote here\n",
		s.bold(fmt.Sprintf("%.1f times as fast", m.Ratio)), percent(m.HitRatio), counted(m.Bypasses), m.Workers)
	return err
}
