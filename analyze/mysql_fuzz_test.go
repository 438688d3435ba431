package analyze

import (
	"strings"
	"testing"
)

// FuzzMySQL holds of any text that its analysis doesn't panic, is the same
// twice, and never takes a change for a read that can be cached.
func FuzzMySQL(f *testing.F) {
	mysqlGoldenTexts(f, func(text string) { f.Add(text) })
	f.Fuzz(func(t *testing.T, text string) {
		s := Analyze(MySQL, text)
		if again := Analyze(MySQL, text); s.Facts() != again.Facts() {
			t.Fatalf("facts differ:\n%s\n%s", s.Facts(), again.Facts())
		}
		if s.Reason == Cacheable {
			mysqlCheckCacheable(t, text, s)
		}
		for _, part := range s.Parts {
			if part.Kind == Several {
				t.Error("a part has parts")
			}
		}
	})
}

// mysqlCheckCacheable holds what every text must have whose rows are cached.
func mysqlCheckCacheable(t *testing.T, text string, s *Statement) {
	switch {
	case s.Kind != Read || s.Writing() || s.ImplicitCommit || s.Control != NoControl:
		t.Errorf("cacheable, but not only a read:\n%s", s.Facts())
	case len(s.Reads) == 0:
		t.Error("cacheable, but reads nothing")
	case !s.ReturnsRows:
		t.Error("cacheable, but has no rows")
	}
	for _, reading := range mysqlModes(text) {
		l := mysqlLex(text, reading)
		if len(l.tokens) == 0 || l.bad || l.newHead != "" {
			continue
		}
		first := strings.ToUpper(strings.TrimLeft(mysqlRender(l.tokens), "( "))
		for _, word := range []string{"INSERT", "REPLACE", "UPDATE", "DELETE", "TRUNCATE", "LOAD", "CALL", "CREATE", "DROP", "ALTER", "SET"} {
			if strings.HasPrefix(first, word+" ") {
				t.Errorf("cacheable, but begins with %s", word)
			}
		}
	}
}

// TestMySQLFunctionsAreJudgedOnce holds that no function is both pure and not,
// and that all volatile ones are caught where they stand alone.
func TestMySQLFunctionsAreJudgedOnce(t *testing.T) {
	for name, reason := range mysqlImpure {
		if mysqlPure[name] && name != "unix_timestamp" { // impure without an argument
			t.Errorf("%s is pure and %s", name, reason)
		}
		s := Analyze(MySQL, "SELECT "+name+"(), id FROM users")
		if s.Reason == Cacheable {
			t.Errorf("%s() can be cached", name)
		}
	}
}

// TestMySQLBuiltInsOfGoldenFiles holds that every function without a schema in
// the golden files is judged, but those that stand for what users define.
func TestMySQLBuiltInsOfGoldenFiles(t *testing.T) {
	users := mysqlSet("order_total full_name full_age next_age total_of spy f p refresh_totals")
	mysqlGoldenTexts(t, func(text string) {
		s := Analyze(MySQL, text)
		if s.Reason == Unparsable {
			return // any name before a parenthesis counts as a call
		}
		for _, name := range s.Functions {
			_, impure := mysqlImpure[name.Name]
			if name.Schema == "" && !impure && !mysqlPure[name.Name] && !users[name.Name] {
				t.Errorf("%s: nothing is known of %s()", text, name)
			}
		}
	})
}
