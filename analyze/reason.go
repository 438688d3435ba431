package analyze

// A Reason says why the result of a read isn't cached. The list is closed:
// every bypass has one of these.
type Reason uint8

// The reasons. Those up to Explain can be told from a text; the others take a
// catalog, a session or a result.
const (
	Cacheable       Reason = iota // no reason: the result can be cached
	Unparsable                    // the text can't be parsed
	Multiple                      // the text holds several statements
	NotRead                       // the statement doesn't only read
	NoRelation                    // the statement reads no relation (SELECT 1): it asks the server, not its data
	Locking                       // the read takes locks (FOR UPDATE, LOCK IN SHARE MODE)
	Volatile                      // the result changes without any write: now(), random(), TABLESAMPLE
	SessionFunction               // the result depends on the session: current_user, connection_id(), last_insert_rowid()
	SessionVariable               // a user variable or system variable is read or set (@x, @@x, current_setting())
	AdvisoryLock                  // an advisory lock is taken or asked for
	Temporary                     // a temporary table is read, or hides a relation that is read
	SystemCatalog                 // a system catalog, information_schema, sqlite_schema or statistics view is read
	Cursor                        // DECLARE, FETCH, HANDLER
	Explain                       // EXPLAIN, SHOW, PRAGMA, DESCRIBE

	UnknownRelation    // the catalog knows no such relation
	UserFunction       // a function, operator or cast that users have defined is called
	ForeignTable       // the rows are kept elsewhere: foreign, federated and virtual tables
	SequenceRelation   // a sequence is read
	RowSecurity        // rows are hidden by row-level security
	OpaqueView         // a view's definition can't be read or analysed
	CatalogUnavailable // the catalog of the database can't be read
	NoIdentity         // it can't be told which database this is, or who else writes to it
	Replica            // the server is a replica: writes arrive there by themselves
	Attached           // a relation of another attached database is read
	Setting            // a setting that changes results is unknown
	Isolation          // the transaction's isolation level forbids it
	Wrote              // the transaction has written to a relation that is read
	Unwrapped          // the driver's connection was handed out, what was done with it is unknown
	Deallocated        // the server may have ended the prepared statement: it is asked
	Argument           // an argument has a type whose value can't be compared
	Value              // a column has a Go type that can't be kept
	TooLarge           // the result is larger than MaxEntryBytes
	Asked              // the caller asked for it: Bypass, Refresh or a directive
	StoreDown          // the store doesn't answer
	Unprofitable       // results of its kind were hardly ever used before they were removed: it is kept when it comes again
)

var reasonTexts = [...]string{
	Cacheable:          "cacheable",
	Unparsable:         "unparsable",
	Multiple:           "several statements",
	NotRead:            "not only a read",
	NoRelation:         "no relation",
	Locking:            "locking read",
	Volatile:           "volatile",
	SessionFunction:    "session function",
	SessionVariable:    "session variable",
	AdvisoryLock:       "advisory lock",
	Temporary:          "temporary table",
	SystemCatalog:      "system catalog",
	Cursor:             "cursor",
	Explain:            "explain or show",
	UnknownRelation:    "unknown relation",
	UserFunction:       "user-defined function",
	ForeignTable:       "foreign or virtual table",
	SequenceRelation:   "sequence",
	RowSecurity:        "row-level security",
	OpaqueView:         "opaque view",
	CatalogUnavailable: "catalog unavailable",
	NoIdentity:         "database without identity",
	Replica:            "replica",
	Attached:           "attached database",
	Setting:            "unknown setting",
	Isolation:          "isolation level",
	Wrote:              "written in this transaction",
	Unwrapped:          "driver connection handed out",
	Deallocated:        "deallocated statement",
	Argument:           "argument type",
	Value:              "value type",
	TooLarge:           "result too large",
	Asked:              "asked for",
	StoreDown:          "store down",
	Unprofitable:       "unprofitable",
}

func (r Reason) String() string {
	if int(r) < len(reasonTexts) {
		return reasonTexts[r]
	}
	return "unknown reason"
}
