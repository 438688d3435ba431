package fleet

import (
	"cmp"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

func saw(process int, begin, end, version int64) call {
	return call{record{begin: begin, end: end, version: version, kind: seen}, process}
}

func wrote(process int, begin, end, version int64) call {
	return call{record{begin: begin, end: end, version: version, by: 1, kind: made, fate: done}, process}
}

func lapse(process int, begin, end int64) call {
	return call{record{begin: begin, end: end, kind: lapsed}, process}
}

func of(row int16, c call) call {
	c.row = row
	return c
}

func fated(f fate, c call) call {
	c.fate = f
	if f == unknown {
		c.end = 0
	}
	return c
}

// TestJudge: what is stale, and what isn't.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name    string
		stale   int
		excused int
		calls   []call
	}{
		{"what was acknowledged is seen", 0, 0, []call{wrote(0, 1, 2, 1), saw(1, 3, 4, 1)}},
		{"what was acknowledged is not seen", 1, 0, []call{wrote(0, 1, 2, 1), saw(1, 3, 4, 0)}},
		{"a read that overlaps the write", 0, 0, []call{wrote(0, 1, 4, 1), saw(1, 3, 5, 0), saw(1, 2, 5, 1)}},
		{"new, then old", 1, 0, []call{wrote(0, 1, 9, 1), saw(1, 2, 3, 1), saw(2, 4, 5, 0)}},
		{"a version that isn't known", 1, 0, []call{wrote(0, 1, 2, 0), saw(1, 3, 4, 0)}},
		{"… is larger than what was there before", 1, 0, []call{wrote(0, 1, 2, 7), wrote(0, 1, 2, 6), fated(unknown, wrote(1, 0, 0, 0)),
			fated(unknown, wrote(1, 0, 0, 0)), fated(unknown, wrote(1, 0, 0, 0)), fated(unknown, wrote(1, 0, 0, 0)), fated(unknown, wrote(1, 0, 0, 0)),
			fated(unknown, wrote(1, 0, 0, 0)), wrote(0, 3, 4, 0), saw(1, 5, 6, 7)}},
		{"two that overlap are two", 1, 0, []call{wrote(0, 1, 3, 0), wrote(1, 1, 3, 0), saw(1, 4, 5, 1)}},
		{"an unknown outcome may be seen", 0, 0, []call{fated(unknown, wrote(0, 1, 0, 0)), saw(1, 3, 4, 1)}},
		{"… or not", 0, 0, []call{fated(unknown, wrote(0, 1, 0, 0)), saw(1, 3, 4, 0)}},
		{"… but not unseen again", 1, 0, []call{fated(unknown, wrote(0, 1, 0, 0)), saw(1, 3, 4, 1), saw(1, 5, 6, 0)}},
		{"what was refused is seen", 1, 0, []call{fated(refused, wrote(0, 1, 2, 0)), saw(1, 3, 4, 1)}},
		{"what nobody has made", 1, 0, []call{saw(1, 3, 4, 1), wrote(0, 5, 6, 1)}},
		{"other rows", 0, 0, []call{wrote(0, 1, 2, 1), of(1, saw(1, 3, 4, 0))}},
		{"untold", 0, 1, []call{lapse(0, 1, 9), wrote(0, 2, 3, 1), saw(1, 4, 5, 0)}},
		{"untold until the end", 0, 1, []call{lapse(0, 1, 0), wrote(0, 2, 3, 1), saw(1, 4, 5, 0)}},
		{"told at last", 1, 0, []call{lapse(0, 1, 4), wrote(0, 2, 3, 1), saw(1, 4, 5, 0)}},
		{"from before", 1, 0, []call{wrote(0, 1, 2, 1), lapse(0, 3, 9), saw(1, 4, 5, 0)}},
		{"untold, to who did not tell", 1, 0, []call{lapse(0, 1, 9), wrote(0, 2, 3, 1), saw(0, 4, 5, 0)}},
		{"told by another", 1, 0, []call{lapse(0, 1, 9), wrote(2, 2, 3, 1), saw(1, 4, 5, 0)}},
		{"told by another, on top of what is untold", 1, 1, []call{lapse(0, 1, 19), wrote(0, 2, 3, 0), saw(1, 4, 5, 0), wrote(2, 6, 7, 0), saw(1, 8, 9, 1)}},
		{"… of a row that moves", 0, 2, []call{of(50, lapse(0, 1, 19)), of(50, wrote(0, 2, 3, 0)), of(50, saw(1, 4, 5, 0)), of(50, wrote(2, 6, 7, 0)), of(50, saw(1, 8, 9, 1))}},
		{"untold by each of two", 0, 1, []call{lapse(0, 1, 19), lapse(2, 2, 19), wrote(0, 3, 4, 1), wrote(2, 5, 6, 2), saw(1, 7, 8, 0)}},
		{"… and then by one", 1, 1, []call{lapse(0, 1, 19), lapse(2, 2, 9), wrote(0, 3, 4, 1), wrote(2, 5, 6, 2), saw(1, 7, 8, 0), saw(1, 10, 11, 1)}},
		{"… what was seen before both", 1, 0, []call{wrote(0, 1, 2, 1), lapse(0, 3, 19), lapse(2, 4, 19), saw(1, 7, 8, 0)}},
		{"… and told by a third", 1, 0, []call{lapse(0, 1, 19), lapse(2, 2, 19), wrote(0, 3, 4, 1), wrote(3, 5, 6, 2), saw(1, 7, 8, 1)}},
		{"untold by two", 0, 1, []call{lapse(0, 1, 9), lapse(2, 1, 9), wrote(2, 2, 3, 1), saw(1, 4, 5, 0)}},
	} {
		if v := (Rules{}).judge(c.calls); v.Stale != c.stale || v.Excused != c.excused {
			t.Errorf("%s: %d stale, %d excused, want %d, %d: %v", c.name, v.Stale, v.Excused, c.stale, c.excused, v.Findings)
		}
	}
}

// TestRules: what is stale where reads may be older by 10, and pages from the edge by 20.
func TestRules(t *testing.T) {
	page := func(begin, version int64) call {
		c := saw(1, begin, begin+1, version)
		c.kind = served
		return c
	}
	for _, c := range []struct {
		name  string
		stale int
		calls []call
	}{
		{"within the bound", 0, []call{wrote(0, 1, 100, 1), saw(1, 110, 111, 0)}},
		{"beyond it", 1, []call{wrote(0, 1, 100, 1), saw(1, 111, 112, 0)}},
		{"its own write", 1, []call{wrote(1, 1, 100, 1), saw(1, 101, 102, 0)}},
		{"its own write, on top of another", 1, []call{wrote(0, 1, 99, 1), wrote(1, 100, 101, 0), saw(1, 102, 103, 1)}},
		{"its own write of a row that moves", 0, []call{of(50, wrote(1, 1, 100, 1)), of(50, saw(1, 101, 102, 0))}},
		{"what it has seen itself", 0, []call{wrote(0, 1, 100, 1), saw(1, 101, 102, 1), saw(1, 103, 104, 0)}},
		{"the witness has no bound", 1, []call{wrote(0, 1, 100, 1), saw(witness, 101, 102, 0)}},
		{"a page within its bound", 0, []call{wrote(0, 1, 100, 1), page(120, 0)}},
		{"a page beyond it", 1, []call{wrote(0, 1, 100, 1), page(121, 0)}},
		{"a page that is older than what was seen", 0, []call{wrote(0, 1, 200, 1), saw(2, 50, 51, 1), page(150, 0)}},
		{"what a page has shown others see", 1, []call{wrote(0, 1, 200, 1), page(50, 1), saw(2, 150, 151, 0)}},
		{"a page that nobody has made", 1, []call{page(121, 1)}},
	} {
		rules := Rules{Bounded: 10, Edge: 20}
		if v := rules.judge(c.calls); v.Stale != c.stale {
			t.Errorf("%s: %d stale, want %d: %v", c.name, v.Stale, c.stale, v.Findings)
		}
	}
	if v := (Rules{}).judge([]call{wrote(0, 1, 100, 1), page(101, 0)}); v.Stale != 1 || v.Served != 1 {
		t.Errorf("a page without a bound: %+v", v)
	}
}

// counter is a row for porcupine: a write adds one, and may tell what it has made.
var counter = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(state, in, out any) (bool, any) {
		at, c := state.(int64), in.(call)
		if c.kind == seen {
			return c.version == at, at
		}
		return c.version == 0 || c.version == at+1, at + 1
	},
}

// byPorcupine asks porcupine what it says of a history of one row. A write of unknown outcome may end at any time.
func byPorcupine(calls []call) bool {
	var ops []porcupine.Operation
	for i, c := range calls {
		op := porcupine.Operation{ClientId: i, Input: c, Call: c.begin, Return: c.end}
		if c.end == 0 {
			op.Return = math.MaxInt64
		}
		ops = append(ops, op)
	}
	return porcupine.CheckOperations(counter, ops)
}

// TestJudgeAgreesWithPorcupine: where versions are known, what is stale is what isn't linearizable.
func TestJudgeAgreesWithPorcupine(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	verdicts := map[bool]int{}
	for range 3000 {
		calls := someCalls(r)
		fresh := (Rules{}).judge(calls).Stale == 0
		if want := byPorcupine(calls); fresh != want {
			t.Fatalf("the judge says %t, porcupine %t: %v", fresh, want, calls)
		}
		verdicts[fresh]++
	}
	if verdicts[true] < 300 || verdicts[false] < 300 {
		t.Errorf("the histories are too much alike: %v", verdicts)
	}
}

// someCalls makes up a history of one row: as a row would have it, but for some reads.
func someCalls(r *rand.Rand) []call {
	type point struct{ at, version int64 }
	var calls []call
	var points []point
	for v := range int64(1 + r.IntN(5)) { // of which each took effect at some point
		at := 100*v + 50
		points = append(points, point{at, v + 1})
		calls = append(calls, wrote(r.IntN(4), at-1-r.Int64N(80), at+1+r.Int64N(80), v+1))
	}
	for range 3 + r.IntN(5) {
		at := r.Int64N(700)
		version := int64(0)
		for _, p := range points {
			if p.at < at {
				version = p.version
			}
		}
		if r.IntN(6) == 0 && version > 0 {
			version--
		}
		calls = append(calls, saw(r.IntN(4), at-1-r.Int64N(60), at+1+r.Int64N(60), version))
	}
	return calls
}

// checkSample asks porcupine about the rows of a real history, as far as it is small enough.
func (f *fleet) checkSample(calls []call, until int64) {
	f.Helper()
	rows := make(map[int16][]call)
	for _, c := range calls {
		// of reads that see what was written later there are none
		if c.kind == made && c.begin < until || c.kind == seen && c.end < until && c.process != witness {
			if c.row >= items {
				continue
			}
			rows[c.row] = append(rows[c.row], c)
		}
	}
	checked := 0
	for row, of := range rows {
		slices.SortFunc(of, func(a, b call) int { return cmp.Compare(a.begin, b.begin) })
		var ops []porcupine.Operation
		for i, c := range of {
			if c.end == 0 { // it may have been made, or not: porcupine knows no such thing
				ops = nil
				break
			}
			ops = append(ops, porcupine.Operation{ClientId: i, Input: c, Call: c.begin, Return: c.end})
		}
		if len(ops) == 0 {
			continue
		}
		switch porcupine.CheckOperationsTimeout(counter, ops, time.Second) {
		case porcupine.Illegal:
			f.Errorf("row %d: porcupine says that %d calls aren't linearizable", row, len(ops))
			for _, c := range of {
				f.Logf("process %d kind %d %d..%d version %d", c.process, c.kind, c.begin, c.end, c.version)
			}
		case porcupine.Ok:
			checked++
		}
	}
	if f.Logf("porcupine has checked %d of %d rows", checked, len(rows)); checked == 0 {
		f.Error("porcupine has checked nothing")
	}
}

// TestHistoryOutlives: what a process that was killed has noted is there.
func TestHistoryOutlives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	h, err := openHistory(path, 10)
	if err != nil {
		t.Fatal(err)
	}
	h.begin(record{begin: 1, row: 5, kind: made, by: 1})
	h.note(record{begin: 1, end: 2, row: 6, kind: seen, version: 3})
	again, err := openHistory(path, 10)
	if err != nil {
		t.Fatal(err)
	}
	got := again.begun()
	if len(got) != 2 || got[0].end != 0 || got[0].row != 5 || got[1].end != 2 || got[1].version != 3 {
		t.Errorf("%+v", got)
	}
	for _, h := range []*history{h, again} {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}
}
