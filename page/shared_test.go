package page_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
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

// TestPagesInRedis: what one cache has left in Redis is a hit of another that has its name and version, and of no other.
func TestPagesInRedis(t *testing.T) {
	o := redis.Options{Addresses: []string{dbtest.Redis(t).Addr()}, Prefix: rand.Text() + ":", Timeout: 10 * time.Second, Settle: -1}
	file := "file:" + filepath.Join(t.TempDir(), "page.db") + "?_pragma=busy_timeout(5000)"
	made := 0
	type process struct {
		get  func(path, language string) (string, string)
		exec func(text string)
	}
	open := func(name, version string) process {
		s, err := redis.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		cache, err := larder.New(&larder.Options{Store: s, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		db, err := cache.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close(); cache.Close(); s.Close() })
		pages := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			made++
			switch r.URL.Path {
			case "/language":
				w.Header().Set("Vary", "Accept-Language")
			case "/fragment":
				w.Header().Set("Cache-Control", "private")
				err := page.Fragment(r.Context(), cache, w, "sidebar", func(ctx context.Context, w io.Writer) error {
					made += 100
					_, err := fmt.Fprint(w, row(ctx, t, db, "t"))
					return err
				})
				if err != nil {
					t.Error(err)
				}
				return
			}
			fmt.Fprint(w, row(r.Context(), t, db, "t"), r.Header.Get("Accept-Language"))
		}), &page.Options{Version: version})
		return process{
			get: func(path, language string) (string, string) {
				r := httptest.NewRequest("GET", path, nil)
				r.Header.Set("Accept-Language", language)
				w := httptest.NewRecorder()
				pages.ServeHTTP(w, r)
				return w.Body.String(), w.Header().Get("Cache-Status")
			},
			exec: func(text string) {
				if _, err := db.Exec(text); err != nil {
					t.Fatal(err)
				}
			},
		}
	}
	one, two := open("site", "1"), open("site", "1")
	newer, other := open("site", "2"), open("other", "1")
	one.exec("CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t VALUES (1, 1)")
	const hit, miss = "larder; hit", "larder; fwd="
	for i, step := range []struct {
		by             process
		path, language string
		body, status   string
		made           int
	}{
		{one, "/", "", "1", miss, 1}, {one, "/", "", "1", hit, 1}, {two, "/", "", "1", hit, 1}, {two, "/", "", "1", hit, 1},
		{newer, "/", "", "1", miss, 2}, {other, "/", "", "1", miss, 3}, {newer, "/", "", "1", hit, 3},
		{one, "/language", "en", "1en", miss, 4}, {two, "/language", "en", "1en", hit, 4}, {two, "/language", "de", "1de", miss, 5}, {one, "/language", "de", "1de", hit, 5},
		{one, "/fragment", "", "1", miss, 106},
	} {
		body, status := step.by.get(step.path, step.language)
		for end := time.Now().Add(5 * time.Second); i == 0 && !strings.HasSuffix(status, "stored") && time.Now().Before(end); made = 1 {
			time.Sleep(10 * time.Millisecond) // nothing is kept until every process has noticed the new schema
			body, status = step.by.get(step.path, step.language)
		}
		if body != step.body || !strings.HasPrefix(status, step.status) || made != step.made {
			t.Fatalf("step %d: %s, %s, made %d; want %+v", i, body, status, made, step)
		}
	}
	made = 0
	if two.get("/fragment", ""); made != 1 {
		t.Errorf("the fragment of another process isn't found: made %d", made)
	}
	two.exec("UPDATE t SET v = 2")
	for path, want := range map[string]string{"/": "2", "/language": "2en", "/fragment": "2"} {
		if body, status := one.get(path, map[bool]string{true: "en"}[path == "/language"]); body != want || !strings.HasPrefix(status, miss) {
			t.Errorf("after a write, %s: %s, %s", path, body, status)
		}
	}
}
