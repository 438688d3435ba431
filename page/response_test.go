package page_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/larderdb/larder/page"
)

// TestFieldsOfOthers: what a middleware outside has put into the header is of its request, and isn't kept; what the handler has made of it is.
func TestFieldsOfOthers(t *testing.T) {
	cache, db := newCache(t, nil)
	pages := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Del("X-Unwanted")
		w.Header().Add("X-List", "inner")
		w.Header().Set("X-Own", "1")
		w.Header()["Content-Type"] = nil
		fmt.Fprint(w, row(r.Context(), t, db, "t"))
		w.Header().Set("X-Late", "never sent")
	}), nil)
	n := 0
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("X-Request", strconv.Itoa(n))
		w.Header().Set("X-Unwanted", "x")
		w.Header().Set("X-List", "outer")
		pages.ServeHTTP(w, r)
	}))
	defer outer.Close()
	for i, status := range []string{"larder; fwd=uri-miss; stored", "larder; hit"} {
		response, err := http.Get(outer.URL)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		h := response.Header
		if got := h.Get("X-Request"); got != strconv.Itoa(i+1) {
			t.Errorf("request %s instead of %d", got, i+1)
		}
		if _, typed := h["Content-Type"]; typed || h.Get("Cache-Status") != status || h.Get("X-Unwanted") != "" || h.Get("X-Late") != "" ||
			strings.Join(h["X-List"], ",") != "outer,inner" || h.Get("X-Own") != "1" {
			t.Errorf("%d: %v", i, h)
		}
	}
}

// TestUnsafeRequests: while one is under way nothing is kept of its URL, and what was kept isn't served: its response may have been
// sent already.
func TestUnsafeRequests(t *testing.T) {
	cache, _ := newCache(t, nil)
	entered, leave := make(chan bool), make(chan bool)
	value := "old"
	pages := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			entered <- true
			<-leave
			return
		}
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, value)
	}), nil)
	get := func() (string, string) {
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return w.Body.String(), w.Header().Get("Cache-Status")
	}
	get()
	if _, status := get(); status != "larder; hit" {
		t.Fatal(status)
	}
	done := make(chan bool)
	go func() {
		ctx, cancel := context.WithCancel(context.Background())
		r := httptest.NewRequest("POST", "/", nil).WithContext(ctx)
		cancel() // the client has gone
		pages.ServeHTTP(httptest.NewRecorder(), r)
		close(done)
	}()
	<-entered
	value = "new"
	for range 2 {
		if body, status := get(); body != "new" || !strings.Contains(status, "in flight") {
			t.Errorf("meanwhile: %s, %s", body, status)
		}
	}
	leave <- true
	<-done
	for _, want := range []string{"larder; fwd=uri-miss; stored", "larder; hit"} {
		if body, status := get(); body != "new" || status != want {
			t.Errorf("afterwards: %s, %s", body, status)
		}
	}
}

// TestNilCache: programmers' errors are told at once.
func TestNilCache(t *testing.T) {
	for _, f := range []func(){
		func() { page.Handler(nil, http.NotFoundHandler(), nil) },
		func() { page.NewEdge(nil, nil) },
		func() { page.Query().Ignore("[") },
	} {
		func() {
			defer func() {
				if v := recover(); v == nil || !strings.HasPrefix(fmt.Sprint(v), "page: ") {
					t.Errorf("panic %v", v)
				}
			}()
			f()
		}()
	}
}
