package sim

import (
	"flag"
	"strings"
	"testing"

	"github.com/larderdb/larder/coherence"
)

const defaultSeeds = 2000

var (
	seeds  = flag.Int("seeds", defaultSeeds, "how many seeds to run")
	seed   = flag.Uint64("seed", 0, "the only seed to run, with its trace")
	ops    = flag.Int("ops", 0, "operations of each client; 0 is the default")
	mutant = flag.String("mutant", "", "the protocol step to leave out")
	trust  = flag.Bool("trustempty", false, "a store that was restarted is one that nobody holds")
	bare   = flag.Bool("unguarded", false, "a tag that was evicted is one that nobody holds")
	images = flag.String("images", "", "the only side of changed rows that writers announce")
)

// TestSeeds runs the protocol as it is.
func TestSeeds(t *testing.T) {
	if *seed != 0 {
		replay(t)
		return
	}
	if testing.Short() && *seeds == defaultSeeds {
		*seeds = 200
	}
	var reads, hits, steps, older int
	for s := range uint64(*seeds) {
		c := Config{Seed: s + 1, Ops: *ops}
		r := Run(t, c)
		reads, hits, steps = reads+r.Reads, hits+r.Hits, steps+r.Steps
		if r.Err != nil {
			t.Fatalf("%v\nreplay: %s", r.Err, c.shortest(t).replay())
		}
		if r.Older {
			older++
		}
		if s%4 == 0 && !r.Older && !r.Linearizable() {
			t.Fatalf("porcupine finds the history of seed %d not linearizable, the judge does not mind", c.Seed)
		}
	}
	t.Logf("%d seeds, %d steps, %d reads, %d hits; %d with writes that weren't held", *seeds, steps, reads, hits, older)
	if hits < reads/10 {
		t.Errorf("only %d hits in %d reads: this tests little", hits, reads)
	}
}

// replay runs one seed and prints its trace.
func replay(t *testing.T) {
	c := Config{Seed: *seed, Ops: *ops, Trace: true, TrustEmpty: *trust, Unguarded: *bare}
	for _, m := range coherence.Mutants() {
		if m.String() == *mutant {
			c.Mutant = m
		}
	}
	for _, i := range []Images{OldImageOnly, NewImageOnly} {
		if i.String() == *images {
			c.Images = i
		}
	}
	r := Run(t, c)
	c.Trace = false
	t.Log(strings.Join(append([]string{c.String()}, r.Trace...), "\n"))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
}

// TestMutants: each step that is left out is seen, most of them within few seeds.
func TestMutants(t *testing.T) {
	if underRace {
		t.Skip("they run without the race detector: ./dev mutants")
	}
	for _, m := range coherence.Mutants() {
		if m.OfPauses() {
			continue // nothing is paused in a store of several processes: TestPausedWritesAreLinearizable shows them
		}
		switch m {
		case coherence.LapsedSchema, coherence.EternalReliance, coherence.UnheldMove, coherence.NarrowInDoubt:
			continue // they take several faults in a row: coherence's TestProcesses shows them
		}
		t.Run(m.String(), func(t *testing.T) {
			for s := range uint64(2 * defaultSeeds) { // about one in 400 shows JoinWithoutToken
				c := Config{Seed: s + 1, Mutant: m}
				if r := Run(t, c); r.Err != nil {
					t.Logf("seed %d: %v\nreplay: %s", c.Seed, r.Err, c.shortest(t).replay())
					return
				}
			}
			t.Fatal("no seed shows that the step is missing")
		})
	}
}

// TestStores: a store that forgets who holds is seen, be it when it is restarted or when a tag is evicted.
func TestStores(t *testing.T) {
	for name, c := range map[string]Config{"TrustEmpty": {TrustEmpty: true}, "Unguarded": {Unguarded: true}} {
		t.Run(name, func(t *testing.T) {
			for s := range uint64(defaultSeeds) {
				c.Seed = s + 1
				if r := Run(t, c); r.Err != nil {
					t.Logf("seed %d: %v\nreplay: %s", c.Seed, r.Err, c.shortest(t).replay())
					return
				}
			}
			t.Fatal("no seed shows that the store forgets")
		})
	}
}

// TestImages: writers must announce the slices of the rows before and after.
func TestImages(t *testing.T) {
	for _, i := range []Images{OldImageOnly, NewImageOnly} {
		t.Run(i.String(), func(t *testing.T) {
			for s := range uint64(defaultSeeds) {
				c := Config{Seed: s + 1, Images: i}
				if r := Run(t, c); r.Err != nil {
					t.Logf("seed %d: %v\nreplay: %s", c.Seed, r.Err, c.shortest(t).replay())
					return
				}
			}
			t.Fatal("no seed shows that a side is missing")
		})
	}
}

// TestHastySchemaChange: that a change of the schema waits for earlier writers is needed.
func TestHastySchemaChange(t *testing.T) {
	for s := range uint64(2 * defaultSeeds) { // about one in 300 shows it
		if r := Run(t, Config{Seed: s + 1, Hasty: true}); r.Err != nil {
			t.Logf("seed %d: %v", s+1, r.Err)
			return
		}
	}
	t.Fatal("no seed shows that a change of the schema must wait")
}

// TestPorcupineSeesMutants: the judge and porcupine agree, as they share nothing
// but the history.
func TestPorcupineSeesMutants(t *testing.T) {
	for _, m := range []coherence.Mutant{coherence.TokensAfterRead, coherence.NoHold, coherence.ReleaseBeforeCommit} {
		seen := false
		for s := uint64(1); s <= 100 && !seen; s++ {
			r := Run(t, Config{Seed: s, Mutant: m})
			seen = r.Err != nil && !r.Linearizable()
		}
		if !seen {
			t.Errorf("%v: porcupine finds every history linearizable", m)
		}
	}
}

// TestSameSeedSameRun runs seeds twice.
func TestSameSeedSameRun(t *testing.T) {
	for s := range uint64(20) {
		one, two := Run(t, Config{Seed: s}), Run(t, Config{Seed: s})
		if one.Hash != two.Hash || one.Steps != two.Steps {
			t.Fatalf("seed %d: %d steps and %d, traces %x and %x", s, one.Steps, two.Steps, one.Hash, two.Hash)
		}
	}
}
