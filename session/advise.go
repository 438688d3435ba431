package session

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/larderdb/larder/analyze"
)

// An operator who watches nothing is told in the log of statements whose results don't pay, when that is found; seldom, as a
// program may have many.

const (
	adviceEvery = time.Hour // of one statement
	adviceLimit = 20        // lines of one source in that time
)

// An adviser tells which statements were told of.
type adviser struct {
	mu    sync.Mutex
	begun time.Time           // of the hour
	told  map[string]struct{} // by fingerprint, in this hour; at most adviceLimit
	now   func() time.Time    // nil: time.Now
}

// may reports whether a statement is to be told of now.
func (a *adviser) may(fingerprint string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.now != nil {
		now = a.now()
	}
	if a.told == nil || now.Sub(a.begun) >= adviceEvery {
		a.begun, a.told = now, make(map[string]struct{})
	}
	if _, was := a.told[fingerprint]; was || len(a.told) >= adviceLimit {
		return false
	}
	a.told[fingerprint] = struct{}{}
	return true
}

// advise tells, when the first result of a statement isn't kept by a verdict, why its results don't pay. Values aren't told.
func (s *Session) advise(ctx context.Context, p *planned, verdict int32) {
	log := s.src.Log
	if verdict == pays || !log.Enabled(ctx, slog.LevelInfo) { // it may have been judged anew just now
		return
	}
	shape := analyze.Shape(s.src.Dialect, p.text.Text)
	fingerprint := analyze.Fingerprint(shape)
	if !s.src.adviser.may(fingerprint) {
		return
	}
	why := "they leave the cache unused, to make room for others"
	if verdict == overwritten {
		why = "most are removed by writes before they are used"
	}
	log.InfoContext(ctx, "larder: results of a statement don't pay: for the time being those are kept that are asked for again soon",
		"statement", shape, "fingerprint", fingerprint, "why", why, "left", judged, "uses", p.yield.lastUses.Load(),
		"removed", p.yield.lastRemoved.Load(), "database", time.Duration(p.yield.took.Load()))
}
