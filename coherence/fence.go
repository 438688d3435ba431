package coherence

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

// A fence keeps this process from a store that doesn't know of one of its writes: the store was away
// when the write was to be held, or announced. As long as it is up, reads go to the database and keep
// nothing. It goes down when the store has been told.
type fence struct{ writes atomic.Int64 }

func (d *Domain) fenced() bool { return d.fence.writes.Load() > 0 && d.mutant != NoFence }

// Unannounced is how many writes of this process the store could not be told of yet.
func (d *Domain) Unannounced() int64 { return d.fence.writes.Load() }

// loosen notes that it isn't sure that the store has the marks of the hold.
func (h *Hold) loosen() {
	if !h.loose {
		h.loose = true
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

// announceLater has the end of the hold tried until it succeeds. The hold counts as ended.
func (h *Hold) announceLater(step func(ctx context.Context, h *Hold) error) {
	h.loosen()
	later := *h
	h.ended, h.loose = true, false
	h.d.retry(func(ctx context.Context) error {
		err := step(ctx, &later)
		if err == nil {
			later.fasten()
		}
		return err
	})
}

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
