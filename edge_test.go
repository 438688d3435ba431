package larder

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder/page"
)

// purges gathers the tags that an edge is asked to purge.
type purges struct {
	mu   sync.Mutex
	tags []string // guarded by mu
}

func (p *purges) Purge(_ context.Context, tags []string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tags = append(p.tags, tags...)
	return nil
}

func (p *purges) has(tag string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.tags, tag)
}

// TestEdgeHearsChanges: the edge is asked to purge the tags that a page carries when what it was read from has been changed, by the
// names that receivers are told; and not those of other relations.
func TestEdgeHearsChanges(t *testing.T) {
	eachKind(t, func(h *house) {
		h.exec(h.db, "CREATE TABLE stuff (id integer PRIMARY KEY, name varchar(20))")
		h.exec(h.db, "CREATE TABLE other (id integer PRIMARY KEY)")
		cache := h.cache
		asked := &purges{}
		edge := page.NewEdge(asked, &page.EdgeOptions{Again: -1, MaxAge: time.Minute})
		defer cache.OnChange("*", func(ctx context.Context, c Change) { edge.Changed(ctx, []string{c.Relation}) })()
		handler := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, no-cache")
			var n int
			if err := h.db.QueryRowContext(r.Context(), "SELECT count(*) FROM stuff").Scan(&n); err != nil {
				h.Error(err)
			}
			io.WriteString(w, strings.Repeat("x", n))
		}), &page.Options{Edge: edge})
		get := func() (body string, tags []string) {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/stuff", nil))
			return w.Body.String(), strings.Fields(w.Header().Get("Surrogate-Key"))
		}
		_, tags := get()
		if len(tags) == 0 {
			h.Fatal("the page has no tags")
		}
		wait := func(tag string, is bool) {
			for end := time.Now().Add(5 * time.Second); is && !asked.has(tag) && time.Now().Before(end); time.Sleep(time.Millisecond) {
			}
			if asked.has(tag) != is {
				h.Errorf("purged %v: %s is %v among them", asked.tags, tag, !is)
			}
		}
		get()
		asked.mu.Lock()
		asked.tags = nil
		asked.mu.Unlock()
		h.exec(h.db, "INSERT INTO other VALUES (1)")
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		time.Sleep(50 * time.Millisecond)
		if err := edge.Wait(ctx); err != nil {
			h.Error(err)
		}
		for _, tag := range tags {
			wait(tag, false)
		}
		h.exec(h.db, "INSERT INTO stuff VALUES (1, 'bread')")
		found := false
		for end := time.Now().Add(5 * time.Second); !found && time.Now().Before(end); time.Sleep(time.Millisecond) {
			found = slices.ContainsFunc(tags, asked.has)
		}
		if !found {
			h.Errorf("the page has tags %v, purged were %v", tags, asked.tags)
		}
		if body, _ := get(); body != "x" {
			h.Errorf("the page is %q", body)
		}
	})
}

// TestEdgeHearsAnnouncements: the edge is asked to purge a page that was made of a value with a tag before Announce returns. Receivers of all
// relations hear of it, and those of a relation don't, whatever the tag is called.
func TestEdgeHearsAnnouncements(t *testing.T) {
	cache, err := New(&Options{MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	asked := &purges{}
	edge := page.NewEdge(asked, &page.EdgeOptions{Again: -1, MaxAge: time.Minute})
	defer cache.OnCommit(edge.Settle)()
	all := make(chan Change, 10)
	defer cache.OnChange("*", func(_ context.Context, c Change) { all <- c })()
	defer cache.OnChange("stuff", func(_ context.Context, c Change) { t.Errorf("a receiver of stuff hears of %s", c.Relation) })()
	for _, tag := range []Tag{"rates", "x.stuff", "Of;one?", "*", ";"} {
		handler := page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "public, no-cache")
			v, err := Remember(r.Context(), cache, "vat "+string(tag), func(context.Context) (string, error) { return "19", nil }, &ValueOptions[string]{Tags: []Tag{tag}})
			if err != nil {
				t.Error(err)
			}
			io.WriteString(w, v)
		}), &page.Options{Edge: edge, Name: string(tag)})
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/vat", nil))
		tags := slices.DeleteFunc(strings.Fields(w.Header().Get("Surrogate-Key")), func(s string) bool { return s == page.TagOf("*") })
		if len(tags) != 1 || slices.ContainsFunc(tags, asked.has) {
			t.Fatalf("the page of %q has tags %v, purged were %v", tag, tags, asked.tags)
		}
		if err := cache.Announce(t.Context(), tag); err != nil {
			t.Fatal(err)
		}
		if !asked.has(tags[0]) || asked.has(page.TagOf("*")) {
			t.Errorf("the page of %q has tags %v, purged were %v", tag, tags, asked.tags)
		}
		if c := <-all; c.Relation != "tag:"+string(tag) || c.Source != SourceHere || c.DB != nil {
			t.Errorf("%q: %+v", tag, c)
		}
		asked.mu.Lock()
		asked.tags = nil
		asked.mu.Unlock()
	}
}
