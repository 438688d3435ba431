package larder

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

var verifyReads = flag.Int64("verify.reads", 1000, "how many hits of each driver TestVerifyTrue has checked, with writers")

// TestVerifyTrue: with writers, no hit is found to be wrong.
func TestVerifyTrue(t *testing.T) {
	for _, cards := range []bool{false, true} {
		for _, k := range kinds {
			t.Run(fmt.Sprint(k.name, " ", cards), func(t *testing.T) {
				l := newCheckedLab(t, k, coherence.NoMutant, nil, 1)
				l.cards, l.active = cards, 4
				start := time.Now()
				for l.cache.Stats().Verified < *verifyReads && time.Since(start) < 10*time.Minute {
					l.run(6, 200*time.Millisecond)
				}
				s := l.cache.Stats()
				t.Logf("%d hits, %d checked, %d unsure, %d writes", s.Hits, s.Verified, s.Unsure, s.Writes)
				if s.Wrong != 0 || s.Stuck != 0 || s.Verified < *verifyReads || s.Writes == 0 || s.Unsure > s.Hits/2 {
					t.Errorf("%d wrong, %d checked, %d unsure of %d hits, %d of %d writes stuck", s.Wrong, s.Verified, s.Unsure, s.Hits, s.Stuck, s.Writes)
				}
			})
		}
	}
}

// TestVerifyFindsMutants: without each of these steps of the protocol a hit is found to be wrong.
func TestVerifyFindsMutants(t *testing.T) {
	reads, writes := &window{read: 3 * time.Millisecond}, &window{write: 3 * time.Millisecond}
	for _, m := range []struct {
		mutant coherence.Mutant
		window *window
	}{
		{coherence.TokensAfterRead, reads},
		{coherence.JoinOvertakenFlights, reads},
		{coherence.NoHold, writes},
		{coherence.ReleaseBeforeCommit, writes},
	} {
		for _, k := range []kind{sqlite3, kinds[2]} {
			t.Run(m.mutant.String()+"/"+k.name, func(t *testing.T) { mustFind(t, k, m.mutant, m.window) })
		}
	}
	for _, w := range []*window{reads, writes} {
		for _, k := range []kind{sqlite3, kinds[2]} {
			t.Run(fmt.Sprint(coherence.NoMutant, " ", w == writes, "/", k.name), func(t *testing.T) { mustFindNone(t, k, w) })
		}
	}
}

// A dragging store takes a while until it has a hold.
type dragging struct{ *memory.Store }

func (s dragging) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	time.Sleep(20 * time.Millisecond)
	return s.Store.Hold(ctx, id, tags, lease, look)
}

// TestVerifyFindsPauses: a write whose rows the answer tells is found to leave hits that are wrong, if it keeps no readers from them meanwhile, or
// not until it holds what was told.
func TestVerifyFindsPauses(t *testing.T) {
	for _, m := range []coherence.Mutant{coherence.NoPause, coherence.EarlyResume, coherence.NoMutant} {
		t.Run(m.String(), func(t *testing.T) {
			l := newCheckedCrowd(t, kinds[2], m, 1, dragging{memory.New(8 << 20)})
			start, s := time.Now(), l.cache.Stats()
			enough := func() bool { return s.Wrong > 0 || m == coherence.NoMutant && s.Verified > 1000 && s.Writes > 100 }
			for ; time.Since(start) < untilSeen && !enough(); s = l.cache.Stats() {
				l.crowd(6, 200*time.Millisecond)
			}
			t.Logf("%d of %d wrong after %v, %d unsure, %d writes", s.Wrong, s.Verified, time.Since(start).Round(time.Millisecond), s.Unsure, s.Writes)
			if (s.Wrong > 0) != (m != coherence.NoMutant) || s.Verified == 0 || s.Writes == 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// mustFindNone runs what finds mutants without one: no hit is wrong.
func mustFindNone(t *testing.T, k kind, w *window) {
	l := newCheckedLab(t, k, coherence.NoMutant, w, 1)
	l.active = 2
	for start := time.Now(); l.cache.Stats().Verified < 300 && time.Since(start) < untilSeen; {
		l.run(6, 200*time.Millisecond)
	}
	if s := l.cache.Stats(); s.Wrong != 0 || s.Verified < 300 || s.Writes == 0 {
		t.Errorf("%+v", s)
	}
}

// mustFind runs a mutant until a hit is found to be wrong.
func mustFind(t *testing.T, k kind, m coherence.Mutant, w *window) {
	l := newCheckedLab(t, k, m, w, 1)
	l.active = 2
	start := time.Now()
	for time.Since(start) < untilSeen {
		l.run(6, 200*time.Millisecond)
		if s := l.cache.Stats(); s.Wrong > 0 {
			t.Logf("%d of %d wrong after %v", s.Wrong, s.Verified, time.Since(start).Round(time.Millisecond))
			return
		}
	}
	t.Errorf("no hit was found to be wrong: %+v", l.cache.Stats())
}

// TestVerifyFindsShapeMutants: nor without a step of those by which a shape comes into use, which it does but once for each
// relation. Others go wrong too seldom that way: see TestVerifyFindsShapeSteps.
func TestVerifyFindsShapeMutants(t *testing.T) {
	for _, m := range []coherence.Mutant{coherence.ShapeAfterRead} {
		t.Run(m.String(), func(t *testing.T) {
			start := time.Now()
			for round := 1; time.Since(start) < untilSeen; round++ {
				l := newCheckedLab(t, sqlite3, m, &window{read: 3 * time.Millisecond, write: 3 * time.Millisecond}, 1)
				l.cards, l.active = true, 4
				l.run(6, 60*time.Millisecond)
				if s := l.cache.Stats(); s.Wrong > 0 {
					t.Logf("%d of %d wrong in round %d, after %v", s.Wrong, s.Verified, round, time.Since(start).Round(time.Millisecond))
					return
				}
			}
			t.Error("no hit was found to be wrong")
		})
	}
}

// newChecked returns a house that checks each hit, and what it logs.
func newChecked(t *testing.T, k kind, values bool) (*house, *bytes.Buffer) {
	log := &bytes.Buffer{}
	h := newHouse(t, k, &Options{Verify: 1, LogValues: values, Logger: slog.New(slog.NewTextHandler(log, nil))})
	h.prepare(base)
	return h, log
}

// TestVerifyRemovesWrong: a write past the cache is found: the hit is the caller's still, the entry goes, and the log
// says what is needed, without values unless they are allowed.
func TestVerifyRemovesWrong(t *testing.T) {
	for _, values := range []bool{false, true} {
		for _, k := range kinds {
			t.Run(fmt.Sprint(k.name, " ", values), func(t *testing.T) {
				h, log := newChecked(t, k, values)
				const read = "SELECT name FROM stuff WHERE user_id = ? AND name <> 'secret' ORDER BY id"
				first := h.query(h.db, read, 42)
				h.wantRead(h.db, OutcomeHit, read, 42)
				if s := h.cache.Stats(); s.Verified != 1 || s.Wrong != 0 || log.Len() > 0 {
					t.Fatalf("%+v\n%s", s, log)
				}
				h.exec(h.bare, "UPDATE stuff SET name = 'changed' WHERE id = 1")
				h.take()
				if got := h.query(h.db, read, 42); got != first {
					t.Errorf("the caller got %s", got)
				}
				if e := h.last(false); e.Check != CheckDifferent || e.Outcome != OutcomeHit {
					t.Errorf("%+v", e)
				}
				if s := h.cache.Stats(); s.Verified != 2 || s.Wrong != 1 {
					t.Errorf("%+v", s)
				}
				h.wantRead(h.db, OutcomeMiss, read, 42)
				if text := log.String(); !strings.Contains(text, "row 0, column name") || !strings.Contains(text, h.relation("stuff")) || !strings.Contains(text, "age=") {
					t.Error(text)
				}
				for _, value := range []string{"secret", "bread", "changed", "42"} {
					if strings.Contains(strings.ReplaceAll(log.String(), "tokens", ""), value) != values && value != "42" {
						t.Errorf("%s in the log: %s", value, log)
					}
				}
			})
		}
	}
}

// TestVerifyUnsure: what a database may choose is no difference, but how many rows there are is.
func TestVerifyUnsure(t *testing.T) {
	eachKindOf(t, func(h *house) {
		const read = "SELECT name FROM stuff WHERE user_id = 42 ORDER BY price LIMIT 5"
		check := func(want Check, change string) {
			h.Helper()
			h.query(h.db, read)
			h.exec(h.bare, change)
			h.take()
			h.query(h.db, read)
			if e := h.last(false); e.Check != want {
				h.Errorf("after %s: %v, want %v", change, e.Check, want)
			}
		}
		check(CheckUnsure, "UPDATE stuff SET name = 'x' WHERE id = 1")
		check(CheckDifferent, "DELETE FROM stuff WHERE id = 1")
	})
}

// eachKindOf runs a test on a house of every kind that checks each hit.
func eachKindOf(t *testing.T, run func(*house)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			h, _ := newChecked(t, k, false)
			run(h)
		})
	}
}

// TestVerifyUnordered: rows in another order are the same result.
func TestVerifyUnordered(t *testing.T) {
	h, log := newChecked(t, kinds[2], false)
	const read = "SELECT id, name FROM stuff WHERE user_id = 42"
	h.exec(h.bare, "UPDATE stuff SET name = 'x' WHERE id = 1") // it lies behind the others now
	h.query(h.db, read)
	h.exec(h.bare, "UPDATE stuff SET name = name WHERE id = 2")
	h.exec(h.bare, "VACUUM FULL stuff")
	h.query(h.db, read)
	if s := h.cache.Stats(); s.Verified == 0 || s.Wrong != 0 {
		t.Errorf("%+v\n%s", s, log)
	}
}

// TestVerifyInTransaction: in a transaction, whose snapshot may be older, nothing is checked; nor while a result is open.
func TestVerifyInTransaction(t *testing.T) {
	eachKindOf(t, func(h *house) {
		h.query(h.db, people)
		tx, err := h.db.BeginTx(context.Background(), nil)
		h.ok(err)
		h.query(tx, people)
		h.ok(tx.Rollback())
		if s := h.cache.Stats(); s.Verified+s.Unsure != 0 {
			h.Errorf("%+v", s)
		}
	})
}

// TestVerifyOptions: shares that are none, and what contradicts, are refused.
func TestVerifyOptions(t *testing.T) {
	for _, o := range []Options{{Verify: -1}, {Verify: 1.5}, {Verify: 0.1, Bounded: time.Second}} {
		if _, err := New(&o); err == nil || !strings.Contains(err.Error(), "Options.Verify") {
			t.Errorf("%v: %v", o, err)
		}
	}
}
