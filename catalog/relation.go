package catalog

import (
	"strings"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// A kind says how the rows of a relation are kept.
type kind uint8

const (
	table    kind = iota // also materialised views: they have rows of their own
	view                 // rows come from def
	sequence             //
	foreign              // rows are kept elsewhere: foreign and virtual tables
	system               // the server's own catalogs
)

// A relation is what the catalog knows of one name that can be read or written.
type relation struct {
	name Relation
	kind kind

	table *confine.Table // as package confine knows it; nil if it can't be told

	reason analyze.Reason // why reads of it can't be cached
	detail string

	def         *definition // of a view
	partitioned bool        // its rows are those of its children, and move between them
	children    []*relation // partitions and inheritors
	references  []reference // foreign keys that refer to it
	triggers    []trigger
	wide        analyze.Op // the ways of writing it that may change any relation

	reading []*function // called by every read or write: row-level security
	writing []*function // called by inserts and updates: defaults, constraints, indexes

	columns  map[string]bool      // false: of a type that may hold text, or a time without a date
	timed    bool                 // MySQL: columns has a time of day, and nothing else
	computed []*analyze.Statement // MySQL: the expressions of columns that are computed when they are read
	replaces bool                 // SQLite: a constraint says ON CONFLICT REPLACE
	fails    bool                 // SQLite: a constraint says ON CONFLICT FAIL, or a trigger RAISE(FAIL): what a statement has done before it stays
}

// A reference is a foreign key, as seen from the relation it refers to.
type reference struct {
	from               *relation
	onDelete, onUpdate analyze.Op // what happens to rows of from; 0: nothing
}

// A trigger runs body when its relation is written in one of the ways of on.
type trigger struct {
	on   analyze.Op
	body *definition
}

// A definition is the code of a view, a trigger or a function.
type definition struct {
	name       string
	statements []*analyze.Statement
	opaque     bool     // the code isn't known
	columns    []string // of a view: other names for them than the code has
	renamed    bool     // of a view: it has other names, which can't be told
	reach      reach

	// bound says that relations, calls and not the statements' names tell what
	// the code refers to (PostgreSQL, where a catalog has it).
	bound     bool
	relations []*relation
	calls     []*function

	// path is where unqualified names are looked up, unless they are in the
	// caller's path.
	ownPath   bool
	path      []string
	permanent bool // temporary tables don't hide what the code refers to
}

// A behaviour says what calling a function may do.
type behaviour uint8

const (
	pure      behaviour = iota // computes from its arguments
	changing                   // writes nothing, but its result changes by itself
	reading                    // writes nothing, but may read any relation
	following                  // does what its body says
	anything                   // may do anything
)

// A reach says what else than rows code that can't be followed may change.
type reach uint8

const (
	settings reach = 1 << iota // settings of the session
	ddl                        // the schema
	temps                      // temporary tables
	anyReach = settings | ddl | temps
)

// A function is one that users have defined.
type function struct {
	schema, name string
	behaviour    behaviour
	volatile     bool // its author says so
	timed        bool // MySQL: a parameter, variable or result is a time of day
	reach        reach
	body         *definition
	parts        []*function // PostgreSQL: what an aggregate is made of
}

func (f *function) String() string { return f.name + "()" }

// add makes the relation schema.name known.
func (s *Snapshot) add(schema, name string, k kind) *relation {
	r := &relation{name: Relation(schema + "." + name), kind: k}
	r.table = &confine.Table{Relations: []string{string(r.name)}, Dialect: s.dialect, Unsliced: k != table}
	switch k {
	case sequence:
		r.reason = analyze.SequenceRelation
	case foreign:
		r.reason = analyze.ForeignTable
	case system:
		r.reason = analyze.SystemCatalog
	}
	names := s.schemas[schema]
	if names == nil {
		names = map[string]*relation{}
		s.schemas[schema] = names
	}
	names[name] = r
	return r
}

// because makes reads of r uncacheable, unless they are for another reason.
func (r *relation) because(reason analyze.Reason, detail string) {
	if r.reason == analyze.Cacheable {
		r.reason, r.detail = reason, detail
	}
}

// widen says that writing r in the ways of op may change any relation.
func (r *relation) widen(op analyze.Op) { r.wide |= op }

// rewritten says that a rule stands in for writing r in the ways of op, or adds to it.
func (r *relation) rewritten(op analyze.Op) {
	r.widen(op)
	r.altered(op)
}

// everyOp is every way to change a relation.
const everyOp = analyze.Insert | analyze.Update | analyze.Delete | analyze.Truncate

// foldName is how the names of relations are compared.
func (s *Snapshot) foldName(name string) string {
	if s.fold {
		return strings.ToLower(name)
	}
	return name
}

// lookup finds a relation by its folded names.
func (s *Snapshot) lookup(schema, name string) *relation {
	if s.dialect == analyze.MySQL && mysqlSystemSchemas[strings.ToLower(schema)] {
		return &relation{name: Relation(schema + "." + name), kind: system, reason: analyze.SystemCatalog}
	}
	return s.schemas[s.foldName(schema)][name]
}

// isTemp reports whether schema is one for temporary relations. Where a path has none,
// they come first.
func (s *Snapshot) isTemp(schema string) bool {
	switch s.dialect {
	case analyze.Postgres:
		return strings.HasPrefix(schema, "pg_temp")
	case analyze.SQLite:
		return schema == "temp"
	}
	return false
}
