package larder

import (
	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/session"
)

// Stats is what a cache did since it was made, and what its store keeps now.
type Stats struct {
	Hits     int64 // reads answered from the cache
	Misses   int64 // reads from the database that were kept, or tried to be
	Held     int64 // reads from the database because a write was in flight
	Bypasses int64 // reads that the cache was not asked for

	// Reasons counts why reads were bypasses, or why their result was not kept.
	Reasons map[Reason]int64

	Writes     int64 // statements and transactions that announced a change
	WideWrites int64 // of these, those that announced all relations
	Abandoned  int64 // writes whose outcome is unknown: a connection was lost

	// Unannounced is how many writes the store, which processes share, could not be told of yet. Until it was, this
	// process reads nothing from it, and others may read what is older.
	Unannounced int64

	Entries   int   // in the store
	Bytes     int64 // in memory, entries with their keys and tags
	MaxBytes  int64
	Evictions int64
}

// HitRatio is the share of hits in the reads that the cache could have answered.
func (s Stats) HitRatio() float64 {
	asked := s.Hits + s.Misses + s.Held + s.Reasons[analyze.Unprofitable]
	if asked == 0 {
		return 0
	}
	return float64(s.Hits) / float64(asked)
}

// Stats returns the counters of the cache.
func (c *Cache) Stats() Stats {
	t, kept := c.counters.Totals(), c.store.Stats()
	return Stats{
		Hits: t.Hits, Misses: t.Misses, Held: t.Held, Bypasses: t.Bypasses, Reasons: t.Reasons,
		Unannounced: session.Unannounced(c.store),
		Writes:      t.Writes, WideWrites: t.WideWrites, Abandoned: t.Abandoned,
		Entries: kept.Entries, Bytes: kept.Bytes, MaxBytes: kept.MaxBytes, Evictions: kept.Evictions,
	}
}
