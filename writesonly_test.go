package larder_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/store/memory"
)

// TestWritesOnly: a cache that only announces writes answers no read, and another one of its store is as
// fresh as if it did; the environment has it do so, too.
func TestWritesOnly(t *testing.T) {
	store := memory.New(1 << 20)
	path := filepath.Join(t.TempDir(), "writes.db")
	open := func(o larder.Options) (*larder.Cache, func(string) int, func(string)) {
		o.Store = store
		cache, err := larder.New(&o)
		must(t, err)
		db, err := cache.Open("sqlite", path)
		must(t, err)
		t.Cleanup(func() { db.Close() })
		read := func(query string) (n int) {
			must(t, db.QueryRow(query).Scan(&n))
			return n
		}
		return cache, read, func(text string) { change(t, db, text) }
	}
	writing, readThere, write := open(larder.Options{WritesOnly: true})
	_, read, _ := open(larder.Options{})
	write("CREATE TABLE stuff (id integer PRIMARY KEY, n integer)")
	write("INSERT INTO stuff VALUES (1, 1)")
	const query = "SELECT n FROM stuff WHERE id = 1"
	for range 3 {
		readThere(query)
		read(query)
	}
	if s := writing.Stats(); s.Hits+s.Misses != 0 || s.Bypasses != 3 {
		t.Errorf("%+v", s)
	}
	write("UPDATE stuff SET n = 2 WHERE id = 1")
	if got := read(query); got != 2 {
		t.Errorf("read %d after 2 was written", got)
	}

	// What is made from reads by a cache that answers them is not what the other one answers with, even under the same name.
	named, readThere, _ := open(larder.Options{Name: "shop"})
	makes := func(c *larder.Cache, read func(string) int) int {
		v, err := larder.Remember(t.Context(), c, "n", func(ctx context.Context) (int, error) { return read(query), nil },
			&larder.ValueOptions[int]{TTL: time.Hour})
		must(t, err)
		return v
	}
	makes(named, func(string) int { return 7 })
	if got := makes(named, readThere); got != 7 {
		t.Fatalf("nothing is remembered: %d", got)
	}
	alone, readAlone, _ := open(larder.Options{Name: "shop", WritesOnly: true})
	if got := makes(alone, readAlone); got != 2 {
		t.Errorf("made %d, want 2, which the database has", got)
	}
	if got := makes(named, readThere); got != 7 {
		t.Errorf("%d: the one that only announces writes has kept a value", got)
	}

	t.Setenv(larder.WritesOnlyVariable, "1")
	byEnvironment, readThere, _ := open(larder.Options{})
	readThere(query)
	if s := byEnvironment.Stats(); s.Bypasses != 1 {
		t.Errorf("%+v", s)
	}
	t.Setenv(larder.WritesOnlyVariable, "perhaps")
	if _, err := larder.New(nil); err == nil || !strings.Contains(err.Error(), larder.WritesOnlyVariable) {
		t.Errorf("%v", err)
	}
}
