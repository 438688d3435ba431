package demo

import (
	"context"
	"sync"
	"time"

	"github.com/larderdb/larder"
)

// An Entry tells a viewer what became of one statement, value, fragment or page.
type Entry struct {
	N       int64    `json:"n"`       // counts entries
	Kind    string   `json:"kind"`    // what it is about
	Who     string   `json:"who"`     // the handle, or who used it; of what isn't a statement its kind
	Outcome string   `json:"outcome"` // of a read; "write" of others; "304" of a page that the browser has
	Why     string   `json:"why"`
	SQL     string   `json:"sql"` // of what isn't a statement its name
	Reads   []string `json:"reads"`
	Writes  []string `json:"writes"`
	Micros  float64  `json:"us,omitempty"`     // as the caller saw it; 0 of what was made: the bare handle was asked meanwhile
	Bare    float64  `json:"bareUs,omitempty"` // the same query on the bare handle; 0 if it wasn't asked
	Rows    int      `json:"rows"`
	Error   string   `json:"error,omitempty"`
}

// entryOf is what an event tells.
func entryOf(who string, e larder.Event) Entry {
	entry := Entry{
		Kind: e.Kind.String(), Who: who, Outcome: e.Outcome.String(), Why: why(e), SQL: e.Text, Reads: e.Reads, Writes: e.Writes,
		Micros: microseconds(e.Total), Rows: e.Rows,
	}
	if e.Write {
		entry.Outcome = "write"
	}
	if e.Kind != larder.KindStatement {
		entry.Who = entry.Kind
		if e.Outcome != larder.OutcomeHit {
			entry.Micros = 0
		}
	}
	if e.Err != nil {
		entry.Error = e.Err.Error()
	}
	return entry
}

// why says in words why a statement had its outcome.
func why(e larder.Event) string {
	reason := e.Reason.String()
	if e.Detail != "" {
		reason += ": " + e.Detail
	}
	switch {
	case e.Write && len(e.Writes) == 0:
		return "nothing that is cached can have changed"
	case e.Write:
		return "announced: what was read from there is not served again"
	case e.Outcome == larder.OutcomeHit:
		return "nothing it reads has changed"
	case e.Kind != larder.KindStatement && e.Detail != "":
		return "made, and not kept: " + e.Detail
	case e.Outcome == larder.OutcomeMiss && e.Reason == larder.Reason(0):
		return "not in the cache, or changed since; kept now"
	case e.Outcome == larder.OutcomeHeld:
		return "a write to what it reads is in flight"
	}
	return reason
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1_000 }

// A feed hands entries to viewers. It never waits for one: a viewer that is slow misses entries,
// and can tell from their numbers.
type feed struct {
	mu      sync.Mutex
	last    int64                   // guarded by mu
	recent  []Entry                 // guarded by mu; the newest last
	viewers map[chan Entry]struct{} // guarded by mu
}

const (
	recentEntries = 40
	viewerBuffer  = 128
	maxViewers    = 32
)

// publish hands an entry to whoever looks.
func (f *feed) publish(e Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	e.N = f.last
	if len(f.recent) == recentEntries {
		f.recent = append(f.recent[:0], f.recent[1:]...)
	}
	f.recent = append(f.recent, e)
	for viewer := range f.viewers {
		select {
		case viewer <- e:
		default: // it is slow
		}
	}
}

// subscribe returns the recent entries after a number, and a channel of those that follow. It
// returns no channel if there are too many viewers already.
func (f *feed) subscribe(after int64) (recent []Entry, viewer chan Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.viewers) == maxViewers {
		return nil, nil
	}
	if f.viewers == nil {
		f.viewers = make(map[chan Entry]struct{})
	}
	viewer = make(chan Entry, viewerBuffer)
	f.viewers[viewer] = struct{}{}
	return f.sinceLocked(after), viewer
}

// since returns the recent entries after a number.
func (f *feed) since(after int64) []Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sinceLocked(after)
}

func (f *feed) sinceLocked(after int64) []Entry {
	var recent []Entry
	for _, e := range f.recent {
		if e.N > after || after > f.last { // the number of an earlier demo says nothing
			recent = append(recent, e)
		}
	}
	return recent
}

// unsubscribe ends what subscribe began.
func (f *feed) unsubscribe(viewer chan Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.viewers, viewer)
}

// observe returns what a handle's statements are told to.
func (f *feed) observe(handle string) func(context.Context, larder.Event) {
	return func(ctx context.Context, e larder.Event) {
		if e.Kind == larder.KindPage { // told knows more of it
			return
		}
		if s, ok := ctx.Value(slipKey{}).(*slip); ok {
			s.add(entryOf(handle, e))
			return
		}
		who := handle
		if named, ok := ctx.Value(whoKey{}).(string); ok {
			who = named
		}
		f.publish(entryOf(who, e))
	}
}

// A slip gathers the entries of one query, until it is known what the bare handle takes for it.
type slip struct {
	mu      sync.Mutex
	entries []Entry // guarded by mu
}

type (
	slipKey struct{}
	whoKey  struct{}
)

func (s *slip) add(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = append(s.entries, e)
}

// withSlip returns a context whose statements are noted on the slip.
func withSlip(ctx context.Context, s *slip) context.Context {
	return context.WithValue(ctx, slipKey{}, s)
}

// withWho returns a context whose statements are said to be someone's.
func withWho(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, whoKey{}, who)
}

// settle publishes a slip's entries with the time that the query took through either handle.
func (f *feed) settle(s *slip, cached, bare time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range s.entries {
		if i == len(s.entries)-1 {
			e.Micros, e.Bare = microseconds(cached), microseconds(bare)
		}
		f.publish(e)
	}
}
