package larder_test

import (
	"path/filepath"
	"testing"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store/memcached"
)

// TestMemcachedKeepsResults: a result that one cache has left in memcached is a hit of another.
func TestMemcachedKeepsResults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "db")
	addr := dbtest.Memcached(t).Addr()
	for i := range 2 {
		s, err := memcached.Open(memcached.Options{Addrs: []string{addr}, TrustEmpty: true, Timeout: 1e9, Namespace: file})
		if err != nil {
			t.Fatal(err)
		}
		cache, err := larder.New(&larder.Options{Store: s})
		if err != nil {
			t.Fatal(err)
		}
		db, err := cache.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := db.Exec("CREATE TABLE stuff (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO stuff VALUES (1, 'a')"); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			var name string
			if err := db.QueryRow("SELECT name FROM stuff WHERE id = 1").Scan(&name); err != nil || name != "a" {
				t.Fatal(name, err)
			}
		}
		t.Logf("cache %d: %+v", i, cache.Stats())
		if hits := cache.Stats().Hits; hits < int64(2) {
			t.Errorf("cache %d: %d hits", i, hits)
		}
		db.Close()
		s.Close()
	}
}
