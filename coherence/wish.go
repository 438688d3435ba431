package coherence

import "context"

// A Wish is what the caller of a read wants of the cache.
type Wish uint8

// The wishes.
const (
	Cached    Wish = iota
	Bypassed       // have it read, keep nothing
	Refreshed      // have it read, keep it
)

// WhyBypassed is why what was made under Bypassed isn't kept.
const WhyBypassed = "a bypass was asked for"

// A scope is all that a context says to the cache. It is one value of the context, since each read looks for it. It doesn't change.
type scope struct {
	wish Wish
	asks bool       // wish is set
	rec  *Recording // nil for none
}

type scopeKey struct{}

// scopeOf is that of a context, nil if it has none.
func scopeOf(ctx context.Context) *scope {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

// within returns a context with another scope.
func within(ctx context.Context, change func(*scope)) context.Context {
	var s scope
	if outer := scopeOf(ctx); outer != nil {
		s = *outer
	}
	change(&s)
	return context.WithValue(ctx, scopeKey{}, &s)
}

// WithWish returns a context whose reads, and what is made of them, are as wished.
func WithWish(ctx context.Context, w Wish) context.Context {
	return within(ctx, func(s *scope) { s.wish, s.asks = w, true })
}

// WishOf is what a context asks for, and whether it asks for anything.
func WishOf(ctx context.Context) (w Wish, asks bool) {
	s := scopeOf(ctx)
	if s == nil {
		return Cached, false
	}
	return s.wish, s.asks
}
