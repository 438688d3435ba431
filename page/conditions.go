package page

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// handled are the preconditions that are the handler's business.
var handled = []string{"If-Match", "If-Unmodified-Since", "If-Range", "Range"}

// unchanged reports whether a request asks only for what differs from a response with these validators
// (RFC 9110, 13.2.2): If-None-Match, or without it If-Modified-Since.
func unchanged(r *http.Request, etag string, modified time.Time) bool {
	if lines, ok := r.Header["If-None-Match"]; ok {
		return etag != "" && matches(strings.Join(lines, ","), etag)
	}
	lines := r.Header["If-Modified-Since"]
	if len(lines) != 1 || modified.IsZero() {
		return false
	}
	since, err := http.ParseTime(lines[0])
	return err == nil && !modified.After(since)
}

// matches reports whether a list of entity tags has one that weakly equals etag (RFC 9110, 8.8.3.2), or is "*". What
// isn't a list of them has it no longer from there on.
func matches(list, etag string) bool {
	list = strings.TrimSpace(list)
	if list == "*" {
		return true
	}
	etag = strings.TrimPrefix(etag, "W/")
	for list != "" {
		tag, rest, ok := cutTag(list)
		if !ok {
			return false
		}
		if tag == etag {
			return true
		}
		if rest != "" && rest[0] != ',' {
			return false
		}
		list = strings.TrimLeft(rest, " \t,")
	}
	return false
}

// cutTag takes the first entity tag, without its weakness, from a list.
func cutTag(list string) (tag, rest string, ok bool) {
	list = strings.TrimPrefix(list, "W/")
	if !strings.HasPrefix(list, `"`) {
		return "", "", false
	}
	end := strings.IndexByte(list[1:], '"')
	if end < 0 {
		return "", "", false
	}
	return list[:end+2], strings.TrimLeft(list[end+2:], " \t"), true
}

// validTag reports whether a text is one entity tag.
func validTag(text string) bool {
	_, rest, ok := cutTag(text)
	return ok && rest == ""
}

// tagOf is the strong entity tag of a body in its form.
func tagOf(h http.Header, body []byte) string {
	sum := sha256.New()
	for _, field := range []string{"Content-Type", "Content-Encoding", "Content-Language"} {
		sum.Write([]byte(strings.Join(h[field], ",") + "\n"))
	}
	sum.Write(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:16]) + `"`
}
