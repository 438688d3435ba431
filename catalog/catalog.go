// Package catalog tells what the text of a statement can't: which database this
// is, what its views, triggers, cascades, partitions and functions make of the
// names in a statement, and which state of the session changes results.
//
// A Snapshot holds the facts of one database, read by a few queries of its
// system catalogs; Plan applies them to an analysed statement without asking
// the database again. It is never narrower than what the database does, as far
// as the facts are of the moment the statement runs: who changes the schema
// must load again.
//
// Limits: code that runs on the server by itself (events, scheduled jobs,
// replication) is not among the facts, and a function is trusted to be IMMUTABLE or
// STABLE where it says so and its body can't be read.
package catalog

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

// A Querier reads from the database on the session's own connection. Rows hold
// driver values (text may come as string or []byte, numbers as int64 or text,
// booleans as bool, int64 or text, depending on the driver).
type Querier interface {
	Query(ctx context.Context, query string) ([][]driver.Value, error)
}

// A Relation is a base table, fully qualified, as the database knows it:
// "public.stuff", "shop.stuff", "main.stuff".
type Relation string

// A Snapshot is the facts of one database at one time. It is immutable and
// shared between sessions.
type Snapshot struct {
	dialect analyze.Dialect
	schemas map[string]map[string]*relation // by folded schema and name

	functions  map[string][]*function // those that users have defined, by name
	operators  map[string][]*function // the functions behind operators that users have defined
	builtin    map[string]volatility  // PostgreSQL's own functions; of several with one name the worst
	attributes map[string][]*function // PostgreSQL: those that a text may call like a column: (s).name for name(s)
	columns    map[string]bool        // PostgreSQL: the names of all columns and fields
	everywhere []*function            // behind casts, domains, orders: any statement may call them

	eventTriggers bool            // PostgreSQL: DDL runs code
	shadows       map[string]bool // PostgreSQL: schemas with types that are called like the server's own
	path          []string        // PostgreSQL: where the names in the texts of views are looked up
	ownEquality   bool            // PostgreSQL: users have defined what = means for types that others use, too

	mariadb  bool  // MySQL: it is MariaDB
	fold     bool  // MySQL: names of relations are compared in lower case
	routines reach // MySQL: what any stored routine may change beside rows
}

// Load reads the facts of the whole database.
func Load(ctx context.Context, q Querier, d analyze.Dialect) (*Snapshot, error) {
	s := &Snapshot{
		dialect:   d,
		schemas:   map[string]map[string]*relation{},
		functions: map[string][]*function{},
		operators: map[string][]*function{},
		columns:   map[string]bool{},
		shadows:   map[string]bool{},
	}
	var err error
	switch d {
	case analyze.Postgres:
		err = s.loadPostgres(ctx, q)
	case analyze.MySQL:
		err = s.loadMySQL(ctx, q)
	case analyze.SQLite:
		err = s.loadSQLite(ctx, q)
	default:
		err = fmt.Errorf("unknown dialect %q", d)
	}
	if err != nil {
		return nil, fmt.Errorf("load catalog: %w", err)
	}
	s.tell()
	return s, nil
}

// A Plan is what a statement reads and writes in this database.
type Plan struct {
	Reads  []Relation // base relations, distinct; views expanded, partitions and children added
	Writes []Relation // base relations, cascades and triggers followed

	// References say which rows of Reads decide about a read that can be cached; nil: it can't be told, any may.
	References []confine.Reference

	// Target is the one of Writes that the statement's own Change says all about, as far
	// as TargetTable.Altered doesn't name its way of writing; "" if there is none. Of all
	// others any rows may change.
	Target      Relation
	TargetTable *confine.Table

	WritesAll bool // it may change any relation
	MayFail   bool // SQLite: if it fails, what it has done before that may stay
	Schema    bool // it may change catalog facts

	// AttachedWrites says that it may change relations of the databases in
	// Identity.Attached (SQLite).
	AttachedWrites bool

	// Reason says why the rows can't be cached; Detail names the culprit.
	Reason analyze.Reason
	Detail string

	// StateUnknown says that the state of the session may be another one
	// afterwards (SET, a function or procedure that may set, DDL).
	StateUnknown bool

	// Calls says that it calls functions that users have defined, by whatever way.
	Calls bool

	// TempUnknown says that it may create or drop temporary tables that the
	// statement doesn't name (MySQL, where they can't be listed).
	TempUnknown bool

	// UnknownRelation says that a relation isn't known to the snapshot: it may be newer.
	UnknownRelation bool
}

// Plan resolves a statement in this database under the given state. It is never
// narrower than what the database does: what can't be told is a Reason or WritesAll.
func (s *Snapshot) Plan(st *analyze.Statement, state *State) *Plan {
	p := &planner{scope: scope{snapshot: s, state: state, path: state.Path}, text: st.Text, plan: &Plan{}}
	p.aim(st)
	p.statement(st)
	p.finish(st)
	p.confine(st)
	p.hit()
	return p.plan
}
