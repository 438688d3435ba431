package session

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// A Check says what came of asking the database for what was answered from the cache.
type Check uint8

// The outcomes of checks.
const (
	Unchecked Check = iota
	Same
	Different // … and no announced write explains that
	Unsure    // a write may explain it, or the database gave no answer, or one whose order or choice of rows it is free in
)

// String returns the outcome's name in lower case.
func (c Check) String() string { return [...]string{"", "same", "different", "unsure"}[c] }

// bindForCheck is how long a hit that needs no connection waits for one, to be checked.
const bindForCheck = time.Second

// due reports whether a read is to be checked, should it be a hit: one of those that are asked for, outside of transactions, where
// the database answers by what is committed.
func (s *Session) due() bool {
	if s.tx.open || s.tx.doubt || s.tx.unlike || s.tx.failed || len(s.open) > 0 {
		return false
	}
	return s.src.sampled()
}

// sampled reports whether one of those that may be checked is to be.
func (s *Source) sampled() bool { return s.Verify >= 1 || rand.Float64() < s.Verify }

// verifyEnded asks the store, after a share of writes, whether it still has a mark of a hold that has ended: nothing of what that is of would be
// answered from the cache.
func (s *Source) verifyEnded(ctx context.Context, hold *coherence.Hold) {
	if s.Verify <= 0 || !s.sampled() {
		return
	}
	if relation, left := hold.Left(ctx); left {
		s.Counters.stripe().stuck.Add(1)
		s.Log.ErrorContext(ctx, "larder: a write has ended, and what it changed is held still: nothing of that is answered from the cache until the hold lapses", "relation", relation)
	}
}

// verify asks the database for what the cache has answered, on the session's own connection. What the caller gets
// is the hit, whatever comes of it. An entry that is wrong is dropped.
func (s *Session) verify(ctx context.Context, c *call, p *planned, o *observation, check *coherence.Check, set *rowSet) Check {
	got := s.askAgain(ctx, c, p, set)
	outcome := Unsure
	if got != nil {
		d := compare(set, got)
		switch {
		case d.none():
			outcome = Same
		case check.Stands(ctx) && !d.explained(c.st, c.seen().shape):
			outcome = Different
			check.Drop(ctx)
			s.reportWrong(ctx, c, p, o, check, d)
		}
	}
	s.count.checks[outcome].Add(1)
	return outcome
}

// askAgain returns what the database answers, nil if that can't be compared.
func (s *Session) askAgain(ctx context.Context, c *call, p *planned, set *rowSet) *rowSet {
	if s.inner == nil {
		within, cancel := context.WithTimeout(ctx, bindForCheck)
		err := s.bind(within)
		cancel()
		if err != nil {
			return nil
		}
	}
	if db, state := s.whereabouts(); db != p.db || state != p.state {
		return nil
	}
	var caller coherence.Writer
	defer caller.End()
	if !s.enter(ctx, c, p, &caller) {
		return nil
	}
	live, err := s.rows(ctx, *c)
	p.understood(&caller)
	if err != nil {
		s.doubtAfter(err)
		return nil
	}
	ahead := read(live.rows, max(2*set.size, s.src.MaxEntryBytes), s.typedByRow(), likeness{})
	err = live.close()
	s.doubtAfter(err)
	if err != nil || !ahead.complete() {
		return nil
	}
	return ahead.set
}

// reportWrong logs what is needed to find out why an entry was wrong.
func (s *Session) reportWrong(ctx context.Context, c *call, p *planned, o *observation, check *coherence.Check, d difference) {
	seen := c.seen()
	_, tokens := check.Tags()
	attrs := []any{
		slog.String("statement", seen.shape), slog.String("fingerprint", seen.fingerprint), slog.String("dialect", string(s.src.Dialect)),
		slog.Any("reads", p.reads), slog.Any("tags", check.Shapes(confine.Readable)), slog.Any("tokens", tokens), slog.Bool("prepared", c.stmt != nil),
		slog.Int("rows", d.rows), slog.Int("database_rows", d.databaseRows), slog.String("differs", d.where()),
	}
	if o.to != nil {
		if age, known := o.to.trail.Age(check.Key()); known {
			attrs = append(attrs, slog.Duration("age", age))
		}
	}
	if s.src.LogValues {
		tags, _ := check.Tags()
		attrs = append(attrs, slog.String("text", c.text), slog.Any("args", c.args), slog.Any("all_tags", tags),
			slog.String("cached", valuesText(d.cached)), slog.String("database", valuesText(d.database)))
	}
	s.src.Log.ErrorContext(ctx, "larder: a hit isn't what the database says, and no write that passed through the cache explains it", attrs...)
}
