package coherence_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/larderdb/larder/coherence"
)

// rowsOf are the rows of stuff in slices of a shape.
func rowsOf(shape string, slices ...string) []coherence.Rows {
	return []coherence.Rows{{Relation: "stuff", Shape: shape, Slices: slices}}
}

var allRows = []coherence.Rows{{Relation: "stuff"}}

func told(rows []coherence.Rows) func() []coherence.Rows {
	return func() []coherence.Rows { return rows }
}

// loadRows is the read path for rows.
func loadRows(d *coherence.Domain, key string, rows []coherence.Rows, db any) (any, coherence.Outcome) {
	r := d.LookupRows(bg, key, []coherence.Tag{d.Tag("*")}, told(rows), true)
	defer r.Done()
	if r.Outcome == coherence.Hit {
		return r.Value, r.Outcome
	}
	r.Fill(bg, db, 8, 0)
	return db, r.Outcome
}

func wantRows(t testing.TB, d *coherence.Domain, key string, rows []coherence.Rows, db any, value any, o coherence.Outcome) {
	t.Helper()
	if v, got := loadRows(d, key, rows, db); v != value || got != o {
		t.Fatalf("read of %q: %v %v, want %v %v", key, got, v, o, value)
	}
}

// in tells slices by shape; of other shapes it knows none.
func in(slices map[string][]string) []coherence.Change {
	return []coherence.Change{{Relation: "stuff", Slices: func(shape string) ([]string, bool) {
		s, ok := slices[shape]
		return s, ok
	}}}
}

func holdRows(t testing.TB, d *coherence.Domain, changes []coherence.Change) *coherence.Hold {
	t.Helper()
	h, err := d.HoldChanges(bg, nil, changes)
	ok(t, err)
	return h
}

func write(t testing.TB, d *coherence.Domain, changes []coherence.Change) {
	t.Helper()
	ok(t, holdRows(t, d, changes).Release(bg))
}

var wide = []coherence.Change{{Relation: "stuff"}}

// inUse puts shapes of stuff in use.
func inUse(t testing.TB, d *coherence.Domain, shapes ...string) {
	t.Helper()
	for _, shape := range shapes {
		wantRows(t, d, "puts "+shape+" in use", rowsOf(shape, "0"), 0, 0, coherence.Miss)
	}
	if got := d.Shapes(bg, "stuff"); !slices.Equal(got, shapes) {
		t.Fatalf("shapes %q, want %q", got, shapes)
	}
}

func TestFirstReadIsOfTheRelation(t *testing.T) {
	d := newDomain(t)
	rows := rowsOf("user_id", "1")
	wantRows(t, d, "k", rows, 1, 1, coherence.Miss)
	wantRows(t, d, "k", rows, 2, 1, coherence.Hit)
	write(t, d, in(map[string][]string{"user_id": {"2"}}))
	wantRows(t, d, "k", rows, 2, 2, coherence.Miss)
	write(t, d, in(map[string][]string{"user_id": {"2"}}))
	wantRows(t, d, "k", rows, 3, 2, coherence.Hit)
}

func TestWritesAndSlices(t *testing.T) {
	shape := func(slices ...string) map[string][]string { return map[string][]string{"user_id": slices} }
	for _, c := range []struct {
		name    string
		changes []coherence.Change
		one     coherence.Outcome // of a read of slice 1
		all     coherence.Outcome // of a read of the relation
	}{
		{"the slice", in(shape("1")), coherence.Miss, coherence.Miss},
		{"another slice", in(shape("2")), coherence.Hit, coherence.Miss},
		{"into the slice", in(shape("2", "1")), coherence.Miss, coherence.Miss},
		{"no row", in(shape()), coherence.Hit, coherence.Miss},
		{"slices that aren't known", in(nil), coherence.Miss, coherence.Miss},
		{"rows of which nothing is known", wide, coherence.Miss, coherence.Miss},
		{"another relation", []coherence.Change{{Relation: "users"}}, coherence.Hit, coherence.Hit},
		{"nothing", nil, coherence.Hit, coherence.Hit},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDomain(t)
			inUse(t, d, "user_id")
			for range 2 {
				loadRows(d, "one", rowsOf("user_id", "1"), 1)
				loadRows(d, "all", allRows, 1)
				h := holdRows(t, d, c.changes)
				for key, o := range map[string]coherence.Outcome{"one": c.one, "all": c.all} {
					if o == coherence.Miss {
						o = coherence.Held
					}
					rows := map[string][]coherence.Rows{"one": rowsOf("user_id", "1"), "all": allRows}[key]
					wantRows(t, d, key, rows, 1, 1, o)
				}
				ok(t, h.Release(bg))
				wantRows(t, d, "one", rowsOf("user_id", "1"), 1, 1, c.one)
				wantRows(t, d, "all", allRows, 1, 1, c.all)
			}
		})
	}
}

// TestReadOfSeveralSlices: a write of any of them changes the read.
func TestReadOfSeveralSlices(t *testing.T) {
	d := newDomain(t)
	inUse(t, d, "user_id", "id")
	rows := append(rowsOf("user_id", "1", "2", "1"), rowsOf("id", "7")...)
	for _, changed := range []map[string][]string{
		{"user_id": {"1"}, "id": {}}, {"user_id": {"2"}, "id": {}}, {"user_id": {"9"}, "id": {"7"}}, {"user_id": {"9"}},
	} {
		loadRows(d, "k", rows, 1)
		wantRows(t, d, "k", rows, 1, 1, coherence.Hit)
		write(t, d, in(changed))
		wantRows(t, d, "k", rows, 1, 1, coherence.Miss)
	}
	write(t, d, in(map[string][]string{"user_id": {"9"}, "id": {"8"}}))
	wantRows(t, d, "k", rows, 1, 1, coherence.Hit)
}

// TestRelationCoversItsSlices: with one shape that isn't in use the whole
// relation is what the read depends on.
func TestRelationCoversItsSlices(t *testing.T) {
	d := newDomain(t)
	inUse(t, d, "user_id")
	for i, rows := range [][]coherence.Rows{
		append(rowsOf("user_id", "1"), allRows...),
		append(rowsOf("user_id", "1"), rowsOf("user_id")...), // of no slice is of all
		append(rowsOf("user_id", "1"), rowsOf("odd?", "1")...),
		append(rowsOf("user_id", "1"), rowsOf("id", "1")...),
	} {
		key := fmt.Sprint(i)
		wantRows(t, d, key, rows, 1, 1, coherence.Miss)
		wantRows(t, d, key, rows, 1, 1, coherence.Hit)
		write(t, d, in(map[string][]string{"user_id": {"2"}, "id": {"2"}}))
		wantRows(t, d, key, rows, 1, 1, coherence.Miss)
	}
}

// TestShapeUnderWrite: while a write is in flight that may not announce a shape it isn't put in use; while those are that found it
// proposed it is, though there are always some.
func TestShapeUnderWrite(t *testing.T) {
	d := newDomain(t)
	rows, other := rowsOf("user_id", "1"), in(map[string][]string{"user_id": {"2"}})
	var held []*coherence.Hold
	for range 3 {
		held = append(held, holdRows(t, d, other))
	}
	for range 3 {
		wantRows(t, d, "k", rows, 1, 1, coherence.Held)
	}
	for _, h := range held { // always three of them
		held = append(held, holdRows(t, d, other)) // finds it proposed
		wantRows(t, d, "k", rows, 1, 1, coherence.Held)
		ok(t, h.Release(bg))
	}
	wantRows(t, d, "k", rows, 1, 1, coherence.Held) // puts it in use
	wantRows(t, d, "k", rows, 2, 2, coherence.Miss)
	wantRows(t, d, "k", rows, 2, 2, coherence.Hit)
	for _, h := range held[3:] {
		ok(t, h.Release(bg))
	}
	wantRows(t, d, "k", rows, 3, 2, coherence.Hit)
	write(t, d, in(map[string][]string{"user_id": {"1"}}))
	wantRows(t, d, "k", rows, 3, 3, coherence.Miss)
}

// TestShapeWithoutWrites: with nothing held a shape is put in use at once.
func TestShapeWithoutWrites(t *testing.T) {
	d := newDomain(t)
	rows := rowsOf("user_id", "1")
	h := holdRows(t, d, in(nil))
	wantRows(t, d, "k", rows, 1, 1, coherence.Held)
	ok(t, h.Release(bg))
	wantRows(t, d, "k", rows, 3, 3, coherence.Miss)
	wantRows(t, d, "l", rows, 3, 3, coherence.Miss)
	write(t, d, in(map[string][]string{"user_id": {"2"}}))
	wantRows(t, d, "k", rows, 4, 4, coherence.Miss)
	wantRows(t, d, "l", rows, 4, 3, coherence.Hit)
}

func TestShapesOfARelationAreBounded(t *testing.T) {
	d := newDomain(t)
	var shapes []string
	for i := range 8 {
		shapes = append(shapes, fmt.Sprint("shape", i))
	}
	inUse(t, d, shapes...)
	wantRows(t, d, "k", rowsOf("ninth", "0"), 1, 1, coherence.Miss)
	if got := d.Shapes(bg, "stuff"); !slices.Equal(got, shapes) {
		t.Fatalf("shapes %q, want %q", got, shapes)
	}
	write(t, d, in(nil))
	wantRows(t, d, "k", rowsOf("ninth", "0"), 2, 2, coherence.Miss)
}
