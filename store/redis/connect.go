package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	dialWithin  = 2 * time.Second
	silentFor   = time.Second            // after which a connection is asked for a sign of life
	dialPause   = 100 * time.Millisecond // between tries to connect
	askSentinel = 2 * time.Second        // who the master is, in case its word got lost
)

// dialling is one try to connect. Once it is done client or err is set.
type dialling struct {
	done   chan struct{}
	ended  time.Time
	client rueidis.Client
	err    error
}

// client returns the connection. The first callers wait for it, as long as they
// may; it is made all the same. Once there is one, it comes back by itself.
func (s *Store) client(ctx context.Context) (rueidis.Client, error) {
	d, err := s.dialled()
	if err != nil {
		return nil, err
	}
	select {
	case <-d.done:
	default:
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("redis: connect: %w", ctx.Err())
		}
	}
	if d.err != nil {
		return nil, fmt.Errorf("redis: connect: %w", d.err)
	}
	return d.client, nil
}

// dialled returns the last try to connect, or a new one.
func (s *Store) dialled() (*dialling, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if d := s.dial; d != nil && !d.failed() {
		return d, nil
	}
	s.dial = &dialling{done: make(chan struct{})}
	go s.dial.run(s.opts.client())
	return s.dial, nil
}

// failed reports whether the try has failed, long enough ago for another.
func (d *dialling) failed() bool {
	select {
	case <-d.done:
		return d.err != nil && time.Since(d.ended) >= dialPause
	default:
		return false
	}
}

func (d *dialling) run(o rueidis.ClientOption) {
	d.client, d.err = rueidis.NewClient(o)
	d.ended = time.Now()
	close(d.done)
}

// client returns the options of the client. It never sends a command twice: that
// would give a token twice.
func (o *Options) client() rueidis.ClientOption {
	c := rueidis.ClientOption{
		InitAddress:       o.Addresses,
		Username:          o.Username,
		Password:          o.Password,
		SelectDB:          o.DB,
		TLSConfig:         o.TLS,
		Dialer:            net.Dialer{Timeout: dialWithin, KeepAlive: silentFor},
		ConnWriteTimeout:  dialWithin,
		DialCtxFn:         o.dial,
		DisableCache:      true,
		DisableRetry:      true,
		ClientSetInfo:     rueidis.DisableClientSetInfo, // a command less that a user must be allowed
		AlwaysPipelining:  true,                         // so that who gives up leaves the connection to others
		ForceSingleClient: !o.Cluster && o.Master == "",
	}
	if o.Master != "" {
		c.Sentinel = rueidis.SentinelOption{
			MasterSet:               o.Master,
			Username:                o.SentinelUsername,
			Password:                o.SentinelPassword,
			TLSConfig:               o.TLS,
			Dialer:                  c.Dialer,
			TopologyRefreshInterval: askSentinel,
		}
	}
	return c
}

// dial connects to a host and port, or to a socket by its path.
func (o *Options) dial(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	open := d.DialContext
	if t != nil {
		open = (&tls.Dialer{NetDialer: d, Config: t}).DialContext
	}
	c, err := open(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &guard{Conn: c, pushes: o.Master != ""}, nil
}
