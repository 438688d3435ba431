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
	if r.Outcome != Miss || r.moved || r.tags == nil {
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

// Await has one process of those that share a store make what is kept under key, of which no dependencies are known before. It
// reports whether the caller is the one, who must call done whatever happens; or what another has made, as Lookup does; or
// neither, when the wait or ctx has come to its end, or the store failed. A claim is of a key alone: it is given back by who is done,
// and a write that comes meanwhile leaves nothing valid to find.
func (d *Domain) Await(ctx context.Context, key string, wait time.Duration) (found Read, done func()) {
	until := d.now() + wait
	for gap := firstLook; ; gap = min(2*gap, longestGap) {
		first, done, err := d.Claim(ctx, key, wait)
		switch {
		case err != nil:
			return Read{Outcome: Miss}, done
		case !first && d.isFenced(): // what another makes isn't for this process
			return Read{Outcome: Held}, done
		case first:
			// Who has given the claim back may have filled since the caller looked.
			return d.Lookup(ctx, key, nil, false), done
		case d.now() >= until || !d.sleep(ctx, gap):
			return Read{Outcome: Miss}, done
		}
		if r := d.Lookup(ctx, key, nil, false); r.Outcome == Hit {
			return r, nothing
		}
	}
}

// Claim is Await for who doesn't wait: it reports whether the caller is the one. In a store of this process's own everybody is.
func (d *Domain) Claim(ctx context.Context, key string, ttl time.Duration) (first bool, done func(), err error) {
	if d.shared == nil {
		return true, nothing, nil
	}
	name := key + "\x00made"
	if first, err = d.shared.Claim(ctx, name, ttl); !first || err != nil {
		return false, nothing, err
	}
	return true, func() { _ = d.shared.Unclaim(context.WithoutCancel(ctx), name) }, nil // or it ends by itself
}

func nothing() {}
