package confine

import (
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// Which columns of its rows a reference looks at: those that its text may name. An UPDATE of other columns
// changes nothing that it can see, and moves no row to where it would be found or not.

// A textual is the text in which a source stands, of the statement or of a view.
type textual struct {
	mentions *analyze.Mentions
	chooses  bool // it, or one around it, leaves the database a choice among rows
	limits   bool // it has a LIMIT
}

// chosen is t with the choices of its own text.
func (t textual) chosen() textual {
	t.chooses = t.chooses || t.mentions == nil || t.mentions.Chooses
	t.limits = t.mentions != nil && t.mentions.Limits
	return t
}

// within is the text of a view that is named in t.
func (t textual) within(view *analyze.Mentions) textual {
	return textual{mentions: view, chooses: t.chooses || t.limits}.chosen()
}

// looks are the columns that a source looks at.
type looks struct {
	textual
	all bool
}

// looksOf tells at what a source of a block looks. Its columns are those of its relation, not renamed yet.
func (j *judge) looksOf(b *analyze.Block, l *leaf, s *analyze.Source) looks {
	star := func(o analyze.Output) bool {
		own := o.Term.Table.Name
		return o.Star && (own == "" || strings.EqualFold(own, l.alias))
	}
	all := l.veiled || len(s.Columns) > 0 || slices.ContainsFunc(b.Columns, star) || j.text.mentions.Row(l.alias, l.names)
	of := looks{j.text, all && j.mutant != starsUnseen}
	of.chooses = of.chooses || of.limits && !j.ordered(b, l) || j.loose > 0
	return of
}

// someRow reports whether a block may give the value of some row, where there are more: SQLite's subquery in an expression gives that of the first, and
// a column beside an aggregate is that of any one, there and in MySQL.
func (j *judge) someRow(b *analyze.Block) bool {
	if j.dialect == analyze.SQLite && j.inner > 0 {
		return true
	}
	return j.dialect != analyze.Postgres && b.Grouped && slices.ContainsFunc(b.Columns, func(o analyze.Output) bool { return !o.Aggregate })
}

// ordered reports whether a block, which is all of a text, is of one relation and puts its rows in an order in which no two are equal: that of a
// unique key. Then a LIMIT leaves no choice.
func (j *judge) ordered(b *analyze.Block, l *leaf) bool {
	if b.Mentions == nil || len(b.From) != 1 || len(b.Arms)+len(b.Subs)+len(b.With) > 0 || l.table == nil || b.Grouped {
		return false
	}
	sorted := func(name string) bool {
		return slices.ContainsFunc(b.Order, func(t analyze.Term) bool { return j.fold(t.Text) == name && !j.renamed(b, t) })
	}
	return slices.ContainsFunc(l.table.Keys, func(key []string) bool {
		return len(key) > 0 && !slices.ContainsFunc(key, func(name string) bool { return !sorted(name) || !l.table.certain(name) })
	})
}

// renamed reports whether a name without a qualifier may mean an output that isn't the column of that name.
func (j *judge) renamed(b *analyze.Block, t analyze.Term) bool {
	return t.Table == (analyze.Name{}) && slices.ContainsFunc(b.Columns, func(o analyze.Output) bool {
		same := o.Term.Kind == analyze.Column && j.fold(o.Term.Text) == j.fold(t.Text)
		return !o.Star && j.fold(o.Name) == j.fold(t.Text) && !same
	})
}

// certain reports whether a column is never NULL, and compared and sorted by its whole value: MySQL sorts by the beginning of long texts only, and
// takes many for equal with a number.
func (t *Table) certain(name string) bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool {
		return c.Name == name && (c.NotNull || c.Serial) && !(t.Dialect == analyze.MySQL && c.Class.Kind != Integer)
	})
}

// Looks reports whether a column may decide about the result, by what is shown, compared, joined or sorted. Where the
// database may choose among rows, as before a LIMIT without an order, each column does: it may choose by the places of rows, and a
// change of any column may move one. Of a single row it can't.
func (r *Reference) Looks(column string) bool {
	switch {
	case r.LooksAtAll():
		return true
	case slices.ContainsFunc(r.Alternatives, func(p Pins) bool {
		return slices.ContainsFunc(p, func(pin Pin) bool { return pin.Column.Name == column })
	}):
		return true
	}
	return r.looks.mentions.Column(column)
}

// LooksAtAll reports whether each column may decide.
func (r *Reference) LooksAtAll() bool {
	return r.looks.all || r.looks.mentions == nil || r.looks.mentions.Any || r.looks.chooses && !r.single()
}

// single reports whether the reference is of one row at most, by a unique key, whichever arguments it has.
func (r *Reference) single() bool {
	if len(r.Alternatives) != 1 {
		return false
	}
	return slices.ContainsFunc(r.Table.Keys, func(key []string) bool {
		pins := r.Alternatives[0].only(key)
		return len(pins) > 0 && !slices.ContainsFunc(pins, func(p Pin) bool { return !p.single() || !r.Table.certain(p.Column.Name) })
	})
}

// Columns returns the names of the columns at which the reference looks; nil if they may be all, or aren't known.
func (r *Reference) Columns() []string {
	names := []string{}
	for i := range r.Table.Columns {
		if name := r.Table.Columns[i].Name; r.Looks(name) {
			names = append(names, name)
		}
	}
	if len(names) == len(r.Table.Columns) {
		return nil
	}
	return names
}

// Touched returns the names of the columns that an UPDATE may change, sorted, those that are computed among them; nil if they may be any.
func (c *Change) Touched() []string {
	if c.Op != analyze.Update || c.silent || c.obscure() {
		return nil
	}
	names := slices.Clone(c.computed)
	if c.mutant == computedUntouched {
		names = nil
	}
	for _, column := range c.Assigned {
		names = append(names, column.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
