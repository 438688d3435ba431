package analyze

import "time"

// A Dialect is the SQL of one family of databases.
type Dialect string

// The dialects that Larder reads.
const (
	Postgres Dialect = "postgres"
	MySQL    Dialect = "mysql" // MySQL and MariaDB
	SQLite   Dialect = "sqlite"
)

// Valid reports whether d is one of the dialects above.
func (d Dialect) Valid() bool { return d == Postgres || d == MySQL || d == SQLite }

// A Name is the name of a relation or function as the text gives it, folded
// as the dialect folds identifiers (PostgreSQL: lower case unless quoted, cut
// at 63 bytes; SQLite: ASCII lower case; MySQL: as written, because its rule
// depends on the server). Schema is empty where the text doesn't qualify the
// name; it is the database in MySQL and the attached database in SQLite.
type Name struct {
	Schema, Name string
}

func (n Name) String() string {
	if n.Schema == "" {
		return n.Name
	}
	return n.Schema + "." + n.Name
}

// An Op is a set of ways in which a statement changes a relation. Catalogs need
// it to tell which cascades and triggers may fire.
type Op uint8

// The ways to change a relation.
const (
	Insert Op = 1 << iota
	Update
	Delete
	Truncate
)

// A Write is one relation that a statement may change. Replacing statements
// (MySQL's and SQLite's REPLACE, INSERT OR REPLACE) are Insert|Delete, upserts
// Insert|Update, MERGE what its arms say.
type Write struct {
	Relation Name
	Op       Op
	Cascade  bool // TRUNCATE … CASCADE: relations with foreign keys to this one are emptied too
}

// A Kind says what sort of statement a text is. A text of several statements
// has the kind Several, and Parts.
type Kind uint8

// The kinds of statements.
const (
	Unknown Kind = iota // can't be told, or could not be parsed
	Read                // returns rows, changes nothing that the text can tell of
	Modify              // INSERT, UPDATE, DELETE, MERGE, REPLACE, TRUNCATE, COPY FROM, LOAD DATA, also inside a CTE
	Schema              // DDL, GRANT and REVOKE, REFRESH MATERIALIZED VIEW: anything after which catalog facts may differ
	Call                // CALL, DO, EXECUTE: runs code that the text doesn't show
	Control             // BEGIN, COMMIT, ROLLBACK, SAVEPOINT, PREPARE TRANSACTION, XA, LOCK/UNLOCK TABLES …
	Session             // SET, RESET, USE, PRAGMA, ATTACH, PREPARE, DEALLOCATE, LISTEN, DISCARD …
	Utility             // neither reads user data for the caller nor changes it: ANALYZE, VACUUM, SHOW, EXPLAIN without ANALYZE, NOTIFY …
	Several             // more than one statement; see Parts
)

// A Control statement moves the transaction of its session.
type ControlOp uint8

// What a control statement does.
const (
	NoControl        ControlOp = iota
	Begin                      // BEGIN, START TRANSACTION
	Commit                     // COMMIT, END; with CHAIN: Chain is set
	Rollback                   // ROLLBACK, ABORT; with CHAIN: Chain is set
	Savepoint                  // SAVEPOINT
	RollbackTo                 // ROLLBACK TO [SAVEPOINT]
	ReleaseSavepoint           // RELEASE [SAVEPOINT]
	PrepareCommit              // PREPARE TRANSACTION, XA PREPARE: the session's transaction ends, its changes are not visible yet
	CommitPrepared             // COMMIT PREPARED, XA COMMIT: changes of unknown relations become visible
	RollbackPrepared           // ROLLBACK PREPARED, XA ROLLBACK
	SetIsolation               // SET TRANSACTION ISOLATION LEVEL, SET SESSION CHARACTERISTICS …; the level in Isolation
	AutocommitOff              // MySQL: SET autocommit=0
	AutocommitOn               // MySQL: SET autocommit=1 (commits what is open)
	OtherControl               // LOCK TABLES, XA START and others after which the session's transaction can't be told from texts
)

// A Statement is what one SQL text tells of what it reads and writes. It is
// shared between goroutines and must not be changed. Names are distinct and in
// the order of their first appearance.
type Statement struct {
	Text    string
	Dialect Dialect
	Kind    Kind

	// Reads are the relations read: base tables, views and table functions'
	// sources alike, as named; names bound by CTEs and aliases are not among
	// them. Relations that a write reads or reads back (INSERT … SELECT,
	// RETURNING) are.
	Reads []Name

	// Writes are the relations changed. WritesAll says that the statement may
	// also change relations that the text doesn't tell.
	Writes    []Write
	WritesAll bool

	// Functions are all functions called by name, built in or not, aggregates
	// and table functions included; Operators (PostgreSQL) all operators by name.
	// The catalog looks for those that users have defined.
	Functions []Name
	Operators []string

	// TimeCasts are columns whose type a catalog must know, because the result may
	// depend on the clock. PostgreSQL: those that are cast to a date or time type
	// ('now'::timestamp, if it is a text). MySQL: those that may meet a date (which gives
	// a time of day today's date), in lower case; "*" stands for any.
	TimeCasts []string

	// Rows says which rows of Reads decide about the result of a Read; nil: any. It names all
	// places at which relations are read. Change says which rows a Modify changes; nil: any.
	Rows   *Block
	Change *Change

	// Reason says why the rows that this statement returns can't be cached, as
	// far as the text can tell; Detail names the culprit ("now()").
	Reason Reason
	Detail string

	// ReturnsRows says that the statement has a result set as far as the text tells.
	ReturnsRows bool

	// Control, Chain, Isolation and ReadOnly describe statements of kind Control.
	// Isolation is one of "", "read uncommitted", "read committed", "repeatable
	// read", "serializable"; SessionWide says that SetIsolation holds for later
	// transactions, too.
	Control     ControlOp
	Chain       bool
	Isolation   string
	ReadOnly    bool
	SessionWide bool

	// ImplicitCommit (MySQL) says that the statement commits an open transaction
	// before it runs.
	ImplicitCommit bool

	// Settings are the names of session settings that the statement changes, in
	// lower case, whether by SET, by PRAGMA or by set_config; "*" stands for
	// any (RESET ALL, DISCARD, a name that isn't a literal). SET ROLE is "role", SET
	// SESSION AUTHORIZATION "session_authorization", MySQL's USE is "database",
	// SQLite's ATTACH and DETACH are "attach". User variables (SET @x) are none.
	Settings []string

	// TempTables are temporary tables or views that the statement creates or
	// drops; writes to them are among Writes as well.
	TempTables []Name

	// Prepares and Executes are the names that SQL-level PREPARE binds and
	// EXECUTE runs. Prepared is what was prepared; it is nil where the text
	// doesn't show it. Deallocates is a name or "*".
	Prepares    string
	Prepared    *Statement
	Executes    string
	Deallocates string

	// Hint holds the directives of comments: /* larder:bypass */.
	Hint Hint

	// Parts are the statements of a text that has more than one (nil otherwise).
	// Reads, Writes, WritesAll, Functions, Operators, TimeCasts, Settings, TempTables and
	// ImplicitCommit of the whole are the union of its parts'.
	Parts []*Statement
}

// A Hint is what the author of a statement asks for in a comment of it.
type Hint struct {
	Bypass  bool          // larder:bypass: read the database, store nothing
	Refresh bool          // larder:refresh: read the database, store
	TTL     time.Duration // larder:ttl=30s; 0 means the default
}

// Writing reports whether the statement may change data or schema.
func (s *Statement) Writing() bool {
	return s.WritesAll || len(s.Writes) > 0 || s.Kind == Schema
}
