package demo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A browser is a Chromium that does what it is told over a pipe: messages of its devtools protocol,
// each ended by a zero byte.
type browser struct {
	t       *testing.T
	to      *os.File
	from    *bufio.Reader
	session string
	last    int
	events  []event // that came while answers were waited for
}

// An event is what the browser tells of its own accord.
type event struct {
	Method string
	Params json.RawMessage
}

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

// newBrowser starts a browser with an empty page, which ends with the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	command := exec.Command(chromium(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-dev-shm-usage", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	commands, to := pipe(t)
	from, answers := pipe(t)
	command.ExtraFiles = []*os.File{commands, answers} // 3 and 4, as the browser expects them
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	commands.Close()
	answers.Close()
	b := &browser{t: t, to: to, from: bufio.NewReader(from)}
	t.Cleanup(func() {
		b.session = ""
		b.send("Browser.close", nil)
		kill := time.AfterFunc(10*time.Second, func() { command.Process.Kill() })
		defer kill.Stop()
		command.Wait()
		to.Close()
		from.Close()
	})
	from.SetReadDeadline(time.Now().Add(time.Minute))
	b.attach()
	return b
}

func pipe(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return reader, writer
}

// attach makes a page, to which later calls go.
func (b *browser) attach() {
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	for _, domain := range []string{"Page", "Network", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
}

// send calls a method.
func (b *browser) send(method string, params map[string]any) {
	b.t.Helper()
	b.last++
	message := map[string]any{"id": b.last, "method": method, "params": params}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// call calls a method, and waits for its result.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.send(method, params)
	for {
		text, err := b.from.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		var answer struct {
			event
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &answer); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		if answer.ID != b.last {
			b.events = append(b.events, answer.event)
			continue
		}
		if answer.Error != nil {
			b.t.Fatalf("%s: %s", method, answer.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(answer.Result, result); err != nil {
				b.t.Fatalf("%s: %v", method, err)
			}
		}
		return
	}
}

// open shows a page.
func (b *browser) open(url string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.until(`location.href === ` + fmt.Sprintf("%q", url) + ` && document.readyState === "complete"`)
}

// run runs a script in the page, and returns what it comes to, as text.
func (b *browser) run(script string) string {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, &answer)
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", script, answer.ExceptionDetails.Exception.Description)
	}
	return fmt.Sprint(answer.Result.Value)
}

// until waits until a condition holds in the page.
func (b *browser) until(condition string) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if b.run(condition) == "true" {
			return
		}
		b.run("new Promise((done) => setTimeout(done, 20))")
	}
	b.t.Fatalf("never came true: %s", condition)
}

// A received response is what came over the wire: a script sees 200 in the place of 304, and the page that the browser had.
type received struct {
	Status  int `json:"statusCode"`
	Headers map[string]string
}

// received returns the responses from the cache's pages that came so far, the last at the end.
func (b *browser) received() (list []received) {
	b.t.Helper()
	for _, e := range b.events {
		if e.Method != "Network.responseReceivedExtraInfo" {
			continue
		}
		var r received
		if err := json.Unmarshal(e.Params, &r); err != nil {
			b.t.Fatal(err)
		}
		if r.Headers["Cache-Status"] != "" {
			list = append(list, r)
		}
	}
	return list
}

// complaints returns what the browser's console has of errors and warnings.
func (b *browser) complaints() (list []string) {
	b.t.Helper()
	for _, e := range b.events {
		var said struct {
			Type  string                 // of Runtime.consoleAPICalled
			Entry struct{ Level string } // of Log.entryAdded
		}
		if err := json.Unmarshal(e.Params, &said); err != nil {
			continue
		}
		bad := map[string]bool{"error": true, "warning": true, "assert": true}
		if e.Method == "Runtime.exceptionThrown" || e.Method == "Runtime.consoleAPICalled" && bad[said.Type] || e.Method == "Log.entryAdded" && bad[said.Entry.Level] {
			list = append(list, string(e.Params))
		}
	}
	return list
}
