package session

import (
	"context"

	"github.com/larderdb/larder/analyze"
)

// A wish is what the caller of a read wants of the cache.
type wish uint8

const (
	cached    wish = iota
	bypassed       // read the database, keep nothing
	refreshed      // read the database, keep it
)

type wishKey struct{}

// WithBypass returns a context whose reads ask the database and keep nothing.
func WithBypass(ctx context.Context) context.Context {
	return context.WithValue(ctx, wishKey{}, bypassed)
}

// WithRefresh returns a context whose reads ask the database and keep what it says.
func WithRefresh(ctx context.Context) context.Context {
	return context.WithValue(ctx, wishKey{}, refreshed)
}

// Wish is what a context asks for: to read the database and keep nothing, or to read it and keep what it says.
func Wish(ctx context.Context) (bypass, refresh bool) {
	w, _ := ctx.Value(wishKey{}).(wish)
	return w == bypassed, w == refreshed
}

// wishOf is what the context asks for or, if it doesn't ask, the statement's comment.
func wishOf(ctx context.Context, st *analyze.Statement) wish {
	if w, ok := ctx.Value(wishKey{}).(wish); ok {
		return w
	}
	switch {
	case st.Hint.Bypass:
		return bypassed
	case st.Hint.Refresh:
		return refreshed
	}
	return cached
}

// wish is wishOf, but that a source which only announces writes answers nothing from the cache.
func (s *Session) wish(ctx context.Context, st *analyze.Statement) wish {
	if s.src.WritesOnly {
		return bypassed
	}
	return wishOf(ctx, st)
}
