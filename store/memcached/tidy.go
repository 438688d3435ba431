package memcached

import (
	"context"
	"errors"
	"sync"
)

// A tidy replaces logs that have grown long by short ones, beside the reads and
// writes that come upon them. It does few at a time; another comes upon the rest.
type tidy struct {
	mu      sync.Mutex
	busy    map[log]bool // guarded by mu, as stopped
	stopped bool
	done    sync.WaitGroup
}

// A log is where a state lies.
type log struct {
	srv    *server
	key    string
	name   string
	hashed bool
}

const (
	longLog  = 2 << 10 // and twice of what it comes to
	tidyMost = 4
)

func (t *tidy) init() { t.busy = make(map[log]bool) }

// begin runs f beside, unless that is done already, or too much is.
func (t *tidy) begin(l log, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped || t.busy[l] || len(t.busy) >= tidyMost {
		return
	}
	t.busy[l] = true
	t.done.Go(func() {
		defer func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			delete(t.busy, l)
		}()
		f()
	})
}

func (t *tidy) stop() {
	t.mu.Lock()
	t.stopped = true
	t.mu.Unlock()
	t.done.Wait()
}

// look has the log shortened if that is worth it.
func (t *tidy) look(s *Store, l log, rep *reply, st *state) {
	if len(rep.value) > longLog {
		t.grown(s, l, len(rep.value))
	}
}

// grown has a log of that size shortened.
func (t *tidy) grown(s *Store, l log, size int) {
	if size > longLog {
		t.begin(l, func() { _ = s.shorten(context.Background(), l, 16) }) // the next who sees it tries again
	}
}

// drop removes what can't be read: it counts as dropped by the server.
func (t *tidy) drop(s *Store, seen place, key string) {
	cas, life := seen.reply().cas, *seen.b.life
	t.begin(log{srv: seen.b.srv, key: key}, func() {
		b := &batch{srv: seen.b.srv, pin: life}
		b.add(command{verb: 'd', key: key, cas: cas})
		_ = s.run(context.Background(), []*batch{b}) // the next who sees it tries again
	})
}

var errBusy = errors.New("memcached: a state changes faster than it can be written")

// shorten replaces a log by the shortest that says the same, if it isn't changed meanwhile.
func (s *Store) shorten(ctx context.Context, l log, tries int) error {
	for range tries {
		look := &batch{srv: l.srv}
		look.add(command{verb: 'g', key: l.key})
		if err := s.run(ctx, []*batch{look}); err != nil {
			return err
		}
		rep := look.replies[0]
		st, ok := parseState(rep.value, l.name, l.hashed)
		if !rep.found || !ok {
			return nil
		}
		short := st.appendTo(nil, l.name, l.hashed)
		if 2*len(short) > len(rep.value) {
			return nil
		}
		// The number of the item means nothing in another life of the server.
		put := &batch{srv: l.srv, pin: *look.life}
		put.add(command{verb: 's', mode: 'S', key: l.key, value: short, cas: rep.cas, ttl: l.ttl()})
		if err := s.run(ctx, []*batch{put}); err != nil || put.replies[0].found {
			return err
		}
	}
	return errBusy
}

func (l log) ttl() int64 {
	if l.key[0] == stripeKey {
		return stripeTTL
	}
	return tagTTL
}
