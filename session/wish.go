package session

import (
	"context"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/coherence"
)

// WithBypass returns a context whose reads ask the database and keep nothing.
func WithBypass(ctx context.Context) context.Context {
	return coherence.WithWish(ctx, coherence.Bypassed)
}

// WithRefresh returns a context whose reads ask the database and keep what it says.
func WithRefresh(ctx context.Context) context.Context {
	return coherence.WithWish(ctx, coherence.Refreshed)
}

// Wish is what a context asks for: to read the database and keep nothing, or to read it and keep what it says.
func Wish(ctx context.Context) (bypass, refresh bool) {
	w, _ := coherence.WishOf(ctx)
	return w == coherence.Bypassed, w == coherence.Refreshed
}

// wishOf is what the context asks for or, if it doesn't ask, the statement's comment.
func wishOf(ctx context.Context, st *analyze.Statement) coherence.Wish {
	if w, asks := coherence.WishOf(ctx); asks {
		return w
	}
	switch {
	case st.Hint.Bypass:
		return coherence.Bypassed
	case st.Hint.Refresh:
		return coherence.Refreshed
	}
	return coherence.Cached
}

// wish is wishOf, but that a source which only announces writes answers nothing from the cache.
func (s *Session) wish(ctx context.Context, st *analyze.Statement) coherence.Wish {
	if s.src.WritesOnly {
		return coherence.Bypassed
	}
	return wishOf(ctx, st)
}
