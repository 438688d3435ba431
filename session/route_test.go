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

// TestMissesTakeTheRoute: a miss like one before doesn't ask again which shapes are in use; one that isn't, or that comes after what may
// have changed them, does, and sees what was written.
func TestMissesTakeTheRoute(t *testing.T) {
	in := &asked{Store: memory.New(1 << 20)}
	defer in.Close()
	src := newSource(t, in, "file:"+filepath.Join(t.TempDir(), "a.db"), 0)
	defer src.Close()
	s := src.New()
	defer s.Close()
	exec := func(text string) {
		t.Helper()
		if _, err := s.Exec(t.Context(), text, nil); err != nil {
			t.Fatal(err)
		}
	}
	names := func(column string, arg any) (names string, asks int64) {
		t.Helper()
		before := in.members.Load()
		rows, err := s.Query(t.Context(), "SELECT name FROM stuff WHERE "+column+" = ? ORDER BY id", []driver.NamedValue{{Ordinal: 1, Value: arg}})
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var list []string
		for row := make([]driver.Value, 1); ; {
			err := rows.Next(row)
			if err == io.EOF {
				return strings.Join(list, " "), in.members.Load() - before
			}
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, fmt.Sprint(row[0]))
		}
	}
	missed := func(column string, arg any, want string, asks bool) {
		t.Helper()
		got, n := names(column, arg)
		if got != want {
			t.Errorf("%s %v: %q, want %q", column, arg, got, want)
		}
		if (n > 0) != asks {
			t.Errorf("%s %v: it was asked %d times which shapes are in use", column, arg, n)
		}
	}
	exec("CREATE TABLE stuff (id INTEGER PRIMARY KEY, user_id INTEGER, name TEXT, seen INTEGER)")
	exec("INSERT INTO stuff VALUES (1, 1, 'a', 0), (2, 1, 'b', 0), (3, 2, 'c', 0), (4, 3, 'd', 0)")
	for user := range int64(4) { // puts the shape in use
		names("user_id", 10+user)
	}
	missed("user_id", int64(1), "a b", false)
	missed("user_id", int64(2), "c", false)
	missed("user_id", "3", "d", false)
	missed("id", int64(1), "a", true) // by another shape
	exec("INSERT INTO stuff VALUES (5, 3, 'f', 0)")
	missed("user_id", int64(3), "d f", false)
	exec("UPDATE stuff SET name = 'e' WHERE id = 3") // what UPDATEs set may tell results apart
	missed("user_id", int64(2), "e", true)
	exec("UPDATE stuff SET user_id = 2 WHERE id = 1")
	missed("user_id", int64(1), "b", true)
	missed("user_id", int64(2), "a e", false)
	exec("UPDATE stuff SET name = name || '!' WHERE id > 1 AND name <> random()")
	missed("user_id", int64(1), "b!", true) // any row may be another
	missed("user_id", int64(2), "a e!", false)
	exec("UPDATE stuff SET seen = 1 WHERE id = 1") // which isn't looked at: results are told apart by another shape from now on
	missed("user_id", int64(20), "", true)
}
