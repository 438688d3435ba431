package coherence

import (
	"testing"

	"github.com/larderdb/larder/store"
)

// TestBehindLetsGo: what is known of releases, and of their stores, goes with them.
func TestBehindLetsGo(t *testing.T) {
	s := &struct{ store.Shared }{} // which isn't asked
	before := len(behinds.of)
	a, b := useBehind(s), useBehind(s)
	if a != b || len(behinds.of) != before+1 {
		t.Fatalf("one store has two")
	}
	third := a.send([]Tag{"z"})
	first, second := a.send([]Tag{"x", "y"}), a.send([]Tag{"x"})
	a.arrive(second)
	if n := len(a.under([]Tag{"x"})); n != 1 {
		t.Errorf("%d releases of x are on their way, want the first", n)
	}
	a.arrive(first)
	a.end(first)
	a.end(second)
	if len(a.of) != 1 || len(a.all) != 1 {
		t.Errorf("%d tags and %d releases are left, want one", len(a.of), len(a.all))
	}
	one, other := &Domain{shared: s, behind: a}, &Domain{shared: s, behind: b}
	one.leaveBehind()
	one.leaveBehind()
	if len(behinds.of) != before+1 {
		t.Error("the store is let go of by one of two")
	}
	other.leaveBehind()
	if len(behinds.of) != before+1 {
		t.Error("the store is let go of before the last release has arrived")
	}
	a.arrive(third)
	a.end(third)
	if len(behinds.of) != before {
		t.Error("the store isn't let go of")
	}
}
