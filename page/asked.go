package page

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
)

// asked is what a request asks for, as far as the cache is concerned.
type asked struct {
	request *http.Request
	says    directives
	query   string // in normal form
	user    string

	cookies    bool // it has some, and nothing says for whom the response is
	authorized bool // it has an Authorization, and …
	flags      flags
}

// ask looks at a GET or HEAD request. why is set if that is the handler's business alone.
func (h *handler) ask(r *http.Request) (a asked, why string) {
	a = asked{request: r, says: directivesOf(r.Header)}
	for _, name := range handled {
		if len(r.Header[name]) > 0 {
			return a, name
		}
	}
	switch {
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return a, "the request has a body"
	case len(r.Header["Upgrade"]) > 0:
		return a, "Upgrade"
	case hasOverride(r.Header):
		return a, "another method"
	case a.says.noStore:
		return a, "Cache-Control: no-store"
	}
	query, ok := h.o.Query.normal(r.URL.RawQuery)
	if !ok {
		return a, "the query"
	}
	a.query = query
	return a, a.identify(h.o.User)
}

// identify tells for whom the response is to be. Without anybody who knows, who has a Cookie or an Authorization may be anybody.
func (a *asked) identify(user func(*http.Request) (string, bool)) (why string) {
	h := a.request.Header
	a.cookies, a.authorized = len(h["Cookie"]) > 0, len(h["Authorization"]) > 0
	if user == nil {
		return ""
	}
	ok := false
	if a.user, ok = user(a.request); !ok {
		return "Options.User"
	}
	a.cookies = false
	if a.user != "" {
		a.authorized, a.flags = false, isPersonal
	}
	return ""
}

// mayHave reports whether a page may be given to who asks.
func (a *asked) mayHave(p *stored) bool {
	return (!a.authorized || p.is(mayShare)) && (!a.cookies || p.is(isPublic|byCookie))
}

// overrides are fields by which frameworks let a request be of another method.
var overrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

func hasOverride(h http.Header) bool {
	return slices.ContainsFunc(overrides, func(name string) bool { return len(h[name]) > 0 })
}

// unkeyed are fields from which frameworks take what a URL doesn't say: each is part of every key, for who could set
// one that isn't would choose what others see.
var unkeyed = []string{
	"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-Scheme", "X-Forwarded-Server",
	"X-Forwarded-Ssl", "X-Original-Url", "X-Rewrite-Url", "X-Original-Host", "X-Host", "X-Scheme", "X-Script-Name", "Front-End-Https",
}

// A key is built of parts that can't be taken for one another. What it is made of isn't seen from outside.
type key struct{ b []byte }

func (k *key) add(part string) {
	k.b = binary.AppendUvarint(k.b, uint64(len(part)))
	k.b = append(k.b, part...)
}

func (k *key) sum(prefix string) string {
	sum := sha256.Sum256(k.b)
	return prefix + string(sum[:])
}

// keyOf is the key of the pages of a URL, for whom they are asked.
func (h *handler) keyOf(a *asked) string {
	r := a.request
	var room [512]byte
	k := key{room[:0]}
	k.add(h.o.Name)
	k.add(h.version)
	k.add(scheme(r))
	k.add(strings.ToLower(r.Host))
	k.add(withQuery(r.RequestURI, ""))
	k.add(r.URL.EscapedPath()) // another one where a prefix was stripped, or a router has rewritten it
	k.add(a.query)
	k.add(a.user)
	if h.o.Key != nil {
		k.add(h.o.Key(r))
	}
	for _, name := range unkeyed {
		if values := r.Header[name]; len(values) > 0 {
			k.add(name)
			k.add(strings.Join(values, ","))
		}
	}
	if values := r.Header["Forwarded"]; len(values) > 0 {
		k.add("Forwarded")
		k.add(forwarded(values))
	}
	return k.sum(h.prefix)
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// forwarded is what Forwarded (RFC 7239) says but for addresses.
func forwarded(lines []string) string {
	var said []string
	for hop := range each(strings.Join(lines, ","), ',') {
		for pair := range each(hop, ';') {
			name, _, _ := strings.Cut(pair, "=")
			if name = strings.ToLower(strings.TrimSpace(name)); name != "for" && name != "by" {
				said = append(said, strings.TrimSpace(pair))
			}
		}
		said = append(said, ",")
	}
	return strings.Join(said, ";")
}

// each yields the parts of a line between separators outside of quotes.
func each(line string, by byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line != "" {
			var part string
			if part, line = cut(line, by); !yield(part) {
				return
			}
		}
	}
}
