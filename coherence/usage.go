package coherence

import (
	"slices"
	"sync"
	"time"
)

// MaxShapes is how many shapes of a relation are in use at most, unless Options say.
const MaxShapes = 8

const (
	idleShape  = time.Minute // a shape that this process hasn't read by for so long may give way
	retireOnce = time.Hour   // how long one that was retired for that isn't again

	usesPerShape = 4 // of how many shapes the last use is known, for each that there may be
)

// A usage is which shapes this process has read by lately, as far as misses tell.
type usage struct {
	max int // shapes of a relation
	now func() time.Duration

	mu   sync.Mutex
	uses map[string]*uses // by relation; guarded by mu
}

// uses are when shapes of a relation were used last.
type uses struct {
	began   time.Duration            // when they were first noted
	dropped time.Duration            // when one gave way last
	last    map[string]time.Duration // at most some times max: more aren't in use
	retired map[string]time.Duration // when, lately
}

func (u *usage) init(o Options, now func() time.Duration) {
	u.max, u.now = o.Shapes, now
	if u.max <= 0 {
		u.max = MaxShapes
	}
	u.uses = make(map[string]*uses)
}

// note notes that a shape was used.
func (u *usage) note(relation, shape string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	of := u.ofLocked(relation)
	if _, known := of.last[shape]; !known && len(of.last) >= usesPerShape*u.max {
		clear(of.last)
		of.began = u.now()
	}
	of.last[shape] = u.now()
}

// idle returns one of shapes which wasn't used for a minute; "" if there is none, or one has given way in that time.
func (u *usage) idle(relation string, shapes []string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	of, now := u.ofLocked(relation), u.now()
	if now-of.dropped < idleShape {
		return ""
	}
	shape := of.idle(now, shapes)
	if shape != "" {
		of.dropped = now
	}
	return shape
}

func (of *uses) idle(now time.Duration, shapes []string) string {
	at := slices.IndexFunc(shapes, func(shape string) bool {
		last, known := of.last[shape]
		return now-last >= idleShape && (known || now-of.began >= idleShape)
	})
	if at < 0 {
		return ""
	}
	return shapes[at]
}

// retires returns one of shapes that is idle and wasn't retired lately; "" if none is.
func (u *usage) retires(relation string, shapes []string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	of, now := u.ofLocked(relation), u.now()
	shape := of.idle(now, shapes)
	if at, was := of.retired[shape]; shape == "" || was && now-at < retireOnce {
		return ""
	}
	if of.retired == nil || len(of.retired) >= usesPerShape*u.max {
		of.retired = make(map[string]time.Duration)
	}
	of.retired[shape] = now
	return shape
}

func (u *usage) ofLocked(relation string) *uses {
	of := u.uses[relation]
	if of == nil {
		now := u.now()
		of = &uses{began: now, dropped: now, last: make(map[string]time.Duration)}
		u.uses[relation] = of
	}
	return of
}
