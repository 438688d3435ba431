package coherence

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/store"
)

// A write may be one of which only the database's answer tells the rows: the number of a new one, or whose it is that has
// number 7. To hold its slices before the change is visible it needs a transaction, or a question before it. Where all
// who read are in this process it needs neither:
//
//	writer    holds R?, and the slices of those shapes that it can tell; marks R(S)* of each other shape S, which keeps
//	          its token; has the statement done, which commits; holds the slices of S, that the answer tells;
//	          releases what it has held, then takes the marks of R(S)* away
//	readers   find nothing of S as long as R(S)* is marked, and keep nothing; after that they find all that they found
//	          before, but for the slices that were released
//
// What it costs is paid by those who read meanwhile. So a shape is paused only as long as few of them are met: a write
// that is paused saves one statement, each read that meets it is one. Where too many were, it is tried again after ever
// more writes: one that waits for a lock keeps all readers of the shape from the cache.

// A PausePolicy says which writes pause what they can't tell.
type PausePolicy uint8

// The policies. Programs leave it zero.
const (
	CheapPauses PausePolicy = iota // those that few readers meet
	AlwaysPause                    // all
	NeverPause                     // none
)

// An untold shape is one whose slices a write tells later.
type untold struct {
	relation, shape string
	tag             store.Tag // R(S)*
}

// pauses is what is known of how many readers a pause meets.
type pauses struct {
	store  store.Pauser // nil: nothing can be paused
	always bool         // for tests
	now    atomic.Int64 // the tags that are marked
	shapes sync.Map     // of *patience, by R(S)*
	count  atomic.Int64 // of shapes, at most
}

// A patience is whether writes may pause a shape.
type patience struct {
	mu     sync.Mutex
	credit int // how many reads may be met yet; below 1 there is no pause
	denied int // how many writes were denied one since the last
	wait   int // how many are before the next
}

// What a pause may cost.
const (
	maxPatience  = 4096 // shapes of which it is known
	firstCredit  = 4
	maxCredit    = 16
	firstWait    = 64
	maxWait      = 1 << 16
	costPerRead  = 2 // a read may take longer than the question that is saved
	earnPerPause = 1
)

// Prompt reports whether a store is one that waits for nothing, and so looks at no context. It says so by returning itself: one that
// wraps it returns another.
func Prompt(s Store) bool {
	p, is := s.(interface{ Prompt() store.Store })
	return is && p.Prompt() == s
}

// MayPause reports whether slices of these shapes of a relation may be told later than the hold. The caller pauses them,
// if it is told so.
func (d *Domain) MayPause(relation string, shapes []string) bool {
	if d.pauses.store == nil {
		return false
	}
	may := true
	for _, shape := range shapes {
		may = d.pauses.patienceOf(d.shapeTag(relation, shape)).ask() && may
	}
	return may || d.pauses.always
}

func (p *pauses) patienceOf(tag store.Tag) *patience {
	if known, ok := p.shapes.Load(tag); ok {
		return known.(*patience)
	}
	if p.count.Add(1) > maxPatience { // those of relations that are gone, too
		p.shapes.Clear()
		p.count.Store(1)
	}
	known, _ := p.shapes.LoadOrStore(tag, &patience{credit: firstCredit, wait: firstWait})
	return known.(*patience)
}

func (p *patience) ask() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.credit > 0 {
		p.credit = min(p.credit+earnPerPause, maxCredit)
		return true
	}
	if p.denied++; p.denied < p.wait {
		return false
	}
	p.denied, p.credit = 0, firstCredit
	return true
}

// met notes that a read has met a pause.
func (p *patience) met() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.credit <= 0 {
		return
	}
	if p.credit -= costPerRead; p.credit <= 0 {
		p.denied, p.wait = 0, min(2*p.wait, maxWait)
	}
}

// met notes that a read of tags was kept from the cache.
func (p *pauses) met(tags []store.Tag) {
	if p.store == nil || p.now.Load() == 0 {
		return
	}
	for _, tag := range tags {
		if known, ok := p.shapes.Load(tag); ok {
			known.(*patience).met()
		}
	}
}

// pause marks the tags of shapes whose slices are told later.
func (h *Hold) pause(later []untold) {
	if h == nil || h.ended || len(later) == 0 {
		return
	}
	h.untold = later
	for _, u := range later {
		h.paused = append(h.paused, u.tag)
	}
	h.d.pauses.now.Add(int64(len(h.paused)))
	if h.d.mutant != NoPause {
		h.d.pauses.store.Pause(h.id, h.paused)
	}
}

// Tell tells which rows were changed, now that the database has answered: it holds the slices that changes had said to be
// told Later. Those that aren't known yet, or if it isn't called, Release announces as slices that aren't known.
func (h *Hold) Tell(ctx context.Context, changes []Change) error {
	if h == nil || h.ended || len(h.untold) == 0 {
		return nil
	}
	a := announcement{d: h.d, changes: changes}
	a.tags.init(len(h.untold))
	for _, u := range h.untold {
		i := slices.IndexFunc(changes, func(c Change) bool { return c.Relation == u.relation && c.Slices != nil })
		if i < 0 {
			a.tags.add(u.tag)
			continue
		}
		c := changes[i]
		c.Later = false
		a.add(c, u.shape)
	}
	h.untold = nil
	if h.d.mutant == EarlyResume {
		h.resume()
	}
	_, err := h.extend(ctx, a.tags.list)
	return err
}

// undecided are the tags that must be announced since what they are of wasn't told.
func (h *Hold) undecided() []store.Tag {
	var tags []store.Tag
	for _, u := range h.untold {
		tags = append(tags, u.tag)
	}
	return tags
}

// resume ends the pause.
func (h *Hold) resume() {
	if len(h.paused) == 0 {
		return
	}
	h.d.pauses.store.Resume(h.id, h.paused)
	h.d.pauses.now.Add(-int64(len(h.paused)))
	h.paused, h.untold = nil, nil
}
