package dbtest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Proxy stands between clients and a server's socket, and is what goes wrong with a network. It listens on a unix socket.
// Its methods may be called from any goroutine.
type Proxy struct {
	path, target string

	mu       sync.Mutex
	listener net.Listener     // nil while the proxy is down; guarded by mu
	pairs    map[*pair]bool   // guarded by mu
	closed   bool             // guarded by mu
	delay    atomic.Int64     // nanoseconds, of each piece in either direction
	stopped  [2]chan struct{} // by Direction: closed when pieces may go on; guarded by mu
	lost     [2]atomic.Bool   // by Direction: pieces are thrown away
	done     sync.WaitGroup   // of goroutines
}

// A Direction is one way through a proxy.
type Direction int

// The directions.
const (
	ToServer Direction = iota
	ToClient
)

// A pair is a client's connection and that to the server.
type pair struct{ ends [2]net.Conn } // by Direction: where pieces go

// NewProxy starts a proxy that listens on the socket path, before the server's socket target. It ends with the test.
func NewProxy(t testing.TB, path, target string) *Proxy {
	t.Helper()
	p := &Proxy{path: path, target: target, pairs: make(map[*pair]bool)}
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// Up has the proxy take connections.
func (p *Proxy) Up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil || p.closed {
		return nil
	}
	if err := os.Remove(p.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", p.path)
	if err != nil {
		return err
	}
	if err := os.Chmod(p.path, 0o777); err != nil {
		return errors.Join(err, l.Close())
	}
	p.listener = l
	p.done.Go(func() { p.accept(l) })
	return nil
}

// Down cuts all connections, and has further ones refused until Up.
func (p *Proxy) Down() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close() // nobody has anything else to do with it
		p.listener = nil
	}
	p.mu.Unlock()
	p.Cut()
}

// Cut cuts all connections that there are. What was on its way is lost.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		c.cut()
	}
	clear(p.pairs)
}

// CutHalf cuts one direction of all connections that there are: who reads there sees their end, the other
// direction goes on.
func (p *Proxy) CutHalf(d Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		_ = c.ends[d].(*net.UnixConn).CloseWrite() // or it was cut already
	}
}

// Lose has all that goes in one direction thrown away, or no longer so: nobody is told.
func (p *Proxy) Lose(d Direction, is bool) { p.lost[d].Store(is) }

// Delay has each piece wait.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Freeze has all wait that goes in one direction, until Thaw.
func (p *Proxy) Freeze(d Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped[d] == nil {
		p.stopped[d] = make(chan struct{})
	}
}

// Thaw has all go on that waits.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for d := range p.stopped {
		if p.stopped[d] != nil {
			close(p.stopped[d])
			p.stopped[d] = nil
		}
	}
}

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", p.target)
		if err != nil {
			_ = client.Close() // as if the server had refused it
			continue
		}
		p.join(&pair{[2]net.Conn{ToServer: server, ToClient: client}}, l)
	}
}

// join copies between the two ends, unless the proxy has gone down meanwhile.
func (p *Proxy) join(c *pair, l net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != l {
		c.cut()
		return
	}
	p.pairs[c] = true
	p.done.Go(func() { p.copy(c, ToServer) })
	p.done.Go(func() { p.copy(c, ToClient) })
}

func (c *pair) cut() {
	for _, end := range c.ends {
		_ = end.Close() // it may be closed already
	}
}

// copy copies pieces in one direction until that ends, and tells the other end so.
func (p *Proxy) copy(c *pair, d Direction) {
	from, to := c.ends[1-d], c.ends[d]
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 && !p.lost[d].Load() {
			p.hinder(d)
			if _, failed := to.Write(piece[:n]); failed != nil {
				err = failed
			}
		}
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) && d == ToServer {
			_ = to.(*net.UnixConn).CloseWrite() // or it was cut already
			return
		}
		p.part(c)
		return
	}
}

// hinder has a piece wait as long as it must.
func (p *Proxy) hinder(d Direction) {
	if delay := p.delay.Load(); delay > 0 {
		time.Sleep(time.Duration(delay))
	}
	p.mu.Lock()
	stopped := p.stopped[d]
	p.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

func (p *Proxy) part(c *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pairs, c)
	c.cut()
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Down()
	p.Thaw()
	p.done.Wait()
}
