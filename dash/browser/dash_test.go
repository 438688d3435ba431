// Package browser_test looks at the dashboard as a person does, with a Chromium that nobody sees.
package browser_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	_ "modernc.org/sqlite"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dash"
	"github.com/larderdb/larder/dbtest"
)

const (
	things  = "SELECT name FROM stuff WHERE user_id = ?"
	counted = "SELECT count(*) FROM stuff"
	rename  = "UPDATE stuff SET name = 'a secret' WHERE id = 1"
)

// open opens a database behind a cache that checks each hit, and serves its dashboard. The cache is in the store at an address, or in
// memory.
func open(t *testing.T, store string) (db *sql.DB, url string) {
	t.Helper()
	db, err := larder.Open("sqlite", filepath.Join(t.TempDir(), "dash.db"), &larder.Options{Verify: 1, MaxBytes: 1 << 20, StoreURL: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cache, _ := larder.Of(db)
	for _, text := range []string{"CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT)", "INSERT INTO stuff VALUES (1, 42, 'bread'), (2, 7, 'milk')"} {
		must(t, db, text)
	}
	mux := http.NewServeMux()
	mux.Handle("/larder/", dash.Handler(cache))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections) // the streams are open still
	return db, server.URL + "/larder/"
}

func TestMain(m *testing.M) { dbtest.Main(m) }

func must(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, db *sql.DB, text string, args ...any) {
	t.Helper()
	rows, err := db.Query(text, args...)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
	}
	rows.Close()
}

// browse starts a browser, which may load nothing but what begins with url, and returns what its console complains of.
func browse(t *testing.T, url string) (ctx context.Context, complaints func() []string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("LARDER_REQUIRE") != "" {
			t.Fatal("no chromium is installed: ./dev setup")
		}
		t.Skip("no chromium is installed")
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(1360, 1000))
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	var mu sync.Mutex
	var list []string
	err = chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			list = append(list, fmt.Sprint("console: ", e.Type))
		case *runtime.EventExceptionThrown:
			list = append(list, fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
		case *network.EventLoadingFailed:
			list = append(list, fmt.Sprint("load: ", e.ErrorText, e.BlockedReason))
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, url) {
				list = append(list, "asks for "+e.Request.URL)
			}
		case *network.EventResponseReceived:
			if e.Response.Status >= 400 {
				list = append(list, fmt.Sprint(e.Response.Status, " ", e.Response.URL))
			}
		case *log.EventEntryAdded:
			list = append(list, fmt.Sprint("log: ", e.Entry.Level, " ", e.Entry.Text, " ", e.Entry.URL))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, func() []string { mu.Lock(); defer mu.Unlock(); return list }
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// until waits until a script is true.
func until(script string) chromedp.Action[chromedp.Void] {
	poll := chromedp.Poll[chromedp.Void]("Boolean("+script+")", chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second))
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := poll(ctx, target); err != nil {
			return fmt.Errorf("never came true: %s: %w", script, err)
		}
		return nil
	})
}

// shot keeps a picture of the whole page.
func shot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("..", "..", ".cache")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dash-"+name+".png"), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

func scheme(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
}

const firstText = `document.querySelector("#shapes tbody td a").textContent`

// TestDashboard: the page loads, sorts, filters and opens a shape; a row is changed, and the removal is named with its write; nothing is
// asked for but what the handler serves, and the console has nothing to say.
func TestDashboard(t *testing.T) {
	db, url := open(t, "")
	ctx, complaints := browse(t, url)
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	scheme(t, ctx, "light")
	do(t, ctx, chromedp.Navigate(url), until(`document.body.dataset.live`))
	for range 60 {
		read(t, db, things, 42)
	}
	for range 3 {
		read(t, db, counted)
	}
	do(t, ctx,
		until(`document.querySelectorAll("#shapes tbody tr").length === 2`),
		until(`document.querySelector("#headline").textContent.startsWith("96.8\u00a0% of reads answered from the cache")`),
		until(`document.querySelector("#headline").textContent.includes("0 of 61 checked wrong: one\u00a0nine")`),
		until(firstText+` === "SELECT name FROM stuff WHERE user_id = ?"`))

	// Sort, by calls the other way.
	do(t, ctx, chromedp.Click("#shapes th:nth-child(2) button"), until(firstText+` === "SELECT count(*) FROM stuff"`),
		until(`document.querySelector("#shapes th:nth-child(2)").getAttribute("aria-sort") === "ascending"`))

	// A row is changed: which write removed the result is named.
	must(t, db, rename)
	read(t, db, things, 42)
	do(t, ctx, chromedp.SendKeys("#filter", "USER_ID"), until(`document.querySelectorAll("#shapes tbody tr").length === 1`),
		until(`document.querySelector("#shapes tbody tr").textContent.includes("main.stuff, by UPDATE stuff SET name = ? WHERE id = ?")`),
		until(`document.querySelector("#recent").textContent.includes("removed: main.stuff, by UPDATE")`),
		until(`document.querySelector("#relations tbody").textContent.includes("main.stuff")`),
		until(`document.querySelector("#relations tbody tr").lastChild.textContent === "user_id"`))
	shot(t, ctx, "light")

	do(t, ctx, chromedp.Click("#shapes tbody td a"), until(`document.querySelector("#shape-text").textContent.includes("user_id = ?")`),
		until(`document.querySelector("#shape-removed").textContent.includes("UPDATE stuff SET name = ? WHERE id = ?")`),
		until(`document.querySelector("#shape-explanation").textContent.includes("can be cached")`),
		until(`document.querySelector("#shape-explanation").textContent.includes("main.stuff{user_id=")`))
	shot(t, ctx, "shape")

	scheme(t, ctx, "dark")
	do(t, ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(url), until(`document.querySelectorAll("#shapes tbody tr").length === 3`),
		until(`document.documentElement.scrollWidth <= 390`))
	shot(t, ctx, "phone-dark")
	page, err := chromedp.Run(ctx, chromedp.OuterHTML("html"))
	if err != nil || strings.Contains(page, "secret") {
		t.Error("a literal is shown", err)
	}
	for _, complaint := range complaints() {
		if !strings.Contains(complaint, "ERR_ABORTED") { // the stream of a page that was left
			t.Error(complaint)
		}
	}
}

// TestAdvice: shapes that cost more than they save, and those that can't be cached, are named with the reason and what to do, and lead to
// their page; the store that processes share is shown.
func TestAdvice(t *testing.T) {
	db, url := open(t, "redis://"+dbtest.Redis(t).Addr()+"?timeout=10s&settle=-1s&prefix="+rand.Text()+":")
	ctx, complaints := browse(t, url)
	do(t, ctx, chromedp.Navigate(url), until(`document.body.dataset.live`), until(`document.querySelector("#advice-card").hidden`))
	for i := range 60 {
		read(t, db, things, 1000+i)
		read(t, db, "SELECT random() FROM stuff")
	}
	do(t, ctx,
		until(`document.querySelector("#advice li[data-kind=costs]")?.textContent.includes("hardly asked again")`),
		until(`document.querySelector("#advice li[data-kind=bypass]")?.textContent.includes("volatile (random())")`),
		until(`document.querySelector("#advice li[data-kind=bypass] .do")?.textContent.includes("as an argument")`),
		until(`document.querySelector("#shared").textContent.includes("answers")`),
		until(`document.querySelector("#shared").textContent.includes("servers' memory")`),
		until(`document.querySelectorAll("#calls svg path").length === 2`))
	shot(t, ctx, "advice")
	do(t, ctx, chromedp.EmulateViewport(390, 844), until(`document.documentElement.scrollWidth <= 390`),
		chromedp.Click("#advice li[data-kind=costs] a"), until(`document.querySelector("#shape-text").textContent.includes("user_id = ?")`))
	for _, complaint := range complaints() {
		if !strings.Contains(complaint, "ERR_ABORTED") {
			t.Error(complaint)
		}
	}
}
