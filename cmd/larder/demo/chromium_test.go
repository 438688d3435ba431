package demo

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// chromium returns a browser's path. Without one the test is skipped, except in CI.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no chromium is installed: ./dev setup")
	}
	t.Skip("no chromium is installed")
	return ""
}

// dump returns the document that a browser makes of a page when it has loaded.
func dump(t *testing.T, address string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, chromium(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+t.TempDir(), "--timeout=3000", "--dump-dom", address)
	command.WaitDelay = 10 * time.Second
	var complaints strings.Builder
	command.Stderr = &complaints
	text, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	return string(text)
}

func TestPageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	s, server := newTestSite(t)
	thing := newest(t, s, 3)
	get(t, server, "/?user=3")
	page := dump(t, server.URL+"/?user=3")
	if n := strings.Count(page, "<li data-id="); n != pageSize || !strings.Contains(page, `value="`+thing.Name+`"`) {
		t.Errorf("the browser shows %d things, want %d with %q", n, pageSize, thing.Name)
	}
	if !regexp.MustCompile(`<span class="badge hit">hit</span>`).MatchString(page) {
		t.Error("the browser shows no hit")
	}
	if !regexp.MustCompile(`data-count="hits">[1-9]`).MatchString(page) {
		t.Error("the browser shows no counts")
	}
}
