package larder

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// told gathers what a function of OnCommit was told.
type told struct {
	mu   sync.Mutex
	list []string // guarded by mu
}

func (r *told) settle(_ context.Context, relations []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, relation := range relations {
		_, name, _ := strings.Cut(relation, ".")
		r.list = append(r.list, name)
	}
}

func (r *told) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// TestOnCommit: a function is told what a statement or a transaction has changed before that returns, and may read it then; nothing of what
// was rolled back.
func TestOnCommit(t *testing.T) {
	eachKind(t, func(h *house) {
		h.exec(h.db, "CREATE TABLE stuff (id integer PRIMARY KEY, name varchar(20))")
		h.exec(h.db, "CREATE TABLE other (id integer PRIMARY KEY)")
		var heard told
		defer h.cache.OnCommit(heard.settle)()
		expect := func(what string, want ...string) {
			h.Helper()
			if got := heard.take(); !slices.Equal(got, want) {
				h.Errorf("%s: told %v, want %v", what, got, want)
			}
		}
		h.exec(h.db, "INSERT INTO stuff VALUES (1, 'bread')")
		expect("a statement", "stuff")
		h.exec(h.db, "UPDATE stuff SET name = 'salt' WHERE id = 2")
		expect("a statement that changes nothing")
		for _, commit := range []bool{false, true} {
			tx, err := h.db.Begin()
			if err != nil {
				h.Fatal(err)
			}
			for _, text := range []string{"INSERT INTO stuff VALUES (2, 'milk')", "INSERT INTO other VALUES (1)", "UPDATE stuff SET name = 'oil' WHERE id = 1"} {
				if _, err := tx.Exec(text); err != nil {
					h.Fatal(err)
				}
			}
			expect("an open transaction")
			if !commit {
				_ = tx.Rollback()
				expect("a rollback")
				continue
			}
			if err := tx.Commit(); err != nil {
				h.Fatal(err)
			}
			expect("a commit", "other", "stuff")
		}
	})
}

// TestOnCommitTime: the time of a function isn't the write's, as events tell it; nor does a change of the schema wait for it, until which what
// it concerns isn't answered from the cache.
func TestOnCommitTime(t *testing.T) {
	eachKind(t, func(h *house) {
		h.exec(h.db, "CREATE TABLE stuff (id integer PRIMARY KEY, name varchar(20))")
		h.exec(h.db, "CREATE TABLE other (id integer PRIMARY KEY)")
		const pause = 200 * time.Millisecond
		var altered atomic.Bool
		defer h.cache.OnCommit(func(context.Context, []string) {
			time.Sleep(pause)
			if altered.CompareAndSwap(false, true) {
				h.exec(h.other, "ALTER TABLE other ADD COLUMN n integer")
				h.query(h.other, "SELECT n FROM other")
				h.wantRead(h.other, OutcomeHit, "SELECT n FROM other")
			}
		})()
		h.exec(h.db, "INSERT INTO stuff VALUES (1, 'bread')")
		conn := h.conn(h.db)
		for what, write := range map[string]func(){
			"a statement": func() { h.exec(h.db, "UPDATE stuff SET name = 'salt'") },
			"a commit": func() {
				tx := h.begin(h.db, sql.LevelDefault)
				h.exec(tx, "UPDATE stuff SET name = 'milk'")
				h.commit(tx)
			},
			"a COMMIT": func() {
				h.exec(conn, "BEGIN")
				h.exec(conn, "UPDATE stuff SET name = 'oil'")
				h.exec(conn, "COMMIT")
			},
		} {
			h.take()
			began := time.Now()
			write()
			took, told := time.Since(began), time.Duration(0)
			for _, e := range h.take() {
				if told += e.Total; e.Store < 0 || e.Total < e.Database {
					h.Errorf("%s: %+v", what, e)
				}
			}
			if took < pause || told <= 0 || told > took-pause {
				h.Errorf("%s took %v, of which a function did %v, and is told to have taken %v", what, took, pause, told)
			}
		}
	})
}

// TestOnCommitAlone: a function that panics doesn't harm the writer, nor does one that reads; one that was stopped is told nothing.
func TestOnCommitAlone(t *testing.T) {
	cache, err := New(&Options{MaxBytes: 1 << 20, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	db, err := cache.Open("sqlite", "file:"+t.TempDir()+"/x.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE stuff (id integer PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	counts := make(chan int, 10)
	defer cache.OnCommit(func(context.Context, []string) { panic("no") })()
	stop := cache.OnCommit(func(ctx context.Context, _ []string) {
		var n int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM stuff").Scan(&n); err != nil {
			t.Error(err)
		}
		counts <- n
	})
	for i := range 3 {
		if _, err := db.Exec("INSERT INTO stuff VALUES (?)", i); err != nil {
			t.Fatal(err)
		}
		if len(counts) != 1 {
			t.Fatal("the writer's call returned before the function did")
		}
		if n := <-counts; n != i+1 {
			t.Errorf("it counts %d of %d", n, i+1)
		}
	}
	stop()
	stop()
	if _, err := db.Exec("INSERT INTO stuff VALUES (10)"); err != nil {
		t.Fatal(err)
	}
	if len(counts) != 0 {
		t.Error("it is told after its end")
	}
}

// TestOnCommitTold: when a store that was away has been told of a write, who purges a cache further out hears of it once more: other processes may have
// filled that with what was older meanwhile.
func TestOnCommitTold(t *testing.T) {
	heard := make(chan string, 1000)
	stop := func() {}
	away(t, Options{}, func(h *house) {
		stop = h.cache.OnCommit(func(_ context.Context, relations []string) { heard <- strings.Join(relations, " ") })
		h.exec(h.db, "UPDATE stuff SET name = 'unheard'")
		if got := <-heard; !strings.HasSuffix(got, "stuff") {
			h.Errorf("told %q", got)
		}
	}, func(h *house) {
		defer stop()
		select {
		case got := <-heard:
			if got != "*" {
				h.Errorf("told %q", got)
			}
		case <-time.After(10 * time.Second):
			h.Error("it hears nothing when the store has been told")
		}
	})
}
