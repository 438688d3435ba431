package larder

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/larderdb/larder/coherence"
)

// Rows of one table move between owners, by statements of which each writes one row by its key, outside of transactions: the cache
// guesses where the row is. Clients read what an owner has.

// A spot is where a row is, and its value.
type spot struct {
	owner int
	value int64
}

// noRow is what a read of an owner says of a row that another has.
const noRow = int64(-1)

// spots is a row without a cache, for the checker. A write of owner anyOwner leaves the row where it is.
var spots = porcupine.Model{
	Partition: byRegister,
	Init:      func() any { return spot{} },
	Step: func(state, input, output any) (bool, any) {
		c, s := input.(call), state.(spot)
		if !c.write {
			want := noRow
			if s.owner == c.owner {
				want = s.value
			}
			return output == want, s
		}
		if s.value = c.value; c.owner != anyOwner {
			s.owner = c.owner
		}
		return true, s
	},
}

const (
	anyOwner  = -1
	owners    = 3
	movedRows = 6
)

// A mover is a client that moves rows.
type mover struct {
	*lab
	id int
	r  *rand.Rand
}

func (m *mover) step() {
	if m.r.IntN(100) < 85 {
		m.look(m.r.IntN(owners))
		return
	}
	m.move()
}

// look reads what an owner has. Each row is noted, also those that another has.
func (m *mover) look(owner int) {
	ctx := context.Background()
	if m.r.IntN(100) < 10 {
		ctx = Bypass(ctx)
	}
	db := m.handles[m.r.IntN(len(m.handles))]
	called := m.history.now()
	rows, err := db.QueryContext(ctx, m.places("SELECT id, v FROM cards WHERE owner = ?"), owner)
	if err != nil {
		return
	}
	defer rows.Close()
	var values [movedRows]int64
	for i := range values {
		values[i] = noRow
	}
	for rows.Next() {
		var id int
		var value int64
		if err := rows.Scan(&id, &value); err != nil {
			m.Error(err)
			return
		}
		values[id] = value
	}
	if rows.Err() != nil {
		return
	}
	returned := m.history.now()
	m.history.mu.Lock()
	defer m.history.mu.Unlock()
	for id, value := range values {
		input := call{register: id, owner: owner}
		m.history.ops = append(m.history.ops, porcupine.Operation{ClientId: m.id, Input: input, Call: called, Output: value, Return: returned})
	}
}

// move writes a row: its value, and at times its owner.
func (m *mover) move() {
	ctx, db := context.Background(), m.handles[m.r.IntN(len(m.handles))]
	if m.cancels && m.r.IntN(30) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1<<m.r.IntN(20)))
		defer cancel()
	}
	c := call{register: m.r.IntN(movedRows), write: true, value: m.history.fresh(), owner: m.r.IntN(owners)}
	text, args := "UPDATE cards SET owner = ?, v = ? WHERE id = ?", []any{c.owner, c.value, c.register}
	switch m.r.IntN(3) {
	case 0:
		text = "UPDATE cards SET v = ? WHERE id = ?"
		args, c.owner = args[1:], anyOwner
	case 1:
		text = "UPDATE cards SET owner = ?, v = ? WHERE id = ? AND v >= 0"
	}
	c.moves = c.owner != anyOwner
	called := m.history.now()
	_, err := db.ExecContext(ctx, m.places(text), args...)
	m.history.noteCall(m.id, c, called, err)
}

// move has movers work until the time is over.
func (l *lab) move(clients int, d time.Duration) {
	end := time.Now().Add(d)
	var all sync.WaitGroup
	for id := range clients {
		m := &mover{lab: l, id: id, r: rand.New(rand.NewPCG(uint64(id), rand.Uint64()))}
		all.Go(func() {
			for time.Now().Before(end) {
				m.step()
			}
		})
	}
	all.Wait()
}

// TestGuessedMovesAreLinearizable: as they come, in wide windows, and with statements that are cancelled.
func TestGuessedMovesAreLinearizable(t *testing.T) {
	for _, d := range []time.Duration{0, 2 * time.Millisecond} {
		for _, k := range kinds {
			t.Run(fmt.Sprint(k.name, " ", d > 0), func(t *testing.T) {
				w := &window{read: d, write: d}
				l := newLab(t, k, coherence.NoMutant, w)
				l.several = movedRows
				l.must("UPDATE cards SET owner = 0")
				l.must(fmt.Sprintf("DELETE FROM cards WHERE id >= %d", movedRows))
				for round := 0; round < 20 && w.guards.Load() < 40; round++ { // a machine may be busy
					l.move(6, 300*time.Millisecond)
				}
				l.cancels = true
				l.move(6, 400*time.Millisecond)
				l.mustBeLinearizable(spots)
				t.Logf("%d guesses, %d transactions", w.guards.Load(), w.begins.Load())
				if w.guards.Load() < 40 {
					t.Error("too few guesses to mean anything")
				}
			})
		}
	}
}

// note counts the statements by which a write tells its row.
func (w *window) note(text string) {
	for _, guard := range []string{" IS NOT DISTINCT FROM $", " <=> ?", " IS ?"} {
		if strings.HasPrefix(text, "UPDATE") && strings.Contains(text, guard) {
			w.guards.Add(1)
		}
	}
	if text == "BEGIN" {
		w.begins.Add(1)
	}
}
