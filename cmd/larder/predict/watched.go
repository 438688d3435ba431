package predict

import (
	"context"
	"slices"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// maxWatched bounds the entries and tags of which it is remembered what removed them.
const maxWatched = 1_000_000

// watched is a store that remembers which write removed what.
type watched struct {
	store.Store
	writer  *Shape // of what is announced now
	count   int64
	entries map[string]filled
	changes map[store.Tag]changedTag
}

type filled struct {
	at   int64
	tags []store.Tag
}

type changedTag struct {
	at int64
	by *Shape
}

func newWatched(s store.Store) *watched {
	return &watched{Store: s, entries: map[string]filled{}, changes: map[store.Tag]changedTag{}}
}

// Fill implements store.Store.
func (w *watched) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	if _, known := w.entries[key]; known || len(w.entries) < maxWatched {
		w.count++
		w.entries[key] = filled{w.count, slices.Clone(e.Tags)}
	}
	return w.Store.Fill(ctx, key, e, ttl)
}

// Hold implements store.Store.
func (w *watched) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	w.count++
	for _, tag := range tags {
		if _, known := w.changes[tag]; known || len(w.changes) < maxWatched {
			w.changes[tag] = changedTag{w.count, w.writer}
		}
	}
	return w.Store.Hold(ctx, id, tags, lease, look)
}

// A cause is why an entry wasn't there.
type cause uint8

const (
	neverRead cause = iota
	removed         // by a write
	dropped         // for want of room, or since it was too old
)

// why tells why there is no entry under a key, and which write has removed it.
func (w *watched) why(key string) (cause, *Shape) {
	e, was := w.entries[key]
	if !was {
		return neverRead, nil
	}
	for _, tag := range e.tags {
		if c := w.changes[tag]; c.at > e.at {
			return removed, c.by
		}
	}
	return dropped, nil
}

var _ coherence.Store = (*watched)(nil)
