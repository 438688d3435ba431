package redis

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/larderdb/larder/store"
)

// care renews the holds without a lease, for as long as this process lives. A
// mark that the server has lost is made again: its writer may not have committed yet.
type care struct {
	s     *Store
	lease time.Duration

	mu      sync.Mutex // guards what follows
	holds   map[store.HoldID][]store.Tag
	broken  map[store.HoldID]bool // of holds: a mark was lost, and made again
	timer   *time.Timer           // set while there are holds, and a little longer
	ended   bool
	running sync.WaitGroup // rounds
}

func (c *care) init(s *Store, lease time.Duration) {
	c.s, c.lease, c.holds, c.broken = s, lease, make(map[store.HoldID][]store.Tag), make(map[store.HoldID]bool)
}

func (c *care) add(id store.HoldID, tags []store.Tag) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tag := range tags {
		if !slices.Contains(c.holds[id], tag) {
			c.holds[id] = append(c.holds[id], tag)
		}
	}
	if c.timer == nil && !c.ended {
		c.timer = time.AfterFunc(c.lease/3, c.round)
	}
}

func (c *care) drop(id store.HoldID, tags []store.Tag) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(c.holds[id]), func(t store.Tag) bool { return slices.Contains(tags, t) })
	if c.holds[id] = left; len(left) == 0 {
		delete(c.holds, id)
		delete(c.broken, id)
	}
}

// lost reports whether a mark of the hold was lost meanwhile.
func (c *care) lost(id store.HoldID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken[id]
}

// breaks notes that a mark of the hold was lost, if it is still cared for.
func (c *care) breaks(id store.HoldID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.holds[id]) > 0 {
		c.broken[id] = true
	}
}

// round renews all holds that there are, and comes again if there are any.
func (c *care) round() {
	c.mu.Lock()
	if c.timer = nil; c.ended || len(c.holds) == 0 {
		c.mu.Unlock()
		return
	}
	c.running.Add(1)
	holds := maps.Clone(c.holds)
	c.timer = time.AfterFunc(c.lease/3, c.round)
	c.mu.Unlock()
	defer c.running.Done()
	var calls []call
	for id, tags := range holds {
		calls = append(calls, c.s.marking(c.s.steps.renew, id, tags, c.lease)...)
	}
	if all, err := c.s.whole(context.Background(), "renew", calls); err == nil && all {
		return
	}
	for id, tags := range holds {
		c.again(id, tags)
	}
}

// again marks a hold's tags anew, unless they are marked still.
func (c *care) again(id store.HoldID, tags []store.Tag) {
	ctx := context.Background()
	if all, err := c.s.whole(ctx, "renew", c.s.marking(c.s.steps.renew, id, tags, c.lease)); err != nil || all || !c.has(id) {
		return
	}
	c.breaks(id)
	// If it fails the next round tries again.
	_ = c.s.mark(ctx, id, tags, c.lease, nil)
	if !c.has(id) { // it was released meanwhile
		_ = c.s.Release(ctx, id, tags) // or the mark lapses
	}
}

func (c *care) has(id store.HoldID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.holds[id]) > 0
}

// end forgets the holds, and waits for the round that is under way.
func (c *care) end() {
	c.mu.Lock()
	c.ended = true
	clear(c.holds)
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.running.Wait()
}
