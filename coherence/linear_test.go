package coherence_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/memory"
)

const registers = 3

// A history is what clients of a database of registers have seen, each register
// read through the cache under one key.
type history struct {
	domain *coherence.Domain
	db     [registers]atomic.Int64
	clock  atomic.Int64 // orders calls and returns
	ids    atomic.Int64

	sliced bool // each register is a slice of one relation, and is read along a route where there is one
	route  atomic.Pointer[coherence.Route]
	along  atomic.Int64 // reads that took it

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
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %v", in, out) },
}

// newHistory lets clients with the given mutant run beside each other.
func newHistory(s *memory.Store, m coherence.Mutant, clients, ops int, seed uint64) *history {
	h := &history{}
	h.run(s, m, clients, ops, seed)
	return h
}

// newSlicedHistory is newHistory by slices.
func newSlicedHistory(s *memory.Store, m coherence.Mutant, clients, ops int, seed uint64) *history {
	h := &history{sliced: true}
	h.run(s, m, clients, ops, seed)
	return h
}

func (h *history) run(s *memory.Store, m coherence.Mutant, clients, ops int, seed uint64) {
	h.domain = coherence.NewDomain(s, "db", coherence.Options{Lease: 200 * time.Microsecond, Mutant: m})
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
}

func (h *history) add(client int, in access, out any, call, back int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: call, Return: back})
}

func (h *history) read(client int, rng *rand.Rand) {
	reg := rng.IntN(registers)
	call := h.clock.Add(1)
	got := h.load(reg, rng)
	h.add(client, access{register: reg}, got, call, h.clock.Add(1))
}

func (h *history) load(reg int, rng *rand.Rand) int64 {
	r := h.ask(reg, rng.IntN(4) > 0)
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

func (h *history) ask(reg int, join bool) coherence.Read {
	key := fmt.Sprint("k", reg)
	if !h.sliced {
		return h.domain.Lookup(bg, key, h.tags(reg), join)
	}
	slice := fmt.Sprint(reg)
	if to := h.route.Load(); to != nil {
		if r, taken := h.domain.LookupAlong(bg, key, to, slice, join); taken {
			h.along.Add(1)
			return r
		}
		h.route.CompareAndSwap(to, nil)
	}
	rows := rowsOf("user_id", slice)
	r := h.domain.LookupRows(bg, key, []coherence.Tag{h.domain.Tag("*")}, told(rows), join)
	if to := h.domain.RouteOf(&r, rows); to != nil {
		h.route.Store(to)
	}
	return r
}

func (h *history) hold(regs []int) (*coherence.Hold, error) {
	switch {
	case !h.sliced:
		return h.domain.Hold(bg, h.tags(regs...))
	case len(regs) == registers:
		return h.domain.HoldChanges(bg, nil, wide)
	}
	return h.domain.HoldChanges(bg, nil, in(map[string][]string{"user_id": {fmt.Sprint(regs[0])}}))
}

func (h *history) tags(regs ...int) []store.Tag {
	tags := make([]store.Tag, len(regs))
	for i, reg := range regs {
		tags[i] = h.domain.Tag(fmt.Sprint("register", reg))
	}
	return tags
}

// write writes one register or all. Some writes are rolled back, and of some the
// outcome is never known.
func (h *history) write(client int, rng *rand.Rand) {
	regs := []int{rng.IntN(registers)}
	if rng.IntN(5) == 0 {
		regs = []int{0, 1, 2}
	}
	call := h.clock.Add(1)
	hold, err := h.hold(regs)
	if err != nil {
		panic(err)
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
		dawdle(rng)
		err = hold.Release(bg)
		h.wrote(client, regs, ids, call, h.clock.Add(1))
	}
	if err != nil {
		panic(err)
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
	for range 1000 {
		_, isHeld, err := h.domain.Observe(bg, h.tags(0, 1, 2))
		ok(t, err)
		if !isHeld {
			return true
		}
		time.Sleep(100 * time.Microsecond) // leases go by real time here
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

// TestLinearizable: reads and writes through the cache are as if there were none.
func TestLinearizable(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		h := newHistory(memory.New(1<<20), coherence.NoMutant, 2+round%7, 100, uint64(round))
		if !h.linearizable(t) {
			t.Fatalf("round %d: %d operations are not linearizable", round, len(h.ops))
		}
		if !h.released(t) {
			t.Fatalf("round %d: a hold doesn't end", round)
		}
	}
}

// TestLinearizableUnderPressure: so it is when a store of a few entries evicts
// them, and drops tags, all the time.
func TestLinearizableUnderPressure(t *testing.T) {
	for round := range 10 {
		s := memory.New(8 << 10)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { crowd(s, stop) })
		h := newHistory(s, coherence.NoMutant, 4, 200, uint64(round))
		close(stop)
		wg.Wait()
		if !h.linearizable(t) {
			t.Fatalf("round %d: %d operations are not linearizable", round, len(h.ops))
		}
		if !h.released(t) {
			t.Fatalf("round %d: a hold doesn't end", round)
		}
		if st := s.Stats(); st.Tags > 2000 {
			t.Errorf("round %d: %+v", round, st)
		}
	}
}

// TestLinearizableAlongRoutes: so it is by slices, and when the tags that a route has found are dropped.
func TestLinearizableAlongRoutes(t *testing.T) {
	var along int64
	for round := range 40 {
		s := memory.New(1 << 20)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		if round%2 == 1 {
			s = memory.New(8 << 10)
			wg.Go(func() { crowd(s, stop) })
		}
		h := newSlicedHistory(s, coherence.NoMutant, 2+round%7, 200, uint64(round))
		close(stop)
		wg.Wait()
		if !h.linearizable(t) {
			t.Fatalf("round %d: %d operations are not linearizable", round, len(h.ops))
		}
		along += h.along.Load()
	}
	if along < 1000 {
		t.Fatalf("only %d reads were along a route", along)
	}
}

// crowd fills s with entries of other tags, each used once.
func crowd(s *memory.Store, stop chan struct{}) {
	d := coherence.NewDomain(s, "crowd", coherence.Options{})
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		r := d.Lookup(bg, fmt.Sprint(i), []store.Tag{d.Tag(fmt.Sprint(i)), d.Tag(fmt.Sprint("x", i))}, false)
		r.Fill(bg, i, 8, 0)
		if i%16 == 0 {
			runtime.Gosched()
		}
	}
}

// TestLinearizableSeesMutants: each step that this domain takes is needed. The
// steps of the store are the simulator's to leave out, and registers have no shapes.
func TestLinearizableSeesMutants(t *testing.T) {
	for _, m := range coherence.Mutants() {
		if m.InStore() || m.OfShapes() || m.OfProcesses() || m.OfPauses() {
			continue
		}
		t.Run(m.String(), func(t *testing.T) {
			for try := range 2000 {
				h := newHistory(memory.New(1<<20), m, 4, 50, uint64(try))
				if m == coherence.RollbackKeepsHold {
					if !h.released(t) {
						return
					}
				} else if !h.linearizable(t) {
					t.Logf("seen at try %d", try)
					return
				}
			}
			t.Fatal("all histories are linearizable")
		})
	}
}

// TestLinearizableAlongRoutesSeesMutants: nor can these steps be left out there. That a hold which stays is one is told by its tags, as in TestLinearizableSeesMutants.
func TestLinearizableAlongRoutesSeesMutants(t *testing.T) {
	for _, m := range []coherence.Mutant{coherence.TokensAfterRead, coherence.NoHold, coherence.ReleaseBeforeCommit, coherence.JoinOvertakenFlights} {
		t.Run(m.String(), func(t *testing.T) {
			for try := range 2000 {
				if h := newSlicedHistory(memory.New(1<<20), m, 4, 50, uint64(try)); !h.linearizable(t) {
					t.Logf("seen at try %d, %d reads along a route", try, h.along.Load())
					return
				}
			}
			t.Fatal("all histories are linearizable")
		})
	}
}
