package demo

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"html/template"
	"net/http"
	"strconv"

	"github.com/larderdb/larder"
)

// pageSize is how many things a page shows.
const pageSize = 20

// A view is what the page shows, but for the list.
type view struct {
	Users  []User
	User   User
	Page   int // of the list that was asked for
	Writer job
	Rates  []int
	Shop   string
}

// A list is what the fragment shows: one page of a user's things.
type list struct {
	User   User
	Things []Thing
	Total  int
	Page   int
	Pages  int
}

// thingsList is the template of the fragment.
const thingsList = "things.html"

var pageFuncs = template.FuncMap{
	"price":   price,
	"grouped": func(n int) string { return grouped(int64(n)) },
	"add":     func(a, b int) int { return a + b },
}

// price writes cents.
func price(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// Prev and Next are users beside the one shown, round the corner.
func (v *view) Prev() int64 { return (v.User.ID-2+int64(len(v.Users)))%int64(len(v.Users)) + 1 }

// Next is the user after the one shown.
func (v *view) Next() int64 { return v.User.ID%int64(len(v.Users)) + 1 }

// show answers with the page of one user.
func (s *site) show(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	v, err := s.look(r.Context(), number(query.Get("user"), 1), int(number(query.Get("page"), 1)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if v == nil {
		http.Error(w, "there is no such user", http.StatusNotFound)
		return
	}
	var b bytes.Buffer
	if err := s.templates.Execute(r.Context(), &b, "page.html", v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	b.WriteTo(w)
}

// look reads what the page of a user shows beside the list; nil if there is no such user.
func (s *site) look(ctx context.Context, user int64, page int) (*view, error) {
	v := &view{Page: max(page, 1), Rates: []int{1, 5, 20, 100}}
	v.Shop = fmt.Sprintf("%s users, %s things", grouped(int64(s.size.Users)), grouped(int64(s.size.Rows)))
	var err error
	if v.Users, err = ask(ctx, s.shop, listUsers); err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	if user < 1 || user > int64(len(v.Users)) {
		return nil, nil
	}
	v.User = v.Users[user-1]
	v.Writer, err = s.job(ctx)
	return v, err
}

// writerTag stands for what the second writer does, which is in no database: who changes that announces the tag.
const writerTag = larder.Tag("writer")

// job is what the second writer does, as a value on which the page depends.
func (s *site) job(ctx context.Context) (job, error) {
	current := func(context.Context) (job, error) { return s.writer.current(), nil }
	return larder.Remember(ctx, s.cache, "writer", current, &larder.ValueOptions[job]{Tags: []larder.Tag{writerTag}})
}

// loadThings reads one page of a user's things: the last, if there are fewer. It is called only if the fragment of user and page
// isn't in the cache.
func (s *site) loadThings(ctx context.Context, args ...any) (any, error) {
	l := &list{User: args[0].(User), Page: args[1].(int)}
	var err error
	l.Total, err = ask(ctx, s.shop, func(ctx context.Context, db *sql.DB) (int, error) { return countThings(ctx, db, l.User.ID) })
	if err != nil {
		return nil, fmt.Errorf("count things: %w", err)
	}
	l.Pages = max((l.Total+pageSize-1)/pageSize, 1)
	l.Page = min(l.Page, l.Pages)
	l.Things, err = ask(ctx, s.shop, func(ctx context.Context, db *sql.DB) ([]Thing, error) {
		return listThings(ctx, db, l.User.ID, pageSize, (l.Page-1)*pageSize)
	})
	if err != nil {
		return nil, fmt.Errorf("list things: %w", err)
	}
	return l, nil
}

// number reads a number, or says what stands for none.
func number(text string, none int64) int64 {
	if text == "" {
		return none
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0
	}
	return n
}

// pageURL is the address of a page, as its links have it: a browser keeps what it gets by the text of the address.
func pageURL(user int64, page int64) string { return fmt.Sprintf("/?user=%d&page=%d", user, page) }
