package larder

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

const crowd = 16 // clients that write in TestHitsAmongWriters

// TestHitsAmongWriters: a list is kept although at each moment somebody is writing another one of the same table.
func TestHitsAmongWriters(t *testing.T) {
	type place struct {
		kind
		store string // "" is memory
	}
	places := []place{{kinds[2], "redis"}, {kinds[2], "memcached"}}
	for _, k := range kinds[2:] { // SQLite has one writer at a time
		places = append(places, place{k, ""})
	}
	for _, p := range places {
		t.Run(strings.TrimSpace(p.name+" "+p.store), func(t *testing.T) {
			t.Parallel()
			var s store.Store
			if p.store != "" {
				s = sharedStores[p.store](t)()
			}
			w := &window{write: 2 * time.Millisecond}
			l := newStoreLab(t, p.kind, coherence.NoMutant, w, 0, s)
			for owner := range crowd + 1 {
				l.must(fmt.Sprintf("DELETE FROM cards WHERE id = %d", 100+owner))
				l.must(fmt.Sprintf("INSERT INTO cards VALUES (%d, %d, 0)", 100+owner, 100+owner))
			}
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			var writers sync.WaitGroup
			defer writers.Wait()
			for owner := range crowd {
				writers.Go(func() { l.writeOn(ctx, 100+owner) })
			}
			time.Sleep(50 * time.Millisecond)
			hits := 0
			for end := time.Now().Add(20 * time.Second); hits < 100 && time.Now().Before(end); {
				before := l.cache.Stats().Hits
				l.list(l.handles[1], 100+crowd)
				hits += int(l.cache.Stats().Hits - before)
			}
			got := l.cache.Stats()
			t.Logf("%d hits, %d misses, %d held; %d writes, %d of them wide; %d calls of a store failed",
				got.Hits, got.Misses, got.Held, got.Writes, got.WideWrites, got.Shared.Errors)
			if hits < 100 { // who waits for a moment without a write has mostly none by then
				t.Errorf("%d hits, %d held", hits, got.Held)
			}
			stop()
		})
	}
}

// writeOn writes the row of an owner until ctx ends.
func (l *lab) writeOn(ctx context.Context, owner int) {
	text := l.places("UPDATE cards SET v = v + 1 WHERE id = ? AND owner = ?")
	for ctx.Err() == nil {
		if _, err := l.handles[0].Exec(text, owner, owner); err != nil {
			l.Error(err)
			return
		}
	}
}

func (l *lab) list(db *sql.DB, owner int) {
	l.Helper()
	rows, err := db.Query(l.places("SELECT id, v FROM cards WHERE owner = ?"), owner)
	if err != nil {
		l.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		l.Fatal(err)
	}
}
