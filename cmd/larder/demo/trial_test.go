package demo

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"
)

// small is a shop that is built in no time, and whose users are written to often.
var small = Size{Users: 20, Rows: 400}

func trial(t *testing.T, open func(string) (*sql.DB, error)) *Report {
	t.Helper()
	trial := Trial{Size: small, Workers: 4, For: 800 * time.Millisecond, Open: open}
	report, err := trial.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Bare.Stale+report.Bare.Wrong > 0 {
		t.Errorf("the judge finds fault with the database itself: %+v", report.Bare.Verdict)
	}
	if report.Bare.Reads == 0 || report.Cached.Reads == 0 || report.Cached.writes.count == 0 {
		t.Errorf("nothing was judged: bare %+v, cached %+v", report.Bare.Verdict, report.Cached.Verdict)
	}
	return report
}

func TestTrialOfTheDatabaseItself(t *testing.T) {
	report := trial(t, openBare)
	if err := report.Err(); err != nil {
		t.Error(err, report.Cached.Complaints)
	}
}

func TestTrialFindsOldReads(t *testing.T) {
	report := trial(t, func(path string) (*sql.DB, error) { return openNaive(path, &naive{ttl: 100 * time.Millisecond}) })
	if report.Cached.Stale == 0 {
		t.Errorf("a cache that keeps results for 100 ms passes: %+v", report.Cached.Verdict)
	}
	if report.Err() == nil {
		t.Error("stale reads are no error")
	}
}

func TestTrialFindsRowsOfOthers(t *testing.T) {
	report := trial(t, func(path string) (*sql.DB, error) {
		return openNaive(path, &naive{ttl: time.Millisecond, onlyA: true})
	})
	if report.Cached.Wrong == 0 || report.Err() == nil {
		t.Errorf("a cache that takes one user's list for another's passes: %+v", report.Cached.Verdict)
	}
}

func TestTrialEndsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	trial := Trial{Size: small, Workers: 2, For: time.Hour, Open: openBare}
	report, err := trial.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Interrupted || report.Bare.Reads == 0 {
		t.Errorf("interrupted %t, %d reads", report.Interrupted, report.Bare.Reads)
	}
}

func TestReportAsText(t *testing.T) {
	report := trial(t, openBare)
	report.Cached.Stale, report.Cached.Reads = 3, 1_234_567
	report.Cached.Complaints = []string{"stale: user 7"}
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"reads/s", "read p99, µs", "cached: stale: user 7", "\n3 stale reads of 1,234,567\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in\n%s", want, text.String())
		}
	}
	t.Log("\n" + text.String())
}

// In a shop this small everything is written to all the time, things come and go, and some users have
// none for a while.
func TestTrialOfATinyShopThroughLarder(t *testing.T) {
	trial := Trial{Size: Size{Users: 3, Rows: 10}, Workers: 8, For: 2 * time.Second}
	report, err := trial.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		t.Error(err, report.Cached.Complaints)
	}
	if report.Cached.hits == 0 || report.Cached.hitRatio() > 1 || report.Cached.statementsPerOp() >= report.Bare.statementsPerOp() {
		t.Errorf("%d hits of %d reads, %.2f statements an operation", report.Cached.hits, report.Cached.asked, report.Cached.statementsPerOp())
	}
}
