// Package prometheus exports what a cache does to Prometheus.
//
//	registry.MustRegister(prometheus.New(cache, nil))
//
// It is a module of its own, so that programs without Prometheus don't depend on it. grafana.json beside it is a dashboard of
// these metrics. How many series there are doesn't grow with statements: they are told apart by outcome, by reason, of which there is a
// closed list, and by relation, up to Options.Relations.
package prometheus

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/larderdb/larder"
)

// Options of a collector; the zero value is the default.
type Options struct {
	// Labels are on all metrics, to tell caches of one process apart: the dashboard lets its reader choose one by the label "cache".
	Labels prometheus.Labels

	// Relations is how many relations are told apart at most; the others are "other". 0 means 100.
	Relations int
}

// A Collector exports one cache. It watches the cache, sampled, until Close.
type Collector struct {
	cache *larder.Cache
	stop  func()
	most  int

	d         descriptions
	times     [larder.OutcomeHeld + 1]times
	database  times
	causes    [larder.WhyChanged + 1]atomic.Int64
	mu        sync.Mutex               // guards relations
	relations map[string]*relationInfo // by name
}

type relationInfo struct{ writes, removed int64 }

var _ prometheus.Collector = (*Collector)(nil)

// New returns the collector of a cache; nil options are the default.
func New(cache *larder.Cache, options *Options) *Collector {
	o := Options{}
	if options != nil {
		o = *options
	}
	if o.Relations <= 0 {
		o.Relations = 100
	}
	c := &Collector{cache: cache, most: o.Relations, d: describe(o.Labels), relations: make(map[string]*relationInfo)}
	c.stop = cache.WatchSampled(c.hear)
	return c
}

// Close ends watching.
func (c *Collector) Close() error {
	c.stop()
	return nil
}

// hear adds an event.
func (c *Collector) hear(_ context.Context, e larder.Event) {
	if e.Kind != larder.KindStatement {
		return
	}
	if e.Write {
		c.count(e.Writes, func(r *relationInfo) { r.writes++ })
		return
	}
	c.times[e.Outcome].add(e.Total, e.Weight)
	if e.Database > 0 {
		c.database.add(e.Database, 1)
	}
	if e.Outcome == larder.OutcomeMiss {
		c.causes[e.Cause.Why].Add(1)
	}
	if e.Cause.Why == larder.WhyChanged {
		c.count([]string{e.Cause.Relation}, func(r *relationInfo) { r.removed++ })
	}
}

// count counts at relations; those that there is no room for are one.
func (c *Collector) count(names []string, add func(*relationInfo)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		if c.relations[name] == nil && len(c.relations) >= c.most {
			name = "other"
		}
		if c.relations[name] == nil {
			c.relations[name] = &relationInfo{}
		}
		add(c.relations[name])
	}
}

// bounds are those of the histograms, in seconds.
var bounds = []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// times is a histogram of durations. Adding takes no lock.
type times struct {
	steps [32]atomic.Uint64 // the n-th is of what is over bounds[n-1] and not over bounds[n]
	nanos atomic.Int64
}

func (t *times) add(d time.Duration, weight int) {
	step, _ := slices.BinarySearch(bounds, d.Seconds())
	t.steps[step].Add(uint64(weight))
	t.nanos.Add(int64(d) * int64(weight))
}

func (t *times) metric(d *prometheus.Desc, labels ...string) prometheus.Metric {
	sums, sum := make(map[float64]uint64, len(bounds)), uint64(0)
	for i, bound := range bounds {
		sum += t.steps[i].Load()
		sums[bound] = sum
	}
	sum += t.steps[len(bounds)].Load()
	return prometheus.MustNewConstHistogram(d, sum, float64(t.nanos.Load())/1e9, sums, labels...)
}
