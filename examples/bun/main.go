// Command bun shows Larder under bun: selects and relations are read from the cache, and an update removes what it changes.
//
//	go run -C examples ./bun
package main

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
)

type User struct {
	ID    int64 `bun:",pk"`
	Name  string
	Stuff []*Stuff `bun:"rel:has-many,join:id=user_id"`
}

type Stuff struct {
	bun.BaseModel `bun:"table:stuff"`

	ID     int64 `bun:",pk,autoincrement"`
	UserID int64
	Name   string
}

func (s *Stuff) String() string { return s.Name }
func (u *User) String() string  { return fmt.Sprint(u.Name, u.Stuff) }

func main() {
	ctx := context.Background()
	path, remove := shelf.File()
	defer remove()

	pool, err := larder.Open("sqlite", path, nil)
	shelf.Must(err)
	db := bun.NewDB(pool, sqlitedialect.New()) // was: the *sql.DB of sql.Open
	defer db.Close()
	cache, _ := larder.Of(pool)
	tell := shelf.Tell(cache)

	tell.Read("user 42", user(ctx, db, 42))
	tell.Read("user 42", user(ctx, db, 42))
	tell.Read("user 7", user(ctx, db, 7))

	_, err = db.NewUpdate().Model(&Stuff{ID: 1, Name: "red lamp"}).Column("name").WherePK().Exec(ctx)
	shelf.Must(err)
	tell.Wrote("the lamp is red now")
	tell.Read("user 42", user(ctx, db, 42))
	tell.Read("user 7", user(ctx, db, 7))

	_, err = db.NewInsert().Model(&Stuff{UserID: 7, Name: "table"}).Exec(ctx)
	shelf.Must(err)
	tell.Wrote("7 has a table")
	tell.Read("user 7", user(ctx, db, 7))
	tell.Read("user 42", user(ctx, db, 42))
}

func user(ctx context.Context, db *bun.DB, id int64) *User {
	u := new(User)
	shelf.Must(db.NewSelect().Model(u).Relation("Stuff").Where("id = ?", id).Scan(ctx))
	return u
}
