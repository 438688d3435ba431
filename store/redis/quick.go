package redis

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/larderdb/larder/store"
)

// Most reads find all tags there and none held. Of those a script isn't needed,
// which takes a server three times as long as MGET: one MGET reads the entry and
// its tags, at one moment, and after it, on the same connection, INFO tells the
// era. A tag that says that it is of this era was written in it, since nobody knew
// the era's name before it began. What isn't as clear as that the script looks into.
//
// The tags of an entry that the caller doesn't know are guessed: they are what
// they were when this process saw the entry last. If they are others, they are
// read in a second round trip, after the entry.

// quick looks at an entry and at tags without a script. It reports false if that isn't enough.
func (s *Store) quick(ctx context.Context, c rueidis.Client, key string, tags []store.Tag) (store.View, bool, error) {
	var e *store.Entry
	if len(tags) > fewTags {
		return store.View{}, false, nil
	}
	known := tags
	if key != "" {
		known = s.guesses.with(key, tags)
	}
	seen, first, err := s.glance(ctx, c, key, known)
	if err != nil {
		return store.View{}, false, unlessVague(err)
	}
	if first != nil {
		e = parse(key, *first)
	}
	if e != nil && len(e.Tags) > fewTags {
		return store.View{}, false, nil
	}
	if e != nil && !covers(known, e.Tags) {
		s.guesses.keep(key, e.Tags)
		known = slices.Concat(tags, e.Tags)
		if seen, _, err = s.glance(ctx, c, "", known); err != nil {
			return store.View{}, false, unlessVague(err)
		}
	}
	if e != nil && seen.valid(known, e) {
		return store.View{Entry: e}, true, nil
	}
	view := store.View{Tokens: make([]store.Token, len(tags))}
	for i := range tags {
		if view.Tokens[i] = seen[i]; seen[i] == 0 {
			return store.View{}, false, nil
		}
	}
	return view, true, nil
}

// errVague is of a server that doesn't say that it is a master, and of which era.
var errVague = errors.New("redis: no master")

func unlessVague(err error) error {
	if errors.Is(err, errVague) {
		return nil
	}
	return err
}

// A glimpse is the tokens of tags that are there and not held; 0 of others.
type glimpse []store.Token

// glance reads what lies under key, if one is given, and the tags, in one step.
func (s *Store) glance(ctx context.Context, c rueidis.Client, key string, tags []store.Tag) (glimpse, *rueidis.RedisMessage, error) {
	keys := make([]string, 0, len(tags)+1)
	for _, tag := range tags {
		keys = append(keys, s.names.tagPrefix()+string(tag))
	}
	if key != "" {
		keys = append(keys, s.names.entry(key))
	}
	if len(keys) == 0 {
		return nil, nil, nil
	}
	answers := c.DoMulti(ctx, c.B().Mget().Key(keys...).Build(), c.B().Info().Section("replication").Build())
	values, err := answers[0].ToArray()
	if err != nil {
		return nil, nil, err
	}
	info, err := answers[1].ToString()
	if err != nil {
		return nil, nil, err
	}
	if len(values) != len(keys) {
		return nil, nil, errAnswer
	}
	era := s.era(info)
	if era == "" {
		return nil, nil, errVague
	}
	seen := make(glimpse, len(tags))
	for i := range tags {
		seen[i] = tokenOf(&values[i], era)
	}
	if key != "" && values[len(tags)].IsString() {
		return seen, &values[len(tags)], nil
	}
	return seen, nil, nil
}

const eraSize = 16

// eraOf returns a master's era, which INFO tells; none if it is no master.
func eraOf(info string) string {
	if !strings.Contains(info, "role:master\r\n") {
		return ""
	}
	_, after, _ := strings.Cut(info, "\nmaster_replid:")
	if len(after) < eraSize {
		return ""
	}
	return after[:eraSize]
}

// tokenOf returns the token of a tag that is of an era and isn't held, or 0.
func tokenOf(value *rueidis.RedisMessage, era string) store.Token {
	if !value.IsString() {
		return 0
	}
	v, err := value.ToString()
	if err != nil || len(v) < eraSize+9 || v[:eraSize] != era || v[eraSize+8] != '-' {
		return 0
	}
	return parseToken(v[eraSize : eraSize+8])
}

func covers(known, tags []store.Tag) bool {
	for _, tag := range tags {
		if !slices.Contains(known, tag) {
			return false
		}
	}
	return true
}

// valid reports whether each tag of an entry is clear and has the entry's token.
func (g glimpse) valid(known []store.Tag, e *store.Entry) bool {
	for i, tag := range e.Tags {
		at := slices.Index(known, tag)
		if at < 0 || g[at] == 0 || g[at] != e.Tokens[i] {
			return false
		}
	}
	return true
}

const (
	guessed     = 4096 // keys
	guessedTags = 32   // of an entry; more are never guessed
	fewTags     = 256  // more are left to the script
)

// guesses are the tags that entries had. What they say needn't be true.
type guesses struct {
	seed  maphash.Seed
	slots [guessed]atomic.Pointer[guess]
}

// A guess is of some key that has this hash.
type guess struct {
	hash uint64
	tags []store.Tag
}

func (g *guesses) slot(key string) (*atomic.Pointer[guess], uint64) {
	h := maphash.String(g.seed, key)
	return &g.slots[h%guessed], h
}

// with returns tags, and after them those that the entry under key had.
func (g *guesses) with(key string, tags []store.Tag) []store.Tag {
	slot, hash := g.slot(key)
	last := slot.Load()
	switch {
	case last == nil || last.hash != hash || covers(tags, last.tags):
		return tags
	case len(tags) == 0:
		return last.tags
	}
	return slices.Concat(tags, last.tags)
}

// keep notes the tags of the entry under key.
func (g *guesses) keep(key string, tags []store.Tag) {
	if len(tags) > guessedTags {
		return
	}
	slot, hash := g.slot(key)
	own := make([]store.Tag, len(tags)) // they lie in the entry
	for i, tag := range tags {
		own[i] = store.Tag(strings.Clone(string(tag)))
	}
	slot.Store(&guess{hash, own})
}
