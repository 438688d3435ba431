package confine

import (
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// A leaf is one source of a block: a relation, a view, a subquery, a CTE, or what can't be told.
type leaf struct {
	alias    string
	relation analyze.Name
	table    *Table

	names  []string // of its columns, folded; "" if the database makes one up
	vars   []*variable
	open   bool   // it may have more columns than these
	veiled bool   // its names can't be relied on
	inner  *frame // of a view, a subquery, a CTE
	owner  *frame // of a CTE: the block that binds it

	lateral bool // inner sees its neighbours
	looks   looks
}

// A scope is the sources that names in a block may mean, the innermost first.
type scope struct {
	leaves  []*leaf
	root    *node
	outputs []analyze.Output
	// lateral says that not all of these may be seen: those of a FROM clause from within it.
	lateral bool
	up      *scope
}

func (s *scope) owns(l *leaf) bool { return slices.Contains(s.leaves, l) }

// beside returns the scope as a subquery among its sources sees it.
func (s *scope) beside() *scope {
	neighbours := *s
	neighbours.lateral = true
	return &neighbours
}

// A found says whether a scope has a column.
type found uint8

const (
	no found = iota
	maybe
	yes
)

// systemColumns may be columns of any relation without being among its columns.
var systemColumns = []string{
	"ctid", "oid", "tableoid", "xmin", "xmax", "cmin", "cmax",
	"rowid", "_rowid_", "_rowid", "row_start", "row_end",
}

// fold returns a column's name as the dialect compares it.
func (j *judge) fold(name string) string {
	switch j.dialect {
	case analyze.MySQL:
		return strings.ToLower(name)
	case analyze.SQLite:
		return lowerASCII(name)
	}
	return name
}

// find returns what a column of a condition means: that of the innermost block that has it.
func (j *judge) find(s *scope, t analyze.Term) (*variable, found) {
	if t.Kind != analyze.Column {
		return nil, maybe
	}
	for depth := 0; s != nil; s = s.up {
		v, f := j.within(s, t)
		if (f == no || depth > 0) && j.named(s, t) == maybe {
			f = maybe
		}
		if f == maybe || f == no && t.Table == (analyze.Name{}) && slices.Contains(systemColumns, strings.ToLower(t.Text)) {
			return nil, maybe
		}
		if f == yes && s.lateral {
			if _, outside := j.find(s.up, t); outside != no {
				return nil, maybe
			}
		}
		if f == yes {
			return v, yes
		}
		if !s.lateral {
			depth++
		}
	}
	return nil, no
}

// named returns maybe if an unqualified name may mean an output of the block itself, which is not the column of
// that name.
func (j *judge) named(s *scope, t analyze.Term) found {
	if t.Table != (analyze.Name{}) {
		return no
	}
	for _, o := range s.outputs {
		plain := o.Term.Kind == analyze.Column && j.fold(o.Term.Text) == j.fold(t.Text)
		if o.Name != "" && j.fold(o.Name) == j.fold(t.Text) && !plain {
			return maybe
		}
	}
	return no
}

// within returns what a column means among the sources of one block.
func (j *judge) within(s *scope, t analyze.Term) (*variable, found) {
	if t.Table != (analyze.Name{}) {
		return j.qualified(s, t)
	}
	if s.root != nil {
		return j.merged(s.root, t.Text)
	}
	for _, l := range s.leaves {
		if l.open {
			return nil, maybe
		}
	}
	return nil, no
}

func (j *judge) qualified(s *scope, t analyze.Term) (*variable, found) {
	var hit *leaf
	for _, l := range s.leaves {
		switch f := j.goesBy(l, t.Table); {
		case f == maybe || f == yes && (hit != nil || l.veiled):
			return nil, maybe
		case f == yes:
			hit = l
		}
	}
	if hit == nil {
		return nil, no
	}
	v, f := j.lookup(hit, t.Text)
	if f != yes {
		return nil, maybe
	}
	return v, yes
}

// goesBy reports whether a qualifier means a source.
func (j *judge) goesBy(l *leaf, n analyze.Name) found {
	switch {
	case l.alias != n.Name && strings.EqualFold(l.alias, n.Name) && j.dialect != analyze.Postgres:
		return maybe
	case l.alias != n.Name:
		return no
	case n.Schema == "", n == l.relation:
		return yes
	}
	return maybe
}

// lookup returns the column of a source that has a name.
func (j *judge) lookup(l *leaf, name string) (*variable, found) {
	if l.veiled {
		return nil, maybe
	}
	var hit *variable
	blurred, unsure := false, l.open
	for i, n := range l.names {
		if n == "" {
			blurred, unsure = true, true
			continue
		}
		if n != j.fold(name) {
			// MySQL takes letters with and without accents for the same.
			unsure = unsure || j.dialect == analyze.MySQL && !ascii(n+name)
			continue
		}
		if hit != nil || blurred {
			return nil, maybe
		}
		hit = l.vars[i]
	}
	switch {
	case hit != nil:
		return hit, yes
	case unsure:
		return nil, maybe
	}
	return nil, no
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
