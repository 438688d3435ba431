package analyze

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/multigres/multigres/go/common/parser/ast"
)

// TestPostgresRowsGuard holds that a Block is dropped if it doesn't name exactly the places at
// which relations were seen to be read.
func TestPostgresRowsGuard(t *testing.T) {
	const text = `WITH w AS (SELECT * FROM users) SELECT (SELECT 1 FROM stuff) FROM w JOIN (users u CROSS JOIN orders) ON true`
	tokens, _ := pgTokens(text)
	stmts, err := pgParse(text)
	if err != nil {
		t.Fatal(err)
	}
	q := stmts[0].(*ast.SelectStmt)
	w := &pgWalker{st: &Statement{Text: text}, tokens: tokens}
	w.walk(q, nil)
	seen := w.places
	if len(seen) != 4 || w.rows(q) == nil {
		t.Fatalf("places %v, rows %v; want 4 places and rows", seen, w.rows(q))
	}
	for i := range seen {
		w.places = slices.Delete(slices.Clone(seen), i, i+1)
		if rows := w.rows(q); rows != nil {
			t.Errorf("without %v: %v", seen[i], rows)
		}
		w.places = append(slices.Clone(seen), seen[i])
		if rows := w.rows(q); rows != nil {
			t.Errorf("with %v once more: %v", seen[i], rows)
		}
		w.places = slices.Clone(seen)
		w.places[i].Name += "x"
		if rows := w.rows(q); rows != nil {
			t.Errorf("with %v: %v", w.places[i], rows)
		}
	}
}

// checkPostgresRows holds what must be true of the Rows and the Change of any statement.
func checkPostgresRows(t *testing.T, s *Statement) {
	t.Helper()
	if s.Rows != nil {
		var reads []Name
		for _, n := range pgPlaces(nil, s.Rows, nil) {
			reads = addOnce(reads, n)
		}
		if s.Kind != Read || !samePlacesOnce(reads, s.Reads) {
			t.Errorf("%q\nof kind %s reads %v, but its rows are of %v", s.Text, s.Kind, s.Reads, reads)
		}
	}
	c := s.Change
	if c == nil {
		return
	}
	if s.Kind != Modify || len(s.Writes) != 1 || s.Writes[0] != (Write{Relation: c.Target, Op: c.Op}) {
		t.Errorf("%q\nof kind %s writes %v, but changes %v", s.Text, s.Kind, s.Writes, c)
	}
	if c.Repeatable {
		checkRepeated(t, s)
	}
	if c.Append > 0 {
		checkAppended(t, s)
	}
}

func samePlacesOnce(a, b []Name) bool { return len(a) == len(b) && pgSamePlaces(a, b) }

// checkRepeated holds that a SELECT with the condition of a change reads the same rows.
func checkRepeated(t *testing.T, s *Statement) {
	t.Helper()
	c := s.Change
	text := "SELECT 1 FROM " + c.From
	if c.Condition != "" {
		text += " WHERE " + c.Condition
	}
	got := Analyze(Postgres, text+" FOR NO KEY UPDATE")
	if got.Kind != Read || got.Rows == nil || len(got.Rows.From) != 1 || got.Writing() || len(got.Functions) > 0 {
		t.Errorf("%q\nis repeated by %q:\n%s", s.Text, text, got.Facts())
		return
	}
	from := got.Rows.From[0]
	if from.Relation != c.Target || from.Alias != c.Alias || len(got.Reads) != 1 {
		t.Errorf("%q\nis repeated by %q, which reads %v", s.Text, text, from)
	}
	numbers := regexp.MustCompile(`\$\d+`)
	where := numbers.ReplaceAllStringFunc(got.Rows.Where.String(), func(number string) string {
		i, _ := strconv.Atoi(number[1:])
		return c.Args[i-1].String()
	})
	// Parameters that stand elsewhere in the statement, too, may be told of the condition alone.
	if !strings.ContainsAny(c.Where.String(), `"?`) && where != c.Where.String() {
		t.Errorf("%q\nis repeated by %q where %s", s.Text, text, where)
	}
	for i, arg := range c.Args {
		if arg.Kind != Param || !strings.Contains(c.Condition, fmt.Sprintf("$%d", i+1)) {
			t.Errorf("%q\nis repeated by %q with argument %v", s.Text, text, arg)
		}
	}
}

// checkAppended holds that a RETURNING may stand where Append says and changes nothing else.
func checkAppended(t *testing.T, s *Statement) {
	t.Helper()
	text := s.Text[:s.Change.Append] + " RETURNING 1" + s.Text[s.Change.Append:]
	got := Analyze(Postgres, text)
	if got.Kind != Modify || !got.ReturnsRows || got.Change == nil {
		t.Errorf("%q\nwith RETURNING is %q:\n%s", s.Text, text, got.Facts())
		return
	}
	want := *s.Change
	want.Append, want.Returning = 0, []Output{{Term: Term{Kind: Number, Text: "1"}}}
	if got.Change.String() != want.String() {
		t.Errorf("%q\nwith RETURNING is %q, which changes\n%s\nwant\n%s", s.Text, text, got.Change, &want)
	}
}
