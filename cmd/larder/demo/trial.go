package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/larderdb/larder"
)

// A Trial is a run of the workload, half of the time on bare handles and half on cached
// ones, every read judged.
//
// Both halves begin with the same shop, each in a file of its own, since the cache can't
// know of writes past it. They take turns, so that a machine that is slow for a while
// is slow for both.
type Trial struct {
	Size    Size
	Workers int           // goroutines that read and write
	For     time.Duration // in all, building the shop aside
	Dir     string        // where the files are kept; empty: nowhere

	// Open opens the handles of the cached half; nil: through Larder. Tests put in
	// handles that must not pass.
	Open func(path string) (*sql.DB, error)
}

const (
	handleCount = 2
	turns       = 2 // of each half
)

// Run runs the trial. It fails if an operation fails; what was found until then is reported
// all the same. When ctx is done it ends early, and reports.
func (t *Trial) Run(ctx context.Context) (*Report, error) {
	dir, cleanup, err := shopDir(t.Dir)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	paths, err := t.build(ctx, dir)
	if err != nil {
		return nil, err
	}
	bare, err := t.half(ctx, paths[0], openBare)
	if err != nil {
		return nil, err
	}
	defer bare.Close()
	cached, err := t.half(ctx, paths[1], t.openCached)
	if err != nil {
		return nil, err
	}
	defer cached.Close()
	return t.drive(ctx, bare, cached)
}

// drive lets the halves take turns.
func (t *Trial) drive(ctx context.Context, bare, cached *half) (*Report, error) {
	var failure error
	turn := t.For / (2 * turns)
	for i := range 2 * turns {
		h := bare
		if i%2 == 1 {
			h = cached
		}
		if failure = h.run(ctx, turn, uint64(i/2)); failure != nil || ctx.Err() != nil {
			break
		}
	}
	return &Report{
		Size: t.Size, Workers: t.Workers, Handles: handleCount,
		Bare: bare.result(), Cached: cached.result(), Interrupted: ctx.Err() != nil,
	}, failure
}

// build makes the two files: one, and its copy.
func (t *Trial) build(ctx context.Context, dir string) (paths [2]string, err error) {
	paths = [2]string{filepath.Join(dir, "larder-demo-bare.db"), filepath.Join(dir, "larder-demo.db")}
	for _, path := range paths {
		if err := removeShop(path); err != nil {
			return paths, err
		}
	}
	if err := build(ctx, paths[0], t.Size); err != nil {
		return paths, err
	}
	return paths, copyFile(paths[1], paths[0])
}

func (t *Trial) openCached(path string) (*sql.DB, error) {
	if t.Open != nil {
		return t.Open(path)
	}
	return larder.Open(driverName, dataSource(path), nil)
}

// A half is one side of a trial.
type half struct {
	*workload
	sum tally
}

// half opens the handles of one side.
func (t *Trial) half(ctx context.Context, path string, open func(string) (*sql.DB, error)) (*half, error) {
	h := &half{}
	var handles []*sql.DB
	for range handleCount {
		db, err := open(path)
		if err != nil {
			return nil, errors.Join(err, closeAll(handles))
		}
		handles = append(handles, db)
	}
	w, err := newWorkload(ctx, handles, t.Workers, t.Size)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), closeAll(handles))
	}
	h.workload = w
	return h, nil
}

// run adds a turn to what the half has done.
func (h *half) run(ctx context.Context, d time.Duration, seed uint64) error {
	hits, asked := hitsOf(h.handles)
	t, err := h.workload.run(ctx, time.Now().Add(d), seed)
	hitsNow, askedNow := hitsOf(h.handles)
	t.hits, t.asked = hitsNow-hits, askedNow-asked
	h.sum.merge(t)
	return err
}

// result ends the half: nothing runs any more.
func (h *half) result() Result {
	h.judge.Close()
	return Result{tally: &h.sum, Verdict: h.judge.Verdict()}
}

func (h *half) Close() error { return closeAll(h.handles) }

func closeAll(handles []*sql.DB) error {
	var err error
	for _, db := range handles {
		err = errors.Join(err, db.Close())
	}
	return err
}

// shopDir returns the directory for the files, and what removes it if it isn't to be kept.
func shopDir(keep string) (dir string, cleanup func(), err error) {
	if keep != "" {
		dir, err = filepath.Abs(keep)
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
		return dir, func() {}, err
	}
	dir, err = os.MkdirTemp("", "larder-demo-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// removeShop removes a shop's file of an earlier demo, and what SQLite keeps beside it.
func removeShop(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		target.Close()
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return target.Close()
}
