// Package shelf is the database that the examples read: two users and what is theirs.
package shelf

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // as "sqlite"
)

// Schema makes the tables, in SQLite's and PostgreSQL's words.
const Schema = `
CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE stuff (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES users (id), name text NOT NULL);
`

// Rows fills them: 42 is Ada, who has a lamp and a chair; 7 is Bob, who has a kettle.
const Rows = `
INSERT INTO users (id, name) VALUES (42, 'Ada'), (7, 'Bob');
INSERT INTO stuff (id, user_id, name) VALUES (1, 42, 'lamp'), (2, 42, 'chair'), (3, 7, 'kettle');
`

// File makes an SQLite file with the tables and rows, and returns its path. The caller calls remove when it is done.
func File() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "larder-example-")
	Must(err)
	path = filepath.Join(dir, "shelf.db")
	Must(Fill("sqlite", path))
	return path, func() { Must(os.RemoveAll(dir)) }
}

// Fill makes the tables and rows in an empty database, before a cache is in front of it.
func Fill(driver, dsn string) error {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(Schema + Rows); err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	return nil
}

// Must ends an example that can't go on.
func Must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
