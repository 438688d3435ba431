package session

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

// asked counts how often a store was asked which shapes are in use.
type asked struct {
	*memory.Store
	members atomic.Int64
}

func (a *asked) Members(ctx context.Context, tag store.Tag) ([]string, store.Token, error) {
	a.members.Add(1)
	return a.Store.Members(ctx, tag)
}

// A routed is a session whose store counts how often it is asked which shapes are in use.
type routed struct {
	*testing.T
	in *asked
	s  *Session
}

func newRouted(t *testing.T) *routed {
	t.Helper()
	in := &asked{Store: memory.New(1 << 20)}
	t.Cleanup(func() { in.Close() })
	src := newSource(t, in, "file:"+filepath.Join(t.TempDir(), "a.db"), 0)
	t.Cleanup(func() { src.Close() })
	s := src.New()
	t.Cleanup(func() { s.Close() })
	return &routed{t, in, s}
}

func (r *routed) exec(text string) {
	r.Helper()
	if _, err := r.s.Exec(r.Context(), text, nil); err != nil {
		r.Fatal(err)
	}
}

// names reads the names where a condition holds for arguments, and how often it was asked for that which shapes are in use.
func (r *routed) names(where string, args ...any) (names string, asks int64) {
	r.Helper()
	before := r.in.members.Load()
	values := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
	}
	rows, err := r.s.Query(r.Context(), "SELECT name FROM stuff WHERE "+where+" ORDER BY id", values)
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for row := make([]driver.Value, 1); ; {
		err := rows.Next(row)
		if err == io.EOF {
			return strings.Join(list, " "), r.in.members.Load() - before
		}
		if err != nil {
			r.Fatal(err)
		}
		list = append(list, fmt.Sprint(row[0]))
	}
}

// missed reads by a column, and wants to know whether it was asked for that which shapes are in use.
func (r *routed) missed(column string, arg any, want string, asks bool) {
	r.Helper()
	got, n := r.names(column+" = ?", arg)
	if got != want {
		r.Errorf("%s %v: %q, want %q", column, arg, got, want)
	}
	if (n > 0) != asks {
		r.Errorf("%s %v: it was asked %d times which shapes are in use", column, arg, n)
	}
}

// TestMissesTakeTheRoute: a miss like one before doesn't ask again which shapes are in use; one that isn't, or that comes after what may
// have changed them, does, and sees what was written.
func TestMissesTakeTheRoute(t *testing.T) {
	r := newRouted(t)
	r.exec("CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT, seen INTEGER)")
	r.exec("INSERT INTO stuff VALUES (1, 1, 'a', 0), (2, 1, 'b', 0), (3, 2, 'c', 0), (4, 3, 'd', 0)")
	for user := range int64(4) { // puts the shape in use
		r.names("user_id = ?", 10+user)
	}
	r.missed("user_id", int64(1), "a b", false)
	r.missed("user_id", int64(2), "c", false)
	r.missed("user_id", "3", "d", false)
	r.missed("id", int64(1), "a", true) // by another shape
	r.exec("INSERT INTO stuff VALUES (5, 3, 'f', 0)")
	r.missed("user_id", int64(3), "d f", false)
	r.exec("UPDATE stuff SET name = 'e' WHERE id = 3") // what UPDATEs set may tell results apart
	r.missed("user_id", int64(2), "e", true)
	r.exec("UPDATE stuff SET user_id = 2 WHERE id = 1")
	r.missed("user_id", int64(1), "b", true)
	r.missed("user_id", int64(2), "a e", false)
	r.exec("UPDATE stuff SET name = name || '!' WHERE id > 1 AND name <> random()")
	r.missed("user_id", int64(1), "b!", true) // any row may be another
	r.missed("user_id", int64(2), "a e!", false)
	r.exec("UPDATE stuff SET seen = 1 WHERE id = 1") // which isn't looked at: results are told apart by another shape from now on
	r.missed("user_id", int64(20), "", true)
}

// TestRouteOfAnotherShape: where a read is sliced by another shape than its statement's own, since there may be no more of them, the next one
// doesn't take its value for one of that.
func TestRouteOfAnotherShape(t *testing.T) {
	r := newRouted(t)
	r.exec("CREATE TABLE stuff (id INTEGER PRIMARY KEY, name TEXT, c1 INT, c2 INT, c3 INT, c4 INT, c5 INT, c6 INT, c7 INT, c8 INT)")
	for id := range 9 {
		r.exec(fmt.Sprintf("INSERT INTO stuff VALUES (%d, 'old', 70, 1, 1, 1, 1, 1, 1, 1)", id+1))
	}
	for n := range int64(4) { // as many shapes are in use as may be
		for c := range 8 {
			r.names(fmt.Sprintf("c%d = ?", c+1), 100+n)
		}
	}
	read := func() (all string) {
		for id := range int64(9) {
			one, _ := r.names("id = ? AND c1 = ?", id+1, int64(70))
			all += one + " "
		}
		return all
	}
	read()
	r.exec("UPDATE stuff SET name = 'new' WHERE id = 5")
	if got, want := read(), "old old old old new old old old old "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
