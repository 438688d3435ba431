package session

import (
	"context"

	"github.com/larderdb/larder/analyze"
)

// The transaction of a write's own, in which its rows are asked for if none is open.

// abandonImaging ends what was asked beside a write that panicked.
func (s *Session) abandonImaging(w *write) {
	own := w.imaging.own
	w.imaging = nil
	w.unknown()
	if !own {
		s.gather(w)
		return
	}
	s.tx.doubt = true
	defer s.gather(w) // if the driver panics again
	if _, err := execConn(context.Background(), s.inner, "ROLLBACK", nil); err == nil {
		s.tx.doubt = false
	}
}

// engine is the context of what begins or ends a transaction of the write's own. SQLite's drivers may
// say that a context has ended although the engine has done what it was asked; it doesn't keep
// anybody waiting.
func (s *Session) engine(ctx context.Context) context.Context {
	if s.src.Dialect == analyze.SQLite {
		return detached(ctx)
	}
	return ctx
}

// rollBack ends the transaction of a write's own. If that can't be, it may be committed by
// what comes after.
func (s *Session) rollBack(ctx context.Context, w *write) {
	if _, err := execConn(detached(ctx), s.inner, "ROLLBACK", nil); err != nil {
		s.tx.doubt = true
		w.unknown()
		s.gather(w)
	}
}
