package redis

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/larderdb/larder/store"
)

// Hold is as store.Store has it. With lease 0 the mark lasts for Options.Lease and
// is renewed in the background.
func (s *Store) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	endless := lease <= 0
	if endless {
		lease = s.opts.Lease
	}
	if _, err := s.whole(ctx, "hold", s.marking(s.steps.hold, id, tags, lease)); err != nil {
		return err
	}
	if endless {
		s.care.add(id, tags)
	}
	return nil
}

// Renew is as store.Store has it.
func (s *Store) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	endless := lease <= 0
	if endless {
		lease = s.opts.Lease
	} else {
		s.care.drop(id, tags)
	}
	all, err := s.whole(ctx, "renew", s.marking(s.steps.renew, id, tags, lease))
	switch {
	case err != nil:
		return err
	case !all:
		return fmt.Errorf("redis: renew: %w", store.ErrLapsed)
	case endless:
		s.care.add(id, tags)
	}
	return nil
}

// Release is as store.Store has it. While it fails the hold is renewed on.
func (s *Store) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	var calls []call
	for _, g := range s.names.group(tags) {
		c := s.call(s.steps.release, g.keys, formID(id))
		c.fresh(len(g.at))
		calls = append(calls, c)
	}
	if _, err := s.whole(ctx, "release", calls); err != nil {
		return err
	}
	s.care.drop(id, tags)
	return nil
}

// marking makes the calls of a step that gives marks a lease.
func (s *Store) marking(sc script, id store.HoldID, tags []store.Tag, lease time.Duration) []call {
	var calls []call
	for _, g := range s.names.group(tags) {
		c := s.call(sc, g.keys, formID(id), strconv.FormatInt(max(min(lease, longest).Milliseconds(), 1), 10))
		c.fresh(len(g.at))
		calls = append(calls, c)
	}
	return calls
}

// formID is the name of a hold in the register; all have one length.
func formID(id store.HoldID) string {
	return fmt.Sprintf("%x", binary.BigEndian.AppendUint64(nil, uint64(id)))
}
