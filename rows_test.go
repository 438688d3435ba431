package larder

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A transcript is all that a program can see of a handle, written down.
type transcript struct {
	strings.Builder
	names []string         // of the columns, as they were written last, …
	typed []sql.ColumnType // … and what they were said to be
}

func (w *transcript) say(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

// fail writes an error with its type, and reports whether there is one.
func (w *transcript) fail(what string, err error) bool {
	if err != nil {
		w.say("%s: %T %v", what, err, err)
	}
	return err != nil
}

// types writes what the columns are said to be just now, if that is not what was written last.
func (w *transcript) types(rows *sql.Rows) int {
	names, err := rows.Columns()
	w.fail("columns", err)
	types, err := rows.ColumnTypes()
	w.fail("column types", err)
	same := func(a *sql.ColumnType, b sql.ColumnType) bool { return *a == b }
	if slices.Equal(names, w.names) && slices.EqualFunc(types, w.typed, same) {
		return len(names)
	}
	w.names, w.typed = names, nil
	for _, t := range types {
		w.typed = append(w.typed, *t)
		length, hasLength := t.Length()
		nullable, hasNullable := t.Nullable()
		precision, scale, hasDecimal := t.DecimalSize()
		fmt.Fprintf(w, "[%s %s %v %d %v %v %v %d %d %v]", t.Name(), t.DatabaseTypeName(), t.ScanType(),
			length, hasLength, nullable, hasNullable, precision, scale, hasDecimal)
	}
	w.say(" %q", names)
	return len(names)
}

// row writes the row that Next has moved to.
func (w *transcript) row(rows *sql.Rows, n int) {
	values, dest := make([]any, n), make([]any, n)
	for i := range values {
		dest[i] = &values[i]
	}
	if w.fail("scan", rows.Scan(dest...)) {
		return
	}
	for _, v := range values {
		fmt.Fprintf(w, "%T(%v) ", v, v)
	}
	w.say("")
}

// rows writes a whole result: the column types before, between and after its rows, where they change,
// every set of it, and what its end says.
func (w *transcript) rows(rows *sql.Rows, err error) {
	if w.fail("query", err) {
		return
	}
	for {
		n := w.types(rows)
		for rows.Next() {
			w.row(rows, n)
			w.types(rows)
		}
		w.fail("rows", rows.Err())
		w.types(rows)
		if !rows.NextResultSet() {
			break
		}
		w.say("next set")
	}
	w.fail("sets", rows.Err())
	w.fail("close", rows.Close())
	w.types(rows)
}

// guard writes a panic of what it runs.
func (w *transcript) guard(run func()) {
	defer func() {
		if r := recover(); r != nil {
			w.say("panic: %v", r)
		}
	}()
	run()
}

// same runs a program on the bare handle, three times on a cached one (that the first
// may fill the cache, the second hit) and on another, and wants the same transcript.
func (h *house) same(t *testing.T, run func(*transcript, *sql.DB)) {
	t.Helper()
	var want transcript
	want.guard(func() { run(&want, h.bare) })
	if want.Len() == 0 {
		t.Error("the program says nothing")
	}
	for i, db := range []*sql.DB{h.db, h.db, h.db, h.other} {
		var got transcript
		got.guard(func() { run(&got, db) })
		if got.String() != want.String() {
			t.Errorf("run %d: %s", i+1, difference(want.String(), got.String()))
			return
		}
	}
}

// difference shows the first line in which two transcripts differ.
func difference(bare, cached string) string {
	a, b := strings.Split(bare, "\n"), strings.Split(cached, "\n")
	for i := range max(len(a), len(b)) {
		x, y := "(nothing)", "(nothing)"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return fmt.Sprintf("line %d\nbare:   %s\ncached: %s", i+1, x, y)
		}
	}
	return ""
}

// A scene is a program of a test and the kinds that it is for; none means all.
type scene struct {
	name  string
	kinds string // names of kinds or dialects
	run   func(h *house, w *transcript, db *sql.DB)
}

func (s scene) isFor(k kind) bool {
	fields := strings.Fields(s.kinds)
	for _, f := range fields {
		if f == k.name || f == k.dialect {
			return true
		}
	}
	return len(fields) == 0
}

// playAll runs scenes on one database for each kind.
func playAll(t *testing.T, scenes []scene, prepare func(*house)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { playOn(t, k, scenes, prepare) })
	}
}

func playOn(t *testing.T, k kind, scenes []scene, prepare func(*house)) {
	h := newHouse(t, k, nil)
	prepare(h)
	for _, s := range scenes {
		if s.isFor(k) {
			t.Run(s.name, func(t *testing.T) {
				h.same(t, func(w *transcript, db *sql.DB) { s.run(h, w, db) })
			})
		}
	}
}

// many fills a table with a thousand rows, and one of every type that the database has.
func many(h *house) {
	h.stuff()
	h.exec(h.bare, "CREATE TABLE many (id INTEGER PRIMARY KEY, grp INTEGER, name VARCHAR(100))")
	const digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 " +
		"UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
	h.exec(h.bare, "INSERT INTO many SELECT a.d*100 + b.d*10 + c.d, c.d, 'a name of some length' FROM "+
		digits+" a, "+digits+" b, "+digits+" c")
	for _, text := range sampleTables[h.dialect] {
		h.exec(h.bare, text)
	}
}

// sampleTables hold every type: a full row, one of NULLs, and what else is special.
var sampleTables = map[string][]string{
	"sqlite": {
		`CREATE TABLE sample (id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT NOT NULL DEFAULT '', b BLOB, n NUMERIC, d DATE, ts DATETIME,
			stamp TIMESTAMP, bo BOOLEAN, v VARCHAR(10), c DECIMAL(10,2), anything)`,
		`INSERT INTO sample VALUES (1, 5, 1.5, 'text', x'0001ff', 12.5, '2024-02-29', '2024-02-29 12:13:14.567', '2024-02-29T12:13:14Z', true, 'short', 1.25, 'any'),
			(2, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
			(3, 'not a number', 'x', 7, 'text', 'text', 'no date', 0, 1700000000, 2, x'01', 'x', x''),
			(4, 9223372036854775807, 9e999, '', x'', 1e300, 20240229, 1.5, 'x', 'yes', 1, NULL, 1)`,
		"CREATE TABLE times (id INTEGER PRIMARY KEY, ts DATETIME)",
		`INSERT INTO times VALUES (1, '2024-02-29 12:13:14'), (2, '0001-01-01 00:00:00'), (3, 1700000000), (4, 0), (5, '2024-02-29'), (6, 1.5), (7, 'x'), (8, NULL)`,
	},
	"postgres": {
		`CREATE TABLE sample (id int PRIMARY KEY, bo bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, nd numeric(10,2), t text NOT NULL,
			v varchar(10), c char(3), b bytea, d date, tm time, tmz timetz, ts timestamp, tsz timestamptz(3), iv interval, u uuid, j json, jb jsonb,
			ip inet, net cidr, mac macaddr, ia int[], ta text[], p point, rg int4range, bits bit(3), vb varbit, o oid, x xml, money money, nm name, r regclass)`,
		`INSERT INTO sample VALUES (1, true, -2, 4, 9223372036854775807, 1.5, 'NaN', 12345678901234567890.123, 1.25, 'text',
			'short', 'c', '\x0001ff', '2024-02-29', '12:13:14.5', '12:13:14+02', '2024-02-29 12:13:14.567891', '2024-02-29 12:13:14+02', '1 mon 2 days 3.5 sec', '00000000-0000-0000-0000-000000000001',
			'{"a": 1}', '{"a": 1}', '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03', '{1,NULL,3}', '{a,"b c",NULL}', '(1,2)', '[1,5)', B'101', B'1', 7, '<a/>', 12.5, 'name', 'pg_class'),
			(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
			(3, false, 0, 0, 0, 'Infinity', '-Infinity', 'NaN', 0, '', '', '', '', '0001-01-01', '24:00', '00:00+00', '9999-12-31', '0001-01-01 BC', '-1 year', NULL, 'null', '[]', '::1', '::/0', NULL, '{}', '{}', NULL, 'empty', NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
	},
	"mysql": {
		`CREATE TABLE sample (id int PRIMARY KEY, ti tinyint, bo bool, si smallint, mi mediumint, i int, bi bigint, bu bigint unsigned, f float, d double, n decimal(10,2),
			v varchar(10) NOT NULL, c char(3), t text, b blob, vb varbinary(5), bin binary(3), dt date, tm time(3), dtm datetime(6), ts timestamp NULL, y year, j json, e enum('a','b'), s set('x','y'), bits bit(3))`,
		`INSERT INTO sample VALUES (1, -1, true, 2, 3, 4, 9223372036854775807, 18446744073709551615, 1.5, 1e300, 1.25, 'short', 'c', 'text', x'0001ff', 'vb', 'bi',
			'2024-02-29', '-12:13:14.5', '2024-02-29 12:13:14.567891', '2024-02-29 12:13:14', 2024, '{"a": 1}', 'a', 'x,y', b'101'),
			(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
			(3, 0, false, 0, 0, 0, 0, 0, 0, 0, 0, '', '', '', '', '', '', '1000-01-01', '0', '1000-01-01', '1970-01-02', 1901, '[]', 'b', '', b'0')`,
	},
}

// ways are how a program asks a query.
var ways = []struct {
	name  string
	query func(db *sql.DB, text string, args ...any) (*sql.Rows, error, func())
}{
	{"direct", func(db *sql.DB, text string, args ...any) (*sql.Rows, error, func()) {
		rows, err := db.Query(text, args...)
		return rows, err, func() {}
	}},
	{"prepared", func(db *sql.DB, text string, args ...any) (*sql.Rows, error, func()) {
		stmt, err := db.Prepare(text)
		if err != nil {
			return nil, fmt.Errorf("prepare: %w", err), func() {}
		}
		rows, err := stmt.Query(args...)
		return rows, err, func() { stmt.Close() }
	}},
	{"in a transaction", func(db *sql.DB, text string, args ...any) (*sql.Rows, error, func()) {
		tx, err := db.Begin()
		if err != nil {
			return nil, fmt.Errorf("begin: %w", err), func() {}
		}
		rows, err := tx.Query(text, args...)
		return rows, err, func() { tx.Rollback() }
	}},
}

// ask writes the results of queries, asked in every way.
func ask(w *transcript, db *sql.DB, text string, args ...any) {
	for _, way := range ways {
		w.say("%s: %s", way.name, text)
		w.guard(func() {
			rows, err, end := way.query(db, text, args...)
			defer end()
			w.rows(rows, err)
		})
	}
}

func asking(texts ...string) func(*house, *transcript, *sql.DB) {
	return func(h *house, w *transcript, db *sql.DB) {
		for _, text := range texts {
			ask(w, db, text)
		}
	}
}

// TestResults: results of all shapes are the bare handle's, with their column types
// at every moment.
func TestResults(t *testing.T) { playAll(t, resultScenes, manyAndProcedures) }

// TestResultsByDSN: the same where a driver's settings give other Go types, or take
// another way to the server.
func TestResultsByDSN(t *testing.T) {
	for _, k := range kinds {
		for _, params := range settingsOfDrivers[k.name] {
			t.Run(k.name+" "+params, func(t *testing.T) {
				plain := k.open
				k.open = func(t testing.TB) string {
					dsn, mark := plain(t), "?"
					if strings.Contains(dsn, "?") {
						mark = "&"
					}
					return dsn + mark + params
				}
				playOn(t, k, resultScenes, manyAndProcedures)
			})
		}
	}
}

var settingsOfDrivers = map[string][]string{
	"modernc": {"_inttotime=1", "_texttotime=1&_inttotime=1", "_time_format=sqlite"},
	"mattn":   {"_loc=America/St_Johns"},
	"ncruces": {"_timefmt=unixepoch"},
	"pgx": {"default_query_exec_mode=cache_describe", "default_query_exec_mode=describe_exec", "default_query_exec_mode=exec",
		"default_query_exec_mode=simple_protocol", "statement_cache_capacity=0", "timezone=America/St_Johns"},
	"pq":    {"binary_parameters=yes", "timezone=America/St_Johns"},
	"mysql": {"parseTime=true", "interpolateParams=true", "parseTime=true&loc=America%2FSt_Johns&clientFoundRows=true", "columnsWithAlias=true&compress=true"},
}

// resultScenes are reads of all kinds.
var resultScenes = []scene{
	{"every type", "", asking("SELECT * FROM sample ORDER BY id", "SELECT * FROM sample WHERE id = 2", "SELECT * FROM sample WHERE id < 0")},
	{"every type with an argument", "", func(h *house, w *transcript, db *sql.DB) {
		ask(w, db, h.marks("SELECT * FROM sample WHERE id >= ? ORDER BY id"), 1)
		ask(w, db, h.marks("SELECT * FROM sample WHERE id > ? ORDER BY id DESC"), 1)
		ask(w, db, h.marks("SELECT * FROM sample WHERE id < ?"), 0)
	}},
	{"one column", "sqlite", asking("SELECT ts FROM times ORDER BY id", "SELECT ts FROM times ORDER BY id DESC", "SELECT anything FROM sample ORDER BY id", "SELECT bo FROM sample ORDER BY id")},
	{"expressions", "", asking("SELECT 1, 'a', NULL, 1.5, count(*), max(price), min(name), avg(price) FROM stuff",
		"SELECT NULL AS n FROM stuff", "SELECT id AS same, name AS same FROM stuff ORDER BY id", "SELECT id + 1 AS \"odd name\" FROM stuff ORDER BY id")},
	{"union", "", asking("SELECT id, name FROM stuff UNION ALL SELECT 9, 'x' ORDER BY 1")},
	{"no columns", "postgres", asking("SELECT FROM stuff", "SELECT", "SELECT FROM stuff WHERE false")},
	{"semicolons and comments", "", asking("SELECT id FROM stuff ORDER BY id;", "SELECT id FROM stuff ORDER BY id ;  ", "SELECT id FROM stuff ORDER BY id; -- end",
		"-- first\nSELECT id FROM stuff ORDER BY id", "/* a */ SELECT /* b */ id FROM stuff ORDER BY id /* c */;", "SELECT id FROM stuff ORDER BY id;;", "SELECT id FROM stuff -- no newline")},
	// mattn/go-sqlite3 crashes when a statement prepared from nothing is run; pgx leaves it prepared.
	{"nothing", "modernc ncruces pq mysql", asking("", ";", "-- nothing", " ", "/* nothing */")},
	{"errors", "", asking("SELECT * FROM nowhere", "SELECT nothing FROM stuff", "SELEC", "SELECT nofunction(1)", "SELECT 'open", "SELECT 1 FROM stuff GROUP BY nothing", "SELECT id FROM stuff WHERE name = ?")},
	{"several", "", asking("SELECT 1 AS a; SELECT id, name FROM stuff ORDER BY id; SELECT 'x' AS c, NULL AS d",
		"SELECT id FROM stuff WHERE id < 0; SELECT id FROM stuff ORDER BY id", "SELECT id FROM stuff ORDER BY id; SELECT * FROM nowhere", "SELECT * FROM nowhere; SELECT id FROM stuff",
		"SELECT id FROM stuff ORDER BY id; UPDATE stuff SET price = 1.5 WHERE id = 1; SELECT id, price FROM stuff ORDER BY id", "UPDATE stuff SET price = 1.5 WHERE id = 1")},
	{"values", "postgres sqlite", asking("VALUES (1, 'a'), (2, NULL)")},
	{"with", "", asking("WITH a AS (SELECT id, name FROM stuff) SELECT * FROM a ORDER BY id")},
	{"returning", "", asking("INSERT INTO stuff (id, name) VALUES (1, 'again') RETURNING id", "DELETE FROM stuff WHERE id < 0 RETURNING id, name")},
	{"returning from an update", "sqlite postgres", asking("UPDATE stuff SET name = 'bread' WHERE id = 1 RETURNING id, name, price",
		"UPDATE stuff SET name = name WHERE id < 0 RETURNING *")},
	{"explain", "", asking("EXPLAIN SELECT id FROM stuff WHERE id < 0")},
	{"show", "mysql", asking("SHOW TABLES", "SHOW COLUMNS FROM stuff", "DESCRIBE stuff", "SELECT @@sql_mode")},
	{"show a setting", "postgres", asking("SHOW server_encoding", "SELECT current_setting('server_encoding')", "TABLE stuff", "SELECT relname FROM pg_class WHERE relname = 'stuff'")},
	{"pragma", "sqlite", asking("PRAGMA table_info(stuff)", "PRAGMA user_version", "PRAGMA nothing", "SELECT name FROM sqlite_schema ORDER BY name")},
	{"long", "", asking("SELECT id, grp, name FROM many ORDER BY id")},
	{"procedure", "mysql", asking("CALL two()", "CALL none()", "CALL nowhere()", "CALL breaks()")},
}

// manyAndProcedures makes what resultScenes read.
func manyAndProcedures(h *house) {
	many(h)
	if h.dialect == "mysql" {
		h.exec(h.bare, "CREATE PROCEDURE two() BEGIN SELECT id FROM stuff ORDER BY id; SELECT name, price FROM stuff ORDER BY id; END")
		h.exec(h.bare, "CREATE PROCEDURE none() BEGIN DO 1; END")
		h.exec(h.bare, "CREATE PROCEDURE breaks() BEGIN SELECT id FROM stuff ORDER BY id; SELECT 1 FROM nowhere; END")
	}
}

// TestPartlyRead: results closed before their end, by programs that pick what they want.
func TestPartlyRead(t *testing.T) {
	const list = "SELECT id, name FROM many ORDER BY id"
	playAll(t, []scene{
		{"close before the first row", "", func(h *house, w *transcript, db *sql.DB) {
			rows, err := db.Query(list)
			w.fail("query", err)
			w.fail("close", rows.Close())
			w.fail("close", rows.Close())
			w.say("next %v", rows.Next())
			w.fail("scan", rows.Scan(new(any), new(any)))
			w.rows(db.Query(list))
		}},
		{"close after some rows", "", func(h *house, w *transcript, db *sql.DB) {
			rows, err := db.Query(list)
			w.fail("query", err)
			for range 5 {
				w.say("next %v", rows.Next())
				w.row(rows, 2)
			}
			w.fail("close", rows.Close())
			w.fail("err", rows.Err())
			w.say("next %v, next set %v", rows.Next(), rows.NextResultSet())
			w.rows(db.Query(list))
		}},
		{"QueryRow", "", func(h *house, w *transcript, db *sql.DB) {
			var id int64
			var name string
			w.fail("row", db.QueryRow(list).Scan(&id, &name))
			w.say("%d %s", id, name)
			w.fail("too few", db.QueryRow(list).Scan(&id))
			w.fail("none", db.QueryRow("SELECT id FROM many WHERE id < 0").Scan(&id))
			w.fail("wrong type", db.QueryRow("SELECT name FROM many WHERE id = 1").Scan(&id))
			w.fail("null", db.QueryRow("SELECT name FROM stuff WHERE id = 2").Scan(&name))
			w.fail("bad", db.QueryRow("SELECT name FROM nowhere").Scan(&name))
			w.fail("raw", db.QueryRow(list).Scan(new(sql.RawBytes), &name))
			w.rows(db.Query(list))
		}},
		{"scan before next", "", func(h *house, w *transcript, db *sql.DB) {
			rows, err := db.Query(list)
			w.fail("query", err)
			w.fail("scan", rows.Scan(new(any), new(any)))
			w.rows(rows, nil)
		}},
		{"two at a time", "", func(h *house, w *transcript, db *sql.DB) {
			a, err := db.Query(list)
			w.fail("a", err)
			b, err := db.Query("SELECT id FROM stuff ORDER BY id")
			w.fail("b", err)
			w.say("%v %v", a.Next(), b.Next())
			w.rows(a, nil)
			w.rows(b, nil)
		}},
		{"two at a time on one connection", "sqlite", twoOnOneConnection},
		{"two at a time in a transaction", "sqlite", func(h *house, w *transcript, db *sql.DB) {
			tx, err := db.Begin()
			w.fail("begin", err)
			defer tx.Rollback()
			a, err := tx.Query(list)
			w.fail("a", err)
			w.say("%v", a.Next())
			w.rows(tx.Query("SELECT id FROM stuff ORDER BY id"))
			w.rows(a, nil)
			w.fail("commit", tx.Commit())
		}},
		{"sets passed over", "mysql pq", func(h *house, w *transcript, db *sql.DB) {
			const sets = "SELECT id FROM stuff ORDER BY id; SELECT name FROM many ORDER BY id; SELECT 1 AS one"
			for _, read := range [][3]int{{0, 0, 0}, {1, 1, 1}, {3, 1, 0}, {4, 0, 2}, {0, 2000, 0}} {
				rows, err := db.Query(sets)
				w.fail("query", err)
				for _, n := range read {
					for range n {
						w.say("next %v", rows.Next())
					}
					w.types(rows)
					w.say("next set %v", rows.NextResultSet())
				}
				w.fail("err", rows.Err())
				w.fail("close", rows.Close())
			}
			rows, err := db.Query(sets)
			w.fail("query", err)
			w.say("next set %v", rows.NextResultSet())
			w.fail("close", rows.Close())
			w.rows(db.Query("SELECT id FROM stuff ORDER BY id"))
		}},
		{"raw bytes", "", func(h *house, w *transcript, db *sql.DB) {
			rows, err := db.Query("SELECT id, name FROM stuff ORDER BY id")
			w.fail("query", err)
			var id, name sql.RawBytes
			for rows.Next() {
				w.fail("scan", rows.Scan(&id, &name))
				w.say("%q %q %v", id, name, name == nil)
			}
			w.fail("close", rows.Close())
		}},
	}, many)
}

func twoOnOneConnection(h *house, w *transcript, db *sql.DB) {
	c, err := db.Conn(context.Background())
	w.fail("conn", err)
	defer c.Close()
	a, err := c.QueryContext(context.Background(), "SELECT id, name FROM many ORDER BY id")
	w.fail("a", err)
	w.say("%v", a.Next())
	b, err := c.QueryContext(context.Background(), "SELECT id FROM stuff ORDER BY id")
	w.fail("b", err)
	w.say("%v", b.Next())
	w.rows(a, nil)
	w.rows(b, nil)
}
