// Command ent shows Larder under ent, whose driver takes a cached handle: queries and edges are read from the cache.
//
//	go run -C examples ./ent
package main

import (
	"context"
	"fmt"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/ent/ent"
	"github.com/larderdb/larder/examples/ent/ent/user"
	"github.com/larderdb/larder/examples/shelf"
)

func main() {
	ctx := context.Background()
	path, remove := shelf.File()
	defer remove()

	pool, err := larder.Open("sqlite", path, nil)
	shelf.Must(err)
	client := ent.NewClient(ent.Driver(entsql.OpenDB(dialect.SQLite, pool))) // was: ent.Open("sqlite", path)
	defer client.Close()
	cache, _ := larder.Of(pool)
	tell := shelf.Tell(cache)

	tell.Read("user 42", userWithStuff(ctx, client, 42))
	tell.Read("user 42", userWithStuff(ctx, client, 42))
	tell.Read("user 7", userWithStuff(ctx, client, 7))

	shelf.Must(client.Stuff.UpdateOneID(1).SetName("red lamp").Exec(ctx))
	tell.Wrote("the lamp is red now")
	tell.Read("user 42", userWithStuff(ctx, client, 42))
	tell.Read("user 7", userWithStuff(ctx, client, 7))

	client.Stuff.Create().SetName("table").SetUserID(7).SaveX(ctx)
	tell.Wrote("7 has a table")
	tell.Read("user 7", userWithStuff(ctx, client, 7))
	tell.Read("user 42", userWithStuff(ctx, client, 42))
}

func userWithStuff(ctx context.Context, client *ent.Client, id int) string {
	u := client.User.Query().Where(user.ID(id)).WithStuff().OnlyX(ctx)
	var names []string
	for _, s := range u.Edges.Stuff {
		names = append(names, s.Name)
	}
	return fmt.Sprint(u.Name, names)
}
