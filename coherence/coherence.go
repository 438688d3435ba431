// Package coherence keeps cached entries as fresh as the database they were
// read from: tags, tokens, holds and entries over a store. It knows no SQL.
//
// A reader calls Lookup; on a miss it reads the database and calls Fill, and
// whatever happens Done. A writer calls Hold before its change can become
// visible, changes the database, and calls Release before it tells anyone, or ReleaseBehind. What
// is promised by that: a read returns what the database would have answered at
// some moment during the read. Directory spec holds a model of why.
package coherence

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

// What a user of this package needs of a store.
type (
	Store = store.Store

	// Shared is a Store that other processes use, too.
	Shared = store.Shared

	// A Channel is what a Shared store may offer besides.
	Channel = store.Channel

	// Bytes is what a Shared store has kept of a value.
	Bytes = store.Bytes

	Tag   = store.Tag
	Token = store.Token
)

// An Outcome says how a read was answered.
type Outcome uint8

// The outcomes of reads.
const (
	Bypass Outcome = iota // the cache was not asked: not cacheable or not wanted
	Hit                   // answered from an entry
	Miss                  // read from the database and kept
	Held                  // read from the database, not kept: a write was in flight
)

// String returns the outcome's name in lower case.
func (o Outcome) String() string {
	switch o {
	case Bypass:
		return "bypass"
	case Hit:
		return "hit"
	case Miss:
		return "miss"
	case Held:
		return "held"
	}
	return "outcome(" + strconv.Itoa(int(o)) + ")"
}

const (
	defaultTTL   = time.Hour
	defaultLease = 30 * time.Second
)

// Options of a domain; the zero value is the default.
type Options struct {
	TTL    time.Duration // how long an entry may live, if its Fill doesn't say; 0 means one hour
	Lease  time.Duration // how long an abandoned hold lasts; 0 means 30 seconds
	Shapes int           // how many shapes of a relation are in use at most; 0 means 8
	Mutant Mutant        // for tests only: the protocol step to leave out

	// Longest is how long an entry may live at most, whatever its Fill says; 0 means TTL.
	Longest time.Duration

	// Pauses says which writes may keep readers from rows that are told later; for tests only.
	Pauses PausePolicy

	// Patience is how long a Lookup waits at most for another's that is under way; then it is a miss of its own. 0 means
	// as long as its context lasts.
	Patience time.Duration

	// Fenced reports whether this process must not read entries although the domain itself knows of nothing: another
	// domain in the store, whose tags they carry too, has a write that the store was not told of. Nil means never.
	Fenced func() bool

	// Told, if not nil, is called when the store has been told of writes that it could not be told of before: until then other processes may have
	// read what is older.
	Told func()

	// Now is the time by which shapes that nobody uses give way to others, and by which a hold, a
	// reliance or an unknown outcome is too old; it never goes back. Nil means the time since the domain was made.
	Now func() time.Duration

	// Sleep waits between two looks for an entry that another process is about to fill, and reports whether ctx
	// has lasted. Nil means that it waits.
	Sleep func(ctx context.Context, d time.Duration) bool

	// Retry does what must be tried until it succeeds. Nil means in a goroutine, with pauses of up to a second.
	Retry func(try func(context.Context) error)

	// Watch has look called from time to time, at least ten times in a store's lease, until stop. Nil means
	// in a goroutine, twice a second.
	Watch func(look func(context.Context)) (stop func())
}

// A Domain is one database in one store: all its clients announce their writes
// there. It is safe for concurrent use.
type Domain struct {
	store      store.Store
	prefix     string
	ttl        time.Duration
	longest    time.Duration
	lease      time.Duration
	patience   time.Duration // of a Lookup that waits for another's; 0: none
	mutant     Mutant
	beside     func() bool   // see Options.Fenced
	told       func()        // see Options.Told
	prompt     bool          // the store waits for nothing
	noter      store.Noter   // the store, if it is one of this process's memory that says so …
	counter    store.Counter // … and if it counts
	flights    flights
	writers    writers
	usage      usage
	pauses     pauses
	tags       tagNames
	outlasting outlasting
	now        func() time.Duration

	// Of a store that other processes use too; shared is nil else.
	shared store.Shared
	copies copies // nil if it keeps none here
	behind *behind
	left   atomic.Bool // behind, once
	known  known
	fence  fence
	retry  func(try func(context.Context) error)
	sleep  func(ctx context.Context, d time.Duration) bool
	watch  func(look func(context.Context)) (stop func())
	schema schema
}

// NewDomain returns the domain of the database with the given identity in s. Two
// domains with the same identity over the same store are one; domains with
// different identities never meet, whatever they contain.
func NewDomain(s store.Store, identity string, o Options) *Domain {
	if o.TTL <= 0 {
		o.TTL = defaultTTL
	}
	if o.Longest <= 0 {
		o.Longest = o.TTL
	}
	if o.Lease <= 0 {
		o.Lease = defaultLease
	}
	if o.Mutant == NoMutant {
		o.Mutant = left()
	}
	d := &Domain{
		store:    s,
		prefix:   strconv.Itoa(len(identity)) + ":" + identity + ":",
		ttl:      o.TTL,
		longest:  o.Longest,
		lease:    o.Lease,
		mutant:   o.Mutant,
		beside:   o.Fenced,
		told:     o.Told,
		patience: o.Patience,
	}
	if d.now = o.Now; d.now == nil {
		start := time.Now()
		d.now = func() time.Duration { return time.Since(start) }
	}
	if d.retry = o.Retry; d.retry == nil {
		d.retry = retry
	}
	if d.sleep = o.Sleep; d.sleep == nil {
		d.sleep = sleep
	}
	if d.watch = o.Watch; d.watch == nil {
		d.watch = WatchEvery(defaultWatch)
	}
	d.prompt = Prompt(s)
	if d.shared, _ = s.(store.Shared); d.shared != nil {
		d.behind = useBehind(d.shared)
		d.lease = min(d.lease, d.shared.Lease())
		d.copies, _ = s.(copies)
	} else {
		if d.prompt { // what wraps a store, and says what a Fill is, isn't
			d.noter, _ = s.(store.Noter)
			d.counter, _ = s.(store.Counter)
		}
		if o.Pauses != NeverPause {
			d.pauses.store, _ = s.(store.Pauser)
			d.pauses.always = o.Pauses == AlwaysPause
		}
	}
	d.writers.init(d.now)
	d.usage.init(o, d.now)
	d.schema.init(d)
	mutate(s, o.Mutant)
	return d
}

// Prefix begins every key of this domain, and no key of another.
func (d *Domain) Prefix() string { return d.prefix }

// Store returns the store that the domain is in.
func (d *Domain) Store() store.Store { return d.store }

// Shared reports whether other processes use the store of the domain, too: a look at it is a round trip.
func (d *Domain) Shared() bool { return d.shared != nil }

// Close ends what the domain does by itself in a shared store, but for telling it of writes: see Settle. Reads and writes may go
// on; schemas that are relied on aren't any more.
func (d *Domain) Close() {
	d.leaveBehind()
	d.schema.close()
}

// Lease is how long an abandoned hold lasts.
func (d *Domain) Lease() time.Duration { return d.lease }

// Tag returns the tag of the given name in this domain.
func (d *Domain) Tag(name string) store.Tag { return store.Tag(d.prefix + name) }

// Announce tells of a change that is already visible. Reads that begin after it
// has returned see the change; reads before may not have. If it fails, some of
// the tags may not have been announced.
func (d *Domain) Announce(ctx context.Context, tags []store.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	if err := d.store.Release(ctx, newHoldID(), tags); err != nil {
		return fmt.Errorf("coherence: announce: %w", err)
	}
	return nil
}

// Observe returns the tokens of tags, and whether one was held after that.
func (d *Domain) Observe(ctx context.Context, tags []store.Tag) (tokens []store.Token, held bool, err error) {
	v, err := d.store.Lookup(ctx, "", tags)
	if err != nil {
		return nil, false, fmt.Errorf("coherence: observe: %w", err)
	}
	return v.Tokens, v.Held, nil
}
