package fleet

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/dbtest"
)

// A fault is what is done to a fleet that runs.
type fault struct {
	name   string
	config Config // beside the usual
	strike func(f *fleet)
	down   bool // the database fails, so reads may
	open   bool // the store can't be told of some writes, which are made
	always bool // with -short as well
	stops  bool // a process stands still for longer than a lease, also under a statement outside of transactions: docs/limits.md
}

// closed: the store fails, and a write of which it can't be told is not made. So nobody may see anything stale. Where the
// store can be told of every write, it need not be.
var closed = Config{FailClosed: true, Timeout: 200 * time.Millisecond}

var faults = []fault{
	{name: "hasty", config: Config{Hasty: true, Linger: 20 * time.Millisecond}, strike: pass, down: true},
	{name: "slow commits", config: Config{Hasty: true}, strike: slowDatabase, down: true},
	{name: "kill", strike: killAny},
	{name: "kill at each step", strike: killAtSteps, always: true},
	{name: "stop", strike: stopAny, stops: true},
	{name: "stop at each step", strike: stopAtSteps, stops: true, always: true},
	{name: "store restarted", config: closed, strike: restartStore, always: true},
	{name: "store frozen", config: closed, strike: freezeStore},
	{name: "store frozen, writes go on", config: Config{Timeout: 200 * time.Millisecond}, strike: freezeStore, open: true},
	{name: "store cut", config: closed, strike: cutStore, always: true},
	{name: "database cut", strike: cutDatabase, down: true},
	{name: "database restarted", strike: restartDatabase, down: true},
	{name: "partition", config: closed, strike: partition},
	{name: "partition, writes go on", config: Config{Timeout: 200 * time.Millisecond}, strike: partition, open: true, always: true},
	{name: "separated, writes go on", config: Config{Timeout: 200 * time.Millisecond}, strike: separate, open: true},
}

// separate cuts one process after the other off from the store, for so short a time that what it reads there then is from before.
func separate(f *fleet) {
	for i := range 12 {
		p := f.members[i%processes].store
		p.Down()
		time.Sleep(lease / 6)
		f.must(p.Up())
		time.Sleep(lease / 6)
	}
}

// TestFaults: each fault in turn, in all configurations.
func TestFaults(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site, server, cache *dbtest.Server) {
		for _, fault := range faults {
			if testing.Short() && !fault.always {
				continue
			}
			t.Run(fault.name, func(t *testing.T) { fault.run(t, s, server, cache) })
		}
	})
}

func (fault *fault) run(t *testing.T, s *site, server, cache *dbtest.Server) {
	c := fault.config
	c.Clients, c.Writes, c.Patience = 4, 100, 4*lease
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	f := newFleet(t, s, server, cache, c)
	f.down = fault.down
	f.launch()
	began := time.Now()
	fault.strike(f)
	f.each((*member).untilHits)
	t.Logf("struck for %v", time.Since(began).Round(time.Millisecond))
	v := f.mustBeFresh()
	if v.Untold > 0 && !fault.open {
		t.Error("the store could not be told of writes")
	}
	if late := v.Lapses - v.Untold; late > 0 && !fault.stops && !fault.open {
		t.Errorf("%d statements ended when their holds had lapsed", late)
	}
	if c.FailClosed && v.Refused == 0 {
		t.Error("no write was refused")
	}
	if _, failed, _, _ := f.counts(); failed > 0 && !fault.down {
		t.Errorf("%d reads failed", failed)
	}
}

// some are enough reads for faults that come by themselves.
const some = 4000

func pass(f *fleet) { f.until(some) }

func slowDatabase(f *fleet) {
	for i, m := range f.members {
		m.db.Delay(time.Duration(1+i) * time.Millisecond)
	}
	f.until(some)
	for _, m := range f.members {
		m.db.Delay(0)
	}
}

func killAny(f *fleet) {
	for range 6 {
		time.Sleep(100*time.Millisecond + rand.N(200*time.Millisecond))
		i := rand.IntN(processes)
		f.members[i].kill()
		f.again(i)
	}
}

// killAtSteps has one process after another killed at each step.
func killAtSteps(f *fleet) {
	for n, step := range coherence.Steps {
		m := f.members[n%processes]
		m.arm(step, "kill")
		select {
		case <-m.ended:
		case <-time.After(patience):
			f.Fatalf("step %q is never reached", step)
		}
		time.Sleep(lease / 10) // others meet what it left
		f.again(m.process)
	}
}

// arm has the process stopped, or killed, at some time that the step is reached.
func (m *member) arm(step coherence.Step, how string) {
	m.f.Helper()
	m.send("step " + string(step) + " " + string('1'+rune(rand.IntN(3))) + " " + how)
}

// long is longer than a lease.
const long = lease + lease/2

func stopAny(f *fleet) {
	for i := range 2 {
		a, b := f.members[i], f.members[i+2]
		a.signal(syscall.SIGSTOP)
		time.Sleep(rand.N(lease / 4))
		b.signal(syscall.SIGSTOP)
		time.Sleep(long)
		a.signal(syscall.SIGCONT)
		b.signal(syscall.SIGCONT)
		time.Sleep(lease / 4)
	}
}

// stopAtSteps has processes stopped for longer than a lease at each step, two at a time. But for one, of which see
// TestStoppedBeforeStatement.
func stopAtSteps(f *fleet) {
	steps := slices.DeleteFunc(slices.Clone(coherence.Steps), func(s coherence.Step) bool { return s == coherence.StepStatement })
	for n := 0; n < len(steps); n += 2 {
		var stopped []*member
		for k, step := range steps[n:min(n+2, len(steps))] {
			m := f.members[(n+k)%processes]
			m.arm(step, "stop")
			stopped = append(stopped, m)
		}
		for _, m := range stopped {
			m.await("at")
		}
		time.Sleep(long)
		for _, m := range stopped {
			m.signal(syscall.SIGCONT)
		}
		time.Sleep(lease / 4)
	}
}

func (f *fleet) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// restartStore: the store comes back empty.
func restartStore(f *fleet) {
	for range 2 {
		f.must(f.cache.Kill())
		time.Sleep(rand.N(lease / 4))
		f.must(f.cache.Start())
		time.Sleep(lease / 2)
	}
}

func freezeStore(f *fleet) {
	f.must(f.cache.Pause())
	time.Sleep(long)
	f.must(f.cache.Resume())
	time.Sleep(lease / 4)
}

// cutStore cuts the processes' connections to the store, in one direction or both, and loses what goes through them.
func cutStore(f *fleet) {
	f.cutting(func(m *member) *dbtest.Proxy { return m.store })
}

func cutDatabase(f *fleet) {
	f.cutting(func(m *member) *dbtest.Proxy { return m.db })
}

func (f *fleet) cutting(of func(*member) *dbtest.Proxy) {
	for range 20 {
		p := of(f.members[rand.IntN(processes)])
		d := dbtest.Direction(rand.IntN(2))
		switch rand.IntN(5) {
		case 0:
			p.Cut()
		case 1:
			p.CutHalf(d)
		case 2:
			p.Lose(d, true)
			time.Sleep(rand.N(300 * time.Millisecond))
			p.Lose(d, false)
			p.Cut() // what is left is out of step
		case 3:
			p.Freeze(d)
			time.Sleep(rand.N(300 * time.Millisecond))
			p.Thaw()
		case 4:
			p.Down()
			time.Sleep(rand.N(300 * time.Millisecond))
			f.must(p.Up())
		}
		time.Sleep(rand.N(100 * time.Millisecond))
	}
}

func restartDatabase(f *fleet) {
	for range 2 {
		f.must(f.server.Kill())
		time.Sleep(rand.N(lease / 4))
		f.must(f.server.Start())
		time.Sleep(lease / 2)
	}
}

// partition cuts one process off from the store.
func partition(f *fleet) {
	p := f.members[0].store
	p.Down()
	time.Sleep(long)
	f.must(p.Up())
}

// TestStoppedBeforeStatement: a process that is stopped for longer than a lease in the instant before it sends a statement
// outside of transactions makes its change when nothing is held any more. Until its store has made the marks
// anew, or it has announced the change, others read what is older; docs/limits.md says so. Then nobody does.
func TestStoppedBeforeStatement(t *testing.T) {
	eachSite(t, func(t *testing.T, s *site, server, cache *dbtest.Server) {
		f := newFleet(t, s, server, cache, Config{Clients: 4, Writes: 100, Timeout: 10 * time.Second, Patience: 4 * lease})
		f.launch()
		m := f.members[0]
		for range 3 {
			m.arm(coherence.StepStatement, "stop")
			m.await("at")
			time.Sleep(long)
			m.signal(syscall.SIGCONT)
			time.Sleep(lease / 4)
		}
		f.each((*member).untilHits)
		v := f.finish() // all agree at the end
		f.report(v, "stopped before statements")
	})
}
