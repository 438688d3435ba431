package session

import (
	"slices"

	"github.com/larderdb/larder/catalog"
	"github.com/larderdb/larder/coherence"
	"github.com/larderdb/larder/confine"
)

// A change is what a write does to one relation.
type change struct {
	relation catalog.Relation
	known    bool            // rows are all that are changed; else they may be any
	later    bool            // what rows don't tell the database's answer does
	by       *query          // what wrote it last, if somebody watches
	touched  []string        // the columns that may be other than they were, sorted; nil: any
	rows     []confine.Image // as they were and as they are then; a column that isn't there may have any value
}

// maxImages bounds the rows that are remembered of one relation until a commit.
const maxImages = 1000

// add makes c the change that it and another one of the same relation are.
func (c *change) add(other change) {
	if other.by != nil {
		c.by = other.by
	}
	c.touched = eitherTouched(c.touched, other.touched)
	if !c.known || !other.known || len(c.rows)+len(other.rows) > maxImages {
		c.known, c.rows = false, nil
		return
	}
	c.rows = append(c.rows[:len(c.rows):len(c.rows)], other.rows...)
}

// eitherTouched are the columns that either of two changes may touch.
func eitherTouched(a, b []string) []string {
	switch {
	case a == nil || b == nil:
		return nil
	case slices.Equal(a, b):
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// slices are those of a shape in which the rows are; none, if its results don't look at what is changed. They aren't known if a row
// has a column of the shape that may have any value.
func (c *change) slices(shape string) (forms []string, known bool) {
	if confine.Spares(shape, c.touched) {
		return nil, true
	}
	var few [4]string
	columns := confine.AppendColumns(few[:0], shape)
	var seen map[string]bool
	if len(c.rows) > fewRows {
		seen = make(map[string]bool, len(c.rows))
	}
	for _, row := range c.rows {
		form, ok := row.Form(columns)
		if !ok {
			return nil, false
		}
		if seen == nil && slices.Contains(forms, form) || seen[form] {
			continue
		}
		if forms = append(forms, form); seen != nil {
			seen[form] = true
		}
	}
	return forms, true
}

// fewRows is up to how many rows it is quicker to compare their forms one by one.
const fewRows = 8

// missing are those columns that some row doesn't tell.
func (c *change) missing(columns []string) []string {
	var names []string
	for _, column := range columns {
		untold := func(row confine.Image) bool { _, ok := row.Get(column); return !ok }
		if slices.ContainsFunc(c.rows, untold) {
			names = append(names, column)
		}
	}
	return names
}

// columnsOf are the columns of shapes, each once.
func columnsOf(shapes []string) []string {
	var names []string
	for _, shape := range shapes {
		for _, column := range confine.AppendColumns(nil, shape) {
			if !slices.Contains(names, column) {
				names = append(names, column)
			}
		}
	}
	return names
}

// told is what a domain is told of changes.
func told(changes []change) []coherence.Change {
	list := make([]coherence.Change, len(changes))
	for i := range changes {
		c := &changes[i]
		list[i].Relation, list[i].Later = string(c.relation), c.later
		if c.known {
			list[i].Slices = c.slices
		}
	}
	return list
}

// of returns the change of a relation; the effect shares it with no other then.
func (e *effect) of(r catalog.Relation) *change {
	e.changes = slices.Clone(e.changes)
	for i := range e.changes {
		if e.changes[i].relation == r {
			return &e.changes[i]
		}
	}
	return nil
}

// changeTexts says which rows a statement changes, and how that is told.
func (p *planned) changeTexts() []string {
	var texts []string
	for i := range p.write.changes {
		r := p.write.changes[i].relation
		switch {
		case p.write.wide:
			return []string{"any row of any relation"}
		case p.change == nil || r != p.plan.Target:
			texts = append(texts, string(r)+": any row: "+p.whyAny(r))
		default:
			texts = append(texts, string(r)+": "+p.change.String())
		}
	}
	return texts
}

// whyAny says why it can't be told which rows of a relation a statement changes.
func (p *planned) whyAny(r catalog.Relation) string {
	switch {
	case p.plan.Target != "":
		return "written by a trigger, a cascade or a rule"
	case p.text.Change == nil:
		return "the text doesn't tell which"
	}
	return "not by this statement alone, or the rows of this relation can't be told apart"
}
