// Package hosts reads the list of servers in a store's URL, which package url takes for one host.
package hosts

import "strings"

// Of returns what stands between the user and the path of a URL, divided at commas.
func Of(text string) []string {
	_, rest, _ := strings.Cut(text, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return strings.FieldsFunc(rest, func(r rune) bool { return r == ',' })
}

// First is the URL with its first host only.
func First(text string) string {
	list := Of(text)
	if len(list) < 2 {
		return text
	}
	return strings.Replace(text, strings.Join(list, ","), list[0], 1)
}

// WithPort is a host with the port, unless it has one.
func WithPort(host, port string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host
	}
	return host + ":" + port
}
