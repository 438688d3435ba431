package coherence

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/larderdb/larder/store"
)

// In a shared store a write is acknowledged when its database has answered, and its release is on the way then. Until that has
// arrived the marks stand, so that nobody is answered with what is older: what is acknowledged is what has become visible, and
// that is what the marks are for (the models and the simulator acknowledge before the release too). Who reads in this process what
// it has just written would meet its own marks, ask the database and keep nothing; he waits for their end, but not for long.

// behind are the releases of this process in one store that are on their way.
type behind struct {
	mu   sync.Mutex
	of   map[Tag][]*onItsWay // guarded by mu, as what follows
	all  map[*onItsWay]bool
	vain time.Time // until then nobody waits: others hold what was waited for, too
	used int       // by how many domains; guarded by behinds.mu
}

// An onItsWay is a release that was sent.
type onItsWay struct {
	tags    []Tag
	arrived chan struct{} // closed when the store was told, or could not be
	ended   chan struct{} // closed when all has been done that follows
}

const (
	maxBehind   = 1024                  // releases of a process that may be on their way; who comes then waits for his own
	longestWait = 20 * time.Millisecond // of a reader, for the store: the database answers as soon
	afterVain   = 20 * time.Millisecond // for which nobody waits when one has in vain
)

// ReleaseBehind is Release for who doesn't wait until the store has been told: the marks stand until then. done is
// called when it has been, or with the error of Release; perhaps by another goroutine, where a panic of its own is lost. h
// must not be used any more, but by done. Where that might not be covered, or in a store of this process's memory, it waits.
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
	go func() {
		defer b.end(sent)
		At(StepBehind)
		err := h.releaseSafely(ctx)
		b.arrive(sent)
		defer func() { _ = recover() }() // there is nobody to be told
		done(err)
	}()
}

// firm reports whether the marks are sure to stand until the store has been told of the release.
func (h *Hold) firm() bool {
	return h.d.shared != nil && !h.loose && h.d.now()-h.made < h.d.shared.Lease()/3
}

// releaseSafely is Release, of which a panic of the store's is an error.
func (h *Hold) releaseSafely(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("coherence: release: panic: %v", p)
			h.announceLater(false)
		}
	}()
	return h.Release(ctx)
}

// send notes a release of tags. It returns nil if there are too many.
func (b *behind) send(tags []Tag) *onItsWay {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) >= maxBehind {
		return nil
	}
	sent := &onItsWay{tags, make(chan struct{}), make(chan struct{})}
	b.all[sent] = true
	for _, tag := range tags {
		b.of[tag] = append(b.of[tag], sent)
	}
	return sent
}

func (b *behind) arrive(sent *onItsWay) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, tag := range sent.tags {
		list := slices.DeleteFunc(b.of[tag], func(other *onItsWay) bool { return other == sent })
		if b.of[tag] = list; len(list) == 0 {
			delete(b.of, tag)
		}
	}
	close(sent.arrived)
}

func (b *behind) end(sent *onItsWay) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, sent)
	close(sent.ended)
}

// under are the releases on their way of some of tags, or of any, if tags are nil; none where one who waited has done so in vain.
func (b *behind) under(tags []Tag) (list []*onItsWay) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.of) == 0 || time.Now().Before(b.vain) {
		return nil
	}
	for _, tag := range tags {
		list = append(list, b.of[tag]...)
	}
	for sent := range b.all {
		if tags == nil {
			list = append(list, sent)
		}
	}
	return list
}

func (b *behind) waitedInVain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.vain = time.Now().Add(afterVain)
}

// settled looks again where what was seen is held, and may have been by a release of this process that was on its way.
func (d *Domain) settled(ctx context.Context, key string, tags []Tag, v store.View, err error) (store.View, error) {
	if err != nil || !v.Held || d.behind == nil {
		return v, err
	}
	list := d.behind.under(tags)
	if len(list) == 0 {
		return v, nil
	}
	if waitFor(ctx, list) && !d.isFenced() {
		v, err = d.store.Lookup(ctx, key, tags)
	}
	if err == nil && v.Held {
		d.behind.waitedInVain()
	}
	return v, err
}

// waitFor waits until releases have arrived, and reports whether they have.
func waitFor(ctx context.Context, list []*onItsWay) bool {
	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	for _, sent := range list {
		select {
		case <-sent.arrived:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Settle waits until the store has been told of all writes of this process that were acknowledged before, whichever domain of the
// store they are of, or could not be told of them, and until done has been called of each.
func (d *Domain) Settle(ctx context.Context) {
	if d.behind != nil {
		d.behind.settle(ctx)
	}
}

func (b *behind) settle(ctx context.Context) {
	b.mu.Lock()
	list := make([]*onItsWay, 0, len(b.all))
	for sent := range b.all {
		list = append(list, sent)
	}
	b.mu.Unlock()
	for _, sent := range list {
		select {
		case <-sent.ended:
		case <-ctx.Done():
			return
		}
	}
}

// Settle is Domain.Settle for a store.
func Settle(ctx context.Context, s store.Store) {
	shared, _ := s.(store.Shared)
	behinds.mu.Lock()
	b := behinds.of[shared]
	behinds.mu.Unlock()
	if b != nil {
		b.settle(ctx)
	}
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
		b = &behind{of: make(map[Tag][]*onItsWay), all: make(map[*onItsWay]bool)}
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
