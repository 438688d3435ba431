package larder

import (
	"errors"
	"sync"

	"github.com/larderdb/larder/session"
	"github.com/larderdb/larder/store"
)

// openRelay connects the cache's receivers with those of other processes, if that is wanted.
func (c *Cache) openRelay() error {
	if !c.options.Signals {
		return nil
	}
	channel, ok := store.ChannelOf(c.store)
	if !ok {
		return errors.New("larder: Options.Signals needs a store with a channel to other processes: Redis or Valkey; memory and memcached have none")
	}
	hub := session.AcquireHub(c.store)
	c.relay = hub.Relay(channel, c.options.Logger)
	c.endRelay = sync.OnceFunc(func() {
		c.relay.Release()
		hub.Release()
	})
	return nil
}

// lostChanges counts what receivers, here and in other processes, could not be told.
func (c *Cache) lostChanges() int64 {
	lost := c.signals.lost.Load()
	if c.relay != nil {
		lost += c.relay.Lost()
	}
	return lost
}
