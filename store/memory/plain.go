package memory

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/larderdb/larder/store"
)

var _ store.Plain = (*Store)(nil)

// A plain value is an item like that of an entry, without tags and under a key that begins otherwise. It never changes: an
// op puts another in its place, under the mutex of the entries. As an entry it is expired, so that Lookup never finds it.
type plain struct {
	bytes   []byte
	expires time.Duration
}

const (
	plainPrefix   = "\x00plain\x00"
	plainOverhead = 48 // a plain in the heap
)

var errClosed = fmt.Errorf("memory: plain: %w", store.ErrClosed)

// Plain is as store.Plain has it. A read that finds something takes no lock.
func (s *Store) Plain(_ context.Context, ops []store.PlainOp) {
	for i := range ops {
		op := &ops[i]
		switch {
		case s.closed.Load():
			op.Err = errClosed
		case op.Verb == store.PlainGet:
			s.getPlain(op)
		default:
			s.changePlain(op)
		}
	}
	s.share()
}

// getPlain looks again under the mutex for what it doesn't find: that may just be replaced, or the table be made anew.
func (s *Store) getPlain(op *store.PlainOp) {
	var room [128]byte
	it := s.entries.getBytes(append(append(room[:0], plainPrefix...), op.Key...))
	p := s.plainOf(it)
	if p == nil {
		if it = s.findPlain(op.Key); it == nil {
			return
		}
		p = it.entry.Value.(*plain)
	}
	it.used()
	op.Done, op.Found = true, p.bytes
}

// findPlain returns the item of a plain value that hasn't expired; nil if there is none.
func (s *Store) findPlain(key string) *item {
	key = plainPrefix + key
	s.entries.mu.Lock()
	defer s.entries.mu.Unlock()
	it := s.entries.findLocked(key, s.entries.hash(key))
	if s.plainOf(it) == nil {
		return nil
	}
	return it
}

// plainOf is the plain value of an item; nil if it is none, or has expired.
func (s *Store) plainOf(it *item) *plain {
	if it == nil {
		return nil
	}
	if p, ok := it.entry.Value.(*plain); ok && s.now() < p.expires {
		return p
	}
	return nil
}

// changePlain does an op under the mutex.
func (s *Store) changePlain(op *store.PlainOp) {
	key := plainPrefix + op.Key
	s.entries.mu.Lock()
	defer s.entries.mu.Unlock()
	it := s.entries.findLocked(key, s.entries.hash(key))
	was := s.plainOf(it)
	if was == nil && op.Verb != store.PlainSet && op.Verb != store.PlainAdd {
		return
	}
	switch op.Verb {
	case store.PlainSet:
		s.putPlainLocked(op, key, it, op.Value, expiry(s.now(), op.TTL))
	case store.PlainAdd:
		if was == nil {
			s.putPlainLocked(op, key, it, op.Value, expiry(s.now(), op.TTL))
		}
	case store.PlainSwap:
		if string(was.bytes) == string(op.Old) {
			s.putPlainLocked(op, key, it, op.Value, was.expires)
		}
	case store.PlainCount:
		if op.Sum, op.Err = store.Count(was.bytes, op.Delta); op.Err == nil {
			s.putPlainLocked(op, key, it, strconv.AppendInt(nil, op.Sum, 10), was.expires)
		}
	case store.PlainTouch:
		s.putPlainLocked(op, key, it, was.bytes, expiry(s.now(), op.TTL))
	case store.PlainDelete:
		s.entries.dropLocked(it, false)
		op.Done = true
	}
}

// putPlainLocked keeps a copy of bytes in the place of an item, whose uses it has from then. If it is too large that one
// is dropped, but by an op that can be done only if something is there.
func (s *Store) putPlainLocked(op *store.PlainOp, key string, old *item, bytes []byte, expires time.Duration) {
	p := &plain{append(make([]byte, 0, len(bytes)), bytes...), expires}
	size := plainOverhead + cap(p.bytes)
	cost := entryCost(len(key), size, 0)
	if cost > min(s.room.Load(), math.MaxUint32) || s.closed.Load() {
		if op.Err = fmt.Errorf("memory: plain: %w", store.ErrNotKept); s.closed.Load() {
			op.Err = errClosed
		}
		if old != nil && op.Verb == store.PlainSet {
			s.entries.dropLocked(old, false)
		}
		return
	}
	it := newItem(0)
	it.key, it.cost, it.expires = key, uint32(cost), math.MinInt64
	it.entry.Value, it.entry.Size = p, size
	if old != nil {
		it.main = old.main
		it.uses.Store(old.uses.Load())
	}
	s.entries.setLocked(it)
	op.Done = true
}
