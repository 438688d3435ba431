package demo

import (
	"context"
	"embed"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dash"
	"github.com/larderdb/larder/page"
)

//go:embed assets
var assets embed.FS

// A site is the page and what it is made of.
type site struct {
	*shop
	cache     *larder.Cache // of the handle here: it has the pages as well
	writer    *writer
	templates *page.Templates
	host      string // that requests may be for, beside loopback's names
	ctx       context.Context
}

// newSite returns the site of a shop. Its streams and its writer end with ctx.
func newSite(ctx context.Context, s *shop, addr string) *site {
	host, _, _ := net.SplitHostPort(addr)
	site := &site{shop: s, host: host, ctx: ctx, writer: &writer{db: s.elsewhere, bare: s.bare, rows: int64(s.size.Rows)}}
	site.cache, _ = larder.Of(s.here)
	set := template.Must(template.New("").Funcs(page.Funcs()).Funcs(pageFuncs).ParseFS(assets, "assets/*.html"))
	var err error
	if site.templates, err = page.NewTemplates(site.cache, set, map[string]page.Loader{thingsList: site.loadThings}); err != nil {
		panic(err) // the assets are not those of this program
	}
	return site
}

// handler routes requests. Those that change something must come from the page itself:
// browsers say where a request is from.
func (s *site) handler() http.Handler {
	static, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the name is not valid
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", s.told(page.Handler(s.cache, http.HandlerFunc(s.show), &page.Options{
		Query: page.Query("user", "page"),
		User:  func(*http.Request) (string, bool) { return "", true }, // all get the same: cookies here are other programs' on this host
	})))
	mux.HandleFunc("GET /events", s.stream)
	mux.Handle("GET /style.css", http.FileServerFS(static))
	mux.Handle("GET /page.js", http.FileServerFS(static))
	mux.Handle("GET /icon.svg", http.FileServerFS(static))
	mux.Handle("GET "+dashboard, s.ending(dash.New(s.cache, &dash.Options{Literals: true})))
	mux.HandleFunc("POST /add", s.add)
	mux.HandleFunc("POST /change", s.change)
	mux.HandleFunc("POST /delete", s.remove)
	mux.HandleFunc("POST /elsewhere", s.changeElsewhere)
	mux.HandleFunc("POST /writer", s.setWriter)
	return s.guard(http.NewCrossOriginProtection().Handler(mux))
}

// dashboard is where the cache of this handle can be watched.
const dashboard = "/larder/"

// ending has requests end with the site, which streams outlive else.
func (s *site) ending(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// policy lets the page load what it is made of, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard answers only requests for the site's own address, so that no other site's name can
// be pointed at it, and tells browsers what the page may do.
func (s *site) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isOurs(r.Host) {
			http.Error(w, "this is not the address of the demo", http.StatusMisdirectedRequest)
			return
		}
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cache-Control", "no-cache") // browsers ask each time, and are told 304 if a page is as they have it
		next.ServeHTTP(w, r)
	})
}

// isOurs reports whether a request's Host is an address, localhost, or the name the demo was
// told to listen on. A name of another site's is none of these.
func (s *site) isOurs(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if host == "" {
		return false
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return strings.EqualFold(host, "localhost") || strings.EqualFold(host, s.host)
}
