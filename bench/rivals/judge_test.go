package rivals

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// A call is a read or a save, in the time of all processes of this machine.
type call struct {
	begin, end int64 // in nanoseconds
	save       bool
	of         int32           // the user that was read, or the row that was saved, counted from 0
	versions   [perList]uint32 // of the rows of that user; of that row, the first
}

// now is the time of all processes of this machine.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

// A verdict says how many reads were stale, and how many went back behind what an earlier one had seen.
type verdict struct{ reads, stale, back int }

// judge goes through the calls in the order of time. When a read begins, each row has two floors: the largest version that was
// acknowledged by then, and the largest that a read which has ended has shown.
func judge(calls []call, users int) (v verdict) {
	ended := make([]int, len(calls))
	for i := range ended {
		ended[i] = i
	}
	begun := slices.Clone(ended)
	slices.SortFunc(begun, func(a, b int) int { return cmp.Compare(calls[a].begin, calls[b].begin) })
	slices.SortFunc(ended, func(a, b int) int { return cmp.Compare(calls[a].end, calls[b].end) })
	acknowledged, seen := make([]uint32, users*perList), make([]uint32, users*perList)
	for _, b := range begun {
		c := &calls[b]
		for len(ended) > 0 && calls[ended[0]].end < c.begin {
			calls[ended[0]].raise(acknowledged, seen, users)
			ended = ended[1:]
		}
		if c.save {
			continue
		}
		v.reads++
		if c.below(acknowledged, users) {
			v.stale++
		}
		if c.below(seen, users) {
			v.back++
		}
	}
	return v
}

// raise lifts the floors to what a call that has ended tells.
func (c *call) raise(acknowledged, seen []uint32, users int) {
	if c.save {
		acknowledged[c.of] = max(acknowledged[c.of], c.versions[0])
		return
	}
	for i, version := range c.versions {
		row := rowOf(int(c.of), i, users)
		seen[row] = max(seen[row], version)
	}
}

// below reports whether a read shows any row as it was before the floor.
func (c *call) below(floor []uint32, users int) bool {
	for i, version := range c.versions {
		if version < floor[rowOf(int(c.of), i, users)] {
			return true
		}
	}
	return false
}

// rowOf is the number of the i-th row of a user's list.
func rowOf(user, i, users int) int { return user + i*users }

// A history is a file of calls, each of this size, in little-endian: begin, end, 1 if it is a save, of, versions.
const callBytes = 8 + 8 + 4 + 4 + 4*perList

func appendCall(b []byte, c *call) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(c.begin))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.end))
	var save uint32
	if c.save {
		save = 1
	}
	b = binary.LittleEndian.AppendUint32(b, save)
	b = binary.LittleEndian.AppendUint32(b, uint32(c.of))
	for _, version := range c.versions {
		b = binary.LittleEndian.AppendUint32(b, version)
	}
	return b
}

func readHistory(path string) ([]call, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(b)%callBytes != 0 {
		return nil, fmt.Errorf("%s: %d bytes are no calls of %d", path, len(b), callBytes)
	}
	calls := make([]call, 0, len(b)/callBytes)
	for ; len(b) > 0; b = b[callBytes:] {
		c := call{
			begin: int64(binary.LittleEndian.Uint64(b)),
			end:   int64(binary.LittleEndian.Uint64(b[8:])),
			save:  binary.LittleEndian.Uint32(b[16:]) == 1,
			of:    int32(binary.LittleEndian.Uint32(b[20:])),
		}
		for i := range c.versions {
			c.versions[i] = binary.LittleEndian.Uint32(b[24+4*i:])
		}
		calls = append(calls, c)
	}
	return calls, nil
}

// TestJudge has the judge find what is stale in made-up histories, and nothing else.
func TestJudge(t *testing.T) {
	save := func(begin, end int64, row int32, version uint32) call {
		return call{begin: begin, end: end, save: true, of: row, versions: [perList]uint32{version}}
	}
	read := func(begin, end int64, user int32, versions ...uint32) (c call) {
		c = call{begin: begin, end: end, of: user}
		copy(c.versions[:], versions)
		return c
	}
	const users = 2
	for _, c := range []struct {
		name  string
		calls []call
		want  verdict
	}{
		{"nothing was saved", []call{read(1, 2, 0)}, verdict{1, 0, 0}},
		{"it shows what was acknowledged", []call{save(1, 2, 0, 1), read(3, 4, 0, 1)}, verdict{1, 0, 0}},
		{"it doesn't", []call{save(1, 2, 0, 1), read(3, 4, 0, 0)}, verdict{1, 1, 0}},
		{"it began before the acknowledgement", []call{save(1, 5, 0, 1), read(3, 6, 0, 0)}, verdict{1, 0, 0}},
		{"it began with it", []call{save(1, 3, 0, 1), read(3, 6, 0, 0)}, verdict{1, 0, 0}},
		{"another's row", []call{save(1, 2, 1, 1), read(3, 4, 0, 0), read(3, 4, 1, 1)}, verdict{2, 0, 0}},
		{"the second row of a list", []call{save(1, 2, 2, 7), read(3, 4, 0, 0, 6), read(5, 6, 0, 0, 7)}, verdict{2, 1, 0}},
		{"as it was two saves ago", []call{save(1, 2, 0, 1), save(3, 4, 0, 2), read(5, 6, 0, 0)}, verdict{1, 1, 0}},
		{"in no order", []call{read(5, 6, 0, 1), save(3, 4, 0, 2), save(1, 2, 0, 1)}, verdict{1, 1, 0}},
		{"new, then old", []call{save(1, 9, 0, 1), read(2, 3, 0, 1), read(4, 5, 0, 0)}, verdict{2, 0, 1}},
		{"new and old together", []call{save(1, 9, 0, 1), read(2, 4, 0, 1), read(3, 5, 0, 0)}, verdict{2, 0, 0}},
		{"both", []call{save(1, 2, 0, 1), read(3, 4, 0, 1), read(5, 6, 0, 0)}, verdict{2, 1, 1}},
	} {
		if got := judge(c.calls, users); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestHistory writes calls and reads them again.
func TestHistory(t *testing.T) {
	want := []call{{begin: 1 << 40, end: 1<<40 + 1, save: true, of: 399, versions: [perList]uint32{5}}, {begin: 2, end: 3, of: 19}}
	for i := range want[1].versions {
		want[1].versions[i] = uint32(i) + 1<<31
	}
	var b []byte
	for i := range want {
		b = appendCall(b, &want[i])
	}
	path := t.TempDir() + "/history"
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readHistory(path); err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}
