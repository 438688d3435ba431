package page

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// storableStatus reports whether a response of this status may be kept: those that RFC 9110 (15.1) lets a cache keep without
// being told, but for parts of something and errors of the request.
func storableStatus(status int) bool {
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusNoContent, http.StatusMultipleChoices,
		http.StatusMovedPermanently, http.StatusPermanentRedirect, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}

// An answer is a whole response, and what is known of it.
type answer struct {
	*response
	asked   *asked
	says    directives
	vary    vary
	flags   flags
	age     time.Duration // it had already
	life    time.Duration // 0: no bound of its own
	checked bool          // it depends on what was read
	until   time.Time     // when the first of its parts expires; zero: none does by itself
}

// forbidden says why a response isn't kept whatever was read for it; "" if nothing forbids it. It sets what is known of the answer.
func (a *answer) forbidden() string {
	a.says = directivesOf(a.sent)
	a.vary = vary(names(members(a.sent, "Vary")))
	a.flags = a.asked.flags
	if a.says.public {
		a.flags |= isPublic | mayShare
	}
	if a.says.sharedAge > 0 {
		a.flags |= mayShare
	}
	for _, name := range a.vary {
		if name == "cookie" {
			a.flags |= byCookie
		}
	}
	if why := a.unfit(); why != "" {
		return why
	}
	return a.private()
}

// unfit says what of a response itself forbids that it is kept.
func (a *answer) unfit() string {
	switch {
	case !storableStatus(a.status):
		return "its status"
	case !a.whole():
		return "it is shorter than its Content-Length"
	case len(a.sent["Content-Range"]) > 0:
		return "it is a part"
	case len(a.sent["Set-Cookie"]) > 0:
		return "it sets a cookie"
	case a.says.noStore:
		return "Cache-Control: no-store"
	case a.says.private:
		return "Cache-Control: private"
	case !a.says.given && has(a.sent, "Pragma", "no-cache"):
		return "Pragma: no-cache"
	case len(a.vary) > 0 && a.vary[0] == "*":
		return "Vary: *"
	case len(a.sent) > maxFields:
		return "too many header fields"
	}
	return ""
}

// private says why a response isn't for others than who has asked.
func (a *answer) private() string {
	switch {
	case a.flags&isPersonal != 0:
		return ""
	case a.asked.authorized && a.flags&mayShare == 0:
		return a.asked.whoAsks()
	case a.asked.cookies && a.flags&(isPublic|byCookie) == 0:
		return "the request has a Cookie"
	case a.echoes():
		return "it has a value of a cookie in it"
	case a.flags&byCookie == 0 && hasToken(a.body):
		return "it has a form with a token"
	}
	return ""
}

// lifetime sets how long the answer may live (RFC 9111, 4.2.1). Without any dependency it must be told: by the response,
// by the options, or by a part of it that has a life. It lives no longer than any of its parts.
func (a *answer) lifetime(o *Options, now time.Time) string {
	life, given := a.says.sharedAge, true
	if life == absent {
		life = a.says.maxAge
	}
	if life == absent {
		life, given = a.expires(now)
	}
	if line := a.sent.Get("Age"); line != "" {
		a.age = seconds(line)
	}
	switch {
	case given && life <= a.age:
		return "it is stale already"
	case given:
		a.life = life
	case a.checked:
	case o.TTL > 0 && a.status == http.StatusOK:
		a.life = o.TTL
	case !a.until.IsZero():
	default:
		return "nothing was read for it"
	}
	if left := a.until.Sub(now); !a.until.IsZero() && (a.life == 0 || a.age+left < a.life) {
		if left <= 0 {
			return "a part of it has expired"
		}
		a.life = a.age + left
	}
	if !a.checked && a.says.noCache {
		return "Cache-Control: no-cache"
	}
	return ""
}

// expires is the lifetime that Expires gives. One that is no time has passed.
func (a *answer) expires(now time.Time) (life time.Duration, given bool) {
	lines := a.sent["Expires"]
	if len(lines) == 0 {
		return 0, false
	}
	at, err := http.ParseTime(lines[0])
	if err != nil || len(lines) > 1 {
		return 0, true
	}
	if date, err := http.ParseTime(a.sent.Get("Date")); err == nil {
		now = date
	}
	return max(at.Sub(now), 0), true
}

// shortestSecret is how long a cookie's value must be to be looked for: a shorter one, as of a language, may be on any page.
const shortestSecret = 8

// echoes reports whether the body has the value of a cookie of the request in it, as pages have that repeat a token
// against forged requests.
func (a *answer) echoes() bool {
	if len(a.asked.request.Header["Cookie"]) == 0 || a.flags&byCookie != 0 {
		return false
	}
	for _, c := range a.asked.request.Cookies() {
		if len(c.Value) >= shortestSecret && bytes.Contains(a.body, []byte(c.Value)) {
			return true
		}
	}
	return false
}

// tokenNames are those of the fields in which frameworks put their tokens against forged requests.
var tokenNames = []string{
	"csrfmiddlewaretoken", "csrf_token", "csrf-token", "csrftoken", "_csrf", "csrf", "_csrf_token", "gorilla.csrf.token", "authenticity_token",
	"__requestverificationtoken", "xsrf-token", "_xsrf", "nosurf",
}

// hasToken reports whether a body has a field, or a meta element, of one of these names.
func hasToken(body []byte) bool {
	for rest := body; ; {
		at := bytes.Index(rest, []byte("name="))
		if at < 0 {
			return false
		}
		rest = rest[at+len("name="):]
		name := strings.ToLower(string(rest[:min(len(rest), 40)]))
		name = strings.TrimLeft(name, `"'`)
		for _, token := range tokenNames {
			if behind, ok := strings.CutPrefix(name, token); ok && (behind == "" || strings.ContainsRune("\"'> \t\r\n/", rune(behind[0]))) {
				return true
			}
		}
	}
}
