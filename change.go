package larder

import (
	"bytes"
	"context"
	"database/sql"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/session"
)

// A Change tells what one transaction, or one statement outside of transactions, did to one relation. What it holds is
// shared between receivers and must not be changed.
type Change struct {
	// Relation is the base table as the database knows it, "public.stuff"; "*" stands for relations that can't be told, and "tag:rates" for a
	// Tag that was announced.
	Relation string

	// Database is the database's identity, which is the same in all processes; "" if it can't be told. DB is the handle that was written
	// through, nil if that was not opened by name in this process.
	Database string
	DB       *sql.DB

	Ops   Ops
	Count int64 // how many rows; -1 if that isn't known

	// Slices tell values that the changed rows had before or have now: each row matches one of them. A value is nil,
	// an int64, string, []byte or bool; text is as the database compares it (in lower case, say). Nil: any row may have changed.
	Slices []map[string]any

	// Rows are the rows that were changed if Whole is set; they are asked for by OnRow only.
	Rows  []Row
	Whole bool

	// Perhaps says that it isn't known whether the change was committed: the connection was lost, or the transaction can't be
	// followed. It may be told twice then, or before it is visible.
	Perhaps bool

	Source Source

	// Lost, if not 0, says that so many changes, or an unknown number if it is below 0, could not be told before this
	// one; nothing else is set but Relation, and Ops is OpUnknown.
	Lost int
}

// A Row is one row that was changed, by the names of its columns. Values are those of the driver.
type Row = session.Row

// Ops are a set of ways in which a relation was changed.
type Ops = session.Ops

// The ways to change a relation.
const (
	OpInsert   = session.OpInsert
	OpUpdate   = session.OpUpdate
	OpDelete   = session.OpDelete
	OpTruncate = session.OpTruncate
	OpSchema   = session.OpSchema
	OpUnknown  = session.OpUnknown // what was done can't be told
)

// A Source says who made a change.
type Source uint8

// The sources of changes.
const (
	SourceHere    Source = iota // this process
	SourceProcess               // another process of the domain
)

// OnChange calls fn with each change of a relation that is committed on one of the cache's databases through a handle of this process
// over the cache's store. A name without a schema is that of the relation in any schema; "*" stands for all relations, and for
// tags that are announced. Letters of either case are equal. A view has no changes of its own.
//
// A transaction gives one Change for each relation that it changed, after it was committed and its results were removed: what fn
// reads is as new as the change. Nothing is told of what was rolled back, nor of a statement that
// changed no row, as far as that is known. A statement whose relations can't be told gives a Change with the relation "*" to all.
//
// Calls are made one after the other, apart from the writer, who waits for nothing. A write that began when another had returned is told
// after it; two that overlap come in either order. A receiver that is more than 1024 changes behind loses some, and is told so by Lost. A
// panic of fn is logged, and the next change is told. fn may write, open transactions, and start or stop receivers.
//
// Each change is told at most once: it is lost if the process dies between COMMIT and fn. Work that must be done writes its task
// in the transaction that makes it necessary, and the receiver looks for tasks whenever it is called, and at its start:
//
//	tx.Exec("UPDATE orders SET paid = true WHERE id = ?", id)
//	tx.Exec("INSERT INTO outbox (task) VALUES (?)", "receipt "+id)
//	tx.Commit()
//
//	stop := cache.OnChange("outbox", func(ctx context.Context, c larder.Change) {
//		// SELECT … FROM outbox ORDER BY id, do each task, DELETE it
//	})
//
// stop ends it, and waits for a call that is under way, unless it is called from within that or another receiver; that call's context ends. It panics if relation
// is empty or fn nil.
func (c *Cache) OnChange(relation string, fn func(ctx context.Context, c Change)) (stop func()) {
	if relation == "" || fn == nil {
		panic("larder: OnChange needs the name of a relation, or \"*\" for all, and a function")
	}
	return c.signals.start(&receiver{cache: c, relation: strings.ToLower(relation), name: relation, fn: fn})
}

// signals are the receivers of a cache.
type signals struct {
	told, lost atomic.Int64

	mu        sync.Mutex
	receivers map[*receiver]struct{} // guarded by mu
}

func (s *signals) start(r *receiver) (stop func()) {
	r.ctx, r.cancel = context.WithCancel(context.Background())
	hub := session.AcquireHub(r.cache.store)
	unlisten := hub.Listen(&session.Listener{Rows: r.wantsRows, Hear: r.hear})
	unhear := func() {}
	if r.cache.relay != nil {
		unhear = r.cache.relay.Hear()
	}
	r.leave = sync.OnceFunc(func() {
		unhear()
		unlisten()
		hub.Release()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.receivers, r)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receivers == nil {
		s.receivers = make(map[*receiver]struct{})
	}
	s.receivers[r] = struct{}{}
	return r.stop
}

// stop stops all receivers.
func (s *signals) stop() {
	s.mu.Lock()
	var all []*receiver
	for r := range s.receivers {
		all = append(all, r)
	}
	s.mu.Unlock()
	for _, r := range all {
		r.stop()
	}
}

// maxBehind is how many changes wait for a receiver.
const maxBehind = 1024

// A receiver is a function that is told of changes. It has a goroutine as long as some wait.
type receiver struct {
	cache    *Cache
	relation string // in lower case
	name     string // as it was given
	rows     bool
	fn       func(context.Context, Change)
	ctx      context.Context
	cancel   context.CancelFunc
	leave    func()

	mu      sync.Mutex
	waiting []heard       // guarded by mu
	running chan struct{} // closed when the goroutine ends; nil: there is none; guarded by mu
	self    string        // the goroutine; guarded by mu
	stopped bool          // guarded by mu
}

// heard is what a receiver has yet to be told.
type heard struct {
	notice session.Notice
	lost   int
}

func (r *receiver) matches(relation string) bool {
	relation = strings.ToLower(relation)
	_, name, _ := strings.Cut(relation, ".")
	if strings.HasPrefix(relation, tagPrefix) {
		name = relation
	}
	return r.relation == "*" || r.relation == relation || r.relation == name
}

func (r *receiver) wantsRows(relation string) bool { return r.rows && r.matches(relation) }

// hear keeps what a transaction did that concerns the receiver.
func (r *receiver) hear(notices []session.Notice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	if lost := notices[0].Lost; lost != 0 {
		r.loseLocked(lost)
	} else {
		r.keepLocked(notices)
	}
	if r.running == nil && len(r.waiting) > 0 {
		r.running = make(chan struct{})
		go r.run()
	}
}

// keepLocked keeps the notices of the receiver's relation or, if there is none, that of relations that can't be told.
func (r *receiver) keepLocked(notices []session.Notice) {
	named := slices.ContainsFunc(notices, func(n session.Notice) bool { return r.matches(n.Relation) })
	for _, n := range notices {
		switch {
		case !r.matches(n.Relation) && (named || n.Relation != "*"):
		case len(r.waiting) >= maxBehind:
			r.loseLocked(1)
		default:
			r.waiting = append(r.waiting, heard{notice: n})
		}
	}
}

// loseLocked notes that n changes were lost, some if n is below 0.
func (r *receiver) loseLocked(n int) {
	r.cache.signals.lost.Add(int64(max(n, 0)))
	last := len(r.waiting) - 1
	switch {
	case last < 0 || r.waiting[last].lost == 0:
		r.waiting = append(r.waiting, heard{lost: n})
	case n < 0 || r.waiting[last].lost < 0:
		r.waiting[last].lost = -1
	default:
		r.waiting[last].lost += n
	}
}

// run tells what waits.
func (r *receiver) run() {
	r.mu.Lock()
	r.self = goroutine()
	receiving.Store(r.self, struct{}{})
	defer receiving.Delete(r.self)
	for !r.stopped && len(r.waiting) > 0 {
		next := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.mu.Unlock()
		r.tell(next)
		r.mu.Lock()
	}
	close(r.running)
	r.running, r.self = nil, ""
	if len(r.waiting) == 0 {
		r.waiting = nil
	}
	r.mu.Unlock()
}

// tell calls the function, if the change is of one of the cache's databases.
func (r *receiver) tell(h heard) {
	defer func() {
		if p := recover(); p != nil {
			r.cache.options.Logger.Error("larder: a receiver of changes panicked", "relation", r.name, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if h.lost != 0 {
		r.fn(r.ctx, Change{Relation: r.name, Ops: OpUnknown, Count: -1, Lost: h.lost})
		return
	}
	if r.cache.concerns(r.ctx, &h.notice) {
		r.cache.signals.told.Add(1)
		r.fn(r.ctx, changeOf(&h.notice))
	}
}

func changeOf(n *session.Notice) Change {
	c := Change{
		Relation: n.Relation, Database: n.Database, Ops: n.Ops, Count: n.Count,
		Slices: n.Slices, Rows: n.Rows, Whole: n.Whole, Perhaps: n.Perhaps,
	}
	if n.From == nil {
		c.Source = SourceProcess
	} else if handle, ok := n.From.Owner.(*connector); ok {
		c.DB = handle.db
	}
	return c
}

// concerns reports whether a change is of one of the cache's databases. Handles that have not been used yet connect, for that is
// how they learn which database they are of; one that can't may be of any.
func (c *Cache) concerns(ctx context.Context, n *session.Notice) bool {
	if n.From != nil {
		if handle, ok := n.From.Owner.(*connector); ok && handle.cache == c {
			return true
		}
	}
	if n.Database == "" {
		return true
	}
	for _, handle := range c.handles.list() {
		is, known := handle.source.Knows(n.Database)
		if !known && handle.source.Identify(ctx) != nil {
			return true
		}
		if !known {
			is, _ = handle.source.Knows(n.Database)
		}
		if is {
			return true
		}
	}
	return false
}

// stop ends the receiver.
func (r *receiver) stop() {
	r.leave()
	r.mu.Lock()
	r.stopped, r.waiting = true, nil
	self := goroutine()
	running, within := r.running, r.self != "" && r.self == self
	r.mu.Unlock()
	if within {
		return
	}
	r.cancel()
	if _, other := receiving.Load(self); running != nil && !other {
		<-running
	}
}

// receiving are the goroutines that call receivers. Who stops another receiver from one of them doesn't wait for
// it: that may be waiting for him.
var receiving sync.Map

// goroutine names the one that calls: so a receiver that stops itself is told from another that stops it.
func goroutine() string {
	var room [64]byte
	text := room[:runtime.Stack(room[:], false)]
	name, _, _ := bytes.Cut(bytes.TrimPrefix(text, []byte("goroutine ")), []byte(" "))
	return string(name)
}
