package memory

import (
	"hash/maphash"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// The entries are items in a hash table, which readers look into without a lock, and in two
// queues, which say who has to go (S3-FIFO: Yang and others, 2023). All is changed under one mutex.
//
//	small   what came lately, a tenth of the bytes; what leaves it unused leaves the table …
//	ghosts  … but is remembered for a while by its hash: if it comes again it goes to main
//	main    what was used in small, or has come again; what comes to its end goes round once
//	        more for each use since, at most maxUses times
//
// So a scan over much that is used once passes through small, and main stays as it is. A use is
// a count in the item, no more: readers take no lock and move nothing.
type entries struct {
	seed    maphash.Seed
	buckets atomic.Pointer[[]bucket] // as many as a power of two

	mu          sync.Mutex // guards the rest, and changes of the table
	small, main queue
	count       int
	table       int64 // bytes that the buckets and the ghosts take, but those of an empty table
	max         int64 // bytes that all may take
	aside       bool  // some of these are kept free by another goroutine than those that fill …
	sparing     bool  // … which is at that
	ghosts      []uint32
	gone        func(it *item, evicted bool) // called for each that has left, under mu
}

// A bucket is a chain of items.
type bucket = atomic.Pointer[item]

// bucketBytes is what a bucket takes with its part of the ghosts.
const bucketBytes = int64(unsafe.Sizeof(bucket{}) + unsafe.Sizeof(uint32(0))/bucketsEach)

const (
	firstBuckets = 1 << 8
	leastFull    = 8  // with fewer items than this part of those for which it has room the table gets smaller
	bucketsEach  = 2  // there are so many for an item at least: in the place of a key that is missing there is seldom another, to be fetched and compared
	smallShare   = 10 // small has this part of the bytes
	maxUses      = 3
	maxSteps     = 64 // that are taken to find one that has to go; then it is the next

	spareShare  = 128     // this part of the bytes is kept free, …
	spareLeast  = 4 << 20 // … if there are so many; …
	spareAtOnce = 4       // … so many items go under one lock
)

func (t *entries) init(maxBytes int64, gone func(*item, bool)) {
	t.seed, t.max, t.gone = maphash.MakeSeed(), maxBytes, gone
	t.small.init()
	t.main.init()
	t.makeTable(firstBuckets)
}

func (t *entries) hash(key string) uint32 { return uint32(maphash.String(t.seed, key)) }

// get returns the item of a key, nil for none. While the table is made anew it may miss one.
func (t *entries) get(key string) *item {
	buckets := *t.buckets.Load()
	hash := t.hash(key)
	for it := buckets[int(hash)&(len(buckets)-1)].Load(); it != nil; it = it.chain.Load() {
		if it.hash == hash && it.key == key {
			return it
		}
	}
	return nil
}

// getBytes is get for a key in a buffer.
func (t *entries) getBytes(key []byte) *item {
	buckets := *t.buckets.Load()
	hash := uint32(maphash.Bytes(t.seed, key))
	for it := buckets[int(hash)&(len(buckets)-1)].Load(); it != nil; it = it.chain.Load() {
		if it.hash == hash && it.key == string(key) {
			return it
		}
	}
	return nil
}

// used notes a use. One of two at a time may be lost.
func (it *item) used() {
	if n := it.uses.Load(); n < maxUses {
		it.uses.Store(n + 1)
	}
}

// setLocked puts an item into the table, in the place of another of its key, and lets others go.
func (t *entries) setLocked(it *item) {
	it.hash = t.hash(it.key)
	if old := t.findLocked(it.key, it.hash); old != nil {
		t.dropLocked(old, false)
	}
	if ghost := &t.ghosts[int(it.hash)&(len(t.ghosts)-1)]; *ghost == it.hash {
		it.main, *ghost = true, 0
	}
	t.of(it).push(it)
	if t.count++; bucketsEach*t.count > len(*t.buckets.Load()) {
		t.rebuildLocked(2 * len(*t.buckets.Load()))
	} else {
		t.chainLocked(it)
	}
	t.evictLocked(0, math.MaxInt)
	if spare := t.spareLocked(); spare > 0 && !t.sparing && t.takes() > t.max-spare {
		t.sparing = true
		go t.makeSpare()
	}
}

// spareLocked is how many bytes are to be free, so that who fills needn't let go himself: what goes is what has long left
// the processor's caches.
func (t *entries) spareLocked() int64 {
	if !t.aside || t.max < spareLeast {
		return 0
	}
	return t.max / spareShare
}

// makeSpare makes twice as much free as is to be. Between few items it lets others have the lock.
func (t *entries) makeSpare() {
	for more := true; more; runtime.Gosched() {
		t.mu.Lock()
		t.evictLocked(2*t.spareLocked(), spareAtOnce)
		more = t.takes() > t.max-2*t.spareLocked()
		t.sparing = more
		t.mu.Unlock()
	}
}

func (t *entries) takes() int64 { return t.small.bytes + t.main.bytes + t.table }

// evictLocked lets items go until the rest take no more than they may, and so many bytes are free; but no more than a number.
func (t *entries) evictLocked(free int64, most int) {
	for steps := 0; most > 0 && t.count > 0 && t.takes() > t.max-free; steps++ {
		from := &t.main
		if t.small.bytes > t.max/smallShare || from.empty() {
			from = &t.small
		}
		it := from.oldest()
		if uses := it.uses.Load(); uses > 0 && steps < maxSteps {
			if it.main {
				it.uses.Store(uses - 1)
			} else {
				it.uses.Store(0)
			}
			from.pull(it)
			it.main, it.kept = true, true
			t.main.push(it)
			continue
		}
		if !it.main {
			t.ghosts[int(it.hash)&(len(t.ghosts)-1)] = it.hash
		}
		t.dropLocked(it, true)
		steps = 0
		most--
	}
}

// again is Store.Again. An item that won't be valid any more leaves.
func (t *entries) again(key string, s *Store) bool {
	hash := t.hash(key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if it := t.findLocked(key, hash); it != nil {
		found := it.found() > 0
		if !it.lives(s) {
			t.dropLocked(it, false)
			return found
		}
		return true
	}
	ghost := &t.ghosts[int(hash)&(len(t.ghosts)-1)]
	if *ghost == hash {
		return true
	}
	if *ghost == 0 || rand.Uint32()&1 == 0 { // of two keys in one place that come in turn, one will be found
		*ghost = hash
	}
	return false
}

// remove takes the item of a key out, if there is one.
func (t *entries) remove(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if it := t.findLocked(key, t.hash(key)); it != nil {
		t.dropLocked(it, false)
	}
}

// clear takes all out.
func (t *entries) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.makeTable(firstBuckets)
	for _, q := range []*queue{&t.small, &t.main} {
		for !q.empty() {
			t.leaveLocked(q.oldest(), false)
		}
	}
}

// resize sets how many bytes all may take.
func (t *entries) resize(maxBytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.max = maxBytes
	t.evictLocked(0, math.MaxInt)
}

// size returns how many there are, and the bytes that they take.
func (t *entries) size() (count int, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count, t.takes()
}

// of returns the queue that an item is in, or is to go to.
func (t *entries) of(it *item) *queue {
	if it.main {
		return &t.main
	}
	return &t.small
}

func (t *entries) bucketLocked(hash uint32) *bucket {
	buckets := *t.buckets.Load()
	return &buckets[int(hash)&(len(buckets)-1)]
}

func (t *entries) findLocked(key string, hash uint32) *item {
	it := t.bucketLocked(hash).Load()
	for it != nil && (it.hash != hash || it.key != key) {
		it = it.chain.Load()
	}
	return it
}

func (t *entries) chainLocked(it *item) {
	b := t.bucketLocked(it.hash)
	it.chain.Store(b.Load())
	b.Store(it)
}

// dropLocked takes an item out. It keeps its place in the chain, for a reader who stands there.
func (t *entries) dropLocked(it *item, evicted bool) {
	at := t.bucketLocked(it.hash)
	for at.Load() != it {
		at = &at.Load().chain
	}
	at.Store(it.chain.Load())
	t.leaveLocked(it, evicted)
	if n := len(*t.buckets.Load()); n > firstBuckets && leastFull*bucketsEach*t.count < n {
		t.rebuildLocked(n / 2)
	}
}

// leaveLocked is dropLocked of what isn't in the table any more.
func (t *entries) leaveLocked(it *item, evicted bool) {
	it.hideLocked()
	t.of(it).pull(it)
	t.count--
	t.gone(it, evicted)
}

// rebuildLocked makes a table of n buckets of what is in the queues. A reader who is on a chain goes on along
// another one, and may miss what it looks for.
func (t *entries) rebuildLocked(n int) {
	t.makeTable(n)
	for _, q := range []*queue{&t.small, &t.main} {
		for it := q.ring.next; it != &q.ring; it = it.next {
			t.chainLocked(it)
		}
	}
}

// makeTable makes an empty table of n buckets. The ghosts go on in it.
func (t *entries) makeTable(n int) {
	buckets := make([]bucket, n)
	t.buckets.Store(&buckets)
	ghosts := make([]uint32, max(n/bucketsEach, firstBuckets))
	for _, ghost := range t.ghosts {
		if ghost != 0 {
			ghosts[int(ghost)&(len(ghosts)-1)] = ghost
		}
	}
	t.ghosts = ghosts
	t.table = int64(n-firstBuckets) * bucketBytes
}

// A queue is items in a ring, oldest first.
type queue struct {
	ring  item // the head: no item
	bytes int64
}

func (q *queue) init()         { q.ring.prev, q.ring.next = &q.ring, &q.ring }
func (q *queue) empty() bool   { return q.ring.next == &q.ring }
func (q *queue) oldest() *item { return q.ring.next }

func (q *queue) push(it *item) {
	last := q.ring.prev
	it.prev, it.next = last, &q.ring
	last.next, q.ring.prev = it, it
	q.bytes += int64(it.cost)
}

func (q *queue) pull(it *item) {
	it.prev.next, it.next.prev = it.next, it.prev
	it.prev, it.next = nil, nil
	q.bytes -= int64(it.cost)
}
