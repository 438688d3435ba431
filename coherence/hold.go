package coherence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

// lastHold counts from a random number, so that the holds of two processes that
// share a store have different ids.
var lastHold atomic.Uint64

func init() { lastHold.Store(rand.Uint64()) }

func newHoldID() store.HoldID { return store.HoldID(lastHold.Add(1)) }

// A Hold is a write in flight. A nil Hold is of no tags. It is used by one
// goroutine at a time, and lasts as long as the process if it isn't ended.
type Hold struct {
	d     *Domain
	id    store.HoldID
	tags  []store.Tag
	ended bool

	made     time.Duration // when it was made, or renewed, at the latest; of a store that lapses
	loose    bool          // the store may not have the marks: see fence
	unsure   bool          // it was loose at some time
	lapsed   bool          // they may have been gone when the change became visible
	schema   bool          // of a change of the schema
	untold   []untold      // shapes whose slices Tell is to tell …
	patience []*patience   // … and whose readers wait …
	paused   []store.Tag   // … and the tags of these, and of those that were told: marked, with the tokens that they had
	facts    []*Reliance   // by which its tags were told
	reliance *Reliance     // whose hold of #facts it is
}

// Hold marks tags as about to change and gives them new tokens; it must return
// before the change can become visible. The hold ends by Release, Rollback,
// ReleaseAfterWriters or Abandon; it doesn't lapse while this process lives. If
// Hold fails nothing is held, or what is lapses with the domain's lease.
//
// In a shared store the Hold that comes with an error must be ended all the same: by Rollback if
// the write isn't made. If it is, this process reads nothing from the store until it was told of
// the write; other processes may read what is older meanwhile.
func (d *Domain) Hold(ctx context.Context, tags []store.Tag) (*Hold, error) {
	return d.hold(ctx, &Hold{}, slices.Clone(tags), nil)
}

// hold makes h the hold of tags, which become its own.
func (d *Domain) hold(ctx context.Context, h *Hold, tags []store.Tag, look *store.Look) (*Hold, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	h.d, h.id, h.tags = d, newHoldID(), tags
	if d.shared != nil {
		h.made = d.now()
	}
	if d.mutant == NoHold {
		return h, nil
	}
	At(StepHold)
	if err := d.store.Hold(ctx, h.id, h.tags, 0, look); err != nil {
		return h.failed(ctx, err)
	}
	At(StepHeld)
	if d.mutant == ReleaseBeforeCommit {
		h.giveUp(ctx)
	}
	return h, nil
}

// failed is what becomes of a hold that isn't whole.
func (h *Hold) failed(ctx context.Context, err error) (*Hold, error) {
	err = fmt.Errorf("coherence: hold: %w", err)
	if h.d.shared == nil {
		h.giveUp(ctx)
		return nil, err
	}
	h.loosen()
	return h, err
}

// giveUp ends a hold that isn't whole.
func (h *Hold) giveUp(ctx context.Context) {
	if h.end(ctx) != nil {
		h.Abandon()
	}
}

// Lapses reports whether the hold may lapse though this process lives, because the store is one that others use: see Ready.
func (h *Hold) Lapses() bool { return h != nil && h.d.shared != nil }

// Ready makes sure that the hold is in force, if it was made so long ago that it may have lapsed: this
// process may have been stopped since. It is to be called just before what makes the change visible, with
// the facts by which the tags were told. If it fails the change may be made all the same, as after a Hold that failed.
//
// What has been in force all the time is so for two thirds of the lease yet. Otherwise everything is held:
//
//  1. a writer is told its tags, by facts and shapes as they are, and is stopped
//  2. its marks lapse: another process changes the schema, and waits for nobody; a shape comes into use
//  3. the writer goes on: its tags aren't those of its change any more
func (h *Hold) Ready(ctx context.Context, facts ...*Reliance) error {
	if !h.Lapses() || h.ended || h.loose || h.d.mutant == NoHold || h.d.mutant == NoReady {
		return nil
	}
	now := h.d.now()
	h.facts = facts
	third := h.d.shared.Lease() / 3
	sure, err := h.stands(ctx, third)
	if sure && now-h.made < third {
		return nil
	}
	if !sure && err == nil {
		h.widen()
		err = h.d.store.Hold(ctx, h.id, h.tags, 0, nil)
	}
	if err != nil {
		h.loosen()
		return fmt.Errorf("coherence: renew a hold: %w", err)
	}
	h.made = now
	return nil
}

// stands reports whether the hold, if it was made that long ago, and what told its tags have been in force. An error is the store's.
func (h *Hold) stands(ctx context.Context, old time.Duration) (bool, error) {
	sure := h.d.sure(ctx, h.facts)
	if h.d.now()-h.made < old {
		return sure, nil
	}
	switch err := h.d.store.Renew(ctx, h.id, h.tags, 0); {
	case errors.Is(err, store.ErrLapsed):
		return false, nil
	default:
		return sure, err
	}
}

// doubt notes that the hold of a long write may have lapsed before the change became visible.
func (h *Hold) doubt(ctx context.Context) {
	if h == nil || h.ended || h.loose || h.d.shared == nil || h.d.now()-h.made < 2*h.d.shared.Lease()/3 {
		return
	}
	if sure, err := h.stands(context.WithoutCancel(ctx), 0); !sure || err != nil {
		h.lapsed = true
		h.loosen()
	}
}

// Lapsed reports, of a hold that was released or abandoned, whether its marks may have been gone when the change became
// visible, though they were in force when it was ready: others may have read what is older, until the release.
func (h *Hold) Lapsed() bool { return h != nil && h.lapsed }

// widen makes the hold one of everything in the domain.
func (h *Hold) widen() {
	if all := h.d.schema.all; !slices.Contains(h.tags, all) && h.d.mutant != NarrowInDoubt {
		h.tags = append(h.tags, all)
	}
}

// Release announces the change: new tokens, then the marks are taken away. In a store of this process's memory
// the write may be acknowledged when it has returned; in a shared one it may be before, see ReleaseBehind. That ctx has ended doesn't
// keep it from being done. If it fails, what it hasn't reached is still held, so
// nobody reads what is too old: call it again, or Abandon. The store of this
// process's memory never fails; a shared one is told until it has heard, and needs
// no further call. Once a hold has ended it does nothing.
func (h *Hold) Release(ctx context.Context) error {
	if h == nil || h.ended { // the tags of one that has ended may be with who tells the store of it later
		return nil
	}
	h.doubt(ctx)
	h.tags = append(h.tags, h.undecided()...)
	return h.release(ctx)
}

// release is Release of a hold that has been in force until its change became visible, as far as is known, and whose tags are all told.
func (h *Hold) release(ctx context.Context) error {
	err := h.end(ctx)
	if err == nil {
		return nil
	}
	if h.d.shared != nil {
		h.announceLater(false)
	}
	return fmt.Errorf("coherence: release: %w", err)
}

// Rollback releases a hold whose change did not happen. It fails as Release does.
func (h *Hold) Rollback(ctx context.Context) error {
	if h != nil && h.d.mutant == RollbackKeepsHold {
		return nil
	}
	if h != nil {
		h.fasten() // nobody has to be told
	}
	err := h.end(ctx)
	if err == nil {
		return nil
	}
	if h.d.shared != nil { // marks that are there lapse
		h.lapse()
	}
	return fmt.Errorf("coherence: roll back: %w", err)
}

func (h *Hold) end(ctx context.Context) error {
	if h == nil || h.ended {
		return nil
	}
	if !h.d.prompt && ctx.Done() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	if h.reliance != nil {
		defer h.reliance.ending()()
	}
	err := h.d.store.Release(ctx, h.id, h.tags)
	if err == nil && h.loose {
		err = h.announceAll(ctx)
	}
	if h.ended = err == nil; h.ended {
		h.fasten()
		h.resume()
	}
	return err
}

// announceAll announces everything, for a hold that may not have been in force when its change became visible:
// shapes may have come into use, or the schema may have been changed, that it doesn't know of. It is the
// last step, so that tries that fail elsewhere remove nothing more.
func (h *Hold) announceAll(ctx context.Context) error {
	if h.d.mutant == NarrowInDoubt || slices.Contains(h.tags, h.d.schema.all) {
		return nil
	}
	return h.d.store.Release(ctx, h.id, []store.Tag{h.d.schema.all})
}

// Abandon leaves the hold to lapse with the domain's lease, which begins now,
// because it isn't known whether the change became, or will become, visible.
// A change that becomes visible later than that isn't covered.
func (h *Hold) Abandon() {
	if h == nil || h.ended {
		return
	}
	h.d.writers.lose(h.d.lease)
	h.doubt(context.Background())
	if h.loose { // nothing may be there that lapses
		h.announceLater(true)
		return
	}
	h.lapse()
}

func (h *Hold) lapse() {
	h.ended = true
	if h.reliance != nil {
		defer h.reliance.ending()()
	}
	// If it fails, the mark is gone already, or lapses by a lease of the store's own.
	_ = h.d.store.Renew(context.Background(), h.id, h.tags, h.d.lease)
	if len(h.paused) > 0 {
		_ = h.d.store.Hold(context.Background(), h.id, h.paused, h.d.lease, nil)
		h.unpaused()
	}
}
