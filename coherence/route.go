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
	common any   // these, as a store.Noter has found them; nil if the store isn't one
	slice  string
	wide   int           // where R* is among these, …
	claims []claim       // … which is claimed to stand
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
	to := &Route{
		tags:  r.tags[:last:last],
		slice: string(r.tags[last][:len(r.tags[last])-len(of.Slices[0])-len(sliceEnd)]),
		wide:  wide,
		until: d.now() + routeLife,
	}
	if d.mutant != AnyMembers {
		to.claims = []claim{{wide, r.tokens[wide]}}
	}
	if d.noter != nil {
		to.common = d.noter.Common(to.tags)
	}
	return to
}

// tag is that of another slice.
func (to *Route) tag(slice string) Tag { return store.Tag(to.slice + slice + sliceEnd) }

// need is what a read of a slice with that tag depends on.
func (to *Route) need(own Tag) need {
	n := need{make([]Tag, len(to.tags)+1), to.claims}
	n.tags[copy(n.tags, to.tags)] = own
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
	own := to.tag(slice)
	if v, told := d.lookupCommon(key, to, own); !told {
		r, _ = d.missedNeed(ctx, key, to.need(own), join, join, sky)
	} else if n := (need{v.Tags, to.claims}); v.Entry != nil {
		return d.read(ctx, "", n, v, nil), true
	} else {
		r = d.missed(ctx, key, n, join, sky, v, nil)
	}
	if r.moved {
		d.known.forget(to.tags[to.wide])
		return Read{}, false
	}
	return r, true
}

// lookupCommon asks for the entry, and else for the tags, by what the route has found of them. It reports false if they must be asked for by name.
func (d *Domain) lookupCommon(key string, to *Route, own Tag) (store.View, bool) {
	if to.common == nil {
		return store.View{}, false
	}
	return d.noter.LookupCommon(key, to.common, own)
}
