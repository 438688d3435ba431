package page

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/larderdb/larder/coherence"
)

// A Purger removes pages from a cache in front of this program: all that have one of these tags. It may be asked for the same twice, and
// is safe for concurrent use.
type Purger interface {
	Purge(ctx context.Context, tags []string) error
}

// EdgeOptions configure an Edge; the zero value is the default.
type EdgeOptions struct {
	// Header is the field that tells the edge the tags of a page: "Surrogate-Key" (Fastly, Varnish), which is the default, or
	// "Cache-Tag" (Cloudflare), or "xkey".
	Header string

	// MaxAge is how long the edge may keep a page without asking, which it is told by Surrogate-Control and
	// CDN-Cache-Control (RFC 9213); a page's own shorter life prevails, and Age is taken off. It is told so only of pages that all may have, for an
	// edge doesn't tell users apart as this package does: handlers say "Cache-Control: public, no-cache". 0: what Cache-Control says.
	MaxAge time.Duration

	// MaxTags is how many tags a page has at most; one of more relations has the tag of all. 0 means 50.
	MaxTags int

	// Retry is how long to wait after a purge that failed, at first; each time it fails again, twice as long, up to 5 s, or a quarter of Patience
	// while somebody waits for it. 0 means 100 ms.
	Retry time.Duration

	// Again is how long after a purge it is repeated, up to a quarter later: a page that was made before the write may reach the edge after the
	// purge. An edge should keep none that was on its way for longer (page/varnish.vcl keeps none of more than a second). 0 means 2 s, and
	// less than that not at all.
	Again time.Duration

	// Strict has Settle wait for the repetition too, so that no page is older than a write that was acknowledged before it was asked for. A write
	// takes as much longer: shorten Again, and how long the edge lets pages be on their way. Again must not be below 0 then.
	Strict bool

	// Patience is how long Settle waits at most, beside Again if it is Strict. 0 means 1 s.
	Patience time.Duration

	// Logger hears of purges that failed. Nil means slog.Default.
	Logger *slog.Logger
}

// An Edge is a cache in front of this program, as Varnish, Fastly or Cloudflare, which is told the relations that a page was read from, and which have
// changed. It keeps pages without asking, so that what it serves may be older than a write: by the time a purge takes, and,
// where a page was on its way meanwhile, by EdgeOptions.Again. Pages that are for one user, that vary by Cookie or by Options.Key
// aren't marked. What isn't kept here, or goes through, the edge is told not to keep, for nothing tells by which tags to remove it; a handler whose
// response goes through may say otherwise by Surrogate-Control or CDN-Cache-Control.
//
// Settle is to be called after each commit and before it is acknowledged (larder.Cache.OnCommit), or Changed, by whatever hears
// of changes, as of other processes that have no edge (larder.Cache.OnChange). An Edge is safe for concurrent use.
type Edge struct {
	purger Purger
	o      EdgeOptions

	mu       sync.Mutex      // guards the rest
	waiting  map[string]wait // tags to be purged
	trying   map[string]wait // those that are being purged
	added    int64           // how often some were added
	purged   int64           // which of these are purged: all up to this one
	running  bool            // a goroutine purges
	again    map[string]bool // the last ones to be purged once more
	joinable time.Time       // until when tags are added to these
	progress *sync.Cond      // signalled when something was purged
	waiters  int             // who wait for that
	stats    EdgeStats

	awaited chan struct{} // wakes the goroutine that purges: somebody has begun to wait
}

// A wait is of a tag that is to be purged.
type wait struct {
	since time.Time
	again bool // and once more later: it isn't a repetition
}

// EdgeStats count what an Edge has done.
type EdgeStats struct {
	Changes   int64 // tags that have changed
	Coalesced int64 // of these, those that waited already
	Purges    int64 // requests that succeeded
	Failures  int64 // requests that failed, and were repeated
	Tags      int64 // tags that were purged
	Late      int64 // calls of Settle that didn't wait for the end
	Waiting   int   // tags that wait now, or are being purged

	Lag time.Duration // the longest time between a change and the end of its purge
}

// NewEdge returns an edge that is purged by purger. It panics if that is nil, or if the options contradict each other.
func NewEdge(purger Purger, o *EdgeOptions) *Edge {
	if purger == nil {
		panic("page: NewEdge needs a Purger")
	}
	e := &Edge{purger: purger, waiting: map[string]wait{}, awaited: make(chan struct{}, 1)}
	if o != nil {
		e.o = *o
	}
	if e.o.Strict && e.o.Again < 0 {
		panic("page: EdgeOptions.Strict waits for the repetition of a purge, which Again < 0 leaves out")
	}
	if e.o.Header == "" {
		e.o.Header = "Surrogate-Key"
	}
	if e.o.MaxTags <= 0 {
		e.o.MaxTags = 50
	}
	if e.o.Retry <= 0 {
		e.o.Retry = 100 * time.Millisecond
	}
	if e.o.Again == 0 {
		e.o.Again = 2 * time.Second
	}
	if e.o.Patience <= 0 {
		e.o.Patience = time.Second
	}
	if e.o.Logger == nil {
		e.o.Logger = slog.Default()
	}
	e.progress = sync.NewCond(&e.mu)
	return e
}

// everything is the tag of all pages, and of changes that can't be told.
const everything = "*"

// TagOf is the tag of pages that were read from a relation, or made of values with a larder.Tag ("tag:rates"); "*" stands for all of them. It is short, and of another relation
// at most by chance.
func TagOf(relation string) string {
	if relation = bare(relation); relation == "" {
		relation = everything
	}
	sum := sha256.Sum256([]byte(strings.ToLower(relation)))
	return "l" + base64.RawURLEncoding.EncodeToString(sum[:6])
}

// bare is a relation's name as far as tags tell it.
func bare(relation string) string {
	if i := strings.IndexAny(relation, "?*({"); i >= 0 {
		relation = relation[:i]
	}
	return strings.TrimRight(relation, ";") // which ends a tag's
}

// relationOf is the relation of a domain's tag; "" if it is none.
func relationOf(t coherence.Tag) string {
	length, rest, ok := strings.Cut(string(t), ":")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || n < 0 || n >= len(rest) {
		return ""
	}
	name := bare(rest[n+1:])
	if strings.HasPrefix(name, "#") || strings.HasPrefix(name, urlPrefix) {
		return ""
	}
	return name
}

// tagsOf are those by which a page with these dependencies is purged, that of everything first.
func (e *Edge) tagsOf(tags []coherence.Tag) []string {
	list := []string{}
	for _, t := range tags {
		if r := relationOf(t); r != "" {
			list = append(list, TagOf(r))
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) > e.o.MaxTags {
		return []string{TagOf(everything), wideTag}
	}
	return append([]string{TagOf(everything)}, list...)
}

// wideTag is of pages with more relations than they have room for: every change removes them.
const wideTag = "lwide"

// What a page's header says of the edge is settled when the page is made, but for how long it may stay there, which allow says each time:
//
//   - it is kept here, for all, and its handler calls it public: its tags, and how long if there is a MaxAge
//   - … and doesn't: its tags, and the edge goes by Cache-Control
//   - it isn't for all, isn't kept here, so that nothing tells by which tags to remove it, or expires by itself, for which nobody
//     purges it: that it must not be kept
//
// What goes through is said not to be kept before anybody knows what it is; its handler may say otherwise.

// never tells the edge to keep nothing.
var never = []string{"no-store, max-age=0"}

const surrogateControl, cdnCacheControl = "Surrogate-Control", "Cdn-Cache-Control"

// mark gives a page its tags.
func (e *Edge) mark(h http.Header, tags []coherence.Tag) {
	by := " "
	if strings.EqualFold(e.o.Header, "Cache-Tag") {
		by = ","
	}
	h[http.CanonicalHeaderKey(e.o.Header)] = []string{strings.Join(e.tagsOf(tags), by)}
}

// allow tells the edge how long it may keep a page that is kept here, from now on. It takes the Age off that, as it does from
// Cache-Control (RFC 9111, 4.2): a page that was found valid just now may be older than MaxAge.
func (e *Edge) allow(h http.Header, p *stored, age time.Duration) {
	switch {
	case len(h[http.CanonicalHeaderKey(e.o.Header)]) == 0: // it must not be kept, or was made without an Edge
		e.forbid(h)
	case e.o.MaxAge > 0 && p.is(isPublic):
		life := e.o.MaxAge + age.Truncate(time.Second)
		if p.life > 0 {
			life = min(life, p.life)
		}
		tellEdge(h, []string{"max-age=" + strconv.Itoa(int(life/time.Second))})
	}
}

// forbid tells the edge not to keep a response.
func (e *Edge) forbid(h http.Header) {
	delete(h, http.CanonicalHeaderKey(e.o.Header))
	tellEdge(h, never)
}

// leave tells the edge, if there is one, not to keep what goes through, unless its handler has said how long.
func (e *Edge) leave(h http.Header) {
	if e != nil && len(h[surrogateControl]) == 0 && len(h[cdnCacheControl]) == 0 {
		tellEdge(h, never)
	}
}

func tellEdge(h http.Header, says []string) { h[surrogateControl], h[cdnCacheControl] = says, says }
