package bench

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const listPostgres = "SELECT id, user_id, name, price, created FROM stuff WHERE user_id = $1 ORDER BY id"

// postgresPair opens a bare and a cached handle of one database with 20 rows.
func postgresPair(b *testing.B) (bare, cached *sql.DB) {
	b.Helper()
	return pairOn(b, dbtest.Postgres(b))
}

func pairOn(b *testing.B, server *dbtest.Server) (bare, cached *sql.DB) {
	b.Helper()
	return pairOf(b, server.Database(b).DSN())
}

// pairOf is postgresPair for the database of a data source name.
func pairOf(b *testing.B, dsn string) (bare, cached *sql.DB) {
	b.Helper()
	bare, err := sql.Open("pgx", dsn)
	if err != nil {
		b.Fatal(err)
	}
	cached, err = larder.Open("pgx", dsn, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { bare.Close(); cached.Close() })
	fill(b, cached, 20, "$1, $2, $3, $4, $5", "timestamptz")
	return bare, cached
}

// BenchmarkWrite compares a write with the bare one.
func BenchmarkWrite(b *testing.B) {
	bare, cached := postgresPair(b)
	pair(b, bare, cached, 1, func(db *sql.DB, _ int) {
		if _, err := db.Exec("UPDATE stuff SET price = price + 1 WHERE id = $1", 7); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkWriteDurable compares a write by primary key with the bare one, where a COMMIT waits for the disk: with no
// results kept by slices, with results whose slices its text tells, and with those for which its row is asked for.
func BenchmarkWriteDurable(b *testing.B) {
	b.Setenv("TMPDIR", "/var/tmp") // not in memory
	server := dbtest.NewPostgres(b, "-c", "fsync=on", "-c", "full_page_writes=on")
	for _, kept := range []struct {
		name, query string
		rows        int // that are written in turn
	}{
		{"nothing kept", "", 1},
		{"told", "SELECT name FROM stuff WHERE id = $1", 1},
		{"asked lately", "SELECT name FROM stuff WHERE user_id = $1", 1},
		{"asked", "SELECT name FROM stuff WHERE user_id = $1", 20_000},
	} {
		b.Run(kept.name, func(b *testing.B) {
			bare, cached := pairOn(b, server)
			for range 3 {
				if kept.query == "" {
					break
				}
				rows, err := cached.Query(kept.query, 7)
				if err != nil {
					b.Fatal(err)
				}
				rows.Close()
				if _, err := cached.Exec("UPDATE stuff SET name = 'other' WHERE id = 8"); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := bare.Exec("INSERT INTO stuff SELECT 1000 + n, n, 'thing', 1, now() FROM generate_series(1, 20000) n"); err != nil {
				b.Fatal(err)
			}
			pair(b, bare, cached, 1, func(db *sql.DB, i int) {
				if _, err := db.Exec("UPDATE stuff SET price = price + 1 WHERE id = $1", 1001+i%kept.rows); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkPostgresHit compares a hit with the bare query.
func BenchmarkPostgresHit(b *testing.B) {
	bare, cached := postgresPair(b)
	pair(b, bare, cached, 20, readList(b, listPostgres, 20))
}
