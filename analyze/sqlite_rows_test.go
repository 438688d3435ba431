package analyze

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// liteGolden calls do with every golden statement, the parts of several by themselves.
func liteGolden(t *testing.T, do func(text string, s *Statement)) {
	files, err := filepath.Glob("testdata/sqlite/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, c := range readGolden(t, file) {
			s := Analyze(SQLite, c.text)
			do(c.text, s)
			for _, part := range s.Parts {
				do(c.text, part)
			}
		}
	}
}

// TestSQLiteRowsNameAllReads holds that the Block of a statement reads what the statement does,
// no relation more or less, and that nearly all reads have one.
func TestSQLiteRowsNameAllReads(t *testing.T) {
	blocks, reads := 0, 0
	liteGolden(t, func(text string, s *Statement) {
		if s.Kind == Read && s.Reason != Unparsable {
			reads++
		}
		if s.Rows == nil {
			return
		}
		blocks++
		var want []string
		for _, n := range s.Reads {
			if !litePureTableFunctions[n.Name] {
				want = append(want, n.String())
			}
		}
		var got []string
		for _, n := range litePlaces(s.Rows) {
			if !litePureTableFunctions[n.Name] {
				got = addOnce(got, n.String())
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) || s.Kind != Read {
			t.Errorf("%s\nhas rows of %v, reads %v", text, got, want)
		}
	})
	if blocks < reads*95/100 || blocks < 500 {
		t.Errorf("%d of %d reads have rows", blocks, reads)
	}
}

// TestSQLiteRowsGuard holds that the guard sees every place: a Block that has lost
// any one of them, or has one more, has another number of places.
func TestSQLiteRowsGuard(t *testing.T) {
	lost := 0
	liteGolden(t, func(text string, s *Statement) {
		if s.Rows == nil {
			return
		}
		places := len(litePlaces(s.Rows))
		liteEachList(s.Rows, func(list *[]Source) {
			for i, source := range *list {
				if source.Relation == (Name{}) || len(litePlaces(&Block{From: []Source{source}})) == 0 {
					continue
				}
				all := *list
				*list = slices.Delete(slices.Clone(all), i, i+1)
				without := len(litePlaces(s.Rows))
				*list = append(slices.Clone(all), Source{Relation: Name{Schema: "main", Name: "more"}})
				more := len(litePlaces(s.Rows))
				*list = all
				bound := strings.Contains(strings.ToLower(text), "with")
				if without == places && !bound || without > places || more != places+1 {
					t.Errorf("%s\nhas %d places, %d without %v, %d with one more", text, places, without, source, more)
				}
				lost++
			}
		})
	})
	if lost < 600 {
		t.Errorf("only %d places were tried", lost)
	}
}

// liteEachList calls do with every list of sources in b.
func liteEachList(b *Block, do func(*[]Source)) {
	for _, c := range b.With {
		liteEachList(c.Block, do)
	}
	for _, inner := range slices.Concat(b.Arms, b.Subs) {
		liteEachList(inner, do)
	}
	var nested func(list *[]Source)
	nested = func(list *[]Source) {
		for i := range *list {
			if source := &(*list)[i]; source.Sub != nil {
				liteEachList(source.Sub, do)
			} else if source.Nested != nil {
				nested(&source.Nested)
			}
		}
		do(list)
	}
	nested(&b.From)
}

// TestSQLiteRepeatableIsRead holds that the SELECT of a change's condition is a read of the
// same relation, with the same condition and as many parameters as there are arguments.
func TestSQLiteRepeatableIsRead(t *testing.T) {
	repeatable := 0
	liteGolden(t, func(text string, s *Statement) {
		if s.Change == nil || !s.Change.Repeatable {
			return
		}
		repeatable++
		c := s.Change
		read := Analyze(SQLite, liteRepeatedRead(c, "1"))
		if read.Reason != Cacheable && read.Reason != Temporary || !slices.Equal(read.Reads, []Name{c.Target}) || read.Rows == nil || len(read.Functions) > 0 {
			t.Errorf("%s\nis repeated by %s\n%s", text, read.Text, read.Facts())
			return
		}
		if from := read.Rows.From; len(from) != 1 || from[0].Alias != c.Alias || len(read.Rows.Subs) > 0 {
			t.Errorf("%s\nis repeated from %v", text, from)
		}
		if (read.Rows.Where == nil) != (c.Where == nil) {
			t.Errorf("%s\nhas the condition %v, repeated %v", text, c.Where, read.Rows.Where)
		}
		params := 0
		for _, token := range liteTokens(read.Text) {
			if token.kind == liteParam && token.text != "?" && liteParamName(token.text) == "" {
				t.Errorf("%s\nis repeated with %s", text, token.text)
			}
		}
		tokens := liteTokens(read.Text)
		liteNumberParams(tokens)
		for _, token := range tokens {
			params = max(params, token.number)
		}
		if params != len(c.Args) {
			t.Errorf("%s\nis repeated with %d arguments for %d parameters", text, len(c.Args), params)
		}
	})
	if repeatable < 60 {
		t.Errorf("only %d changes can be repeated", repeatable)
	}
}

// liteAgreeOnChange holds of a statement that the engine takes that it also takes the SELECT
// that finds its rows, and the statement with a RETURNING where that may be added.
func liteAgreeOnChange(t *testing.T, oracle *liteOracle, text string, c *Change) {
	if c == nil {
		return
	}
	var derived []string
	if c.Repeatable {
		derived = append(derived, liteRepeatedRead(c, "1"))
	}
	if c.Append > 0 {
		derived = append(derived, text[:c.Append]+" RETURNING 1"+text[c.Append:])
	}
	for _, other := range derived {
		if _, err := oracle.compile(other); err != nil {
			t.Errorf("the engine takes\n%s\nbut not\n%s\n%v", text, other, err)
		}
	}
}

func liteRepeatedRead(c *Change, columns string) string {
	text := "SELECT " + columns + " FROM " + c.From
	if c.Condition != "" {
		text += " WHERE " + c.Condition
	}
	return text
}

// TestSQLiteRepeatableFindsRows lets the engine count the rows that a change's condition finds
// and those that the change itself changes.
func TestSQLiteRepeatableFindsRows(t *testing.T) {
	schema, err := os.ReadFile("testdata/sqlite/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(string(schema)); err != nil {
		t.Fatal(err)
	}
	liteFill(t, db)
	compared, found := 0, 0
	liteGolden(t, func(text string, s *Statement) {
		if s.Change == nil || !s.Change.Repeatable || s.Text == "" {
			return
		}
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		var rows int64
		repeated := tx.QueryRow(liteRepeatedRead(s.Change, "count(*)"), liteValuesOf(s.Change.Args)...).Scan(&rows)
		result, err := tx.Exec(text, liteAllValues(text)...)
		if err != nil {
			t.Logf("%s: %v", text, err)
			return
		}
		if repeated != nil {
			t.Errorf("%s: %v", text, repeated)
		}
		changed, err := result.RowsAffected()
		if err != nil || changed != rows {
			t.Errorf("%s\nchanges %d rows, its condition finds %d (%v)", text, changed, rows, err)
		}
		compared++
		if rows > 0 {
			found++
		}
	})
	t.Logf("%d compared, %d with rows", compared, found)
	if compared < 40 || found < 20 {
		t.Errorf("%d compared, %d with rows", compared, found)
	}
}

// liteFill gives every table rows of small numbers.
func liteFill(t *testing.T, db *sql.DB) {
	var tables string
	err := db.QueryRow(`SELECT group_concat(stmt, ';') FROM (
		SELECT printf('INSERT OR IGNORE INTO "%w" SELECT %s FROM generate_series(1, 9)', m.name,
			(SELECT group_concat(CASE WHEN p.pk OR p.cid % 2 THEN 'value' WHEN p.name = 'deleted_at' THEN 'NULL' ELSE 'value % 3 + 1' END, ', ') FROM pragma_table_info(m.name) p)) AS stmt
		FROM sqlite_master m WHERE m.type = 'table' AND m.name NOT LIKE 'docs%' AND m.name NOT LIKE 'sqlite%')`).Scan(&tables)
	if err != nil {
		t.Fatal(err)
	}
	tables = strings.ReplaceAll(tables, "generate_series(1, 9)", "(SELECT 1 AS value UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5)")
	if _, err := db.Exec(tables); err != nil {
		t.Fatal(err)
	}
}

// liteValueOf is the argument that stands for a parameter in each statement: its number, or
// what its name hashes to.
func liteValueOf(number int, name string) any {
	if name != "" {
		return sql.Named(name, len(name)+1)
	}
	return number
}

func liteValuesOf(args []Term) []any {
	var values []any
	for _, arg := range args {
		value := liteValueOf(arg.Param, arg.Text)
		if !slices.Contains(values, value) || arg.Text == "" {
			values = append(values, value)
		}
	}
	return values
}

// liteAllValues are the arguments of a whole statement.
func liteAllValues(text string) []any {
	tokens := liteTokens(text)
	liteNumberParams(tokens)
	var values []any
	for _, token := range tokens {
		if token.kind != liteParam {
			continue
		}
		if name := liteParamName(token.text); name != "" {
			if value := liteValueOf(0, name); !slices.Contains(values, value) {
				values = append(values, value)
			}
			continue
		}
		for len(values) < token.number {
			values = append(values, liteValueOf(len(values)+1, ""))
		}
	}
	return values
}

// TestSQLiteParamNumbers holds the numbers of parameters against the engine, which
// returns for each the argument that it was given.
func TestSQLiteParamNumbers(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{
		"SELECT ?, ?, ?", "SELECT ?2, ?, ?1, ?, ?4", "SELECT ?3, ?", "SELECT ?1, ?1, ?", "SELECT $1, $2, $1",
		"SELECT ?, $2, ?", "SELECT :a, @b, $c, :a, @a", "SELECT (WITH x AS (SELECT ? AS y) SELECT y FROM x), ?, (SELECT ? LIMIT ?)",
		"SELECT '?', ? -- ?\n, /* ? */ ?", "SELECT \"?\", ?",
	} {
		s := Analyze(SQLite, text)
		if s.Rows == nil {
			t.Fatalf("%s has no rows", text)
		}
		rows, err := db.Query(text, liteAllValues(text)...)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		values := make([]any, len(s.Rows.Columns))
		targets := make([]any, len(values))
		for i := range values {
			targets[i] = &values[i]
		}
		if !rows.Next() || rows.Scan(targets...) != nil {
			t.Fatalf("%s: no row, %v", text, rows.Err())
		}
		rows.Close()
		for i, column := range s.Rows.Columns {
			if column.Term.Kind != Param {
				continue
			}
			want := liteValueOf(column.Term.Param, column.Term.Text)
			if named, ok := want.(sql.NamedArg); ok {
				want = named.Value
			}
			if fmt.Sprint(values[i]) != fmt.Sprint(want) {
				t.Errorf("%s: column %d is %v, we say %v", text, i+1, values[i], column.Term)
			}
		}
	}
	for _, text := range []string{"SELECT $2", "SELECT :a, ?", "SELECT ?, :a", "SELECT ?2, $1"} {
		for _, column := range Analyze(SQLite, text).Rows.Columns {
			if column.Term.Kind == Param && column.Term.Text+"$"+fmt.Sprint(column.Term.Param) != "$2" {
				t.Errorf("%s: drivers don't agree on %v", text, column.Term)
			}
		}
	}
}
