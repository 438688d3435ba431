package envelope

import (
	"context"
	"fmt"
	"strconv"

	"github.com/larderdb/larder/store"
)

var _ store.Plain = (*Store)(nil)

// Plain is as store.Plain has it. A value is sealed together with its key, so under another one it can't be opened. What changes
// a value by what it was, a swap or a count, opens it and swaps the envelopes: the store can't count what it can't read.
func (s *Store) Plain(ctx context.Context, ops []store.PlainOp) {
	far, ok := s.Shared.(store.Plain)
	if !ok {
		store.FailPlain(ops, store.ErrNoPlain)
		return
	}
	hidden, of := make([]store.PlainOp, 0, len(ops)), make([]*store.PlainOp, 0, len(ops))
	for i := range ops {
		if op := &ops[i]; op.Verb != store.PlainSwap && op.Verb != store.PlainCount {
			hidden, of = append(hidden, s.hiddenPlain(op)), append(of, op)
		}
	}
	if len(hidden) > 0 {
		far.Plain(ctx, hidden)
	}
	for i := range hidden {
		s.openPlain(of[i], &hidden[i])
	}
	for i := range ops {
		if op := &ops[i]; op.Verb == store.PlainSwap || op.Verb == store.PlainCount {
			s.changePlain(ctx, far, op)
		}
	}
}

// hiddenPlain is an op as the store sees it.
func (s *Store) hiddenPlain(op *store.PlainOp) store.PlainOp {
	h := store.PlainOp{Verb: op.Verb, Key: s.names.plain(op.Key), TTL: op.TTL}
	if op.Verb == store.PlainSet || op.Verb == store.PlainAdd {
		h.Value = s.seal(h.Key, new(store.Entry), op.Value)
	}
	return h
}

// openPlain gives an op the result of what the store has done. What can't be opened isn't there.
func (s *Store) openPlain(op, h *store.PlainOp) {
	op.Done, op.Err = h.Done, h.Err
	if h.Verb == store.PlainGet && h.Done {
		op.Found = s.unsealPlain(h.Key, h.Found)
		op.Done = op.Found != nil
	}
}

func (s *Store) unsealPlain(name string, b []byte) []byte {
	e := s.open(name, &store.Entry{Value: store.Bytes(b)})
	if e == nil {
		return nil
	}
	return append([]byte{}, e.Value.(store.Bytes)...)
}

// changePlain swaps the envelope of a value for that of what the op makes of it, until nobody has come between.
func (s *Store) changePlain(ctx context.Context, far store.Plain, op *store.PlainOp) {
	name := s.names.plain(op.Key)
	for range 1000 {
		was := []store.PlainOp{{Verb: store.PlainGet, Key: name}}
		far.Plain(ctx, was)
		if was[0].Err != nil || !was[0].Done {
			op.Err = was[0].Err
			return
		}
		value := s.unsealPlain(name, was[0].Found)
		if value == nil {
			return
		}
		if op.Verb == store.PlainSwap {
			if string(value) != string(op.Old) {
				return
			}
			value = op.Value
		} else {
			if op.Sum, op.Err = store.Count(value, op.Delta); op.Err != nil {
				return
			}
			value = strconv.AppendInt(nil, op.Sum, 10)
		}
		swap := []store.PlainOp{{Verb: store.PlainSwap, Key: name, Old: was[0].Found, Value: s.seal(name, new(store.Entry), value)}}
		far.Plain(ctx, swap)
		if op.Done, op.Err = swap[0].Done, swap[0].Err; op.Done || op.Err != nil {
			return
		}
	}
	op.Err = fmt.Errorf("envelope: plain: %w", store.ErrBusy)
}
