package larder

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/lib/pq"
)

// Types of programs, as arguments.
type (
	ownString string
	ownInt    int32
	ownBytes  []byte
	plain     struct{ A int }

	valueByValue   struct{ s string }
	valueByPointer struct{ s string }
	refusing       struct{}
	strange        struct{}
	panicking      struct{}
	scribbler      struct{ got string }
)

func (v valueByValue) Value() (driver.Value, error)    { return v.s, nil }
func (v *valueByPointer) Value() (driver.Value, error) { return v.s, nil }
func (refusing) Value() (driver.Value, error)          { return nil, errors.New("no value today") }
func (strange) Value() (driver.Value, error)           { return plain{1}, nil }
func (panicking) Value() (driver.Value, error)         { panic("no value ever") }

// Scan implements sql.Scanner: it spoils the bytes that it is given.
func (s *scribbler) Scan(src any) error {
	s.got = fmt.Sprintf("%T(%s)", src, src)
	if b, ok := src.([]byte); ok {
		for i := range b {
			b[i] = '#'
		}
		_ = append(b, "more"...)
	}
	return nil
}

// arguments are lists of arguments, sensible or not.
func arguments() [][]any {
	five, text := 5, "text"
	at := time.Date(2024, 2, 29, 12, 13, 14, 567891234, time.FixedZone("here", 3600))
	var nilInt *int
	var nilText *string
	var nilTime *time.Time
	return [][]any{
		{}, {1, 2}, {nil}, {1}, {int8(-1)}, {uint8(200)}, {uint64(math.MaxUint64)}, {int64(math.MinInt64)}, {1.5}, {math.NaN()}, {math.Inf(1)}, {float32(0.1)}, {true},
		{"text"}, {""}, {"5"}, {"2024-02-29"}, {"a\x00b"}, {"\xff"}, {[]byte("bytes")}, {[]byte{}}, {[]byte(nil)}, {[]byte("5")}, {at}, {at.UTC()}, {time.Time{}},
		{&five}, {&text}, {nilInt}, {nilText}, {nilTime}, {&at}, {ownString("own")}, {ownInt(5)}, {ownBytes("own")}, {plain{1}}, {&plain{1}}, {(*plain)(nil)},
		{sql.NullString{}}, {sql.NullString{String: "5", Valid: true}}, {sql.NullInt64{Int64: 5, Valid: true}}, {&sql.NullInt64{Int64: 5, Valid: true}}, {(*sql.NullInt64)(nil)}, {sql.Null[string]{V: "x", Valid: true}},
		{valueByValue{"v"}}, {&valueByValue{"v"}}, {(*valueByValue)(nil)}, {&valueByPointer{"p"}}, {valueByPointer{"p"}}, {refusing{}}, {strange{}},
		{[]int{1, 2}}, {[]string{"a", "b c"}}, {[]string(nil)}, {[]int64{}}, {[2]int{1, 2}}, {[]any{1, "a"}}, {[][]int{{1}, {2}}}, {[]*string{&text, nil}}, {[]byte{1}, []byte{2}},
		{map[string]any{"a": 1}}, {map[string]string(nil)}, {json.RawMessage(`{"a": 1}`)}, {make(chan int)}, {func() {}}, {complex(1, 2)}, {errors.New("error")},
		{sql.Named("name", 5)}, {sql.Named("name", "text")}, {sql.Named("1bad", 5)}, {sql.Named("other", 5)}, {sql.Named("name", sql.NullString{})}, {sql.Out{Dest: &five}}, {sql.Named("name", sql.Out{Dest: &text})},
		{pq.Array([]int{1, 2})}, {pq.Array([]string{"a"})}, {pq.StringArray{"a", "b"}}, {pgtype.Int4{Int32: 5, Valid: true}}, {pgtype.Text{}}, {pgtype.Interval{Days: 2, Valid: true}}, {pgtype.FlatArray[int]{1}},
		{pgx.NamedArgs{"name": 5}}, {pgx.NamedArgs{"name": "x"}}, {pgx.StrictNamedArgs{"other": 1}}, {pgx.QueryExecModeSimpleProtocol, 5}, {pgx.QueryExecModeExec, "5"}, {pgx.QueryResultFormats{1}, 5},
	}
}

// withOneArgument are queries of one parameter.
var withOneArgument = map[string][]string{
	"sqlite": {"SELECT ? AS v, typeof(?1)", "SELECT id, name FROM stuff WHERE id = ?", "SELECT id, name FROM stuff WHERE name = @name OR user_id = @name ORDER BY id", "SELECT :name, $name", "SELECT id FROM stuff"},
	"postgres": {"SELECT $1::text AS v, count(*) FROM stuff", "SELECT $1::int AS v FROM stuff", "SELECT id, name FROM stuff WHERE id = $1", "SELECT id, name FROM stuff WHERE name = $1",
		"SELECT id FROM stuff WHERE id = ANY($1) ORDER BY id", "SELECT id FROM stuff WHERE name = ANY($1) ORDER BY id", "SELECT $1::jsonb FROM stuff WHERE id = 1", "SELECT $1::bytea, $1::bytea FROM stuff WHERE id = 1",
		"SELECT $1::timestamptz FROM stuff WHERE id = 1", "SELECT $1::interval FROM stuff WHERE id = 1", "SELECT id FROM stuff WHERE id = @name", "SELECT $1 FROM stuff", "SELECT id FROM stuff ORDER BY id"},
	"mysql": {"SELECT ? AS v FROM stuff WHERE id = 1", "SELECT id, name FROM stuff WHERE id = ?", "SELECT id, name FROM stuff WHERE name = ?", "SELECT id FROM stuff ORDER BY id", "SELECT CAST(? AS DATETIME(6)) FROM stuff WHERE id = 1"},
}

// TestArguments: arguments of every Go type mean, and are refused, as on the bare handle.
func TestArguments(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, nil)
			h.stuff()
			lists := arguments()
			for _, text := range withOneArgument[h.dialect] {
				t.Run(text, func(t *testing.T) {
					for i := range lists {
						h.same(t, func(w *transcript, db *sql.DB) { h.tryArguments(w, db, text, arguments()[i]) })
						if t.Failed() {
							t.Errorf("arguments were %T %v", lists[i], lists[i])
							return
						}
					}
				})
			}
		})
	}
}

func (h *house) tryArguments(w *transcript, db *sql.DB, text string, args []any) {
	for _, way := range ways {
		w.say("%s", way.name)
		w.guard(func() {
			rows, err, end := way.query(db, text, args...)
			defer end()
			w.rows(steadyText(rows, err))
		})
	}
	w.say("exec")
	w.guard(func() {
		if h.dialect == "mysql" { // its driver waits for ever when a prepared SELECT is executed
			text = "UPDATE stuff SET name = name WHERE name = ?"
		}
		_, err := db.Exec(text, args...)
		_, err = steadyText(nil, err)
		w.fail("exec", err)
	})
}

// steadyText takes addresses out of errors.
func steadyText(rows *sql.Rows, err error) (*sql.Rows, error) {
	if err == nil {
		return rows, nil
	}
	text := err.Error()
	for {
		i := strings.Index(text, "0x")
		if i < 0 {
			break
		}
		j := i + 2
		for j < len(text) && strings.IndexByte("0123456789abcdef", text[j]) >= 0 {
			j++
		}
		text = text[:i] + "address" + text[j:]
	}
	if text == err.Error() {
		return rows, err
	}
	return rows, errors.New(text)
}

// TestOutputParameter: sql.Out is refused by the same words.
func TestOutputParameter(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		var out string
		for _, text := range []string{"SELECT id FROM stuff WHERE id = ?", "UPDATE stuff SET name = ? WHERE id = 1"} {
			_, want := h.bare.Exec(h.marks(text), sql.Out{Dest: &out})
			_, got := h.db.Exec(h.marks(text), sql.Out{Dest: &out})
			_, want = steadyText(nil, want)
			_, got = steadyText(nil, got)
			if fmt.Sprint(got) != fmt.Sprint(want) || want == nil {
				h.Errorf("%s: cached %v, bare %v", text, got, want)
			}
		}
	})
}

// TestPanickingArgument: a Value method that panics does so in the caller, and leaves
// behind nothing that keeps others from the cache for longer than a lease.
func TestPanickingArgument(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 1 << 10, Lease: 100 * time.Millisecond})
			h.stuff()
			const list = "SELECT id, name FROM stuff WHERE user_id = ? ORDER BY id"
			h.wantRead(h.db, OutcomeMiss, list, 42)
			for _, text := range []string{"UPDATE stuff SET name = ? WHERE id = 1", "SELECT id FROM stuff WHERE name = ?", "CREATE TABLE more AS SELECT ? AS id"} {
				for _, run := range []func(db *sql.DB){
					func(db *sql.DB) { db.Exec(h.marks(text), panicking{}) },
					func(db *sql.DB) { db.Query(h.marks(text), panicking{}) },
				} {
					if bare, cached := panics(func() { run(h.bare) }), panics(func() { run(h.db) }); bare != cached || !bare {
						h.Errorf("%s: panics: bare %v, cached %v", text, bare, cached)
					}
				}
			}
			h.waitForHit(h.other, list, 42)
			h.exec(h.db, "ALTER TABLE stuff ADD COLUMN more INTEGER")
			h.exec(h.db, "UPDATE stuff SET name = 'cheese' WHERE id = 1")
			h.query(h.db, list, 42)
			h.wantRead(h.db, OutcomeHit, list, 42)
		})
	}
}

// waitForHit reads until the cache answers; every answer must be the bare handle's.
func (h *house) waitForHit(on handle, query string, args ...any) {
	h.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		h.take()
		got, want := h.query(on, query, args...), h.query(h.bare, query, args...)
		if got != want {
			h.Fatalf("%s: cached %s, bare %s", query, got, want)
		}
		if events := h.take(); len(events) == 1 && events[0].Outcome == OutcomeHit {
			return
		} else if time.Now().After(end) {
			h.Fatalf("%s: no hit: %+v", query, events)
		}
	}
}

func panics(run func()) (did bool) {
	defer func() { did = recover() != nil }()
	run()
	return false
}

// TestCallersBytes: what a caller does to the bytes, names and values that it was
// given doesn't reach the next.
func TestCallersBytes(t *testing.T) {
	play := func(h *house, w *transcript, db *sql.DB) {
		const list = "SELECT id, name, price FROM stuff ORDER BY id"
		rows, err := db.Query(list)
		w.fail("query", err)
		names, _ := rows.Columns()
		for i := range names {
			names[i] = "changed"
		}
		kept := [][]byte{}
		for rows.Next() {
			var a, b any
			var c []byte
			w.fail("scan", rows.Scan(&a, &b, &c))
			for _, v := range []any{a, b, c} {
				if bytes, ok := v.([]byte); ok {
					spoil(bytes)
				}
			}
			kept = append(kept, c)
		}
		w.say("%q", kept)
		for range 2 {
			rows, err = db.Query(list)
			w.fail("query", err)
			for rows.Next() {
				var a, b, c scribbler
				w.fail("scan", rows.Scan(&a, &b, &c))
				w.say("%v %v %v", a, b, c)
			}
		}
		for range 2 {
			rows, err = db.Query(list)
			w.fail("query", err)
			for rows.Next() {
				var a, b, c sql.RawBytes
				w.fail("scan", rows.Scan(&a, &b, &c))
				w.say("%q %q %q", a, b, c)
				spoil(b)
			}
		}
		w.rows(db.Query(list))
		w.rows(db.Query("SELECT * FROM sample ORDER BY id"))
	}
	playAll(t, []scene{{"spoilt", "", play}}, many)
}

func spoil(b []byte) {
	for i := range b {
		b[i] = '#'
	}
	_ = append(b, "over the end"...)
}

// TestCallersArguments: arguments that are changed after the call, or whose value
// changes, are other arguments.
func TestCallersArguments(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		const list = "SELECT id FROM stuff WHERE name = ?"
		name := []byte("bread")
		pointed := "bread"
		valuer := &valueByPointer{"bread"}
		for _, change := range []string{"bread", "mulch", "bread"} {
			copy(name, change)
			pointed, valuer.s = change, change
			for _, arg := range []any{name, &pointed, valuer, sql.NullString{String: change, Valid: true}} {
				for range 2 {
					if got, want := h.query(h.db, list, arg), h.query(h.bare, list, arg); got != want {
						h.Errorf("%T %s: cached %s, bare %s", arg, change, got, want)
					}
				}
			}
		}
	})
}

// TestNoNameClash: arguments that are alike when written one after the other are not the same.
func TestNoNameClash(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		const list = "SELECT id FROM stuff WHERE name = ? OR name = ? ORDER BY id"
		for _, args := range [][]any{{"bread", "milk"}, {"breadmilk", ""}, {"", "breadmilk"}, {"bread,milk", ""}, {"bread\x01", "milk"}, {[]byte("bread"), "milk"}, {nil, "milk"}, {"nil", "milk"}, {"<nil>", "milk"}} {
			for range 2 {
				if got, want := h.query(h.db, list, args...), h.query(h.bare, list, args...); got != want {
					h.Errorf("%v: cached %s, bare %s", args, got, want)
				}
			}
		}
	})
}
