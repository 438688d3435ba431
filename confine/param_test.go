package confine

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/dbtest"
)

// A parameter that is compared with columns of several classes has the type that one of them gives it.
func TestParametersOfSeveralClasses(t *testing.T) {
	testReads(t, analyze.Postgres, []each{
		{"SELECT * FROM users WHERE name = $1 AND nick = $2", "users{name=$1 nick=$2}"},
		{"SELECT * FROM users WHERE name = $1 AND nick = $1", "users"},
		{"SELECT * FROM users WHERE name = $1 AND nick = $1 AND id = $2", "users{id=$2}"},
		{"SELECT * FROM users WHERE name = $1::text AND nick = $1::text", "users{name=$1::text nick=$1::text}"},
		{"SELECT * FROM users WHERE id = $1 AND boss = $1", "users{id=$1 boss=$1}"},
		{"SELECT * FROM stuff WHERE id = $1 AND price = $1", "stuff"},
		{"SELECT * FROM stuff WHERE id = $1 AND parent = $2 AND missing = $1", "stuff{parent=$2}"},
		{"SELECT * FROM stuff WHERE id IN ($1, $2) AND price = $2", "stuff"},
		{"SELECT * FROM stuff WHERE id IN ($1, $2) AND parent = $1 AND price = $2", "stuff"},
		{"SELECT * FROM stuff WHERE id IN ($1, $2) AND parent IN ($2, $3) AND user_id = $1 AND price = $3", "stuff"},
		{"SELECT * FROM stuff WHERE id IN ($1, $2) AND parent = $1 AND price < $2", "stuff"},
		{"SELECT * FROM stuff WHERE id IN ($1, $2, parent) AND user_id = $1", "stuff"},
		{"SELECT * FROM users WHERE id = $1 UNION ALL SELECT * FROM users WHERE boss = $1", "users{id=$1}, users{boss=$1}"},
		{"SELECT * FROM users WHERE id = $1 AND EXISTS (SELECT 1 FROM stuff WHERE price = $1)", "users, stuff"},
	})
	testReads(t, analyze.SQLite, []each{{"SELECT * FROM users WHERE name = ?1 AND nick = ?1", "users{name=$1 nick=$1}"}})
}

func TestChangesWithParametersOfSeveralClasses(t *testing.T) {
	s := house(t, analyze.Postgres)
	args := []driver.NamedValue{{Ordinal: 1, Value: "7"}, {Ordinal: 2, Value: int64(8)}}
	for text, want := range map[string]string{
		"UPDATE stuff SET user_id = $2, parent = $2 WHERE id = $2":        "id=i8 -> id=i8 parent=i8 user_id=i8 true",
		"UPDATE stuff SET user_id = $1, name = $1 WHERE id = $2":          "id=i8 -> id=i8 true",
		"UPDATE stuff SET user_id = $1, price = $1 WHERE id = $2":         "id=i8 -> id=i8 true",
		"UPDATE stuff SET user_id = $1, missing = $1 WHERE id = $2":       " ->  false",
		"UPDATE stuff SET name = $1 WHERE id = $1":                        " ->  false",
		"DELETE FROM stuff WHERE id = $2 AND user_id = $2":                "id=i8 user_id=i8 ->  true",
		"DELETE FROM stuff WHERE id = $2 AND price = $2":                  " ->  false",
		"INSERT INTO links (stuff_id, tag_id) VALUES ($2, $2)":            " -> stuff_id=i8 tag_id=i8 true",
		"INSERT INTO users (id, name) VALUES ($1, $1)":                    " -> boss=n nick=n true",
		"INSERT INTO users (id, name, nick) VALUES ($2, $1, upper(name))": " -> boss=n id=i8 name=t7 true",
	} {
		c := ChangeOf(analyze.Analyze(analyze.Postgres, text).Change, s)
		if c == nil {
			t.Errorf("%s: no change", text)
			continue
		}
		old, new, ok := c.FromText(args)
		if got := fmt.Sprint(seen(old), " -> ", seen(new), " ", ok); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// PostgreSQL itself finds rows by another value than the argument.
func TestPostgresSetsTypesOfParameters(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	database := dbtest.Postgres(t).Database(t)
	db, err := sql.Open("pgx", database.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE p (n int, c char(3), name text, b bigint, f float8)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO p VALUES (1, 'a', 'a', 9007199254740992, 9007199254740992)"); err != nil {
		t.Fatal(err)
	}
	count := func(where string, arg any) (n int) {
		if err := db.QueryRow("SELECT count(*) FROM p WHERE "+where, arg).Scan(&n); err != nil {
			t.Fatal(where, err)
		}
		return n
	}
	if n := count("name = $1", "a  "); n != 0 {
		t.Errorf("%d rows with spaces", n)
	}
	if n := count("c = $1 AND name = $1", "a  "); n != 1 {
		t.Errorf("%d rows with spaces and a CHAR", n)
	}
	if n := count("f = $1 AND b = $1", "9007199254740993"); n != 1 {
		t.Errorf("%d rows with a number and a float", n)
	}
	if n := count("b = $1", "9007199254740993"); n != 0 {
		t.Errorf("%d rows with a number", n)
	}
}
