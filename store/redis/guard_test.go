package redis

import (
	"errors"
	"strings"
	"testing"
)

// count returns how many messages begin in a stream that comes in parts of so many bytes.
func count(stream string, part int) (n int, whole bool, err error) {
	var f frames
	for rest := []byte(stream); len(rest) > 0 && err == nil; rest = rest[min(part, len(rest)):] {
		err = f.feed(rest[:min(part, len(rest))], func(byte) error { n++; return nil })
	}
	return n, len(f.open) == 0 && f.skip == 0 && len(f.line) == 0, err
}

func TestFrames(t *testing.T) {
	for stream, want := range map[string]int{
		"":                                 0,
		"+OK\r\n":                          1,
		"+OK\r\n-ERR no\r\n:-12\r\n":       3,
		"$0\r\n\r\n$-1\r\n$3\r\na\r\n\r\n": 3,
		"*2\r\n*1\r\n:1\r\n$1\r\n*\r\n*0\r\n*-1\r\n_\r\n#t\r\n,1.5\r\n":         6,
		"%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n~1\r\n=5\r\ntxt:a\r\n!1\r\nx\r\n(12\r\n": 4,
	} {
		for part := 1; part <= len(stream)+1; part++ {
			if n, whole, err := count(stream, part); n != want || !whole || err != nil {
				t.Errorf("%q in parts of %d: %d messages, whole %v, %v; want %d", stream, part, n, whole, err, want)
			}
		}
	}
}

func TestFramesRefuse(t *testing.T) {
	for _, stream := range []string{
		"x\r\n", "\r\n\r\n", "+\n", "$-2\r\n", "$x\r\n", "$?\r\n", "*1000000000\r\n", "$99999999999\r\n", "*-5\r\n",
		":x\r\n", ":\r\n", "#tt\r\n", "_x\r\n", "|1\r\n", ";1\r\n", "$\r\n", "$+1\r\n", strings.Repeat("*1\r\n", deepNesting+2),
		"+" + strings.Repeat("x", longLine+1),
	} {
		for _, part := range []int{1, 7, len(stream)} {
			if _, _, err := count(stream, part); !errors.Is(err, errGarbage) {
				t.Errorf("%.20q in parts of %d: %v", stream, part, err)
			}
		}
	}
}

// FuzzFrames: it doesn't matter in which parts a stream comes.
func FuzzFrames(f *testing.F) {
	f.Add("*2\r\n$3\r\nabc\r\n:1\r\n+OK\r\n", 3)
	f.Add("%1\r\n+a\r\n_\r\n$-1\r\n", 1)
	f.Fuzz(func(t *testing.T, stream string, part int) {
		if part < 1 || len(stream) > 10_000 {
			t.Skip()
		}
		n, whole, err := count(stream, part)
		m, also, bad := count(stream, len(stream)+1)
		if n != m || whole != also && err == nil || (err == nil) != (bad == nil) {
			t.Fatalf("in parts of %d: %d %v %v, at once %d %v %v", part, n, whole, err, m, also, bad)
		}
	})
}
