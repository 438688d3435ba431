package rivals

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"
)

var (
	compareFlag = flag.Bool("compare", false, "measure the rivals, and write a table to standard output")
	tableFlag   = flag.String("table", "", "a file to which the table is written as well")
	onlyFlag    = flag.String("only", "", "measure rivals that this regular expression matches, as in 'Larder|Redis'")
	opsFlag     = flag.Int("operations", 20_000, "of the mixed workload")
	staleFlag   = flag.Duration("stale", 20*time.Second, "how long reads are judged, of each rival")
)

const (
	processes = 4
	rounds    = 60 // of hits, in turn with the bare query
	perRound  = 50
	saves     = 0.05 // of all operations but those of hits
)

// A figure is what was measured of a rival; what has no value is left out of the table.
type figure struct {
	*rival
	version    []string
	why        string  // it can't run
	hit, ratio float64 // microseconds; of the bare query in turn with it
	bare       float64
	mixed      answer
	lists, all int // statements
	verdict    verdict
	failed     int
	failure    string
}

// TestCompare measures all rivals, with -compare.
func TestCompare(t *testing.T) {
	if !*compareFlag {
		t.Skip("without -compare")
	}
	only := regexp.MustCompile(*onlyFlag)
	p := newPlaces(t)
	ops, ideal := operations(p.many)
	path := filepath.Join(t.TempDir(), "operations")
	text, err := json.Marshal(ops)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	began, load := time.Now(), loadAverage()
	var figures []figure
	for i := range rivals {
		r := &rivals[i]
		if !only.MatchString(r.id()) {
			continue
		}
		f := figure{rival: r}
		start := time.Now()
		t.Run(r.id(), func(t *testing.T) {
			if err := f.measure(t, p, path); err != nil {
				f.why = err.Error()
				t.Logf("not measured: %v", err)
			}
			if r.promises() && (f.why != "" || f.mixed.Stale+f.verdict.stale+f.verdict.back > 0) {
				t.Errorf("%s: %+v, %d stale by one client", f.why, f.verdict, f.mixed.Stale)
			}
		})
		fmt.Fprintf(os.Stderr, "%s, %.0f s %s\n", r.id(), time.Since(start).Seconds(), f.why)
		figures = append(figures, f)
	}
	report(t, p, figures, ideal, began, load)
}

// measure does one thing after the other. An error is the rival's, and no failure of the test but for Larder.
func (f *figure) measure(t *testing.T, p *places, ops string) error {
	ctx := t.Context()
	if err := f.hits(ctx, p.fresh(t, p.few)); err != nil {
		return fmt.Errorf("a hit: %w", err)
	}
	if err := f.mix(t, p.fresh(t, p.many), ops); err != nil {
		return fmt.Errorf("the mixed workload: %w", err)
	}
	if !f.shared() {
		return nil
	}
	if err := f.watch(ctx, p.fresh(t, p.few), t.TempDir()); err != nil {
		return fmt.Errorf("four processes: %w", err)
	}
	return nil
}

// bareRival is the bare driver of the language of another.
func (r *rival) bareRival() *rival {
	i := slices.IndexFunc(rivals, func(o rival) bool { return o.store == "" && o.language() == r.language() })
	return &rivals[i]
}

// hits reads one list again and again, in turn with the bare query.
func (f *figure) hits(ctx context.Context, p *place) error {
	w, err := p.start(ctx, f.rival)
	if err != nil {
		return err
	}
	defer w.end()
	f.version = w.version
	bare, err := p.start(ctx, f.bareRival())
	if err != nil {
		return err
	}
	defer bare.end()
	o := order{Do: "hit", Rows: p.rows, Users: p.users, User: 7, Reads: 200}
	for _, w := range []*worker{w, bare} {
		if _, err := w.do(o); err != nil {
			return err
		}
	}
	o.Reads = perRound
	var times, bareTimes []int64
	var ratios []float64
	for range rounds {
		b, err := bare.do(o)
		if err != nil {
			return err
		}
		a, err := w.do(o)
		if err != nil {
			return err
		}
		times, bareTimes = append(times, a.Times...), append(bareTimes, b.Times...)
		ratios = append(ratios, float64(median(a.Times))/float64(median(b.Times)))
	}
	f.hit, f.bare, f.ratio = float64(median(times))/1000, float64(median(bareTimes))/1000, median(ratios)
	return nil
}

// mix runs the mixed workload.
func (f *figure) mix(t *testing.T, p *place, ops string) error {
	w, err := p.start(t.Context(), f.rival)
	if err != nil {
		return err
	}
	f.mixed, err = w.do(order{Do: "mixed", Rows: p.rows, Users: p.users, Ops: ops})
	if err := errors.Join(err, w.end()); err != nil {
		return err
	}
	f.lists, f.all = p.counted(t)
	return nil
}

// watch has processes read and save, and judges what they have seen.
func (f *figure) watch(ctx context.Context, p *place, dir string) error {
	var workers []*worker
	for range processes {
		w, err := p.start(ctx, f.rival)
		if err != nil {
			return err
		}
		defer w.end()
		if _, err := w.do(order{Do: "hit", Rows: p.rows, Users: p.users, Reads: 10}); err != nil {
			return err
		}
		workers = append(workers, w)
	}
	errs, answers := make([]error, processes), make([]answer, processes)
	path := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() {
			answers[i], errs[i] = w.do(order{
				Do: "stale", Rows: p.rows, Users: p.users, Seconds: staleFlag.Seconds(), Saves: saves,
				Process: i, Of: processes, History: path(i),
			})
		})
	}
	wg.Wait()
	var calls []call
	for i := range workers {
		if errs[i] != nil {
			return errs[i]
		}
		f.failed += answers[i].Failed
		if answers[i].Failure != "" {
			f.failure = answers[i].Failure
		}
		some, err := readHistory(path(i))
		if err != nil {
			return err
		}
		calls = append(calls, some...)
	}
	f.verdict = judge(calls, p.users)
	return nil
}

// operations are those of the mixed workload, the same for each rival, as an order has them; and which part of the reads could have
// been hits, since the list was read before and not changed since.
func operations(of table) (ops []int, ideal float64) {
	r := rand.New(rand.NewPCG(1, 2))
	weights, sum := make([]float64, of.users), 0.0
	for i := range weights {
		sum += 1 / float64(i+1)
		weights[i] = sum
	}
	fresh, reads, hits := make([]bool, of.users), 0, 0
	for range *opsFlag {
		if r.Float64() < saves {
			row := r.IntN(of.rows)
			fresh[row%of.users] = false
			ops = append(ops, -1-row)
			continue
		}
		user := sort.SearchFloat64s(weights, r.Float64()*sum)
		reads++
		if fresh[user] {
			hits++
		}
		fresh[user] = true
		ops = append(ops, user)
	}
	return ops, float64(hits) / float64(max(reads, 1))
}

func median[T int64 | float64](values []T) T {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
