package near

import (
	"context"
	"time"

	"github.com/larderdb/larder/store"
)

// Bounded is how long a copy is served after it was found valid, without asking.
func (s *Store) Bounded() time.Duration { return s.o.Bounded }

// Due reports whether it is time to Prove the copy under key: half of the time has passed for which it is served without
// asking. It says so once in that time.
func (s *Store) Due(ctx context.Context, key string) bool {
	c := s.copyOf(ctx, key)
	if c == nil {
		return false
	}
	now, checked, due := s.now(), c.checked.Load(), c.due.Load()
	return checked != 0 && now-max(checked, due) >= int64(s.o.Bounded/2) && c.due.CompareAndSwap(due, now)
}

// Prove asks the far store about the copy under key, however lately it was found valid, so that it is served without asking for as
// long again. If it has changed, what another process may have filled since takes its place. It reports whether there is a copy
// now that is valid.
//
// A copy that has changed stays, and is served as long as it would have been: from the moment at which it was found valid last.
func (s *Store) Prove(ctx context.Context, key string) (valid bool, err error) {
	ctx = store.Anew(ctx)
	for range 2 { // what has taken its place is asked for as well: see keep
		c := s.copyOf(ctx, key)
		if c == nil {
			return false, nil
		}
		if v, err := s.judge(ctx, c); err != nil || v.Entry != nil {
			return v.Entry != nil, err
		}
		if v, err := s.fetch(ctx, key, c.entry.Tags); err != nil || v.Entry == nil {
			return false, err
		}
	}
	return false, nil
}
