package dash

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/coherence"
)

// A desk is a cached database with its dashboard.
type desk struct {
	*testing.T
	db    *sql.DB
	cache *larder.Cache
	dash  *dashboard
	url   string
}

func newDesk(t *testing.T, options *Options) *desk {
	t.Helper()
	db, err := larder.Open("sqlite", filepath.Join(t.TempDir(), "dash.db"), &larder.Options{MaxBytes: 1 << 20, MaxEntryBytes: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	cache, _ := larder.Of(db)
	d := &desk{T: t, db: db, cache: cache, dash: New(cache, options).(*dashboard)}
	d.exec("CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT)")
	d.exec("INSERT INTO stuff VALUES (1, 42, 'bread'), (2, 7, 'milk')")
	mux := http.NewServeMux()
	mux.Handle("/larder/", d.dash)
	mux.Handle("/stripped/", http.StripPrefix("/stripped", d.dash))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func (d *desk) exec(text string) {
	d.Helper()
	if _, err := d.db.Exec(text); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) read(text string, args ...any) {
	d.Helper()
	rows, err := d.db.Query(text, args...)
	if err != nil {
		d.Fatal(err)
	}
	for rows.Next() {
	}
	rows.Close()
}

func (d *desk) get(path string) (int, http.Header, string) {
	d.Helper()
	answer, err := http.Get(d.url + path)
	if err != nil {
		d.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		d.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(body)
}

func (d *desk) shapes() []shapeView {
	d.Helper()
	var list []shapeView
	_, _, body := d.get("/larder/api/shapes")
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		d.Fatal(err, body)
	}
	return list
}

// find returns the shape of a text.
func (d *desk) find(text string) shapeView {
	d.Helper()
	for _, s := range d.shapes() {
		if s.Text == text {
			return s
		}
	}
	d.Fatalf("there is no %s in %+v", text, d.shapes())
	return shapeView{}
}

const (
	read   = "SELECT name FROM stuff WHERE user_id = ?"
	change = "UPDATE stuff SET name = 'a secret' WHERE id = 1"
)

// TestShapes: what became of each shape is counted, and the write that removed its result named, without literals.
func TestShapes(t *testing.T) {
	d := newDesk(t, nil)
	d.get("/larder/")
	for range 10 {
		d.read(read, 42)
	}
	d.exec(change)
	d.read(read, 42)
	d.read("SELECT 1")
	s := d.find(read)
	if s.Hits != 9 || s.Misses != 2 || s.Calls != 11 || s.HitMicros <= 0 || s.MissMicros <= s.HitMicros || s.Bytes == 0 {
		t.Errorf("%+v", s)
	}
	if len(s.Removed) != 1 || s.Removed[0].Relation != "main.stuff" || s.Removed[0].Text != "UPDATE stuff SET name = ? WHERE id = ?" {
		t.Errorf("%+v", s.Removed)
	}
	if fmt.Sprint(s.Why) != "[{changed 1} {new 1}]" {
		t.Errorf("%v", s.Why)
	}
	if w := d.find("UPDATE stuff SET name = ? WHERE id = ?"); w.Kind != "write" || w.Calls != 1 {
		t.Errorf("%+v", w)
	}
	if b := d.find("SELECT ?"); b.Bypasses != 1 || len(b.Why) != 1 {
		t.Errorf("%+v", b)
	}
	for _, path := range []string{"/larder/api/shapes", "/larder/api/stats", "/larder/api/shapes/" + s.Fingerprint, "/larder/api/shapes/" + d.find("UPDATE stuff SET name = ? WHERE id = ?").Fingerprint} {
		if status, _, body := d.get(path); status != 200 || strings.Contains(body, "secret") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _, body := d.get("/larder/api/shapes/" + s.Fingerprint); status != 200 || !strings.Contains(body, `"cacheable":true`) || !strings.Contains(body, "main.stuff{user_id=$1}") {
		t.Error(body)
	}
}

// TestValues: what is made from reads is shown as statements are, by its name; what its making took is what a hit saves.
func TestValues(t *testing.T) {
	d := newDesk(t, nil)
	tally := d.dash.touch()
	made := coherence.Made{Kind: coherence.Page, Name: "GET /users/{id}", Outcome: coherence.Miss, Total: 10 * time.Millisecond, Bytes: 4000}
	d.cache.Made(t.Context(), made)
	made.Outcome, made.Total = coherence.Hit, 10*time.Microsecond
	d.cache.Made(t.Context(), made)
	tally.sample(time.Now(), d.cache.Stats())
	s := d.find("GET /users/{id}")
	if s.Kind != "page" || s.Hits != 1 || s.Misses != 1 || s.Bytes != 4000 || s.Saved != 0.01 {
		t.Errorf("%+v", s)
	}
	if status, _, body := d.get("/larder/api/shapes/" + s.Fingerprint); status != 200 || !strings.Contains(body, "no statement to explain") {
		t.Error(status, body)
	}
}

// TestOverview: figures, samples and relations.
func TestOverview(t *testing.T) {
	d := newDesk(t, nil)
	tally := d.dash.touch()
	if _, _, body := d.get("/larder/api/stats"); strings.Contains(body, "null") {
		t.Error(body)
	}
	for range 10 {
		d.read(read, 42)
	}
	d.exec(change)
	tally.sample(time.Now(), d.cache.Stats())
	o := d.dash.overview(tally)
	last := o.Points[len(o.Points)-1]
	if o.HitRatio != 0.9 || o.Stats.Hits != 9 || last.Hits != 9 || last.Misses != 1 || last.Writes != 1 {
		t.Errorf("%+v", o)
	}
	saved := time.Duration(o.Saved * float64(time.Second))
	if database := time.Duration(tally.all[0].database.Load()); saved < 8*database || saved > 10*database || o.SavedRate <= 0 {
		t.Errorf("saved %v by hits of what takes %v", saved, database)
	}
	if len(o.Relations) != 1 || o.Relations[0].Writes != 1 || o.Relations[0].Shapes != 1 || o.Relations[0].Rate <= 0 ||
		o.Relations[0].Precise != 1 || !slices.Equal(o.Relations[0].InUse, []string{"user_id"}) {
		t.Errorf("%+v", o.Relations)
	}
}

// TestLiterals: texts are shown as they are only if that is asked for.
func TestLiterals(t *testing.T) {
	d := newDesk(t, &Options{Literals: true})
	d.get("/larder/")
	d.exec(change)
	d.find(change)
}

// TestHide: values in explanations are hidden, parameters and names aren't.
func TestHide(t *testing.T) {
	for text, want := range map[string]string{
		"main.t1{user_id=$1,name='it''s'}": "main.t1{user_id=$1,name=…}",
		"t{id=42, x=1.5, y=?2}":            "t{id=…, x=…, y=?2}",
		`t: {id=$1}, name becomes "a \"b"`: "t: {id=$1}, name becomes …",
		"t{b=x'00ff'}":                     "t{b=x…}",
	} {
		if got := hide(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestMounting: the page is found wherever it is mounted, and says what a browser may do with it.
func TestMounting(t *testing.T) {
	d := newDesk(t, nil)
	for _, at := range []string{"/larder/", "/stripped/"} {
		for path, want := range map[string]string{"": "<!doctype html>", "app.js": "use strict", "style.css": ":root", "icon.svg": "<svg", "api/stats": "hitRatio"} {
			status, header, body := d.get(at + path)
			if status != 200 || !strings.Contains(body, want) || !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s%s: %d %v %.80s", at, path, status, header, body)
			}
		}
		for _, path := range []string{"nothing.js", "api/shapes/none", "..%2fdash.go", "index.html/x"} {
			if status, _, _ := d.get(at + path); status != 404 {
				t.Errorf("%s%s: %d", at, path, status)
			}
		}
	}
	answer, err := http.Post(d.url+"/larder/api/stats", "text/plain", nil)
	if err != nil || answer.StatusCode != 405 {
		t.Error(answer, err)
	}
}

// TestStream: an overview comes at once, and then each tick.
func TestStream(t *testing.T) {
	d := newDesk(t, nil)
	d.dash.every = 10 * time.Millisecond
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, "GET", d.url+"/larder/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	seen, room := "", make([]byte, 4096)
	for strings.Count(seen, "data: {") < 3 {
		n, err := answer.Body.Read(room)
		if err != nil {
			t.Fatal(err, seen)
		}
		seen += string(room[:n])
	}
}

// TestEndsWatching: when nobody has looked for a while, events aren't made any more; who looks again begins anew.
func TestEndsWatching(t *testing.T) {
	d := newDesk(t, nil)
	d.dash.every, d.dash.keep = time.Millisecond, 20*time.Millisecond
	heard := func() bool {
		d.dash.mu.Lock()
		defer d.dash.mu.Unlock()
		return d.dash.tally != nil
	}
	if heard() {
		t.Error("it watches before somebody looks")
	}
	d.get("/larder/api/stats")
	if !heard() {
		t.Error("it doesn't watch")
	}
	for end := time.Now().Add(5 * time.Second); heard(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it watches still")
		}
	}
	d.read(read, 42)
	if list := d.shapes(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestBounded: shapes, relations, events and samples don't grow for ever, and many may be told of at once.
func TestBounded(t *testing.T) {
	tally := newTally()
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 2 * maxShapes {
				text := fmt.Sprintf("SELECT a%d FROM t%d", i, i)
				tally.hear(t.Context(), larder.Event{Weight: 1, Fingerprint: text, Shape: text, Outcome: larder.OutcomeMiss, Cause: larder.Cause{Why: larder.WhyChanged, Relation: text, By: fmt.Sprint(w)}})
				tally.hear(t.Context(), larder.Event{Weight: 1, Fingerprint: text, Shape: text, Outcome: larder.OutcomeHit, Total: time.Microsecond})
				tally.hear(t.Context(), larder.Event{Weight: 1, Fingerprint: "w" + text, Shape: text, Write: true, Writes: []string{text}})
			}
		})
	}
	all.Wait()
	for range 2 * maxPoints {
		tally.sample(time.Now(), larder.Stats{})
	}
	calls := int64(0)
	for _, s := range tally.shapes(false) {
		calls += s.Calls
		if len(s.Why) > maxCauses+1 || len(s.Removed) > maxCauses+1 {
			t.Errorf("%+v", s)
		}
	}
	if calls != 4*3*2*maxShapes {
		t.Errorf("%d calls", calls)
	}
	if len(tally.all) > maxShapes+1 || len(tally.relations) > maxShapes || len(tally.recent) > maxEvents || len(tally.points) > maxPoints || len(tally.all[0].spark) > maxSparks {
		t.Errorf("%d shapes, %d relations, %d events, %d points", len(tally.all), len(tally.relations), len(tally.recent), len(tally.points))
	}
}
