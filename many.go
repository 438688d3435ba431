package larder

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/session"
)

// RememberMany returns the values of keys, each remembered under what key makes of it, as Remember does. One load makes all that are
// missing, and each of them depends on all that it reads. A key of which load returns no value has none: that is remembered,
// too, until what load has read changes. If load fails there are no values. What another caller is making already is waited for;
// processes that share a store don't wait for each other here. RefreshAt is not for these values.
func RememberMany[K comparable, T any](ctx context.Context, c *Cache, key func(K) string, keys []K, load func(ctx context.Context, missing []K) (map[K]T, error), options ...*ValueOptions[T]) (map[K]T, error) {
	var o ValueOptions[T]
	if len(options) > 0 && options[0] != nil {
		o = *options[0]
	}
	if err := o.check(len(options)); err != nil {
		return nil, err
	}
	if c == nil {
		return nil, errNoCache
	}
	if key == nil || load == nil {
		return nil, errors.New("larder: RememberMany: key and load must not be nil")
	}
	if o.RefreshAt != 0 || o.StaleWhileRevalidate {
		return nil, errors.New("larder: RememberMany: ValueOptions.RefreshAt and StaleWhileRevalidate are for Remember")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &batch[K, T]{cache: c, o: o, load: load, of: make(map[string]K), found: make(map[K]T), began: time.Now()}
	if err := m.name(key, keys); err != nil {
		return nil, err
	}
	if err := m.answer(ctx); err != nil {
		return nil, err
	}
	return m.found, nil
}

// A batch is one call for several values.
type batch[K comparable, T any] struct {
	cache *Cache
	o     ValueOptions[T]
	load  func(context.Context, []K) (map[K]T, error)
	names []string     // in the domain, of those that aren't answered yet, in the order of the keys
	of    map[string]K // by name
	found map[K]T
	began time.Time
}

// name tells the names of keys, each once.
func (m *batch[K, T]) name(key func(K) string, keys []K) error {
	for _, k := range keys {
		name := m.cache.valuePrefix + key(k)
		switch before, is := m.of[name]; {
		case !is:
			m.of[name] = k
			m.names = append(m.names, name)
		case before != k:
			return fmt.Errorf("larder: RememberMany: %v and %v are remembered under one key, %q", before, k, name[len(m.cache.valuePrefix):])
		}
	}
	return nil
}

func (m *batch[K, T]) answer(ctx context.Context) error {
	if len(m.names) == 0 {
		return nil
	}
	bypass, refresh := session.Wish(ctx)
	switch {
	case bypass:
		return m.bypass(ctx)
	case refresh:
		for _, name := range m.names {
			m.cache.values.Forget(ctx, name)
		}
		return m.alone(ctx)
	}
	for range maxJoins {
		m.look(ctx)
		if len(m.names) == 0 {
			return nil
		}
		own, others, err := m.cache.flights.boardMany(ctx, m.cache, m.names)
		if err != nil {
			return err
		}
		if own != nil {
			if err := m.make(ctx, own); err != nil {
				return err
			}
		}
		leave, err := m.join(ctx, others)
		if err != nil {
			return err
		}
		if leave {
			break
		}
	}
	if len(m.names) == 0 {
		return nil
	}
	return m.alone(ctx)
}

// one is the question for a single one of the values.
func (m *batch[K, T]) one(name string) *question[T] {
	return &question[T]{cache: m.cache, key: name[len(m.cache.valuePrefix):], name: name, o: m.o, began: m.began}
}

// take answers a name.
func (m *batch[K, T]) take(name string, b *box[T]) {
	if !b.absent {
		m.found[m.of[name]] = m.one(name).copy(b.value)
	}
}

// open drops the names that are answered.
func (m *batch[K, T]) open(answered map[string]bool) {
	var rest []string
	for _, name := range m.names {
		if !answered[name] {
			rest = append(rest, name)
		}
	}
	m.names = rest
}

const looksAtOnce = 16 // into a store where each is a round trip

// look takes what is kept.
func (m *batch[K, T]) look(ctx context.Context) {
	kept := make([]any, len(m.names))
	each := func(i int) {
		if r := m.cache.values.Lookup(ctx, m.names[i], nil, false); r.Outcome == coherence.Hit {
			kept[i] = r.Value
		}
	}
	if m.cache.values.Shared() {
		var all sync.WaitGroup
		for first := range min(looksAtOnce, len(m.names)) {
			all.Go(func() {
				for i := first; i < len(m.names); i += looksAtOnce {
					each(i)
				}
			})
		}
		all.Wait()
	} else {
		for i := range m.names {
			each(i)
		}
	}
	answered := make(map[string]bool)
	for i, name := range m.names {
		if kept[i] == nil {
			continue
		}
		b, why := unboxed[T](kept[i], m.o.Codec)
		q := m.one(name)
		if b == nil {
			m.cache.reasons.note(q.key, why)
			continue
		}
		coherence.Expire(ctx, b.expires)
		m.take(name, b)
		answered[name] = true
		q.tell(ctx, coherence.Hit, "", b.size, nil)
	}
	m.open(answered)
}

func (m *batch[K, T]) bypass(ctx context.Context) error {
	const why = coherence.WhyBypassed
	coherence.Spoil(ctx, why)
	f, err := alone(ctx, m.cache, m.names...)
	if err != nil {
		return err
	}
	loaded, err := m.load(f.within(ctx), m.keys(m.names))
	for _, name := range m.names {
		m.one(name).tell(ctx, coherence.Bypass, why, 0, err)
		if v, ok := loaded[m.of[name]]; ok {
			m.found[m.of[name]] = v
		}
	}
	return err
}

func (m *batch[K, T]) keys(names []string) []K {
	keys := make([]K, len(names))
	for i, name := range names {
		keys[i] = m.of[name]
	}
	return keys
}

func (m *batch[K, T]) alone(ctx context.Context) error {
	f, err := alone(ctx, m.cache, m.names...)
	if err != nil {
		return err
	}
	return m.run(ctx, f)
}

// make makes what the flight is of, unless it turns out to have been made since it was looked for.
func (m *batch[K, T]) make(ctx context.Context, f *flight) error {
	defer m.cache.flights.land(f)
	var missing []string
	answered := make(map[string]bool)
	for _, name := range f.names {
		q := m.one(name)
		if m.cache.values.Shared() { // a round trip each; it would be of little use
			missing = append(missing, name)
			continue
		}
		r := m.cache.values.Lookup(ctx, name, nil, false)
		if r.Outcome == coherence.Hit {
			if b, _ := unboxed[T](r.Value, m.o.Codec); b != nil {
				coherence.Expire(ctx, b.expires)
				m.take(name, b)
				answered[name] = true
				q.tell(ctx, coherence.Hit, "", b.size, nil)
				continue
			}
		}
		missing = append(missing, name)
	}
	m.open(answered)
	if len(missing) == 0 {
		return nil
	}
	return m.runOf(ctx, f, missing)
}

func (m *batch[K, T]) run(ctx context.Context, f *flight) error { return m.runOf(ctx, f, f.names) }

// runOf loads the values of names, and keeps what may be kept.
func (m *batch[K, T]) runOf(ctx context.Context, f *flight, names []string) error {
	defer m.cache.flights.land(f)
	inside, rec := coherence.Record(f.within(ctx))
	f.rec = rec
	m.o.depend(inside, m.cache)
	f.fate = broken
	defer f.caught()
	loaded, err := m.load(inside, m.keys(names))
	f.fate = returned
	if err != nil {
		f.failed(ctx, err)
		m.cache.flights.land(f)
		for _, name := range names {
			m.one(name).tell(ctx, coherence.Miss, "the load failed", 0, err)
		}
		return err
	}
	f.result = m.boxes(names, loaded)
	whys := m.keep(ctx, rec, f, names)
	m.cache.flights.land(f)
	answered := make(map[string]bool)
	for i, name := range names {
		answered[name] = true
		b := f.made(name).(*box[T])
		m.one(name).tell(ctx, outcomeOf(whys[i]), whys[i], b.size, nil)
	}
	for _, k := range m.keys(names) { // loaded is the program's, and may have more
		if v, ok := loaded[k]; ok {
			m.found[k] = v
		}
	}
	m.open(answered)
	return nil
}

// boxes are what is kept of what was loaded, by name.
func (m *batch[K, T]) boxes(names []string, loaded map[K]T) map[string]any {
	boxes := make(map[string]any, len(names))
	for _, name := range names {
		b := &box[T]{}
		if v, ok := loaded[m.of[name]]; ok {
			b.value = m.one(name).copy(v)
		} else {
			b.absent = true
		}
		boxes[name] = b
	}
	return boxes
}

// keep keeps the values of names, and returns why it didn't.
func (m *batch[K, T]) keep(ctx context.Context, rec *coherence.Recording, f *flight, names []string) []string {
	whys := make([]string, len(names))
	for i, name := range names {
		q := m.one(name)
		whys[i] = q.fill(ctx, rec, f.made(name).(*box[T]))
		m.cache.reasons.note(q.key, whys[i])
	}
	rec.Seal(func() {
		for i, name := range names {
			if whys[i] == "" {
				m.cache.late(ctx, m.one(name).key, name)
			}
		}
	})
	return whys
}

// join takes what others have made. It reports whether it is of no use to wait for what is open still.
func (m *batch[K, T]) join(ctx context.Context, others map[string]*flight) (leaves bool, err error) {
	answers := make(map[string]bool)
	defer func() { m.open(answers) }()
	for _, name := range m.names {
		f := others[name]
		if f == nil {
			continue
		}
		b, what, err := m.one(name).joinBox(ctx, f)
		switch {
		case what == leave:
			leaves = true
		case what == answered && err != nil:
			return leaves, err
		case what == answered:
			m.take(name, b)
			answers[name] = true
		}
	}
	return leaves, nil
}
