package coherence

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/store"
)

// A flight is one reader's way to the database and back, for which other
// readers of the same key wait. It carries nothing: who has waited asks the
// store, for a write may have overtaken the flight.
type flight struct {
	key    string
	tokens []store.Token // of its tags when it began
	landed chan struct{} // closed when it has landed; made for the first who waits, under the shard's mu

	value  any // set only for JoinOvertakenFlights
	filled bool
}

const flightShards = 32

// flights are the flights of one domain, in shards by key.
type flights struct {
	seed   maphash.Seed
	landed atomic.Uint64 // how many have landed
	shards [flightShards]flightShard
}

type flightShard struct {
	mu  sync.Mutex
	air map[string]*flight // guarded by mu
}

func (fs *flights) init() {
	fs.seed = maphash.MakeSeed()
	for i := range fs.shards {
		fs.shards[i].air = make(map[string]*flight)
	}
}

func (fs *flights) shard(key string) *flightShard {
	return &fs.shards[maphash.String(fs.seed, key)%flightShards]
}

// board returns the flight of key, and whether it is the caller's own, who must land it.
// tokens are those that the caller has seen.
func (fs *flights) board(key string, tokens []store.Token) (f *flight, own bool) {
	sh := fs.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if f = sh.air[key]; f != nil {
		if f.landed == nil {
			f.landed = make(chan struct{})
		}
		return f, false
	}
	f = &flight{key: strings.Clone(key), tokens: tokens}
	sh.air[f.key] = f
	return f, true
}

// land ends a flight. It counts it before others can board a next one, so that
// they know that their own look at the store may be too old.
func (fs *flights) land(f *flight) {
	sh := fs.shard(f.key)
	sh.mu.Lock()
	fs.landed.Add(1)
	delete(sh.air, f.key)
	landed := f.landed
	sh.mu.Unlock()
	if landed != nil {
		close(landed)
	}
}
