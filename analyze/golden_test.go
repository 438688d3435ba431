package analyze

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the facts in testdata")

// TestGolden holds the facts of every statement in testdata/DIALECT/*.txt. A
// case is the statement, a line "----", its facts, and an empty line; a line
// that starts with "#" before a statement is a comment.
func TestGolden(t *testing.T) {
	for _, d := range []Dialect{Postgres, MySQL, SQLite} {
		files, err := filepath.Glob(filepath.Join("testdata", string(d), "*.txt"))
		if err != nil {
			t.Fatal(err)
		}
		statements := 0
		for _, file := range files {
			t.Run(string(d)+"/"+filepath.Base(file), func(t *testing.T) {
				statements += goldenFile(t, d, file)
			})
		}
		if statements < 400 && !*update {
			t.Errorf("%s has %d golden statements, want at least 400", d, statements)
		}
	}
}

func goldenFile(t *testing.T, d Dialect, file string) int {
	cases := readGolden(t, file)
	var out strings.Builder
	for _, c := range cases {
		got := Analyze(d, c.text).Facts()
		if got != c.facts && !*update {
			t.Errorf("%s:\n%s\ngot:\n%s\nwant:\n%s", file, c.text, got, c.facts)
		}
		out.WriteString(c.comment + c.text + "\n----\n" + got + "\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return len(cases)
}

type goldenCase struct{ comment, text, facts string }

// readGolden reads the cases of a file. A case without facts yet (a statement
// and "----") is allowed, for -update to fill.
func readGolden(t testing.TB, file string) []goldenCase {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	lines := strings.SplitAfter(string(data), "\n")
	for len(lines) > 0 {
		var c goldenCase
		for len(lines) > 0 && (strings.HasPrefix(lines[0], "#") || strings.TrimSpace(lines[0]) == "") {
			c.comment += lines[0]
			lines = lines[1:]
		}
		for len(lines) > 0 && lines[0] != "----\n" {
			c.text += lines[0]
			lines = lines[1:]
		}
		if c.text == "" {
			break
		}
		c.text = strings.TrimSuffix(c.text, "\n")
		c.comment = strings.TrimPrefix(c.comment, "\n")
		lines = lines[min(1, len(lines)):]
		for len(lines) > 0 && strings.TrimSpace(lines[0]) != "" {
			c.facts += lines[0]
			lines = lines[1:]
		}
		cases = append(cases, c)
	}
	return cases
}
