package memcached

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/larderdb/larder/store"
)

// errDown is what is answered for a server that has failed a moment ago.
var errDown = errors.New("memcached: the server has just failed, and isn't asked for a moment")

var errClosed = fmt.Errorf("memcached: %w", store.ErrClosed)

// A pool is the connections to one server. One that has failed, or has left an
// answer unread, isn't used again.
type pool struct {
	network, addr string
	dialer        *net.Dialer
	tls           *tls.Config
	login         []byte // the command by which a connection logs in; nil for none
	maxIdle       int

	down breaker

	mu     sync.Mutex
	idle   []*conn // guarded by mu, as closed
	closed bool
}

type conn struct {
	net.Conn
	r      *bufio.Reader
	number uint64 // of the last command
	window int    // bytes
	used   bool
}

func newPool(addr string, o *Options) *pool {
	p := &pool{network: "tcp", addr: addr, dialer: new(net.Dialer), maxIdle: o.MaxIdle}
	switch {
	case strings.HasPrefix(addr, "/"):
		p.network = "unix"
	case !strings.Contains(addr, ":"):
		p.addr = net.JoinHostPort(addr, defaultPort)
	}
	if o.TLS != nil && p.network == "tcp" {
		p.tls = o.TLS.Clone()
		p.tls.DynamicRecordSizingDisabled = true // for the same reason as windowTLS
		if host, _, err := net.SplitHostPort(p.addr); err == nil && p.tls.ServerName == "" {
			p.tls.ServerName = host
		}
	}
	if o.User != "" {
		secret := o.User + " " + o.Password
		p.login = fmt.Appendf(nil, "set login 0 0 %d\r\n%s\r\n", len(secret), secret)
	}
	return p
}

// take returns an idle connection or a new one.
func (p *pool) take(deadline time.Time) (*conn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, c.SetDeadline(deadline)
	}
	p.mu.Unlock()
	return p.dial(deadline)
}

func (p *pool) dial(deadline time.Time) (*conn, error) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	raw, err := p.dialer.DialContext(ctx, p.network, p.addr)
	if err != nil {
		return nil, err
	}
	window := windowBytes
	if p.tls != nil {
		raw, window = tls.Client(raw, p.tls), windowTLS
	}
	c := &conn{Conn: raw, r: bufio.NewReaderSize(raw, 4<<10), window: window}
	if err := errors.Join(c.SetDeadline(deadline), c.logIn(p.login)); err != nil {
		_ = c.Close() // the first error tells more
		return nil, err
	}
	return c, nil
}

func (c *conn) logIn(login []byte) error {
	if login == nil {
		return nil
	}
	if _, err := c.Write(login); err != nil {
		return err
	}
	line, err := readLine(c.r)
	if err == nil && string(line) != "STORED" {
		err = fmt.Errorf("memcached: log in: %.80q", line)
	}
	return err
}

// put takes back a connection whose answers have all been read.
func (p *pool) put(c *conn) {
	c.used = true
	p.mu.Lock()
	keep := !p.closed && len(p.idle) < p.maxIdle && c.r.Buffered() == 0
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		_ = c.Close()
	}
}

func (p *pool) close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	return closeAll(idle)
}

// forget closes the idle connections: what has failed one will fail the others.
func (p *pool) forget() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	_ = closeAll(idle)
}

func closeAll(conns []*conn) error {
	var err error
	for _, c := range conns {
		err = errors.Join(err, c.Close())
	}
	return err
}

// What a server gets at once: more could fill its buffers and ours, and then
// both would wait to be read.
const (
	windowCommands = 256
	windowBytes    = 32 << 10
	windowTLS      = 8 << 10 // memcached forgets what it has decrypted and has no room for
)

// send writes as many of the commands as go in one write, before them that for the
// life if it is wanted, and returns how many.
func (c *conn) send(lifeKey, life string, cmds []command, first bool) (int, error) {
	buf, n := bufferPool.Get().(*[]byte), 0
	defer bufferPool.Put(buf)
	b, number := (*buf)[:0], c.number
	if first {
		number++
		b = lifeCommand.appendTo(b, lifeKey, number)
	}
	for n < len(cmds) && n < windowCommands && (n == 0 || len(b)+len(cmds[n].value)+maxCommand <= c.window) {
		number++
		b = cmds[n].appendTo(b, life, number)
		n++
	}
	if first {
		n++
	}
	if cap(b) <= 4*windowBytes {
		*buf = b
	}
	_, err := c.Write(b)
	return n, err
}

const maxCommand = 350 // what a command takes without its value

var bufferPool = sync.Pool{New: func() any { return new([]byte) }}

// gone reports whether the error is that of a connection which the server had
// closed before it was used again.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// A breaker keeps a server that fails off everybody's path: after a failure it
// isn't asked for a while, which doubles with each failure more. Then one asks,
// while for others it is down still.
type breaker struct {
	until atomic.Int64 // since start; 0: the server is up
	wait  atomic.Int64
}

const (
	firstWait = int64(100 * time.Millisecond)
	lastWait  = int64(3 * time.Second)
)

var start = time.Now()

// allows reports whether the server may be asked.
func (b *breaker) allows() bool {
	until := b.until.Load()
	if until == 0 {
		return true
	}
	now := int64(time.Since(start))
	return now >= until && b.until.CompareAndSwap(until, now+max(b.wait.Load(), firstWait))
}

func (b *breaker) failed() {
	wait := max(b.wait.Load(), firstWait)
	b.until.Store(int64(time.Since(start)) + wait)
	b.wait.Store(min(2*wait, lastWait))
}

func (b *breaker) worked() {
	if b.until.Load() != 0 {
		b.wait.Store(0)
		b.until.Store(0)
	}
}
