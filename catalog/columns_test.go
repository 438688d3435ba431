package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/larderdb/larder/analyze"
	"github.com/larderdb/larder/confine"
)

var kindTexts = [...]string{
	"opaque", "integer", "text", "bytes", "boolean", "uuid", "dynamic", "dynamic text", "dynamic blob",
}

// columnText tells all of a column: its class, then what else is set, then its default.
func columnText(c confine.Column) string {
	parts := []string{kindTexts[c.Class.Kind]}
	flag := func(word string, set bool) {
		if set {
			parts = append(parts, word)
		}
	}
	flag("padded", c.Class.Fold&confine.Padded != 0)
	flag("caseless", c.Class.Fold&confine.CaseLess != 0)
	flag("asciicase", c.Class.Fold&confine.ASCIICase != 0)
	flag(c.Class.Name, c.Class.Name != "")
	flag("notnull", c.NotNull)
	flag("generated", c.Generated)
	flag("serial", c.Serial)
	flag("selective", c.Selective)
	switch d := c.Default; d.Kind {
	case analyze.Untold:
		parts = append(parts, "= ?")
	case analyze.Null:
	case analyze.Number:
		parts = append(parts, "= "+d.Text)
	case analyze.Text:
		parts = append(parts, fmt.Sprintf("= %q", d.Text))
	case analyze.Boolean:
		parts = append(parts, "= bool "+d.Text)
	}
	return strings.Join(parts, " ")
}

// checkColumns makes a table of columns, each a definition and what must be known of it.
func (c *conn) checkColumns(after string, wants [][2]string) {
	c.t.Helper()
	var definitions []string
	for i, w := range wants {
		definitions = append(definitions, fmt.Sprintf("c%d %s", i, w[0]))
	}
	c.exec("CREATE TABLE columns_ (" + strings.Join(definitions, ", ") + ")" + after)
	t := c.table(c.load(), c.state(), "columns_")
	if t == nil || len(t.Columns) != len(wants) {
		c.t.Fatalf("table is %+v", t)
	}
	if t.Unsliced {
		c.t.Error("it can't be sliced")
	}
	for i, w := range wants {
		if name := fmt.Sprintf("c%d", i); t.Columns[i].Name != name {
			c.t.Errorf("column %d is called %s", i, t.Columns[i].Name)
		}
		if got := columnText(t.Columns[i]); got != w[1] {
			c.t.Errorf("%s\n got: %s\nwant: %s", w[0], got, w[1])
		}
	}
}

// table returns what a name means in a session, or nil.
func (c *conn) table(s *Snapshot, state *State, name string) *confine.Table {
	n := analyze.Name{Name: name}
	if schema, rest, ok := strings.Cut(name, "."); ok {
		n = analyze.Name{Schema: schema, Name: rest}
	}
	t, ok := (&scope{snapshot: s, state: state, path: state.Path}).Table(n)
	if !ok {
		return nil
	}
	return t
}

func TestPostgresColumns(t *testing.T) {
	c := openPostgres(t, "CREATE EXTENSION citext", "CREATE TYPE mood AS ENUM ('sad', 'it''s', 'fine')",
		"CREATE SCHEMA other", "CREATE TYPE other.mood AS ENUM ('x')",
		"CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
		"CREATE DOMAIN code AS varchar(3)", "CREATE DOMAIN subcode AS code", "CREATE DOMAIN label AS text DEFAULT 'x'",
		"CREATE DOMAIN small AS int CHECK (VALUE < 10)", "CREATE DOMAIN letters AS citext",
		"CREATE DOMAIN blindly AS text COLLATE blind",
		"CREATE FUNCTION five() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 5'")
	c.checkColumns("", [][2]string{
		{"smallint", "integer"},
		{"int", "integer"},
		{"bigint NOT NULL", "integer notnull"},
		{"serial", "integer notnull serial = ?"},
		{"int GENERATED ALWAYS AS IDENTITY", "integer notnull serial = ?"},
		{"int GENERATED ALWAYS AS (1 + 1) STORED", "integer generated = ?"},
		{"int DEFAULT 5", "integer = 5"},
		{"int DEFAULT -5", "integer = -5"},
		{"int DEFAULT '7'", "integer = 7"},
		{"bigint DEFAULT 12345678901", "integer = 12345678901"},
		{"int DEFAULT 1.5", "integer = ?"},
		{"int DEFAULT 1 + 1", "integer = ?"},
		{"int DEFAULT five()", "integer = ?"},
		{"int DEFAULT NULL", "integer"},
		{"text", "text text"},
		{"text DEFAULT 'x y '", `text text = "x y "`},
		{"text DEFAULT ''", `text text = ""`},
		{"text DEFAULT 'it''s'", "text text = ?"},
		{`text DEFAULT E'a\\b'`, "text text = ?"},
		{"text DEFAULT 5", "text text = ?"},
		{"text DEFAULT 'a  '::char(3)", "text text = ?"},
		{"text DEFAULT lower('A')", "text text = ?"},
		{"text DEFAULT current_user", "text text = ?"},
		{"varchar", "text text"},
		{"varchar(3) DEFAULT 'abc'", `text padded text = "abc"`},
		{`text COLLATE "C"`, "text text"},
		{`text COLLATE "und-x-icu"`, "text text"},
		{"text COLLATE blind", "opaque"},
		{"varchar(3) COLLATE blind DEFAULT 'a'", "opaque = ?"},
		{"char(3) DEFAULT 'a'", `text padded bpchar = "a"`},
		{"bpchar", "text padded bpchar"},
		{`"char"`, "opaque"},
		{"name", "opaque"},
		{"bool DEFAULT true", "boolean = bool true"},
		{"bool DEFAULT 'f'", "boolean = bool false"},
		{"uuid DEFAULT '00000000-0000-0000-0000-000000000001'", `uuid = "00000000-0000-0000-0000-000000000001"`},
		{"uuid DEFAULT gen_random_uuid()", "uuid = ?"},
		{`bytea DEFAULT '\x00'`, "bytes = ?"},
		{"mood DEFAULT 'sad'", `text public.mood = "sad"`},
		{"other.mood DEFAULT 'x'", `text other.mood = "x"`},
		{"code", "text padded text"},
		{"subcode", "text padded text"},
		{"label", "text text = ?"},
		{"label DEFAULT 'y'", "text text = ?"},
		{"small DEFAULT 3", "integer = 3"},
		{"letters", "opaque"},
		{"blindly", "opaque"},
		{"citext", "opaque"},
		{"numeric", "opaque"}, {"float8", "opaque"}, {"real DEFAULT 0", "opaque = ?"}, {"date", "opaque"},
		{"timestamptz DEFAULT now()", "opaque = ?"}, {"time", "opaque"}, {"interval", "opaque"}, {"json", "opaque"},
		{"jsonb DEFAULT '{}'", "opaque = ?"}, {"int[]", "opaque"}, {"text[]", "opaque"}, {"int4range", "opaque"},
		{"inet", "opaque"}, {"money", "opaque"}, {"bit(3)", "opaque"}, {"oid", "opaque"}, {"xml", "opaque"},
	})
	c.exec("SET search_path = public, pg_catalog")
	if got := columnText(c.table(c.load(), c.state(), "columns_").Columns[6]); got != "integer = ?" {
		t.Errorf("where a schema may hide types: %s", got)
	}
}

func TestMariaDBColumns(t *testing.T) {
	c := openMariaDB(t)
	c.checkColumns(" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", [][2]string{
		{"INT AUTO_INCREMENT PRIMARY KEY", "integer notnull serial selective = ?"},
		{"TINYINT(1) DEFAULT 1", "integer = 1"},
		{"SMALLINT UNSIGNED NOT NULL DEFAULT 0", "integer notnull = 0"},
		{"MEDIUMINT DEFAULT -3", "integer = -3"},
		{"BIGINT NOT NULL", "integer notnull = ?"},
		{"BIGINT DEFAULT NULL", "integer"},
		{"INT DEFAULT (1 + 1)", "integer = ?"},
		{"INT DEFAULT '5'", "integer = 5"},
		{"BOOLEAN DEFAULT TRUE", "integer = 1"},
		{"INT GENERATED ALWAYS AS (c1 + 1) VIRTUAL", "integer generated = ?"},
		{"INT AS (c1 + 1) STORED", "integer generated = ?"},
		{"CHAR(3) DEFAULT 'a'", `text padded caseless utf8mb4_general_ci = "a"`},
		{"VARCHAR(10) DEFAULT 'NULL'", `text padded caseless utf8mb4_general_ci = "NULL"`},
		{"VARCHAR(10) DEFAULT 'it''s'", "text padded caseless utf8mb4_general_ci = ?"},
		{`VARCHAR(10) DEFAULT 'a\\b'`, "text padded caseless utf8mb4_general_ci = ?"},
		{"VARCHAR(10) DEFAULT (UPPER('a'))", "text padded caseless utf8mb4_general_ci = ?"},
		{"VARCHAR(10) DEFAULT ''", `text padded caseless utf8mb4_general_ci = ""`},
		{"TEXT", "text padded caseless utf8mb4_general_ci"},
		{"MEDIUMTEXT COLLATE utf8mb4_unicode_520_ci", "text padded caseless utf8mb4_unicode_520_ci"},
		{"VARCHAR(10) COLLATE utf8mb4_bin", "text padded utf8mb4_bin"},
		{"VARCHAR(10) COLLATE utf8mb4_nopad_bin", "text padded utf8mb4_nopad_bin"},
		{"VARCHAR(10) COLLATE utf8mb4_uca1400_as_ci", "text padded caseless utf8mb4_uca1400_as_ci"},
		{"VARCHAR(10) COLLATE utf8mb4_german2_ci", "opaque"},
		{"VARCHAR(10) COLLATE utf8mb4_turkish_ci", "opaque"},
		{"VARCHAR(10) CHARACTER SET latin1", "text padded caseless latin1_swedish_ci"},
		{"VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_german2_ci", "opaque"},
		{"VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_bin", "text padded latin1_bin"},
		{"VARCHAR(10) CHARACTER SET ascii", "text padded caseless ascii_general_ci"},
		{"VARCHAR(10) CHARACTER SET utf8mb3 COLLATE utf8mb3_bin", "text padded utf8mb3_bin"},
		{"VARCHAR(10) CHARACTER SET sjis COLLATE sjis_bin", "opaque"},
		{"LONGTEXT", "text padded caseless utf8mb4_general_ci"},
		{"JSON", "opaque"},
		{"BINARY(3)", "bytes"}, {"VARBINARY(3) DEFAULT 'a'", "bytes = ?"}, {"BLOB", "bytes"}, {"LONGBLOB", "bytes"},
		{"VARCHAR(3) CHARACTER SET binary", "bytes"},
		{"BIT(3)", "opaque"}, {"YEAR", "opaque"}, {"ENUM('a', 'b') NOT NULL", "opaque notnull = ?"}, {"SET('a')", "opaque"},
		{"DECIMAL(5, 2)", "opaque"}, {"DOUBLE", "opaque"}, {"DATE", "opaque"}, {"TIME", "opaque"},
		{"DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP", "opaque generated = ?"},
		{"UUID", "opaque"}, {"INET6", "opaque"},
	})
}

func TestSQLiteColumns(t *testing.T) {
	c := openSQLite(t)
	c.checkColumns("", [][2]string{
		{"INTEGER PRIMARY KEY", "dynamic notnull serial selective = ?"},
		{"INT NOT NULL", "dynamic notnull"},
		{"UNSIGNED BIG INT DEFAULT 5", "dynamic = 5"},
		{"REAL DEFAULT -1.5", "dynamic = -1.5"},
		{"DECIMAL(10, 5)", "dynamic"},
		{"BOOLEAN DEFAULT TRUE", "dynamic = ?"},
		{"DATETIME DEFAULT CURRENT_TIMESTAMP", "dynamic = ?"},
		{"FLOATING POINT", "dynamic"},
		{"CHARINT", "dynamic"},
		{"STRING", "dynamic"},
		{"TEXT DEFAULT 'x y'", `dynamic text = "x y"`},
		{"VARCHAR(10) DEFAULT 'it''s'", "dynamic text = ?"},
		{"TEXT DEFAULT (1 + 1)", "dynamic text = ?"},
		{"TEXT DEFAULT NULL", "dynamic text"},
		{"TEXT DEFAULT x'00'", "dynamic text = ?"},
		{"INT DEFAULT 0x10", "dynamic = ?"},
		{"INT DEFAULT 1e3", "dynamic = ?"},
		{"CLOB", "dynamic text"},
		{"NVARCHAR(100) COLLATE NOCASE", "dynamic text asciicase"},
		{"TEXT COLLATE \"rtrim\" DEFAULT 'a'", `dynamic text padded = "a"`},
		{"TEXT DEFAULT 'collate nocase' CHECK (c20 COLLATE RTRIM <> 'x') COLLATE binary", `dynamic text = "collate nocase"`},
		{"TEXT COLLATE NOCASE COLLATE BINARY", "opaque"},
		{"INT COLLATE NOCASE", "opaque"},
		{"BLOB COLLATE NOCASE", "opaque"},
		{"BLOB", "dynamic blob"},
		{"", "dynamic blob"},
		{"ANY", "dynamic"},
		{`"text (x, y)"`, "dynamic text"},
		{"INT GENERATED ALWAYS AS (c1 + 1)", "dynamic generated = ?"},
		{"TEXT AS (c10 || 'x') STORED", "dynamic text generated = ?"},
		{"INT REFERENCES columns_", "dynamic selective"},
	})
	for query, want := range map[string]string{
		"CREATE TABLE t (a INT PRIMARY KEY)":                                           "dynamic selective",
		"CREATE TABLE t (a INTEGER PRIMARY KEY DESC)":                                  "dynamic selective",
		"CREATE TABLE t (a INTEGER, PRIMARY KEY (a))":                                  "dynamic notnull serial selective = ?",
		"CREATE TABLE t (a INTEGER PRIMARY KEY) WITHOUT ROWID":                         "dynamic notnull selective",
		"CREATE TABLE t (a INTEGER, b INT, PRIMARY KEY (a, b))":                        "dynamic selective",
		"CREATE TABLE t (a ANY) STRICT":                                                "dynamic blob",
		"CREATE TABLE t (a TEXT PRIMARY KEY) WITHOUT ROWID, STRICT":                    "dynamic text notnull selective",
		"CREATE TABLE t ([a] TEXT COLLATE nocase, UNIQUE (a COLLATE binary))":          "dynamic text asciicase selective",
		"CREATE TABLE t ('a' TEXT /* , b COLLATE NOCASE */)":                           "dynamic text",
		"CREATE TABLE t (a TEXT COLLATE NOCASE -- , x\n)":                              "dynamic text asciicase",
		"CREATE TABLE t (\"a\" TEXT CHECK (a IN ('(', ')')) COLLATE\nNoCase, b, c, d)": "dynamic text asciicase",
	} {
		c.exec("DROP TABLE IF EXISTS t", query)
		if got := columnText(c.table(c.load(), c.state(), "t").Columns[0]); got != want {
			t.Errorf("%s\n got: %s\nwant: %s", query, got, want)
		}
	}
	c.exec("DROP TABLE t", "CREATE TABLE t (a TEXT)", "ALTER TABLE t ADD COLUMN b TEXT COLLATE nocase",
		"ALTER TABLE t ADD COLUMN c TEXT", "ALTER TABLE t RENAME COLUMN b TO B2", "ALTER TABLE t DROP COLUMN a")
	columns := c.table(c.load(), c.state(), "t").Columns
	if len(columns) != 2 || columns[0].Name != "b2" || columns[0].Class.Fold != confine.ASCIICase || columns[1].Class.Fold != confine.Exact {
		t.Errorf("after ALTER TABLE: %+v", columns)
	}
}

// What a collation takes for equal, of the characters that have a form, its fold must, too. The server is asked.
func TestMariaDBFolds(t *testing.T) {
	c := openMariaDB(t, "CREATE TABLE chars (s VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin)")
	texts := []string{"", "ss", "SS", "sS", "ae", "AE", "oe", "a ", " a", "a  ", "a-b", "ab", "a b", "aa", "AA", "th", "i", "I", "1", "01"}
	for b := byte(' '); b < 0x7f; b++ {
		texts = append(texts, string(b))
	}
	for _, s := range texts {
		c.exec("INSERT INTO chars VALUES ('" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(s) + "')")
	}
	collations, err := c.Query(t.Context(), `SELECT CHARACTER_SET_NAME, FULL_COLLATION_NAME
FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY`)
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, row := range collations {
		charset, collation := text(row[0]), text(row[1])
		fold, ok := mysqlFold(charset, collation)
		if !ok {
			continue
		}
		tested++
		column := func(table string) string {
			return "CONVERT(" + table + ".s USING " + charset + ") COLLATE " + collation
		}
		rows, err := c.Query(t.Context(), "SELECT a.s, b.s FROM chars a JOIN chars b ON "+column("a")+" = "+column("b"))
		if err != nil || len(rows) < len(texts) {
			t.Fatalf("%s: %d rows, %v", collation, len(rows), err)
		}
		for _, pair := range rows {
			a, b := strings.TrimRight(text(pair[0]), " "), strings.TrimRight(text(pair[1]), " ")
			if a != b && (fold&confine.CaseLess == 0 || lowerASCII(a) != lowerASCII(b)) {
				t.Errorf("%s takes %q and %q for equal", collation, a, b)
			}
		}
	}
	if tested < 20 {
		t.Errorf("only %d collations were tested", tested)
	}
	t.Log(tested, "collations")
}
