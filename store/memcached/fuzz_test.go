package memcached

import (
	"bufio"
	"bytes"
	"reflect"
	"testing"
)

// FuzzReply: no answer makes the client panic, or believe an answer to something else.
func FuzzReply(f *testing.F) {
	for _, s := range []string{
		"HD O7\r\n", "VA 3 c12 O7\r\nabc\r\n", "EN O7\r\n", "EN\r\n", "NS O7\r\n", "HD s12 O7\r\n", "SERVER_ERROR x\r\n",
		"VA 4294967295 O7\r\n", "VA 3 O7\r\nabcd\r\n", "HD O8\r\n", "\r\n", "VA O7\r\n",
		"VA 3 c12 t-1 O7\r\nabc\r\n", "VA 3 c12 t100 O7\r\nabc\r\n", "VA 3 t-2 O7\r\nabc\r\n",
	} {
		for verb := range 5 {
			f.Add([]byte(s), verb)
		}
	}
	commands := []command{{verb: 'g'}, {verb: 'g', size: true}, {verb: 's', mode: 'S'}, {verb: 'd'}, {verb: 'g', left: true}}
	f.Fuzz(func(t *testing.T, data []byte, verb int) {
		c := commands[uint(verb)%uint(len(commands))]
		rep, err := readReply(bufio.NewReaderSize(bytes.NewReader(data), 4096), &c, 7)
		if err != nil {
			if rep.found && rep.value != nil {
				t.Fatalf("%q: %+v with %v", data, rep, err)
			}
			return
		}
		if rep.found && c.left && (rep.left < -1 || !bytes.Contains(data, []byte("t"))) {
			t.Fatalf("%q has a time to live of %d", data, rep.left)
		}
		if rep.found && !bytes.Contains(data, []byte("O7")) && !bytes.Contains(data, []byte("O07")) && !bytes.Contains(data, []byte("O00")) {
			t.Fatalf("%q is taken for the answer", data)
		}
	})
}

// FuzzState: no log makes the reader panic, and what it comes to can be written
// again, shorter, to the same end.
func FuzzState(f *testing.F) {
	st := state{token: 3, suspect: 2, marks: []mark{{1, 2, 3}, {4, 5, 6}}, members: []string{"a", ""}}
	f.Add(st.appendTo(nil, "t", false))
	log := appendRecord(appendHead(nil, "t", false), recFound, 9)
	log = appendMember(log, recJoin, "x", 9)
	log = appendRecord(log, recHold, 1, 2, 3)
	log = appendRecord(log, recRenew, 1, 4, 3)
	log = appendRecord(log, recLapse, 1, 4, 5)
	log = appendRecord(log, recRelease, 1)
	log = appendRecord(log, recClear, 9)
	log = appendMember(log, recPart, "x", 6)
	f.Add(log)
	f.Fuzz(func(t *testing.T, log []byte) {
		st, ok := parseState(log, "t", false)
		if !ok {
			return
		}
		short := st.appendTo(nil, "t", false)
		again, ok := parseState(short, "t", false)
		if !ok || !sameState(st, again) {
			t.Fatalf("%+v came back as %+v", st, again)
		}
	})
}

func sameState(a, b state) bool {
	return a.token == b.token && a.suspect == b.suspect &&
		(len(a.marks) == 0 && len(b.marks) == 0 || reflect.DeepEqual(a.marks, b.marks)) &&
		(len(a.members) == 0 && len(b.members) == 0 || reflect.DeepEqual(a.members, b.members))
}

// TestDamagedState: a log with a bit changed, or cut within a record, is none.
func TestDamagedState(t *testing.T) {
	st := state{token: 3, suspect: 2, marks: []mark{{1, 2, 3}}, members: []string{"a"}}
	whole := st.appendTo(nil, "t", true)
	ends := map[int]bool{len(appendHead(nil, "t", true)): true}
	for i := range st.marks {
		part := state{token: 3, suspect: 2, marks: st.marks[:i]}
		ends[len(part.appendTo(nil, "t", true))] = true
		part.marks = st.marks
		ends[len(part.appendTo(nil, "t", true))] = true
	}
	ends[len((&state{token: 2, suspect: 2}).appendTo(nil, "t", true))] = true
	for i := range whole {
		if _, ok := parseState(whole[:i], "t", true); ok && !ends[i] {
			t.Errorf("cut at %d it is a state", i)
		}
		for bit := range 8 {
			bad := bytes.Clone(whole)
			bad[i] ^= 1 << bit
			if _, ok := parseState(bad, "t", true); ok {
				t.Errorf("with bit %d of byte %d changed it is a state", bit, i)
			}
		}
	}
}
