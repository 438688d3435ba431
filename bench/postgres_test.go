package bench

import (
	"database/sql"
	"testing"
	"time"

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
	return pairOf(b, server.Database(b).DSN(), nil)
}

// pairOf is postgresPair for the database of a data source name.
func pairOf(b *testing.B, dsn string, o *larder.Options) (bare, cached *sql.DB) {
	b.Helper()
	bare, err := sql.Open("pgx", dsn)
	if err != nil {
		b.Fatal(err)
	}
	cached, err = larder.Open("pgx", dsn, o)
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

// A durable is a write by primary key, with what is kept while it is done.
type durable struct {
	name, kept string
	id         func(i int) int // of the rows that are written one after the other; there are 20,000 from 1001 on
	save       bool            // all columns are given
}

func hotRow(int) int      { return 1001 }
func inTurn(i int) int    { return 1001 + i%20_000 }
func inNoOrder(i int) int { return 1001 + i*7919%20_000 }

const (
	byKey  = "SELECT name, price FROM stuff WHERE id = $1"
	byUser = "SELECT name, price FROM stuff WHERE user_id = $1"
	unseen = "SELECT id, name FROM stuff WHERE user_id = $1" // which doesn't look at the price
)

// BenchmarkWriteDurable compares a write by primary key with the bare one, where a COMMIT waits for the disk: with no
// results kept by slices, with results whose slices its text tells, and with those for which its row must be known.
func BenchmarkWriteDurable(b *testing.B) {
	b.Setenv("TMPDIR", "/var/tmp") // not in memory
	server := dbtest.NewPostgres(b, "-c", "fsync=on", "-c", "full_page_writes=on")
	for _, d := range []durable{
		{"nothing kept", "", hotRow, false},
		{"told", byKey, hotRow, false},
		{"known", byUser, hotRow, false},
		{"in turn", byUser, inTurn, false},
		{"saved whole", byUser, inNoOrder, true},
		{"asked", byUser, inNoOrder, false},
		{"unseen", unseen, inNoOrder, false},
	} {
		b.Run(d.name, func(b *testing.B) {
			bare, cached := pairOn(b, server)
			d.warm(b, bare, cached)
			pair(b, bare, cached, 1, func(db *sql.DB, i int) { d.write(b, db, d.id(i)) })
		})
	}
	b.Run("shown", func(b *testing.B) { // by a list that was read before, as those who change something have
		d := durable{kept: byUser, id: inNoOrder}
		bare, cached := pairOf(b, server.Database(b).DSN(), &larder.Options{MaxBytes: 64 << 20, NotAdaptive: true}) // each is read once
		d.warm(b, bare, cached)
		if _, err := bare.Exec("CREATE INDEX ON stuff (user_id)"); err != nil {
			b.Fatal(err)
		}
		show := func(db *sql.DB, i int) {
			if _, err := readAll(b.Context(), db, listPostgres, d.id(i)-1000); err != nil {
				b.Fatal(err)
			}
		}
		show(cached, 1)
		d.write(b, cached, d.id(2)) // the first that is asked for
		pairAfter(b, bare, cached, 1, show, func(db *sql.DB, i int) { d.write(b, db, d.id(i)) })
	})
	b.Run("read meanwhile", func(b *testing.B) { // as asked, but that somebody reads all the time, and isn't to be kept from the cache
		d := durable{kept: byUser, id: inNoOrder}
		bare, cached := pairOn(b, server)
		d.warm(b, bare, cached)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Microsecond):
				}
				rows, err := cached.Query(d.kept, 7)
				if err != nil {
					b.Error(err)
					return
				}
				rows.Close()
			}
		}()
		for i := range 100 { // until they are spared
			d.write(b, cached, d.id(i))
		}
		pair(b, bare, cached, 1, func(db *sql.DB, i int) { d.write(b, db, d.id(i)) })
		close(stop)
		<-stopped
	})
	b.Run("asked by hand", func(b *testing.B) { // without a cache
		d := durable{id: inNoOrder}
		bare, cached := pairOn(b, server)
		d.warm(b, bare, cached)
		first, second := connOf(b, bare), connOf(b, bare)
		pair(b, first, second, 1, func(conn *sql.Conn, i int) {
			var user int
			if conn == second {
				if err := conn.QueryRowContext(b.Context(), "SELECT user_id FROM stuff WHERE id = $1", d.id(i)).Scan(&user); err != nil {
					b.Fatal(err)
				}
			}
			d.write(b, conn, d.id(i))
		})
	})
}

// BenchmarkUseless compares a cache with none where it is of no use: a list is read once for each time that a row is
// written, and is never read again before that. It is the time of both.
func BenchmarkUseless(b *testing.B) {
	b.Setenv("TMPDIR", "/var/tmp") // not in memory
	server := dbtest.NewPostgres(b, "-c", "fsync=on", "-c", "full_page_writes=on")
	for name, notAdaptive := range map[string]bool{"adaptive": false, "not": true} {
		b.Run(name, func(b *testing.B) {
			bare, cached := pairOf(b, server.Database(b).DSN(), &larder.Options{MaxBytes: 64 << 20, NotAdaptive: notAdaptive})
			d := durable{kept: byUser, id: inNoOrder}
			d.warm(b, bare, cached)
			op := func(db *sql.DB, i int) {
				id := d.id(i % 200)
				if _, err := readAll(b.Context(), db, listPostgres, id-1000); err != nil {
					b.Fatal(err)
				}
				d.write(b, db, id)
			}
			for i := range 4000 {
				op(cached, i)
			}
			pair(b, bare, cached, 10, op)
		})
	}
}

// warm makes the rows, and has the results kept.
func (d durable) warm(b *testing.B, bare, cached *sql.DB) {
	b.Helper()
	for range 3 {
		if d.kept == "" {
			break
		}
		for _, text := range []string{"UPDATE stuff SET name = 'other' WHERE id = 8", "UPDATE stuff SET price = price + 1 WHERE id = 8"} {
			if _, err := cached.Exec(text); err != nil {
				b.Fatal(err)
			}
		}
		rows, err := cached.Query(d.kept, 7)
		if err != nil {
			b.Fatal(err)
		}
		rows.Close()
	}
	if _, err := bare.Exec("INSERT INTO stuff SELECT 1000 + n, n, 'thing', 1, now() FROM generate_series(1, 20000) n"); err != nil {
		b.Fatal(err)
	}
}

func (d durable) write(b *testing.B, on handle, id int) {
	b.Helper()
	text, args := "UPDATE stuff SET price = price + 1 WHERE id = $1", []any{id}
	if d.save {
		text, args = "UPDATE stuff SET user_id = $2, name = $3, price = $4, created = $5 WHERE id = $1", []any{id, id - 1000, "thing", 1.5, time.Now()}
	}
	if _, err := on.ExecContext(b.Context(), text, args...); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPostgresHit compares a hit with the bare query.
func BenchmarkPostgresHit(b *testing.B) {
	bare, cached := postgresPair(b)
	pair(b, bare, cached, 20, readList(b, listPostgres, 20))
}
