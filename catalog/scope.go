package catalog

import (
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// A scope says what the names mean that stand in one text: a statement of a session, or
// the definition of a view.
type scope struct {
	snapshot  *Snapshot
	state     *State
	path      []string // where unqualified names are looked up
	permanent bool     // temporary relations hide nothing here

	// bound is the definition that the names stand in, if a catalog has what they refer to: a name
	// that leads elsewhere isn't known.
	bound *definition
}

// A place says where a name leads.
type place uint8

const (
	unknown place = iota
	known
	temporary
	attached
)

// resolve finds what a name means.
func (s *scope) resolve(n analyze.Name) (*relation, place) {
	schema, name := n.Schema, n.Name
	if s.snapshot.fold {
		schema, name = strings.ToLower(schema), strings.ToLower(name)
	}
	if schema != "" {
		return s.qualified(schema, name)
	}
	hidden := s.hidden(name)
	if hidden && !slices.ContainsFunc(s.path, s.snapshot.isTemp) {
		return nil, temporary
	}
	for i, schema := range s.path {
		if hidden && s.snapshot.isTemp(schema) {
			return nil, temporary
		}
		if r := s.snapshot.lookup(schema, name); r != nil {
			return r, known
		}
		if s.snapshot.dialect == analyze.SQLite && i > 0 && schema != "main" {
			return nil, attached
		}
	}
	return nil, unknown
}

// hidden reports whether a temporary relation is meant by the name.
func (s *scope) hidden(name string) bool { return !s.permanent && s.state.hides(name) }

func (s *scope) qualified(schema, name string) (*relation, place) {
	switch s.snapshot.dialect {
	case analyze.Postgres:
		if s.snapshot.isTemp(schema) {
			return nil, temporary
		}
	case analyze.MySQL:
		if s.hidden(schema+"."+name) || s.hidden(name) {
			return nil, temporary
		}
	case analyze.SQLite:
		if schema == "temp" {
			return nil, temporary
		}
		if schema != "main" {
			return nil, attached
		}
	}
	if r := s.snapshot.lookup(schema, name); r != nil {
		return r, known
	}
	return nil, unknown
}

// Table returns what a name means, as package confine wants to know it.
func (s *scope) Table(n analyze.Name) (*confine.Table, bool) {
	r, where := s.resolve(n)
	if where != known || r.table == nil {
		return nil, false
	}
	if s.bound != nil && !slices.Contains(s.bound.relations, r) {
		return nil, false
	}
	return r.table, true
}
