package coherence

import (
	"context"
	"slices"
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
	until   time.Time // when the first of its parts expires by its own TTL; zero: none does
	late    func()    // see Seal
}

// Why a recording can't be kept, where others tell it from the rest.
const (
	WhyHeld    = "a write was in flight"
	WhyNothing = "nothing was read through the cache"
)

type recordingKey struct{}

// Record returns a context under which every Lookup, hit or miss, adds what it
// depends on to the Recording. If ctx has one already, that gathers it as well. What is found under it is as it is now: see store.Anew.
func Record(ctx context.Context) (context.Context, *Recording) {
	rec := &Recording{outer: recordingOf(ctx), index: make(map[store.Tag]int)}
	if rec.outer == nil {
		ctx = store.Anew(ctx)
	}
	return saying(ctx, recordingKey{}, rec), rec
}

// Anew returns a context whose Lookups are of what the store has now, also where it would serve a copy for a while without asking.
func Anew(ctx context.Context) context.Context { return store.Anew(ctx) }

// Unrecorded returns a context that adds to no Recording: for what goes on when that has ended.
func Unrecorded(ctx context.Context) context.Context {
	return saying(ctx, recordingKey{}, (*Recording)(nil))
}

func recordingOf(ctx context.Context) *Recording {
	rec, _ := ctx.Value(recordingKey{}).(*Recording)
	return rec
}

// Spoil marks the recording, if ctx has one, as not cacheable, for the given reason; the first reason stays.
func Spoil(ctx context.Context, reason string) { recordingOf(ctx).spoil(reason) }

// Expire says that what is computed under ctx must not be kept for longer than until t.
func Expire(ctx context.Context, t time.Time) {
	for rec := recordingOf(ctx); rec != nil; rec = rec.outer {
		rec.mu.Lock()
		rec.expireLocked(t)
		rec.mu.Unlock()
	}
}

func (rec *Recording) expireLocked(t time.Time) {
	if !t.IsZero() && (rec.until.IsZero() || t.Before(rec.until)) {
		rec.until = t
	}
}

// Expires returns until when what was computed may be kept; zero if nothing of it expires by itself.
func (rec *Recording) Expires() time.Time {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.until
}

// Spoiled returns why what was computed can't be kept, or "".
func (rec *Recording) Spoiled() string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.spoiled == "" && !rec.looked {
		return WhyNothing
	}
	return rec.spoiled
}

// Tags returns what was recorded up to now; the caller must not change it.
func (rec *Recording) Tags() []store.Tag {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.tags[:len(rec.tags):len(rec.tags)]
}

// Seal says that what was computed has been kept. If something is read under the recording's context after that, by a
// goroutine that outlived the computation, late is called, once: what was kept may be made from it.
func (rec *Recording) Seal(late func()) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	var once sync.Once
	rec.late = func() { once.Do(late) }
}

func (rec *Recording) spoil(reason string) {
	rec.each(func(rec *Recording) { rec.spoilLocked(reason) })
}

func (rec *Recording) spoilLocked(reason string) {
	if rec.spoiled == "" {
		rec.spoiled = reason
	}
}

// each does something to the recording and to those around it, each under its lock; one that is sealed hears that it is late.
func (rec *Recording) each(do func(*Recording)) {
	for ; rec != nil; rec = rec.outer {
		rec.mu.Lock()
		do(rec)
		late := rec.late
		rec.mu.Unlock()
		if late != nil {
			late()
		}
	}
}

// add adds tags of s with the tokens that were seen before what depends on them was read.
func (rec *Recording) add(s store.Store, tags []store.Tag, tokens []store.Token) {
	if rec != nil {
		rec.each(func(rec *Recording) { rec.addLocked(s, tags, tokens) })
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

// of returns what was gathered, which doesn't change any more.
func (rec *Recording) of() (s store.Store, tags []store.Tag, tokens []store.Token) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	n := len(rec.tags)
	return rec.store, rec.tags[:n:n], rec.tokens[:n:n]
}

// Depend adds tags to the recording of ctx, as they are now, before what depends on them is read. With none
// what is computed may be kept although it reads nothing.
func (d *Domain) Depend(ctx context.Context, tags []store.Tag) {
	rec := recordingOf(ctx)
	if rec == nil {
		return
	}
	if _, up := d.fenced(ctx); up {
		return
	}
	var tokens []store.Token
	if len(tags) > 0 {
		v, err := d.store.Lookup(ctx, "", tags)
		v, err = d.settled(ctx, "", tags, v, err)
		switch {
		case err != nil:
			rec.spoil("the store failed")
			return
		case v.Held:
			rec.spoil(WhyHeld)
			return
		}
		tokens = v.Tokens
	}
	rec.add(d.store, tags, tokens)
}

// Stands reports whether what was computed under rec is what it would be now: nothing of what it depends on has changed, or
// is being changed. It reports false where that isn't known.
func (d *Domain) Stands(ctx context.Context, rec *Recording) bool {
	if rec.Spoiled() != "" || d.isFenced() {
		return false
	}
	s, tags, tokens := rec.of()
	if len(tags) == 0 {
		return true
	}
	if s != d.store {
		return false
	}
	v, err := s.Lookup(ctx, "", tags)
	return err == nil && !v.Held && slices.Equal(v.Tokens, tokens)
}

// Adopt adds what rec has gathered to the recording of ctx: what was computed under it, by another, is used under ctx.
func Adopt(ctx context.Context, rec *Recording) {
	into := recordingOf(ctx)
	if into == nil {
		return
	}
	if why := rec.Spoiled(); why != "" {
		into.spoil(why)
		return
	}
	s, tags, tokens := rec.of()
	into.add(s, tags, tokens)
	Expire(ctx, rec.Expires())
}

// FillRecorded keeps value, which was computed under rec, as Read.Fill does, and not for longer than its parts
// may be. It keeps nothing if rec is spoiled, has seen no read, or is of another store. A
// Lookup of the key with nil tags finds it.
func (d *Domain) FillRecorded(ctx context.Context, key string, rec *Recording, value any, size int, ttl time.Duration) bool {
	if rec.Spoiled() != "" {
		return false
	}
	if until := rec.Expires(); !until.IsZero() {
		if ttl <= 0 {
			ttl = d.ttl
		}
		if ttl = min(ttl, time.Until(until)); ttl <= 0 {
			return false
		}
	}
	s, tags, tokens := rec.of()
	if s != d.store {
		return false
	}
	if d.mutant == TokensAfterRead && len(tags) > 0 {
		v, err := d.store.Lookup(ctx, "", tags)
		if err != nil {
			return false
		}
		tokens = v.Tokens
	}
	return d.fill(ctx, key, &store.Entry{Value: value, Size: size, Tags: tags, Tokens: tokens}, ttl)
}

// Entry returns the valid entry under key, and nil if there is none. It is shared.
func (d *Domain) Entry(ctx context.Context, key string) *store.Entry {
	if d.isFenced() {
		return nil
	}
	v, err := d.store.Lookup(ctx, key, nil)
	if err != nil {
		return nil
	}
	return v.Entry
}
