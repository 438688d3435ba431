package page_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/page"
)

// who is the user of a request, by whatever tells it.
func who(r *http.Request) string {
	if c, err := r.Cookie("session"); err == nil {
		return c.Value
	}
	if u, _, ok := r.BasicAuth(); ok {
		return u
	}
	return "nobody"
}

// as makes a request of a user.
func as(user string, by int) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	switch {
	case user == "nobody":
	case by == 0:
		r.AddCookie(&http.Cookie{Name: "session", Value: user})
	default:
		r.SetBasicAuth(user, "x")
	}
	return r
}

// TestUsersNeverMix: many ask for the same URL at once, most of the time while it is being made for another. Nobody gets what
// was made for another, whatever the handler says or leaves out; unless it says that all may have it.
func TestUsersNeverMix(t *testing.T) {
	handlers := map[string]struct {
		options page.Options
		header  http.Header
		mixes   bool
	}{
		"nothing said":  {},
		"vary":          {header: http.Header{"Vary": {"Cookie, Authorization"}}},
		"vary cookie":   {header: http.Header{"Vary": {"Cookie"}}},
		"no cache":      {header: http.Header{"Cache-Control": {"no-cache"}}},
		"max-age":       {header: http.Header{"Cache-Control": {"max-age=60"}}},
		"private":       {header: http.Header{"Cache-Control": {"private, max-age=60"}}},
		"sets a cookie": {header: http.Header{"Set-Cookie": {"seen=1"}, "Cache-Control": {"public"}}},
		"user":          {options: page.Options{User: func(r *http.Request) (string, bool) { u := who(r); return strings.TrimPrefix(u, "nobody"), true }}},
		// The test can see it: this handler says what isn't so.
		"public": {header: http.Header{"Cache-Control": {"public"}}, mixes: true},
	}
	cache, db := newCache(t, nil)
	for name, h := range handlers {
		t.Run(name, func(t *testing.T) {
			h.options.Name = name
			var mixed, hits atomic.Int64
			pages := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var v int
				if err := db.QueryRowContext(r.Context(), "SELECT v FROM t WHERE id = 1").Scan(&v); err != nil {
					t.Error(err)
				}
				time.Sleep(rand.N(300 * time.Microsecond))
				for name, values := range h.header {
					w.Header()[name] = values
				}
				fmt.Fprintf(w, "for %s", strings.ToUpper(who(r))) // upper case, so that no value of a cookie is in it
			}), &h.options)
			var all sync.WaitGroup
			for id := range 8 {
				r := rand.New(rand.NewPCG(uint64(id), 1))
				all.Go(func() {
					for range 150 {
						user := []string{"nobody", "alice-0001", "robert-002"}[r.IntN(3)]
						w := httptest.NewRecorder()
						pages.ServeHTTP(w, as(user, r.IntN(2)))
						if w.Body.String() != "for "+strings.ToUpper(user) {
							mixed.Add(1)
						}
						if strings.HasPrefix(w.Header().Get("Cache-Status"), "larder; hit") {
							hits.Add(1)
						}
						if id == 0 && r.IntN(10) == 0 {
							if _, err := db.Exec("UPDATE t SET v = v + 1 WHERE id = 1"); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			all.Wait()
			if (mixed.Load() > 0) != h.mixes {
				t.Errorf("%d responses were of another user, with %d hits", mixed.Load(), hits.Load())
			}
			if never := name == "private" || name == "sets a cookie"; never != (hits.Load() == 0) {
				t.Errorf("%d hits", hits.Load())
			}
		})
	}
}

// TestFlights: of many who ask for one page at once one has it made; who asked while it was overtaken by a write has it made
// again; and of what isn't kept nobody waits for another once that is known.
func TestFlights(t *testing.T) {
	cache, db := newCache(t, nil)
	var made, inside, most atomic.Int64
	private := false
	entered, leave := make(chan bool, 100), make(chan bool)
	pages := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		made.Add(1)
		for n := inside.Add(1); ; {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		defer inside.Add(-1)
		var v int
		if err := db.QueryRowContext(r.Context(), "SELECT v FROM t WHERE id = 1").Scan(&v); err != nil {
			t.Error(err)
		}
		if private {
			w.Header().Set("Cache-Control", "private")
		}
		entered <- true
		<-leave
		fmt.Fprint(w, v)
	}), nil)
	ask := func(all *sync.WaitGroup, n int, want string) {
		for range n {
			all.Go(func() {
				w := httptest.NewRecorder()
				pages.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if got := w.Body.String(); !strings.Contains(want, got) {
					t.Errorf("got %q, want one of %s", got, want)
				}
			})
		}
	}
	var all sync.WaitGroup
	ask(&all, 1, "1")
	<-entered
	ask(&all, 20, "1")
	time.Sleep(20 * time.Millisecond) // they wait, or come too late to need to
	leave <- true
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}

	if _, err := db.Exec("UPDATE t SET v = 2"); err != nil {
		t.Fatal(err)
	}
	ask(&all, 1, "2")
	<-entered
	if _, err := db.Exec("UPDATE t SET v = 3"); err != nil {
		t.Fatal(err)
	}
	ask(&all, 5, "3")
	time.Sleep(20 * time.Millisecond)
	close(leave)
	all.Wait()

	for len(entered) > 0 {
		<-entered
	}
	if _, err := db.Exec("UPDATE t SET v = 4"); err != nil {
		t.Fatal(err)
	}
	private, leave = true, make(chan bool)
	ask(&all, 1, "4")
	<-entered
	leave <- true
	all.Wait()
	most.Store(0)
	ask(&all, 5, "4")
	for range 5 {
		select {
		case <-entered: // all are there before one has left
		case <-time.After(10 * time.Second):
			t.Error("a request waits for another of a page that isn't kept")
		}
	}
	close(leave)
	all.Wait()
	if most.Load() != 5 {
		t.Errorf("%d at once", most.Load())
	}
}

// TestNested: a handler that stands before itself doesn't wait for itself, and an outer page is as short-lived as an inner one.
func TestNested(t *testing.T) {
	cache, db := newCache(t, nil)
	inner := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/timed") {
			w.Header().Set("Cache-Control", "max-age=60")
			io.WriteString(w, "timed")
			return
		}
		var v int
		if err := db.QueryRowContext(r.Context(), "SELECT v FROM t WHERE id = 1").Scan(&v); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, v)
	}), nil)
	twice := page.Handler(cache, inner, nil)
	around := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/around")
		got := httptest.NewRecorder()
		inner.ServeHTTP(got, r)
		fmt.Fprintf(w, "(%s)", got.Body)
	}), nil)
	get := func(h http.Handler, path string) (string, bool) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Body.String(), strings.HasPrefix(w.Header().Get("Cache-Status"), "larder; hit")
	}
	for i, want := range []struct {
		h    http.Handler
		path string
		body string
		hit  bool
	}{
		{twice, "/a", "1", false}, {twice, "/a", "1", true},
		{around, "/around/b", "(1)", false}, {around, "/around/b", "(1)", true},
		{around, "/around/timed", "(timed)", false}, {around, "/around/timed", "(timed)", false},
	} {
		if body, hit := get(want.h, want.path); body != want.body || hit != want.hit {
			t.Errorf("%d: %s, hit %t", i, body, hit)
		}
	}
	if _, err := db.Exec("UPDATE t SET v = 2"); err != nil {
		t.Fatal(err)
	}
	for _, h := range []http.Handler{twice, around} {
		if body, hit := get(h, map[bool]string{true: "/a", false: "/around/b"}[h == twice]); hit || !strings.Contains(body, "2") {
			t.Errorf("after a write: %s, hit %t", body, hit)
		}
	}
}
