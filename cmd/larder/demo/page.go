package demo

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
)

// pageSize is how many things a page shows.
const pageSize = 20

// A view is what the page shows.
type view struct {
	Users  []User
	User   User
	Things []Thing
	Total  int
	Page   int
	Pages  int
	Writer job
	Rates  []int
	Shop   string
	Begin  beginning
}

// A beginning is what the page knows before its stream begins.
type beginning struct {
	Statements []Entry `json:"statements"`
	Counts     Counts  `json:"counts"`
}

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
	if err := s.page.Execute(&b, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	b.WriteTo(w)
}

// look reads what the page of a user shows; nil if there is no such user.
func (s *site) look(ctx context.Context, user int64, page int) (*view, error) {
	v := &view{Writer: s.writer.current(), Rates: []int{1, 5, 20, 100}}
	v.Shop = fmt.Sprintf("%s users, %s things", grouped(int64(s.size.Users)), grouped(int64(s.size.Rows)))
	err := s.ask(ctx, func(ctx context.Context, db *sql.DB) (err error) {
		v.Users, err = listUsers(ctx, db)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	if user < 1 || user > int64(len(v.Users)) {
		return nil, nil
	}
	v.User = v.Users[user-1]
	if err := s.lookAtThings(ctx, v, page); err != nil {
		return nil, fmt.Errorf("list things: %w", err)
	}
	v.Begin = beginning{s.feed.since(0), s.counts()}
	return v, nil
}

// lookAtThings reads one page of a user's things: the last, if there are fewer pages.
func (s *site) lookAtThings(ctx context.Context, v *view, page int) error {
	err := s.ask(ctx, func(ctx context.Context, db *sql.DB) (err error) {
		v.Total, err = countThings(ctx, db, v.User.ID)
		return err
	})
	if err != nil {
		return err
	}
	v.Pages = max((v.Total+pageSize-1)/pageSize, 1)
	v.Page = min(max(page, 1), v.Pages)
	return s.ask(ctx, func(ctx context.Context, db *sql.DB) (err error) {
		v.Things, err = listThings(ctx, db, v.User.ID, pageSize, (v.Page-1)*pageSize)
		return err
	})
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

// pageURL is the address of a page.
func pageURL(user int64, page int64) string {
	return "/?" + url.Values{"user": {strconv.FormatInt(user, 10)}, "page": {strconv.FormatInt(page, 10)}}.Encode()
}
