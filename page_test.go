package larder

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/page"
	"github.com/larderdb/larder/store/redis"
)

// pagesOf serves the registers of a database as pages: GET /0 reads register 0, POST /0?v=7 writes it. ofRequest is the context under which a
// handler reads.
func pagesOf(cache *Cache, db *sql.DB, ofRequest func(*http.Request) context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{register}", func(w http.ResponseWriter, r *http.Request) {
		var v int64
		err := db.QueryRowContext(ofRequest(r), fmt.Sprintf("SELECT v FROM reg_%s WHERE k = 0", r.PathValue("register"))).Scan(&v)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%d", v)
	})
	mux.HandleFunc("POST /{register}", func(w http.ResponseWriter, r *http.Request) {
		_, err := db.ExecContext(r.Context(), fmt.Sprintf("UPDATE reg_%s SET v = %s WHERE k = 0", r.PathValue("register"), r.URL.Query().Get("v")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return page.Handler(cache, mux, &page.Options{TTL: time.Minute})
}

func ofRequest(r *http.Request) context.Context { return r.Context() }

// A pageClient reads and writes registers over HTTP.
type pageClient struct {
	id      int
	history *history
	send    func(method, target string) (status int, body, cacheStatus string, err error)
	hits    *atomic.Int64
}

func (c *pageClient) step(r *rand.Rand, active int) error {
	i := r.IntN(active)
	if r.IntN(100) < 90 {
		called := c.history.now()
		status, body, cached, err := c.send("GET", fmt.Sprintf("/%d", i))
		if err != nil || status != 200 {
			return fmt.Errorf("GET: %d %s %w", status, body, err)
		}
		v, err := strconv.ParseInt(body, 10, 64)
		if err != nil {
			return err
		}
		if strings.HasPrefix(cached, "larder; hit") {
			c.hits.Add(1)
		}
		c.history.noteRead(c.id, i, called, v)
		return nil
	}
	v, called := c.history.fresh(), c.history.now()
	status, body, _, err := c.send("POST", fmt.Sprintf("/%d?v=%d", i, v))
	if err == nil && status != 200 {
		err = fmt.Errorf("POST: %d %s", status, body)
	}
	c.history.noteWrite(c.id, i, called, v, err)
	return err
}

// runPages has clients of handlers call until the time is over, and returns how many hits there were.
func runPages(t *testing.T, h *history, d time.Duration, sends ...func(method, target string) (int, string, string, error)) int64 {
	var all sync.WaitGroup
	var hits atomic.Int64
	end := time.Now().Add(d)
	for id := range 6 {
		c := &pageClient{id: id, history: h, send: sends[id%len(sends)], hits: &hits}
		r := rand.New(rand.NewPCG(uint64(id), labSeed()))
		all.Go(func() {
			for time.Now().Before(end) && !t.Failed() {
				if err := c.step(r, 2); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	return hits.Load()
}

// inProcess calls a handler in this process. A write goes around the page handler, so that nothing but what was read removes a page.
func inProcess(pages, bare http.Handler) func(method, target string) (int, string, string, error) {
	return func(method, target string) (int, string, string, error) {
		h := pages
		if method == "POST" {
			h = bare
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
		return w.Code, w.Body.String(), w.Header().Get("Cache-Status"), nil
	}
}

// writing serves POST without pages.
func writing(db *sql.DB) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := db.ExecContext(r.Context(), fmt.Sprintf("UPDATE reg_%s SET v = %s WHERE k = 0", r.URL.Path[1:], r.URL.Query().Get("v")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// pageRound runs pages over a lab's two handles, and returns what the checker says, with the hits.
func pageRound(t *testing.T, k kind, m coherence.Mutant, w *window, of func(*http.Request) context.Context) (porcupine.CheckResult, int64) {
	l := newLab(t, k, m, w)
	var sends []func(string, string) (int, string, string, error)
	for _, db := range l.handles {
		sends = append(sends, inProcess(pagesOf(l.cache, db, of), writing(db)))
	}
	hits := runPages(t, l.history, 400*time.Millisecond, sends...)
	return l.history.check(register), hits
}

// TestPagesAreLinearizable: a page is never older than a write that was acknowledged before it was asked for, nor than
// another that was read before.
func TestPagesAreLinearizable(t *testing.T) {
	wide := &window{read: 2 * time.Millisecond, write: 2 * time.Millisecond}
	for _, k := range []kind{sqlite3, kinds[2]} {
		for _, w := range []*window{nil, wide} {
			t.Run(fmt.Sprint(k.name, " ", w != nil), func(t *testing.T) {
				result, hits := pageRound(t, k, coherence.NoMutant, w, ofRequest)
				if result != porcupine.Ok || hits == 0 {
					t.Errorf("%s, with %d hits", result, hits)
				}
			})
		}
	}
}

// TestPageMutantsAreSeen: what would make a page stale is seen by the checker.
func TestPageMutantsAreSeen(t *testing.T) {
	elsewhere := func(r *http.Request) context.Context { return context.WithoutCancel(context.Background()) }
	for _, m := range []struct {
		name   string
		mutant coherence.Mutant
		window *window
		of     func(*http.Request) context.Context
	}{
		{"ReleaseBeforeCommit", coherence.ReleaseBeforeCommit, &window{write: 3 * time.Millisecond}, ofRequest},
		{"AnotherContext", coherence.NoMutant, nil, elsewhere},
	} {
		t.Run(m.name, func(t *testing.T) {
			for start := time.Now(); time.Since(start) < untilSeen; {
				if result, _ := pageRound(t, sqlite3, m.mutant, m.window, m.of); result == porcupine.Illegal {
					return
				}
			}
			t.Error("every history was linearizable")
		})
	}
}

const pageWorkerVariable = "LARDER_TEST_PAGES"

// TestPageWorker is no test but one of the processes of TestPagesOfTwoProcesses.
func TestPageWorker(t *testing.T) {
	parts := strings.Split(os.Getenv(pageWorkerVariable), "|")
	if len(parts) != 3 {
		t.Skip("no worker")
	}
	s, err := redis.Open(redis.Options{Addresses: []string{parts[1]}, Timeout: time.Second, Settle: -1})
	if err != nil {
		t.Fatal(err)
	}
	o := &Options{Store: s, Name: "pages", ConnectorName: "slow", MaxBytes: 8 << 20}
	if parts[2] != "" {
		o.mutant = coherence.ReleaseBeforeCommit
	}
	cache, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := driverOf("pgx", parts[0])
	if err != nil {
		t.Fatal(err)
	}
	inner, err := connectorOf(d, parts[0])
	if err != nil {
		t.Fatal(err)
	}
	w := &window{write: 2 * time.Millisecond}
	db := sql.OpenDB(cache.Connector(slowConnector{inner, w}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("listening %s\n", l.Addr())
	bare := writing(db)
	pages := pagesOf(cache, db, ofRequest)
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			bare.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	}))
	io.Copy(io.Discard, os.Stdin) // until the parent has gone
}

// startPages starts a worker and returns a way to call it.
func startPages(t *testing.T, dsn, store, mutant string) func(method, target string) (int, string, string, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestPageWorker$")
	cmd.Env = append(os.Environ(), pageWorkerVariable+"="+dsn+"|"+store+"|"+mutant)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal("the worker said nothing: ", err)
		}
		if addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening "); ok {
			go io.Copy(io.Discard, lines)
			return over(addr)
		}
	}
}

// over calls a server.
func over(addr string) func(method, target string) (int, string, string, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 10}}
	return func(method, target string) (int, string, string, error) {
		r, err := http.NewRequest(method, "http://"+addr+target, nil)
		if err != nil {
			return 0, "", "", err
		}
		r.Host = "pages.example" // of all processes
		response, err := client.Do(r)
		if err != nil {
			return 0, "", "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response.StatusCode, string(body), response.Header.Get("Cache-Status"), err
	}
}

// TestPagesOfTwoProcesses: so it is where two processes share Redis; and a mutant is seen.
func TestPagesOfTwoProcesses(t *testing.T) {
	for _, mutant := range []string{"", "ReleaseBeforeCommit"} {
		t.Run("mutant "+mutant, func(t *testing.T) {
			dsn := dbtest.Postgres(t).Database(t).DSN(bounded)
			bare, err := sql.Open("pgx", dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer bare.Close()
			for i := range 2 {
				for _, text := range []string{"CREATE TABLE reg_%d (k integer PRIMARY KEY, v bigint)", "INSERT INTO reg_%d VALUES (0, 0)"} {
					if _, err := bare.Exec(fmt.Sprintf(text, i)); err != nil {
						t.Fatal(err)
					}
				}
			}
			addr := dbtest.NewRedis(t).Addr()
			sends := []func(string, string) (int, string, string, error){startPages(t, dsn, addr, mutant), startPages(t, dsn, addr, mutant)}
			h := &history{start: time.Now()}
			result, hits, start := porcupine.Ok, int64(0), time.Now()
			for round := 0; round < 2 || mutant != "" && result == porcupine.Ok && time.Since(start) < untilSeen; round++ {
				hits += runPages(t, h, time.Second, sends...)
				if result = h.check(register); mutant == "" && result != porcupine.Ok {
					break
				}
			}
			if want := map[bool]porcupine.CheckResult{true: porcupine.Ok, false: porcupine.Illegal}[mutant == ""]; result != want || hits == 0 {
				t.Errorf("%s after %d calls, with %d hits; want %s", result, len(h.ops), hits, want)
			}
			t.Logf("%d calls, %d hits", len(h.ops), hits)
		})
	}
}
