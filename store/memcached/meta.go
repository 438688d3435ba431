package memcached

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// A command is one of memcached's meta commands.
type command struct {
	verb  byte     // g, s or d, of mg, ms and md
	mode  byte     // of ms: S set, E add, A append
	key   string   // without the life, which begins it
	value []byte   // of ms
	head  []byte   // of ms, in place of value, which is made of this …
	log   []record // … and of these, written anew each time that the command is sent
	ttl   int64    // seconds; of ms, and of mg if it is to begin anew; 0: none
	date  int64    // in place of ttl, by the server's clock, in seconds since 1970; 0: none
	never bool     // of mg: the item is to have no ttl
	left  bool     // of mg: the ttl is asked for as well
	cas   uint64   // of ms, md: only if the item still has this number; 0: whatever it has
	size  bool     // of mg: the size alone
}

// draw makes the value of head and log, with new numbers.
func (c *command) draw() {
	if len(c.head)+len(c.log) == 0 {
		return
	}
	c.value = append(c.value[:0], c.head...)
	for _, r := range c.log {
		c.value = r.appendTo(c.value)
	}
}

// A reply is the answer to one command.
type reply struct {
	found bool   // mg: the item is there; ms, md: it was done
	value []byte // of mg
	cas   uint64 // of mg
	left  int64  // of mg, seconds; below 0: it has no ttl
	size  int    // of mg
	full  bool   // ms: the server has no memory for it, or it is too large
}

// errGarbage is an answer that no memcached gives here. The state of the
// connection is unknown then.
var errGarbage = errors.New("memcached: the server's answer can't be understood")

const (
	maxLine  = 2048
	maxTTL   = 30 * 24 * 3600 // beyond it memcached takes seconds for a date
	maxValue = 128 << 20      // that any server may be set to hold
	notTold  = -2             // of the time to live
)

// appendTo writes the command, with what its key begins with. The number tells
// its answer from others.
func (c *command) appendTo(b []byte, prefix string, number uint64) []byte {
	b = append(b, 'm', c.verb, ' ')
	b = append(b, prefix...)
	b = append(b, c.key...)
	if c.verb == 's' {
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(len(c.value)), 10)
		b = append(b, ' ', 'M', c.mode)
	}
	if c.cas != 0 {
		b = strconv.AppendUint(append(b, ' ', 'C'), c.cas, 10)
	}
	switch {
	case c.verb == 'g' && c.size:
		b = append(b, " s"...)
	case c.verb == 'g':
		b = append(b, " v c"...)
	}
	if c.left {
		b = append(b, " t"...)
	}
	switch {
	case c.date != 0:
		b = strconv.AppendInt(append(b, ' ', 'T'), c.date, 10)
	case c.ttl != 0:
		b = strconv.AppendInt(append(b, ' ', 'T'), min(c.ttl, maxTTL), 10)
	case c.never:
		b = append(b, " T0"...)
	}
	b = strconv.AppendUint(append(b, ' ', 'O'), number, 10)
	b = append(b, '\r', '\n')
	if c.verb == 's' {
		b = append(append(b, c.value...), '\r', '\n')
	}
	return b
}

// readReply reads the answer to the command of that number.
func readReply(r *bufio.Reader, c *command, number uint64) (reply, error) {
	line, err := readLine(r)
	if err != nil {
		return reply{}, err
	}
	if c.verb == 's' && bytes.HasPrefix(line, []byte("SERVER_ERROR ")) {
		return reply{full: true}, nil // the data were skipped: what follows is the next answer
	}
	code, flags, _ := bytes.Cut(line, []byte(" "))
	switch string(code) {
	case "VA":
		if c.verb == 'g' && !c.size {
			return readValue(r, flags, number, c.left)
		}
	case "HD":
		if c.verb != 'g' || c.size {
			rep := reply{found: true}
			return rep, rep.parseFlags(flags, number, c.verb == 'g')
		}
	case "EN":
		if c.verb == 'g' {
			return reply{}, new(reply).parseFlags(flags, number, false)
		}
	case "NS", "EX", "NF":
		if c.verb != 'g' {
			return reply{}, new(reply).parseFlags(flags, number, false)
		}
	}
	return reply{}, fmt.Errorf("%w: %.80q to m%c", errGarbage, line, c.verb)
}

func readValue(r *bufio.Reader, line []byte, number uint64, left bool) (reply, error) {
	digits, flags, _ := bytes.Cut(line, []byte(" "))
	n, err := strconv.ParseUint(string(digits), 10, 32)
	if err != nil || n > maxValue {
		return reply{}, fmt.Errorf("%w: a value of %.20q bytes", errGarbage, digits)
	}
	rep := reply{found: true, size: int(n), left: notTold}
	if err := rep.parseFlags(flags, number, false); err != nil {
		return reply{}, err
	}
	if left && rep.left == notTold {
		return reply{}, fmt.Errorf("%w: no time to live", errGarbage)
	}
	rep.value, err = readData(r, int(n))
	return rep, err
}

// readData reads n bytes and the end of the line. It takes memory as they come:
// that the server says so doesn't make them many.
func readData(r *bufio.Reader, n int) ([]byte, error) {
	const step = 1 << 20
	var data []byte
	for n+2 > len(data) {
		from := len(data)
		data = append(data, make([]byte, min(n+2-from, step))...)
		if _, err := io.ReadFull(r, data[from:]); err != nil {
			return nil, err
		}
	}
	if string(data[n:]) != "\r\n" {
		return nil, fmt.Errorf("%w: no end of the value", errGarbage)
	}
	return data[:n:n], nil
}

// readLine returns a line without its end. It is valid until the next read.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || err == nil && len(line) > maxLine:
		return nil, fmt.Errorf("%w: a line without an end", errGarbage)
	case err != nil:
		return nil, err
	case len(line) < 2 || line[len(line)-2] != '\r':
		return nil, fmt.Errorf("%w: %.80q", errGarbage, line)
	}
	return line[:len(line)-2], nil
}

// parseFlags reads the flags of a reply, which must have the number of the
// command: an answer to another one is taken for none.
func (rep *reply) parseFlags(flags []byte, number uint64, sized bool) error {
	numbered, hasSize := false, false
	for flag := range bytes.FieldsSeq(flags) {
		if string(flag) == "t-1" {
			rep.left = -1
			continue
		}
		n, err := strconv.ParseUint(string(flag[1:]), 10, 64)
		if err != nil {
			return fmt.Errorf("%w: flag %.40q", errGarbage, flag)
		}
		switch flag[0] {
		case 'O':
			numbered = n == number
		case 'c':
			rep.cas = n
		case 't':
			rep.left = int64(min(n, math.MaxInt32))
		case 's':
			rep.size, hasSize = int(min(n, maxValue)), true
		}
	}
	if !numbered || sized && !hasSize {
		return fmt.Errorf("%w: an answer to something else", errGarbage)
	}
	return nil
}
