package bench

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
)

// listened opens two handles of one database in caches with a store each: without receivers, and as the second is prepared.
func listened(b *testing.B, driver, dsn string, prepare func(*larder.Cache)) (none, heard *sql.DB) {
	b.Helper()
	for _, db := range []**sql.DB{&none, &heard} {
		cache, err := larder.New(&larder.Options{MaxBytes: 16 << 20})
		if err != nil {
			b.Fatal(err)
		}
		if *db, err = cache.Open(driver, dsn); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { (*db).Close(); cache.Close() })
		if db == &heard {
			prepare(cache)
		}
	}
	return none, heard
}

func oneReceiver(c *larder.Cache) { c.OnChange("stuff", func(context.Context, larder.Change) {}) }

func rowReceiver(c *larder.Cache) {
	type stuff struct {
		ID    int
		Price float64
	}
	larder.OnRow(c, "stuff", func(_ context.Context, old, new *stuff) {})
}

// BenchmarkSignal compares a write with a receiver of changes, or of rows, with one without, and a hit beside a receiver with one without.
func BenchmarkSignal(b *testing.B) {
	for _, c := range []struct {
		name    string
		prepare func(*larder.Cache)
	}{{"receiver", oneReceiver}, {"rows", rowReceiver}} {
		b.Run("write/sqlite/"+c.name, func(b *testing.B) {
			none, heard := listened(b, "sqlite", filepath.Join(b.TempDir(), "db"), c.prepare)
			fill(b, none, 20, "?, ?, ?, ?, ?", "TIMESTAMP")
			writePrices(b, none, heard, "UPDATE stuff SET price = price + 1 WHERE id = ?")
		})
		b.Run("write/postgres/"+c.name, func(b *testing.B) {
			none, heard := listened(b, "pgx", dbtest.Postgres(b).Database(b).DSN(), c.prepare)
			fill(b, none, 20, "$1, $2, $3, $4, $5", "timestamptz")
			writePrices(b, none, heard, "UPDATE stuff SET price = price + 1 WHERE id = $1")
		})
	}
	b.Run("hit", func(b *testing.B) {
		none, heard := listened(b, "sqlite", filepath.Join(b.TempDir(), "db"), oneReceiver)
		fill(b, none, 20, "?, ?, ?, ?, ?", "TIMESTAMP")
		pair(b, none, heard, 50, readList(b, list, 20))
	})
}

func writePrices(b *testing.B, none, heard *sql.DB, text string) {
	pair(b, none, heard, 1, func(db *sql.DB, _ int) {
		if _, err := db.Exec(text, 7); err != nil {
			b.Fatal(err)
		}
	})
}
