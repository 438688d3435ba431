package coherence

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/larderdb/larder/store"
)

// lastHold counts from a random number, so that the holds of two processes that
// share a store have different ids.
var lastHold atomic.Uint64

func init() { lastHold.Store(rand.Uint64()) }

func newHoldID() store.HoldID { return store.HoldID(lastHold.Add(1)) }

// A Hold is a write in flight. A nil Hold is of no tags. It is used by one
// goroutine, and lasts as long as the process if it isn't ended.
type Hold struct {
	d     *Domain
	id    store.HoldID
	tags  []store.Tag
	ended bool
}

// Hold marks tags as about to change and gives them new tokens; it must return
// before the change can become visible. The hold ends by Release, Rollback,
// ReleaseAfterWriters or Abandon; it doesn't lapse while this process lives. If
// Hold fails nothing is held, or what is lapses with the domain's lease.
func (d *Domain) Hold(ctx context.Context, tags []store.Tag) (*Hold, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	h := &Hold{d: d, id: newHoldID(), tags: slices.Clone(tags)}
	if d.mutant == NoHold {
		return h, nil
	}
	if err := d.store.Hold(ctx, h.id, h.tags, 0, nil); err != nil {
		h.giveUp(ctx)
		return nil, fmt.Errorf("coherence: hold: %w", err)
	}
	if d.mutant == ReleaseBeforeCommit {
		h.giveUp(ctx)
	}
	return h, nil
}

// giveUp ends a hold that isn't whole.
func (h *Hold) giveUp(ctx context.Context) {
	if h.end(ctx) != nil {
		h.Abandon()
	}
}

// Release announces the change: new tokens, then the marks are taken away. The
// write may be acknowledged when it has returned. That ctx has ended doesn't
// keep it from being done. If it fails, what it hasn't reached is still held, so
// nobody reads what is too old: call it again, or Abandon. The store of this
// process's memory never fails. Once a hold has ended it does nothing.
func (h *Hold) Release(ctx context.Context) error {
	if err := h.end(ctx); err != nil {
		return fmt.Errorf("coherence: release: %w", err)
	}
	return nil
}

// Rollback releases a hold whose change did not happen. It fails as Release does.
func (h *Hold) Rollback(ctx context.Context) error {
	if h != nil && h.d.mutant == RollbackKeepsHold {
		return nil
	}
	if err := h.end(ctx); err != nil {
		return fmt.Errorf("coherence: roll back: %w", err)
	}
	return nil
}

func (h *Hold) end(ctx context.Context) error {
	if h == nil || h.ended {
		return nil
	}
	if ctx.Done() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	err := h.d.store.Release(ctx, h.id, h.tags)
	h.ended = err == nil
	return err
}

// Abandon leaves the hold to lapse with the domain's lease, which begins now,
// because it isn't known whether the change became, or will become, visible.
// A change that becomes visible later than that isn't covered.
func (h *Hold) Abandon() {
	if h == nil || h.ended {
		return
	}
	h.d.writers.lose(h.d.lease)
	h.lapse()
}

func (h *Hold) lapse() {
	h.ended = true
	// If it fails, the mark is gone already, or lapses by a lease of the store's own.
	_ = h.d.store.Renew(context.Background(), h.id, h.tags, h.d.lease)
}
