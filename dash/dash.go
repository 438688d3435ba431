// Package dash is one web page on a running cache: what it answers, what it saves, why reads miss and
// which writes remove what.
//
//	mux.Handle("/larder/", dash.Handler(cache))
//
// The page needs nothing but what the handler serves. Who may see it is decided by the program that mounts it:
// it shows the texts of statements without literals, names of relations and figures, and changes nothing.
//
// The cache is watched from the first request on until fifteen minutes after the last one, at the cost of a
// few hundredths of a hit; before and after that the page costs nothing.
package dash

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/larderdb/larder"
)

//go:embed assets
var assets embed.FS

// Options of a dashboard; the zero value is the default.
type Options struct {
	// Literals shows the texts of statements as they are, with the literals that stand in them. Arguments are never shown.
	Literals bool

	// Always watches the cache from the beginning, not only while somebody looks.
	Always bool
}

// Handler returns the dashboard of a cache. It may be mounted anywhere, with or without http.StripPrefix; its
// address ends with a slash.
func Handler(cache *larder.Cache) http.Handler { return New(cache, nil) }

// New is Handler with options; nil is the default.
func New(cache *larder.Cache, options *Options) http.Handler {
	d := &dashboard{cache: cache, keep: keepWatching, every: time.Second}
	if options != nil {
		d.options = *options
	}
	if d.options.Always {
		d.touch()
	}
	return d
}

// keepWatching is how long the cache is watched after the last request.
const keepWatching = 15 * time.Minute

// A dashboard watches a cache while somebody looks at it.
type dashboard struct {
	cache   *larder.Cache
	options Options
	keep    time.Duration
	every   time.Duration

	mu    sync.Mutex // guards the rest
	tally *tally     // nil while nobody looks
	stop  func()     // ends watching
	last  time.Time  // of requests
}

// policy lets the page load what the handler serves, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// ServeHTTP implements http.Handler.
func (d *dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the dashboard is only read", http.StatusMethodNotAllowed)
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	d.route(w, r)
}

// route tells what is asked for by the end of the path, so that it doesn't matter where the handler is mounted.
func (d *dashboard) route(w http.ResponseWriter, r *http.Request) {
	_, shape, one := strings.Cut(r.URL.Path, "/api/shapes/")
	switch p := r.URL.Path; {
	case one:
		d.serveShape(w, r, shape)
	case strings.HasSuffix(p, "/api/shapes"):
		answer(w, d.touch().shapes(d.options.Literals))
	case strings.HasSuffix(p, "/api/stats"):
		answer(w, d.overview(d.touch()))
	case strings.HasSuffix(p, "/events"):
		d.stream(w, r)
	case p == "" || strings.HasSuffix(p, "/"):
		d.touch()
		d.asset(w, r, "index.html")
	default:
		d.asset(w, r, path.Base(p))
	}
}

func (d *dashboard) asset(w http.ResponseWriter, r *http.Request, name string) {
	if _, err := fs.Stat(assets, "assets/"+name); err != nil {
		http.NotFound(w, r)
		return
	}
	http.ServeFileFS(w, &http.Request{Method: r.Method, Header: r.Header, URL: r.URL}, assets, "assets/"+name)
}

func answer(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "dash: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // who has gone needs no answer
}

// touch has the cache watched for a while yet.
func (d *dashboard) touch() *tally {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = time.Now()
	if d.tally == nil {
		t := newTally()
		t.sample(d.last, d.cache.Stats())
		d.tally, d.stop = t, d.cache.WatchSampled(t.hear)
		t.askServers(d.cache)
		time.AfterFunc(d.every, d.tick)
	}
	return d.tally
}

// tick takes a sample, and comes again while somebody looks.
func (d *dashboard) tick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.options.Always && time.Since(d.last) > d.keep {
		d.stop()
		d.tally, d.stop = nil, nil
		return
	}
	d.tally.sample(time.Now(), d.cache.Stats())
	if d.tally.samples%serversEvery == 0 {
		d.tally.askServers(d.cache)
	}
	time.AfterFunc(d.every, d.tick)
}
