package demo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of what a form may say.
const (
	maxForm     = 16 << 10 // bytes
	maxName     = 80       // letters
	maxQuantity = 9_999
	maxPrice    = 99_999_99 // cents
)

// A form is what the page sends to change something.
type form struct {
	user, page, id int64
	thing          Thing
}

// submitted reads a form; if it isn't in order it answers the request. With thing it says
// what a thing shall be.
func submitted(w http.ResponseWriter, r *http.Request, thing bool) (*form, bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form can't be read", http.StatusBadRequest)
		return nil, false
	}
	f := &form{
		user: number(r.PostForm.Get("user"), 0),
		page: number(r.PostForm.Get("page"), 1),
		id:   number(r.PostForm.Get("id"), 0),
	}
	if thing {
		var err error
		if f.thing, err = thingOf(r.PostForm.Get("name"), r.PostForm.Get("quantity"), r.PostForm.Get("price")); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return nil, false
		}
	}
	return f, true
}

// thingOf reads what a person says of a thing.
func thingOf(name, quantity, price string) (Thing, error) {
	t := Thing{Name: strings.TrimSpace(name)}
	if t.Name == "" || !utf8.ValidString(t.Name) || utf8.RuneCountInString(t.Name) > maxName {
		return t, fmt.Errorf("a thing takes a name of at most %d letters", maxName)
	}
	var err error
	if t.Quantity, err = strconv.ParseInt(quantity, 10, 64); err != nil || t.Quantity < 0 || t.Quantity > maxQuantity {
		return t, fmt.Errorf("a quantity is a number from 0 to %d", maxQuantity)
	}
	amount, err := strconv.ParseFloat(strings.ReplaceAll(price, ",", "."), 64)
	t.Price = int64(math.Round(amount * 100))
	if err != nil || !(amount >= 0) || amount > maxPrice/100.0 {
		return t, errors.New("a price is a number from 0 to 99999.99")
	}
	return t, nil
}

// answer does what a form asks for, and sends the browser back to the page.
func (s *site) answer(w http.ResponseWriter, r *http.Request, f *form, do func(context.Context) error) {
	if err := do(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, pageURL(f.user, f.page), http.StatusSeeOther)
}

// add gives a user a thing.
func (s *site) add(w http.ResponseWriter, r *http.Request) {
	f, ok := submitted(w, r, true)
	if !ok {
		return
	}
	if f.user < 1 || f.user > int64(s.size.Users) {
		http.Error(w, "there is no such user", http.StatusUnprocessableEntity)
		return
	}
	f.page = 1 // where it is seen
	s.answer(w, r, f, func(ctx context.Context) error {
		now := time.Now().UTC().Truncate(time.Second)
		_, err := s.here.ExecContext(ctx, insertStuff, f.user, f.thing.Name, f.thing.Quantity, f.thing.Price, now)
		return err
	})
}

// change makes a thing another.
func (s *site) change(w http.ResponseWriter, r *http.Request) {
	f, ok := submitted(w, r, true)
	if !ok {
		return
	}
	s.answer(w, r, f, func(ctx context.Context) error {
		_, err := s.here.ExecContext(ctx, updateStuff, f.thing.Name, f.thing.Quantity, f.thing.Price, f.id, f.user)
		return err
	})
}

// remove takes a thing away.
func (s *site) remove(w http.ResponseWriter, r *http.Request) {
	f, ok := submitted(w, r, false)
	if !ok {
		return
	}
	s.answer(w, r, f, func(ctx context.Context) error {
		_, err := s.here.ExecContext(ctx, deleteStuff, f.id, f.user)
		return err
	})
}

// changeElsewhere adds one to a thing's quantity through the other handle.
func (s *site) changeElsewhere(w http.ResponseWriter, r *http.Request) {
	f, ok := submitted(w, r, false)
	if !ok {
		return
	}
	s.answer(w, r, f, func(ctx context.Context) error {
		_, err := s.elsewhere.ExecContext(ctx, stockUpStuff, f.id)
		return err
	})
}

// setWriter starts the second writer, or stops it.
func (s *site) setWriter(w http.ResponseWriter, r *http.Request) {
	f, ok := submitted(w, r, false)
	if !ok {
		return
	}
	j := job{Rate: int(number(r.PostForm.Get("rate"), 0))}
	if r.PostForm.Get("whose") == "user" {
		j.User = f.user
	}
	switch do := r.PostForm.Get("do"); {
	case do == "stop":
		s.writer.stop()
	case do == "start" && j.Rate >= 1 && j.Rate <= maxRate:
		s.writer.start(s.ctx, j)
	default:
		http.Error(w, fmt.Sprintf("the writer can be started, with 1 to %d writes a second, or stopped", maxRate), http.StatusUnprocessableEntity)
		return
	}
	s.answer(w, r, f, func(ctx context.Context) error { return s.cache.Announce(ctx, writerTag) })
}
