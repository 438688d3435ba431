package coherence

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/larderdb/larder/store"
)

// A Check is of one hit, made before the cache is asked for it. What the database answers after the hit must be
// what the hit was, if nothing that it was read from has changed from the one to the other:
//
//	the check     looks at the entry, and at the relations as wholes
//	the reader    has its hit, then asks the database
//	Stands        looks again: the entry is valid still, or none of the relations was written
//
// A write makes new tokens before its change can become visible and holds until it was announced. So a difference
// that stands is of an entry that is wrong, or of a write that nobody has announced.
type Check struct {
	d      *Domain
	key    string
	entry  *store.Entry // nil if there is none
	whole  []store.Tag
	tokens []store.Token
	held   bool // one of whole was, or the store has failed
}

// Check begins a check of the entry under key, whose value depends on base and on relations. key isn't kept.
func (d *Domain) Check(ctx context.Context, key string, base []Tag, relations []string) *Check {
	c := &Check{d: d, key: string([]byte(key)), whole: slices.Clone(base)}
	for _, r := range relations {
		c.whole = append(c.whole, d.anyTag(r))
	}
	v, err := d.store.Lookup(ctx, c.key, nil)
	if err == nil {
		c.entry = v.Entry
	}
	c.tokens, c.held, err = d.Observe(ctx, c.whole)
	c.held = c.held || err != nil || d.isFenced()
	return c
}

// Stands reports whether nothing has changed since the check was begun.
func (c *Check) Stands(ctx context.Context) bool {
	if c.d.isFenced() {
		return false
	}
	if c.entry != nil {
		v, err := c.d.store.Lookup(ctx, c.key, nil)
		if err == nil && v.Entry != nil && slices.Equal(v.Entry.Tags, c.entry.Tags) && slices.Equal(v.Entry.Tokens, c.entry.Tokens) {
			return true
		}
	}
	if c.held {
		return false
	}
	tokens, held, err := c.d.Observe(ctx, c.whole)
	return err == nil && !held && slices.Equal(tokens, c.tokens)
}

// Left reports whether a tag of a hold that was released or rolled back without an error has its mark still, and of which relation that is. None has, unless
// a step is missing. It looks at one of them, any, and only where readers look first: not at what a store notes of holds elsewhere, nor at what is
// paused. Of a hold that the store wasn't sure to have it knows nothing: what was sent then may be done yet.
func (h *Hold) Left(ctx context.Context) (relation string, left bool) {
	if h == nil || h.unsure || len(h.tags) == 0 {
		return "", false
	}
	tag := h.tags[rand.IntN(len(h.tags))]
	ids, err := h.d.store.Holders(ctx, tag)
	if err != nil || !slices.Contains(ids, h.id) {
		return "", false
	}
	relation, _ = named(tag)
	return relation, true
}

// Key is the key of the entry.
func (c *Check) Key() string { return c.key }

// Drop drops the entry.
func (c *Check) Drop(ctx context.Context) { c.d.Forget(ctx, c.key) }

// Tags are those of the entry, with their tokens, for people; none if there was no entry. Their names tell values.
func (c *Check) Tags() (tags []Tag, tokens []Token) {
	if c.entry == nil {
		return nil, nil
	}
	return c.entry.Tags, c.entry.Tokens
}

// Shapes are Tags for people, without the values of slices, and with shapes as readable puts them.
func (c *Check) Shapes(readable func(shape string) string) []string {
	var names []string
	tags, _ := c.Tags()
	for _, tag := range tags {
		relation, shape := named(tag)
		if shape != "" {
			relation += "(" + readable(shape) + ")"
		}
		if !slices.Contains(names, relation) {
			names = append(names, relation)
		}
	}
	return names
}
