package memory

import "github.com/larderdb/larder/store"

// Shows reports whether a name is found at a glance.
func (f *Finder) Shows(name string) bool {
	it := f.slots[glanceAt(name)].Load()
	return it != nil && it.key == f.space+name
}

// Misplaced is how many tags stand among the idle although entries refer to them, or don't although none does, or are counted there twice.
func (s *Store) Misplaced() (n int) {
	for i := range s.tags.shards {
		sh := &s.tags.shards[i]
		sh.mu.Lock()
		idle := 0
		for _, st := range sh.states {
			if st.idle() {
				idle++
			}
			if st.idle() != (st.refs.Load() == 0) {
				n++
			}
		}
		n += max(idle, sh.idleCount) - min(idle, sh.idleCount)
		sh.mu.Unlock()
	}
	return n
}

// Retire is what who has taken the last reference to a tag away does next: another may have come and gone meanwhile.
func (s *Store) Retire(tag store.Tag) { s.tags.retire(s.tags.find(tag)) }

// Buckets is how many the table has.
func (s *Store) Buckets() int { return len(*s.entries.buckets.Load()) }
