package coherence_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// A watched store lets a test act before a shape is proposed, and say what it answers to who asks who holds.
type watched struct {
	*memory.Store
	proposed func()
	holders  func(ids []store.HoldID) ([]store.HoldID, error)
}

func (w *watched) Join(ctx context.Context, tag store.Tag, token store.Token, member string) (bool, error) {
	if strings.HasSuffix(member, "?") && w.proposed != nil {
		w.proposed()
	}
	return w.Store.Join(ctx, tag, token, member)
}

func (w *watched) Holders(ctx context.Context, tag store.Tag) ([]store.HoldID, error) {
	ids, err := w.Store.Holders(ctx, tag)
	if w.holders != nil && err == nil {
		return w.holders(ids)
	}
	return ids, err
}

func newWatched() (*watched, *coherence.Domain) {
	s := &watched{Store: memory.New(8 << 20)}
	return s, coherence.NewDomain(s, "db", coherence.Options{})
}

// TestShapeProposedUnderWrite: a write that has come just before the proposal, and so knows nothing of it, is waited for.
func TestShapeProposedUnderWrite(t *testing.T) {
	s, d := newWatched()
	rows, other := rowsOf("user_id", "1"), in(map[string][]string{"user_id": {"2"}})
	var late *coherence.Hold
	s.proposed = func() {
		s.proposed = nil
		late = holdRows(t, d, other)
	}
	for range 5 {
		wantRows(t, d, "k", rows, 1, 1, coherence.Held)
		ok(t, holdRows(t, d, other).Release(bg))
	}
	after := holdRows(t, d, other)
	ok(t, late.Release(bg))
	wantRows(t, d, "k", rows, 1, 1, coherence.Held)
	wantRows(t, d, "k", rows, 2, 2, coherence.Miss)
	ok(t, after.Release(bg))
	wantRows(t, d, "k", rows, 3, 2, coherence.Hit)
}

// TestShapeUnderUnknownWrites: while it isn't known who holds, a shape isn't put in use.
func TestShapeUnderUnknownWrites(t *testing.T) {
	for name, answer := range map[string]func([]store.HoldID) ([]store.HoldID, error){
		"nobody's":       func([]store.HoldID) ([]store.HoldID, error) { return []store.HoldID{0}, nil },
		"and nobody's":   func(ids []store.HoldID) ([]store.HoldID, error) { return append(ids, 0), nil },
		"an error":       func([]store.HoldID) ([]store.HoldID, error) { return nil, errors.New("no") },
		"now and then 0": alternately(),
	} {
		t.Run(name, func(t *testing.T) {
			s, d := newWatched()
			s.holders = answer
			rows := rowsOf("user_id", "1")
			h := holdRows(t, d, in(nil))
			for range 6 {
				wantRows(t, d, "k", rows, 1, 1, coherence.Held)
			}
			ok(t, h.Release(bg))
			wantRows(t, d, "k", rows, 2, 2, coherence.Miss)
		})
	}
}

// alternately tells of nobody, whoever holds, and then of who does.
func alternately() func([]store.HoldID) ([]store.HoldID, error) {
	n := 0
	return func(ids []store.HoldID) ([]store.HoldID, error) {
		if n++; n%2 == 1 {
			return []store.HoldID{0}, nil
		}
		return ids, nil
	}
}

// TestShapeProposedAnew: who held when a shape was proposed under another token of R* says nothing of this proposal.
func TestShapeProposedAnew(t *testing.T) {
	_, d := newWatched()
	rows, other := rowsOf("user_id", "1"), in(map[string][]string{"user_id": {"2"}})
	first := holdRows(t, d, other)
	wantRows(t, d, "k", rows, 1, 1, coherence.Held) // proposes it
	write(t, d, wide)                               // a new token of R*
	d.Retire(bg, "stuff", "user_id")
	second := holdRows(t, d, other) // knows of no proposal
	ok(t, first.Release(bg))
	for range 4 {
		wantRows(t, d, "k", rows, 1, 1, coherence.Held)
	}
	ok(t, second.Release(bg))
	wantRows(t, d, "k", rows, 2, 2, coherence.Miss)
}

// TestWrappedMemory: a store that wraps memory is asked as it wants to be, with a context that hasn't ended.
func TestWrappedMemory(t *testing.T) {
	s := &strict{Store: memory.New(8 << 20)}
	d := coherence.NewDomain(s, "db", coherence.Options{})
	tags := []store.Tag{d.Tag("stuff?")}
	ctx, cancel := context.WithCancel(bg)
	h := hold(t, d, tags...)
	cancel()
	ok(t, h.Release(ctx))
	want(t, d, "k", tags, 1, 1, coherence.Miss)
	if _, found := d.Space("").Kept(bg, "k"); found {
		t.Error("the wrapper's Lookup was passed over")
	}
	if coherence.Prompt(s) || !coherence.Prompt(s.Store) {
		t.Error("a wrapper is taken for what it wraps")
	}
}

type strict struct{ *memory.Store }

func (s *strict) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Store.Release(ctx, id, tags)
}
