package coherence

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/larderdb/larder/store"
)

// A shape comes into use when no write is under way that was not asked for its slices: at once, if nobody holds R? after
// it was proposed. Where there is always somebody who does, it comes into use when all have ended who held R? then. Who
// has held it since knows of the proposal.
//
//	reader   proposes S; reads who holds R?: A
//	writer B holds R?; finds S proposed; holds its slice of S
//	writer A releases
//	reader   reads who holds R?: B; puts S in use
//
// Who holds all of the database instead of R? need not be waited for: its release ends every entry.
type outlasting struct {
	mu sync.Mutex
	of map[wantedName]*holders // guarded by mu
}

type wantedName struct {
	tag   store.Tag // R*
	shape string
}

func (w *wanted) name() wantedName { return wantedName{w.tag, w.shape} }

// holders are who held R? when a shape was found to be proposed under a token of R*.
type holders struct {
	token store.Token
	ids   []store.HoldID // nil: it isn't known yet
	next  time.Duration  // when the store may be asked again
}

const (
	maxOutlasting = 1024                  // more are forgotten
	outlastPause  = 20 * time.Millisecond // between two questions, where each is a round trip
)

// outlasted reports whether a shape may be put in use, though R? may be held.
func (d *Domain) outlasted(ctx context.Context, w wanted) bool {
	o := &d.outlasting
	was, ask := o.ask(d, w)
	if !ask {
		return false
	}
	now, err := d.store.Holders(ctx, w.any)
	switch {
	case err != nil || slices.Contains(now, 0): // it isn't known who holds
		return false
	case len(now) == 0 || was != nil && !slices.ContainsFunc(was, func(id store.HoldID) bool { return slices.Contains(now, id) }):
		o.forget(w)
		return true
	case was == nil:
		o.note(w, now)
	}
	return false
}

// ask returns who held R? when the shape was found to be proposed, nil if that isn't known yet, and whether
// the store may be asked now who does.
func (o *outlasting) ask(d *Domain, w wanted) (was []store.HoldID, ask bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.of[w.name()]
	if h == nil {
		if o.of == nil || len(o.of) >= maxOutlasting {
			o.of = make(map[wantedName]*holders)
		}
		h = &holders{}
		o.of[w.name()] = h
	}
	if d.shared != nil {
		now := d.now()
		if now < h.next {
			return nil, false
		}
		h.next = now + outlastPause
	}
	if h.token != w.token {
		h.token, h.ids = w.token, nil
	}
	return h.ids, true
}

func (o *outlasting) note(w wanted, ids []store.HoldID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h := o.of[w.name()]; h != nil && h.token == w.token {
		h.ids = slices.Clone(ids)
	}
}

func (o *outlasting) forget(w wanted) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.of, w.name())
}
