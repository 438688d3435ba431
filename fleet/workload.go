package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/larderdb/larder"
)

// read asks one question, and notes what it saw.
func (w *Worker) read(r *rand.Rand) {
	q := question(0)
	switch n := r.IntN(100); {
	case n < 50:
		q = byID
	case n < 75:
		q = ofOwner
	case n < 85:
		q = sumOfOwner
	case n < 90:
		q = sumOfAll
	default:
		q = joined
	}
	arg := r.IntN(q.rangeOf())
	ctx, cancel := w.patience(r)
	defer cancel()
	if w.Aside {
		w.noteRead(func() ([]sight, error) { return w.aside.ask(ctx, q, arg%max(q.settledRange(), 1)) })
		return
	}
	if r.IntN(20) == 0 {
		w.readTx(ctx, q, arg)
		return
	}
	if r.IntN(5) == 0 {
		w.noteRead(func() ([]sight, error) { return w.remembered(ctx, q, arg) })
		return
	}
	if w.pages != nil && r.IntN(1000) < w.Pages && w.readPage(ctx, r, q, arg) {
		return
	}
	w.noteRead(func() ([]sight, error) { return ask(ctx, w.db, w.Dialect, q, arg) })
}

// remembered is what a question was answered, as a value that all processes share.
func (w *Worker) remembered(ctx context.Context, q question, arg int) ([]sight, error) {
	w.values.Add(1)
	return larder.Remember(ctx, w.cache, fmt.Sprint("question:", q, ":", arg), func(ctx context.Context) ([]sight, error) {
		w.loads.Add(1)
		return ask(ctx, w.db, w.Dialect, q, arg)
	}, &larder.ValueOptions[[]sight]{Wait: time.Second})
}

// readTx reads twice in a transaction of which each statement sees what is committed.
func (w *Worker) readTx(ctx context.Context, q question, arg int) {
	tx, err := w.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		w.failedRead(err)
		return
	}
	defer tx.Rollback()
	for range 2 {
		begin := now()
		sights, err := ask(ctx, tx, w.Dialect, q, arg)
		if err != nil { // the database may end it, if this process was stopped
			w.tornRead(err)
			return
		}
		w.noteSights(record{kind: seen, begin: begin}, sights)
	}
}

// noteRead notes what a read saw.
func (w *Worker) noteRead(read func() ([]sight, error)) {
	begin := now()
	sights, err := read()
	if err != nil {
		w.failedRead(err)
		return
	}
	w.noteSights(record{kind: seen, begin: begin}, sights)
}

// noteSights notes a read as like has it, which ends now.
func (w *Worker) noteSights(like record, sights []sight) {
	like.end = now()
	for _, s := range sights {
		like.version, like.row = s.Version, int16(s.Row)
		w.history.note(like)
	}
	w.history.head.reads.Add(1)
}

// tornRead tells the test of an answer that no state of the world gives.
func (w *Worker) tornRead(err error) {
	var t torn
	if errors.As(err, &t) {
		w.say(Report{Kind: "torn", Text: t.what})
	}
}

func (w *Worker) failedRead(err error) {
	w.tornRead(err)
	if w.history.head.failed.Add(1) < 4 {
		w.log("a read failed: %v", err)
	}
	time.Sleep(failurePause)
}

// failurePause keeps clients from filling a history while nothing answers.
const failurePause = 5 * time.Millisecond

// A touch is what a write does to one row.
type touch struct {
	row     int
	version int64 // 0: it isn't known
	by      int
}

// touched adds the sums to what is done to items.
func touched(of ...touch) []touch {
	all, sums := 0, map[int]int{}
	for _, t := range of {
		if t.row < items {
			all++
			if owner := t.row / each; owner < settled {
				sums[owner]++
			}
		}
	}
	for owner, n := range sums {
		of = append(of, touch{firstSum + owner, 0, n})
	}
	if all > 0 {
		of = append(of, touch{whole, 0, all})
	}
	return of
}

// begin notes what is about to be written.
func (w *Worker) begin(of []touch) []*record {
	at, records := now(), make([]*record, len(of))
	for i, t := range of {
		records[i] = w.history.begin(record{begin: at, version: t.version, row: int16(t.row), by: int16(t.by), kind: made})
	}
	return records
}

// end notes how a write has ended.
func (w *Worker) end(records []*record, err error) {
	at := now()
	f := done
	switch {
	case errors.Is(err, larder.ErrNotHeld):
		f = refused
	case err != nil:
		w.failedWrite(err)
		return // it may be made yet
	}
	for _, r := range records {
		w.history.end(r, at, f)
	}
	if f == done {
		w.history.head.writes.Add(1)
	}
}

func (w *Worker) failedWrite(err error) {
	if w.history.head.bad.Add(1) < 4 {
		w.log("a write failed: %v", err)
	}
	time.Sleep(failurePause)
}

// write writes in one of several ways.
func (w *Worker) write(r *rand.Rand) {
	ctx, cancel := w.patience(r)
	defer cancel()
	if w.Aside {
		w.writeAside(ctx, r)
		return
	}
	n := r.IntN(100)
	if w.Grouped {
		n = 60 + n%35
	}
	switch {
	case n < 35:
		w.writeItem(ctx, r.IntN(items))
	case n < 45 && w.Dialect == "postgres":
		w.writeReturning(ctx, r.IntN(items))
	case n < 55:
		w.writeOwned(ctx, r.IntN(settled))
	case n < 60:
		w.writeOwner(ctx, r.IntN(owners))
	case n < 80:
		w.writeTx(ctx, r)
	case n < 95:
		w.swap(ctx, r)
	default:
		w.writeFailing(ctx, r.IntN(items))
	}
}

// exec runs a statement outside of transactions.
func (w *Worker) exec(ctx context.Context, of []touch, text string, args ...any) {
	conn := w.once(ctx)
	if conn == nil {
		return
	}
	defer conn.Close()
	records := w.begin(of)
	_, err := conn.ExecContext(context.WithValue(ctx, alone{}, true), places(w.Dialect, text), args...)
	w.end(records, err)
}

// once is a connection for a write outside of transactions, nil if there is none. On the pool database/sql sends
// such a write again if a driver says that it wasn't sent; PostgreSQL's say so of some that were, and are made.
func (w *Worker) once(ctx context.Context) *sql.Conn {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		w.failedWrite(err)
		return nil
	}
	return conn
}

// writeItem: the text tells the row's slice by its key, but not that by its owner.
func (w *Worker) writeItem(ctx context.Context, id int) {
	w.exec(ctx, touched(touch{id, 0, 1}), "UPDATE item SET v = v + 1 WHERE id = ?", id)
}

// writeOwned: the text tells the slice by owner, but not those by key.
func (w *Worker) writeOwned(ctx context.Context, owner int) {
	var of []touch
	for i := range each {
		of = append(of, touch{owner*each + i, 0, 1})
	}
	w.exec(ctx, touched(of...), "UPDATE item SET v = v + 1 WHERE owner = ?", owner)
}

func (w *Worker) writeOwner(ctx context.Context, owner int) {
	w.exec(ctx, []touch{{firstOwn + owner, 0, 1}}, "UPDATE owner SET v = v + 1 WHERE id = ?", owner)
}

// writeReturning: a write that is asked for its version.
func (w *Worker) writeReturning(ctx context.Context, id int) {
	conn := w.once(ctx)
	if conn == nil {
		return
	}
	defer conn.Close()
	records := w.begin(touched(touch{id, 0, 1}))
	var v int64
	ctx = context.WithValue(ctx, alone{}, true)
	err := conn.QueryRowContext(ctx, places(w.Dialect, "UPDATE item SET v = v + 1 WHERE id = ? RETURNING v"), id).Scan(&v)
	if err == nil {
		records[0].version = v
	}
	w.end(records, err)
}

// writeFailing fails at the key, and so writes nothing.
func (w *Worker) writeFailing(ctx context.Context, id int) {
	text := fmt.Sprintf("INSERT INTO item VALUES (%d, %d, 1000000000, 'twice')", id, id/each)
	if _, err := w.db.ExecContext(ctx, text); err == nil {
		w.say(Report{Kind: "torn", Text: "a second row with the same key was taken"})
	}
}

// begun begins a transaction; nil if it can't.
func (w *Worker) begun(ctx context.Context, r *rand.Rand) *sql.Tx {
	level := sql.LevelDefault
	if r.IntN(4) == 0 {
		level = sql.LevelSerializable
	}
	tx, err := w.db.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		w.failedWrite(err)
		return nil
	}
	if w.Endless {
		w.endless(ctx, tx)
	}
	return tx
}

// endless has the database let a transaction be idle for ever.
func (w *Worker) endless(ctx context.Context, tx *sql.Tx) {
	text := map[string]string{
		"postgres": "SET idle_in_transaction_session_timeout = 0",
		"mysql":    "SET SESSION idle_transaction_timeout = 0",
	}[w.Dialect]
	if _, err := tx.ExecContext(ctx, text); err != nil {
		w.log("a transaction goes on to be bounded: %v", err)
	}
}

// writeTx writes several rows, in an order in which another may wait for what this one has. Some are rolled
// back: what they wrote isn't noted, and nobody may see it.
func (w *Worker) writeTx(ctx context.Context, r *rand.Rand) {
	tx := w.begun(ctx, r)
	if tx == nil {
		return
	}
	defer tx.Rollback()
	ids := r.Perm(items)
	if r.IntN(3) == 0 {
		ids = r.Perm(10)
	}
	ids = ids[:2+r.IntN(3)]
	var of []touch
	for _, id := range ids {
		if _, err := tx.ExecContext(ctx, places(w.Dialect, "UPDATE item SET v = v + 1 WHERE id = ?"), id); err != nil {
			w.failedWrite(err)
			return
		}
		if w.Linger > 0 && r.IntN(8) == 0 {
			time.Sleep(time.Duration(r.Int64N(int64(w.Linger))))
		}
	}
	for _, id := range ids {
		t := touch{id, 0, 1}
		if err := tx.QueryRowContext(ctx, places(w.Dialect, "SELECT v FROM item WHERE id = ?"), id).Scan(&t.version); err != nil {
			w.failedWrite(err)
			return
		}
		of = append(of, t)
	}
	if r.IntN(8) > 0 {
		w.commit(tx, touched(of...))
	}
}

func (w *Worker) commit(tx *sql.Tx, of []touch) {
	records := w.begin(of)
	w.end(records, tx.Commit())
}

// swap has two rows exchange their owners.
func (w *Worker) swap(ctx context.Context, r *rand.Rand) {
	tx := w.begun(ctx, r)
	if tx == nil {
		return
	}
	defer tx.Rollback()
	const first = settled * each
	ids := [2]int{first + r.IntN(items-first), first + r.IntN(items-first)}
	var owner [2]int
	of := []touch{{ids[0], 0, 1}, {ids[1], 0, 1}}
	for i, id := range ids {
		if err := tx.QueryRowContext(ctx, places(w.Dialect, "SELECT owner, v + 1 FROM item WHERE id = ? FOR UPDATE"), id).Scan(&owner[i], &of[i].version); err != nil {
			w.failedWrite(err)
			return
		}
	}
	if owner[0] == owner[1] {
		return
	}
	for i, id := range ids {
		if _, err := tx.ExecContext(ctx, places(w.Dialect, "UPDATE item SET owner = ?, v = v + 1 WHERE id = ?"), owner[1-i], id); err != nil {
			w.failedWrite(err)
			return
		}
	}
	w.commit(tx, touched(of...))
}

// patience is how long a call may take. The hasty give up at any moment of it.
func (w *Worker) patience(r *rand.Rand) (context.Context, context.CancelFunc) {
	switch {
	case w.Hasty && r.IntN(25) == 0:
		return context.WithTimeout(context.Background(), time.Duration(1<<(14+r.IntN(12))))
	case w.Patience > 0:
		return context.WithTimeout(context.Background(), w.Patience)
	}
	return context.Background(), func() {}
}
