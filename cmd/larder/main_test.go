package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// larderCommand runs a command line, and returns its exit status and what it printed.
func larderCommand(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(stdin), &out, &complaints)
	return status, out.String(), complaints.String()
}

// wants fails for texts that are missing.
func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args   string
		stderr string
	}{
		{"nonsense", `unknown command "nonsense"`},
		{"--nonsense", "unknown flag: --nonsense"},
		{"version extra", `unknown command "extra"`},
		{"explain", "accepts 1 arg(s), received 0"},
		{"explain a b", "accepts 1 arg(s), received 2"},
		{"explain SELECT", "which dialect?"},
		{"explain SELECT --dialect oracle", `unknown dialect "oracle": want postgres, mysql or sqlite`},
		{"explain SELECT --driver oracle --dsn x", `unknown driver "oracle"`},
		{"explain SELECT --driver sqlite", "--driver takes --dsn"},
		{"explain SELECT --dsn x", "--dsn takes --driver"},
		{"explain SELECT --driver pgx --dsn x --dialect mysql", "the driver pgx speaks postgres, not mysql"},
		{"explain - --dialect mysql", "there is no statement to explain"},
		{"demo extra", `unknown command "extra"`},
		{"demo --for 0s", "--for must be longer"},
		{"demo --for soon", "invalid argument"},
		{"demo --for 1s --workers 0", "--workers must be at least 1"},
		{"demo --for 1s --addr :0", "--addr is for the web page"},
		{"demo --workers 2", "--workers is for --for"},
		{"demo --json", "--json is for --for"},
	} {
		status, stdout, stderr := larderCommand(t, " \n\t", strings.Fields(c.args)...)
		if status != exitUsage || stdout != "" {
			t.Errorf("larder %s: exit status %d, printed %q", c.args, status, stdout)
		}
		wants(t, stderr, "larder: ", c.stderr)
	}
}

func TestEmptyStatement(t *testing.T) {
	status, _, stderr := larderCommand(t, "", "explain", "  ", "--dialect", "postgres")
	if status != exitUsage {
		t.Errorf("exit status %d", status)
	}
	wants(t, stderr, "there is no statement to explain")
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"help"}, {"--help"}, {"help", "demo"}, {"explain", "--help"}} {
		status, stdout, stderr := larderCommand(t, "", args...)
		if status != exitOK || stderr != "" {
			t.Errorf("larder %v: exit status %d, %s", args, status, stderr)
		}
		wants(t, stdout, "Usage:", "larder")
	}
	_, stdout, _ := larderCommand(t, "")
	wants(t, stdout, "Exit status: 0", "demo", "explain", "version")
}

func TestVersion(t *testing.T) {
	status, stdout, _ := larderCommand(t, "", "version")
	if status != exitOK || !strings.HasPrefix(stdout, "larder ") || !strings.Contains(stdout, "go1.") {
		t.Errorf("exit status %d, %q", status, stdout)
	}
}

func TestVersionOf(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8"}
	for _, c := range []struct{ main, stamp, want string }{
		{"", "", "larder v" + version + "-dev 0123456789ab (modified) go1.26.8"},
		{"(devel)", "", "larder v" + version + "-dev 0123456789ab (modified) go1.26.8"},
		{"v0.1.0", "", "larder v0.1.0 0123456789ab (modified) go1.26.8"},
		{"v0.1.0", "v0.1.1", "larder v0.1.1 0123456789ab (modified) go1.26.8"},
		{"v0.1.1-0.20260101000000-0123456789ab", "", "larder v0.1.1-0.20260101000000-0123456789ab go1.26.8"},
	} {
		info.Main.Version = c.main
		info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}
		if got := buildOf(info, c.stamp).String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := buildOf(&debug.BuildInfo{GoVersion: "go1.26.8"}, "").String(); got != "larder v"+version+"-dev go1.26.8" {
		t.Error(got)
	}
}

func TestExplainText(t *testing.T) {
	for _, c := range []struct {
		dialect, sql string
		want         []string
	}{
		{"postgres", "SELECT * FROM stuff s JOIN users u ON u.id = s.user_id WHERE u.id = $1", []string{"kind       read\n", "reads      stuff, users\n", "result     cacheable\n", "from the text alone"}},
		{"postgres", "SELECT now(), count(*) FROM stuff", []string{"functions  now, count\n", "result     not cacheable: volatile (now"}},
		{"postgres", "SELECT * FROM stuff FOR UPDATE", []string{"not cacheable: locking read"}},
		{"mysql", "INSERT INTO a SELECT * FROM b ON DUPLICATE KEY UPDATE n = 1", []string{"kind       modify\n", ", b\n", "writes     a (insert or update)\n"}},
		{"sqlite", "DELETE FROM stuff WHERE id = 7", []string{"kind       modify\n", "writes     stuff (delete)\n"}},
		{"sqlite", "SELECT 1; DELETE FROM stuff", []string{"kind       several (read; modify)\n"}},
		{"postgres", "FROB THE KNOB", []string{"kind       unknown\n", "maybe every relation", "not cacheable: unparsable"}},
		{"postgres", "TRUNCATE stuff CASCADE", []string{"stuff (truncate, cascading)"}},
	} {
		status, stdout, stderr := larderCommand(t, "", "explain", c.sql, "--dialect", c.dialect)
		if status != exitOK || stderr != "" {
			t.Errorf("%s: exit status %d, %s", c.sql, status, stderr)
		}
		wants(t, stdout, append(c.want, "dialect    "+c.dialect+"\n")...)
	}
}

func TestExplainStandardInput(t *testing.T) {
	status, stdout, _ := larderCommand(t, "SELECT *\nFROM stuff", "explain", "-", "--dialect", "mysql")
	if status != exitOK {
		t.Errorf("exit status %d", status)
	}
	wants(t, stdout, "reads      stuff\n")
}

func TestExplainJSON(t *testing.T) {
	_, stdout, _ := larderCommand(t, "", "explain", "UPDATE a SET n = random() WHERE m <> 1", "--dialect", "sqlite", "--json")
	var got explanation
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	if got.Kind != "modify" || got.Dialect != "sqlite" || got.Cacheable || got.Resolved || len(got.Writes) != 1 || got.Writes[0] != (write{"a", "update"}) {
		t.Errorf("%+v", got)
	}
	wants(t, stdout, `m <> 1`, `"functions": [`)
	_, stdout, _ = larderCommand(t, "", "explain", "SELECT 1", "--dialect", "sqlite", "--json")
	wants(t, stdout, `"reads": []`, `"writes": []`, `"reason": "no relation"`)
}

// shop makes a database whose text doesn't tell all.
func shop(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "shop.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE stuff (id INTEGER PRIMARY KEY, n INTEGER);
		CREATE TABLE log (n INTEGER);
		CREATE VIEW dear AS SELECT * FROM stuff WHERE n > 100;
		CREATE TRIGGER note AFTER UPDATE ON stuff BEGIN INSERT INTO log VALUES (new.n); END`)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExplainAsksTheDatabase(t *testing.T) {
	path := shop(t)
	for _, c := range []struct {
		sql  string
		want []string
	}{
		{"SELECT * FROM dear", []string{"reads      main.stuff\n", "result     cacheable\n"}},
		{"SELECT n FROM stuff WHERE n = ?", []string{"depends    main.stuff{n=$1} (n)\n"}},
		{"UPDATE stuff SET n = 1", []string{"main.stuff", "main.log", "main.log: any row: written by a trigger"}},
		{"SELECT * FROM nowhere", []string{"not cacheable: unknown relation"}},
	} {
		status, stdout, stderr := larderCommand(t, "", "explain", c.sql, "--driver", "sqlite", "--dsn", path)
		if status != exitOK || strings.Contains(stdout, "from the text alone") {
			t.Errorf("%s: exit status %d, %s%s", c.sql, status, stdout, stderr)
		}
		wants(t, stdout, c.want...)
	}
}

func TestExplainJSONOfADatabase(t *testing.T) {
	_, stdout, _ := larderCommand(t, "", "explain", "SELECT * FROM dear", "--driver", "sqlite", "--dsn", shop(t), "--json")
	var got explanation
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || !got.Resolved || !got.Cacheable || strings.Join(got.Reads, " ") != "main.stuff" {
		t.Errorf("%v: %s", err, stdout)
	}
}

func TestExplainMakesNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing.db")
	status, _, stderr := larderCommand(t, "", "explain", "SELECT * FROM stuff", "--driver", "sqlite", "--dsn", path)
	if status != exitFailed {
		t.Errorf("exit status %d", status)
	}
	wants(t, stderr, "no database", "missing.db")
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was made")
	}
}

func TestExplainOfADatabaseThatIsAway(t *testing.T) {
	for driver, dsn := range map[string]string{
		"pgx":   "postgres://nobody@127.0.0.1:1/none?connect_timeout=2",
		"mysql": "nobody@tcp(127.0.0.1:1)/none",
	} {
		status, _, stderr := larderCommand(t, "", "explain", "SELECT * FROM stuff", "--driver", driver, "--dsn", dsn)
		if status != exitFailed {
			t.Errorf("%s: exit status %d: %s", driver, status, stderr)
		}
		wants(t, stderr, "larder: ", "127.0.0.1")
	}
}

func TestDemoFor(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a whole shop")
	}
	status, stdout, stderr := larderCommand(t, "", "demo", "--for", "1s")
	if status != exitOK {
		t.Errorf("exit status %d: %s", status, stderr)
	}
	wants(t, stdout, "1,000 users, 100,000 things", "hit ratio", "\n0 stale reads of ")
}

// A machine that is busy reads too little in half a second to find anything a second time: it is given longer.
func TestDemoJSON(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a whole shop")
	}
	for length := 500 * time.Millisecond; ; length *= 4 {
		var r struct {
			Users  int
			Cached struct {
				Judged   int64   `json:"reads_judged"`
				Stale    *int64  `json:"stale"`
				HitRatio float64 `json:"hit_ratio"`
			}
		}
		status, stdout, stderr := larderCommand(t, "", "demo", "--for", length.String(), "--json")
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || status != exitOK || r.Users != 1000 || r.Cached.Judged == 0 || r.Cached.Stale == nil || *r.Cached.Stale != 0 {
			t.Fatalf("exit status %d, %v: %s%s", status, err, stdout, stderr)
		}
		switch {
		case r.Cached.HitRatio > 0:
			return
		case length > 5*time.Second:
			t.Fatalf("no hit in %v: %s", length, stdout)
		}
	}
}

func TestDemoEndsWhenInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a whole shop")
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := &awaited{text: "The demo is at http://127.0.0.1:", found: cancel}
	if status := run(ctx, []string{"demo"}, nil, out, out); status != exitOK {
		t.Errorf("exit status %d: %s", status, out.String())
	}
}

// awaited is a writer that tells when a text was written.
type awaited struct {
	bytes.Buffer
	text  string
	found func()
}

func (a *awaited) Write(p []byte) (int, error) {
	n, err := a.Buffer.Write(p)
	if strings.Contains(a.String(), a.text) {
		a.found()
	}
	return n, err
}
