// Command stufflist shows a list cached by hand (before) and by Larder (after): what each of them answers once the data has changed.
//
//	go run -C examples ./stufflist
package main

import (
	"database/sql"
	"fmt"
	"slices"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
)

// A shop is the program, once with a cache by hand, and once with Larder.
type shop interface {
	stuffOf(user int) []string
	save(s stuff)
	upper()
	hits() int
}

type stuff struct {
	id, user int
	name     string
}

func main() {
	for _, change := range []struct {
		what string
		by   func(shop)
	}{
		{"the lamp is renamed", func(s shop) { s.save(stuff{1, 42, "red lamp"}) }},
		{"42 gives the chair to 7", func(s shop) { s.save(stuff{2, 7, "chair"}) }},
		{"all names are put in upper case", func(s shop) { s.upper() }},
	} {
		fmt.Printf("%s: by hand %s, by Larder %s\n", change.what, judge(before, change.by), judge(after, change.by))
	}
}

func before(path string) (shop, *sql.DB) {
	db, err := sql.Open("sqlite", path)
	shelf.Must(err)
	return &byHand{db: db, cache: map[string][]string{}}, db
}

func after(path string) (shop, *sql.DB) {
	db, err := larder.Open("sqlite", path, nil)
	shelf.Must(err)
	cache, _ := larder.Of(db)
	return &byLarder{db: db, cache: cache}, db
}

// judge fills the caches, makes a change, and compares every list with the database's own.
func judge(open func(path string) (shop, *sql.DB), change func(shop)) string {
	path, remove := shelf.File()
	defer remove()
	s, db := open(path)
	defer db.Close()
	for _, user := range []int{42, 7} {
		s.stuffOf(user)
		s.stuffOf(user)
	}
	hits := s.hits()
	change(s)
	bare, err := sql.Open("sqlite", path)
	shelf.Must(err)
	defer bare.Close()
	for _, user := range []int{42, 7} {
		if got, want := s.stuffOf(user), stuffOf(bare, user); !slices.Equal(got, want) {
			return fmt.Sprintf("STALE (%d has %v, reads %v)", user, want, got)
		}
	}
	return fmt.Sprintf("right (%d of 4 reads before from the cache)", hits)
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

func save(db *sql.DB, s stuff) {
	_, err := db.Exec("UPDATE stuff SET user_id = ?, name = ? WHERE id = ?", s.user, s.name, s.id)
	shelf.Must(err)
}

func upper(db *sql.DB) {
	_, err := db.Exec("UPDATE stuff SET name = upper(name)")
	shelf.Must(err)
}
