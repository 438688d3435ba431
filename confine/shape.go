package confine

import (
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// A Slice is the rows of a relation whose columns in Shape have the values in Form.
type Slice struct {
	Shape string // names of columns, sorted, with commas between; see Shape for what may follow
	Form  string
}

// A Plan says by which columns a reference is sliced.
type Plan struct {
	dialect      analyze.Dialect
	alternatives []Pins   // the pins that are used, by name
	shapes       []string // of each alternative
	fixed        string   // the form of the only slice, if that is the same for all arguments; else ""
}

// maxColumns bounds the columns of a shape that isn't a key.
const maxColumns = 3

// Plan chooses a shape for each alternative: a key if its columns are pinned, else the columns that say most. If the
// choice isn't among the shapes in use and there may be no more, it is the largest of these whose
// columns are pinned. ok is false if there is none: the reference is of all rows.
func (r *Reference) Plan(used []string, more bool) (p *Plan, ok bool) {
	p = &Plan{dialect: r.Table.Dialect}
	for _, pins := range r.Alternatives {
		pins = pins.usable()
		chosen := pins.choose(r.Table)
		if !more && !slices.Contains(used, chosen.shape()) {
			chosen = pins.among(used)
		}
		if len(chosen) == 0 {
			return nil, false
		}
		p.alternatives = append(p.alternatives, chosen)
		p.shapes = append(p.shapes, chosen.shape())
	}
	if pin := p.only(); pin != nil && pin.Terms[0].Kind != analyze.Param {
		if form, ok := pin.Column.Class.form(p.dialect, pin.Terms[0], nil); ok {
			p.fixed = joined(form)
		}
	}
	return p, len(p.alternatives) > 0 && !r.Table.Unsliced
}

// allRows are the shapes of what isn't sliced.
var allRows = []string{""}

// Shapes returns the shapes that the plan needs, each once. Without a plan it is that of all rows, "".
func (p *Plan) Shapes() (shapes []string) {
	if p == nil {
		return allRows
	}
	for _, s := range p.shapes {
		if !slices.Contains(shapes, s) {
			shapes = append(shapes, s)
		}
	}
	return shapes
}

// Evaluate returns the slices for the arguments of a call. ok is false if one of
// them has no canonical form, or if there are too many: then the read is of all rows.
func (p *Plan) Evaluate(args []driver.NamedValue) (list []Slice, ok bool) {
	if p.only() != nil { // most are so
		s, ok := p.Only(args)
		if !ok {
			return nil, false
		}
		return []Slice{s}, true
	}
	var seen map[Slice]bool // one alternative has no slice twice
	if len(p.alternatives) > 1 {
		seen = make(map[Slice]bool)
	}
	for i, pins := range p.alternatives {
		forms, ok := pins.values(p.dialect, args)
		if !ok {
			return nil, false
		}
		list = slices.Grow(list, len(forms))
		for _, form := range forms {
			s := Slice{p.shapes[i], form}
			if seen[s] {
				continue
			}
			if seen != nil {
				seen[s] = true
			}
			list = append(list, s)
		}
		if len(list) > maxSlices {
			return nil, false
		}
	}
	return list, true
}

// Only returns the shape of a plan by one column with one value, and the slice for the arguments of a call, as Evaluate does; ok is
// false of any other plan.
func (p *Plan) Only(args []driver.NamedValue) (s Slice, ok bool) {
	if p == nil {
		return Slice{}, false
	}
	if p.fixed != "" {
		return Slice{p.shapes[0], p.fixed}, true
	}
	pin := p.only()
	if pin == nil {
		return Slice{}, false
	}
	form, ok := pin.Column.Class.form(p.dialect, pin.Terms[0], args)
	return Slice{p.shapes[0], joined(form)}, ok
}

// only is the pin of a plan by one column with one value, nil of another plan.
func (p *Plan) only() *Pin {
	if len(p.alternatives) != 1 || len(p.alternatives[0]) != 1 || !p.alternatives[0][0].single() {
		return nil
	}
	return &p.alternatives[0][0]
}

// usable returns the pins of which names of shapes can be made, sorted by name.
func (p Pins) usable() Pins {
	p = slices.DeleteFunc(slices.Clone(p), func(pin Pin) bool { return pin.Column.Name == "" || strings.ContainsAny(pin.Column.Name, ",?!") })
	slices.SortFunc(p, byName)
	return p
}

func byName(a, b Pin) int { return strings.Compare(a.Column.Name, b.Column.Name) }

// shape returns the name of the shape that sorted pins make.
func (p Pins) shape() string {
	var names []string
	for _, pin := range p {
		names = append(names, pin.Column.Name)
	}
	return strings.Join(names, ",")
}

// only returns the pins of some columns, nil if one of these isn't pinned or they would be too many slices.
func (p Pins) only(names []string) (some Pins) {
	for _, pin := range p {
		if slices.Contains(names, pin.Column.Name) {
			some = append(some, pin)
		}
	}
	if len(some) < len(names) || some.count() > maxSlices {
		return nil
	}
	return some
}

// count returns how many combinations of values there are at most, arrays aside.
func (p Pins) count() int {
	n := 1
	for _, pin := range p {
		if n *= len(pin.Terms); n > maxSlices {
			return n
		}
	}
	return n
}

func (p Pins) choose(t *Table) Pins {
	for _, key := range t.Keys {
		if some := p.only(key); len(some) > 0 {
			return some
		}
	}
	best := slices.DeleteFunc(slices.Clone(p), Pin.vague)
	if len(best) == 0 {
		best = slices.Clone(p)
	}
	slices.SortStableFunc(best, func(a, b Pin) int {
		if a.Column.Selective != b.Column.Selective {
			return map[bool]int{true: -1, false: 1}[a.Column.Selective]
		}
		return len(a.Terms) - len(b.Terms)
	})
	var chosen Pins
	for _, pin := range best {
		if with := append(chosen[:len(chosen):len(chosen)], pin); len(chosen) < maxColumns && with.count() <= maxSlices {
			chosen = with
		}
	}
	slices.SortFunc(chosen, byName)
	return chosen
}

// vague reports whether a pin is of a kind that many rows share: booleans, the absence of a value, a constant zero.
func (p Pin) vague() bool {
	return p.Column.Class.Kind == Boolean || !slices.ContainsFunc(p.Terms, func(t analyze.Term) bool {
		switch t.Kind {
		case analyze.Null, analyze.Boolean:
			return false
		}
		return t.Kind != analyze.Number || t.Text != "0"
	})
}

// among returns the pins of the largest of some shapes.
func (p Pins) among(shapes []string) (best Pins) {
	for _, shape := range shapes {
		if some := p.only(strings.Split(shape, ",")); len(some) > len(best) {
			best = some
		}
	}
	return best
}

// values returns the forms of every combination of the pins' values, each once, joined as Join does.
func (p Pins) values(d analyze.Dialect, args []driver.NamedValue) (list []string, ok bool) {
	list = []string{""}
	for _, pin := range p {
		forms, ok := pin.forms(d, args)
		if !ok || len(list)*len(forms) > maxSlices {
			return nil, false
		}
		next := make([]string, 0, len(list)*len(forms))
		for _, head := range list {
			for _, form := range forms {
				next = append(next, head+joined(form))
			}
		}
		list = next
	}
	return list, true
}

// single reports whether a pin is of one value.
func (p Pin) single() bool { return len(p.Terms) == 1 && !p.Array }

// forms returns the forms of a pin's values, each once.
func (p Pin) forms(d analyze.Dialect, args []driver.NamedValue) (forms []string, ok bool) {
	forms, ok = p.operands(d, args)
	slices.Sort(forms)
	return slices.Compact(forms), ok
}

// operands returns the forms of a pin's values.
func (p Pin) operands(d analyze.Dialect, args []driver.NamedValue) (forms []string, ok bool) {
	for _, t := range p.Terms {
		some, ok := p.Column.Class.evaluate(d, t, p.Array, args)
		if !ok {
			return nil, false
		}
		if forms == nil {
			forms = some
			continue
		}
		forms = append(forms, some...)
	}
	return forms, true
}

// evaluate returns the forms of a literal or parameter.
func (c Class) evaluate(d analyze.Dialect, t analyze.Term, array bool, args []driver.NamedValue) (forms []string, ok bool) {
	if !c.tells(d, t, array) {
		return nil, false
	}
	if !array {
		form, ok := c.form(d, t, args)
		return []string{form}, ok
	}
	value := any(t.Text)
	if t.Kind == analyze.Param {
		if value, ok = Bound(t, args); !ok {
			return nil, false
		}
	}
	return c.Elements(d, value)
}

// form is evaluate for what isn't an array.
func (c Class) form(d analyze.Dialect, t analyze.Term, args []driver.NamedValue) (form string, ok bool) {
	if !c.tells(d, t, false) {
		return "", false
	}
	var value any
	if t.Kind == analyze.Param {
		if value, ok = Bound(t, args); !ok {
			return "", false
		}
	}
	return c.operand(d, t, value)
}

// operand returns the form of a literal, or of a parameter's value.
func (c Class) operand(d analyze.Dialect, t analyze.Term, value any) (form string, ok bool) {
	if t.Kind != analyze.Param {
		return c.Term(d, t)
	}
	if t.Cast != "" {
		v, _ := plain(value)
		if _, float := v.(float64); float {
			return "", false
		}
	}
	return c.Value(d, value)
}

// Bound returns the argument of a parameter. Drivers differ in how they count arguments of which some have names:
// args must be of one sort; that the first and the last are is seen here.
func Bound(t analyze.Term, args []driver.NamedValue) (v any, ok bool) {
	if i := t.Param - 1; i >= 0 && i < len(args) && args[0].Name == "" && args[len(args)-1].Name == "" && args[i].Name == "" && args[i].Ordinal == t.Param {
		return args[i].Value, true
	}
	if slices.ContainsFunc(args, func(a driver.NamedValue) bool { return (a.Name == "") != (args[0].Name == "") }) {
		return nil, false
	}
	for _, a := range args {
		if a.Name != "" && a.Name == t.Text || a.Name == "" && t.Param > 0 && a.Ordinal == t.Param {
			if ok {
				return nil, false
			}
			v, ok = a.Value, true
		}
	}
	return v, ok
}
