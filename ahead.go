package larder

import (
	"context"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store/near"
)

// maxRenewals is how many values a cache makes in the background at once.
const maxRenewals = 4

// ahead begins to make a value anew in the background, by renew or revalidate, unless as many are made already, or this one is.
func (q *question[T]) ahead(ctx context.Context, how func(context.Context, *flight)) {
	c := q.cache
	select {
	case c.renewals <- struct{}{}:
	default:
		return
	}
	ctx = context.WithValue(coherence.Unrecorded(context.WithoutCancel(ctx)), flightKey{}, (*flight)(nil))
	f, own, err := c.flights.board(ctx, c, q.name)
	if err != nil || !own {
		<-c.renewals
		return
	}
	go func() {
		defer func() { <-c.renewals }()
		how(ctx, f)
	}()
}

// renew makes the value anew. What is kept stays if that fails.
func (q *question[T]) renew(ctx context.Context, f *flight) {
	c := q.cache
	defer c.flights.land(f)
	defer func() {
		if p := recover(); p != nil {
			c.options.Logger.Error("larder: the load of a remembered value panicked in the background", "key", q.key, "panic", p)
		}
	}()
	first, done, err := c.values.Claim(ctx, q.name, q.o.Wait)
	if !first || err != nil {
		return
	}
	defer done()
	anew := *q // which its caller goes on with
	anew.began = time.Now()
	if _, err := anew.run(ctx, f); err != nil {
		c.options.Logger.Warn("larder: a remembered value could not be made anew in the background", "key", q.key, "error", err)
	}
}

// revalidate asks the store whether a value that is served without asking has changed, and makes it anew if so. Until it is there, or Options.Bounded
// has passed since the old one was last found valid, callers get that:
//
//  1. at p the store says that the value is valid; until p+Bounded it is served without asking
//  2. another process changes what it was made from; the value is older than that from now on
//  3. between p+Bounded/2 and p+Bounded a hit has this begin
//  4. who comes before p+Bounded gets the old value, unless the new one is there; who comes later asks the store, and waits for this flight
func (q *question[T]) revalidate(ctx context.Context, f *flight) {
	defer q.cache.flights.land(f)
	if valid, err := q.cache.bounded().Prove(ctx, q.name); !valid && err == nil { // who asks when the time has passed hears of the error
		q.renew(ctx, f)
	}
}

// bounded are the copies of this process if it serves some without asking the store; nil else.
func (c *Cache) bounded() *near.Store {
	if copies, ok := c.store.(*near.Store); ok && copies.Bounded() > 0 {
		return copies
	}
	return nil
}
