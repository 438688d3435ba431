package larder_test

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/larderdb/larder"
	_ "modernc.org/sqlite"
)

// What a function makes from reads is kept until a write changes one of them.
func ExampleRemember() {
	ctx := context.Background()
	cache, _ := larder.New(&larder.Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16})
	db, err := cache.Open("sqlite", "file:remember_example?mode=memory")
	if err != nil {
		fmt.Println(err)
		return
	}
	db.SetMaxOpenConns(1)
	defer db.Close()
	db.Exec("CREATE TABLE stuff (user_id INTEGER, name TEXT); INSERT INTO stuff VALUES (42, 'bread')")

	list := func() []string {
		names, _ := larder.Remember(ctx, cache, "stuff:42", func(ctx context.Context) ([]string, error) {
			fmt.Println("made")
			return namesOf(ctx, db, 42)
		})
		return names
	}
	fmt.Println(list())
	fmt.Println(list())
	db.Exec("INSERT INTO stuff VALUES (42, 'wine')")
	fmt.Println(list())
	// Output:
	// made
	// [bread]
	// [bread]
	// made
	// [bread wine]
}

func namesOf(ctx context.Context, db *sql.DB, user int) (names []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM stuff WHERE user_id = ?", user)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// A value that comes from elsewhere is kept until the program says that it has changed.
func ExampleCache_Announce() {
	ctx := context.Background()
	cache, _ := larder.New(&larder.Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 16})
	rate := 7
	vat := func() int {
		v, _ := larder.Remember(ctx, cache, "vat", func(context.Context) (int, error) { return rate, nil },
			&larder.ValueOptions[int]{Tags: []larder.Tag{"rates"}})
		return v
	}
	fmt.Println(vat())
	rate = 19
	fmt.Println(vat())
	cache.Announce(ctx, "rates")
	fmt.Println(vat())
	// Output:
	// 7
	// 7
	// 19
}
