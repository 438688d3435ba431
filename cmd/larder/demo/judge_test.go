package demo

import (
	"strings"
	"testing"
)

// answer is a read's that is in order, of user 1.
func answer(version, checksum int64) Answer {
	return Answer{User: 1, Version: version, Checksum: checksum, Sum: checksum, Rows: 3}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name         string
		do           func(*Judge)
		stale, wrong int64
		complaint    string
	}{
		{"what was written is read", func(j *Judge) {
			j.Read(j.Begin(1), answer(1, 10))
			j.Wrote(j.Begin(1), 2, 20)
			j.Read(j.Begin(1), answer(2, 20))
		}, 0, 0, ""},
		{"older than a write acknowledged before", func(j *Judge) {
			j.Wrote(j.Begin(1), 2, 20)
			j.Read(j.Begin(1), answer(1, 10))
		}, 1, 0, "version 1 was returned, but version 2 was known"},
		{"older than a read that ended before", func(j *Judge) {
			write := j.Begin(1)
			j.Read(j.Begin(1), answer(2, 20))
			j.Read(j.Begin(1), answer(1, 10))
			j.Wrote(write, 2, 20)
		}, 1, 0, "version 1 was returned, but version 2 was known"},
		{"a read during a write may return either", func(j *Judge) {
			first, second := j.Begin(1), j.Begin(1)
			write := j.Begin(1)
			j.Read(first, answer(2, 20))
			j.Wrote(write, 2, 20)
			j.Read(second, answer(1, 10))
		}, 0, 0, ""},
		{"rows that don't fit", func(j *Judge) {
			j.Read(j.Begin(1), Answer{User: 1, Version: 1, Checksum: 10, Sum: 11})
		}, 0, 1, "are not those of version 1"},
		{"rows of a version that had others", func(j *Judge) {
			j.Read(j.Begin(1), answer(1, 11))
		}, 0, 1, "two states were seen of version 1"},
		{"another user's rows", func(j *Judge) {
			j.Read(j.Begin(2), answer(1, 10))
		}, 0, 1, "the list of user 1 was returned"},
		{"no rows", func(j *Judge) {
			j.Read(j.Begin(2), Answer{})
		}, 0, 1, "the list of user 0 was returned"},
		{"a version of nowhere", func(j *Judge) {
			j.Read(j.Begin(1), answer(7, 70))
		}, 0, 1, "version 7 was returned, and never written"},
		{"a version that was rolled back", func(j *Judge) {
			j.Read(j.Begin(1), answer(2, 99))
			j.Wrote(j.Begin(2), 2, 20)
			j.Wrote(Ticket{user: 1, floor: 1}, 2, 20)
		}, 0, 1, "version 2 was seen before"},
		{"a write over a newer one", func(j *Judge) {
			j.Wrote(j.Begin(1), 3, 30)
			j.Wrote(j.Begin(1), 2, 20)
		}, 0, 1, "version 2 was written after version 3 was known"},
		{"a write lost", func(j *Judge) {
			first, second := j.Begin(1), j.Begin(1)
			j.Wrote(first, 2, 20)
			j.Wrote(second, 2, 20)
		}, 0, 1, "version 2 was seen before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := NewJudge(2)
			j.Wrote(j.Begin(1), 1, 10)
			j.Wrote(j.Begin(2), 1, 10)
			c.do(j)
			j.Close()
			v := j.Verdict()
			if v.Stale != c.stale || v.Wrong != c.wrong {
				t.Errorf("%d stale and %d wrong, want %d and %d: %q", v.Stale, v.Wrong, c.stale, c.wrong, v.Complaints)
			}
			if !strings.Contains(strings.Join(v.Complaints, "\n"), c.complaint) {
				t.Errorf("complaints %q don't say %q", v.Complaints, c.complaint)
			}
		})
	}
}

func TestJudgeKeepsFewComplaints(t *testing.T) {
	j := NewJudge(1)
	for range 100 {
		j.Read(j.Begin(1), Answer{})
	}
	if v := j.Verdict(); v.Wrong != 100 || len(v.Complaints) != maxComplaints {
		t.Errorf("%d wrong, %d complaints", v.Wrong, len(v.Complaints))
	}
}
