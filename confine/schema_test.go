package confine

import (
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
)

// tables is a Schema by hand.
type tables map[string]*Table

func (s tables) Table(n analyze.Name) (*Table, bool) {
	t, ok := s[strings.ToLower(n.Name)]
	return t, ok
}

// column reads "user_id int +" : a name, a class, and marks: + selective, ! not null, # serial, = generated.
func columnOf(d analyze.Dialect, text string) Column {
	name, kind, _ := strings.Cut(text, " ")
	kind, marks, _ := strings.Cut(kind, " ")
	c := Column{Name: name, Default: analyze.Term{Kind: analyze.Null}}
	c.NotNull, c.Selective = strings.Contains(marks, "!"), strings.Contains(marks, "+")
	c.Serial, c.Generated = strings.Contains(marks, "#"), strings.Contains(marks, "=")
	switch {
	case kind == "any":
	case d == analyze.SQLite && kind == "text":
		c.Class = Class{Kind: DynamicText}
	case d == analyze.SQLite && kind == "nocase":
		c.Class = Class{Kind: DynamicText, Fold: ASCIICase}
	case d == analyze.SQLite:
		c.Class = Class{Kind: Dynamic}
	case kind == "bool":
		c.Class = Class{Kind: Boolean}
	case kind == "text":
		c.Class = Class{Kind: Text, Name: "text"}
	case kind == "nocase":
		c.Class = Class{Kind: Text, Name: "citext", Fold: CaseLess}
	default:
		c.Class = Class{Kind: Integer}
	}
	return c
}

func tableOf(d analyze.Dialect, name string, columns ...string) *Table {
	t := &Table{Relations: []string{name}, Dialect: d}
	for _, text := range columns {
		t.Columns = append(t.Columns, columnOf(d, text))
	}
	t.Keys = [][]string{{t.Columns[0].Name}}
	return t
}

// house is the schema of most tests.
func house(t testing.TB, d analyze.Dialect) tables {
	t.Helper()
	s := tables{}
	for _, table := range []*Table{
		tableOf(d, "users", "id int !#", "name text", "nick nocase", "boss int"),
		tableOf(d, "stuff", "id int !#", "user_id int +", "name text", "kind text", "done bool", "parent int", "price any"),
		tableOf(d, "links", "stuff_id int", "tag_id int +"),
		tableOf(d, "secret", "id int", "user_id int"),
	} {
		s[table.Relations[0]] = table
	}
	s["links"].Keys = [][]string{{"stuff_id", "tag_id"}}
	s["secret"].Unsliced = true
	s["unknown"] = &Table{Relations: []string{"unknown"}, Dialect: d}
	for name, text := range map[string]string{
		"mine":   "SELECT id, user_id AS owner, name FROM stuff WHERE kind = 'a'",
		"counts": "SELECT user_id, count(*) AS n FROM stuff GROUP BY user_id",
		"last":   "SELECT id, user_id FROM stuff ORDER BY id DESC LIMIT 10",
	} {
		st := analyze.Analyze(d, text)
		if st.Rows == nil {
			t.Fatalf("%s: no rows", text)
		}
		s[name] = &Table{Dialect: d, View: st.Rows, Names: s}
	}
	s["lost"] = &Table{Dialect: d}
	return s
}

// told writes references as tests expect them: "stuff{user_id=$1} or {id=$2}, users".
func told(refs []Reference) string {
	var list []string
	for _, r := range refs {
		var ways []string
		for _, pins := range r.Alternatives {
			var parts []string
			for _, p := range pins {
				var terms []string
				for _, t := range p.Terms {
					terms = append(terms, t.String())
				}
				text := strings.Join(terms, "|")
				if p.Array {
					text = "any(" + text + ")"
				}
				parts = append(parts, p.Column.Name+"="+text)
			}
			ways = append(ways, "{"+strings.Join(parts, " ")+"}")
		}
		list = append(list, r.Table.Relations[0]+strings.Join(ways, " or "))
	}
	return strings.Join(list, ", ")
}
