package larder_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/analyze"
)

// adaptive opens a cache of 1 MiB over SQLite with 2,000 rows of 20 users, and returns what becomes of reads.
func adaptive(t *testing.T, o larder.Options) (*sql.DB, *larder.Cache, func(query string, args ...any) (larder.Outcome, larder.Reason)) {
	t.Helper()
	var last larder.Event
	o.Observe = func(_ context.Context, e larder.Event) {
		if !e.Write {
			last = e
		}
	}
	cache, err := larder.New(&o)
	must(t, err)
	t.Cleanup(func() { cache.Close() })
	db, err := cache.Open("sqlite", filepath.Join(t.TempDir(), "adaptive.db"))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	change(t, db, "CREATE TABLE stuff (id integer PRIMARY KEY, user_id integer NOT NULL, name text)")
	change(t, db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO stuff SELECT i, i % 20, 'thing ' || i FROM n")
	return db, cache, func(query string, args ...any) (larder.Outcome, larder.Reason) {
		rows, err := db.Query(query, args...)
		must(t, err)
		for rows.Next() {
		}
		must(t, rows.Err())
		must(t, rows.Close())
		return last.Outcome, last.Reason
	}
}

const unprofitable = analyze.Unprofitable

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func change(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	_, err := db.Exec(query, args...)
	must(t, err)
}

const (
	scanned = "SELECT id, name FROM stuff WHERE user_id = ? AND id > ?"
	owned   = "SELECT id, name FROM stuff WHERE user_id = ?"
)

// TestAdaptiveScan: results that leave unused to make room for others are soon kept only if they are asked
// for again; other statements, and what is made of such results, are as before.
func TestAdaptiveScan(t *testing.T) {
	_, cache, read := adaptive(t, larder.Options{MaxBytes: 1 << 20, MaxEntryBytes: 64 << 10})
	at := 0
	next := func() (larder.Outcome, larder.Reason) { at--; return read(scanned, 1, at) }
	for range 2000 {
		next()
	}
	if _, reason := next(); reason != unprofitable {
		t.Fatalf("a scan's result: %v; want %v", reason, unprofitable)
	}
	tries := 0
	for ; tries < 20; tries++ {
		if got, _ := read(scanned, 1, at); got == larder.OutcomeHit {
			break
		}
	}
	if tries == 0 || tries == 20 {
		t.Errorf("a hit after it was asked for again %d times", tries)
	}
	for i, want := range []larder.Outcome{larder.OutcomeMiss, larder.OutcomeHit} {
		if got, reason := read(owned, 1); got != want {
			t.Errorf("another statement, %d: %v (%v); want %v", i, got, reason, want)
		}
	}
	if s := cache.Stats(); s.Reasons[unprofitable] == 0 || s.HitRatio() > 0.01 {
		t.Errorf("%d unprofitable, hit ratio %v", s.Reasons[unprofitable], s.HitRatio())
	}
	again := 0
	for range 5000 {
		if outcome, _ := next(); outcome == larder.OutcomeMiss {
			again++
		}
	}
	if again < 100 || again > 1000 {
		t.Errorf("%d of 5000 were kept: want some hundreds, by which it is tried again", again)
	}
}

// TestAdaptiveAdvice: the log is told once of a statement whose results don't pay, and why; not of values, nor of what pays.
func TestAdaptiveAdvice(t *testing.T) {
	for why, run := range map[string]func(db *sql.DB, read func(string, ...any) (larder.Outcome, larder.Reason)){
		"to make room for others": func(_ *sql.DB, read func(string, ...any) (larder.Outcome, larder.Reason)) {
			for i := range 2000 {
				read("SELECT id, name FROM stuff WHERE user_id = ? AND id > ? AND name <> 'secret'", 1, -i)
				read("SELECT count(*) FROM stuff WHERE user_id = ?", 1)
			}
		},
		"are removed by writes": func(db *sql.DB, read func(string, ...any) (larder.Outcome, larder.Reason)) {
			for i := range 1000 {
				read("SELECT id, name FROM stuff WHERE user_id = ? /* secret */ AND name <> 'secret'", i%20)
				for range 5 { // which pays, though each of its results is removed
					read("SELECT name FROM stuff WHERE user_id = ?", i%20)
				}
				change(t, db, "UPDATE stuff SET name = ? WHERE user_id = ?", fmt.Sprint(i), i%20)
			}
		},
	} {
		var log bytes.Buffer
		db, _, read := adaptive(t, larder.Options{MaxBytes: 1 << 20, MaxEntryBytes: 64 << 10, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		run(db, read)
		if text := log.String(); strings.Count(text, "don't pay") != 1 || !strings.Contains(text, why) || strings.Contains(text, "secret") || !strings.Contains(text, "FROM stuff WHERE user_id = ?") {
			t.Errorf("%s:\n%s", why, text)
		}
	}
}

// TestAdaptiveOff: every result is kept if it is asked for.
func TestAdaptiveOff(t *testing.T) {
	var log bytes.Buffer
	_, cache, read := adaptive(t, larder.Options{MaxBytes: 1 << 20, MaxEntryBytes: 64 << 10, NotAdaptive: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for i := range 2000 {
		read(scanned, 1, -i)
	}
	if n := cache.Stats().Reasons[unprofitable]; n != 0 || log.Len() > 0 {
		t.Errorf("%d results weren't kept; %s", n, log.String())
	}
}

// TestAdaptiveWrites: results that writes remove before they are used are soon not kept, and their writes are not asked
// for rows any more. When they are used again they are kept again.
func TestAdaptiveWrites(t *testing.T) {
	db, _, read := adaptive(t, larder.Options{MaxBytes: 4 << 20})
	write := func(i int) { change(t, db, "UPDATE stuff SET name = ? WHERE user_id = ?", fmt.Sprint(i), i%20) }
	passed := 0
	for i := range 1000 {
		if _, reason := read(owned, i%20); i >= 600 && reason == unprofitable {
			passed++
		}
		write(i)
	}
	if passed < 200 {
		t.Fatalf("of 400 reads of lists that are written as often as read %d weren't kept", passed)
	}
	hits := 0
	for i := range 6000 {
		if outcome, _ := read(owned, i%20); outcome == larder.OutcomeHit {
			hits++
		}
	}
	if hits < 5500 {
		t.Errorf("%d hits of 6000 reads without a write", hits)
	}
	for i := range 200 {
		for range 10 {
			read(owned, i%20)
		}
		write(i)
	}
	for i := range 20 {
		read(owned, i)
	}
	if outcome, reason := read(owned, 3); outcome != larder.OutcomeHit {
		t.Errorf("a list that is read more often than written: %v, %v", outcome, reason)
	}
}
