package demo

import (
	"database/sql"
	"time"

	"github.com/larderdb/larder"
)

// A tally is what a workload did.
type tally struct {
	elapsed    time.Duration
	reads      histogram
	writes     histogram
	statements int64 // asked of the handle
	hits       int64 // of these, answered from the cache
	asked      int64 // and those that the cache could have answered
}

func (t *tally) merge(other *tally) {
	t.elapsed += other.elapsed
	t.reads.merge(&other.reads)
	t.writes.merge(&other.writes)
	t.statements += other.statements
	t.hits += other.hits
	t.asked += other.asked
}

// ops is the number of reads and writes.
func (t *tally) ops() int64 { return t.reads.count + t.writes.count }

// perSecond is a count in relation to the time that all of it took.
func (t *tally) perSecond(count int64) float64 {
	return float64(count) / max(t.elapsed.Seconds(), 1e-9)
}

// hitRatio is the share of the reads that the cache answered, of those that it could have.
func (t *tally) hitRatio() float64 {
	return float64(t.hits) / float64(max(t.asked, 1))
}

// statementsPerOp is how many statements reached the database for one operation.
func (t *tally) statementsPerOp() float64 {
	return float64(t.statements-t.hits) / float64(max(t.ops(), 1))
}

// hitsOf returns how many reads the caches of handles answered, and how many they could have.
func hitsOf(handles []*sql.DB) (hits, asked int64) {
	seen := make(map[*larder.Cache]bool)
	for _, db := range handles {
		cache, ok := larder.Of(db)
		if !ok || seen[cache] {
			continue
		}
		seen[cache] = true
		stats := cache.Stats()
		hits += stats.Hits
		asked += stats.Hits + stats.Misses + stats.Held
	}
	return hits, asked
}
