package catalog

import (
	"slices"
	"strings"

	"github.com/larderdb/larder/analyze"
)

// functions looks for functions and operators that users have defined among
// those that a statement calls.
func (p *planner) functions(st *analyze.Statement) {
	for _, n := range st.Functions {
		p.function(n)
	}
	for _, name := range st.Operators {
		name = name[strings.LastIndexByte(name, '.')+1:] // of any schema
		for _, f := range p.snapshot.operators[name] {
			p.invoke(f)
		}
	}
	for _, f := range p.snapshot.everywhere {
		p.invoke(f)
	}
	p.attributes(st)
}

// attributes looks for functions that are called like a column, for which the
// statement's facts have no place: (x).name and row.name.
func (p *planner) attributes(st *analyze.Statement) {
	if len(p.snapshot.attributes) == 0 {
		return
	}
	code := strings.ToLower(firstOf(st.Text, p.text))
	names, ok := attributeNames(code)
	if !ok {
		for name, functions := range p.snapshot.attributes {
			if strings.Contains(code, name) || strings.Contains(code, "u&") {
				p.invokeAll(functions)
			}
		}
		return
	}
	for _, name := range names {
		p.invokeAll(p.snapshot.attributes[name])
	}
}

func (p *planner) invokeAll(functions []*function) {
	for _, f := range functions {
		p.follows = true
		p.invoke(f)
	}
}

// attributeNames returns the names that stand after a dot in code. It reports false if
// that takes more than a look.
func attributeNames(code string) (names []string, ok bool) {
	if strings.Contains(code, "/*") || strings.Contains(code, "--") || strings.Contains(code, "u&") {
		return nil, false
	}
	for at := strings.IndexByte(code, '.'); at >= 0; at = strings.IndexByte(code, '.') {
		code = strings.TrimLeft(code[at+1:], " \t\r\n\f\v")
		name, long := attributeName(code)
		if long {
			return nil, false
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names, true
}

// attributeName returns the name at the beginning of code, and whether it is longer or
// stranger than names are.
func attributeName(code string) (name string, long bool) {
	if quoted, ok := strings.CutPrefix(code, `"`); ok {
		end := closingQuote(quoted)
		name = strings.ReplaceAll(quoted[:end], `""`, `"`)
	} else {
		end := 0
		for end < len(code) && isWordByte(code[end]) {
			end++
		}
		name = code[:end]
	}
	return name, len(name) > 60
}

// function adds what calling a function by name does: all that any function
// of this name does in the schemas where it is looked up.
func (p *planner) function(n analyze.Name) {
	found := false
	for _, f := range p.snapshot.functions[strings.ToLower(n.Name)] {
		if p.visible(f, n) {
			found, p.follows = true, true
			p.invoke(f)
		}
	}
	if p.snapshot.dialect == analyze.Postgres {
		p.builtinPostgres(n, found)
		return
	}
	if p.snapshot.dialect == analyze.SQLite && p.virtual(n) {
		return
	}
	if !found && (n.Schema != "" || !analyze.Builtin(p.snapshot.dialect, n.Name)) {
		p.stranger(n)
	}
}

// virtual reports whether a call in FROM may be of a virtual table that hides a table
// function of SQLite: FROM json_each('x') asks a table of that name.
func (p *planner) virtual(n analyze.Name) bool {
	if !sqliteTableFunctions[n.Name] { // of others the statement says that they are read
		return false
	}
	r := p.snapshot.lookup("main", n.Name)
	switch {
	case p.state.hides(n.Name) && !p.permanent:
		p.because(analyze.Temporary, n.Name)
	case r != nil && r.kind == foreign:
		p.because(analyze.ForeignTable, n.Name)
		return true
	case p.state.attached:
		p.because(analyze.Attached, n.Name)
	}
	return false
}

// sqliteTableFunctions are those that have no rows of their own.
var sqliteTableFunctions = wordSet("json_each json_tree jsonb_each jsonb_tree generate_series")

func (p *planner) visible(f *function, n analyze.Name) bool {
	if f.schema == "" {
		return true
	}
	if n.Schema != "" {
		return p.sameSchema(f.schema, n.Schema)
	}
	return slices.ContainsFunc(p.path, func(schema string) bool { return p.sameSchema(f.schema, schema) })
}

func (p *planner) sameSchema(a, b string) bool {
	return a == b || p.snapshot.fold && strings.EqualFold(a, b)
}

// A volatility is what PostgreSQL says of a function: i, s or v, for immutable,
// stable and volatile.
type volatility string

// settled reports whether a name of a function of the server doesn't stand for one whose
// result may change by itself, other than package analyze says. Stable functions
// that it doesn't know may read the session, the clock or statistics.
func (s *Snapshot) settled(name string) bool {
	switch s.builtin[name] {
	case "v":
		return false
	case "s":
		return analyze.PostgresStable(name)
	}
	return true
}

// builtinPostgres judges a name that may be of a function of the server: of
// those that are newer than the analysis the catalog says what they are.
func (p *planner) builtinPostgres(n analyze.Name, found bool) {
	_, ok := p.snapshot.builtin[n.Name]
	if n.Schema != "" && n.Schema != "pg_catalog" && n.Schema != "information_schema" {
		ok = false
	}
	switch {
	case ok && !p.snapshot.settled(n.Name):
		p.because(analyze.Volatile, n.Name+"()")
	case ok || found:
	case n.Schema == "" && p.snapshot.columns[n.Name]: // a field, as in (x).name
	case analyze.Builtin(analyze.Postgres, n.Name) && (n.Schema == "" || n.Schema == "pg_catalog"):
	default:
		p.stranger(n)
	}
}

// stranger adds a call of a function that nobody knows. In SQLite a program has
// registered it, and it can't write through SQL without a connection of its own.
func (p *planner) stranger(n analyze.Name) {
	p.plan.Calls, p.follows = true, true
	p.because(analyze.UserFunction, n.Name+"()")
	if p.snapshot.dialect != analyze.SQLite {
		p.everything()
		p.plan.StateUnknown = true
	}
}

// invoke adds what calling f does.
func (p *planner) invoke(f *function) {
	p.plan.Calls = true
	p.follows = p.follows || f.behaviour != pure || len(f.parts) > 0
	for _, part := range f.parts {
		p.invoke(part)
	}
	switch f.behaviour {
	case pure:
	case changing:
		p.because(analyze.Volatile, f.String())
	case reading:
		p.because(analyze.UserFunction, f.String())
	case following:
		p.followFunction(f)
	default:
		p.because(analyze.UserFunction, f.String())
		p.everything()
		p.touch(f.reach)
	}
}

func (p *planner) bodyReadsTime(d *definition) bool {
	path := p.path
	p.path = d.path
	defer func() { p.path = path }()
	return slices.ContainsFunc(d.statements, func(st *analyze.Statement) bool { return p.readsTime(st, "*") })
}

// touch notes what code that can't be followed may change beside rows. In MySQL it may
// call any other, but only procedures change the schema.
func (p *planner) touch(r reach) {
	if r != 0 {
		r |= p.snapshot.routines & temps
	}
	p.plan.StateUnknown = p.plan.StateUnknown || r != 0 // temporary relations are made by DDL
	p.plan.Schema = p.plan.Schema || r&ddl != 0
	p.plan.TempUnknown = p.plan.TempUnknown || r&temps != 0 && p.snapshot.dialect == analyze.MySQL
}

// followFunction adds what the body of f does. A volatile function sees changes
// of other sessions between its statements, so its result is of no one moment.
func (p *planner) followFunction(f *function) {
	if f.volatile {
		p.because(analyze.UserFunction, f.String())
	}
	if slices.Contains(p.running, f.body) {
		p.because(analyze.UserFunction, f.String())
		return
	}
	p.followWriting(f.body)
	if p.snapshot.dialect == analyze.MySQL && (f.timed || p.bodyReadsTime(f.body)) {
		p.because(analyze.Volatile, f.String()) // an assignment may make it a datetime
	}
	for _, st := range f.body.statements {
		if st.Writing() {
			p.because(analyze.UserFunction, f.String())
		}
	}
}
