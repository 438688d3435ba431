package confine

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// A typed is a type of columns with the class that it has.
type typed struct {
	typ   string
	class Class
}

// operands is what is stored in columns of all types, and what they are compared with.
var operands = []any{
	nil, 0, 1, 42, -42, int64(math.MaxInt64), int64(1<<53 + 1), int64(1 << 53), 42.0, 42.5, float64(1 << 53), 1e15, math.Copysign(0, -1), true, false,
	"", "0", "1", "42", "042", "+42", "-42", "-0", " 42", "42 ", "42.0", "4.2e1", "42x", "0x2a", "9007199254740993", "99999999999999999999",
	"a", "A", "a ", " a", "ab", "AB", "a\t", "a_", "a-", "b", "ä", "Ä", "å", "aa", "ss", "ß", "i", "I", "ı", "k", "\u212a", "y", "v", "w", "oe", "null", "t", "f", "true",
	[]byte("a"), []byte("A"), []byte("a\x00"), []byte("42"), []byte{}, []byte{0xff, 0x00}, []byte(" a"),
	"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{A0EEBC99-9C0B4EF8BB6D6BB9BD380A11}",
}

// literals are the texts of literals, with what analyze makes of them.
var literals = map[string]analyze.Term{
	"42":     {Kind: analyze.Number, Text: "42"},
	"42.0":   {Kind: analyze.Number, Text: "42.0"},
	"42.5":   {Kind: analyze.Number, Text: "42.5"},
	"-42":    {Kind: analyze.Number, Text: "-42"},
	"0":      {Kind: analyze.Number, Text: "0"},
	"1":      {Kind: analyze.Number, Text: "1"},
	"'42'":   {Kind: analyze.Text, Text: "42"},
	"'042'":  {Kind: analyze.Text, Text: "042"},
	"'a'":    {Kind: analyze.Text, Text: "a"},
	"'A'":    {Kind: analyze.Text, Text: "A"},
	"'a '":   {Kind: analyze.Text, Text: "a "},
	"''":     {Kind: analyze.Text, Text: ""},
	"x'61'":  {Kind: analyze.Blob, Text: "a"},
	"x'34'":  {Kind: analyze.Blob, Text: "4"},
	"true":   {Kind: analyze.Boolean, Text: "true"},
	"false":  {Kind: analyze.Boolean, Text: "false"},
	"'true'": {Kind: analyze.Text, Text: "true"},
	"'t'":    {Kind: analyze.Text, Text: "t"},
	"NULL":   {Kind: analyze.Null},
}

// A comparison is one type of columns in one database.
type comparison struct {
	*testing.T
	db       *sql.DB
	dialect  analyze.Dialect
	mark     string
	table    string
	column   Column
	stored   map[int]any // what is stored in the row of a number
	matches  int
	told     int
	foretold int
	wrong    []string // what isn't as it should be
}

// testEquality asks a database which of the operands are equal to which stored values: those have one form. And what is
// stored has the form that is foretold.
func testEquality(t *testing.T, db *sql.DB, d analyze.Dialect, types []typed) {
	c := compare(t, db, d, types)
	for _, wrong := range c.wrong {
		t.Error(wrong)
	}
	t.Logf("%d types, %d matches, %d with forms, %d stored values foretold", len(types), c.matches, c.told, c.foretold)
	if c.told < 10*len(types) || c.foretold < len(types) {
		t.Error("that is too little to tell anything")
	}
}

// compare makes the comparisons of testEquality.
func compare(t *testing.T, db *sql.DB, d analyze.Dialect, types []typed) *comparison {
	db.SetMaxOpenConns(1)
	c := &comparison{T: t, db: db, dialect: d, mark: "?"}
	if d == analyze.Postgres {
		c.mark = "$1"
	}
	for n, typ := range types {
		c.table = fmt.Sprintf("e%d", n)
		c.column = Column{Name: typ.typ, Class: typ.class, Serial: strings.Contains(typ.typ, "PRIMARY")}
		if _, err := db.Exec("CREATE TABLE " + c.table + " (n int, c " + typ.typ + ")"); err != nil {
			t.Fatal(typ.typ, err)
		}
		c.fill()
		for _, operand := range operands {
			form, ok := typ.class.Value(d, operand)
			c.check(operand, form, ok, c.mark, operand)
		}
		for text, term := range literals {
			form, ok := typ.class.Term(d, term)
			c.check(text, form, ok, text)
		}
		if _, err := db.Exec("DROP TABLE " + c.table); err != nil {
			t.Fatal(typ.typ, err)
		}
	}
	return c
}

func (c *comparison) note(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// fill stores all operands, as far as the type takes them.
func (c *comparison) fill() {
	c.stored = map[int]any{}
	change := &Change{Table: &Table{Dialect: c.dialect}}
	for n, value := range operands {
		if _, err := c.db.Exec(fmt.Sprintf("INSERT INTO %s VALUES (%d, %s)", c.table, n, c.mark), value); err != nil {
			continue
		}
		var row any
		if err := c.db.QueryRow(fmt.Sprintf("SELECT c FROM %s WHERE n = %d", c.table, n)).Scan(&row); err != nil {
			c.Fatal(c.column.Name, value, err)
		}
		c.stored[n] = row
		stored, known := c.column.Class.Stored(c.dialect, row)
		args := []driver.NamedValue{{Ordinal: 1, Value: value}}
		if form, ok := change.stored(&c.column, analyze.Term{Kind: analyze.Param, Param: 1}, args); ok {
			c.foretold++
			if known && form != stored {
				c.note("%s: %T %q is stored as %T %q, whose form is %q, not %q", c.column.Name, value, value, row, row, stored, form)
			}
		}
	}
}

// check compares the form of an operand with those of the values that the database takes for equal.
func (c *comparison) check(operand any, form string, ok bool, sql string, args ...any) {
	rows, err := c.db.Query("SELECT n FROM "+c.table+" WHERE c = "+sql, args...)
	if err != nil {
		return
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			c.Fatal(err)
		}
		c.matches++
		row := c.stored[n]
		stored, known := c.column.Class.Stored(c.dialect, row)
		if !ok || !known {
			continue
		}
		if c.told++; form != stored {
			c.note("%s: %T %q = %T %q, but forms are %q and %q", c.column.Name, row, row, operand, operand, stored, form)
		}
	}
}

func TestSQLiteEquality(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	testEquality(t, db, analyze.SQLite, []typed{
		{"INTEGER", dynamic}, {"BOOLEAN", dynamic}, {"NUMERIC", dynamic}, {"REAL", dynamic},
		{"TEXT", dynamicText}, {"TEXT COLLATE NOCASE", nocase}, {"TEXT COLLATE RTRIM", Class{Kind: DynamicText, Fold: Padded}},
		{"BLOB", Class{Kind: DynamicBlob}}, {"", Class{Kind: DynamicBlob}},
		{"INTEGER PRIMARY KEY", dynamic},
	})
}

func TestPostgresEquality(t *testing.T) {
	for _, mode := range []string{"", "simple_protocol"} {
		database := dbtest.Postgres(t).Database(t)
		dsn := database.DSN()
		if mode != "" {
			dsn = database.DSN("default_query_exec_mode=" + mode)
		}
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		testEquality(t, db, analyze.Postgres, []typed{
			{"smallint", integerClass}, {"integer", integerClass}, {"bigint", integerClass},
			{"text", textClass}, {"varchar(5)", textClass}, {"char(5)", paddedClass},
			{"bytea", Class{Kind: Bytes}}, {"boolean", Class{Kind: Boolean}}, {"uuid", uuidClass},
		})
	}
}

func TestMariaDBEquality(t *testing.T) {
	database := dbtest.MariaDB(t).Database(t)
	for _, params := range [][]string{nil, {"interpolateParams=true"}} {
		db, err := sql.Open("mysql", database.DSN(params...))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("SET sql_mode = 'STRICT_TRANS_TABLES'"); err != nil {
			t.Fatal(err)
		}
		types := []typed{
			{"TINYINT", integerClass}, {"INT", integerClass}, {"BIGINT", integerClass}, {"BIGINT UNSIGNED", integerClass}, {"INT(6) ZEROFILL", integerClass},
			{"VARBINARY(40)", Class{Kind: Bytes}}, {"BINARY(4)", Class{Kind: Bytes}},
			{"VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", paddedClass},
			{"CHAR(40) CHARACTER SET latin1 COLLATE latin1_bin", paddedClass},
		}
		for _, collation := range []string{"general_ci", "unicode_ci", "unicode_520_ci", "nopad_bin", "general_nopad_ci"} {
			types = append(types, typed{"VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_" + collation, caseless})
		}
		testEquality(t, db, analyze.MySQL, types)
	}
}

// TestEqualitySeesMutants: what a CHAR is taken for if its padding is overlooked, or a column in a collation if that is, has other
// forms than the database takes for equal.
func TestEqualitySeesMutants(t *testing.T) {
	for _, m := range []struct {
		server func(testing.TB) *dbtest.Server
		driver string
		typ    typed
	}{
		{dbtest.Postgres, "pgx", typed{"char(5)", textClass}},
		{dbtest.MariaDB, "mysql", typed{"CHAR(40) CHARACTER SET latin1 COLLATE latin1_bin", textClass}},
		{dbtest.MariaDB, "mysql", typed{"VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", paddedClass}},
	} {
		db, err := sql.Open(m.driver, m.server(t).Database(t).DSN())
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		c := compare(t, db, map[string]analyze.Dialect{"pgx": analyze.Postgres, "mysql": analyze.MySQL}[m.driver], []typed{m.typ})
		if len(c.wrong) == 0 {
			t.Errorf("%s as %v: every form is right", m.typ.typ, m.typ.class)
		}
	}
}
