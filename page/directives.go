package page

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// directives are what Cache-Control says (RFC 9111, 5.2), of a request or a response.
type directives struct {
	given bool // there was one at all

	noStore, noCache, private, public, onlyIfCached bool

	maxAge, sharedAge, minFresh time.Duration // absent if there is none
}

const absent = time.Duration(-1)

// directivesOf reads all Cache-Control fields of a header. Of one that is given twice the stricter counts; a number
// that isn't one is 0.
func directivesOf(h http.Header) directives {
	d := directives{maxAge: absent, sharedAge: absent, minFresh: absent}
	for _, line := range h["Cache-Control"] {
		d.given = true
		for name, value := range split(line, ',') {
			d.add(strings.ToLower(name), value)
		}
	}
	return d
}

func (d *directives) add(name, value string) {
	switch name {
	case "no-store":
		d.noStore = true
	case "no-cache":
		d.noCache = true
	case "private":
		d.private = true
	case "public":
		d.public = true
	case "only-if-cached":
		d.onlyIfCached = true
	case "max-age":
		d.maxAge = stricter(d.maxAge, seconds(value))
	case "s-maxage":
		d.sharedAge = stricter(d.sharedAge, seconds(value))
	case "min-fresh":
		d.minFresh = max(d.minFresh, seconds(value))
	}
}

func stricter(a, b time.Duration) time.Duration {
	if a == absent {
		return b
	}
	return min(a, b)
}

// seconds reads delta-seconds. Too many are as many as there can be.
func seconds(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && !strings.Contains(err.Error(), "out of range") {
		return 0
	}
	return time.Duration(min(n, uint64(math.MaxInt32))) * time.Second
}

// split yields the members of a list, each a name and what stands behind its "=", without quotes. A separator
// within quotes is none.
func split(line string, by byte) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for line != "" {
			var member string
			member, line = cut(line, by)
			name, value, _ := strings.Cut(member, "=")
			name, value = strings.TrimSpace(name), strings.TrimSpace(value)
			if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			if name != "" && !yield(name, value) {
				return
			}
		}
	}
}

// cut returns what is before the first separator outside of quotes, and what is behind it.
func cut(line string, by byte) (before, behind string) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && quoted:
			i++
		case line[i] == '"':
			quoted = !quoted
		case line[i] == by && !quoted:
			return line[:i], line[i+1:]
		}
	}
	return line, ""
}

// has reports whether a header has a list with a member, whatever its case.
func has(h http.Header, field, member string) bool {
	return slices.ContainsFunc(members(h, field), func(m string) bool { return strings.EqualFold(m, member) })
}

// members are those of a list, of all its fields.
func members(h http.Header, field string) []string {
	var list []string
	for _, line := range h[field] {
		for _, m := range strings.Split(line, ",") {
			if m = strings.TrimSpace(m); m != "" {
				list = append(list, m)
			}
		}
	}
	return list
}
