// Command databasesql shows Larder under database/sql: a list is answered from the cache until a row of it is written.
//
//	go run -C examples ./databasesql
package main

import (
	"database/sql"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
)

func main() {
	path, remove := shelf.File()
	defer remove()

	db, err := larder.Open("sqlite", path, nil) // was: sql.Open("sqlite", path)
	shelf.Must(err)
	defer db.Close()
	cache, _ := larder.Of(db)
	tell := shelf.Tell(cache)

	tell.Read("stuff of 42", stuffOf(db, 42))
	tell.Read("stuff of 42", stuffOf(db, 42))
	tell.Read("stuff of 7", stuffOf(db, 7))

	_, err = db.Exec("UPDATE stuff SET name = ? WHERE id = ?", "red lamp", 1)
	shelf.Must(err)
	tell.Wrote("the lamp is red now")
	tell.Read("stuff of 42", stuffOf(db, 42)) // removed by the write
	tell.Read("stuff of 7", stuffOf(db, 7))   // not removed

	shelf.Must(give(db, 2, 42, 7))
	tell.Wrote("42 has given the chair to 7")
	tell.Read("stuff of 42", stuffOf(db, 42)) // its old owner
	tell.Read("stuff of 7", stuffOf(db, 7))   // its new one
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

// give writes in a transaction: what it changes is removed when it commits, and nothing if it doesn't.
func give(db *sql.DB, id, from, to int) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("UPDATE stuff SET user_id = ? WHERE id = ? AND user_id = ?", to, id, from); err != nil {
		return err
	}
	return tx.Commit()
}
