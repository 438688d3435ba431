package near

import (
	"errors"
	"sync/atomic"
	"time"
)

// ErrAway is what is answered for a store that has just failed to answer in time.
var ErrAway = errors.New("near: the store did not answer a moment ago, and isn't asked now")

// How long a store is left alone that doesn't answer: twice as long each time.
const (
	firstAway   = 100 * time.Millisecond
	longestAway = 3 * time.Second
)

// A breaker keeps callers from a store that keeps them waiting. One that fails at once does no harm, and is
// asked on.
type breaker struct {
	slow  time.Duration // a failure that took as long counts
	until atomic.Int64  // nanoseconds since 1970; 0: the store answers
	since atomic.Int64  // when it was left alone first since it has answered last, likewise
	pause atomic.Int64
}

// allows reports whether the store may be asked. When it was left alone long enough, by one caller: others wait on, until
// what turn tells. It is 0 for who asks a store that answers.
func (b *breaker) allows() (turn int64, is bool) {
	until := b.until.Load()
	if until == 0 {
		return 0, true
	}
	now := time.Now()
	turn = now.Add(b.slow*2 + firstAway).UnixNano()
	return turn, now.UnixNano() >= until && b.until.CompareAndSwap(until, turn)
}

// pass notes that a call has ended by which nothing is known of the store: the next caller has its turn.
func (b *breaker) pass(turn int64) {
	if turn != 0 {
		b.until.CompareAndSwap(turn, time.Now().UnixNano())
	}
}

// note notes how a call has ended.
func (b *breaker) note(failed bool, took time.Duration) {
	switch {
	case !failed && b.until.Load() != 0:
		b.until.Store(0)
		b.since.Store(0)
		b.pause.Store(0)
	case failed && took >= b.slow:
		pause := min(max(2*time.Duration(b.pause.Load()), firstAway), longestAway)
		b.pause.Store(int64(pause))
		b.since.CompareAndSwap(0, time.Now().UnixNano())
		b.until.Store(time.Now().Add(pause).UnixNano())
	}
}

// began is since when the store is left alone; zero while it is asked.
func (b *breaker) began() time.Time {
	if at := b.since.Load(); at != 0 && b.until.Load() != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}
