package larder

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"runtime"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
)

// failsAtRow are reads that fail at a row in their middle, and what stops them failing.
var failsAtRow = map[string]struct{ reads, cures []string }{
	"postgres": {
		[]string{"SELECT id, 1/(id-%d) FROM many ORDER BY id", "SELECT id, name, CASE WHEN id = %d THEN name ELSE '1' END::int FROM many ORDER BY id", "SELECT id, 1/(id-%d) FROM many"},
		[]string{"DELETE FROM many WHERE id = %d"},
	},
	"sqlite": {
		[]string{"SELECT id, CASE WHEN id = %d THEN json('{') ELSE id END FROM many ORDER BY id", "SELECT id, name, CASE WHEN id = %d THEN abs(-9223372036854775807-1) END FROM many"},
		[]string{"DELETE FROM many WHERE id = %d"},
	},
	"mysql": {
		[]string{"SELECT id, CASE WHEN id = %d THEN (SELECT id FROM stuff) ELSE id END FROM many ORDER BY id"},
		[]string{"DELETE FROM many WHERE id = %d"},
	},
}

// TestErrorAtARow: a read that fails at a row fails there on the cached handle too,
// whether its rows fit into an entry or not, and the error is not kept.
func TestErrorAtARow(t *testing.T) {
	for _, k := range kinds {
		for _, size := range []int{1 << 20, 4 << 10} {
			t.Run(fmt.Sprintf("%s/%d", k.name, size), func(t *testing.T) {
				h := newHouse(t, k, &Options{MaxBytes: 16 << 20, MaxEntryBytes: size})
				many(h)
				fails := failsAtRow[h.dialect]
				for _, at := range []int{0, 1, 500, 999} {
					for _, read := range fails.reads {
						text := fmt.Sprintf(read, at)
						h.same(t, func(w *transcript, db *sql.DB) { ask(w, db, text) })
						if got := h.query(h.db, text); !strings.Contains(got, "error") {
							t.Errorf("%s: no error", text)
						}
					}
					for _, cure := range fails.cures {
						h.exec(h.bare, fmt.Sprintf(cure, at))
					}
					for _, read := range fails.reads {
						text := fmt.Sprintf(read, at)
						h.same(t, func(w *transcript, db *sql.DB) { ask(w, db, text) })
						if got := h.query(h.db, text); strings.Contains(got, "error") {
							t.Errorf("%s: the error was kept: %s", text, got)
						}
					}
					h.exec(h.db, "DELETE FROM many WHERE id < 0")
				}
			})
		}
	}
}

// TestErrorsAreNotKept: a read that failed is asked of the database again.
func TestErrorsAreNotKept(t *testing.T) {
	eachKind(t, func(h *house) {
		h.stuff()
		for range 3 {
			h.same(h.TB.(*testing.T), func(w *transcript, db *sql.DB) {
				ask(w, db, "SELECT id FROM later")
				ask(w, db, "SELECT later FROM stuff")
			})
		}
		h.exec(h.bare, "CREATE TABLE later (id INTEGER)")
		h.exec(h.bare, "ALTER TABLE stuff ADD COLUMN later INTEGER")
		h.same(h.TB.(*testing.T), func(w *transcript, db *sql.DB) {
			ask(w, db, "SELECT id FROM later")
			ask(w, db, "SELECT later FROM stuff ORDER BY id")
		})
	})
}

// large is a result of 100,000 rows, some 30 MB.
const large = "SELECT a.id, b.id, '" + longText + longText + longText + "', a.name FROM many a, many b WHERE b.grp < 1"

const longText = "some text so that a row is long some text so that a row is long some text so that a row is long, "

// TestLargeResultStreams: a result larger than an entry may be passes through; not
// more than that of it is in memory, and it is not kept.
func TestLargeResultStreams(t *testing.T) {
	eachKind(t, func(h *house) {
		many(h)
		want, _ := drain(h, h.bare)
		for range 2 {
			before := heap()
			h.take()
			got, peak := drain(h, h.db)
			if got != want {
				h.Errorf("cached %s, bare %s", got, want)
			}
			if grown := peak - before; grown > 12<<20 {
				h.Errorf("reading takes %d MB", grown>>20)
			}
			if events := h.take(); len(events) != 1 || events[0].Outcome != OutcomeMiss || events[0].Reason != analyze.TooLarge || events[0].Rows > 8000 {
				h.Errorf("events %+v", events)
			}
		}
		rows, err := h.db.Query(large)
		if err != nil || !rows.Next() || rows.Close() != nil {
			h.Fatal("a large result can't be closed early", err)
		}
		h.wantRead(h.db, OutcomeMiss, "SELECT id FROM stuff ORDER BY id")
	})
}

// drain reads the large result, and returns a digest of it and the largest heap seen.
func drain(h *house, db *sql.DB) (digest string, peak int64) {
	rows, err := db.QueryContext(context.Background(), large)
	if err != nil {
		h.Fatal(err)
	}
	defer rows.Close()
	sum, n := fnv.New64a(), 0
	var a, b int
	var c, d sql.RawBytes
	for ; rows.Next(); n++ {
		if err := rows.Scan(&a, &b, &c, &d); err != nil {
			h.Fatal(err)
		}
		fmt.Fprintln(sum, a, b, string(c), string(d))
		if n%25000 == 24999 {
			peak = max(peak, heap())
		}
	}
	return fmt.Sprintf("%d rows %x, %v", n, sum.Sum64(), rows.Err()), peak
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestPartOfLargeResult: what is asked of a large result at every row, around the row
// where reading ahead ends, is what the bare handle says.
func TestPartOfLargeResult(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h := newHouse(t, k, &Options{MaxBytes: 1 << 20, MaxEntryBytes: 2 << 10})
			many(h)
			for _, text := range []string{"SELECT id, name FROM many ORDER BY id", "SELECT * FROM sample ORDER BY id", "SELECT id, name FROM many WHERE id < 20 ORDER BY id"} {
				h.same(t, func(w *transcript, db *sql.DB) { ask(w, db, text) })
				for n := range 40 {
					h.same(t, func(w *transcript, db *sql.DB) {
						rows, err := db.Query(text)
						if w.fail("query", err) {
							return
						}
						for range n {
							w.say("%v", rows.Next())
						}
						w.types(rows)
						w.fail("close", rows.Close())
						w.fail("err", rows.Err())
					})
				}
			}
		})
	}
}
