package analyze

import (
	"slices"
	"strings"
	"testing"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// TestMySQLRowsNameAllReads holds of every golden statement that its Rows name the
// relations that it reads, no more and no fewer.
func TestMySQLRowsNameAllReads(t *testing.T) {
	told := 0
	mysqlGoldenTexts(t, func(text string) {
		s := Analyze(MySQL, text)
		for _, s := range append(slices.Clone(s.Parts), s) {
			if s.Kind == Several && (s.Rows != nil || s.Change != nil) {
				t.Errorf("%s\nis several statements and has rows", text)
			}
			if s.Rows == nil {
				continue
			}
			told++
			var named []Name
			for _, n := range mysqlNamed(s.Rows) {
				named = addOnce(named, n)
			}
			if !sameNames(named, s.Reads) {
				t.Errorf("%s\nreads %v, its rows name %v:\n%s", text, s.Reads, named, s.Rows)
			}
			if s.Kind != Read {
				t.Errorf("%s\nis no read and has rows", text)
			}
		}
	})
	if told < 500 {
		t.Errorf("only %d statements have rows", told)
	}
}

func sameNames(a, b []Name) bool {
	texts := func(names []Name) []string {
		t := nameTexts(names)
		slices.Sort(t)
		return t
	}
	return slices.Equal(texts(a), texts(b))
}

// TestMySQLRowsNeedAllPlaces holds that no rows are told where the tree that they are made
// of lacks a place at which the walk has seen a relation.
func TestMySQLRowsNeedAllPlaces(t *testing.T) {
	for text, lose := range map[string]func(x *ast.SelectStmt){
		"SELECT id FROM users WHERE id IN (SELECT id FROM users)": func(x *ast.SelectStmt) { x.Where = nil },
		"SELECT * FROM users a, users b":                          func(x *ast.SelectStmt) { x.From.TableRefs.Right = nil },
		"SELECT * FROM users JOIN items ON EXISTS (TABLE users)":  func(x *ast.SelectStmt) { x.From.TableRefs.On = nil },
		"WITH a AS (SELECT id FROM users) SELECT id FROM a":       func(x *ast.SelectStmt) { x.With = nil },
		"SELECT (SELECT id FROM a) FROM users":                    func(x *ast.SelectStmt) { x.Fields = nil },
		"SELECT 1 FROM users GROUP BY (SELECT id FROM a)":         func(x *ast.SelectStmt) { x.GroupBy = nil },
		"SELECT 1 FROM users HAVING (SELECT id FROM users)":       func(x *ast.SelectStmt) { x.Having = nil },
		"SELECT 1 FROM users ORDER BY (SELECT id FROM users)":     func(x *ast.SelectStmt) { x.OrderBy = nil },
		"VALUES ROW((SELECT id FROM users))":                      func(x *ast.SelectStmt) { x.Lists = nil },
	} {
		for _, whole := range []bool{true, false} {
			p, err := mysqlParseAny(mysqlLex(text, mysqlReading{}).tokens)
			if err != nil {
				t.Fatal(err)
			}
			w := &mysqlWalk{s: &Statement{}}
			if err := w.statement(p.node); err != nil {
				t.Fatal(err)
			}
			if !whole {
				lose(p.node.(*ast.SelectStmt))
			}
			if b := w.rows(p); (b != nil) != whole {
				t.Errorf("%s, whole: %t, has rows %s", text, whole, b)
			}
		}
	}
}

// TestMySQLChangesCanBeAskedFor holds of every golden change that is repeatable that the SELECT
// of its parts reads the same relation under the same condition, with as many parameters.
func TestMySQLChangesCanBeAskedFor(t *testing.T) {
	repeatable := 0
	mysqlGoldenTexts(t, func(text string) {
		whole := Analyze(MySQL, text)
		for _, s := range append(slices.Clone(whole.Parts), whole) {
			c := s.Change
			if c == nil || !c.Repeatable {
				continue
			}
			repeatable++
			question := "SELECT 1 FROM " + c.From + "\n"
			if c.Condition != "" {
				question += "WHERE " + c.Condition + "\n"
			}
			asked := Analyze(MySQL, question+"FOR UPDATE")
			if asked.Kind != Read || !slices.Equal(asked.Reads, []Name{c.Target}) || asked.Rows == nil {
				t.Errorf("%s\nasks %s, which is\n%s", text, question, asked.Facts())
				continue
			}
			if got, want := asked.Rows.Where.String(), c.renumbered(); got != want {
				t.Errorf("%s\nasks %s, where %s, want %s", text, question, got, want)
			}
			if asked.Rows.From[0].Alias != c.Alias {
				t.Errorf("%s\nasks %s, as %s", text, question, asked.Rows.From[0].Alias)
			}
		}
	})
	if repeatable < 60 {
		t.Errorf("only %d changes are repeatable", repeatable)
	}
}

// renumbered is the condition of c with its parameters numbered as in Args.
func (c *Change) renumbered() string {
	var number func(cond *Cond) *Cond
	number = func(cond *Cond) *Cond {
		if cond == nil {
			return nil
		}
		n := *cond
		n.Args, n.List = nil, nil
		for _, arg := range cond.Args {
			n.Args = append(n.Args, number(arg))
		}
		for _, t := range cond.List {
			if t.Kind == Param {
				t.Param = 1 + slices.IndexFunc(c.Args, func(a Term) bool { return a.Param == t.Param })
			}
			n.List = append(n.List, t)
		}
		return &n
	}
	return number(c.Where).String()
}

// TestMySQLParametersAreNumbered holds that the numbers of parameters are their
// places in the text, whatever stands between them and whatever the parser needs rewritten.
func TestMySQLParametersAreNumbered(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT ?, 'é' FROM t WHERE `ä` = ? AND b = '\\'' AND c = ?":                        "(ä = $2 and b = \"'\" and c = $3)",
		"SELECT ? FROM t WHERE rank = ? AND CAST(? AS CHAR) = 'x' AND b=?":                  "(rank = $2 and b = $4)",
		"SELECT * FROM t, JSON_TABLE(?, '$[*]' COLUMNS (x INT PATH '$.x')) j WHERE t.a = ?": "t.a = $2",
		"SELECT * FROM t WHERE a = ? -- what?\n AND b = 1":                                  "b = 1",
	} {
		s := Analyze(MySQL, text)
		if s.Rows == nil || s.Rows.Where.String() != want {
			t.Errorf("%s\nrows: %s, want where %s", text, s.Rows, want)
		}
	}
}

// TestMySQLRowsOfModes holds that rows are those under the settings that sessions begin with,
// and aren't told where servers with these read different ones.
func TestMySQLRowsOfModes(t *testing.T) {
	for text, want := range map[string]string{
		`SELECT * FROM t WHERE a = "x"`:                             `from t | where a = "x" | columns *`,
		`SELECT * FROM t WHERE a = 'x\'' AND b = 1`:                 `from t | where (a = "x'" and b = 1) | columns *`,
		`SELECT * FROM "t" WHERE "a" = 1`:                           `from t | where a = 1 | columns *`,
		`SELECT * FROM t WHERE a = 1 /*!50001 AND b = 2 */`:         ``,
		`SELECT * FROM t WHERE a = "x" /*!50001 AND b = 2 */`:       ``,
		`SELECT * FROM t /*!50001 USE INDEX (x) */ WHERE a = 1`:     `from t | where a = 1 | columns *`,
		`SELECT * FROM t WHERE a = 1 /*!50001 OR b = "x" OR "c" */`: ``,
	} {
		s := Analyze(MySQL, text)
		got := ""
		if s.Rows != nil {
			got = s.Rows.String()
		}
		if got != want {
			t.Errorf("%s\nrows: %s, want %s", text, got, want)
		}
	}
	several := Analyze(MySQL, `UPDATE t SET a = "x"; SELECT 1`)
	if several.Kind != Several || strings.Contains(several.Facts(), "change") {
		t.Errorf("of two readings with different parts, these tell of rows:\n%s", several.Facts())
	}
}
