package larder

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/store"
)

// A space is a namespace of plain values in a store. Its generation, a random text that never was and never will be another's, is a
// plain value itself, and begins the keys of all others; so who removes it has removed them. A generation that the store has
// lost is made anew, as another one: what was kept under the lost one can't come back.
//
// The last generation seen is remembered, and looked at beside each op, in the same round trip. What was done under one
// that is no longer that of the space has no effect, and is done again.
type space struct {
	name       string
	store      store.Plain
	key        string // of the generation
	generation atomic.Pointer[string]
	flights    plainFlights
}

// spaces are those of a cache.
type spaces struct {
	store store.Store
	name  string // sets them apart from those of other caches in the store

	mu sync.Mutex
	m  map[string]*space // by namespace; guarded by mu
}

func (s *spaces) open(namespace string) (*space, error) {
	plain, ok := s.store.(store.Plain)
	if !ok {
		return nil, fmt.Errorf("larder: a %T keeps no plain values: it isn't a store.Plain", s.store)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[string]*space)
	}
	if s.m[namespace] == nil {
		key := generationPrefix + strconv.Itoa(len(s.name)) + ":" + s.name + namespace
		s.m[namespace] = &space{name: namespace, store: plain, key: key}
	}
	return s.m[namespace], nil
}

const (
	generationPrefix = "g"
	valuePrefix      = "v"
	generationSize   = 26 // of rand.Text
	headSize         = len(valuePrefix) + generationSize

	manyOps = 1000 // that go to the store at once
	tries   = 16   // of a space that is cleared all the time
)

var errCleared = errors.New("the namespace is cleared again and again")

// do does ops on the values under their keys behind tail, under the generation of the space, which it returns. ops should have room for one
// more. It fails if the generation can't be told: some may have been done nevertheless.
func (s *space) do(ctx context.Context, tail string, ops []store.PlainOp) (string, error) {
	for try := range tries {
		generation, err := s.current(ctx)
		if err != nil {
			return "", err
		}
		for i := range ops {
			key := ops[i].Key
			if try > 0 {
				key = key[headSize+len(tail):]
			}
			ops[i].Reset()
			ops[i].Key = valuePrefix + generation + tail + key
		}
		all := append(ops, store.PlainOp{Verb: store.PlainGet, Key: s.key})
		s.store.Plain(ctx, all)
		look := &all[len(ops)]
		copy(ops, all)
		switch {
		case look.Err != nil:
			return "", look.Err
		case look.Done && string(look.Found) == generation:
			return generation, nil
		}
		s.see(look)
	}
	return "", errCleared
}

// current is the generation of the space, as it is remembered; else the store's, or a new one.
func (s *space) current(ctx context.Context) (string, error) {
	if g := s.generation.Load(); g != nil {
		return *g, nil
	}
	for range tries {
		fresh := rand.Text()
		ops := []store.PlainOp{{Verb: store.PlainAdd, Key: s.key, Value: []byte(fresh), TTL: NoExpiry}}
		s.store.Plain(ctx, ops)
		if ops[0].Err != nil {
			return "", ops[0].Err
		}
		if ops[0].Done {
			s.generation.Store(&fresh)
			return fresh, nil
		}
		ops[0] = store.PlainOp{Verb: store.PlainGet, Key: s.key}
		s.store.Plain(ctx, ops)
		if ops[0].Err != nil {
			return "", ops[0].Err
		}
		if g := s.see(&ops[0]); g != "" {
			return g, nil
		}
	}
	return "", errCleared
}

// see remembers the generation that a look has found.
func (s *space) see(look *store.PlainOp) string {
	if !look.Done || len(look.Found) != generationSize {
		s.generation.Store(nil)
		return ""
	}
	g := string(look.Found)
	s.generation.Store(&g)
	return g
}

func (s *space) clear(ctx context.Context) error {
	ops := []store.PlainOp{{Verb: store.PlainDelete, Key: s.key}}
	s.store.Plain(ctx, ops)
	s.generation.Store(nil)
	if err := ops[0].Err; err != nil {
		return fmt.Errorf("larder: clear bucket %q: %w", s.name, err)
	}
	return nil
}
