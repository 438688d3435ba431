package coherence

import (
	"context"
	"sync"
	"time"

	"github.com/larderdb/larder/store"
)

// A Recording gathers the dependencies of what is computed under its context. It
// is safe for concurrent use.
//
// For each tag it has the token that was seen before the data was read. What was
// computed is as fresh as its oldest part, so it may be kept under all of them.
type Recording struct {
	outer *Recording // gathers all that this one does; nil for none

	mu      sync.Mutex // guards the rest
	store   store.Store
	tags    []store.Tag
	tokens  []store.Token
	index   map[store.Tag]int // of tags
	looked  bool
	spoiled string
}

type recordingKey struct{}

// Record returns a context under which every Lookup, hit or miss, adds what it
// depends on to the Recording. If ctx has one already, that gathers it as well.
func Record(ctx context.Context) (context.Context, *Recording) {
	rec := &Recording{outer: recordingOf(ctx), index: make(map[store.Tag]int)}
	return context.WithValue(ctx, recordingKey{}, rec), rec
}

func recordingOf(ctx context.Context) *Recording {
	rec, _ := ctx.Value(recordingKey{}).(*Recording)
	return rec
}

// Spoil marks the recording, if ctx has one, as not cacheable, for the given reason; the first reason stays.
func Spoil(ctx context.Context, reason string) { recordingOf(ctx).spoil(reason) }

// Spoiled returns why what was computed can't be kept, or "".
func (rec *Recording) Spoiled() string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.spoiled == "" && !rec.looked {
		return "nothing was read through the cache"
	}
	return rec.spoiled
}

// Tags returns what was recorded up to now; the caller must not change it.
func (rec *Recording) Tags() []store.Tag {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.tags[:len(rec.tags):len(rec.tags)]
}

func (rec *Recording) spoil(reason string) {
	for ; rec != nil; rec = rec.outer {
		rec.mu.Lock()
		rec.spoilLocked(reason)
		rec.mu.Unlock()
	}
}

func (rec *Recording) spoilLocked(reason string) {
	if rec.spoiled == "" {
		rec.spoiled = reason
	}
}

// add adds tags of s with the tokens that were seen before what depends on them was read.
func (rec *Recording) add(s store.Store, tags []store.Tag, tokens []store.Token) {
	for ; rec != nil; rec = rec.outer {
		rec.mu.Lock()
		rec.addLocked(s, tags, tokens)
		rec.mu.Unlock()
	}
}

func (rec *Recording) addLocked(s store.Store, tags []store.Tag, tokens []store.Token) {
	if rec.store != nil && rec.store != s {
		rec.spoilLocked("reads from several stores")
		return
	}
	rec.store, rec.looked = s, true
	for i, tag := range tags {
		at, ok := rec.index[tag]
		switch {
		case !ok:
			rec.index[tag] = len(rec.tags)
			rec.tags, rec.tokens = append(rec.tags, tag), append(rec.tokens, tokens[i])
		case rec.tokens[at] != tokens[i]:
			rec.spoilLocked("a write came between two reads")
		}
	}
}

// FillRecorded keeps value, which was computed under rec, as Read.Fill does. It
// keeps nothing if rec is spoiled, has seen no read, or is of another store. A
// Lookup of the key with nil tags finds it.
func (d *Domain) FillRecorded(ctx context.Context, key string, rec *Recording, value any, size int, ttl time.Duration) bool {
	if rec.Spoiled() != "" {
		return false
	}
	rec.mu.Lock()
	e := &store.Entry{Value: value, Size: size, Tags: rec.tags[:len(rec.tags):len(rec.tags)], Tokens: rec.tokens}
	other := rec.store != d.store
	rec.mu.Unlock()
	return !other && d.fill(ctx, key, e, ttl)
}
