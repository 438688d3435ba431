package coherence

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/larderdb/larder/store"
)

// A read that is confined to some rows of a relation R depends on slices of a
// shape S, and writes announce slices only of the shapes that are in use. Which
// those are is told by the members of the tag R*: "S" is in use, "S?" is
// proposed. A member is lost with the token of R*, of which all that relies on
// slices is.
//
//	R?        every change of R
//	R*        changes of rows of which nothing is known
//	R(S)*     changes of rows whose slices of S aren't known
//	R{S=v}    changes of rows that are, or were, in the slice v
//
// How S comes into use, with what each step is for:
//
//	reader    finds no S under the token t of R*; joins "S?" under t; looks at the tags, R? among them;
//	          if nothing is held joins "S" under t
//	writer    holds R?; reads the members, also those that are proposed; holds their slices; commits
//	others    find S under t; read tokens; keep their result only if R* has t still
//
// A writer that didn't find "S?" had held R? before it was proposed, and so has
// released if the reader found nothing held. Every later one finds it, or finds that
// R* has another token.

// Rows are the rows of a relation that a read depends on: those in some slices of
// one shape. With no Shape, or no Slices, they are all.
type Rows struct {
	Relation string
	Shape    string
	Slices   []string

	// Wish is a shape by which they are to be told apart from the next time on, "" if that is Shape. Nothing depends on it yet: it is
	// proposed, and put in use when those have ended who write R.
	Wish string
}

func (r Rows) all() bool {
	return len(r.Slices) == 0 || len(r.Slices) > maxSlices || !nameable(r.Shape)
}

// maxSlices is how many slices one read depends on, or one write announces, at most.
const maxSlices = 4096

const proposed = "?" // ends the member of a shape that isn't in use yet

// nameable reports whether a shape's name can't be taken for another's that is proposed.
func nameable(shape string) bool { return shape != "" && !strings.HasSuffix(shape, proposed) }

func (d *Domain) anyTag(relation string) store.Tag  { return d.tags.of(d, relation).any }
func (d *Domain) wideTag(relation string) store.Tag { return d.tags.of(d, relation).wide }

func (d *Domain) shapeTag(relation, shape string) store.Tag {
	return store.Tag(d.prefix + relation + "(" + shape + ")*")
}

const sliceEnd = "}"

func (d *Domain) sliceTag(relation, shape, slice string) store.Tag {
	return store.Tag(d.prefix + relation + "{" + shape + "=" + slice + sliceEnd)
}

// Kept returns the value under key if this process's memory has it and it is valid. That costs
// least; a caller who gets none asks LookupRows, which looks again.
func (d *Domain) Kept(ctx context.Context, key string) (value any, ok bool) {
	if d.shared != nil || d.isFenced() {
		return nil, false
	}
	v, err := d.store.Lookup(ctx, key, nil)
	if v.Entry == nil || err != nil {
		return nil, false
	}
	recordingOf(ctx).add(d.store, v.Entry.Tags, v.Entry.Tokens)
	return v.Entry.Value, true
}

// A Space is what a domain has under keys that begin alike.
type Space struct {
	d    *Domain
	find store.Finder // nil: none that costs less than a Lookup
}

// Space returns that of the keys that begin with a text.
func (d *Domain) Space(begin string) *Space {
	s := &Space{d: d}
	if finder, is := d.store.(interface {
		Finder(space string) store.Finder
	}); is && d.prompt {
		s.find = finder.Finder(begin)
	}
	return s
}

// Kept is Domain.Kept for a key by the rest of it. It finds nothing if ctx wishes that the database be read.
func (s *Space) Kept(ctx context.Context, name string) (value any, ok bool) {
	if s.find == nil || s.d.isFenced() {
		return nil, false
	}
	said := ctx.Value(saidKey{}) != nil
	if said {
		if w, _ := WishOf(ctx); w != Cached {
			return nil, false
		}
	}
	e := s.find.Find(name)
	if e == nil {
		return nil, false
	}
	if said {
		recordingOf(ctx).add(s.d.store, e.Tags, e.Tokens)
	}
	return e.Value, true
}

// Close gives back what makes that quick.
func (s *Space) Close() {
	if s.find != nil {
		s.find.Close()
	}
}

// Again reports whether a key without an entry was asked for before, not long ago, or had one that was found, and notes
// that it was asked for now. It reports true as well where that isn't known, or ctx is recorded: what is
// made of the result can be kept only if the result is.
func (d *Domain) Again(ctx context.Context, key string) bool {
	noting, ok := d.store.(interface{ Again(key string) bool })
	return !ok || recordingOf(ctx) != nil || noting.Again(key)
}

// LookupRows is Lookup for a result that depends on base and on rows. A relation
// whose shapes aren't in use yet it depends on as a whole, and a miss puts them in
// use for the next. rows is called after it is known that there is no entry; in a shared
// store, where each look is a round trip, that there is no copy of it here. With join set a reader waits also for the end of a short pause, and looks again.
func (d *Domain) LookupRows(ctx context.Context, key string, base []Tag, rows func() []Rows, join bool) Read {
	if r, up := d.fenced(ctx); up {
		return r
	}
	sky := d.flights.look(key)
	if d.shared == nil {
		if v, err := d.store.Lookup(ctx, key, nil); v.Entry != nil && err == nil {
			return d.read(ctx, "", need{}, v, nil)
		}
	} else if r, is := d.LookupCopy(ctx, key); is {
		return r
	}
	of := rows()
	r := d.missedRows(ctx, key, base, of, join, join, sky)
	for try := 0; r.moved && try < 2; try++ {
		d.forgetShapes(of)
		r = d.missedRows(ctx, key, base, of, join, false, sky)
	}
	if r.moved { // whether writers announce its slices isn't known
		Spoil(ctx, "shapes in use have changed")
	}
	return r
}

// forgetShapes forgets what is known of the shapes of rows, which has turned out to be old.
func (d *Domain) forgetShapes(rows []Rows) {
	for i := range rows {
		d.known.forget(d.wideTag(rows[i].Relation))
	}
}

// missedRows makes the Read of a key which had no entry after sky was seen, or was not
// looked for, in a shared store.
func (d *Domain) missedRows(ctx context.Context, key string, base []Tag, rows []Rows, join, patient bool, sky sky) Read {
	n, wants, wishes := d.needOf(ctx, base, rows)
	r, err := d.missedNeed(ctx, key, n, join, patient, sky)
	if r.Outcome == Hit {
		return r
	}
	if r.Outcome == Miss && r.tags != nil && wants == nil && wishes == nil {
		return r
	}
	through := false
	defer func() {
		if !through { // a panic of the store leaves nobody waiting
			r.Done()
		}
	}()
	switch {
	case r.Outcome == Held && d.mutant == ShapeUnderHold:
		d.putInUse(ctx, wants)
	case r.Outcome == Held && err == nil:
		d.putInUse(ctx, slices.DeleteFunc(wants, func(w wanted) bool { return !d.outlasted(ctx, w) }))
	case r.Outcome != Miss || r.tags == nil:
	case d.mutant == ShapeAfterRead:
		r.late = wants
	default: // nothing was held
		d.putInUse(ctx, wants)
	}
	if err == nil { // what was looked at isn't R?
		d.putInUse(ctx, slices.DeleteFunc(wishes, func(w wanted) bool { return d.mutant != ShapeUnderHold && !d.outlasted(ctx, w) }))
	}
	through = true
	return r
}

// missedNeed is missedRows for what the rows need. The entry is looked for, perhaps again: a pause may have ended since then, and the
// store is told what it may have to fill. An error is the store's.
func (d *Domain) missedNeed(ctx context.Context, key string, n need, join, patient bool, sky sky) (Read, error) {
	v, err := d.store.Lookup(ctx, key, n.tags)
	if err == nil && v.Held && patient && d.pauses.wait(ctx, n.tags) {
		v, err = d.store.Lookup(ctx, key, n.tags)
	}
	v, err = d.settled(ctx, key, n.tags, v, err)
	if v.Entry != nil && err == nil {
		return d.read(ctx, "", n, v, nil), nil
	}
	return d.missed(ctx, key, n, join, sky, v, err), err
}

// A wanted shape was proposed, or found to be, under a token of R*.
type wanted struct {
	any   store.Tag // R?
	tag   store.Tag // R*
	token store.Token
	shape string
}

// putInUse puts shapes in use which were proposed before R? was found not to be held, or before all who held it then have ended.
func (d *Domain) putInUse(ctx context.Context, wants []wanted) {
	for _, w := range wants {
		// If it isn't in use now the next reader wants it again.
		_, _ = d.store.Join(ctx, w.tag, w.token, w.shape)
		d.known.forget(w.tag)
	}
}

// needOf tells the tags of a read, and proposes the shapes that it wants, and those that it wishes for another time.
func (d *Domain) needOf(ctx context.Context, base []Tag, rows []Rows) (need, []wanted, []wanted) {
	var tags tagSet
	tags.init(len(base) + 3*len(rows))
	tags.add(base...)
	var claims []claim
	var wants, wishes []wanted
	for i, r := range rows {
		of := func(other Rows) bool { return other.Relation == r.Relation }
		if slices.ContainsFunc(rows[:i], of) {
			continue
		}
		c, ws := d.needOfRelation(ctx, &tags, r.Relation, rows[i:])
		claims, wants = append(claims, c...), append(wants, ws...)
		wishes = append(wishes, d.wish(ctx, r.Relation, rows[i:])...)
	}
	return need{tags.list, claims}, wants, wishes
}

// wish proposes the shapes that are wished for the rows of a relation, and returns those that are proposed and not in use yet.
func (d *Domain) wish(ctx context.Context, relation string, rows []Rows) (wishes []wanted) {
	for _, r := range rows {
		if r.Relation != relation || !nameable(r.Wish) {
			continue
		}
		wide := d.wideTag(relation)
		members, token, err := d.members(ctx, wide)
		if err != nil || slices.Contains(members, r.Wish) || !d.propose(ctx, wide, token, members, relation, r.Wish) {
			continue
		}
		if !slices.Contains(members, r.Wish+proposed) {
			d.known.forget(wide) // that it is proposed needn't be told again
		}
		wishes = append(wishes, wanted{d.anyTag(relation), wide, token, r.Wish})
	}
	return wishes
}

// needOfRelation adds the tags of those rows that are of a relation: of their
// slices with a claim on R*, if all of their shapes are in use, or R?.
func (d *Domain) needOfRelation(ctx context.Context, tags *tagSet, relation string, rows []Rows) ([]claim, []wanted) {
	if slices.ContainsFunc(rows, func(r Rows) bool { return r.Relation == relation && r.all() }) {
		tags.add(d.anyTag(relation))
		return nil, nil
	}
	wide := d.wideTag(relation)
	members, token, err := d.members(ctx, wide)
	if err == nil && d.shared != nil && !allIn(members, relation, rows) {
		members, token, err = d.membersNow(ctx, wide)
	}
	if err != nil {
		tags.add(d.anyTag(relation))
		return nil, nil
	}
	wants, ready := d.want(ctx, wide, token, members, relation, rows)
	if !ready {
		tags.add(d.anyTag(relation))
		return nil, wants
	}
	at := tags.add(wide)
	for _, r := range rows {
		if r.Relation != relation {
			continue
		}
		tags.add(d.shapeTag(relation, r.Shape))
		for _, slice := range r.Slices {
			tags.add(d.sliceTag(relation, r.Shape, slice))
		}
	}
	if d.mutant == AnyMembers {
		return nil, wants
	}
	return []claim{{at, token}}, wants
}

// allIn reports whether the shapes of a relation's rows are all in use.
func allIn(members []string, relation string, rows []Rows) bool {
	return !slices.ContainsFunc(rows, func(r Rows) bool {
		return r.Relation == relation && !slices.Contains(members, r.Shape)
	})
}

// want notes the use of the shapes of a relation's rows, and proposes those that
// aren't in use. It returns those that are proposed, and whether all are in use.
func (d *Domain) want(ctx context.Context, wide store.Tag, token store.Token, members []string, relation string, rows []Rows) (wants []wanted, ready bool) {
	ready = true
	for _, r := range rows {
		if r.Relation != relation {
			continue
		}
		if slices.Contains(members, r.Shape) {
			d.usage.note(relation, r.Shape)
			continue
		}
		ready = d.mutant == ShapeAfterRead
		if ready || d.propose(ctx, wide, token, members, relation, r.Shape) {
			wants = append(wants, wanted{d.anyTag(relation), wide, token, r.Shape})
		}
	}
	return wants, ready
}

// propose proposes a shape, if it isn't yet and there is room. Where there is
// none it may make some, for a later reader.
func (d *Domain) propose(ctx context.Context, wide store.Tag, token store.Token, members []string, relation, shape string) bool {
	if slices.Contains(members, shape+proposed) {
		d.usage.note(relation, shape)
		return true
	}
	if names := bare(members); len(names) >= d.usage.max {
		if idle := d.usage.idle(relation, names); idle != "" {
			d.drop(ctx, wide, idle)
		}
		return false
	}
	is, err := d.store.Join(ctx, wide, token, shape+proposed)
	return is && err == nil
}

// Retire puts a shape of a relation out of use, until a reader wants it again. What is kept of the relation by any
// shape goes with it.
func (d *Domain) Retire(ctx context.Context, relation, shape string) {
	if slices.Contains(d.Shapes(ctx, relation), shape) {
		d.drop(ctx, d.wideTag(relation), shape)
	}
}

// RetireIdle puts one of some shapes of a relation out of use if this process hasn't read by it for a minute, as far as misses
// tell, and at most once an hour: for shapes in whose place others have come. Where a store is shared it does nothing, as others may use them.
func (d *Domain) RetireIdle(ctx context.Context, relation string, shapes []string) {
	if d.shared != nil || len(shapes) == 0 {
		return
	}
	if idle := d.usage.retires(relation, shapes); idle != "" {
		d.drop(ctx, d.wideTag(relation), idle)
	}
}

// drop puts a shape out of use. The entries that rely on shapes of the relation
// go with the token of R*.
func (d *Domain) drop(ctx context.Context, wide store.Tag, shape string) {
	// If one fails the shape is announced on; the next who wants room tries again.
	if d.store.Part(ctx, wide, shape) == nil {
		_ = d.store.Part(ctx, wide, shape+proposed)
	}
	d.known.forget(wide)
}

// Shapes returns the shapes of a relation that are in use or proposed, as far as this process knows; none if the
// store fails. They must not be changed. Those of which a write knows the slices needn't be announced widely.
func (d *Domain) Shapes(ctx context.Context, relation string) []string {
	names := d.tags.of(d, relation)
	members, _, err := d.members(ctx, names.wide)
	if err != nil {
		return nil
	}
	return names.shapes.Of(members, bare)
}

// InUse is Shapes without those that are only proposed.
func (d *Domain) InUse(ctx context.Context, relation string) []string {
	members, _, err := d.members(ctx, d.wideTag(relation))
	if err != nil {
		return nil
	}
	if !slices.ContainsFunc(members, func(m string) bool { return strings.HasSuffix(m, proposed) }) {
		return members
	}
	return slices.DeleteFunc(slices.Clone(members), func(m string) bool { return strings.HasSuffix(m, proposed) })
}

// Known is InUse as far as this process knows: a store that processes share isn't asked.
func (d *Domain) Known(ctx context.Context, relation string) []string {
	if d.shared != nil {
		if _, known := d.known.get(d.wideTag(relation)); !known {
			return nil
		}
	}
	return d.InUse(ctx, relation)
}

// Crowd is Shapes of a relation that has no room for more; nil while there is.
func (d *Domain) Crowd(ctx context.Context, relation string) []string {
	members, _, err := d.members(ctx, d.wideTag(relation))
	if err != nil || len(members) < MaxShapes {
		return nil
	}
	if shapes := bare(members); len(shapes) >= MaxShapes {
		return shapes
	}
	return nil
}

// bare returns the shapes among members, in use or proposed, each once. They may be the members themselves, which are shared.
func bare(members []string) []string {
	if !slices.ContainsFunc(members, func(m string) bool { return strings.HasSuffix(m, proposed) }) {
		return members
	}
	var shapes []string
	for _, m := range members {
		if name := strings.TrimSuffix(m, proposed); !slices.Contains(shapes, name) {
			shapes = append(shapes, name)
		}
	}
	return shapes
}

// A Derived remembers what was made last of a list that never changes: of members their shapes, of shapes their columns.
type Derived struct {
	last atomic.Pointer[struct{ from, made []string }]
}

// Of returns what is made of a list, the same result while that is the same list. Neither must be changed.
func (d *Derived) Of(from []string, of func([]string) []string) []string {
	last := d.last.Load()
	if last == nil || len(last.from) != len(from) || unsafe.SliceData(last.from) != unsafe.SliceData(from) {
		last = &struct{ from, made []string }{from, of(from)}
		d.last.Store(last)
	}
	return last.made
}

// relationTags are R? and R*.
type relationTags struct {
	any, wide store.Tag
	shapes    *Derived
}

// A tagNames remembers the tags of relations, as many as it has room for.
type tagNames struct {
	known atomic.Pointer[map[string]relationTags]
}

// maxTagNames bounds the relations whose tags are remembered.
const maxTagNames = 1024

func (n *tagNames) of(d *Domain, relation string) relationTags {
	known := n.known.Load()
	if known != nil {
		if tags, ok := (*known)[relation]; ok {
			return tags
		}
	}
	tags := relationTags{store.Tag(d.prefix + relation + "?"), store.Tag(d.prefix + relation + "*"), &Derived{}}
	next := make(map[string]relationTags)
	if known != nil {
		if len(*known) >= maxTagNames {
			return tags
		}
		maps.Copy(next, *known)
	}
	next[strings.Clone(relation)] = tags
	n.known.CompareAndSwap(known, &next) // or another has come first
	return tags
}

// A tagSet is tags in the order in which they were added, each once.
type tagSet struct {
	list  []store.Tag
	index map[store.Tag]int // of list; made when it is long
}

const longTagSet = 16

func (s *tagSet) init(n int) { s.list = make([]store.Tag, 0, n) }

// add adds tags, and returns where the last of them is.
func (s *tagSet) add(tags ...store.Tag) (at int) {
	for _, tag := range tags {
		if at = s.find(tag); at >= 0 {
			continue
		}
		at = len(s.list)
		s.list = append(s.list, tag)
		if s.index != nil {
			s.index[tag] = at
		}
	}
	return at
}

func (s *tagSet) find(tag store.Tag) int {
	if s.index == nil && len(s.list) < longTagSet {
		return slices.Index(s.list, tag)
	}
	if s.index == nil {
		s.index = make(map[store.Tag]int, 4*longTagSet)
		for i, t := range s.list {
			s.index[t] = i
		}
	}
	if at, ok := s.index[tag]; ok {
		return at
	}
	return -1
}
