package bench

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dash"
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
