package coherence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder/store"
)

// What a write changes, and what a read depends on, is told by facts of the schema. They are of use as long as
// the tag #schema has the token under which they were read. Who changes the schema holds it, and * with it, until
// all that was told by the facts from before has ended. In this process writers.go sees to that. For
// other processes that share the store there is a third tag, #facts, which is never read by, but held by each
// process that relies on facts:
//
//	process   holds #facts; reads #schema: its token, not held; reads the facts
//	changer   holds * and #schema; changes the schema; waits for the holds that are on #facts
//	process   looks at #schema from time to time; when it has moved lets nobody rely on the facts any more,
//	          waits for those that do, and releases #facts
//	changer   releases * and #schema
//
// Until then nothing is kept, or found, in the store, so what other processes don't announce because they don't know of a
// new trigger yet leaves nothing behind. A process that has died, or stands still, holds #facts for the lease; one that stood
// still relies on nothing until it has looked again.
type schema struct {
	d     *Domain
	all   Tag // every entry depends on it
	tag   Tag
	facts Tag
	only  []Tag // tag

	mu      sync.Mutex
	relied  *Reliance // the last one, until it has moved; guarded by mu
	stop    func()    // ends the watch; set while it goes on; guarded by mu
	stopped bool      // guarded by mu
}

// defaultWatch is how often a process looks whether the schema has moved.
const defaultWatch = 500 * time.Millisecond

// ErrSchemaChanging is what Rely wraps while somebody changes the schema.
var ErrSchemaChanging = errors.New("coherence: the schema is being changed")

func (s *schema) init(d *Domain) {
	s.d, s.all, s.tag, s.facts = d, d.Tag("*"), d.Tag("#schema"), d.Tag("#facts")
	s.only = []Tag{s.tag}
}

// All is the tag that every entry of the domain depends on.
func (d *Domain) All() Tag { return d.schema.all }

// A Reliance is this process's word that it relies on facts of the schema, as they were when
// Rely had returned.
type Reliance struct {
	d         *Domain
	token     Token
	hold      *Hold // of #facts; nil in a store of this process alone
	moved     atomic.Bool
	seen      atomic.Uint64 // the store's count when it was found to stand last; 0: never
	handed    atomic.Bool   // the hold is, to the writes that it waits for
	confirmed atomic.Int64  // when it was known last to be in force

	busy  chan struct{} // has room for who tells the store of hold: no renewal overtakes its end
	ended bool          // guarded by busy
}

// Rely begins to rely on the schema: the facts are to be read after it. It fails with
// ErrSchemaChanging while the schema is being changed. An earlier Reliance stands no longer.
func (d *Domain) Rely(ctx context.Context) (*Reliance, error) {
	r := &Reliance{d: d, busy: make(chan struct{}, 1)}
	r.confirmed.Store(int64(d.now()))
	if d.shared != nil {
		r.hold = &Hold{d: d, id: newHoldID(), tags: []Tag{d.schema.facts}, reliance: r}
		if err := d.store.Hold(ctx, r.hold.id, r.hold.tags, 0, nil); err != nil {
			r.giveUp(ctx)
			return nil, fmt.Errorf("coherence: rely on the schema: %w", err)
		}
	}
	tokens, held, err := d.Observe(ctx, d.schema.only)
	if err == nil && held {
		err = ErrSchemaChanging
	}
	if err != nil {
		r.giveUp(ctx)
		return nil, err
	}
	r.token = tokens[0]
	if d.shared != nil {
		d.schema.rely(r)
	}
	return r, nil
}

// Stands reports whether the facts may be relied on now. A write asks after BeginWrite.
func (r *Reliance) Stands(ctx context.Context) bool {
	if r.d.shared != nil {
		return !r.moved.Load() && r.within(r.d.shared.Lease()/2)
	}
	var now uint64
	if r.d.counter != nil {
		if now = r.d.counter.Changes(); now == r.seen.Load() { // who changes the schema now has not begun
			return true
		}
	}
	tokens, held, err := r.d.Observe(ctx, r.d.schema.only)
	if err != nil || held || tokens[0] != r.token {
		return false
	}
	r.seen.Store(now)
	return true
}

// within reports whether it is known to have been in force for less than d.
func (r *Reliance) within(d time.Duration) bool {
	return r.d.mutant == EternalReliance || r.d.now()-time.Duration(r.confirmed.Load()) < d
}

// sure reports whether all that was told by these facts is covered, by this process's hold of #facts, for two
// thirds of a lease from now.
func (d *Domain) sure(ctx context.Context, facts []*Reliance) bool {
	return !slices.ContainsFunc(facts, func(r *Reliance) bool {
		return r.moved.Load() || !r.within(d.shared.Lease()/3) && r.renew(ctx) != nil
	})
}

// giveUp ends the hold of #facts, on which nothing relies yet.
func (r *Reliance) giveUp(ctx context.Context) {
	if r.hold.end(ctx) != nil {
		r.hold.lapse()
	}
}

// errBusy is why a hold of #facts isn't renewed now: it is being renewed, or ended.
var errBusy = errors.New("coherence: the store is being told of a reliance")

// renew renews the hold of #facts. It waits for nobody.
func (r *Reliance) renew(ctx context.Context) error {
	select {
	case r.busy <- struct{}{}:
		defer func() { <-r.busy }()
	default:
		return errBusy
	}
	if r.ended {
		return store.ErrLapsed
	}
	return r.d.store.Renew(ctx, r.hold.id, r.hold.tags, 0)
}

// ending begins the end of the hold of #facts; it returns what is to be called when the store has been told.
func (r *Reliance) ending() (told func()) {
	r.busy <- struct{}{}
	r.ended = true
	return func() { <-r.busy }
}

// Same reports whether nothing has changed the schema between two reliances.
func (r *Reliance) Same(other *Reliance) bool { return other != nil && r.token == other.token }

// rely puts r in the place of the last reliance, and watches it.
func (s *schema) rely(r *Reliance) {
	s.mu.Lock()
	last := s.relied
	s.relied = r
	if s.stop == nil && !s.stopped {
		s.stop = s.d.watch(s.look)
	}
	s.mu.Unlock()
	if last != nil {
		last.end()
	}
}

// take takes the last reliance away.
func (s *schema) take() *Reliance {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.relied
	s.relied = nil
	return r
}

// end lets nobody rely on r any more. Its hold is released when those that did have ended.
func (r *Reliance) end() {
	r.moved.Store(true)
	if !r.handed.Swap(true) {
		_ = r.hold.endAfterWriters(waiting{ctx: context.Background()}, nil) // or it lapses
	}
}

// WatchEvery is a Watch that looks so often.
func WatchEvery(d time.Duration) func(look func(context.Context)) (stop func()) {
	return func(look func(context.Context)) (stop func()) {
		stopped := make(chan struct{})
		go func() {
			tick := time.NewTicker(d)
			defer tick.Stop()
			for {
				select {
				case <-stopped:
					return
				case <-tick.C:
					look(context.Background())
				}
			}
		}()
		return func() { close(stopped) }
	}
}

// look finds out whether the schema that is relied on has moved.
func (s *schema) look(ctx context.Context) {
	s.mu.Lock()
	r := s.relied
	s.mu.Unlock()
	if r == nil {
		return
	}
	now := s.d.now()
	tokens, held, err := s.d.Observe(ctx, []Tag{s.tag})
	moved := err == nil && (held || tokens[0] != r.token)
	if err == nil && !moved {
		err = r.renew(ctx)
		moved = errors.Is(err, store.ErrLapsed)
	}
	switch {
	case moved:
		s.mu.Lock()
		if s.relied == r {
			s.relied = nil
		}
		s.mu.Unlock()
		s.cover(ctx, r)
		r.end()
	case err == nil:
		r.confirmed.Store(int64(now))
	}
}

// cover holds everything until the writes of this process that r has told have ended. Who has changed the
// schema does so too, but may not live as long:
//
//  1. a process changes the schema: a write of R writes Q too, by a trigger
//  2. it is killed; its holds of * and #schema lapse
//  3. a reader keeps a result of Q
//  4. a long write of R by another process, which was told before 1, becomes visible
func (s *schema) cover(ctx context.Context, r *Reliance) {
	if r.moved.Store(true); s.d.mutant == UnheldMove || !s.d.writers.any() {
		return
	}
	if h, err := s.d.hold(ctx, &Hold{}, []Tag{s.all}, nil); err != nil {
		_ = h.Rollback(ctx) // the change's own hold is there, or lapses
	} else {
		_ = h.endAfterWriters(waiting{ctx: context.Background()}, nil)
	}
}

func (s *schema) close() {
	s.mu.Lock()
	if s.stopped = true; s.stop != nil {
		s.stop()
		s.stop = nil
	}
	r := s.relied
	s.relied = nil
	s.mu.Unlock()
	if r != nil {
		r.end()
	}
}

// HoldSchema is Hold for a change of the schema, or one of which nothing is known: of everything
// in the domain. It ends by ReleaseAfterWriters or AbandonAfterWriters.
func (d *Domain) HoldSchema(ctx context.Context) (*Hold, error) {
	h, err := d.hold(ctx, &Hold{}, []Tag{d.schema.all, d.schema.tag}, nil)
	if h == nil {
		return nil, err
	}
	h.schema = true
	if d.shared != nil {
		if r := d.schema.take(); r != nil {
			r.end()
		}
	}
	return h, err
}

// endAfterOthers ends the hold of a change of the schema when no other process relies on
// facts from before. This process doesn't any more.
//
// Others go on to rely on them until they see #schema held, or moved; so the hold is made anew if it
// isn't there: the store may not have been told of it, or this process may have been stopped for a lease before the change.
func (s *schema) endAfterOthers(w waiting) {
	later, first := *w.hold, true
	w.hold.loose, w.hold = false, &later
	var left []store.HoldID
	try := func(ctx context.Context) error {
		again, err := w.hold.again(ctx)
		if err != nil {
			return err
		}
		ids, err := s.d.store.Holders(ctx, s.facts)
		if err != nil {
			return err
		}
		if first || again {
			first, left = false, ids
		}
		left = slices.DeleteFunc(left, func(id store.HoldID) bool { return !slices.Contains(ids, id) })
		if (len(left) > 0 || slices.Contains(ids, 0)) && s.d.mutant != HastySchema { // 0: it isn't known who does
			return errRelied
		}
		return w.announced(ctx)
	}
	if try(w.ctx) != nil {
		s.d.retry(try)
	}
}

// again makes a hold anew if it has lapsed, or was never whole, and reports whether it did.
func (h *Hold) again(ctx context.Context) (bool, error) {
	if h.d.mutant == LapsedSchema {
		return false, nil
	}
	err := h.d.store.Renew(ctx, h.id, h.tags, 0)
	if !errors.Is(err, store.ErrLapsed) {
		return false, err
	}
	_ = h.d.store.Renew(ctx, h.id, h.tags, h.d.lease) // what is left of it lapses
	h.id = newHoldID()
	return true, h.d.store.Hold(ctx, h.id, h.tags, 0, nil)
}

// errRelied is why the change of a schema isn't announced yet.
var errRelied = errors.New("coherence: other processes rely on the schema as it was")

// announced ends the hold in a shared store; an error is the store's.
func (w waiting) announced(ctx context.Context) error {
	h := w.hold
	if !w.abandon && !h.d.writers.losing() {
		return h.end(ctx)
	}
	if h.loose {
		if err := h.d.store.Hold(ctx, h.id, h.tags, h.d.lease, nil); err != nil {
			return err
		}
		h.fasten()
	}
	h.lapse()
	return nil
}
