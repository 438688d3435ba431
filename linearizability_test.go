package larder

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
)

// The registers: table reg_N has one row, or, with cards, register N is the one card that N owns. Clients read and
// write them through the cache, on several handles, and note when each call began and ended. A register is
// linearizable if every read can be explained by one order of all calls in which none stands before another that had
// ended when it began.

const registers = 12 // at most

// A call is one read or write of a register, as the checker's input.
type call struct {
	register int
	write    bool
	value    int64
	owner    int  // of spots only
	moves    bool // to that owner, where others may write after it
}

// register is a row without a cache, for the checker: one value, at first 0.
var register = porcupine.Model{
	Partition: byRegister,
	Init:      func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		if c := input.(call); c.write {
			return true, c.value
		}
		return state == output, state
	},
}

func byRegister(all []porcupine.Operation) [][]porcupine.Operation {
	parts := make([][]porcupine.Operation, registers)
	for _, op := range all {
		i := op.Input.(call).register
		parts[i] = append(parts[i], op)
	}
	return parts
}

// A history is what clients have noted.
type history struct {
	start time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation // guarded by mu
	lost  []porcupine.Operation // writes of unknown outcome; guarded by mu
	next  int64                 // the last value written; guarded by mu
}

func (h *history) now() int64 { return time.Since(h.start).Nanoseconds() }

// fresh returns a value that nobody has written.
func (h *history) fresh() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	return h.next
}

func (h *history) noteRead(client, register int, called, value int64) {
	returned := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: call{register: register}, Call: called, Output: value, Return: returned})
}

// noteWrite notes a write. One that failed may have been done all the same, or be done at any later time.
func (h *history) noteWrite(client, register int, called, value int64, err error) {
	h.noteCall(client, call{register: register, write: true, value: value}, called, err)
}

func (h *history) noteCall(client int, c call, called int64, err error) {
	op := porcupine.Operation{ClientId: client, Input: c, Call: called, Return: h.now()}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		op.Return = math.MaxInt64
		h.lost = append(h.lost, op)
		return
	}
	h.ops = append(h.ops, op)
}

// check asks the checker, by a model of the rows. A write of unknown outcome whose value nobody has read need not have been done, but
// one that moves a row: that shows in where others find it, with a value of a later write.
func (h *history) check(model porcupine.Model) porcupine.CheckResult {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[any]bool{}
	for _, op := range h.ops {
		seen[op.Output] = true
	}
	ops := h.ops
	for i, op := range h.lost {
		if c := op.Input.(call); seen[c.value] || c.moves {
			op.ClientId = 1000 + i // its client goes on meanwhile
			ops = append(ops, op)
		}
	}
	return porcupine.CheckOperationsTimeout(model, ops, 20*time.Second)
}

// A lab is one database with cached handles and clients.
type lab struct {
	testing.TB
	kind
	cache   *Cache
	handles []*sql.DB
	bare    *sql.DB
	history *history
	active  int  // registers in use
	cards   bool // registers are rows of one table, read by their owner and written by their key; odd ones change owners
	cancels bool // some statements are cancelled
	kills   bool // some connections are cut by the server
	verify  float64
	pauses  coherence.PausePolicy
	store   store.Store // nil: memory of the cache's own
	several int         // how many registers a read tells of; 0: one

	reads func(ctx context.Context, db *sql.DB, i int) (int64, error) // outside of transactions; nil: read
	hits  atomic.Int64                                                // how often reads has loaded nothing
}

// newLab opens a database with two cached handles; w, if not nil, slows their connections down.
func newLab(t testing.TB, k kind, mutant coherence.Mutant, w *window) *lab {
	t.Helper()
	return newCheckedLab(t, k, mutant, w, 0)
}

// newCheckedLab is newLab with a share of hits that are checked.
func newCheckedLab(t testing.TB, k kind, mutant coherence.Mutant, w *window, verify float64) *lab {
	t.Helper()
	return newStoreLab(t, k, mutant, w, verify, nil)
}

// newStoreLab is newCheckedLab with a store; nil: memory of its own.
func newStoreLab(t testing.TB, k kind, mutant coherence.Mutant, w *window, verify float64, s store.Store) *lab {
	t.Helper()
	l := &lab{verify: verify, store: s}
	l.build(t, k, mutant, w)
	return l
}

// build opens the database and the handles.
func (l *lab) build(t testing.TB, k kind, mutant coherence.Mutant, w *window) {
	t.Helper()
	l.TB, l.kind, l.active, l.history = t, k, 3, &history{start: time.Now()}
	dsn := k.open(t)
	l.cache = l.newCache(mutant)
	l.bare = l.opened(sql.Open(k.driver, dsn))
	for range 2 {
		if w == nil {
			l.handles = append(l.handles, l.opened(l.cache.Open(k.driver, dsn)))
			continue
		}
		inner, err := connectorOf(l.bare.Driver(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		l.handles = append(l.handles, l.opened(sql.OpenDB(l.cache.Connector(slowConnector{inner, w})), nil))
	}
	l.must("CREATE TABLE cards (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, v BIGINT NOT NULL)")
	l.must("CREATE INDEX cards_owner ON cards (owner)")
	for i := range registers {
		l.must(fmt.Sprintf("CREATE TABLE reg_%d (k INTEGER PRIMARY KEY, v BIGINT)", i))
		l.must(fmt.Sprintf("INSERT INTO reg_%d VALUES (0, 0)", i))
		l.must(fmt.Sprintf("INSERT INTO cards VALUES (%d, %d, 0)", i, i))
	}
}

func (l *lab) newCache(mutant coherence.Mutant) *Cache {
	o := Options{MaxBytes: 8 << 20, Dialect: l.dialect, Lease: time.Second,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), mutant: mutant, Verify: l.verify, pauses: l.pauses}
	if l.store != nil {
		o.Store, o.MaxBytes = l.store, 0
	}
	cache, err := New(&o)
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { cache.Close() })
	return cache
}

func (l *lab) opened(db *sql.DB, err error) *sql.DB {
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { db.Close() })
	return db
}

func (l *lab) must(text string) {
	if _, err := l.bare.Exec(text); err != nil {
		l.Fatal(text, err)
	}
}

var flagLabSeed = flag.Uint64("lab.seed", 1, "seed of what the clients of the linearizability tests do; 0: another one each time")

func labSeed() uint64 {
	if *flagLabSeed == 0 {
		return rand.Uint64()
	}
	return *flagLabSeed
}

// run has clients call until the time is over. The first of them writes more than the others.
func (l *lab) run(clients int, d time.Duration) {
	end := time.Now().Add(d)
	var all sync.WaitGroup
	for id := range clients {
		c := &labClient{lab: l, id: id, db: l.handles[id%len(l.handles)], r: rand.New(rand.NewPCG(uint64(id), labSeed()))}
		all.Go(func() {
			for time.Now().Before(end) {
				c.step()
			}
		})
	}
	all.Wait()
}

type labClient struct {
	*lab
	id int
	db *sql.DB
	r  *rand.Rand
}

func (c *labClient) step() {
	reads := 93
	if c.id == 0 {
		reads = 50
	}
	if c.r.IntN(100) < reads {
		c.stepRead()
		return
	}
	switch n := c.r.IntN(100); {
	case n < 50:
		c.writeAlone()
	case n < 60 && c.cards:
		c.swap()
	case n < 65:
		c.writeTx(true)
	case n < 80:
		c.writeTx(false)
	case n < 90:
		c.writeFailing()
	default:
		c.interfere()
	}
}

func (c *labClient) stepRead() {
	i := c.r.IntN(c.active)
	ctx := context.Background()
	switch n := c.r.IntN(100); {
	case n < 15:
		ctx = Bypass(ctx)
	case n < 25 && c.dialect != "sqlite":
		c.readTx(i)
		return
	case n < 26 && c.cancels:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1<<c.r.IntN(20)))
		defer cancel()
	}
	called := c.history.now()
	read := func() (int64, error) { return c.read(ctx, c.db, i) }
	if c.reads != nil {
		read = func() (int64, error) { return c.reads(ctx, c.db, i) }
	}
	if value, err := read(); err == nil {
		c.history.noteRead(c.id, i, called, value)
	}
}

type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// places writes ? as the dialect writes parameters.
func (l *lab) places(text string) string {
	for i := 1; l.dialect == "postgres" && strings.Contains(text, "?"); i++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", i), 1)
	}
	return text
}

func (l *lab) read(ctx context.Context, q rowQuerier, i int) (value int64, err error) {
	if l.cards {
		err = q.QueryRowContext(ctx, l.places("SELECT v FROM cards WHERE owner = ?"), i).Scan(&value)
		return value, err
	}
	err = q.QueryRowContext(ctx, l.places(fmt.Sprintf("SELECT v FROM reg_%d WHERE k = ?", i)), 0).Scan(&value)
	return value, err
}

// readTx reads in a transaction of which each statement sees what is committed.
func (c *labClient) readTx(i int) {
	tx, err := c.db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return
	}
	defer tx.Rollback()
	for range 2 {
		called := c.history.now()
		value, err := c.read(context.Background(), tx, i)
		if err != nil {
			return
		}
		c.history.noteRead(c.id, i, called, value)
	}
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (c *labClient) write(ctx context.Context, e execer, i int, value int64) error {
	text, of := fmt.Sprintf("UPDATE reg_%d SET v = ? WHERE k = ?", i), 0
	switch {
	case c.cards && i%2 == 0 && c.r.IntN(2) == 0: // even cards stay with their owners
		text, of = "UPDATE cards SET v = ? WHERE id = ?", i
	case c.cards:
		text, of = "UPDATE cards SET v = ? WHERE owner = ?", i
	}
	result, err := e.ExecContext(ctx, c.places(text), value, of)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err == nil && n == 0 {
		return errNoCard
	}
	return nil
}

// errNoCard is why a write did nothing: PostgreSQL waited for a card that had changed its owner then.
var errNoCard = errors.New("no card")

// swap has the owners of registers 1 and 3 exchange their cards, and writes them, all columns by their key.
func (c *labClient) swap() {
	tx, err := c.db.Begin()
	if err != nil {
		return
	}
	defer tx.Rollback()
	owners := [2]int{1, 3}
	var ids [2]int
	for n, owner := range owners {
		text := "SELECT id FROM cards WHERE owner = ?"
		if c.dialect != "sqlite" {
			text += " FOR UPDATE"
		}
		if tx.QueryRow(c.places(text), owner).Scan(&ids[n]) != nil {
			return
		}
	}
	values := [2]int64{c.history.fresh(), c.history.fresh()}
	for n := range owners {
		if _, err := tx.Exec(c.places("UPDATE cards SET owner = ?, v = ? WHERE id = ?"), owners[n], values[n], ids[1-n]); err != nil {
			return
		}
	}
	called := c.history.now()
	err = tx.Commit()
	for n, value := range values {
		c.history.noteWrite(c.id, owners[n], called, value, err)
	}
}

func (c *labClient) writeAlone() {
	ctx, i, value := context.Background(), c.r.IntN(c.active), c.history.fresh()
	if c.cancels && c.r.IntN(map[bool]int{true: 8, false: 40}[c.dialect == "sqlite"]) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(1<<c.r.IntN(20)))
		defer cancel()
	}
	called := c.history.now()
	err := c.write(ctx, c.db, i, value)
	if errors.Is(err, errNoCard) {
		return
	}
	c.history.noteWrite(c.id, i, called, value, err)
}

// writeTx writes two registers in a transaction. What is rolled back isn't noted: nobody may read it.
func (c *labClient) writeTx(commit bool) {
	tx, err := c.db.Begin()
	if err != nil {
		return
	}
	defer tx.Rollback()
	first := c.r.IntN(c.active - 1)
	values := [2]int64{c.history.fresh(), c.history.fresh()}
	for n, value := range values {
		if c.write(context.Background(), tx, first+n, value) != nil {
			return
		}
	}
	if !commit {
		return
	}
	called := c.history.now()
	err = tx.Commit()
	for n, value := range values {
		c.history.noteWrite(c.id, first+n, called, value, err)
	}
}

// writeFailing fails at the key, and so writes nothing.
func (c *labClient) writeFailing() {
	i := c.r.IntN(c.active)
	text := fmt.Sprintf("INSERT INTO reg_%d VALUES (0, -1)", i)
	if c.cards {
		text = fmt.Sprintf("INSERT INTO cards VALUES (%d, %d, -1)", i, i)
	}
	if _, err := c.db.Exec(text); err == nil {
		c.Error("a second row with the same key was taken")
	}
}

// interfere cuts a connection, whatever it is doing.
func (c *labClient) interfere() {
	if c.kills && c.r.IntN(10) == 0 {
		c.bare.Exec("SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE datname = current_database() " +
			"AND pid <> pg_backend_pid() AND query ~ 'reg_|cards' ORDER BY random() LIMIT 1) victim")
	}
}

// mustBeLinearizable checks what was noted, and that enough of it came from the cache to mean anything.
func (l *lab) mustBeLinearizable(model porcupine.Model) {
	l.Helper()
	s := l.cache.Stats()
	l.Logf("%d calls, %d of unknown outcome; %d hits, %d misses, %d held, %d bypasses, %d abandoned", len(l.history.ops)+len(l.history.lost),
		len(l.history.lost), s.Hits, s.Misses, s.Held, s.Bypasses, s.Abandoned)
	if result := l.history.check(model); result != porcupine.Ok {
		l.Errorf("the history is not linearizable: %s", result)
	}
	enough := int64(len(l.history.ops)) / 20
	if l.several > 0 { // they are read together, and each is written by all
		enough /= 6
	}
	if s.Hits*int64(max(l.several, 1)) < enough || s.Hits == 0 {
		l.Errorf("only %d hits in %d calls", s.Hits, len(l.history.ops))
	}
}

// TestLinearizable: concurrent clients of every driver, as they come.
func TestLinearizable(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			l := newLab(t, k, coherence.NoMutant, nil)
			l.run(6, time.Second)
			l.mustBeLinearizable(register)
		})
	}
}

// TestLinearizableInWideWindows: the moments between the database's answer and what the cache does next are long.
func TestLinearizableInWideWindows(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			l := newLab(t, k, coherence.NoMutant, &window{read: 2 * time.Millisecond, write: 2 * time.Millisecond})
			l.run(6, time.Second)
			l.mustBeLinearizable(register)
		})
	}
}

// TestLinearizableUnderFaults: statements are cancelled, and PostgreSQL's connections cut.
func TestLinearizableUnderFaults(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			l := newLab(t, k, coherence.NoMutant, nil)
			l.active = registers
			l.run(6, 300*time.Millisecond)
			l.cancels, l.kills = true, k.dialect == "postgres"
			l.run(6, 1200*time.Millisecond)
			l.mustBeLinearizable(register)
			if len(l.history.lost) == 0 {
				t.Error("every write ended as it should: there were no faults")
			}
		})
	}
}

// TestSlicesAreLinearizable: the registers are rows of one table, which move between slices.
func TestSlicesAreLinearizable(t *testing.T) {
	for _, w := range []*window{nil, {read: 2 * time.Millisecond, write: 2 * time.Millisecond}} {
		for _, k := range kinds {
			t.Run(fmt.Sprint(k.name, " ", w != nil), func(t *testing.T) {
				l := newLab(t, k, coherence.NoMutant, w)
				l.cards, l.active = true, 4
				l.run(6, 700*time.Millisecond)
				l.cancels, l.kills = true, k.dialect == "postgres"
				l.run(6, 500*time.Millisecond)
				l.mustBeLinearizable(register)
			})
		}
	}
}

// TestMutantsAreSeen: without each of these steps of the protocol some history isn't linearizable.
func TestMutantsAreSeen(t *testing.T) {
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
			t.Run(m.mutant.String()+"/"+k.name, func(t *testing.T) { mustSee(t, k, m.mutant, m.window) })
		}
	}
}

// untilSeen is how long tests wait for what needs a race, as a mutant that is to be seen does: most often for a second, but a machine on which
// much else goes on has few.
const untilSeen = 2 * time.Minute

// mustSee runs a mutant until the checker sees it.
func mustSee(t *testing.T, k kind, m coherence.Mutant, w *window) {
	start := time.Now()
	for round := 1; time.Since(start) < untilSeen; round++ {
		l := newLab(t, k, m, w)
		l.active = 2
		l.run(6, 300*time.Millisecond)
		if l.history.check(register) == porcupine.Illegal {
			t.Logf("seen in round %d, after %v", round, time.Since(start).Round(time.Millisecond))
			return
		}
	}
	t.Errorf("every history was linearizable")
}

// TestHitsReturnAfterFailedWrite: a write that failed lets go of what it held. Without that, which is no
// fault against linearizability, nothing would be a hit any more; and Verify finds it.
func TestHitsReturnAfterFailedWrite(t *testing.T) {
	for _, mutant := range []coherence.Mutant{coherence.NoMutant, coherence.RollbackKeepsHold} {
		t.Run(mutant.String(), func(t *testing.T) {
			l := newCheckedLab(t, kinds[0], mutant, nil, 1)
			c := &labClient{lab: l, db: l.handles[0], r: rand.New(rand.NewPCG(1, 1))}
			for range 20 {
				c.writeFailing()
			}
			before := l.cache.Stats()
			for i := range 2 * l.active {
				if _, err := l.read(t.Context(), c.db, i%l.active); err != nil {
					t.Fatal(err)
				}
			}
			after := l.cache.Stats()
			if stuck := after.Stuck; (stuck > 0) != (mutant == coherence.RollbackKeepsHold) {
				t.Errorf("%d writes were found to hold what they had changed", stuck)
			}
			hits, held := after.Hits-before.Hits, after.Held-before.Held
			if mutant == coherence.NoMutant && (hits != int64(l.active) || held != 0) {
				t.Errorf("%d hits and %d held, want %d and 0", hits, held, l.active)
			}
			if mutant == coherence.RollbackKeepsHold && (hits != 0 || held == 0) {
				t.Errorf("%d hits and %d held: the mutant isn't seen", hits, held)
			}
		})
	}
}
