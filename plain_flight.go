package larder

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/larderdb/larder/store"
)

// GetOrSet returns the value under a key; if there is none, that which fn makes, which it adds. Of several callers in this process one
// runs fn, with its own context, and the others wait for what comes of that: the value, which each of them reads for itself, the error of fn, which isn't
// kept, or its panic. If the context of the one ends, another runs it. If somebody has set a value meanwhile, that is returned; what
// was begun before a Clear isn't found after it.
//
// A function that asks for what it makes, by itself or through others', gets ErrRecursive. Who has waited for five seconds runs fn by itself, and keeps nothing.
//
// It doesn't fail because of the store: if that can't be asked, or can't keep the value, fn makes it each time.
func (b *Bucket[T]) GetOrSet(ctx context.Context, key string, fn func(context.Context) (T, error), ttl ...time.Duration) (T, error) {
	var zero T
	life, err := b.life(ttl)
	if fn == nil {
		err = errors.New("no function to make it")
	}
	if err != nil {
		return zero, b.failed("get or set", key, err)
	}
	for {
		if err := ctx.Err(); err != nil {
			return zero, b.failed("get or set", key, err)
		}
		l := b.look(ctx, key)
		if l.state == lookFound {
			return l.value, nil
		}
		k := plainKey{l.generation, b.tail + key, reflect.TypeFor[T]()}
		if makingOf(ctx, k) {
			return zero, b.failed("get or set", key, ErrRecursive)
		}
		f, own := b.space.flights.board(k)
		if own {
			return b.fly(context.WithValue(ctx, plainFlightKey{}, &plainWithin{k, ctx}), f, key, life, fn)
		}
		if !hasLanded(ctx, f) {
			return fn(ctx)
		}
		if ctx.Err() != nil {
			continue
		}
		switch {
		case f.panicked:
			panic(f.panic)
		case f.left:
			continue
		case f.err != nil:
			return zero, f.err
		}
		value, err := b.decode(f.data)
		if err != nil {
			err = b.failed("get or set", key, err)
		}
		return value, err
	}
}

type plainFlightKey struct{}

// plainWithin says which key's function a context is of, and under which one that was called.
type plainWithin struct {
	key   plainKey
	outer context.Context
}

// makingOf reports whether the function that makes a key has called, by itself or through others'.
func makingOf(ctx context.Context, key plainKey) bool {
	for {
		w, ok := ctx.Value(plainFlightKey{}).(*plainWithin)
		if !ok {
			return false
		}
		if w.key == key {
			return true
		}
		ctx = w.outer
	}
}

// hasLanded waits until a flight has landed or ctx has ended, but not for ever: two functions may each wait for what the other one makes.
func hasLanded(ctx context.Context, f *plainFlight) bool {
	timer := time.NewTimer(defaultWait)
	defer timer.Stop()
	select {
	case <-f.landed:
	case <-ctx.Done():
	case <-timer.C:
		return false
	}
	return true
}

// A looked is what GetOrSet has seen of a key.
type looked[T any] struct {
	value      T
	generation string // under which that is; "" if the store couldn't be asked
	state      lookState
}

type lookState uint8

const (
	lookMissing lookState = iota
	lookFound
	lookStrange // there is what can't be read
)

func (b *Bucket[T]) look(ctx context.Context, key string) (l looked[T]) {
	ops := make([]store.PlainOp, 1, 2)
	ops[0].Key = key
	generation, err := b.space.do(ctx, b.tail, ops)
	if err != nil || ops[0].Err != nil {
		return l
	}
	l.generation = generation
	if !ops[0].Done {
		return l
	}
	if l.value, err = b.decode(ops[0].Found); err != nil {
		l.state = lookStrange
		return l
	}
	l.state = lookFound
	return l
}

// fly looks once more, as another may have landed since the last look, runs fn, and keeps what it makes.
func (b *Bucket[T]) fly(ctx context.Context, f *plainFlight, key string, life time.Duration, fn func(context.Context) (T, error)) (value T, err error) {
	f.left = true // unless this comes to its end
	defer b.space.flights.land(f)
	verb := store.PlainAdd
	if f.key.generation != "" {
		switch l := b.look(ctx, key); l.state {
		case lookFound:
			return l.value, b.bring(f, key, l.value)
		case lookStrange: // it must not keep the new one away
			verb = store.PlainSet
		}
	}
	if value, err = b.run(ctx, f, fn); err != nil {
		f.err, f.left = err, ctx.Err() != nil
		return value, err
	}
	if err = b.bring(f, key, value); err != nil || life <= 0 || b.put(ctx, verb, f, life) {
		return value, err
	}
	if l := b.look(ctx, key); l.state == lookFound {
		value, err = l.value, b.bring(f, key, l.value)
	}
	return value, err
}

// bring has the others get a value.
func (b *Bucket[T]) bring(f *plainFlight, key string, value T) error {
	f.left = false
	if f.data, f.err = b.encode(value); f.err != nil {
		f.err = b.failed("get or set", key, f.err)
	}
	return f.err
}

// run runs fn. Its panic goes on, to the others as well.
func (b *Bucket[T]) run(ctx context.Context, f *plainFlight, fn func(context.Context) (T, error)) (T, error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if r := recover(); r != nil { // nil if the goroutine ends: then another caller runs fn
			f.panic, f.panicked = r, true
			panic(r)
		}
	}()
	value, err := fn(ctx)
	returned = true
	return value, err
}

// put keeps what a flight has made under the generation in which it began, and reports whether the store has it, or can't keep it: not
// that another's is there.
func (b *Bucket[T]) put(ctx context.Context, verb store.PlainVerb, f *plainFlight, life time.Duration) bool {
	if f.key.generation == "" {
		return true
	}
	ops := []store.PlainOp{{Verb: verb, Key: valuePrefix + f.key.generation + f.key.tail, Value: f.data, TTL: life}}
	b.space.store.Plain(context.WithoutCancel(ctx), ops) // it is made
	return ops[0].Done || ops[0].Err != nil
}

// plainFlights are the runs of functions under way, by what they make.
type plainFlights struct {
	mu sync.Mutex
	m  map[plainKey]*plainFlight // guarded by mu
}

type plainKey struct {
	generation string
	tail       string
	of         reflect.Type
}

// A plainFlight is one run. What came of it is set when it has landed.
type plainFlight struct {
	key      plainKey
	landed   chan struct{}
	data     []byte // the value as it is written
	err      error
	panic    any
	panicked bool
	left     bool // nothing came of it, for a reason of its owner's own
}

// board returns the flight of a key, and whether it is the caller's own, who has to land it.
func (s *plainFlights) board(key plainKey) (f *plainFlight, own bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.m[key]; f != nil {
		return f, false
	}
	if s.m == nil {
		s.m = make(map[plainKey]*plainFlight)
	}
	f = &plainFlight{key: key, landed: make(chan struct{})}
	s.m[key] = f
	return f, true
}

func (s *plainFlights) land(f *plainFlight) {
	s.mu.Lock()
	delete(s.m, f.key)
	s.mu.Unlock()
	close(f.landed)
}
