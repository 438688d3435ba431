package coherence

import (
	"context"
	"encoding/binary"
	"time"
)

// In a shared store the readers of all processes that miss one key at one moment leave the database to one of
// them: the flight's owner in each process claims the key, under the tokens that it has seen, and who isn't the first
// waits for the entry. A claim is a hint. It ends by itself, for its owner may have died; and after a write
// it is of other tokens, so that nobody waits for what a write has overtaken.

const (
	claimTTL   = time.Second
	firstLook  = time.Millisecond
	longestGap = 20 * time.Millisecond
)

// claim claims the key of a miss that may be kept, or waits for who has. It makes r what the wait has come to.
func (d *Domain) claim(ctx context.Context, r *Read, n need) {
	if d.shared == nil || r.Outcome != Miss || r.moved || r.tags == nil {
		return
	}
	name := claimName(r.key, r.tokens)
	for gap := firstLook; ; gap = min(2*gap, longestGap) {
		first, err := d.shared.Claim(ctx, name, claimTTL)
		if first {
			r.claimed = name
		}
		if first && gap == firstLook || err != nil {
			return
		}
		if !first && !d.sleep(ctx, gap) {
			return // who asks has given up, and will hear of it from the database
		}
		v, err := d.store.Lookup(ctx, r.key, n.tags)
		if v.Entry == nil && err == nil && !v.Held && name == claimName(r.key, v.Tokens) {
			if first {
				return
			}
			continue
		}
		seen := d.read(ctx, r.key, n, v, err)
		seen.flight, seen.d, seen.claimed = r.flight, d, r.claimed
		*r = seen
		return
	}
}

// claimName is that of a key under the tokens of its tags.
func claimName(key string, tokens []Token) string {
	name := []byte(key)
	for _, t := range tokens {
		name = binary.LittleEndian.AppendUint64(name, uint64(t))
	}
	return string(name)
}

// unclaim lets another read what this one has not kept.
func (r *Read) unclaim() {
	if r.claimed != "" {
		_ = r.d.shared.Unclaim(context.Background(), r.claimed) // or it ends by itself
		r.claimed = ""
	}
}

// sleep reports whether ctx has lasted.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
