package metamorphic

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/store"
)

// A world is one database with its handles: two that share a cache and one without.
type world struct {
	cache   *larder.Cache
	handle  *sql.DB // the kept connections are of this one
	second  *sql.DB // cached, too; its connections are left as they are
	bare    *sql.DB
	other   *sql.DB // cached, of another database that statements may reach
	barest  *sql.DB // of that one, not cached
	clients [kept]*client
	place   place

	last  larder.Event // of the last statement
	count *tally
}

// A client is one kept connection.
type client struct {
	conn  *sql.Conn
	tx    *sql.Tx
	stmts map[int]*sql.Stmt
}

// A tally counts what became of the steps.
type tally struct {
	steps, failed    int // failed: the database answered with an error
	reads            int // compared reads
	hits             int // of these, answered from the cache the first time
	again            int // …, the second time
	refused          int // not compared because of locks
	errors           map[string]int
	took             map[string]int // microseconds, by kind of step
	reasons          map[string]int // why compared reads were not hits the second time
	hitsOn, missesOn map[string]int // by feature of the text

	rows, unknown atomic.Int64 // told to receivers: rows, and changes without them
}

func newTally() *tally {
	return &tally{errors: map[string]int{}, reasons: map[string]int{}, took: map[string]int{}, hitsOn: map[string]int{}, missesOn: map[string]int{}}
}

// A place is where a database is reached, by two handles, perhaps with different drivers.
type place struct {
	driver, dsn             string
	secondDriver, secondDSN string // if not as the first
	otherDSN                string // of another database; may be ""
	main, name              string // what statements call the two: MAIN and OTHER in texts
}

// options of the caches vary, so that entries are evicted, and results stream, in some programs.
func options(r *rand.Rand, s store.Store) *larder.Options {
	o := &larder.Options{MaxBytes: 16 << 20, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	switch r.IntN(6) {
	case 0:
		o.MaxBytes, o.MaxEntryBytes = 64<<10, 8<<10
	case 1:
		o.MaxEntryBytes = 1500
	}
	if s != nil {
		o.Store, o.MaxBytes = s, 0
	}
	return o
}

func newWorld(p place, o *larder.Options, count *tally) (*world, error) {
	w := &world{count: count, place: p}
	o.Observe = func(_ context.Context, e larder.Event) { w.last = e }
	var err error
	if w.cache, err = larder.New(o); err != nil {
		return nil, err
	}
	if o.MaxEntryBytes > 0 {
		w.listen()
	}
	if w.handle, err = w.cache.Open(p.driver, p.dsn); err != nil {
		return nil, err
	}
	if p.secondDriver == "" {
		p.secondDriver, p.secondDSN = p.driver, p.dsn
	}
	if w.second, err = w.cache.Open(p.secondDriver, p.secondDSN); err != nil {
		return nil, err
	}
	if w.bare, err = sql.Open(p.secondDriver, p.secondDSN); err != nil {
		return nil, err
	}
	return w, w.openOther(p)
}

// listen has receivers of rows, for which writes are asked for more.
func (w *world) listen() {
	for _, table := range []string{"t1", "t2", "t3"} {
		larder.OnRow(w.cache, table, func(context.Context, *struct{ ID any }, *struct{ ID any }) { w.count.rows.Add(1) },
			larder.OnUnknown(func(context.Context, larder.Change) { w.count.unknown.Add(1) }))
	}
}

func (w *world) openOther(p place) (err error) {
	if p.otherDSN == "" {
		return nil
	}
	if w.other, err = w.cache.Open(p.driver, p.otherDSN); err != nil {
		return err
	}
	if w.barest, err = sql.Open(p.driver, p.otherDSN); err != nil {
		return err
	}
	_, err = w.barest.Exec("CREATE TABLE t1 (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c VARCHAR(40))")
	return err
}

func (w *world) close() {
	for _, c := range w.clients {
		if c != nil {
			c.close()
		}
	}
	w.handle.Close()
	w.second.Close()
	w.bare.Close()
	if w.other != nil {
		w.other.Close()
		w.barest.Close()
	}
	w.cache.Close()
}

// closeUnlessPanicking is close; after a panic inside a driver call that would wait forever.
func (w *world) closeUnlessPanicking() {
	if r := recover(); r != nil {
		panic(r)
	}
	w.close()
}

func (c *client) close() {
	for _, stmt := range c.stmts {
		stmt.Close()
	}
	if c.tx != nil {
		c.tx.Rollback()
	}
	c.conn.Close()
}

// client returns the kept connection of a number, taken on first use.
func (w *world) client(i int) (*client, error) {
	if w.clients[i] == nil {
		conn, err := w.handle.Conn(context.Background())
		if err != nil {
			return nil, err
		}
		w.clients[i] = &client{conn: conn, stmts: map[int]*sql.Stmt{}}
	}
	return w.clients[i], nil
}

// A session is what steps are done on.
type session interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

func (w *world) session(s step) (session, error) {
	switch {
	case s.unseen:
		return w.bare, nil
	case s.on == clean:
		return w.second, nil
	case s.on == elsewhere && w.other != nil:
		return w.other, nil
	case s.on == elsewhere:
		return nil, errors.New("there is no other database")
	}
	c, err := w.client(s.on)
	if err != nil {
		return nil, err
	}
	return c.conn, nil
}

// do runs a step. It returns what the database said, and what differed.
func (w *world) do(s step) (failure error, difference string) {
	w.count.steps++
	start := time.Now()
	failure, difference = w.doStep(s)
	took := string(s.do)
	if s.do == exec {
		took += " " + word(s.text)
	}
	w.count.took[took] += int(time.Since(start).Microseconds())
	if failure != nil {
		w.count.failed++
		w.count.errors[string(s.do)+": "+generalize(failure.Error())]++
	}
	return failure, difference
}

func (w *world) doStep(s step) (failure error, difference string) {
	ctx := context.Background()
	s.text = strings.NewReplacer("OTHER", w.place.name, "MAIN", w.place.main).Replace(s.text)
	on, err := w.session(s)
	if err != nil {
		return err, ""
	}
	switch s.do {
	case exec:
		_, err = on.ExecContext(ctx, s.text, s.args...)
	case canceled:
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err = on.ExecContext(ended, s.text, s.args...)
	case run:
		rows, failed := on.QueryContext(ctx, s.text, s.args...)
		if a := readAnswer(rows, failed, s.limit); a.err != "" {
			err = fmt.Errorf("%s", a.err)
		}
	case query:
		return w.compare(s, on)
	default:
		return w.doOnClient(ctx, s)
	}
	return err, ""
}

// doOnClient runs the steps that need a connection of their own.
func (w *world) doOnClient(ctx context.Context, s step) (failure error, difference string) {
	if s.on >= clean {
		return fmt.Errorf("%s needs a connection", s.do), ""
	}
	c, err := w.client(s.on)
	if err != nil {
		return err, ""
	}
	switch s.do {
	case begin:
		if c.tx != nil {
			return fmt.Errorf("begin: there is a transaction"), ""
		}
		c.tx, err = c.conn.BeginTx(ctx, &sql.TxOptions{Isolation: s.level, ReadOnly: s.readOnly})
	case commit, rollback:
		err = c.end(s.do)
	case prepare:
		c.closeStmt(s.slot)
		var stmt *sql.Stmt
		if stmt, err = c.conn.PrepareContext(ctx, s.text); err == nil {
			c.stmts[s.slot] = stmt
		}
	case queryStmt, execStmt:
		return w.doStmt(ctx, c, s)
	case closeStmt:
		c.closeStmt(s.slot)
	case renew:
		c.close()
		w.clients[s.on] = nil
	}
	return err, ""
}

func (c *client) end(how action) error {
	tx := c.tx
	if tx == nil {
		return fmt.Errorf("%s: there is no transaction", how)
	}
	c.tx = nil
	if how == commit {
		return tx.Commit()
	}
	return tx.Rollback()
}

func (c *client) closeStmt(slot int) {
	if stmt := c.stmts[slot]; stmt != nil {
		stmt.Close()
		delete(c.stmts, slot)
	}
}

func (w *world) doStmt(ctx context.Context, c *client, s step) (failure error, difference string) {
	stmt := c.stmts[s.slot]
	if stmt == nil {
		return fmt.Errorf("there is no statement %d", s.slot), ""
	}
	if s.do == execStmt {
		_, err := stmt.ExecContext(ctx, s.args...)
		return err, ""
	}
	return w.compare(s, onStmt{stmt})
}

// onStmt asks a prepared statement, whatever the text.
type onStmt struct{ stmt *sql.Stmt }

func (o onStmt) ExecContext(ctx context.Context, _ string, args ...any) (sql.Result, error) {
	return o.stmt.ExecContext(ctx, args...)
}

func (o onStmt) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return o.stmt.QueryContext(ctx, args...)
}

// compare asks the cache twice and the database, and on the clean client the bare handle as well.
func (w *world) compare(s step, on session) (failure error, difference string) {
	ask := func(ctx context.Context, on session) (answer, string) {
		w.last = larder.Event{}
		rows, err := on.QueryContext(ctx, s.text, s.args...)
		a := readAnswer(rows, err, s.limit)
		return a, fmt.Sprintf("%v, %v", w.last.Outcome, w.last.Reason)
	}
	ctx := context.Background()
	var want answer
	if s.last {
		want, _ = ask(larder.Bypass(ctx), on)
	}
	first, how := ask(ctx, on)
	w.note(s, strings.HasPrefix(how, "hit"))
	second, howAgain := ask(ctx, on)
	if strings.HasPrefix(howAgain, "hit") {
		w.count.again++
	} else {
		w.count.reasons[howAgain]++
	}
	if !s.last {
		want, _ = ask(larder.Bypass(ctx), on)
	}
	checks := []check{{"first, " + how, first}, {"again, " + howAgain, second}}
	if s.on >= clean && !ofSession(s.text) {
		database := w.bare
		if s.on == elsewhere {
			database = w.barest
		}
		bare, _ := ask(ctx, database)
		checks = append(checks, check{"bare handle", bare})
	}
	return w.judge(s, want, checks)
}

// ofSession reports whether a read tells what its own connection did before.
func ofSession(text string) bool {
	return strings.Contains(strings.ToLower(text), "last_insert")
}

// A check is an answer that should be the one that the database gave.
type check struct {
	how string
	got answer
}

func (w *world) judge(s step, want answer, checks []check) (failure error, difference string) {
	if want.err != "" {
		failure = fmt.Errorf("%s", want.err)
	}
	refused := want.refused()
	for _, c := range checks {
		refused = refused || c.got.refused()
	}
	if refused {
		w.count.refused++
		return failure, ""
	}
	for _, c := range checks {
		if !c.got.equal(want, s.ordered) {
			difference += fmt.Sprintf("%s:\n%v", c.how, c.got)
		}
	}
	if difference != "" {
		difference += fmt.Sprintf("past the cache:\n%v", want)
	}
	return failure, difference
}

// features are looked for in texts, to tell which kinds of reads were hits.
var features = []string{
	"JOIN", "LEFT JOIN", "WITH ", "RECURSIVE", "UNION", "INTERSECT", "EXCEPT", "GROUP BY", "HAVING", "DISTINCT", "LIMIT",
	"EXISTS", " IN (SELECT", "(SELECT", "v1", "v2", "v3", "VALUES", "LATERAL", "generate_series", "json_each", "ANY", "f1(",
	"OVER (", "p1", "kid", "m1",
}

func (w *world) note(s step, hit bool) {
	w.count.reads++
	seen := w.count.missesOn
	if hit {
		w.count.hits++
		seen = w.count.hitsOn
	}
	for _, feature := range features {
		if strings.Contains(s.text, feature) {
			seen[feature]++
		}
	}
}

// generalize takes numbers and names out of an error.
func generalize(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '#'
		}
		return r
	}, text)
	return text[:min(len(text), 70)]
}
