package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/larderdb/larder/coherence"
)

// A mutation leaves a step out of the protocol of real processes, and has what shows it happen.
type mutation struct {
	mutant  coherence.Mutant
	timeout time.Duration // of the store
	strike  func(*fleet)
}

var mutations = []mutation{
	{coherence.NoHold, 10 * time.Second, passSlowly},
	{coherence.TokensAfterRead, 10 * time.Second, passSlowly},
	{coherence.ReleaseBeforeCommit, 10 * time.Second, passSlowly},
	{coherence.NoFence, 200 * time.Millisecond, separate},
	{coherence.NarrowInDoubt, 200 * time.Millisecond, separate},
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

// TestMutants: without one of these steps the judge finds stale reads, and with all of them, under the same faults, none.
func TestMutants(t *testing.T) {
	for i, m := range mutations {
		s := few[i%len(few)]
		if testing.Short() && m.mutant != coherence.NoHold && m.mutant != coherence.NoFence {
			continue
		}
		t.Run(m.mutant.String(), func(t *testing.T) {
			t.Parallel()
			m.run(t, s, m.mutant).mustBeFound(m.mutant.String())
		})
	}
	for i, s := range few {
		t.Run(fmt.Sprint("whole ", s.name), func(t *testing.T) {
			skipShort(t)
			t.Parallel()
			mutations[len(mutations)-1-i].run(t, s, coherence.NoMutant).mustBeFresh()
		})
	}
}

func (m *mutation) run(t *testing.T, s *site, mutant coherence.Mutant) *fleet {
	f := newFleet(t, s, s.database(t), s.cache(t), Config{Clients: 4, Writes: 100, Patience: 4 * lease, Timeout: m.timeout, Mutant: mutant})
	f.launch()
	m.strike(f)
	return f
}
