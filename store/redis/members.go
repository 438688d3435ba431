package redis

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/larderdb/larder/store"
)

// Members is as store.Store has it. The set lies in the key of the tag.
func (s *Store) Members(ctx context.Context, tag store.Tag) ([]string, store.Token, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return nil, 0, err
	}
	answer, err := s.do(ctx, c, s.call(s.steps.members, s.tag(tag), newToken()))
	if err != nil {
		return nil, 0, fmt.Errorf("redis: members: %w", err)
	}
	list, err := answer.AsStrSlice()
	if err != nil || len(list) != 2 || len(list[0]) != 8 {
		return nil, 0, errAnswer
	}
	members, ok := parseMembers(list[1])
	if !ok {
		return nil, 0, errAnswer
	}
	return members, parseToken(list[0]), nil
}

// Join is as store.Store has it.
func (s *Store) Join(ctx context.Context, tag store.Tag, token store.Token, member string) (bool, error) {
	return s.whole(ctx, "join", []call{s.call(s.steps.join, s.tag(tag), newToken(), formToken(token), formMember(member))})
}

// Part is as store.Store has it.
func (s *Store) Part(ctx context.Context, tag store.Tag, member string) error {
	_, err := s.whole(ctx, "part", []call{s.call(s.steps.part, s.tag(tag), newToken(), formMember(member))})
	return err
}

// tag returns the keys of a step that is about one tag.
func (s *Store) tag(tag store.Tag) []string { return s.names.group([]store.Tag{tag})[0].keys }

// formMember is a member as it lies in the set: after its length.
func formMember(member string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(member)))) + member
}

func parseMembers(set string) (members []string, ok bool) {
	for len(set) >= 4 {
		n := int(binary.BigEndian.Uint32([]byte(set[:4])))
		if n > len(set)-4 {
			return nil, false
		}
		members, set = append(members, strings.Clone(set[4:4+n])), set[4+n:]
	}
	return members, set == ""
}
