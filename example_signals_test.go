package larder_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/larderdb/larder"
)

// openExample opens a database of its own, and its cache.
func openExample(schema string) (db *sql.DB, cache *larder.Cache, end func()) {
	dir, err := os.MkdirTemp("", "larder")
	if err != nil {
		panic(err)
	}
	if db, err = larder.Open("sqlite", filepath.Join(dir, "db"), nil); err != nil {
		panic(err)
	}
	if _, err = db.Exec(schema); err != nil {
		panic(err)
	}
	cache, _ = larder.Of(db)
	return db, cache, func() { db.Close(); os.RemoveAll(dir) }
}

// Work that must not be lost is written down in the transaction that makes it necessary.
func ExampleCache_OnChange() {
	db, cache, end := openExample("CREATE TABLE orders (id INTEGER PRIMARY KEY, paid INTEGER); CREATE TABLE outbox (id INTEGER PRIMARY KEY, task TEXT)")
	defer end()

	done := make(chan string)
	work := func(ctx context.Context, _ larder.Change) {
		for {
			var id int
			var task string
			if db.QueryRowContext(ctx, "SELECT id, task FROM outbox ORDER BY id LIMIT 1").Scan(&id, &task) != nil {
				return
			}
			select {
			case done <- task: // do it, and only then
			case <-ctx.Done():
				return
			}
			if _, err := db.ExecContext(ctx, "DELETE FROM outbox WHERE id = ?", id); err != nil {
				return // it is done again by the next call
			}
		}
	}
	stop := cache.OnChange("outbox", work)
	defer stop()
	work(context.Background(), larder.Change{}) // what was left when the program ended last

	tx, _ := db.Begin()
	tx.Exec("INSERT INTO orders (id, paid) VALUES (7, 1)")
	tx.Exec("INSERT INTO outbox (task) VALUES ('receipt for order 7')")
	tx.Commit()
	fmt.Println(<-done)
	// Output: receipt for order 7
}

func ExampleOnRow() {
	db, cache, end := openExample("CREATE TABLE stuff (id INTEGER PRIMARY KEY, name TEXT, price INTEGER)")
	defer end()

	type Stuff struct {
		ID    int
		Name  string
		Price int
	}
	told := make(chan string)
	stop := larder.OnRow(cache, "stuff", func(_ context.Context, old, new *Stuff) {
		switch {
		case old == nil:
			told <- fmt.Sprintf("new: %s for %d", new.Name, new.Price)
		case new == nil:
			told <- "gone: " + old.Name
		default:
			told <- fmt.Sprintf("%s: %d, was %d", new.Name, new.Price, old.Price)
		}
	}, larder.OnUnknown(func(_ context.Context, c larder.Change) { told <- fmt.Sprint("some rows: ", c.Ops) }))
	defer stop()

	for _, write := range []string{
		"INSERT INTO stuff VALUES (1, 'bread', 3)",
		"UPDATE stuff SET price = price + 1 WHERE id = 1",
		"DELETE FROM stuff",
		"INSERT INTO stuff SELECT 2, 'wine', 9",
	} {
		if _, err := db.Exec(write); err != nil {
			panic(err)
		}
		fmt.Println(<-told)
	}
	// Output:
	// new: bread for 3
	// bread: 4, was 3
	// gone: bread
	// some rows: insert
}
