package page_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/page"
)

type under = func(context.Context) context.Context

func plainly(ctx context.Context) context.Context { return ctx }

// TestWishesOfPages: a page that is asked for under Bypass is made and not kept, what is kept stays; under Refresh it is made and takes the place
// of what is kept, of the variant that was asked for, and if it may not be kept that goes all the same.
func TestWishesOfPages(t *testing.T) {
	cache, db := newCache(t, nil)
	made, control := 0, ""
	pages := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		made++
		w.Header().Set("Vary", "X-Shade")
		if control != "" {
			w.Header().Set("Cache-Control", control)
		}
		fmt.Fprint(w, row(r.Context(), t, db, "t"), ".", made)
	}), nil)
	const hit, stored = "larder; hit", "larder; fwd=vary-miss; stored"
	const bypassed, refreshed = `larder; fwd=bypass; detail="a bypass was asked for"`, "larder; fwd=request; stored"
	for i, step := range []struct {
		under          under
		shade, control string
		want, status   string
	}{
		{plainly, "red", "", "1.1", "larder; fwd=uri-miss; stored"},
		{plainly, "blue", "", "1.2", stored},
		{larder.Bypass, "red", "", "1.3", bypassed},
		{plainly, "red", "", "1.1", hit},
		{larder.Refresh, "red", "", "1.4", refreshed},
		{plainly, "red", "", "1.4", hit},
		{plainly, "blue", "", "1.2", hit},
		{larder.Refresh, "red", "private", "1.5", `larder; fwd=request; detail="Cache-Control: private"`},
		{plainly, "red", "", "1.6", stored},
	} {
		control = step.control
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Shade", step.shade)
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, r.WithContext(step.under(r.Context())))
		if got := w.Header().Get("Cache-Status"); w.Body.String() != step.want || got != step.status {
			t.Errorf("%d: %s, %s; want %s, %s", i, w.Body, got, step.want, step.status)
		}
	}
}

// TestBypassedPageInAPage: a page isn't kept that has one in it that was asked for under Bypass, though that reads nothing.
func TestBypassedPageInAPage(t *testing.T) {
	cache, db := newCache(t, nil)
	inner := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "inner") }), &page.Options{Name: "inner", TTL: time.Hour})
	outer := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		row(r.Context(), t, db, "t")
		inner.ServeHTTP(httptest.NewRecorder(), r.WithContext(larder.Bypass(r.Context())))
	}), nil)
	w := httptest.NewRecorder()
	outer.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got, want := w.Header().Get("Cache-Status"), `larder; fwd=uri-miss; detail="a bypass was asked for"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestWishesOfFragments: as those of pages; what a fragment is a part of that is asked for under Bypass isn't kept either.
func TestWishesOfFragments(t *testing.T) {
	cache, db := newCache(t, nil)
	made := 0
	fragment := func(ctx context.Context, w io.Writer, o *page.FragmentOptions) {
		err := page.Fragment(ctx, cache, w, "k", func(ctx context.Context, w io.Writer) error {
			made++
			if o == nil {
				row(ctx, t, db, "t")
			}
			_, err := fmt.Fprint(w, made)
			return err
		}, o)
		if err != nil {
			t.Error(err)
		}
	}
	lasting := &page.FragmentOptions{TTL: time.Hour} // it reads nothing that a bypass could be seen by
	for _, o := range []*page.FragmentOptions{nil, lasting} {
		made = 0
		for i, step := range []struct {
			under under
			want  string
		}{{larder.Refresh, "1"}, {plainly, "1"}, {larder.Bypass, "2"}, {plainly, "1"}, {larder.Refresh, "3"}, {plainly, "3"}} {
			var b strings.Builder
			if fragment(step.under(t.Context()), &b, o); b.String() != step.want {
				t.Errorf("%d: %s, want %s", i, b.String(), step.want)
			}
		}
	}
	around := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		row(r.Context(), t, db, "u")
		fragment(larder.Bypass(r.Context()), w, lasting)
	}), nil)
	w := httptest.NewRecorder()
	around.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got, want := w.Header().Get("Cache-Status"), `larder; fwd=uri-miss; detail="a bypass was asked for"`; got != want {
		t.Errorf("the page around it: %s, want %s", got, want)
	}
}

// TestCollapsed: who has waited for another's page is told so, and whether it was for him as well.
func TestCollapsed(t *testing.T) {
	for _, c := range []struct{ control, first, others string }{
		{"", "larder; fwd=uri-miss; stored", "larder; fwd=uri-miss; collapsed"},
		{"private", `larder; fwd=uri-miss; detail="Cache-Control: private"`, `larder; fwd=uri-miss; collapsed=?0; detail="Cache-Control: private"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			cache, db := newCache(t, nil)
			leave := make(chan bool)
			pages := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				row(r.Context(), t, db, "t")
				w.Header().Set("Cache-Control", c.control)
				<-leave
			}), nil)
			var all sync.WaitGroup
			var mu sync.Mutex
			var statuses []string // guarded by mu
			ask := func() {
				w := httptest.NewRecorder()
				pages.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				mu.Lock()
				defer mu.Unlock()
				statuses = append(statuses, w.Header().Get("Cache-Status"))
			}
			all.Go(ask)
			synctest.Wait()
			for range 3 {
				all.Go(ask)
			}
			synctest.Wait() // they wait for the first
			close(leave)
			all.Wait()
			if want := []string{c.first, c.others, c.others, c.others}; !slices.Equal(slices.Sorted(slices.Values(statuses)), slices.Sorted(slices.Values(want))) {
				t.Errorf("%q: %q, want %q", c.control, statuses, want)
			}
			ask()
			if got := statuses[4]; c.control == "" && got != "larder; hit" {
				t.Errorf("who comes later: %s", got)
			}
		})
	}
}
