package coherence

import (
	"context"
	"sync"

	"github.com/larderdb/larder/store"
)

// In a shared store a write is acknowledged when its database has answered, and its release is on the way then. Until that has
// arrived the marks stand, so that nobody is answered with what is older: what is acknowledged is what has become visible, and
// that is what the marks are for (evict.pml and the simulator acknowledge before the release too). Who reads in this process what
// it has just written meets its own marks; it waits for their end, which is less than a round trip away, as there is nothing to
// be kept of what it would read.

// behind are the releases of this process in one store that are on their way.
type behind struct {
	mu   sync.Mutex
	last map[Tag]*onItsWay  // of each tag, the release that was sent last; guarded by mu
	of   map[*onItsWay]bool // all of them; guarded by mu
	used int                // by how many domains; guarded by behinds.mu
}

// An onItsWay is a release that was sent.
type onItsWay struct{ arrived chan struct{} }

// maxBehind is how many releases of a process may be on their way; who comes then waits for his own.
const maxBehind = 1024

// ReleaseBehind is Release for who doesn't wait until the store has been told: the marks stand until then. done is
// called when it has been, or with the error of Release, and may be called in another goroutine; h must not be
// used until then but by done. Where that might not be covered, or in a store of this process's memory, it waits.
func (h *Hold) ReleaseBehind(ctx context.Context, done func(error)) {
	if h == nil || h.ended || !h.firm() {
		done(h.Release(ctx))
		return
	}
	b := h.d.behind
	sent := b.send(h.tags)
	if sent == nil {
		done(h.Release(ctx))
		return
	}
	tags := h.tags
	go func() {
		err := h.Release(ctx)
		b.arrive(sent, tags)
		done(err)
	}()
}

// firm reports whether the marks are sure to stand until the store has been told of the release.
func (h *Hold) firm() bool {
	return h.d.shared != nil && !h.loose && !h.schema && h.d.now()-h.made < h.d.shared.Lease()/3
}

// send notes a release of tags. It returns nil if there are too many.
func (b *behind) send(tags []Tag) *onItsWay {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.of) >= maxBehind {
		return nil
	}
	sent := &onItsWay{make(chan struct{})}
	b.of[sent] = true
	for _, tag := range tags {
		b.last[tag] = sent
	}
	return sent
}

func (b *behind) arrive(sent *onItsWay, tags []Tag) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, sent)
	for _, tag := range tags {
		if b.last[tag] == sent {
			delete(b.last, tag)
		}
	}
	close(sent.arrived)
}

// under are the releases on their way of some of tags; of any, if tags are nil.
func (b *behind) under(tags []Tag) (list []*onItsWay) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if tags == nil {
		for sent := range b.of {
			list = append(list, sent)
		}
	}
	for _, tag := range tags {
		if sent := b.last[tag]; sent != nil {
			list = append(list, sent)
		}
	}
	return list
}

// settle waits for the releases under tags that are on their way now, and reports whether there were any. It waits for those of
// which it isn't told the tags if they are nil.
func (b *behind) settle(ctx context.Context, tags []Tag) bool {
	if b == nil {
		return false
	}
	list := b.under(tags)
	for _, sent := range list {
		select {
		case <-sent.arrived:
		case <-ctx.Done():
			return false
		}
	}
	return len(list) > 0
}

// Settle waits until the store has been told of the writes of this process that were acknowledged before, whichever domain of the
// store they are of, or could not be told of them.
func (d *Domain) Settle(ctx context.Context) { d.behind.settle(ctx, nil) }

// settled looks again where what was seen is held, and may have been by a release of this process that was on its way.
func (d *Domain) settled(ctx context.Context, key string, tags []Tag, v store.View, err error) (store.View, error) {
	if err == nil && v.Held && d.behind.settle(ctx, tags) && !d.isFenced() {
		return d.store.Lookup(ctx, key, tags)
	}
	return v, err
}

// behinds has the releases of each shared store that a domain is in.
var behinds = struct {
	mu sync.Mutex
	of map[store.Shared]*behind // guarded by mu
}{of: make(map[store.Shared]*behind)}

func useBehind(s store.Shared) *behind {
	behinds.mu.Lock()
	defer behinds.mu.Unlock()
	b := behinds.of[s]
	if b == nil {
		b = &behind{last: make(map[Tag]*onItsWay), of: make(map[*onItsWay]bool)}
		behinds.of[s] = b
	}
	b.used++
	return b
}

// leaveBehind lets go of the releases of the domain's store, when they have arrived. It does nothing when called again.
func (d *Domain) leaveBehind() {
	if d.shared == nil || d.left.Swap(true) {
		return
	}
	d.Settle(context.Background())
	behinds.mu.Lock()
	defer behinds.mu.Unlock()
	if d.behind.used--; d.behind.used == 0 {
		delete(behinds.of, d.shared)
	}
}
