package larder

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/session"
)

// ErrRecursive is what a value's load gets that asks, by itself or through other values, for the value that it is to make.
var ErrRecursive = errors.New("larder: the load of a remembered value asks for that value")

var errUnbounded = errors.New("larder: ValueOptions.StaleWhileRevalidate needs Options.Bounded, which says how old a value may be, and a store that other processes share")

var errNoCache = errors.New("larder: Remember and RememberMany need a cache: larder.New makes one, larder.Of finds that of a handle")

// ValueOptions say how values are remembered. Nil and the zero value are the defaults.
type ValueOptions[T any] struct {
	// TTL is how long a value may live at most. 0 means that of the cache. What is made from things that Larder doesn't see, such
	// as another service's answer, is as old as this allows; a value whose load reads nothing through Larder is kept
	// only if it has a TTL of its own, or Tags.
	TTL time.Duration

	// Tags are what the value depends on besides what is read for it: Cache.Announce removes it.
	Tags []Tag

	// RefreshAt is the share of its TTL after which a hit has a load begin in the background, so that the value doesn't
	// expire while it is in use: 0.8 is in the last fifth. 0 means never.
	RefreshAt float64

	// StaleWhileRevalidate has a hit ask the store in the background, once half of Options.Bounded has passed since the value was last
	// known to be true, and has the value made anew there if it has changed, so that nobody waits for it who comes before Bounded has
	// passed. What they get meanwhile is as old as Bounded allows, and no older. It needs Options.Bounded, and is without effect
	// on what this process writes by itself: that removes the value at once.
	StaleWhileRevalidate bool

	// Clone, if not nil, makes the copies that callers get, and the one that is kept. Without it all callers share one value,
	// which nobody may change.
	Clone func(T) T

	// Codec writes values for stores that processes share. Nil means one that keeps whatever it can give back as it was:
	// no functions, channels or fields that aren't exported, and of interfaces only what holds texts and the like.
	Codec Codec

	// Name is what Options.Observe is told in the place of the key. Empty: the key as far as its first colon.
	Name string

	// Wait is how long a caller waits at most for another one, of this process or one that shares the store, that is
	// making the same value; then it makes it by itself. 0 means 5 seconds.
	Wait time.Duration
}

const defaultWait = 5 * time.Second

// Remember returns the value under key, which load makes. While nothing has changed of what load read through handles of
// Larder, in one database or several, callers get the value that is kept; no caller gets a value that is older than a write which
// was acknowledged before its call. At one moment one caller makes a value, and others wait for it, in all processes that share the store
// under one Options.Name.
//
// Load must read under the context that it is given, or what it reads isn't seen; other remembered values may be among it. It must not
// leave goroutines behind that go on reading, nor change what it reads. What it makes by reading nothing, by statements that are never
// cached or while a write is under way isn't kept: Cache.ExplainValue says why. Nor are its errors and panics,
// which reach everybody who has waited for it.
//
// The value is shared by all who ask for it: it must not be changed, unless there is a Clone. One key must be of one type; a value
// of another is made anew. A call under Bypass or Refresh loads; Refresh keeps what it gets. At most one options may be given.
func Remember[T any](ctx context.Context, c *Cache, key string, load func(context.Context) (T, error), options ...*ValueOptions[T]) (T, error) {
	var o *ValueOptions[T]
	if len(options) > 0 {
		o = options[0]
	}
	if c == nil {
		var none T
		return none, errNoCache
	}
	if c.watchers.Listening() || ctx.Err() != nil {
		return remember(ctx, c, key, load, o, len(options))
	}
	if kept, ok := c.kept.Kept(ctx, key); ok {
		if b, ok := kept.(*box[T]); ok && b.plain && (o == nil || o.Clone == nil) {
			return b.value, nil
		}
	}
	return remember(ctx, c, key, load, o, len(options))
}

// A question is one call for a value, or several.
type question[T any] struct {
	cache   *Cache
	key     string // as the caller names it
	name    string // in the domain
	load    func(context.Context) (T, error)
	o       ValueOptions[T]
	began   time.Time
	refresh bool
}

// remember is Remember where it isn't a hit that is quickly answered.
func remember[T any](ctx context.Context, c *Cache, key string, load func(context.Context) (T, error), options *ValueOptions[T], given int) (v T, err error) {
	q := &question[T]{cache: c, key: key, name: c.valuePrefix + key, load: load}
	if options != nil {
		q.o = *options
	}
	if err := q.o.check(given); err != nil {
		return v, err
	}
	if q.o.StaleWhileRevalidate && c.bounded() == nil {
		return v, errUnbounded
	}
	if load == nil {
		return v, fmt.Errorf("larder: Remember(%q): load is nil", key)
	}
	if err := ctx.Err(); err != nil {
		return v, err
	}
	if c.watchers.Listening() {
		q.began = time.Now()
	}
	bypass, refresh := session.Wish(ctx)
	if bypass {
		return q.bypass(ctx)
	}
	q.refresh = refresh
	return q.answer(ctx)
}

func (o *ValueOptions[T]) check(given int) error {
	switch {
	case given > 1:
		return errors.New("larder: Remember takes at most one ValueOptions")
	case o.TTL < 0 || o.Wait < 0:
		return errors.New("larder: ValueOptions.TTL and Wait must not be negative; 0 means the default")
	case !(o.RefreshAt >= 0 && o.RefreshAt < 1):
		return fmt.Errorf("larder: ValueOptions.RefreshAt is %v: want a share of the TTL, from 0 to less than 1", o.RefreshAt)
	}
	if o.Wait == 0 {
		o.Wait = defaultWait
	}
	return nil
}

// maxJoins bounds how many loads of others a call waits for, one after the other, because writes overtake them.
const maxJoins = 3

// answer finds the value, or has it made, by this caller or by another one that is about it already.
func (q *question[T]) answer(ctx context.Context) (v T, err error) {
	if q.refresh {
		q.cache.values.Forget(ctx, q.name)
		return q.alone(ctx)
	}
	for range maxJoins {
		if b := q.look(ctx); b != nil {
			return q.hit(ctx, b), nil
		}
		f, own, err := q.cache.flights.board(ctx, q.cache, q.name)
		if err != nil {
			return v, err
		}
		if own {
			return q.make(ctx, f)
		}
		v, what, err := q.join(ctx, f)
		switch what {
		case answered:
			return v, err
		case leave:
			return q.alone(ctx)
		}
	}
	return q.alone(ctx)
}

// look returns what is kept; nil if that is nothing of this type.
func (q *question[T]) look(ctx context.Context) *box[T] {
	if r := q.cache.values.Lookup(ctx, q.name, nil, false); r.Outcome == coherence.Hit {
		return q.open(r.Value)
	}
	return nil
}

// open returns the value that an entry has; nil if it is of another type, or can't be read.
func (q *question[T]) open(kept any) *box[T] {
	b, why := unboxed[T](kept, q.o.Codec)
	switch {
	case b == nil:
		q.cache.reasons.note(q.key, why)
	case b.absent: // RememberMany has found that there is none
		return nil
	}
	return b
}

// hit answers with what is kept, and has it made anew in time.
func (q *question[T]) hit(ctx context.Context, b *box[T]) T {
	coherence.Expire(ctx, b.expires)
	switch {
	case b.due():
		q.ahead(ctx, q.renew)
	case q.o.StaleWhileRevalidate && q.cache.bounded().Due(ctx, q.name):
		q.ahead(ctx, q.revalidate)
	}
	q.tell(ctx, coherence.Hit, "", b.size, nil)
	return q.copy(b.value)
}

// copy is what a caller gets of a value that is kept, or what is kept of one that a caller gets.
func (q *question[T]) copy(v T) T {
	if q.o.Clone == nil {
		return v
	}
	return q.o.Clone(v)
}

func (q *question[T]) bypass(ctx context.Context) (v T, err error) {
	const why = coherence.WhyBypassed
	coherence.Spoil(ctx, why)
	f, err := alone(ctx, q.cache, q.name)
	if err != nil {
		return v, err
	}
	v, err = q.load(f.within(ctx))
	q.tell(ctx, coherence.Bypass, why, 0, err)
	return v, err
}

// alone makes the value without others that wait for it.
func (q *question[T]) alone(ctx context.Context) (v T, err error) {
	f, err := alone(ctx, q.cache, q.name)
	if err != nil {
		return v, err
	}
	return q.run(ctx, f)
}

// make makes the value for all who wait, unless it turns out to have been made since it was looked for.
func (q *question[T]) make(ctx context.Context, f *flight) (v T, err error) {
	defer q.cache.flights.land(f)
	if !q.cache.values.Shared() {
		if b := q.look(ctx); b != nil {
			return q.hit(ctx, b), nil
		}
		return q.run(ctx, f)
	}
	r, done := q.cache.values.Await(ctx, q.name, q.o.Wait)
	defer done()
	if r.Outcome == coherence.Hit {
		if b := q.open(r.Value); b != nil {
			return q.hit(ctx, b), nil
		}
	}
	if err := ctx.Err(); err != nil {
		return v, err
	}
	return q.run(ctx, f)
}

// run loads, and keeps what may be kept. What it comes to is in the flight when that lands.
func (q *question[T]) run(ctx context.Context, f *flight) (v T, err error) {
	defer q.cache.flights.land(f)
	inside, rec := coherence.Record(f.within(ctx))
	f.rec = rec
	q.o.depend(inside, q.cache)
	f.fate = broken
	defer f.caught()
	v, err = q.load(inside)
	f.fate = returned
	if err != nil {
		f.failed(ctx, err)
		q.cache.flights.land(f) // an observer may ask the same
		q.tell(ctx, coherence.Miss, "the load failed", 0, err)
		return v, err
	}
	b := &box[T]{value: q.copy(v)}
	f.result = b
	why := q.keep(ctx, rec, b)
	q.cache.flights.land(f)
	q.tell(ctx, outcomeOf(why), why, b.size, nil)
	return v, nil
}

// outcomeOf is that of a value that was made, and not kept for a reason if there is one.
func outcomeOf(why string) coherence.Outcome {
	if why == coherence.WhyHeld {
		return coherence.Held
	}
	return coherence.Miss
}

// What has come of waiting for another's flight.
type joining uint8

const (
	again    joining = iota // it is of no use; there may be something by now
	leave                   // nor will the next one be
	answered                // it was for this caller, too
)

// join waits for a flight, and takes what it has come to if nothing has changed since of what that was made from:
//
//  1. a flight reads the old row
//  2. a write changes it, and is acknowledged
//  3. a caller comes, who must not see the old one, and joins
func (q *question[T]) join(ctx context.Context, f *flight) (v T, what joining, err error) {
	b, what, err := q.joinBox(ctx, f)
	if err != nil || what != answered {
		return v, what, err
	}
	if b.absent {
		return v, leave, nil
	}
	q.tell(ctx, coherence.Hit, "", b.size, nil)
	return q.copy(b.value), answered, nil
}

func (q *question[T]) joinBox(ctx context.Context, f *flight) (b *box[T], what joining, err error) {
	switch landed, err := await(ctx, f, q.name, q.o.Wait); {
	case err != nil:
		return nil, answered, err
	case !landed:
		return nil, leave, nil
	case f.fate == nowhere || f.fate == broken:
		return nil, again, nil
	}
	failed, why := f.err != nil || f.fate == panicked, f.rec.Spoiled()
	switch {
	case failed && why == coherence.WhyNothing: // nothing that a write could change
	case why != "":
		return nil, leave, nil
	case q.cache.options.mutant == coherence.JoinOvertakenFlights:
	case !q.cache.values.Stands(ctx, f.rec):
		return nil, again, nil
	default:
		coherence.Adopt(ctx, f.rec)
	}
	switch {
	case f.fate == panicked:
		panic(f.panicked)
	case f.err != nil:
		return nil, answered, f.err
	}
	made := f.made(q.name)
	b, ok := made.(*box[T])
	switch {
	case made == nil: // it was kept already
		return nil, again, nil
	case !ok:
		return nil, leave, nil
	}
	return b, answered, nil
}

// depend adds to the recording of ctx what a value depends on by its options.
func (o *ValueOptions[T]) depend(ctx context.Context, c *Cache) {
	if o.TTL > 0 { // what is made of this value lives no longer either
		coherence.Expire(ctx, time.Now().Add(o.TTL))
	}
	if len(o.Tags) > 0 {
		c.values.Depend(ctx, c.tagsOf(o.Tags))
	} else if o.TTL > 0 {
		c.values.Depend(ctx, nil)
	}
}

// tell tells the observer.
func (q *question[T]) tell(ctx context.Context, outcome coherence.Outcome, why string, size int, err error) {
	if q.began.IsZero() { // nobody listened when it began
		return
	}
	name := q.o.Name
	if name == "" {
		name, _, _ = strings.Cut(q.key, ":")
	}
	q.cache.Made(ctx, coherence.Made{Kind: coherence.Value, Name: name, Outcome: outcome, Why: why, Total: time.Since(q.began), Bytes: size, Err: err})
}
