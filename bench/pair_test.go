package bench

import (
	"slices"
	"testing"
	"time"
)

// pair runs an operation on one handle and on the other in turn, batch operations at a
// time, so that a machine whose speed drifts drifts for both. It reports the medians,
// and the median of the ratios of the second to the first.
func pair[H any](b *testing.B, first, second H, batch int, op func(H, int)) {
	b.Helper()
	pairAfter(b, first, second, batch, func(H, int) {}, op)
}

// pairAfter is pair for operations before each of which something else is done, which isn't counted.
func pairAfter[H any](b *testing.B, first, second H, batch int, before, op func(H, int)) {
	b.Helper()
	i := 0
	timed := func(db H) float64 {
		before(db, i+1)
		start := time.Now()
		for range batch {
			i++
			op(db, i)
		}
		return float64(time.Since(start)) / float64(batch)
	}
	timed(first)
	timed(second)
	var firsts, seconds, ratios []float64
	for b.Loop() {
		f, s := timed(first), timed(second)
		firsts, seconds, ratios = append(firsts, f), append(seconds, s), append(ratios, s/f)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(firsts), "first-ns")
	b.ReportMetric(median(seconds), "larder-ns")
	b.ReportMetric(median(ratios), "ratio")
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
