// Command sqlc shows Larder under the code that sqlc generates for database/sql, on PostgreSQL.
//
//	DATABASE_URL=postgres://localhost/an_empty_database go run -C examples ./sqlc
package main

import (
	"context"
	"io"
	"os"

	_ "github.com/jackc/pgx/v5/stdlib" // as "pgx"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
	"github.com/larderdb/larder/examples/sqlc/query"
)

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate

func main() {
	shelf.Must(run(os.Stdout, os.Getenv("DATABASE_URL")))
}

func run(out io.Writer, dsn string) error {
	ctx := context.Background()
	if err := shelf.Fill("pgx", dsn); err != nil {
		return err
	}
	db, err := larder.Open("pgx", dsn, nil) // was: sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	cache, _ := larder.Of(db)
	tell := shelf.TellTo(out, cache)
	queries := query.New(db)

	stuffOf := func(user int32) []query.Stuff {
		list, err := queries.StuffOf(ctx, user)
		shelf.Must(err)
		return list
	}
	ownerOf := func(id int32) string {
		name, err := queries.OwnerOf(ctx, id)
		shelf.Must(err)
		return name
	}
	for range 2 {
		tell.Read("stuff of 42", stuffOf(42))
		tell.Read("stuff of 7", stuffOf(7))
		tell.Read("owner of the chair", ownerOf(2))
	}

	if err := queries.Rename(ctx, query.RenameParams{ID: 1, Name: "red lamp"}); err != nil {
		return err
	}
	tell.Wrote("the lamp is red now")
	tell.Read("stuff of 42", stuffOf(42))
	tell.Read("stuff of 7", stuffOf(7))

	if _, err := queries.Give(ctx, query.GiveParams{ID: 2, UserID: 7}); err != nil {
		return err
	}
	tell.Wrote("42 has given the chair to 7")
	tell.Read("stuff of 42", stuffOf(42))
	tell.Read("stuff of 7", stuffOf(7))
	tell.Read("owner of the chair", ownerOf(2))
	return nil
}
