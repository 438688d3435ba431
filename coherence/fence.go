package coherence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

// A fence keeps this process from a store that doesn't know of one of its writes: the store was away
// when the write was to be held, or announced. As long as it is up, reads go to the database and keep
// nothing. It goes down when the store has been told.
//
// What it is to be told gathers while it is away: however many writes there are, the tags
// are told at once. The marks that a failed hold may have left lapse by themselves.
type fence struct {
	writes atomic.Int64 // that the store may not know of

	mu      sync.Mutex // guards what follows
	tags    map[Tag]bool
	lost    map[Tag]bool // of writes of unknown outcome, which may become visible within the lease
	held    []*Hold      // whose marks the store has, and goes on renewing
	waiting int64        // the writes that these are of
	telling bool
	closed  bool // the store is, and can't be told any more
}

// maxUntold bounds the tags that gather; then all are told of.
const maxUntold = 10_000

func (d *Domain) isFenced() bool {
	return (d.fence.writes.Load() > 0 || d.beside != nil && d.beside()) && d.mutant != NoFence
}

// Unannounced is how many writes of this process the store could not be told of yet.
func (d *Domain) Unannounced() int64 { return d.fence.writes.Load() }

// Telling reports whether the store is yet to be told of writes, and can be.
func (d *Domain) Telling() bool {
	d.fence.mu.Lock()
	defer d.fence.mu.Unlock()
	return d.fence.telling && !d.fence.closed
}

// loosen notes that it isn't sure that the store has the marks of the hold.
func (h *Hold) loosen() {
	if !h.loose {
		h.loose, h.unsure = true, true
		h.d.fence.writes.Add(1)
	}
}

// fasten notes that the store needn't be told any more.
func (h *Hold) fasten() {
	if h.loose {
		h.loose = false
		h.d.fence.writes.Add(-1)
	}
}

// announceLater ends a hold of whose end the store can't be told, and has it told when it can be. lost says that the outcome
// of the write isn't known.
func (h *Hold) announceLater(lost bool) {
	f, held := &h.d.fence, !h.loose
	h.loosen()
	if !held {
		h.lapse() // what marks there are
		h.widen()
	}
	h.ended, h.loose = true, false
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.waiting++; {
	case held:
		f.held = append(f.held, h)
	case lost:
		f.lost = h.d.gathered(f.lost, h.tags)
	default:
		f.tags = h.d.gathered(f.tags, h.tags)
	}
	if !f.telling {
		f.telling = true
		h.d.retry(h.d.tell)
	}
}

// gathered adds tags to a set, or makes it that of everything.
func (d *Domain) gathered(set map[Tag]bool, tags []Tag) map[Tag]bool {
	if len(set)+len(tags) > maxUntold {
		return map[Tag]bool{d.schema.all: true}
	}
	if set == nil {
		set = make(map[Tag]bool)
	}
	for _, tag := range tags {
		set[tag] = true
	}
	return set
}

// errMoreToTell is why the store must be told again.
var errMoreToTell = errors.New("coherence: writes have come meanwhile")

// tell tells the store what has gathered. If it fails that stays.
func (d *Domain) tell(ctx context.Context) error {
	err := d.tellGathered(ctx)
	if err == nil && d.told != nil {
		d.told()
	}
	return err
}

func (d *Domain) tellGathered(ctx context.Context) error {
	f := &d.fence
	f.mu.Lock()
	tags, lost, held, waiting := f.tags, f.lost, f.held, f.waiting
	f.tags, f.lost, f.held, f.waiting = nil, nil, nil, 0
	f.mu.Unlock()

	err := d.tellSafely(ctx, tags, lost, held)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = errors.Is(err, store.ErrClosed) // retry ends
	if err != nil {
		f.tags, f.lost = d.gathered(f.tags, list(tags)), d.gathered(f.lost, list(lost))
		f.held, f.waiting = append(held, f.held...), f.waiting+waiting
		return err
	}
	f.writes.Add(-waiting)
	if f.telling = f.waiting > 0; f.telling {
		return errMoreToTell
	}
	return nil
}

// tellSafely is tellOf, of which a panic of the store's is an error.
func (d *Domain) tellSafely(ctx context.Context, tags, lost map[Tag]bool, held []*Hold) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("coherence: tell the store: panic: %v", p)
		}
	}()
	return d.tellOf(ctx, tags, lost, held)
}

func (d *Domain) tellOf(ctx context.Context, tags, lost map[Tag]bool, held []*Hold) error {
	if len(lost) > 0 {
		if err := d.store.Hold(ctx, newHoldID(), list(lost), d.lease, nil); err != nil {
			return err
		}
	}
	for _, h := range held {
		sure, err := h.stands(ctx, 0)
		if err != nil {
			return err
		}
		if !sure { // it has lapsed since
			h.widen()
		}
		if err := d.store.Release(ctx, h.id, h.tags); err != nil {
			return err
		}
	}
	if len(tags) == 0 {
		return nil
	}
	return d.store.Release(ctx, newHoldID(), list(tags))
}

func list(set map[Tag]bool) []Tag { return slices.Sorted(maps.Keys(set)) }

// How long it is waited between two tries.
const (
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
)

// retry tries until it succeeds, or the store is closed.
func retry(try func(context.Context) error) {
	go func() {
		for pause := firstPause; ; pause = min(2*pause, longestPause) {
			time.Sleep(pause)
			if err := try(context.Background()); err == nil || errors.Is(err, store.ErrClosed) {
				return
			}
		}
	}()
}
