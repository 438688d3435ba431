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
	config Config // beside the usual
	strike func(*fleet)
}

var mutations = []mutation{
	{"NoHold", Config{Mutant: coherence.NoHold}, passSlowly},
	{"TokensAfterRead", Config{Mutant: coherence.TokensAfterRead}, passSlowly},
	{"ReleaseBeforeCommit", Config{Mutant: coherence.ReleaseBeforeCommit}, passSlowly},
	{"NoReady", Config{Mutant: coherence.NoReady, Endless: true}, stopAt(coherence.StepHeld)},
	{"no idle bound", Config{Endless: true}, stopAt(coherence.StepCommit)},
	{"NoFence", Config{Mutant: coherence.NoFence, Timeout: 200 * time.Millisecond}, separate},
	{"NarrowInDoubt", Config{Mutant: coherence.NarrowInDoubt, Timeout: 200 * time.Millisecond}, separate},
}

// whole is what the same processes have that leave nothing out.
func (m *mutation) whole() Config {
	c := m.config
	if c.Mutant == coherence.NoMutant {
		c.Endless = false
	}
	c.Mutant = coherence.NoMutant
	return c
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

// stopAt has one process after the other stopped at a step for longer than a lease. When it goes on its way to the store takes longer than that to
// the database, so that what it does there isn't known for a moment.
func stopAt(step coherence.Step) func(*fleet) {
	return func(f *fleet) {
		for i := range 4 {
			m := f.members[i%processes]
			m.arm(step, "stop")
			m.await("at")
			m.store.Delay(lease / 6)
			time.Sleep(long)
			m.signal(syscall.SIGCONT)
			time.Sleep(lease / 3)
			m.store.Delay(0)
		}
	}
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

// TestMutants: without one of these steps the judge finds stale reads, and with them, under the same faults, none.
func TestMutants(t *testing.T) {
	for i, m := range mutations {
		s := few[i%len(few)]
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			m.run(t, s, m.config).mustBeFound(m.name)
		})
		if m.config.Timeout == 0 && !m.config.Endless { // TestCalm is that
			continue
		}
		t.Run(m.name+", whole", func(t *testing.T) {
			t.Parallel()
			m.run(t, s, m.whole()).mustBeFresh()
		})
	}
}

func (m *mutation) run(t *testing.T, s *site, c Config) *fleet {
	c.Clients, c.Writes, c.Patience = 4, 100, 4*lease
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	f := newFleet(t, s, s.database(t), s.cache(t), c)
	f.down = true
	f.launch()
	m.strike(f)
	return f
}
