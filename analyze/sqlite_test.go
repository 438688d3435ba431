package analyze

import (
	"database/sql"
	"strings"
	"testing"
)

// TestSQLiteFunctions holds the list of deterministic functions against the
// engine's own: every scalar function that it calls deterministic is in the
// list or known to be volatile in spite of that, every other is not.
func TestSQLiteFunctions(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT DISTINCT name, flags & 0x800 <> 0 FROM pragma_function_list WHERE builtin AND type = 's'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var name string
		var deterministic bool
		if err := rows.Scan(&name, &deterministic); err != nil {
			t.Fatal(err)
		}
		n++
		judged := liteVolatile[name] || liteSessionFunctions[name]
		aggregate := name == "max" || name == "min"
		if deterministic != SQLiteDeterministic(name) && !judged && !aggregate {
			t.Errorf("%s: deterministic %v in SQLite, %v here", name, deterministic, SQLiteDeterministic(name))
		}
		if judged && SQLiteDeterministic(name) {
			t.Errorf("%s is in two lists", name)
		}
	}
	if err := rows.Err(); err != nil || n < 100 {
		t.Fatalf("%d functions, %v", n, err)
	}
}

// TestSQLiteHostile gives texts that break naive readers.
func TestSQLiteHostile(t *testing.T) {
	deep := func(open, end string, n int) string {
		return "SELECT " + strings.Repeat(open, n) + "1" + strings.Repeat(end, n) + " FROM users"
	}
	for _, text := range []string{
		deep("(", ")", 200_000), deep("-", "", 200_000), deep("NOT ", "", 200_000),
		deep("(SELECT ", ")", 100_000), deep("CASE WHEN ", "", 100_000), deep("f(", ")", 100_000),
		strings.Repeat("$a(", 200_000), strings.Repeat("'\"", 200_000), strings.Repeat("/*/", 200_000),
		"SELECT * FROM " + strings.Repeat("(", 200_000), strings.Repeat("WITH a AS (", 100_000),
		"SELECT a[", "SELECT \x00; DELETE FROM users", "'", "\"", "`", "[", "/*", "--", "$", "$a(", ":", "@", "#", "x'0", "0x", "1e", "1x", "\ufeff", "\xff\xfe",
	} {
		s := Analyze(SQLite, text)
		if s.Kind == Read && s.Reason == Cacheable {
			t.Errorf("%.40q is a cacheable read", text)
		}
	}
	long := Analyze(SQLite, "SELECT * FROM users WHERE id = 1"+strings.Repeat(" OR id = 1", 100_000))
	if long.Reason != Cacheable || len(long.Reads) != 1 {
		t.Errorf("a long chain of OR: %s", long.Facts()[:60])
	}
	sum := Analyze(SQLite, "SELECT 1"+strings.Repeat(" + 1", 100_000)+" FROM users")
	if len(sum.Reads) != 1 {
		t.Errorf("a long sum: %s", sum.Facts()[:60])
	}
	huge := Analyze(SQLite, "INSERT INTO t1 (a) VALUES (1)"+strings.Repeat(", (1)", 300_000))
	if !huge.WritesAll {
		t.Error("a text over the bound doesn't write all relations")
	}
}

// TestSQLiteTree holds how operators bind, which facts don't show.
func TestSQLiteTree(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1 AND b = 2 AND c = 3 OR d":       "(or (and (= a 1) (= b 2) (= c 3)) d)",
		"NOT a = b":                            "(not (= a b))",
		"a = b < c":                            "(= a (< b c))",
		"a + b * c - d":                        "(- (+ a (* b c)) d)",
		"a || b COLLATE nocase":                "(|| a (collate nocase b))",
		"-a || b":                              "(|| (unary - a) b)",
		"a BETWEEN 1 AND 2 AND b":              "(and (between a 1 2) b)",
		"a NOT BETWEEN 1 + 1 AND 2 OR b":       "(or (not between a (+ 1 1) 2) b)",
		"a LIKE b ESCAPE c AND d":              "(and (like a b c) d)",
		"a IS NOT DISTINCT FROM b = c":         "(= (is a b) c)",
		"a IS NOT NULL AND b ISNULL":           "(and (notnull a) (isnull b))",
		"a NOT IN (1, 2) = b":                  "(= (not in a 1 2) b)",
		"a -> 'x' ->> 'y' = 1":                 "(= (->> (-> a x) y) 1)",
		"a & b = c":                            "(= (& a b) c)",
		"~a << 1 > 2":                          "(> (<< (unary ~ a) 1) 2)",
		"(a OR b) AND c":                       "(and (() (or a b)) c)",
		"t.a = main.t.b":                       "(= t.a main.t.b)",
		"f(a, ?1) = CASE a WHEN 1 THEN :x END": "(= (f a ?1) (case a 1 :x))",
	} {
		var got string
		err := liteParse(liteTokens(text), func(p *liteParser) { got = liteText(p.expr()) })
		if err != nil || got != want {
			t.Errorf("%s\n got %s %v\nwant %s", text, got, err, want)
		}
	}
}

func liteText(x *liteExpr) string {
	switch x.op {
	case liteOperate, liteCall:
		parts := []string{x.text}
		for _, arg := range x.args {
			parts = append(parts, liteText(arg))
		}
		return "(" + strings.Join(parts, " ") + ")"
	case liteColumn:
		if x.qualifier != (Name{}) {
			return x.qualifier.String() + "." + x.text
		}
	}
	return x.text
}

// FuzzSQLite holds that no text panics, that facts are told alike each time, that rows are
// those of reads and changes those of writes of one relation, and that what
// begins as a write is never taken for a read.
func FuzzSQLite(f *testing.F) {
	corpus, _ := liteCorpus(f)
	for _, pieces := range corpus {
		f.Add(strings.Join(pieces, " "))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := Analyze(SQLite, text)
		if again := Analyze(SQLite, text).Facts(); again != s.Facts() {
			t.Errorf("%s\nthen\n%s", s.Facts(), again)
		}
		tokens := liteTokens(text)
		for len(tokens) > 0 && tokens[0].isOp(";") {
			tokens = tokens[1:]
		}
		if len(tokens) == 0 {
			return
		}
		switch first := tokens[0]; first.text {
		case "insert", "update", "delete", "replace", "create", "drop", "alter":
			if first.kind == liteWord && (s.Reason == Cacheable || !s.Writing()) {
				t.Errorf("%s\nof %q", s.Facts(), text)
			}
		}
		if s.Rows != nil && (s.Kind != Read || s.Writing()) || s.Change != nil && (s.Kind != Modify || s.WritesAll || len(s.Writes) != 1) {
			t.Errorf("rows or a change of another statement:\n%s", s.Facts())
		}
		if s.Reason == Cacheable && (s.Kind != Read || s.Writing() || len(s.Reads) == 0) {
			t.Errorf("cacheable without being a read:\n%s", s.Facts())
		}
	})
}
