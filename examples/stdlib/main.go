// Command stdlib shows Larder over pgx, with a configuration of the program's own, on PostgreSQL: transactions and savepoints too.
//
//	DATABASE_URL=postgres://localhost/an_empty_database go run -C examples ./stdlib
package main

import (
	"database/sql"
	"io"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
)

func main() {
	shelf.Must(run(os.Stdout, os.Getenv("DATABASE_URL")))
}

func run(out io.Writer, dsn string) error {
	if err := shelf.Fill("pgx", dsn); err != nil {
		return err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return err
	}
	config.RuntimeParams["application_name"] = "larder example"
	cache, err := larder.New(nil)
	if err != nil {
		return err
	}
	defer cache.Close()
	db := sql.OpenDB(cache.Connector(stdlib.GetConnector(*config))) // was: stdlib.OpenDB(*config)
	defer db.Close()
	tell := shelf.TellTo(out, cache)

	tell.Read("stuff of 42", stuffOf(db, 42))
	tell.Read("stuff of 42", stuffOf(db, 42))

	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, text := range []string{
		"UPDATE stuff SET name = 'red lamp' WHERE id = 1",
		"SAVEPOINT before_the_chair",
		"DELETE FROM stuff WHERE id = 2",
		"ROLLBACK TO SAVEPOINT before_the_chair",
	} {
		if _, err := tx.Exec(text); err != nil {
			return err
		}
	}
	tell.Wrote("a transaction has written, and not committed")
	tell.Read("stuff of 42, in the transaction", stuffOf(tx, 42))
	tell.Read("stuff of 42, for others", stuffOf(db, 42))
	if err := tx.Commit(); err != nil {
		return err
	}
	tell.Wrote("it has committed")
	tell.Read("stuff of 42", stuffOf(db, 42))
	tell.Read("stuff of 42", stuffOf(db, 42))
	return nil
}

func stuffOf(db interface {
	Query(string, ...any) (*sql.Rows, error)
}, user int,
) (names []string) {
	rows, err := db.Query("SELECT name FROM stuff WHERE user_id = $1 ORDER BY id", user)
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
