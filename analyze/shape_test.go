package analyze

import (
	"strings"
	"testing"
)

func TestShape(t *testing.T) {
	for _, c := range []struct {
		dialect    Dialect
		text, want string
	}{
		{Postgres, "SELECT  a FROM t\n WHERE b = $1 AND c='it''s'", "SELECT a FROM t WHERE b = ? AND c=?"},
		{Postgres, "SELECT * FROM t WHERE a IN (1, 2,3) AND b = E'a\\'b' -- secret", "SELECT * FROM t WHERE a IN (?) AND b = ?"},
		{Postgres, "SELECT $q$ a 'b' $q$, $$x$$::text, 1e-5, .5 /* a /* b */ c */ FROM t1", "SELECT ?::text, ? FROM t1"},
		{Postgres, `SELECT "Name 1", 7 FROM t WHERE x = -1.5`, `SELECT "Name 1", ? FROM t WHERE x = -?`},
		{Postgres, "INSERT INTO t (a, b) VALUES ($1, 'x'), ($2, 'y')", "INSERT INTO t (a, b) VALUES (?)"},
		{Postgres, "SELECT 'no end", "SELECT ?"},
		{MySQL, "SELECT `a`, \"lit\\\"eral\", 0xff FROM t # secret\nWHERE b = ?", "SELECT `a`, ?"}, // by NO_BACKSLASH_ESCAPES it ends elsewhere
		{MySQL, `SELECT a FROM t WHERE b = 'x\'y' LIMIT 5, 10`, "SELECT a FROM t WHERE b = ?"},
		{SQLite, "SELECT [a 1] FROM t WHERE b = :name AND c = @x AND d = ?1 AND e = x'00'", "SELECT [a 1] FROM t WHERE b = ? AND c = ? AND d = ? AND e = ?"},
		{MySQL, "INSERT INTO t VALUES (1,2),(3,4),\n(5 , 6)", "INSERT INTO t VALUES (?)"},
		{SQLite, "SELECT a, 1, b FROM t", "SELECT a, ?, b FROM t"},
	} {
		if got := Shape(c.dialect, c.text); got != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.dialect, c.text, got, c.want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	same := []string{"SELECT a FROM t WHERE b = 1", "select a  from t where b = $1", "/* x */ SELECT a FROM t WHERE b = 'abc'"}
	for _, text := range same[1:] {
		if Fingerprint(Shape(Postgres, text)) != Fingerprint(Shape(Postgres, same[0])) {
			t.Errorf("%s has another fingerprint", text)
		}
	}
	if f := Fingerprint(Shape(Postgres, same[0])); f == Fingerprint("SELECT a FROM u WHERE b = ?") || len(f) != 16 {
		t.Errorf("fingerprint %q", f)
	}
}

// FuzzShape: no text panics or takes for ever, and what is in quotes isn't shown.
func FuzzShape(f *testing.F) {
	f.Add("SELECT a FROM t WHERE b = ", "x'y\\z")
	f.Add("SELECT $1, $$ -- ' /* ", "1")
	f.Fuzz(func(t *testing.T, before, literal string) {
		for _, d := range []Dialect{Postgres, MySQL, SQLite} {
			Shape(d, before+literal)
		}
		secret := strings.Map(func(r rune) rune {
			if r == '\'' || r == '\\' {
				return -1
			}
			return r
		}, literal)
		if shape := Shape(Postgres, "SELECT '#"+secret+"#'"); shape != "SELECT ?" {
			t.Errorf("%q is shown as %q", secret, shape)
		}
	})
}

// TestShapeOfBackslashes: where a literal ends that has a backslash before a quote depends on the session's settings: no
// part of it is shown.
func TestShapeOfBackslashes(t *testing.T) {
	for dialect, text := range map[Dialect]string{
		MySQL:    `SELECT * FROM f WHERE dir = 'C:\' AND pw = 'topsecret'`,
		Postgres: `SELECT * FROM f WHERE a = 'it\'s topsecret' AND b = 1`,
	} {
		if got := Shape(dialect, text); strings.Contains(got, "topsecret") {
			t.Errorf("%s: %s", dialect, got)
		}
	}
}
