package larder

import (
	"context"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/session"
)

// Watch has hear called once for every statement of the cache's handles, and for every value, fragment and
// page, in the goroutine that runs it: it must be quick. stop ends that. While nobody watches, events
// aren't made. Why a read missed is told of what was kept since somebody began to watch.
func (c *Cache) Watch(hear func(context.Context, Event)) (stop func()) { return c.watchers.Add(hear) }

// WatchSampled is Watch for who adds up: of the hits of a text that is asked again and again one in sixteen is told, with an
// Event.Weight of sixteen, unless somebody else watches all. It costs so much less.
func (c *Cache) WatchSampled(hear func(context.Context, Event)) (stop func()) {
	return c.watchers.AddSampled(hear)
}

// ShapesInUse tells by which columns results of a relation are told apart now: "user_id", "id, without last_seen" (an UPDATE that sets only that leaves
// them alone). The name is that of an Event. A store that processes share isn't asked: what this process doesn't know of isn't there.
func (c *Cache) ShapesInUse(ctx context.Context, relation string) []string {
	return session.ShapesInUse(ctx, c.store, relation)
}

// A Kind says of what an Event is.
type Kind = coherence.Kind

// The kinds of events.
const (
	KindStatement = coherence.Statement
	KindValue     = coherence.Value
	KindFragment  = coherence.Fragment
	KindPage      = coherence.Page
)

// A Cause says why a read missed: it was new, expired, evicted, or changed by a write.
type Cause = coherence.Cause

// A Why is the short of a Cause.
type Why = coherence.Why

// The reasons of misses.
const (
	WhyUntold  = coherence.Untold
	WhyNew     = coherence.New
	WhyExpired = coherence.Expired
	WhyEvicted = coherence.Evicted
	WhyChanged = coherence.Changed
)

// A Check says what Options.Verify found of a hit.
type Check = session.Check

// What may be found.
const (
	Unchecked      = session.Unchecked
	CheckSame      = session.Same
	CheckDifferent = session.Different
	CheckUnsure    = session.Unsure
)
