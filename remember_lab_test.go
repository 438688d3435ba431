package larder

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/larderdb/larder/coherence"
)

// remembers has the lab's clients read registers through remembered values, some of which are made from another.
func (l *lab) remembers() {
	one := func(ctx context.Context, db *sql.DB, i int) (int64, error) {
		hit := true
		v, err := Remember(ctx, l.cache, fmt.Sprint("reg:", i), func(ctx context.Context) (int64, error) { hit = false; return l.read(ctx, db, i) })
		if hit && err == nil {
			l.hits.Add(1)
		}
		return v, err
	}
	l.reads = func(ctx context.Context, db *sql.DB, i int) (int64, error) {
		switch rand.IntN(4) {
		case 0: // of two
			both, err := Remember(ctx, l.cache, fmt.Sprint("two:", i), func(ctx context.Context) (two [2]int64, err error) {
				if two[0], err = one(ctx, db, i); err == nil {
					two[1], err = one(ctx, db, (i+1)%l.active)
				}
				return two, err
			})
			return both[0], err
		case 1: // in a batch
			all, err := RememberMany(ctx, l.cache, func(i int) string { return fmt.Sprint("many:", i) }, []int{i, (i + 1) % l.active},
				func(ctx context.Context, missing []int) (map[int]int64, error) {
					made := make(map[int]int64)
					for _, i := range missing {
						v, err := l.read(ctx, db, i)
						if err != nil {
							return nil, err
						}
						made[i] = v
					}
					return made, nil
				})
			return all[i], err
		}
		return one(ctx, db, i)
	}
}

// rememberLab is a lab of remembered values.
func rememberLab(t testing.TB, k kind, m coherence.Mutant, w *window) *lab {
	l := newLab(t, k, m, w)
	l.remembers()
	return l
}

// TestRememberIsLinearizable: concurrent clients read remembered values, and write what they are made from.
func TestRememberIsLinearizable(t *testing.T) {
	for _, k := range []kind{kinds[0], kinds[2]} {
		for _, w := range []*window{nil, {read: 2 * time.Millisecond, write: 2 * time.Millisecond}} {
			t.Run(fmt.Sprint(k.name, " ", w != nil), func(t *testing.T) {
				l := rememberLab(t, k, coherence.NoMutant, w)
				l.run(6, 700*time.Millisecond)
				l.cancels, l.kills = true, k.dialect == "postgres"
				l.run(6, 500*time.Millisecond)
				t.Logf("%d calls; %d hits of values", len(l.history.ops), l.hits.Load())
				if result := l.history.check(register); result != porcupine.Ok {
					t.Errorf("the history is not linearizable: %s", result)
				}
				if n := l.hits.Load(); n < int64(len(l.history.ops))/20 {
					t.Errorf("only %d hits in %d calls", n, len(l.history.ops))
				}
			})
		}
	}
}

// TestMutantsAreSeenByValues: without each of these steps a remembered value is older than a write that was acknowledged before it was asked for.
func TestMutantsAreSeenByValues(t *testing.T) {
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
		for _, k := range []kind{kinds[0], kinds[2]} {
			t.Run(m.mutant.String()+"/"+k.name, func(t *testing.T) {
				start := time.Now()
				for round := 1; time.Since(start) < untilSeen; round++ {
					l := rememberLab(t, k, m.mutant, m.window)
					l.active = 2
					l.run(6, 300*time.Millisecond)
					if l.history.check(register) == porcupine.Illegal {
						t.Logf("seen in round %d, after %v", round, time.Since(start).Round(time.Millisecond))
						return
					}
				}
				t.Errorf("every history was linearizable")
			})
		}
	}
}
