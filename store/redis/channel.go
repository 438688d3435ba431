package redis

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/larderdb/larder/store"
)

var _ store.Channel = (*Store)(nil)

// channel is where messages are published. Redis doesn't tell those of its databases apart.
func (s *Store) channel() string { return s.names.prefix + "m:" + strconv.Itoa(s.opts.DB) }

// Publish is as store.Channel has it. In a cluster the node that the channel's name belongs to is always asked, or messages would overtake each other.
func (s *Store) Publish(ctx context.Context, message []byte) error {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	publish := c.B().Arbitrary("PUBLISH").Keys(s.channel()).Args(rueidis.BinaryString(message)).Build()
	return wrap("publish", c.Do(ctx, publish).Error())
}

// Subscribe is as store.Channel has it. It has a connection of its own, which it makes anew when that is lost.
func (s *Store) Subscribe(ctx context.Context, hear func([]byte), began func()) error {
	o := s.opts.client()
	o.DialCtxFn = func(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
		c, err := s.opts.dial(ctx, addr, d, t)
		if g, ok := c.(*guard); ok {
			g.pushes = true
		}
		return c, err
	}
	for {
		_ = s.receive(ctx, o, hear, began) // until the connection is lost
		if s.isClosed() {
			return errClosed
		}
		select {
		case <-ctx.Done():
			return wrap("subscribe", ctx.Err())
		case <-time.After(dialPause):
		}
	}
}

func (s *Store) receive(ctx context.Context, o rueidis.ClientOption, hear func([]byte), began func()) error {
	c, err := rueidis.NewClient(o)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx = rueidis.WithOnSubscriptionHook(ctx, func(s rueidis.PubSubSubscription) {
		if s.Kind == "subscribe" {
			began()
		}
	})
	return c.Receive(ctx, c.B().Subscribe().Channel(s.channel()).Build(), func(m rueidis.PubSubMessage) { hear([]byte(m.Message)) })
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
