package dash

// remedies say of each Reason, by its name, what to change so that the read can be cached, or a later one. Those that nothing can
// be changed about, or that are no loss, are "".
var remedies = map[string]string{
	"unparsable":                   "",
	"several statements":           "Send the statements one by one.",
	"not only a read":              "",
	"no relation":                  "",
	"locking read":                 "Leave FOR UPDATE (or LOCK IN SHARE MODE) out where you only look.",
	"volatile":                     "Give the time as an argument, as coarse as it may be (due < ?, to the minute), and leave random order to the program.",
	"session function":             "Give as an argument what the function says of the session (a user's name).",
	"session variable":             "Give the value as an argument.",
	"advisory lock":                "Take the lock in a statement of its own.",
	"temporary table":              "",
	"system catalog":               "",
	"cursor":                       "Read without a cursor what is small.",
	"explain or show":              "",
	"unknown relation":             "",
	"user-defined function":        "Declare the function STABLE or IMMUTABLE if it is, and write it in SQL, or in PL/pgSQL without EXECUTE.",
	"foreign or virtual table":     "",
	"sequence":                     "",
	"row-level security":           "Put the tenant into the condition instead, if you trust the program more than the policy.",
	"opaque view":                  "Let the user read the view's definition (MySQL: GRANT SHOW VIEW).",
	"catalog unavailable":          "Look at the log, which has the error.",
	"database without identity":    "Use a file, not a database in memory that connections share.",
	"replica":                      "Open replicas with sql.Open, and cache the primary.",
	"attached database":            "Open the attached database as one of its own.",
	"unknown setting":              "Make settings outside of transactions, where the new one becomes part of the key.",
	"isolation level":              "Read outside of the transaction, or in one under READ COMMITTED (MySQL's default is REPEATABLE READ; SQLite has no other).",
	"written in this transaction":  "",
	"driver connection handed out": "Close the sql.Conn soon whose driver's connection was taken.",
	"deallocated statement":        "Don't run DEALLOCATE or DISCARD ALL on connections that go back to the pool.",
	"argument type":                "Give plain values as arguments: numbers, text, times, bytes.",
	"value type":                   "Cast the column in SQL to text or bytes.",
	"result too large":             "Read fewer rows or columns, or raise Options.MaxEntryBytes.",
	"asked for":                    "",
	"store down":                   "Look at the store: it doesn't answer in time.",
	"unprofitable":                 "",
}

// What is done about results that aren't used before they go, by why they go.
const (
	doRepeat  = "If its arguments are that various, let it ask the database: /* larder:bypass */. In memory of the process Larder soon keeps only results that come again."
	doConfine = "Confine it to rows by equalities that its writers tell as well (user_id = ?), or let it ask the database: /* larder:bypass */."
	doPin     = "Pin a column of it to a value (user_id = ?): then only writes of those rows remove the result."
	doRoom    = "Raise Options.MaxBytes."
	doTTL     = "Give it a longer TTL: Options.TTL, or larder:ttl in its comment."
	doArgs    = "Give values as arguments (?, $1), and leave comments that differ out: each text is analysed, and kept, by itself."
	doShort   = "Keep transactions that write it short, and let nothing slow stand between the write and the COMMIT."
	doThrough = "Find what writes past Larder (see the log), and open it through Larder, with the same store."
	doStore   = "Look at the store's servers and the network; writes are announced when it answers again."
)

// whatToWrite says what to do about a write that removes more than the results of its rows, by why it does. What isn't listed takes
// the last.
var whatToWrite = []struct{ begins, do string }{
	{"it changes the schema", "Change the schema seldom; temporary tables need none."},
	{"it isn't known what a procedure does", "Write by statements of the program's own, not by a procedure."},
	{"it calls what may write", "Declare the function STABLE or IMMUTABLE if it writes nothing."},
	{"the statement isn't understood", "Write it in simpler SQL, or tell us the text."},
	{"the catalog", "Look at the log, which has the error."},
	{"written by a trigger", "Write that relation by a statement of its own, if there are many such writes."},
	{"a result is open", "Close the rows that are open on the connection before the write."},
	{"the session has locked", "Write without LOCK TABLES."},
	{"asking for the write's rows", "Let the user read the relation (SELECT, in PostgreSQL UPDATE too)."},
	{"the write's rows can't be read", "Let the user read the relation (SELECT, in PostgreSQL UPDATE too)."},
	{"an argument can't", "Give plain values as arguments: numbers, text, times, bytes."},
	{"it changes more than", "Write in portions of up to 256 rows, if reads between matter."},
	{"other rows may", "Nothing, if it is seldom: writers met at the same rows."},
	{"", "Name the rows by their keys (WHERE id = ?), without subqueries, joins and functions in the condition."},
}
