package coherence

import (
	"context"
	"slices"
	"time"

	"github.com/larderdb/larder/store"
)

// A Route is how the tags were found of what depends on one slice of rows. Who asks for another slice of the same shape soon after
// takes it, and needn't look which shapes are in use: that they are still, and that writers know of them, he is told with the
// tokens of his tags, as R* has another token else. It is of one domain, and doesn't change.
type Route struct {
	tags   []Tag // but that of the slice
	slice  string
	claims []claim       // one, that R* stands
	until  time.Duration // when it is to be looked at anew, by the domain's clock: shapes that are used must be noted, and others may be of more use
}

// routeLife is how long a route is taken.
const routeLife = time.Second

// RouteOf returns the route that a read of rows has found, nil if it found none: it must be a miss by slices of one
// shape, which is in use, and none is wished for.
func (d *Domain) RouteOf(r *Read, rows []Rows) *Route {
	if r.Outcome != Miss || r.tags == nil || len(rows) != 1 || len(rows[0].Slices) != 1 || rows[0].Wish != "" {
		return nil
	}
	of := &rows[0]
	last, wide := len(r.tags)-1, slices.Index(r.tags, d.wideTag(of.Relation))
	if wide < 0 || wide == last || r.tags[last] != d.sliceTag(of.Relation, of.Shape, of.Slices[0]) {
		return nil
	}
	return &Route{
		tags:   r.tags[:last:last],
		slice:  string(r.tags[last][:len(r.tags[last])-len(of.Slices[0])-len(sliceEnd)]),
		claims: []claim{{wide, r.tokens[wide]}},
		until:  d.now() + routeLife,
	}
}

// need is what a read of another slice depends on.
func (to *Route) need(slice string, claims bool) need {
	n := need{tags: make([]Tag, len(to.tags)+1)}
	n.tags[copy(n.tags, to.tags)] = store.Tag(to.slice + slice + sliceEnd)
	if claims {
		n.claims = to.claims
	}
	return n
}

// LookupAlong is LookupRows for what depends on one slice, by a route. It reports false if that can't be taken any more: then the caller asks LookupRows.
func (d *Domain) LookupAlong(ctx context.Context, key string, to *Route, slice string, join bool) (r Read, taken bool) {
	if d.now() >= to.until {
		return Read{}, false
	}
	if r, up := d.fenced(ctx); up {
		return r, true
	}
	sky := d.flights.look(key)
	if d.shared != nil {
		if r, is := d.LookupCopy(ctx, key); is {
			return r, true
		}
	}
	n := to.need(slice, d.mutant != AnyMembers)
	r, _ = d.missedNeed(ctx, key, n, join, join, sky)
	if r.moved {
		d.known.forget(to.tags[to.claims[0].at])
		return Read{}, false
	}
	return r, true
}
