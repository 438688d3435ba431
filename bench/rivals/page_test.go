package rivals

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	cache "github.com/chenyahui/gin-cache"
	"github.com/chenyahui/gin-cache/persist"
	"github.com/gin-gonic/gin"
	"github.com/larderdb/larder"
	"github.com/larderdb/larder/page"
	_ "modernc.org/sqlite"
)

const html = "text/html; charset=utf-8"

// pages are handlers of the same page: one that writes it from memory, page.Handler, which has it as long as what it was
// made from hasn't changed, and gin-cache in memory, which has it for a time.
func pages(b *testing.B, body []byte) []http.Handler {
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", html)
		w.Write(body)
	})
	kept, err := larder.New(&larder.Options{MaxBytes: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	db, err := kept.Open("sqlite", filepath.Join(b.TempDir(), "page.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close(); kept.Close() })
	if _, err := db.Exec("CREATE TABLE t (v integer)"); err != nil {
		b.Fatal(err)
	}
	fresh := page.Handler(kept, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if err := db.QueryRowContext(r.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
			b.Error(err)
		}
		bare.ServeHTTP(w, r)
	}), nil)
	gin.SetMode(gin.ReleaseMode)
	app := gin.New()
	app.GET("/", cache.CacheByRequestURI(persist.NewMemoryStore(time.Hour), time.Hour), func(c *gin.Context) { c.Data(http.StatusOK, html, body) })
	return []http.Handler{bare, fresh, app}
}

// BenchmarkPage compares cached pages with a handler that writes the same bytes from memory, over connections that stay open, in turns of 100 requests each.
func BenchmarkPage(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("body=%dK", size>>10), func(b *testing.B) {
			var urls []string
			for _, h := range pages(b, bytes.Repeat([]byte{'x'}, size)) {
				server := httptest.NewServer(h)
				defer server.Close()
				urls = append(urls, server.URL)
				requests(b, server.URL, size)
			}
			times, ratios := make([]float64, len(urls)), make([][]float64, len(urls))
			for range b.N {
				for i, url := range urls {
					start := time.Now()
					requests(b, url, size)
					times[i] = float64(time.Since(start))
				}
				for i := range urls {
					ratios[i] = append(ratios[i], times[i]/times[0])
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(ratios[1]), "larder-ratio")
			b.ReportMetric(median(ratios[2]), "gin-cache-ratio")
		})
	}
}

// requests asks for a page a hundred times.
func requests(b *testing.B, url string, size int) {
	for range 100 {
		response, err := http.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if err != nil || n != int64(size) {
			b.Fatal(n, err)
		}
	}
}
