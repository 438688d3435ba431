package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/larderdb/larder/coherence"
)

// holds are the marks of one write in the databases that it may change.
type holds struct {
	effect effect
	marks  []*coherence.Hold
	own    *coherence.Writer // the writer that they belong to, if there is one

	schemas []*database // of which the schema is changed
	reading bool        // of what is a read, as far as is known: it isn't refused
	failed  error       // why the store may not have all marks
}

// abandon leaves the marks to lapse.
func (h *holds) abandon() {
	for _, hold := range h.marks {
		if h.effect.schema { // not before writers that don't know of it have ended
			hold.AbandonAfterWriters(h.own)
		} else {
			hold.Abandon()
		}
	}
}

// hold marks what is about to become visible. If the store can't be told of it, that is noted: a write
// asks by refused whether it may be made.
func (s *Session) hold(ctx context.Context, e effect) holds {
	h := holds{effect: e}
	if e.none() {
		return h
	}
	if s.db != nil && !e.attached {
		h.add(s.db.domain.HoldChanges(s.storing(ctx), nil, told(e.changes)))
	} else {
		for _, db := range s.databases(&e) {
			if e.schema {
				h.schemas = append(h.schemas, db)
				h.add(db.domain.HoldSchema(s.storing(ctx)))
			} else {
				h.add(db.domain.Hold(s.storing(ctx), db.allOnly))
			}
		}
	}
	if h.failed != nil {
		s.warn(ctx, "a write can't be held", h.failed)
	}
	return h
}

func (h *holds) add(hold *coherence.Hold, err error) {
	if hold != nil {
		h.marks = append(h.marks, hold)
	}
	h.failed = errors.Join(h.failed, err)
}

// ErrNotHeld is why a write was not made: the store could not be told of it before.
var ErrNotHeld = errors.New("the cache's store can't be told of the write, which was not made")

// refused says why a write must not be made, if the cache fails closed and the store doesn't have its
// marks. They are taken away then.
func (s *Session) refused(ctx context.Context, h *holds) error {
	if h.failed == nil || !s.src.FailClosed || h.reading {
		return nil
	}
	for _, hold := range h.marks {
		if h.effect.schema {
			_ = hold.ReleaseAfterWriters(s.storing(ctx), h.own) // it goes on to be tried
		} else {
			_ = hold.Rollback(s.storing(ctx)) // or it lapses
		}
	}
	h.marks = nil
	return fmt.Errorf("larder: %w: %w", ErrNotHeld, h.failed)
}

// ready makes sure that marks which are not fresh are in force, just before what makes the change
// visible, and says why it must not be made.
func (s *Session) ready(ctx context.Context, h *holds) error {
	for _, hold := range h.marks {
		if !hold.Lapses() {
			continue
		}
		if err := hold.Ready(s.storing(ctx), h.effect.facts...); err != nil {
			h.failed = errors.Join(h.failed, err)
			s.warn(ctx, "a hold can't be renewed", err)
		}
	}
	return s.refused(ctx, h)
}

// release announces what has become visible, or leaves the marks to lapse if it
// isn't known whether it has.
func (s *Session) release(ctx context.Context, h *holds, err error) {
	if len(h.marks) == 0 {
		return
	}
	coherence.At(coherence.StepAnswered)
	if err == nil {
		s.trace(h)
	}
	for _, db := range h.schemas {
		db.epoch.Add(1)
	}
	if !answered(s.src.Dialect, s.inner, err) && !s.alive(ctx) {
		s.count.abandoned.Add(1)
		s.src.Log.WarnContext(ctx, "larder: outcome of a write is unknown, its relations are held until the lease ends", "error", err)
		h.abandon()
		return
	}
	ctx = s.storing(ctx)
	undone := err != nil && saidNo(s.src.Dialect, err)
	for ; len(h.marks) > 0; h.marks = h.marks[1:] { // those that are left are abandoned if there is a panic
		s.endOne(ctx, h.marks[0], h, undone)
	}
}

// alive reports whether the connection answers. If it does after an error that doesn't
// come from the database, then the statement before has ended there, or was never sent.
func (s *Session) alive(ctx context.Context) bool {
	if len(s.open) > 0 || s.inner == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(detached(ctx), aliveTimeout)
	defer cancel()
	_, err := querier{s.inner}.Query(ctx, "SELECT 1")
	return err == nil || !errors.Is(err, driver.ErrBadConn) && answered(s.src.Dialect, s.inner, err)
}

// detached returns ctx without its end: what has begun in the database is announced
// even if nobody waits for it any more.
func detached(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// storing is detached for what is asked of the store. One that waits for nothing looks at no context.
func (s *Session) storing(ctx context.Context) context.Context {
	if s.src.prompt {
		return ctx
	}
	return detached(ctx)
}

// aliveTimeout bounds how long a connection is waited for after an error.
const aliveTimeout = time.Second

// endOne ends a hold; in a shared store perhaps after this has returned. If nothing was done nobody is told.
func (s *Session) endOne(ctx context.Context, hold *coherence.Hold, h *holds, undone bool) {
	switch {
	case h.effect.schema: // who changes the schema waits for others first
		s.src.noteEnd(ctx, hold, hold.ReleaseAfterWriters(ctx, h.own), true)
	case undone:
		s.src.noteEnd(ctx, hold, hold.Rollback(ctx), false)
	default:
		hold.ReleaseBehind(ctx, func(err error) { s.src.noteEnd(ctx, hold, err, false) })
	}
}

// noteEnd notes how a hold has ended, or that it was handed over.
func (s *Source) noteEnd(ctx context.Context, hold *coherence.Hold, err error, handed bool) {
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "larder: a write can't be announced", "error", err)
	}
	if hold.Lapsed() {
		s.Log.WarnContext(ctx, "larder: a hold has lapsed under its statement: others may have read what is older until now")
	}
	coherence.At(coherence.StepReleased)
	if err == nil && !handed {
		s.verifyEnded(ctx, hold)
	}
}
