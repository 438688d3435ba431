package coherence

import (
	"math/bits"
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
	shard  *flightShard
	next   *flight // in the shard; guarded by its mu

	value  any // set only for JoinOvertakenFlights
	filled bool
}

const (
	flightShards = 1 << flightBits
	flightBits   = 8
)

// flights are the flights of one domain, in shards by key: there are seldom two in one. Which is a key's is the same in each run, as
// a flight that lands makes others of its shard look again: the simulator's runs are to be repeated.
type flights struct{ shards [flightShards]flightShard }

type flightShard struct {
	landed atomic.Uint64 // how many have
	mu     sync.Mutex
	air    *flight // the first of those that have not; guarded by mu
}

// A sky is a shard when so many of its flights had landed.
type sky struct {
	shard  *flightShard
	landed uint64
}

// look is what who looks for the entry of a key, and then boards, must know first.
func (fs *flights) look(key string) sky {
	sh := &fs.shards[shardOf(key)]
	return sky{sh, sh.landed.Load()}
}

// shardOf spreads keys, eight bytes at a time.
func shardOf(key string) uint {
	const odd = 0x9e3779b97f4a7c15
	h := uint64(len(key))
	for ; len(key) >= 8; key = key[8:] {
		word := uint64(key[0]) | uint64(key[1])<<8 | uint64(key[2])<<16 | uint64(key[3])<<24 |
			uint64(key[4])<<32 | uint64(key[5])<<40 | uint64(key[6])<<48 | uint64(key[7])<<56
		h = bits.RotateLeft64((h^word)*odd, 29)
	}
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * odd
	}
	return uint(h * odd >> (64 - flightBits))
}

// passed reports whether a flight has landed since, so that the entry may be there.
func (s sky) passed() bool { return s.shard.landed.Load() != s.landed }

// board returns the flight of key, and whether it is the caller's own, who must land it.
// tokens are those that the caller has seen.
func (s sky) board(key string, tokens []store.Token) (f *flight, own bool) {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	for f = s.shard.air; f != nil; f = f.next {
		if f.key == key {
			if f.landed == nil {
				f.landed = make(chan struct{})
			}
			return f, false
		}
	}
	f = &flight{key: strings.Clone(key), tokens: tokens, shard: s.shard, next: s.shard.air}
	s.shard.air = f
	return f, true
}

// land ends a flight, once. It counts it before others can board a next one, so that
// they know that their own look at the store may be too old.
func (f *flight) land() {
	sh := f.shard
	sh.mu.Lock()
	defer sh.mu.Unlock()
	at := &sh.air
	for *at != nil && *at != f {
		at = &(*at).next
	}
	if *at == nil {
		return
	}
	sh.landed.Add(1)
	*at = f.next
	if f.landed != nil {
		close(f.landed)
	}
}
