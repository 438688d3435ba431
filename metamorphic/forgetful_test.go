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
	read  func(tags []store.Tag) []store.Tag // what remains of the tags of an entry
	write func(tags []store.Tag) []store.Tag // what remains of the tags of a write
}

func (f *forgetful) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	left := &store.Entry{Value: e.Value, Size: e.Size}
	for _, tag := range f.read(e.Tags) {
		left.Tags = append(left.Tags, tag)
		left.Tokens = append(left.Tokens, e.Tokens[slices.Index(e.Tags, tag)])
	}
	return f.Store.Fill(ctx, key, left, ttl)
}

func (f *forgetful) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	return f.Store.Hold(ctx, id, f.write(tags), lease, look)
}

func (f *forgetful) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	return f.Store.Renew(ctx, id, f.write(tags), lease)
}

func (f *forgetful) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	return f.Store.Release(ctx, id, f.write(tags))
}

// A lapse is one kind of forgetting.
type lapse struct {
	name  string
	read  func(tags []store.Tag) []store.Tag
	write func(tags []store.Tag) []store.Tag
}

// lapses are what an analysis could forget.
var lapses = []lapse{
	{"a read of several relations depends on all but the last", butLastRelation, allTags},
	{"a read of several relations depends on all but the first", butFirstRelation, allTags},
	{"a write to several relations changes all but the last", allTags, butLastRelation},
	{"a write to unknown relations changes none", allTags, without(func(t store.Tag) bool { return strings.HasSuffix(string(t), ":*") })},
	{"a change of the schema leaves the catalog as it was", allTags, without(func(t store.Tag) bool { return strings.HasSuffix(string(t), "#schema") })},
	{"a write to one table is overlooked", allTags, without(func(t store.Tag) bool { return strings.Contains(string(t), ".t3") })},
	{"a read of slices depends on all but the last", butLastSlice, allTags},
	{"a write to slices changes all but the last", allTags, butLastSlice},
	{"a write to several slices changes all but the first", allTags, butFirstSlice}, // as if of old rows alone, or of new ones
	{"a write to rows that aren't known leaves slices as they were", allTags, without(func(t store.Tag) bool { return relationOf(t) != "" && strings.HasSuffix(string(t), "*") })},
}

func allTags(tags []store.Tag) []store.Tag { return tags }

// without drops the tags that forget tells.
func without(forget func(store.Tag) bool) func([]store.Tag) []store.Tag {
	return func(tags []store.Tag) []store.Tag { return slices.DeleteFunc(slices.Clone(tags), forget) }
}

// relationOf is the relation that a tag is of, or of whose rows it is; "" for others.
func relationOf(t store.Tag) string {
	text := string(t)
	if i := strings.IndexAny(text, "({"); i >= 0 {
		return text[:i]
	}
	if strings.HasSuffix(text, ":*") || !strings.HasSuffix(text, "?") && !strings.HasSuffix(text, "*") {
		return ""
	}
	return strings.TrimRight(text, "?*")
}

// relationsOf are the relations of tags, in their order.
func relationsOf(tags []store.Tag) (names []string) {
	for _, t := range tags {
		if name := relationOf(t); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func butLastRelation(tags []store.Tag) []store.Tag {
	names := relationsOf(tags)
	if len(names) < 2 {
		return tags
	}
	return without(func(t store.Tag) bool { return relationOf(t) == names[len(names)-1] })(tags)
}

func butFirstRelation(tags []store.Tag) []store.Tag {
	names := relationsOf(tags)
	if len(names) < 2 {
		return tags
	}
	return without(func(t store.Tag) bool { return relationOf(t) == names[0] })(tags)
}

// slicesOf are the tags of rows with certain values.
func slicesOf(tags []store.Tag) []store.Tag {
	return without(func(t store.Tag) bool { return !strings.HasSuffix(string(t), "}") })(tags)
}

func butLastSlice(tags []store.Tag) []store.Tag {
	all := slicesOf(tags)
	if len(all) == 0 {
		return tags
	}
	return without(func(t store.Tag) bool { return t == all[len(all)-1] })(tags)
}

func butFirstSlice(tags []store.Tag) []store.Tag {
	all := slicesOf(tags)
	if len(all) < 2 {
		return tags
	}
	return without(func(t store.Tag) bool { return t == all[0] })(tags)
}

func (l lapse) store() store.Store {
	return &forgetful{Store: memory.New(16 << 20), read: l.read, write: l.write}
}
