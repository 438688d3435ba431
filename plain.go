package larder

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/larderdb/larder/store"
)

// What follows is the plain cache, for what comes from no database: rendered mail, answers of other services, counters, locks that
// may be lost. It is what other caches are: the last write wins, a value lives for its TTL, the store may let it go
// before, and nothing removes it when a database changes. For what is made from a database there is Remember.

// NoExpiry is the TTL of a value that stays until it is removed, or until the store lets it go.
const NoExpiry = store.NoExpiry

var (
	// ErrNotFound is what Incr, Decr and IncrVersion fail with if there is no value.
	ErrNotFound = errors.New("larder: there is no value under the key")

	// ErrNotKept is what is wrapped if a value is too large for the store, or the store is full.
	// What was under the key is gone.
	ErrNotKept = store.ErrNotKept

	// ErrNotNumber and ErrOverflow are what Incr and Decr wrap if the value isn't an int64, or their result would be none.
	ErrNotNumber = store.ErrNotNumber
	ErrOverflow  = store.ErrOverflow
)

// BucketOptions are those of a Bucket. Nil and the zero value are the defaults.
type BucketOptions struct {
	// TTL is how long values live for which no other is given. 0 means that of the cache; there is NoExpiry.
	TTL time.Duration

	// Version is part of each key. See Bucket.Version.
	Version int

	// Prefix begins each key. Buckets of one namespace with different prefixes have different values, and Clear removes all of them.
	Prefix string

	// Codec writes and reads values. Nil means JSON, and strings and byte slices as they are. Whatever it is,
	// whole numbers are kept as decimal text, unless their type has a way of its own to be written.
	Codec BucketCodec
}

// A Bucket keeps values of a type in the cache's store, under keys of a namespace. It promises nothing of freshness: the last write
// wins, whoever makes it, and no write to a database removes a value. Every call asks the store; there are no copies in this process. Single calls are
// atomic, also between processes; GetMany, SetMany and DeleteMany are single calls that travel together.
//
// In a store that processes share, those with the same Options.Name have the same values; without a name each cache has its own.
//
// A key is any string. Where a TTL may be given: none is that of the bucket, NoExpiry never ends, and one of 0 or less doesn't keep the value: what was
// under the key is removed. TTLs go by the store's clock, in steps of a millisecond in Redis and of a second in memcached, and are
// rounded up; a value may live up to such a step less.
//
// If the store can't be reached, calls fail within its timeout; GetOrSet doesn't. It is safe for concurrent use.
type Bucket[T any] struct {
	space    *space
	notation notation
	codec    BucketCodec
	ttl      time.Duration
	prefix   string
	version  int
	tail     string // with which each key ends, but for the caller's
}

// NewBucket returns the bucket of a namespace in the cache's store. Buckets of one namespace share what they keep: they
// should be of one type. It fails if options contradict, or if the store is one of the program's own that keeps no plain values.
func NewBucket[T any](c *Cache, namespace string, options *BucketOptions) (*Bucket[T], error) {
	var o BucketOptions
	if options != nil {
		o = *options
	}
	switch {
	case c == nil:
		return nil, errors.New("larder: a bucket of no cache; make one with New, or ask Of for that of a handle")
	case namespace == "":
		return nil, errors.New("larder: a bucket needs a namespace")
	case o.TTL < 0:
		return nil, fmt.Errorf("larder: BucketOptions.TTL is %v; give 0 for that of the cache, or NoExpiry", o.TTL)
	}
	s, err := c.spaces.open(namespace)
	if err != nil {
		return nil, err
	}
	if o.TTL == 0 {
		o.TTL = c.options.TTL
	}
	b := &Bucket[T]{space: s, codec: o.Codec, ttl: o.TTL, prefix: o.Prefix}
	b.notation = notationOf(reflect.TypeFor[T](), o.Codec != nil)
	if b.codec == nil {
		b.codec = jsonCodec{}
	}
	return b.Version(o.Version), nil
}

// Version returns the bucket with another version, which is part of each key: values of different versions don't meet. A program
// that changes what it keeps gives the next one; Clear removes all of them.
func (b *Bucket[T]) Version(version int) *Bucket[T] {
	other := *b
	other.version = version
	other.tail = fmt.Sprintf("%d:%s%d:", len(b.prefix), b.prefix, version)
	return &other
}

// Get returns the value under a key, and whether there is one: a zero or nil that was kept is one. It fails if what is there isn't
// a T as the codec writes it.
func (b *Bucket[T]) Get(ctx context.Context, key string) (value T, ok bool, err error) {
	ops, err := b.do(ctx, "get", key, store.PlainOp{Verb: store.PlainGet})
	if err != nil || !ops.Done {
		return value, false, err
	}
	if value, err = b.decode(ops.Found); err != nil {
		return value, false, b.failed("get", key, err)
	}
	return value, true, nil
}

// Has reports whether there is a value under a key.
func (b *Bucket[T]) Has(ctx context.Context, key string) (bool, error) {
	op, err := b.do(ctx, "look for", key, store.PlainOp{Verb: store.PlainGet})
	return op.Done, err
}

// Set keeps a value under a key. If that can't be written by the codec what was there stays; if the store can't keep it
// what was there is gone, and the error wraps ErrNotKept.
func (b *Bucket[T]) Set(ctx context.Context, key string, value T, ttl ...time.Duration) error {
	op, err := b.keeping(store.PlainSet, value, ttl)
	if err != nil {
		return b.failed("set", key, err)
	}
	if op.TTL <= 0 {
		op = store.PlainOp{Verb: store.PlainDelete}
	}
	_, err = b.do(ctx, "set", key, op)
	return err
}

// Add is Set if there is no value under the key, and reports whether there was none. Of several at a time one adds.
func (b *Bucket[T]) Add(ctx context.Context, key string, value T, ttl ...time.Duration) (bool, error) {
	op, err := b.keeping(store.PlainAdd, value, ttl)
	if err != nil {
		return false, b.failed("add", key, err)
	}
	if op.TTL <= 0 {
		has, err := b.Has(ctx, key)
		return !has && err == nil, err
	}
	op, err = b.do(ctx, "add", key, op)
	return op.Done, err
}

// Delete removes the value under a key, and reports whether there was one.
func (b *Bucket[T]) Delete(ctx context.Context, key string) (bool, error) {
	op, err := b.do(ctx, "delete", key, store.PlainOp{Verb: store.PlainDelete})
	return op.Done, err
}

// Touch has the value under a key live for a TTL from now, and reports whether there is one.
func (b *Bucket[T]) Touch(ctx context.Context, key string, ttl ...time.Duration) (bool, error) {
	d, err := b.life(ttl)
	if err != nil {
		return false, b.failed("touch", key, err)
	}
	op := store.PlainOp{Verb: store.PlainTouch, TTL: d}
	if d <= 0 {
		op = store.PlainOp{Verb: store.PlainDelete}
	}
	op, err = b.do(ctx, "touch", key, op)
	return op.Done, err
}

// Incr adds delta to the number under a key, which keeps the rest of its TTL, and returns the sum. It is atomic. It fails with ErrNotFound if there is no value, as Django and
// memcached do (set it, or Add it, first: what was lost may not have been 0), and with ErrOverflow, which leaves the number, where int64 ends.
// It is for buckets of int and int64, and types of these.
func (b *Bucket[T]) Incr(ctx context.Context, key string, delta int64) (int64, error) {
	if b.notation != asInt || reflect.TypeFor[T]().Bits() != 64 {
		return 0, b.failed("count", key, fmt.Errorf("a bucket of %v counts nothing; make one of int64", reflect.TypeFor[T]()))
	}
	op, err := b.do(ctx, "count", key, store.PlainOp{Verb: store.PlainCount, Delta: delta})
	switch {
	case err != nil:
		return 0, err
	case !op.Done:
		return 0, b.failed("count", key, ErrNotFound)
	}
	return op.Sum, nil
}

// Decr is Incr by -delta. A number may go below 0.
func (b *Bucket[T]) Decr(ctx context.Context, key string, delta int64) (int64, error) {
	if delta == -delta && delta != 0 {
		return 0, b.failed("count", key, ErrOverflow)
	}
	return b.Incr(ctx, key, -delta)
}

// IncrVersion moves the value under a key to the bucket's version plus delta, which it returns. It is a Get, a Set and a Delete, and so not
// atomic, and the value has a TTL from now. It fails with ErrNotFound if there is no value.
func (b *Bucket[T]) IncrVersion(ctx context.Context, key string, delta int, ttl ...time.Duration) (int, error) {
	value, ok, err := b.Get(ctx, key)
	if err == nil && !ok {
		err = b.failed("move", key, ErrNotFound)
	}
	if err != nil || delta == 0 {
		return b.version, err
	}
	if err := b.Version(b.version+delta).Set(ctx, key, value, ttl...); err != nil {
		return b.version, err
	}
	_, err = b.Delete(ctx, key)
	return b.version + delta, err
}

// Clear removes all values of the namespace, of all versions and prefixes, however many there are, by one small write: their keys aren't used any
// more. What a store then keeps of them it lets go when their TTLs end, or when it needs the room.
func (b *Bucket[T]) Clear(ctx context.Context) error { return b.space.clear(ctx) }

// keeping is the op that keeps a value.
func (b *Bucket[T]) keeping(verb store.PlainVerb, value T, ttl []time.Duration) (store.PlainOp, error) {
	d, err := b.life(ttl)
	if err != nil {
		return store.PlainOp{}, err
	}
	bytes, err := b.encode(value)
	return store.PlainOp{Verb: verb, Value: bytes, TTL: d}, err
}

// life is the TTL that a caller gives, or that of the bucket.
func (b *Bucket[T]) life(ttl []time.Duration) (time.Duration, error) {
	switch len(ttl) {
	case 0:
		return b.ttl, nil
	case 1:
		return ttl[0], nil
	}
	return 0, fmt.Errorf("%d TTLs; give one, or none for that of the bucket", len(ttl))
}

// do does one op on the value under a key, and returns it with its result.
func (b *Bucket[T]) do(ctx context.Context, what, key string, op store.PlainOp) (store.PlainOp, error) {
	ops := make([]store.PlainOp, 1, 2) // with room for the look at the generation
	ops[0], ops[0].Key = op, key
	if _, err := b.space.do(ctx, b.tail, ops); err != nil {
		return store.PlainOp{}, b.failed(what, key, err)
	}
	if err := ops[0].Err; err != nil {
		return store.PlainOp{}, b.failed(what, key, err)
	}
	return ops[0], nil
}

func (b *Bucket[T]) failed(what, key string, err error) error {
	return fmt.Errorf("larder: %s %q in bucket %q: %w", what, key, b.space.name, err)
}
