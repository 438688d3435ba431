package coherence_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/store/memory"
)

// routeTo reads a slice of user_id, which is in use, and returns the route that it has found.
func routeTo(t testing.TB, d *coherence.Domain, user string) *coherence.Route {
	t.Helper()
	rows := rowsOf("user_id", user)
	r := d.LookupRows(bg, "of "+user, []coherence.Tag{d.Tag("*")}, told(rows), true)
	defer r.Done()
	to := d.RouteOf(&r, rows)
	if to == nil {
		t.Fatalf("a read with outcome %v has found no route", r.Outcome)
	}
	r.Fill(bg, "of "+user, 8, 0)
	return to
}

// alongside reads a slice along a route, as load does.
func alongside(t testing.TB, d *coherence.Domain, to *coherence.Route, user, db, value string, o coherence.Outcome) {
	t.Helper()
	r, taken := d.LookupAlong(bg, "of "+user, to, user, true)
	defer r.Done()
	if !taken {
		t.Fatal("the route isn't taken")
	}
	if r.Outcome != o || o == coherence.Hit && r.Value != value {
		t.Fatalf("read of user %s: %v %v, want %v %v", user, r.Value, r.Outcome, value, o)
	}
	if o != coherence.Hit {
		r.Fill(bg, db, 8, 0)
	}
}

// TestRoute: who takes a route is answered as by LookupRows, and what he keeps is removed by the writes of its slice and by no others.
func TestRoute(t *testing.T) {
	d := newDomain(t)
	inUse(t, d, "user_id")
	to := routeTo(t, d, "2")
	alongside(t, d, to, "1", "old", "", coherence.Miss)
	alongside(t, d, to, "1", "", "old", coherence.Hit)
	wantRows(t, d, "of 1", ofOne, "", "old", coherence.Hit)
	alongside(t, d, to, "3", "third", "", coherence.Miss)

	h := holdRows(t, d, writeOne)
	alongside(t, d, to, "1", "", "", coherence.Held)
	alongside(t, d, to, "3", "", "third", coherence.Hit)
	ok(t, h.Release(bg))
	alongside(t, d, to, "1", "new", "", coherence.Miss)
	alongside(t, d, to, "1", "", "new", coherence.Hit)
	alongside(t, d, to, "3", "", "third", coherence.Hit)
	alongside(t, d, to, "2", "", "of 2", coherence.Hit)
}

// TestRouteEnds: it isn't taken when R* has another token, as then its shape may not be in use any more, nor after a second.
func TestRouteEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, d *coherence.Domain){
		"a write of any row": func(t *testing.T, d *coherence.Domain) { write(t, d, wide) },
		"a shape is dropped": func(t *testing.T, d *coherence.Domain) {
			ok(t, d.Store().Part(bg, d.Tag("stuff*"), "user_id"))
		},
		"time": func(*testing.T, *coherence.Domain) { time.Sleep(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.New(8 << 20)
				defer s.Close()
				d := coherence.NewDomain(s, "db", coherence.Options{})
				inUse(t, d, "user_id")
				to := routeTo(t, d, "2")
				end(t, d)
				if r, taken := d.LookupAlong(bg, "k", to, "1", true); taken {
					t.Errorf("it was taken, and the outcome is %v", r.Outcome)
				}
			})
		})
	}
}

// TestNoRoute: only a miss by one slice of a shape in use has found one.
func TestNoRoute(t *testing.T) {
	d := newDomain(t)
	if r := d.LookupRows(bg, "k", nil, told(ofOne), true); d.RouteOf(&r, ofOne) != nil {
		t.Error("there is a route by a shape that isn't in use")
	}
	inUse(t, d, "user_id")
	two := rowsOf("user_id", "1", "2")
	if r := d.LookupRows(bg, "k2", nil, told(two), true); d.RouteOf(&r, two) != nil {
		t.Error("there is a route of two slices")
	}
	all := []coherence.Rows{{Relation: "stuff"}}
	if r := d.LookupRows(bg, "k3", nil, told(all), true); d.RouteOf(&r, all) != nil {
		t.Error("there is a route of all rows")
	}
	loadRows(d, "k4", ofOne, 1)
	if r := d.LookupRows(bg, "k4", nil, told(ofOne), true); r.Outcome != coherence.Hit || d.RouteOf(&r, ofOne) != nil {
		t.Error("there is a route of a hit")
	}
	h := holdRows(t, d, writeOne)
	if r := d.LookupRows(bg, "k5", nil, told(ofOne), true); r.Outcome != coherence.Held || d.RouteOf(&r, ofOne) != nil {
		t.Error("there is a route of what is held")
	}
	ok(t, h.Release(bg))
}
