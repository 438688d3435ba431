// Package store is the contract of a place that keeps entries and the state of
// tags. Implementations are folders under it; package storetest runs on all.
package store

import (
	"context"
	"errors"
	"strings"
	"time"
)

// ErrLapsed is what Renew wraps if the hold is no longer there, or has come to
// the end of its lease.
var ErrLapsed = errors.New("store: the hold has lapsed")

// ErrNotKept is what Fill wraps if it kept nothing, and would not the next time either: the Value can't be
// written, or is too large.
var ErrNotKept = errors.New("store: the value can't be kept")

// ErrClosed is what a closed store's methods wrap, where they fail.
var ErrClosed = errors.New("store: closed")

// A Tag is the name under which a change is announced, with the database that
// it belongs to.
type Tag string

// Group is what a tag's place is told by, where there are several servers: tags of one
// group lie on one, so that a step does what it does to them in order. The tags of a
// relation, which differ behind the first of "?*({" only, are of one group.
func (t Tag) Group() string {
	if i := strings.IndexAny(string(t), "?*({"); i >= 0 {
		return string(t[:i])
	}
	return string(t)
}

// Standing reports whether the tag is one that processes hold for as long as they live (coherence's "#facts"): no
// other tag may have to wait until nobody holds it.
func (t Tag) Standing() bool { return strings.HasSuffix(string(t), StandingSuffix) }

// StandingSuffix ends the names of standing tags.
const StandingSuffix = "#facts"

// A Token is the state of a tag. Tokens are unique and never reused; 0 is none.
type Token uint64

// An Entry is a cached thing with the tokens of what it was read from. It is
// shared and must not be changed once filled.
type Entry struct {
	Value  any     // what is kept; its concrete type is the reader's business
	Size   int     // bytes that Value takes in memory
	Tags   []Tag   // what it was read from …
	Tokens []Token // … and the token of each before it was read
}

// Bytes is the Value of an entry that comes from outside of this process: what
// the filled Value, an encoding.BinaryAppender, wrote of itself. Such a store keeps
// nothing of a Value that can't be written. Bytes are shared and must not be changed.
type Bytes []byte

// AppendBinary makes Bytes a Value that can be filled again.
func (b Bytes) AppendBinary(dst []byte) ([]byte, error) { return append(dst, b...), nil }

// A Leaver is a Value that is told when its entry leaves a store of this process: how often it was found, of which any number
// above a few may be told as those few, and whether what it was read from had changed or it was replaced; else
// it made room for others. It is called once, under a lock: it must be quick and must not call the store.
type Leaver interface{ Left(uses int, removed bool) }

// A View is what a reader sees of a key and its tags.
type View struct {
	// Entry is set if the key has an entry, each tag of it has the token it was
	// filled under, and after that none of them was held.
	Entry *Entry

	// Tokens and Held are of the tags asked for, in their order; they are
	// set only if Entry isn't. Held: a write to one of the tags was in flight.
	Tokens []Token
	Held   bool

	// Tags are those that a Noter was asked for by what they have in common with others.
	Tags []Tag

	// Noted is what a Noter's FillNoted takes in the place of the tags and their tokens; nil if nothing was noted.
	Noted any
}

// A Noter is a Store of this process's memory that looks for tags once where a Lookup of them is followed by a Fill. It is asked only if its
// Prompt returns itself: what wraps such a store may have a Lookup or a Fill of its own.
type Noter interface {
	// FillNoted is Fill under the tags and tokens of a View of the same store that has Noted. It is called once at most for each View, by one
	// goroutine. key is kept: it must not change.
	FillNoted(key string, noted any, value any, size int, ttl time.Duration)

	// Common looks for tags that many a Lookup has, and LookupCommon is Lookup of these and of one more, own, which is the last of the View's. It reports
	// false if Lookup must be asked: a tag is held, or one of these was dropped since.
	Common(tags []Tag) (common any)
	LookupCommon(key string, common any, own Tag) (View, bool)
}

// A Counter is a Store of this process's memory that counts what writers do. It is asked as a Noter is.
type Counter interface {
	// Changes is how many times a tag was given a mark or, if an entry may have had it, a token: each is counted when it has been done and before
	// who did it knows. If it is what it was, no Hold, Pause, Release or Part has returned meanwhile, and no hold has lapsed that was seen to.
	Changes() uint64
}

// A Look is at tags, when others are held.
type Look struct {
	Tags []Tag   // set by the caller
	Seen []Sight // of each, set by the store
}

// A Sight is what is seen of a tag by a Look.
type Sight struct {
	Token   Token    // 0 if the tag is missing, and so has no members
	Members []string // shared; they must not be changed
}

// A HoldID names one hold of one writer. It is never used for a second one.
type HoldID uint64

// A Store keeps entries and the state of tags. Its methods are the steps of the
// protocol; each documents the order that its single-key operations must have.
// The order is asked for tag by tag: no transaction over several keys is. All
// methods are safe for concurrent use. Unless it is said, they keep nothing
// that they are given: key may lie in a buffer that the caller uses again.
type Store interface {
	// Lookup reads, in this order, the entry under key, the tokens of the
	// tags, and the holds of the tags. Tags of the entry which are not among tags
	// are read too, in the same order. A missing token is added (the first to
	// add wins), never assumed. An empty key asks for the tags only. The entry
	// of the view is shared. Its Tags and Tokens may lie in what is to be filled: who
	// keeps them for longer than the read takes copies.
	Lookup(ctx context.Context, key string, tags []Tag) (View, error)

	// Fill keeps e.Value, with copies of the rest, under key for at most ttl. It
	// may keep nothing, and may say so by ErrNotKept.
	Fill(ctx context.Context, key string, e *Entry, ttl time.Duration) error

	// Hold marks each tag as held by id, then gives it a new token. The mark
	// lasts for at most lease, and then takes itself away. With lease 0 it
	// lasts until Renew or Release while this process lives, and some lease of
	// the store's own longer: a store outside of this process renews it meanwhile.
	// If it fails some tags may be marked, and lapse with the lease: the store doesn't renew them.
	//
	// If look isn't nil its tags are read, each after the marks of all tags of its Group are made.
	Hold(ctx context.Context, id HoldID, tags []Tag, lease time.Duration, look *Look) error

	// Renew gives a hold a new lease, from now, whose meaning is that of Hold. If
	// a mark of it is gone it fails with ErrLapsed, and the rest may be renewed or
	// not. With a lease above 0 a store that has renewed the hold by itself stops
	// doing so, even if it fails.
	Renew(ctx context.Context, id HoldID, tags []Tag, lease time.Duration) error

	// Release gives each tag a new token, then takes the mark of id away if
	// there is one.
	Release(ctx context.Context, id HoldID, tags []Tag) error

	// Holders returns the holds whose marks are on a tag. There may be more in the list: those
	// of other tags; and 0, which is nobody's, while it isn't known who holds.
	Holders(ctx context.Context, tag Tag) ([]HoldID, error)

	// Members returns the members of a tag's set with the tag's token, read
	// together. A missing token is added; the set of such a tag is empty. The
	// slice is shared and must not be changed.
	Members(ctx context.Context, tag Tag) ([]string, Token, error)

	// Join adds a member to the set of a tag if the tag still has that token, and
	// reports whether it is a member now, under that token. The token stays. The
	// set lives and dies with the token's key: a tag that is dropped loses both.
	// Hold and Release, and a hold that lapses, give new tokens and keep the set.
	Join(ctx context.Context, tag Tag, token Token, member string) (bool, error)

	// Part takes a member out of the set of a tag, if it is there, and gives the
	// tag a new token, in one step.
	Part(ctx context.Context, tag Tag, member string) error

	// Remove drops the entry under key.
	Remove(ctx context.Context, key string) error

	// Stats tells what is kept.
	Stats() Stats

	// Close ends the use of the store; what it keeps may outlive it. Calls after
	// it don't panic; they may fail, or keep nothing.
	Close() error
}

// A Shared store is one that other processes use too: each call of it is a round trip, and
// it keeps no Value but as Bytes.
type Shared interface {
	Store

	// Lease is how long a hold with lease 0 outlives its process, and the longest that may be asked for.
	Lease() time.Duration

	// Claim reports whether the caller is the first to ask for that key since ttl, or since Unclaim.
	// It is a hint: several may be first where a server has lost what it knew.
	Claim(ctx context.Context, key string, ttl time.Duration) (bool, error)

	// Unclaim lets another be first.
	Unclaim(ctx context.Context, key string) error
}

// Stats is what a store keeps at one moment, and how often it let go.
type Stats struct {
	Entries   int
	Bytes     int64 // by the entries' own count of themselves
	MaxBytes  int64
	Tags      int
	Evictions int64
}

// A Finder finds what Store.Lookup finds under keys that begin alike, by the rest of the key: nil for none. A Store of this process's memory has
// a method Finder(space string) that returns one for such a beginning, if that costs less. The entry must not be changed.
type Finder interface {
	Find(name string) *Entry
	Close() // after which it still finds, but no longer at less cost
}
