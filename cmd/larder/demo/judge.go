package demo

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// A Judge decides of every read of a user's list whether a linearizable database may have
// given that answer.
//
// Each user is a register of their own: every write adds one to the user's version, in the
// transaction that changes the list, and every read returns the version with the rows. For
// registers whose writes are numbered by the database, linearizability is four things:
//
//   - no read is older than what was known when it began: the version of a write
//     acknowledged before, or of a read that ended before. Otherwise it is stale.
//   - rows are those of their version: they add up to the checksum that the write of that
//     version left. Otherwise the read is wrong.
//   - no version is read that wasn't written: one rolled back, or of nowhere. That is wrong, too.
//   - a write follows what was known when it began: its version is higher.
//
// Operations touch one user each, and linearizability is local: if it holds for each user,
// it holds for the database.
//
// A Judge remembers every version, so its memory grows with the number of writes.
type Judge struct {
	subjects []subject // by user, less 1
	reads    atomic.Int64
	stale    atomic.Int64
	wrong    atomic.Int64

	mu         sync.Mutex
	complaints []string // guarded by mu; the first ones
}

// maxComplaints is how many verdicts are kept in words.
const maxComplaints = 5

// A subject is what is known of one user.
type subject struct {
	floor  atomic.Int64 // no read that begins now may be older
	mu     sync.Mutex
	states map[int64]state // guarded by mu; by version
}

// A state is what a version is known to be.
type state struct {
	checksum int64
	written  bool // acknowledged; until then a read alone says that it exists
}

// A Ticket is a read or a write that has begun.
type Ticket struct {
	user  int64
	floor int64
}

// An Answer is what a read of a user's list returned.
type Answer struct {
	User     int64
	Version  int64
	Checksum int64 // as the user's row says
	Sum      int64 // as the rows of the list add up
	Rows     int
}

// NewJudge returns a judge of so many users, of whom nothing is known yet.
func NewJudge(users int) *Judge {
	j := &Judge{subjects: make([]subject, users)}
	for i := range j.subjects {
		j.subjects[i].states = make(map[int64]state)
	}
	return j
}

// Begin notes that a read or a write of a user's list begins.
func (j *Judge) Begin(user int64) Ticket {
	return Ticket{user, j.subjects[user-1].floor.Load()}
}

// Wrote notes that a write was acknowledged, which left the user at a version.
func (j *Judge) Wrote(t Ticket, version, checksum int64) {
	s := &j.subjects[t.user-1]
	s.mu.Lock()
	known, seen := s.states[version]
	s.states[version] = state{checksum, true}
	s.mu.Unlock()
	switch {
	case seen && (known.written || known.checksum != checksum):
		j.isWrong("user %d: version %d was seen before, and was another one", t.user, version)
	case version <= t.floor:
		j.isWrong("user %d: version %d was written after version %d was known", t.user, version, t.floor)
	}
	raise(&s.floor, version)
}

// Read judges what a read returned.
func (j *Judge) Read(t Ticket, a Answer) {
	j.reads.Add(1)
	switch {
	case a.User != t.user:
		j.isWrong("user %d: the list of user %d was returned", t.user, a.User)
	case a.Sum != a.Checksum:
		j.isWrong("user %d: the %d rows returned are not those of version %d", t.user, a.Rows, a.Version)
	case a.Version < t.floor:
		j.isStale("user %d: version %d was returned, but version %d was known when the read began", t.user, a.Version, t.floor)
	default:
		j.isKnown(a)
	}
}

// isKnown holds a read against what else is known of its version.
func (j *Judge) isKnown(a Answer) {
	s := &j.subjects[a.User-1]
	s.mu.Lock()
	known, seen := s.states[a.Version]
	if !seen {
		s.states[a.Version] = state{checksum: a.Checksum}
	}
	s.mu.Unlock()
	if seen && known.checksum != a.Checksum {
		j.isWrong("user %d: two states were seen of version %d", a.User, a.Version)
		return
	}
	raise(&s.floor, a.Version)
}

// raise makes a number at least n.
func raise(number *atomic.Int64, n int64) {
	for {
		known := number.Load()
		if n <= known || number.CompareAndSwap(known, n) {
			return
		}
	}
}

// Close judges what can only be told when every operation has ended: whether each version
// that was read was written.
func (j *Judge) Close() {
	for i := range j.subjects {
		s := &j.subjects[i]
		s.mu.Lock()
		for version, known := range s.states {
			if !known.written {
				j.isWrong("user %d: version %d was returned, and never written", i+1, version)
			}
		}
		s.mu.Unlock()
	}
}

func (j *Judge) isStale(format string, args ...any) {
	j.stale.Add(1)
	j.complain("stale: "+format, args)
}

func (j *Judge) isWrong(format string, args ...any) {
	j.wrong.Add(1)
	j.complain("wrong: "+format, args)
}

func (j *Judge) complain(format string, args []any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.complaints) < maxComplaints {
		j.complaints = append(j.complaints, fmt.Sprintf(format, args...))
	}
}

// A Verdict is what a judge found. Wrong counts reads that no state of the database
// explains, and versions read that were never written.
type Verdict struct {
	Reads, Stale, Wrong int64
	Complaints          []string // the first ones
}

// Verdict returns what was found so far.
func (j *Judge) Verdict() Verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Verdict{j.reads.Load(), j.stale.Load(), j.wrong.Load(), append([]string(nil), j.complaints...)}
}
