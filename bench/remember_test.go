package bench

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/larderdb/larder"
)

// A listedThing is a row of the list, as a program keeps it.
type listedThing struct {
	ID, User int64
	Name     string
	Price    float64
	Created  time.Time
}

// openRemembered opens a cached SQLite file in which user 42 has 20 things.
func openRemembered(b *testing.B) (*larder.Cache, *sql.DB) {
	b.Helper()
	cache, err := larder.New(&larder.Options{MaxBytes: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cache.Close() })
	db, err := cache.Open("sqlite", filepath.Join(b.TempDir(), "bench.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	fill(b, db, 20, "?, ?, ?, ?, ?", "datetime")
	return cache, db
}

func listed(ctx context.Context, db *sql.DB) ([]listedThing, error) {
	rows, err := db.QueryContext(ctx, list, 42)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []listedThing
	for rows.Next() {
		var t listedThing
		if err := rows.Scan(&t.ID, &t.User, &t.Name, &t.Price, &t.Created); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// BenchmarkRememberHit is a hit of a remembered list of 20 rows in the process against a sync.Map that holds the same list, in turn: "key" under a
// text that is there already, "computed" under one that is put together for each call, as programs do, "of 1000" under one of so many texts.
func BenchmarkRememberHit(b *testing.B) {
	cache, db := openRemembered(b)
	load := func(ctx context.Context) ([]listedThing, error) { return listed(ctx, db) }
	kept, err := load(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	var plain sync.Map
	plain.Store("stuff:42", kept)
	remembered := func(key string) int { v, _ := larder.Remember(context.Background(), cache, key, load); return len(v) }
	held := func(key string) int { v, _ := plain.Load(key); return len(v.([]listedThing)) }
	var keys []string
	for i := range 1000 {
		keys = append(keys, fmt.Sprintf("stuff:%d", i))
		plain.Store(keys[i], kept)
	}
	asked := 0
	for name, key := range map[string]func() string{
		"key":      func() string { return "stuff:42" },
		"of 1000":  func() string { asked += 7; return keys[asked%1000] },
		"computed": func() string { return fmt.Sprintf("stuff:%d", 42) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			pair(b, held, remembered, 500, func(get func(string) int, _ int) {
				if get(key()) != 20 {
					b.Fatal("another list")
				}
			})
		})
	}
}

// BenchmarkRemember is a hit of a remembered list of 20 rows in the process, beside maps that hold the same list and are never
// told of a write: sync.Map, and the cache otter. "computed" has the key put together for each call, as programs do.
func BenchmarkRemember(b *testing.B) {
	cache, db := openRemembered(b)
	load := func(ctx context.Context) ([]listedThing, error) { return listed(ctx, db) }
	kept, err := load(context.Background())
	if err != nil || len(kept) != 20 {
		b.Fatal(len(kept), err)
	}
	var plain sync.Map
	rival := otter.Must(&otter.Options[string, []listedThing]{MaximumSize: 10_000})
	plain.Store("stuff:42", kept)
	rival.Set("stuff:42", kept)
	type deep struct{ n int }
	request := context.Background()
	for i := range 5 { // as a request has that came through middleware
		request = context.WithValue(request, deep{i}, i)
	}
	request, cancel := context.WithCancel(request)
	defer cancel()
	for _, way := range []struct {
		name string
		get  func(key string) int
	}{
		{"larder", func(key string) int { v, _ := larder.Remember(context.Background(), cache, key, load); return len(v) }},
		{"larder in a request", func(key string) int { v, _ := larder.Remember(request, cache, key, load); return len(v) }},
		{"sync.Map", func(key string) int { v, _ := plain.Load(key); return len(v.([]listedThing)) }},
		{"otter", func(key string) int { v, _ := rival.GetIfPresent(key); return len(v) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if way.get("stuff:42") != 20 {
					b.Fatal("another list")
				}
			}
		})
		b.Run(way.name+" computed", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if way.get(fmt.Sprintf("stuff:%d", 42)) != 20 {
					b.Fatal("another list")
				}
			}
		})
		b.Run(way.name+" parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if way.get("stuff:42") != 20 {
						b.Fatal("another list")
					}
				}
			})
		})
	}
}
