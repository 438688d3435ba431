package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// farMemory is a memory store taken for one that processes share, which can't be told of writes for a while.
type farMemory struct {
	*memory.Store
	away   atomic.Bool
	closed atomic.Bool
}

var errFar = errors.New("the store is away")

func (f *farMemory) Lease() time.Duration { return 30 * time.Second }
func (f *farMemory) Claim(context.Context, string, time.Duration) (bool, error) {
	return true, nil
}
func (f *farMemory) Unclaim(context.Context, string) error { return nil }

func (f *farMemory) tells() error {
	switch {
	case f.closed.Load():
		return store.ErrClosed
	case f.away.Load():
		return errFar
	}
	return nil
}

func (f *farMemory) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	if err := f.tells(); err != nil {
		return err
	}
	return f.Store.Hold(ctx, id, tags, lease, look)
}

func (f *farMemory) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	if err := f.tells(); err != nil {
		return err
	}
	return f.Store.Release(ctx, id, tags)
}

// name reads the name of the only row.
func name(t *testing.T, s *Session) string {
	t.Helper()
	rows, err := s.Query(t.Context(), "SELECT name FROM stuff WHERE id = 1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return row[0].(string)
}

// TestFenceOutlivesHandles: a write of which the store couldn't be told is remembered when nobody uses its database any more: who uses it next
// must not read what is older.
func TestFenceOutlivesHandles(t *testing.T) {
	in := &farMemory{Store: memory.New(1 << 20)}
	defer in.Close()
	src := newSource(t, in, "file:"+filepath.Join(t.TempDir(), "a.db"), 0)
	src.Lazy = false
	s := src.New()
	for _, text := range []string{"CREATE TABLE stuff (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO stuff VALUES (1, 'old')"} {
		if _, err := s.Exec(t.Context(), text, nil); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(20 * time.Second); src.Counters.Totals().Hits == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		name(t, s)
	}
	in.away.Store(true)
	if _, err := s.Exec(t.Context(), "UPDATE stuff SET name = 'new' WHERE id = 1", nil); err != nil {
		t.Fatal(err)
	}
	s.Close()
	src.Close()

	again := newSource(t, in, src.DSN, 0)
	s = again.New()
	if got := name(t, s); got != "new" {
		t.Errorf("the process that has written reads %q", got)
	}
	s.Close()
	again.Close()
	if n := len(registered(in)); n != 1 {
		t.Errorf("%d databases are registered, want the one that has to tell", n)
	}
	in.away.Store(false)
	for end := time.Now().Add(20 * time.Second); len(registered(in)) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the database is registered for ever")
		}
	}
}

// TestClosedStoreLetsGo: nobody waits to tell a store that is closed.
func TestClosedStoreLetsGo(t *testing.T) {
	in := &farMemory{Store: memory.New(1 << 20)}
	defer in.Close()
	src := newSource(t, in, "file:"+filepath.Join(t.TempDir(), "a.db"), 0)
	s := src.New()
	for i, text := range []string{"CREATE TABLE stuff (id INTEGER PRIMARY KEY)", "INSERT INTO stuff VALUES (1)"} {
		in.away.Store(i > 0)
		if _, err := s.Exec(t.Context(), text, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	src.Close()
	if len(registered(in)) == 0 {
		t.Fatal("nothing has to be told")
	}
	in.closed.Store(true)
	for end := time.Now().Add(20 * time.Second); len(registered(in)) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the database is registered for ever")
		}
	}
}

// A panicky store panics when it is told of a write's end, once.
type panicky struct {
	*memory.Store
	panics atomic.Bool
}

func (p *panicky) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	if p.panics.Swap(false) {
		panic("the store")
	}
	return p.Store.Release(ctx, id, tags)
}

// TestReleasePanics: what is held when a store panics is left to its lease.
func TestReleasePanics(t *testing.T) {
	in := &panicky{Store: memory.New(1 << 20)}
	defer in.Close()
	src := newSource(t, in, "file:"+filepath.Join(t.TempDir(), "a.db"), 0)
	defer src.Close()
	src.Domain.Lease = time.Second
	s := src.New()
	defer s.Close()
	for _, text := range []string{"CREATE TABLE stuff (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO stuff VALUES (1, 'old')"} {
		if _, err := s.Exec(t.Context(), text, nil); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := s.Begin(t.Context(), driver.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(t.Context(), "UPDATE stuff SET name = 'new' WHERE id = 1", nil); err != nil {
		t.Fatal(err)
	}
	in.panics.Store(true)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		_ = tx.Commit()
	}()
	before := src.Counters.Totals().Hits
	for end := time.Now().Add(20 * time.Second); src.Counters.Totals().Hits == before; time.Sleep(time.Millisecond) {
		if got := name(t, s); got != "new" {
			t.Fatalf("read %q", got)
		}
		if time.Now().After(end) {
			t.Fatal("it is held for ever")
		}
	}
}
