// Command shared shows two processes' caches over one memcached or Redis: what one writes, the other sees with its next read.
//
//	go run -C examples ./shared 'redis://localhost:6379?settle=-1s'    (or 'memcached://localhost:11211?trust_empty=true')
//
// The parameter is for the example: without it a server that was just started keeps nothing for its first 30 s, as writes
// may be in flight of which it doesn't know.
package main

import (
	"database/sql"
	"fmt"
	"io"
	"os"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: shared redis://host:port, or memcached://host:port")
		os.Exit(2)
	}
	shelf.Must(run(os.Stdout, os.Args[1]))
}

func run(out io.Writer, storeURL string) error {
	path, remove := shelf.File()
	defer remove()

	// Two processes have copies of their own before the store. So have these two caches, as their sizes differ.
	one, err := larder.Open("sqlite", path, &larder.Options{StoreURL: storeURL, MaxBytes: 8 << 20})
	if err != nil {
		return err
	}
	defer one.Close()
	two, err := larder.Open("sqlite", path, &larder.Options{StoreURL: storeURL, MaxBytes: 9 << 20})
	if err != nil {
		return err
	}
	defer two.Close()
	oneCache, _ := larder.Of(one)
	twoCache, _ := larder.Of(two)
	tellOne, tellTwo := shelf.TellTo(out, oneCache), shelf.TellTo(out, twoCache)

	tellOne.Read("one reads the stuff of 42", stuffOf(one, 42))
	tellTwo.Read("two reads the stuff of 42", stuffOf(two, 42)) // what one has left in the store
	tellTwo.Read("two reads the stuff of 7", stuffOf(two, 7))

	if _, err := one.Exec("UPDATE stuff SET name = 'red lamp' WHERE id = 1"); err != nil {
		return err
	}
	tellOne.Wrote("one has painted the lamp")
	if err := one.Close(); err != nil { // waits until the store was told: what two reads before is as new, and not kept
		return err
	}
	tellTwo.Read("two reads the stuff of 42", stuffOf(two, 42))
	tellTwo.Read("two reads the stuff of 7", stuffOf(two, 7))
	tellTwo.Read("two reads the stuff of 42", stuffOf(two, 42))
	return nil
}

func stuffOf(db *sql.DB, user int) (names []string) {
	rows, err := db.Query("SELECT name FROM stuff WHERE user_id = ? ORDER BY id", user)
	shelf.Must(err)
	defer rows.Close()
	for rows.Next() {
		var name string
		shelf.Must(rows.Scan(&name))
		names = append(names, name)
	}
	shelf.Must(rows.Err())
	return names
}
