package memcached

import (
	"context"
	"fmt"
	"time"

	"github.com/larderdb/larder/store"
)

// evict drops a key of the server of a name, as memcached may at any time.
func (s *Store) evict(srv *server, key string) error {
	b := &batch{srv: srv}
	b.add(command{verb: 'd', key: key})
	return s.run(context.Background(), []*batch{b})
}

// EvictTag drops the state of a tag.
func (s *Store) EvictTag(tag store.Tag) error {
	key, _ := keyOf(tagKey, string(tag))
	return s.evict(s.home(string(tag)), key)
}

// EvictStripe drops the stripe of a tag.
func (s *Store) EvictStripe(tag store.Tag) error {
	st := s.stripeOf(string(tag))
	return s.evict(st.srv, st.key())
}

// SpoilStripe makes the stripe of a tag one that nobody can read.
func (s *Store) SpoilStripe(tag store.Tag) error {
	st := s.stripeOf(string(tag))
	b := &batch{srv: st.srv}
	b.add(command{verb: 's', mode: 'S', key: st.key(), value: []byte("garbage")})
	return s.run(context.Background(), []*batch{b})
}

// EvictEntry drops the entry under key.
func (s *Store) EvictEntry(key string) error {
	name, _ := keyOf(entryKey, key)
	return s.evict(s.serverOf(key), name)
}

// EvictLife drops the life of the server of a tag.
func (s *Store) EvictLife(tag store.Tag) error {
	_, err := s.ofLife(tag, "md %s\r\n")
	return err
}

// EvictClock drops the clock of the server of a plain value.
func (s *Store) EvictClock(key string) error { return s.evict(s.serverOf(key), string(clockKey)) }

// LifeLeft returns for how many seconds the life lasts if nobody asks for it.
func (s *Store) LifeLeft(tag store.Tag) (n int, err error) {
	line, err := s.ofLife(tag, "mg %s t\r\n")
	if err == nil {
		_, err = fmt.Sscanf(line, "HD t%d", &n)
	}
	return n, err
}

func (s *Store) ofLife(tag store.Tag, format string) (string, error) {
	srv := s.home(string(tag))
	c, err := srv.pool.dial(time.Now().Add(s.o.Timeout))
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, format, srv.key); err != nil {
		return "", err
	}
	line, err := readLine(c.r)
	return string(line), err
}

// Servers returns how many of the tags are on each server.
func (s *Store) Servers(tags []store.Tag) []int {
	n := make([]int, len(s.servers))
	for _, tag := range tags {
		n[s.home(string(tag)).at]++
	}
	return n
}

// Put writes what isn't an entry, or a state, where one would be.
func (s *Store) Put(kind byte, name, value string) error {
	b := &batch{srv: s.serverOf(name)}
	key, _ := keyOf(kind, name)
	b.add(command{verb: 's', mode: 'S', key: key, value: []byte(value), ttl: 100})
	return s.run(context.Background(), []*batch{b})
}

// Get returns what is under the key of a name.
func (s *Store) Get(kind byte, name string) (string, error) {
	b := &batch{srv: s.serverOf(name)}
	key, _ := keyOf(kind, name)
	b.add(command{verb: 'g', key: key})
	if err := s.run(context.Background(), []*batch{b}); err != nil {
		return "", err
	}
	return string(b.replies[0].value), nil
}

// The kinds of keys.
const (
	EntryKey = entryKey
	TagKey   = tagKey
)

// MultiGet gets the keys of an entry and of tags, and looks at nothing.
func (s *Store) MultiGet(key string, tags []store.Tag) error {
	bs := s.batches()
	name, _ := keyOf(entryKey, key)
	bs.at(key).add(command{verb: 'g', key: name})
	for _, tag := range tags {
		name, _ := keyOf(tagKey, string(tag))
		bs.home(string(tag)).add(command{verb: 'g', key: name})
	}
	return bs.run(context.Background())
}

// ErrMoved is of a step during which the server has forgotten everything, twice.
var ErrMoved = errMoved
