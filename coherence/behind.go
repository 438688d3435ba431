package coherence

import (
	"context"
	"fmt"
	"maps"
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
	store store.Shared
	mu    sync.Mutex
	of    map[Tag][]*onItsWay // guarded by mu, as what follows
	all   map[*onItsWay]bool
	vain  map[Tag]time.Time // until when nobody waits for a tag: others hold it, too
	used  int               // by how many domains; guarded by behinds.mu
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
	afterVain   = 20 * time.Millisecond // for which nobody waits for a tag when one has in vain
	maxVain     = 4096                  // tags of which that is known
)

// ReleaseBehind is Release for who doesn't wait until the store has been told: the marks stand until then. done is
// called when it has been, or with the error of Release; perhaps by another goroutine, where a panic of its own is lost. It must
// not wait for what is behind (Settle), and h not be used any more but by it. Where that might not be covered, or in a store of this process's memory, ReleaseBehind waits.
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

// firm reports whether the marks have stood until the change became visible, and will until the store has been told of the release, or lapse.
func (h *Hold) firm() bool {
	return h.d.shared != nil && !h.loose && h.d.now()-h.made < h.d.shared.Lease()/3
}

// releaseSafely is release, of which a panic of the store's is an error. How old the hold is by now doesn't matter: see firm.
func (h *Hold) releaseSafely(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("coherence: release: panic: %v", p)
			h.announceLater(false)
		}
	}()
	return h.release(ctx)
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
	behinds.mu.Lock()
	defer behinds.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, sent)
	close(sent.ended)
	b.goLocked()
}

// unknown stands for the tags of who doesn't know his.
var unknown = []Tag{""}

// under are the releases on their way of some of tags, or of any, if tags are nil; none of those for which somebody has waited in vain lately.
func (b *behind) under(tags []Tag) (list []*onItsWay) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.of) == 0 {
		return nil
	}
	now := time.Now()
	for _, tag := range tags {
		if sent := b.of[tag]; sent != nil && !now.Before(b.vain[tag]) {
			list = append(list, sent...)
		}
	}
	if tags == nil && !now.Before(b.vain[unknown[0]]) {
		list = slices.Collect(maps.Keys(b.all))
	}
	return list
}

// waitedInVain notes that tags were held still when releases of some of them had been waited for.
func (b *behind) waitedInVain(tags []Tag) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.vain)+len(tags) > maxVain {
		clear(b.vain)
	}
	until := time.Now().Add(afterVain)
	for _, tag := range tags {
		b.vain[tag] = until
	}
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
	switch {
	case err != nil || !v.Held || ctx.Err() != nil:
	case tags == nil:
		d.behind.waitedInVain(unknown)
	default:
		d.behind.waitedInVain(tags)
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
// store they are of, or could not be told of them, and until done has been called of each; for a lease at most.
func (d *Domain) Settle(ctx context.Context) { d.behind.onTheirWay()(ctx) }

// OnTheirWay returns what waits, for a lease at most, until a store has been told of all writes of this process that were acknowledged before the call.
func OnTheirWay(s store.Store) (settle func(context.Context)) {
	shared, _ := s.(store.Shared)
	behinds.mu.Lock()
	b := behinds.of[shared]
	behinds.mu.Unlock()
	return b.onTheirWay()
}

// SettleAll is Settle for all stores of the process, for tests of several caches in one.
func SettleAll(ctx context.Context) {
	behinds.mu.Lock()
	all := slices.Collect(maps.Values(behinds.of))
	behinds.mu.Unlock()
	for _, b := range all {
		b.onTheirWay()(ctx)
	}
}

func (b *behind) onTheirWay() (settle func(context.Context)) {
	if b == nil {
		return func(context.Context) {}
	}
	b.mu.Lock()
	list := slices.Collect(maps.Keys(b.all))
	b.mu.Unlock()
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, b.store.Lease())
		defer cancel()
		for _, sent := range list {
			select {
			case <-sent.ended:
			case <-ctx.Done():
				return
			}
		}
	}
}

// behinds has the releases of each shared store that a domain is in, or that one of them is on its way to.
var behinds = struct {
	mu sync.Mutex
	of map[store.Shared]*behind // guarded by mu
}{of: make(map[store.Shared]*behind)}

func useBehind(s store.Shared) *behind {
	behinds.mu.Lock()
	defer behinds.mu.Unlock()
	b := behinds.of[s]
	if b == nil {
		b = &behind{store: s, of: make(map[Tag][]*onItsWay), all: make(map[*onItsWay]bool), vain: make(map[Tag]time.Time)}
		behinds.of[s] = b
	}
	b.used++
	return b
}

// leaveBehind lets go of the releases of the domain's store. It does nothing when called again.
func (d *Domain) leaveBehind() {
	if d.shared == nil || d.left.Swap(true) {
		return
	}
	b := d.behind
	behinds.mu.Lock()
	defer behinds.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used--
	b.goLocked()
}

// goLocked forgets the releases of a store that no domain is in when the last has ended. It is called under behinds.mu as well.
func (b *behind) goLocked() {
	if b.used == 0 && len(b.all) == 0 {
		delete(behinds.of, b.store)
	}
}
