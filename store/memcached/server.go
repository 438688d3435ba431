package memcached

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// A server has a life: a random number under a key that goes by the list of
// servers. It begins every other key. Each step reads it first, so who works
// under an old life learns so, and begins anew. A server has a new life when it
// was restarted or flushed, and when nobody with this list of servers has asked it
// for lifeTTL: what it kept may then have missed changes that were announced to
// others. That is how a key that returns to a server finds nothing there.
type server struct {
	pool *pool
	key  string // of the life
	at   int    // in the list
	life atomic.Pointer[string]
}

const (
	lifeTTL  = 120 // seconds
	lifeSize = 11  // base64 of 8 bytes
	keyHead  = "larder1-"
)

func newServer(addr string, at int, list uint64, o *Options) *server {
	return &server{pool: newPool(addr, o), key: keyHead + strconv.FormatUint(list, 36), at: at}
}

// A batch is the commands of one step for one server, and their answers.
type batch struct {
	srv     *server
	cmds    []command
	replies []reply
	pin     string // the only life in which the commands make sense; "": any
	once    bool   // the commands must not be sent twice

	conn *conn
	life *string
	sent int
	done int
	err  error
}

func (b *batch) add(c command) (at int) {
	b.cmds = append(b.cmds, c)
	return len(b.cmds) - 1
}

// lives is how often a step begins anew because a server's life has changed.
const lives = 4

// run has every batch done by its server, all at the same time. It tries all of
// them even if one fails.
func (s *Store) run(ctx context.Context, batches []*batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline, short := time.Now().Add(s.o.Timeout), false
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline, short = d, true
	}
	todo := batches
	for range lives {
		for _, b := range todo {
			b.begin(deadline, false)
		}
		var again []*batch
		for _, b := range todo {
			if !b.end(deadline, short) {
				again = append(again, b)
			}
		}
		if todo = again; len(todo) == 0 {
			break
		}
	}
	for _, b := range todo {
		b.err = fmt.Errorf("memcached: %s loses its memory again and again", b.srv.pool.addr)
	}
	var err error
	for _, b := range batches {
		err = errors.Join(err, b.err)
	}
	return err
}

// begin sends what goes in one write. A fresh connection is asked for where an
// old one was found to be gone.
func (b *batch) begin(deadline time.Time, fresh bool) {
	b.conn, b.sent, b.done, b.err = nil, 0, 0, nil
	p := b.srv.pool
	if !fresh && !p.down.allows() {
		b.err = fmt.Errorf("%w: %s", errDown, p.addr)
		return
	}
	var life *string
	if life, b.err = b.srv.learn(deadline); b.err != nil {
		return
	}
	if b.life = life; b.pin != "" && b.pin != *life {
		b.err = errMoved
		return
	}
	b.replies = make([]reply, len(b.cmds)+1)
	for i := range b.cmds {
		b.cmds[i].draw()
	}
	if b.conn, b.err = p.take(deadline); b.err != nil {
		return
	}
	b.err = b.send()
}

// send sends the life's command, if it is the first time, and some more.
func (b *batch) send() error {
	n, err := b.conn.send(b.srv.key, *b.life, b.cmds[max(b.sent-1, 0):], b.sent == 0)
	b.sent += n
	return err
}

// end reads all answers, and reports whether the step is done, be it with an error.
func (b *batch) end(deadline time.Time, short bool) bool {
	b.receive()
	if b.err != nil && b.conn != nil && b.conn.used && b.done == 0 && !b.once && gone(b.err) {
		_ = b.conn.Close()
		b.srv.pool.forget()
		b.begin(deadline, true)
		b.receive()
	}
	if b.err != nil {
		b.fail(short)
		return true
	}
	b.srv.pool.down.worked()
	b.srv.pool.put(b.conn)
	life := b.replies[0]
	b.replies = b.replies[1:]
	if life.found && string(life.value) == *b.life {
		return true
	}
	b.srv.life.CompareAndSwap(b.life, nil) // unless another has learnt the new one
	return false
}

func (b *batch) receive() {
	for b.err == nil && b.done <= len(b.cmds) {
		if b.done == b.sent {
			b.err = b.send()
			continue
		}
		b.err = b.receiveOne()
	}
}

func (b *batch) receiveOne() (err error) {
	c := lifeCommand
	if b.done > 0 {
		c = b.cmds[b.done-1]
	}
	b.conn.number++
	if b.replies[b.done], err = readReply(b.conn.r, &c, b.conn.number); err == nil {
		b.done++
	}
	return err
}

// fail closes the connection: nobody knows what it would answer next.
func (b *batch) fail(short bool) {
	if b.conn != nil {
		_ = b.conn.Close()
	}
	var late net.Error
	if errors.Is(b.err, errDown) || errors.Is(b.err, errMoved) || errors.Is(b.err, errClosed) || short && errors.As(b.err, &late) && late.Timeout() {
		return // the server isn't at fault
	}
	b.srv.pool.down.failed()
	b.srv.pool.forget()
	b.err = fmt.Errorf("memcached: %s: %w", b.srv.pool.addr, b.err)
}

// errMoved is what ends commands of an old life.
var errMoved = errors.New("memcached: the server has lost its memory")

var lifeCommand = command{verb: 'g', ttl: lifeTTL}

// learn returns the life of the server. It asks for it if it isn't known, and
// gives the server one if it has none.
func (srv *server) learn(deadline time.Time) (*string, error) {
	if life := srv.life.Load(); life != nil {
		return life, nil
	}
	c, err := srv.pool.take(deadline)
	if err != nil {
		return nil, err
	}
	life, err := srv.ask(c)
	if err != nil && c.used && gone(err) {
		_ = c.Close()
		srv.pool.forget()
		if c, err = srv.pool.dial(deadline); err != nil {
			return nil, err
		}
		life, err = srv.ask(c)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	srv.pool.put(c)
	srv.life.Store(&life)
	return &life, nil
}

func (srv *server) ask(c *conn) (string, error) {
	cmds := []command{
		{verb: 's', mode: 'E', value: []byte(newLife()), ttl: lifeTTL},
		lifeCommand,
	}
	var b []byte
	for i := range cmds {
		b = cmds[i].appendTo(b, srv.key, c.number+uint64(i)+1)
	}
	if _, err := c.Write(b); err != nil {
		return "", err
	}
	var rep reply
	for i := range cmds {
		var err error
		c.number++
		if rep, err = readReply(c.r, &cmds[i], c.number); err != nil {
			return "", err
		}
	}
	if len(rep.value) != lifeSize || !fits(string(rep.value)) {
		return "", fmt.Errorf("%w: life %.20q", errGarbage, rep.value)
	}
	return string(rep.value), nil
}

func newLife() string {
	var b [8]byte
	rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// The kinds of keys. The same letter in upper case is of names that don't fit.
const (
	entryKey  = 'e'
	tagKey    = 't'
	stripeKey = 's'
	claimKey  = 'c'
	plainKey  = 'p'
	clockKey  = 'k'
)

const maxName = 250 - lifeSize - 1

// keyOf returns the key of a name, without the life, and whether the name itself
// isn't in it, but its SHA-256: the value must say then whose it is.
func keyOf(kind byte, name string) (key string, hashed bool) {
	if len(name) <= maxName && fits(name) {
		return string(kind) + name, false
	}
	sum := sha256.Sum256([]byte(name))
	return string(kind-'a'+'A') + base64.RawURLEncoding.EncodeToString(sum[:]), true
}

// fits reports whether memcached takes the bytes in a key.
func fits(name string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f {
			return false
		}
	}
	return true
}
