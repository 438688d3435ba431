package dbtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder stands in for the test that calls a function under test, and notes what that does to it.
type recorder struct {
	testing.TB
	verdict  string
	cleanups []func()
}

func (r *recorder) Helper()           {}
func (r *recorder) Cleanup(f func())  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Error(args ...any) { r.note("error: ", args) }
func (r *recorder) Fatal(args ...any) { r.note("fatal: ", args) }
func (r *recorder) Skip(args ...any)  { r.note("skip: ", args) }

// note keeps the first verdict, after which a real test would have ended.
func (r *recorder) note(kind string, args []any) {
	if r.verdict == "" {
		r.verdict = kind + fmt.Sprint(args...)
	}
}

// end runs the cleanups as the end of the test would.
func (r *recorder) end() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func TestLeaks(t *testing.T) {
	r := &recorder{TB: t}
	Leaks(r)
	stop := make(chan struct{})
	go func() { <-stop }()
	r.end()
	close(stop)
	if !strings.Contains(r.verdict, "TestLeaks") {
		t.Fatalf("a goroutine left behind was not reported: %q", r.verdict)
	}
	r = &recorder{TB: t}
	Leaks(r)
	NewMemcached(t) // lives on
	r.end()
	if r.verdict != "" {
		t.Fatal(r.verdict)
	}
}

func TestAbsence(t *testing.T) {
	for _, c := range []struct{ list, ci, want string }{
		{"", "", "skip"},
		{"mariadb", "", "skip"},
		{"", "false", "skip"},
		{"mariadb,redis", "", "fatal"},
		{"redis mariadb", "", "fatal"},
		{"", "true", "fatal"},
		{"", "1", "fatal"},
	} {
		t.Setenv("LARDER_REQUIRE", c.list)
		t.Setenv("CI", c.ci)
		r := &recorder{TB: t}
		absent(r, &redis, errors.New("not found"))
		if !strings.HasPrefix(r.verdict, c.want) || !strings.Contains(r.verdict, "apt-get install redis-server") {
			t.Errorf("LARDER_REQUIRE=%q CI=%q: %q", c.list, c.ci, r.verdict)
		}
	}
}

func TestFindTakesTheNewest(t *testing.T) {
	root := t.TempDir()
	for _, version := range []string{"9.6", "15", "14", "16"} {
		if err := os.MkdirAll(filepath.Join(root, version, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		if version == "16" {
			continue // a version whose server is not installed
		}
		if err := os.WriteFile(filepath.Join(root, version, "bin", "dbtestd"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := program{dirs: []string{filepath.Join(root, "*", "bin")}}
	path, err := p.find("dbtestd")
	if want := filepath.Join(root, "15", "bin", "dbtestd"); err != nil || path != want {
		t.Fatalf("got %q (%v), want %q", path, err, want)
	}
	if _, err := p.find("dbtest-none"); err == nil || !strings.Contains(err.Error(), root) {
		t.Fatalf("the error does not say where it looked: %v", err)
	}
}
