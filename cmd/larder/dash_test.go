package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dash"
)

// A guarded process serves its dashboard to those who give a header, and notes what it is asked.
type guarded struct {
	url string
	db  *sql.DB

	mu    sync.Mutex // guards asked
	asked []*http.Request
}

func newGuarded(t *testing.T, authorization string) *guarded {
	t.Helper()
	db, err := larder.Open("sqlite", shop(t), &larder.Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cache, _ := larder.Of(db)
	g := &guarded{db: db}
	mux := http.NewServeMux()
	mux.Handle("/larder/", dash.Handler(cache))
	mux.HandleFunc("/private", func(http.ResponseWriter, *http.Request) { t.Error("what isn't of the dashboard was asked for") })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.asked = append(g.asked, r)
		g.mu.Unlock()
		if r.Header.Get("Authorization") != authorization {
			http.Redirect(w, r, "https://login.invalid/", http.StatusFound)
			return
		}
		w.Header().Set("Set-Cookie", "session=hush")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Private-Network", "true")
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	g.url = server.URL + "/larder/"
	return g
}

// served runs larder dash, and returns where the page is. The command must end well when the test does.
func served(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	found := make(chan struct{})
	out := &awaited{text: "Ctrl-C", found: sync.OnceFunc(func() { close(found) })}
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, append([]string{"dash", "--listen", "127.0.0.1:0"}, args...), nil, out, out) }()
	t.Cleanup(func() {
		stop()
		select {
		case status := <-ended:
			if status != exitOK {
				t.Errorf("exit status %d: %s", status, out.String())
			}
		case <-time.After(10 * time.Second):
			t.Error("it doesn't end")
		}
	})
	select {
	case <-found:
	case status := <-ended:
		ended <- status
		t.Fatalf("exit status %d: %s", status, out.String())
	}
	return strings.TrimSuffix(regexp.MustCompile(`http://127\.0\.0\.1:\d+/ \(`).FindString(out.String()), " (")
}

func fetch(t *testing.T, r *http.Request) (int, http.Header, string) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(body)
}

func request(t *testing.T, method, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", "mine=1")
	r.Header.Set("Authorization", "Basic bWluZTptaW5l")
	return r
}

// TestDash: the page, its figures and its stream come from the process, which is asked as the command line says, and for nothing but what is
// of the dashboard; what the browser has for other sites isn't handed on.
func TestDash(t *testing.T) {
	const bearer = "Bearer hush"
	g := newGuarded(t, bearer)
	page := served(t, g.url, "--header", "Authorization: "+bearer)
	for path, want := range map[string]string{"": "<!doctype html>", "app.js": "use strict", "style.css": ":root", "api/stats": `"hitRatio"`, "api/shapes": "["} {
		status, header, body := fetch(t, request(t, "GET", page+path))
		if status != 200 || !strings.Contains(body, want) || !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'") || header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v %.80s", path, status, header, body)
		}
	}
	for _, path := range []string{"../private", "%2e%2e/private", "..%2fprivate", "api/../../private"} {
		if status, _, body := fetch(t, request(t, "GET", page+path)); status == 200 {
			t.Errorf("%s: %s", path, body)
		}
	}
	if status, _, _ := fetch(t, request(t, "POST", page+"api/stats")); status != http.StatusMethodNotAllowed {
		t.Errorf("a POST: %d", status)
	}
	led := request(t, "GET", page)
	led.Host = "evil.example:7070"
	if status, _, body := fetch(t, led); status != http.StatusMisdirectedRequest || strings.Contains(body, "doctype") {
		t.Errorf("a name of somebody else's: %d %s", status, body)
	}
	stream, err := http.DefaultClient.Do(request(t, "GET", page+"events"))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if line, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: {") {
		t.Errorf("%v: %s", err, line)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.asked {
		if r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != bearer || !strings.HasPrefix(r.URL.Path, "/larder/") || r.Method != "GET" {
			t.Errorf("the process was asked %s %s with %v", r.Method, r.URL, r.Header)
		}
	}
}

// TestDashElsewhere: other sites don't read what the process lets them read: it is asked with the command's credentials here.
func TestDashElsewhere(t *testing.T) {
	const bearer = "Bearer hush"
	g := newGuarded(t, bearer)
	page := served(t, g.url, "--header", "Authorization: "+bearer)
	here := strings.TrimSuffix(page, "/")
	for _, c := range []struct {
		name, value string
		status      int
	}{
		{"Sec-Fetch-Site", "none", http.StatusOK},
		{"Sec-Fetch-Site", "same-origin", http.StatusOK},
		{"Sec-Fetch-Site", "same-site", http.StatusForbidden},
		{"Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		{"Origin", here, http.StatusOK},
		{"Origin", "https://evil.example", http.StatusForbidden},
		{"Origin", "http://127.0.0.1:1", http.StatusForbidden},
		{"Origin", "null", http.StatusForbidden},
		{"Origin", "", http.StatusForbidden},
	} {
		for _, path := range []string{"", "api/stats"} {
			r := request(t, "GET", page+path)
			r.Header[c.name] = []string{c.value}
			status, header, body := fetch(t, r)
			if status != c.status || status != 200 && strings.Contains(body, "hitRatio") {
				t.Errorf("%s: %q of %q: %d %.80s", c.name, c.value, path, status, body)
			}
			for name := range header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s: %q: %s reaches the browser", c.name, c.value, name)
				}
			}
		}
	}
}

// TestDashUnauthorized: a browser isn't asked for a password of the process's; who has started the command is told what header it wants.
func TestDashUnauthorized(t *testing.T) {
	var refuses atomic.Bool
	process := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses.Load() {
			w.Header().Add("WWW-Authenticate", `Bearer realm="shop"`)
			w.Header().Add("WWW-Authenticate", `Basic realm="shop"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, "{}")
	}))
	defer process.Close()
	page := served(t, process.URL)
	refuses.Store(true)
	const says = `401 Unauthorized: it wants --header "Authorization: Bearer …" or "Authorization: Basic …" (or LARDER_HEADER)`
	status, header, body := fetch(t, request(t, "GET", page))
	if status != http.StatusBadGateway || header.Get("WWW-Authenticate") != "" || !strings.Contains(body, says) {
		t.Errorf("%d %v %s", status, header, body)
	}
	for _, command := range []string{"dash", "stats", "watch"} {
		status, _, stderr := larderCommand(t, "", command, process.URL)
		if status != exitFailed || !strings.Contains(stderr, says) {
			t.Errorf("%s: exit status %d, %s", command, status, stderr)
		}
	}
}

// TestDashBody: what a browser sends with a read isn't handed on.
func TestDashBody(t *testing.T) {
	sent := make(chan string, 2)
	process := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		sent <- fmt.Sprint(string(body), r.ContentLength, r.TransferEncoding, err)
		io.WriteString(w, "{}")
	}))
	defer process.Close()
	page := served(t, process.URL)
	<-sent
	for _, length := range []int64{4, -1} { // -1: in chunks
		r := request(t, "GET", page)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("hush")), length
		if status, _, body := fetch(t, r); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
		if got := <-sent; got != "0 [] <nil>" {
			t.Errorf("the process was sent %s", got)
		}
	}
}

// TestDashCredentials: a password of the URL is given to the process, and shown nowhere; so is the header of the environment, which watch and
// stats give as well.
func TestDashCredentials(t *testing.T) {
	g := newGuarded(t, "Basic dTpodXNo") // u:hush
	page := served(t, strings.Replace(g.url, "//", "//u:hush@", 1))
	if status, _, body := fetch(t, request(t, "GET", page+"api/stats")); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	status, _, stderr := larderCommand(t, "", "dash", g.url)
	if status != exitFailed || !strings.Contains(stderr, "302 Found") {
		t.Errorf("without a header: exit status %d, %s", status, stderr)
	}
	t.Setenv(headerVariable, "Authorization: Basic dTpodXNo")
	for _, args := range [][]string{{"stats", g.url}, {"watch", g.url, "--top"}} {
		if status, _, stderr := larderCommand(t, "", args...); status != exitOK {
			t.Errorf("%v: exit status %d, %s", args, status, stderr)
		}
	}
}

// TestStatsOfARunningProcess: the figures and the advice of a dashboard are read as it writes them.
func TestStatsOfARunningProcess(t *testing.T) {
	g := newGuarded(t, "")
	if status, _, stderr := larderCommand(t, "", "stats", g.url); status != exitOK { // it watches from now on
		t.Fatal(stderr)
	}
	for i := range 60 {
		for _, text := range []string{"SELECT n FROM stuff WHERE n = ?", "SELECT n FROM stuff WHERE n > random() AND n = ?"} {
			rows, err := g.db.Query(text, i)
			if err != nil {
				t.Fatal(err)
			}
			rows.Close()
		}
	}
	_, stdout, _ := larderCommand(t, "", "stats", g.url)
	wants(t, stdout, "costs SELECT n FROM stuff WHERE n = ?", "hardly asked again", "bypass SELECT n FROM stuff WHERE n > random() AND n = ?", "volatile (random())", "60 misses")
}

// TestDashAway: a process that has gone is an error on the page, not one of the command.
func TestDashAway(t *testing.T) {
	dead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") }))
	page := served(t, strings.Replace(dead.URL, "//", "//u:hush@", 1))
	dead.Close()
	if status, _, body := fetch(t, request(t, "GET", page+"api/stats")); status != http.StatusBadGateway || !strings.Contains(body, "ask the process") || strings.Contains(body, "hush") {
		t.Errorf("%d %s", status, body)
	}
}

// TestSameHost: headers aren't handed to where a process redirects.
func TestSameHost(t *testing.T) {
	var stolen bytes.Buffer
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { r.Header.Write(&stolen) }))
	defer thief.Close()
	process := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusFound))
	defer process.Close()
	status, _, _ := larderCommand(t, "", "stats", process.URL, "--header", "X-Key: hush")
	if status != exitFailed || stolen.Len() > 0 {
		t.Errorf("exit status %d, and elsewhere came %s", status, stolen.String())
	}
}
