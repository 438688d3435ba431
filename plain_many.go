package larder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/larderdb/larder/store"
)

// GetMany returns the values under keys, as far as there are any. With an error, which tells of the first few keys that failed, it
// returns those that could be read.
func (b *Bucket[T]) GetMany(ctx context.Context, keys ...string) (map[string]T, error) {
	ops := make([]store.PlainOp, len(keys), len(keys)+1)
	errs := b.doMany(ctx, "get", keys, ops)
	values := make(map[string]T, len(keys))
	for i, key := range keys {
		if errs[i] != nil || !ops[i].Done {
			continue
		}
		value, err := b.decode(ops[i].Found)
		if err != nil {
			errs[i] = b.failed("get", key, err)
			continue
		}
		values[key] = value
	}
	return values, firstErrors(errs)
}

// SetMany keeps values by their keys, each as Set does. It returns the keys of those that failed, in order, and why.
func (b *Bucket[T]) SetMany(ctx context.Context, values map[string]T, ttl ...time.Duration) (failed []string, err error) {
	all := slices.Sorted(maps.Keys(values))
	var keys []string
	var ops []store.PlainOp
	var errs []error
	for _, key := range all {
		op, err := b.keeping(store.PlainSet, values[key], ttl)
		if err != nil {
			failed, errs = append(failed, key), append(errs, b.failed("set", key, err))
			continue
		}
		if op.TTL <= 0 {
			op = store.PlainOp{Verb: store.PlainDelete}
		}
		keys, ops = append(keys, key), append(ops, op)
	}
	for i, err := range b.doMany(ctx, "set", keys, ops) {
		if err != nil {
			failed, errs = append(failed, keys[i]), append(errs, err)
		}
	}
	slices.Sort(failed)
	return failed, firstErrors(errs)
}

// DeleteMany removes the values under keys, and returns how many there were.
func (b *Bucket[T]) DeleteMany(ctx context.Context, keys ...string) (int, error) {
	ops := make([]store.PlainOp, len(keys), len(keys)+1)
	for i := range ops {
		ops[i].Verb = store.PlainDelete
	}
	errs, n := b.doMany(ctx, "delete", keys, ops), 0
	for i := range ops {
		if errs[i] == nil && ops[i].Done {
			n++
		}
	}
	return n, firstErrors(errs)
}

// firstErrors is what went wrong with keys: the first few errors, and how many more there are.
func firstErrors(errs []error) error {
	const few = 4
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if n := len(errs) - few; n > 0 {
		errs = append(errs[:few:few], fmt.Errorf("larder: and %d more", n))
	}
	return errors.Join(errs...)
}

// doMany does ops on the values under keys, so many at a time, and returns the error of each.
func (b *Bucket[T]) doMany(ctx context.Context, what string, keys []string, ops []store.PlainOp) []error {
	errs := make([]error, len(ops))
	for from := 0; from < len(ops); from += manyOps {
		to := min(from+manyOps, len(ops))
		some := ops[from:to:to]
		for i := range some {
			some[i].Key = keys[from+i]
		}
		_, err := b.space.do(ctx, b.tail, some)
		for i := range some {
			if err := errors.Join(err, some[i].Err); err != nil {
				errs[from+i] = b.failed(what, keys[from+i], err)
			}
		}
	}
	return errs
}
