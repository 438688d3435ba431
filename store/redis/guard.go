package redis

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
)

// The client library believes its server: an answer that nobody has asked for, or
// a string of a length below zero, ends the program, and an announced array of a
// billion elements takes the memory for them. So each connection has a guard that
// follows both streams, message by message, and ends the connection instead.

const (
	longLine    = 64 << 10
	longList    = 64 << 10
	longString  = 64 << 20 // what is longer isn't kept
	deepNesting = 32
)

var errGarbage = errors.New("redis: the server doesn't speak its protocol")

// A guard is a connection whose answers are looked at before they are believed.
type guard struct {
	net.Conn
	pushes bool // sentinels also tell what nobody has asked
	asked  atomic.Int64
	out    frames // of the one who writes
	in     frames // of the one who reads
}

func (g *guard) Write(p []byte) (int, error) {
	if err := g.out.feed(p, func(byte) error { g.asked.Add(1); return nil }); err != nil {
		return 0, err
	}
	return g.Conn.Write(p)
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if bad := g.in.feed(p[:n], g.answer); bad != nil {
		g.Close()
		return 0, bad
	}
	return n, err
}

// answer is called where an answer begins.
func (g *guard) answer(kind byte) error {
	if g.pushes {
		return nil
	}
	if kind == '>' || g.asked.Add(-1) < 0 {
		return errGarbage
	}
	return nil
}

// frames follow a stream of messages.
type frames struct {
	open []int  // of each list that isn't whole, how many elements are missing
	skip int    // bytes of a string that are yet to come
	line []byte // the begin of a line
}

// feed takes the next part of the stream. It calls begin with the first byte of
// each message that isn't part of another.
func (f *frames) feed(data []byte, begin func(byte) error) error {
	for len(data) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(data))
			if f.skip, data = f.skip-n, data[n:]; f.skip == 0 {
				f.done()
			}
			continue
		}
		if len(f.line) == 0 && len(f.open) == 0 {
			if err := begin(data[0]); err != nil {
				return err
			}
		}
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 {
			end = len(data)
		}
		line := data[:end]
		if data = data[end:]; len(f.line) > 0 || line[end-1] != '\n' {
			f.line = append(f.line, line...)
			line = f.line
		}
		if len(line) > longLine {
			return errGarbage
		}
		if line[len(line)-1] != '\n' {
			return nil
		}
		f.line = f.line[:0]
		if err := f.head(line); err != nil {
			return err
		}
	}
	return nil
}

// head takes the line with which a message begins.
func (f *frames) head(line []byte) error {
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return errGarbage
	}
	text := line[1 : len(line)-2]
	switch line[0] {
	case '+', '-', ',', '(':
	case ':':
		if _, err := strconv.ParseInt(string(text), 10, 64); err != nil {
			return errGarbage
		}
	case '_':
		if len(text) != 0 {
			return errGarbage
		}
	case '#':
		if len(text) != 1 {
			return errGarbage
		}
	case '$', '=', '!':
		n, err := length(text, longString)
		if n >= 0 {
			f.skip = n + len("\r\n")
		}
		if err != nil || n >= 0 {
			return err
		}
	case '*', '~', '%', '>':
		n, err := length(text, longList)
		if line[0] == '%' {
			n *= 2
		}
		if err == nil && n > 0 {
			f.open = append(f.open, n)
		}
		if err != nil || n > 0 {
			return f.nesting(err)
		}
	default:
		return errGarbage
	}
	f.done()
	return nil
}

func (f *frames) nesting(err error) error {
	if len(f.open) > deepNesting {
		return errGarbage
	}
	return err
}

// length is what follows a kind; -1 is nothing.
func length(text []byte, most int) (int, error) {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < -1 || n > most || text[0] == '+' {
		return -1, errGarbage
	}
	return n, nil
}

// done ends a message, and the lists of which it was the last element.
func (f *frames) done() {
	for len(f.open) > 0 {
		last := len(f.open) - 1
		if f.open[last]--; f.open[last] > 0 {
			return
		}
		f.open = f.open[:last]
	}
}
