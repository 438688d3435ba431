package storetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/larderdb/larder/store"
)

// Outside is a store outside of this process, as the suite takes it: what the
// suite fills, ints and strings, it writes and reads for a store that keeps bytes.
func Outside(s store.Shared) store.Shared { return outside{s} }

type outside struct{ store.Shared }

// A written value goes by its kind, the size that it says it has, and its text.
type written struct {
	value any
	size  int
}

func (w written) AppendBinary(b []byte) ([]byte, error) {
	kind := byte('s')
	switch w.value.(type) {
	case int:
		kind = 'i'
	case int64:
		kind = 'l'
	}
	b = binary.BigEndian.AppendUint64(append(b, kind), uint64(w.size))
	return fmt.Append(b, w.value), nil
}

func readWritten(b store.Bytes) (written, error) {
	if len(b) < 9 {
		return written{}, fmt.Errorf("a value of %d bytes", len(b))
	}
	w, text := written{size: int(binary.BigEndian.Uint64(b[1:]))}, string(b[9:])
	switch b[0] {
	case 's':
		w.value = text
		return w, nil
	case 'i':
		n, err := strconv.Atoi(text)
		w.value = n
		return w, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	w.value = n
	return w, err
}

// Plain is as store.Plain has it.
func (o outside) Plain(ctx context.Context, ops []store.PlainOp) {
	if s, ok := o.Shared.(store.Plain); ok {
		s.Plain(ctx, ops)
		return
	}
	store.FailPlain(ops, store.ErrNoPlain)
}

func (o outside) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	with := *e
	with.Value = written{e.Value, e.Size}
	return o.Shared.Fill(ctx, key, &with, ttl)
}

func (o outside) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	v, err := o.Shared.Lookup(ctx, key, tags)
	if v.Entry == nil || err != nil {
		return v, err
	}
	var w written
	switch value := v.Entry.Value.(type) {
	case written: // a copy of this process's own
		w = value
	case store.Bytes:
		w, err = readWritten(value)
	default:
		err = fmt.Errorf("a value of type %T", v.Entry.Value)
	}
	with := *v.Entry
	with.Value, with.Size = w.value, w.size
	v.Entry = &with
	return v, err
}
