package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
)

// TestCalm: the most reads, without faults but those that come of locks and conflicts.
func TestCalm(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site, server, cache *dbtest.Server) {
		f := newFleet(t, s, server, cache, Config{Clients: 5, Writes: 30, Timeout: 10 * time.Second, Room: 8 << 20})
		f.direct = true
		f.launch()
		begun := now()
		f.until(int64(*readsFlag / len(sites)))
		f.mustBeFresh()
		f.checkSample(f.calls(), begun+int64(500*time.Millisecond))
	})
}

// eachSite runs a test in all configurations.
func eachSite(t *testing.T, run func(t *testing.T, s *site, server, cache *dbtest.Server)) {
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			run(t, &s, s.database(t), s.cache(t))
		})
	}
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
		f.each((*member).rest)
		close(f.watched)
		f.watching.Wait()
		v := judge(f.calls())
		f.report(v, "by hand")
		if v.Stale == 0 {
			t.Error("the judge finds nothing")
		}
	})
}
