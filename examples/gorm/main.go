// Command gorm shows Larder under GORM: finds and preloads are read from the cache, and Save removes what it changes.
//
//	go run -C examples ./gorm
package main

import (
	"fmt"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
)

// User and Stuff are models as GORM would have them.
type User struct {
	ID    int64
	Name  string
	Stuff []Stuff
}

type Stuff struct {
	ID     int64
	UserID int64
	Name   string
}

// TableName implements schema.Tabler.
func (Stuff) TableName() string { return "stuff" }

func (s Stuff) String() string { return s.Name }
func (u User) String() string  { return fmt.Sprint(u.Name, u.Stuff) }

func main() {
	path, remove := shelf.File()
	defer remove()

	pool, err := larder.Open("sqlite", path, nil)
	shelf.Must(err)
	defer pool.Close()
	db, err := gorm.Open(&sqlite.Dialector{Conn: pool}) // was: gorm.Open(sqlite.Open(path))
	shelf.Must(err)
	cache, _ := larder.Of(pool)
	tell := shelf.Tell(cache)

	tell.Read("user 42", user(db, 42)) // two statements: the user, and the stuff
	tell.Read("user 42", user(db, 42))
	tell.Read("user 7", user(db, 7))

	lamp := Stuff{ID: 1, UserID: 42, Name: "red lamp"}
	shelf.Must(db.Save(&lamp).Error)
	tell.Wrote("the lamp is red now")
	tell.Read("user 42", user(db, 42)) // the user itself hasn't changed
	tell.Read("user 7", user(db, 7))

	shelf.Must(db.Create(&Stuff{UserID: 7, Name: "table"}).Error)
	tell.Wrote("7 has a table")
	tell.Read("user 7", user(db, 7))
	tell.Read("user 42", user(db, 42))
}

func user(db *gorm.DB, id int64) (u User) {
	shelf.Must(db.Preload("Stuff").First(&u, id).Error)
	return u
}
