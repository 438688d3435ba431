package coherence

import (
	"context"
	"sync"

	"github.com/larderdb/larder/store"
)

// known is what a shared store said last of the shapes in use, by R*: to ask each time would be
// a round trip. What it says may be outdated. A reader claims the token of R* under which it knows of
// a shape, and a writer looks at R* once it holds R?.
type known struct {
	mu sync.Mutex
	of map[Tag]store.Sight // guarded by mu
}

func (k *known) get(wide Tag) (store.Sight, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.of[wide]
	return s, ok
}

// note keeps what was seen of R*. If it is missing nothing is known.
func (k *known) note(wide Tag, s store.Sight) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.Token == 0 {
		delete(k.of, wide)
		return
	}
	if k.of == nil {
		k.of = make(map[Tag]store.Sight)
	}
	k.of[wide] = s
}

func (k *known) forget(wide Tag) { k.note(wide, store.Sight{}) }

// members are the shapes that are in use or proposed, and the token of R* under which they are: as
// they are now, or, in a shared store, as they were when they were seen last.
func (d *Domain) members(ctx context.Context, wide Tag) ([]string, Token, error) {
	if d.shared == nil {
		return d.store.Members(ctx, wide)
	}
	if s, ok := d.known.get(wide); ok {
		return s.Members, s.Token, nil
	}
	return d.membersNow(ctx, wide)
}

func (d *Domain) membersNow(ctx context.Context, wide Tag) ([]string, Token, error) {
	members, token, err := d.store.Members(ctx, wide)
	if err == nil && d.shared != nil {
		d.known.note(wide, store.Sight{Token: token, Members: members})
	}
	return members, token, err
}
