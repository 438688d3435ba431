package fleet

import (
	"cmp"
	"fmt"
	"math"
	"slices"
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
// In a lapse some processes could not tell the store of their writes. There others have a lower floor, of
// writes that the store was told of, or that are their own: see Lapse.

// A call is a record with whose it is.
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
	Excused  int // reads that saw what is older in a lapse
	Stale    int
	Findings []Finding // the first of each row
}

// maxFindings bounds the findings of one row that are kept.
const maxFindings = 3

// judge judges the calls of all processes.
func judge(calls []call) Verdict {
	rows, lapses := make(map[int16][]call), []Lapse(nil)
	for _, c := range calls {
		if c.kind == lapsed {
			lapses = append(lapses, lapseOf(c))
			continue
		}
		rows[c.row] = append(rows[c.row], c)
	}
	v := Verdict{Lapses: len(lapses)}
	for row, of := range rows {
		j := &sweep{row: int(row), calls: of, lapses: lapses}
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

	floor     int64
	own       []int64 // by lapse and process: the floor for others than those whose writes aren't told
	processes int
	acked     int64 // the sum of writes that were acknowledged
	begun     int64 // … that have begun and weren't refused
	findings  int
}

// A moment is the begin or end of a call.
type moment struct {
	at    int64
	end   bool
	call  int
	lapse int // with call -1: one begins
}

func (j *sweep) run(v *Verdict) {
	for _, c := range j.calls {
		j.processes = max(j.processes, c.process+1)
	}
	j.own = make([]int64, len(j.lapses)*j.processes)
	floors, lowers := make([]int64, len(j.calls)), make([]int64, len(j.calls))
	for _, m := range j.moments() {
		switch {
		case m.call < 0:
			for p := range j.processes {
				j.own[m.lapse*j.processes+p] = j.floor
			}
		case !m.end:
			floors[m.call], lowers[m.call] = j.floor, j.lower(&j.calls[m.call])
			j.begin(&j.calls[m.call], v)
		default:
			j.ended(&j.calls[m.call], floors[m.call], lowers[m.call], v)
		}
	}
}

// moments are all begins and ends in the order of time; of one time begins come first, so that what touches
// overlaps.
func (j *sweep) moments() []moment {
	list := make([]moment, 0, 2*len(j.calls)+len(j.lapses))
	for i, l := range j.lapses {
		list = append(list, moment{at: l.From, call: -1, lapse: i})
	}
	for i, c := range j.calls {
		list = append(list, moment{at: c.begin, call: i})
		if c.end != 0 {
			list = append(list, moment{at: c.end, end: true, call: i})
		}
	}
	slices.SortStableFunc(list, func(a, b moment) int {
		if a.at != b.at {
			return cmp.Compare(a.at, b.at)
		}
		return cmp.Compare(number(a.end), number(b.end))
	})
	return list
}

func number(is bool) int {
	if is {
		return 1
	}
	return 0
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

// lower is the floor of a read that is in a lapse of others.
func (j *sweep) lower(c *call) int64 {
	lower := j.floor
	for i, l := range j.lapses {
		if l.From <= c.begin && c.begin < l.To && l.Process != c.process { // which knows of its own
			lower = min(lower, j.own[i*j.processes+c.process])
		}
	}
	return lower
}

func (j *sweep) ended(c *call, floor, lower int64, v *Verdict) {
	if c.kind == seen {
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
	j.floor = max(j.floor, c.version, floor+int64(c.by), j.acked)
	j.tell(c, floor+int64(c.by))
}

// tell raises the floor of those who must see a write in a lapse. Of a row that changes its owner nobody need: a write
// announces the owner that it finds, and if somebody has changed that untold, results by the
// owner before are as they were.
func (j *sweep) tell(c *call, atLeast int64) {
	if moves(j.row) {
		return
	}
	for i, l := range j.lapses {
		for p := range j.processes {
			if own := &j.own[i*j.processes+p]; p == c.process || l.Process != c.process {
				*own = max(*own, c.version, atLeast)
			}
		}
	}
}

func (j *sweep) saw(c *call, floor, lower int64, v *Verdict) {
	v.Reads++
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
