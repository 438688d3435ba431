package demo

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestPagesAreKept: a browser that asks again is told 304, or sent what is kept; a write removes the page and the fragment
// that show what it changed, and no others, and what still stands of a page isn't made again.
func TestPagesAreKept(t *testing.T) {
	s, server := newTestSite(t)
	mine, theirs := newest(t, s, 3), newest(t, s, 4)
	form := func(pairs ...string) url.Values {
		fields := url.Values{"user": {"3"}}
		for i := 0; i < len(pairs); i += 2 {
			fields.Set(pairs[i], pairs[i+1])
		}
		return fields
	}
	change := func(thing Thing, user, quantity string) url.Values {
		return form("id", fmt.Sprint(thing.ID), "user", user, "name", thing.Name, "quantity", quantity, "price", "1")
	}
	b := &asking{t: t, s: s, server: server}
	b.look("/?user=2") // the first result of a shape depends on all of the relation
	b.etag = ""
	const all = "hit users, hit writer, miss count, miss list, miss things.html, miss page"
	for _, step := range []struct {
		name, path string
		fields     url.Values // nil: only looked at
		want       string     // what became of the next GET of user 3's page, in order
		shows      string
	}{
		{"the first look", "", nil, all, fmt.Sprintf(`name="quantity" type="number" value="%d"`, mine.Quantity)},
		{"another look", "", nil, "304 page", ""},
		{"another user's thing", "/change", change(theirs, "4", "7"), "304 page", ""},
		{"a thing", "/change", change(mine, "3", "7001"), "hit users, hit writer, miss count, miss list, miss things.html, miss page", `value="7001"`},
		{"seen", "", nil, "304 page", ""},
		{"through the other handle", "/elsewhere", form("id", fmt.Sprint(mine.ID)), "hit users, hit writer, miss count, miss list, miss things.html, miss page", `value="2"`},
		{"the writer", "/writer", form("do", "start", "rate", "1", "whose", "user", "user", "5"), "hit users, miss writer, hit things.html, miss page", "writes 1 ×"},
		{"the writer rests", "/writer", form("do", "stop"), "hit users, miss writer, hit things.html, miss page", `value="start"`},
	} {
		if step.fields != nil {
			b.post(step.path, step.fields)
		}
		got, text := b.look("/?user=3")
		if got != step.want || !strings.Contains(text, step.shows) {
			t.Errorf("%s: %s, want %s; and shown: %t", step.name, got, step.want, strings.Contains(text, step.shows))
		}
	}
	b.etag = ""
	if got, text := b.look("/?user=3"); got != "hit page" || !strings.Contains(text, "Larder") {
		t.Errorf("who doesn't have the page: %s", got)
	}
	b.etag, b.cookie = "", "session=of-another-program"
	if got, _ := b.look("/?user=3"); got != "hit page" {
		t.Errorf("a cookie of another program on this host: %s", got)
	}
}

// asking is a browser that keeps the page which it was sent last.
type asking struct {
	t            *testing.T
	s            *site
	server       *httptest.Server
	etag, cookie string
}

// look asks for a page, and returns what became of it and of all that it was made from, and what was sent.
func (b *asking) look(path string) (became, text string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), "GET", b.server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.etag != "" {
		request.Header.Set("If-None-Match", b.etag)
	}
	if b.cookie != "" {
		request.Header.Set("Cookie", b.cookie)
	}
	before := b.last()
	response, err := b.server.Client().Do(request)
	text = body(b.t, response, err)
	b.etag = response.Header.Get("Etag")
	if cached := response.Header.Get("Cache-Control"); cached != "no-cache" {
		b.t.Errorf("a browser is told %q", cached)
	}
	return b.became(before), text
}

// post submits a form, and looks at nothing.
func (b *asking) post(path string, fields url.Values) {
	b.t.Helper()
	client := &http.Client{Transport: b.server.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.PostForm(b.server.URL+path, fields)
	if text := body(b.t, response, err); response.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("%s: %s: %s", path, response.Status, text)
	}
}

func (b *asking) last() int64 {
	entries := b.s.feed.since(0)
	if len(entries) == 0 {
		return 0
	}
	return entries[len(entries)-1].N
}

// became tells the entries after one up to the next page, which is told when it was sent, but for writes.
func (b *asking) became(after int64) string {
	b.t.Helper()
	names := map[string]string{selectUsers: "users", countStuff: "count", selectStuff: "list"}
	recent, viewer := b.s.feed.subscribe(after)
	defer b.s.feed.unsubscribe(viewer)
	var list []string
	for late := time.After(10 * time.Second); ; {
		for _, e := range recent {
			name := names[e.SQL]
			switch {
			case e.Outcome == "write":
				continue
			case e.Kind == "page":
				return strings.Join(append(list, e.Outcome+" page"), ", ")
			case name == "":
				name = e.SQL
			}
			list = append(list, e.Outcome+" "+name)
		}
		select {
		case e := <-viewer:
			recent = []Entry{e}
		case <-late:
			b.t.Fatalf("no page was told of: %v", list)
		}
	}
}

// TestPageEntry: status and Cache-Status, as they were sent, are told in words.
func TestPageEntry(t *testing.T) {
	for _, c := range []struct {
		status           int
		cacheStatus      string
		outcome, because string
	}{
		{200, "larder; hit", "hit", "as it is kept"},
		{304, "larder; hit", "304", "the browser has it"},
		{200, "larder; fwd=uri-miss; collapsed", "hit", "made for another"},
		{200, "larder; fwd=uri-miss; collapsed=?0; stored", "miss", "made now"},
		{200, "larder; fwd=uri-miss; stored", "miss", "made now"},
	} {
		w := &notedResponse{ResponseWriter: httptest.NewRecorder()}
		w.Header().Set("Cache-Status", c.cacheStatus)
		w.WriteHeader(c.status)
		e := pageEntry(httptest.NewRequest("GET", "/?user=3", nil), w, time.Millisecond)
		if e.Outcome != c.outcome || !strings.Contains(e.Why, c.because) || !strings.HasSuffix(e.Why, c.cacheStatus) || (e.Micros == 0) != (c.outcome == "miss") {
			t.Errorf("%d, %s: %+v", c.status, c.cacheStatus, e)
		}
	}
}
