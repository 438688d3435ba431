package demo

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A workload is what goes on in the shop: readers of users' lists, some users far more
// popular than others, and now and then a write. Every answer goes to the judge.
type workload struct {
	handles []*sql.DB // on one file; the workers take turns with them
	workers int
	judge   *Judge
	readers *zipf
	users   int64
	lastID  atomic.Int64 // the highest id of stuff, about
}

// readShare is the share of reads in all operations.
const readShare = 0.95

// The statements of the workload. Whatever changes a list changes its user's version and
// checksum in the same transaction.
const (
	selectList = "SELECT u.id, u.version, u.checksum, s.id, s.user_id, s.name, s.quantity, s.price, s.created" +
		" FROM users u LEFT JOIN stuff s ON s.user_id = u.id WHERE u.id = ?"
	selectThing  = "SELECT id, user_id, name, quantity, price, created FROM stuff WHERE id >= ? ORDER BY id LIMIT 1"
	updateThing  = "UPDATE stuff SET quantity = ?, price = ? WHERE id = ?"
	insertThing  = "INSERT INTO stuff (user_id, name, quantity, price, created) VALUES (?, ?, ?, ?, ?) RETURNING id"
	deleteThing  = "DELETE FROM stuff WHERE id = ?"
	updateUser   = "UPDATE users SET version = version + 1, checksum = checksum + ? WHERE id = ? RETURNING version, checksum"
	selectStates = "SELECT id, version, checksum FROM users"
)

// newWorkload returns a workload whose judge knows the state that the shop is in now.
func newWorkload(ctx context.Context, handles []*sql.DB, workers int, size Size) (*workload, error) {
	w := &workload{handles: handles, workers: workers, judge: NewJudge(size.Users), readers: newZipf(size.Users), users: int64(size.Users)}
	w.lastID.Store(int64(size.Rows))
	for _, db := range handles {
		db.SetMaxIdleConns(workers)
	}
	rows, err := handles[0].QueryContext(ctx, selectStates)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var user, version, checksum int64
		if err := rows.Scan(&user, &version, &checksum); err != nil {
			return nil, err
		}
		w.judge.Wrote(w.judge.Begin(user), version, checksum)
	}
	return w, rows.Err()
}

// run lets the workers work until a time, or until ctx is done or one of them fails. An
// operation that has begun is ended.
func (w *workload) run(ctx context.Context, until time.Time, seed uint64) (*tally, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var failure error
	var once sync.Once
	fail := func(err error) { once.Do(func() { failure = err; stop() }) }
	tallies := make([]tally, w.workers)
	var workers sync.WaitGroup
	begun := time.Now()
	for i := range w.workers {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for ctx.Err() == nil && time.Now().Before(until) {
				if err := w.step(context.WithoutCancel(ctx), w.handles[i%len(w.handles)], random, &tallies[i]); err != nil {
					fail(err)
				}
				runtime.Gosched() // between operations, not within one that is being timed
			}
		})
	}
	workers.Wait()
	sum := &tally{elapsed: time.Since(begun)}
	for i := range tallies {
		sum.merge(&tallies[i])
	}
	return sum, failure
}

// step is one operation.
func (w *workload) step(ctx context.Context, db *sql.DB, random *rand.Rand, t *tally) error {
	if random.Float64() < readShare {
		return w.read(ctx, db, w.readers.draw(random), t)
	}
	begun := time.Now()
	if err := w.write(ctx, db, random, t); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	t.writes.add(time.Since(begun))
	return nil
}

// read reads a user's list, and has it judged.
func (w *workload) read(ctx context.Context, db *sql.DB, user int64, t *tally) error {
	ticket := w.judge.Begin(user)
	begun := time.Now()
	list, err := readList(ctx, db, user)
	t.reads.add(time.Since(begun))
	t.statements++
	if err != nil {
		return fmt.Errorf("read the list of user %d: %w", user, err)
	}
	w.judge.Read(ticket, list)
	return nil
}

// readList asks for a user with all their things. Without an answer the user is 0.
func readList(ctx context.Context, db *sql.DB, user int64) (Answer, error) {
	rows, err := db.QueryContext(ctx, selectList, user)
	if err != nil {
		return Answer{}, err
	}
	defer rows.Close()
	var a Answer
	for rows.Next() {
		var id, owner, quantity, price sql.Null[int64]
		var name sql.Null[string]
		var created sql.Null[time.Time]
		if err := rows.Scan(&a.User, &a.Version, &a.Checksum, &id, &owner, &name, &quantity, &price, &created); err != nil {
			return Answer{}, err
		}
		if id.Valid {
			a.Rows++
			a.Sum += Thing{id.V, owner.V, name.V, quantity.V, price.V, created.V}.checksum()
		}
	}
	return a, rows.Err()
}
