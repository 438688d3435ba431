package page_test

import (
	"bufio"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/page"
)

var update = flag.Bool("update", false, "write the answers into testdata")

// A stage is a page handler before an origin that answers as it is told, over a real connection.
type stage struct {
	testing.TB
	cache  *larder.Cache
	db     *sql.DB
	server *httptest.Server

	handler  http.Handler
	handlers int

	start time.Time

	mu    sync.Mutex // guards the rest
	calls int
	told  origin
	later time.Duration
	tag   string // the last
}

// An origin is what the handler answers.
type origin struct {
	status int
	body   string // {n}: how often it was called; {v}: what it reads; {query}, {field}: of the request
	reads  bool
	writes bool
	acts   []string // what else it does
	fields [][2]string
}

func newStage(t testing.TB) *stage {
	s := &stage{TB: t, start: time.Now()}
	s.cache, s.db = newCache(t, nil)
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }))
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.server.Close)
	return s
}

// reset begins anew, with a handler of which nothing is kept.
func (s *stage) reset(args []string) {
	if _, err := s.db.Exec("UPDATE t SET v = 1"); err != nil {
		s.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers++
	s.calls, s.later, s.told = 0, 0, origin{status: 200, reads: true, body: "{n} has {v}"}
	s.handler = page.Handler(s.cache, http.HandlerFunc(s.origin), s.options(args))
}

// newCache opens a database with one row, 1, which has the value 1.
func newCache(t testing.TB, o *larder.Options) (*larder.Cache, *sql.DB) {
	t.Helper()
	if o == nil {
		o = &larder.Options{MaxBytes: 8 << 20}
	}
	cache, err := larder.New(o)
	if err != nil {
		t.Fatal(err)
	}
	db, err := cache.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "page.db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(); cache.Close() })
	for _, text := range []string{"CREATE TABLE t (id integer PRIMARY KEY, v integer)", "CREATE TABLE u (id integer PRIMARY KEY, v integer)",
		"INSERT INTO t VALUES (1, 1), (2, 1)", "INSERT INTO u VALUES (1, 1)"} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	return cache, db
}

func (s *stage) options(args []string) *page.Options {
	o := page.Options{Name: strconv.Itoa(s.handlers)}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "query":
			o.Query = page.Query(strings.Split(value, ",")...)
		case "any":
			o.Query = page.AnyQuery()
		case "ignore":
			o.Query = o.Query.Ignore(strings.Split(value, ",")...)
		case "ttl":
			o.TTL, _ = time.ParseDuration(value)
		case "max":
			o.MaxBytes, _ = strconv.Atoi(value)
		case "quiet":
			o.Quiet = true
		case "tell":
			o.CacheControl = value
		case "user":
			o.User = func(r *http.Request) (string, bool) { u := r.Header.Get("X-User"); return u, u != "?" }
		case "tenant":
			o.Key = func(r *http.Request) string { return r.Header.Get("X-Tenant") }
		default:
			s.Fatalf("unknown option %s", arg)
		}
	}
	return o.At(func() time.Time {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.start.Add(s.later)
	})
}

func (s *stage) origin(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	v := "?"
	if s.told.reads {
		var n int
		if err := s.db.QueryRowContext(r.Context(), "SELECT v FROM t WHERE id = 1").Scan(&n); err != nil {
			s.Error(err)
		}
		v = strconv.Itoa(n)
	}
	if s.told.writes {
		if _, err := s.db.ExecContext(r.Context(), "UPDATE u SET v = v + 1"); err != nil {
			s.Error(err)
		}
	}
	for _, f := range s.told.fields {
		value := strings.ReplaceAll(f[1], "{n}", strconv.Itoa(s.calls))
		value = strings.ReplaceAll(value, "{later}", s.start.Add(s.later+time.Minute).UTC().Format(http.TimeFormat))
		w.Header().Add(f[0], value)
	}
	body := strings.NewReplacer("{n}", strconv.Itoa(s.calls), "{v}", v, "{query}", r.URL.RawQuery, "{target}", r.RequestURI,
		"{cookie}", r.Header.Get("Cookie"), "{language}", r.Header.Get("Accept-Language"), "{user}", r.Header.Get("X-User"),
		"{none}", r.Header.Get("If-None-Match"), "{method}", r.Method).Replace(s.told.body)
	for _, act := range s.told.acts {
		s.act(act, w)
	}
	if s.told.status != 200 {
		w.WriteHeader(s.told.status)
	}
	io.WriteString(w, body)
	if slices.Contains(s.told.acts, "trailer") {
		w.Header().Set("X-Sum", "1")
	}
}

func (s *stage) act(act string, w http.ResponseWriter) {
	switch act {
	case "flush":
		io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
	case "hints":
		w.Header().Set("Link", "</s.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
	case "trailer":
		w.Header().Set("Trailer", "X-Sum")
	case "hijack":
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			s.Fatal(err)
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhijacked")
		c.Close()
	case "panic":
		panic(http.ErrAbortHandler)
	default:
		s.Fatalf("unknown act %s", act)
	}
}

// tell sets what the origin answers from now on.
func (s *stage) tell(lines []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = origin{status: 200, reads: true, body: "{n} has {v}"}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "status":
			s.told.status, _ = strconv.Atoi(value)
		case "body":
			s.told.body = value
		case "reads":
			s.told.reads = value == "yes"
		case "writes":
			s.told.writes = value == "yes"
		case "does":
			s.told.acts = strings.Fields(value)
		default:
			s.told.fields = append(s.told.fields, [2]string{name, value})
		}
	}
	return "ok\n"
}

// ask sends a request, and says what came.
func (s *stage) ask(method, target string, lines []string) string {
	r, err := http.NewRequest(method, s.server.URL+target, nil)
	if err != nil {
		s.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "host":
			r.Host = value
		case "body":
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(value)), int64(len(value))
		default:
			r.Header.Add(name, strings.ReplaceAll(value, "{tag}", s.tag))
		}
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return "error: " + lastWord(err) + "\n"
	}
	defer response.Body.Close()
	s.tag = response.Header.Get("Etag")
	body, err := io.ReadAll(response.Body)
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", response.StatusCode)
	var fields []string
	for name, values := range response.Header {
		usual := name == "Content-Type" && values[0] == "text/plain; charset=utf-8" || name == "Content-Length" && values[0] == strconv.Itoa(len(body))
		if name != "Date" && name != "Connection" && !usual {
			fields = append(fields, name+": "+strings.Join(values, " & "))
			if name == "Expires" && len(values[0]) > 1 {
				fields[len(fields)-1] = "Expires: (a time)"
			}
		}
	}
	slices.Sort(fields)
	for _, f := range fields {
		b.WriteString(strings.TrimRight(f, " ") + "\n")
	}
	if len(body) > 0 {
		fmt.Fprintf(&b, "body: %s\n", strings.TrimSpace(string(body)))
	}
	for name, values := range response.Trailer {
		fmt.Fprintf(&b, "trailer: %s: %s\n", name, strings.Join(values, " & "))
	}
	if err != nil {
		fmt.Fprintf(&b, "error: %s\n", lastWord(err))
	}
	return b.String()
}

func lastWord(err error) string {
	words := strings.Fields(err.Error())
	return words[len(words)-1]
}

// write changes what the origin reads.
func (s *stage) write() string {
	if _, err := s.db.Exec("UPDATE t SET v = v + 1 WHERE id = 1"); err != nil {
		s.Fatal(err)
	}
	return "ok\n"
}

// do does one command of a file.
func (s *stage) do(lines []string) string {
	words := strings.Fields(lines[0])
	switch words[0] {
	case "origin":
		return s.tell(lines[1:])
	case "write":
		return s.write()
	case "later":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.Fatal(err)
		}
		s.mu.Lock()
		s.later += d
		s.mu.Unlock()
		return "ok\n"
	}
	return s.ask(words[0], words[1], lines[1:])
}

// TestGolden has the commands of testdata/*.txt done, and compares what they answer. A block is a command, "----" and the answer.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			golden(t, file)
		})
	}
}

func golden(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	s := newStage(t)
	lines := bufio.NewScanner(strings.NewReader(string(text) + "\n\n"))
	var block []string
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line != "" {
			block = append(block, line)
			continue
		}
		if len(block) == 0 {
			continue
		}
		runBlock(t, s, block, &out, fmt.Sprintf("%s:%d", file, n-len(block)))
		block = nil
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(strings.TrimSuffix(out.String(), "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// runBlock does one block, which may have comments first.
func runBlock(t *testing.T, s *stage, block []string, out *strings.Builder, at string) {
	for len(block) > 0 && strings.HasPrefix(block[0], "#") {
		out.WriteString(block[0] + "\n")
		block = block[1:]
	}
	if len(block) == 0 {
		out.WriteString("\n")
		return
	}
	asked, wanted := block, ""
	if i := slices.Index(block, "----"); i >= 0 {
		asked, wanted = block[:i], strings.Join(block[i+1:], "\n")+"\n"
	}
	if words := strings.Fields(asked[0]); words[0] == "reset" {
		s.reset(words[1:])
		out.WriteString(asked[0] + "\n\n")
		return
	}
	got := s.do(asked)
	if got != wanted && !*update {
		t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", at, strings.Join(asked, "\n"), got, wanted)
	}
	out.WriteString(strings.Join(asked, "\n") + "\n----\n" + got + "\n")
}
