package confine

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
)

func values(list ...any) (args []driver.NamedValue) {
	for i, v := range list {
		args = append(args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return args
}

// seen writes images as "id=i1 name=ta; id=i2".
func seen(images []Image) string {
	var rows []string
	for _, image := range images {
		var parts []string
		for _, c := range image {
			parts = append(parts, c.Column+"="+c.Form)
		}
		slices.Sort(parts)
		rows = append(rows, strings.Join(parts, " "))
	}
	return strings.Join(rows, "; ")
}

func TestFromText(t *testing.T) {
	for _, c := range []struct {
		d        analyze.Dialect
		text     string
		args     []driver.NamedValue
		old, new string
	}{
		{analyze.Postgres, "INSERT INTO users (id, name) VALUES ($1, $2), ($3, 'b')", values(1, "a", 2),
			"", "boss=n id=i1 name=ta nick=n; boss=n id=i2 name=tb nick=n"},
		{analyze.Postgres, "INSERT INTO users (name) VALUES ($1)", values("a "), "", "boss=n nick=n"},
		{analyze.Postgres, "INSERT INTO users (boss) VALUES ($1)", values(1.0), "", "name=n nick=n"},
		{analyze.Postgres, "INSERT INTO users (boss) VALUES (1.5)", nil, "", "name=n nick=n"},
		{analyze.Postgres, "INSERT INTO users VALUES (1, 'a')", nil, "", "boss=n id=i1 name=ta nick=n"},
		{analyze.Postgres, "INSERT INTO users (id, boss) VALUES (DEFAULT, DEFAULT)", nil, "", "boss=n name=n nick=n"},
		{analyze.SQLite, "INSERT INTO users (id, boss) VALUES (NULL, 5)", nil, "", "boss=i5 name=n nick=n"},
		{analyze.SQLite, "INSERT INTO users (rowid, boss) VALUES (3, 9007199254740993)", nil, "", "name=n nick=n"},
		{analyze.SQLite, "INSERT INTO twice VALUES (1, 2)", nil, "", "a=i1 b=i2"},
		{analyze.Postgres, "DELETE FROM users WHERE id = $1 AND name = 'a'", values(1), "id=i1 name=ta", ""},
		{analyze.Postgres, "DELETE FROM users WHERE id IN (1, 2)", nil, "id=i1; id=i2", ""},
		{analyze.Postgres, "DELETE FROM users WHERE id = 1 OR name = 'a'", nil, "id=i1; name=ta", ""},
		{analyze.Postgres, "DELETE FROM users WHERE id = 1 OR price(name)", nil, "?", "?"},
		{analyze.Postgres, "DELETE FROM users", nil, "?", "?"},
		{analyze.Postgres, "DELETE FROM users WHERE id = $1", values("x"), "?", "?"},
		{analyze.Postgres, "UPDATE users SET name = $2 WHERE id = $1", values(1, "b"), "id=i1", "id=i1 name=tb"},
		{analyze.Postgres, "UPDATE users SET id = id + 1 WHERE id = $1", values(1), "id=i1", ""},
		{analyze.Postgres, "UPDATE users SET boss = NULL, nick = DEFAULT WHERE id = $1 AND boss = 2", values(1), "boss=i2 id=i1", "boss=n id=i1 nick=n"},
		{analyze.SQLite, "UPDATE users SET rowid = 5 WHERE boss = 2", nil, "boss=i2", ""},
		{analyze.SQLite, "UPDATE twice SET a = 5 WHERE a = 1 AND twice = 2", nil, "a=i1", "a=i5"},
		{analyze.Postgres, "UPDATE altered SET a = 5 WHERE a = 1", nil, "?", "?"},
		{analyze.Postgres, "DELETE FROM altered WHERE a = 1", nil, "a=i1", ""},
	} {
		s := house(t, c.d)
		s["twice"] = tableOf(c.d, "twice", "a int", "twice int =", "b int")
		s["altered"] = tableOf(c.d, "altered", "a int")
		s["altered"].Altered = analyze.Update
		st := analyze.Analyze(c.d, c.text)
		if st.Change == nil {
			t.Errorf("%s: analyze doesn't tell the change", c.text)
			continue
		}
		old, new, ok := ChangeOf(st.Change, s).FromText(c.args)
		got := [2]string{seen(old), seen(new)}
		if !ok {
			got = [2]string{"?", "?"}
		}
		if want := [2]string{c.old, c.new}; got != want {
			t.Errorf("%s\n got %q\nwant %q", c.text, got, want)
		}
	}
}

// What MySQL stores in the place of NULL and 0.
func TestMySQLStored(t *testing.T) {
	c := &Change{Table: &Table{Dialect: analyze.MySQL}}
	null, zero := analyze.Term{Kind: analyze.Null}, analyze.Term{Kind: analyze.Number, Text: "0"}
	for _, e := range []struct {
		column Column
		term   analyze.Term
		want   string
	}{
		{Column{Class: integerClass}, zero, "i0"},
		{Column{Class: integerClass, Serial: true}, zero, ""},
		{Column{Class: integerClass, Serial: true}, null, ""},
		{Column{Class: integerClass, NotNull: true}, null, ""},
		{Column{Class: integerClass}, null, "n"},
		{Column{Class: integerClass, Generated: true}, zero, ""},
	} {
		if form, _ := c.stored(&e.column, e.term, nil); form != e.want && e.want != "" || e.want == "" && func() bool { _, ok := c.stored(&e.column, e.term, nil); return ok }() {
			t.Errorf("%+v %s: %q, want %q", e.column, e.term, form, e.want)
		}
	}
}

func TestPlan(t *testing.T) {
	s := house(t, analyze.Postgres)
	for _, c := range []struct {
		where string
		used  []string
		more  bool
		args  []driver.NamedValue
		want  string
	}{
		{"id = 1 AND user_id = 2", nil, true, nil, "id 2:i1"},
		{"user_id = $1 AND done AND kind = 'a'", nil, true, values(2), "kind,user_id 2:ta2:i2"},
		{"user_id = $1 AND NOT done AND parent IS NULL", nil, true, values(2), "user_id 2:i2"},
		{"done AND parent IS NULL", nil, true, nil, "done,parent 1:11:n"},
		{"user_id IN (1, $1, 2)", nil, true, values(2), "user_id 2:i1 user_id 2:i2"},
		{"user_id = ANY($1)", nil, true, values([]int64{3, 4, 3}), "user_id 2:i3 user_id 2:i4"},
		{"user_id = $1", nil, true, values("x"), "?"},
		{"user_id = $1", nil, true, nil, "?"},
		{"user_id = $1 OR id = $2", nil, true, values(1, 2), "user_id 2:i1 id 2:i2"},
		{"user_id = 1 AND kind = 'a'", []string{"user_id", "kind"}, true, nil, "kind,user_id 2:ta2:i1"},
		{"user_id = 1 AND kind = 'a'", []string{"user_id", "parent"}, false, nil, "user_id 2:i1"},
		{"user_id = 1 AND kind = 'a'", []string{"parent", "parent,user_id"}, false, nil, "?"},
		{"user_id = 1 AND name = 'a' AND kind = 'a' AND parent = 1", nil, true, nil, "kind,name,user_id 2:ta2:ta2:i1"},
		{"user_id IN (1" + strings.Repeat(", 1", 20) + ") AND kind IN ('a'" + strings.Repeat(", 'a'", 20) + ")", nil, true, nil, "user_id 2:i1"},
		{"user_id IN (1" + strings.Repeat(", 1", maxSlices) + ")", nil, true, nil, "?"},
		{"price > 1", nil, true, nil, "?"},
	} {
		refs, _ := Reads(analyze.Analyze(analyze.Postgres, "SELECT * FROM stuff WHERE "+c.where).Rows, s)
		got := "?"
		if p, ok := refs[0].Plan(c.used, c.more); ok {
			if slices, ok := p.Evaluate(c.args); ok {
				got = strings.Trim(strings.ReplaceAll(fmt.Sprint(slices), "} {", " "), "[{}]")
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.where, got, c.want)
		}
	}
}

func TestBound(t *testing.T) {
	positional := []driver.NamedValue{{Ordinal: 1, Value: "first"}, {Ordinal: 2, Value: "second"}}
	named := []driver.NamedValue{{Ordinal: 1, Name: "x", Value: "named"}, {Ordinal: 2, Name: "z", Value: "last"}}
	for _, c := range []struct {
		term analyze.Term
		args []driver.NamedValue
		want any
	}{
		{analyze.Term{Kind: analyze.Param, Param: 1}, positional, "first"},
		{analyze.Term{Kind: analyze.Param, Param: 2}, positional, "second"},
		{analyze.Term{Kind: analyze.Param, Param: 3}, positional, nil},
		{analyze.Term{Kind: analyze.Param}, positional, nil},
		{analyze.Term{Kind: analyze.Param, Text: "x"}, positional, nil},
		{analyze.Term{Kind: analyze.Param, Text: "x"}, named, "named"},
		{analyze.Term{Kind: analyze.Param, Text: "z", Param: 1}, named, "last"},
		{analyze.Term{Kind: analyze.Param, Text: "y", Param: 1}, named, nil},
		{analyze.Term{Kind: analyze.Param, Param: 1}, named, nil},
		{analyze.Term{Kind: analyze.Param, Text: "x"}, append(named[:2:2], named[0]), nil},
		{analyze.Term{Kind: analyze.Param, Text: "x"}, append(named[:2:2], positional...), nil},
		{analyze.Term{Kind: analyze.Param, Param: 1}, append(positional[:2:2], named...), nil},
		{analyze.Term{Kind: analyze.Param, Param: 2}, append(positional[:1:1], named[1]), nil},
	} {
		if v, ok := Bound(c.term, c.args); ok != (c.want != nil) || ok && v != c.want {
			t.Errorf("%+v of %v: %v, %v", c.term, c.args, v, ok)
		}
	}
}
