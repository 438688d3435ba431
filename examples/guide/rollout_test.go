package guide

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/examples/shelf"
)

// TestRollOut: what the chapter on operations says of processes that write past the cache, of Invalidate, and of its first step.
func TestRollOut(t *testing.T) {
	path, remove := shelf.File()
	t.Cleanup(remove)
	url := "redis://" + dbtest.NewRedis(t).Addr() + "?settle=-1s&timeout=10s"
	open := func(copies int64) *sql.DB { // caches of different sizes have copies of their own, as processes do
		db, err := larder.Open("sqlite", path, &larder.Options{StoreURL: url, MaxBytes: copies << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	one, two := open(8), open(9)
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	ctx := t.Context()
	cacheOne, _ := larder.Of(one)
	cacheTwo, _ := larder.Of(two)

	wantLamp(t, ctx, two, "lamp")
	paint(t, old, "red lamp")
	wantLamp(t, ctx, two, "lamp") // it can't know
	if err := cacheOne.Invalidate(ctx, "stuff"); err != nil {
		t.Fatal(err)
	}
	wantLamp(t, ctx, two, "red lamp")

	hits := cacheTwo.Stats().Hits
	paint(t, one, "green lamp")
	wantLamp(t, larder.Bypass(ctx), two, "green lamp")
	paint(t, old, "blue lamp")
	wantLamp(t, larder.Bypass(ctx), two, "blue lamp") // written past the cache, and read past it
	wantLamp(t, ctx, two, "blue lamp")                // nothing was kept
	if got := cacheTwo.Stats().Hits; got != hits {
		t.Errorf("%d reads of the first step were hits", got-hits)
	}
	wantLamp(t, ctx, two, "blue lamp")
	paint(t, one, "lamp")
	wantLamp(t, ctx, two, "lamp")
}

func paint(t *testing.T, db *sql.DB, name string) {
	t.Helper()
	if _, err := db.Exec(fmt.Sprintf("UPDATE stuff SET name = '%s' WHERE id = 1", name)); err != nil {
		t.Fatal(err)
	}
}

func wantLamp(t *testing.T, ctx context.Context, db *sql.DB, want string) {
	t.Helper()
	var got string
	if err := db.QueryRowContext(ctx, "SELECT name FROM stuff WHERE id = 1").Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("reads %q, want %q", got, want)
	}
}
