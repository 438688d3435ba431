package memcached

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// The state of a tag is one value: a log of records, to which every step appends
// one or several at once. So a step is a single atomic command that needs no
// look before, the token, the holds and the members are seen together, and are
// lost together. Who sees a log that has grown long replaces it by a short one
// that says the same, unless something was appended meanwhile.
//
//	head     "LT1", then the name if the key doesn't have it
//	record   what, fields of 8 bytes, for some a member; 4 bytes of CRC-32C
const (
	recFound   = 'F' // token: the tag was missing; it is suspect until recClear has that token
	recClear   = 'C' // token
	recToken   = 'T' // token: a new one
	recHold    = 'H' // id, stamp, lease: a mark, or a new lease of it
	recRenew   = 'R' // id, stamp, lease: a new lease, if the mark is there
	recRelease = 'U' // id: the mark goes
	recLapse   = 'L' // id, stamp, token: the mark goes and a new token comes, if it still has that stamp
	recMember  = 'M' // a member, whatever the token
	recJoin    = 'J' // token, a member: it joins if that is the token
	recPart    = 'P' // token, a member: it parts, and a new token comes
)

var fieldsOf = [256]int8{
	recFound: 1, recClear: 1, recToken: 1, recHold: 3, recRenew: 3, recRelease: 1,
	recLapse: 3, recMember: 0, recJoin: 1, recPart: 1,
}

const stateHead = "LT1"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A state is what a log comes to.
type state struct {
	token   uint64
	suspect uint64 // the token of the recFound that isn't cleared; 0: none
	marks   []mark
	members []string
}

// A mark is a hold. Its stamp is another with each lease.
type mark struct {
	id, stamp uint64
	lease     uint64 // microseconds
}

// clean reports whether what is read now may be kept under the token.
func (st *state) clean() bool { return st.suspect == 0 && len(st.marks) == 0 }

func (st *state) marked(id uint64) bool { return st.find(id) >= 0 }

func (st *state) find(id uint64) int {
	return slices.IndexFunc(st.marks, func(m mark) bool { return m.id == id })
}

// appendHead begins the log of a name.
func appendHead(b []byte, name string, hashed bool) []byte {
	b = append(b, stateHead...)
	if !hashed {
		return append(b, 0)
	}
	b = append(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(len(name)))
	return append(b, name...)
}

// A record is what is to be appended to a log. It is written anew each time that it is sent, with a token that nobody has had: sent
// again, by a step that is done again or over another connection since it isn't known whether the server has done it, it must not
// bring a token back that others have replaced meanwhile.
type record struct {
	what   byte
	of     [3]uint64 // its fields, but for those that are drawn
	member string
}

func (r record) appendTo(b []byte) []byte {
	switch r.what {
	case recFound, recToken:
		return appendRecord(b, r.what, newNumber())
	case recClear, recRelease:
		return appendRecord(b, r.what, r.of[0])
	case recHold, recRenew:
		if r.of[1] == 0 { // whoever watches the mark must not take it for one before, which may have come long ago
			r.of[1] = newNumber()
		}
		return appendRecord(b, r.what, r.of[:]...)
	case recLapse:
		return appendRecord(b, r.what, r.of[0], r.of[1], newNumber())
	case recPart:
		return appendMember(b, r.what, r.member, newNumber())
	}
	if r.what != recJoin {
		panic(fmt.Sprintf("memcached: a step appends no record %q", r.what))
	}
	return appendMember(b, r.what, r.member, r.of[0])
}

// appendRecord appends a record without a member.
func appendRecord(b []byte, what byte, fields ...uint64) []byte {
	from := len(b)
	b = append(b, what)
	for _, f := range fields {
		b = binary.BigEndian.AppendUint64(b, f)
	}
	return appendSum(b, from)
}

func appendMember(b []byte, what byte, member string, fields ...uint64) []byte {
	from := len(b)
	b = append(b, what)
	for _, f := range fields {
		b = binary.BigEndian.AppendUint64(b, f)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(member)))
	return appendSum(append(b, member...), from)
}

func appendSum(b []byte, from int) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}

// parseState reads the log of a name; false if it is not one.
func parseState(log []byte, name string, hashed bool) (state, bool) {
	var st state
	head := appendHead(make([]byte, 0, 64), name, hashed)
	if len(log) < len(head) || string(log[:len(head)]) != string(head) {
		return st, false
	}
	for log = log[len(head):]; len(log) > 0; {
		n := st.apply(log)
		if n == 0 {
			return state{}, false
		}
		log = log[n:]
	}
	return st, true
}

// apply applies the first record of a log and returns how long it is; 0 if it is none.
func (st *state) apply(log []byte) int {
	what := log[0]
	var f [3]uint64
	n := 1 + 8*int(fieldsOf[what])
	if n == 1 && what != recMember || len(log) < n {
		return 0
	}
	for i := range int(fieldsOf[what]) {
		f[i] = binary.BigEndian.Uint64(log[1+8*i:])
	}
	var member string
	if what == recMember || what == recJoin || what == recPart {
		if len(log) < n+4 {
			return 0
		}
		size := uint64(binary.BigEndian.Uint32(log[n:]))
		if n += 4; uint64(len(log)-n) < size {
			return 0
		}
		member = string(log[n : n+int(size)])
		n += int(size)
	}
	if len(log) < n+4 || binary.BigEndian.Uint32(log[n:]) != crc32.Checksum(log[:n], castagnoli) {
		return 0
	}
	st.take(what, f, member)
	return n + 4
}

func (st *state) take(what byte, f [3]uint64, member string) {
	switch what {
	case recFound:
		st.token, st.suspect = f[0], f[0]
	case recClear:
		if st.suspect == f[0] {
			st.suspect = 0
		}
	case recToken:
		st.token = f[0]
	case recHold, recRenew:
		st.hold(what == recHold, mark{f[0], f[1], f[2]})
	case recRelease:
		st.marks = slices.DeleteFunc(st.marks, func(m mark) bool { return m.id == f[0] })
	case recLapse:
		if i := st.find(f[0]); i >= 0 && st.marks[i].stamp == f[1] {
			st.marks = slices.Delete(st.marks, i, i+1)
			st.token = f[2]
		}
	case recMember:
		st.members = append(st.members, member)
	case recJoin:
		if st.token == f[0] && !slices.Contains(st.members, member) {
			st.members = append(st.members, member)
		}
	case recPart:
		st.members = slices.DeleteFunc(st.members, func(m string) bool { return m == member })
		st.token = f[0]
	}
}

func (st *state) hold(make bool, m mark) {
	if i := st.find(m.id); i >= 0 {
		st.marks[i] = m
	} else if make {
		st.marks = append(st.marks, m)
	}
}

// appendTo writes the shortest log that comes to this state.
func (st *state) appendTo(b []byte, name string, hashed bool) []byte {
	b = appendHead(b, name, hashed)
	if st.suspect != 0 {
		b = appendRecord(b, recFound, st.suspect)
	}
	if st.token != 0 && st.token != st.suspect {
		b = appendRecord(b, recToken, st.token)
	}
	for _, m := range st.marks {
		b = appendRecord(b, recHold, m.id, m.stamp, m.lease)
	}
	for _, m := range st.members {
		b = appendMember(b, recMember, m)
	}
	return b
}
