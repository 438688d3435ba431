package larder

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/larderdb/larder/coherence"
)

// A ValueExplanation says what is kept of a remembered value.
type ValueExplanation struct {
	Kept bool // a valid value is kept

	// Depends are the names of what removes it, without those of the databases: "main.stuff?" is every change of a relation,
	// "main.stuff{user_id=42}" that of a slice, "main.stuff{user_id!seen=42}" that of a slice but for UPDATEs of seen
	// alone, "tag:prices;" the program's own.
	Depends []string

	// Why says why what was made last under the key, in this process, was not kept; "" if it was, or if that was long ago.
	Why string
}

// ExplainValue says what is kept under a key of Remember, and why nothing was kept.
func (c *Cache) ExplainValue(ctx context.Context, key string) ValueExplanation {
	x := ValueExplanation{Why: c.reasons.of(key)}
	if e := c.values.Entry(coherence.Unrecorded(ctx), c.valuePrefix+key); e != nil {
		x.Kept = true
		for _, tag := range e.Tags {
			x.Depends = append(x.Depends, tagName(string(tag)))
		}
	}
	return x
}

// tagName is the name of a tag without that of its domain.
func tagName(tag string) string {
	digits, rest, _ := strings.Cut(tag, ":")
	if n, err := strconv.Atoi(digits); err == nil && n >= 0 && n < len(rest) {
		return rest[n+1:]
	}
	return tag
}

// reasons are why values were not kept lately, by key.
type reasons struct {
	any  atomic.Bool // there are some
	mu   sync.Mutex
	why  map[string]string // guarded by mu
	keys []string          // of why, from the oldest; guarded by mu
}

const maxReasons = 1000

// note notes why a value wasn't kept; "" that it was.
func (r *reasons) note(key, why string) {
	if why == "" && !r.any.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.why[key]; !known && why != "" {
		if len(r.keys) == maxReasons {
			delete(r.why, r.keys[0])
			r.keys = append(r.keys[:0], r.keys[1:]...)
		}
		key = strings.Clone(key)
		r.keys = append(r.keys, key)
	} else if !known {
		return
	}
	if r.why == nil {
		r.why = make(map[string]string)
	}
	r.why[key] = why
	r.any.Store(true)
}

func (r *reasons) of(key string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.why[key]
}
