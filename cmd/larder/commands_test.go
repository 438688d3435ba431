package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/larderdb/larder/cmd/larder/logs"
	"github.com/larderdb/larder/cmd/larder/predict"
	"github.com/larderdb/larder/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares a text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%v: got\n%s\nwant\n%s", err, got, want)
	}
}

// file makes one.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnalyzeGolden(t *testing.T) {
	for _, f := range logs.Formats {
		name := strings.Replace(string(f), "mysql-", "mariadb-", 1)
		log := filepath.Join("logs", "testdata", name+".log")
		for suffix, args := range map[string][]string{".txt": {"--database", "test_1"}, ".json": {"--database", "test_1", "--json"}} {
			status, stdout, stderr := larderCommand(t, "", append([]string{"analyze", log}, args...)...)
			if status != exitOK || stderr != "" {
				t.Errorf("%s: exit status %d, %s", f, status, stderr)
			}
			golden(t, "analyze-"+name+suffix, stdout)
		}
	}
}

func TestAnalyzeStandardInput(t *testing.T) {
	text, err := os.ReadFile("logs/testdata/mysql8-general.log")
	if err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := larderCommand(t, string(text), "analyze", "-")
	if status != exitOK {
		t.Errorf("exit status %d, %s", status, stderr)
	}
	wants(t, stdout, "2 reads, 0 writes", "assumed")
}

// pg_stat_statements tells which share can be cached, without a log.
func TestAnalyzeStatements(t *testing.T) {
	d := dbtest.NewPostgres(t, "-c", "shared_preload_libraries=pg_stat_statements").Database(t)
	at := []string{"analyze", "--statements", "--driver", "pgx", "--dsn", d.DSN()}
	status, _, stderr := larderCommand(t, "", at...)
	if status != exitFailed || !strings.Contains(stderr, "CREATE EXTENSION pg_stat_statements") {
		t.Errorf("exit status %d, %s", status, stderr)
	}
	d.Run(t, `CREATE EXTENSION pg_stat_statements; CREATE TABLE stuff (id int PRIMARY KEY, n int); CREATE VIEW dear AS SELECT * FROM stuff;
		SELECT pg_stat_statements_reset(); SELECT n FROM dear WHERE id = 7; SELECT n FROM dear WHERE id = 8; SELECT n FROM stuff WHERE n > random();
		UPDATE stuff SET n = 1;`)
	_, stdout, _ := larderCommand(t, "", at...)
	wants(t, stdout, "66.7% of the reads can be cached", "not cacheable: volatile (random())", "a write", "takes a log")
	_, stdout, _ = larderCommand(t, "", append(at, "--json")...)
	var r predict.Statements
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || r.Cacheable != 2 || r.Reads != 3 || r.Writes != 1 || r.Took == 0 {
		t.Errorf("%v: %s", err, stdout)
	}
	for _, of := range r.Shapes {
		if of.Calls == 2 && (len(of.Rows) != 1 || of.Rows[0] != "public.stuff{id=$1}" || of.Writes != 1) {
			t.Errorf("%+v", of)
		}
	}
}

// A transaction's writes count when it commits, and reads in it may not be cached.
func TestAnalyzeTransactions(t *testing.T) {
	log := `2026-11-26 10:00:00 UTC [1] a@shop LOG:  statement: SELECT * FROM stuff WHERE user_id = 1
2026-11-26 10:00:01 UTC [2] a@shop LOG:  statement: BEGIN
2026-11-26 10:00:01 UTC [2] a@shop LOG:  statement: DELETE FROM stuff WHERE user_id = 1
2026-11-26 10:00:02 UTC [1] a@shop LOG:  statement: SELECT * FROM stuff WHERE user_id = 1
2026-11-26 10:00:03 UTC [2] a@shop LOG:  statement: SELECT * FROM stuff WHERE user_id = 1
2026-11-26 10:00:04 UTC [2] a@shop LOG:  statement: ` + "%s" + `
2026-11-26 10:00:05 UTC [1] a@shop LOG:  statement: SELECT * FROM stuff WHERE user_id = 1
2026-11-26 10:00:06 UTC [1] a@shop LOG:  statement: SELECT * FROM stuff WHERE user_id = 1
2026-11-26 10:00:07 UTC [3] a@shop LOG:  statement: BEGIN ISOLATION LEVEL REPEATABLE READ
2026-11-26 10:00:08 UTC [3] a@shop LOG:  statement: SELECT * FROM stuff WHERE user_id = 1
`
	for end, want := range map[string]int{"COMMIT": 2, "ROLLBACK": 3} {
		r := predicted(t, file(t, "log", fmt.Sprintf(log, end)))
		if r.Hits != want || r.Bypassed != 2 || r.Reads != 6 {
			t.Errorf("%s: %d hits of %d reads, %d bypasses", end, r.Hits, r.Reads, r.Bypassed)
		}
		if len(r.Reasons) != 2 || r.Reasons[0].Reason != "isolation level" || r.Reasons[1].Reason != "written in this transaction" {
			t.Errorf("%s: %+v", end, r.Reasons)
		}
	}
}

// What a write removes is what it changes.
func TestAnalyzeWrites(t *testing.T) {
	const read = "SELECT * FROM stuff WHERE user_id = 1"
	for write, removes := range map[string]bool{
		"UPDATE stuff SET price = 2 WHERE user_id = 1":                            true,
		"UPDATE stuff SET price = 2 WHERE user_id = 2":                            false,
		"UPDATE stuff SET price = 2 WHERE id = 7":                                 true, // of user 1, by the INSERT
		"UPDATE stuff SET price = 2 WHERE id = 8":                                 false,
		"UPDATE stuff SET price = 2 WHERE price < 2":                              true,
		"INSERT INTO stuff (id, user_id) VALUES (9, 2)":                           false,
		"UPDATE users SET name = 'a' WHERE id = 1":                                false,
		"DELETE FROM stuff WHERE id = 7":                                          true,
		"DELETE FROM stuff WHERE id = 8":                                          false,
		"TRUNCATE stuff":                                                          true,
		"ALTER TABLE users ADD COLUMN a int":                                      true,
		"UPDATE stuff SET user_id = 1 WHERE id = 8":                               true,
		"INSERT INTO stuff SELECT * FROM more":                                    true,
		"INSERT INTO stuff (user_id) VALUES (2), (1)":                             true,
		"WITH w AS (DELETE FROM stuff WHERE id = 8 RETURNING id) SELECT * FROM w": true,
	} {
		var b strings.Builder
		other := "SELECT * FROM stuff WHERE user_id = 5" // from then on results are told apart by users
		for i, text := range []string{"INSERT INTO stuff (id, user_id) VALUES (7, 1), (8, 2)", other, read, read, read, write, read} {
			fmt.Fprintf(&b, "2026-11-26 10:00:%02d UTC [1] a@shop LOG:  statement: %s\n", i, text)
		}
		r := predicted(t, file(t, "log", b.String()))
		want := 3
		if removes {
			want = 2
		}
		if r.Hits != want || r.Asked != 5 || r.Writes != 2 {
			t.Errorf("%s: %d hits of %d, want %d", write, r.Hits, r.Asked, want)
		}
	}
}

func TestExplainFile(t *testing.T) {
	path := file(t, "queries.sql", "SELECT * FROM stuff; -- one\nUPDATE stuff SET n = 1 WHERE id = 7;")
	_, stdout, _ := larderCommand(t, "", "explain", "--file", path, "--dialect", "postgres")
	golden(t, "explain-file.txt", stdout)
	_, stdout, _ = larderCommand(t, "", "explain", "--file", path, "--dialect", "postgres", "--json")
	golden(t, "explain-file.json", stdout)
	status, stdout, _ := larderCommand(t, "SELECT n FROM stuff; SELECT n FROM dear", "explain", "--file", "-", "--driver", "sqlite", "--dsn", shop(t))
	if status != exitOK || strings.Count(stdout, "reads      main.stuff\n") != 2 {
		t.Errorf("exit status %d: %s", status, stdout)
	}
}

func TestVerifyAndBench(t *testing.T) {
	path := shop(t)
	queries := file(t, "queries.sql", "SELECT * FROM stuff; SELECT n FROM dear; SELECT random(), n FROM stuff;")
	status, stdout, stderr := larderCommand(t, "", "verify", queries, "--driver", "sqlite", "--dsn", path)
	if status != exitOK || stderr != "" {
		t.Errorf("exit status %d, %s", status, stderr)
	}
	golden(t, "verify.txt", stdout)
	_, stdout, _ = larderCommand(t, "SELECT * FROM stuff", "verify", "-", "--driver", "sqlite", "--dsn", path, "--json", "--times", "5")
	golden(t, "verify.json", stdout)
	status, stdout, stderr = larderCommand(t, "", "bench", queries, "--driver", "sqlite", "--dsn", path, "--for", "100ms", "--workers", "2")
	if status != exitOK {
		t.Errorf("exit status %d, %s", status, stderr)
	}
	wants(t, stdout, "queries/s", "p50", "p99", "bare", "cached", "times as fast", "hit ratio")
	_, stdout, _ = larderCommand(t, "", "bench", queries, "--driver", "sqlite", "--dsn", path, "--for", "500ms", "--json")
	var m measurement
	if err := json.Unmarshal([]byte(stdout), &m); err != nil || m.Bare.Queries == 0 || m.Cached.P99 == 0 || m.HitRatio < 0.5 || m.Bypasses == 0 || m.Workers != 4 {
		t.Errorf("%v: %s", err, stdout)
	}
}

// A store has results that a write past Larder made old: verify finds them, invalidate and flush remove them.
func TestSharedStore(t *testing.T) {
	dsn := dbtest.Postgres(t).Database(t).DSN()
	store := "memcached://" + dbtest.NewMemcached(t).Addr() + "?trust_empty=true"
	bare, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	exec := func(text string) {
		if _, err := bare.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE stuff (id int PRIMARY KEY, n int)")
	exec("INSERT INTO stuff VALUES (1, 1), (2, 2)")
	at := []string{"--driver", "pgx", "--dsn", dsn, "--store", store}
	verify := func(queries string, want int, parts ...string) {
		t.Helper()
		status, stdout, stderr := larderCommand(t, queries, append([]string{"verify", "-"}, at...)...)
		if status != want {
			t.Errorf("exit status %d, %s", status, stderr)
		}
		wants(t, stdout+stderr, parts...)
	}
	const query = "SELECT * FROM stuff ORDER BY id"
	verify(query, exitOK, "0 wrong")
	for _, command := range [][]string{{"invalidate", "stuff"}, {"flush"}} {
		verify(query, exitOK, "2 checked, 0 wrong")
		exec("UPDATE stuff SET n = n + 1")
		verify(query, exitFailed, "2 checked, 2 wrong", "larder: 2 of 2 answers from the cache are wrong", "database 2 rows")
		status, stdout, stderr := larderCommand(t, "", append(command, at...)...)
		if status != exitOK {
			t.Errorf("%v: exit status %d, %s", command, status, stderr)
		}
		wants(t, stdout, "removed what depends on")
		verify(query, exitOK, "1 checked, 0 wrong")
	}
	status, _, stderr := larderCommand(t, "", append([]string{"invalidate", "nowhere"}, at...)...)
	if status != exitFailed || !strings.Contains(stderr, "nowhere: unknown relation") {
		t.Errorf("exit status %d, %s", status, stderr)
	}
	status, stdout, stderr := larderCommand(t, "", "stats", store, "--json")
	var s storeStats
	if err := json.Unmarshal([]byte(stdout), &s); status != exitOK || err != nil || s.Entries == 0 || s.Bytes == 0 {
		t.Errorf("exit status %d, %s%s", status, stdout, stderr)
	}
	_, stdout, _ = larderCommand(t, "", "stats", store)
	wants(t, stdout, "items", "memory", "evicted")
}

// dashboard serves what package dash does, as process.go says it.
func dashboard(t *testing.T) string {
	t.Helper()
	answers := map[string]string{
		"/larder/api/stats": `{"hitRatio": 0.925, "savedRate": 1.5, "saved": 12, "stats": {"Hits": 925, "Misses": 70, "Held": 1, "Bypasses": 4, "Writes": 20,
			"Verified": 100, "Wrong": 0, "Entries": 30, "Bytes": 4000, "MaxBytes": 67108864}, "news": true,
			"shared": {"calls": 1100, "errors": 3, "skipped": 40, "us": 250, "away": 2.5, "bytes": 7000000, "maxBytes": 0, "evictions": 0},
			"advice": [{"kind": "costs", "text": "SELECT * FROM more WHERE id = ?", "what": "0 hits of 70 reads have saved 0s", "why": "it is hardly asked again", "do": "Let it be.", "lost": 0.1}]}`,
		"/larder/api/shapes": `[{"kind": "statement", "text": "SELECT * FROM stuff WHERE user_id = ?", "calls": 1000, "hits": 925, "hitRatio": 0.925, "hitUs": 2, "missUs": 300, "saved": 0.3},
			{"kind": "write", "text": "UPDATE stuff SET n = ?", "calls": 20, "missUs": 400}]`,
		"/larder/events": "event: x\ndata: {\"recent\": [{\"n\": 1, \"at\": 1795690129000, \"what\": \"miss\", \"text\": \"SELECT * FROM stuff\", \"why\": \"changed\", \"relation\": \"stuff\", \"us\": 300}]}\n\n" +
			"data: {\"recent\": [{\"n\": 1, \"what\": \"miss\"}, {\"n\": 2, \"at\": 1795690129000, \"what\": \"write\", \"text\": \"UPDATE stuff\"}]}\n\n" +
			": a comment\ndata: {\"what\": \"bypass\", \"at\": 1795690129000, \"text\": \"SELECT now()\", \"why\": \"volatile\"}\n\ndata: broken\n\n",
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, is := answers[r.URL.Path]
		if !is {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/larder/"
}

func TestProcess(t *testing.T) {
	t.Setenv("TZ", "UTC")
	address := dashboard(t)
	for name, args := range map[string][]string{
		"stats.txt": {"stats", address}, "stats.json": {"stats", address, "--json"},
		"watch-top.txt": {"watch", address, "--top"}, "watch-top.json": {"watch", address, "--top", "--json", "--rows", "1"},
		"watch.json": {"watch", address, "--json"},
	} {
		status, stdout, stderr := larderCommand(t, "", args...)
		if status != exitOK || stderr != "" {
			t.Errorf("%s: exit status %d, %s", name, status, stderr)
		}
		golden(t, name, stdout)
	}
	_, stdout, _ := larderCommand(t, "", "watch", address)
	if strings.Count(stdout, "\n") != 3 {
		t.Errorf("%s", stdout)
	}
	wants(t, stdout, "miss", "SELECT * FROM stuff  (changed: stuff)", "write", "bypass", "(volatile)")
	for _, bad := range []string{strings.TrimSuffix(address, "larder/"), "http://127.0.0.1:1/"} {
		for _, command := range []string{"stats", "watch"} {
			status, _, stderr := larderCommand(t, "", command, bad)
			if status != exitFailed || !strings.Contains(stderr, "ask the process") {
				t.Errorf("exit status %d, %s", status, stderr)
			}
		}
	}
}

// TestAdvice: the worst of what a process advises stands under the table, and how much more there is.
func TestAdvice(t *testing.T) {
	var b bytes.Buffer
	if writeAdvice(&b, nil, style{}); b.Len() > 0 {
		t.Errorf("advice of nothing: %q", b.String())
	}
	var list []remoteAdvice
	for i := range topAdvice + 2 {
		list = append(list, remoteAdvice{Kind: "whole", Text: fmt.Sprint("SELECT ", i), Why: "any write removes it", Do: "Pin a column."})
	}
	writeAdvice(&b, list, style{})
	want := "whole  SELECT 4: any write removes it. Pin a column.\n2 more: larder stats\n"
	if !strings.HasPrefix(b.String(), "\nwhole  SELECT 0: ") || !strings.HasSuffix(b.String(), want) {
		t.Errorf("%s", b.String())
	}
}

// TestProcessOfOthers: a terminal obeys nothing that a process elsewhere tells.
func TestProcessOfOthers(t *testing.T) {
	const evil, kept = `\u001b[2J\u0007\u001b]0;x\u0007\u009b31m\u202e\r\u0085` + "\u009b1m\x7f\x9b", "[2J"
	answers := map[string]string{
		"/api/stats":  `{"advice": [{"kind": "K@", "text": "T@", "what": "W@", "why": "Y@", "do": "D@"}]}`,
		"/api/shapes": `[{"kind": "K@", "text": "T@"}]`,
		"/events":     "data: {\r" + `"what": "W@", "text": "T@", "why": "Y@", "relation": "R@"}` + "\n\n",
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.ReplaceAll(answers[r.URL.Path], "@", evil))
	}))
	defer server.Close()
	for _, args := range [][]string{{"stats"}, {"watch", "--top"}, {"watch"}, {"stats", "--json"}, {"watch", "--top", "--json"}, {"watch", "--json"}} {
		status, stdout, stderr := larderCommand(t, "", append(args, server.URL)...)
		isControl := func(r rune) bool {
			return r != '\n' && unicode.IsControl(r) || r == '\u202e' && !slices.Contains(args, "--json")
		}
		if status != exitOK || !strings.Contains(stdout, kept) || !utf8.ValidString(stdout) || strings.ContainsFunc(stdout, isControl) {
			t.Errorf("%v: exit status %d, %q%s", args, status, stdout, stderr)
		}
	}
}

// TestErrorsOfOthers: nor does it obey an error that comes from elsewhere.
func TestErrorsOfOthers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			fmt.Fprint(c, "HTTP/1.1 404 \x1b[2JNot\x9b Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.Close()
		}
	}()
	status, _, stderr := larderCommand(t, "", "stats", "http://"+listener.Addr().String())
	if status != exitFailed || !strings.Contains(stderr, "answers 404 [2JNot") || strings.ContainsAny(stderr, "\x1b") || !utf8.ValidString(stderr) {
		t.Errorf("exit status %d, %q", status, stderr)
	}
}

// watch ends well when it is interrupted.
func TestWatchEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "data: {\"what\": \"miss\", \"text\": \"SELECT 1\"}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	out := &awaited{text: "SELECT 1", found: cancel}
	if status := run(ctx, []string{"watch", server.URL}, nil, out, out); status != exitOK {
		t.Errorf("exit status %d: %s", status, out.String())
	}
}

func TestBadInput(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	empty := file(t, "empty", "")
	noise := file(t, "noise", "hello\nworld\n")
	other := file(t, "other", "2026-11-26 10:00:00 UTC [1] a@shop LOG:  database system is ready to accept connections\n")
	for _, c := range []struct {
		args   []string
		status int
		stderr string
	}{
		{[]string{"analyze", missing}, exitFailed, "open the log"},
		{[]string{"analyze", empty}, exitFailed, "name its form with --format"},
		{[]string{"analyze", noise}, exitFailed, "neither a PostgreSQL log"},
		{[]string{"analyze", other}, exitFailed, "log_statement = 'all'"},
		{[]string{"analyze", t.TempDir()}, exitFailed, "is a directory"},
		{[]string{"analyze", noise, "--format", "oracle"}, exitUsage, `unknown format "oracle": want postgres`},
		{[]string{"analyze", noise, "--format", "mysql-slow"}, exitFailed, "long_query_time = 0"},
		{[]string{"analyze", "logs/testdata/postgres.log", "logs/testdata/mariadb-slow.log"}, exitUsage, "the logs are of several databases"},
		{[]string{"analyze", "logs/testdata/postgres.log", "--database", "none"}, exitFailed, "no statement of the database none"},
		{[]string{"analyze", "logs/testdata/postgres.log", "--driver", "sqlite", "--dsn", shop(t)}, exitUsage, "the driver sqlite speaks sqlite"},
		{[]string{"analyze"}, exitUsage, "which log?"},
		{[]string{"analyze", "--statements"}, exitUsage, "--statements takes --driver pgx"},
		{[]string{"analyze", noise, "--top", "0"}, exitUsage, "at least 1"},
		{[]string{"analyze", noise, "--driver", "pgx", "--dsn", "postgres://a:hush@127.0.0.1:1/x?connect_timeout=2"}, exitFailed, "read the catalog"},
		{[]string{"explain", "--file", missing, "--dialect", "mysql"}, exitFailed, "read statements"},
		{[]string{"explain", "--file", empty, "--dialect", "mysql"}, exitUsage, "there is no statement in"},
		{[]string{"explain", "SELECT 1", "--file", empty}, exitUsage, "unknown command"},
		{[]string{"verify", missing, "--driver", "sqlite", "--dsn", shop(t)}, exitFailed, "read statements"},
		{[]string{"verify", "-"}, exitUsage, "which database?"},
		{[]string{"verify", "-", "--driver", "sqlite", "--dsn", missing}, exitFailed, "no database"},
		{[]string{"verify", "-", "--driver", "sqlite", "--dsn", shop(t), "--store", "ftp://a:hush@b"}, exitFailed, "scheme"},
		{[]string{"bench", file(t, "w.sql", "DELETE FROM stuff"), "--driver", "sqlite", "--dsn", shop(t)}, exitUsage, "only reads are run"},
		{[]string{"bench", file(t, "n.sql", "SELECT * FROM nowhere"), "--driver", "sqlite", "--dsn", shop(t)}, exitFailed, "no such table"},
		{[]string{"bench", "-", "--driver", "sqlite", "--dsn", shop(t), "--for", "0s"}, exitUsage, "--for must be longer"},
		{[]string{"invalidate", "--driver", "pgx", "--dsn", "x"}, exitUsage, "which relation?"},
		{[]string{"invalidate", "stuff", "--driver", "pgx", "--dsn", "x"}, exitUsage, "which store?"},
		{[]string{"flush", "--driver", "pgx", "--dsn", "postgres://a:hush@127.0.0.1:1/x?connect_timeout=2", "--store", "redis://127.0.0.1:1"}, exitFailed, "reach the database"},
		{[]string{"flush", "--driver", "mysql", "--dsn", "a:hush@nonsense", "--store", "redis://127.0.0.1:1"}, exitFailed, "database"},
		{[]string{"stats", "ftp://a:hush@b"}, exitUsage, "names neither a process"},
		{[]string{"stats", "redis://a:hush@127.0.0.1:1"}, exitFailed, "reach the store"},
		{[]string{"dash", "localhost"}, exitUsage, "no address of a process"},
		{[]string{"dash"}, exitUsage, "accepts 1 arg(s), received 0"},
		{[]string{"dash", "http://a:hush@127.0.0.1:1"}, exitFailed, "ask the process"},
		{[]string{"dash", "http://a:hush@127.0.0.1:1", "--listen", "7070"}, exitUsage, "--listen takes an address"},
		{[]string{"dash", "http://127.0.0.1:1", "--header", "hush"}, exitUsage, "is no header"},
		{[]string{"stats", "http://127.0.0.1:1", "--header", "X: hush\nY: z"}, exitUsage, "is no header"},
		{[]string{"watch", "localhost"}, exitUsage, "no address of a process"},
		{[]string{"watch", "http://a:hush@127.0.0.1:1", "--every", "0s"}, exitUsage, "--every"},
		{[]string{"watch", "http://a:hush@127.0.0.1:1"}, exitFailed, "ask the process"},
	} {
		status, stdout, stderr := larderCommand(t, "SELECT * FROM stuff", c.args...)
		if status != c.status || stdout != "" || strings.Contains(stderr, "hush") {
			t.Errorf("larder %v: exit status %d, printed %q, %s", c.args, status, stdout, stderr)
		}
		wants(t, stderr, "larder: ", c.stderr)
	}
}

// A data source name may come from the environment.
func TestDSNOfTheEnvironment(t *testing.T) {
	t.Setenv(dsnVariable, shop(t))
	status, stdout, stderr := larderCommand(t, "", "explain", "SELECT * FROM dear", "--driver", "sqlite")
	if status != exitOK || !strings.Contains(stdout, "main.stuff") {
		t.Errorf("exit status %d: %s%s", status, stdout, stderr)
	}
}

func TestSecrets(t *testing.T) {
	for _, dsn := range []string{"postgres://u:hush%2F1@h/db", "u:hush/1@tcp(h)/db", "host=h password=hush/1 user=u", "file:x?password=hush/1&y=z", "redis://:hush%2F1@h"} {
		c := connection{dsn: dsn}
		if got := c.redact(fmt.Errorf("no %s, not hush/1", dsn)).Error(); strings.Contains(got, "hush") {
			t.Errorf("%s: %s", dsn, got)
		}
	}
}

// Colours and progress are for terminals.
func TestNoTerminal(t *testing.T) {
	if s := styleOf(&bytes.Buffer{}); s.on || s.bold("a") != "a" {
		t.Error("a buffer is no terminal")
	}
	if got := (style{true}).red("a"); got != "\x1b[31ma\x1b[0m" {
		t.Errorf("%q", got)
	}
	var b bytes.Buffer
	p := progressOn(&b)
	p.show("x")
	p.done()
	shown := &progress{w: &b, shown: time.Now().Add(-time.Hour)}
	shown.show("%d", 7)
	shown.done()
	if b.String() != "\r7\r \r" {
		t.Errorf("%q", b.String())
	}
}

func TestManualAndCompletion(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SOURCE_DATE_EPOCH", "1000000000")
	if status, _, stderr := larderCommand(t, "", "manual", dir); status != exitOK {
		t.Errorf("exit status %d: %s", status, stderr)
	}
	page, err := os.ReadFile(filepath.Join(dir, "larder-analyze.1"))
	if err != nil || !strings.Contains(string(page), "pg_stat_statements") {
		t.Errorf("%v: %s", err, page)
	}
	if page, err := os.ReadFile(filepath.Join(dir, "larder-dash.1")); err != nil || !strings.Contains(string(page), "--header") || !strings.Contains(string(page), `.TH "LARDER-DASH" "1" "Sep 2001"`) {
		t.Errorf("%v: %s", err, page)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if status, stdout, _ := larderCommand(t, "", "completion", shell); status != exitOK || !strings.Contains(stdout, "larder") {
			t.Errorf("%s: exit status %d", shell, status)
		}
	}
}

// TestHidden: passwords that are given by name are hidden as those of URLs are.
func TestHidden(t *testing.T) {
	for _, address := range []string{
		"redis+sentinel://:topsecret@a:1,b:2/mymaster/0?sentinel_username=u&sentinel_password=topsecret",
		"host=db user=app password='topsecret and more' dbname=x",
		"host=db password = topsecret",
		"app:to/p@topsecret@tcp(db:3306)/shop",
	} {
		if text := (&connection{dsn: address}).redact(errors.New("dial: " + address)).Error(); strings.Contains(text, "secret") || strings.Contains(text, "more") {
			t.Errorf("an error says %s", text)
		}
		if text := hidden(address); strings.Contains(address, "://") && strings.Contains(text, "topsecret") {
			t.Errorf("%s is shown as %s", address, text)
		}
	}
}
