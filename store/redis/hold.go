package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/larderdb/larder/store"
)

// Hold is as store.Store has it. With lease 0 the mark lasts for Options.Lease and
// is renewed in the background.
func (s *Store) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	endless := lease <= 0
	if endless {
		lease = s.opts.Lease
	} else {
		s.care.drop(id, tags)
	}
	err := s.mark(ctx, id, tags, lease, look)
	if err == nil && endless {
		s.care.add(id, tags)
	}
	return err
}

// mark marks tags and looks at others, in one script for each bucket.
func (s *Store) mark(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	all := tags
	if look != nil {
		all, look.Seen = slices.Concat(tags, look.Tags), make([]store.Sight, len(look.Tags))
	}
	if len(all) == 0 {
		return nil
	}
	groups := s.names.group(all)
	calls := make([]call, len(groups))
	for i, g := range groups {
		marked := sort.SearchInts(g.at, len(tags)) // what is looked at comes behind
		calls[i] = s.call(s.steps.hold, g.keys, formID(id), leaseText(lease))
		calls[i].fresh(marked)
	}
	for i, r := range s.doAll(ctx, c, calls) {
		answer, err := r.AsStrSlice()
		if err != nil {
			return fmt.Errorf("redis: hold: %w", err)
		}
		at := groups[i].at[sort.SearchInts(groups[i].at, len(tags)):]
		if len(answer) != 1+2*len(at) || answer[0] != "held" {
			return fmt.Errorf("redis: hold: %w", errAnswer)
		}
		for n, j := range at {
			if look.Seen[j-len(tags)], err = parseSight(answer[1+2*n], answer[2+2*n]); err != nil {
				return fmt.Errorf("redis: hold: %w", err)
			}
		}
	}
	return nil
}

// parseSight reads a token and members; a tag that is missing has neither.
func parseSight(token, set string) (store.Sight, error) {
	if token == "" && set == "" {
		return store.Sight{}, nil
	}
	members, ok := parseMembers(set)
	if !ok || len(token) != 8 {
		return store.Sight{}, errAnswer
	}
	return store.Sight{Token: parseToken(token), Members: members}, nil
}

// Holders is as store.Store has it: 0 is nobody's, while the register settles.
func (s *Store) Holders(ctx context.Context, tag store.Tag) ([]store.HoldID, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := s.do(ctx, c, s.call(s.steps.holders, s.tag(tag)))
	if err != nil {
		return nil, fmt.Errorf("redis: holders: %w", err)
	}
	texts, err := answer.AsStrSlice()
	if err != nil {
		return nil, errors.Join(errAnswer, err)
	}
	ids := make([]store.HoldID, len(texts))
	for i, text := range texts {
		id, err := strconv.ParseUint(text, 16, 64)
		if err != nil {
			return nil, errors.Join(errAnswer, err)
		}
		ids[i] = store.HoldID(id)
	}
	return ids, nil
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
	case !all || endless && s.care.lost(id):
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
		c := s.call(sc, g.keys, formID(id), leaseText(lease))
		c.fresh(len(g.at))
		calls = append(calls, c)
	}
	return calls
}

func leaseText(lease time.Duration) string {
	return strconv.FormatInt(max(min(lease, longest).Milliseconds(), 1), 10)
}

// formID is the name of a hold in the register; all have one length.
func formID(id store.HoldID) string {
	return fmt.Sprintf("%x", binary.BigEndian.AppendUint64(nil, uint64(id)))
}
