package page

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"

	"github.com/larderdb/larder/coherence"
)

// asked is what a request asks for, as far as the cache is concerned.
type asked struct {
	request *http.Request
	wish    coherence.Wish // of the program
	says    directives
	query   string // in normal form
	user    string

	cookies    bool // it has some, and nothing says for whom the response is
	authorized bool // it has an Authorization, or else says who asks, and …
	flags      flags
}

// ask looks at a GET or HEAD request. why is set if that is the handler's business alone.
func (h *handler) ask(r *http.Request) (a asked, why string) {
	a = asked{request: r, says: directivesOf(r.Header)}
	if a.wish, _ = coherence.WishOf(r.Context()); a.wish == coherence.Bypassed {
		coherence.Spoil(r.Context(), coherence.WhyBypassed)
		return a, coherence.WhyBypassed
	}
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
	return a, a.identify(h.o.User, h.o.Key != nil)
}

// identify tells for whom the response is to be. Without anybody who knows, who has a Cookie or an Authorization may be anybody.
func (a *asked) identify(user func(*http.Request) (string, bool), keyed bool) (why string) {
	h := a.request.Header
	a.cookies, a.authorized = len(h["Cookie"]) > 0, identified(a.request, keyed)
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

// identities are fields that say who asks: to the program, or in the words of a proxy that has asked who it is. One that isn't
// among them must be told of by Options.User or Options.Key, or Vary.
var identities = map[string]bool{}

func init() {
	for _, name := range []string{
		"Authorization", "X-Api-Key", "Api-Key", "Apikey", "X-Auth-Token", "X-Access-Token", "X-Session-Id", "X-Session-Token", "X-User", "X-User-Id",
		"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
		"Remote-User", "Remote-Groups", "Remote-Email", "X-Remote-User", "X-Remote-Group", "X-Authenticated-User", "X-Authenticated-Userid", "X-Webauth-User",
		"X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", "X-Auth-Request-Preferred-Username", "X-Auth-Request-Access-Token",
		"X-Authentik-Username", "X-Authentik-Jwt", "X-Pomerium-Jwt-Assertion", "Tailscale-User-Login", "X-Userinfo", "X-Id-Token",
		"Cf-Access-Jwt-Assertion", "Cf-Access-Authenticated-User-Email", "X-Goog-Iap-Jwt-Assertion", "X-Goog-Authenticated-User-Email", "X-Goog-Authenticated-User-Id",
		"X-Amzn-Oidc-Data", "X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Accesstoken", "X-Ms-Client-Principal", "X-Ms-Client-Principal-Id", "X-Ms-Client-Principal-Name", "X-Ms-Token-Aad-Id-Token",
		"X-Forwarded-Client-Cert", "X-Client-Cert", "X-Ssl-Cert", "X-Ssl-Client-Cert", "X-Ssl-Client-S-Dn", "X-Ssl-Client-Verify", "X-Arr-Clientcert", "Client-Cert",
	} {
		identities[name] = true
	}
}

// identified reports whether a request says who asks otherwise than by a cookie.
func identified(r *http.Request, keyed bool) bool {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return true
	}
	for name := range r.Header {
		if identities[name] || !keyed && tenants[name] {
			return true
		}
	}
	return false
}

// tenants are fields that say of whom is asked. Who gives Options.Key has thought of that.
var tenants = map[string]bool{"X-Tenant": true, "X-Tenant-Id": true, "X-Org-Id": true, "X-Scope-Orgid": true, "X-Account-Id": true}

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

// whoAsks says that a request tells who asks.
func (a *asked) whoAsks() string {
	if len(a.request.Header["Authorization"]) > 0 {
		return "the request has an Authorization"
	}
	return "the request says who asks"
}
