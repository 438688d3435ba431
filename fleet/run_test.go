package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
)

// TestCalm: the most reads, without faults but those that come of locks and conflicts.
func TestCalm(t *testing.T) {
	onSites(t, all, func(t *testing.T, s *site, server, cache *dbtest.Server) {
		f := newFleet(t, s, server, cache, Config{Clients: 5, Writes: 30, Timeout: 10 * time.Second, Room: 8 << 20})
		f.direct = true
		f.launch()
		begun := now()
		f.until(int64(*readsFlag / len(sites)))
		f.mustBeFresh()
		f.mustHaveHit()
		f.checkSample(f.calls(), begun+int64(500*time.Millisecond))
	})
}

// mustHaveHit: values and pages were asked for, and found.
func (f *fleet) mustHaveHit() {
	f.Helper()
	if n := &f.told; n.Loads > n.Values*9/10 || n.Loads == 0 {
		f.Errorf("of %d remembered values %d were made", n.Values, n.Loads)
	}
	if n := &f.told; n.PageHits < n.Pages/10 || n.Lost > n.Pages/100 || n.Pages == 0 {
		f.Errorf("of %d pages %d were found, and %d lost", n.Pages, n.PageHits, n.Lost)
	}
}

// eachSite runs a test in all configurations, or with -short on few of them.
func eachSite(t *testing.T, run func(t *testing.T, s *site, server, cache *dbtest.Server)) {
	if testing.Short() {
		onSites(t, few, run)
		return
	}
	onSites(t, all, run)
}

func onSites(t *testing.T, list []*site, run func(t *testing.T, s *site, server, cache *dbtest.Server)) {
	for _, s := range list {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			run(t, s, s.database(t), s.cache(t))
		})
	}
}

// few are sites with each database and each store.
var (
	all = []*site{&sites[0], &sites[1], &sites[2], &sites[3]}
	few = []*site{&sites[1], &sites[2]}
)

// TestBounded: under Options.Bounded nothing is older than the bound, and what a process has written it sees at once; and something is
// older than the world was, so that this isn't for nothing.
func TestBounded(t *testing.T) {
	onSites(t, few, func(t *testing.T, s *site, server, cache *dbtest.Server) {
		f := newFleet(t, s, server, cache, Config{Clients: 5, Writes: 30, Timeout: 10 * time.Second, Bounded: 400 * time.Millisecond})
		f.direct = true
		f.launch()
		f.until(int64(*readsFlag / 50))
		f.mustBeFresh()
		v := (Rules{}).judge(f.calls())
		if t.Logf("%d rows of %d were older than the world", v.Stale, v.Reads); v.Stale == 0 {
			t.Error("nothing was older than the world: this tests nothing")
		}
	})
}

// TestPlainPages: pages that live by time are found to be stale.
func TestPlainPages(t *testing.T) {
	s := few[0]
	f := newFleet(t, s, s.database(t), s.cache(t), Config{Clients: 5, Writes: 30, Timeout: 10 * time.Second, Plain: 200 * time.Millisecond})
	f.direct = true
	f.launch()
	f.until(5000)
	f.mustBeFound("pages that live by time")
}

// until lets the processes run until they have made so many reads.
func (f *fleet) until(reads int64) {
	f.Helper()
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		n, _, _, _ := f.counts()
		if n >= reads {
			return
		}
		if time.Since(start) > 10*time.Minute {
			f.Fatalf("only %d reads in %v", n, time.Since(start))
		}
	}
}

// mustBeFresh finishes a run in which nobody may have seen anything stale.
func (f *fleet) mustBeFresh() Verdict {
	f.Helper()
	began := time.Now()
	stats := f.stats()
	v := f.finish()
	f.report(v, fmt.Sprintf("%d hits, %d misses, %d held, %d bypasses, %d abandoned, %d wide; judged in %v",
		stats.Hits, stats.Misses, stats.Held, stats.Bypasses, stats.Abandoned, stats.WideWrites, time.Since(began).Round(time.Millisecond)))
	f.Logf("%d remembered values were asked for, %d made; %d pages, %d found, %d lost; %d rows from the edge, %d pages kept there; %+v",
		f.told.Values, f.told.Loads, f.told.Pages, f.told.PageHits, f.told.Lost, v.Served, f.told.Kept, f.told.Edge)
	if v.Stale > 0 {
		f.Errorf("%d stale; seed %d", v.Stale, *seedFlag)
	}
	return v
}

func (f *fleet) report(v Verdict, more string) {
	f.Helper()
	reads, failed, writes, bad := f.counts()
	f.Logf("%d reads (%d failed) of %d rows, %d writes (%d failed, %d rows of unknown outcome, %d refused), %d stale, %d excused in %d lapses; %s",
		reads, failed, v.Reads, writes, bad, v.Unknown, v.Refused, v.Stale, v.Excused, v.Lapses, more)
	for _, finding := range v.Findings {
		f.Log(finding)
	}
}

// TestAside: what programs do by hand is found to be stale.
func TestAside(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site, server, cache *dbtest.Server) {
		f := newFleet(t, s, server, cache, Config{Aside: true, Clients: 5, Writes: 100})
		f.direct = true
		f.launch()
		f.until(20_000)
		f.mustBeFound("by hand")
	})
}

// mustBeFound ends a run in which something was stale, and the judge has to find it.
func (f *fleet) mustBeFound(what string) {
	f.Helper()
	if !f.finds(what) {
		f.Error("the judge finds nothing")
	}
}

// finds ends a run, and reports whether the judge finds something.
func (f *fleet) finds(what string) bool {
	f.Helper()
	f.stats()
	f.each((*member).rest)
	close(f.watched)
	f.watching.Wait()
	v := f.rules.judge(f.calls())
	f.report(v, what)
	f.each((*member).kill)
	return v.Stale > 0
}
