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
)

// A usage is which shapes this process has read by lately, as far as misses tell.
type usage struct {
	max int // shapes of a relation
	now func() time.Duration

	mu   sync.Mutex
	uses map[string]*uses // by relation; guarded by mu
}

// uses are the shapes of a relation that were used since the last sweep.
type uses struct {
	swept   time.Duration
	shapes  []string                 // at most max: more aren't in use
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
	if len(of.shapes) < u.max && !slices.Contains(of.shapes, shape) {
		of.shapes = append(of.shapes, shape)
	}
}

// idle returns one of shapes which was not used since the last sweep, and sweeps;
// "" if there is none, or the last sweep was lately.
func (u *usage) idle(relation string, shapes []string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	of := u.ofLocked(relation)
	now := u.now()
	if now-of.swept < idleShape {
		return ""
	}
	at := slices.IndexFunc(shapes, func(s string) bool { return !slices.Contains(of.shapes, s) })
	of.swept, of.shapes = now, nil
	if at < 0 {
		return ""
	}
	return shapes[at]
}

// retires reports whether one of shapes is idle and wasn't retired lately; "" if none is.
func (u *usage) retires(relation string, shapes []string) string {
	idle := u.idle(relation, shapes)
	if idle == "" {
		return ""
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	of := u.ofLocked(relation)
	if at, was := of.retired[idle]; was && of.swept-at < retireOnce {
		return ""
	}
	if of.retired == nil || len(of.retired) >= 4*u.max {
		of.retired = make(map[string]time.Duration)
	}
	of.retired[idle] = of.swept
	return idle
}

func (u *usage) ofLocked(relation string) *uses {
	of := u.uses[relation]
	if of == nil {
		of = &uses{swept: u.now()}
		u.uses[relation] = of
	}
	return of
}
