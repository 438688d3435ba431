package coherence

import (
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/larderdb/larder/store"
)

// A Trail remembers what was kept and what was announced, while somebody watches, so that a miss
// can be told why it was one. It is of this process, bounded, and no part of the protocol: what it
// has forgotten it calls new. A nil Trail remembers nothing. It is safe for concurrent use.
type Trail struct {
	seed maphash.Seed

	mu     sync.Mutex // guards the rest
	kept   recent[uint64, keptEntry]
	writes recent[store.Tag, announced]
}

// What a trail remembers at most: entries, of so many tags, and tags that were announced.
const (
	trailEntries = 8192
	trailTags    = 64
	trailWrites  = 16384
)

type keptEntry struct {
	tags   []store.Tag
	tokens []store.Token
	at     time.Time
	until  time.Time
}

type announced struct {
	by string
	at time.Time
}

// NewTrail returns an empty trail.
func NewTrail() *Trail {
	return &Trail{seed: maphash.MakeSeed(), kept: newRecent[uint64, keptEntry](trailEntries), writes: newRecent[store.Tag, announced](trailWrites)}
}

// A Why says why an entry was not there.
type Why uint8

// The reasons of misses.
const (
	Untold  Why = iota // nobody watched, or the read isn't one that may be kept
	New                // the key wasn't kept before, as far as is remembered
	Expired            // its time was over
	Evicted            // it was let go for want of room, or forgotten on request
	Changed            // a write changed what it was read from
)

// String returns the reason's name in lower case.
func (w Why) String() string { return [...]string{"", "new", "expired", "evicted", "changed"}[w] }

// A Cause says why a read missed.
type Cause struct {
	Why      Why
	Relation string        // of Changed: what was written; "*" is everything
	Shape    string        // … and by which columns the rows that were written are told, if they are
	By       string        // the fingerprint of the statement that wrote; "" if it wasn't of this process, or isn't known
	Age      time.Duration // how long ago the entry was kept
}

// Kept notes that a read's result was kept for at most ttl.
func (t *Trail) Kept(r *Read, ttl time.Duration) {
	if t == nil || r.tags == nil || r.key == "" || len(r.tags) > trailTags {
		return
	}
	now, hash := time.Now(), maphash.String(t.seed, r.key)
	t.mu.Lock()
	defer t.mu.Unlock()
	// What the store has noted may lie in the entry's memory, which is to go when the entry does.
	t.kept.put(hash, keptEntry{slices.Clone(r.tags), slices.Clone(r.tokens), now, now.Add(ttl)})
}

// Wrote notes that a write is announced; by says which statement wrote a relation.
func (t *Trail) Wrote(h *Hold, by func(relation string) string) {
	if t == nil || h == nil {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tag := range h.tags[:min(len(h.tags), trailTags)] {
		relation, _ := named(tag)
		t.writes.put(tag, announced{by(relation), now})
	}
}

// Why says why a read, which has missed, did.
func (t *Trail) Why(r *Read) Cause {
	if t == nil || r.Outcome != Miss || r.tags == nil || r.key == "" {
		return Cause{}
	}
	hash := maphash.String(t.seed, r.key)
	t.mu.Lock()
	defer t.mu.Unlock()
	before, ok := t.kept.get(hash)
	if !ok {
		return Cause{Why: New}
	}
	now := time.Now()
	cause := Cause{Why: Evicted, Age: now.Sub(before.at)}
	if now.After(before.until) {
		cause.Why = Expired
	}
	for i, tag := range before.tags {
		write, known := t.writes.get(tag)
		known = known && write.at.After(before.at)
		at := slices.Index(r.tags, tag)
		if at < 0 && !known && cause.Why != Changed {
			cause.Why = Untold // it depends on other tags now
		}
		if at < 0 && !known || at >= 0 && r.tokens[at] == before.tokens[i] {
			continue
		}
		cause.Why = Changed
		cause.Relation, cause.Shape = named(tag)
		if cause.By = write.by; known && cause.By != "" {
			break
		}
		cause.By = ""
	}
	return cause
}

// Age is how long ago the entry of a key was kept, if that is remembered.
func (t *Trail) Age(key string) (age time.Duration, known bool) {
	if t == nil {
		return 0, false
	}
	hash := maphash.String(t.seed, key)
	t.mu.Lock()
	defer t.mu.Unlock()
	kept, known := t.kept.get(hash)
	return time.Since(kept.at), known
}

// Tags is how many tags the read depends on; 0 unless it is a miss that may be kept.
func (r *Read) Tags() int { return len(r.tags) }

// named tells of a tag's name the relation and the columns of its shape, without the values of a slice.
func named(tag store.Tag) (relation, shape string) {
	name := string(tag)
	if length, rest, ok := strings.Cut(name, ":"); ok {
		if n, err := strconv.Atoi(length); err == nil && n >= 0 && n+1 <= len(rest) {
			name = rest[n+1:]
		}
	}
	relation, rest := name, ""
	if i := strings.IndexAny(name, "?*({"); i >= 0 {
		relation, rest = name[:i], name[i:]
	}
	switch {
	case relation == "":
		return "*", ""
	case rest == "" || rest[0] != '(' && rest[0] != '{':
		return relation, ""
	}
	if i := strings.IndexAny(rest, "=)"); i > 0 {
		shape = rest[1:i]
	}
	return relation, shape
}

// A recent is a map of what was put last.
type recent[K comparable, V any] struct {
	values map[K]V
	order  []K // a ring
	next   int
}

func newRecent[K comparable, V any](n int) recent[K, V] {
	return recent[K, V]{values: make(map[K]V), order: make([]K, 0, n)}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	v, ok := r.values[key]
	return v, ok
}

func (r *recent[K, V]) put(key K, value V) {
	if _, ok := r.values[key]; ok {
		r.values[key] = value
		return
	}
	r.values[key] = value
	if len(r.order) < cap(r.order) {
		r.order = append(r.order, key)
		return
	}
	delete(r.values, r.order[r.next])
	r.order[r.next] = key
	r.next = (r.next + 1) % len(r.order)
}
