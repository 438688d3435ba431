package confine

import (
	"cmp"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// Texts says for people which rows decide: "main.stuff{user_id=$1}" for those with this value,
// "main.stuff?" for all, one for each way; and, if not all of their columns do, which: "main.stuff? (id, name)".
func (r *Reference) Texts() []string {
	var names []string
	p, ok := r.Plan(nil, true)
	columns := ""
	if list := r.Columns(); list != nil && r.apart() {
		columns = " (" + cmp.Or(strings.Join(list, ", "), "no columns") + ")"
	}
	for _, relation := range r.Table.Relations {
		if !ok {
			names = append(names, relation+"?"+columns)
			continue
		}
		for _, pins := range p.alternatives {
			names = append(names, relation+pins.String()+columns)
		}
	}
	return names
}

// String shows pins as "{tenant_id=$1, user_id in ($2, $3)}".
func (p Pins) String() string {
	texts := make([]string, len(p))
	for i, pin := range p {
		texts[i] = pin.String()
	}
	return "{" + strings.Join(texts, ", ") + "}"
}

func (p Pin) String() string {
	terms := make([]string, len(p.Terms))
	for i, t := range p.Terms {
		terms[i] = t.String()
	}
	switch list := strings.Join(terms, ", "); {
	case p.Array:
		return p.Column.Name + "=any(" + list + ")"
	case len(terms) > 1:
		return p.Column.Name + " in (" + list + ")"
	default:
		return p.Column.Name + "=" + list
	}
}

// String says for people which rows are changed, as far as the text tells.
func (c *Change) String() string {
	if c.silent {
		return "any row: the database may alter what is written"
	}
	var texts []string
	for _, pins := range c.alternatives {
		texts = append(texts, pins.String())
	}
	switch {
	case c.Op == analyze.Insert:
		texts = append(texts, "new rows")
	case len(texts) == 0:
		texts = append(texts, "the rows that its condition finds")
	}
	for i, column := range c.Assigned {
		texts = append(texts, column.Name+" becomes "+c.values[i].String())
	}
	return strings.Join(texts, ", ")
}
