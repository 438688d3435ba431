// Package near puts copies of this process's own before a store that several processes share.
//
// A copy is an entry of the far store, decoded. It is judged as that is: by the tokens and holds of
// its tags, which the far store is asked for. So a hit asks for these alone, and is as fresh as
// without the copy. With Options.Bounded a copy that was found valid is served for so long without asking;
// what this process writes it knows by a memory store that has the same tags, whose tokens a
// copy must have too.
//
// A far store that doesn't answer is left alone for a moment, and then asked by one caller first.
package near

import (
	"context"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// Options of a store; the zero value is the default.
type Options struct {
	// MaxBytes is how much memory the copies may take; 0 means 64 MiB.
	MaxBytes int64

	// Bounded is how long a copy is served after it was found valid, but for lookups under store.Anew; 0 means not at all. Other
	// processes' changes are seen so much later.
	Bounded time.Duration

	// Timeout is how long the far store may take for one call; 0 leaves it to that. A call that
	// fails after half of it (of 50 ms, if it is 0) keeps others from the store for a moment.
	Timeout time.Duration

	// Decode makes a Value of what the far store has. It reports false for what it doesn't
	// know, which stays store.Bytes. Nil knows nothing. size is the memory that value takes.
	Decode func(b store.Bytes) (value any, size int, ok bool)
}

var _ store.Shared = (*Store)(nil)

// A Store is a far store with copies before it.
type Store struct {
	far   store.Shared
	mine  *memory.Store // copies by key; the tokens of its tags are this process's own
	o     Options
	away  breaker
	meter meter
	start time.Time
}

// A copied entry is as the far store had it, but for its Value.
type copied struct {
	entry   store.Entry
	checked atomic.Int64 // when it was last found valid, since the store's start; 0: never by this copy
	due     atomic.Int64 // when Due has said so last
}

// New returns a store of copies before far, which it closes when it is closed.
func New(far store.Shared, o Options) *Store {
	s := &Store{far: far, mine: memory.New(o.MaxBytes), o: o, start: time.Now()}
	s.away.slow = o.Timeout / 2
	if o.Timeout <= 0 {
		s.away.slow = 25 * time.Millisecond
	}
	return s
}

// Far is the store that the copies are of.
func (s *Store) Far() store.Shared { return s.far }

// Channel is that of the far store.
func (s *Store) Channel() (store.Channel, bool) { return store.ChannelOf(s.far) }

func (s *Store) now() int64 { return int64(time.Since(s.start)) + 1 }

// Lookup is as store.Store has it. If there is a copy the far store is asked for its tags only; and if
// that shows that it is old, for the entry, which another process may have filled since.
func (s *Store) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	c := s.copyOf(ctx, key)
	if c == nil {
		return s.fetch(ctx, key, tags)
	}
	v, err := s.judge(ctx, c)
	switch {
	case err != nil:
		return store.View{}, err
	case v.Entry != nil, v.Held && slices.Equal(tags, c.entry.Tags):
		return v, nil
	}
	return s.fetch(ctx, key, tags)
}

// LookupCopy is Lookup for who doesn't know the tags, but doesn't ask the far store for an entry: it reports whether
// there was a copy. One that is old is dropped; Held is that of its tags then, and there are no tokens.
func (s *Store) LookupCopy(ctx context.Context, key string) (v store.View, is bool, err error) {
	c := s.copyOf(ctx, key)
	if c == nil {
		return store.View{}, false, nil
	}
	v, err = s.judge(ctx, c)
	if err != nil || v.Entry != nil {
		return v, true, err
	}
	_ = s.mine.Remove(ctx, key) // it never fails
	return store.View{Held: v.Held}, true, nil
}

// judge asks the far store whether a copy is valid, and returns it if so; else what is seen of its tags.
func (s *Store) judge(ctx context.Context, c *copied) (store.View, error) {
	began := s.now()
	if at := c.checked.Load(); at != 0 && began-at < int64(s.o.Bounded) && !store.IsAnew(ctx) {
		return store.View{Entry: &c.entry}, nil
	}
	v, err := s.askFar(ctx, "", c.entry.Tags)
	switch {
	case err != nil:
		return store.View{}, err
	case !v.Held && slices.Equal(v.Tokens, c.entry.Tokens):
		c.checked.Store(began)
		return store.View{Entry: &c.entry}, nil
	}
	return v, nil
}

// copyOf returns the copy under key that no write of this process has made old; nil if there is none.
func (s *Store) copyOf(ctx context.Context, key string) *copied {
	if key == "" {
		return nil
	}
	v, err := s.mine.Lookup(ctx, key, nil)
	if err != nil || v.Entry == nil {
		return nil
	}
	return v.Entry.Value.(*copied)
}

// fetch asks the far store, and keeps a copy of what it has.
func (s *Store) fetch(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	v, err := s.askFar(ctx, key, tags)
	if err != nil || v.Entry == nil {
		return v, err
	}
	e, left := s.decoded(v.Entry)
	if left > 0 {
		s.keep(ctx, key, e, left)
	}
	return store.View{Entry: e}, nil
}

// decoded is an entry of the far store as it is copied, and how long it has to live.
func (s *Store) decoded(e *store.Entry) (*store.Entry, time.Duration) {
	b, ok := e.Value.(store.Bytes)
	if !ok {
		return e, 0
	}
	own := &store.Entry{Value: b, Size: len(b), Tags: make([]store.Tag, len(e.Tags)), Tokens: e.Tokens}
	for i, tag := range e.Tags { // which lie in one piece with the value
		own.Tags[i] = store.Tag(strings.Clone(string(tag)))
	}
	if len(b) < stampSize {
		return own, 0
	}
	left := time.Until(time.UnixMilli(int64(binary.BigEndian.Uint64(b))))
	own.Value, own.Size = b[stampSize:], len(b)
	if s.o.Decode != nil {
		if value, size, ok := s.o.Decode(b[stampSize:]); ok {
			own.Value, own.Size = value, size
		}
	}
	return own, left
}

// keep keeps a copy. It is asked for once more before it is served without asking: a write of this process may have
// come since the entry was found, and is seen then.
func (s *Store) keep(ctx context.Context, key string, e *store.Entry, ttl time.Duration) {
	v, err := s.mine.Lookup(ctx, "", e.Tags)
	if err != nil || v.Held {
		return
	}
	c := &copied{entry: *e}
	c.entry.Tokens = slices.Clone(e.Tokens)
	c.entry.Tags = slices.Clone(e.Tags)
	size := e.Size + copySize + 24*len(e.Tags)
	_ = s.mine.Fill(ctx, key, &store.Entry{Value: c, Size: size, Tags: e.Tags, Tokens: v.Tokens}, ttl) // it never fails
}

const copySize = 104 // of a copied, in bytes

// Fill is as store.Store has it. A Value that can't be written is kept in this process alone.
func (s *Store) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	if key == "" || ttl <= 0 {
		return nil
	}
	s.keep(ctx, key, e, ttl)
	value, ok := e.Value.(encoding.BinaryAppender)
	if !ok {
		return fmt.Errorf("near: fill: %w", store.ErrNotKept)
	}
	written := &store.Entry{Value: stamped{value, time.Now().Add(ttl)}, Size: e.Size, Tags: e.Tags, Tokens: e.Tokens}
	return s.call(ctx, func(ctx context.Context) error { return s.far.Fill(ctx, key, written, ttl) })
}

// A stamped value is written behind the time until which it may live, by the clock of who fills: a copy
// of it must not live longer.
type stamped struct {
	value   encoding.BinaryAppender
	expires time.Time
}

const stampSize = 8 // milliseconds since 1970

func (v stamped) AppendBinary(b []byte) ([]byte, error) {
	return v.value.AppendBinary(binary.BigEndian.AppendUint64(b, uint64(v.expires.UnixMilli())))
}

// Hold is as store.Store has it. This process's copies are held first.
func (s *Store) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	_ = s.mine.Hold(ctx, id, tags, lease, nil)
	return s.call(ctx, func(ctx context.Context) error { return s.far.Hold(ctx, id, tags, lease, look) })
}

// Renew is as store.Store has it.
func (s *Store) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	_ = s.mine.Renew(ctx, id, tags, lease)
	err := s.call(ctx, func(ctx context.Context) error { return s.far.Renew(ctx, id, tags, lease) })
	if lease > 0 && errors.Is(err, ErrAway) { // the far store, which isn't asked, is to stop renewing the hold all the same
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_ = s.far.Renew(ended, id, tags, lease)
	}
	return err
}

// Release is as store.Store has it. Copies are released even if the far store doesn't answer.
func (s *Store) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	err := s.call(ctx, func(ctx context.Context) error { return s.far.Release(ctx, id, tags) })
	_ = s.mine.Release(ctx, id, tags)
	return err
}

// Holders is as store.Store has it.
func (s *Store) Holders(ctx context.Context, tag store.Tag) (ids []store.HoldID, err error) {
	err = s.call(ctx, func(ctx context.Context) error { ids, err = s.far.Holders(ctx, tag); return err })
	return ids, err
}

// Members is as store.Store has it.
func (s *Store) Members(ctx context.Context, tag store.Tag) (members []string, token store.Token, err error) {
	err = s.call(ctx, func(ctx context.Context) error { members, token, err = s.far.Members(ctx, tag); return err })
	return members, token, err
}

// Join is as store.Store has it.
func (s *Store) Join(ctx context.Context, tag store.Tag, token store.Token, member string) (is bool, err error) {
	err = s.call(ctx, func(ctx context.Context) error { is, err = s.far.Join(ctx, tag, token, member); return err })
	return is, err
}

// Part is as store.Store has it.
func (s *Store) Part(ctx context.Context, tag store.Tag, member string) error {
	return s.call(ctx, func(ctx context.Context) error { return s.far.Part(ctx, tag, member) })
}

// Remove drops the entry under key, and the copy.
func (s *Store) Remove(ctx context.Context, key string) error {
	_ = s.mine.Remove(ctx, key)
	return s.call(ctx, func(ctx context.Context) error { return s.far.Remove(ctx, key) })
}

// Lease is as store.Shared has it.
func (s *Store) Lease() time.Duration { return s.far.Lease() }

// Claim is as store.Shared has it.
func (s *Store) Claim(ctx context.Context, key string, ttl time.Duration) (first bool, err error) {
	err = s.call(ctx, func(ctx context.Context) error { first, err = s.far.Claim(ctx, key, ttl); return err })
	return first, err
}

// Unclaim is as store.Shared has it.
func (s *Store) Unclaim(ctx context.Context, key string) error {
	return s.call(ctx, func(ctx context.Context) error { return s.far.Unclaim(ctx, key) })
}

// askFar looks into the far store.
func (s *Store) askFar(ctx context.Context, key string, tags []store.Tag) (v store.View, err error) {
	err = s.call(ctx, func(ctx context.Context) error { v, err = s.far.Lookup(ctx, key, tags); return err })
	return v, err
}

// call calls the far store, unless it is left alone.
func (s *Store) call(ctx context.Context, f func(context.Context) error) error {
	turn, is := s.away.allows()
	if !is {
		s.meter.skipped.Add(1)
		return ErrAway
	}
	began := time.Now()
	within := ctx
	if s.o.Timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, s.o.Timeout)
		defer cancel()
	}
	err := f(within)
	failed, took := err != nil && !over(ctx) && !errors.Is(err, store.ErrLapsed) && !errors.Is(err, store.ErrNotKept), time.Since(began)
	s.meter.note(failed, took)
	if err == nil || failed {
		s.away.note(failed, took)
	} else { // the store may not have been reached
		s.away.pass(turn)
	}
	return err
}

// over reports whether a context has ended, or is just about to: a connection's deadline may come before the context's own.
func over(ctx context.Context) bool {
	end, ends := ctx.Deadline()
	return ctx.Err() != nil || ends && !time.Now().Before(end)
}

// Stats tells what the copies take, and how often one was let go. The far store has figures of its own: Servers.
func (s *Store) Stats() store.Stats { return s.mine.Stats() }

// Close closes the far store.
func (s *Store) Close() error {
	_ = s.mine.Close() // it never fails
	return s.far.Close()
}
