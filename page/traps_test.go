package page_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/page"
)

// TestStreamsDontWait: who asks for a stream doesn't wait for another's to end.
func TestStreamsDontWait(t *testing.T) {
	cache, _ := newCache(t, nil)
	s := httptest.NewServer(page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: hello\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}), nil))
	defer s.Close()
	open := func(d time.Duration) error {
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		timer := time.AfterFunc(d, cancel)
		r, _ := http.NewRequestWithContext(ctx, "GET", s.URL+"/events", nil)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		_, err = bufio.NewReader(resp.Body).ReadString('\n')
		timer.Stop()
		return err
	}
	if err := open(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := open(3 * time.Second); err != nil {
		t.Errorf("the second subscriber: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
	s.CloseClientConnections()
}

// TestHeaderAfterEarlyHints: what a handler sets after an informational response, in the header that it has held since before, is sent.
func TestHeaderAfterEarlyHints(t *testing.T) {
	cache, _ := newCache(t, nil)
	s := httptest.NewServer(page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(103)
		h.Set("Cache-Control", "private, no-store")
		h.Set("Content-Type", "application/json")
		w.WriteHeader(200)
		io.WriteString(w, "{}")
	}), nil))
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Cache-Control") == "" || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("header: %v", resp.Header)
	}
}

// TestEdgeOfWhatIsNotKept: the edge may not keep what isn't kept here, nor what expires by itself.
func TestEdgeOfWhatIsNotKept(t *testing.T) {
	cache, db := newCache(t, nil)
	edge := page.NewEdge(&purger{}, &page.EdgeOptions{MaxAge: time.Hour})
	p := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, no-cache")
		a := row(r.Context(), t, db, "t")
		b := row(larder.Bypass(r.Context()), t, db, "u")
		fmt.Fprint(w, a, b)
	}), &page.Options{Edge: edge})
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if mayKeep(w.Header()) && !strings.Contains(w.Header().Get("Surrogate-Key"), page.TagOf("main.u")) {
		t.Error("the edge may keep for an hour what no write to u purges")
	}
	// without Bypass: a read that is never cached
	p = page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, no-cache")
		row(r.Context(), t, db, "t")
		var v, x int
		if err := db.QueryRowContext(r.Context(), "SELECT v, random() FROM u WHERE id = 1").Scan(&v, &x); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, v)
	}), &page.Options{Edge: edge})
	w = httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", "/2", nil))
	if mayKeep(w.Header()) && !strings.Contains(w.Header().Get("Surrogate-Key"), page.TagOf("main.u")) {
		t.Errorf("the same of random(): %v", w.Header())
	}
	// TTL of a value
	p = page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, no-cache")
		row(r.Context(), t, db, "t")
		v, _ := larder.Remember(r.Context(), cache, "price", func(context.Context) (int, error) { return 1, nil }, &larder.ValueOptions[int]{TTL: time.Second})
		fmt.Fprint(w, v)
	}), &page.Options{Edge: edge})
	for range 2 {
		w = httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest("GET", "/3", nil))
		if mayKeep(w.Header()) {
			t.Errorf("a page that expires in a second is kept by the edge: %v", w.Header())
		}
	}
}

type cardUser struct{ ID int }
type cardPost struct{ ID int }

func (u *cardUser) FragmentKey() string { return fmt.Sprint(u.ID) }
func (p *cardPost) FragmentKey() string { return fmt.Sprint(p.ID) }
func (u *cardUser) Show() string        { return "user" }
func (p *cardPost) Show() string        { return "post" }

type cardItem interface {
	page.Keyer
	Show() string
}

// TestKeyersOfOneInterface: things of different types behind one interface are different arguments.
func TestKeyersOfOneInterface(t *testing.T) {
	cache, db := newCache(t, nil)
	set := template.Must(template.New("").Funcs(page.Funcs()).Funcs(template.FuncMap{"v": func(ctx context.Context) int { return row(ctx, t, db, "t") }}).Parse(
		`{{define "card"}}{{v context}} {{range .}}{{.Show}}{{end}}{{end}}{{define "main"}}{{fragment "card" .}}{{end}}`))
	ts, err := page.NewTemplates(cache, set, nil)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := ts.Execute(context.Background(), &a, "main", []cardItem{&cardUser{1}}); err != nil {
		t.Fatal(err)
	}
	if err := ts.Execute(context.Background(), &b, "main", []cardItem{&cardPost{1}}); err != nil {
		t.Fatal(err)
	}
	if a.String() == b.String() {
		t.Errorf("%q and %q", a.String(), b.String())
	}
}

// TestWhoAsksByAField: a page is for who asks, if a field of a usual name says who that is.
func TestWhoAsksByAField(t *testing.T) {
	cache, db := newCache(t, nil)
	p := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		row(r.Context(), t, db, "t")
		fmt.Fprint(w, "for "+r.Header.Get("X-Api-Key"))
	}), nil)
	for _, k := range []string{"alice", "bob"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/me", nil)
		r.Header.Set("X-Api-Key", k)
		p.ServeHTTP(w, r)
		if w.Body.String() != "for "+k {
			t.Errorf("%s gets %q", k, w.Body)
		}
	}
}
