package memory

// Shows reports whether a name is found at a glance.
func (f *Finder) Shows(name string) bool {
	it := f.slots[glanceAt(name)].Load()
	return it != nil && it.key == f.space+name
}
