package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/page"
)

// pageServers are a handler that writes a body from memory, and page.Handler with the same body.
func pageServers(b *testing.B, size int) (bare, cached http.Handler) {
	cache, err := larder.New(&larder.Options{MaxBytes: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	db, err := cache.Open("sqlite", filepath.Join(b.TempDir(), "page.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close(); cache.Close() })
	if _, err := db.Exec("CREATE TABLE t (v integer)"); err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	bare = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(body)
	})
	cached = page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if err := db.QueryRowContext(r.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
			b.Error(err)
		}
		bare.ServeHTTP(w, r)
	}), nil)
	return bare, cached
}

// BenchmarkPage compares a cached page with a handler that writes the same bytes from memory, over connections that stay open:
// the median of the ratios of pairs, each of 100 requests of one after 100 of the other.
func BenchmarkPage(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 100 << 10} {
		b.Run(fmt.Sprintf("body=%dK", size>>10), func(b *testing.B) {
			bare, cached := pageServers(b, size)
			slow, fast := httptest.NewServer(cached), httptest.NewServer(bare)
			defer slow.Close()
			defer fast.Close()
			get := func(url string) {
				for range 100 {
					response, err := http.Get(url)
					if err != nil {
						b.Fatal(err)
					}
					if n, err := io.Copy(io.Discard, response.Body); err != nil || n != int64(size) {
						b.Fatal(n, err)
					}
					response.Body.Close()
				}
			}
			get(slow.URL)
			get(fast.URL)
			var ratios []float64
			var of [2]time.Duration
			for range b.N {
				began := time.Now()
				get(slow.URL)
				middle := time.Now()
				get(fast.URL)
				with, without := middle.Sub(began), time.Since(middle)
				of[0], of[1] = of[0]+with, of[1]+without
				ratios = append(ratios, float64(with)/float64(without))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "ratio")
			b.ReportMetric(float64(of[0].Nanoseconds())/float64(100*b.N), "page-ns/req")
			b.ReportMetric(float64(of[1].Nanoseconds())/float64(100*b.N), "bare-ns/req")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// discard is a writer that keeps nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) WriteHeader(int)             {}
func (d discard) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkPageAlone is the handler alone, without a server.
func BenchmarkPageAlone(b *testing.B) {
	bare, cached := pageServers(b, 16<<10)
	for name, h := range map[string]http.Handler{"bare": bare, "page": cached} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("GET", "/", nil)
			w := discard{http.Header{}}
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}
