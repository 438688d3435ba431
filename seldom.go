package larder

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// seldom passes on each warning once a second at most, and with the next how many like it there were between: while a
// store is away every write has something to say. What is less than a warning is bounded by who says it.
type seldom struct {
	slog.Handler
	heard *silences
}

// silences are what was passed on. Messages are few texts of this module's.
type silences struct {
	mu sync.Mutex
	of map[string]*silence // by message; guarded by mu
}

type silence struct {
	since   time.Time
	skipped int
}

const pauseOfMessages = time.Second

// Handle implements slog.Handler.
func (s *seldom) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return s.Handler.Handle(ctx, r)
	}
	skipped, pass := s.heard.next(r.Message, r.Time)
	if !pass {
		return nil
	}
	if skipped > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("likeIt", skipped))
	}
	return s.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (s *seldom) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &seldom{s.Handler.WithAttrs(attrs), s.heard}
}

// WithGroup implements slog.Handler.
func (s *seldom) WithGroup(name string) slog.Handler {
	return &seldom{s.Handler.WithGroup(name), s.heard}
}

func (h *silences) next(message string, at time.Time) (skipped int, pass bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = make(map[string]*silence)
	}
	last := h.of[message]
	if last == nil {
		last = new(silence)
		h.of[message] = last
	}
	if at.Sub(last.since) < pauseOfMessages {
		last.skipped++
		return 0, false
	}
	skipped, last.skipped, last.since = last.skipped, 0, at
	return skipped, true
}
