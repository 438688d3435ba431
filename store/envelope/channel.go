package envelope

import (
	"context"
	"crypto/rand"

	"github.com/larderdb/larder/store"
)

// Channel returns the store's channel, on which messages are sealed as values are.
func (s *Store) Channel() (store.Channel, bool) {
	far, ok := store.ChannelOf(s.Shared)
	if !ok || s.names == nil {
		return far, ok
	}
	return channel{s, far}, true
}

type channel struct {
	s   *Store
	far store.Channel
}

// Publish is as store.Channel has it.
func (c channel) Publish(ctx context.Context, message []byte) error {
	head := []byte{version, encrypted}
	nonce := make([]byte, c.s.values[0].NonceSize())
	rand.Read(nonce) // it never fails
	return c.far.Publish(ctx, c.s.values[0].Seal(append(head, nonce...), nonce, message, onChannel(head)))
}

// Subscribe is as store.Channel has it. What can't be opened isn't heard.
func (c channel) Subscribe(ctx context.Context, hear func([]byte), began func()) error {
	return c.far.Subscribe(ctx, func(sealed []byte) {
		if len(sealed) < headSize || sealed[0] != version || sealed[1] != encrypted {
			return
		}
		if message := c.s.unseal(sealed[headSize:], onChannel(sealed[:headSize])); message != nil {
			hear(message)
		}
	}, began)
}

// onChannel is the place of a message, where no entry lies.
func onChannel(head []byte) []byte { return append([]byte("message "), head...) }
