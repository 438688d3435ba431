// Package envelope compresses and encrypts what a store keeps that processes share.
//
// With keys the store sees no names and no values: keys, claims and tags are HMACs, the members of tags are
// sealed so that equal ones are equal, and an entry is sealed by AES-256-GCM together with where it lies: under another key, or
// with other tags or tokens, it can't be opened. What can't be opened is a miss.
//
// The store still tells how many entries there are, how large, which share tags, and when they are asked for. Who may
// write to it can remove what it keeps, and bring back an entry together with the tokens that it had.
package envelope

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/larderdb/larder/store"
)

// Options of an envelope.
type Options struct {
	// Compress is from which size on, in bytes, a value is compressed, if that makes it smaller. 0 means never.
	Compress int

	// Keys are of 32 random bytes each. The first one seals values, and all of them open them; the last one is
	// that of names, by which processes find each other's entries and holds: all processes must have the same
	// last key, as they must have the same servers. To change the key of values, put a new one in the list
	// behind the first in every process, then in front in every process. None means that nothing is encrypted.
	Keys [][]byte
}

// KeySize is the length of a key, in bytes.
const KeySize = 32

var _ store.Shared = (*Store)(nil)

// A Store is a store whose entries are in envelopes.
type Store struct {
	store.Shared // which sees what is hidden
	compress     int
	names        *names        // nil without keys
	values       []cipher.AEAD // the first seals
}

// New returns far in envelopes. It fails if a key has another length than KeySize.
func New(far store.Shared, o Options) (*Store, error) {
	s := &Store{Shared: far, compress: o.Compress}
	for i, key := range o.Keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("envelope: key %d of the list has %d bytes, want %d", i+1, len(key), KeySize)
		}
		s.values = append(s.values, aead(key, "larder values"))
	}
	if n := len(o.Keys); n > 0 {
		s.names = newNames(o.Keys[n-1])
	}
	return s, nil
}

// Lookup is as store.Store has it.
func (s *Store) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	name, hidden := s.names.entry(key), s.names.tags(tags)
	v, err := s.Shared.Lookup(ctx, name, hidden)
	if err != nil || v.Entry == nil {
		return v, err
	}
	if e := s.open(name, v.Entry); e != nil {
		return store.View{Entry: e}, nil
	}
	return s.Shared.Lookup(ctx, "", hidden)
}

// Fill is as store.Store has it.
func (s *Store) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	value, ok := e.Value.(encoding.BinaryAppender)
	if !ok {
		return fmt.Errorf("envelope: fill: %w", store.ErrNotKept)
	}
	name, hidden := s.names.entry(key), s.names.tags(e.Tags)
	plain, err := value.AppendBinary(s.appendTags(nil, e.Tags))
	if err != nil {
		return fmt.Errorf("envelope: fill: %w", err)
	}
	sealed := &store.Entry{Tags: hidden, Tokens: e.Tokens}
	sealed.Value = store.Bytes(s.seal(name, sealed, plain))
	sealed.Size = e.Size
	return s.Shared.Fill(ctx, name, sealed, ttl)
}

// An envelope begins with its version and what was done to what is in it.
const (
	version    = 1
	compressed = 1 << 0
	encrypted  = 1 << 1
	headSize   = 2

	largest = 256 << 20 // bytes that a compressed value may have had
)

// seal makes the envelope of an entry's tags and value.
func (s *Store) seal(name string, e *store.Entry, plain []byte) []byte {
	head := []byte{version, 0}
	if s.compress > 0 && len(plain) >= s.compress && len(plain) <= largest {
		if smaller := s2.Encode(nil, plain); len(smaller) < len(plain) {
			plain, head[1] = smaller, compressed
		}
	}
	if s.names == nil {
		return append(head, plain...)
	}
	head[1] |= encrypted
	nonce := make([]byte, s.values[0].NonceSize())
	rand.Read(nonce) // it never fails
	return s.values[0].Seal(append(head, nonce...), nonce, plain, place(head, name, e))
}

// open returns the entry that is in an envelope, with its own tags; nil if it can't be opened.
func (s *Store) open(name string, e *store.Entry) *store.Entry {
	b, ok := e.Value.(store.Bytes)
	if !ok || len(b) < headSize || b[0] != version || (b[1]&encrypted != 0) != (s.names != nil) {
		return nil
	}
	head, body := b[:headSize:headSize], []byte(b[headSize:])
	if s.names != nil {
		if body = s.unseal(body, place(head, name, e)); body == nil {
			return nil
		}
	}
	if head[1]&compressed != 0 {
		n, err := s2.DecodedLen(body)
		if err != nil || n > largest {
			return nil
		}
		if body, err = s2.Decode(nil, body); err != nil {
			return nil
		}
	}
	tags, value := s.parseTags(body, e.Tags)
	if tags == nil {
		return nil
	}
	return &store.Entry{Value: store.Bytes(value), Size: len(value), Tags: tags, Tokens: e.Tokens}
}

func (s *Store) unseal(body, where []byte) []byte {
	for _, key := range s.values {
		if n := key.NonceSize(); len(body) >= n {
			if plain, err := key.Open([]byte{}, body[:n], body[n:], where); err == nil {
				return plain
			}
		}
	}
	return nil
}

// place is where an entry lies: its head, its key, its tags and their tokens.
func place(head []byte, name string, e *store.Entry) []byte {
	b := append([]byte(nil), head...)
	b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	for i, tag := range e.Tags {
		b = append(binary.AppendUvarint(b, uint64(len(tag))), tag...)
		b = binary.LittleEndian.AppendUint64(b, uint64(e.Tokens[i]))
	}
	return b
}

// appendTags appends the tags of an entry whose store sees only what hides them.
func (s *Store) appendTags(b []byte, tags []store.Tag) []byte {
	if s.names == nil {
		return b
	}
	for _, tag := range tags {
		b = append(binary.AppendUvarint(b, uint64(len(tag))), tag...)
	}
	return b
}

// parseTags returns as many tags as are hidden, and what follows them; nil if there aren't as many.
func (s *Store) parseTags(b []byte, hidden []store.Tag) (tags []store.Tag, rest []byte) {
	if s.names == nil {
		return append([]store.Tag{}, hidden...), b
	}
	tags = make([]store.Tag, len(hidden))
	for i := range tags {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return nil, nil
		}
		tags[i], b = store.Tag(b[used:used+int(n)]), b[used+int(n):]
	}
	return tags, b
}

// Hold is as store.Store has it.
func (s *Store) Hold(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration, look *store.Look) error {
	if look == nil || s.names == nil {
		return s.Shared.Hold(ctx, id, s.names.tags(tags), lease, look)
	}
	hidden := &store.Look{Tags: s.names.tags(look.Tags)}
	if err := s.Shared.Hold(ctx, id, s.names.tags(tags), lease, hidden); err != nil {
		return err
	}
	for _, seen := range hidden.Seen {
		members, err := s.names.open(seen.Members)
		if err != nil {
			return fmt.Errorf("envelope: hold: %w", err)
		}
		look.Seen = append(look.Seen, store.Sight{Token: seen.Token, Members: members})
	}
	return nil
}

// Renew is as store.Store has it.
func (s *Store) Renew(ctx context.Context, id store.HoldID, tags []store.Tag, lease time.Duration) error {
	return s.Shared.Renew(ctx, id, s.names.tags(tags), lease)
}

// Release is as store.Store has it.
func (s *Store) Release(ctx context.Context, id store.HoldID, tags []store.Tag) error {
	return s.Shared.Release(ctx, id, s.names.tags(tags))
}

// Holders is as store.Store has it.
func (s *Store) Holders(ctx context.Context, tag store.Tag) ([]store.HoldID, error) {
	return s.Shared.Holders(ctx, s.names.tag(tag))
}

// Members is as store.Store has it. It fails if one can't be opened: what isn't known must not be left out.
func (s *Store) Members(ctx context.Context, tag store.Tag) ([]string, store.Token, error) {
	hidden, token, err := s.Shared.Members(ctx, s.names.tag(tag))
	if err != nil {
		return nil, 0, err
	}
	members, err := s.names.open(hidden)
	if err != nil {
		return nil, 0, fmt.Errorf("envelope: members: %w", err)
	}
	return members, token, nil
}

// Join is as store.Store has it.
func (s *Store) Join(ctx context.Context, tag store.Tag, token store.Token, member string) (bool, error) {
	return s.Shared.Join(ctx, s.names.tag(tag), token, s.names.member(member))
}

// Part is as store.Store has it.
func (s *Store) Part(ctx context.Context, tag store.Tag, member string) error {
	return s.Shared.Part(ctx, s.names.tag(tag), s.names.member(member))
}

// Remove is as store.Store has it.
func (s *Store) Remove(ctx context.Context, key string) error {
	return s.Shared.Remove(ctx, s.names.entry(key))
}

// Claim is as store.Shared has it.
func (s *Store) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	return s.Shared.Claim(ctx, s.names.claim(key), ttl)
}

// Unclaim is as store.Shared has it.
func (s *Store) Unclaim(ctx context.Context, key string) error {
	return s.Shared.Unclaim(ctx, s.names.claim(key))
}

// errStranger is of a member that was sealed with another key.
var errStranger = errors.New("a member of a tag can't be opened: do all processes have the same last key?")
