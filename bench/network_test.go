package bench

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderdb/larder/dbtest"
)

// oneWay is how long what is sent is on its way between a program and a server on another machine of the same site; what
// a sleep takes longer than asked for comes on top. There and back it is some 0.5 ms, which a PING in the same run tells.
const oneWay = 150 * time.Microsecond

// distant is the socket of a server as a program on another machine reaches it.
func distant(t testing.TB, socket string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "far") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filepath.Base(socket))
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); os.RemoveAll(dir) })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", socket)
			if err != nil {
				client.Close()
				continue
			}
			go relay(client, server)
			go relay(server, client)
		}
	}()
	return path
}

// distantDatabase is the DSN of a PostgreSQL database as a program on another machine reaches it.
func distantDatabase(t testing.TB, d *dbtest.Database) string {
	socket := d.Server().Socket()
	near, far := filepath.Dir(socket), filepath.Dir(distant(t, socket))
	return strings.Replace(d.DSN(), url.QueryEscape(near), url.QueryEscape(far), 1)
}

// A piece is what was sent at once.
type piece struct {
	due  time.Time
	data []byte
}

// relay passes on what comes from one end, each piece as late as the next, until there is no more.
func relay(from, to net.Conn) {
	pieces := make(chan piece, 1024)
	go func() {
		for p := range pieces {
			wait := syscall.NsecToTimespec(max(int64(time.Until(p.due)), 1))
			_ = syscall.Nanosleep(&wait, nil) // time.Sleep takes a millisecond at least where nothing else goes on
			if _, err := to.Write(p.data); err != nil {
				break
			}
		}
		to.Close()
		for range pieces { // of one who hears no more
		}
	}()
	defer close(pieces)
	for {
		data := make([]byte, 32<<10)
		n, err := from.Read(data)
		if n > 0 {
			pieces <- piece{time.Now().Add(oneWay), data[:n]}
		}
		if err != nil {
			return
		}
	}
}
