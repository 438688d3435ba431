package session

import (
	"runtime"
	"testing"
	"weak"
)

// TestSightings: a place tells of the row that was put there last, and of none whose result is gone.
func TestSightings(t *testing.T) {
	var a asking
	a.ask("stuff", nil, nil)
	s := a.rows.Load()
	set := &rowSet{rows: 2}
	in := &shownRows{set: weak.Make(set)}
	one, two := s.hash("stuff", "1:1"), s.hash("stuff", "1:2")
	s.put(one, sighting{in: in, row: 1})
	if seen, ok := s.get(one); !ok || seen.in.set.Value() != set || seen.row != 1 {
		t.Errorf("%+v %t", seen, ok)
	}
	if _, ok := s.get(two); ok {
		t.Error("a row was found that wasn't put")
	}
	s.put(one, sighting{in: in, row: 0})
	if seen, ok := s.get(one); !ok || seen.row != 0 {
		t.Errorf("%+v %t", seen, ok)
	}
	runtime.KeepAlive(set)
	set = nil
	for range 3 {
		runtime.GC()
	}
	if seen, ok := s.get(one); ok && seen.in.set.Value() != nil {
		t.Error("a result is kept by where its rows were seen")
	}
}

// TestAskedKeys: relations and keys for which rows are asked are bounded, and each is there once.
func TestAskedKeys(t *testing.T) {
	var a asking
	for range 3 {
		a.ask("stuff", nil, nil)
	}
	if n := len((*a.keys.Load())["stuff"]); n != 1 {
		t.Errorf("%d keys, want 1", n)
	}
	for i := range 2 * maxAskedKeys {
		a.ask(string(rune('a'+i)), nil, nil)
	}
	if n := len(*a.keys.Load()); n > maxAskedKeys {
		t.Errorf("%d relations", n)
	}
}
