package page_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/page"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// A purger notes what it is asked for. It fails as often as it is told to, and waits while it is held.
type purger struct {
	mu    sync.Mutex
	fails int
	asked [][]string
	hold  chan bool
}

func (p *purger) Purge(ctx context.Context, tags []string) error {
	if p.hold != nil {
		<-p.hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, tags)
	if p.fails > 0 {
		p.fails--
		return errors.New("not now")
	}
	return nil
}

var quietly = slog.New(slog.NewTextHandler(io.Discard, nil))

// TestEdge: purges are retried, coalesced and counted.
func TestEdge(t *testing.T) {
	p := &purger{fails: 2, hold: make(chan bool)}
	e := page.NewEdge(p, &page.EdgeOptions{Retry: time.Millisecond, Again: -1, Logger: quietly})
	e.Changed(t.Context(), []string{"t"})
	p.hold <- true // the first purge is under way, or over
	for range 10 {
		e.Changed(t.Context(), []string{"u", "t"})
	}
	short, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := e.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it doesn't wait: %v", err)
	}
	close(p.hold)
	if err := e.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := e.Stats()
	if s.Changes != 21 || s.Coalesced < 18 || s.Failures != 2 || s.Purges < 1 || s.Purges > 2 || s.Waiting != 0 || s.Lag <= 0 {
		t.Errorf("%+v", s)
	}
	if last := p.asked[len(p.asked)-1]; !slices.Contains(last, page.TagOf("u")) {
		t.Errorf("purged %v", p.asked)
	}
}

// TestEdgeAgain: a purge is repeated once, for what was on its way.
func TestEdgeAgain(t *testing.T) {
	p := &purger{}
	e := page.NewEdge(p, &page.EdgeOptions{Again: 20 * time.Millisecond})
	e.Changed(t.Context(), []string{"t"})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		n := len(p.asked)
		p.mu.Unlock()
		if n == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d purges", n)
		}
	}
	if !slices.Equal(p.asked[0], p.asked[1]) {
		t.Errorf("%q", p.asked)
	}
}

// TestSettle: it returns when its own purge is done, although others come all the time.
func TestSettle(t *testing.T) {
	p := &purger{hold: make(chan bool)}
	e := page.NewEdge(p, &page.EdgeOptions{Again: -1, Patience: time.Minute})
	settled := make(chan bool)
	e.Changed(t.Context(), []string{"t"})
	p.hold <- true // and another purge is to come as long as this goes on
	go func() {
		e.Settle(t.Context(), []string{"u"})
		close(settled)
	}()
	for round := 0; ; round++ {
		e.Changed(t.Context(), []string{"t"})
		select {
		case p.hold <- true:
		case <-settled:
			close(p.hold)
			p.mu.Lock()
			defer p.mu.Unlock()
			if !slices.ContainsFunc(p.asked, func(tags []string) bool { return slices.Contains(tags, page.TagOf("u")) }) {
				t.Errorf("it returned before the purge: %v", p.asked)
			}
			return
		}
		if round > 100_000 {
			t.Fatal("it doesn't return")
		}
	}
}

// TestSettleLate: an edge that can't be reached doesn't keep a writer for longer than it may, and is purged when it can be.
func TestSettleLate(t *testing.T) {
	p := &purger{fails: 1}
	e := page.NewEdge(p, &page.EdgeOptions{Again: -1, Patience: 20 * time.Millisecond, Retry: 100 * time.Millisecond, Logger: quietly})
	e.Settle(t.Context(), []string{"t"})
	if s := e.Stats(); s.Late != 1 || s.Failures != 1 || s.Purges != 0 || s.Waiting == 0 {
		t.Errorf("%+v", s)
	}
	if err := e.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Purges != 1 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// TestSettlePatience: a writer waits for Patience, and not for Again as well; and an edge that has been away for long is purged soon after it is
// back: at once if somebody waits, and within seconds if not.
func TestSettlePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &purger{fails: 1 << 30}
		up := func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.fails = 0
		}
		e := page.NewEdge(p, &page.EdgeOptions{Again: 2 * time.Second, Patience: time.Second, Logger: quietly})
		began := time.Now()
		if e.Settle(t.Context(), []string{"t"}); time.Since(began) != time.Second || e.Stats().Late != 1 {
			t.Errorf("it waited for %v, late %d", time.Since(began), e.Stats().Late)
		}
		time.Sleep(10 * time.Minute)
		for n := e.Stats().Failures; e.Stats().Failures == n; { // the next try is 5 s away then
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		up()
		began = time.Now()
		if e.Settle(t.Context(), []string{"u"}); time.Since(began) > time.Second/4 || e.Stats().Late != 1 {
			t.Errorf("the edge is back, and it waited for %v, late %d", time.Since(began), e.Stats().Late)
		}
		time.Sleep(time.Minute) // all is repeated
		p.mu.Lock()
		p.fails = 1 << 30
		p.mu.Unlock()
		e.Changed(t.Context(), []string{"t"})
		time.Sleep(10*time.Minute + time.Second/10)
		up()
		if n := e.Stats().Waiting; n == 0 {
			t.Error("nothing waits though nothing was purged")
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s := e.Stats(); s.Waiting != 0 || s.Failures > 1000 {
			t.Errorf("the edge is back since 5 s: %+v", s)
		}
		time.Sleep(time.Minute)
	})
}

// TestEdgeWaiting: tags that are being purged wait as well.
func TestEdgeWaiting(t *testing.T) {
	p := &purger{hold: make(chan bool)}
	e := page.NewEdge(p, &page.EdgeOptions{Again: -1})
	e.Changed(t.Context(), []string{"t"})
	for range 100 {
		if n := e.Stats().Waiting; n != 2 { // t, and that of pages of many relations
			t.Fatalf("%d wait", n)
		}
		time.Sleep(time.Millisecond / 10)
	}
	close(p.hold)
	if err := e.Wait(t.Context()); err != nil || e.Stats().Waiting != 0 {
		t.Errorf("%v, %+v", err, e.Stats())
	}
}

// TestStrictWithoutAgain: there is nothing that it could wait for.
func TestStrictWithoutAgain(t *testing.T) {
	defer func() {
		if v := fmt.Sprint(recover()); !strings.Contains(v, "Again < 0") {
			t.Errorf("it says %s", v)
		}
	}()
	page.NewEdge(&purger{}, &page.EdgeOptions{Strict: true, Again: -1})
}

// TestPurgeBesideAHole: a server that doesn't answer keeps no other from being purged, and is left after Timeout, however much it is to be told.
func TestPurgeBesideAHole(t *testing.T) {
	hole, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	p := page.VarnishXkey("http://"+hole.Addr().String(), server.URL)
	p.Most = 1
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if err := p.Purge(ctx, []string{"a", "b", "c"}); err == nil || asked.Load() != 3 {
		t.Errorf("the other was asked %d times: %v", asked.Load(), err)
	}
	p.Timeout = 200 * time.Millisecond
	began := time.Now()
	if err := p.Purge(t.Context(), make([]string, 100)); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// TestSettleStrict: it waits for the repetition, which comes when that is due.
func TestSettleStrict(t *testing.T) {
	p := &purger{}
	e := page.NewEdge(p, &page.EdgeOptions{Again: 50 * time.Millisecond, Strict: true, Patience: time.Minute})
	began := time.Now()
	e.Settle(t.Context(), []string{"t"})
	p.mu.Lock()
	defer p.mu.Unlock()
	if took := time.Since(began); took < 50*time.Millisecond || len(p.asked) < 2 || !slices.Equal(p.asked[0], p.asked[1]) {
		t.Errorf("%v, purged %v", took, p.asked)
	}
}

// TestAgainIsLater: a purge is repeated no earlier than it should be, also if it comes when another is soon to be repeated.
func TestAgainIsLater(t *testing.T) {
	p := &times{at: map[string][]time.Time{}}
	const again = 60 * time.Millisecond
	e := page.NewEdge(p, &page.EdgeOptions{Again: again})
	const n = 12
	for i := range n {
		e.Changed(t.Context(), []string{fmt.Sprint("t", i)})
		time.Sleep(again / 6)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if p.repeated(n) {
			break
		}
		if time.Now().After(end) {
			t.Fatal(p.at)
		}
	}
	for i := range n {
		if at := p.at[page.TagOf(fmt.Sprint("t", i))]; at[1].Sub(at[0]) < again {
			t.Errorf("t%d is purged again after %v", i, at[1].Sub(at[0]))
		}
	}
}

// times notes when a tag was purged.
type times struct {
	mu sync.Mutex
	at map[string][]time.Time // guarded by mu
}

func (p *times) Purge(_ context.Context, tags []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, tag := range tags {
		p.at[tag] = append(p.at[tag], time.Now())
	}
	return nil
}

// repeated reports whether n tags were purged twice.
func (p *times) repeated(n int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range n {
		if len(p.at[page.TagOf(fmt.Sprint("t", i))]) < 2 {
			return false
		}
	}
	return true
}

// TestTags: which pages are marked, and how.
func TestTags(t *testing.T) {
	cache, db := newCache(t, nil)
	edge := page.NewEdge(&purger{}, &page.EdgeOptions{MaxAge: time.Hour, MaxTags: 1})
	cloud := page.NewEdge(&purger{}, &page.EdgeOptions{Header: "Cache-Tag"})
	get := func(o page.Options, header http.Header, tables ...string) http.Header {
		h := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for name, values := range header {
				w.Header()[name] = values
			}
			for _, table := range tables {
				fmt.Fprint(w, row(r.Context(), t, db, table))
			}
		}), &o)
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		if o.User != nil {
			r.Header.Set("X-User", "alice")
		}
		h.ServeHTTP(w, r)
		return w.Header()
	}
	all, one := page.TagOf("*"), page.TagOf("main.t")
	public := http.Header{"Cache-Control": {"public, no-cache"}}
	user := func(r *http.Request) (string, bool) { return r.Header.Get("X-User"), true }
	for i, c := range []struct {
		got                 http.Header
		field, tags, maxAge string
	}{
		{get(page.Options{Name: "1", Edge: edge}, public, "t"), "Surrogate-Key", all + " " + one, "max-age=3600"},
		{get(page.Options{Name: "2", Edge: edge}, nil, "t"), "Surrogate-Key", all + " " + one, ""},
		{get(page.Options{Name: "3", Edge: edge}, public, "t", "u"), "Surrogate-Key", all + " lwide", "max-age=3600"},
		{get(page.Options{Name: "4", Edge: edge}, http.Header{"Cache-Control": {"public, max-age=60"}}, "t"), "Surrogate-Key", all + " " + one, "max-age=60"},
		{get(page.Options{Name: "5", Edge: edge}, http.Header{"Vary": {"Cookie"}}, "t"), "Surrogate-Key", "", never},
		{get(page.Options{Name: "6", Edge: edge, User: user}, public, "t"), "Surrogate-Key", "", never},
		{get(page.Options{Name: "7", Edge: edge, Key: func(*http.Request) string { return "" }}, public, "t"), "Surrogate-Key", "", never},
		{get(page.Options{Name: "8", Edge: cloud}, public, "t"), "Cache-Tag", all + "," + one, ""},
	} {
		if got := c.got.Get(c.field); got != c.tags || c.got.Get("Surrogate-Control") != c.maxAge || c.got.Get("CDN-Cache-Control") != c.maxAge {
			t.Errorf("%d: %v, want tags %q and %q", i+1, c.got, c.tags, c.maxAge)
		}
	}
}

// never is what an edge is told of what it must not keep.
const never = "no-store, max-age=0"

// mayKeep reports whether an edge may keep a response that it is not told of by Cache-Control.
func mayKeep(h http.Header) bool {
	says := h.Get("Surrogate-Control")
	return says != "" && says != never
}

// TestEdgeMustNotKeep: what isn't kept here, or goes through, the edge is told not to keep, whatever its Cache-Control says.
func TestEdgeMustNotKeep(t *testing.T) {
	cache, db := newCache(t, nil)
	big := strings.Repeat("x", 5000)
	for _, maxAge := range []time.Duration{0, time.Hour} {
		edge := page.NewEdge(&purger{}, &page.EdgeOptions{MaxAge: maxAge})
		var says func(method, target, want string)
		h := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, s-maxage=60, max-age=60")
			v := row(r.Context(), t, db, "t")
			switch r.URL.Path {
			case "/big":
				io.WriteString(w, big)
			case "/flushed":
				io.WriteString(w, "begins")
				w.(http.Flusher).Flush()
			case "/own":
				w.Header().Set("Surrogate-Control", "max-age=5")
				io.WriteString(w, big)
			case "/bypass":
				v = row(larder.Bypass(r.Context()), t, db, "t")
			case "/cookie":
				w.Header().Set("Set-Cookie", "a=b")
			case "/status":
				w.WriteHeader(http.StatusTeapot)
			case "/held":
				if r.Method == http.MethodPost {
					says("GET", "/held", never) // it is made while a write is in flight
				}
			case "/expires":
				_, err := larder.Remember(r.Context(), cache, "price", func(context.Context) (int, error) { return 1, nil }, &larder.ValueOptions[int]{TTL: time.Minute})
				if err != nil {
					t.Error(err)
				}
			}
			fmt.Fprint(w, v)
		}), &page.Options{Edge: edge, MaxBytes: 4000, Name: maxAge.String()})
		says = func(method, target, want string) {
			t.Helper()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
			sc, cdn, tags := w.Header().Get("Surrogate-Control"), w.Header().Get("CDN-Cache-Control"), w.Header().Get("Surrogate-Key")
			if sc != want || cdn != want && target != "/own" || want == never && tags != "" {
				t.Errorf("%s %s: Surrogate-Control: %s, CDN-Cache-Control: %s, tags %s; want %q", method, target, sc, cdn, tags, want)
			}
		}
		for _, target := range []string{"/big", "/flushed", "/bypass", "/cookie", "/status", "/expires", "/expires", "/?unknown=1"} {
			says("GET", target, never)
		}
		says("HEAD", "/other", never)
		says("POST", "/", never)
		says("GET", "/own", "max-age=5")

		kept := ""
		if maxAge > 0 {
			kept = "max-age=60"
		}
		says("GET", "/", kept)
		says("GET", "/", kept)
		says("POST", "/held", never)
	}
}

// TestEdgeAge: the edge may keep a page that is found for MaxAge from then on, or for what is left of its life, once it has taken its Age off. An
// Age that the handler gives is told at once.
func TestEdgeAge(t *testing.T) {
	cache, db := newCache(t, nil)
	now := time.Now()
	edge := page.NewEdge(&purger{}, &page.EdgeOptions{MaxAge: time.Hour})
	h := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, no-cache")
		switch r.URL.Path {
		case "/lives":
			w.Header().Set("Cache-Control", "public, max-age=60")
		case "/aged":
			w.Header().Set("Cache-Control", "public, max-age=60")
			w.Header().Set("Age", "30")
		}
		fmt.Fprint(w, row(r.Context(), t, db, "t"))
	}), page.Options{Edge: edge}.At(func() time.Time { return now }))
	for _, c := range []struct {
		after       time.Duration
		path        string
		age, maxAge string
	}{
		{0, "/checked", "", "max-age=3600"}, {0, "/lives", "", "max-age=60"}, {0, "/aged", "30", "max-age=60"},
		{20500 * time.Millisecond, "/lives", "20", "max-age=60"}, {0, "/aged", "50", "max-age=60"}, {2 * time.Hour, "/checked", "7220", "max-age=10820"},
	} {
		now = now.Add(c.after)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		if got := w.Header(); got.Get("Age") != c.age || got.Get("Surrogate-Control") != c.maxAge || got.Get("CDN-Cache-Control") != c.maxAge {
			t.Errorf("%s after %v: %v; want Age %s, %s", c.path, c.after, got, c.age, c.maxAge)
		}
	}
}

// TestForms: what Fastly, Cloudflare and Varnish are asked, and what comes of their refusal.
func TestForms(t *testing.T) {
	var got []string
	status := 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, fmt.Sprintf("%s %s %s%s%s %s%s %s", r.Method, r.URL.Path, r.Header.Get("Surrogate-Key"), r.Header.Get("Surrogate-Key-Ban"),
			r.Header.Get("xkey-purge"), r.Header.Get("Fastly-Key"), r.Header.Get("Authorization"), body))
		w.WriteHeader(status)
		io.WriteString(w, "as it says")
	}))
	defer server.Close()
	for want, p := range map[string]*page.HTTPPurger{
		"POST /service/s/purge a b token ":                                     page.Fastly("s", "token"),
		`POST /client/v4/zones/z/purge_cache  Bearer token {"tags":["a","b"]}`: page.Cloudflare("z", "token"),
		"BAN / (^|[[:space:],])(a|b)($|[[:space:],])  ":                        page.Varnish(server.URL),
		"PURGE / a b  ": page.VarnishXkey(server.URL),
	} {
		got = nil
		p.URLs[0] = strings.NewReplacer("https://api.fastly.com", server.URL, "https://api.cloudflare.com", server.URL).Replace(p.URLs[0])
		if err := p.Purge(t.Context(), []string{"a", "b"}); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("asked %q, %v; want %q", got, err, want)
		}
		status = 500
		if err := p.Purge(t.Context(), []string{"a"}); err == nil || !strings.Contains(err.Error(), "as it says") {
			t.Errorf("refused: %v", err)
		}
		status = 200
		got, p.Most = nil, 2
		if err := p.Purge(t.Context(), []string{"a", "b", "c"}); err != nil || len(got) != 2 {
			t.Errorf("in parts: %q, %v", got, err)
		}
	}
}

// TestVarnish: a real Varnish keeps a page, answers by itself, and has a new one when a write returns that settles it; a page of
// another relation stays there.
func TestVarnish(t *testing.T) {
	cache, db := newCache(t, nil)
	purger := page.Varnish()
	edge := page.NewEdge(purger, &page.EdgeOptions{MaxAge: time.Hour, Again: -1, Retry: time.Millisecond, Logger: quietly})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, no-cache")
		switch r.URL.Path {
		case "/aged":
			w.Header().Set("Cache-Control", "public, max-age=62")
			w.Header().Set("Age", "60")
			fmt.Fprint(w, row(r.Context(), t, db, "t"))
		case "/bypass":
			w.Header().Set("Cache-Control", "public, max-age=60")
			fmt.Fprint(w, row(larder.Bypass(r.Context()), t, db, "t"))
		default:
			if r.Method != http.MethodGet {
				return
			}
			fmt.Fprint(w, row(r.Context(), t, db, r.URL.Path[1:]))
		}
	}), &page.Options{Edge: edge}))
	server.Listener.Close()
	server.Listener = l
	server.Start()
	defer server.Close()
	vcl, err := os.ReadFile("varnish.vcl")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	varnish := dbtest.NewVarnish(t, strings.Replace(string(vcl), `"8080"`, `"`+port+`"`, 1))
	purger.URLs = []string{"http://" + varnish.Addr() + "/"}
	get := func(path string) (body string, kept bool, header http.Header) {
		t.Helper()
		response, err := http.Get("http://" + varnish.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		b, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != 200 {
			t.Fatal(response.Status, err)
		}
		return string(b), len(strings.Fields(response.Header.Get("X-Varnish"))) == 2, response.Header
	}
	for i := range 3 {
		for _, path := range []string{"/t", "/u"} {
			if body, kept, h := get(path); body != "1" || kept != (i > 0) || h.Get("Surrogate-Key") != "" || h.Get("Cache-Control") != "public, no-cache" {
				t.Fatalf("%s: %s, kept %t, %v", path, body, kept, h)
			}
		}
	}
	for i := range 2 {
		if body, kept, h := get("/bypass"); body != "1" || kept || h.Get("CDN-Cache-Control") != "" {
			t.Errorf("what isn't kept here: %s, kept %t, %v", body, kept, h)
		}
		if body, kept, _ := get("/aged"); body != "1" || kept != (i > 0) {
			t.Errorf("what has two seconds to live: %s, kept %t", body, kept)
		}
	}
	time.Sleep(2500 * time.Millisecond)
	if body, kept, _ := get("/aged"); body != "1" || kept {
		t.Errorf("after its life: %s, kept %t", body, kept)
	}
	if _, err := db.Exec("UPDATE t SET v = 2 WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	if body, kept, _ := get("/t"); body != "1" || !kept {
		t.Errorf("without a purge Varnish has %s, kept %t: the test sees nothing", body, kept)
	}
	edge.Settle(t.Context(), []string{"main.t"})
	defer cache.OnCommit(edge.Settle)()
	for v := 3; v < 30; v++ {
		if body, kept, _ := get("/t"); body != fmt.Sprint(v-1) || kept {
			t.Errorf("after write %d: %s, kept %t", v-1, body, kept)
		}
		if body, kept, _ := get("/u"); body != "1" || !kept {
			t.Errorf("another page: %s, kept %t", body, kept)
		}
		if _, err := db.Exec("UPDATE t SET v = ? WHERE id = 1", v); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%+v", edge.Stats())

	if err := varnish.Stop(); err != nil {
		t.Fatal(err)
	}
	edge.Changed(t.Context(), []string{"*"})
	for edge.Stats().Failures == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := varnish.Start(); err != nil {
		t.Fatal(err)
	}
	if err := edge.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}
