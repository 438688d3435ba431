package larder

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/coherence"
)

// A box is a remembered value as it is kept. It is shared, and doesn't change but for renew.
type box[T any] struct {
	value   T
	absent  bool         // there is none: RememberMany
	plain   bool         // it neither expires before the cache's TTL nor is made anew before; it isn't absent
	expires time.Time    // zero: only by the cache's TTL
	renew   atomic.Int64 // when it is to be made anew, in nanoseconds since 1970; 0: never
	size    int          // in memory
	form    []byte       // what a shared store keeps of it
}

// AppendBinary writes the form that a shared store keeps.
func (b *box[T]) AppendBinary(dst []byte) ([]byte, error) { return append(dst, b.form...), nil }

// renewPause is how long it is waited after a value was begun to be made anew, before that is tried again.
const renewPause = time.Second

// due reports whether the caller is to make the value anew.
func (b *box[T]) due() bool {
	at := b.renew.Load()
	if at == 0 {
		return false
	}
	now := time.Now()
	return now.UnixNano() >= at && b.renew.CompareAndSwap(at, now.Add(renewPause).UnixNano())
}

// life sets when a value expires, and when it is to be made anew, and returns its TTL.
func (b *box[T]) life(o *ValueOptions[T], c *Cache, rec *coherence.Recording) time.Duration {
	ttl, now := o.TTL, time.Now()
	if ttl == 0 {
		ttl = c.options.TTL
	}
	until := rec.Expires()
	if !until.IsZero() {
		ttl = min(ttl, until.Sub(now))
	}
	if o.TTL > 0 || !until.IsZero() {
		b.expires = now.Add(ttl)
	}
	if o.RefreshAt > 0 {
		b.renew.Store(now.Add(time.Duration(float64(ttl) * o.RefreshAt)).UnixNano())
	}
	b.plain = !b.absent && b.expires.IsZero() && o.RefreshAt == 0
	return ttl
}

// keep keeps a value, and returns why not; "" if it was.
func (q *question[T]) keep(ctx context.Context, rec *coherence.Recording, b *box[T]) (why string) {
	why = q.fill(ctx, rec, b)
	q.cache.reasons.note(q.key, why)
	if why == "" {
		rec.Seal(func() { q.cache.late(ctx, q.key, q.name) })
	}
	return why
}

func (q *question[T]) fill(ctx context.Context, rec *coherence.Recording, b *box[T]) (why string) {
	d := q.cache.values
	if why := rec.Spoiled(); why != "" {
		return why
	}
	limit := q.cache.options.MaxEntryBytes
	if b.size = sizeOf(&b.value, limit); b.size > limit {
		return fmt.Sprintf("it takes more than Options.MaxEntryBytes, %d", limit)
	}
	ttl := b.life(&q.o, q.cache, rec)
	if ttl <= 0 {
		return "a part of it has expired"
	}
	if d.Shared() {
		if err := b.write(q.o.Codec); err != nil {
			return err.Error()
		}
	}
	if !d.FillRecorded(ctx, q.name, rec, b, b.size+len(b.form), ttl) {
		return "the store did not take it"
	}
	if !d.Shared() && !d.Stands(ctx, rec) {
		return "a write came while it was made"
	}
	return ""
}

// late drops a value under whose context something was read after it was kept.
func (c *Cache) late(ctx context.Context, key, name string) {
	const why = "its load left a goroutine behind that went on reading under its context"
	c.values.Forget(context.WithoutCancel(ctx), name)
	c.reasons.note(key, why)
	c.lateReads.Add(1)
	c.options.Logger.Warn("larder: a remembered value was dropped: "+why, "key", key)
}

// remembering is what a cache has for values.
type remembering struct {
	valuePrefix string           // of keys in the domain
	kept        *coherence.Space // what is under that in this process's memory
	flights     flights
	reasons     reasons
	renewals    chan struct{} // full while as many values are made in the background as may be
	lateReads   atomic.Int64
}
