package fleet

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/page"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memcached"
	"github.com/larderdb/larder/store/redis"
)

// A worker reaches its servers through sockets in its own folder, which is where it runs: all workers have the same
// names for them, and so share results, and yet each can be cut off alone.
const (
	here        = "/proc/self/cwd"
	storeSocket = here + "/store"
	PostgresDSN = "postgres://postgres@/%s?host=" + here + "&port=5432&sslmode=disable"
	MariaDBDSN  = "root@unix(" + here + "/.s.PGSQL.5432)/%s"
)

// Sockets of a worker's folder.
const (
	DatabaseSocket = ".s.PGSQL.5432" // as PostgreSQL's drivers will have it
	StoreSocket    = "store"
)

// A Config is what a worker is told.
type Config struct {
	Process  int
	Dialect  string // "postgres" or "mysql"
	Database string
	Store    string // "memcached" or "redis"
	Aside    bool   // what Larder does is done by hand
	History  string // the file
	Room     int    // records in it

	Lease      time.Duration
	Timeout    time.Duration // of the store
	FailClosed bool
	Bounded    time.Duration

	Clients  int
	Writes   int           // of a thousand calls
	Grouped  bool          // all writes are in transactions
	Linger   time.Duration // within transactions, at most
	Patience time.Duration // how long a call may take; 0: for ever
	Hasty    bool          // some calls end at any moment
	Seed     uint64

	Peers  []string      // addresses of all processes' pages; none: there are no pages
	Pages  int           // of a thousand reads outside of transactions, those of a page
	Plain  time.Duration // pages are kept for so long, and nothing else is
	Ponder time.Duration // how long making a page may take after it was read for

	Edge     string        // the address of a Varnish before all; "": there is none
	Again    time.Duration // see page.EdgeOptions
	Strict   bool          // see page.EdgeOptions
	Unpurged bool          // the edge is told nothing

	Mutant  coherence.Mutant // what is left out of the protocol
	Endless bool             // the database is told not to end transactions that are idle
}

// A Report is a line that a worker writes.
type Report struct {
	Kind  string // "ready", "quiet", "going", "final", "stats", "at", "torn"
	Text  string
	Final map[string][]sight // by question and argument
	Stats larder.Stats

	Values, Loads int64 // remembered values that were asked for, and those that were made

	Pages, Lost    int64 // pages that were asked for, and those that did not come
	PageHits, Kept int64 // … that a peer had made before, that the edge had
	Edge           page.EdgeStats
}

// A Worker is one process.
type Worker struct {
	Config
	history *history
	db      *sql.DB
	cache   *larder.Cache
	aside   *aside
	steps   steps
	pages   *pages // nil if there are none

	values, loads atomic.Int64 // see Report

	quiet sync.RWMutex // held by calls for reading, and for writing while nothing is to happen
	out   sync.Mutex
}

// Work is the main function of a worker: the configuration is a line on standard input, commands are the lines after.
func Work() error {
	in := bufio.NewReader(os.Stdin)
	first, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	w := &Worker{}
	if err := json.Unmarshal(first, &w.Config); err != nil {
		return err
	}
	if err := w.steps.prepare(w); err != nil { // before a domain is made
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	w.quiet.Lock()
	w.start()
	w.say(Report{Kind: "ready"})
	for {
		command, err := in.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.obey(strings.Fields(command)); err != nil {
			return err
		}
	}
}

func (w *Worker) open() (err error) {
	if w.history, err = openHistory(w.History, w.Room); err != nil {
		return err
	}
	driver, dsn := "pgx", fmt.Sprintf(PostgresDSN, w.Database)
	if w.Dialect == "mysql" {
		driver, dsn = "mysql", fmt.Sprintf(MariaDBDSN, w.Database)
	}
	if w.Aside {
		w.aside = &aside{w: w, redis: w.Store == "redis"}
		w.db, err = sql.Open(driver, dsn)
	} else {
		err = w.openCached(driver, dsn)
	}
	if err != nil {
		return err
	}
	w.db.SetMaxIdleConns(2*w.Clients + 1) // some are of pages
	if len(w.Peers) > 0 {
		return w.openPages()
	}
	return nil
}

func (w *Worker) openCached(driver, dsn string) error {
	far, err := w.openStore()
	if err != nil {
		return err
	}
	w.cache, err = larder.New(&larder.Options{
		Store: far, Lease: w.Lease, StoreTimeout: w.Timeout, FailClosed: w.FailClosed, Bounded: w.Bounded,
		Name:   "fleet " + w.Database, // values are of what they are read from, and other runs share the store
		Logger: slog.New(&lapses{w: w}),
	})
	if err != nil {
		return err
	}
	w.db, err = w.cache.Open(driver, dsn)
	return err
}

func (w *Worker) openStore() (store.Shared, error) {
	if w.Store == "redis" {
		return redis.Open(redis.Options{Addresses: []string{storeSocket}, Lease: w.Lease, Settle: w.Lease, Timeout: w.Timeout})
	}
	return memcached.Open(memcached.Options{Addrs: []string{storeSocket}, Lease: w.Lease, Timeout: w.Timeout})
}

// start starts the clients, which wait until quiet ends.
func (w *Worker) start() {
	for i := range w.Clients {
		go w.client(rand.New(rand.NewPCG(w.Seed, uint64(w.Process*1000+i))))
	}
}

func (w *Worker) client(r *rand.Rand) {
	for !w.history.full() {
		w.quiet.RLock()
		if r.IntN(1000) < w.Writes {
			w.write(r)
		} else {
			w.read(r)
		}
		w.quiet.RUnlock()
	}
}

func (w *Worker) obey(command []string) error {
	switch command[0] {
	case "go":
		w.quiet.Unlock()
		w.say(Report{Kind: "going"})
	case "quiet":
		w.quiet.Lock()
		w.say(Report{Kind: "quiet"})
	case "final": // final [edge]
		final, err := w.final(len(command) > 1)
		r := Report{Kind: "final", Final: final}
		if err != nil {
			r.Text = err.Error()
		}
		w.say(r)
	case "stats":
		r := Report{Kind: "stats"}
		if w.cache != nil {
			r.Stats = w.cache.Stats()
			r.Values, r.Loads = w.values.Load(), w.loads.Load()
		}
		if w.pages != nil {
			w.pages.report(&r)
		}
		w.say(r)
	case "step": // step NAME N SIGNAL
		n, err := strconv.Atoi(command[2])
		if err != nil {
			return err
		}
		return w.steps.arm(w, coherence.Step(command[1]), n, command[3])
	default:
		return errors.New("fleet: unknown command " + command[0])
	}
	return nil
}

// final reads every key, and its page, if the edge is settled from there as well.
func (w *Worker) final(edge bool) (map[string][]sight, error) {
	all := make(map[string][]sight)
	for q := range questions {
		for arg := range q.rangeOf() {
			if w.Aside && arg >= q.settledRange() {
				continue
			}
			if err := w.finalOf(all, edge, q, arg); err != nil {
				return nil, fmt.Errorf("%s %d: %w", texts[q].name, arg, err)
			}
		}
	}
	return all, nil
}

func (w *Worker) finalOf(all map[string][]sight, edge bool, q question, arg int) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	key := fmt.Sprint(texts[q].name, " ", arg)
	if all[key], err = w.askOnce(ctx, q, arg); err != nil || w.pages == nil {
		return err
	}
	if all["page of "+key], err = w.pages.final(ctx, false, q, arg); err != nil || !edge || w.Edge == "" {
		return err
	}
	all["edge's page of "+key], err = w.pages.final(ctx, true, q, arg)
	return err
}

func (w *Worker) askOnce(ctx context.Context, q question, arg int) ([]sight, error) {
	if w.Aside {
		return w.aside.ask(ctx, q, arg)
	}
	return ask(ctx, w.db, w.Dialect, q, arg)
}

func (w *Worker) say(r Report) {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	w.out.Lock()
	defer w.out.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

func (w *Worker) log(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "process %d: "+format+"\n", append([]any{w.Process}, args...)...)
}
