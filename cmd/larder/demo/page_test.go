package demo

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestPageInABrowser(t *testing.T) {
	b := newBrowser(t)
	s, server := newTestSite(t)
	thing := newest(t, s, 3)
	b.open(server.URL + "/?user=3")
	if got := b.run(`document.querySelectorAll("#things li[data-id]").length`); got != fmt.Sprint(pageSize) {
		t.Errorf("the browser shows %s things", got)
	}
	if got := b.run(`document.querySelector("#things .name").value`); got != thing.Name {
		t.Errorf("the first is %q, want %q", got, thing.Name)
	}
	b.until(`document.getElementById("state").textContent === "live"`)
	b.until(`document.querySelectorAll("#entries .badge.miss").length === 6`) // three statements, a value, the fragment and the page
	b.until(`document.querySelector("[data-count=misses]").textContent === "3"`)
	b.run(`window.stayed = true; document.querySelector(".again a").click()`) // of another address: made of what was kept
	b.until(`document.querySelectorAll("#entries .fragment .badge.hit").length === 1`)
	if b.run("window.stayed") != "true" {
		t.Error("the page was loaded anew")
	}
	shoot(b, "light")
}

// TestKeptPageInABrowser: the browser asks again for a page that it has, is told 304 and shows it; what is changed it is sent
// at once. The page says so beside the list.
func TestKeptPageInABrowser(t *testing.T) {
	b := newBrowser(t)
	_, server := newTestSite(t)
	wants := func(status int, cacheStatus, shown string) {
		t.Helper()
		b.until(fmt.Sprintf(`document.getElementById("kept").textContent.startsWith("This page: %s")`, shown))
		all := b.received()
		if last := all[len(all)-1]; last.Status != status || last.Headers["Cache-Status"] != cacheStatus {
			t.Errorf("the browser received %d with %q, want %d with %q", last.Status, last.Headers["Cache-Status"], status, cacheStatus)
		}
	}
	b.open(server.URL + "/?user=3&page=1")
	wants(200, "larder; fwd=uri-miss; stored", "miss")
	rows := b.run(`document.querySelectorAll("#things li[data-id]").length`)
	b.run(`document.querySelector(".again a").click()`)
	wants(304, "larder; hit", "304")
	shoot(b, "dark")
	if got := b.run(`document.querySelectorAll("#things li[data-id]").length`); got != rows || got != fmt.Sprint(pageSize) {
		t.Errorf("after a 304 the browser shows %s things, and %s before", got, rows)
	}
	b.open(server.URL + "/?user=3&page=1") // as a whole
	b.until(`document.getElementById("state").textContent === "live"`)
	wants(304, "larder; hit", "304")

	b.run(`document.querySelector("#things .name").value = "Tin moon"; document.querySelector("#things .save").click()`)
	b.until(`document.querySelector("#things .name").getAttribute("value") === "Tin moon"`)
	wants(200, "larder; fwd=uri-miss; stored", "miss")
	b.run(`document.querySelector(".again a").click()`)
	wants(304, "larder; hit", "304")
	if got := b.run(`document.querySelector("#things .name").getAttribute("value")`); got != "Tin moon" {
		t.Errorf("after another 304 the browser shows %q", got)
	}
	if said := b.complaints(); len(said) > 0 {
		t.Errorf("the browser complains: %s", said)
	}
}

func TestChangesInABrowser(t *testing.T) {
	b := newBrowser(t)
	s, server := newTestSite(t)
	thing := newest(t, s, 3)
	b.open(server.URL + "/?user=3")
	b.run(`document.querySelector("#things .else").click()`)
	b.until(fmt.Sprintf(`document.querySelector("#things [name=quantity]").value === "%d"`, thing.Quantity+1))
	b.until(`document.querySelectorAll("#things .changed").length === 1`)
	b.until(`document.querySelector("#entries .badge.write").nextSibling.textContent === "other handle"`)

	b.run(`document.querySelector("#things .name").value = "<b>Tin</b> moon"; document.querySelector("#things .save").click()`)
	b.until(`document.querySelector("#things .name").getAttribute("value") === "<b>Tin</b> moon"`)

	b.run(`document.querySelector("#things [name=price]").value = "dear"; document.querySelector("#things .save").click()`)
	b.run(`document.querySelector("#things [name=price]").pattern = ".*"; document.querySelector("#things .save").click()`)
	b.until(`!document.getElementById("notice").hidden && document.getElementById("notice").textContent.includes("a price is")`)

	b.run(`document.querySelector("#things .delete").click()`)
	b.until(fmt.Sprintf(`!document.querySelector('[data-id="%d"]') && document.getElementById("notice").hidden`, thing.ID))
	b.run(`document.querySelector("select[name=user]").value = "5"; document.querySelector("select[name=user]").dispatchEvent(new Event("change", {bubbles: true}))`)
	b.until(`location.search.includes("user=5") && document.title.startsWith("` + personName(4) + `")`)
}

func TestKeepReadingInABrowser(t *testing.T) {
	b := newBrowser(t)
	_, server := newTestSite(t)
	b.open(server.URL + "/?user=3")
	b.run(`document.getElementById("keep").click(); document.querySelector("[name=rate]").value = "20"; document.querySelector("[value=start]").click()`)
	b.until(`document.querySelector("[value=stop]") !== null`)
	b.until(`document.querySelector("#things .changed") !== null`)
	b.until(`[...document.querySelectorAll("#entries .by")].some((e) => e.textContent === "second writer")`)
	b.until(`document.querySelectorAll("#entries .badge.miss").length > 4`)
	b.run(`document.querySelector("[value=stop]").click()`)
	b.until(`document.querySelector("[value=start]") !== null && document.getElementById("keep").checked`)
}

// shoot writes a picture of the page to the directory in DEMO_PICTURES, wide and as on a phone.
func shoot(b *browser, scheme string) {
	dir := os.Getenv("DEMO_PICTURES")
	if dir == "" {
		return
	}
	b.run("new Promise((done) => setTimeout(done, 1500))") // what fades has faded
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]any{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	for name, size := range map[string][2]int{"wide": {1360, 900}, "phone": {390, 844}} {
		b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": name == "phone"}, nil)
		if got := b.run("document.documentElement.scrollWidth <= innerWidth"); got != "true" {
			b.t.Errorf("%s: the page is wider than the window", name)
		}
		var picture struct{ Data string }
		b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &picture)
		data, err := base64.StdEncoding.DecodeString(picture.Data)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+"-"+scheme+".png"), data, 0o644)
		}
		if err != nil {
			b.t.Error(err)
		}
	}
}
