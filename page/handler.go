package page

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/larderdb/larder/coherence"
)

// A Cache is what pages are kept in: a *larder.Cache.
type Cache interface {
	Values() *coherence.Domain
	Made(context.Context, coherence.Made)
}

// Options of a handler; nil and the zero value are the defaults.
type Options struct {
	// Name tells apart handlers that are reached under the same URL, where something else than the URL chooses one.
	Name string

	// Query says which parameters a response depends on. The zero value: a request that has any is left to the handler.
	Query QueryPolicy

	// Key is what a response depends on beside URL and Vary: a tenant, a time zone. Nil: nothing.
	Key func(*http.Request) string

	// User says for whom a response is: no other user gets it, and nobody is "". Not ok: the request is left to the handler.
	// Nil: that isn't known. A response to a request with a Cookie is kept then only if it says "Cache-Control: public" or
	// "Vary: Cookie".
	User func(*http.Request) (user string, ok bool)

	// TTL is how long a response may live for which nothing was read through the cache. 0: as long as the response says
	// by s-maxage, max-age or Expires, or a value or fragment in it lives; if by none, it isn't kept.
	TTL time.Duration

	// MaxBytes is the length of the longest body that is kept; a longer one goes through. 0 means 1 MiB.
	MaxBytes int

	// CacheControl is what clients are told in place of what the handler says. Empty: what the handler says, and if it says nothing
	// "no-cache": the client may keep the page, but asks each time whether it is as it was.
	CacheControl string

	// Edge, if not nil, gets told the tags of pages, by which it removes them, and which ones it must not keep: those that aren't kept here.
	Edge *Edge

	// Version is that of the program, as far as its pages are concerned. Empty: where processes share a store, that of its
	// executable.
	Version string

	// Quiet leaves the field Cache-Status (RFC 9211) out.
	Quiet bool

	now func() time.Time // for tests
}

const defaultMaxBytes = 1 << 20

// Handler returns a handler that answers GET and HEAD requests from the cache, if it has a response of next which is as fresh as next's would
// be. It panics if cache or next is nil.
//
// Until next has returned, its response is kept back, unless it is longer than Options.MaxBytes, flushed or hijacked: such
// ones, those of other methods, and those of requests with preconditions or ranges, go through. What is kept, and for whom, is in
// docs/design/0013-pages.md; Cache-Status says of each response what became of it.
func Handler(cache Cache, next http.Handler, o *Options) http.Handler {
	if cache == nil || next == nil {
		panic("page: Handler needs a cache and a handler")
	}
	h := &handler{cache: cache, next: next, d: cache.Values()}
	if o != nil {
		h.o = *o
	}
	if h.o.MaxBytes == 0 {
		h.o.MaxBytes = defaultMaxBytes
	}
	if h.o.now == nil {
		h.o.now = time.Now
	}
	h.version = versionOf(h.d, h.o.Version)
	h.prefix = h.d.Prefix() + "page:"
	return h
}

type handler struct {
	cache   Cache
	next    http.Handler
	d       *coherence.Domain
	o       Options
	version string
	prefix  string // of keys
	habits  habits
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.serve(w, r)
	case http.MethodOptions, http.MethodTrace, http.MethodConnect:
		h.forward(w, r, "method", "")
	default:
		h.change(w, r)
	}
}

// serve answers a GET or HEAD request.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	began := h.o.now()
	a, why := h.ask(r)
	if why != "" {
		h.forward(w, r, "bypass", why)
		return
	}
	base := h.keyOf(&a)
	outer := makingOf(r.Context())
	if outer.has(base) { // this handler stands before itself
		h.next.ServeHTTP(w, r)
		return
	}
	habit := h.habits.of(base)
	l := h.look(&a, base, habit, outer == nil && r.Method == http.MethodGet && !habit.alone)
	if l.page != nil {
		h.saw(r.Context(), l.page, coherence.Hit, "", began)
		outer.bind(r.Context(), l.page)
		h.found(w, r, l, began)
		return
	}
	defer l.read.Done()
	switch {
	case a.says.onlyIfCached:
		h.note(w.Header(), l.status("", false))
		http.Error(w, "page: not in the cache", http.StatusGatewayTimeout)
	case r.Method == http.MethodHead: // what HEAD says isn't all of GET's
		l.read.Done()
		h.forward(w, r, l.fwd, "HEAD")
	default:
		h.make(w, &a, l, began)
	}
}

// A look is what was found under the key of a request.
type look struct {
	base, key string
	page      *stored // that may be sent; nil for none
	read      coherence.Read
	fwd       string // why there is none, or was none before another request had it made (RFC 9211, 2.2)
	joined    bool   // it has waited for another request of the same page
}

// look looks for a page. With join it waits for another request of the same page.
func (h *handler) look(a *asked, base string, known habit, join bool) *look {
	ctx, v := a.request.Context(), known.vary
	if h.o.Edge != nil { // which keeps it for longer than a copy may be old
		ctx = coherence.Anew(ctx)
	}
	l := &look{base: base, fwd: "uri-miss"}
	if a.wish == coherence.Refreshed {
		l.fwd = "request"
		h.d.Forget(ctx, v.keyOf(h.prefix, base, a.request))
		return l
	}
	for range 3 {
		l.key = v.keyOf(h.prefix, base, a.request)
		l.read = h.d.Lookup(ctx, l.key, nil, join)
		l.joined = l.joined || l.read.Joined
		if l.read.Outcome != coherence.Hit {
			break
		}
		switch found := decode(l.read.Value).(type) {
		case *stored:
			if why := h.refused(a, found); why != "" {
				l.fwd = why
			} else {
				l.page = found
			}
			return l
		case vary:
			learnt, _ := h.habits.learn(base, found, known.alone)
			if len(learnt) == len(v) {
				return l
			}
			v = learnt
			continue
		}
		h.d.Forget(ctx, l.key) // of another version
	}
	if len(v) > 0 {
		l.fwd = "vary-miss"
	}
	return l
}

// refused says why a page that was found isn't for this request.
func (h *handler) refused(a *asked, p *stored) string {
	now := h.o.now()
	age, end := now.Sub(p.made), p.expires()
	switch {
	case !a.mayHave(p):
		return "request"
	case !end.IsZero() && !now.Before(end):
		return "stale"
	case p.is(isChecked): // it was validated just now
		return ""
	case a.says.noCache || !a.says.given && has(a.request.Header, "Pragma", "no-cache"):
		return "request"
	case a.says.maxAge != absent && age > a.says.maxAge:
		return "request"
	case a.says.minFresh != absent && !end.IsZero() && end.Sub(now) < a.says.minFresh:
		return "request"
	}
	return ""
}

// make has the page made, and keeps it if it may.
func (h *handler) make(w http.ResponseWriter, a *asked, l *look, began time.Time) {
	outer := makingOf(a.request.Context())
	ctx, rec := coherence.Record(withMaking(a.request.Context(), l.base))
	url := h.d.Lookup(ctx, "", []coherence.Tag{h.urlTag(a.request)}, false) // so that unsafe requests of this URL remove the page
	url.Done()
	res := newResponse(w, h.o.MaxBytes, func(why string) {
		h.habits.learn(l.base, nil, true)
		l.read.Done() // who waits for it shall not wait for the end of a stream
		h.note(w.Header(), l.status(why, false))
		h.o.Edge.leave(w.Header())
	})
	inner := h.inner(ctx, a)
	h.next.ServeHTTP(res, inner)
	if res.finish(); res.trailed() {
		res.through("it has trailers")
	}
	if res.why != "" {
		h.saw(ctx, &stored{route: inner.Pattern}, coherence.Bypass, res.why, began)
		return
	}
	ans := &answer{response: res, asked: a, checked: h.checked(rec), until: rec.Expires()}
	p, why := h.keep(ctx, ans, l, rec, inner.Pattern)
	l.read.Done()
	outer.bind(a.request.Context(), p)
	h.saw(ctx, p, outcomeOf(why), why, began)
	replace(w.Header(), res.before)
	if ans.age > 0 {
		setAge(w.Header(), ans.age)
	}
	h.send(w, a.request, p, why == "", ans.age, l.status(why, why == ""))
}

// checked reports whether anything but the URL was recorded.
func (h *handler) checked(rec *coherence.Recording) bool {
	url := h.d.Tag(urlPrefix)
	return slices.ContainsFunc(rec.Tags(), func(t coherence.Tag) bool { return !strings.HasPrefix(string(t), string(url)) })
}

func outcomeOf(why string) coherence.Outcome {
	switch why {
	case "":
		return coherence.Miss
	case "a write was in flight":
		return coherence.Held
	}
	return coherence.Bypass
}

// keep makes the page of an answer, and keeps it, or says why not.
func (h *handler) keep(ctx context.Context, ans *answer, l *look, rec *coherence.Recording, route string) (*stored, string) {
	why := ans.forbidden()
	alone := why != ""
	if why == "" {
		why = ans.lifetime(&h.o, h.o.now())
	}
	p := h.page(ans, rec, why == "", route)
	if spoiled := rec.Spoiled(); why == "" && spoiled != "" {
		why = spoiled
	}
	v, more := h.habits.learn(l.base, ans.vary, alone)
	if why != "" {
		return p, why
	}
	key := v.keyOf(h.prefix, l.base, ans.asked.request)
	if !h.d.FillRecorded(ctx, key, rec, p, p.size(), max(0, ans.life-ans.age)) {
		return p, "the store didn't take it"
	}
	if more {
		h.tell(l.base, v)
	}
	return p, ""
}

// tell lets other processes know what the responses of a URL vary by.
func (h *handler) tell(base string, v vary) {
	r := h.d.Lookup(context.Background(), base, []coherence.Tag{}, false)
	r.Fill(context.Background(), v, 64*len(v), 0)
	r.Done()
}

// inner is the request as the handler sees it: without conditions, which are answered here, and with the query as it is in
// the key.
func (h *handler) inner(ctx context.Context, a *asked) *http.Request {
	r := a.request.WithContext(ctx)
	if len(r.Header["If-None-Match"]) > 0 || len(r.Header["If-Modified-Since"]) > 0 {
		r.Header = r.Header.Clone()
		r.Header.Del("If-None-Match")
		r.Header.Del("If-Modified-Since")
	}
	if r.URL.RawQuery != a.query {
		url := *r.URL
		url.RawQuery = a.query
		r.URL = &url
		if r.RequestURI != "" {
			r.RequestURI = withQuery(r.RequestURI, a.query)
		}
	}
	return r
}

// forward leaves a request to the handler.
func (h *handler) forward(w http.ResponseWriter, r *http.Request, fwd, why string) {
	h.note(w.Header(), forwardedFor(fwd, why, "", false))
	h.o.Edge.leave(w.Header())
	h.next.ServeHTTP(w, r)
}

// change has a request done that isn't safe. What was kept of its URL is removed, and nothing is kept of it until the
// response is there (RFC 9111, 4.4).
func (h *handler) change(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithoutCancel(r.Context())
	hold, err := h.d.Hold(ctx, []coherence.Tag{h.urlTag(r)})
	if err != nil {
		coherence.Spoil(r.Context(), "the store failed")
	}
	defer func() { _ = hold.Release(ctx) }() // or the fence tells it
	h.forward(w, r, "method", "")
}

const urlPrefix = "url:" // of tags

// urlTag is the tag of a URL without its query, whoever asks.
func (h *handler) urlTag(r *http.Request) coherence.Tag {
	var room [256]byte
	k := key{room[:0]}
	k.add(strings.ToLower(r.Host))
	k.add(r.URL.EscapedPath())
	return h.d.Tag(k.sum(urlPrefix))
}

// saw tells who watches what became of a request.
func (h *handler) saw(ctx context.Context, p *stored, o coherence.Outcome, why string, began time.Time) {
	name := p.route
	if name == "" {
		name = h.o.Name
	}
	h.cache.Made(ctx, coherence.Made{Kind: coherence.Page, Name: name, Outcome: o, Why: why, Total: h.o.now().Sub(began), Bytes: len(p.body)})
}

// making are the pages that are being made for a request, the innermost first.
type making struct {
	key   string
	outer *making
}

type makingKey struct{}

func makingOf(ctx context.Context) *making {
	m, _ := ctx.Value(makingKey{}).(*making)
	return m
}

func withMaking(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, makingKey{}, &making{key, makingOf(ctx)})
}

func (m *making) has(key string) bool {
	for ; m != nil; m = m.outer {
		if m.key == key {
			return true
		}
	}
	return false
}

// bind makes the outer page no older than an inner one may be.
func (m *making) bind(ctx context.Context, p *stored) {
	if m != nil && (!p.is(isChecked) || p.life != 0) {
		coherence.Spoil(ctx, "it has a page in it that expires")
	}
}
