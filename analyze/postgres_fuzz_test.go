package analyze

import (
	"strings"
	"testing"
)

// FuzzPostgres holds what must be true of any text at all.
func FuzzPostgres(f *testing.F) {
	for _, file := range postgresGoldenFiles(f) {
		for _, c := range readGolden(f, file) {
			f.Add(c.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := analyzePostgres(text)
		facts := s.Facts()
		if again := analyzePostgres(text).Facts(); again != facts {
			t.Errorf("%q\nfirst:\n%s\nthen:\n%s", text, facts, again)
		}
		if modifies(text) && !s.Writing() && s.Reason == Cacheable {
			t.Errorf("%q\nbegins like a write, but\n%s", text, facts)
		}
		checkPostgresInvariants(t, s)
	})
}

// modifies reports whether the first word of text is one of a write.
func modifies(text string) bool {
	fields := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' })
	if len(fields) == 0 || !strings.HasPrefix(strings.ToLower(strings.TrimLeft(text, " \n\t\r\f;")), fields[0]) {
		return false
	}
	switch fields[0] {
	case "insert", "update", "delete", "merge", "truncate", "call", "do", "drop", "alter", "grant", "revoke":
		return true
	}
	return false
}

// checkPostgresInvariants holds that the facts of one statement agree.
func checkPostgresInvariants(t *testing.T, s *Statement) {
	t.Helper()
	cached := s.Reason == Cacheable
	switch {
	case cached && s.Kind != Read:
		t.Errorf("%q\nof kind %s is cacheable", s.Text, s.Kind)
	case cached && (s.WritesAll || len(s.Writes) > 0 || len(s.Settings) > 0 || len(s.TempTables) > 0):
		t.Errorf("%q\nis cacheable but changes something:\n%s", s.Text, s.Facts())
	case cached && len(s.Reads) == 0:
		t.Errorf("%q\nis cacheable but reads nothing", s.Text)
	case s.Kind == Unknown && (s.Reason != Unparsable || !s.WritesAll):
		t.Errorf("%q\nof unknown kind:\n%s", s.Text, s.Facts())
	case s.Kind == Modify && !s.Writing():
		t.Errorf("%q\nmodifies nothing:\n%s", s.Text, s.Facts())
	case s.Kind != Control && s.Kind != Unknown && s.Control != NoControl:
		t.Errorf("%q\nis no control statement but %s", s.Text, s.Control)
	}
	checkPostgresRows(t, s)
	for _, part := range s.Parts {
		checkPostgresInvariants(t, part)
	}
}

// TestPostgresInvariants holds the same for the golden statements, also when
// they are cut off anywhere, so that it doesn't take a fuzzer to see them fail.
func TestPostgresInvariants(t *testing.T) {
	for _, file := range postgresGoldenFiles(t) {
		for _, c := range readGolden(t, file) {
			for end := len(c.text); end > 0; end -= 7 {
				checkPostgresInvariants(t, analyzePostgres(c.text[:end]))
			}
		}
	}
}
