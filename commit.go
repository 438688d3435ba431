package larder

import (
	"context"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/larderdb/larder/session"
)

// OnCommit calls fn with the relations of each change that is committed through a handle of this process over the cache's store, by the names that
// OnChange gives, after its results were removed and before the writer's call returns: what must have happened
// before a write is acknowledged, as the purge of a cache further out (page.Edge.Settle). "*" stands for relations that can't be told, and "tag:rates" for
// a Tag that this process announces. It is called as well where it isn't known whether a change was committed, and with "*" when a shared store that was
// away has been told of writes: until then other processes may have answered with what is older.
//
// The writer waits for fn, whose context doesn't end: fn has to bound its own time. The change is committed whatever fn does, and can't be made
// undone; a panic of fn is logged. Several writers call fn at once. It must not write by the handle itself, whose only connection may be the writer's.
//
// stop ends it, and waits for nothing. It panics if fn is nil.
func (c *Cache) OnCommit(fn func(ctx context.Context, relations []string)) (stop func()) {
	if fn == nil {
		panic("larder: OnCommit needs a function")
	}
	hub := session.AcquireHub(c.store)
	unlisten := hub.Listen(&session.Listener{
		Rows:   func(string) bool { return false },
		Hear:   func([]session.Notice) {},
		Settle: func(notices []session.Notice) { c.settle(fn, notices) },
	})
	return sync.OnceFunc(func() {
		unlisten()
		hub.Release()
	})
}

// settle calls a function of OnCommit, unless it was another process that wrote.
func (c *Cache) settle(fn func(context.Context, []string), notices []session.Notice) {
	defer func() {
		if p := recover(); p != nil {
			c.options.Logger.Error("larder: a function of OnCommit panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	var relations []string
	for i := range notices {
		if n := &notices[i]; n.From != nil {
			relations = append(relations, n.Relation)
		}
	}
	if len(relations) > 0 {
		slices.Sort(relations)
		fn(context.Background(), slices.Compact(relations))
	}
}
