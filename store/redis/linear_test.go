package redis

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/dbtest"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/storetest"
)

var bg = context.Background()

const registers = 3

// A history is what clients of a database of registers have seen. They are in
// two processes, each with a store and a domain of its own, and read each register
// through the cache under two keys.
type history struct {
	domains [2]*coherence.Domain
	db      [registers]atomic.Int64
	clock   atomic.Int64 // orders calls and returns
	ids     atomic.Int64
	lost    atomic.Int64 // steps of the store that failed
	strike  func()       // what happens to the store in the middle of some writes

	mu  sync.Mutex
	ops []porcupine.Operation // guarded by mu
}

type access struct {
	register int
	write    int64 // 0: a read
}

var registerModel = porcupine.Model{
	Partition: func(ops []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, registers)
		for _, op := range ops {
			r := op.Input.(access).register
			parts[r] = append(parts[r], op)
		}
		return parts
	},
	Init: func() any { return int64(0) },
	Step: func(state, in, out any) (bool, any) {
		if w := in.(access).write; w != 0 {
			return true, w
		}
		return out == state, state
	},
}

// newHistory makes the two processes over the stores a and b.
func newHistory(a, b *Store, m coherence.Mutant) *history {
	h := new(history)
	for i, s := range []*Store{a, b} {
		h.domains[i] = coherence.NewDomain(storetest.Outside(s), "db", coherence.Options{
			Lease: 3 * time.Millisecond, Mutant: m,
		})
	}
	return h
}

func (h *history) run(clients, ops int, seed uint64) {
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			for range ops {
				if rng.IntN(4) == 0 {
					h.write(c, rng)
				} else {
					h.read(c, rng)
				}
			}
		})
	}
	wg.Wait()
}

// dawdle gives others the chance to run.
func dawdle(rng *rand.Rand) {
	for range rng.IntN(4) {
		runtime.Gosched()
	}
	if rng.IntN(4) == 0 {
		time.Sleep(time.Duration(rng.IntN(300)) * time.Microsecond)
	}
}

func (h *history) domain(client int) *coherence.Domain { return h.domains[client%2] }

func (h *history) add(client int, in access, out any, call, back int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: call, Return: back})
}

func (h *history) tags(d *coherence.Domain, regs ...int) []store.Tag {
	tags := make([]store.Tag, len(regs))
	for i, reg := range regs {
		tags[i] = d.Tag(fmt.Sprint("register", reg))
	}
	return tags
}

func (h *history) read(client int, rng *rand.Rand) {
	reg := rng.IntN(registers)
	call := h.clock.Add(1)
	got := h.load(client, reg, rng)
	h.add(client, access{register: reg}, got, call, h.clock.Add(1))
}

func (h *history) load(client, reg int, rng *rand.Rand) int64 {
	d := h.domain(client)
	r := d.Lookup(bg, fmt.Sprint("k", reg, rng.IntN(2)), h.tags(d, reg), rng.IntN(4) > 0)
	defer r.Done()
	if r.Outcome == coherence.Hit {
		return r.Value.(int64)
	}
	dawdle(rng)
	got := h.db[reg].Load()
	dawdle(rng)
	if rng.IntN(8) > 0 {
		r.Fill(bg, got, 8, 0)
	}
	return got
}

// write writes one register or all. Some writes are rolled back, and of some the
// outcome is never known. One that can't hold doesn't happen.
func (h *history) write(client int, rng *rand.Rand) {
	regs := []int{rng.IntN(registers)}
	if rng.IntN(5) == 0 {
		regs = []int{0, 1, 2}
	}
	d := h.domain(client)
	call := h.clock.Add(1)
	hold, err := d.Hold(bg, h.tags(d, regs...))
	if err != nil {
		h.lost.Add(1)
		return
	}
	if h.strike != nil && rng.IntN(2) == 0 {
		h.strike()
	}
	dawdle(rng)
	switch rng.IntN(10) {
	case 0:
		err = hold.Rollback(bg)
	case 1:
		hold.Abandon()
	case 2:
		ids := h.commit(regs)
		hold.Abandon()
		h.wrote(client, regs, ids, call, math.MaxInt64)
	default:
		ids := h.commit(regs)
		for range 3 {
			dawdle(rng)
		}
		for err = hold.Release(bg); err != nil; err = hold.Release(bg) {
			h.lost.Add(1)
		}
		h.wrote(client, regs, ids, call, h.clock.Add(1))
	}
	if err != nil { // the mark lapses
		h.lost.Add(1)
		hold.Abandon()
	}
}

func (h *history) commit(regs []int) []int64 {
	ids := make([]int64, len(regs))
	for i, reg := range regs {
		ids[i] = h.ids.Add(1)
		h.db[reg].Store(ids[i])
	}
	return ids
}

func (h *history) wrote(client int, regs []int, ids []int64, call, back int64) {
	for i, reg := range regs {
		h.add(client, access{reg, ids[i]}, nil, call, back)
	}
}

// released reports whether all holds end, at the latest with their leases.
func (h *history) released(t *testing.T) bool {
	t.Helper()
	for range 200 {
		_, held, err := h.domains[0].Observe(bg, h.tags(h.domains[0], 0, 1, 2))
		if err != nil {
			t.Fatal(err)
		}
		if !held {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

func (h *history) linearizable(t *testing.T) bool {
	t.Helper()
	switch porcupine.CheckOperationsTimeout(registerModel, h.ops, 20*time.Second) {
	case porcupine.Ok:
		return true
	case porcupine.Unknown:
		t.Fatalf("porcupine has come to no end with %d operations", len(h.ops))
	}
	return false
}

func rounds(few, many int) int {
	if testing.Short() {
		return few
	}
	return many
}

// pair opens the stores of two processes, whose scripts are edited. The second is
// never quick: it leaves all to its scripts.
func pair(t *testing.T, o Options, edit func(name, text string) string) (a, b *Store) {
	o.Prefix = newPrefix()
	a, b = open(t, o), open(t, o)
	a.steps, b.steps = newSteps(edit), newSteps(edit)
	b.era = func(string) string { return "" }
	return a, b
}

func TestLinearizable(t *testing.T) {
	server := dbtest.Redis(t)
	for round := range rounds(5, 30) {
		a, b := pair(t, Options{Addresses: []string{server.Socket()}}, nil)
		h := newHistory(a, b, coherence.NoMutant)
		h.run(2+round%7, 60, uint64(round))
		if !h.linearizable(t) {
			t.Fatalf("round %d: %d operations are not linearizable", round, len(h.ops))
		}
		if !h.released(t) {
			t.Fatalf("round %d: a hold doesn't end", round)
		}
	}
}

// cutting returns an edit that replaces text in the scripts, all of which must be there.
func cutting(pairs ...string) func(string, string) string {
	r := strings.NewReplacer(pairs...)
	return func(name, text string) string {
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(source("common")+source("hold")+source("lookup")+source("release")+source("join")+source("part"), pairs[i]) {
				panic("no script has " + pairs[i])
			}
		}
		return r.Replace(text)
	}
}

// keepToken leaves a tag its token when it is held, and when a hold lapses. One of
// the two is enough for these histories; the suite of the contract wants both, and
// one at release, which only matters after a lapse.
var keepToken = cutting(
	"local _, _, members = read(key)\n\tmark(", "local old, _, members = read(key)\n\tmark(",
	"change(key, ARGV[i + 3], true,", "change(key, old or ARGV[i + 3], true,",
	"put(key, fresh, list ~= ''", "put(key, token or fresh, list ~= ''",
	"return fresh, settling or list", "return token or fresh, settling or list")

// TestLinearizableSeesMutants: each step is needed, the store's as well.
func TestLinearizableSeesMutants(t *testing.T) {
	server := dbtest.Redis(t)
	for _, m := range coherence.Mutants() {
		if m.OfShapes() || m.OfProcesses() || m.OfPauses() || m.InStore() || m == coherence.JoinOvertakenFlights { // it is within one process
			continue
		}
		t.Run(m.String(), func(t *testing.T) { seen(t, server, Options{}, m, nil, nil) })
	}
	for _, c := range []struct {
		name string
		edit func(string, string) string
	}{
		{"no token at hold and lapse", keepToken},
		{"a held tag doesn't say so", cutting("(held and 'h' or '-')", "'-'")},
		{"no mark at hold", cutting(" .. id .. ':' .. expiry .. ';')\n\tchange(key, ARGV[i + 3], true", ")\n\tchange(key, ARGV[i + 3], false")},
	} {
		t.Run(c.name, func(t *testing.T) { seen(t, server, Options{}, coherence.NoMutant, c.edit, nil) })
	}
}

// seen fails unless some history of a mutant isn't linearizable, or has a hold
// that doesn't end. strike is the history's, if it is set.
func seen(t *testing.T, server *dbtest.Server, o Options, m coherence.Mutant, edit func(string, string) string, strike func(*Store)) {
	o.Addresses = []string{server.Socket()}
	for try := range 2000 {
		a, b := pair(t, o, edit)
		h := newHistory(a, b, m)
		if strike != nil {
			h.strike = func() { strike(a) }
		}
		h.run(4, 50, uint64(try))
		ok := h.linearizable(t) && (m != coherence.RollbackKeepsHold || h.released(t))
		a.Close()
		b.Close()
		if !ok {
			t.Logf("seen at try %d", try)
			return
		}
	}
	t.Fatal("all histories are linearizable")
}

func (h *history) runBeside(s *Store, beside func(s *Store, stop chan struct{}, seed uint64), seed uint64) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { beside(s, stop, seed) })
	h.run(4, 50, seed)
	close(stop)
	wg.Wait()
}

// evict drops the tags of all registers, and other keys of a store.
func evict(s *Store, others ...string) {
	c, err := s.client(bg)
	if err != nil {
		return
	}
	for i := range registers {
		others = append(others, fmt.Sprintf("%st:2:db:register%d", s.names.prefix, i))
	}
	c.Do(bg, c.B().Del().Key(others...).Build())
}

// evictAnything drops keys of a store at random: mostly tags, and now and then the register.
func evictAnything(s *Store, stop chan struct{}, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(rng.IntN(300)) * time.Microsecond):
		}
		if rng.IntN(300) == 0 {
			evict(s, s.names.prefix+"r")
		} else {
			evict(s)
		}
	}
}

// settled has leases and pauses that outlast a loaded machine's.
var settled = Options{Lease: 300 * time.Millisecond, Settle: 300 * time.Millisecond}

// TestLinearizableUnderEviction: so it is when any key may go at any time, also
// that of a tag while it is held.
func TestLinearizableUnderEviction(t *testing.T) {
	o := settled
	o.Addresses = []string{dbtest.Redis(t).Socket()}
	for round := range rounds(5, 30) {
		a, b := pair(t, o, nil)
		h := newHistory(a, b, coherence.NoMutant)
		time.Sleep(o.Settle) // then it keeps things until the register goes
		h.strike = func() { evict(a) }
		h.runBeside(a, evictAnything, uint64(round))
		if !h.linearizable(t) {
			t.Fatalf("round %d: %d operations are not linearizable", round, len(h.ops))
		}
	}
}

// TestEvictionSeesMutants: a hold must outlive the key of its tag, and it isn't
// known after the register is lost.
func TestEvictionSeesMutants(t *testing.T) {
	server := dbtest.Redis(t)
	forgetful := cutting("local list, lapsed = marks(key)\n\tif token and list", "local list, lapsed = '', false\n\tif token then list = marks(key) end\n\tif token and list")
	t.Run("a hold is lost with its tag", func(t *testing.T) {
		seen(t, server, Options{}, coherence.NoMutant, forgetful, func(s *Store) { evict(s) })
	})
	t.Run("a new register settles at once", func(t *testing.T) {
		seen(t, server, Options{Settle: -1}, coherence.NoMutant, nil, func(s *Store) { evict(s, s.names.prefix+"r") })
	})
}
