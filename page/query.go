package page

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// A QueryPolicy says which parameters of a URL's query a response may depend on. The zero value knows none: a request that
// has any is left to the handler.
type QueryPolicy struct {
	all     bool
	names   []string
	ignored []string // patterns of path.Match
}

// Query is a policy under which responses depend on these parameters, in whatever order they come. A request that has another
// one is left to the handler.
func Query(names ...string) QueryPolicy { return QueryPolicy{names: names} }

// AnyQuery is a policy under which responses depend on all parameters. Who asks for many makes many entries.
func AnyQuery() QueryPolicy { return QueryPolicy{all: true} }

// Ignore adds parameters that no response depends on, such as "utm_*": the handler doesn't see them.
func (p QueryPolicy) Ignore(patterns ...string) QueryPolicy {
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			panic("page: QueryPolicy.Ignore: " + pattern + " is no pattern of path.Match")
		}
	}
	p.ignored = append(slices.Clip(p.ignored), patterns...)
	return p
}

// normal is the form of a query that all have which mean the same by the policy. It is not ok if the query has what
// the policy doesn't know.
func (p QueryPolicy) normal(raw string) (query string, ok bool) {
	if raw == "" {
		return "", true
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", false
	}
	for name := range values {
		switch {
		case slices.ContainsFunc(p.ignored, func(pattern string) bool { is, _ := path.Match(pattern, name); return is }):
			delete(values, name)
		case !p.all && !slices.Contains(p.names, name):
			return "", false
		}
	}
	return values.Encode(), true
}

// withQuery is a request target with another query.
func withQuery(target, query string) string {
	before, _, _ := strings.Cut(target, "?")
	if query == "" {
		return before
	}
	return before + "?" + query
}
