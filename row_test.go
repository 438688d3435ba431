package larder

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A thing is a row of the table "things", by tags and by names.
type thing struct {
	Key    int64 `db:"id"`
	UserID *int
	thingName
	Price   float64
	Made    any            `db:"made_at"`
	Note    sql.NullString `db:"note"`
	Ignored string         `db:"-"`
}

type thingName struct{ Name string }

var things = []string{
	"CREATE TABLE things (id INTEGER PRIMARY KEY, user_id INTEGER, name VARCHAR(100) NOT NULL, price NUMERIC(10,2), note VARCHAR(100), made_at VARCHAR(20))",
	"INSERT INTO things VALUES (1, 42, 'bread', 1.5, NULL, 'a'), (2, NULL, 'wine', 2.5, 'red', 'b'), (3, 7, 'milk', 0, NULL, 'c')",
}

// pairs keeps what a receiver of rows was told.
type pairs struct {
	h     *house
	mu    sync.Mutex
	texts []string // guarded by mu
}

func (p *pairs) add(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts = append(p.texts, text)
}

func (h *house) rowsOf(relation string) *pairs {
	p := &pairs{h: h}
	show := func(t *thing) string {
		if t == nil {
			return "none"
		}
		user := "NULL"
		if t.UserID != nil {
			user = fmt.Sprint(*t.UserID)
		}
		return fmt.Sprint(t.Key, " ", user, " ", t.Name, " ", t.Price, " ", t.Note.String)
	}
	h.Cleanup(OnRow(h.cache, relation,
		func(_ context.Context, old, new *thing) { p.add(show(old) + " -> " + show(new)) },
		OnUnknown(func(_ context.Context, c Change) { p.add("unknown: " + changeText(c)) })))
	return p
}

func (p *pairs) want(when string, texts ...string) {
	p.h.Helper()
	p.h.idle()
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.texts)
	if !slices.Equal(p.texts, texts) {
		p.h.Errorf("%s: told %q, want %q", when, p.texts, texts)
	}
	p.texts = nil
}

// TestOnRow: each row that is changed is told as it was and as it is, in transactions and outside, with results kept and without.
func TestOnRow(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(things)
		p := h.rowsOf("things")
		for round := range 2 {
			h.exec(h.db, "UPDATE things SET price = price + 1 WHERE id = 1")
			p.want("an expression", "1 42 bread 1.5  -> 1 42 bread 2.5 ")
			h.exec(h.db, "UPDATE things SET name = ?, note = ? WHERE id = ?", "loaf", "old", 1)
			p.want("arguments", "1 42 bread 2.5  -> 1 42 loaf 2.5 old")
			h.exec(h.db, "UPDATE things SET user_id = 8 WHERE price > 1")
			p.want("a condition", "1 42 loaf 2.5 old -> 1 8 loaf 2.5 old", "2 NULL wine 2.5 red -> 2 8 wine 2.5 red")
			h.exec(h.db, "INSERT INTO things (id, user_id, name, price) VALUES (?, 9, 'egg', 0.25), (11, NULL, 'jam', 1)", 10)
			p.want("INSERT", "none -> 10 9 egg 0.25 ", "none -> 11 NULL jam 1 ")
			tx := h.begin(h.db, 0)
			h.exec(tx, "UPDATE things SET name = 'eggs' WHERE id = 10")
			h.exec(tx, "DELETE FROM things WHERE id IN (10, 11, 99)")
			p.want("before COMMIT")
			h.commit(tx)
			p.want("after COMMIT", "10 9 egg 0.25  -> 10 9 eggs 0.25 ", "10 9 eggs 0.25  -> none", "11 NULL jam 1  -> none")
			h.exec(h.db, "DELETE FROM things WHERE id = 99")
			p.want("no row")
			tx = h.begin(h.db, 0)
			h.exec(tx, "DELETE FROM things")
			h.rollback(tx)
			p.want("ROLLBACK")

			for _, back := range []string{
				"UPDATE things SET user_id = 42, name = 'bread', price = 1.5, note = NULL WHERE id = 1",
				"UPDATE things SET user_id = NULL WHERE id = 2",
			} {
				h.exec(h.db, back)
			}
			h.idle()
			p.texts = nil
			for range 2 { // then results are confined to rows
				h.query(h.db, "SELECT name FROM things WHERE user_id = ?", 42)
				h.query(h.db, "SELECT name FROM things WHERE id = ?", round)
			}
			if got, want := h.query(h.db, "SELECT * FROM things ORDER BY id"), h.query(h.bare, "SELECT * FROM things ORDER BY id"); got != want {
				h.Errorf("cached %s, bare %s", got, want)
			}
		}
	})
}

// TestOnRowKeepsCacheRight: what is asked for receivers of rows leaves the cache as right as it was.
func TestOnRowKeepsCacheRight(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(things)
		h.rowsOf("things")
		reads := []string{"SELECT name FROM things WHERE user_id = 42 ORDER BY id", "SELECT name FROM things WHERE id = 1", "SELECT count(*) FROM things", "SELECT note FROM things WHERE user_id = 8"}
		for i, write := range []string{
			"UPDATE things SET user_id = 8 WHERE id = 1", "UPDATE things SET user_id = 42 WHERE price > 1", "INSERT INTO things (id, user_id, name) VALUES (20, 42, 'x')",
			"UPDATE things SET id = 21 WHERE id = 20", "INSERT INTO things (id, user_id, name) VALUES (20, 42, 'y'), (22, 8, 'z')", "DELETE FROM things WHERE user_id = 42", "UPDATE things SET name = 'all'", "DELETE FROM things",
		} {
			for range 2 {
				for _, read := range reads {
					h.query(h.db, read)
				}
			}
			h.exec(h.db, write)
			for _, read := range reads {
				if got, want := h.query(h.db, read), h.query(h.bare, read); got != want {
					h.Errorf("%d %s, then %s: cached %s, bare %s", i, write, read, got, want)
				}
			}
		}
	})
}

// TestOnRowUnknown: what isn't known row by row is told otherwise.
func TestOnRowUnknown(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(things)
		p := h.rowsOf("things")
		h.exec(h.db, "INSERT INTO things (id, name) SELECT id + 100, name FROM things")
		p.want("by a query", "unknown: insert things")
		h.exec(h.db, "UPDATE things SET id = 200 WHERE id = 1")
		p.want("of a key", "unknown: update things 1")
		h.exec(h.db, "CREATE TABLE more (id INTEGER)")
		p.want("DDL", "unknown: schema *")
		var many []string
		for i := range 70 {
			many = append(many, fmt.Sprintf("(%d, 'many')", 1000+i))
		}
		h.exec(h.db, "INSERT INTO things (id, name) VALUES "+strings.Join(many, ", "))
		p.want("many", "unknown: insert things 70")
		h.exec(h.db, "UPDATE things SET name = 'still' WHERE name = 'many'")
		p.want("many", "unknown: update things 70")
	})
}

// TestOnRowNumbered: a row whose key the database gives is told with it.
func TestOnRowNumbered(t *testing.T) {
	serial := map[string]string{"sqlite": "INTEGER PRIMARY KEY", "postgres": "SERIAL PRIMARY KEY", "mysql": "INTEGER PRIMARY KEY AUTO_INCREMENT"}
	eachKind(t, func(h *house) {
		h.prepare([]string{"CREATE TABLE things (id " + serial[h.dialect] + ", user_id INTEGER, name VARCHAR(100) NOT NULL DEFAULT 'none', price INTEGER DEFAULT 3)"})
		var told []string
		defer OnRow(h.cache, "things", func(_ context.Context, old, new *struct {
			ID    int8
			Name  string
			Price uint
		}) {
			told = append(told, fmt.Sprint(old == nil, *new))
		}, OnUnknown(func(_ context.Context, c Change) { told = append(told, changeText(c)) }))()
		h.exec(h.db, "INSERT INTO things (user_id) VALUES (42)")
		h.exec(h.db, "INSERT INTO things (user_id, name) VALUES (?, 'a')", 7)
		if h.dialect != "mysql" {
			h.query(h.db, "INSERT INTO things (user_id, name) VALUES (?, 'b') RETURNING id", 8)
		}
		h.idle()
		want := []string{"true {1 none 3}", "true {2 a 3}", "true {3 b 3}"}
		if h.dialect == "mysql" {
			want = want[:2]
		}
		if !slices.Equal(told, want) {
			h.Errorf("told %q, want %q", told, want)
		}
	})
}

// TestOnRowRaced: a row that another changes while it is being looked at is told as it became.
func TestOnRowRaced(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare([]string{"CREATE TABLE counts (id INTEGER PRIMARY KEY, n INTEGER)", "INSERT INTO counts VALUES (1, 0)"})
		var mu sync.Mutex
		next := map[int]int{}
		defer OnRow(h.cache, "counts", func(_ context.Context, old, new *struct{ ID, N int }) {
			mu.Lock()
			defer mu.Unlock()
			next[old.N] = new.N
		}, OnUnknown(func(_ context.Context, c Change) { h.Errorf("not known: %+v", c) }))()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 25 {
					if _, err := h.db.Exec("UPDATE counts SET n = n + 1 WHERE id = 1"); err != nil {
						h.Error(err)
					}
				}
			})
		}
		all.Wait()
		h.idle()
		for n := range 100 {
			if next[n] != n+1 {
				h.Fatalf("%d became %d", n, next[n])
			}
		}
	})
}

// TestAssign: values go to fields as they go to what sql.Rows.Scan is given.
func TestAssign(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		value any
		to    any
		want  any // nil: an error
	}{
		{int64(7), new(int8), int8(7)},
		{int64(700), new(int8), nil},
		{[]byte("7"), new(int), 7},
		{"x", new(int), nil},
		{int64(-1), new(uint), nil},
		{nil, new(int), nil},
		{nil, new(string), nil},
		{nil, new([]byte), []byte(nil)},
		{int64(7), new(string), "7"},
		{[]byte("{}"), new(json.RawMessage), json.RawMessage("{}")},
		{int64(1), new(bool), true},
		{1.5, new(float32), float32(1.5)},
		{now, new(time.Time), now},
		{"a", new(any), "a"},
		{nil, new(any), any(nil)},
		{int64(7), new(chan int), nil},
		{"a", new(fmt.Stringer), nil},
	} {
		to := reflect.ValueOf(c.to).Elem()
		err := assign(to, c.value)
		if fails := c.want == nil && to.Kind() != reflect.Interface || to.Type() == reflect.TypeFor[fmt.Stringer](); fails != (err != nil) {
			t.Errorf("%T(%v) to %v: %v", c.value, c.value, to.Type(), err)
		} else if err == nil && !reflect.DeepEqual(to.Interface(), c.want) {
			t.Errorf("%T(%v) to %v: %v", c.value, c.value, to.Type(), to.Interface())
		}
	}
	pointer := new(int)
	if err := assign(reflect.ValueOf(&pointer).Elem(), nil); err != nil || pointer != nil {
		t.Error("NULL to a pointer", pointer, err)
	}
}

// TestOnRowUndecoded: rows that the struct can't hold are told otherwise.
func TestOnRowUndecoded(t *testing.T) {
	h := newHouse(t, kinds[0], nil)
	h.prepare(things)
	var told []string
	defer OnRow(h.cache, "things", func(context.Context, *struct{ Name int }, *struct{ Name int }) { t.Error("a text that is no number") },
		OnUnknown(func(_ context.Context, c Change) { told = append(told, changeText(c)) }))()
	h.exec(h.db, "UPDATE things SET note = 'x' WHERE id = 1")
	h.idle()
	if !slices.Equal(told, []string{"update things 1"}) {
		t.Errorf("told %q", told)
	}
	for _, wrong := range []func(){
		func() { OnRow(h.cache, "things", func(context.Context, *int, *int) {}) },
		func() { OnRow[thing](h.cache, "things", nil) },
		func() { OnRow(h.cache, "*", func(context.Context, *thing, *thing) {}) },
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "larder: OnRow needs") {
					t.Errorf("panic %s", p)
				}
			}()
			wrong()
		}()
	}
}

// TestOnRowReplica: who applies what is told has the table. What is told without rows has it read again.
func TestOnRowReplica(t *testing.T) {
	eachKind(t, func(h *house) {
		h.prepare(things)
		r := rand.New(rand.NewPCG(1, 2))
		copied, again := map[int64]string{}, 0
		load := func() {
			clear(copied)
			rows, err := h.bare.Query("SELECT id, name FROM things")
			h.ok(err)
			defer rows.Close()
			for rows.Next() {
				var id int64
				var name string
				h.ok(rows.Scan(&id, &name))
				copied[id] = name
			}
		}
		load()
		defer OnRow(h.cache, "things", func(_ context.Context, old, new *thing) {
			if old != nil {
				if copied[old.Key] != old.Name {
					h.Errorf("told that %d was %s, it was %s", old.Key, old.Name, copied[old.Key])
				}
				delete(copied, old.Key)
			}
			if new != nil {
				copied[new.Key] = new.Name
			}
		}, OnUnknown(func(context.Context, Change) { again++; load() }))()
		write := func(on handle) {
			id, text := r.IntN(12), fmt.Sprint(r.IntN(100))
			switch r.IntN(6) {
			case 0:
				on.ExecContext(h.Context(), h.marks("INSERT INTO things (id, user_id, name) VALUES (?, ?, ?)"), id, r.IntN(3), text)
			case 1:
				h.exec(on, "DELETE FROM things WHERE id = ?", id)
			case 2:
				h.exec(on, "UPDATE things SET name = ? WHERE user_id = ?", text, r.IntN(3))
			case 3:
				h.exec(on, "UPDATE things SET id = ? WHERE id = ?", id+100, id)
			default:
				h.exec(on, "UPDATE things SET name = ?, user_id = ? WHERE id = ?", text, r.IntN(3), id)
			}
		}
		conn := h.conn(h.db)
		for range 60 {
			switch r.IntN(3) {
			case 0:
				write(h.db)
			default:
				h.exec(conn, "BEGIN")
				for range r.IntN(3) {
					h.exec(conn, "UPDATE things SET name = ? WHERE id = ?", fmt.Sprint(r.IntN(100)), r.IntN(12))
				}
				h.exec(conn, "SAVEPOINT s")
				h.exec(conn, "DELETE FROM things WHERE id = ?", r.IntN(12))
				if r.IntN(2) == 0 {
					h.exec(conn, "ROLLBACK TO SAVEPOINT s")
				}
				h.exec(conn, "UPDATE things SET user_id = ? WHERE id = ?", r.IntN(3), r.IntN(12))
				h.exec(conn, []string{"COMMIT", "ROLLBACK"}[r.IntN(2)])
			}
			h.query(h.db, "SELECT id FROM things WHERE user_id = ?", r.IntN(3))
			h.idle() // or what is read again is newer than what is told after it
		}
		told := fmt.Sprint(copied)
		load()
		if want := fmt.Sprint(copied); told != want {
			h.Errorf("told\n%s, want\n%s", told, want)
		}
		if again > 15 {
			h.Errorf("rows weren't known %d times", again)
		}
	})
}
