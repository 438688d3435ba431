package confine

import (
	"database/sql/driver"
	"reflect"
	"testing"

	"github.com/larderdb/larder/analyze"
)

// changeOf is the change of a text, and what analyze tells of it.
func changeOf(t *testing.T, d analyze.Dialect, s Schema, text string) (*Change, *analyze.Change) {
	t.Helper()
	from := analyze.Analyze(d, text).Change
	c := ChangeOf(from, s)
	if c == nil {
		t.Fatalf("%s: no change", text)
	}
	return c, from
}

func names(columns []*Column) (list []string) {
	for _, column := range columns {
		list = append(list, column.Name)
	}
	return list
}

func TestImageOf(t *testing.T) {
	columns := []*Column{
		{Name: "id", Class: integerClass}, {Name: "name", Class: textClass}, {Name: "price"}, {Name: "gone", Class: integerClass},
	}
	got := ImageOf(analyze.Postgres, columns, []driver.Value{int64(7), "A", int64(3), nil})
	if want := (Image{{"id", "i7"}, {"name", "tA"}, {"gone", "n"}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := ImageOf(analyze.Postgres, columns[:1], []driver.Value{7.5}); len(got) != 0 {
		t.Errorf("a number that has no form: %v", got)
	}
}

func TestChanged(t *testing.T) {
	s := house(t, analyze.Postgres)
	found := []Image{{{"id", "i1"}, {"user_id", "i5"}, {"kind", "ta"}}, {{"id", "i2"}}}
	for text, want := range map[string]string{
		"DELETE FROM stuff WHERE price > 1":                          "id=i1 kind=ta user_id=i5; id=i2",
		"UPDATE stuff SET user_id = $1 WHERE price > 1":              "id=i1 kind=ta user_id=i5; id=i2; id=i1 kind=ta user_id=i9; id=i2 user_id=i9",
		"UPDATE stuff SET user_id = user_id + 1 WHERE price > 1":     "id=i1 kind=ta user_id=i5; id=i2; id=i1 kind=ta; id=i2",
		"UPDATE stuff SET user_id = 3, missing = 1 WHERE price > 1":  "id=i1 kind=ta user_id=i5; id=i2; ; ",
		"UPDATE secret SET user_id = 3, missing = 1 WHERE price > 1": "id=i1 kind=ta user_id=i5; id=i2; ; ",
	} {
		c, _ := changeOf(t, analyze.Postgres, s, text)
		if got := seen(c.Changed(found, values(9))); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	if user, _ := found[0].Get("user_id"); user != "i5" {
		t.Error("what was found has been changed")
	}
}

func TestNumbered(t *testing.T) {
	id := &Column{Name: "id", Class: integerClass}
	many := make([]string, maxSlices)
	for _, c := range []struct {
		rows    []Image
		numbers []string
		want    string
	}{
		{nil, []string{"i1"}, ""},
		{[]Image{{{"kind", "ta"}}}, []string{"i1"}, "id=i1 kind=ta"},
		{[]Image{{{"kind", "ta"}}, {{"kind", "tb"}}}, []string{"i1", "i2"}, "id=i1 kind=ta; id=i2 kind=ta; id=i1 kind=tb; id=i2 kind=tb"},
		{[]Image{{{"id", "i7"}}, {}}, []string{"i1"}, "id=i7; id=i1"},
		{[]Image{{{"kind", "ta"}}, {{"kind", "tb"}}}, many, "kind=ta; kind=tb"},
		{[]Image{{{"kind", "ta"}}}, nil, ""},
	} {
		if got := seen(Numbered(c.rows, id, c.numbers)); got != c.want {
			t.Errorf("%v with %v: %s, want %s", c.rows, c.numbers, got, c.want)
		}
	}
}

func TestColumns(t *testing.T) {
	c, _ := changeOf(t, analyze.Postgres, house(t, analyze.Postgres), "DELETE FROM stuff")
	for _, e := range []struct{ ask, want []string }{
		{nil, nil},
		{[]string{"user_id", "id"}, []string{"id", "user_id"}}, // in the table's order
		{[]string{"price", "kind", "missing"}, []string{"kind"}},
		{[]string{"User_ID"}, nil},
	} {
		if got := names(c.Columns(e.ask)); !reflect.DeepEqual(got, e.want) {
			t.Errorf("%v: %v, want %v", e.ask, got, e.want)
		}
	}
}

func TestSerial(t *testing.T) {
	for _, e := range []struct {
		columns []string
		want    string
	}{
		{[]string{"a int", "b int #"}, "b"},
		{[]string{"a int", "b int"}, ""},
		{[]string{"a int #", "b int #"}, ""},
	} {
		c := &Change{Table: tableOf(analyze.Postgres, "t", e.columns...)}
		got := ""
		if serial := c.Serial(); serial != nil {
			got = serial.Name
		}
		if got != e.want {
			t.Errorf("%v: %q, want %q", e.columns, got, e.want)
		}
	}
}

func TestReturned(t *testing.T) {
	postgres := house(t, analyze.Postgres)
	hiding := tables{"stuff": tableOf(analyze.Postgres, "stuff", "secret int", "id int !#", "user_id int")}
	hiding["stuff"].Columns[0].Hidden = true
	for _, e := range []struct {
		s         tables
		returning string
		column    string
		want      int
	}{
		{postgres, "id", "id", 0},
		{postgres, "user_id, id", "id", 1},
		{postgres, "user_id", "id", -1},
		{postgres, "*", "user_id", 1},
		{postgres, "1, *", "user_id", 2},
		{postgres, "stuff.*", "user_id", 1},
		{postgres, "other.*, id", "id", -1},
		{postgres, "id, *", "id", 0},
		{postgres, "*, id", "id", 0},
		{postgres, "kind AS id, id", "id", 1},
		{postgres, "id::text, id AS x", "id", 1},
		{postgres, "id + 0", "id", -1},
		{postgres, "stuff.id", "id", 0},
		{postgres, "old.id", "id", -1}, // NULL, since PostgreSQL 18
		{postgres, "old.id, new.id, id", "id", 2},
		{hiding, "*", "id", 0},
		{hiding, "*", "user_id", 1},
		{hiding, "*, secret", "secret", -1},
		{hiding, "secret", "secret", 0},
	} {
		c, from := changeOf(t, analyze.Postgres, e.s, "INSERT INTO stuff (user_id) VALUES (1) RETURNING "+e.returning)
		if got := c.Returned(from, c.named(e.column)); got != e.want {
			t.Errorf("%s in RETURNING %s: %d, want %d", e.column, e.returning, got, e.want)
		}
	}
	c, from := changeOf(t, analyze.SQLite, house(t, analyze.SQLite), "INSERT INTO stuff (user_id) VALUES (1) RETURNING kind, ID")
	if got := c.Returned(from, c.named("id")); got != 1 {
		t.Errorf("in other letters: %d", got)
	}
}

func TestSetsKey(t *testing.T) {
	s := house(t, analyze.Postgres)
	for text, want := range map[string]bool{
		"UPDATE stuff SET user_id = 1":                false,
		"UPDATE stuff SET kind = 'a', id = 4":         true,
		"UPDATE links SET tag_id = 4":                 true,
		"UPDATE stuff SET user_id = 1, missing = 'a'": true,
		"DELETE FROM stuff":                           false,
	} {
		if c, _ := changeOf(t, analyze.Postgres, s, text); c.SetsKey() != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}

func TestKeyCount(t *testing.T) {
	s := house(t, analyze.MySQL)
	blobs := tableOf(analyze.MySQL, "blobs", "key int", "n int")
	blobs.Columns[0].Class = Class{Kind: Bytes}
	s["blobs"] = blobs
	for _, e := range []struct {
		text string
		args []driver.NamedValue
		want int
	}{
		{"DELETE FROM stuff WHERE id = 1", nil, 1},
		{"DELETE FROM stuff WHERE id IN (1, 2, ?)", values(3), 3},
		{"DELETE FROM stuff WHERE id = 1 OR id = 2", nil, 2},
		{"DELETE FROM stuff WHERE id = 1 OR user_id = 2", nil, -1},
		{"DELETE FROM stuff WHERE id = 1 AND user_id IN (2, 3)", nil, 1},
		{"DELETE FROM stuff WHERE user_id = 1", nil, -1},
		{"DELETE FROM stuff WHERE id > 1", nil, -1},
		{"DELETE FROM stuff WHERE id = ?", nil, -1},
		{"DELETE FROM stuff WHERE id = ?", values("x"), -1},
		{"DELETE FROM stuff WHERE id IS NULL", nil, -1},
		{"DELETE FROM stuff WHERE id <=> ?", values(nil), -1},
		{"DELETE FROM stuff WHERE id IN (1, ?)", values(nil), -1},
		{"DELETE FROM links WHERE stuff_id = 1", nil, -1},
		{"DELETE FROM links WHERE stuff_id = 1 AND tag_id = 2", nil, 1},
		{"DELETE FROM links WHERE stuff_id IN (1, 2) AND tag_id IN (3, 4, 5)", nil, 6},
		{"DELETE FROM links WHERE (stuff_id, tag_id) IN ((1, 2), (3, 4))", nil, 2},
		// Both have one form, but each may find a row.
		{"DELETE FROM blobs WHERE `key` IN (?, ?)", values([]byte("a"), []byte("a\x00")), 2},
		{"DELETE FROM blobs WHERE `key` = ? OR `key` = ? AND n = 1", values([]byte("a"), []byte("a\x00")), 2},
	} {
		c, _ := changeOf(t, analyze.MySQL, s, e.text)
		if got := c.KeyCount(e.args); got != e.want {
			t.Errorf("%s: %d, want %d", e.text, got, e.want)
		}
	}
}
