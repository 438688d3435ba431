package confine

import (
	"testing"

	"github.com/larderdb/larder/analyze"
)

func column(table, name string) analyze.Term {
	return analyze.Term{Kind: analyze.Column, Table: analyze.Name{Name: table}, Text: name}
}

func equals(left, right analyze.Term) *analyze.Cond {
	return &analyze.Cond{Op: analyze.Equal, Left: left, List: []analyze.Term{right}}
}

// After a comma, what stands before it has no part in the joins that follow:
// FROM users a, users b RIGHT JOIN stuff c ON b.id = c.user_id AND c.parent = 5 WHERE a.id = c.parent.
func TestCommaBeforeRightJoin(t *testing.T) {
	five := analyze.Term{Kind: analyze.Number, Text: "5"}
	named := func(name, alias string) analyze.Source {
		return analyze.Source{Relation: analyze.Name{Name: name}, Alias: alias}
	}
	c := named("stuff", "c")
	c.Join = analyze.Right
	c.On = &analyze.Cond{Args: []*analyze.Cond{equals(column("b", "id"), column("c", "user_id")), equals(column("c", "parent"), five)}}
	b := &analyze.Block{
		From:  []analyze.Source{named("users", "a"), named("users", "b"), c},
		Where: equals(column("a", "id"), column("c", "parent")),
	}
	refs, ok := Reads(b, house(t, analyze.Postgres))
	if got := told(refs); !ok || got != "users, users, stuff" {
		t.Errorf("%s, %v", got, ok)
	}
	b.From[1].On = equals(column("a", "boss"), column("b", "boss"))
	refs, _ = Reads(b, house(t, analyze.Postgres))
	if got := told(refs); got != "users{id=5}, users, stuff" {
		t.Errorf("without a comma: %s", got)
	}
}

// Blocks that no parser makes are no reason to panic.
func TestOddBlocks(t *testing.T) {
	s := house(t, analyze.Postgres)
	deep := &analyze.Block{}
	for range 1000 {
		deep = &analyze.Block{Subs: []*analyze.Block{deep}}
	}
	many := &analyze.Block{}
	for range maxReferences + 1 {
		many.From = append(many.From, analyze.Source{Relation: analyze.Name{Name: "stuff"}})
	}
	cond := &analyze.Cond{}
	for range 10000 {
		cond = &analyze.Cond{Op: analyze.Or, Args: []*analyze.Cond{cond, nil}}
	}
	doubling := &analyze.Block{With: []analyze.CTE{{Name: "c0", Block: &analyze.Block{}}}}
	for i := range 40 {
		from := analyze.Source{Relation: analyze.Name{Name: "c" + string(rune('0'+i))}}
		doubling.With = append(doubling.With, analyze.CTE{Name: "c" + string(rune('1'+i)), Block: &analyze.Block{From: []analyze.Source{from, from}}})
	}
	for name, c := range map[string]struct {
		b  *analyze.Block
		ok bool
	}{
		"nil":       {nil, false},
		"empty":     {&analyze.Block{}, true},
		"deep":      {deep, false},
		"many":      {many, false},
		"doubling":  {doubling, false},
		"no parts":  {&analyze.Block{Arms: []*analyze.Block{nil}, Subs: []*analyze.Block{nil}}, false},
		"no body":   {&analyze.Block{With: []analyze.CTE{{Name: "x"}}}, false},
		"condition": {&analyze.Block{From: []analyze.Source{{Relation: analyze.Name{Name: "stuff"}}}, Where: cond}, true},
		"no list":   {&analyze.Block{Where: &analyze.Cond{Op: analyze.Equal}}, true},
		"no source": {&analyze.Block{From: []analyze.Source{{Nested: []analyze.Source{}}, {Using: []string{"a"}}}, Columns: []analyze.Output{{Star: true}}}, true},
	} {
		if _, ok := Reads(c.b, s); ok != c.ok {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

// A name that no source of a block has may be that of an output, not a column of an outer block:
// SELECT … FROM users WHERE boss = 1 AND EXISTS (SELECT id AS boss FROM stuff WHERE user_id = boss).
func TestNameOfOutput(t *testing.T) {
	inner := &analyze.Block{
		From:    []analyze.Source{{Relation: analyze.Name{Name: "stuff"}}},
		Where:   equals(column("", "user_id"), column("", "boss")),
		Columns: []analyze.Output{{Name: "boss", Term: column("", "id")}},
	}
	b := &analyze.Block{
		From:  []analyze.Source{{Relation: analyze.Name{Name: "users"}}},
		Where: equals(column("", "boss"), analyze.Term{Kind: analyze.Number, Text: "1"}),
		Subs:  []*analyze.Block{inner},
	}
	refs, _ := Reads(b, house(t, analyze.Postgres))
	if got := told(refs); got != "users{boss=1}, stuff" {
		t.Error(got)
	}
	inner.Columns = nil
	refs, _ = Reads(b, house(t, analyze.Postgres))
	if got := told(refs); got != "users{boss=1}, stuff{user_id=1}" {
		t.Errorf("without an output of that name: %s", got)
	}
}
