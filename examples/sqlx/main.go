// Command sqlx shows Larder under sqlx: structs, named arguments and IN lists are read from the cache.
//
//	go run -C examples ./sqlx
package main

import (
	"github.com/jmoiron/sqlx"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
)

type stuff struct {
	ID     int
	UserID int `db:"user_id"`
	Name   string
}

func main() {
	path, remove := shelf.File()
	defer remove()

	pool, err := larder.Open("sqlite", path, nil)
	shelf.Must(err)
	db := sqlx.NewDb(pool, "sqlite") // was: sqlx.Open("sqlite", path)
	defer db.Close()
	cache, _ := larder.Of(pool)
	tell := shelf.Tell(cache)

	tell.Read("stuff of 42", stuffOf(db, 42))
	tell.Read("stuff of 42", stuffOf(db, 42))
	tell.Read("stuff of 42 or 7", stuffOf(db, 42, 7))
	tell.Read("stuff of 7", stuffOf(db, 7))

	_, err = db.NamedExec("UPDATE stuff SET name = :name WHERE id = :id", stuff{ID: 1, Name: "red lamp"})
	shelf.Must(err)
	tell.Wrote("the lamp is red now")
	tell.Read("stuff of 42", stuffOf(db, 42))
	tell.Read("stuff of 42 or 7", stuffOf(db, 42, 7))
	tell.Read("stuff of 7", stuffOf(db, 7))
}

func stuffOf(db *sqlx.DB, users ...int) (list []stuff) {
	query, args, err := sqlx.In("SELECT id, user_id, name FROM stuff WHERE user_id IN (?) ORDER BY id", users)
	shelf.Must(err)
	shelf.Must(db.Select(&list, db.Rebind(query), args...))
	return list
}
