package larder

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/larderdb/larder/coherence"
)

// Rows with two columns, which are written together or alone, and read alone or with the other: register 2i is v of row i, and 2i+1 is n.

const columnRows = 4

// A columnist is a client that reads and writes columns.
type columnist struct {
	*lab
	id int
	r  *rand.Rand
}

func (c *columnist) step() {
	if c.r.IntN(100) < 85 {
		c.look()
		return
	}
	c.set()
}

// look reads one column, or both, of one row.
func (c *columnist) look() {
	row, db := c.r.IntN(columnRows), c.handles[c.r.IntN(len(c.handles))]
	ctx := context.Background()
	if c.r.IntN(100) < 10 {
		ctx = Bypass(ctx)
	}
	var v, n int64
	called := c.history.now()
	which := c.r.IntN(3)
	var err error
	switch which {
	case 0:
		err = db.QueryRowContext(ctx, c.places("SELECT v FROM cards WHERE id = ?"), row).Scan(&v)
	case 1:
		err = db.QueryRowContext(ctx, c.places("SELECT n FROM cards WHERE id = ?"), row).Scan(&n)
	default:
		err = db.QueryRowContext(ctx, c.places("SELECT v, n FROM cards WHERE id = ?"), row).Scan(&v, &n)
	}
	if err != nil {
		return
	}
	if which != 1 {
		c.history.noteRead(c.id, 2*row, called, v)
	}
	if which != 0 {
		c.history.noteRead(c.id, 2*row+1, called, n)
	}
}

// set writes one column, or both, of one row, at times in a transaction with another statement.
func (c *columnist) set() {
	row, db := c.r.IntN(columnRows), c.handles[c.r.IntN(len(c.handles))]
	ctx := context.Background()
	if c.cancels && c.r.IntN(30) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1<<c.r.IntN(20)))
		defer cancel()
	}
	v, n := c.history.fresh(), c.history.fresh()
	called := c.history.now()
	which := c.r.IntN(4)
	var err error
	switch which {
	case 0:
		_, err = db.ExecContext(ctx, c.places("UPDATE cards SET v = ? WHERE id = ?"), v, row)
	case 1:
		_, err = db.ExecContext(ctx, c.places("UPDATE cards SET n = ? WHERE id = ?"), n, row)
	case 2:
		_, err = db.ExecContext(ctx, c.places("UPDATE cards SET v = ?, n = ? WHERE id = ?"), v, n, row)
	default:
		err = c.setInTx(ctx, row, v, n)
	}
	if which != 1 {
		c.history.noteWrite(c.id, 2*row, called, v, err)
	}
	if which != 0 {
		c.history.noteWrite(c.id, 2*row+1, called, n, err)
	}
}

func (c *columnist) setInTx(ctx context.Context, row int, v, n int64) error {
	tx, err := c.handles[c.r.IntN(len(c.handles))].BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec(c.places("UPDATE cards SET n = ? WHERE id = ?"), n, row); err != nil {
		return err
	}
	if _, err := tx.Exec(c.places("UPDATE cards SET v = ? WHERE id = ?"), v, row); err != nil {
		return err
	}
	return tx.Commit()
}

// TestColumnsAreLinearizable: results that look at one of two columns, while both are written.
func TestColumnsAreLinearizable(t *testing.T) {
	for _, d := range []time.Duration{0, 2 * time.Millisecond} {
		for _, k := range kinds {
			t.Run(fmt.Sprint(k.name, " ", d > 0), func(t *testing.T) {
				l := newLab(t, k, coherence.NoMutant, &window{read: d, write: d})
				l.must("ALTER TABLE cards ADD COLUMN n BIGINT NOT NULL DEFAULT 0")
				l.writeColumns(6, 700*time.Millisecond)
				l.cancels = true
				l.writeColumns(6, 300*time.Millisecond)
				l.mustBeLinearizable(register)
				if s := l.cache.Stats(); s.Hits < 20 {
					t.Errorf("%d hits are too few to mean anything", s.Hits)
				}
			})
		}
	}
}

// writeColumns has columnists work until the time is over.
func (l *lab) writeColumns(clients int, d time.Duration) {
	end := time.Now().Add(d)
	var all sync.WaitGroup
	for id := range clients {
		c := &columnist{lab: l, id: id, r: rand.New(rand.NewPCG(uint64(id), rand.Uint64()))}
		all.Go(func() {
			for time.Now().Before(end) {
				c.step()
			}
		})
	}
	all.Wait()
}

// TestColumnMutants: without a step of the protocol the history of columns isn't linearizable.
func TestColumnMutants(t *testing.T) {
	for mutant, w := range map[coherence.Mutant]*window{coherence.TokensAfterRead: {read: 3 * time.Millisecond}, coherence.NoHold: {write: 3 * time.Millisecond}} {
		t.Run(mutant.String(), func(t *testing.T) {
			for range 20 {
				l := newLab(t, sqlite3, mutant, w)
				l.must("ALTER TABLE cards ADD COLUMN n BIGINT NOT NULL DEFAULT 0")
				l.writeColumns(6, 500*time.Millisecond)
				if l.history.check(register) == porcupine.Illegal {
					return
				}
			}
			t.Error("not seen")
		})
	}
}
