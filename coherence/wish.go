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

type wishKey struct{}

// WithWish returns a context whose reads, and what is made of them, are as wished.
func WithWish(ctx context.Context, w Wish) context.Context {
	return context.WithValue(ctx, wishKey{}, w)
}

// WishOf is what a context asks for, and whether it asks for anything.
func WishOf(ctx context.Context) (w Wish, asks bool) {
	w, asks = ctx.Value(wishKey{}).(Wish)
	return w, asks
}
