package coherence

import (
	"context"
	"fmt"
	"slices"
)

// A Change is what a write does to one relation.
type Change struct {
	Relation string

	// Slices tells in which slices of a shape the changed rows are or were; known
	// is false if that can't be told. It is called once for a shape. Nil is for
	// rows of which nothing is known.
	Slices func(shape string) (slices []string, known bool)
}

// HoldChanges is Hold for changes of rows, and of base besides. It asks for the
// slices of the shapes that are in use or proposed; when it returns, no shape of
// which it hasn't asked can be in use until the hold has ended.
func (d *Domain) HoldChanges(ctx context.Context, base []Tag, changes []Change) (*Hold, error) {
	a := announcement{d: d, changes: changes, asked: make([][]string, len(changes))}
	a.tags.init(len(base) + 4*len(changes))
	a.tags.add(base...)
	if err := a.gather(ctx); err != nil {
		return nil, err
	}
	h, err := d.Hold(ctx, a.tags.list)
	if err != nil || h == nil || h.ended || d.mutant == MembersBeforeHold {
		return h, err
	}
	// Shapes that were proposed before R? was held. A later one isn't put in use.
	if err := a.gather(ctx); err != nil {
		h.giveUp(ctx)
		return nil, err
	}
	if err := h.extend(ctx, a.tags.list[len(h.tags):]); err != nil {
		return nil, err
	}
	return h, nil
}

// extend holds more tags.
func (h *Hold) extend(ctx context.Context, tags []Tag) error {
	if len(tags) == 0 || h.d.mutant == NoHold {
		return nil
	}
	h.tags = append(h.tags, tags...)
	if err := h.d.store.Hold(ctx, h.id, tags, 0, nil); err != nil {
		h.giveUp(ctx)
		return fmt.Errorf("coherence: hold: %w", err)
	}
	return nil
}

// An announcement is the tags of a write, as far as its shapes were asked for.
type announcement struct {
	d       *Domain
	changes []Change
	asked   [][]string // the shapes, by change
	slices  int        // how many tags are slices
	tags    tagSet
}

// gather adds the tags of the changes under the shapes that are in use now.
func (a *announcement) gather(ctx context.Context) error {
	for i, c := range a.changes {
		a.tags.add(a.d.anyTag(c.Relation))
		if c.Slices == nil {
			a.tags.add(a.d.wideTag(c.Relation))
			continue
		}
		members, _, err := a.d.store.Members(ctx, a.d.wideTag(c.Relation))
		if err != nil {
			return fmt.Errorf("coherence: shapes in use: %w", err)
		}
		for _, shape := range bare(members) {
			if !slices.Contains(a.asked[i], shape) {
				a.asked[i] = append(a.asked[i], shape)
				a.add(c, shape)
			}
		}
	}
	return nil
}

// add adds the slices of one shape, if they are known and not too many.
func (a *announcement) add(c Change, shape string) {
	known, ok := c.Slices(shape)
	if !ok || a.slices+len(known) > maxSlices {
		a.tags.add(a.d.shapeTag(c.Relation, shape))
		return
	}
	a.slices += len(known)
	for _, slice := range known {
		a.tags.add(a.d.sliceTag(c.Relation, shape, slice))
	}
}
