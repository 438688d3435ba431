package routers

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"
	_ "modernc.org/sqlite"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/page"
)

// answer reads the thing of an id, as all routers' handlers here do.
func answer(db *sql.DB, w io.Writer, r *http.Request, id string) error {
	var name string
	err := db.QueryRowContext(r.Context(), "SELECT name FROM stuff WHERE id = ?", id).Scan(&name)
	if err == nil {
		_, err = fmt.Fprintf(w, "%s: %s", id, name)
	}
	return err
}

// failed answers an error.
func failed(w http.ResponseWriter, err error) {
	if err != nil {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// routers make a handler of GET /stuff/{id} and POST /stuff/{id}, whose pages are kept: around the router, or as its middleware.
var routers = map[string]func(cache *larder.Cache, db *sql.DB, rename http.HandlerFunc) http.Handler{
	"net/http": func(cache *larder.Cache, db *sql.DB, rename http.HandlerFunc) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /stuff/{id}", func(w http.ResponseWriter, r *http.Request) { failed(w, answer(db, w, r, r.PathValue("id"))) })
		mux.HandleFunc("POST /stuff/{id}", rename)
		return page.Handler(cache, mux, nil)
	},
	"net/http, a route": func(cache *larder.Cache, db *sql.DB, rename http.HandlerFunc) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("GET /stuff/{id}", page.Handler(cache, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			failed(w, answer(db, w, r, r.PathValue("id")))
		}), nil))
		mux.HandleFunc("POST /stuff/{id}", rename)
		return mux
	},
	"chi": func(cache *larder.Cache, db *sql.DB, rename http.HandlerFunc) http.Handler {
		r := chi.NewRouter()
		r.Use(func(next http.Handler) http.Handler { return page.Handler(cache, next, nil) })
		r.Get("/stuff/{id}", func(w http.ResponseWriter, r *http.Request) { failed(w, answer(db, w, r, chi.URLParam(r, "id"))) })
		r.Post("/stuff/{id}", rename)
		return r
	},
	"gin": func(cache *larder.Cache, db *sql.DB, rename http.HandlerFunc) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		g := gin.New()
		g.GET("/stuff/:id", func(c *gin.Context) { failed(c.Writer, answer(db, c.Writer, c.Request, c.Param("id"))) })
		g.POST("/stuff/:id", gin.WrapF(rename))
		return page.Handler(cache, g, nil)
	},
	"echo": func(cache *larder.Cache, db *sql.DB, rename http.HandlerFunc) http.Handler {
		e := echo.New()
		e.Use(echo.WrapMiddleware(func(next http.Handler) http.Handler { return page.Handler(cache, next, nil) }))
		e.GET("/stuff/:id", func(c echo.Context) error { return answer(db, c.Response(), c.Request(), c.Param("id")) })
		e.POST("/stuff/:id", echo.WrapHandler(rename))
		return e
	},
}

// TestRouters: with each router a page is made once, is a 304 for who has it, is made again after a write, and no two paths mix.
func TestRouters(t *testing.T) {
	for name, router := range routers {
		t.Run(name, func(t *testing.T) {
			cache, err := larder.New(&larder.Options{MaxBytes: 8 << 20})
			if err != nil {
				t.Fatal(err)
			}
			db, err := cache.Open("sqlite", filepath.Join(t.TempDir(), "stuff.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("CREATE TABLE stuff (id integer PRIMARY KEY, name text); INSERT INTO stuff VALUES (1, 'spoon'), (2, 'fork')"); err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(router(cache, db, func(w http.ResponseWriter, r *http.Request) {
				id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
				_, err := db.ExecContext(r.Context(), "UPDATE stuff SET name = CASE name WHEN 'fork' THEN 'knife' ELSE name || ' and knife' END WHERE id = ?", id)
				failed(w, err)
			}))
			defer server.Close()
			tag := ""
			ask := func(method, path, none, body, status string, code int) {
				t.Helper()
				r, err := http.NewRequest(method, server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if none != "" {
					r.Header.Set("If-None-Match", none)
				}
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				got, err := io.ReadAll(response.Body)
				if err != nil || string(got) != body || response.StatusCode != code || !strings.HasPrefix(response.Header.Get("Cache-Status"), status) {
					t.Errorf("%s %s: %s %s, %v, %v; want %q, %d, %s", method, path, response.Status, got, response.Header, err, body, code, status)
				}
				tag = response.Header.Get("Etag")
			}
			const miss, hit = "larder; fwd=uri-miss; stored", "larder; hit"
			ask("GET", "/stuff/2", "", "2: fork", miss, 200) // which depends on all of stuff: nobody has asked for one by its id before
			ask("POST", "/stuff/2", "", "", "", 200)
			ask("GET", "/stuff/1", "", "1: spoon", miss, 200)
			ask("GET", "/stuff/1", "", "1: spoon", hit, 200)
			ask("GET", "/stuff/2", "", "2: knife", miss, 200)
			ask("GET", "/stuff/2", tag, "", hit, 304)
			ask("POST", "/stuff/2", "", "", "", 200)
			ask("GET", "/stuff/2", tag, "2: knife and knife", miss, 200)
			ask("GET", "/stuff/1", "", "1: spoon", hit, 200)
			ask("HEAD", "/stuff/1", "", "", hit, 200)
			ask("GET", "/stuff/1?x=1", "", "1: spoon", "larder; fwd=bypass", 200)
		})
	}
}
