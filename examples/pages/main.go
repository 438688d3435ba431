// Command pages shows whole pages, a fragment and a value that are removed by the write that changes what they were made from, behind chi.
//
//	go run -C examples ./pages
package main

import (
	"context"
	"database/sql"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/examples/shelf"
	"github.com/larderdb/larder/page"
)

func main() {
	cache, err := larder.New(&larder.Options{MaxBytes: 16 << 20})
	shelf.Must(err)
	defer cache.Close()
	path, remove := shelf.File()
	defer remove()
	db, err := cache.Open("sqlite", path)
	shelf.Must(err)
	defer db.Close()

	site := &site{db, cache}
	router := chi.NewRouter()
	router.With(func(next http.Handler) http.Handler { return page.Handler(cache, next, nil) }).Get("/users/{id}", site.user)

	get(router, "/users/42", "") // what is read by a shape that is new depends on all of its table
	get(router, "/users/7", "")
	write(db, "INSERT INTO stuff VALUES (4, 7, 'teapot')")
	get(router, "/users/42", "")
	get(router, "/users/7", "")

	write(db, "INSERT INTO stuff VALUES (5, 7, 'cup')") // Bob's page goes, Ada's stays
	tag := get(router, "/users/42", "")
	get(router, "/users/7", "")
	get(router, "/users/42", tag) // the browser has it
}

type site struct {
	db    *sql.DB
	cache *larder.Cache
}

// user is the page of a user: a list, and beside it a fragment that all pages have.
func (s *site) user(w http.ResponseWriter, r *http.Request) {
	names, err := s.stuff(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		http.Error(w, "try again", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "%s; ", html.EscapeString(strings.Join(names, ", ")))
	shelf.Must(page.Fragment(r.Context(), s.cache, w, "users", s.users))
}

// stuff is a list that other pages may use, too.
func (s *site) stuff(ctx context.Context, user string) ([]string, error) {
	return larder.Remember(ctx, s.cache, "stuff:"+user, func(ctx context.Context) (names []string, err error) {
		rows, err := s.db.QueryContext(ctx, "SELECT name FROM stuff WHERE user_id = ? ORDER BY id", user)
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
	})
}

func (s *site) users(ctx context.Context, w io.Writer) error {
	var n int
	err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&n)
	fmt.Fprintf(w, "%d users", n)
	return err
}

func write(db *sql.DB, text string) {
	_, err := db.Exec(text)
	shelf.Must(err)
	fmt.Println(text)
}

// get asks for a page, as a browser that has it under an entity tag, and prints what became of it.
func get(handler http.Handler, path, tag string) string {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	from, _, _ := strings.Cut(strings.TrimPrefix(w.Header().Get("Cache-Status"), "larder; "), ";")
	fmt.Printf("GET %s: %d %s (%s)\n", path, w.Code, w.Body, from)
	return w.Header().Get("ETag")
}
