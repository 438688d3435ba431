// Command databases shows several databases in one cache: one bound of memory and one count, and neither answers for the other.
//
//	go run -C examples ./databases
package main

import (
	"context"
	"database/sql"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
)

func main() {
	cache, err := larder.New(&larder.Options{MaxBytes: 16 << 20})
	shelf.Must(err)
	defer cache.Close()
	east, remove := open(cache)
	defer remove()
	west, remove := open(cache)
	defer remove()
	tell := shelf.Tell(cache)

	tell.Read("stuff in the east", count(east))
	tell.Read("stuff in the west", count(west)) // the same text is another entry
	tell.Read("stuff in the east", count(east))

	_, err = east.Exec("DELETE FROM stuff WHERE id = 1")
	shelf.Must(err)
	tell.Wrote("the lamp of the east is gone")
	tell.Read("stuff in the east", count(east))
	tell.Read("stuff in the west", count(west))

	shelf.Must(cache.Invalidate(context.Background(), "stuff")) // in all databases of the cache
	tell.Wrote("somebody else may have written")
	tell.Read("stuff in the east", count(east))
	tell.Read("stuff in the west", count(west))
}

func open(cache *larder.Cache) (*sql.DB, func()) {
	path, remove := shelf.File()
	db, err := cache.Open("sqlite", path)
	shelf.Must(err)
	return db, func() {
		shelf.Must(db.Close())
		remove()
	}
}

func count(db *sql.DB) (n int) {
	shelf.Must(db.QueryRow("SELECT count(*) FROM stuff").Scan(&n))
	return n
}
