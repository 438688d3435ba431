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

// A context that says anything to the cache has a value for saidKey as well, so that who finds none need look for nothing else. It isn't what is said: of
// contexts that are put together of two, one may have the wish and the other the recording.
type saidKey struct{}

// saying returns a context that says something to the cache.
func saying(ctx context.Context, key, what any) context.Context {
	return context.WithValue(context.WithValue(ctx, key, what), saidKey{}, true)
}

// WithWish returns a context whose reads, and what is made of them, are as wished.
func WithWish(ctx context.Context, w Wish) context.Context { return saying(ctx, wishKey{}, w) }

// WishOf is what a context asks for, and whether it asks for anything.
func WishOf(ctx context.Context) (w Wish, asks bool) {
	w, asks = ctx.Value(wishKey{}).(Wish)
	return w, asks
}
