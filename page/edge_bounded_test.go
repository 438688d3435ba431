package page_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/page"
	"github.com/larderdb/larder/store/redis"
)

// TestEdgeIsToldNothingBounded: under Options.Bounded a process serves its copy of a page that another has changed for a while, but
// never to an edge, which would keep it for as long as MaxAge after it was purged.
func TestEdgeIsToldNothingBounded(t *testing.T) {
	o := redis.Options{Addresses: []string{dbtest.Redis(t).Addr()}, Prefix: rand.Text() + ":", Timeout: 10 * time.Second, Settle: -1}
	file := "file:" + filepath.Join(t.TempDir(), "page.db") + "?_pragma=busy_timeout(5000)"
	type process struct {
		exec func(text string)
		get  func(edge *page.Edge) (body, status string)
	}
	open := func() process {
		s, err := redis.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		cache, err := larder.New(&larder.Options{Store: s, Name: "site", Bounded: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		db, err := cache.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close(); cache.Close(); s.Close() })
		return process{
			exec: func(text string) {
				t.Helper()
				if _, err := db.Exec(text); err != nil {
					t.Fatal(err)
				}
			},
			get: func(edge *page.Edge) (body, status string) {
				w := httptest.NewRecorder()
				page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Cache-Control", "public, no-cache")
					fmt.Fprint(w, row(r.Context(), t, db, "t"))
				}), &page.Options{Edge: edge}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				return w.Body.String(), w.Header().Get("Cache-Status")
			},
		}
	}
	reader, writer := open(), open()
	writer.exec("CREATE TABLE t (id integer PRIMARY KEY, v integer)")
	writer.exec("INSERT INTO t VALUES (1, 1)")
	hits := 0
	for end := time.Now().Add(10 * time.Second); hits < 3 && time.Now().Before(end); {
		if _, status := reader.get(nil); strings.HasPrefix(status, "larder; hit") {
			hits++
		} else {
			time.Sleep(10 * time.Millisecond) // nothing is kept until every process has noticed the new schema
		}
	}
	writer.exec("UPDATE t SET v = 2 WHERE id = 1")
	if body, status := reader.get(nil); body != "1" || hits < 3 {
		t.Errorf("without an edge: %s, %s, after %d hits: the test sees nothing", body, status, hits)
	}
	edge := page.NewEdge(&purger{}, &page.EdgeOptions{MaxAge: time.Hour})
	if body, status := reader.get(edge); body != "2" {
		t.Errorf("an edge is given %s, %s", body, status)
	}
}
