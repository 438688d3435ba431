package larder

import (
	"context"
	"time"

	"github.com/larderdb/larder/coherence"
)

// maxRenewals is how many values a cache makes in the background at once.
const maxRenewals = 4

// ahead begins to make a value anew in the background, unless as many are made already, or this one is.
func (q *question[T]) ahead(ctx context.Context) {
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
	anew := *q
	go func() {
		defer func() { <-c.renewals }()
		anew.renew(ctx, f)
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
	q.began = time.Now()
	if _, err := q.run(ctx, f); err != nil {
		c.options.Logger.Warn("larder: a remembered value could not be made anew before it expires", "key", q.key, "error", err)
	}
}
