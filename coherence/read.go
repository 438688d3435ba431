package coherence

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/larderdb/larder/store"
)

// A Read is the outcome of one Lookup. It is used by one goroutine.
type Read struct {
	Outcome Outcome
	moved   bool // a claim of its need doesn't stand
	Joined  bool // it has waited for another's reading of the same key
	Value   any  // the entry's value on a hit

	// The rest is set if the result may be kept, and flight if others wait for it.
	d       *Domain
	key     string
	tags    []store.Tag
	tokens  []store.Token
	noted   any // by the store, of these
	flight  *flight
	claimed string   // the name under which it was claimed, until it is filled
	late    []wanted // set only for ShapeAfterRead
}

// A need is the tags of which a result is that has yet to be read, and what must
// be so that they are enough.
type need struct {
	tags   []store.Tag
	claims []claim
}

// A claim is that a tag still has the token under which something was found.
type claim struct {
	at    int // in tags
	token store.Token
}

// stands reports whether all claims do, by the tokens that the tags have now.
func (n need) stands(tokens []store.Token) bool {
	for _, c := range n.claims {
		if tokens[c.at] != c.token {
			return false
		}
	}
	return true
}

// Lookup asks for the entry under key, of which tags are the dependencies if it
// has yet to be read. On anything but a hit the caller reads the database and then
// calls Fill or, whatever happens, Done on the result. The entry that is found
// may be of other tags than these: its own are what it is judged by. With nil
// tags, they aren't known yet, and Fill keeps nothing: FillRecorded does. Tags
// that are empty but not nil are those of a result that never changes.
//
// With join set, a caller that finds another reading the same key waits for
// it and looks again; when that flight has filled nothing the caller reads by itself.
// A reader inside a transaction must not join: it may hold the lock that the other waits for.
// Nor must one that has a flight of the same key itself. While a write is in
// flight nobody waits for a flight; LookupRows waits for some of these writes.
//
// Lookup doesn't fail. If the store does, or ctx ends while the caller waits,
// the outcome is a Miss of which Fill keeps nothing. key is not kept; tags must
// stay as they are until the read is done.
func (d *Domain) Lookup(ctx context.Context, key string, tags []store.Tag, join bool) Read {
	return d.lookup(ctx, key, need{tags: tags}, join)
}

// copies is what a shared store has that keeps copies of entries in this process. LookupCopy judges the one
// under key, if there is one, as Lookup does.
type copies interface {
	LookupCopy(ctx context.Context, key string) (v store.View, is bool, err error)
}

// LookupCopy is Lookup where it costs less than to tell the tags: in this process's copies of what a shared
// store has. It reports false if the caller must tell them, and ask Lookup or LookupRows. Nothing is kept
// of a read that it has decided.
func (d *Domain) LookupCopy(ctx context.Context, key string) (Read, bool) {
	if d.copies == nil || d.isFenced() {
		return Read{}, false
	}
	v, is, err := d.copies.LookupCopy(ctx, key)
	if !is || err == nil && v.Entry == nil && !v.Held {
		return Read{}, false
	}
	return d.read(ctx, "", need{}, v, err), true
}

func (d *Domain) lookup(ctx context.Context, key string, n need, join bool) Read {
	if r, up := d.fenced(ctx); up {
		return r
	}
	sky := d.flights.look(key)
	v, err := d.store.Lookup(ctx, key, n.tags)
	v, err = d.settled(ctx, key, n.tags, v, err)
	if v.Entry != nil && err == nil {
		return d.read(ctx, "", n, v, nil)
	}
	return d.missed(ctx, key, n, join, sky, v, err)
}

// fenced reports whether the store must not be read, and what the read is then.
func (d *Domain) fenced(ctx context.Context) (Read, bool) {
	if !d.isFenced() {
		return Read{}, false
	}
	Spoil(ctx, "the store has not been told of a write")
	return Read{Outcome: Held}, true
}

// missed makes the Read of a key of which the store had no entry: v is what it said of the
// need's tags then or later, and sky what was seen before it was asked for the entry.
func (d *Domain) missed(ctx context.Context, key string, n need, join bool, sky sky, v store.View, err error) Read {
	if !join || err != nil || v.Held {
		return d.read(ctx, strings.Clone(key), n, v, err)
	}
	f, own := sky.board(key, v.Tokens)
	switch {
	case own:
	case slices.Equal(f.tokens, v.Tokens) || d.mutant == JoinOvertakenFlights:
		return d.wait(ctx, f, key, n)
	default: // a write has overtaken it: what it brings is of no use
		return d.read(ctx, strings.Clone(key), n, v, err)
	}
	return d.fly(ctx, f, sky, n, v, err)
}

// fly makes the Read whose flight f is. Only a miss that may be kept keeps it:
// neither what turns out to be a hit, or held, nor a panic of the store, or of who hears of a recording, leaves
// others waiting.
func (d *Domain) fly(ctx context.Context, f *flight, sky sky, n need, v store.View, err error) (r Read) {
	r.flight, r.d = f, d
	through := false
	defer func() {
		if !through || r.Outcome != Miss || r.moved {
			r.Done()
		}
	}()
	if sky.passed() { // perhaps it was this key, and has been filled
		v, err = d.store.Lookup(ctx, f.key, n.tags)
	}
	r = d.read(ctx, f.key, n, v, err)
	r.flight, r.d = f, d
	if d.shared != nil {
		d.claim(ctx, &r, n)
	}
	through = true
	return r
}

// wait looks again when f has landed. It never waits for a second flight: of a
// result that is never kept each reader would stand in line for all others.
func (d *Domain) wait(ctx context.Context, f *flight, key string, n need) Read {
	var late <-chan time.Time
	if d.patience > 0 {
		timer := time.NewTimer(d.patience)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-f.landed:
	case <-late:
	case <-ctx.Done():
		Spoil(ctx, "the context ended")
		return Read{Outcome: Miss, Joined: true}
	}
	if d.mutant == JoinOvertakenFlights && f.filled {
		return Read{Outcome: Hit, Value: f.value}
	}
	v, err := d.store.Lookup(ctx, key, n.tags)
	r := d.read(ctx, strings.Clone(key), n, v, err)
	r.Joined = true
	return r
}

// read makes the Read of what the store has answered. It keeps key for Fill.
func (d *Domain) read(ctx context.Context, key string, n need, v store.View, err error) Read {
	rec := recordingOf(ctx)
	switch {
	case err != nil:
		rec.spoil("the store failed")
		return Read{Outcome: Miss}
	case v.Entry != nil:
		rec.add(d.store, v.Entry.Tags, v.Entry.Tokens)
		return Read{Outcome: Hit, Value: v.Entry.Value}
	case v.Held:
		d.pauses.met(n.tags)
		rec.spoil(WhyHeld)
		return Read{Outcome: Held}
	case n.tags == nil:
		return Read{Outcome: Miss}
	case !n.stands(v.Tokens):
		return Read{Outcome: Miss, moved: true}
	}
	rec.add(d.store, n.tags, v.Tokens)
	return Read{Outcome: Miss, d: d, key: key, tags: n.tags, tokens: v.Tokens, noted: v.Noted}
}

// Forget drops the entry under key, so that the next Lookup of it is no hit.
func (d *Domain) Forget(ctx context.Context, key string) {
	// An error leaves the entry; it is as valid as its tags say.
	_ = d.store.Remove(ctx, key)
}

// Fill keeps value under the tokens that were seen before the database was read,
// for at most ttl (0: the domain's), and reports
// whether the store took it; it may have kept nothing all the same. size is the
// memory that value takes. value is shared from now on and must not change.
func (r *Read) Fill(ctx context.Context, value any, size int, ttl time.Duration) bool {
	if r.tags == nil || len(r.tokens) != len(r.tags) {
		return false
	}
	tokens := r.tokens
	if r.d.mutant == TokensAfterRead {
		v, err := r.d.store.Lookup(ctx, "", r.tags)
		if err != nil {
			return false
		}
		tokens = v.Tokens
	}
	if r.d.mutant == JoinOvertakenFlights && r.flight != nil {
		r.flight.value, r.flight.filled = value, true
	}
	if r.late != nil {
		r.d.putInUse(ctx, r.late)
	}
	ttl = r.d.life(ttl)
	if r.noted != nil && r.d.noter != nil && r.d.mutant != TokensAfterRead {
		return r.fillNoted(value, size, ttl)
	}
	e := &store.Entry{Value: value, Size: size, Tags: r.tags, Tokens: tokens}
	filled := r.d.fill(ctx, r.key, e, ttl)
	if filled && ttl >= 2*claimTTL { // else the claim would outlive it, and who comes then would wait for nothing
		r.claimed = ""
	}
	return filled
}

// fillNoted is Fill under what the store has noted.
func (r *Read) fillNoted(value any, size int, ttl time.Duration) bool {
	noted := r.noted
	r.noted = nil
	if r.d.isFenced() {
		return false
	}
	r.d.noter.FillNoted(r.key, noted, value, size, ttl)
	return true
}

// life is how long an entry may live that is to live for ttl, 0 for as long as most do.
func (d *Domain) life(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		ttl = d.ttl
	}
	return min(ttl, d.longest)
}

func (d *Domain) fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) bool {
	ttl = d.life(ttl)
	if d.isFenced() {
		return false
	}
	return d.store.Fill(ctx, key, e, ttl) == nil
}

// Done ends the read; those who wait for it go on. Calling it again does nothing.
func (r *Read) Done() {
	f := r.flight
	if f == nil {
		return
	}
	r.flight = nil
	if r.claimed != "" {
		defer f.land()
		r.unclaim()
		return
	}
	f.land()
}
