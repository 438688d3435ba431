package larder

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/redis"
)

// Peers are several processes, each with a cache, handle and client of its own, over one Redis and one PostgreSQL.
type peers struct {
	*testing.T
	mutant coherence.Mutant
	redis  redis.Options
	dsn    string
	bare   *sql.DB
}

// A peer is one of them.
type peer struct {
	*peers
	cache    *Cache
	db       *sql.DB
	line     *line
	database *gate // where its statements can be stopped
}

// A line is a process's way to the store: it can be cut, and stopped at "after hold" and "before release" of a write.
type line struct {
	store.Shared
	gate
	still bool // nobody renews what the process holds, as if it stood still

	cut     atomic.Bool               // the store can't be reached
	told    atomic.Int64              // how often the store has said who holds a tag
	held    atomic.Int64              // how often it has said that something is held
	changed atomic.Pointer[store.Tag] // that of the schema, which was held for a change last
}

var errCutOff = errors.New("the store can't be reached")

func (l *line) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	if l.cut.Load() {
		return store.View{}, errCutOff
	}
	v, err := l.Shared.Lookup(ctx, key, tags)
	if v.Held {
		l.held.Add(1)
	}
	return v, err
}

func (l *line) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	if l.cut.Load() {
		return errCutOff
	}
	err := l.Shared.Hold(ctx, id, tags, l.leaseOf(lease), look)
	if tag := tags[len(tags)-1]; strings.HasSuffix(string(tag), "#schema") {
		l.changed.Store(&tag)
	}
	l.stopAt("after hold", tags)
	return err
}

func (l *line) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	if l.cut.Load() {
		if lease > 0 { // the client renews it no more, though the store doesn't hear of that
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_ = l.Shared.Renew(ended, id, tags, lease)
		}
		return errCutOff
	}
	return l.Shared.Renew(ctx, id, tags, l.leaseOf(lease))
}

func (l *line) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	l.stopAt("before release", tags)
	if l.cut.Load() {
		return errCutOff
	}
	return l.Shared.Release(ctx, id, tags)
}

func (l *line) Holders(ctx context.Context, tag store.Tag) ([]store.HoldID, error) {
	if l.cut.Load() {
		return nil, errCutOff
	}
	ids, err := l.Shared.Holders(ctx, tag)
	l.told.Add(1)
	return ids, err
}

func (l *line) Members(ctx context.Context, tag store.Tag) ([]string, store.Token, error) {
	if l.cut.Load() {
		return nil, 0, errCutOff
	}
	return l.Shared.Members(ctx, tag)
}

// leaseOf is that of the store for a hold without one which nobody is to renew.
func (l *line) leaseOf(lease time.Duration) time.Duration {
	if l.still && lease == 0 {
		return l.Lease()
	}
	return lease
}

// stopAt stops who holds for a write.
func (l *line) stopAt(point string, tags []store.Tag) {
	if ofWrite(tags) {
		_ = l.pass(nil, point) // it is told to fail nothing
	}
}

// ofWrite tells the tags of a write from what is held by who relies on facts of the schema.
func ofWrite(tags []store.Tag) bool { return !strings.HasSuffix(string(tags[0]), "#facts") }

// lapsed reports whether nobody holds the schema any more, which this process has changed.
func (p *peer) lapsed() bool {
	p.Helper()
	ids, err := p.line.Shared.Holders(p.Context(), *p.line.changed.Load())
	p.ok(err)
	return len(ids) == 0
}

// newPeers prepares the database: a write of r0 writes r1 as well once it has the trigger of addTrigger.
func newPeers(t *testing.T, m coherence.Mutant, lease time.Duration) *peers {
	c := &peers{T: t, mutant: m, dsn: kinds[2].open(t)}
	c.redis = redis.Options{Addresses: []string{dbtest.Redis(t).Addr()}, Prefix: rand.Text() + ":", Timeout: 10 * time.Second, Settle: -1, Lease: lease}
	var err error
	c.bare, err = sql.Open("pgx", c.dsn)
	c.ok(err)
	t.Cleanup(func() { c.bare.Close() })
	for _, text := range []string{
		"CREATE TABLE stuff (id integer PRIMARY KEY, user_id integer, name text)", "INSERT INTO stuff VALUES (1, 42, 'old')",
		"CREATE TABLE r0 (v text)", "INSERT INTO r0 VALUES ('old')", "CREATE TABLE r1 (v text)", "INSERT INTO r1 VALUES ('old')",
		"CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE r1 SET v = NEW.v; RETURN NEW; END'",
	} {
		_, err := c.bare.Exec(text)
		c.ok(err)
	}
	return c
}

const (
	addTrigger = "CREATE TRIGGER copies AFTER UPDATE ON r0 FOR EACH ROW EXECUTE FUNCTION copy()"
	writeR0    = "UPDATE r0 SET v = 'new'"
	readR0     = "SELECT v FROM r0"
	readR1     = "SELECT v FROM r1"

	often = 20 * time.Millisecond // a process looks whether the schema has moved
	never = time.Hour
)

func (c *peers) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// peer starts one that looks every so often whether the schema has moved. If it is still, nobody renews what it holds.
func (c *peers) peer(watch time.Duration, still bool) *peer {
	c.Helper()
	far, err := redis.Open(c.redis)
	c.ok(err)
	p := &peer{peers: c, line: &line{Shared: far, gate: gate{stops: make(map[string]*stop)}, still: still}}
	c.Cleanup(func() {
		far.Close()
		p.line.cut.Store(false) // who tries to tell the store ends when it hears that it is closed
	})
	p.cache, err = New(&Options{Store: p.line, Verify: 1, NotAdaptive: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), mutant: c.mutant, watch: watch})
	c.ok(err)
	h := &house{TB: c.T, kind: kinds[2], dsn: c.dsn, cache: p.cache}
	p.db, p.database = h.gated()
	return p
}

// read returns the value of one row.
func (p *peer) read(text string) (value string) {
	p.Helper()
	p.ok(p.db.QueryRow(text).Scan(&value))
	return value
}

// hits reads, and reports whether that was a hit.
func (p *peer) hits(text string) bool {
	p.Helper()
	before := p.cache.Stats().Hits
	p.read(text)
	return p.cache.Stats().Hits > before
}

// exec runs a statement outside of transactions.
func (p *peer) exec(text string) {
	p.Helper()
	_, err := p.db.Exec(text)
	p.ok(err)
}

// writing runs a write in the background.
func (p *peer) writing(text string) (wait func()) {
	p.Helper()
	return inBackground(p.T, func() {
		if _, err := p.db.Exec(text); err != nil {
			p.Error(err)
		}
	})
}

// until waits for what is to come.
func (c *peers) until(what string, is func() bool) {
	c.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			c.Fatalf("it isn't so that %s", what)
		}
	}
}

func (p *peer) untilKept(text string) {
	p.Helper()
	p.until("it is kept: "+text, func() bool { return p.hits(text) })
}

const fewReads = 10

// keepsInTheGap reads what must not be kept now: it is if the step was left out.
func (p *peer) keepsInTheGap(text string) {
	p.Helper()
	if p.mutant != coherence.NoMutant {
		p.untilKept(text)
		return
	}
	for range fewReads {
		if p.hits(text) {
			p.Errorf("it is kept: %s", text)
		}
	}
}

// findsOld reads what the database has as new already: until a hit is found to be wrong if the step was left out; else
// nothing older is read.
func (p *peer) findsOld(text string) {
	p.Helper()
	if p.mutant != coherence.NoMutant {
		p.until("a hit is wrong: "+text, func() bool { p.read(text); return p.cache.Stats().Wrong > 0 })
		return
	}
	for range fewReads {
		if got := p.read(text); got != "new" {
			p.Errorf("%s is %q", text, got)
		}
	}
}

// TestVerifyFindsProcessSteps: without a step that several processes over one store need, one of them finds that a hit is wrong; with all of
// them the same events in a row make none wrong, and hits return after them.
func TestVerifyFindsProcessSteps(t *testing.T) {
	for _, c := range []struct {
		step  coherence.Mutant
		lease time.Duration
		run   func(*peers) *peer // returns who reads
	}{
		{coherence.NoReady, time.Second, standsStill},
		{coherence.NarrowInDoubt, time.Minute, writesUnheard},
		{coherence.HastySchema, time.Minute, changesUnderWrite},
		{coherence.LapsedSchema, time.Minute, changesUnheard},
		{coherence.EternalReliance, time.Second, reliesTooLong},
		{coherence.UnheldMove, 2 * time.Second, diesChanging},
	} {
		t.Run(c.step.String(), func(t *testing.T) {
			for _, m := range []coherence.Mutant{c.step, coherence.NoMutant} {
				t.Run(m.String(), func(t *testing.T) {
					reader := c.run(newPeers(t, m, c.lease))
					s := reader.cache.Stats()
					t.Logf("%d of %d wrong, %d unsure", s.Wrong, s.Verified, s.Unsure)
					if (s.Wrong > 0) != (m == c.step) || s.Verified == 0 {
						t.Errorf("%+v", s)
					}
				})
			}
		})
	}
}

// standsStill: a process stands still between its hold and its write until the hold has lapsed.
func standsStill(c *peers) *peer {
	const read = "SELECT name FROM stuff WHERE id = 1"
	writes, reads := c.peer(often, true), c.peer(often, false)
	writes.read(read)
	reads.untilKept(read)
	held, releases := writes.line.at(c, "after hold"), writes.line.at(c, "before release")
	wait := writes.writing("UPDATE stuff SET name = 'new' WHERE id = 1")
	held.wait()
	reads.untilKept(read)
	held.go_()
	releases.wait()
	reads.findsOld(read)
	releases.go_()
	wait()
	reads.untilKept(read)
	return reads
}

// writesUnheard: a process is cut off from the store, and doesn't hear of a shape that comes into use while its transaction is open.
func writesUnheard(c *peers) *peer {
	const byID, byUser = "SELECT name FROM stuff WHERE id = 1", "SELECT name FROM stuff WHERE user_id = 42"
	writes, reads := c.peer(often, false), c.peer(often, false)
	writes.untilKept("SELECT user_id FROM stuff WHERE id = 1") // which puts the shape in use
	writes.untilKept(byID)                                     // which makes it known
	writes.line.cut.Store(true)
	tx, err := writes.db.Begin()
	c.ok(err)
	_, err = tx.Exec("UPDATE stuff SET name = 'new' WHERE id = 1")
	c.ok(err)
	reads.untilKept("SELECT id FROM stuff WHERE user_id = 42") // likewise
	reads.untilKept(byUser)
	c.ok(tx.Commit())
	if writes.cache.Stats().Unannounced == 0 {
		c.Error("who is cut off has announced its write")
	}
	writes.line.cut.Store(false)
	c.until("the write is announced", func() bool { return writes.cache.Stats().Unannounced == 0 })
	reads.findsOld(byUser)
	reads.untilKept(byUser)
	return reads
}

// changesUnderWrite: the schema is changed while a write is under way that another process has planned before.
func changesUnderWrite(c *peers) *peer {
	writes, changes := c.peer(never, false), c.peer(often, false)
	writes.read(readR0)
	changes.untilKept(readR1)
	sent := writes.database.at(c, "before "+writeR0)
	wait := writes.writing(writeR0)
	sent.wait()
	changes.exec(addTrigger)
	changes.keepsInTheGap(readR1)
	sent.go_()
	wait()
	changes.findsOld(readR1)
	c.ok(writes.db.Close()) // it relies on nothing any more
	changes.untilKept(readR1)
	return changes
}

// changesUnheard: the schema is changed by a process that is cut off from the store.
func changesUnheard(c *peers) *peer {
	changes, writes := c.peer(often, false), c.peer(often, false)
	writes.read(readR0)
	writes.untilKept(readR1)
	changes.line.cut.Store(true)
	changes.exec(addTrigger)
	changes.line.cut.Store(false)
	c.until("the change is announced, or waits for who relies on the schema", func() bool {
		return changes.cache.Stats().Unannounced == 0 || c.mutant != coherence.NoMutant && changes.line.told.Load() > 0
	})
	writes.exec(writeR0)
	writes.findsOld(readR1)
	writes.untilKept(readR1)
	return writes
}

// reliesTooLong: the schema is changed while a process stands still that relies on it, and goes on when its word has lapsed.
func reliesTooLong(c *peers) *peer {
	writes, changes := c.peer(never, true), c.peer(often, false)
	writes.read(readR0)
	changes.untilKept(readR1)
	changes.exec(addTrigger)
	changes.untilKept(readR1)
	writes.exec(writeR0)
	changes.findsOld(readR1)
	changes.untilKept(readR1)
	return changes
}

// diesChanging: the process that has changed the schema is killed while a write is under way that another has planned before, and
// its marks lapse before that ends.
func diesChanging(c *peers) *peer {
	writes, changes, reads := c.peer(often, false), c.peer(often, true), c.peer(often, false)
	writes.read(readR0)
	reads.untilKept(readR1)
	sent, answered := writes.database.at(c, "before "+writeR0), writes.database.at(c, "after "+writeR0)
	wait := writes.writing(writeR0)
	sent.wait()
	changed := changes.database.at(c, "after "+addTrigger)
	dies := changes.writing(addTrigger)
	changed.wait()
	changes.line.cut.Store(true)
	changed.go_()
	dies()
	c.until("who writes sees the change", func() bool { return writes.line.held.Load() > 0 })
	c.until("the marks of the change lapse", changes.lapsed)
	reads.keepsInTheGap(readR1)
	sent.go_()
	answered.wait()
	reads.findsOld(readR1)
	answered.go_()
	wait()
	reads.untilKept(readR1)
	return reads
}
