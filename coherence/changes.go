package coherence

import (
	"context"
	"slices"
	"strings"

	"github.com/larderdb/larder/store"
)

// A Change is what a write does to one relation.
type Change struct {
	Relation string

	// Slices tells in which slices of a shape the changed rows are or were; known
	// is false if that can't be told. It is called once for a shape. Nil is for
	// rows of which nothing is known.
	Slices func(shape string) (slices []string, known bool)

	// Later says that slices which aren't known are told by Tell, when the database has answered: MayPause must allow it.
	Later bool
}

// HoldChanges is Hold for changes of rows, and of base besides. It asks for the
// slices of the shapes that are in use or proposed; when it returns, no shape of
// which it hasn't asked can be in use until the hold has ended.
func (d *Domain) HoldChanges(ctx context.Context, base []Tag, changes []Change) (*Hold, error) {
	a := announcement{d: d, changes: changes, asked: make([][]string, len(changes))}
	a.tags.init(len(base) + 4*len(changes))
	a.tags.add(base...)
	for i, c := range changes {
		a.tags.add(d.anyTag(c.Relation))
		if c.Slices == nil {
			a.tags.add(d.wideTag(c.Relation))
			continue
		}
		if d.shared != nil || d.mutant == MembersBeforeHold { // a second hold would be a second round trip
			members, _, err := d.members(ctx, d.wideTag(c.Relation))
			if err != nil {
				a.tags.add(d.wideTag(c.Relation))
				continue
			}
			a.addShapes(i, members)
		}
		a.look.Tags, a.of = append(a.look.Tags, d.wideTag(c.Relation)), append(a.of, i)
	}
	if d.mutant == RememberedShapes {
		return d.hold(ctx, a.tags.list, nil)
	}
	h, err := d.hold(ctx, a.tags.list, &a.look)
	if err != nil || h == nil || h.ended || d.mutant == MembersBeforeHold {
		h.pause(a.later)
		return h, err
	}
	// Shapes that were proposed before R? was held. A later one isn't put in use.
	for n, seen := range a.look.Seen {
		d.known.note(a.look.Tags[n], seen)
		a.addShapes(a.of[n], seen.Members)
	}
	h.pause(a.later)
	return h.extend(ctx, a.tags.list[len(h.tags):])
}

// extend holds more tags.
func (h *Hold) extend(ctx context.Context, tags []Tag) (*Hold, error) {
	if len(tags) == 0 || h.d.mutant == NoHold {
		return h, nil
	}
	h.tags = append(h.tags, tags...)
	if err := h.d.store.Hold(ctx, h.id, tags, 0, nil); err != nil {
		return h.failed(ctx, err)
	}
	return h, nil
}

// An announcement is the tags of a write, as far as its shapes were asked for.
type announcement struct {
	d       *Domain
	changes []Change
	asked   [][]string // the shapes, by change
	slices  int        // how many tags are slices
	tags    tagSet

	later []untold // of changes that are told later

	look store.Look // at R* of some changes, …
	of   []int      // … of these
}

// addShapes adds the tags of a change under shapes that it wasn't asked for yet.
func (a *announcement) addShapes(i int, members []string) {
	for _, member := range members {
		shape := strings.TrimSuffix(member, proposed)
		if !slices.Contains(a.asked[i], shape) {
			a.asked[i] = append(a.asked[i], shape)
			a.add(a.changes[i], shape)
		}
	}
}

// add adds the slices of one shape, if they are known and not too many.
func (a *announcement) add(c Change, shape string) {
	known, ok := c.Slices(shape)
	if !ok && c.Later && a.d.pauses.store != nil {
		a.later = append(a.later, untold{c.Relation, shape, a.d.shapeTag(c.Relation, shape)})
		return
	}
	if !ok || a.slices+len(known) > maxSlices {
		a.tags.add(a.d.shapeTag(c.Relation, shape))
		return
	}
	a.slices += len(known)
	for _, slice := range known {
		a.tags.add(a.d.sliceTag(c.Relation, shape, slice))
	}
}
