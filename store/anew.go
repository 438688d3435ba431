package store

import "context"

type anewKey struct{}

// Anew returns a context whose lookups are of what the store has now. One with copies that it would serve for a while without
// asking (store/near) asks for each: what is made of a copy that is old already, and kept under its tokens, would never be found.
func Anew(ctx context.Context) context.Context { return context.WithValue(ctx, anewKey{}, true) }

// IsAnew reports whether ctx is of Anew.
func IsAnew(ctx context.Context) bool { return ctx.Value(anewKey{}) != nil }
