package dbtest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A caller asks a memcached through a proxy for its version.
type caller struct {
	net.Conn
	r *bufio.Reader
}

func call(t *testing.T, path string) *caller {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &caller{conn, bufio.NewReader(conn)}
}

func (c *caller) ask() error {
	if _, err := io.WriteString(c, "mn\r\n"); err != nil {
		return err
	}
	return c.hear()
}

func (c *caller) hear() error {
	if err := c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		return err
	}
	line, err := c.r.ReadString('\n')
	if err == nil && line != "MN\r\n" {
		return errors.New(line)
	}
	return err
}

func TestProxy(t *testing.T) {
	dir, err := os.MkdirTemp("", "proxy-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "socket")
	p := NewProxy(t, path, NewMemcachedSocket(t).Socket())
	late, ended := os.ErrDeadlineExceeded, io.EOF
	is := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) || err != nil && want == nil {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	c := call(t, path)
	is("as it is", c.ask(), nil)
	for _, d := range []Direction{ToServer, ToClient} {
		p.Freeze(d)
		is("frozen", c.ask(), late)
		p.Thaw()
		is("thawed", c.hear(), nil)
		p.Lose(d, true)
		is("lost", c.ask(), late)
		p.Lose(d, false)
		is("found", c.hear(), late)
		is("no longer lost", c.ask(), nil)
	}
	p.Delay(300 * time.Millisecond)
	is("delayed", c.ask(), late)
	p.Delay(0)
	time.Sleep(time.Second)
	is("late", c.hear(), nil)
	p.Cut()
	is("cut", c.hear(), ended)
	c = call(t, path)
	is("another", c.ask(), nil)
	p.CutHalf(ToClient)
	is("cut to the client", c.hear(), ended)
	c = call(t, path)
	is("a new one", c.ask(), nil)
	p.CutHalf(ToServer)
	is("the server has heard the end", c.hear(), ended)
	p.Down()
	if _, err := net.Dial("unix", path); err == nil {
		t.Error("a proxy that is down takes connections")
	}
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	is("up again", call(t, path).ask(), nil)
}
