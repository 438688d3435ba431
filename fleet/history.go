package fleet

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A history is a file of records which is mapped into memory, so that what was noted outlives a process
// that is killed. A record is noted when its call begins; it is complete when its end is.
//
//	head     how many records were begun, how many reads have ended, how many failed
//	records  as they lie in memory: a history is read on the machine that wrote it
type history struct {
	head    *head
	records []record
}

type head struct {
	next   atomic.Int64
	reads  atomic.Int64
	failed atomic.Int64 // reads that failed
	writes atomic.Int64 // that were acknowledged
	bad    atomic.Int64 // writes that failed, whatever their outcome
	_      [3]int64
}

// A kind says what a record is of.
type kind uint8

const (
	seen   kind = 1 + iota // version is what a read saw
	made                   // version is what a write made, 0 if it can't tell; it is larger by by than it was
	lapsed                 // the store could not be told of writes of this process, or was told late; it is of no row
	served                 // version is what a page from the edge said
)

// A fate is what is known of a write.
type fate uint8

const (
	unknown fate = iota // it may have been made, or be made yet
	done
	refused // it was not made
)

// A cause is why there is a lapse.
type cause uint8

const (
	untold cause = iota // the store could not be told of a write
	late                // a statement outside of transactions ended when its hold had lapsed: this process stood still
)

// A record is of one row in one call. Times are of the machine's monotonic clock, in nanoseconds.
type record struct {
	begin, end int64 // end 0: it has not ended
	version    int64
	row        int16
	by         int16
	kind       kind
	fate       fate
	cause      cause // of a lapse
	peer       int8  // which has answered in place of this process, counted from 1; 0: none has
}

// whose is the process that knew what a record of this one's says.
func (r *record) whose(noted int) int {
	if r.peer > 0 {
		return int(r.peer - 1)
	}
	return noted
}

const recordSize = int(unsafe.Sizeof(record{}))

// now is the time of all processes of this machine.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

// openHistory maps the history in a file, which is made, with room for so many records, if it isn't there.
func openHistory(path string, room int) (*history, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("fleet: open a history: %w", err)
	}
	defer f.Close()
	size := int(unsafe.Sizeof(head{})) + room*recordSize
	if err := f.Truncate(int64(size)); err != nil { // a hole takes no space
		return nil, fmt.Errorf("fleet: make room for a history: %w", err)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("fleet: map a history: %w", err)
	}
	h := &history{head: (*head)(unsafe.Pointer(&b[0]))}
	h.records = unsafe.Slice((*record)(unsafe.Pointer(&b[unsafe.Sizeof(head{})])), room)
	return h, nil
}

func (h *history) close() error {
	size := int(unsafe.Sizeof(head{})) + len(h.records)*recordSize
	return unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(h.head)), size))
}

// full reports whether there is no more room.
func (h *history) full() bool { return int(h.head.next.Load()) >= len(h.records)-1000 }

// begun are the records so far.
func (h *history) begun() []record { return h.records[:min(int(h.head.next.Load()), len(h.records))] }

// note notes a record whose end is known.
func (h *history) note(r record) {
	end := r.end
	r.end = 0
	h.end(h.begin(r), end, r.fate)
}

// begin notes a record whose call begins.
func (h *history) begin(r record) *record {
	at := h.head.next.Add(1) - 1
	if int(at) >= len(h.records) {
		panic("fleet: a history is full")
	}
	h.records[at] = r
	return &h.records[at]
}

// end completes a record. It comes last: a record without an end has no fate.
func (h *history) end(r *record, at int64, f fate) {
	r.fate = f
	atomic.StoreInt64(&r.end, at)
}
