package larder

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync/atomic"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/session"
	"github.com/larderdb/larder/store"
)

// Values is the domain of what is made from reads: remembered values, fragments and pages. Its entries
// carry the tokens of what was read for them, whatever databases that came from.
func (c *Cache) Values() *coherence.Domain { return c.values }

// openValues makes the domain of values. What it is called keeps values of caches apart that share a store: a
// value's key doesn't tell from which database it was made.
func (c *Cache) openValues() {
	name := "named:" + c.options.Name
	if c.options.Name == "" {
		name = unnamed(c.store)
	}
	c.spaces.store, c.spaces.name = c.store, name
	c.values = coherence.NewDomain(c.store, name, coherence.Options{TTL: c.options.TTL, Longest: maxTTL, Lease: c.options.Lease, Patience: defaultWait,
		Fenced: c.fencedValues(), Told: func() { session.ToldLate(c.store) }, Mutant: c.options.mutant})
	c.valuePrefix = c.values.Prefix() + "value:"
	c.kept = c.values.Space(c.valuePrefix)
	c.renewals = make(chan struct{}, maxRenewals)
}

// lastUnnamed counts the caches without a name, whose values are in stores of this process alone.
var lastUnnamed atomic.Uint64

// unnamed is what no other cache is called that has the same store. It is short where that is possible: it is part of each key.
func unnamed(in store.Store) string {
	if _, shared := in.(store.Shared); shared {
		return "unnamed:" + rand.Text()
	}
	return "unnamed:" + strconv.FormatUint(lastUnnamed.Add(1), 36)
}

// fencedValues tells whether values must not be read: because a write to a database that they were made from could not be
// announced, or because the cache answers no reads, and others may have made them; nil where that doesn't happen.
func (c *Cache) fencedValues() func() bool {
	if c.options.WritesOnly {
		return func() bool { return true }
	}
	if _, shared := c.store.(store.Shared); !shared {
		return nil
	}
	return func() bool { return session.Fenced(c.store) }
}

// Made tells the cache's observer what became of a value, a fragment or a page.
func (c *Cache) Made(ctx context.Context, m coherence.Made) {
	if c.watchers.Listening() {
		c.watchers.Tell(ctx, session.EventOf(m))
	}
}
