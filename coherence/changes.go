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
	r := &holdRoom{}
	a := announcement{d: d, changes: changes, look: &r.look, of: r.of[:0]}
	if len(changes) <= len(r.asked) {
		r.asked[0] = r.shapes[:0]
		a.asked = r.asked[:]
	} else {
		a.asked = make([][]string, len(changes))
	}
	a.look.Tags, a.look.Seen, a.tags.list = r.looked[:0], r.seen[:0], r.tags[:0]
	a.tags.add(base...)
	for i, c := range changes {
		names := d.tags.of(d, c.Relation)
		a.tags.add(names.any)
		if c.Slices == nil {
			a.tags.add(names.wide)
			continue
		}
		if d.shared != nil || d.mutant == MembersBeforeHold { // a second hold would be a second round trip
			members, _, err := d.members(ctx, names.wide)
			if err != nil {
				a.tags.add(names.wide)
				continue
			}
			a.addShapes(i, members)
		}
		a.look.Tags, a.of = append(a.look.Tags, names.wide), append(a.of, i)
	}
	if d.mutant == RememberedShapes {
		return d.hold(ctx, &r.hold, a.tags.list, nil)
	}
	h, err := d.hold(ctx, &r.hold, a.tags.list, a.look)
	if err != nil || h == nil || h.ended || d.mutant == MembersBeforeHold {
		h.pause(a.later)
		return h, err
	}
	// Shapes that were proposed before R? was held. A later one isn't put in use.
	for n, seen := range a.look.Seen {
		if d.shared != nil {
			d.known.note(a.look.Tags[n], seen)
		}
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

// A holdRoom is a Hold with room for what most writes, of one relation and few shapes, need to make it.
type holdRoom struct {
	hold   Hold
	tags   [6]Tag
	look   store.Look
	looked [1]Tag
	seen   [1]store.Sight
	of     [1]int
	asked  [1][]string
	shapes [4]string
}

// An announcement is the tags of a write, as far as its shapes were asked for.
type announcement struct {
	d       *Domain
	changes []Change
	asked   [][]string // the shapes, by change
	slices  int        // how many tags are slices
	tags    tagSet

	later []untold // of changes that are told later

	look *store.Look // at R* of some changes, …
	of   []int       // … of these
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
