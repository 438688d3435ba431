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
	every time.Duration

	mu      sync.Mutex
	relied  *Reliance     // the last one, until it has moved; guarded by mu
	stop    chan struct{} // set while the watch goes on; guarded by mu
	stopped bool          // guarded by mu
}

// defaultWatch is how often a process looks whether the schema has moved.
const defaultWatch = 500 * time.Millisecond

// ErrSchemaChanging is what Rely wraps while somebody changes the schema.
var ErrSchemaChanging = errors.New("coherence: the schema is being changed")

func (s *schema) init(d *Domain, every time.Duration) {
	if s.every = every; every <= 0 {
		s.every = defaultWatch
	}
	s.d, s.all, s.tag, s.facts = d, d.Tag("*"), d.Tag("#schema"), d.Tag("#facts")
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
	confirmed atomic.Int64 // when it was known last to be in force
}

// Rely begins to rely on the schema: the facts are to be read after it. It fails with
// ErrSchemaChanging while the schema is being changed. An earlier Reliance stands no longer.
func (d *Domain) Rely(ctx context.Context) (*Reliance, error) {
	r := &Reliance{d: d}
	r.confirmed.Store(int64(d.now()))
	if d.shared != nil {
		r.hold = &Hold{d: d, id: newHoldID(), tags: []Tag{d.schema.facts}}
		if err := d.store.Hold(ctx, r.hold.id, r.hold.tags, 0, nil); err != nil {
			r.hold.giveUp(ctx)
			return nil, fmt.Errorf("coherence: rely on the schema: %w", err)
		}
	}
	tokens, held, err := d.Observe(ctx, []Tag{d.schema.tag})
	if err == nil && held {
		err = ErrSchemaChanging
	}
	if err != nil {
		r.hold.giveUp(ctx)
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
		return !r.moved.Load() && r.d.now()-time.Duration(r.confirmed.Load()) < r.d.shared.Lease()/2
	}
	tokens, held, err := r.d.Observe(ctx, []Tag{r.d.schema.tag})
	return err == nil && !held && tokens[0] == r.token
}

// Same reports whether nothing has changed the schema between two reliances.
func (r *Reliance) Same(other *Reliance) bool { return other != nil && r.token == other.token }

// rely puts r in the place of the last reliance, and watches it.
func (s *schema) rely(r *Reliance) {
	s.mu.Lock()
	last := s.relied
	s.relied = r
	if s.stop == nil && !s.stopped {
		s.stop = make(chan struct{})
		go s.watch(s.stop)
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
	if !r.moved.Swap(true) {
		_ = r.hold.endAfterWriters(waiting{ctx: context.Background()}, nil) // or it lapses
	}
}

func (s *schema) watch(stop chan struct{}) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			s.look(context.Background())
		}
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
		err = s.d.store.Renew(ctx, r.hold.id, r.hold.tags, 0)
		moved = errors.Is(err, store.ErrLapsed)
	}
	switch {
	case moved:
		s.mu.Lock()
		if s.relied == r {
			s.relied = nil
		}
		s.mu.Unlock()
		r.end()
	case err == nil:
		r.confirmed.Store(int64(now))
	}
}

func (s *schema) close() {
	s.mu.Lock()
	if s.stopped = true; s.stop != nil {
		close(s.stop)
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
	h, err := d.hold(ctx, []Tag{d.schema.all, d.schema.tag}, nil)
	if h == nil {
		return nil, err
	}
	h.schema = true
	if d.shared != nil {
		if h.relied = d.schema.take(); h.relied != nil {
			h.relied.moved.Store(true)
		}
	}
	return h, err
}

// endAfterOthers ends the hold of a change of the schema when no other process relies on
// facts from before. This process doesn't any more.
func (s *schema) endAfterOthers(w waiting) {
	if r := w.hold.relied; r != nil && r.hold.end(w.ctx) != nil {
		r.hold.lapse()
	}
	later, first := *w.hold, true
	w.hold.loose, w.hold = false, &later
	var left []store.HoldID
	try := func(ctx context.Context) error {
		ids, err := s.d.store.Holders(ctx, s.facts)
		if err != nil {
			return err
		}
		if first {
			first, left = false, ids
		}
		left = slices.DeleteFunc(left, func(id store.HoldID) bool { return !slices.Contains(ids, id) })
		if len(left) > 0 || slices.Contains(ids, 0) { // 0: it isn't known who does
			return errRelied
		}
		return w.announced()
	}
	if try(w.ctx) != nil {
		s.d.retry(try)
	}
}

// errRelied is why the change of a schema isn't announced yet.
var errRelied = errors.New("coherence: other processes rely on the schema as it was")

// announced ends the hold in a shared store; an error is the store's.
func (w waiting) announced() error {
	h := w.hold
	if !w.abandon && !h.d.writers.losing() {
		return h.end(w.ctx)
	}
	if h.loose {
		if err := h.d.store.Hold(w.ctx, h.id, h.tags, h.d.lease, nil); err != nil {
			return err
		}
		h.fasten()
	}
	h.lapse()
	return nil
}
