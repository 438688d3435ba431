package page

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Changed has the pages purged that were read from relations, by the names that events have; "*" stands for all. It waits for nothing:
// what has changed while a purge runs is in the next one.
func (e *Edge) Changed(_ context.Context, relations []string) {
	if len(relations) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.addLocked(wideTag, true)
	for _, r := range relations {
		e.stats.Changes++
		if !e.addLocked(TagOf(r), true) {
			e.stats.Coalesced++
		}
	}
	e.startLocked()
}

// addLocked adds a tag to those that wait, and reports whether it didn't.
func (e *Edge) addLocked(tag string, again bool) bool {
	w, waits := e.waiting[tag]
	if !waits {
		w.since = time.Now()
	}
	w.again = w.again || again
	e.waiting[tag] = w
	return !waits
}

// startLocked has what waits purged.
func (e *Edge) startLocked() {
	e.added++
	if !e.running {
		e.running = true
		go e.run()
	}
}

// Settle has the pages purged that were read from relations, as Changed does, and returns when they are. If the edge can't be reached for
// longer than EdgeOptions.Patience it returns all the same, since the write is made: EdgeStats.Late counts that, the purge goes on
// to be tried, and until then the edge serves what is older, if it serves anything.
//
// A page that was on its way meanwhile may reach the edge after that, and be served until the purge is repeated: unless EdgeOptions.Strict
// is set, what the edge serves may be older than a write that was acknowledged less than so long before.
func (e *Edge) Settle(ctx context.Context, relations []string) {
	within := e.o.Patience
	if e.o.Strict {
		within += e.o.Again
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	e.Changed(ctx, relations)
	err := e.Wait(ctx)
	if err == nil && e.o.Strict {
		err = e.settleAgain(ctx, relations)
	}
	if err != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.stats.Late++
	}
}

// settleAgain repeats a purge when it is time.
func (e *Edge) settleAgain(ctx context.Context, relations []string) error {
	select {
	case <-time.After(e.o.Again):
	case <-ctx.Done():
		return ctx.Err()
	}
	again := map[string]bool{wideTag: true}
	for _, r := range relations {
		again[TagOf(r)] = true
	}
	e.repeat(again)
	return e.Wait(ctx)
}

// Wait returns when all changes up to now are purged, or with the error of ctx.
func (e *Edge) Wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.progress.Broadcast()
	})
	defer stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	upTo := e.added
	e.waiters++
	defer func() { e.waiters-- }()
	select {
	case e.awaited <- struct{}{}:
	default: // it knows, or isn't waiting
	}
	for e.purged < upTo && ctx.Err() == nil {
		e.progress.Wait()
	}
	if e.purged < upTo {
		return fmt.Errorf("page: wait for the edge: %w", ctx.Err())
	}
	return nil
}

// Stats tells what was done.
func (e *Edge) Stats() EdgeStats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Waiting = len(e.waiting)
	for tag := range e.trying {
		if _, waits := e.waiting[tag]; !waits {
			s.Waiting++
		}
	}
	return s
}

const (
	longestRetry = 5 * time.Second
	purgeWithin  = 30 * time.Second
	logEvery     = 5 * time.Second // of failures in a row
)

// run purges what waits until nothing does.
func (e *Edge) run() {
	pause, logged := e.o.Retry, time.Time{}
	for {
		batch, upTo := e.take()
		if batch == nil {
			return
		}
		if err := e.purge(batch, upTo); err != nil {
			if time.Since(logged) >= logEvery {
				e.o.Logger.Warn("page: purge the edge", "error", err, "tags", len(batch))
				logged = time.Now()
			}
			e.back(batch)
			e.nap(pause)
			pause = max(e.o.Retry, min(2*pause, longestRetry))
			continue
		}
		pause, logged = e.o.Retry, time.Time{}
	}
}

// nap waits between two tries: while somebody waits for the purge, for a quarter of what he does at most.
func (e *Edge) nap(pause time.Duration) {
	for began := time.Now(); ; {
		left := pause
		if e.isAwaited() {
			left = min(left, max(e.o.Retry, e.o.Patience/4))
		}
		if left -= time.Since(began); left <= 0 {
			return
		}
		select {
		case <-time.After(left):
		case <-e.awaited:
		}
	}
}

func (e *Edge) isAwaited() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.waiters > 0
}

// take takes out what waits, and tells up to which addition that is all. If nothing waits the goroutine is to end.
func (e *Edge) take() (batch map[string]wait, upTo int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.waiting) == 0 {
		e.running = false
		return nil, e.added
	}
	batch, e.waiting = e.waiting, map[string]wait{}
	e.trying = batch
	return batch, e.added
}

// purge purges tags, and counts.
func (e *Edge) purge(batch map[string]wait, upTo int64) error {
	tags := slices.Sorted(maps.Keys(batch))
	since := time.Now()
	for _, w := range batch {
		if w.since.Before(since) {
			since = w.since
		}
	}
	err := e.once(tags)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.stats.Failures++
		return err
	}
	e.trying = nil
	e.stats.Purges++
	e.stats.Tags += int64(len(tags))
	e.stats.Lag = max(e.stats.Lag, time.Since(since))
	e.purged = upTo
	e.progress.Broadcast()
	e.repeatLocked(batch)
	return nil
}

// once calls the purger, whose panic is an error.
func (e *Edge) once(tags []string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("page: the purger panicked: %v", v)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), purgeWithin)
	defer cancel()
	return e.purger.Purge(ctx, tags)
}

// back puts tags back to those that wait, since they did.
func (e *Edge) back(batch map[string]wait) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.trying = nil
	for tag, w := range batch {
		w.again = w.again || e.waiting[tag].again
		e.waiting[tag] = w
	}
}

// repeatLocked has tags purged once more, later. A repetition isn't repeated.
func (e *Edge) repeatLocked(batch map[string]wait) {
	if e.o.Again < 0 {
		return
	}
	now, some := time.Now(), e.o.Again/4 // for which those that come are joined
	for tag, w := range batch {
		if !w.again {
			continue
		}
		if e.again == nil || now.After(e.joinable) {
			again := map[string]bool{}
			e.again, e.joinable = again, now.Add(some)
			time.AfterFunc(e.o.Again+some, func() { e.repeat(again) })
		}
		e.again[tag] = true
	}
}

// repeat has purged what was purged before.
func (e *Edge) repeat(tags map[string]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for tag := range tags {
		e.addLocked(tag, false)
	}
	e.startLocked()
}
