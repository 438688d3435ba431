package bench

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dash"
	"github.com/larderdb/larder/session"
)

// BenchmarkHitWatched compares a hit that is watched with one that isn't: by somebody who does nothing with the event, and by the
// dashboard.
func BenchmarkHitWatched(b *testing.B) {
	for _, n := range []int{1, 20} {
		b.Run(fmt.Sprintf("rows=%d/watch", n), func(b *testing.B) {
			unwatched, watched := openCached(b, n), openCached(b, n)
			cache, _ := larder.Of(watched)
			b.Cleanup(cache.Watch(func(context.Context, larder.Event) {}))
			pair(b, unwatched, watched, 50, readList(b, list, n))
		})
		b.Run(fmt.Sprintf("rows=%d/dash", n), func(b *testing.B) {
			unwatched, watched := openCached(b, n), openCached(b, n)
			cache, _ := larder.Of(watched)
			dash.Handler(cache).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/api/stats", nil))
			pair(b, unwatched, watched, 50, readList(b, list, n))
		})
		b.Run(fmt.Sprintf("rows=%d/itself", n), func(b *testing.B) {
			pair(b, openCached(b, n), openCached(b, n), 50, readList(b, list, n))
		})
	}
}

// BenchmarkUnwatched tells what it costs a hit that nobody listens: the look at who does, which each statement takes, as a share of a hit of
// one row. Compare also BenchmarkHit/rows=1 of two commits.
func BenchmarkUnwatched(b *testing.B) {
	db, read := openCached(b, 1), readList(b, list, 1)
	var nobody session.Watchers
	for range 1000 {
		read(db, 0)
	}
	start, heard := time.Now(), 0
	for range b.N {
		read(db, 0)
	}
	hit := time.Since(start)
	start = time.Now()
	for range b.N {
		if nobody.Listening() {
			heard++
		}
	}
	look := time.Since(start)
	if heard > 0 {
		b.Fatal("somebody listens")
	}
	b.ReportMetric(float64(look)/float64(hit), "share")
}
