package bench

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/larderdb/larder"
	_ "modernc.org/sqlite"
)

const list = "SELECT id, user_id, name, price, created FROM stuff WHERE user_id = ? ORDER BY id"

// openCached opens a cached SQLite file in which user 42 has n things.
func openCached(b *testing.B, n int) *sql.DB {
	b.Helper()
	db, err := larder.Open("sqlite", filepath.Join(b.TempDir(), "bench.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	fill(b, db, n, "?, ?, ?, ?, ?", "datetime")
	return db
}

func fill(b *testing.B, db *sql.DB, n int, marks, timeType string) {
	b.Helper()
	if _, err := db.Exec("CREATE TABLE stuff (id integer PRIMARY KEY, user_id integer, name text, price double precision, created " + timeType + ")"); err != nil {
		b.Fatal(err)
	}
	for _, row := range floorRows(n) {
		if _, err := db.Exec("INSERT INTO stuff VALUES ("+marks+")", row[0], row[1], row[2], row[3], row[4]); err != nil {
			b.Fatal(err)
		}
	}
}

// readAll reads the list as a program does.
func readAll(ctx context.Context, db handle, query string, arg any) (int, error) {
	rows, err := db.QueryContext(ctx, query, arg)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var id, user int64
		var name string
		var price float64
		var created time.Time
		if err := rows.Scan(&id, &user, &name, &price, &created); err != nil {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}

// readList is the operation of reading the list of user 42, which has n rows.
func readList(b *testing.B, query string, n int) func(*sql.DB, int) {
	return func(db *sql.DB, _ int) {
		if got, err := readAll(context.Background(), db, query, 42); got != n || err != nil {
			b.Fatal(got, err)
		}
	}
}

func benchmarkParallel(b *testing.B, db *sql.DB, query string) {
	ctx := context.Background()
	db.SetMaxIdleConns(100)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := readAll(ctx, db, query, 42); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHit compares a hit with the floor.
func BenchmarkHit(b *testing.B) {
	for _, n := range []int{1, 20} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			pair(b, openFloor(n), openCached(b, n), 50, readList(b, list, n))
		})
	}
}

// BenchmarkHitAllocs counts what a hit and the floor allocate.
func BenchmarkHitAllocs(b *testing.B) {
	for _, n := range []int{1, 20} {
		for name, db := range map[string]*sql.DB{"floor": openFloor(n), "larder": openCached(b, n)} {
			b.Run(fmt.Sprintf("rows=%d/%s", n, name), func(b *testing.B) {
				op := readList(b, list, n)
				op(db, 0)
				b.ReportAllocs()
				for b.Loop() {
					op(db, 0)
				}
			})
		}
	}
}

// BenchmarkHitParallel does so on all cores.
func BenchmarkHitParallel(b *testing.B) {
	for _, n := range []int{1, 20} {
		b.Run(fmt.Sprintf("rows=%d/floor", n), func(b *testing.B) { benchmarkParallel(b, openFloor(n), list) })
		b.Run(fmt.Sprintf("rows=%d/larder", n), func(b *testing.B) {
			db := openCached(b, n)
			readAll(context.Background(), db, list, 42)
			benchmarkParallel(b, db, list)
		})
	}
}
