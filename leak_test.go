package larder

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
)

// busy uses a handle in every way, from several goroutines, and leaves nothing open.
func (h *house) busy(db *sql.DB) {
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for i := range 25 {
				h.busyOnce(db, n*25+i)
			}
		})
	}
	all.Wait()
}

func (h *house) busyOnce(db *sql.DB, i int) {
	ctx, cancel := within(5000)
	defer cancel()
	h.query(db, "SELECT id, name FROM stuff WHERE user_id = ?", i%10)
	if rows, err := db.QueryContext(ctx, "SELECT id FROM many"); err == nil {
		rows.Next()
		rows.Close()
	}
	h.query(db, "SELECT id FROM nowhere")
	short, end := within(1)
	h.query(withContext{db, short}, "SELECT count(*) FROM many a, many b WHERE a.id < 100")
	end()
	if stmt, err := db.PrepareContext(ctx, h.marks("SELECT name FROM stuff WHERE id = ?")); err == nil {
		h.query(stmtHandle{stmt}, "", i%3)
		stmt.Close()
	}
	if tx, err := db.BeginTx(ctx, nil); err == nil {
		h.query(tx, "SELECT id, name FROM stuff WHERE user_id = ?", 42)
		tx.ExecContext(ctx, "UPDATE stuff SET price = price WHERE id = 1")
		if i%2 == 0 {
			tx.Commit()
		} else {
			tx.Rollback()
		}
	}
	if c, err := db.Conn(ctx); err == nil {
		h.query(c, "SELECT id FROM stuff WHERE id = ?", i%5)
		c.Raw(func(any) error { return nil })
		c.Close()
	}
}

// withContext asks with a context of its own.
type withContext struct {
	*sql.DB
	ctx context.Context
}

func (w withContext) QueryContext(_ context.Context, text string, args ...any) (*sql.Rows, error) {
	return w.DB.QueryContext(w.ctx, text, args...)
}

// awaitSessions waits until the server has no more than n sessions: it ends those
// that were closed in its own time.
func (h *house) awaitSessions(n int, when string) {
	h.Helper()
	for end := time.Now().Add(10 * time.Second); h.sessions() > n; {
		if time.Now().After(end) {
			h.Fatalf("%s the server has %d sessions, want %d", when, h.sessions(), n)
		}
	}
}

// TestNothingLeaks: after much use no goroutine and no connection is left, and no
// more statements are left prepared than by the bare handle.
func TestNothingLeaks(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			k.open(t) // the shared server, which stays
			dbtest.Leaks(t)
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 64 << 10, Observe: func(context.Context, Event) {}})
			h.endRunaways()
			many(h)
			h.busy(h.db)
			if s := h.db.Stats(); s.InUse != 0 || s.OpenConnections > 2 {
				t.Errorf("%d connections in use, %d open", s.InUse, s.OpenConnections)
			}
			h.awaitSessions(3, "in use") // two of the handle, one that counts
			if k.dialect == "mysql" {
				if n := h.preparedNow(); n != 0 {
					t.Errorf("%d statements are prepared", n)
				}
			}
			for _, db := range []*sql.DB{h.db, h.other} {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
			h.awaitSessions(1, "after Close")
			if list := h.cache.handles.list(); len(list) != 0 {
				t.Errorf("the cache still knows %d handles", len(list))
			}
			if err := h.cache.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// sessions is how many sessions the server has on the test's database; one is the bare handle's.
func (h *house) sessions() (n int) {
	text := map[string]string{
		"postgres": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
		"mysql":    "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND (command = 'Sleep' OR id = connection_id())",
	}[h.dialect]
	h.bare.SetMaxIdleConns(1)
	if text == "" {
		return 1
	}
	if err := h.bare.QueryRow(text).Scan(&n); err != nil {
		h.Fatal(err)
	}
	return n
}

// TestHitsOpenNothing: a handle that is answered from the cache opens no connection.
func TestHitsOpenNothing(t *testing.T) {
	for _, k := range kinds {
		if k.dialect == "sqlite" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 64 << 10, Observe: func(context.Context, Event) {}})
			h.stuff()
			const list = "SELECT id, name FROM stuff WHERE user_id = ? ORDER BY id"
			h.query(h.db, list, 42)
			h.db.SetMaxIdleConns(-1) // its connection is closed; the next is opened anew
			before := h.sessions()
			want := h.query(h.bare, list, 42)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range 50 {
						if got := render(h.db.QueryContext(h.Context(), h.marks(list), 42)); got != want {
							h.Errorf("got %s", got)
						}
					}
				})
			}
			all.Wait()
			if after := h.sessions(); after > before {
				h.Errorf("hits opened %d sessions", after-before)
			}
		})
	}
}

// TestBoundedMemory: however many different queries are asked, memory stays bounded:
// by the store's size and by what is kept of texts.
func TestBoundedMemory(t *testing.T) {
	const texts, limit = 50_000, 120 << 20
	h := newHouse(t, kinds[0], &Options{MaxBytes: 4 << 20, MaxEntryBytes: 64 << 10, NotAdaptive: true, Observe: func(context.Context, Event) {}})
	many(h)
	ask := func(from, n int) {
		for i := from; i < from+n; i++ {
			var got int
			if err := h.db.QueryRow(fmt.Sprintf("SELECT id + %d FROM many WHERE id = %d", i, i%1000)).Scan(&got); err != nil || got != i+i%1000 {
				t.Fatal(got, err)
			}
		}
	}
	before := heap()
	ask(0, texts/2)
	half := heap() - before
	ask(texts/2, texts/2)
	full := heap() - before
	t.Logf("%d texts take %d MB, %d take %d MB", texts/2, half>>20, texts, full>>20)
	if full > limit {
		t.Errorf("%d texts take %d MB", texts, full>>20)
	}
	if full > half+half/2 && full > limit/2 {
		t.Errorf("memory goes on growing: %d MB, then %d MB", half>>20, full>>20)
	}
	for i := range texts {
		var got int
		if err := h.db.QueryRow("SELECT id + ? FROM many WHERE id = ?", i, i%1000).Scan(&got); err != nil || got != i+i%1000 {
			t.Fatal(got, err)
		}
	}
	if after := heap() - before; after > full+8<<20 {
		t.Errorf("%d arguments of one text take %d MB more", texts, (after-full)>>20)
	}
	if s := h.cache.Stats(); s.Hits+s.Misses < 2*texts {
		t.Errorf("not cacheable: %+v", s)
	}
}
