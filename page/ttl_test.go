package page_test

import (
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/page"
)

// TestFragmentTTL: a fragment with a TTL is made again after it, and so is what it is a part of, also where it was found and not made;
// with it a fragment is kept that reads nothing, and writes remove one that reads something all the same.
func TestFragmentTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache, db := newCache(t, nil)
		made := map[string]int{}
		part := func(ctx context.Context, w io.Writer, name, table string, ttl time.Duration) {
			err := page.Fragment(ctx, cache, w, name, func(ctx context.Context, w io.Writer) error {
				made[name]++
				if table != "" {
					fmt.Fprint(w, row(ctx, t, db, table))
				}
				_, err := fmt.Fprintf(w, "%s%d ", name, made[name])
				return err
			}, &page.FragmentOptions{TTL: ttl})
			if err != nil {
				t.Error(err)
			}
		}
		parts := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/all" {
				part(r.Context(), w, "lasting", "u", 0)
			}
			part(r.Context(), w, "weather", "", time.Minute)
			part(r.Context(), w, "stock", "t", 3*time.Minute)
		})
		pages := page.Handler(cache, parts, nil)
		look := func(path, want, status string) {
			t.Helper()
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if got := w.Header().Get("Cache-Status"); w.Body.String() != want || got != status {
				t.Errorf("%s: %q, %s; want %q, %s", path, w.Body, got, want, status)
			}
		}
		const hit, miss = "larder; hit", "larder; fwd=uri-miss; stored"
		look("/all", "1lasting1 weather1 1stock1 ", miss)
		look("/all", "1lasting1 weather1 1stock1 ", hit)
		time.Sleep(40 * time.Second)
		look("/some", "weather1 1stock1 ", miss) // of fragments that were found, and are 40 seconds old
		look("/some", "weather1 1stock1 ", hit)
		time.Sleep(20*time.Second - time.Millisecond)
		look("/all", "1lasting1 weather1 1stock1 ", hit)
		look("/some", "weather1 1stock1 ", hit)
		time.Sleep(time.Millisecond)
		look("/some", "weather2 1stock1 ", miss)
		look("/all", "1lasting1 weather2 1stock1 ", miss)
		if _, err := db.Exec("UPDATE t SET v = 2"); err != nil {
			t.Fatal(err)
		}
		look("/all", "1lasting1 weather2 2stock2 ", miss)
		time.Sleep(3 * time.Minute)
		look("/all", "1lasting1 weather3 2stock3 ", miss)
	})
}

// TestPageOfAValueThatExpires: a page that reads nothing but a value with a TTL lives as long as that; so does what is a part of it.
func TestPageOfAValueThatExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache, _ := newCache(t, nil)
		n := 0
		pages := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			page.Fragment(r.Context(), cache, w, "price", func(ctx context.Context, w io.Writer) error {
				v, err := larder.Remember(ctx, cache, "price", func(context.Context) (int, error) { n++; return n, nil }, &larder.ValueOptions[int]{TTL: time.Minute})
				fmt.Fprint(w, v)
				return err
			})
		}), nil)
		for i, want := range []string{"1 miss", "1 hit", "2 miss", "2 hit"} {
			w := httptest.NewRecorder()
			pages.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			got := w.Body.String() + map[bool]string{true: " hit", false: " miss"}[w.Header().Get("Cache-Status") == "larder; hit"]
			if got != want {
				t.Errorf("%d: %s, want %s", i, got, want)
			}
			time.Sleep([]time.Duration{59 * time.Second, time.Second, 59 * time.Second, 0}[i])
		}
	})
}

// TestPageInAPageThatExpires: a page around one that was found lives no longer than that.
func TestPageInAPageThatExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache, db := newCache(t, nil)
		n := 0
		inner := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n++
			row(r.Context(), t, db, "t")
			page.Fragment(r.Context(), cache, w, fmt.Sprint(n), func(ctx context.Context, w io.Writer) error {
				_, err := fmt.Fprint(w, n)
				return err
			}, &page.FragmentOptions{TTL: time.Minute})
		}), &page.Options{Name: "inner"})
		outer := page.Handler(cache, inner, &page.Options{Name: "outer"})
		look := func(h http.Handler, want string) {
			t.Helper()
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil)); w.Body.String() != want {
				t.Errorf("%s, want %s", w.Body, want)
			}
		}
		look(inner, "1")
		time.Sleep(40 * time.Second)
		look(outer, "1")
		time.Sleep(20 * time.Second)
		look(outer, "2")
	})
}

// TestTemplateTTL: fragments of templates have options by the name of the template.
func TestTemplateTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache, _ := newCache(t, nil)
		n := 0
		funcs := page.Funcs()
		funcs["next"] = func() int { n++; return n }
		parse := func() *template.Template {
			return template.Must(template.New("page").Funcs(funcs).Parse(`{{fragment "weather" .}}{{fragment "rest" .}}{{define "weather"}}w{{next}}{{end}}{{define "rest"}}r{{next}}{{end}}`))
		}
		templates, err := page.NewTemplates(cache, parse(), nil, map[string]page.FragmentOptions{"weather": {TTL: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"w1r2", "w1r3", "w4r5"} {
			var b strings.Builder
			if err := templates.Execute(t.Context(), &b, "page", 7); err != nil || b.String() != want {
				t.Errorf("%d: %s, %v; want %s", i, b.String(), err, want)
			}
			time.Sleep(30 * time.Second)
		}
		type options = map[string]page.FragmentOptions
		for says, o := range map[string][]options{"at most one": {{}, {}}, "which isn't there": {{"nowhere": {}}}, "must not be negative": {{"rest": {TTL: -1}}}} {
			if _, err := page.NewTemplates(cache, parse(), nil, o...); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%q doesn't say %q", err, says)
			}
		}
	})
}

// TestBadFragmentOptions: they are refused before anything is made.
func TestBadFragmentOptions(t *testing.T) {
	cache, _ := newCache(t, nil)
	render := func(context.Context, io.Writer) error { t.Error("it was made"); return nil }
	for says, o := range map[string][]*page.FragmentOptions{"at most one": {nil, nil}, "must not be negative": {{TTL: -1}}} {
		if err := page.Fragment(t.Context(), cache, io.Discard, "k", render, o...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q doesn't say %q", err, says)
		}
	}
}

// TestLongFragmentTTL: it may be longer than that of the cache.
func TestLongFragmentTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache, _ := newCache(t, &larder.Options{MaxBytes: 1 << 20, TTL: time.Minute})
		n := 0
		for range 3 {
			page.Fragment(t.Context(), cache, io.Discard, "k", func(context.Context, io.Writer) error { n++; return nil }, &page.FragmentOptions{TTL: time.Hour})
			time.Sleep(29 * time.Minute)
		}
		if n != 1 {
			t.Errorf("made %d times", n)
		}
	})
}

// TestFragmentTTLAfterWait: a fragment lives from when it is made on, though who makes it has waited for another's making that failed.
func TestFragmentTTLAfterWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache, _ := newCache(t, nil)
		get := func(render func(context.Context, io.Writer) error) error {
			return page.Fragment(t.Context(), cache, io.Discard, "weather", render, &page.FragmentOptions{TTL: 10 * time.Second})
		}
		go func() {
			_ = get(func(context.Context, io.Writer) error {
				time.Sleep(4 * time.Second)
				return io.EOF
			})
		}()
		synctest.Wait()
		if err := get(func(context.Context, io.Writer) error { return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Second)
		err := get(func(context.Context, io.Writer) error {
			t.Error("it is made again after 8 seconds")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
