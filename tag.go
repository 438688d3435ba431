package larder

import (
	"context"
	"fmt"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/session"
)

// A Tag is a name of the program's own for what a value depends on and Larder doesn't see: a file, another service, the day's
// prices. Values have them by ValueOptions.Tags.
type Tag string

// tagsOf are tags in the domain of values, with the one that stands for all.
func (c *Cache) tagsOf(tags []Tag) []coherence.Tag {
	of := []coherence.Tag{c.values.All()}
	for _, tag := range tags {
		of = append(of, c.values.Tag(tagPrefix+string(tag)+";"))
	}
	return of
}

// Announce says that what tags stand for has changed, when that is visible to everybody's loads: no call of Remember that begins after it
// has returned gets a value that depends on one of them and was made before. It reaches all processes that share the store under one
// Options.Name. Functions of OnCommit and receivers of OnChange("*") are told it as a change of "tag:" and the tag's name. If the store can't be told, that is an error; this process then serves no values until it was told, and others may
// serve older ones meanwhile.
func (c *Cache) Announce(ctx context.Context, tags ...Tag) error {
	if len(tags) == 0 {
		return nil
	}
	coherence.Spoil(ctx, "a tag was announced")
	hold, err := c.values.Hold(ctx, c.tagsOf(tags)[1:])
	if hold == nil {
		return fmt.Errorf("larder: announce: %w", err)
	}
	err = hold.Release(ctx)
	c.tellTags(tags)
	if err != nil {
		return fmt.Errorf("larder: announce: it is tried until the store has been told: %w", err)
	}
	return nil
}

const tagPrefix = "tag:" // of what is told of tags

// tellTags tells who listens that tags were announced.
func (c *Cache) tellTags(tags []Tag) {
	hub := session.AcquireHub(c.store)
	defer hub.Release()
	names := make([]string, len(tags))
	for i, tag := range tags {
		names[i] = tagPrefix + string(tag)
	}
	hub.TellNames(names)
}
