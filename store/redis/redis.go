// Package redis keeps entries in Redis or Valkey, where several processes share them.
//
// Each step of the protocol is one script, which the server runs whole; a step is
// one round trip, but for the read of an entry in a cluster, which is two: the entry
// first, then its tags. Directory lua holds the scripts, and common.lua says how
// tags lie in the server. In a cluster tags are divided among buckets, each in one
// slot, and a step is one script a bucket.
//
// What a server has lost, by eviction, by a restart, by a failover to a replica
// that lags, is never served again in an older state: see docs/design/0006-redis.md,
// which also says what is not covered.
package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/larderdb/larder/store"
	"github.com/larderdb/larder/store/wire"
)

var (
	errClosed = fmt.Errorf("redis: %w", store.ErrClosed)
	errAnswer = errors.New("redis: the server's answer is no answer to the question")
)

var _ store.Shared = (*Store)(nil)

// A Store is a store.Store in a Redis server, or in several of them. Entries whose
// Value is no encoding.BinaryAppender it doesn't keep; the Value of those that it
// finds is of type store.Bytes. All methods take at most Options.Timeout, but for
// the first ones, which connect.
type Store struct {
	opts   Options
	names  names
	steps  steps
	settle string // ARGV[1] of the scripts
	care   care   // for holds without a lease

	guesses guesses
	era     func(info string) string // eraOf, but in tests

	mu     sync.Mutex // guards what follows
	dial   *dialling  // the connection, or the last try to make it
	closed bool
}

// New opens the store that url names: see ParseURL.
func New(url string) (*Store, error) {
	o, err := ParseURL(url)
	if err != nil {
		return nil, err
	}
	return Open(o)
}

// Open returns a store with these options. It fails if they make no sense, and
// doesn't connect: the first use does.
func Open(o Options) (*Store, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Store{
		opts:   o,
		names:  names{prefix: o.Prefix, cluster: o.Cluster},
		steps:  newSteps(nil),
		era:    eraOf,
		settle: fmt.Sprint(max(o.Settle, 0).Milliseconds()),
	}
	s.guesses.seed = maphash.MakeSeed()
	s.care.init(s, o.Lease)
	return s, nil
}

// Lookup is as store.Store has it. One script reads the entry, the tokens and the
// holds, so nothing comes in between; in a cluster the entry is read before.
func (s *Store) Lookup(ctx context.Context, key string, tags []store.Tag) (store.View, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return store.View{}, err
	}
	if key != "" && s.names.cluster {
		return s.lookupApart(ctx, c, key, tags)
	}
	if !s.names.cluster {
		if v, enough, err := s.quick(ctx, c, key, tags); enough || err != nil {
			return v, wrap("lookup", err)
		}
	}
	return s.lookupAtOnce(ctx, c, key, tags)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redis: %s: %w", what, err)
}

// lookupAtOnce has the script judge the entry.
func (s *Store) lookupAtOnce(ctx context.Context, c rueidis.Client, key string, tags []store.Tag) (store.View, error) {
	if key == "" {
		seen, err := s.look(ctx, c, tags)
		return seen.view(len(tags)), err
	}
	g := s.names.bucketOf(tags)
	call := s.call(s.steps.lookup, append(g.keys, s.names.entry(key)), s.names.tagPrefix())
	call.fresh(len(tags))
	answer, err := s.do(ctx, c, call)
	if err != nil {
		return store.View{}, fmt.Errorf("redis: lookup: %w", err)
	}
	if answer.IsString() {
		if e := parse(key, answer); e != nil {
			return store.View{Entry: e}, nil
		}
		return s.lookupAtOnce(ctx, c, "", tags) // it is damaged
	}
	seen := newSight(len(tags))
	if err := seen.add(answer, g); err != nil {
		return store.View{}, err
	}
	return seen.view(len(tags)), nil
}

// lookupApart reads the entry, and after that its tags together with those asked for.
func (s *Store) lookupApart(ctx context.Context, c rueidis.Client, key string, tags []store.Tag) (store.View, error) {
	answer, err := c.Do(ctx, c.B().Get().Key(s.names.entry(key)).Build()).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		return store.View{}, fmt.Errorf("redis: get: %w", err)
	}
	var e *store.Entry
	all := tags
	if err == nil {
		if e = parse(key, answer); e != nil {
			all = append(append(make([]store.Tag, 0, len(tags)+len(e.Tags)), tags...), e.Tags...)
		}
	}
	seen, err := s.look(ctx, c, all)
	if err != nil {
		return store.View{}, err
	}
	if e != nil && seen.valid(len(tags), e.Tokens) {
		return store.View{Entry: e}, nil
	}
	return seen.view(len(tags)), nil
}

// look reads tokens and holds of tags.
func (s *Store) look(ctx context.Context, c rueidis.Client, tags []store.Tag) (sight, error) {
	seen := newSight(len(tags))
	if len(tags) == 0 {
		return seen, nil
	}
	groups := s.names.group(tags)
	calls := make([]call, len(groups))
	for i, g := range groups {
		calls[i] = s.call(s.steps.lookup, g.keys, "")
		calls[i].fresh(len(g.at))
	}
	for i, r := range s.doAll(ctx, c, calls) {
		answer, err := r.ToMessage()
		if err == nil {
			err = seen.add(answer, groups[i])
		}
		if err != nil {
			return sight{}, fmt.Errorf("redis: look: %w", err)
		}
	}
	return seen, nil
}

// A sight is what was seen of tags.
type sight struct {
	tokens []store.Token
	held   []bool
}

func newSight(n int) sight { return sight{make([]store.Token, n), make([]bool, n)} }

// add takes what the script answers of the tags of one bucket.
func (v sight) add(answer rueidis.RedisMessage, g group) error {
	list, err := answer.ToArray()
	if err != nil || len(list) != len(g.at)+1 {
		return errors.Join(errAnswer, err)
	}
	flags, err := list[0].ToString()
	if err != nil || len(flags) != len(g.at) {
		return errors.Join(errAnswer, err)
	}
	for i, at := range g.at {
		token, err := list[i+1].ToString()
		if err != nil || len(token) != 8 {
			return errors.Join(errAnswer, err)
		}
		v.tokens[at], v.held[at] = parseToken(token), flags[i] != '-'
	}
	return nil
}

// view is what a reader sees who has asked for the first n tags.
func (v sight) view(n int) store.View {
	if v.tokens == nil {
		return store.View{}
	}
	view := store.View{Tokens: v.tokens[:n:n]}
	for _, held := range v.held[:n] {
		view.Held = view.Held || held
	}
	return view
}

// valid reports whether the tags from n on have these tokens and are not held.
func (v sight) valid(n int, tokens []store.Token) bool {
	for i, token := range tokens {
		if v.tokens[n+i] != token || v.held[n+i] {
			return false
		}
	}
	return true
}

// parse returns the entry that a key has, or nil.
func parse(key string, answer rueidis.RedisMessage) *store.Entry {
	data, err := answer.AsBytes()
	if err != nil {
		return nil
	}
	return wire.Parse(key, data)
}

// Fill is as store.Store has it. It keeps nothing of values that can't be written.
func (s *Store) Fill(ctx context.Context, key string, e *store.Entry, ttl time.Duration) error {
	if key == "" || ttl < time.Millisecond {
		return fmt.Errorf("redis: fill: %w", store.ErrNotKept)
	}
	data, ok, err := wire.Append(nil, key, e)
	if err != nil {
		return err
	}
	if !ok || len(data) > longString {
		return fmt.Errorf("redis: fill: %w", store.ErrNotKept)
	}
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	set := c.B().Set().Key(s.names.entry(key)).Value(rueidis.BinaryString(data)).PxMilliseconds(min(ttl, longest).Milliseconds())
	if err := c.Do(ctx, set.Build()).Error(); err != nil {
		return fmt.Errorf("redis: fill: %w", err)
	}
	return nil
}

// Lease is as store.Shared has it.
func (s *Store) Lease() time.Duration { return s.opts.Lease }

// Claim is as store.Shared has it.
func (s *Store) Claim(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return false, err
	}
	set := c.B().Set().Key(s.names.claim(key)).Value("").Nx().PxMilliseconds(max(ttl.Milliseconds(), 1))
	err = c.Do(ctx, set.Build()).Error()
	if rueidis.IsRedisNil(err) {
		return false, nil
	}
	return err == nil, wrap("claim", err)
}

// Unclaim is as store.Shared has it.
func (s *Store) Unclaim(ctx context.Context, key string) error {
	return s.delete(ctx, "unclaim", s.names.claim(key))
}

// longest is a life that every server can add to its clock.
const longest = 100 * 365 * 24 * time.Hour

// Remove drops the entry under key.
func (s *Store) Remove(ctx context.Context, key string) error {
	return s.delete(ctx, "remove", s.names.entry(key))
}

func (s *Store) delete(ctx context.Context, what, name string) error {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	return wrap(what, c.Do(ctx, c.B().Del().Key(name).Build()).Error())
}

// limit ends an operation in time.
func (s *Store) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= s.opts.Timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.opts.Timeout)
}

// Tokens lie in the server as eight bytes, the most significant first.
func parseToken(b string) store.Token {
	return store.Token(binary.BigEndian.Uint64([]byte(b)))
}

func formToken(t store.Token) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(t)))
}

// newToken is a token that was never given before, by any process: 64 random bits.
func newToken() string {
	for {
		if t := rand.Uint64(); t != 0 {
			return formToken(store.Token(t))
		}
	}
}

// Close ends the use of the store. Holds without a lease are no longer renewed.
func (s *Store) Close() error {
	s.care.end()
	s.mu.Lock()
	d := s.dial
	s.closed, s.dial = true, nil
	s.mu.Unlock()
	if d != nil {
		<-d.done
		if d.client != nil {
			d.client.Close()
		}
	}
	return nil
}

// Stats asks the servers, of which other users may have a share: Bytes and MaxBytes
// are the memory that they use and may use, 0 for no bound. How many entries and
// tags there are isn't known. If a server doesn't answer it isn't counted.
func (s *Store) Stats() store.Stats {
	ctx, cancel := s.limit(context.Background())
	defer cancel()
	var total store.Stats
	c, err := s.client(ctx)
	if err != nil {
		return total
	}
	for _, node := range s.masters(c) {
		text, err := node.Do(ctx, node.B().Info().Build()).ToString()
		if err != nil || !strings.Contains(text, "role:master") {
			continue
		}
		total.Bytes += figure(text, "used_memory:")
		total.MaxBytes += figure(text, "maxmemory:")
		total.Evictions += figure(text, "evicted_keys:")
	}
	return total
}

func (s *Store) masters(c rueidis.Client) map[string]rueidis.Client {
	if s.names.cluster {
		return c.Nodes()
	}
	return map[string]rueidis.Client{"": c}
}

// figure returns the number that follows a name in the answer to INFO.
func figure(text, name string) (n int64) {
	_, after, _ := strings.Cut(text, "\n"+name)
	_, _ = fmt.Sscan(after, &n) // 0 where it isn't told
	return n
}
