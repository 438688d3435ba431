package bench

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

var flagTable = flag.String("table", "", "a file to which benchmarks of workloads add their tables")

func (f figure) ratio() float64 { return float64(f.hits) / float64(f.reads) }

func (f figure) idealRatio() float64 { return float64(f.ideal) / float64(f.reads) }

func (f figure) perOperation() float64 { return float64(f.statements) / float64(f.operations) }

func (f figure) readsPerSecond() float64 { return float64(f.reads) / median(f.seconds) }

func (f figure) report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(f.readsPerSecond(), "reads/s")
	b.ReportMetric(f.ratio(), "hit-ratio")
	b.ReportMetric(f.idealRatio(), "ideal-ratio")
	b.ReportMetric(f.perOperation(), "statements/operation")
	b.ReportMetric(float64(f.stale), "stale")
	b.ReportMetric(float64(f.reordered), "reordered")
}

// assert fails if the cache was wrong, or of little use.
func (f figure) assert(t *testing.T) {
	t.Helper()
	if f.stale > 0 {
		t.Errorf("%s: %d of %d reads differ from the database's answer", f.way, f.stale, f.reads)
	}
	if f.way == "Larder" && f.ratio() < minHitRatio*f.idealRatio() {
		t.Errorf("hit ratio %.3f, want %.2f of the ideal one of %.3f", f.ratio(), minHitRatio, f.idealRatio())
	}
	if f.way != "bare" && f.hits > f.reads {
		t.Errorf("%s: %d hits of %d reads", f.way, f.hits, f.reads)
	}
}

// writeTable adds a table to the file of -table, if that is given.
func writeTable(b *testing.B, title string, figures []figure) {
	b.Helper()
	if *flagTable == "" || len(figures) == 0 {
		return
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# %s; %s/%s, %d cores, %s\n# %s\n", time.Now().UTC().Format("2006-01-02"),
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), title)
	text.WriteString("| database | by | reads/s | hit ratio | ideal | statements an operation | stale reads | in another order |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, f := range figures {
		hits, ideal := "", ""
		if f.way != "bare" {
			hits, ideal = fmt.Sprintf("%.3f", f.ratio()), fmt.Sprintf("%.3f", f.idealRatio())
		}
		fmt.Fprintf(&text, "| %s | %s | %.0f | %s | %s | %.3f | %d | %d |\n", f.engine, f.way, f.readsPerSecond(), hits, ideal, f.perOperation(), f.stale, f.reordered)
	}
	file, err := os.OpenFile(*flagTable, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text.String() + "\n"); err != nil {
		b.Fatal(err)
	}
}
