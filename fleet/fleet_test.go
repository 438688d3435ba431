package fleet

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/larderdb/larder"
	"github.com/larderdb/larder/dbtest"
)

var (
	readsFlag = flag.Int("reads", 1_000_000, "how many reads the runs without faults make, in all configurations together")
	seedFlag  = flag.Uint64("seed", 1, "of the workers' choices; 0: a new one each time")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *seedFlag == 0 {
		*seedFlag = rand.Uint64()
	}
	dbtest.Main(m)
}

const lease = 3 * time.Second

// A site is one configuration: a database server and a store, both of its own.
type site struct {
	name     string
	dialect  string
	store    string
	database func(testing.TB, ...string) *dbtest.Server
	cache    func(testing.TB) *dbtest.Server
}

var sites = []site{
	{"postgres-memcached", "postgres", "memcached", dbtest.NewPostgres, newMemcached},
	{"postgres-redis", "postgres", "redis", dbtest.NewPostgres, newRedis},
	{"mariadb-memcached", "mysql", "memcached", dbtest.NewMariaDB, newMemcached},
	{"mariadb-redis", "mysql", "redis", dbtest.NewMariaDB, newRedis},
}

func newMemcached(t testing.TB) *dbtest.Server { return dbtest.NewMemcachedSocket(t) }

// newRedis: one that comes back empty.
func newRedis(t testing.TB) *dbtest.Server { return dbtest.NewRedis(t, "--appendonly", "no") }

// worker is the path of the workers' program, which is built once, as programs are: without the race detector.
var worker = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fleet-worker-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "worker")
	out, err := exec.Command("go", "build", "-tags", "larder_steps", "-o", path, "./worker").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build a worker: %w: %s", err, out)
	}
	return path, nil
})

// A fleet is the processes of one run, and what they depend on.
type fleet struct {
	testing.TB
	site   *site
	server *dbtest.Server
	cache  *dbtest.Server
	bare   *sql.DB
	base   Config
	direct bool // without proxies
	down   bool // connections to the database are lost

	dir     string
	members [processes]*member
	files   []file // histories of all that ever ran

	watching sync.WaitGroup
	watched  chan struct{} // closed when the witness is to stop

	listeners [processes]*os.File // of their pages
	edge      *dbtest.Server      // nil if there is none
	settled   bool                // it has nothing to be purged any more
	rules     Rules

	told Report // what all have said last of values and pages
}

// A file is a history with whose it is.
type file struct {
	path    string
	process int
	room    int
}

// A member is one process of the fleet, as it runs now.
type member struct {
	f       *fleet
	process int
	cmd     *exec.Cmd
	in      io.WriteCloser
	said    chan Report
	history *history
	store   *dbtest.Proxy
	db      *dbtest.Proxy
	ended   chan struct{}
}

// newFleet makes a world in a database of its own. The processes aren't started.
func newFleet(t testing.TB, s *site, server, cache *dbtest.Server, c Config) *fleet {
	t.Helper()
	database := server.Database(t)
	bare, err := sql.Open(map[string]string{"postgres": "pgx", "mysql": "mysql"}[s.dialect], database.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bare.Close() })
	for _, text := range Schema() {
		if _, err := bare.Exec(text); err != nil {
			t.Fatal(text, err)
		}
	}
	c.Dialect, c.Store, c.Database, c.Seed, c.Lease = s.dialect, s.store, database.Name, *seedFlag, lease
	if c.Room == 0 {
		c.Room = 1 << 20
	}
	dir, err := os.MkdirTemp("", "fleet-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &fleet{TB: t, site: s, server: server, cache: cache, bare: bare, base: c, dir: dir, rules: Rules{Bounded: c.Bounded}}
	if !c.Aside {
		f.listen()
	}
	return f
}

// listen has the processes' pages at addresses that stay.
func (f *fleet) listen() {
	f.Helper()
	f.base.Pages = 200
	for i := range processes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		f.must(err)
		f.base.Peers = append(f.base.Peers, l.Addr().String())
		file, err := l.(*net.TCPListener).File()
		f.must(err)
		f.must(l.Close()) // the file goes on
		f.Cleanup(func() { file.Close() })
		f.listeners[i] = file
	}
}

// launch starts all processes, and the witness.
func (f *fleet) launch() {
	f.Helper()
	for i := range processes {
		f.start(i)
	}
	noted := file{filepath.Join(f.dir, "witness"), witness, 4 << 20}
	f.files = append(f.files, noted)
	f.watched = make(chan struct{})
	f.watching.Go(func() { f.watch(noted) })
	f.each((*member).resume)
	if !f.base.Aside {
		f.each((*member).untilHits)
	}
}

// untilHits waits until the process finds what it looks for in the store. A store that has just begun keeps nothing
// for a lease; a process that couldn't tell it of a write asks it nothing.
func (m *member) untilHits() {
	m.f.Helper()
	first := m.hits()
	for end := time.Now().Add(patience); m.hits() == first; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			m.f.Fatalf("process %d finds nothing in the store", m.process)
		}
	}
}

func (m *member) hits() int64 { m.f.Helper(); return m.tell("stats", "stats").Stats.Hits }

// start starts a process in a folder of its own, in which are its ways to the servers.
func (f *fleet) start(i int) *member {
	f.Helper()
	m := &member{f: f, process: i, said: make(chan Report, 100), ended: make(chan struct{})}
	dir := filepath.Join(f.dir, fmt.Sprint(i))
	if last := f.members[i]; last != nil {
		m.store, m.db = last.store, last.db
	} else if err := os.Mkdir(dir, 0o755); err != nil {
		f.Fatal(err)
	} else if err := m.connect(dir); err != nil {
		f.Fatal(err)
	}
	c := f.base
	c.Process, c.Seed = i, c.Seed+uint64(len(f.files))<<20
	c.History = filepath.Join(f.dir, fmt.Sprint("history", len(f.files)))
	f.files = append(f.files, file{c.History, i, c.Room})
	if err := m.run(dir, c); err != nil {
		f.Fatal(err)
	}
	f.members[i] = m
	m.await("ready")
	return m
}

func (m *member) connect(dir string) error {
	store, db := filepath.Join(dir, StoreSocket), filepath.Join(dir, DatabaseSocket)
	if m.f.direct {
		return errors.Join(os.Symlink(m.f.cache.Socket(), store), os.Symlink(m.f.server.Socket(), db))
	}
	m.store = dbtest.NewProxy(m.f, store, m.f.cache.Socket())
	m.db = dbtest.NewProxy(m.f, db, m.f.server.Socket())
	return nil
}

func (m *member) run(dir string, c Config) (err error) {
	path, err := worker()
	if err != nil {
		return err
	}
	if m.history, err = openHistory(c.History, c.Room); err != nil {
		return err
	}
	m.cmd = exec.Command(path)
	m.cmd.Dir, m.cmd.Stderr = dir, &log{t: m.f}
	if l := m.f.listeners[m.process]; l != nil {
		m.cmd.ExtraFiles = []*os.File{l}
	}
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	m.f.Cleanup(m.kill)
	go m.listen(out)
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = m.in.Write(append(text, '\n'))
	return err
}

// log has what a worker says in the test's log.
type log struct {
	t     testing.TB
	lines int
}

func (l *log) Write(b []byte) (int, error) {
	if l.lines++; l.lines < 40 {
		l.t.Logf("%s", b)
	}
	return len(b), nil
}

// listen passes on what the worker says, until it ends.
func (m *member) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r Report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // cut off by a kill
		}
		if r.Kind == "torn" {
			m.f.Errorf("process %d: %s", m.process, r.Text)
			continue
		}
		m.said <- r
	}
	_ = m.cmd.Wait() // how it has ended is known
	close(m.ended)
}

const patience = time.Minute // of the test with its workers

// await waits until the worker says something, and returns it.
func (m *member) await(kind string) Report {
	m.f.Helper()
	for end := time.After(patience); ; {
		select {
		case r := <-m.said:
			if r.Kind == kind {
				return r
			}
		case <-m.ended:
			m.f.Fatalf("process %d has ended before it said %q", m.process, kind)
		case <-end:
			m.f.Fatalf("process %d has not said %q", m.process, kind)
		}
	}
}

func (m *member) send(command string) {
	m.f.Helper()
	if _, err := io.WriteString(m.in, command+"\n"); err != nil {
		m.f.Fatalf("process %d: %v", m.process, err)
	}
}

func (m *member) tell(command string, answer string) Report {
	m.f.Helper()
	m.send(command)
	return m.await(answer)
}

func (m *member) resume() { m.tell("go", "going") }
func (m *member) rest()   { m.tell("quiet", "quiet") }

// kill ends the process by SIGKILL, and waits for that.
func (m *member) kill() {
	_ = m.cmd.Process.Kill() // it may have ended
	<-m.ended
}

func (m *member) signal(s syscall.Signal) {
	m.f.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		m.f.Fatal(err)
	}
}

// each does something to all processes at once.
func (f *fleet) each(do func(*member)) {
	var all sync.WaitGroup
	for _, m := range f.members {
		all.Go(func() { do(m) })
	}
	all.Wait()
}

// again starts a process in the place of one that has ended.
func (f *fleet) again(i int) {
	f.Helper()
	f.start(i).resume()
}

// watch is the witness: it reads the world without a cache. What it has seen, nobody may see older.
func (f *fleet) watch(notes file) {
	h, err := openHistory(notes.path, notes.room)
	if err != nil {
		f.Error(err)
		return
	}
	defer h.close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !h.full() {
		select {
		case <-f.watched:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		begin := now()
		s, err := Look(ctx, f.bare)
		end := now()
		cancel()
		if err != nil {
			continue // the database is down
		}
		for row, version := range s {
			h.note(record{begin: begin, end: end, version: version, row: int16(row), kind: seen})
		}
	}
}

// counts are the reads, failed reads and writes of all that ever ran.
func (f *fleet) counts() (reads, failed, writes, bad int64) {
	for _, file := range f.files {
		if file.process == witness {
			continue
		}
		h, err := openHistory(file.path, file.room)
		if err != nil {
			f.Fatal(err)
		}
		reads += h.head.reads.Load()
		failed += h.head.failed.Load()
		writes += h.head.writes.Load()
		bad += h.head.bad.Load()
		h.close()
	}
	return reads, failed, writes, bad
}

// calls are what all that ever ran have noted.
func (f *fleet) calls() []call {
	var all []call
	for _, file := range f.files {
		h, err := openHistory(file.path, file.room)
		if err != nil {
			f.Fatal(err)
		}
		for _, r := range h.begun() {
			if r.kind != 0 && r.begin != 0 && (r.kind != seen && r.kind != served || r.end != 0) {
				all = append(all, call{r, r.whose(file.process)})
			}
		}
		h.close()
	}
	return all
}

// finish ends the run: when all is healed and quiet every process must see what the database has. It returns what the
// judge says.
func (f *fleet) finish() Verdict {
	f.Helper()
	f.each((*member).rest)
	time.Sleep(f.base.Bounded)
	f.mustAgree()
	time.Sleep(lease + lease/2)
	f.settled = true
	hits := f.hits()
	f.mustAgree()
	f.mustAgree()
	if got := f.hits() - hits; !f.base.Aside && got == 0 {
		f.Error("at the end nothing is answered from the cache")
	}
	close(f.watched)
	f.watching.Wait()
	v := f.rules.judge(f.calls())
	f.each((*member).kill)
	return v
}

// hits are those of the processes that run now.
func (f *fleet) hits() (n int64) {
	for _, m := range f.members {
		n += m.hits()
	}
	return n
}

// stats are those of the processes that run now.
func (f *fleet) stats() (all larder.Stats) {
	f.told = Report{}
	for _, m := range f.members {
		r := m.tell("stats", "stats")
		f.told.add(&r)
		s := r.Stats
		all.Hits += s.Hits
		all.Misses += s.Misses
		all.Held += s.Held
		all.Bypasses += s.Bypasses
		all.Writes += s.Writes
		all.WideWrites += s.WideWrites
		all.Abandoned += s.Abandoned
	}
	return all
}

// add adds what a process says of values and pages.
func (r *Report) add(other *Report) {
	r.Values, r.Loads = r.Values+other.Values, r.Loads+other.Loads
	r.Pages, r.Lost = r.Pages+other.Pages, r.Lost+other.Lost
	r.PageHits, r.Kept = r.PageHits+other.PageHits, r.Kept+other.Kept
	r.Edge.Purges, r.Edge.Failures = r.Edge.Purges+other.Edge.Purges, r.Edge.Failures+other.Edge.Failures
	r.Edge.Late, r.Edge.Lag = r.Edge.Late+other.Edge.Late, max(r.Edge.Lag, other.Edge.Lag)
}

// mustAgree has every process read every key.
func (f *fleet) mustAgree() {
	f.Helper()
	before := f.truth()
	finals := make([]Report, processes)
	command := "final"
	if f.settled {
		command = "final edge"
	}
	f.each(func(m *member) { finals[m.process] = m.tell(command, "final") })
	if after := f.truth(); !reflect.DeepEqual(before, after) {
		f.Error("the database has changed although nobody writes any more")
	}
	for i, r := range finals {
		if r.Text != "" {
			f.Errorf("process %d can't read: %s", i, r.Text)
		}
		for _, key := range slices.Sorted(maps.Keys(r.Final)) {
			for _, s := range r.Final[key] {
				if want := before[s.Row]; s.Version != want {
					f.Errorf("process %d, %s: row %d has version %d for good, it is %d", i, key, s.Row, s.Version, want)
				}
			}
		}
	}
}

func (f *fleet) truth() Snapshot {
	f.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		s, err := Look(context.Background(), f.bare)
		if err == nil {
			return s
		}
		if time.Now().After(end) {
			f.Fatal(err)
		}
	}
}
