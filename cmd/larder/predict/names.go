package predict

import (
	"database/sql/driver"
	"regexp"
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/cmd/larder/logs"
	"github.com/larderdb/larder/confine"
)

// names is what texts alone tell of a database: which columns a relation has, as far as conditions and writes name
// them, and of which type they are, as far as the values show. A column "id" is taken for a key.
type names struct {
	dialect  analyze.Dialect
	database string
	tables   map[string]*table
	seen     map[string]int // statements, by shape
	settled  bool
	equal    [][2]*column // compared with each other
}

type table struct {
	name    string
	columns map[string]*column
	order   []string
	of      *confine.Table
}

// A column is what its values look like.
type column struct{ looks look }

type look uint8

const (
	wholeNumber look = 1 << iota
	uuidText
	boolean
	plainText
	otherwise // times, fractions: values that can't be told apart by their text
)

// samples is how many statements of one shape are looked at.
const samples = 64

func newNames(d analyze.Dialect, database string) *names {
	return &names{dialect: d, database: database, tables: map[string]*table{}, seen: map[string]int{}}
}

// learn notes what a statement tells.
func (n *names) learn(shape string, r logs.Record, statements *analyze.Cache) {
	if n.seen[shape]++; n.seen[shape] > samples {
		return
	}
	st := statements.Analyze(n.dialect, r.Text)
	n.settled = false
	for _, name := range st.Reads {
		n.table(name)
	}
	for _, w := range st.Writes {
		n.table(w.Relation)
	}
	n.block(st.Rows, nil, r.Args)
	n.learnChange(st.Change, r.Args)
}

// canonical is the name of a relation, however a text qualifies it.
func (n *names) canonical(name analyze.Name) string {
	text := name.String()
	switch n.dialect {
	case analyze.Postgres:
		return strings.TrimPrefix(text, "public.")
	case analyze.MySQL:
		return strings.ToLower(strings.TrimPrefix(text, n.database+"."))
	}
	return strings.TrimPrefix(text, "main.")
}

func (n *names) table(name analyze.Name) *table {
	key := n.canonical(name)
	t := n.tables[key]
	if t == nil {
		t = &table{name: key, columns: map[string]*column{}}
		n.tables[key] = t
	}
	return t
}

func (n *names) column(t *table, name string) *column {
	if n.dialect != analyze.Postgres {
		name = strings.ToLower(name)
	}
	c := t.columns[name]
	if c == nil {
		c = &column{}
		t.columns[name] = c
		t.order = append(t.order, name)
	}
	return c
}

// A place is a relation under the name by which a block calls it.
type place struct {
	alias string
	table *table
}

// block notes the columns that conditions of a block name.
func (n *names) block(b *analyze.Block, outer []place, args []driver.NamedValue) {
	if b == nil {
		return
	}
	for _, c := range b.With {
		n.block(c.Block, nil, args)
	}
	for _, arm := range b.Arms {
		n.block(arm, outer, args)
	}
	places := n.sources(b.From, outer, args)
	n.cond(b.Where, places, args)
	n.conditions(b.From, places, args)
	for _, sub := range b.Subs {
		n.block(sub, append(places[:len(places):len(places)], outer...), args)
	}
}

func (n *names) sources(list []analyze.Source, outer []place, args []driver.NamedValue) (places []place) {
	for _, s := range list {
		places = append(places, n.sources(s.Nested, outer, args)...)
		n.block(s.Sub, outer, args)
		if t := n.tables[n.canonical(s.Relation)]; t != nil && s.Relation.Name != "" {
			alias := s.Alias
			if alias == "" {
				alias = s.Relation.Name
			}
			places = append(places, place{alias, t})
		}
	}
	return places
}

func (n *names) conditions(list []analyze.Source, places []place, args []driver.NamedValue) {
	for _, s := range list {
		n.cond(s.On, places, args)
		n.conditions(s.Nested, places, args)
		for _, name := range s.Using {
			for _, p := range places {
				n.column(p.table, name)
			}
		}
	}
}

func (n *names) cond(c *analyze.Cond, places []place, args []driver.NamedValue) {
	if c == nil {
		return
	}
	for _, arg := range c.Args {
		n.cond(arg, places, args)
	}
	left := n.columnOf(c.Left, places)
	for _, term := range c.List {
		right := n.columnOf(term, places)
		switch {
		case left != nil && right != nil:
			n.equal = append(n.equal, [2]*column{left, right})
		case left != nil:
			left.looks |= n.looks(term, c.Op == analyze.Any, args)
		case right != nil:
			right.looks |= n.looks(c.Left, false, args)
		}
	}
	if left != nil && (c.Op == analyze.IsTrue || c.Op == analyze.IsFalse) {
		left.looks |= boolean
	}
}

// columnOf is the column that a term is; nil if it is none, or one of which it isn't told whose.
func (n *names) columnOf(t analyze.Term, places []place) *column {
	if t.Kind != analyze.Column {
		return nil
	}
	if t.Table.Name == "" && len(places) == 1 {
		return n.column(places[0].table, t.Text)
	}
	for _, p := range places {
		if t.Table.Name != "" && strings.EqualFold(p.alias, t.Table.Name) {
			return n.column(p.table, t.Text)
		}
	}
	return nil
}

var (
	numberText = regexp.MustCompile(`^[+-]?\d{1,18}$`)
	uuidForm   = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	otherForm  = regexp.MustCompile(`^(?:[+-]?\d*\.\d+(?:[eE][+-]?\d+)?|\d{4}-\d\d-\d\d.*|\d\d:\d\d(?::\d\d.*)?)$`)
)

// looks tells what the value of a term looks like; 0 if it has none.
func (n *names) looks(t analyze.Term, array bool, args []driver.NamedValue) look {
	text := t.Text
	switch t.Kind {
	case analyze.Param:
		value, ok := confine.Bound(t, args)
		if text, _ = value.(string); !ok || value == nil {
			return 0
		}
	case analyze.Boolean:
		return boolean
	case analyze.Number, analyze.Text:
	default:
		return 0
	}
	if array {
		text, _, _ = strings.Cut(strings.Trim(text, "{}"), ",")
		text = strings.Trim(text, `"`)
	}
	switch {
	case numberText.MatchString(text):
		return wholeNumber
	case uuidForm.MatchString(text):
		return uuidText
	case otherForm.MatchString(text):
		return otherwise
	}
	return plainText
}

// learnChange notes the columns that a write names.
func (n *names) learnChange(c *analyze.Change, args []driver.NamedValue) {
	if c == nil {
		return
	}
	t := n.table(c.Target)
	alias := c.Alias
	if alias == "" {
		alias = c.Target.Name
	}
	n.cond(c.Where, []place{{alias, t}}, args)
	for _, a := range c.Set {
		n.column(t, a.Column).looks |= n.looks(a.Value, false, args)
	}
	for i, name := range c.Columns {
		column := n.column(t, name)
		for _, row := range c.Rows {
			if i < len(row) {
				column.looks |= n.looks(row[i], false, args)
			}
		}
	}
}

// settle makes tables of what was learnt.
func (n *names) settle() {
	if n.settled {
		return
	}
	n.settled = true
	for range 3 { // a = b, b = c
		for _, pair := range n.equal {
			both := pair[0].looks | pair[1].looks
			pair[0].looks, pair[1].looks = both, both
		}
	}
	for _, t := range n.tables {
		t.of = &confine.Table{Relations: []string{t.name}, Dialect: n.dialect}
		for _, name := range t.order {
			c := confine.Column{Name: name, Class: n.class(t.columns[name].looks), Default: analyze.Term{Kind: analyze.Null}}
			if name == "id" {
				c.Serial = c.Class.Kind == confine.Integer
				t.of.Keys = [][]string{{name}}
			}
			t.of.Columns = append(t.of.Columns, c)
		}
	}
}

// class is how a database would compare a column whose values look so.
func (n *names) class(l look) confine.Class {
	switch {
	case l == 0 || l&otherwise != 0:
		return confine.Class{}
	case l == wholeNumber:
		return confine.Class{Kind: confine.Integer}
	case l == boolean && n.dialect == analyze.Postgres:
		return confine.Class{Kind: confine.Boolean}
	case l&boolean != 0:
		return confine.Class{}
	case l == uuidText && n.dialect == analyze.Postgres:
		return confine.Class{Kind: confine.UUID}
	case n.dialect == analyze.MySQL:
		return confine.Class{Kind: confine.Text, Fold: confine.CaseLess | confine.Padded}
	}
	return confine.Class{Kind: confine.Text}
}

// Table implements confine.Schema.
func (n *names) Table(name analyze.Name) (*confine.Table, bool) {
	t := n.tables[n.canonical(name)]
	if t == nil || t.of == nil {
		return nil, false
	}
	return t.of, true
}

// plan implements facts.
func (n *names) plan(st *analyze.Statement) *planned {
	for _, name := range st.Reads {
		n.table(name)
	}
	n.settle()
	p := &planned{st: st, reason: st.Reason, detail: st.Detail, wide: st.WritesAll || st.Kind == analyze.Schema}
	for _, name := range st.Reads {
		p.reads = append(p.reads, n.canonical(name))
	}
	for _, w := range st.Writes {
		p.writes = append(p.writes, n.canonical(w.Relation))
	}
	n.confine(p)
	n.aim(p)
	return p
}

// confine tells which rows a read depends on.
func (n *names) confine(p *planned) {
	if p.reason != analyze.Cacheable || p.st.Kind != analyze.Read {
		return
	}
	refs, ok := confine.Reads(p.st.Rows, n)
	if !ok {
		return
	}
	for _, relation := range p.reads {
		of := func(r confine.Reference) bool { return r.Table != nil && slices.Contains(r.Table.Relations, relation) }
		if !slices.ContainsFunc(refs, of) {
			refs = append(refs, confine.Reference{Table: &confine.Table{Relations: []string{relation}, Dialect: n.dialect, Unsliced: true}})
		}
	}
	p.references = refs
	p.slice()
}

// aim tells the rows that a write changes.
func (n *names) aim(p *planned) {
	c := p.st.Change
	if p.st.Kind != analyze.Modify || c == nil || len(p.st.Writes) != 1 || p.wide {
		return
	}
	if w := p.st.Writes[0]; w.Relation != c.Target || w.Op != c.Op|c.Also || w.Cascade {
		return
	}
	p.target = n.canonical(c.Target)
	if c.Op == analyze.Insert && c.Columns == nil {
		p.blind = len(c.Rows)
		return
	}
	p.change = confine.ChangeOf(c, n)
}
