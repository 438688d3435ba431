package session

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// newSource returns the source of sessions of an SQLite file; every failing-th of its
// connections can't be opened (0: none).
func newSource(t *testing.T, in store.Store, dsn string, failing int) *Source {
	t.Helper()
	db, err := sql.Open("sqlite", "")
	if err != nil {
		t.Fatal(err)
	}
	inner := db.Driver()
	db.Close()
	var mu sync.Mutex
	count := 0
	connect := func(context.Context) (driver.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if count++; failing > 0 && count%failing == 0 {
			return nil, errors.New("no connection")
		}
		return inner.Open(dsn)
	}
	return NewSource(Config{Dialect: analyze.SQLite, Connect: connect, DSN: dsn, Name: "test " + dsn, Lazy: true, Steady: true, Store: in,
		Statements: analyze.NewCache(1 << 20), MaxEntryBytes: 1 << 10, TTL: 1e9, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Counters: new(Counters)})
}

// TestRegistryEmpties: once every session and source is closed, whatever happened to
// them, no database is registered any more.
func TestRegistryEmpties(t *testing.T) {
	in := memory.New(1 << 20)
	defer in.Close()
	dir := t.TempDir()
	other := "ATTACH '" + filepath.Join(dir, "other.db") + "' AS other"
	texts := []string{"CREATE TABLE IF NOT EXISTS stuff (id INTEGER)", "INSERT INTO stuff VALUES (1)", "SELECT id FROM stuff", "SELECT nothing", "BEGIN", other,
		"SELECT id FROM stuff", "COMMIT", "DETACH other", "PRAGMA user_version", "SAVEPOINT s", "UPDATE stuff SET id = id", "CREATE TEMP TABLE t (id INTEGER)", "ROLLBACK"}
	var all sync.WaitGroup
	for i, dsn := range []string{"file:" + filepath.Join(dir, "a.db"), "file:" + filepath.Join(dir, "a.db"), ":memory:", "file:" + filepath.Join(dir, "b.db"), filepath.Join(dir, "no", "where.db")} {
		src := newSource(t, in, dsn, i)
		all.Go(func() {
			var sessions sync.WaitGroup
			for n := range 6 {
				sessions.Go(func() { useSession(src, texts[n%3:]) })
			}
			sessions.Wait()
			src.Explain(context.Background(), "SELECT id FROM stuff", nil)
			src.Invalidate(context.Background(), []string{"nowhere"})
			src.Invalidate(context.Background(), []string{"*"})
			late := src.New()
			late.Query(context.Background(), "SELECT id FROM stuff", nil)
			if i == 0 && len(registered(in)) == 0 {
				t.Error("nothing was registered")
			}
			src.Close()
			late.Query(context.Background(), "SELECT count(*) FROM stuff", nil)
			late.Close()
			late.Close()
		})
	}
	all.Wait()
	for _, db := range registered(in) {
		t.Errorf("still registered: %s, used by %d", db.key.identity, db.refs)
	}
}

// useSession runs texts as reads and as writes.
func useSession(src *Source, texts []string) {
	s, ctx := src.New(), context.Background()
	defer s.Close()
	for i, text := range texts {
		if rows, err := s.Query(ctx, text, nil); err == nil && i%2 == 0 {
			rows.Close()
		}
		s.Exec(ctx, text, nil)
		if stmt, err := s.Prepare(ctx, text); err == nil && i%2 == 0 {
			stmt.Close()
		}
		if i == 4 {
			if tx, err := s.Begin(ctx, driver.TxOptions{}); err == nil {
				tx.Commit()
			}
			s.HandOut(ctx)
		}
		s.Reset(ctx)
		s.Valid()
	}
}
