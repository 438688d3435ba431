package confine

import (
	"slices"

	"github.com/larderdb/larder/analyze"
)

// A parameter of PostgreSQL has one type in all of a statement. If it is compared with columns of several
// classes, one of them sets it, and it may be another value to the others: 'a  ' is
// 'a' where a CHAR(3) makes it a bpchar, and a number is rounded where a float does.

// A usage is how the parameters of one statement are used.
type usage struct {
	classes map[int]Class
	lists   map[int]int // those that stand in one list, which have one type, as trees
	spoiled map[int]bool
	lost    bool // not all uses are known
}

// compared notes that values are compared with, or become, a column of a class. Values in a list take one type.
func (u *usage) compared(class Class, list []analyze.Term) {
	untold := slices.ContainsFunc(list, func(t analyze.Term) bool { return t.Kind == analyze.Untold })
	first := 0
	for _, t := range list {
		if t.Kind != analyze.Param || t.Param == 0 || t.Cast != "" {
			continue
		}
		if u.classes == nil {
			u.classes, u.lists, u.spoiled = map[int]Class{}, map[int]int{}, map[int]bool{}
		}
		if had, ok := u.classes[t.Param]; untold || ok && had != class {
			u.spoiled[t.Param] = true
		}
		u.classes[t.Param] = class
		if a, b := u.root(first), u.root(t.Param); first != 0 && a != b {
			u.lists[a] = b
		}
		first = t.Param
	}
}

// root is one parameter for all that stand in lists with n. The way to it is halved each time: lists are long.
func (u *usage) root(n int) int {
	for u.lists[n] != 0 {
		if next := u.lists[u.lists[n]]; next != 0 {
			u.lists[n] = next
		}
		n = u.lists[n]
	}
	return n
}

// spread makes spoiled all that stand in a list with one that is.
func (u *usage) spread() {
	roots := map[int]bool{}
	for n := range u.spoiled {
		roots[u.root(n)] = true
	}
	for n := range u.classes {
		u.spoiled[n] = u.spoiled[n] || roots[u.root(n)]
	}
}

// spoils reports whether a value may be another one to the database than to its column.
func (u *usage) spoils(t analyze.Term) bool {
	return t.Kind == analyze.Param && t.Cast == "" && (u.lost || u.spoiled[t.Param])
}

// without returns alternatives without the pins that are spoiled.
func (u *usage) without(list []Pins) []Pins {
	var kept []Pins
	for _, pins := range list {
		pins = slices.DeleteFunc(slices.Clone(pins), func(p Pin) bool { return slices.ContainsFunc(p.Terms, u.spoils) })
		if len(pins) == 0 {
			return nil
		}
		kept = append(kept, pins)
	}
	return kept
}

// settle leaves out what PostgreSQL's types of parameters make doubtful.
func (j *judge) settle() {
	if j.dialect != analyze.Postgres {
		return
	}
	j.usage.spread()
	for i := range j.refs {
		j.refs[i].Alternatives = j.usage.without(j.refs[i].Alternatives)
	}
}

// settle leaves out what PostgreSQL's types of parameters make doubtful; u has the uses in the condition.
func (c *Change) settle(u *usage) {
	if c.Table.Dialect != analyze.Postgres {
		return
	}
	for i, column := range c.Assigned {
		u.compared(column.Class, c.values[i:i+1])
	}
	for _, row := range c.rows {
		for _, g := range row {
			if g.term != nil {
				u.compared(g.column.Class, []analyze.Term{*g.term})
			}
		}
	}
	u.lost = u.lost || c.Unresolved
	u.spread()
	c.alternatives = u.without(c.alternatives)
	c.values = slices.Clone(c.values)
	for i, value := range c.values {
		if u.spoils(value) {
			c.values[i] = analyze.Term{}
		}
	}
	for _, row := range c.rows {
		for i, g := range row {
			if g.term != nil && u.spoils(*g.term) {
				row[i].term = &analyze.Term{}
			}
		}
	}
}

// note notes the uses of parameters in a comparison.
func (c clause) note(cond *analyze.Cond) {
	if len(cond.List) == 0 {
		return
	}
	var class Class
	if v, _ := c.j.find(c.scope, cond.Left); v != nil {
		class = v.class
	}
	c.j.usage.compared(class, cond.List)
}
