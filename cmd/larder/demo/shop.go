package demo

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the shop's database
)

// driverName is what the shop's driver is registered as.
const driverName = "sqlite"

// Version and checksum of a user are kept by writes of the workload, in the transaction
// that changes the user's things: the judge reads by them how old a list is, and whether
// its rows belong together.
const schema = `
CREATE TABLE users (
	id       INTEGER PRIMARY KEY,
	name     TEXT    NOT NULL,
	version  INTEGER NOT NULL,
	checksum INTEGER NOT NULL
);
CREATE TABLE stuff (
	id       INTEGER  PRIMARY KEY,
	user_id  INTEGER  NOT NULL REFERENCES users (id),
	name     TEXT     NOT NULL,
	quantity INTEGER  NOT NULL,
	price    INTEGER  NOT NULL, -- in cents
	created  DATETIME NOT NULL
);
CREATE INDEX stuff_user_id ON stuff (user_id);
`

// A Size says how much is in a shop.
type Size struct{ Users, Rows int }

// DefaultSize is the shop of the demo: a hundred things for each of a thousand users.
var DefaultSize = Size{Users: 1_000, Rows: 100_000}

// opened is when the shop opened: things were created in the year before it. It is
// fixed, so that every shop of one size is the same.
var opened = time.Date(2026, time.January, 1, 9, 0, 0, 0, time.UTC)

// dataSource is the data source name of a shop's file, for all its handles. The file is mapped
// into memory, since every write makes other connections read their pages again: without it reads wait
// for their turn after each system call, and the bare handle looks slower than it is.
func dataSource(path string) string {
	file := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	query := url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "mmap_size(268435456)"},
		"_txlock": {"immediate"},
	}
	return file.String() + "?" + query.Encode()
}

// openBare opens a shop without a cache.
func openBare(path string) (*sql.DB, error) {
	db, err := sql.Open(driverName, dataSource(path))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// build makes a shop of the given size in a file that must not be there yet.
func build(ctx context.Context, path string, size Size) error {
	db, err := openBare(path)
	if err != nil {
		return err
	}
	if err := fill(ctx, db, size); err != nil {
		db.Close()
		return fmt.Errorf("build %s: %w", path, err)
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("build %s: %w", path, err)
	}
	return nil
}

// fill creates and fills the tables, all in one transaction.
func fill(ctx context.Context, db *sql.DB, size Size) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	checksums, err := fillStuff(ctx, tx, size)
	if err != nil {
		return err
	}
	if err := fillUsers(ctx, tx, checksums); err != nil {
		return err
	}
	return tx.Commit()
}

// batch is how many things go in with one statement.
const batch = 100

// fillStuff adds all things, and returns the checksum of each user's.
func fillStuff(ctx context.Context, tx *sql.Tx, size Size) ([]int64, error) {
	random := rand.New(rand.NewPCG(1, 2))
	checksums := make([]int64, size.Users)
	for first := 1; first <= size.Rows; first += batch {
		n := min(batch, size.Rows-first+1)
		args := make([]any, 0, n*6)
		for id := first; id < first+n; id++ {
			t := randomThing(random, int64(id), size)
			checksums[t.UserID-1] += t.checksum()
			args = append(args, t.ID, t.UserID, t.Name, t.Quantity, t.Price, t.Created)
		}
		insert := "INSERT INTO stuff (id, user_id, name, quantity, price, created) VALUES (?, ?, ?, ?, ?, ?)" +
			strings.Repeat(", (?, ?, ?, ?, ?, ?)", n-1)
		if _, err := tx.ExecContext(ctx, insert, args...); err != nil {
			return nil, err
		}
	}
	return checksums, nil
}

// randomThing makes up the thing of an id. The first ones go round, so that everyone has some.
func randomThing(random *rand.Rand, id int64, size Size) Thing {
	user := id
	if id > int64(size.Users) {
		user = 1 + random.Int64N(int64(size.Users))
	}
	return Thing{
		ID: id, UserID: user, Name: thingName(random.Uint64()), Quantity: 1 + random.Int64N(40),
		Price: 50 + random.Int64N(9_950), Created: opened.Add(-time.Duration(random.IntN(365*24*60)) * time.Minute),
	}
}

// fillUsers adds a user for each checksum.
func fillUsers(ctx context.Context, tx *sql.Tx, checksums []int64) error {
	insert, err := tx.PrepareContext(ctx, "INSERT INTO users (id, name, version, checksum) VALUES (?, ?, 1, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for i, checksum := range checksums {
		if _, err := insert.ExecContext(ctx, i+1, personName(i), checksum); err != nil {
			return err
		}
	}
	return nil
}
