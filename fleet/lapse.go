package fleet

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// lapses listens to what the cache says, and notes when the store could not be told of a write: from when it
// says so, which is before the write is made, until it could be told of all. Where it says that a hold could not be
// renewed, or a write not announced, or that a hold has lapsed, the hold may have lapsed while the statement was under way: at most a lease before.
type lapses struct {
	slog.Handler // there is none
	w            *Worker
	mu           sync.Mutex
	open         [2]bool // by cause; guarded by mu
}

// Enabled implements slog.Handler.
func (l *lapses) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// alone is the key of contexts of statements outside of transactions.
type alone struct{}

// causes are the messages that tell of a lapse.
var causes = map[string]cause{
	"a write can't be held":                 untold,
	"a hold can't be renewed":               untold,
	"a write can't be announced":            untold,
	"a hold has lapsed under its statement": late,
}

// Handle implements slog.Handler.
func (l *lapses) Handle(ctx context.Context, r slog.Record) error {
	for what, why := range causes {
		if why == late && ctx.Value(alone{}) == nil {
			continue // the database ends a transaction that is idle for so long: this must not have been too late for anybody
		}
		if strings.Contains(r.Message, what) && !l.w.FailClosed {
			from := now()
			if what != "a write can't be held" {
				from -= int64(l.w.Lease)
			}
			l.begin(from, why)
		}
	}
	return nil
}

func (l *lapses) begin(from int64, why cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[why] {
		return
	}
	l.open[why] = true
	record := l.w.history.begin(record{begin: from, kind: lapsed, cause: why})
	go func() {
		for l.w.cache.Stats().Unannounced > 0 || !l.end(record) {
			time.Sleep(5 * time.Millisecond)
		}
	}()
}

// end ends the lapse, unless another write has come.
func (l *lapses) end(r *record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.w.cache.Stats().Unannounced > 0 {
		return false
	}
	l.open[r.cause] = false
	l.w.history.end(r, now(), done)
	return true
}
