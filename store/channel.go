package store

import "context"

// A Channel is what a Shared store may offer besides: messages to all processes that use it. They are hints: each comes at most once.
type Channel interface {
	// Publish sends a message to all who subscribe now, the sender's own process among them.
	Publish(ctx context.Context, message []byte) error

	// Subscribe calls hear with each message, those of one sender in order, until ctx ends or the store is closed, and returns why. It calls began
	// whenever a subscription has begun, at first or after the connection was lost: messages from before may have been lost.
	// Calls come one after the other and must be quick; message belongs to the callee.
	Subscribe(ctx context.Context, hear func(message []byte), began func()) error
}

// ChannelOf returns the channel of a store, or of the one that it stands before.
func ChannelOf(s Store) (c Channel, ok bool) {
	if before, is := s.(interface{ Channel() (Channel, bool) }); is {
		return before.Channel()
	}
	c, ok = s.(Channel)
	return c, ok
}
