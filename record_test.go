package larder

import (
	"path/filepath"
	"testing"

	"github.com/larderdb/larder/coherence"
)

// TestReadsThatSpoilARecording: nothing is kept that was made from a read that failed, or of which the tokens may be newer
// than what was read.
func TestReadsThatSpoilARecording(t *testing.T) {
	cache, err := New(&Options{MaxBytes: 8 << 20, MaxEntryBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	db, err := cache.Open("sqlite", filepath.Join(t.TempDir(), "record.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(); cache.Close() })
	for _, text := range []string{"CREATE TABLE t (v text)", "INSERT INTO t VALUES ('a'), ('b'), ('c')", "UPDATE t SET v = v || zeroblob(900)"} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	spoiled := func(name, want, query string) {
		t.Helper()
		ctx, rec := coherence.Record(t.Context())
		rows, err := db.QueryContext(ctx, query)
		if err == nil {
			for rows.Next() {
			}
			rows.Close()
		}
		if got := rec.Spoiled(); got != want {
			t.Errorf("%s: spoiled by %q, want %q", name, got, want)
		}
	}
	spoiled("a read", "", "SELECT count(*) FROM t")
	spoiled("a large read", "", "SELECT v FROM t")
	spoiled("no such table", "unknown relation", "SELECT count(*) FROM missing")
	spoiled("a row that can't be read", "a read failed", "SELECT abs(-9223372036854775808 + length(v) - length(v)) FROM t")

	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	open, err := conn.QueryContext(t.Context(), "SELECT v FROM t")
	if err != nil || !open.Next() {
		t.Fatal(err)
	}
	defer open.Close()
	ctx, rec := coherence.Record(t.Context())
	var n int
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM t WHERE v > ''").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if rec.Spoiled() == "" {
		t.Error("a read beside an open result of SQLite doesn't spoil")
	}
}
