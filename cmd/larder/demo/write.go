package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// write changes a random thing, mostly; or adds one, takes one away, changes one and thinks
// better of it, or changes the user alone. As many things come as go; where none is left, one comes.
func (w *workload) write(ctx context.Context, db *sql.DB, random *rand.Rand, t *tally) error {
	var err error
	switch dice := random.IntN(100); {
	case dice < 70:
		err = w.transact(ctx, db, t, true, w.change(ctx, random))
	case dice < 80:
		err = w.transact(ctx, db, t, true, w.remove(ctx, random))
	case dice < 85:
		err = w.transact(ctx, db, t, false, w.change(ctx, random))
	case dice < 90:
		return w.touch(ctx, db, random, t)
	default:
		return w.transact(ctx, db, t, true, w.add(ctx, random))
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = w.transact(ctx, db, t, true, w.add(ctx, random))
	}
	return err
}

// A purchase is what a transaction does to the things of one user, and by how much it changes
// their checksum.
type purchase func(tx *sql.Tx, t *tally) (user, delta int64, err error)

// change gives a random thing another quantity and price.
func (w *workload) change(ctx context.Context, random *rand.Rand) purchase {
	return func(tx *sql.Tx, t *tally) (int64, int64, error) {
		old, err := w.pick(ctx, tx, random, t)
		if err != nil {
			return 0, 0, err
		}
		changed := old
		changed.Quantity, changed.Price = 1+random.Int64N(1_000), 50+random.Int64N(100_000)
		t.statements++
		_, err = tx.ExecContext(ctx, updateThing, changed.Quantity, changed.Price, changed.ID)
		return old.UserID, changed.checksum() - old.checksum(), err
	}
}

// remove takes a random thing away.
func (w *workload) remove(ctx context.Context, random *rand.Rand) purchase {
	return func(tx *sql.Tx, t *tally) (int64, int64, error) {
		old, err := w.pick(ctx, tx, random, t)
		if err != nil {
			return 0, 0, err
		}
		t.statements++
		_, err = tx.ExecContext(ctx, deleteThing, old.ID)
		return old.UserID, -old.checksum(), err
	}
}

// add gives a random user a new thing.
func (w *workload) add(ctx context.Context, random *rand.Rand) purchase {
	return func(tx *sql.Tx, t *tally) (int64, int64, error) {
		thing := Thing{
			UserID: 1 + random.Int64N(w.users), Name: thingName(random.Uint64()), Quantity: 1 + random.Int64N(40),
			Price: 50 + random.Int64N(9_950), Created: time.Now().UTC().Truncate(time.Second),
		}
		t.statements++
		err := tx.QueryRowContext(ctx, insertThing, thing.UserID, thing.Name, thing.Quantity, thing.Price, thing.Created).Scan(&thing.ID)
		raise(&w.lastID, thing.ID)
		return thing.UserID, thing.checksum(), err
	}
}

// pick returns a random thing: the one after a random number, or else the first.
func (w *workload) pick(ctx context.Context, tx *sql.Tx, random *rand.Rand, t *tally) (thing Thing, err error) {
	for _, from := range []int64{1 + random.Int64N(w.lastID.Load()), 0} {
		t.statements++
		err = tx.QueryRowContext(ctx, selectThing, from).
			Scan(&thing.ID, &thing.UserID, &thing.Name, &thing.Quantity, &thing.Price, &thing.Created)
		if !errors.Is(err, sql.ErrNoRows) {
			break
		}
	}
	if err != nil {
		return Thing{}, fmt.Errorf("pick a thing: %w", err)
	}
	return thing, nil
}

// transact does a purchase and counts up its user's version, in one transaction, and tells
// the judge if it is kept.
func (w *workload) transact(ctx context.Context, db *sql.DB, t *tally, keep bool, do purchase) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	user, delta, err := do(tx, t)
	if err != nil {
		return err
	}
	ticket := w.judge.Begin(user)
	t.statements++
	version, checksum, err := bump(ctx, tx, user, delta)
	if err != nil {
		return err
	}
	if !keep {
		return tx.Rollback()
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	w.judge.Wrote(ticket, version, checksum)
	return nil
}

// touch adds to a user's version in a statement without a transaction.
func (w *workload) touch(ctx context.Context, db *sql.DB, random *rand.Rand, t *tally) error {
	user := 1 + random.Int64N(w.users)
	ticket := w.judge.Begin(user)
	t.statements++
	version, checksum, err := bump(ctx, db, user, 0)
	if err != nil {
		return err
	}
	w.judge.Wrote(ticket, version, checksum)
	return nil
}

// A querier is a handle or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// bump adds one to a user's version and so much to the checksum, and returns both.
func bump(ctx context.Context, q querier, user, delta int64) (version, checksum int64, err error) {
	err = q.QueryRowContext(ctx, updateUser, delta, user).Scan(&version, &checksum)
	return version, checksum, err
}
