package coherence

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
// What it costs is paid by those who read meanwhile. They wait, for most pauses are over before the database would have answered them, but
// not for long, and once only: a writer may have begun another by then. Where one has waited in vain, for a write that waits for a lock, or
// because the disk is slow, nobody waits until a short pause was seen. Who has not found the end reads from the database.
//
// So a shape is paused only as long as few of them are met: a write that is paused saves one statement; a read that waits loses about as much
// time, and each that goes to the database is a statement, and keeps nothing. Where too many were, it is tried again after ever more writes.

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
	waits  atomic.Int64 // of reads, for the end of a pause
	shapes sync.Map     // of *patience, by R(S)*
	count  atomic.Int64 // of shapes, at most
}

// A patience is whether writes may pause a shape, and where those who read it wait.
type patience struct {
	mu     sync.Mutex    // guards all
	open   int           // pauses of it now, …
	since  time.Time     // … and when the first of them began
	late   bool          // somebody has waited in vain, and no time with pauses was short after that
	over   chan struct{} // closed when there is none any more; nil: nobody waits
	credit int           // how many reads may be met yet; below 1 there is no pause
	denied int           // how many writes were denied one since the last
	wait   int           // how many are before the next
}

// What a pause may cost.
const (
	maxPatience  = 4096 // shapes of which it is known
	firstCredit  = 16
	maxCredit    = 64
	firstWait    = 64
	maxWait      = 1 << 16
	costPerRead  = 8 // a read may take longer than the question that is saved
	costPerWait  = 1
	earnPerPause = 4
	pauseWait    = time.Millisecond // that is waited for
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
	if p.open > 0 {
		p.chargeLocked(costPerRead)
	}
}

func (p *patience) chargeLocked(cost int) {
	if p.credit <= 0 {
		return
	}
	if p.credit -= cost; p.credit <= 0 {
		p.denied, p.wait = 0, min(2*p.wait, maxWait)
	}
}

// begin notes that a pause begins.
func (p *patience) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open++; p.open == 1 {
		p.since = time.Now()
	}
	if p.credit > 0 {
		p.credit = min(p.credit+earnPerPause, maxCredit)
	}
}

// end notes that one has ended, and wakes who waits.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open--; p.open > 0 {
		return
	}
	p.late = p.late && time.Since(p.since) >= pauseWait
	if p.over != nil {
		close(p.over)
		p.over = nil
	}
}

// waitable returns what is closed at the end of the pause, nil if there is none that is worth waiting for.
func (p *patience) waitable() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == 0 || p.late {
		return nil
	}
	if p.over == nil {
		p.over = make(chan struct{})
	}
	return p.over
}

// waited notes that somebody has waited for what is closed at the end of a pause, and whether in vain.
func (p *patience) waited(over <-chan struct{}, inVain bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chargeLocked(costPerWait)
	p.late = p.late || inVain && p.over == over
}

// wait waits for the end of the pauses of tags, pauseWait at most, and reports whether there were any, that have ended. Who hasn't the time for that
// and for the database doesn't wait.
func (p *pauses) wait(ctx context.Context, tags []store.Tag) bool {
	if p.store == nil || p.now.Load() == 0 {
		return false
	}
	if end, is := ctx.Deadline(); is && time.Until(end) < 4*pauseWait {
		return false
	}
	var timer *time.Timer
	for _, tag := range tags {
		known, ok := p.shapes.Load(tag)
		if !ok {
			continue
		}
		of := known.(*patience)
		over := of.waitable()
		if over == nil {
			continue
		}
		if timer == nil {
			p.waits.Add(1)
			timer = time.NewTimer(pauseWait)
			defer timer.Stop()
		}
		select {
		case <-over:
			of.waited(over, false)
		case <-timer.C:
			of.waited(over, true)
			return false
		case <-ctx.Done():
			of.waited(over, false)
			return false
		}
	}
	return timer != nil
}

// Waits is how many reads have waited for the end of a write that hadn't told its rows yet.
func (d *Domain) Waits() int64 { return d.pauses.waits.Load() }

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
		of := h.d.pauses.patienceOf(u.tag)
		of.begin()
		h.patience = append(h.patience, of)
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
	h.unpaused()
}

// unpaused notes that the pause has ended.
func (h *Hold) unpaused() {
	h.d.pauses.now.Add(-int64(len(h.paused)))
	for _, of := range h.patience {
		of.end()
	}
	h.paused, h.untold, h.patience = nil, nil, nil
}
