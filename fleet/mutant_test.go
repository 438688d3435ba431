package fleet

import (
	"syscall"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
)

// A mutation leaves a step out of the protocol of real processes, and has what shows it happen.
type mutation struct {
	name   string
	mutant Config // beside the usual
	strike func(*fleet)
	whole  *Config // nothing is left out; nil: that is TestCalm
	often  bool    // with -short as well
}

var (
	timely = Config{Writes: 100, Timeout: 10 * time.Second}
	away   = Config{Writes: 100, Timeout: 200 * time.Millisecond}
	// seldom: else all soon wait for what the one that is stopped has locked: nobody reads, and once it goes on they hold those rows themselves.
	seldom  = Config{Writes: 2, Timeout: 10 * time.Second, Grouped: true}
	endless = Config{Writes: 2, Timeout: 10 * time.Second, Grouped: true, Endless: true}
)

var mutations = []mutation{
	{name: "NoHold", mutant: timely.without(coherence.NoHold), strike: passSlowly},
	{name: "TokensAfterRead", mutant: timely.without(coherence.TokensAfterRead), strike: passSlowly},
	{name: "ReleaseBeforeCommit", mutant: timely.without(coherence.ReleaseBeforeCommit), strike: passSlowly, often: true},
	{name: "NoFence", mutant: away.without(coherence.NoFence), strike: separate},
	{name: "NoReady", mutant: endless.without(coherence.NoReady), strike: stopAt(coherence.StepHeld), whole: &endless},
	{name: "no idle bound", mutant: endless, strike: stopAt(coherence.StepCommit), whole: &seldom, often: true},
}

func (c Config) without(m coherence.Mutant) Config {
	c.Mutant = m
	return c
}

// stopAt has one process after the other stopped at a step for longer than a lease. When it goes on its way to the store takes longer than that to
// the database, so that what it does there isn't known for a moment.
func stopAt(step coherence.Step) func(*fleet) {
	return func(f *fleet) {
		for i := range 4 {
			m := f.members[i%processes]
			m.arm(step, "stop")
			m.await("at")
			m.store.Delay(lease / 6)
			time.Sleep(2 * lease)
			m.signal(syscall.SIGCONT)
			time.Sleep(lease / 3)
			m.store.Delay(0)
		}
	}
}

// passSlowly has the store answer late, so that there is time between a COMMIT and its release.
func passSlowly(f *fleet) {
	for _, m := range f.members {
		m.store.Delay(5 * time.Millisecond)
	}
	f.until(2 * some)
	for _, m := range f.members {
		m.store.Delay(0)
	}
}

// TestMutants: without one of these steps the judge finds stale reads, and with all of them, under the same faults, none.
func TestMutants(t *testing.T) {
	for i, m := range mutations {
		if testing.Short() && !m.often {
			continue
		}
		s := few[i%len(few)]
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for range 4 { // what must happen in a moment doesn't each time
				if m.run(t, s, m.mutant).finds(m.name) {
					return
				}
			}
			t.Error("the judge finds nothing")
		})
		if m.whole == nil || testing.Short() {
			continue
		}
		t.Run(m.name+", whole", func(t *testing.T) {
			t.Parallel()
			f := m.run(t, s, *m.whole)
			f.each((*member).untilHits)
			f.mustBeFresh()
		})
	}
}

func (m *mutation) run(t *testing.T, s *site, c Config) *fleet {
	c.Clients, c.Patience = 6, 4*lease
	f := newFleet(t, s, s.database(t), s.cache(t), c)
	f.launch()
	m.strike(f)
	return f
}
