package demo

import (
	"context"
	"database/sql"
	"time"
)

// A Thing is one row of stuff.
type Thing struct {
	ID       int64
	UserID   int64
	Name     string
	Quantity int64
	Price    int64 // in cents
	Created  time.Time
}

// checksum is a number of 48 bits for the whole row, so that SQLite can add thousands of them
// without leaving its integers.
func (t Thing) checksum() int64 {
	h := uint64(14695981039346656037)
	for _, n := range [...]int64{t.ID, t.UserID, t.Quantity, t.Price, t.Created.Unix()} {
		h = mix(h, uint64(n))
	}
	for _, c := range []byte(t.Name) {
		h = mix(h, uint64(c))
	}
	return int64(h >> 16)
}

// mix is a step of FNV-1a that takes a word, and turns it so that the upper bits matter.
func mix(h, word uint64) uint64 {
	h = (h ^ word) * 1099511628211
	return h ^ h>>29
}

// A User owns things.
type User struct {
	ID   int64
	Name string
}

// The statements of the page.
const (
	selectUsers  = "SELECT id, name FROM users ORDER BY id"
	countStuff   = "SELECT count(*) FROM stuff WHERE user_id = ?"
	selectStuff  = "SELECT id, user_id, name, quantity, price, created FROM stuff WHERE user_id = ? ORDER BY id DESC LIMIT ? OFFSET ?"
	insertStuff  = "INSERT INTO stuff (user_id, name, quantity, price, created) VALUES (?, ?, ?, ?, ?)"
	updateStuff  = "UPDATE stuff SET name = ?, quantity = ?, price = ? WHERE id = ? AND user_id = ?"
	deleteStuff  = "DELETE FROM stuff WHERE id = ? AND user_id = ?"
	stockUpStuff = "UPDATE stuff SET quantity = quantity % 1000 + 1 WHERE id = ?"
)

// listUsers returns everyone.
func listUsers(ctx context.Context, db *sql.DB) ([]User, error) {
	rows, err := db.QueryContext(ctx, selectUsers)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var users []User
	for rows.Next() {
		var u User
		if err := rows.Scan(&u.ID, &u.Name); err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, rows.Err()
}

// countThings returns how many things a user has.
func countThings(ctx context.Context, db *sql.DB, user int64) (n int, err error) {
	err = db.QueryRowContext(ctx, countStuff, user).Scan(&n)
	return n, err
}

// listThings returns a user's things, the newest first, from an offset on.
func listThings(ctx context.Context, db *sql.DB, user int64, limit, offset int) ([]Thing, error) {
	rows, err := db.QueryContext(ctx, selectStuff, user, limit, offset)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var things []Thing
	for rows.Next() {
		var t Thing
		if err := rows.Scan(&t.ID, &t.UserID, &t.Name, &t.Quantity, &t.Price, &t.Created); err != nil {
			return nil, err
		}
		things = append(things, t)
	}
	return things, rows.Err()
}
