package demo

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// A writer changes things in the background, through a handle of its own.
type writer struct {
	db   *sql.DB // writes
	bare *sql.DB // finds what to write
	rows int64

	mu     sync.Mutex
	job    job                // guarded by mu
	cancel context.CancelFunc // guarded by mu; nil while it rests
	done   chan struct{}      // guarded by mu; closed when the job has ended
}

// A job is what a writer does; the zero job is nothing.
type job struct {
	Rate int   // writes a second
	User int64 // whose things; 0: anyone's
}

// maxRate is how many writes a second a writer does at most.
const maxRate = 500

// start gives the writer another job, which ends with ctx.
func (w *writer) start(ctx context.Context, j job) {
	w.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, w.cancel = context.WithCancel(withWho(ctx, "second writer"))
	w.job, w.done = j, make(chan struct{})
	go w.work(ctx, j, w.done)
}

// stop ends the writer's job, and returns when it has ended.
func (w *writer) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		w.cancel()
		<-w.done
	}
	w.job, w.cancel = job{}, nil
}

// current returns the writer's job.
func (w *writer) current() job {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.job
}

// work writes at a job's rate until ctx is done. A write that fails is told by its event.
func (w *writer) work(ctx context.Context, j job, done chan struct{}) {
	defer close(done)
	ticker := time.NewTicker(time.Second / time.Duration(j.Rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if id, err := w.pick(ctx, j.User); err == nil {
			w.db.ExecContext(ctx, stockUpStuff, id)
		}
	}
}

// pick returns the number of a thing: one of a user's, or anyone's.
func (w *writer) pick(ctx context.Context, user int64) (int64, error) {
	if user == 0 {
		return 1 + rand.Int64N(w.rows), nil
	}
	n, err := countThings(ctx, w.bare, user)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, fmt.Errorf("user %d has nothing", user)
	}
	things, err := listThings(ctx, w.bare, user, 1, rand.IntN(n))
	if err != nil || len(things) == 0 {
		return 0, fmt.Errorf("pick a thing of user %d: %w", user, err)
	}
	return things[0].ID, nil
}
