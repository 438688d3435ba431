package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTestSite returns a site over a small shop, and its server.
func newTestSite(t *testing.T) (*site, *httptest.Server) {
	t.Helper()
	s, err := openShop(t.Context(), filepath.Join(t.TempDir(), "shop.db"), small)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	site := newSite(ctx, s, "127.0.0.1:0")
	server := httptest.NewServer(site.handler())
	t.Cleanup(func() {
		cancel()
		site.writer.stop()
		server.CloseClientConnections()
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return site, server
}

func body(t *testing.T, response *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func get(t *testing.T, server *httptest.Server, path string) string {
	t.Helper()
	response, err := server.Client().Get(server.URL + path)
	return body(t, response, err)
}

// post submits a form as a program does, and returns the page that it leads to.
func post(t *testing.T, server *httptest.Server, path string, fields url.Values) string {
	t.Helper()
	response, err := server.Client().PostForm(server.URL+path, fields)
	text := body(t, response, err)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("POST %s %v: %s: %s", path, fields, response.Status, text)
	}
	return text
}

// newest returns a user's newest thing, as the database has it.
func newest(t *testing.T, s *site, user int64) Thing {
	t.Helper()
	things, err := listThings(t.Context(), s.bare, user, 1, 0)
	if err != nil || len(things) != 1 {
		t.Fatal(things, err)
	}
	return things[0]
}

// outcomes returns the outcomes of the last statements with a text, the newest last.
func outcomes(s *site, text string) []string {
	var list []string
	for _, e := range s.feed.since(0) {
		if e.SQL == text {
			list = append(list, e.Outcome)
		}
	}
	return list
}

func TestPageShowsAUsersThings(t *testing.T) {
	s, server := newTestSite(t)
	page := get(t, server, "/?user=3")
	if n := strings.Count(page, `<li data-id=`); n != pageSize {
		t.Errorf("the page shows %d things, want %d", n, pageSize)
	}
	thing := newest(t, s, 3)
	for _, want := range []string{personName(2), thing.Name, price(thing.Price), fmt.Sprintf(`data-id="%d"`, thing.ID)} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	for path, status := range map[string]int{"/?user=0": 404, "/?user=21": 404, "/?user=x": 404, "/nowhere": 404, "/?user=3&page=99999": 200, "/?page=-5": 200} {
		response, err := server.Client().Get(server.URL + path)
		body(t, response, err)
		if response.StatusCode != status {
			t.Errorf("%s: %s, want %d", path, response.Status, status)
		}
	}
}

func TestStatementsAreComparedWithTheBareHandle(t *testing.T) {
	s, server := newTestSite(t)
	get(t, server, "/?user=3")
	get(t, server, "/?user=2")
	if got := outcomes(s, selectUsers); strings.Join(got, " ") != "miss hit" {
		t.Errorf("the users were read with %v", got)
	}
	for _, e := range s.feed.since(0) {
		if e.Kind == "statement" && (e.Bare <= 0 || e.Micros <= 0 || len(e.Reads) == 0) {
			t.Errorf("the bare handle was not asked, or no relation is named: %+v", e)
		}
	}
}

// TestPageShowsWhatTheCacheGave: not what the bare handle, which is asked for its time, has answered. They differ after a write past Larder.
func TestPageShowsWhatTheCacheGave(t *testing.T) {
	s, _ := newTestSite(t)
	load := func() *list {
		t.Helper()
		l, err := s.loadThings(t.Context(), User{ID: 3}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return l.(*list)
	}
	before := load()
	if _, err := s.bare.Exec("UPDATE stuff SET quantity = quantity + 1 WHERE id = ?", before.Things[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.bare.Exec("DELETE FROM stuff WHERE id = ?", before.Things[1].ID); err != nil {
		t.Fatal(err)
	}
	if after := load(); after.Total != before.Total || !slices.Equal(after.Things, before.Things) {
		t.Errorf("after a hit the list shows what is in the database:\n%+v\n%+v", after, before)
	}
	users, err := s.look(t.Context(), 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.bare.Exec("UPDATE users SET name = 'somebody' WHERE id = 3"); err != nil {
		t.Fatal(err)
	}
	if again, err := s.look(t.Context(), 3, 1); err != nil || again.User != users.User {
		t.Errorf("after a hit the page shows what is in the database: %+v %v", again, err)
	}
}

func TestChangesAreSeenAtTheNextRead(t *testing.T) {
	s, server := newTestSite(t)
	user := url.Values{"user": {"3"}, "page": {"1"}}
	with := func(pairs ...string) url.Values {
		fields := url.Values{}
		for key, value := range user {
			fields[key] = value
		}
		for i := 0; i < len(pairs); i += 2 {
			fields.Set(pairs[i], pairs[i+1])
		}
		return fields
	}
	get(t, server, "/?user=3")
	page := post(t, server, "/add", with("name", "Zinc bucket", "quantity", "17", "price", "12,5"))
	if !strings.Contains(page, `value="Zinc bucket"`) || !strings.Contains(page, `value="12.50"`) {
		t.Error("what was added isn't shown")
	}
	thing := newest(t, s, 3)
	id := fmt.Sprint(thing.ID)
	if page = post(t, server, "/change", with("id", id, "name", "Zinc tub", "quantity", "18", "price", "12.50")); !strings.Contains(page, `value="Zinc tub"`) {
		t.Error("what was changed isn't shown")
	}
	get(t, server, "/?user=3")
	if page = post(t, server, "/elsewhere", with("id", id)); !strings.Contains(page, `value="19"`) {
		t.Error("what was changed through the other handle isn't shown")
	}
	if page = post(t, server, "/delete", with("id", id)); strings.Contains(page, "Zinc tub") {
		t.Error("what was deleted is still shown")
	}
	if got := outcomes(s, stockUpStuff); len(got) != 1 || got[0] != "write" {
		t.Errorf("the other handle's statement is told as %v", got)
	}
}

func TestFormsOfOtherUsersThingsChangeNothing(t *testing.T) {
	s, server := newTestSite(t)
	before := newest(t, s, 3)
	fields := url.Values{"user": {"4"}, "id": {fmt.Sprint(before.ID)}, "name": {"Mine"}, "quantity": {"1"}, "price": {"1"}}
	post(t, server, "/change", fields)
	post(t, server, "/delete", fields)
	if after := newest(t, s, 3); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
}

func TestTextIsEscaped(t *testing.T) {
	_, server := newTestSite(t)
	const name = `"><script>alert(1)</script>&'`
	page := post(t, server, "/add", url.Values{"user": {"3"}, "name": {name}, "quantity": {"1"}, "price": {"1"}})
	if strings.Contains(page, "<script>alert") || !strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("a name is not escaped")
	}
}

func TestBadFormsAreRefused(t *testing.T) {
	s, server := newTestSite(t)
	before := newest(t, s, 3)
	id := fmt.Sprint(before.ID)
	for _, c := range []struct{ path, form string }{
		{"/change", "id=" + id + "&user=3&name=&quantity=1&price=1"},
		{"/change", "id=" + id + "&user=3&name=%20%20&quantity=1&price=1"},
		{"/change", "id=" + id + "&user=3&name=%ff&quantity=1&price=1"},
		{"/change", "id=" + id + "&user=3&name=a&quantity=-1&price=1"},
		{"/change", "id=" + id + "&user=3&name=a&quantity=1e3&price=1"},
		{"/change", "id=" + id + "&user=3&name=a&quantity=1&price=NaN"},
		{"/change", "id=" + id + "&user=3&name=a&quantity=1&price=-1"},
		{"/change", "id=" + id + "&user=3&name=a&quantity=1&price=100000"},
		{"/change", "id=" + id + "&user=3&name=" + strings.Repeat("a", maxName+1) + "&quantity=1&price=1"},
		{"/add", "user=0&name=a&quantity=1&price=1"},
		{"/add", "user=21&name=a&quantity=1&price=1"},
		{"/add", "user=3&name=a&quantity=1&price=1&x=" + strings.Repeat("a", maxForm)},
		{"/add", "user=%zz"},
		{"/writer", "do=start&rate=0"},
		{"/writer", "do=start&rate=501"},
		{"/writer", "do=dance"},
	} {
		response, err := server.Client().Post(server.URL+c.path, "application/x-www-form-urlencoded", strings.NewReader(c.form))
		body(t, response, err)
		if response.StatusCode < 400 || response.StatusCode > 499 {
			t.Errorf("POST %s %.60s: %s", c.path, c.form, response.Status)
		}
	}
	if after := newest(t, s, 3); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
	if s.writer.current() != (job{}) {
		t.Error("the writer works")
	}
}

func TestRequestsFromElsewhereAreRefused(t *testing.T) {
	s, server := newTestSite(t)
	before := newest(t, s, 3)
	for _, c := range []struct {
		name, header, value string
		host                string
		status              int
	}{
		{"of another site, by Sec-Fetch-Site", "Sec-Fetch-Site", "cross-site", "", http.StatusForbidden},
		{"of another port, by Sec-Fetch-Site", "Sec-Fetch-Site", "same-site", "", http.StatusForbidden},
		{"of another site, by Origin", "Origin", "https://evil.example", "", http.StatusForbidden},
		{"of nowhere, by Origin", "Origin", "null", "", http.StatusForbidden},
		{"to another name", "Origin", "http://evil.example", "evil.example", http.StatusMisdirectedRequest},
		{"of the page itself", "Origin", server.URL, "", http.StatusOK},
		{"of the page itself, as browsers say", "Sec-Fetch-Site", "same-origin", "", http.StatusOK},
	} {
		form := strings.NewReader(fmt.Sprintf("id=%d&user=3", before.ID))
		request, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/elsewhere", form)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set(c.header, c.value)
		if c.host != "" {
			request.Host = c.host
		}
		response, err := server.Client().Do(request)
		body(t, response, err)
		if response.StatusCode != c.status {
			t.Errorf("%s: %s, want %d", c.name, response.Status, c.status)
		}
	}
	if after := newest(t, s, 3); after.Quantity != before.Quantity+2 {
		t.Errorf("quantity %d became %d: the two that were allowed add one each", before.Quantity, after.Quantity)
	}
}

func TestHosts(t *testing.T) {
	s := &site{host: "demo.test"}
	for host, want := range map[string]bool{
		"127.0.0.1:80": true, "127.0.0.1": true, "[::1]:8080": true, "[::1]": true, "localhost:1": true, "LOCALHOST": true,
		"demo.test:80": true, "evil.example": false, "localhost.evil.example:80": false, "": false, ":80": false,
	} {
		if got := s.isOurs(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}

func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	_, server := newTestSite(t)
	response, err := server.Client().Get(server.URL)
	page := body(t, response, err)
	if got := response.Header.Get("Content-Security-Policy"); got != policy {
		t.Errorf("policy %q", got)
	}
	for _, path := range []string{"/style.css", "/page.js", "/icon.svg"} {
		response, err := server.Client().Get(server.URL + path)
		if text := body(t, response, err); response.StatusCode != http.StatusOK || text == "" || !strings.Contains(page, path) {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
	if strings.Contains(page, "//") {
		t.Errorf("the page names another address: %s", page[strings.Index(page, "//"):][:60])
	}
}

// events reads a stream's events, as name and data.
func events(t *testing.T, server *httptest.Server, path string, header http.Header) func() (name, data string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, "GET", server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("%s, %s", response.Status, got)
	}
	lines := bufio.NewScanner(response.Body)
	return func() (name, data string) {
		for lines.Scan() {
			switch label, value, _ := strings.Cut(lines.Text(), ": "); label {
			case "event":
				name = value
			case "data":
				data = value
			case "":
				return name, data
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return "", ""
	}
}

// nextStatement returns the next entry of a stream.
func nextStatement(t *testing.T, next func() (name, data string)) Entry {
	t.Helper()
	for {
		name, data := next()
		if name != "statement" {
			continue
		}
		var e Entry
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		return e
	}
}

func TestStreamTellsOfStatements(t *testing.T) {
	_, server := newTestSite(t)
	get(t, server, "/?user=3")
	next := events(t, server, "/events", http.Header{})
	for _, want := range []string{
		"this handle " + selectUsers, "value writer", "this handle " + countStuff, "this handle " + selectStuff, "fragment things.html", "page GET /?user=3",
	} {
		if e := nextStatement(t, next); e.Who+" "+e.SQL != want || e.Outcome != "miss" {
			t.Errorf("want %q, got %+v", want, e)
		}
	}
	var counts Counts
	if name, data := next(); name != "counts" || json.Unmarshal([]byte(data), &counts) != nil || counts.Misses != 3 {
		t.Errorf("then came %s %s", name, data)
	}
	post(t, server, "/elsewhere", url.Values{"id": {"3"}, "user": {"3"}})
	if e := nextStatement(t, next); e.SQL != stockUpStuff || e.Outcome != "write" || e.Who != "other handle" || strings.Join(e.Writes, " ") != "main.stuff" {
		t.Errorf("the write is told as %+v", e)
	}
	if e := nextStatement(t, next); e.SQL != selectUsers || e.Outcome != "hit" || e.Bare <= 0 {
		t.Errorf("the hit is told as %+v", e)
	}
}

func TestStreamGoesOnWhereItEnded(t *testing.T) {
	s, server := newTestSite(t)
	for i := range 5 {
		s.feed.publish(Entry{SQL: fmt.Sprint(i + 1)})
	}
	for _, c := range []struct {
		path  string
		last  string
		first int64
	}{{"/events", "", 1}, {"/events?after=2", "", 3}, {"/events?after=2", "4", 5}, {"/events?after=99", "", 1}} {
		header := http.Header{}
		if c.last != "" {
			header.Set("Last-Event-ID", c.last)
		}
		if e := nextStatement(t, events(t, server, c.path, header)); e.N != c.first {
			t.Errorf("%+v: begins with %d", c, e.N)
		}
	}
}

func TestSlowViewersMissEntries(t *testing.T) {
	var f feed
	_, viewer := f.subscribe(0)
	for range 3 * viewerBuffer {
		f.publish(Entry{}) // would wait for ever, if it waited
	}
	if len(viewer) != viewerBuffer {
		t.Errorf("%d entries wait for a viewer", len(viewer))
	}
	f.unsubscribe(viewer)
	if len(f.since(0)) != recentEntries {
		t.Errorf("%d recent entries", len(f.since(0)))
	}
}

func TestViewersAreLimited(t *testing.T) {
	s, server := newTestSite(t)
	for range maxViewers {
		s.feed.subscribe(0)
	}
	response, err := server.Client().Get(server.URL + "/events")
	body(t, response, err)
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Error(response.Status)
	}
}

func TestSecondWriter(t *testing.T) {
	s, server := newTestSite(t)
	next := events(t, server, "/events", http.Header{})
	page := post(t, server, "/writer", url.Values{"user": {"3"}, "do": {"start"}, "rate": {"100"}, "whose": {"user"}})
	if !strings.Contains(page, "writes 100 ×") {
		t.Error("the page doesn't say that the writer works")
	}
	for {
		if e := nextStatement(t, next); e.Who == "second writer" {
			if e.Outcome != "write" || strings.Join(e.Writes, " ") != "main.stuff" || e.Error != "" {
				t.Errorf("%+v", e)
			}
			break
		}
	}
	if page = post(t, server, "/writer", url.Values{"user": {"3"}, "do": {"stop"}}); !strings.Contains(page, `value="start"`) {
		t.Error("the page doesn't say that the writer rests")
	}
	writes := len(outcomes(s, stockUpStuff))
	get(t, server, "/?user=3")
	if len(outcomes(s, stockUpStuff)) != writes {
		t.Error("the writer goes on after it was stopped")
	}
}

func TestServerEndsInTime(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan string, 1)
	ended := make(chan error, 1)
	dir := t.TempDir()
	server := Server{Size: small, Addr: "127.0.0.1:0", Dir: dir, Ready: func(url string) { ready <- url }}
	go func() { ended <- server.Run(ctx) }()
	address := <-ready
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Get(address + "events") // which doesn't end by itself
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(shutdownTimeout + 5*time.Second):
		t.Fatal("the server doesn't end")
	}
	if kept, _ := filepath.Glob(filepath.Join(dir, "larder-demo.db")); len(kept) != 1 {
		t.Error("the file wasn't kept")
	}
}

func TestURLOf(t *testing.T) {
	for addr, want := range map[string]string{"127.0.0.1:80": "http://127.0.0.1:80/", "[::]:8080": "http://localhost:8080/", "0.0.0.0:1": "http://localhost:1/"} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := urlOf(tcp); got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
}

func TestServerSaysWhyItCantBegin(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	server := Server{Size: small, Addr: listener.Addr().String()}
	if err := server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Error(err)
	}
}
