package metamorphic

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// A forgetful store does as if the analysis of statements had overlooked something: it drops tags from
// what is filled or held.
type forgetful struct {
	*memory.Store
	read  func(key string, tags []store.Tag) int // which tag of an entry to drop; -1: none
	write func(tags []store.Tag) []store.Tag     // what remains of the tags of a write
}

func (f *forgetful) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	if i := f.read(key, e.Tags); i >= 0 {
		e = &store.Entry{Value: e.Value, Size: e.Size,
			Tags:   slices.Delete(slices.Clone(e.Tags), i, i+1),
			Tokens: slices.Delete(slices.Clone(e.Tokens), i, i+1)}
	}
	return f.Store.Fill(ctx, key, e, ttl)
}

func (f *forgetful) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	return f.Store.Hold(ctx, id, f.write(tags), lease)
}

func (f *forgetful) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	return f.Store.Renew(ctx, id, f.write(tags), lease)
}

func (f *forgetful) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	return f.Store.Release(ctx, id, f.write(tags))
}

func noTag(string, []store.Tag) int            { return -1 }
func allTags(tags []store.Tag) []store.Tag     { return tags }
func isRelation(t store.Tag) bool              { return strings.HasSuffix(string(t), "?") }
func ofRelation(t store.Tag, name string) bool { return strings.Contains(string(t), name) }

// A lapse is one kind of forgetting.
type lapse struct {
	name  string
	read  func(key string, tags []store.Tag) int
	write func(tags []store.Tag) []store.Tag
}

// lapses are what an analysis could forget.
var lapses = []lapse{
	{"a read of several relations depends on all but the last", lastRelation, allTags},
	{"a read of several relations depends on all but the first", firstRelation, allTags},
	{"a write to several relations changes all but the last", noTag, butLastRelation},
	{"a write to unknown relations changes none", noTag, func(tags []store.Tag) []store.Tag {
		return slices.DeleteFunc(slices.Clone(tags), func(t store.Tag) bool { return strings.HasSuffix(string(t), ":*") })
	}},
	{"a change of the schema leaves the catalog as it was", noTag, func(tags []store.Tag) []store.Tag {
		return slices.DeleteFunc(slices.Clone(tags), func(t store.Tag) bool { return strings.HasSuffix(string(t), "#schema") })
	}},
	{"a write to one table is overlooked", noTag, func(tags []store.Tag) []store.Tag {
		return slices.DeleteFunc(slices.Clone(tags), func(t store.Tag) bool { return ofRelation(t, ".t3") })
	}},
}

func lastRelation(_ string, tags []store.Tag) int {
	if relations(tags) < 2 {
		return -1
	}
	return len(tags) - 1
}

func firstRelation(_ string, tags []store.Tag) int {
	if relations(tags) < 2 {
		return -1
	}
	return slices.IndexFunc(tags, isRelation)
}

func relations(tags []store.Tag) (n int) {
	for _, t := range tags {
		if isRelation(t) {
			n++
		}
	}
	return n
}

func butLastRelation(tags []store.Tag) []store.Tag {
	if relations(tags) < 2 {
		return tags
	}
	var last string
	for _, t := range tags {
		if isRelation(t) {
			last = max(last, strings.TrimSuffix(string(t), "?"))
		}
	}
	return slices.DeleteFunc(slices.Clone(tags), func(t store.Tag) bool { return strings.TrimRight(string(t), "?*") == last })
}

func (l lapse) store() store.Store {
	return &forgetful{Store: memory.New(16 << 20), read: l.read, write: l.write}
}
