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
	dsn := dbtest.Postgres(b).Database(b).DSN()
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

// BenchmarkPostgresHit compares a hit with the bare query.
func BenchmarkPostgresHit(b *testing.B) {
	bare, cached := postgresPair(b)
	pair(b, bare, cached, 20, readList(b, listPostgres, 20))
}
