package larder

import (
	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/session"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/near"
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

	// Of hits that were checked, see Options.Verify: how many checks came to an answer, how many of these hits
	// were wrong, and how many checks came to none because of a write meanwhile, an error, or a result that the
	// database is free to choose.
	Verified, Wrong, Unsure int64

	// Stuck is how many holds of writes, of those that Options.Verify had checked, were in the store still after they had ended. Nothing of what they
	// are of is answered from the cache until they lapse.
	Stuck int64

	// Unannounced is how many writes the store, which processes share, could not be told of yet. Until it was, this
	// process reads nothing from it, and others may read what is older.
	Unannounced int64

	Changes     int64 // that receivers were told of, each once for a receiver
	ChangesLost int64 // that they were not, as they were slow or the store's channel was cut; each time they were told that some were lost

	// Waits is how many reads, by all caches that have the store in common, have waited for the end of a write whose text doesn't tell its rows, a
	// millisecond at most. Each is counted by how it went on as well. Reads of databases of which no handle is open any more aren't in it.
	Waits int64

	// LateReads is how many remembered values were dropped because their loads left goroutines behind that went on reading.
	LateReads int64

	// What this process's memory keeps: the entries of the cache, or the copies of those in a store that processes share.
	Entries   int
	Bytes     int64 // entries with their keys and tags
	MaxBytes  int64
	Evictions int64

	// Shared is how a store that processes share was asked, by all caches of this process that have it in common. It
	// is zero without one.
	Shared Traffic
}

// A Traffic is how a store that processes share was asked: round trips, errors, the time they took, and whether it is left alone.
type Traffic = near.Traffic

// A ServerStats is what the servers of a store say of themselves, whoever uses them: Entries (memcached) are their items of
// all kinds, MaxBytes (Redis) is 0 for no bound.
type ServerStats = store.Stats

// Servers asks the servers of the store that processes share what they keep: a round trip to each, which may take as long
// as the store's timeout. What isn't told, or by none, is 0. shared is false without such a store.
func (c *Cache) Servers() (s ServerStats, shared bool) {
	far, shared := c.store.(*near.Store)
	if !shared {
		return ServerStats{}, false
	}
	return far.Servers(), true
}

// HitRatio is the share of hits in the reads that the cache could have answered.
func (s Stats) HitRatio() float64 {
	asked := s.Hits + s.Misses + s.Held + s.Reasons[analyze.Unprofitable]
	if asked == 0 {
		return 0
	}
	return float64(s.Hits) / float64(asked)
}

// Stats returns the counters of the cache. It asks nobody: see Servers.
func (c *Cache) Stats() Stats {
	t, kept := c.counters.Totals(), c.store.Stats()
	stats := Stats{
		Hits: t.Hits, Misses: t.Misses, Held: t.Held, Bypasses: t.Bypasses, Reasons: t.Reasons,
		Verified: t.Same + t.Different, Wrong: t.Different, Unsure: t.Unsure, Stuck: t.Stuck,
		Changes:     c.signals.told.Load(),
		ChangesLost: c.lostChanges(),
		Unannounced: session.Unannounced(c.store), Waits: session.Waits(c.store),
		Writes: t.Writes, WideWrites: t.WideWrites, Abandoned: t.Abandoned, LateReads: c.lateReads.Load(),
		Entries: kept.Entries, Bytes: kept.Bytes, MaxBytes: kept.MaxBytes, Evictions: kept.Evictions,
	}
	if far, shared := c.store.(*near.Store); shared {
		stats.Shared = far.Traffic()
	}
	return stats
}
