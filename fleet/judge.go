package fleet

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// The judge goes through all calls on one row in the order of time. At each moment there is a floor: the largest version
// that was acknowledged, or seen, by then. A read must see at least the floor that there was when it began.
//
//	write, version known     the floor when it ends is at least that
//	write, version unknown   … at least by more than when it began; and at least the sum of all that were acknowledged
//	read                     … at least what it saw
//
// And no read sees more than the sum of all writes that had begun when it ended, but for those that were refused.
//
// A page from the edge must show what was acknowledged when it was asked for: what was seen elsewhere it need not. And
// under Options.Bounded a read must see the floor that there was so long before it began, but all that its own process has written: see Rules.
//
// In a lapse some processes could not tell the store of their writes. There others have a lower floor, of
// writes that the store was told of, or that are their own: see Lapse.

const (
	processes = 4
	witness   = processes // the number of the process that reads without a cache
)

// Rules say how old what is seen may be.
type Rules struct {
	Bounded time.Duration // reads, but for what their own process has written: see mine
	Edge    time.Duration // pages from the edge
}

// allows is how much older than its begin a call may see the world.
func (r *Rules) allows(c *call) int64 {
	switch {
	case c.kind == seen && c.process != witness:
		return int64(r.Bounded)
	case c.kind == served:
		return int64(r.Edge)
	}
	return 0
}

// A call is a record with the process that knew what it says.
type call struct {
	record
	process int
}

// A Lapse is a time in which writes of a process need not be seen by others, because the store could not be told
// of them, and Options.FailClosed isn't set.
type Lapse struct {
	From, To int64
	Process  int
}

// lapseOf is the lapse that a process has noted; if it was killed in it, it never ends.
func lapseOf(c call) Lapse {
	if c.end == 0 {
		c.end = math.MaxInt64
	}
	return Lapse{c.begin, c.end, c.process}
}

// A Finding is a read that saw what it must not.
type Finding struct {
	Row     int
	Process int
	Begin   int64
	End     int64
	Saw     int64
	Floor   int64 // 0: what it saw was never made
}

func (f Finding) String() string {
	if f.Floor == 0 {
		return fmt.Sprintf("row %d: process %d saw version %d, which nobody had made by %d", f.Row, f.Process, f.Saw, f.End)
	}
	return fmt.Sprintf("row %d: process %d saw version %d in %d..%d, %d was acknowledged or seen before",
		f.Row, f.Process, f.Saw, f.Begin, f.End, f.Floor)
}

// A Verdict is what the judge says of a run.
type Verdict struct {
	Reads    int // rows that were seen
	Writes   int // rows that were written, and acknowledged
	Unknown  int // … of unknown outcome
	Refused  int // … not made
	Lapses   int
	Untold   int // of these, those in which the store could not be told of a write
	Served   int // of the reads, those of pages from the edge
	Excused  int // reads that saw what is older in a lapse
	Stale    int
	Findings []Finding // the first of each row
}

// maxFindings bounds the findings of one row that are kept.
const maxFindings = 3

// judge judges the calls of all processes by rules.
func (r Rules) judge(calls []call) Verdict {
	rows, lapses, v := make(map[int16][]call), []Lapse(nil), Verdict{}
	for _, c := range calls {
		if c.kind == lapsed {
			lapses = append(lapses, lapseOf(c))
			if c.cause == untold {
				v.Untold++
			}
			continue
		}
		rows[c.row] = append(rows[c.row], c)
	}
	v.Lapses = len(lapses)
	for row, of := range rows {
		j := &sweep{row: int(row), calls: of, lapses: lapses, rules: &r}
		j.run(&v)
	}
	slices.SortFunc(v.Findings, func(a, b Finding) int { return cmp.Compare(a.Begin, b.Begin) })
	return v
}

// A sweep is the judge's way through the calls on one row.
type sweep struct {
	row    int
	calls  []call
	lapses []Lapse
	rules  *Rules

	floor    int64
	told     int64     // that of what was acknowledged
	mine     []int64   // by process: … by itself
	heard    []int64   // by process: … by itself, and that all must see if the store could be told of it
	began    []atStart // by lapse
	scratch  []int64   // room for one of heard
	acked    int64     // the sum of writes that were acknowledged
	begun    int64     // … that have begun and weren't refused
	findings int
}

// A moment is when a call begins or ends, when a lapse does, or from when on a call must see what there is.
type moment struct {
	at   int64
	what event
	of   int // the call, or the lapse
}

type event uint8

const (
	lapseBegins event = iota
	floorCounts
	callBegins
	callEnds
)

// atStart is what all see who see what there was when a lapse began.
type atStart struct {
	floor int64
	heard int64 // of its process
}

func (j *sweep) run(v *Verdict) {
	processes := 0
	for _, c := range j.calls {
		processes = max(processes, c.process+1)
	}
	for _, l := range j.lapses {
		processes = max(processes, l.Process+1)
	}
	j.mine, j.heard, j.began = make([]int64, processes), make([]int64, processes), make([]atStart, len(j.lapses))
	j.scratch = make([]int64, processes)
	floors, lowers := make([]int64, len(j.calls)), make([]int64, len(j.calls))
	for _, m := range j.moments() {
		switch m.what {
		case lapseBegins:
			j.began[m.of] = atStart{j.floor, j.heard[j.lapses[m.of].Process]}
		case floorCounts:
			c := &j.calls[m.of]
			floors[m.of], lowers[m.of] = j.floorOf(c), j.lower(c, m.at)
		case callBegins:
			c := &j.calls[m.of]
			if c.kind == seen && j.rules.Bounded > 0 { // else that is below the floor
				floors[m.of] = max(floors[m.of], j.mine[c.process])
				lowers[m.of] = max(lowers[m.of], j.mine[c.process])
			}
			j.begin(c, v)
		default:
			j.ended(&j.calls[m.of], floors[m.of], lowers[m.of], v)
		}
	}
}

// floorOf is what a call must see at least.
func (j *sweep) floorOf(c *call) int64 {
	if c.kind == served {
		return j.told
	}
	return j.floor
}

// moments are all of them in the order of time; of one time ends come last, so that what touches overlaps.
func (j *sweep) moments() []moment {
	list := make([]moment, 0, 3*len(j.calls)+len(j.lapses))
	for i, l := range j.lapses {
		list = append(list, moment{l.From, lapseBegins, i})
	}
	for i := range j.calls {
		c := &j.calls[i]
		list = append(list, moment{c.begin - j.rules.allows(c), floorCounts, i}, moment{c.begin, callBegins, i})
		if c.end != 0 {
			list = append(list, moment{c.end, callEnds, i})
		}
	}
	slices.SortStableFunc(list, func(a, b moment) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.what, b.what))
	})
	return list
}

func (j *sweep) begin(c *call, v *Verdict) {
	if c.kind != made {
		return
	}
	if c.fate != refused {
		j.begun += int64(c.by)
	}
	if c.end == 0 {
		v.Unknown++
	}
}

// lower is the floor of a read that is in lapses of others at a time: what there was when the first of them began, and what
// was written since by those who could tell of it, and by the reader's process, which knows of its own.
func (j *sweep) lower(c *call, at int64) int64 {
	lower, first := j.floorOf(c), int64(math.MaxInt64)
	heard := append(j.scratch[:0], j.heard...)
	for i, l := range j.lapses {
		if l.From > at || at >= l.To || l.Process == c.process {
			continue
		}
		if l.From < first {
			first, lower = l.From, min(lower, j.began[i].floor)
		}
		heard[l.Process] = min(heard[l.Process], j.began[i].heard)
	}
	if first == math.MaxInt64 {
		return lower
	}
	return min(j.floorOf(c), max(lower, slices.Max(heard)))
}

func (j *sweep) ended(c *call, floor, lower int64, v *Verdict) {
	if c.kind != made {
		j.saw(c, floor, lower, v)
		j.floor = max(j.floor, c.version)
		return
	}
	if c.fate == refused {
		v.Refused++
		return
	}
	v.Writes++
	j.acked += int64(c.by)
	now := max(c.version, floor+int64(c.by))
	j.floor, j.told = max(j.floor, now, j.acked), max(j.told, now, j.acked)
	if !moves(j.row) { // whose write isn't announced to lists by the owner before, which may be older by the bound
		j.mine[c.process] = max(j.mine[c.process], now)
	}
	j.tell(c, floor+int64(c.by))
}

// tell raises the floor of those who must see a write in a lapse. Of a row that changes its owner nobody need: a write
// announces the owner that it finds, and if somebody has changed that untold, results by the
// owner before are as they were.
func (j *sweep) tell(c *call, atLeast int64) {
	if !moves(j.row) {
		j.heard[c.process] = max(j.heard[c.process], c.version, atLeast)
	}
}

func (j *sweep) saw(c *call, floor, lower int64, v *Verdict) {
	v.Reads++
	if c.kind == served {
		v.Served++
	}
	f := Finding{Row: j.row, Process: c.process, Begin: c.begin, End: c.end, Saw: c.version}
	switch {
	case c.version > j.begun:
	case c.version >= floor:
		return
	case c.version >= lower:
		v.Excused++
		return
	default:
		f.Floor = floor
	}
	v.Stale++
	if j.findings++; j.findings <= maxFindings {
		v.Findings = append(v.Findings, f)
	}
}
