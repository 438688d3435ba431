package memcached

import (
	"sync"
	"time"
)

// A watch is since when this process has seen marks. A mark whose stamp has
// stayed for its lease wasn't renewed in that time: it has lapsed, whatever the
// clocks of other machines say. Who was paused meanwhile looks at the mark once more before
// it judges.
type watch struct {
	mu    sync.Mutex
	since map[watched]time.Time // guarded by mu
}

type watched struct {
	srv   *server
	key   string
	stamp uint64
}

const maxWatched = 1 << 16

func (w *watch) init() { w.since = make(map[watched]time.Time) }

// see begins to watch the marks of a state that was just seen.
func (w *watch) see(b *batch, key string, st *state) {
	if len(st.marks) == 0 {
		return
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range st.marks {
		of := watched{b.srv, key, m.stamp}
		if _, ok := w.since[of]; ok {
			continue
		}
		if len(w.since) >= maxWatched {
			clear(w.since) // all begin anew: that is later, not wrong
		}
		w.since[of] = now
	}
}

// due reports whether a mark of a state, seen just now, has lapsed.
func (w *watch) due(b *batch, key string, st *state) bool {
	for _, m := range st.marks {
		if w.lapsed(b, key, m) {
			return true
		}
	}
	return false
}

func (w *watch) lapsed(b *batch, key string, m mark) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	since, ok := w.since[watched{b.srv, key, m.stamp}]
	return ok && time.Since(since) >= leaseOf(m)
}

func leaseOf(m mark) time.Duration {
	const longest = uint64(24 * time.Hour / time.Microsecond)
	return time.Duration(min(m.lease, longest)) * time.Microsecond
}

// lapse takes the marks away that have lapsed.
func (w *watch) lapse(b *batch, key string, st *state) {
	var log []record
	for _, m := range st.marks {
		if w.lapsed(b, key, m) {
			log = append(log, record{what: recLapse, of: [3]uint64{m.id, m.stamp}})
		}
	}
	if log != nil {
		b.add(command{verb: 's', mode: 'A', key: key, log: log})
	}
}

// sweep forgets marks that nobody has looked at for long.
func (w *watch) sweep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for of, since := range w.since {
		if time.Since(since) > time.Hour {
			delete(w.since, of)
		}
	}
}
